"""How every target and credential fares, and the operator's hand in it: pause a target, release a credential."""

from __future__ import annotations

from conduit_desktop.actions.changes import made_known, now_ms
from conduit_desktop.actions.context import Actor, House
from conduit_desktop.actions.schemas.reports import CircuitTurnView, CredentialHealthView, TargetHealthView, TargetState
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.errors import NotFound
from conduit_desktop.gateway.health.state import TargetHealth
from conduit_desktop.gateway.snapshot import Bound

ERRORS_WITHIN_S = 3600.0
TURNS_WITHIN_S = 86_400.0
_STATES: dict[str, TargetState] = {"closed": "answering", "open": "failing", "half_open": "probing"}


def targets(house: House) -> list[TargetHealthView]:
    """Every target that an alias names, that was called or is paused, by name; reads memory alone."""
    users = _users(house)
    health, providers = house.gateway.health, house.gateway.snapshot.providers
    called = [name for name in (*health.targets, *health.paused) if name.partition("/")[0].lower() in providers]
    return [_view(house, name, users.get(name, [])) for name in sorted({*users, *called}, key=str.lower)]


def _users(house: House) -> dict[str, list[str]]:
    """The aliases of each target."""
    snapshot = house.gateway.snapshot
    users: dict[str, list[str]] = {}
    for alias in (*snapshot.aliases.values(), *snapshot.patterns):
        for target in alias.targets:
            bound = snapshot.providers.get(target.provider.lower())
            if bound is not None and "*" not in target.model:
                users.setdefault(f"{bound.name}/{target.model}", []).append(alias.alias)
    return users


def _view(house: House, name: str, aliases: list[str]) -> TargetHealthView:
    health = house.gateway.health
    provider, _, model = name.partition("/")
    bound = house.gateway.snapshot.providers[provider.lower()]
    known = health.targets.get(name) or TargetHealth()
    state, text = _state(house, name, bound, known)
    return TargetHealthView(
        name=name,
        provider=bound.name,
        model=model,
        aliases=sorted(set(aliases)),
        state=state,
        text=text,
        in_flight=known.in_flight,
        latency_ms=known.latency_ms,
        latencies_ms=list(known.latencies),
        tokens_per_s=1000 / known.token_ms if known.token_ms else None,
        errors=health.recent_faults(name, ERRORS_WITHIN_S),
        last_error=known.last_error,
        next_probe_s=health.next_probe_s(name),
        rest_s=health.target_rest_s(name),
        turns=_turns(house, name),
        credentials=[_credential(house, bound, door.label, model) for door in bound.doors],
    )


def _turns(house: House, name: str) -> list[CircuitTurnView]:
    now = now_ms()
    found = house.gateway.health.turns(name, TURNS_WITHIN_S)
    return [CircuitTurnView(state=state, at=str(rfc3339(now - round(ago * 1000)))) for ago, state in found]


def _state(house: House, name: str, bound: Bound, known: TargetHealth) -> tuple[TargetState, str]:
    if name in house.gateway.health.paused:
        return "paused", "Paused until it is resumed"
    if not bound.provider.enabled:
        return "disabled", "Its provider is disabled"
    if bound.problem:
        return "unready", bound.problem
    if known.state == "closed" and known.latency_ms is None:
        return ("failing", known.last_error) if known.last_error else ("unused", "Not called since the start")
    return _STATES[known.state], known.last_error if known.state != "closed" else ""


def _credential(house: House, bound: Bound, label: str, model: str) -> CredentialHealthView:
    health, owner = house.gateway.health, bound.provider.id
    wait = health.door_wait(owner, label, model)
    if wait is None:
        return CredentialHealthView(label=label, state="parked", reason=health.parked(owner, label, model), wait_s=None)
    reason = "rests after a rate limit" if wait else ""
    return CredentialHealthView(label=label, state="resting" if wait else "ready", reason=reason, wait_s=wait)


async def pause(house: House, target: str, actor: Actor) -> None:
    """Send the target nothing more until it is resumed, over restarts too; what runs goes on. Raises NotFound."""
    _check(house, target)
    house.gateway.health.paused.add(target)
    await house.gateway.tending.write()
    await made_known(house, actor, "target.pause", target, "health", {})


async def resume(house: House, target: str, actor: Actor) -> None:
    """Let a paused target answer again. Raises NotFound."""
    _check(house, target)
    house.gateway.health.paused.discard(target)
    await house.gateway.tending.write()
    await made_known(house, actor, "target.resume", target, "health", {})


async def release(house: House, provider: str, label: str, actor: Actor) -> None:
    """Use a parked or resting credential again, for every model. Raises NotFound."""
    bound = house.gateway.snapshot.providers.get(provider.lower())
    if bound is None or label not in {door.label for door in bound.doors}:
        raise NotFound(f"There is no credential {label!r} of a provider {provider!r}.")
    house.gateway.health.release(bound.provider.id, label)
    await house.gateway.tending.write()
    await made_known(house, actor, "credential.release", f"{bound.name} ({label})", "health", {})


def _check(house: House, target: str) -> None:
    if target not in {one.name for one in targets(house)}:
        raise NotFound(f"There is no target {target!r}.")
