"""Whole answers of Anthropic's Messages API, read and written. https://platform.claude.com/docs/en/api/messages"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import orjson

from conduit_desktop.core.answer import Answer, AnswerPart, Choice
from conduit_desktop.core.chat import ChatRequest, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, Started
from conduit_desktop.wire.answer_ids import answer_id
from conduit_desktop.wire.anthropic.errors import error_in_answer
from conduit_desktop.wire.anthropic.messages_reader import NAME, TOOL_USE, Fields, read_citation
from conduit_desktop.wire.anthropic.provenance import portable_signature, write_citation
from conduit_desktop.wire.anthropic.usage import read_finish, read_usage, write_finish, write_usage
from conduit_desktop.wire.event_validation import validated
from conduit_desktop.wire.values import as_object

ID_PREFIX = "msg_"
_KNOWN = ("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage")


@validated
def read_response(body: Fields) -> Iterable[Event]:
    """The events of a message.

    Raises UpstreamError for an error with a success status, MalformedStream for anything but a message.
    """
    if body.get("type") == "error":
        raise error_in_answer(body)
    content = body.get("content")
    if not isinstance(content, list):
        raise MalformedStream("the answer is not a message: it has no content")
    extra = {key: value for key, value in body.items() if key not in _KNOWN}
    answer = Answer(Started(body.get("id") or "", body.get("model") or "", dialect=NAME))
    choice = Choice([_read_part(block) for block in content])
    if body.get("stop_reason") is not None:
        choice.finish = read_finish(body["stop_reason"], body, extra)
    answer.choices.append(choice)
    if isinstance(body.get("usage"), dict):
        answer.usage = read_usage(body["usage"])
    return answer.events()


def _read_part(block: Fields) -> AnswerPart:
    match block:
        case {"type": "text", "text": str(text)}:
            # `citations` may be null as well as absent.
            return Text(text, citations=[read_citation(raw, len(text)) for raw in block.get("citations") or ()])
        case {"type": "thinking", "thinking": str(text)}:
            return Thinking(text, block.get("signature") or None)
        case {"type": "redacted_thinking", "data": str(data)}:
            return RedactedThinking(data)
        case {"type": "tool_use", "id": str(call_id), "name": str(name)}:
            extra = {key: value for key, value in block.items() if key not in TOOL_USE}
            return ToolCall(call_id, name, orjson.dumps(block.get("input") or {}).decode(), extra=extra)
        # Server tools, their results and later kinds: dropping one would break the conversation that the client sends back.
        case {"type": str(kind)}:
            return Opaque(NAME, kind, block)
        case _:
            raise MalformedStream("the answer has a content block without a type")


def write_response(answer: Answer, request: ChatRequest) -> Fields:
    """The body, with the first choice only. Opaque blocks of other dialects are left out."""
    dialect = answer.started.dialect
    own = dialect == NAME
    first = answer.first
    called = any(isinstance(part, ToolCall) for part in first.parts)
    refused = any(isinstance(part, Refusal) for part in first.parts)
    body: Fields = {
        "id": answer_id(ID_PREFIX, answer.started.id, own),
        "type": "message",
        "role": "assistant",
        "model": answer.started.model or request.model,
        "content": [block for part in first.parts if (block := write_block(part, dialect)) is not None],
        **write_finish(first.finish, called, refused),
        "usage": write_usage(answer.usage, own),
    }
    # Further fields of the message are kept with the finish; only this dialect's clients know them.
    if own and first.finish is not None:
        body.update(first.finish.extra)
    return body


def write_block(part: AnswerPart, dialect: str) -> Fields | None:
    """A part of an answer that was read in `dialect`; None for empty text, and for blocks that only another dialect can express."""
    match part:
        case Text():
            return _text(part)
        case Refusal():
            return {"type": "text", "text": part.text}
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": portable_signature(part.signature or "", dialect)}
        case RedactedThinking():
            return {"type": "redacted_thinking", "data": part.data}
        case ToolCall():
            arguments, _ = as_object(part)
            return {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": arguments,
                # Extra fields have a meaning only in the dialect that they were read from.
                **(part.extra if dialect == NAME else {}),
            }
        case Opaque():
            if part.dialect == NAME:
                return dict(part.value)
            # The text of a sound is what this API can have of it.
            return {"type": "text", "text": part.media.text} if part.media is not None and part.media.text else None
        case _:
            assert_never(part)


def _text(part: Text) -> Fields | None:
    citations = [written for citation in part.citations if (written := write_citation(citation)) is not None]
    # The API refuses empty text when the client hands it back; a block of sources alone still carries something.
    if not part.text and not citations:
        return None
    return {"type": "text", "text": part.text, **({"citations": citations} if citations else {})}
