"""Reads Ollama's streams: one JSON object a line. https://docs.ollama.com/api/streaming"""

from __future__ import annotations

import hashlib

from conduit_desktop.core.chat import Json, Opaque
from conduit_desktop.core.events import (
    Event,
    Finished,
    FinishReason,
    OpaqueBlock,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire.event_validation import rfc3339_or_none, text_or_none
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader, json_object
from conduit_desktop.wire.framing.ndjson import LineSplitter
from conduit_desktop.wire.generated_media import image_from
from conduit_desktop.wire.ollama.errors import error_in_answer
from conduit_desktop.wire.ollama.request_reader import NAME
from conduit_desktop.wire.ollama.request_writer import arguments_text
from conduit_desktop.wire.token_logprobs import neutral
from conduit_desktop.wire.usage_dimensions import faulty
from conduit_desktop.wire.values import count

# `load` and `unload` answer a request without a prompt, which only loads the model or frees its memory.
_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
_KNOWN = frozenset({
    "model", "created_at", "message", "response", "thinking", "tool_calls", "done", "done_reason", "prompt_eval_count",
    "eval_count", "logprobs",
})  # fmt: skip


class LineReader:
    """Reads the lines of one answer, of `/api/chat` and `/api/generate` alike."""

    def __init__(self) -> None:
        self._id = ""
        self._calls = 0
        self._logprobs: list[Json] = []

    def read(self, line: dict[str, Json], events: list[Event]) -> bool:
        """Add the events of one line; return whether it is the last. Raises UpstreamError for an error line."""
        if line.get("error"):
            raise error_in_answer(line)
        if not self._id:
            self._begin(line, events)
        message = line["message"] if isinstance(line.get("message"), dict) else {**line, "content": line.get("response")}
        if thinking := message.get("thinking"):
            events.append(ThinkingDelta(thinking))
        if content := message.get("content"):
            events.append(TextDelta(content))
        for call in message.get("tool_calls") or ():
            self._call(call, events)
        if isinstance(message.get("images"), list) and message["images"]:
            events += [OpaqueBlock(Opaque(NAME, "images", [image], image_from(image))) for image in message["images"]]
        if isinstance(line.get("logprobs"), list):
            self._logprobs += line["logprobs"]
        if line.get("done"):
            self._end(line, events)
            return True
        return False

    def _begin(self, line: dict[str, Json], events: list[Event]) -> None:
        """Ollama's answers have no id: the id is a hash, so that the same answer always has the same one."""
        at = line.get("created_at") or ""
        digest = hashlib.sha256(f"{line.get('model')} {at}".encode()).hexdigest()[:16]
        self._id = f"ollama-{digest}"
        extra = {"created_at": at} if at else {}
        events.append(Started(self._id, line.get("model") or "", rfc3339_or_none(at), extra, NAME))

    def _call(self, call: dict[str, Json], events: list[Event]) -> None:
        inner = call["function"]
        # Ids of calls are optional in Ollama, and clients of other dialects match results to calls by id alone.
        call_id = call.get("id") or f"call_{self._id[-8:]}{self._calls}"
        self._calls += 1
        extra = {name: value for name, value in call.items() if name not in ("id", "function")}
        if further := {name: value for name, value in inner.items() if name not in ("name", "arguments")}:
            extra["function"] = further
        events.append(ToolCallStarted(call_id, inner["name"], extra=extra))
        events.append(ToolCallDelta(call_id, arguments_text(inner.get("arguments"))))

    def _end(self, line: dict[str, Json], events: list[Event]) -> None:
        raw = line.get("done_reason")
        reason: FinishReason = _FINISH.get(raw or "stop", "other")
        extra = {name: value for name, value in line.items() if name not in _KNOWN}
        if self._logprobs:
            extra["logprobs"] = self._logprobs
        # Ollama ends with `stop` after tool calls too, and clients of other dialects act on the reason alone.
        reason = "tool_calls" if self._calls and reason == "stop" else reason
        events.append(Finished(reason, text_or_none(raw), extra=extra, logprobs=neutral(self._logprobs) or None))
        # No usage where there are no counts: zeros would pass for a measured answer.
        if line.get("prompt_eval_count") is not None or line.get("eval_count") is not None:
            unclear = tuple(faulty(line, ("prompt_eval_count", "eval_count")))
            usage = Usage(input=count(line.get("prompt_eval_count")), output=count(line.get("eval_count")), unclear=unclear)
            events.append(UsageReported(usage))


class OllamaReader(FrameReader):
    """Reads one stream of JSON lines."""

    terminal = 'its line with "done": true'

    def __init__(self) -> None:
        super().__init__(LineSplitter())
        self._lines = LineReader()

    def read(self, frame: Frame, events: list[Event]) -> None:
        """Read one line; lines after the one with `done` are ignored."""
        if self._over:
            return
        self._over = self._lines.read(json_object(frame), events)
