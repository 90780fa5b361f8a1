"""Translation: each recorded request as a client of another dialect would send it, and the answer as that client reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from conduit_desktop.core.errors import ConduitError
from conduit_desktop.wire import dialect
from tests.conformance import frames, request_types, sdk
from tests.conformance.answer_readers import READ_STREAM, READ_WHOLE
from tests.conformance.answer_summary import AnswerSummary, differences
from tests.conformance.gateway import ClientResponse, ReplaySetup
from tests.conformance.recordings import Endpoint, Recording, parse

Fields = dict[str, Any]

CALLERS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
    "gemini": "gemini",
}
"""The dialects with an official SDK, and their paths."""


@dataclass
class TranslatedResult:
    """One recording, requested in the dialect `caller`. `sent` is the request that reached the provider."""

    recording: Recording
    caller: str
    recorded: AnswerSummary
    summary: AnswerSummary
    dropped: list[str] = field(default_factory=list)
    unreadable: str = ""
    sent: Fields = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """The fields that differ."""
        return {"sdk": ("accepted", self.unreadable)} if self.unreadable else differences(self.recorded, self.summary)


async def run(
    setup: ReplaySetup, caller: str, wanted: Iterable[Recording], progress: Callable[[], None] = lambda: None
) -> list[TranslatedResult]:
    """Send every recorded request in the dialect `caller`."""
    made: dict[str, TranslatedResult] = {}
    for recording in wanted:
        endpoint = recording.endpoint
        if endpoint is None or endpoint.dialect not in READ_WHOLE or endpoint.dialect == caller:
            continue
        result = await _translate(setup, caller, recording)
        if result is not None:
            made[recording.name] = result
        progress()
    upstream_requests = await setup.upstream_requests()
    for name, result in made.items():
        entry = upstream_requests.get(name)
        if entry is not None and isinstance(entry["body"], dict):
            result.sent = entry["body"]
            endpoint = result.recording.endpoint
            assert endpoint is not None
            result.invalid = _faults(endpoint, result.sent)
    return list(made.values())


def _faults(endpoint: Endpoint, sent: Fields) -> list[str]:
    """The faults against the vendor's types. Most OpenAI-compatible vendors have more top-level fields: no faults."""
    if endpoint.kind == "openrouter":
        sent = _without_cache_marks(sent)
    faults = request_types.invalid_request("mistral" if endpoint.kind == "mistral" else endpoint.dialect, sent)
    if endpoint.dialect != "openai_chat" or endpoint.kind in ("openai", "mistral"):
        return faults
    return [fault for fault in faults if "." in fault or not fault.endswith(": extra_forbidden")]


def _without_cache_marks(value: Any) -> Any:
    """Without the marks that OpenRouter takes and OpenAI's types do not know; any other value under their name stays a fault.

    https://openrouter.ai/docs/features/prompt-caching
    """
    if isinstance(value, list):
        return [_without_cache_marks(one) for one in value]
    if not isinstance(value, dict):
        return value
    marks = ({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"})
    return {name: _without_cache_marks(one) for name, one in value.items() if not (name == "cache_control" and one in marks)}


async def _translate(setup: ReplaySetup, caller: str, recording: Recording) -> TranslatedResult | None:
    endpoint = recording.endpoint
    assert endpoint is not None
    path = {"model": recording.model, "stream": recording.stream}
    recorded = what_was_recorded(recording)
    try:
        neutral = dialect(endpoint.dialect).read_request(recording.request, path)
    except ConduitError as error:
        # A request that its own vendor refused may be unreadable; then no client could send it.
        return (
            None
            if recording.status >= 400
            else TranslatedResult(recording, caller, recorded, AnswerSummary(), unreadable=f"request: {error}")
        )
    neutral.include_usage = True
    body = dialect(caller).write_request(neutral, recording.model).body
    if caller == "anthropic_messages":
        body.setdefault("max_tokens", 4096)  # which every client of this API sends
    response = await setup.ask(recording, body, caller, CALLERS[caller], recording.stream)
    result = TranslatedResult(recording, caller, recorded, AnswerSummary(status=response.status), response.dropped)
    if response.status == 200:
        _read_response(result, response)
    else:
        result.summary.error = response.body[:300].decode(errors="replace")
    return result


def _read_response(result: TranslatedResult, response: ClientResponse) -> None:
    """Parse the response with the SDK's types into the result's summary."""
    caller, streamed = result.caller, result.recording.stream
    try:
        if streamed:
            result.summary = _of_stream(caller, sdk.read_stream(caller, response.body))
        else:
            result.summary = READ_WHOLE[caller](sdk.read_whole(caller, orjson.loads(response.body)))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        result.unreadable = f"{type(error).__name__}: {str(error)[:300]}"


def what_was_recorded(recording: Recording) -> AnswerSummary:
    """The recorded answer, read in its own dialect."""
    endpoint = recording.endpoint
    assert endpoint is not None
    if recording.status >= 400:
        return AnswerSummary(status=recording.expected_status)
    if recording.answered_as_stream:
        return _of_stream(endpoint.dialect, frames.events(endpoint.dialect, recording.answer))
    body = parse(recording.answer)
    return READ_STREAM[endpoint.dialect](body) if isinstance(body, list) else READ_WHOLE[endpoint.dialect](body)


def _of_stream(dialect_name: str, events: Iterable[Fields]) -> AnswerSummary:
    held = list(events)
    return AnswerSummary(finish="error") if any(frames.is_error(event) for event in held) else READ_STREAM[dialect_name](held)
