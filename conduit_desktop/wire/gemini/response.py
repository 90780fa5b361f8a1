"""Answers of `generateContent`: read whole or chunk by chunk, and written whole.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never
from uuid import uuid4

from conduit_desktop.core.answer import Answer, AnswerPart, Choice, collect
from conduit_desktop.core.chat import ChatRequest, Json, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Event, Started, UsageReported
from conduit_desktop.wire.citations import sources
from conduit_desktop.wire.event_validation import MOST_CHOICES, rfc3339_or_none, text_or_none, validated
from conduit_desktop.wire.gemini.candidate_reader import ATTACHED, CandidateReader
from conduit_desktop.wire.gemini.citations import write_citations
from conduit_desktop.wire.gemini.errors import error_in_answer
from conduit_desktop.wire.gemini.field_names import NAME, Fields
from conduit_desktop.wire.gemini.reasoning import OF_ANOTHER_MODEL, as_base64, portable_signature
from conduit_desktop.wire.gemini.usage import Grounding, read_usage, write_finish, write_usage
from conduit_desktop.wire.token_logprobs import to_gemini
from conduit_desktop.wire.values import as_object

_KNOWN = ("candidates", "promptFeedback", "usageMetadata", "responseId", "modelVersion")


class AnswerReader:
    """Reads an answer from its chunks; a `whole` answer is one chunk."""

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._seed = ""
        self._candidates: dict[int, CandidateReader] = {}
        self._grounding = Grounding()
        self._usage: Fields = {}
        self._model = ""

    @property
    def finished(self) -> bool:
        """Whether every candidate that began has a finish."""
        return bool(self._candidates) and all(candidate.finished for candidate in self._candidates.values())

    def read(self, chunk: Fields, events: list[Event]) -> None:
        """Add the chunk's events; raises UpstreamError for an error, MalformedStream for anything but an answer."""
        if chunk.get("error"):
            raise error_in_answer(chunk)
        if not self._seed:
            # Random where the answer has no id: ids made of it must differ between the answers of one conversation.
            self._seed = text_or_none(chunk.get("responseId")) or uuid4().hex
            events.append(_started(chunk))
        candidates = chunk.get("candidates")
        for position, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
            index = position if candidate.get("index") is None else candidate["index"]
            # `type`, because a bool is an int; the bound keeps a false index from creating any number of choices.
            if type(index) is not int or not 0 <= index < MOST_CHOICES:
                raise MalformedStream("a candidate with an invalid index")
            if index not in self._candidates:
                self._candidates[index] = CandidateReader(index, self._whole)
            self._candidates[index].read(candidate, self._seed, events)
        feedback = chunk.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason") and not self.finished:
            self._block(feedback, events)
        self._report(chunk, candidates, events)

    def _report(self, chunk: Fields, candidates: Json, events: list[Event]) -> None:
        self._model = text_or_none(chunk.get("modelVersion")) or self._model
        grounded = [self._grounding.read(each) for each in candidates] if isinstance(candidates, list) else []
        reported = isinstance(chunk.get("usageMetadata"), dict)
        if reported:
            self._usage = chunk["usageMetadata"]
        # Grounding that comes after the last report still belongs to it.
        if reported or (any(grounded) and self._usage):
            events.append(UsageReported(self._grounding.add_to(read_usage(self._usage), self._model)))

    def _block(self, feedback: Fields, events: list[Event]) -> None:
        """The prompt is blocked, at once or after a part of the answer: every candidate ends."""
        if not self._candidates:
            self._candidates[0] = CandidateReader(0, self._whole)
        for candidate in self._candidates.values():
            candidate.block(feedback, events)


def _started(chunk: Fields) -> Started:
    extra = {key: value for key, value in chunk.items() if key not in _KNOWN}
    feedback = chunk.get("promptFeedback")
    if isinstance(feedback, dict) and not feedback.get("blockReason"):
        extra["promptFeedback"] = feedback
    return Started(
        chunk.get("responseId") or "", chunk.get("modelVersion") or "", rfc3339_or_none(chunk.get("createTime")), extra, NAME
    )


@validated
def read_response(body: Fields) -> Iterable[Event]:
    """The events of a whole answer.

    Raises UpstreamError for an error with a success status, MalformedStream for anything but an answer.
    """
    events: list[Event] = []
    # A blocked prompt has feedback and no candidates, so those alone are not required.
    if not isinstance(body.get("candidates"), list) and not body.get("promptFeedback") and not body.get("error"):
        raise MalformedStream("the answer has no candidates")
    AnswerReader(whole=True).read(body, events)
    # The fold puts the events in the order of any stream: one candidate after the other, the finishes last.
    return collect(events).events()


