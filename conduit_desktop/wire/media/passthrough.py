"""The plain form: the request as it came but for the model, JSON or multipart, and the answer as it comes."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.media.endpoints import Sending, Told, Wish
from conduit_desktop.wire.media.usage import asked_units, told_units, told_usage

_HOLDS = {"images": "data", "image_edits": "data", "moderations": "results"}
"""What an answer must hold to be one."""


class Plain:
    """See `Form`."""

    own = True

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """One request, with the vendor's own name for the model."""
        if wish.form is not None:
            changed = {"model": model, **_changes(wish)}
            return [Sending(wish.form.with_fields(changed), wish.form.content_type)]
        return [Sending(orjson.dumps({**wish.body, "model": model}))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, wish: Wish, model: str) -> Told:
        """The very bytes."""
        answer = answers[-1]
        holds = _HOLDS.get(wish.endpoint)
        if holds and not (isinstance(answer.get(holds), list) and answer[holds]):
            raise MalformedStream(f"it holds no {holds}")
        units = told_units(wish.endpoint, answer, asked_units(wish.endpoint, wish.body))
        return Told(raw, told_usage(wish.endpoint, answer), units)


def _changes(wish: Wish) -> dict[str, str | None]:
    """The fields of the form that were set anew or taken out since it was read (an alias's overrides)."""
    assert wish.form is not None
    before = wish.form.fields()
    changed: dict[str, str | None] = {name: None for name in before if name not in wish.body}
    for name, value in wish.body.items():
        if name != "model" and before.get(name) != value:
            changed[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    return changed
