"""OpenAI's legacy completions: a prompt instead of messages. https://platform.openai.com/docs/api-reference/completions

Providers that have the endpoint get the request as it came; for all others the prompt becomes a user message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json, Text
from conduit_desktop.core.errors import BadRequest, GatewayError, MalformedStream
from conduit_desktop.core.events import Event, Finished, FinishReason, Started, TextDelta, Usage, UsageReported
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.answer_ids import answer_id
from conduit_desktop.wire.event_validation import MOST_CHOICES, validated
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.openai_chat.dialect import OpenAIChat
from conduit_desktop.wire.openai_chat.errors import read_error_object, write_error_body
from conduit_desktop.wire.openai_chat.request_reader import read_request
from conduit_desktop.wire.openai_chat.stream_reader import started
from conduit_desktop.wire.openai_chat.usage import read_usage, take_answer, write_finish, write_usage

NAME = "openai_completions"
_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter", "eos": "stop"}


class OpenAICompletions(OpenAIChat):
    """See `Dialect`; errors, usage and all that is not overridden here are those of chat."""

    name = NAME

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        """The prompt as a user message; raises BadRequest for a prompt that only a completions endpoint can take."""
        # `logprobs` is a number here and a boolean in chat, whose reader would refuse it.
        settings = {name: value for name, value in body.items() if name not in ("prompt", "logprobs")}
        request = read_request({**settings, "messages": [{"role": "user", "content": prompt_of(body)}]})
        request.dialect = NAME
        # The notes are about the chat body made here, which the client never sent.
        request.source_form.clear()
        if body.get("logprobs") is not None:
            request.extra["logprobs"] = body["logprobs"]
        return request

    def write_request(self, request: ChatRequest, model: str) -> WrittenRequest:
        """All texts of the conversation, joined by blank lines, as the prompt."""
        written = super().write_request(request, model)
        texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
        # These fields exist in chat alone, and OpenAI refuses unknown ones.
        body = {name: value for name, value in written.body.items() if name not in ("messages", "tools", "tool_choice")}
        dropped = ["tools"] if request.tools else []
        return WrittenRequest({**body, "prompt": "\n\n".join(texts)}, [*written.dropped, *dropped])

    def reader(self) -> CompletionsReader:
        """Reads one stream of chunks."""
        return CompletionsReader()

    def writer(self, request: ChatRequest) -> CompletionsWriter:
        """Writes one stream of chunks."""
        return CompletionsWriter(request)

    def read_response(self, body: dict[str, Json]) -> list[Event]:
        """A validated completion as events."""
        return read_response(body)

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        """A validated completion."""
        choices = [_choice(choice.text, index, choice.finish) for index, choice in enumerate(answer.choices)]
        body = {**_head(answer.started, request), "choices": choices}
        if answer.usage is not None:
            body["usage"] = write_usage(answer.usage, own=False)
        return body


def prompt_of(body: dict[str, Json]) -> str:
    """The prompt as one string; raises BadRequest for several prompts and for token ids, which a chat model cannot take."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequest("'prompt' must be one string for this model: it has no completions endpoint of its own.", param="prompt")
    return prompt


@validated
def read_response(body: dict[str, Json]) -> list[Event]:
    """A validated completion as events; raises UpstreamError for an error body, MalformedStream for one without choices."""
    if body.get("error"):
        raise read_error_object(body)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise MalformedStream("the answer holds no choices")
    events: list[Event] = [started(body, {})]
    for index, raw in enumerate(choices):
        _read_choice(raw, index, events)
    if isinstance(usage := body.get("usage"), dict) and usage:
        events.append(UsageReported(take_answer(read_usage(usage), body)))
    return events


def _read_choice(raw: Any, position: int, events: list[Event]) -> tuple[int, bool]:
    """Add the events of one choice; return its index, and whether it has its finish reason."""
    if not isinstance(raw, dict):
        raise MalformedStream("a choice is not an object")
    index = raw.get("index")
    # The index comes from the vendor and sizes a list later, so only a bounded one is taken.
    index = index if type(index) is int and 0 <= index < MOST_CHOICES else position
    if isinstance(text := raw.get("text"), str) and text:
        events.append(TextDelta(text, index))
    if isinstance(reason := raw.get("finish_reason"), str) and reason:
        events.append(Finished(_REASONS.get(reason, "other"), reason, choice=index))
        return index, True
    return index, False


class CompletionsReader(FrameReader):
    """Reads one stream."""

    terminal = "[DONE]"

    def __init__(self) -> None:
        super().__init__(sse.SseSplitter())
        self._is_started = self._has_done = False
        self._open: dict[int, bool] = {}
        """Whether a choice still lacks its finish reason, by its index."""

    @property
    def missing_end(self) -> bytes:  # type: ignore[override]
        return b"" if self._has_done else sse.write(b"[DONE]")

    @property
    def _finished(self) -> bool:
        return bool(self._open) and not any(self._open.values())

    def read(self, frame: Frame, events: list[Event]) -> None:
        if frame.data.strip() == b"[DONE]":
            self._over = self._has_done = True
            return
        chunk = json_object(frame)
        if chunk.get("error") or frame.event == "error":
            raise read_error_object(chunk)
        if not self._is_started:
            self._is_started = True
            events.append(started(chunk, {}))
        for position, raw in enumerate(chunk.get("choices") or ()):
            index, finished = _read_choice(raw, position, events)
            self._open[index] = self._open.get(index, True) and not finished
        if isinstance(usage := chunk.get("usage"), dict) and usage:
            events.append(UsageReported(take_answer(read_usage(usage), chunk)))


def _head(start: Started, request: ChatRequest) -> dict[str, Json]:
    return {
        "id": answer_id("cmpl-", start.id, own=start.dialect == NAME),
        "object": "text_completion",
        "created": start.created or 0,
        "model": start.model or request.model,
    }


def _choice(text: str, index: int, finish: Finished | None) -> dict[str, Json]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": write_finish(finish, own=False) if finish else None}


class CompletionsWriter:
    """Writes one stream. Completions hold only text: other events write nothing."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._started = Started()
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        match event:
            case Started():
                self._started = event
            case UsageReported():
                self._usage = event.usage
            case TextDelta():
                return self._chunk([_choice(event.text, event.choice, None)])
            case Finished():
                return self._chunk([_choice("", event.choice, event)])
        return b""

    def _chunk(self, choices: list[dict[str, Json]], **more: Json) -> bytes:
        return sse.write(orjson.dumps({**_head(self._started, self._request), "choices": choices, **more}))

    def end(self) -> bytes:
        """Usage where the client asked for it, and the terminal frame."""
        usage = b""
        if self._usage is not None and self._request.include_usage:
            usage = self._chunk([], usage=write_usage(self._usage, own=False))
        return usage + sse.write(b"[DONE]")

    def fail(self, error: GatewayError) -> bytes:
        """The error as a frame. No `[DONE]` follows: clients would take the answer for complete."""
        return sse.write(orjson.dumps(write_error_body(error)))

    def ping(self) -> bytes:
        """A comment frame, which clients skip."""
        return sse.comment("ping")
