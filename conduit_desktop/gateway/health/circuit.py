"""How targets and credentials fare: cool-downs, parked credentials, and a circuit breaker for each target.

A credential cools down for a model after a rate limit, is tried out by one request, and is parked after a refusal until its
provider is changed. A target's breaker opens when half of its last answers failed, waits, lets one probe through, and closes
when that succeeds.
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
COOLDOWN_MAX_S = 86_400.0
MAX_TARGETS = 5000
"""Targets remembered; with an alias for `*`, callers can make up any number of names."""
_TARGET_FAULTS = frozenset({"server", "overloaded", "timeout", "connect", "malformed", "broken"})
_CREDENTIAL_FAULTS = frozenset({"auth", "permission", "money"})


class Health:
    """Knows every target (`provider/model`) and credential; asked by routing, told by failover."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, on_change: Callable[[str, str, str], None] = lambda kind, name, text: None
    ) -> None:
        self.now = now
        self._on_change = on_change
        self.targets: dict[str, TargetHealth] = {}
        self.credentials: dict[tuple[str, str], CredentialHealth] = {}
        self.paused: set[str] = set()
        """Targets that the operator took out, by name, until they are put back."""

    def target(self, name: str) -> TargetHealth:
        """The health of `provider/model`."""
        found = self.targets.get(name)
        if found is None:
            if len(self.targets) >= MAX_TARGETS:
                self._forget_idle()
            found = self.targets[name] = TargetHealth()
        return found

    def _forget_idle(self) -> None:
        for name in [name for name, one in self.targets.items() if self._is_idle(one)]:
            del self.targets[name]

    def _is_idle(self, one: TargetHealth) -> bool:
        return one.state == "closed" and not one.in_flight and one.rest_until <= self.now()

    def may_ask(self, name: str) -> bool:
        """Whether the breaker lets a request through now; taking the half-open probe is `begin`'s business."""
        if self.paused and name in self.paused:
            return False
        health = self.targets.get(name)
        if health is None:
            return True
        if health.rest_until and health.rest_until > self.now():
            return False
        if health.state == "closed":
            return True
        if health.state == "open" and self.now() >= health.open_until:
            health.state = "half_open"
            health.probing = False
        return health.state == "half_open" and not health.probing

    def why_not(self, name: str) -> str:
        """In words, why `may_ask` said no."""
        if name in self.paused:
            return "not asked, the operator paused it"
        said = self.targets[name].last_error if name in self.targets else ""
        if rest_s := self.target_rest_s(name):
            return f"not asked, its provider asked to be left alone for {rest_s:.0f} s more ({said})"
        return f"not asked, its circuit is open ({said})"

    def target_rest_s(self, name: str) -> float:
        """Seconds that the target's provider still asked to be left alone."""
        health = self.targets.get(name)
        return max(0.0, health.rest_until - self.now()) if health is not None and health.rest_until else 0.0

    def wait_s(self, name: str) -> float | None:
        """Seconds until the target can be asked again; None where nobody knows, as of one that is paused."""
        if name in self.paused:
            return None
        return max(self.target_rest_s(name), self.next_probe_s(name) or 0.0)

    def next_probe_s(self, name: str) -> float | None:
        """Seconds until an open breaker lets a probe through; None while it is closed."""
        health = self.targets.get(name)
        return None if health is None or health.state == "closed" else max(0.0, health.open_until - self.now())

    def reopen(self, name: str, for_s: float, openings: int, last_error: str) -> None:
        """The target was failing before the process began: leave it alone for `for_s` more seconds, then let one probe through."""
        health = self.target(name)
        health.turn("open", self.now())
        health.open_until, health.openings, health.last_error = self.now() + for_s, openings, last_error

    def rest(self, name: str, for_s: float, why: str) -> None:
        """The target's provider asked to be left alone for `for_s` more seconds."""
        health = self.target(name)
        health.rest_until, health.last_error = self.now() + min(for_s, COOLDOWN_MAX_S), why

    def half_open(self, name: str) -> None:
        """There is reason to think that the target is well again: let one probe through before the pause is over."""
        health = self.targets.get(name)
        if health is not None and health.state == "open":
            health.state, health.probing = "half_open", False

    def turns(self, name: str, within_s: float) -> list[tuple[float, Literal["open", "closed"]]]:
        """When the target's circuit opened and closed of late: seconds ago, the newest last."""
        health, now = self.targets.get(name), self.now()
        return [(now - at, state) for at, state in health.turns if now - at <= within_s] if health else []

    def recent_faults(self, name: str, within_s: float) -> dict[str, int]:
        """How often the target failed of late, by reason."""
        health = self.targets.get(name)
        since = self.now() - within_s
        return dict(Counter(reason for at, reason in health.faults if at >= since)) if health else {}

    def begin(self, name: str, provider_id: str = "", label: str | None = None) -> Probe | None:
        """A request goes to the target with that credential. What it tries out, if anything, is to be handed back once."""
        health = self.target(name)
        health.in_flight += 1
        circuit = health.state == "half_open" and not health.probing
        rest = self._rest(provider_id, label, _model(name)) if self.credentials and label is not None else None
        if rest is not None and (rest.probing or rest.cool_until > self.now()):
            rest = None
        if not circuit and rest is None:
            return None
        if circuit:
            health.probing = True
        if rest is not None:
            rest.probing = True
        return Probe(circuit, rest)

    def _rest(self, provider_id: str, label: str, model: str) -> Cooldown | None:
        credential = self.credentials.get((provider_id, label))
        return credential.rests.get(model) if credential is not None else None

    def end(self, name: str, probe: Probe | None = None) -> None:
        """The request is over, in whatever way; `probe` is what it tried out, unless it told what came of that before."""
        health = self.target(name)
        health.in_flight = max(0, health.in_flight - 1)
        if probe is not None:
            if probe.circuit:
                health.probing = False
            if probe.rest is not None:
                probe.rest.probing = False

    def succeeded(self, name: str, provider_id: str, label: str, latency_ms: float, probe: Probe | None = None) -> None:
        """The target answered: its first content came after `latency_ms`. With that, what was tried out is known."""
        health = self.target(name)
        health.answered(latency_ms)
        if health.state == "closed":
            health.outcomes.append(True)
        elif probe is not None and probe.circuit:
            self._close(name, health)
        credential = self.credentials.get((provider_id, label)) if self.credentials else None
        if credential is not None:
            credential.rests.pop(_model(name), None)

    def _close(self, name: str, health: TargetHealth) -> None:
        health.turn("closed", self.now())
        health.openings = 0
        health.outcomes.clear()
        self._on_change("target", name, "answers again")

    def failed(self, name: str, provider_id: str, label: str | None, error: UpstreamError, probe: Probe | None = None) -> None:
        """The target did not answer, or not to the end; what that means depends on the reason.

        `label` None: a client's own key, whose faults are its owner's business.
        """
        health = self.target(name)
        health.last_error = why = error.message[:300]
        health.faults.append((self.now(), error.reason))
        tried = probe is not None and probe.circuit
        if error.reason in _TARGET_FAULTS:
            if error.retry_after:
                self.rest(name, error.retry_after, why)
            self._judge(name, health, tried)
        elif tried and health.state == "half_open":
            self._close(name, health)  # a refusal is an answer, too
        if label is None:
            return
        if error.reason == "rate_limit":
            self._cool(self._credential(provider_id, label), _model(name), error.retry_after)
        elif error.reason in _CREDENTIAL_FAULTS:
            self._park(self._credential(provider_id, label), name, label, error)

    def _judge(self, name: str, health: TargetHealth, probe: bool) -> None:
        """Open the breaker after a failed probe, or when too many of the last answers failed.

        What was asked before the breaker opened and fails after it says nothing new.
        """
        if health.state == "closed":
            health.outcomes.append(False)
            failures = health.outcomes.count(False)
            if failures < MIN_SAMPLES or failures * 2 < len(health.outcomes):
                return
        elif not probe:
            return
        first = health.state == "closed"
        pause = min(OPEN_BASE_S * 2**health.openings, OPEN_MAX_S) * random.uniform(0.8, 1.2)
        health.openings += 1
        health.open_until = self.now() + pause
        health.turn("open", self.now())
        if first:
            self._on_change("target", name, health.last_error)

    def _cool(self, credential: CredentialHealth, model: str, retry_after: float | None) -> None:
        rest = credential.rests.setdefault(model, Cooldown())
        rest.strikes += 1
        pause = retry_after if retry_after is not None else min(COOLDOWN_S * 2 ** (rest.strikes - 1), 60.0)
        rest.cool_until = max(rest.cool_until, self.now() + min(pause, COOLDOWN_MAX_S))

    def _park(self, credential: CredentialHealth, name: str, label: str, error: UpstreamError) -> None:
        if credential.parked or _model(name) in credential.parked_models:
            return
        why = error.message[:300] or error.reason
        if error.reason == "permission":
            credential.parked_models[_model(name)] = why
        else:
            credential.parked = why
        what = name if error.reason == "permission" else name.partition("/")[0]
        self._on_change("credential", f"{what} ({label})", why)

    def _credential(self, provider_id: str, label: str) -> CredentialHealth:
        return self.credentials.setdefault((provider_id, label), CredentialHealth())

    def parked(self, provider_id: str, label: str, model: str) -> str:
        """Why the credential is not used for `model` until its provider is changed; empty where it is."""
        credential = self.credentials.get((provider_id, label))
        return (credential.parked or credential.parked_models.get(model, "")) if credential else ""

    def credential_wait_s(self, provider_id: str, label: str, model: str) -> float | None:
        """Seconds until the credential may be used for `model`: 0 now, None while it is parked."""
        credential = self.credentials.get((provider_id, label)) if self.credentials else None
        if credential is None:
            return 0.0
        if credential.parked or model in credential.parked_models:
            return None
        return self.rest_s(provider_id, label, model)

    def rest_s(self, provider_id: str, label: str, model: str) -> float:
        """Seconds that the credential is still to be left alone for `model`."""
        rest = self._rest(provider_id, label, model)
        return max(0.0, rest.cool_until - self.now()) if rest is not None else 0.0

    def may_use(self, provider_id: str, label: str, model: str) -> bool:
        """Whether the credential may be used for `model` now, and is not being tried out just then."""
        rest = self._rest(provider_id, label, model) if self.credentials else None
        return not (rest is not None and rest.probing) and self.credential_wait_s(provider_id, label, model) == 0

    def release(self, provider_id: str, label: str) -> bool:
        """Use a parked or resting credential again; False where it was neither."""
        credential = self.credentials.pop((provider_id, label), None)
        return credential is not None and bool(credential.parked or credential.parked_models or credential.rests)

    def forget(self, provider_id: str, name: str) -> None:
        """The provider was changed: its credentials and targets begin anew."""
        for key in [key for key in self.credentials if key[0] == provider_id]:
            del self.credentials[key]
        prefix = f"{name.lower()}/"
        for target in [target for target in self.targets if target.lower().startswith(prefix)]:
            in_flight = self.targets.pop(target).in_flight
            if in_flight:  # it is counted down when they end
                self.targets[target] = TargetHealth(in_flight=in_flight)

    def renamed(self, name: str, after: str | None) -> None:
        """The provider bears another name, or is gone (None): what was paused follows it."""
        prefix = f"{name.lower()}/"
        for target in [target for target in self.paused if target.lower().startswith(prefix)]:
            self.paused.discard(target)
            if after is not None:
                self.paused.add(f"{after}/{_model(target)}")


def _model(name: str) -> str:
    """The model of `provider/model`."""
    return name.partition("/")[2]
