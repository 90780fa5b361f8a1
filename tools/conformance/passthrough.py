"""The native lane: each request must reach its provider as it was recorded, and the answer its caller."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import splitter_of
from tools.conformance.gateway import Hall, Heard
from tools.conformance.places import Recording, parse

_OURS = (".model", ".stream_options")
"""What the gateway sets itself: the model's name, and the request for usage."""


@dataclass
class Native:
    """One recording in the native lane."""

    recording: Recording
    faults: list[str] = field(default_factory=list)


async def run(hall: Hall, wanted: Iterable[Recording]) -> list[Native]:
    """Ask for every recording in its own dialect."""
    heard: dict[str, tuple[Recording, Heard]] = {}
    for recording in wanted:
        place = recording.place
        assert place is not None
        said = await hall.ask(recording, recording.request, place.dialect, place.door, recording.stream, recording.is_array)
        heard[recording.name] = (recording, said)
    reached = await hall.journal()
    return [
        Native(recording, [*asked(reached.get(name)), *_answered(recording, said)]) for name, (recording, said) in heard.items()
    ]


def asked(entry: dict[str, Any] | None, unsaid: Collection[str] = ()) -> list[str]:
    """How the request that reached the provider differs from the recorded one, the paths in `unsaid` aside."""
    if entry is None:
        return ["the request never reached the provider"]
    return [
        f"request{path}: {_short(was)} became {_short(now)}"
        for path, was, now in entry["diff"] or ()
        if not path.startswith(_OURS) and path not in unsaid
    ]


def _answered(recording: Recording, heard: Heard) -> list[str]:
    if heard.status != recording.expected_status:
        return [f"status {recording.status} became {heard.status}: {heard.body[:200]!r}"]
    place = recording.place
    assert place is not None
    want, got = recording.answer, heard.body
    if want == got or recording.expected_status != recording.status:
        return []
    if recording.is_array and parse(want) == parse(got):
        return []
    if recording.stream and place.dialect:
        speaks = dialect(place.dialect)
        splitter = splitter_of(speaks.content_type)
        kept = [[frame.raw for frame in splitter.split(data) if not speaks.is_usage_only(frame.data)] for data in (want, got)]
        if b"".join(kept[0]).strip() == b"".join(kept[1]).strip():
            return []
    return [f"answer differs: {_first_difference(want, got)}"]


def _first_difference(want: bytes, got: bytes) -> str:
    at = next((index for index, (one, other) in enumerate(zip(want, got, strict=False)) if one != other), min(len(want), len(got)))
    return f"at byte {at} of {len(want)}: {want[at : at + 60]!r} became {got[at : at + 60]!r}"


def _short(value: Any) -> str:
    return orjson.dumps(value).decode()[:80]
