"""The values that `Health` keeps of one target and of one credential."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

WINDOW = 10
REMEMBERED = 60
"""Latencies, failures and circuit transitions that are kept to be displayed."""
TYPICAL_TOKENS = 300
"""The output of a typical answer, where speeds are compared."""
_NEW = 0.2
"""The weight of the newest measurement in a smoothed one."""

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class TargetHealth:
    """One target's recent past. Times are monotonic seconds; those of an answer are smoothed milliseconds."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    state: State = "closed"
    open_until: float = 0.0
    cooldown_until: float = 0.0
    """The end of the pause that the provider asked for with a failure of its own."""
    openings: int = 0
    probing: bool = False
    in_flight: int = 0
    latency_ms: float | None = None
    """Until an answer was available: a stream's first content, a whole answer's end."""
    first_ms: float | None = None
    """Until the first content of a stream."""
    token_ms: float | None = None
    """For each output token: of a stream after its first content, of a whole answer from its beginning."""
    last_error: str = ""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """`latency_ms` of the latest answers, in order."""
    faults: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """When the latest failures happened, and their reasons."""
    transitions: deque[tuple[float, Literal["open", "closed"]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """When the circuit opened and closed."""

    def answered(self, latency_ms: float) -> None:
        """An answer is available."""
        self.latency_ms = smoothed(self.latency_ms, latency_ms)
        self.latencies.append(latency_ms)

    def finished(self, first_ms: float | None, rest_ms: float, tokens: int) -> None:
        """An answer of `tokens` was complete `rest_ms` after its first content, or, where None, after it was sent."""
        if first_ms is not None:
            self.first_ms = smoothed(self.first_ms, first_ms)
        # Some local servers report no count: without one there is no speed.
        if tokens:
            self.token_ms = smoothed(self.token_ms, rest_ms / tokens)

    @property
    def typical_ms(self) -> float:
        """Milliseconds of an answer of TYPICAL_TOKENS; 0 where nothing was measured."""
        if self.token_ms is None:
            return self.first_ms or self.latency_ms or 0.0
        return (self.first_ms or 0.0) + self.token_ms * TYPICAL_TOKENS

    def set_state(self, state: Literal["open", "closed"], now: float) -> None:
        """The circuit opens or closes."""
        self.state, self.probing = state, False
        self.transitions.append((now, state))


@dataclass(slots=True)
class Cooldown:
    """A credential's cooldown for one model after a rate limit. `until` is monotonic seconds.

    After it one request probes the credential; meanwhile others use another credential where there is one.
    """

    until: float = 0.0
    strikes: int = 0
    probing: bool = False


@dataclass(slots=True)
class CredentialHealth:
    """One credential: why it is disabled, for every model or for some, and its cooldowns by model.

    Vendors count their rate limits, and grant access, by model: a refusal for one model does not hold for another.
    """

    disabled: str = ""
    disabled_models: dict[str, str] = field(default_factory=dict)
    cooldowns: dict[str, Cooldown] = field(default_factory=dict)


@dataclass(slots=True)
class Probe:
    """What one request probes: a half-open circuit, a credential after its cooldown, or both."""

    circuit: bool
    cooldown: Cooldown | None


def smoothed(before: float | None, new: float) -> float:
    """The exponentially smoothed value."""
    return new if before is None else (1 - _NEW) * before + _NEW * new
