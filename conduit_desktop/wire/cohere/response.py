"""Cohere's whole answers, both ways, with the counts, reasons and citations that its streams share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import orjson

from conduit_desktop.core.answer import Answer, AnswerPart, Choice
from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
    Json,
    Opaque,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from conduit_desktop.core.errors import MalformedStream, Reason, UpstreamError
from conduit_desktop.core.events import Event, Finished, FinishReason, Started, Usage
from conduit_desktop.wire.cohere.errors import error_in_answer
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.event_validation import whole, word
from conduit_desktop.wire.values import as_object, count

_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILURES: dict[str, tuple[int, Reason]] = {"ERROR": (500, "server"), "TIMEOUT": (504, "timeout")}
"""Reasons that say the answer failed."""
_WORDS: dict[FinishReason, str] = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
    "refusal": "ERROR_TOXIC",
    "pause": "COMPLETE",
    "error": "ERROR",
    "other": "COMPLETE",
}
_KNOWN = frozenset({"id", "message", "finish_reason", "usage"})
_PLAN_AT = "tool_plan"
"""Where `Finished.extra` keeps which part of the answer is the tool plan."""


@whole
def read_response(body: dict[str, Json]) -> Iterable[Event]:
    """A whole answer; raises UpstreamError for one that failed, MalformedStream for what is no answer."""
    message = body.get("message")
    if not isinstance(message, dict):
        if message or body.get("error"):
            raise error_in_answer(body)
        raise MalformedStream("the answer holds no message")
    return _answer(body, message).events()


def _answer(body: dict[str, Json], message: dict[str, Json]) -> Answer:
    answer = Answer(Started(body.get("id") or "", dialect=NAME))
    parts = [_read_part(block) for block in message.get("content") or ()]
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    if plan := message.get("tool_plan"):
        extra[_PLAN_AT] = len(parts)
        parts.append(Thinking(plan))
    parts += [read_call(call) for call in message.get("tool_calls") or ()]
    texts = [part for part in parts if isinstance(part, Text)]
    for raw in message.get("citations") or ():
        if not texts:
            texts = [Text("")]
            parts.append(texts[0])
        _cited(parts, texts, raw).citations.append(read_citation(raw))
    finish = read_finish(body.get("finish_reason"), extra, body.get("error"))
    answer.choices.append(Choice(parts, finish))
    if isinstance(body.get("usage"), dict):
        answer.usage = read_usage(body["usage"])
    return answer


def _read_part(block: dict[str, Json]) -> AnswerPart:
    if block["type"] == "text":
        return Text(block["text"])
    return Thinking(block["thinking"]) if block["type"] == "thinking" else Opaque(NAME, block["type"], block)


def _cited(parts: list[AnswerPart], texts: list[Text], raw: dict[str, Json]) -> Text:
    """The text a citation belongs to: the one at its `content_index`, else the first."""
    at = raw.get("content_index")
    part = parts[at] if isinstance(at, int) and 0 <= at < len(parts) else None
    return part if isinstance(part, Text) else texts[0]


def read_call(call: dict[str, Json]) -> ToolCall:
    """A whole tool call."""
    inner = call.get("function") or {}
    extra = {name: value for name, value in call.items() if name not in ("id", "type", "function")}
    return ToolCall(call["id"], inner.get("name") or "", inner.get("arguments") or "", extra=extra)


_OF_A_SOURCE = ("url", "title", "snippet", "text")


def read_citation(raw: dict[str, Json]) -> Citation:
    """A citation, with its own words kept in `raw`; its place counts characters of the text."""
    source: Json = next(iter(raw.get("sources") or ()), None)
    document = source.get("document") if isinstance(source, dict) else None
    told = document if isinstance(document, dict) else {}
    url, title, snippet, text = (value if isinstance(value := told.get(name), str) else None for name in _OF_A_SOURCE)
    return Citation(url, title, snippet or text, raw.get("start"), raw.get("end"), NAME, raw)


def read_finish(said: str | None, extra: dict[str, Json], error: Json = None) -> Finished | None:
    """Why the model stopped; raises UpstreamError where the word says that it failed."""
    if said is None:
        return None
    if said in _FAILURES:
        status, reason = _FAILURES[said]
        raise UpstreamError(str(error or f"the answer ended with {said}"), status=status, reason=reason, kind=said, dialect=NAME)
    return Finished(_REASONS.get(said, "other"), word(said), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """Tokens as they are billed: `tokens` counts Cohere's own prompt too, which costs nothing, and is kept in `extra`."""
    tokens = raw.get("tokens") if isinstance(raw.get("tokens"), dict) else {}
    billed = raw.get("billed_units") if isinstance(raw.get("billed_units"), dict) else {}
    counted = {**(tokens or {}), **(billed or {})}
    output = count(counted.get("output_tokens"))
    return Usage(
        input=count(counted.get("input_tokens")),
        output=output,
        reasoning=min(output, count(counted.get("reasoning_tokens"))),
        extra=raw,
    )


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """Counts in Cohere's words."""
    usage = usage or Usage()
    if own and usage.extra:
        return usage.extra
    counts = {"input_tokens": usage.total_input, "output_tokens": usage.total_output}
    more = {"reasoning_tokens": usage.reasoning} if usage.reasoning else {}
    cached = {"cached_tokens": usage.cache_read} if usage.cache_read else {}
    return {"billed_units": counts, "tokens": {**counts, **more}, **cached}


