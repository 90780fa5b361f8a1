"""Images in the formats of Amazon and Stability AI."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import BadRequest, MalformedStream, UpstreamError
from conduit_desktop.core.media import Units
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, media_format

ASK = {"model": "alias", "prompt": "a cat", "n": 2, "size": "1536x1024", "response_format": "b64_json"}


def written(name: str, **body: Any) -> tuple[list[Any], list[str]]:
    dropped: list[str] = []
    bodies = media_format("images", name).write(MediaRequest("images", {**ASK, **body}), "up", dropped)
    return [orjson.loads(outgoing.body) for outgoing in bodies], dropped


def read_back(name: str, *answers: Any) -> MediaAnswer:
    return media_format("images", name).read(answers, b"", MediaRequest("images", {**ASK}), "alias")


def test_amazon_gets_one_request_for_all_images() -> None:
    (body,), dropped = written("bedrock_amazon", quality="high", seed=7, style="vivid")
    config = {"numberOfImages": 2, "width": 1536, "height": 1024, "quality": "premium", "seed": 7}
    assert body == {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a cat"}, "imageGenerationConfig": config}
    assert dropped == ["style"]


def test_stability_gets_a_ratio_and_one_request_an_image() -> None:
    bodies, dropped = written("bedrock_stability", output_format="webp", quality="high")
    assert bodies == [{"prompt": "a cat", "aspect_ratio": "3:2"}] * 2
    assert dropped == ["output_format", "quality"]
    (body,), _ = written("bedrock_stability", n=1, size="auto", output_format="jpeg", negative_prompt="dogs")
    assert body == {"prompt": "a cat", "output_format": "jpeg", "negative_prompt": "dogs"}


@pytest.mark.parametrize("name", ["bedrock_amazon", "bedrock_stability"])
def test_an_invalid_size_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        written(name, size="huge")
    assert refused.value.param == "size"


def test_images_are_returned_as_openais_list() -> None:
    made = read_back("bedrock_stability", {"images": ["AAA"], "seeds": [1], "finish_reasons": [None]}, {"images": ["BBB"]})
    assert orjson.loads(made.body)["data"] == [{"b64_json": "AAA"}, {"b64_json": "BBB"}]
    assert made.units == Units(images=2)


def test_a_filtered_image_is_a_content_filter_error() -> None:
    with pytest.raises(UpstreamError) as refused:
        read_back("bedrock_stability", {"finish_reasons": ["Filter reason: prompt"]})
    assert (refused.value.reason, refused.value.status) == ("content_filter", 400)


def test_a_response_without_images_is_malformed() -> None:
    with pytest.raises(MalformedStream):
        read_back("bedrock_amazon", {"images": []})


def test_more_than_ten_images_are_refused_where_each_is_a_request() -> None:
    with pytest.raises(BadRequest) as refused:
        written("bedrock_stability", n=10**9)
    assert refused.value.param == "n"
