"""Images in OpenRouter's format: one endpoint for new and for edited images, with the given images as `input_references`.

https://openrouter.ai/docs/api/api-reference/images/generate-an-image
"""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.media.endpoints import MediaRequest, OutgoingBody
from conduit_desktop.wire.media.passthrough import PassthroughFormat

_NUMBERS = frozenset({"n", "output_compression", "seed"})
"""Fields that are text in a multipart form and numbers in JSON."""
_UNSUPPORTED = ("response_format", "user", "mask", "input_fidelity", "moderation", "partial_images", "style")


class OpenRouterImages(PassthroughFormat):
    """A `MediaFormat`. Responses are in OpenAI's format, with images in base64."""

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One JSON body; raises BadRequest for an image that is neither a file nor a URL."""
        body: dict[str, Json] = {**media_request.body, "model": model}
        given = body.pop("images", None)
        masked = media_request.form is not None and any(part.name == "mask" for part in media_request.form.parts)
        dropped += [name for name in _UNSUPPORTED if body.pop(name, None) not in (None, "b64_json") or (name == "mask" and masked)]
        urls = (
            _files(media_request)
            if media_request.form is not None
            else [_url(one) for one in given]
            if isinstance(given, list)
            else []
        )
        if media_request.form is not None:
            # At most 18 digits, so that the number fits into 64 bits.
            body |= {name: int(body[name]) for name in _NUMBERS & body.keys() if re.fullmatch(r"\d{1,18}", str(body[name]))}
        if urls:
            body["input_references"] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [OutgoingBody(orjson.dumps(body))]


def _url(image: Any) -> str:
    url = image.get("image_url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise BadRequest("Each of 'images' must hold an 'image_url': this model takes no file ids.", param="images")
    return url


def _files(media_request: MediaRequest) -> list[str]:
    form = media_request.form
    assert form is not None
    files = [part for part in form.parts if part.filename is not None and part.name.removesuffix("[]") == "image"]
    # A form's file may have any content type or none, and a data URL needs that of an image.
    kinds = [part.content_type if part.content_type.startswith("image/") else "image/png" for part in files]
    data = [base64.b64encode(form.body[part.start : part.end]).decode() for part in files]
    return [f"data:{kind};base64,{text}" for kind, text in zip(kinds, data, strict=True)]
