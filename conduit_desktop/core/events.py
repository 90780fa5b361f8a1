"""The typed events of a streamed answer, in the order in which the model produced them.

A whole answer is a folded stream: see `core/answer.py`. Tool calls are identified by their id. Text, thinking and tool
deltas belong to the block that is open in their `choice`. A change of kind (or, for tools, of id) opens the next block;
`TextStarted` and `ThinkingStarted` open one where the kind stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.chat import Citation, Json, Opaque, ToolKind

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"]


@dataclass(slots=True)
class Usage:
    """Tokens by class (`core.tokens`), each counted once: the classes are disjoint, but for three that are parts of others.

    `reasoning` and `image_out` are parts of `output`, `image_in` is a part of `input`. `searches` counts web searches and grounded
    prompts that are billed singly. `service_tier` is the tier that served the request, as the provider names it; `surcharges`
    are further conditions that change the price, such as `speed:fast` and `region:us`. `unclear` names reported dimensions
    that none of these fields holds, and contradictions within the report: the cost is then an estimate.
    `source`: `reported` by the provider or `estimated` by the gateway. `cost_nano` is the price the provider itself reported
    (OpenRouter), in nano-dollars. `extra` keeps the provider's further counters, as they are written back to a client.
    """

    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    searches: int = 0
    service_tier: str = ""
    surcharges: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    source: Literal["reported", "estimated"] = "reported"
    cost_nano: int | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    @property
    def total_input(self) -> int:
        """All input tokens: uncached, read from the cache, written to the cache, audio."""
        # Written out for speed, since each answer needs it; tests/core/test_tokens.py finds a class that is missing here.
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.audio_in

    @property
    def total_output(self) -> int:
        """All output tokens: text (reasoning included) and audio."""
        return self.output + self.audio_out


@dataclass(slots=True)
class Started:
    """The answer begins. `created` is in epoch seconds.

    `dialect` names the dialect the answer was read in. `extra` here, on Finished, on tool calls and on Usage holds fields of
    that dialect.
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
    """The next piece of text."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class ThinkingStarted:
    """A new thinking block, where the one before was thinking too."""

    choice: int = 0


@dataclass(slots=True)
class ThinkingDelta:
    """The next piece of thinking. `raw` is what else its vendor's dialect said of it, for the vendor that wants it returned."""

    text: str
    choice: int = 0
    raw: Json = field(default=None, compare=False)


@dataclass(slots=True)
class ThinkingSigned:
    """The provider's signature over the open thinking block."""

    signature: str
    choice: int = 0


@dataclass(slots=True)
class ThinkingRedacted:
    """A whole block of encrypted thinking."""

    data: str
    choice: int = 0


@dataclass(slots=True)
class ToolCallStarted:
    """A tool call begins; its arguments follow as `ToolCallDelta`."""

    id: str
    name: str
    kind: ToolKind = "function"
    signature: str | None = None
    choice: int = 0
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class ToolCallDelta:
    """The next piece of the arguments of the call `id`, as JSON text (free text for custom tools)."""

    id: str
    arguments: str
    choice: int = 0


@dataclass(slots=True)
class Refused:
    """The next piece of the model's refusal."""

    text: str
    choice: int = 0


@dataclass(slots=True)
class Cited:
    """A source for the open text block."""

    citation: Citation
    choice: int = 0


@dataclass(slots=True)
class OpaqueBlock:
    """A whole block that only one dialect can express."""

    block: Opaque
    choice: int = 0


@dataclass(slots=True)
class UsageReported:
    """The usage so far: each report replaces the one before."""

    usage: Usage


@dataclass(slots=True)
class Finished:
    """Choice `choice` is complete. `raw` is the provider's own name of the reason, `detail` its text about one.

    With the reason `error` the model's answer failed: what there is of it is not an answer. `logprobs` are the log
    probabilities of the choice's tokens, in the form that OpenAI and Ollama share (`wire/token_logprobs.py`).
    """

    reason: FinishReason
    raw: str | None = None
    stop_sequence: str | None = None
    choice: int = 0
    extra: dict[str, Json] = field(default_factory=dict)
    detail: str | None = None
    logprobs: list[Json] | None = None


BlockEvent = (
    TextStarted
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
)
"""The content of one choice."""

ChoiceEvent = BlockEvent | Finished
"""Everything within one choice: its content and its end."""

Event = Started | ChoiceEvent | UsageReported

# Without TextStarted and ThinkingStarted, which carry no content: a target that fails right after one can still be replaced.
CONTENT_EVENTS = (
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ThinkingRedacted,
    ToolCallStarted,
    ToolCallDelta,
    Refused,
    OpaqueBlock,
    # An answer that is empty but finished is an answer, too.
    Finished,
)
"""The events that commit a stream to its target: after the first of them there is no failover."""


def last_usage(events: Sequence[Event]) -> Usage | None:
    """The last usage that is reported in `events`; None where there is none."""
    return next((event.usage for event in reversed(events) if isinstance(event, UsageReported)), None)
