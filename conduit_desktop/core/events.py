"""What an answer is made of: few typed events, in the order the model made them.

A whole answer is a folded stream: see `core/answer.py`.
Tool calls are known by id. Text, thinking and tool deltas belong to the block that is open in their `choice`; a change of
kind (or, for tools, of id) opens the next block, and `TextStarted`/`ThinkingStarted` open one where the kind stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.chat import Citation, Json, Opaque, ToolKind

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
