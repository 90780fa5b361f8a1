"""Whole answers of Bedrock's Converse API, read and written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from conduit_desktop.core.answer import Answer, AnswerPart, Choice
from conduit_desktop.core.chat import ChatRequest, Citation, Json, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Event, Started
from conduit_desktop.wire.bedrock.errors import error_in_answer
from conduit_desktop.wire.bedrock.messages_reader import NAME, cited_block, read_block, read_citation
from conduit_desktop.wire.bedrock.usage import read_finish, read_usage, take_answer, write_finish, write_usage
from conduit_desktop.wire.event_validation import validated
from conduit_desktop.wire.json_fields import FieldReader
from conduit_desktop.wire.values import as_object

_KNOWN = frozenset({"output", "stopReason", "usage"})


@validated
def read_response(body: dict[str, Json]) -> Iterable[Event]:
    """The events of a whole answer; raises UpstreamError for an error body, MalformedStream for anything else."""
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        if isinstance(body.get("message"), str):
            raise error_in_answer(None, body)
        raise MalformedStream("the answer has no message")
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    answer = Answer(Started(dialect=NAME), [Choice([_read_part(block) for block in message["content"]])])
    if body.get("stopReason"):
        answer.first.finish = read_finish(body["stopReason"], extra)
    if isinstance(body.get("usage"), dict):
        answer.usage = take_answer(read_usage(body["usage"]), body)
    return answer.events()


def _read_part(block: Json) -> AnswerPart:
    if not isinstance(block, dict):
        raise MalformedStream("a content block is not an object")
    try:
        part = read_block(FieldReader(block, "", {}))
    except BadRequest:  # a block without a required field, or of a kind added later
        return Opaque(NAME, next(iter(block)), block)
    # The request's reader takes only what it can write back exactly; the text of an answer must not be lost for that.
    if isinstance(part, Opaque) and isinstance(cited := block.get("citationsContent"), dict):
        return _cited_text(cited)
    if isinstance(part, Text | Thinking | RedactedThinking | ToolCall | Opaque):
        return part
    return Opaque(NAME, next(iter(block)), block)


def _cited_text(cited: dict[str, Json]) -> Text:
    """A `citationsContent` block: text in several pieces, with or without citations."""
    pieces = [each.get("text") or "" for each in cited.get("content") or ()]
    return Text("".join(pieces), citations=[read_citation(raw) for raw in cited.get("citations") or ()])


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The body, with the first choice only."""
    own = answer.started.dialect == NAME
    first = answer.first
    content = [block for part in first.parts if (block := _write_part(part, own)) is not None]
    called = any(isinstance(part, ToolCall) and part.kind != "hosted" for part in first.parts)
    # Converse answers always hold `metrics`, and the neutral answer has no latency to report.
    extra = first.finish.extra if own and first.finish is not None else {"metrics": {"latencyMs": 0}}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": write_finish(first.finish, own, called),
        "usage": write_usage(answer.usage, own),
        **extra,
    }


def _write_part(part: AnswerPart, own: bool) -> dict[str, Json] | None:
    match part:
        case Text():
            return _text(part)
        case Refusal():
            return {"text": part.text}
        case Thinking():
            signed = {} if part.signature is None else {"signature": part.signature}
            return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}
        case RedactedThinking():
            return {"reasoningContent": {"redactedContent": part.data}}
        case ToolCall():
            if part.kind == "hosted":
                return None  # a hosted call, which its provider has already run
            call = {"toolUseId": part.id, "name": part.name, "input": as_object(part)[0]}
            return {"toolUse": {**call, **(part.extra if own else {})}}
        case Opaque():
            if part.media is not None and part.media.text:
                return {"text": part.media.text}
            return part.value if part.dialect == NAME else None
        case _:
            assert_never(part)


def _text(part: Text) -> dict[str, Json]:
    return cited_block(part.text, [write_citation(c) for c in part.citations]) if part.citations else {"text": part.text}


def write_citation(citation: Citation) -> Json:
    """A citation: the original one, or the fields that Converse has for it."""
    if citation.dialect == NAME:
        return citation.raw
    fields: dict[str, Json] = {"title": citation.title or ""}
    if citation.quote:
        fields["sourceContent"] = [{"text": citation.quote}]
    if citation.url:
        fields["location"] = {"web": {"url": citation.url}}
    return fields
