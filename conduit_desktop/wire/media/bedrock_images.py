"""Pictures that Bedrock's InvokeModel makes, in the words of Amazon's models and of Stability's.

https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-diffusion-stable-ultra-text-image-request-response.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream, UpstreamError
from conduit_desktop.core.media import Units
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import requested_units

_QUALITIES = {"high": "premium", "hd": "premium", "premium": "premium"}
_RATIOS = {
    ratio: int(ratio.partition(":")[0]) / int(ratio.partition(":")[2])
    for ratio in ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
}
_SHARED = frozenset({"model", "prompt", "n", "size", "seed", "negative_prompt"})
_FORMATS = ("png", "jpeg")
_MOST = 10
"""OpenAI's own limit of pictures for one request; here each is a request of its own."""


class AmazonImages:
    """See `Form`. Nova Canvas and Titan's image generators."""

    own = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request for all pictures."""
        body = media_request.body
        asked: dict[str, Json] = {"text": body.get("prompt")}
        if body.get("negative_prompt"):
            asked["negativeText"] = body["negative_prompt"]
        config: dict[str, Json] = {"numberOfImages": requested_units(media_request.endpoint, body).images}
        size = _size(body)
        if size is not None:
            config |= {"width": size[0], "height": size[1]}
        if body.get("quality") not in (None, "auto"):
            config["quality"] = _QUALITIES.get(str(body["quality"]), "standard")
        if body.get("seed") is not None:
            config["seed"] = body["seed"]
        dropped += _dropped(body, _SHARED | {"quality"})
        return [OutgoingBody(orjson.dumps({"taskType": "TEXT_IMAGE", "textToImageParams": asked, "imageGenerationConfig": config}))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list of pictures in base64."""
        return _told(answers)


class StabilityImages:
    """See `Form`. Stable Image and Stable Diffusion: a ratio instead of a size, and one picture at a time."""

    own = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request a picture."""
        body = media_request.body
        said: dict[str, Json] = {name: body[name] for name in ("prompt", "negative_prompt", "seed", "aspect_ratio") if name in body}
        size = _size(body)
        if size is not None:
            said.setdefault("aspect_ratio", min(_RATIOS, key=lambda ratio: abs(_RATIOS[ratio] - size[0] / size[1])))
        if body.get("output_format") in _FORMATS:
            said["output_format"] = body["output_format"]
        known = _SHARED | {"aspect_ratio"} | ({"output_format"} if "output_format" in said else set())
        dropped += _dropped(body, known)
        wanted = requested_units(media_request.endpoint, body).images
        if wanted > _MOST:
            raise BadRequest(f"'n' must be at most {_MOST}.", param="n")
        return [OutgoingBody(orjson.dumps(said))] * wanted

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list of pictures in base64."""
        return _told(answers)


def _told(answers: Sequence[dict[str, Json]]) -> MediaAnswer:
    """Raises UpstreamError where a filter held the pictures back."""
    pictures: list[Any] = []
    for answer in answers:
        made = answer.get("images")
        if not isinstance(made, list) or not made or not all(isinstance(one, str) for one in made):
            reasons: Any = answer.get("finish_reasons")
            reason = next((one for one in reasons if one), None) if isinstance(reasons, list) else None
            if reason:
                raise UpstreamError(f"no picture was made: {reason}", status=400, reason="content_filter")
            raise MalformedStream("it holds no pictures")
        pictures += made
    rows = [{"b64_json": one} for one in pictures]
    return MediaAnswer(orjson.dumps({"created": 0, "data": rows}), units=Units(images=len(rows)))


def _size(body: dict[str, Json]) -> tuple[int, int] | None:
    wanted = body.get("size")
    if wanted in (None, "auto"):
        return None
    found = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", str(wanted))
    if found is None:
        raise BadRequest("'size' must be a width and a height in pixels, as in 1024x1024.", param="size")
    return int(found[1]), int(found[2])


def _dropped(body: dict[str, Json], known: frozenset[str]) -> list[str]:
    """What is not said; pictures are always given in base64."""
    return [
        name
        for name, value in body.items()
        if name not in known and value is not None and (name, value) != ("response_format", "b64_json")
    ]
