"""How targets and credentials fare: cool-downs, parked credentials, and a circuit breaker for each target.

A credential cools down after a rate limit and is parked after a refusal until its provider is changed. A target's breaker
opens when half of its last answers failed, waits, lets one probe through, and closes when that succeeds.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.errors import UpstreamError

WINDOW = 10
MIN_SAMPLES = 5
OPEN_BASE_S = 5.0
OPEN_MAX_S = 300.0
COOLDOWN_S = 2.0
COOLDOWN_MAX_S = 600.0
_TARGET_FAULTS = frozenset({"server", "overloaded", "timeout", "connect", "malformed", "broken"})
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money"})

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True)
class TargetHealth:
    """One target's recent past. Times are monotonic seconds; `latency_ms` and `first_token_ms` are smoothed."""

    outcomes: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    state: State = "closed"
    open_until: float = 0.0
    openings: int = 0
    probing: bool = False
    in_flight: int = 0
    latency_ms: float | None = None
    last_error: str = ""


@dataclass(slots=True)
class DoorHealth:
    """One credential's: until when it rests, or why it is parked."""

    cool_until: float = 0.0
    strikes: int = 0
    parked: str = ""


class Health:
    """Knows every target and credential by name; asked by routing, told by failover."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, on_change: Callable[[str, str, str], None] = lambda kind, name, text: None
    ) -> None:
        self._now = now
        self._on_change = on_change
        self.targets: dict[str, TargetHealth] = {}
        self.doors: dict[tuple[str, str], DoorHealth] = {}

    def target(self, name: str) -> TargetHealth:
        """The health of `provider/model`."""
        found = self.targets.get(name)
        if found is None:
            found = self.targets[name] = TargetHealth()
        return found

    def door(self, provider_id: str, label: str) -> DoorHealth:
        """The health of one credential of a provider."""
        return self.doors.setdefault((provider_id, label), DoorHealth())

    def may_ask(self, name: str) -> bool:
        """Whether the breaker lets a request through now; taking the half-open probe is `begin`'s business."""
        health = self.targets.get(name)
        if health is None or health.state == "closed":
            return True
        if health.state == "open" and self._now() >= health.open_until:
            health.state = "half_open"
            health.probing = False
        return health.state == "half_open" and not health.probing

    def begin(self, name: str) -> None:
        """A request goes to the target; in half-open it is the one probe."""
        health = self.target(name)
        health.in_flight += 1
        if health.state == "half_open":
            health.probing = True

    def end(self, name: str) -> None:
        """The request is over, in whatever way."""
        health = self.target(name)
        health.in_flight = max(0, health.in_flight - 1)
        health.probing = False

    def succeeded(self, name: str, provider_id: str, label: str, latency_ms: float) -> None:
        """The target answered: its first content came after `latency_ms`."""
        health = self.target(name)
        health.latency_ms = latency_ms if health.latency_ms is None else 0.8 * health.latency_ms + 0.2 * latency_ms
        if health.state != "closed":
            health.state, health.openings = "closed", 0
            health.outcomes.clear()
            self._on_change("target", name, "answers again")
        health.outcomes.append(True)
        door = self.doors.get((provider_id, label))
        if door is not None and door.strikes:
            door.strikes = 0

    def failed(self, name: str, provider_id: str, label: str, error: UpstreamError) -> None:
        """The target did not answer; what that means depends on the reason."""
        health = self.target(name)
        health.last_error = error.message[:300]
        if error.reason in _TARGET_FAULTS:
            health.outcomes.append(False)
            self._judge(name, health)
        elif error.reason == "rate_limit":
            self._cool(self.door(provider_id, label), error.retry_after)
        elif error.reason in _CREDENTIAL_FAULTS:
            door = self.door(provider_id, label)
            if not door.parked:
                door.parked = error.message[:300] or error.reason
                self._on_change("credential", f"{name.split('/', 1)[0]} ({label})", door.parked)

    def _cool(self, door: DoorHealth, retry_after: float | None) -> None:
        door.strikes += 1
        pause = retry_after if retry_after is not None else min(COOLDOWN_S * 2 ** (door.strikes - 1), 60.0)
        door.cool_until = max(door.cool_until, self._now() + min(pause, COOLDOWN_MAX_S))

    def _judge(self, name: str, health: TargetHealth) -> None:
        failures = health.outcomes.count(False)
        if health.state == "half_open" or (
            health.state == "closed" and failures >= MIN_SAMPLES and failures * 2 >= len(health.outcomes)
        ):
            pause = min(OPEN_BASE_S * 2**health.openings, OPEN_MAX_S) * random.uniform(0.8, 1.2)  # noqa: S311
            health.openings += 1
            if health.state == "closed":
                self._on_change("target", name, health.last_error)
            health.state, health.open_until, health.probing = "open", self._now() + pause, False

    def door_wait(self, provider_id: str, label: str) -> float | None:
        """Seconds until the credential may be used: 0 now, None while it is parked."""
        door = self.doors.get((provider_id, label))
        if door is None:
            return 0.0
        return None if door.parked else max(0.0, door.cool_until - self._now())

    def forget(self, provider_id: str, name: str) -> None:
        """The provider was changed: its credentials and targets begin anew."""
        for key in [key for key in self.doors if key[0] == provider_id]:
            del self.doors[key]
        prefix = f"{name.lower()}/"
        for target in [target for target in self.targets if target.lower().startswith(prefix)]:
            del self.targets[target]
