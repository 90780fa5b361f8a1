"""Whole responses, read and written, and the items in them."""

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
from conduit_desktop.wire.event_validation import moment, whole
from conduit_desktop.wire.openai_responses.content_parts import CONTENT, read_citation
from conduit_desktop.wire.openai_responses.errors import error_in_answer, failed_response
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.messages_reader import CALLS, thought
from conduit_desktop.wire.openai_responses.stream_writer import ResponsesWriter
from conduit_desktop.wire.openai_responses.usage import read_usage
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark

_KNOWN = frozenset({"id", "object", "created_at", "model", "status", "output", "usage", "error", "incomplete_details"})
_CALL = frozenset({"id", "type", "status", "call_id", "name", "arguments", "input"})
_CUT: dict[str, FinishReason] = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}


@whole
def read_response(body: dict[str, Json]) -> list[Event]:
    """A whole response as events; raises UpstreamError for a failed one, MalformedStream for what is none."""
    if body.get("status") == "failed":
        raise failed_response(body)
    if body.get("error"):
        raise error_in_answer(body)
    output = body.get("output")
    if not isinstance(output, list):
        raise MalformedStream("the answer is no response: it has no output")
    told = AnswerState()
    events: list[Event] = [started(body)]
    for item in output:
        item_events(item, told, events)
    ended(body, told, {}, events)
    return events


def started(response: dict[str, Any]) -> Started:
    """The beginning of an answer; `extra` is what the response says besides."""
    return Started(
        str(response.get("id") or ""),
        str(response.get("model") or ""),
        moment(response.get("created_at")),
        further(response),
        NAME,
    )


def further(response: dict[str, Any]) -> dict[str, Json]:
    """The fields of a response that no neutral event has."""
    return {name: value for name, value in response.items() if name not in _KNOWN}


class AnswerState:
    """What an answer has said so far, as far as its end depends on it; and the kind of its last block."""

    __slots__ = ("called", "last", "refused")

    def __init__(self) -> None:
        self.called = False
        self.refused = False
        self.last = ""


def ended(response: dict[str, Any], told: AnswerState, extra: dict[str, Json], events: list[Event]) -> None:
    """How it ended, and the usage."""
    status = str(response.get("status") or "completed")
    reason: FinishReason = "stop"
    if status == "incomplete":
        details = response.get("incomplete_details")
        why = details.get("reason") if isinstance(details, dict) else None
        reason, status = _CUT.get(str(why), "other"), str(why or status)
    elif status != "completed":
        reason = "other"
    elif told.called:
        reason = "tool_calls"
    elif told.refused:
        reason = "refusal"
    events.append(Finished(reason, status, extra={"response": extra} if extra else {}))
    usage = response.get("usage")
    if isinstance(usage, dict) and usage:
        events.append(UsageReported(read_usage(usage)))


def item_events(item: Json, told: AnswerState, events: list[Event]) -> None:
    """One whole item of the output; raises MalformedStream for what is none."""
    if not isinstance(item, dict) or not isinstance(item.get("type"), str):
        raise MalformedStream("an item of the output has no type")
    kind = item["type"]
    if kind == "message":
        for part in item.get("content") or ():
            part_events(part, told, events)
    elif kind in CALLS:
        call = call_started(item)
        told.called, told.last = True, "call"
        events.append(call)
        arguments = item.get("input" if kind == "custom_tool_call" else "arguments")
        if isinstance(arguments, str) and arguments:
            events.append(ToolCallDelta(call.id, arguments))
    elif kind == "reasoning":
        thought_events(item, told, events)
    else:
        told.last = "opaque"
        events.append(OpaqueBlock(Opaque(NAME, kind, item)))


def call_started(item: dict[str, Any]) -> ToolCallStarted:
    """The beginning of a call; raises MalformedStream for one that cannot be answered."""
    call_id, name = item.get("call_id") or item.get("id"), item.get("name")
    if not isinstance(call_id, str) or not isinstance(name, str):
        raise MalformedStream("a tool call without id or name")
    extra = {name: value for name, value in item.items() if name not in _CALL}
    return ToolCallStarted(call_id, name, "custom" if item["type"] == "custom_tool_call" else "function", extra=extra)


def open_text(told: AnswerState, events: list[Event]) -> None:
    """A text block begins."""
    if told.last == "text":
        events.append(TextStarted())
    told.last = "text"


def open_thinking(told: AnswerState, events: list[Event]) -> None:
    """A thinking block begins."""
    if told.last == "thinking":
        events.append(ThinkingStarted())
    told.last = "thinking"


def thought_events(item: dict[str, Any], told: AnswerState, events: list[Event]) -> None:
    """A whole reasoning item; one without words or proof says nothing."""
    text = reasoning_text(item)
    sealed = unmark(item.get("encrypted_content"))
    if text or (item.get("encrypted_content") and not (sealed and (sealed.kind == "hidden" or not sealed.data))):
        open_thinking(told, events)
    if text:
        events.append(ThinkingDelta(text))
    proof_events(item, told, events)


def proof_events(item: dict[str, Any], told: AnswerState, events: list[Event]) -> None:
    """The proof of a reasoning item, marked as this dialect's unless it bears a mark."""
    encrypted = item.get("encrypted_content")
    if not isinstance(encrypted, str) or not encrypted:
        return
    sealed = unmark(encrypted)
    if sealed is not None and sealed.kind == "hidden":
        events.append(ThinkingRedacted(sealed.data))
        told.last = "hidden"
    elif sealed is None:
        events.append(ThinkingSigned(mark(MarkedContent(NAME, encrypted, id=str(item.get("id") or "")))))
    elif sealed.data:
        events.append(ThinkingSigned(sealed.data))


def part_events(part: Json, told: AnswerState, events: list[Event]) -> None:
    """One whole content part of a message."""
    match part:
        case {"type": "output_text" | "text", "text": str(text)}:
            if text or part.get("annotations"):
                open_text(told, events)
            if text:
                events.append(TextDelta(text))
            events += [Cited(read_citation(raw)) for raw in part.get("annotations") or ()]
        case {"type": "refusal", "refusal": str(text)}:
            told.refused, told.last = True, "refusal"
            if text:
                events.append(Refused(text))
        case {"type": str(kind)}:
            told.last = "opaque"
            events.append(OpaqueBlock(Opaque(NAME, CONTENT + kind, part)))
        case _:
            raise MalformedStream("a content part has no type")


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The whole response: what a stream of the same answer ends in. Only the first choice can be said."""
    writer = ResponsesWriter(request)
    for event in answer.events():
        writer.write(event)
    writer.end()
    assert writer.final is not None
    return writer.final
