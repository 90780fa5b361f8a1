"""A whole answer: the fold of a stream of events, and the stream it can be written as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar, assert_never

from conduit_desktop.core.chat import Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.events import (
    ChoiceEvent,
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

AnswerPart = Text | Thinking | RedactedThinking | Refusal | ToolCall | Opaque
_TextPart = TypeVar("_TextPart", Text, Thinking, Refusal)


@dataclass(slots=True)
class Choice:
    """One of the `n` requested choices (nearly always the only one)."""

    parts: list[AnswerPart] = field(default_factory=list)
    finish: Finished | None = None

    @property
    def text(self) -> str:
        """The text of all text parts."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thinking(self) -> str:
        """The text of all thinking parts."""
        return "".join(part.text for part in self.parts if isinstance(part, Thinking))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls, in order."""
        return [part for part in self.parts if isinstance(part, ToolCall)]


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    started: Started = field(default_factory=Started)
    choices: list[Choice] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def first(self) -> Choice:
        """The first choice; an empty one if the answer has none."""
        return self.choices[0] if self.choices else Choice()

    def events(self) -> Iterator[Event]:
        """The events that fold into this answer."""
        yield self.started
        for index, choice in enumerate(self.choices):
            previous: type | None = None
            for part in choice.parts:
                yield from _part_events(part, index, type(part) is previous)
                previous = type(part)
        # After the parts of every choice: a reader may take a finish for the end of the stream.
        for choice in self.choices:
            if choice.finish is not None:
                yield choice.finish
        # Last, as OpenAI sends it: in a chunk of its own after the finish reasons.
        if self.usage is not None:
            yield UsageReported(self.usage)


def _part_events(part: AnswerPart, choice: int, same_kind: bool) -> Iterator[Event]:
    match part:
        case Text():
            yield from _text_events(part, choice, same_kind)
        case Thinking():
            yield from _thinking_events(part, choice, same_kind)
        case RedactedThinking():
            yield ThinkingRedacted(part.data, choice)
        case Refusal():
            yield Refused(part.text, choice)
        case ToolCall():
            yield ToolCallStarted(part.id, part.name, part.kind, part.signature, choice, part.extra)
            if part.arguments:
                yield ToolCallDelta(part.id, part.arguments, choice)
        case Opaque():
            yield OpaqueBlock(part, choice)
        case _:
            assert_never(part)


def _text_events(part: Text, choice: int, same_kind: bool) -> Iterator[Event]:
    # A delta opens a block by itself. A start is needed only where the delta would join the block before, or where there is none.
    if same_kind or not part.text:
        yield TextStarted(choice)
    if part.text:
        yield TextDelta(part.text, choice)
    for citation in part.citations:
        yield Cited(citation, choice)


def _thinking_events(part: Thinking, choice: int, same_kind: bool) -> Iterator[Event]:
    if same_kind or not (part.text or part.signature):
        yield ThinkingStarted(choice)
    if part.text:
        yield ThinkingDelta(part.text, choice)
    if part.signature is not None:
        yield ThinkingSigned(part.signature, choice)


def collect(events: Iterable[Event]) -> Answer:
    """Fold a stream into an answer."""
    answer = Answer()
    for event in events:
        _fold(answer, event)
    return answer


def _fold(answer: Answer, event: Event) -> None:
    match event:
        case Started():
            answer.started = event
        case UsageReported():
            # Replaced, not added: each report contains the one before.
            answer.usage = event.usage
        case _:
            _fold_into_choice(_choice(answer, event.choice), event)


def _choice(answer: Answer, index: int) -> Choice:
    # The events of several choices are interleaved, and a later choice may begin first.
    while len(answer.choices) <= index:
        answer.choices.append(Choice())
    return answer.choices[index]


def _fold_into_choice(choice: Choice, event: ChoiceEvent) -> None:  # noqa: C901  # one arm for each event
    match event:
        case TextStarted():
            choice.parts.append(Text(""))
        case TextDelta():
            _open(choice, Text).text += event.text
        case ThinkingStarted():
            choice.parts.append(Thinking(""))
        case ThinkingDelta():
            _open(choice, Thinking).text += event.text
        case ThinkingSigned():
            thinking = _open(choice, Thinking)
            # Appended: a signature may come in several pieces.
            thinking.signature = (thinking.signature or "") + event.signature
        case ThinkingRedacted():
            choice.parts.append(RedactedThinking(event.data))
        case ToolCallStarted():
            choice.parts.append(ToolCall(event.id, event.name, "", event.kind, event.signature, extra=event.extra))
        case ToolCallDelta():
            _call(choice, event.id).arguments += event.arguments
        case Refused():
            _open(choice, Refusal).text += event.text
        case Cited():
            _open(choice, Text).citations.append(event.citation)
        case OpaqueBlock():
            choice.parts.append(event.block)
        case Finished():
            choice.finish = event
        case _:
            assert_never(event)


def _open(choice: Choice, kind: type[_TextPart]) -> _TextPart:
    """The last part if it is of this kind, else a new one."""
    last = choice.parts[-1] if choice.parts else None
    if isinstance(last, kind):
        return last
    part = kind("")
    choice.parts.append(part)
    return part


def _call(choice: Choice, call_id: str) -> ToolCall:
    # From the end, because arguments nearly always belong to the call that started last.
    for part in reversed(choice.parts):
        if isinstance(part, ToolCall) and part.id == call_id:
            return part
    # A mistake of a reader, not of a vendor: readers open a call before they report its arguments.
    raise ValueError(f"arguments for a tool call that never started: {call_id!r}")
