"""A stream of `streamGenerateContent`, written from neutral events: as server-sent events or as one JSON array."""

from __future__ import annotations

from collections import defaultdict
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Citation, Opaque, ToolCall
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
from conduit_desktop.wire.gemini.response import response_id, write_call
from conduit_desktop.wire.gemini.usage import write_finish, write_usage


class GeminiWriter:
    """Writes one stream. Function calls are whole here, so a call waits until it is; ends and usage come last, together."""

    def __init__(self, request: ChatRequest) -> None:
        self._model = request.model
        self._started = Started()
        self._usage: Usage | None = None
        self._ends: dict[int, Finished] = {}
        self._calls: dict[tuple[int, str], ToolCall] = {}
        self._pieces: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        self._texts: dict[int, str] = {}
        self._places: defaultdict[int, TextPosition] = defaultdict(TextPosition)
        self._citations: dict[int, list[Citation]] = {}
        self._id = ""

    def write(self, event: Event) -> bytes:
        """The chunk that says `event`: none for what waits, and for what cannot be said here."""
        match event:
            case Started():
                self._started = event
            case UsageReported():
                self._usage = event.usage
            case Finished():
                self._ends[event.choice] = event
                return self._finished_calls(event.choice, every=True)
            case ToolCallStarted():
                self._place(event.choice, event)
                out = self._finished_calls(event.choice)
                call = ToolCall(event.id, event.name, "", event.kind, event.signature, extra=event.extra)
                self._calls.setdefault((event.choice, event.id), call)
                return out
            case ToolCallDelta():
                self._pieces[event.choice, event.id].append(event.arguments)
            case Cited():
                begin = self._place(event.choice, event).begin
                self._citations.setdefault(event.choice, []).append(event.citation.moved(begin))
            case _:
                self._place(event.choice, event)
                part = self._part(event)
                return b"" if part is None else self._finished_calls(event.choice) + self._chunk({event.choice: [part]})
        return b""

    def _place(self, choice: int, event: Event) -> TextPosition:
        """Where the text of the choice stands with `event`."""
        place = self._places[choice]
        place.see(TextDelta(event.text) if isinstance(event, Refused) else event)
        return place

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
                return {"text": "", "thought": True, "thoughtSignature": portable_signature(event.signature, self._started.dialect)}
            case OpaqueBlock():
                return _own_block(event.block)
            case TextStarted() | ThinkingStarted() | ThinkingRedacted():
                return None
            case _:
                assert_never(event)

    def _finished_calls(self, choice: int, every: bool = False) -> bytes:
        """The calls of `choice` that cannot grow any more, in the order in which they began."""
        own = self._started.dialect == NAME
        parts: list[Fields] = []
        for key in [key for key in self._calls if key[0] == choice]:
            if not every and not _is_whole(self._calls[key], self._pieces[key]):
                break
            call = self._calls.pop(key)
            call.arguments = "".join(self._pieces.pop(key, ()))
            parts.append(write_call(call, own))
        return self._chunk({choice: parts}) if parts else b""

    def end(self) -> bytes:
        """The last chunk: why each candidate ended, and the whole usage."""
        own = self._started.dialect == NAME
        out = b"".join([self._finished_calls(choice, every=True) for choice in dict.fromkeys(key[0] for key in self._calls)])
        feedback = next((end.extra["promptFeedback"] for end in self._ends.values() if own and "promptFeedback" in end.extra), None)
        candidates = [self._ended(index, own) for index in (sorted(self._ends) or [0])]
        last: Fields = {"candidates": candidates} if feedback is None else {"promptFeedback": feedback}
        if self._usage is not None:
            last["usageMetadata"] = write_usage(self._usage, own)
        return out + self.frame(orjson.dumps({**last, **self._about()}))

    def _ended(self, index: int, own: bool) -> Fields:
        finish = self._ends.get(index)
        candidate: Fields = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": write_finish(finish, own)}
        if own and finish is not None:
            candidate.update({key: value for key, value in finish.extra.items() if key != "content"})
        else:
            candidate |= write_citations(self._citations.get(index, ()), self._texts.get(index, ""))
        return {**candidate, "index": index}

    def _chunk(self, said: dict[int, list[Fields]]) -> bytes:
        candidates = [{"content": {"parts": parts, "role": "model"}, "index": index} for index, parts in said.items()]
        return self.frame(orjson.dumps({"candidates": candidates, **self._about()}))

    def _about(self) -> Fields:
        self._id = self._id or self._started.id or response_id()
        own = self._started.extra if self._started.dialect == NAME else {}
        return {"modelVersion": self._started.model or self._model, "responseId": self._id, **own}

    def frame(self, chunk: bytes) -> bytes:
        """One chunk, framed."""
        return sse.write(chunk)

    def fail(self, error: GatewayError) -> bytes:
        """An error where a chunk would be; no candidate ends."""
        return self.frame(orjson.dumps(write_error(error)[1]))

    def ping(self) -> bytes:
        """A blank line: Google's SDKs take anything else for a chunk, comments too."""
        return b"\r\n"


class ArrayWriter(GeminiWriter):
    """The same as one JSON array. A failed one is closed too, with the error as its last element: else it is no JSON."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._begun = False

    def frame(self, chunk: bytes) -> bytes:
        """One element, with what stands before it."""
        before = b",\r\n" if self._begun else b"["
        self._begun = True
        return before + chunk

    def end(self) -> bytes:
        """The last element, and the end of the array."""
        return super().end() + b"]"

    def close(self) -> bytes:
        """The end of an array whose elements were all framed from chunks."""
        return b"]" if self._begun else b"[]"

    def fail(self, error: GatewayError) -> bytes:
        """The error as the last element."""
        return super().fail(error) + b"]"


def _own_block(block: Opaque) -> Fields | None:
    return dict(block.value) if block.dialect == NAME else None


def _is_whole(call: ToolCall, pieces: list[str]) -> bool:
    """Whether the arguments cannot grow: a whole JSON object."""
    if call.kind == "custom" or not pieces or not pieces[-1].rstrip().endswith("}"):
        return False
    try:
        orjson.loads("".join(pieces))
    except orjson.JSONDecodeError:
        return False
    return True