def finish_word(finish: Finished | None, own: bool) -> str:
    """How the answer ended, in Cohere's word."""
    if finish is None:
        return "COMPLETE"
    return finish.raw if own and finish.raw else _WORDS[finish.reason]


def own_extra(finish: Finished | None, own: bool) -> dict[str, Json]:
    """What this dialect had said besides."""
    return {name: value for name, value in finish.extra.items() if name != _PLAN_AT} if own and finish is not None else {}


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The first choice."""
    own = answer.started.dialect == NAME
    first = answer.first
    plan_at = first.finish.extra.get(_PLAN_AT) if own and first.finish is not None else None
    message: dict[str, Json] = {"role": "assistant"}
    blocks: list[Json] = []
    calls: list[Json] = []
    for index, part in enumerate(first.parts):
        if index == plan_at and isinstance(part, Thinking):
            message["tool_plan"] = part.text
        elif isinstance(part, ToolCall):
            calls += [write_call(part, own)] if part.kind != "hosted" else []  # which ran where the model runs
        elif (block := _write_part(part)) is not None:
            blocks.append(block)
    if blocks:
        message["content"] = blocks
    if calls:
        message["tool_calls"] = calls
    if citations := write_citations(part for part in first.parts if isinstance(part, Text)):
        message["citations"] = citations
    ended = {"finish_reason": finish_word(first.finish, own)} if first.finish is not None or not own else {}
    counts = {"usage": write_usage(answer.usage, own)} if answer.usage is not None or not own else {}
    return {"id": answer.started.id, "message": message, **ended, **counts, **own_extra(first.finish, own)}


def _write_part(part: AnswerPart) -> Json:
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case Thinking():
            return {"type": "thinking", "thinking": part.text}
        case Opaque():
            return part.value if part.dialect == NAME else None
        case RedactedThinking() | ToolCall():
            return None
        case _:
            assert_never(part)


def write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    """One call; free text is wrapped into the object that arguments are here."""
    arguments = orjson.dumps(as_object(call)[0]).decode() if call.kind == "custom" else call.arguments
    inner = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": inner, **(call.extra if own else {})}


def write_citation(citation: Citation, text: str) -> Json:
    """A citation: as it came, or its place, the words of `text` that stand there, and its source."""
    if citation.dialect == NAME:
        return citation.raw
    document = {"title": citation.title or "", **({"url": citation.url} if citation.url else {})}
    if citation.quote:
        document["snippet"] = citation.quote
    start, end = citation.start or 0, citation.end or 0
    source = {"type": "document", "id": citation.url or citation.title or "", "document": document}
    return {"start": start, "end": end, "text": text[start:end], "sources": [source]}


def write_citations(texts: Iterable[Text]) -> list[Json]:
    """Every citation of the answer's texts."""
    return [write_citation(citation, text.text) for text in texts for citation in text.citations]
