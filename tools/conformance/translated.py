"""Crossings: each recorded request as a client of another dialect would send it, and what that client sees of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from conduit_desktop.core.errors import ConduitError
from conduit_desktop.wire import dialect
from tools.conformance import frames, request_types, sdk
from tools.conformance.gateway import Hall, Heard
from tools.conformance.lenses import STREAMED, WHOLE
from tools.conformance.places import Place, Recording, parse
from tools.conformance.seen import Seen, differences

Fields = dict[str, Any]

CALLERS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
    "gemini": "gemini",
}
"""The dialects with an official SDK, and their paths."""


@dataclass
class Crossing:
    """One recording, asked for in the dialect `caller`. `sent` is what reached the provider."""

    recording: Recording
    caller: str
    recorded: Seen
    seen: Seen
    dropped: list[str] = field(default_factory=list)
    unread: str = ""
    sent: Fields = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """The fields that differ."""
        return {"sdk": ("accepted", self.unread)} if self.unread else differences(self.recorded, self.seen)


async def run(hall: Hall, caller: str, wanted: Iterable[Recording], progress: Callable[[], None] = lambda: None) -> list[Crossing]:
    """Ask for every recording in the dialect `caller`."""
    made: dict[str, Crossing] = {}
    for recording in wanted:
        place = recording.place
        if place is None or place.dialect not in WHOLE or place.dialect == caller:
            continue
        scenario = await _cross(hall, caller, recording)
        if scenario is not None:
            made[recording.name] = scenario
        progress()
    reached = await hall.journal()
    for name, scenario in made.items():
        entry = reached.get(name)
        if entry is not None and isinstance(entry["body"], dict):
            scenario.sent = entry["body"]
            place = scenario.recording.place
            assert place is not None
            scenario.invalid = _faults(place, scenario.sent)
    return list(made.values())


def _faults(place: Place, sent: Fields) -> list[str]:
    """What the vendor's types would not take. Most who speak OpenAI's dialect have fields of their own beside it."""
    faults = request_types.invalid_request("mistral" if place.kind == "mistral" else place.dialect, sent)
    if place.dialect != "openai_chat" or place.kind in ("openai", "mistral"):
        return faults
    return [fault for fault in faults if "." in fault or not fault.endswith(": extra_forbidden")]


async def _cross(hall: Hall, caller: str, recording: Recording) -> Crossing | None:
    place = recording.place
    assert place is not None
    path = {"model": recording.model, "stream": recording.stream}
    recorded = what_was_recorded(recording)
    try:
        neutral = dialect(place.dialect).read_request(recording.request, path)
    except ConduitError as error:
        # A request that its own vendor refused may be unreadable; then there is no client that could send it.
        return None if recording.status >= 400 else Crossing(recording, caller, recorded, Seen(), unread=f"request: {error}")
    neutral.include_usage = True
    body = dialect(caller).write_request(neutral, recording.model).body
    heard = await hall.ask(recording, body, caller, CALLERS[caller], recording.stream)
    scenario = Crossing(recording, caller, recorded, Seen(status=heard.status), heard.dropped)
    if heard.status == 200:
        _look(scenario, heard)
    else:
        scenario.seen.error = heard.body[:300].decode(errors="replace")
    return scenario


def _look(scenario: Crossing, heard: Heard) -> None:
    """Read the answer with the SDK's own types, and see what they hold."""
    caller, streamed = scenario.caller, scenario.recording.stream
    try:
        if streamed:
            scenario.seen = _of_stream(caller, sdk.read_stream(caller, heard.body))
        else:
            scenario.seen = WHOLE[caller](sdk.read_whole(caller, orjson.loads(heard.body)))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        scenario.unread = f"{type(error).__name__}: {str(error)[:300]}"


def what_was_recorded(recording: Recording) -> Seen:
    """The recorded answer, looked at in its own dialect."""
    place = recording.place
    assert place is not None
    if recording.status >= 400:
        return Seen(status=recording.expected_status)
    if recording.answered_as_stream:
        return _of_stream(place.dialect, frames.events(place.dialect, recording.answer))
    body = parse(recording.answer)
    return STREAMED[place.dialect](body) if isinstance(body, list) else WHOLE[place.dialect](body)


def _of_stream(speaks: str, events: Iterable[Fields]) -> Seen:
    held = list(events)
    return Seen(finish="error") if any(frames.is_error(event) for event in held) else STREAMED[speaks](held)
