"""What is known of one target, and of one credential: values alone, for `Health` to judge."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

WINDOW = 10
REMEMBERED = 60
"""Answers, failures and turns of a circuit that are kept for the operator to see."""
USUAL_TOKENS = 300
"""Output of an answer as long as most, where speeds are compared."""
_NEW = 0.2
"""What the newest measurement weighs in a smoothed one."""

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class TargetHealth:
    """One target's recent past. Times are monotonic seconds; those of an answer are smoothed milliseconds."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    state: State = "closed"
    open_until: float = 0.0
    rest_until: float = 0.0
    """Until then the provider asked to be left alone, of a failure that was its own."""
    openings: int = 0
    probing: bool = False
    in_flight: int = 0
    latency_ms: float | None = None
    """Until an answer could be passed on: a stream's first content, a whole answer's end."""
    first_ms: float | None = None
    """Until the first content of a stream."""
    token_ms: float | None = None
    """For each token of output: of a stream after its first content, of a whole answer from its beginning."""
    last_error: str = ""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Milliseconds until the latest answers could be passed on, in order."""
    faults: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """When the latest failures happened, and their reasons."""
    turns: deque[tuple[float, Literal["open", "closed"]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """When the circuit opened and closed."""

    def answered(self, latency_ms: float) -> None:
        """An answer can be passed on."""
        self.latency_ms = smoothed(self.latency_ms, latency_ms)
        self.latencies.append(latency_ms)

    def finished(self, first_ms: float | None, rest_ms: float, tokens: int) -> None:
        """An answer of `tokens` was complete `rest_ms` after its first content, or, where None, after it was asked for."""
        if first_ms is not None:
            self.first_ms = smoothed(self.first_ms, first_ms)
        if tokens:
            self.token_ms = smoothed(self.token_ms, rest_ms / tokens)

    @property
    def usual_ms(self) -> float:
        """How long an answer of usual length takes; 0 where nothing was measured."""
        if self.token_ms is None:
            return self.first_ms or self.latency_ms or 0.0
        return (self.first_ms or 0.0) + self.token_ms * USUAL_TOKENS

    def turn(self, state: Literal["open", "closed"], now: float) -> None:
        """The circuit opens or closes."""
        self.state, self.probing = state, False
        self.turns.append((now, state))


@dataclass(slots=True)
class Cooldown:
    """A credential's rest from one model after a rate limit. `cool_until` is monotonic seconds.

    After it the credential is half-open: while one request tries it out, the others use another where there is one.
    """

    cool_until: float = 0.0
    strikes: int = 0
    probing: bool = False


@dataclass(slots=True)
class CredentialHealth:
    """One credential's: why it is parked, for every model or for some, and where it rests.

    Vendors count their rate limits, and grant access, by model: what one model refused says nothing about another.
    """

    parked: str = ""
    parked_models: dict[str, str] = field(default_factory=dict)
    rests: dict[str, Cooldown] = field(default_factory=dict)


@dataclass(slots=True)
class Probe:
    """What one request tries out: a half-open circuit, a credential after its rest, or both."""

    circuit: bool
    rest: Cooldown | None


def smoothed(before: float | None, new: float) -> float:
    """The new value joins those before."""
    return new if before is None else (1 - _NEW) * before + _NEW * new
