"""Reads the streams of OpenAI's Chat Completions. https://platform.openai.com/docs/api-reference/chat-streaming"""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event, Started, UsageReported
from conduit_desktop.wire import json_text
from conduit_desktop.wire.errors.error_body import TEXT_FIELDS
from conduit_desktop.wire.event_validation import MOST_CHOICES, epoch_or_none
from conduit_desktop.wire.framing.base import Frame, frames_from
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from conduit_desktop.wire.framing.sse import SseSplitter, parse
from conduit_desktop.wire.openai_chat.choice_reader import ChoiceReader
from conduit_desktop.wire.openai_chat.citations import read_sources
from conduit_desktop.wire.openai_chat.errors import base_response_fault, choice_error, read_error_object, unexpected_body
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.openai_chat.usage import read_usage, take_answer
from conduit_desktop.wire.reported_usage import usage_in

CHUNK = frozenset({"id", "object", "created", "model", "choices", "usage", "error", "obfuscation", "p"})
"""The fields of a chunk that are read or ignored; `obfuscation` and Mistral's `p` are padding against side channels."""
_CHUNK_FIELDS = frozenset({"choices", "id", "object", "usage", "model", "base_resp", "x_groq"})
# An error's message needs no more, and a page without end must not fill the memory.
_BODY_LIMIT = 1024 * 1024
_DONE = b"data: [DONE]\n\n"


def started(body: dict[str, Any], extra: dict[str, Json]) -> Started:
    """The start event of a chunk or a whole body."""
    return Started(str(body.get("id") or ""), str(body.get("model") or ""), epoch_or_none(body.get("created")), extra, NAME)


