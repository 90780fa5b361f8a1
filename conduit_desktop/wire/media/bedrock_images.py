"""Images on Bedrock, in the InvokeModel formats of Amazon's and of Stability AI's models.

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
_MAX_IMAGES = 10
"""OpenAI's limit for one request. Here each image is a request of its own, so the vendor enforces none."""


class AmazonImages:
    """A `MediaFormat` for Nova Canvas and Titan Image Generator."""

    passthrough = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for all images; raises BadRequest for a size that is not in pixels."""
        body = media_request.body
        params: dict[str, Json] = {"text": body.get("prompt")}
        if body.get("negative_prompt"):
            params["negativeText"] = body["negative_prompt"]
        config: dict[str, Json] = {"numberOfImages": requested_units(media_request.endpoint, body).images}
        size = _size(body)
        if size is not None:
            config |= {"width": size[0], "height": size[1]}
        if body.get("quality") not in (None, "auto"):
            # Amazon has two qualities, so OpenAI's others become the plain one.
            config["quality"] = _QUALITIES.get(str(body["quality"]), "standard")
        if body.get("seed") is not None:
            config["seed"] = body["seed"]
        dropped += _dropped(body, _SHARED | {"quality"})
        return [
            OutgoingBody(orjson.dumps({"taskType": "TEXT_IMAGE", "textToImageParams": params, "imageGenerationConfig": config}))
        ]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list of images in base64. Raises UpstreamError where a filter withheld them."""
        return _openai_answer(answers)


class StabilityImages:
    """A `MediaFormat` for Stable Image and Stable Diffusion, with an aspect ratio instead of a size, and one image a request."""

    passthrough = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each image, with the nearest ratio; raises BadRequest for a wrong size or more than ten images."""
        body = media_request.body
        fields: dict[str, Json] = {
            name: body[name] for name in ("prompt", "negative_prompt", "seed", "aspect_ratio") if name in body
        }
        size = _size(body)
        if size is not None:
            # A ratio that the caller gave counts before one that is only derived from the size.
            fields.setdefault("aspect_ratio", min(_RATIOS, key=lambda ratio: abs(_RATIOS[ratio] - size[0] / size[1])))
        if body.get("output_format") in _FORMATS:
            fields["output_format"] = body["output_format"]
        known = _SHARED | {"aspect_ratio"} | ({"output_format"} if "output_format" in fields else set())
        dropped += _dropped(body, known)
        count = requested_units(media_request.endpoint, body).images
        if count > _MAX_IMAGES:
            raise BadRequest(f"'n' must be at most {_MAX_IMAGES}.", param="n")
        return [OutgoingBody(orjson.dumps(fields))] * count

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list of images in base64. Raises UpstreamError where a filter withheld them."""
        return _openai_answer(answers)


def _openai_answer(answers: Sequence[dict[str, Json]]) -> MediaAnswer:
    images: list[Any] = []
    for answer in answers:
        found = answer.get("images")
        if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
            # Stability AI reports a filter here, with status 200.
            reasons: Any = answer.get("finish_reasons")
            reason = next((one for one in reasons if one), None) if isinstance(reasons, list) else None
            if reason:
                raise UpstreamError(f"no image was generated: {reason}", status=400, reason="content_filter")
            raise MalformedStream("it holds no images")
        images += found
    # `created` is required by OpenAI's clients; Bedrock reports no time.
    rows = [{"b64_json": one} for one in images]
    return MediaAnswer(orjson.dumps({"created": 0, "data": rows}), units=Units(images=len(rows)))


def _size(body: dict[str, Json]) -> tuple[int, int] | None:
    size = body.get("size")
    if size in (None, "auto"):
        return None
    found = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", str(size))
    if found is None:
        raise BadRequest("'size' must be a width and a height in pixels, as in 1024x1024.", param="size")
    return int(found[1]), int(found[2])


def _dropped(body: dict[str, Json], known: frozenset[str]) -> list[str]:
    """The fields that are not in `known`; requesting base64 is no loss, because images always come in it."""
    return [
        name
        for name, value in body.items()
        if name not in known and value is not None and (name, value) != ("response_format", "b64_json")
    ]
