"""Reads one candidate of an answer, part by part."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import orjson

from conduit_desktop.core.chat import Json, Opaque
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
)
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.gemini.citations import read_citations
from conduit_desktop.wire.gemini.field_names import NAME, Fields
from conduit_desktop.wire.gemini.tool_calls import PartialCall
from conduit_desktop.wire.gemini.usage import read_finish, reason_name
from conduit_desktop.wire.generated_media import media_of
from conduit_desktop.wire.token_logprobs import from_gemini

SIGNATURE = "textSignature"
"""The name of a part that only holds the signature of the text before it.

https://ai.google.dev/gemini-api/docs/thought-signatures
"""
ATTACHED = "attachedSignature"
"""The name of a signature that was on the text part itself."""
_USUAL_CONTENT = {"role": "model"}


class CandidateReader:
    """Reads one candidate. In a `whole` answer neighbouring texts are separate parts, in a stream they are pieces of one.

    The signature of a text is held until the next part or the end, so that citations are given while the text is open.
    """

    def __init__(self, index: int, whole: bool) -> None:
        self._index = index
        self._whole = whole
        self._kind = ""
        self._text: list[str] = []
        self._length = 0
        self._signature: Opaque | None = None
        self._text_start = 0
        self._cited: set[int] = set()
        self._calls = 0
        self._produced = False
        """Whether there is a part that is neither text nor a call: a picture, code, its result."""
        self._partial: PartialCall | None = None
        self._extra: Fields = {}
        self._logprobs: list[Json] = []
        self.finished = False

    def read(self, candidate: Fields, seed: str, events: list[Event]) -> None:
        """Add the events of a candidate or a piece of one. New ids of calls include `seed`, so that they differ between answers."""
        self._extra.update({k: v for k, v in candidate.items() if k not in ("content", "finishReason") and v is not None})
        if "logprobsResult" in candidate:
            self._logprobs += from_gemini(candidate["logprobsResult"])
        content = candidate.get("content")
        if isinstance(content, dict):
            parts = content.get("parts")
            for part in parts if isinstance(parts, list) else ():
                self._part(part, seed, events)
            self._keep_content(content)
        # A choice can finish only once, whatever later chunks hold.
        if candidate.get("finishReason") is not None and not self.finished:
            self._finish(candidate["finishReason"], events)

    def _keep_content(self, content: Fields) -> None:
        further = {key: value for key, value in content.items() if key != "parts" or not value}
        # In a stream each piece has a `content` of its own, so one of them says nothing about the answer.
        if further != _USUAL_CONTENT and self._whole:
            self._extra["content"] = further

    def block(self, feedback: Fields, events: list[Event]) -> None:
        """Finish the candidate, unless it has finished, with the block reason of the feedback on the prompt."""
        if not self.finished:
            self._finish(feedback["blockReason"], events, {"promptFeedback": feedback})

    def _finish(self, reason: Json, events: list[Event], blocked: Fields | None = None) -> None:
        # A call in pieces whose last piece never came is kept, so that no call is lost without a word.
        if self._partial is not None:
            self._end_partial(events)
        if self._kind == "text" or (self._text and not self._whole):
            self._cite(events, last=True)
        self._release(events)
        self.finished = True
        if blocked is None:
            # A thought alone is no answer.
            empty = not (self._text or self._calls or self._produced)
            finish = read_finish(reason, self._calls > 0, self._extra, empty)
        else:
            finish = Finished("content_filter", reason_name(reason), extra=blocked)
        finish.choice = self._index
        finish.logprobs = self._logprobs or None
        events.append(finish)

    def _part(self, part: Json, seed: str, events: list[Event]) -> None:
        if not isinstance(part, dict):
            raise MalformedStream("a part is not a JSON object")
        if isinstance(part.get("functionCall"), dict):
            self._release(events, cite=True)
            self._call(part, seed, events)
        elif isinstance(part.get("text"), str):
            self._text_part(part, part["text"], events)
        elif part:
            self._release(events, cite=True)
            self._kind = "opaque"
            self._produced = self._produced or part.keys() > {"thoughtSignature"} or "thoughtSignature" not in part
            kind = next((key for key in part if key != "thoughtSignature"), "thoughtSignature")
            inline = part.get("inlineData")
            media = media_of(text_or_none(inline.get("mimeType")), inline.get("data")) if isinstance(inline, dict) else None
            events.append(OpaqueBlock(Opaque(NAME, kind, part, media), self._index))

    def _text_part(self, part: Fields, text: str, events: list[Event]) -> None:
        signature = part.get("thoughtSignature")
        if part.get("thought") is True:
            self._release(events)
            self._thinking(text, signature, events)
            return
        # An empty text with a signature is no part of the answer: it only carries the signature of the text before.
        if text or (self._whole and not signature):
            self._release(events, cite=self._whole)
            if (self._whole and self._kind == "text") or not text:
                events.append(TextStarted(self._index))
            if self._whole or self._kind != "text":
                self._text_start = self._length
            self._kind = "text"
            if text:
                self._text.append(text)
                self._length += len(text)
                events.append(TextDelta(text, self._index))
        if isinstance(signature, str) and signature:
            self._release(events)
            value = {"text": "", "thoughtSignature": signature}
            self._signature = Opaque(NAME, ATTACHED if text else SIGNATURE, value)

    def _thinking(self, text: str, signature: Json, events: list[Event]) -> None:
        if (self._kind == "thinking" and self._whole) or self._kind == "signed" or (not text and self._whole and not signature):
            events.append(ThinkingStarted(self._index))
        if text:
            events.append(ThinkingDelta(text, self._index))
        if text or self._whole:
            self._kind = "thinking"
        if isinstance(signature, str) and signature:
            events.append(ThinkingSigned(signature, self._index))
            self._kind = "thinking" if self._whole else "signed"

    def _release(self, events: list[Event], cite: bool = False) -> None:
        """Add the citations of the text that ends (with `cite`), and the held signature: text after it is a new part."""
        if cite and self._kind == "text":
            self._cite(events)
        if self._signature is not None:
            events.append(OpaqueBlock(self._signature, self._index))
            self._signature = None
            self._kind = "opaque"

    def _cite(self, events: list[Event], last: bool = False) -> None:
        """Add the citations of the open text. Google's offsets count from the start of the answer, ours from that of the text."""
        # The list grows from chunk to chunk and is read anew each time, so the position in it is what identifies a citation.
        for number, citation in enumerate(read_citations(self._extra, "".join(self._text))):
            at = citation.start
            # Grounding comes again with later chunks, and may point at text that has not arrived yet.
            if number in self._cited or (at is not None and at >= self._length and not last):
                continue
            self._cited.add(number)
            if at is not None and not self._text_start <= at < self._length:
                citation = replace(citation, start=None, end=None)  # its text has ended
            events.append(Cited(citation.moved(-self._text_start), self._index))

    def _call(self, part: Fields, seed: str, events: list[Event]) -> None:
        inner: Fields = part["functionCall"]
        if self._partial is not None and not inner.get("name"):
            self._partial.read(inner)
            if not inner.get("willContinue"):
                self._end_partial(events)
            return
        if not inner:
            return  # the end of a call in pieces; the last piece had no `willContinue`
        if not isinstance(inner.get("name"), str):
            raise MalformedStream("a function call without a name")
        extra: Fields = {key: value for key, value in part.items() if key not in ("functionCall", "thoughtSignature")}
        call_id = inner.get("id")
        if not isinstance(call_id, str) or not call_id:
            # Gemini may leave the id out, and clients match results to calls by id alone.
            call_id = "call_" + hashlib.sha256(f"{seed} {self._index} {self._calls}".encode()).hexdigest()[:20]
            extra["id"] = None
        self._calls += 1
        self._kind = "call"
        signature: Any = part.get("thoughtSignature")
        events.append(ToolCallStarted(call_id, inner["name"], signature=signature or None, choice=self._index, extra=extra))
        if inner.get("willContinue") or "partialArgs" in inner:
            self._partial = PartialCall(call_id)
            self._partial.read(inner)
            if not inner.get("willContinue"):
                self._end_partial(events)
            return
        # Marks for the writer that the field was absent, so that Google's clients get the call as it came.
        if inner.get("args") is None:
            extra["args"] = None
        events.append(ToolCallDelta(call_id, orjson.dumps(inner.get("args") or {}).decode(), self._index))

    def _end_partial(self, events: list[Event]) -> None:
        assert self._partial is not None
        events.append(ToolCallDelta(self._partial.id, orjson.dumps(self._partial.args).decode(), self._index))
        self._partial = None
