"""Whole answers of Cohere, read and written, with the calls and citations that its streams share.

https://docs.cohere.com/v2/reference/chat
"""

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
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, Started
from conduit_desktop.wire.cohere.errors import error_in_answer
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.cohere.usage import PLAN_AT, own_extra, read_finish, read_usage, write_finish, write_usage
from conduit_desktop.wire.event_validation import validated
from conduit_desktop.wire.token_logprobs import from_cohere, to_cohere
from conduit_desktop.wire.values import as_object

_KNOWN = frozenset({"id", "message", "finish_reason", "usage"})


@validated
def read_response(body: dict[str, Json]) -> Iterable[Event]:
    """The events of a whole answer; raises UpstreamError for a failed one, MalformedStream for anything but an answer."""
    message = body.get("message")
    if not isinstance(message, dict):
        # An error body has a text in `message`, where an answer has an object.
        if message or body.get("error"):
            raise error_in_answer(body)
        raise MalformedStream("the answer has no message")
    return _answer(body, message).events()


def _answer(body: dict[str, Json], message: dict[str, Json]) -> Answer:
    answer = Answer(Started(body.get("id") or "", dialect=NAME))
    parts = [_read_part(block) for block in message.get("content") or ()]
    extra = {name: value for name, value in body.items() if name not in _KNOWN}
    if plan := message.get("tool_plan"):
        # A plan is a thought for other dialects; only its index tells it from one when it is written for Cohere.
        extra[PLAN_AT] = len(parts)
        parts.append(Thinking(plan))
    parts += [read_call(call) for call in message.get("tool_calls") or ()]
    texts = [part for part in parts if isinstance(part, Text)]
    for raw in message.get("citations") or ():
        # Citations belong to a text, and an answer may have sources without one.
        if not texts:
            texts = [Text("")]
            parts.append(texts[0])
        _cited_text(parts, texts, raw).citations.append(read_citation(raw))
    finish = read_finish(body.get("finish_reason"), extra, body.get("error"))
    if finish is not None:
        finish.logprobs = from_cohere(body.get("logprobs")) or None
    answer.choices.append(Choice(parts, finish))
    if isinstance(body.get("usage"), dict):
        answer.usage = read_usage(body["usage"])
    return answer


def _read_part(block: dict[str, Json]) -> AnswerPart:
    if block["type"] == "text":
        return Text(block["text"])
    return Thinking(block["thinking"]) if block["type"] == "thinking" else Opaque(NAME, block["type"], block)


def _cited_text(parts: list[AnswerPart], texts: list[Text], raw: dict[str, Json]) -> Text:
    """The text that a citation belongs to: the one at its `content_index`, else the first."""
    at = raw.get("content_index")
    part = parts[at] if isinstance(at, int) and 0 <= at < len(parts) else None
    return part if isinstance(part, Text) else texts[0]


def read_call(call: dict[str, Json]) -> ToolCall:
    """A whole tool call."""
    inner = call.get("function") or {}
    extra = {name: value for name, value in call.items() if name not in ("id", "type", "function")}
    return ToolCall(call["id"], inner.get("name") or "", inner.get("arguments") or "", extra=extra)


_DOCUMENT_FIELDS = ("url", "title", "snippet", "text")


def read_citation(raw: dict[str, Json]) -> Citation:
    """A citation; `start` and `end` count characters of the text."""
    # A citation may have several sources, and the neutral one has a place for one.
    source: Json = next(iter(raw.get("sources") or ()), None)
    document = source.get("document") if isinstance(source, dict) else None
    fields = document if isinstance(document, dict) else {}
    url, title, snippet, text = (value if isinstance(value := fields.get(name), str) else None for name in _DOCUMENT_FIELDS)
    return Citation(url, title, snippet or text, raw.get("start"), raw.get("end"), NAME, raw)


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The body, with the first choice only."""
    own = answer.started.dialect == NAME
    first = answer.first
    plan_at = first.finish.extra.get(PLAN_AT) if own and first.finish is not None else None
    message: dict[str, Json] = {"role": "assistant"}
    blocks: list[Json] = []
    calls: list[Json] = []
    for index, part in enumerate(first.parts):
        if index == plan_at and isinstance(part, Thinking):
            message["tool_plan"] = part.text
        elif isinstance(part, ToolCall):
            calls += [write_call(part, own)] if part.kind != "hosted" else []  # hosted calls have already run
        elif (block := _write_part(part)) is not None:
            blocks.append(block)
    if blocks:
        message["content"] = blocks
    if calls:
        message["tool_calls"] = calls
    if citations := write_citations(part for part in first.parts if isinstance(part, Text)):
        message["citations"] = citations
    finish = {"finish_reason": write_finish(first.finish, own)} if first.finish is not None or not own else {}
    usage = {"usage": write_usage(answer.usage, own)} if answer.usage is not None or not own else {}
    tokens = {} if own or first.finish is None else to_cohere(first.finish.logprobs)
    return {"id": answer.started.id, "message": message, **finish, **usage, **tokens, **own_extra(first.finish, own)}


def _write_part(part: AnswerPart) -> Json:
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case Thinking():
            return {"type": "thinking", "thinking": part.text}
        case Opaque():
            if part.media is not None and part.media.text:
                return {"type": "text", "text": part.media.text}
            return part.value if part.dialect == NAME else None
        case RedactedThinking() | ToolCall():
            # Calls are in a field of their own, and Cohere has no hidden thoughts.
            return None
        case _:
            assert_never(part)


def write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    """One call; the free text of a custom tool is wrapped into a JSON object."""
    arguments = orjson.dumps(as_object(call)[0]).decode() if call.kind == "custom" else call.arguments or ("" if own else "{}")
    inner = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": inner, **(call.extra if own else {})}


def write_citation(citation: Citation, text: str) -> Json:
    """A citation: the original one, or its place, the cited piece of `text`, and its source."""
    if citation.dialect == NAME:
        return citation.raw
    document = {"title": citation.title or "", **({"url": citation.url} if citation.url else {})}
    if citation.quote:
        document["snippet"] = citation.quote
    start, end = citation.start or 0, citation.end or 0
    source = {"type": "document", "id": citation.url or citation.title or "", "document": document}
    return {"start": start, "end": end, "text": text[start:end], "sources": [source]}


def write_citations(texts: Iterable[Text]) -> list[Json]:
    """The citations of all texts."""
    return [write_citation(citation, text.text) for text in texts for citation in text.citations]
