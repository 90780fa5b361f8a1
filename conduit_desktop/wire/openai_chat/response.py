"""Reads and writes whole OpenAI answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conduit_desktop.core.answer import Answer, Choice
from conduit_desktop.core.chat import ChatRequest, Citation, Json, Opaque, Refusal, Text, ToolCall
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, Finished, FinishReason, UsageReported
from conduit_desktop.wire.citations import sources
from conduit_desktop.wire.event_validation import validated
from conduit_desktop.wire.openai_chat.choice_reader import ChoiceReader
from conduit_desktop.wire.openai_chat.citations import read_sources, write_span
from conduit_desktop.wire.openai_chat.errors import base_response_fault, read_error_object
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.openai_chat.reasoning import thinking_fields
from conduit_desktop.wire.openai_chat.stream_reader import CHUNK, started
from conduit_desktop.wire.openai_chat.tool_calls import signature_field
from conduit_desktop.wire.openai_chat.usage import read_usage, write_usage

_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "error": "stop",
    "other": "stop",
}


@validated
def read_response(body: dict[str, Json]) -> list[Event]:
    """A whole answer as events; raises UpstreamError for an error body, MalformedStream for what is no answer."""
    if body.get("error") or body.get("object") == "error":
        raise read_error_object(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise base_response_fault(body) or MalformedStream("the answer holds no choices")
    extra = {name: value for name, value in body.items() if name not in CHUNK}
    begin = started(body, extra)
    events: list[Event] = [begin]
    readers = [_choice(raw, index, begin.id, events) for index, raw in enumerate(choices)]
    readers[0].cite(read_sources(extra))
    for reader in readers:
        reader.end(events)
    usage = body.get("usage")
    if isinstance(usage, dict) and usage:
        events.append(UsageReported(read_usage(usage)))
    return events


def _choice(raw: Any, place: int, answer_id: str, events: list[Event]) -> ChoiceReader:
    if not isinstance(raw, dict):
        raise MalformedStream("a choice that is no object")
    if raw.get("error") or raw.get("finish_reason") == "error":
        raise read_error_object(raw.get("error") or "the provider ended the answer with an error")
    reader = ChoiceReader(place, answer_id)
    message = raw.get("message")
    if isinstance(message, dict):
        reader.say(message, events)
    reader.finish = str(raw.get("finish_reason") or "") or None
    reader.keep(raw)
    return reader


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The whole body. `created` is 0 where the answer does not say when it was made; clients count on one choice."""
    begin = answer.started
    own = begin.dialect == NAME
    body: dict[str, Json] = {
        "id": begin.id,
        "object": "chat.completion",
        "created": begin.created or 0,
        "model": begin.model or request.model,
        "choices": [_write_choice(choice, index, begin.dialect) for index, choice in enumerate(answer.choices or [Choice()])],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage, own)
    if own:
        body.update(begin.extra)
        for choice in answer.choices:
            body.update(choice.finish.extra.get("response", {}) if choice.finish else {})
    return body


def finish_word(finished: Finished, own: bool) -> str:
    """How the choice ended, in OpenAI's word, or in the very word it came in."""
    return finished.raw if own and finished.raw else _REASONS[finished.reason]


def own_extra(finished: Finished | None, own: bool) -> tuple[dict[str, Json], dict[str, Json]]:
    """What this dialect had said besides: fields of the choice and fields of its message."""
    extra = dict(finished.extra) if finished is not None and own else {}
    extra.pop("response", None)
    return extra, extra.pop("message", {})


def _write_choice(choice: Choice, index: int, said_in: str) -> dict[str, Json]:
    own = said_in == NAME
    finish = choice.finish or Finished("stop")
    extra, more = own_extra(choice.finish, own)
    message = {**_message(choice, said_in), **more}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_word(finish, own), **extra}


def _message(choice: Choice, said_in: str) -> dict[str, Json]:
    own = said_in == NAME
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    message: dict[str, Json] = {"role": "assistant", "content": _content(choice), "refusal": refusal or None}
    annotations = write_citations(sources(choice.parts))
    if annotations:
        message["annotations"] = annotations
    message.update(thinking_fields(choice.parts, said_in))
    calls = [part for part in choice.parts if isinstance(part, ToolCall) and part.kind != "hosted"]
    for call in calls:
        if own and call.extra.get("function_call"):
            message["function_call"] = {"name": call.name, "arguments": call.arguments}
    written = [_write_call(call, own) for call in calls if not (own and call.extra.get("function_call"))]
    if written:
        message["tool_calls"] = written
    return message


def _content(choice: Choice) -> Json:
    """The words; a list only where this dialect had given parts that are no words."""
    blocks = [part for part in choice.parts if isinstance(part, Text) or _is_content(part)]
    if any(isinstance(part, Opaque) for part in blocks):
        return [{"type": "text", "text": part.text} if isinstance(part, Text) else part.value for part in blocks]  # type: ignore[union-attr]
    return choice.text or None


def _is_content(part: object) -> bool:
    return isinstance(part, Opaque) and part.dialect == NAME and part.name == "content"


def _write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    said = call.arguments or ("" if own or call.kind == "custom" else "{}")  # clients parse it, and nothing is no JSON
    inner = {"name": call.name, "input" if call.kind == "custom" else "arguments": said}
    signed = signature_field(call.signature) if call.signature else {}
    return {"id": call.id, "type": call.kind, call.kind: inner, **(call.extra if own else {}), **signed}


def write_citations(citations: Iterable[Citation]) -> list[Json]:
    """Sources as annotations; those without an address cannot be said, and the dialect's own without `raw` stand elsewhere."""
    written: list[Json] = []
    for citation in citations:
        if citation.dialect == NAME:
            if citation.raw is not None:
                written.append(citation.raw)
        elif citation.url:
            body = {"url": citation.url, "title": citation.title or citation.url}
            written.append({"type": "url_citation", "url_citation": {**body, **write_span(citation)}})
    return written
