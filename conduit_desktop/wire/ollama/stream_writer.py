"""Writes Ollama's streams: one JSON object a line. https://docs.ollama.com/api/streaming"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Opaque, ToolCall
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import (
    BlockEvent,
    Cited,
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
)
from conduit_desktop.wire.ollama.errors import write_error
from conduit_desktop.wire.ollama.request_reader import NAME
from conduit_desktop.wire.single_choice_writer import SingleChoiceWriter
from conduit_desktop.wire.values import as_object

_DONE_REASONS: dict[FinishReason, str] = {"length": "length"}
"""Every other reason is `stop`."""


class OllamaWriter(SingleChoiceWriter):
    """Writes one stream of `/api/chat` (`chat`) or `/api/generate`.

    Ollama sends tool calls whole, so they are written when the choice is complete.
    """

    dialect = NAME

    def __init__(self, request: ChatRequest, chat: bool) -> None:
        super().__init__(request)
        self._chat = chat
        self._head = _head(self._started, request)
        self._calls: dict[str, ToolCall] = {}
        self._arguments: defaultdict[str, list[str]] = defaultdict(list)

    def _on_started(self) -> bytes:
        self._head = _head(self._started, self._request)
        return b""

    def _write_content(self, event: BlockEvent) -> bytes:
        match event:
            case TextDelta() | Refused():
                return self._line({"content": event.text}) if event.text else b""
            case ThinkingDelta():
                return self._line({"content": "", "thinking": event.text}) if event.text else b""
            case ToolCallStarted():
                # The first start counts, so that a call is written once.
                self._calls.setdefault(event.id, ToolCall(event.id, event.name, "", event.kind, extra=event.extra))
                return b""
            case ToolCallDelta():
                self._arguments[event.id].append(event.arguments)
                return b""
            case OpaqueBlock():
                return self._opaque(event.block)
            # Ollama has no place for blocks, signatures and sources.
            case TextStarted() | ThinkingStarted() | ThinkingSigned() | ThinkingRedacted() | Cited():
                return b""
            case _:
                assert_never(event)

    def _opaque(self, block: Opaque) -> bytes:
        if block.dialect == NAME:
            return self._line({"content": "", block.name: block.value})
        if block.media is not None and block.media.text:
            return self._line({"content": block.media.text})
        if block.media is None or block.media.kind != "image" or block.media.data is None:
            return b""
        return self._line({"content": "", "images": [block.media.data]})

    def _on_finished(self) -> bytes:
        return self._write_calls()

    def end(self) -> bytes:
        """The tool calls not written yet, and the line with `done`, the reason and the usage."""
        # Clients wait for a line with `done`, whether or not the vendor gave a reason.
        finish = self._finish or Finished("stop")
        last = {**self._head, **self._message({"content": ""}), **_done(finish, self._usage, self._own)}
        return self._write_calls() + orjson.dumps(last) + b"\n"

    def fail(self, error: GatewayError) -> bytes:
        """A line with the error; none with `done` follows it."""
        return orjson.dumps(write_error(error)[1]) + b"\n"

    def ping(self) -> bytes:
        """A line with an empty text: clients parse every line as JSON, so a blank one would break them."""
        return self._line({"content": ""})

    def _write_calls(self) -> bytes:
        for call in self._calls.values():
            call.arguments = "".join(self._arguments.pop(call.id, ()))
        # Clients would run a hosted call, which its vendor has run already.
        calls = [_write_call(call, self._own) for call in self._calls.values() if call.kind != "hosted"]
        self._calls = {}
        return self._line({"content": "", "tool_calls": calls}) if calls else b""

    def _line(self, fields: dict[str, Json]) -> bytes:
        return orjson.dumps({**self._head, **self._message(fields), "done": False}) + b"\n"

    def _message(self, fields: dict[str, Json]) -> dict[str, Json]:
        """`fields` as the `message` of `/api/chat`, or on the top level of a line of `/api/generate`."""
        if self._chat:
            return {"message": {"role": "assistant", **fields}}
        return {"response": fields["content"], **{name: value for name, value in fields.items() if name != "content"}}


def _head(started: Started, request: ChatRequest) -> dict[str, Json]:
    """The first fields of every line. `created_at` is 1970 if the answer has no time."""
    at = started.extra.get("created_at") if started.dialect == NAME else None
    created = datetime.fromtimestamp(started.created or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"model": started.model or request.model, "created_at": at or created}


def _done(finish: Finished, usage: Usage | None, own: bool) -> dict[str, Json]:
    """The further fields of the last line."""
    fields: dict[str, Json] = {"done": True}
    # Without a fallback: some of Ollama's answers have no `done_reason`.
    reason = finish.raw if own else _DONE_REASONS.get(finish.reason, "stop")
    if reason:
        fields["done_reason"] = reason
    if usage is not None:
        fields |= {"prompt_eval_count": usage.total_input, "eval_count": usage.total_output}
    if finish.logprobs and not own:
        fields["logprobs"] = finish.logprobs
    return fields | (finish.extra if own else {})


def _write_call(call: ToolCall, own: bool) -> dict[str, Json]:
    """One call; its arguments are an object here."""
    function: dict[str, Json] = {"name": call.name, "arguments": as_object(call)[0]}
    extra = dict(call.extra) if own else {}
    function |= extra.pop("function", {})
    return {"id": call.id, "function": function, **extra}
