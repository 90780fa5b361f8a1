"""Writes neutral events as Ollama's streams of lines."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, ToolCall
from conduit_desktop.core.errors import GatewayError
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
    Usage,
    UsageReported,
)
from conduit_desktop.wire.framing import ndjson
from conduit_desktop.wire.ollama.errors import write_error
from conduit_desktop.wire.ollama.request_reader import NAME
from conduit_desktop.wire.values import as_object

_REASONS: dict[FinishReason, str] = {"length": "length"}
"""Whatever else ends an answer is `stop` here."""


def head(started: Started, request: ChatRequest) -> dict[str, Json]:
    """What begins every line. `created_at` is 1970 where the answer does not say when it was made."""
    at = started.extra.get("created_at") if started.dialect == NAME else None
    made = datetime.fromtimestamp(started.created or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"model": started.model or request.model, "created_at": at or made}


def body_of(message: dict[str, Json], chat: bool) -> dict[str, Json]:
    """The message as `/api/chat` holds it, or its fields as `/api/generate` does."""
    if chat:
        return {"message": message}
    fields = {name: value for name, value in message.items() if name not in ("role", "content")}
    return {"response": message["content"], **fields}


def tail(finish: Finished, usage: Usage | None, own: bool) -> dict[str, Json]:
    """What the last line says besides."""
    said: dict[str, Json] = {"done": True}
    reason = finish.raw if own else _REASONS.get(finish.reason, "stop")
    if reason:
        said["done_reason"] = reason
    if usage is not None:
        said |= {"prompt_eval_count": usage.total_input, "eval_count": usage.total_output}
    return said | (finish.extra if own else {})


def write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    """One call, its arguments an object."""
    inner: dict[str, Json] = {"name": call.name, "arguments": as_object(call)[0]}
    extra = dict(call.extra) if own else {}
    inner |= extra.pop("function", {})
    return {"id": call.id, "function": inner, **extra}


class OllamaWriter:
    """Writes one stream. A call is said once it is whole: at the end, for there are no pieces of calls here."""

    def __init__(self, request: ChatRequest, chat: bool) -> None:
        self._request = request
        self._chat = chat
        self._started = Started()
        self._head = head(self._started, request)
        self._calls: dict[str, ToolCall] = {}
        self._pieces: defaultdict[str, list[str]] = defaultdict(list)
        self._finish = Finished("stop")
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:
        """The line that says `event`; empty for what waits, for other choices, and for what cannot be said here."""
        match event:
            case Started():
                self._started, self._head = event, head(event, self._request)
                return b""
            case UsageReported():
                self._usage = event.usage
                return b""
            case _ if event.choice != 0:
                return b""
            case TextDelta() | Refused():
                return self._line({"role": "assistant", "content": event.text}) if event.text else b""
            case ThinkingDelta():
                return self._line({"role": "assistant", "content": "", "thinking": event.text}) if event.text else b""
            case ToolCallStarted():
                self._calls.setdefault(event.id, ToolCall(event.id, event.name, "", event.kind, extra=event.extra))
                return b""
            case ToolCallDelta():
                self._pieces[event.id].append(event.arguments)
                return b""
            case OpaqueBlock():
                block = event.block
                return self._line({"role": "assistant", "content": "", block.name: block.value}) if block.dialect == NAME else b""
            case Finished():
                self._finish = event
                return self._say_calls()
            case TextStarted() | ThinkingStarted() | ThinkingSigned() | ThinkingRedacted() | Cited():
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """The calls that wait, and the line with why it ended and what it took."""
        own = self._started.dialect == NAME
        last = {**self._head, **body_of({"role": "assistant", "content": ""}, self._chat), **tail(self._finish, self._usage, own)}
        return self._say_calls() + ndjson.write(orjson.dumps(last))

    def fail(self, error: GatewayError) -> bytes:
        """The error in a line of its own; none with `done` after it."""
        return ndjson.write(orjson.dumps(write_error(error)[1]))

    def ping(self) -> bytes:
        """A line without words: clients parse every line, so a blank one would break them."""
        return self._line({"role": "assistant", "content": ""})

    def _say_calls(self) -> bytes:
        own = self._started.dialect == NAME
        for call in self._calls.values():
            call.arguments = "".join(self._pieces.pop(call.id, ()))
        calls = [write_call(call, own) for call in self._calls.values() if call.kind != "hosted"]
        self._calls = {}
        return self._line({"role": "assistant", "content": "", "tool_calls": calls}) if calls else b""

    def _line(self, message: dict[str, Json]) -> bytes:
        return ndjson.write(orjson.dumps({**self._head, **body_of(message, self._chat), "done": False}))
