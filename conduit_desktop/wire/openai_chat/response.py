"""Whole answers of Chat Completions, read and written. https://platform.openai.com/docs/api-reference/chat/object"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from conduit_desktop.core.answer import Answer, Choice
from conduit_desktop.core.chat import ChatRequest, Citation, Json, Opaque, Refusal, Text, ToolCall
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, Finished, FinishReason, TextDelta, UsageReported
from conduit_desktop.wire.answer_ids import answer_id
from conduit_desktop.wire.citations import sources
from conduit_desktop.wire.event_validation import FAULTS, validated
from conduit_desktop.wire.generated_media import url_of
from conduit_desktop.wire.openai_chat.choice_reader import AUDIO, IMAGES, ChoiceReader
from conduit_desktop.wire.openai_chat.citations import read_sources, write_span
from conduit_desktop.wire.openai_chat.errors import base_response_fault, choice_error, read_error_object
from conduit_desktop.wire.openai_chat.fields import NAME, has_functions
from conduit_desktop.wire.openai_chat.reasoning import thinking_fields
from conduit_desktop.wire.openai_chat.stream_reader import CHUNK, started
from conduit_desktop.wire.openai_chat.tool_calls import signature_field
from conduit_desktop.wire.openai_chat.usage import (
    FIELDS_OUTSIDE_USAGE,
    own_extra,
    read_usage,
    take_answer,
    write_finish,
    write_usage,
)
from conduit_desktop.wire.token_logprobs import to_openai

ID_PREFIX = "chatcmpl-"
_PLAIN_CHOICE = frozenset({"index", "message", "finish_reason", "logprobs"})
_PLAIN_MESSAGE = frozenset({"role", "content", "refusal", "annotations", "tool_calls"})
"""The fields that OpenAI sends with every text, the last three of them empty."""
_PLAIN_FINISHES: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


def read_response(body: dict[str, Json]) -> list[Event]:
    """The events of a whole answer; raises UpstreamError for an error body, MalformedStream for anything but an answer."""
    return read_plain_text(body) or read_any(body)


def read_plain_text(body: dict[str, Json]) -> list[Event] | None:
    """The events of an answer with one choice that is text alone; None for any other, which `read_any` reads.

    Nearly every answer is one, and reading it this way takes half the time.
    """
    choices = body.get("choices")
    if type(choices) is not list or len(choices) != 1 or body.get("error") or body.get("object") == "error":
        return None
    choice = choices[0]
    message = choice.get("message") if type(choice) is dict else None
    if type(message) is not dict:
        return None
    text = message.get("content")
    # Perplexity's sources become events of their own, which only the full reader makes.
    if type(text) is not str or not text or "search_results" in body or "citations" in body:
        return None
    finish = choice.get("finish_reason")
    reason = _PLAIN_FINISHES.get(finish) if type(finish) is str else None
    usage = body.get("usage")
    if reason is None or not (usage is None or type(usage) is dict):
        return None
    # Compared as sets: a loop over the fields costs each small call more.
    if not (_PLAIN_CHOICE.issuperset(choice) and _PLAIN_MESSAGE.issuperset(message)) or choice.get("logprobs") is not None:
        return None
    if message.get("refusal") or message.get("annotations") or message.get("tool_calls"):
        return None
    extra = {} if CHUNK.issuperset(body) else {name: value for name, value in body.items() if name not in CHUNK}
    begin = started(body, extra)
    events: list[Event] = [begin, TextDelta(text), Finished(reason, finish)]
    if usage:
        try:
            reported = read_usage(usage)
            events.append(UsageReported(reported if FIELDS_OUTSIDE_USAGE.isdisjoint(body) else take_answer(reported, body)))
        # The full reader meets the same fault and reports it in the form that callers expect.
        except FAULTS:
            return None
    return events


@validated
def read_any(body: dict[str, Json]) -> list[Event]:
    """The events of any whole answer; raises as `read_response`."""
    if body.get("error") or body.get("object") == "error":
        raise read_error_object(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise base_response_fault(body) or MalformedStream("the answer has no choices")
    extra = {name: value for name, value in body.items() if name not in CHUNK}
    begin = started(body, extra)
    events: list[Event] = [begin]
    readers = [_choice(raw, index, begin.id, events) for index, raw in enumerate(choices)]
    # The sources name no choice; the first is the one that clients read.
    readers[0].cite(read_sources(extra))
    for reader in readers:
        reader.end(events)
    usage = body.get("usage")
    if isinstance(usage, dict) and usage:
        events.append(UsageReported(take_answer(read_usage(usage), body)))
    return events


def _choice(raw: Any, place: int, answer_id: str, events: list[Event]) -> ChoiceReader:
    if not isinstance(raw, dict):
        raise MalformedStream("a choice that is not an object")
    if (error := choice_error(raw)) is not None:
        raise error
    # The place in the list counts, so no index of the vendor's has to be checked.
    reader = ChoiceReader(place, answer_id)
    message = raw.get("message")
    if isinstance(message, dict):
        reader.read_message(message, events)
    reader.finish = str(raw.get("finish_reason") or "") or None
    reader.keep(raw)
    return reader


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The body. `created` is 0 if the answer has no time. There is always a choice: clients read the first without a check."""
    begin = answer.started
    own = begin.dialect == NAME
    body: dict[str, Json] = {
        "id": begin.id if own else answer_id(ID_PREFIX, begin.id),
        "object": "chat.completion",
        "created": begin.created or 0,
        "model": begin.model or request.model,
        "choices": [
            _write_choice(choice, index, begin.dialect, has_functions(request))
            for index, choice in enumerate(answer.choices or [Choice()])
        ],
    }
    if answer.usage is not None:
        body["usage"] = write_usage(answer.usage, own)
    if own:
        body.update(begin.extra)
        for choice in answer.choices:
            body.update(choice.finish.extra.get("response", {}) if choice.finish else {})
    return body


