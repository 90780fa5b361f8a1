"""What an answer is made of: few typed events, in the order the model made them.

A whole answer is a folded stream: `collect` turns events into an `Answer`, `Answer.events` turns it back.
Tool calls are known by id. Text, thinking and tool deltas belong to the block that is open in their `choice`; a change of
kind (or, for tools, of id) opens the next block, and `TextStarted`/`ThinkingStarted` open one where the kind stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, assert_never

from conduit_desktop.core.chat import (
    Citation,
    Json,
    Opaque,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolKind,
)

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"]


@dataclass(slots=True)
class Usage:
    """Tokens by class, each counted once: the classes are disjoint, but `reasoning` is the thought part of `output`.

    `source`: `reported` by the provider or `estimated` by us. `cost_nano` is the price the provider itself reported
    (OpenRouter), in nano-dollars. `extra` keeps the provider's further counters (searches, characters, images).
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    source: Literal["reported", "estimated"] = "reported"
    cost_nano: int | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    @property
    def total_input(self) -> int:
        """Every token the model read: fresh, cached, written to the cache and heard."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.audio_in

    @property
    def total_output(self) -> int:
        """Every token the model made: written (thought included) and spoken."""
        return self.output + self.audio_out


@dataclass(slots=True)
class Started:
    """The answer begins. `created` is in epoch seconds.

    `dialect` is the one that said it: the one that `extra` here, on Finished, on tool calls and on Usage belongs to.
    """

    id: str = ""
    model: str = ""
    created: int | None = None
    extra: dict[str, Json] = field(default_factory=dict)
    dialect: str = ""


@dataclass(slots=True)
class TextStarted:
    """A new text block, where the one before was text too (Anthropic's cited answers)."""

    choice: int = 0


@dataclass(slots=True)
class TextDelta:
    """More words of the answer."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class ThinkingStarted:
    """A new thinking block, where the one before was thinking too."""

    choice: int = 0


@dataclass(slots=True)
class ThinkingDelta:
    """More of what the model thinks."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class ThinkingSigned:
    """The provider's signature over the open thinking block."""

    signature: str
    choice: int = 0


@dataclass(slots=True)
class ThinkingRedacted:
    """A whole block of hidden thinking."""

    data: str
    choice: int = 0


@dataclass(slots=True)
class ToolCallStarted:
    """The model begins to call a tool."""

    id: str
    name: str
    kind: ToolKind = "function"
    signature: str | None = None
    choice: int = 0
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class ToolCallDelta:
    """More of the arguments of the call `id`, as text."""

    id: str
    arguments: str
    choice: int = 0


@dataclass(slots=True)
class Refused:
    """More of the model's refusal."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class Cited:
    """A source for the open text block."""

    citation: Citation
    choice: int = 0


@dataclass(slots=True)
class OpaqueBlock:
    """A whole block that only one dialect can say."""

    block: Opaque
    choice: int = 0


@dataclass(slots=True)
class UsageReported:
    """What has been counted so far: each report replaces the one before."""

    usage: Usage


@dataclass(slots=True)
class Finished:
    """Choice `choice` is complete. `raw` is the reason in the provider's own word."""

    reason: FinishReason
    raw: str | None = None
    stop_sequence: str | None = None
    choice: int = 0
    extra: dict[str, Json] = field(default_factory=dict)


Event = (
    Started
    | TextStarted
    | TextDelta
    | ThinkingStarted
    | ThinkingDelta
    | ThinkingSigned
    | ThinkingRedacted
    | ToolCallStarted
    | ToolCallDelta
    | Refused
    | Cited
    | OpaqueBlock
    | UsageReported
    | Finished
)

CONTENT_EVENTS = (
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ThinkingRedacted,
    ToolCallStarted,
    ToolCallDelta,
    Refused,
    OpaqueBlock,
    Finished,
)
"""The events that commit a stream to its target: from the first of them on, there is no other try."""

AnswerPart = Text | Thinking | RedactedThinking | Refusal | ToolCall | Opaque


@dataclass(slots=True)
class Choice:
    """One of the answers asked for (nearly always the only one)."""

    parts: list[AnswerPart] = field(default_factory=list)
    finish: Finished | None = None

    @property
    def text(self) -> str:
        """The answer's words alone."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thinking(self) -> str:
        """The thoughts alone."""
        return "".join(part.text for part in self.parts if isinstance(part, Thinking))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools asked for, in order."""
        return [part for part in self.parts if isinstance(part, ToolCall)]


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    started: Started = field(default_factory=Started)
    choices: list[Choice] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def first(self) -> Choice:
        """The only choice, nearly always; an empty one where none came."""
        return self.choices[0] if self.choices else Choice()

    def events(self) -> Iterator[Event]:
        """The answer as the stream that would have made it."""
        yield self.started
        for index, choice in enumerate(self.choices):
            previous: type | None = None
            for part in choice.parts:
                yield from _part_events(part, index, type(part) is previous)
                previous = type(part)
        for choice in self.choices:
            if choice.finish is not None:
                yield choice.finish
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
    """Fold a stream into the answer it makes."""
    answer = Answer()
    for event in events:
        _fold(answer, event)
    return answer


def _fold(answer: Answer, event: Event) -> None:
    match event:
        case Started():
            answer.started = event
        case UsageReported():
            answer.usage = event.usage
        case _:
            _fold_into_choice(_choice(answer, event.choice), event)


def _choice(answer: Answer, index: int) -> Choice:
    while len(answer.choices) <= index:
        answer.choices.append(Choice())
    return answer.choices[index]


def _fold_into_choice(  # noqa: C901  (one arm for each event: the match is meant to be whole)
    choice: Choice,
    event: TextStarted
    | TextDelta
    | ThinkingStarted
    | ThinkingDelta
    | ThinkingSigned
    | ThinkingRedacted
    | ToolCallStarted
    | ToolCallDelta
    | Refused
    | Cited
    | OpaqueBlock
    | Finished,
) -> None:
    match event:
        case TextStarted():
            choice.parts.append(Text(""))
        case TextDelta():
            _open_text(choice).text += event.text
        case ThinkingStarted():
            choice.parts.append(Thinking(""))
        case ThinkingDelta():
            _open_thinking(choice).text += event.text
        case ThinkingSigned():
            thinking = _open_thinking(choice)
            thinking.signature = (thinking.signature or "") + event.signature
        case ThinkingRedacted():
            choice.parts.append(RedactedThinking(event.data))
        case ToolCallStarted():
            choice.parts.append(ToolCall(event.id, event.name, "", event.kind, event.signature, extra=event.extra))
        case ToolCallDelta():
            _call(choice, event.id).arguments += event.arguments
        case Refused():
            _open_refusal(choice).text += event.text
        case Cited():
            _open_text(choice).citations.append(event.citation)
        case OpaqueBlock():
            choice.parts.append(event.block)
        case Finished():
            choice.finish = event
        case _:
            assert_never(event)


def _open_text(choice: Choice) -> Text:
    if not choice.parts or not isinstance(choice.parts[-1], Text):
        choice.parts.append(Text(""))
    part = choice.parts[-1]
    assert isinstance(part, Text)
    return part


def _open_thinking(choice: Choice) -> Thinking:
    if not choice.parts or not isinstance(choice.parts[-1], Thinking):
        choice.parts.append(Thinking(""))
    part = choice.parts[-1]
    assert isinstance(part, Thinking)
    return part


def _open_refusal(choice: Choice) -> Refusal:
    if not choice.parts or not isinstance(choice.parts[-1], Refusal):
        choice.parts.append(Refusal(""))
    part = choice.parts[-1]
    assert isinstance(part, Refusal)
    return part


def _call(choice: Choice, call_id: str) -> ToolCall:
    for part in reversed(choice.parts):
        if isinstance(part, ToolCall) and part.id == call_id:
            return part
    raise ValueError(f"arguments for a tool call that never started: {call_id!r}")
