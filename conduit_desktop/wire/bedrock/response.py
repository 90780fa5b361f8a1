"""Whole answers of Bedrock's Converse API, both ways, with the counts and reasons that its streams share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from conduit_desktop.core.answer import Answer, AnswerPart, Choice
from conduit_desktop.core.chat import ChatRequest, Citation, Json, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Event, Finished, FinishReason, Started, Usage
from conduit_desktop.wire.bedrock.errors import error_in_answer
from conduit_desktop.wire.bedrock.messages_reader import NAME, cited_block, read_block, read_citation
from conduit_desktop.wire.event_validation import whole, word
from conduit_desktop.wire.json_fields import FieldReader
from conduit_desktop.wire.values import as_object, count

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "error": "end_turn",
    "other": "end_turn",
}
_KNOWN = frozenset({"output", "stopReason", "usage"})


@whole
def read_response(body: dict[str, Json]) -> Iterable[Event]:
    """A whole answer; raises MalformedStream for what is none, UpstreamError for an error in its place."""
    output = body.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        if isinstance(body.get("message"), str):
            raise error_in_answer(None, body)
        raise MalformedStream("the answer holds no message")
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    answer = Answer(Started(dialect=NAME), [Choice([_read_part(block) for block in message["content"]])])
    if body.get("stopReason"):
        answer.first.finish = read_finish(body["stopReason"], extra)
    if isinstance(body.get("usage"), dict):
        answer.usage = read_usage(body["usage"])
    return answer.events()


def _read_part(block: Json) -> AnswerPart:
    if not isinstance(block, dict):
        raise MalformedStream("a content block is not an object")
    try:
        part = read_block(FieldReader(block, "", {}))
    except BadRequest:  # a block that lacks something, or one that is newer than this reader
        return Opaque(NAME, next(iter(block)), block)
    if isinstance(part, Opaque) and isinstance(said := block.get("citationsContent"), dict):
        return _cited_words(said)
    if isinstance(part, Text | Thinking | RedactedThinking | ToolCall | Opaque):
        return part
    return Opaque(NAME, next(iter(block)), block)


def _cited_words(said: dict[str, Json]) -> Text:
    """Words in several pieces, or without a source after all."""
    pieces = [each.get("text") or "" for each in said.get("content") or ()]
    return Text("".join(pieces), citations=[read_citation(raw) for raw in said.get("citations") or ()])


def read_finish(said: str, extra: dict[str, Json]) -> Finished:
    """Why the model stopped."""
    return Finished(_REASONS.get(said, "other"), word(said), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """Counts as Converse says them: `inputTokens` are the fresh ones alone."""
    written = count(raw.get("cacheWriteInputTokens"))
    details = [each for each in raw.get("cacheDetails") or () if isinstance(each, dict)]
    one_hour = sum(count(each.get("inputTokens")) for each in details if each.get("ttl") == "1h")
    return Usage(
        input=count(raw.get("inputTokens")),
        cache_read=count(raw.get("cacheReadInputTokens")),
        cache_write_5m=max(0, written - one_hour),
        cache_write_1h=one_hour,
        output=count(raw.get("outputTokens")),
        extra=raw,
    )


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """Counts in Converse's words. Sound counts as plain tokens here."""
    usage = usage or Usage()
    if own and usage.extra:
        return usage.extra
    written = usage.cache_write_5m + usage.cache_write_1h
    said: dict[str, Json] = {
        "inputTokens": usage.input + usage.audio_in,
        "outputTokens": usage.total_output,
        "totalTokens": usage.total_input + usage.total_output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokens": written,
    }
    if usage.cache_write_1h:
        said["cacheDetails"] = [{"inputTokens": usage.cache_write_1h, "ttl": "1h"}]
    return said


def finish_word(finish: Finished | None, own: bool, called: bool) -> str:
    """How the answer ended, in Converse's word; an answer that calls tools must say so."""
    if finish is None:
        return "tool_use" if called else "end_turn"
    word = finish.raw if own and finish.raw else _WORDS[finish.reason]
    if word == "end_turn" and finish.stop_sequence is not None:
        word = "stop_sequence"
    return "tool_use" if called and word == "end_turn" else word


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The first choice."""
    own = answer.started.dialect == NAME
    first = answer.first
    content = [block for part in first.parts if (block := _write_part(part, own)) is not None]
    called = any(isinstance(part, ToolCall) and part.kind != "hosted" for part in first.parts)
    extra = first.finish.extra if own and first.finish is not None else {"metrics": {"latencyMs": 0}}
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": finish_word(first.finish, own, called),
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
                return None  # it ran where the model runs
            said = {"toolUseId": part.id, "name": part.name, "input": as_object(part)[0]}
            return {"toolUse": {**said, **(part.extra if own else {})}}
        case Opaque():
            return part.value if part.dialect == NAME else None
        case _:
            assert_never(part)


def _text(part: Text) -> dict[str, Json]:
    return cited_block(part.text, [write_citation(c) for c in part.citations]) if part.citations else {"text": part.text}


def write_citation(citation: Citation) -> Json:
    """A citation: as it came, or what Converse can say of it."""
    if citation.dialect == NAME:
        return citation.raw
    said: dict[str, Json] = {"title": citation.title or ""}
    if citation.quote:
        said["sourceContent"] = [{"text": citation.quote}]
    if citation.url:
        said["location"] = {"web": {"url": citation.url}}
    return said