def _write_choice(choice: Choice, index: int, dialect: str, functions: bool) -> dict[str, Json]:
    own = dialect == NAME
    finish = choice.finish or Finished("stop")
    extra, more = own_extra(choice.finish, own)
    message = {**_message(choice, dialect, functions), **more}
    fields = {"logprobs": None if own else to_openai(finish.logprobs), "finish_reason": write_finish(finish, own, functions)}
    return {"index": index, "message": message, **fields, **extra}


def _message(choice: Choice, dialect: str, functions: bool) -> dict[str, Json]:
    own = dialect == NAME
    refusal = "".join(part.text for part in choice.parts if isinstance(part, Refusal))
    message: dict[str, Json] = {"role": "assistant", "content": _content(choice), "refusal": refusal or None}
    annotations = write_citations(sources(choice.parts))
    if annotations:
        message["annotations"] = annotations
    message.update(thinking_fields(choice.parts, dialect))
    blocks = [part for part in choice.parts if isinstance(part, Opaque) and not own]
    for fields in (media_fields(block, number) for number, block in enumerate(blocks)):
        message.update({name: [*message.get(name, []), *value] if name == IMAGES else value for name, value in fields.items()})
    calls = [part for part in choice.parts if isinstance(part, ToolCall) and part.kind != "hosted"]
    # The legacy field is written only where the vendor sent it or the client sent `functions`: today's clients read `tool_calls`.
    legacy = [call for call in calls if functions or (own and call.extra.get("function_call"))]
    if legacy:
        message["function_call"] = {"name": legacy[0].name, "arguments": legacy[0].arguments or ("" if own else "{}")}
    written = [_write_call(call, own) for call in calls if call not in legacy]
    if written:
        message["tool_calls"] = written
    return message


def media_fields(block: Opaque, number: int) -> dict[str, Json]:
    """The fields of a message or delta for the picture or sound of a block of another dialect; none for any other block.

    Pictures are OpenRouter's `images`, `number` is their index: https://openrouter.ai/docs/guides/overview/multimodal/image-generation
    """
    media = block.media
    if media is None:
        return {}
    if media.kind == "audio" and media.data:
        return {AUDIO: {"id": f"audio_{hashlib.sha256(media.data.encode()).hexdigest()[:24]}", "data": media.data, "transcript": "",
                        "expires_at": 0}}  # fmt: skip
    url = url_of(media)
    if media.kind != "image" or url is None:
        return {}
    return {IMAGES: [{"type": "image_url", "image_url": {"url": url}, "index": number}]}


def _content(choice: Choice) -> Json:
    """The text; a list only if the answer was read in this dialect and has parts that are not text."""
    blocks = [part for part in choice.parts if isinstance(part, Text) or _is_content(part)]
    if any(isinstance(part, Opaque) for part in blocks):
        return [{"type": "text", "text": part.text} if isinstance(part, Text) else part.value for part in blocks]  # type: ignore[union-attr]
    return choice.text or None


def _is_content(part: object) -> bool:
    return isinstance(part, Opaque) and part.dialect == NAME and part.name == "content"


def _write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    # Clients parse the arguments, and an empty string is not JSON.
    arguments = call.arguments or ("" if own or call.kind == "custom" else "{}")
    inner = {"name": call.name, "input" if call.kind == "custom" else "arguments": arguments}
    signed = signature_field(call.signature) if call.signature else {}
    return {"id": call.id, "type": call.kind, call.kind: inner, **(call.extra if own else {}), **signed}


def write_citations(citations: Iterable[Citation]) -> list[Json]:
    """Citations as annotations, which require a URL. The dialect's own without `raw` are in fields of the body instead."""
    written: list[Json] = []
    for citation in citations:
        if citation.dialect == NAME:
            if citation.raw is not None:
                written.append(citation.raw)
        elif citation.url:
            body = {"url": citation.url, "title": citation.title or citation.url}
            written.append({"type": "url_citation", "url_citation": {**body, **write_span(citation)}})
    return written
