"""How targets and credentials fare: cool-downs, parked credentials, and a circuit breaker for each target.

A credential cools down for a model after a rate limit, and is parked after a refusal until its provider is changed. A
target's breaker opens when half of its last answers failed, waits, lets one probe through, and closes when that succeeds.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.errors import UpstreamError

WINDOW = 10
MIN_SAMPLES = 5
OPEN_BASE_S = 5.0
OPEN_MAX_S = 300.0
COOLDOWN_S = 2.0
COOLDOWN_MAX_S = 86_400.0
MAX_TARGETS = 5000
"""Targets remembered; with an alias for `*`, callers can make up any number of names."""
REMEMBERED = 60
"""Answers and failures of a target that are kept for the operator to see."""
_TARGET_FAULTS = frozenset({"server", "overloaded", "timeout", "connect", "malformed", "broken"})
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money"})

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class TargetHealth:
    """One target's recent past. Times are monotonic seconds; `latency_ms` is smoothed."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    state: State = "closed"
    open_until: float = 0.0
    openings: int = 0
    probing: bool = False
    in_flight: int = 0
    latency_ms: float | None = None
    last_error: str = ""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Milliseconds until the first content of the latest answers, in order."""
    faults: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """When the latest failures happened, and their reasons."""


@dataclass(slots=True)
class Rest:
    """A credential's rest from one model after a rate limit. `cool_until` is monotonic seconds."""

    cool_until: float = 0.0
    strikes: int = 0


@dataclass(slots=True)
class DoorHealth:
    """One credential's: why it is parked, for every model or for some, and where it rests.

    Vendors count their rate limits, and grant access, by model: what one model refused says nothing about another.
    """

    parked: str = ""
    parked_models: dict[str, str] = field(default_factory=dict)
    rests: dict[str, Rest] = field(default_factory=dict)


