"""Writes the streams of OpenAI's Chat Completions. https://platform.openai.com/docs/api-reference/chat-streaming"""

from __future__ import annotations

from collections import defaultdict
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Opaque
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
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
    Usage,
    UsageReported,
)
from conduit_desktop.wire.answer_ids import answer_id
from conduit_desktop.wire.citations import TextPosition
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.openai_chat.choice_reader import AUDIO, IMAGES
from conduit_desktop.wire.openai_chat.errors import write_error_body
from conduit_desktop.wire.openai_chat.fields import NAME, has_functions
from conduit_desktop.wire.openai_chat.reasoning import redacted_detail, signature_detail
from conduit_desktop.wire.openai_chat.response import ID_PREFIX, media_fields, write_citations
from conduit_desktop.wire.openai_chat.tool_calls import signature_field
from conduit_desktop.wire.openai_chat.usage import own_extra, write_finish, write_usage
from conduit_desktop.wire.token_logprobs import to_openai


class _Choice:
    """The state of one choice that is being written."""

    __slots__ = ("calls", "citations", "details", "ended", "images", "without_arguments")

    def __init__(self) -> None:
        self.calls: dict[str, tuple[int, str]] = {}
        """Call id to index and kind ("legacy" for a `function_call`)."""
        self.without_arguments: set[str] = set()
        """The ids of function calls without arguments so far."""
        self.details = 0
        """How many `reasoning_details` have been written."""
        self.citations = 0
        self.images = 0
        self.ended = False