def write_response(answer: Answer, request: ChatRequest) -> Fields:
    """The body. Citations of other dialects become grounding metadata; their opaque blocks are left out."""
    own = answer.started.dialect == NAME
    body: Fields = {}
    feedback = answer.first.finish.extra.get("promptFeedback") if own and answer.first.finish is not None else None
    # A blocked prompt has no candidates at Google, and its SDKs look for the feedback instead.
    if feedback is not None and not answer.first.parts:
        body["promptFeedback"] = feedback
    else:
        many = len(answer.choices) > 1
        body["candidates"] = [
            _candidate(choice, index if many else None, answer.started.dialect) for index, choice in enumerate(answer.choices)
        ]
    if answer.usage is not None:
        body["usageMetadata"] = write_usage(answer.usage, own)
    body["modelVersion"] = answer.started.model or request.model
    body["responseId"] = answer.started.id or response_id()
    if own:
        body.update(answer.started.extra)
    return body


def response_id() -> str:
    """A new id, for an answer without one."""
    return uuid4().hex


def _candidate(choice: Choice, index: int | None, dialect: str) -> Fields:
    own = dialect == NAME
    parts = write_parts(choice.parts, dialect)
    candidate: Fields = {} if not parts else {"content": {"parts": parts, "role": "model"}}
    if choice.finish is not None:
        candidate["finishReason"] = write_finish(choice.finish, own)
    if index is not None:
        candidate["index"] = index
    if not own:
        tokens = to_gemini(choice.finish.logprobs) if choice.finish is not None else {}
        return {**candidate, **write_citations(sources(choice.parts), choice.text), **tokens}
    extra = dict(choice.finish.extra) if choice.finish is not None else {}
    further = extra.pop("content", None)
    if further is not None:
        candidate["content"] = {**({"parts": parts} if parts else {}), **further}
    return {**candidate, **extra}


def write_parts(answer_parts: list[AnswerPart], dialect: str) -> list[Fields]:
    """The parts of an answer that was read in `dialect`, without those that only another dialect can express."""
    parts: list[Fields] = []
    for part in answer_parts:
        if isinstance(part, Opaque) and part.dialect == NAME and part.name == ATTACHED and parts and "text" in parts[-1]:
            parts[-1]["thoughtSignature"] = part.value["thoughtSignature"]
        elif (written := write_part(part, dialect)) is not None:
            parts.append(written)
    if dialect != NAME:
        sign_first_call(parts)
    return parts


def sign_first_call(parts: list[Fields]) -> bool:
    """Sign the first call of an answer of another model, so that Gemini 3 accepts it in the history; whether there was one.

    The client returns the signature, and a later request of its conversation may go to Gemini, which refuses a call without any.
    """
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None:
        first.setdefault("thoughtSignature", OF_ANOTHER_MODEL)
    return first is not None


def write_part(part: AnswerPart, dialect: str) -> Fields | None:
    """One part of an answer; None for one that Gemini cannot express, and for empty text of another dialect."""
    own = dialect == NAME
    match part:
        case Text():
            return {"text": part.text} if part.text or own else None
        case Refusal():
            return {"text": part.text} if part.text else None
        case Thinking():
            signed = {} if part.signature is None else {"thoughtSignature": portable_signature(part.signature, dialect)}
            return {"text": part.text, "thought": True, **signed}
        case ToolCall():
            return write_call(part, own)
        case RedactedThinking():
            return None
        case Opaque():
            return write_opaque(part)
        case _:
            assert_never(part)


def write_opaque(block: Opaque) -> Fields | None:
    """A block of this dialect, or the picture or sound of another one; None for any other."""
    if block.dialect == NAME:
        return dict(block.value)
    media = block.media
    if media is None:
        return None
    if media.data is None:
        return {"fileData": {"fileUri": media.url, "mimeType": media.media_type or "image/png"}} if media.url else None
    return {"inlineData": {"mimeType": media.media_type or "image/png", "data": media.data}}


def write_call(call: ToolCall, own: bool) -> Fields:
    """A whole function call. Fields that the reader added, marked with None in `extra`, are left out."""
    extra = dict(call.extra) if own else {}
    args, _ = as_object(call)
    inner: Fields = {"id": call.id, "name": call.name, "args": args}
    for name in ("id", "args"):
        if name in extra and extra.pop(name) is None:
            del inner[name]
    signed = {} if call.signature is None else {"thoughtSignature": as_base64(call.signature)}
    return {"functionCall": inner, **signed, **extra}
