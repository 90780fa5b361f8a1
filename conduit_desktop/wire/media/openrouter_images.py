"""Pictures as OpenRouter makes them: one address for new ones and for changes to given ones, which are `input_references`.

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
from conduit_desktop.wire.media.passthrough import PlainFormat

_COUNTS = frozenset({"n", "output_compression", "seed"})
"""What a form holds as text and JSON as a number."""
_UNKNOWN = ("response_format", "user", "mask", "input_fidelity", "moderation", "partial_images", "style")


class OpenRouterImages(PlainFormat):
    """See `Form`. The answer is OpenAI's; pictures are always in base64."""

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request; raises BadRequest for a picture that is neither a file nor an address."""
        body: dict[str, Json] = {**media_request.body, "model": model}
        given = body.pop("images", None)
        masked = media_request.form is not None and any(part.name == "mask" for part in media_request.form.parts)
        dropped += [name for name in _UNKNOWN if body.pop(name, None) not in (None, "b64_json") or (name == "mask" and masked)]
        pictures = (
            _files(media_request)
            if media_request.form is not None
            else [_address(one) for one in given]
            if isinstance(given, list)
            else []
        )
        if media_request.form is not None:
            body |= {name: int(body[name]) for name in _COUNTS & body.keys() if re.fullmatch(r"\d{1,18}", str(body[name]))}
        if pictures:
            body["input_references"] = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
        return [OutgoingBody(orjson.dumps(body))]


def _address(picture: Any) -> str:
    url = picture.get("image_url") if isinstance(picture, dict) else picture
    if not isinstance(url, str):
        raise BadRequest("Each of 'images' must hold an 'image_url': this model takes no ids of files.", param="images")
    return url


def _files(media_request: MediaRequest) -> list[str]:
    form = media_request.form
    assert form is not None
    files = [part for part in form.parts if part.filename is not None and part.name.removesuffix("[]") == "image"]
    kinds = [part.content_type if part.content_type.startswith("image/") else "image/png" for part in files]
    data = [base64.b64encode(form.body[part.start : part.end]).decode() for part in files]
    return [f"data:{kind};base64,{text}" for kind, text in zip(kinds, data, strict=True)]