class Health:
    """Knows every target (`provider/model`) and credential; asked by routing, told by failover."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, on_change: Callable[[str, str, str], None] = lambda kind, name, text: None
    ) -> None:
        self._now = now
        self._on_change = on_change
        self.targets: dict[str, TargetHealth] = {}
        self.doors: dict[tuple[str, str], DoorHealth] = {}
        self.paused: set[str] = set()
        """Targets that the operator took out, by name, until they are put back or the process ends."""

    def target(self, name: str) -> TargetHealth:
        """The health of `provider/model`."""
        found = self.targets.get(name)
        if found is None:
            if len(self.targets) >= MAX_TARGETS:
                self._forget_idle()
            found = self.targets[name] = TargetHealth()
        return found

    def _forget_idle(self) -> None:
        for name in [name for name, one in self.targets.items() if one.state == "closed" and not one.in_flight]:
            del self.targets[name]

    def may_ask(self, name: str) -> bool:
        """Whether the breaker lets a request through now; taking the half-open probe is `begin`'s business."""
        if self.paused and name in self.paused:
            return False
        health = self.targets.get(name)
        if health is None or health.state == "closed":
            return True
        if health.state == "open" and self._now() >= health.open_until:
            health.state = "half_open"
            health.probing = False
        return health.state == "half_open" and not health.probing

    def why_not(self, name: str) -> str:
        """In words, why `may_ask` said no."""
        if name in self.paused:
            return "not asked, the operator paused it"
        health = self.targets.get(name)
        return f"not asked, its circuit is open ({health.last_error if health else ''})"

    def next_probe_s(self, name: str) -> float | None:
        """Seconds until an open breaker lets a probe through; None while it is closed."""
        health = self.targets.get(name)
        return None if health is None or health.state == "closed" else max(0.0, health.open_until - self._now())

    def reopen(self, name: str, for_s: float, openings: int, last_error: str) -> None:
        """The target was failing before the process began: leave it alone for `for_s` more seconds."""
        health = self.target(name)
        health.state, health.open_until = "open", self._now() + for_s
        health.openings, health.last_error = openings, last_error

    def half_open(self, name: str) -> None:
        """There is reason to think that the target is well again: let one probe through before the pause is over."""
        health = self.targets.get(name)
        if health is not None and health.state == "open":
            health.state, health.probing = "half_open", False

    def recent_faults(self, name: str, within_s: float) -> dict[str, int]:
        """How often the target failed of late, by reason."""
        health = self.targets.get(name)
        since = self._now() - within_s
        return dict(Counter(reason for at, reason in health.faults if at >= since)) if health else {}

    def begin(self, name: str) -> bool:
        """A request goes to the target. True where it is the one probe of a half-open breaker: to be handed back below."""
        health = self.target(name)
        health.in_flight += 1
        if health.state == "half_open" and not health.probing:
            health.probing = True
            return True
        return False

    def end(self, name: str, probe: bool) -> None:
        """The request is over, in whatever way."""
        health = self.target(name)
        health.in_flight = max(0, health.in_flight - 1)
        if probe:
            health.probing = False

    def succeeded(self, name: str, provider_id: str, label: str, latency_ms: float, probe: bool = False) -> None:
        """The target answered: its first content came after `latency_ms`."""
        health = self.target(name)
        health.latency_ms = latency_ms if health.latency_ms is None else 0.8 * health.latency_ms + 0.2 * latency_ms
        health.latencies.append(latency_ms)
        if health.state == "closed":
            health.outcomes.append(True)
        elif probe:
            self._close(name, health)
        door = self.doors.get((provider_id, label)) if self.doors else None
        if door is not None:
            door.rests.pop(_model(name), None)

    def _close(self, name: str, health: TargetHealth) -> None:
        health.state, health.openings, health.probing = "closed", 0, False
        health.outcomes.clear()
        self._on_change("target", name, "answers again")

    def failed(self, name: str, provider_id: str, label: str | None, error: UpstreamError, probe: bool = False) -> None:
        """The target did not answer, or not to the end; what that means depends on the reason.

        `label` None: a client's own key, whose faults are its owner's business.
        """
        health = self.target(name)
        health.last_error = error.message[:300]
        health.faults.append((self._now(), error.reason))
        if error.reason in _TARGET_FAULTS:
            self._judge(name, health, probe)
        elif probe and health.state == "half_open":
            self._close(name, health)  # a refusal is an answer, too
        if label is None:
            return
        if error.reason == "rate_limit":
            self._cool(self._door(provider_id, label), _model(name), error.retry_after)
        elif error.reason in _CREDENTIAL_FAULTS:
            self._park(self._door(provider_id, label), name, label, error)

    def _judge(self, name: str, health: TargetHealth, probe: bool) -> None:
        """Open the breaker after a failed probe, or when too many of the last answers failed.

        What was asked before the breaker opened and fails after it says nothing new.
        """
        if health.state == "closed":
            health.outcomes.append(False)
            failures = health.outcomes.count(False)
            if failures < MIN_SAMPLES or failures * 2 < len(health.outcomes):
                return
            self._on_change("target", name, health.last_error)
        elif not probe:
            return
        pause = min(OPEN_BASE_S * 2**health.openings, OPEN_MAX_S) * random.uniform(0.8, 1.2)  # noqa: S311
        health.openings += 1
        health.state, health.open_until, health.probing = "open", self._now() + pause, False

    def _cool(self, door: DoorHealth, model: str, retry_after: float | None) -> None:
        rest = door.rests.setdefault(model, Rest())
        rest.strikes += 1
        pause = retry_after if retry_after is not None else min(COOLDOWN_S * 2 ** (rest.strikes - 1), 60.0)
        rest.cool_until = max(rest.cool_until, self._now() + min(pause, COOLDOWN_MAX_S))

    def _park(self, door: DoorHealth, name: str, label: str, error: UpstreamError) -> None:
        if door.parked or _model(name) in door.parked_models:
            return
        why = error.message[:300] or error.reason
        if error.reason == "permission":
            door.parked_models[_model(name)] = why
        else:
            door.parked = why
        what = name if error.reason == "permission" else name.partition("/")[0]
        self._on_change("credential", f"{what} ({label})", why)

    def _door(self, provider_id: str, label: str) -> DoorHealth:
        return self.doors.setdefault((provider_id, label), DoorHealth())

    def parked(self, provider_id: str, label: str, model: str) -> str:
        """Why the credential is not used for `model` until its provider is changed; empty where it is."""
        door = self.doors.get((provider_id, label))
        return (door.parked or door.parked_models.get(model, "")) if door else ""

    def door_wait(self, provider_id: str, label: str, model: str) -> float | None:
        """Seconds until the credential may be used for `model`: 0 now, None while it is parked."""
        door = self.doors.get((provider_id, label)) if self.doors else None
        if door is None:
            return 0.0
        if door.parked or model in door.parked_models:
            return None
        rest = door.rests.get(model)
        return max(0.0, rest.cool_until - self._now()) if rest is not None else 0.0

    def release(self, provider_id: str, label: str) -> bool:
        """Use a parked or resting credential again; False where it was neither."""
        door = self.doors.pop((provider_id, label), None)
        return door is not None and bool(door.parked or door.parked_models or door.rests)

    def forget(self, provider_id: str, name: str) -> None:
        """The provider was changed: its credentials and targets begin anew."""
        for key in [key for key in self.doors if key[0] == provider_id]:
            del self.doors[key]
        prefix = f"{name.lower()}/"
        for target in [target for target in self.targets if target.lower().startswith(prefix)]:
            del self.targets[target]


def _model(name: str) -> str:
    """The model of `provider/model`."""
    return name.partition("/")[2]