class ChatReader:
    """Reads one streamed answer. Bytes after `[DONE]` are ignored.

    Events before an error in the same bytes are returned; the error is raised by the next call. This is not a `FrameReader`:
    it checks values while it reads them, because a second pass over the events would cost most in this dialect.
    """

    __slots__ = (
        "_at_start", "_body", "_choices", "_ended", "_extra", "_failure", "_first", "_seen", "_splitter", "_started", "done",
        "missing_end", "unread",
    )  # fmt: skip

    def __init__(self) -> None:
        self.done = False
        self.missing_end = b""
        self.unread = 0
        self._ended = False
        self._splitter = SseSplitter()
        self._failure: MalformedStream | UpstreamError | StreamBroken | None = None
        self._choices: dict[int, ChoiceReader] = {}
        self._extra: dict[str, Json] = {}
        self._first: dict[str, Json] = {}
        self._seen: set[str] = set(CHUNK)
        self._started = False
        self._at_start = True
        self._body: bytearray | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events these bytes complete; see `StreamReader`."""
        if self._failure is not None:
            raise self._failure
        if self.done or not data:
            return []
        if (self._at_start and self._holds_body(data)) or self._body is not None:
            self._gather(data)
            return []
        events: list[Event] = []
        frames: list[Frame] = []
        frame: Frame | None = None
        try:
            frames = self._splitter.feed(data)
            for frame in frames:
                self._frame(frame, events)
                if self.done:
                    break
        except (MalformedStream, UpstreamError) as failure:
            self._failure = failure
            self.unread = frames_from(frames, frame)
            if not events:
                raise
        return events

    def close(self, clean: bool = False) -> list[Event]:
        """The events held back; raises StreamBroken where the answer is not whole (`StreamReader`).

        Without `[DONE]` a finish reason is not enough: a connection cut after it may have lost the usage, which comes later.
        """
        if self._failure is not None:
            raise self._failure
        if self.done:
            return []
        if self._body is not None:
            self._fail(unexpected_body(bytes(self._body)))
        events: list[Event] = []
        try:
            whole = self._last_frame(events)
        except (MalformedStream, UpstreamError) as failure:
            self._fail(failure)
        # Perplexity, Azure's Grok and others send no `[DONE]`: the finish reasons and the clean end are the facts.
        if not self.done and (self._ended or clean) and whole and self._finished:
            self.missing_end = _DONE
            self._end(events)
        if not self.done:
            self._fail(StreamBroken("the stream ended without its terminal event"))
        return events

    def _fail(self, failure: MalformedStream | UpstreamError | StreamBroken) -> NoReturn:
        self._failure = failure
        raise failure

    def _holds_body(self, data: bytes) -> bool:
        """Whether the first bytes begin a JSON body or a web page instead of a stream."""
        start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if not start:
            return False
        self._at_start = False
        return start in b"{[<"

    def _gather(self, data: bytes) -> None:
        self._body = self._body if self._body is not None else bytearray()
        if len(self._body) < _BODY_LIMIT:
            self._body += data

    @property
    def _finished(self) -> bool:
        return bool(self._choices) and all(choice.finish for choice in self._choices.values())

    def _last_frame(self, events: list[Event]) -> bool:
        """Read a last frame without its blank line, if its data is complete; return whether nothing was cut off."""
        rest = self._splitter.rest.strip()
        if not rest:
            return True
        frame = parse(rest)
        try:
            complete = frame.data == b"[DONE]" or (bool(frame.data) and _read(frame.data) is not None)
        except orjson.JSONDecodeError:
            return False
        if complete:
            self._frame(frame, events)
        # Without data it is a comment or a line of a frame that did not come.
        return complete or rest.startswith(b":")

    def _frame(self, frame: Frame, events: list[Event]) -> None:
        data = frame.data
        if not data:
            return
        if data[:6] == b"[DONE]":
            # `[DONE]` alone would otherwise pass for a complete, empty answer.
            if not self._choices:
                raise MalformedStream("the stream had no answer")
            self._end(events)
            return
        try:
            chunk = json_text.loads(data) if len(data) <= SMALL else _read(data)
        except orjson.JSONDecodeError:
            # An error event may be plain text; any other frame that is not JSON is a fault of the stream.
            if frame.event == "error":
                raise read_error_object(data.decode("utf-8", "replace")) from None
            raise MalformedStream("a frame of the stream is not JSON") from None
        if type(chunk) is not dict:
            raise MalformedStream("a frame of the stream is not an object")
        if frame.event == "error" or chunk.get("error") or (chunk.get("object") == "error"):
            raise _with_usage(read_error_object(chunk), chunk)
        # FastAPI's `detail`, DashScope's `code` and `message`: a chunk has at least one of these fields.
        if _CHUNK_FIELDS.isdisjoint(chunk) and any(chunk.get(name) for name in TEXT_FIELDS):
            raise read_error_object(chunk)
        # Checked only without choices, as MiniMax sends the field with successful chunks too.
        if not chunk.get("choices") and (fault := base_response_fault(chunk)) is not None:
            raise fault
        self._chunk(chunk, events)

    def _chunk(self, chunk: dict[str, Any], events: list[Event]) -> None:
        choices = chunk.get("choices")
        if not self._started:
            self._begin(chunk, choices, events)
        elif not self._seen.issuperset(chunk):
            self._keep_fields(chunk)
        if choices:
            if type(choices) is not list:
                raise MalformedStream("the choices of a chunk are not a list")
            for raw in choices:
                self._choice(raw, chunk, events)
        # Perplexity's last chunk: https://docs.perplexity.ai/guides/pro-search-stream-mode-guide
        if chunk.get("object") == "chat.completion.done":
            self._ended = True
        usage = chunk.get("usage")
        # Groq puts the usage and the late errors of a stream into a field of its own.
        if "x_groq" in chunk and isinstance(groq := chunk["x_groq"], dict):
            usage = usage or groq.get("usage")
            if groq.get("error"):
                raise read_error_object(groq)
        if usage and isinstance(usage, dict):
            # The tier may have come with the first chunk alone.
            events.append(UsageReported(take_answer(read_usage(usage), chunk, self._extra, self._first)))

    def _choice(self, raw: Any, chunk: dict[str, Any], events: list[Event]) -> None:
        if type(raw) is not dict:
            raise MalformedStream("a choice that is not an object")
        index = raw.get("index") or 0
        # `type` and not `isinstance`: `true` is an int in Python.
        if type(index) is not int or not 0 <= index < MOST_CHOICES:
            raise MalformedStream("a choice with an invalid index")
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = ChoiceReader(index, str(chunk.get("id") or ""))
        if (error := choice_error(raw)) is not None:
            raise _with_usage(error, chunk)
        choice.read(raw, events)
        # Kimi's streams report the usage within the last choice: https://platform.kimi.ai/docs/api/chat
        if "usage" in raw and not chunk.get("usage") and type(raw["usage"]) is dict and raw["usage"]:
            events.append(UsageReported(take_answer(read_usage(raw["usage"]), chunk, self._extra, self._first)))

    def _begin(self, chunk: dict[str, Any], choices: Any, events: list[Event]) -> None:
        """Keep the fields of the first chunks until one has an id or a choice: Azure's first chunk has only filter results."""
        self._keep_fields(chunk)
        if choices or chunk.get("id"):
            self._started = True
            events.append(started(chunk, self._extra))
            self._first, self._extra = self._extra, {}

    def _keep_fields(self, chunk: dict[str, Any]) -> None:
        """Keep fields that no neutral event has; those after the start go with the finish."""
        for name, value in chunk.items():
            # Vendors repeat such fields in every chunk (Perplexity its sources), so each is kept once.
            if name not in self._seen and (value is not None or not self._started):
                self._seen.add(name)
                # The usage is an event of its own and would be written twice.
                if name == "x_groq" and isinstance(value, dict):
                    value = {key: part for key, part in value.items() if key != "usage"}
                self._extra[name] = value

    def _end(self, events: list[Event]) -> None:
        self.done = True
        # Only now is the list of sources complete: any chunk may have brought it.
        if 0 in self._choices:
            self._choices[0].cite(read_sources({**self._first, **self._extra}))
        for index in sorted(self._choices):
            choice = self._choices[index]
            if index == 0 and self._extra:
                choice.keep({"response": self._extra})
            choice.end(events)


def _with_usage(error: UpstreamError, chunk: dict[str, Any]) -> UpstreamError:
    """The error of a chunk, with the usage that it reports: a failure that was billed."""
    error.usage = usage_in(chunk, NAME)
    return error


def _read(data: bytes) -> Any:
    return json_text.loads(data) if len(data) <= SMALL else read_large(data, json_text.loads)
