"""Writes the streams of `streamGenerateContent`: server-sent events or one JSON array.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from __future__ import annotations

from collections import defaultdict
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Citation, ToolCall
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
from conduit_desktop.wire.citations import TextPosition
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.gemini.citations import write_citations
from conduit_desktop.wire.gemini.errors import write_error
from conduit_desktop.wire.gemini.field_names import NAME, Fields
from conduit_desktop.wire.gemini.reasoning import portable_signature
from conduit_desktop.wire.gemini.response import response_id, sign_first_call, write_call, write_opaque
from conduit_desktop.wire.gemini.usage import write_finish, write_usage
from conduit_desktop.wire.token_logprobs import to_gemini
from conduit_desktop.wire.tool_arguments import is_complete


class GeminiWriter:
    """Writes one stream, with every choice.

    Gemini sends function calls whole, so a call is written when it is complete. The finishes and the usage come in the last chunk.
    """

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._started = Started()
        self._usage: Usage | None = None
        self._finishes: dict[int, Finished] = {}
        self._calls: dict[tuple[int, str], ToolCall] = {}
        self._arguments: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        self._signed: set[int] = set()
        self._texts: dict[int, str] = {}
        self._positions: defaultdict[int, TextPosition] = defaultdict(TextPosition)
        self._citations: dict[int, list[Citation]] = {}
        self._id = ""

    def write(self, event: Event) -> bytes:
        """The chunk of `event`; empty if it comes later, or if this dialect cannot express it."""
        match event:
            case Started():
                self._started = event
            case UsageReported():
                self._usage = event.usage
            case Finished():
                self._finishes[event.choice] = event
                # Calls that are not whole JSON too: after the finish nothing can complete them.
                return self._complete_calls(event.choice, every=True)
            case ToolCallStarted():
                self._track(event.choice, event)
                out = self._complete_calls(event.choice)
                call = ToolCall(event.id, event.name, "", event.kind, event.signature, extra=event.extra)
                self._calls.setdefault((event.choice, event.id), call)
                return out
            case ToolCallDelta():
                self._arguments[event.choice, event.id].append(event.arguments)
            case Cited():
                begin = self._track(event.choice, event).begin
                self._citations.setdefault(event.choice, []).append(event.citation.moved(begin))
            case _:
                self._track(event.choice, event)
                part = self._part(event)
                return b"" if part is None else self._complete_calls(event.choice) + self._chunk({event.choice: [part]})
        return b""

    def _track(self, choice: int, event: Event) -> TextPosition:
        """The position of the choice's open text, after `event`."""
        position = self._positions[choice]
        position.see(TextDelta(event.text) if isinstance(event, Refused) else event)
        return position

    def _part(
        self,
        event: TextStarted
        | TextDelta
        | ThinkingStarted
        | ThinkingDelta
        | ThinkingSigned
        | ThinkingRedacted
        | Refused
        | OpaqueBlock,
    ) -> Fields | None:
        match event:
            case TextDelta() | Refused():
                self._texts[event.choice] = self._texts.get(event.choice, "") + event.text
                return {"text": event.text} if event.text else None
            case ThinkingDelta():
                return {"text": event.text, "thought": True} if event.text else None
            case ThinkingSigned():
                # The thoughts are written already, so the signature comes with an empty text, as from Google.
                return {"text": "", "thought": True, "thoughtSignature": portable_signature(event.signature, self._started.dialect)}
            case OpaqueBlock():
                return write_opaque(event.block)
            case TextStarted() | ThinkingStarted() | ThinkingRedacted():
                # Gemini has no frames for the start of a block, and no hidden thoughts.
                return None
            case _:
                assert_never(event)

    def _complete_calls(self, choice: int, every: bool = False) -> bytes:
        """The calls of `choice` that cannot grow any more (all with `every`), in the order in which they began."""
        own = self._started.dialect == NAME
        parts: list[Fields] = []
        for key in [key for key in self._calls if key[0] == choice]:
            # Calls keep the order in which they began, so an incomplete one also holds back those after it.
            if not every and (self._calls[key].kind == "custom" or not is_complete(self._arguments[key])):
                break
            call = self._calls.pop(key)
            call.arguments = "".join(self._arguments.pop(key, ()))
            parts.append(write_call(call, own))
        if not own and choice not in self._signed and sign_first_call(parts):
            self._signed.add(choice)
        return self._chunk({choice: parts}) if parts else b""

    def end(self) -> bytes:
        """The calls not written yet, and the last chunk with the finish of each candidate and the usage."""
        own = self._started.dialect == NAME
        out = b"".join([self._complete_calls(choice, every=True) for choice in dict.fromkeys(key[0] for key in self._calls)])
        feedback = next(
            (finish.extra["promptFeedback"] for finish in self._finishes.values() if own and "promptFeedback" in finish.extra), None
        )
        # Clients read the first candidate without a check, so even an empty answer has one.
        candidates = [self._last_candidate(index, own) for index in (sorted(self._finishes) or [0])]
        last: Fields = {"candidates": candidates} if feedback is None else {"promptFeedback": feedback}
        if self._usage is not None:
            last["usageMetadata"] = write_usage(self._usage, own)
        return out + self.frame(orjson.dumps({**last, **self._head()}))

    def _last_candidate(self, index: int, own: bool) -> Fields:
        finish = self._finishes.get(index)
        candidate: Fields = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": write_finish(finish, own)}
        if own and finish is not None:
            candidate.update({key: value for key, value in finish.extra.items() if key != "content"})
        else:
            candidate |= write_citations(self._citations.get(index, ()), self._texts.get(index, ""))
            candidate |= to_gemini(finish.logprobs) if finish is not None else {}
        return {**candidate, "index": index}

    def _chunk(self, parts: dict[int, list[Fields]]) -> bytes:
        candidates = [{"content": {"parts": each, "role": "model"}, "index": index} for index, each in parts.items()]
        return self.frame(orjson.dumps({"candidates": candidates, **self._head()}))

    def _head(self) -> Fields:
        # Kept, so that all chunks of one answer have the same id.
        self._id = self._id or self._started.id or response_id()
        own = self._started.extra if self._started.dialect == NAME else {}
        return {"modelVersion": self._started.model or self._model, "responseId": self._id, **own}

    def frame(self, chunk: bytes) -> bytes:
        """One chunk, framed."""
        return sse.write(chunk)

    def fail(self, error: GatewayError) -> bytes:
        """The error in place of a chunk; no candidate finishes."""
        return self.frame(orjson.dumps(write_error(error)[1]))

    def ping(self) -> bytes:
        """A blank line: Google's SDKs parse anything else as a chunk, comments too."""
        return b"\r\n"


class ArrayWriter(GeminiWriter):
    """Writes the chunks as one JSON array. It is closed after an error too, which is its last element: clients parse the array."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._begun = False

    def frame(self, chunk: bytes) -> bytes:
        """One element, after the opening bracket or a comma."""
        separator = b",\r\n" if self._begun else b"["
        self._begun = True
        return separator + chunk

    def end(self) -> bytes:
        """The last element, and the end of the array."""
        return super().end() + b"]"

    def close(self) -> bytes:
        """The end of an array whose elements were written with `frame`."""
        return b"]" if self._begun else b"[]"

    def fail(self, error: GatewayError) -> bytes:
        """The error as the last element."""
        return super().fail(error) + b"]"
