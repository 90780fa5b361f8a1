"""The plain form: the request as it came but for the model, JSON or multipart, and the answer as it comes."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage, read_units, requested_units

_HOLDS = {"images": "data", "image_edits": "data", "moderations": "results"}
"""What an answer must hold to be one."""


class PlainFormat:
    """See `Form`."""

    own = True

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request, with the vendor's own name for the model."""
        if media_request.form is not None:
            changed = {"model": model, **_changes(media_request)}
            return [OutgoingBody(media_request.form.with_fields(changed), media_request.form.content_type)]
        return [OutgoingBody(orjson.dumps({**media_request.body, "model": model}))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The very bytes."""
        answer = answers[-1]
        holds = _HOLDS.get(media_request.endpoint)
        if holds and not (isinstance(answer.get(holds), list) and answer[holds]):
            raise MalformedStream(f"it holds no {holds}")
        units = read_units(media_request.endpoint, answer, requested_units(media_request.endpoint, media_request.body))
        return MediaAnswer(raw, read_media_usage(media_request.endpoint, answer), units)


def _changes(media_request: MediaRequest) -> dict[str, str | None]:
    """The fields of the form that were set anew or taken out since it was read (an alias's overrides)."""
    assert media_request.form is not None
    before = media_request.form.fields()
    changed: dict[str, str | None] = {name: None for name in before if name not in media_request.body}
    for name, value in media_request.body.items():
        if name != "model" and before.get(name) != value:
            changed[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return changed
