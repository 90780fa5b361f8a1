"""Writes the streams of Bedrock's ConverseStream."""

from __future__ import annotations

from typing import Literal, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json
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
from conduit_desktop.wire.bedrock.errors import fault_of, write_error
from conduit_desktop.wire.bedrock.messages_reader import NAME
from conduit_desktop.wire.bedrock.response import write_citation
from conduit_desktop.wire.bedrock.usage import finish_word, write_usage
from conduit_desktop.wire.framing.aws_eventstream import write


class ConverseWriter:
    """Writes one stream. A tool's block stays open until its call is over; calls may come interleaved."""

    def __init__(self, request: ChatRequest) -> None:
        self._started = Started()
        self._begun = False
        self._index = -1
        self._open: Literal["", "text", "thinking"] = ""
        self._calls: dict[str, int] = {}
        self._free_text: dict[str, str] = {}
        self._finish: Finished | None = None
        self._usage: Usage | None = None

    def write(self, event: Event) -> bytes:  # noqa: C901  # one line a kind of event
        """The frames that say `event`; empty for other choices, and for what cannot be said here."""
        match event:
            case Started():
                self._started = event
                return b""
            case UsageReported():
                self._usage = event.usage
                return b""
            case _ if event.choice != 0:
                return b""
            case TextDelta() | Refused():
                return self._delta("text", {"text": event.text}) if event.text else b""
            case ThinkingDelta():
                return self._delta("thinking", {"reasoningContent": {"text": event.text}}) if event.text else b""
            case ThinkingSigned():
                return self._delta("thinking", {"reasoningContent": {"signature": event.signature}})
            case ThinkingRedacted():
                return (
                    self._close() + self._delta("thinking", {"reasoningContent": {"redactedContent": event.data}}) + self._close()
                )
            case TextStarted() | ThinkingStarted():
                return self._close() if self._open == ("text" if isinstance(event, TextStarted) else "thinking") else b""
            case Cited():
                return self._delta("text", {"citation": write_citation(event.citation)})
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case Finished():
                self._finish = event
                return b""
            case OpaqueBlock():
                return b""
            case _:
                assert_never(event)

    def end(self) -> bytes:
        """Open blocks closed, why it stopped, and what it took."""
        own = self._started.dialect == NAME
        out = self._begin() + self._close()
        for call_id, text in self._free_text.items():
            out += self._input(self._calls[call_id], orjson.dumps({"input": text}).decode())
        out += b"".join(_frame("contentBlockStop", {"contentBlockIndex": index}) for index in self._calls.values())
        out += _frame("messageStop", {"stopReason": finish_word(self._finish, own, bool(self._calls))})
        extra = self._finish.extra if own and self._finish is not None else {"metrics": {"latencyMs": 0}}
        return out + _frame("metadata", {"usage": write_usage(self._usage, own), **extra})

    def fail(self, error: GatewayError) -> bytes:
        """The exception; no `messageStop` after it."""
        headers = {":exception-type": fault_of(error), ":content-type": "application/json", ":message-type": "exception"}
        return write(orjson.dumps(write_error(error)[1]), headers)

    def ping(self) -> bytes:
        """An event of a type no client knows, which clients pass over."""
        return _frame("ping", {})

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _frame("messageStart", {"role": "assistant"})

    def _delta(self, kind: Literal["text", "thinking"], delta: dict[str, Json]) -> bytes:
        out = b""
        if self._open != kind:
            out = self._begin() + self._close()
            self._index += 1
            self._open = kind
        return out + _frame("contentBlockDelta", {"contentBlockIndex": self._index, "delta": delta})

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _frame("contentBlockStop", {"contentBlockIndex": self._index})

    def _call(self, event: ToolCallStarted) -> bytes:
        if event.kind == "hosted" or event.id in self._calls:
            return b""
        out = self._begin() + self._close()
        self._index += 1
        self._calls[event.id] = self._index
        if event.kind == "custom":
            self._free_text[event.id] = ""
        extra = event.extra if self._started.dialect == NAME else {}
        start = {"toolUse": {"toolUseId": event.id, "name": event.name, **extra}}
        return out + _frame("contentBlockStart", {"contentBlockIndex": self._index, "start": start})

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            return b""  # of a hosted call, which was not written either
        if event.id in self._free_text:
            self._free_text[event.id] += event.arguments
            return b""
        return self._input(self._calls[event.id], event.arguments)

    def _input(self, index: int, text: str) -> bytes:
        return _frame("contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": text}}})


def _frame(event: str, payload: dict[str, Json]) -> bytes:
    return write(orjson.dumps(payload), {":event-type": event, ":content-type": "application/json", ":message-type": "event"})