class ChatWriter:
    """Writes one streamed answer, one frame per event. The usage comes last, if the client requested it.

    OpenAI's SDKs join the chunks, which needs two things. Choices must begin in order. Annotations come in one list where
    possible, because the SDK for Node keeps only the last list, and have an `index` otherwise, by which the SDK for Python joins.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._head: dict[str, Json] = {"id": "", "object": "chat.completion.chunk", "created": 0, "model": request.model}
        self._first: dict[str, Json] = {}
        self._dialect = ""
        self._own = False
        self._choices: dict[int, _Choice] = {}
        self._positions: defaultdict[int, TextPosition] = defaultdict(TextPosition)
        self._citations: dict[int, list[Json]] = {}
        self._usage: Usage | None = None
        self._functions = has_functions(request)

    def write(self, event: Event) -> bytes:  # noqa: C901  # one line a kind of event
        """The chunk of `event`; empty if it comes later, or if chunks cannot express it."""
        # These two belong to the answer and not to a choice.
        if not isinstance(event, (Started, UsageReported)):
            self._positions[event.choice].see(event)
        match event:
            case TextDelta():
                return self._delta(event.choice, {"content": event.text})
            case ThinkingDelta():
                return self._delta(event.choice, {"reasoning_content": event.text})
            case Started():
                return self._begin(event)
            case TextStarted() | ThinkingStarted():
                return b""
            case ThinkingSigned():
                return self._detail(event.choice, event.signature, signed=True)
            case ThinkingRedacted():
                return self._detail(event.choice, event.data, signed=False)
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case Refused():
                return self._delta(event.choice, {"refusal": event.text})
            case Cited():
                if written := write_citations([event.citation.moved(self._positions[event.choice].begin)]):
                    self._citations.setdefault(event.choice, []).extend(written)
                return b""
            case OpaqueBlock():
                return self._opaque(event.choice, event.block)
            case UsageReported():
                self._usage = event.usage
                return b""
            case Finished():
                return self._finish(event)
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """A finish for each choice without one, the usage if the client requested it, and `[DONE]`."""
        # Even an empty answer gets a choice: clients read the first without a check.
        open_choices = [index for index, choice in self._choices.items() if not choice.ended] if self._choices else [0]
        written = b"".join(self._finish(Finished("stop", choice=index)) for index in open_choices)
        if self._request.include_usage and self._usage is not None:
            written += self._chunk({"choices": [], "usage": write_usage(self._usage, self._own)})
        return written + b"data: [DONE]\n\n"

    def fail(self, error: GatewayError) -> bytes:
        """The error in the form for which the official SDKs raise; no `[DONE]` follows it."""
        return sse.write(orjson.dumps(write_error_body(error)))

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")

    def _begin(self, event: Started) -> bytes:
        self._dialect = event.dialect
        self._own = event.dialect == NAME
        self._head["id"] = event.id if self._own else answer_id(ID_PREFIX, event.id)
        self._head["created"] = event.created or 0
        self._head["model"] = event.model or self._request.model
        self._first = event.extra if self._own else {}
        return b""

    def _chunk(self, fields: dict[str, Json]) -> bytes:
        first, self._first = self._first, {}
        return b"data: " + orjson.dumps({**self._head, **fields, **first}) + b"\n\n"

    def _delta(self, index: int, delta: dict[str, Json]) -> bytes:
        # Held while text goes on: the SDK for Node keeps only the last list of annotations.
        before = self._cite(index) if index in self._citations and "content" not in delta else b""
        if index not in self._choices:
            before = self._begin_choices_before(index)
            self._choices[index] = _Choice()
            delta = {"role": "assistant", "content": None, **delta}
        return before + self._chunk({"choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None}]})

    def _cite(self, index: int) -> bytes:
        """The held citations: their text is complete."""
        citations, first = self._citations.pop(index), self._state(index).citations
        numbered = [each if self._own else {**each, "index": first + at} for at, each in enumerate(citations)]
        written = self._delta(index, {"annotations": numbered})
        self._choices[index].citations += len(citations)
        return written

    def _begin_choices_before(self, index: int) -> bytes:
        return b"".join([self._delta(before, {}) for before in range(index) if before not in self._choices])

    def _state(self, index: int) -> _Choice:
        return self._choices.get(index) or _Choice()

    def _detail(self, index: int, value: str, signed: bool) -> bytes:
        number = self._state(index).details
        detail = signature_detail(value, number, self._dialect) if signed else redacted_detail(value, number)
        written = self._delta(index, {"reasoning_details": [detail]})
        self._choices[index].details += 1
        return written

    def _call(self, event: ToolCallStarted) -> bytes:
        # Clients would run the call, which its vendor has run already.
        if event.kind == "hosted":
            return b""
        number = len(self._state(event.choice).calls)
        # The older form has one call: a second one cannot be written.
        if self._functions and self._state(event.choice).calls:
            return b""
        legacy = self._functions or (self._own and bool(event.extra.get("function_call")))
        if legacy:
            delta: dict[str, Json] = {"function_call": {"name": event.name, "arguments": ""}}
        else:
            inner = {"name": event.name, "input" if event.kind == "custom" else "arguments": ""}
            signed = signature_field(event.signature) if event.signature else {}
            extra = event.extra if self._own else {}
            delta = {"tool_calls": [{"index": number, "id": event.id, "type": event.kind, event.kind: inner, **extra, **signed}]}
        written = self._delta(event.choice, delta)
        self._choices[event.choice].calls[event.id] = (number, "legacy" if legacy else event.kind)
        if event.kind == "function":
            # Empty free text of a custom tool is valid; only a function's arguments must be JSON.
            self._choices[event.choice].without_arguments.add(event.id)
        return written

    def _arguments(self, event: ToolCallDelta) -> bytes:
        state = self._state(event.choice)
        number, kind = state.calls.get(event.id, (-1, ""))
        # An empty delta adds nothing, and the call still lacks the JSON that clients parse.
        if event.arguments:
            state.without_arguments.discard(event.id)
        if kind == "legacy":
            return self._delta(event.choice, {"function_call": {"arguments": event.arguments}})
        if not kind:
            return b""  # a hosted call, which is not written
        field = "input" if kind == "custom" else "arguments"
        return self._delta(event.choice, {"tool_calls": [{"index": number, kind: {field: event.arguments}}]})

    def _opaque(self, index: int, block: Opaque) -> bytes:
        if block.dialect == NAME and self._own:
            # Pictures and sound are in the fields that are written with the finish.
            return b"" if block.name in (IMAGES, AUDIO) else self._delta(index, {block.name: [block.value]})
        number = self._state(index).images
        fields = media_fields(block, number)
        if not fields:
            return b""
        written = self._delta(index, fields)
        self._choices[index].images += 1
        return written

    def _finish(self, event: Finished) -> bytes:
        extra, more = own_extra(event, self._own)
        late = event.extra.get("response", {}) if self._own else {}
        before = self._cite(event.choice) if event.choice in self._citations else b""
        if not self._own:  # clients parse the arguments, and an empty string is not JSON
            empty = sorted(self._state(event.choice).without_arguments)
            before += b"".join([self._arguments(ToolCallDelta(call_id, "{}", event.choice)) for call_id in empty])
        if event.choice not in self._choices:
            before = self._begin_choices_before(event.choice)
            self._choices[event.choice] = _Choice()
            more = {"role": "assistant", **more}
        self._choices[event.choice].ended = True
        finish = write_finish(event, self._own, self._functions)
        logprobs = None if self._own else to_openai(event.logprobs)
        choice = {"index": event.choice, "delta": more, "logprobs": logprobs, "finish_reason": finish, **extra}
        return before + self._chunk({"choices": [choice], **late})
