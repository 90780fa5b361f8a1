"""The health of targets and credentials: a circuit breaker for each target, cooldowns and disabled credentials.

After a rate limit a credential is in cooldown for the model, then one request probes it; after a refusal it is disabled until
its provider is changed. A target's circuit opens when half of its last answers failed, waits, lets one probe through
(half-open), and closes when the probe succeeds.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.health.state import Cooldown, CredentialHealth, Probe, TargetHealth

MIN_SAMPLES = 5
OPEN_BASE_S = 5.0
OPEN_MAX_S = 300.0
COOLDOWN_S = 2.0
# Daily quotas lead to a Retry-After of hours; more than a day is taken for a mistake.
COOLDOWN_MAX_S = 86_400.0
MAX_TARGETS = 5000
"""Targets kept; with an alias for `*`, clients can send any number of model names."""
_TARGET_FAULTS = frozenset({"server", "overloaded", "timeout", "connect", "malformed", "broken"})
# Not rate_limit: that passes by itself, and leads to a cooldown instead.
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money"})


class Health:
    """The health of every target (`provider/model`) and credential: read by routing, written by failover."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, on_change: Callable[[str, str, str], None] = lambda kind, name, text: None
    ) -> None:
        # Monotonic by default: a clock that is set back must not prolong a pause.
        self.now = now
        self._on_change = on_change
        self.targets: dict[str, TargetHealth] = {}
        self.credentials: dict[tuple[str, str], CredentialHealth] = {}
        self.paused: set[str] = set()
        """Names of targets that the operator paused, until they are resumed."""

    def target(self, name: str) -> TargetHealth:
        """The health of `provider/model`."""
        found = self.targets.get(name)
        if found is None:
            if len(self.targets) >= MAX_TARGETS:
                self._forget_idle()
            found = self.targets[name] = TargetHealth()
        return found

    def _forget_idle(self) -> None:
        # Only idle ones, even where that leaves more than the limit: invented names must not reset an open circuit.
        for name in [name for name, one in self.targets.items() if self._is_idle(one)]:
            del self.targets[name]

    def _is_idle(self, one: TargetHealth) -> bool:
        return one.state == "closed" and not one.in_flight and one.cooldown_until <= self.now()

    def may_try(self, name: str) -> bool:
        """Whether a request may go to the target now. An open circuit becomes half-open when its time is over."""
        # The order is that of cost: this runs for every target of every request, and most have no entry at all.
        if self.paused and name in self.paused:
            return False
        health = self.targets.get(name)
        if health is None:
            return True
        if health.cooldown_until and health.cooldown_until > self.now():
            return False
        if health.state == "closed":
            return True
        if health.state == "open" and self.now() >= health.open_until:
            health.state = "half_open"
            health.probing = False
        return health.state == "half_open" and not health.probing

    def why_not(self, name: str) -> str:
        """The reason why `may_try` is False, as text."""
        if name in self.paused:
            return "not tried, the operator paused it"
        error = self.targets[name].last_error if name in self.targets else ""
        if cooldown_s := self.target_cooldown_s(name):
            return f"not tried, its provider asked for a pause of {cooldown_s:.0f} s more ({error})"
        return f"not tried, its circuit is open ({error})"

    def target_cooldown_s(self, name: str) -> float:
        """Seconds left of the pause that the target's provider asked for (Retry-After of a failure of its own)."""
        health = self.targets.get(name)
        return max(0.0, health.cooldown_until - self.now()) if health is not None and health.cooldown_until else 0.0

    def wait_s(self, name: str) -> float | None:
        """Seconds until the target is available again; None where that is unknown: the operator paused it."""
        if name in self.paused:
            return None
        return max(self.target_cooldown_s(name), self.next_probe_s(name) or 0.0)

    def next_probe_s(self, name: str) -> float | None:
        """Seconds until an open circuit lets a probe through; None while it is closed."""
        health = self.targets.get(name)
        return None if health is None or health.state == "closed" else max(0.0, health.open_until - self.now())

    def reopen(self, name: str, for_s: float, openings: int, last_error: str) -> None:
        """Restore an open circuit of the last process: open for `for_s` more seconds, then half-open."""
        health = self.target(name)
        health.set_state("open", self.now())
        health.open_until, health.openings, health.last_error = self.now() + for_s, openings, last_error

    def cool_down(self, name: str, for_s: float, why: str) -> None:
        """The target's provider asked for a pause of `for_s` seconds."""
        health = self.target(name)
        health.cooldown_until, health.last_error = self.now() + min(for_s, COOLDOWN_MAX_S), why

    def half_open(self, name: str) -> None:
        """The target's provider answers a check: let one probe through before the open time is over."""
        health = self.targets.get(name)
        if health is not None and health.state == "open":
            health.state, health.probing = "half_open", False

    def transitions(self, name: str, within_s: float) -> list[tuple[float, Literal["open", "closed"]]]:
        """When the target's circuit opened and closed in the last `within_s` seconds: seconds ago, the newest last."""
        health, now = self.targets.get(name), self.now()
        return [(now - at, state) for at, state in health.transitions if now - at <= within_s] if health else []

    def recent_faults(self, name: str, within_s: float) -> dict[str, int]:
        """How often the target failed in the last `within_s` seconds, by reason."""
        health = self.targets.get(name)
        since = self.now() - within_s
        return dict(Counter(reason for at, reason in health.faults if at >= since)) if health else {}

    def begin(self, name: str, provider_id: str = "", label: str | None = None) -> Probe | None:
        """A request goes to the target with that credential. The probe it makes, if any, is to be passed to `end` once."""
        health = self.target(name)
        health.in_flight += 1
        circuit = health.state == "half_open" and not health.probing
        cooldown = self._cooldown(provider_id, label, _model(name)) if self.credentials and label is not None else None
        # Another request probes it already, or it was refused again meanwhile: this one proves nothing about it.
        if cooldown is not None and (cooldown.probing or cooldown.until > self.now()):
            cooldown = None
        if not circuit and cooldown is None:
            return None
        if circuit:
            health.probing = True
        if cooldown is not None:
            cooldown.probing = True
        return Probe(circuit, cooldown)

    def _cooldown(self, provider_id: str, label: str, model: str) -> Cooldown | None:
        credential = self.credentials.get((provider_id, label))
        return credential.cooldowns.get(model) if credential is not None else None

    def end(self, name: str, probe: Probe | None = None) -> None:
        """The request failed or was cancelled (`probe` is the one it made), or the request that was answered is settled."""
        health = self.target(name)
        health.in_flight = max(0, health.in_flight - 1)
        if probe is not None:
            if probe.circuit:
                health.probing = False
            if probe.cooldown is not None:
                probe.cooldown.probing = False

    def succeeded(self, name: str, provider_id: str, label: str, latency_ms: float, probe: Probe | None = None) -> None:
        """The target answered: its first content came after `latency_ms`. A probe has succeeded."""
        health = self.target(name)
        health.answered(latency_ms)
        # While the circuit is open only the probe counts: other answers are to requests sent before it opened.
        if health.state == "closed":
            health.outcomes.append(True)
        elif probe is not None and probe.circuit:
            self._close(name, health)
        credential = self.credentials.get((provider_id, label)) if self.credentials else None
        if credential is not None:
            credential.cooldowns.pop(_model(name), None)

    def _close(self, name: str, health: TargetHealth) -> None:
        health.set_state("closed", self.now())
        health.openings = 0
        # The failures that opened the circuit are past: one more must not open it again at once.
        health.outcomes.clear()
        self._on_change("target", name, "answers again")

    def failed(self, name: str, provider_id: str, label: str | None, error: UpstreamError, probe: Probe | None = None) -> None:
        """The target did not answer, or not to the end; the consequence depends on the reason.

        `label` None: a client's own key, which has no health here.
        """
        health = self.target(name)
        health.last_error = why = error.message[:300]
        health.faults.append((self.now(), error.reason))
        probing = probe is not None and probe.circuit
        if error.reason in _TARGET_FAULTS and not error.target_answered:
            if error.retry_after:
                self.cool_down(name, error.retry_after, why)
            self._judge(name, health, probing)
        elif probing and health.state == "half_open":
            self._close(name, health)  # a refusal shows that the target works
        if label is None:
            return
        # A rate limit is the credential's, not a fault of the target: another credential may still get an answer.
        if error.reason == "rate_limit":
            self._cool(self._credential(provider_id, label), _model(name), error.retry_after)
        elif error.reason in _CREDENTIAL_FAULTS:
            self._disable(self._credential(provider_id, label), name, label, error)

    def _judge(self, name: str, health: TargetHealth, probe: bool) -> None:
        """Open the circuit after a failed probe, or when too many of the last answers failed.

        Requests that were sent before it opened and fail afterwards do not prolong it.
        """
        if health.state == "closed":
            health.outcomes.append(False)
            failures = health.outcomes.count(False)
            if failures < MIN_SAMPLES or failures * 2 < len(health.outcomes):
                return
        elif not probe:
            return
        first = health.state == "closed"
        # Random, so that circuits which opened together do not probe their provider together.
        pause = min(OPEN_BASE_S * 2**health.openings, OPEN_MAX_S) * random.uniform(0.8, 1.2)
        health.openings += 1
        health.open_until = self.now() + pause
        health.set_state("open", self.now())
        # Only then: a failed probe would notify the operator again after every pause.
        if first:
            self._on_change("target", name, health.last_error)

    def _cool(self, credential: CredentialHealth, model: str, retry_after: float | None) -> None:
        cooldown = credential.cooldowns.setdefault(model, Cooldown())
        cooldown.strikes += 1
        # Without Retry-After the limit is mostly one per minute, so guesses go no further.
        pause = retry_after if retry_after is not None else min(COOLDOWN_S * 2 ** (cooldown.strikes - 1), 60.0)
        # Requests in flight together are refused together: a shorter Retry-After must not end a longer pause.
        cooldown.until = max(cooldown.until, self.now() + min(pause, COOLDOWN_MAX_S))

    def _disable(self, credential: CredentialHealth, name: str, label: str, error: UpstreamError) -> None:
        # Requests in flight together are refused together: the operator is notified once.
        if credential.disabled or _model(name) in credential.disabled_models:
            return
        why = error.message[:300] or error.reason
        # A key without permission for one model may still serve the others; a wrong or unpaid key serves none.
        if error.reason == "permission":
            credential.disabled_models[_model(name)] = why
        else:
            credential.disabled = why
        what = name if error.reason == "permission" else name.partition("/")[0]
        self._on_change("credential", f"{what} ({label})", why)

    def _credential(self, provider_id: str, label: str) -> CredentialHealth:
        return self.credentials.setdefault((provider_id, label), CredentialHealth())

    def disabled_reason(self, provider_id: str, label: str, model: str) -> str:
        """Why the credential is disabled for `model` until its provider is changed; empty where it is not."""
        credential = self.credentials.get((provider_id, label))
        return (credential.disabled or credential.disabled_models.get(model, "")) if credential else ""

    def credential_wait_s(self, provider_id: str, label: str, model: str) -> float | None:
        """Seconds until the credential may be used for `model`: 0 now, None while it is disabled."""
        credential = self.credentials.get((provider_id, label)) if self.credentials else None
        if credential is None:
            return 0.0
        if credential.disabled or model in credential.disabled_models:
            return None
        return self.credential_cooldown_s(provider_id, label, model)

    def credential_cooldown_s(self, provider_id: str, label: str, model: str) -> float:
        """Seconds left of the credential's cooldown for `model`."""
        cooldown = self._cooldown(provider_id, label, model)
        return max(0.0, cooldown.until - self.now()) if cooldown is not None else 0.0

    def may_use(self, provider_id: str, label: str, model: str) -> bool:
        """Whether the credential may be used for `model` now, and no probe of it is under way."""
        cooldown = self._cooldown(provider_id, label, model) if self.credentials else None
        return not (cooldown is not None and cooldown.probing) and self.credential_wait_s(provider_id, label, model) == 0

    def release(self, provider_id: str, label: str) -> bool:
        """Use a disabled credential, or one in cooldown, again; False where it was neither."""
        credential = self.credentials.pop((provider_id, label), None)
        return credential is not None and bool(credential.disabled or credential.disabled_models or credential.cooldowns)

    def forget(self, provider_id: str, name: str) -> None:
        """The provider was changed: its credentials and targets start without history."""
        for key in [key for key in self.credentials if key[0] == provider_id]:
            del self.credentials[key]
        prefix = f"{name.lower()}/"
        for target in [target for target in self.targets if target.lower().startswith(prefix)]:
            in_flight = self.targets.pop(target).in_flight
            if in_flight:  # still needed: `end` counts it down
                self.targets[target] = TargetHealth(in_flight=in_flight)

    def renamed(self, name: str, after: str | None) -> None:
        """The provider was renamed, or removed (None): paused targets follow its name."""
        prefix = f"{name.lower()}/"
        for target in [target for target in self.paused if target.lower().startswith(prefix)]:
            self.paused.discard(target)
            if after is not None:
                self.paused.add(f"{after}/{_model(target)}")


def _model(name: str) -> str:
    """The model of `provider/model`."""
    return name.partition("/")[2]
