"""OpenAI's format for vendors that share it: the request, JSON or multipart, with the vendor's model, and the response as it is."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage, read_units, requested_units

_REQUIRED = {"images": "data", "image_edits": "data", "moderations": "results"}
"""The list that a response must hold, for some endpoints."""


class PassthroughFormat:
    """A `MediaFormat`."""

    passthrough = True

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body, with the vendor's name of the model."""
        if media_request.form is not None:
            changed = {"model": model, **_changes(media_request)}
            return [OutgoingBody(media_request.form.with_fields(changed), media_request.form.content_type)]
        return [OutgoingBody(orjson.dumps({**media_request.body, "model": model}))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The vendor's bytes."""
        answer = answers[-1]
        required = _REQUIRED.get(media_request.endpoint)
        # Otherwise a success with nothing in it would reach the client, and would be billed.
        if required and not (isinstance(answer.get(required), list) and answer[required]):
            raise MalformedStream(f"it holds no {required}")
        units = read_units(media_request.endpoint, answer, requested_units(media_request.endpoint, media_request.body))
        return MediaAnswer(raw, read_media_usage(media_request.endpoint, answer), units)


def _changes(media_request: MediaRequest) -> dict[str, str | None]:
    """The fields that differ from the multipart form as it was read (an alias's overrides); None for a removed one."""
    assert media_request.form is not None
    before = media_request.form.fields()
    changed: dict[str, str | None] = {name: None for name in before if name not in media_request.body}
    for name, value in media_request.body.items():
        # Equal fields stay untouched, so that the vendor gets the bytes that the client sent.
        if name != "model" and before.get(name) != value:
            changed[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return changed
