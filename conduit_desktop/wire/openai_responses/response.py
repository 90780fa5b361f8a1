"""Whole responses of the Responses API, read and written, and the output items in them."""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json, Opaque
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    FinishReason,
    OpaqueBlock,
    Refused,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from conduit_desktop.wire.event_validation import epoch_or_none, validated
from conduit_desktop.wire.generated_media import image_from
from conduit_desktop.wire.openai_responses.content_parts import CONTENT, read_citation
from conduit_desktop.wire.openai_responses.errors import error_in_answer, failed_response
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.messages_reader import CALLS, reasoning_text
from conduit_desktop.wire.openai_responses.stream_writer import IMAGE_CALL, ResponsesWriter
from conduit_desktop.wire.openai_responses.usage import read_usage, take_response
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark

_KNOWN = frozenset({"id", "object", "created_at", "model", "status", "output", "usage", "error", "incomplete_details"})
_CALL = frozenset({"id", "type", "status", "call_id", "name", "arguments", "input"})
_INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}


@validated
def read_response(body: dict[str, Json]) -> list[Event]:
    """The events of a whole response; raises UpstreamError for a failed one, MalformedStream for anything but a response."""
    if body.get("status") == "failed":
        raise failed_response(body)
    if body.get("error"):
        raise error_in_answer(body)
    output = body.get("output")
    if not isinstance(output, list):
        raise MalformedStream("the answer is not a response: it has no output")
    state = AnswerState()
    events: list[Event] = [started(body)]
    for item in output:
        item_events(item, state, events)
    ended(body, state, {}, events)
    return events


def started(response: dict[str, Any]) -> Started:
    """The start event; `extra` holds the fields of the response that no neutral event has."""
    return Started(
        str(response.get("id") or ""),
        str(response.get("model") or ""),
        epoch_or_none(response.get("created_at")),
        unknown_fields(response),
        NAME,
    )


def unknown_fields(response: dict[str, Any]) -> dict[str, Json]:
    """The fields of a response that no neutral event has."""
    return {name: value for name, value in response.items() if name not in _KNOWN}


class AnswerState:
    """The state of a response that is read: whether it has calls and refusals, and the kind of its last block."""

    __slots__ = ("called", "hosted", "last", "refused")

    def __init__(self) -> None:
        self.called = False
        self.refused = False
        self.last = ""
        self.hosted: list[dict[str, Any]] = []
        """Items of the output other than text, thinking and the client's calls: some of them are billed singly."""


def ended(response: dict[str, Any], state: AnswerState, extra: dict[str, Json], events: list[Event]) -> None:
    """Add the finish and the usage."""
    status = str(response.get("status") or "completed")
    reason: FinishReason = "stop"
    # A response that was cut off may hold calls too: their arguments may be cut off, so the status counts first.
    if status == "incomplete":
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        # Any other reason, or none: the answer was cut short all the same, and must not pass for complete.
        reason, status = _INCOMPLETE.get(str(why), "length"), str(why or status)
    elif status != "completed":
        reason = "other"
    elif state.called:
        reason = "tool_calls"
    elif state.refused:
        reason = "refusal"
    events.append(Finished(reason, status, extra={"response": extra} if extra else {}))
    usage = response.get("usage")
    if isinstance(usage, dict) and usage:
        events.append(UsageReported(take_response(read_usage(usage), response, state.hosted)))


def item_events(item: Json, state: AnswerState, events: list[Event]) -> None:
    """Add the events of a whole output item; raises MalformedStream for anything but an item."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise MalformedStream("an item of the output has no type")
    kind = item["type"]
    if kind == "message":
        for part in item.get("content") or ():
            part_events(part, state, events)
    elif kind in CALLS:
        call = call_started(item)
        state.called, state.last = True, "call"
        events.append(call)
        arguments = item.get("input" if kind == "custom_tool_call" else "arguments")
        if isinstance(arguments, str) and arguments:
            events.append(ToolCallDelta(call.id, arguments))
    elif kind == "reasoning":
        reasoning_events(item, state, events)
    else:
        state.last = "opaque"
        state.hosted.append(item)
        picture = image_from(item.get("result")) if kind == IMAGE_CALL else None
        events.append(OpaqueBlock(Opaque(NAME, kind, item, picture)))


def call_started(item: dict[str, Any]) -> ToolCallStarted:
    """The start of a call; raises MalformedStream without an id or a name: its result could not be sent back."""
    # Results refer to `call_id`, which is not the id of the item.
    call_id, name = item.get("call_id") or item.get("id"), item.get("name")
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise MalformedStream("a tool call without id or name")
    extra = {name: value for name, value in item.items() if name not in _CALL}
    return ToolCallStarted(call_id, name, "custom" if item["type"] == "custom_tool_call" else "function", extra=extra)


def open_text(state: AnswerState, events: list[Event]) -> None:
    """Begin a text block."""
    # Only after another text: a delta opens its block by itself otherwise.
    if state.last == "text":
        events.append(TextStarted())
    state.last = "text"


def open_thinking(state: AnswerState, events: list[Event]) -> None:
    """Begin a thinking block."""
    if state.last == "thinking":
        events.append(ThinkingStarted())
    state.last = "thinking"


def reasoning_events(item: dict[str, Any], state: AnswerState, events: list[Event]) -> None:
    """Add the events of a whole reasoning item; none for one without text and encrypted content."""
    text = reasoning_text(item)
    marked = unmark(item.get("encrypted_content"))
    # A hidden thought is an event of its own, so no block is opened for it.
    if text or (item.get("encrypted_content") and not (marked and (marked.kind == "hidden" or not marked.data))):
        open_thinking(state, events)
    if text:
        events.append(ThinkingDelta(text))
    encrypted_events(item, state, events)


def encrypted_events(item: dict[str, Any], state: AnswerState, events: list[Event]) -> None:
    """Add the encrypted content of a reasoning item, marked as this dialect's unless it has a mark."""
    encrypted = item.get("encrypted_content")
    if not isinstance(encrypted, str) or not encrypted:
        return
    marked = unmark(encrypted)
    if marked is not None and marked.kind == "hidden":
        events.append(ThinkingRedacted(marked.data))
        state.last = "hidden"
    # The id goes with the signature: OpenAI refuses encrypted content under the id of another item.
    elif marked is None:
        events.append(ThinkingSigned(mark(MarkedContent(NAME, encrypted, id=str(item.get("id") or "")))))
    elif marked.data:
        events.append(ThinkingSigned(marked.data))


def part_events(part: Json, state: AnswerState, events: list[Event]) -> None:
    """Add the events of a whole content part."""
    match part:
        case {"type": "output_text" | "text", "text": str(text)}:
            # Sources without a text still need a block.
            if text or part.get("annotations"):
                open_text(state, events)
            if text:
                events.append(TextDelta(text))
            events += [Cited(read_citation(raw)) for raw in part.get("annotations") or ()]
        case {"type": "refusal", "refusal": str(text)}:
            state.refused, state.last = True, "refusal"
            if text:
                events.append(Refused(text))
        case {"type": str(kind)}:
            state.last = "opaque"
            events.append(OpaqueBlock(Opaque(NAME, CONTENT + kind, part)))
        case _:
            raise MalformedStream("a content part has no type")


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The whole response, with which a stream of the same answer ends. It has the first choice only."""
    # One writer for both, so that a whole answer and the last event of a stream cannot differ.
    writer = ResponsesWriter(request)
    for event in answer.events():
        writer.write(event)
    writer.end()
    assert writer.final is not None
    return writer.final
