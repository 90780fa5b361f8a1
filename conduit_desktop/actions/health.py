"""How every target and credential fares, and the operator's hand in it: pause a target, release a credential."""

from __future__ import annotations

from conduit_desktop.actions.changes import made_known, now_ms
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.reports import CircuitTurnView, CredentialHealthView, TargetHealthView, TargetState
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.errors import NotFound
from conduit_desktop.gateway.health.state import TargetHealth
from conduit_desktop.gateway.snapshot import BoundProvider

ERRORS_WITHIN_S = 3600.0
TURNS_WITHIN_S = 86_400.0
_STATES: dict[str, TargetState] = {"closed": "answering", "open": "failing", "half_open": "probing"}


def targets(context: AppContext) -> list[TargetHealthView]:
    """Every target that an alias names, that was called or is paused, by name; reads memory alone."""
    users = _users(context)
    health, providers = context.gateway.health, context.gateway.snapshot.providers
    called = [name for name in (*health.targets, *health.paused) if name.partition("/")[0].lower() in providers]
    return [_view(context, name, users.get(name, [])) for name in sorted({*users, *called}, key=str.lower)]


def _users(context: AppContext) -> dict[str, list[str]]:
    """The aliases of each target."""
    snapshot = context.gateway.snapshot
    users: dict[str, list[str]] = {}
    for alias in (*snapshot.aliases.values(), *snapshot.patterns):
        for target in alias.targets:
            bound = snapshot.providers.get(target.provider.lower())
            if bound is not None and "*" not in target.model:
                users.setdefault(f"{bound.name}/{target.model}", []).append(alias.alias)
    return users


def _view(context: AppContext, name: str, aliases: list[str]) -> TargetHealthView:
    health = context.gateway.health
    provider, _, model = name.partition("/")
    bound = context.gateway.snapshot.providers[provider.lower()]
    known = health.targets.get(name) or TargetHealth()
    state, text = _state(context, name, bound, known)
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
        turns=_turns(context, name),
        credentials=[_credential(context, bound, credential.label, model) for credential in bound.credentials],
    )


def _turns(context: AppContext, name: str) -> list[CircuitTurnView]:
    now = now_ms()
    found = context.gateway.health.turns(name, TURNS_WITHIN_S)
    return [CircuitTurnView(state=state, at=str(rfc3339(now - round(ago * 1000)))) for ago, state in found]


def _state(context: AppContext, name: str, bound: BoundProvider, known: TargetHealth) -> tuple[TargetState, str]:
    if name in context.gateway.health.paused:
        return "paused", "Paused until it is resumed"
    if not bound.provider.enabled:
        return "disabled", "Its provider is disabled"
    if bound.problem:
        return "unready", bound.problem
    if known.state == "closed" and known.latency_ms is None:
        return ("failing", known.last_error) if known.last_error else ("unused", "Not called since the start")
    return _STATES[known.state], known.last_error if known.state != "closed" else ""


def _credential(context: AppContext, bound: BoundProvider, label: str, model: str) -> CredentialHealthView:
    health, owner = context.gateway.health, bound.provider.id
    wait = health.credential_wait_s(owner, label, model)
    if wait is None:
        return CredentialHealthView(label=label, state="parked", reason=health.parked(owner, label, model), wait_s=None)
    reason = "rests after a rate limit" if wait else ""
    return CredentialHealthView(label=label, state="resting" if wait else "ready", reason=reason, wait_s=wait)


async def pause(context: AppContext, target: str, actor: Actor) -> None:
    """Send the target nothing more until it is resumed, over restarts too; what runs goes on. Raises NotFound."""
    _check(context, target)
    context.gateway.health.paused.add(target)
    await context.gateway.health_monitor.write()
    await made_known(context, actor, "target.pause", target, "health", {})


async def resume(context: AppContext, target: str, actor: Actor) -> None:
    """Let a paused target answer again. Raises NotFound."""
    _check(context, target)
    context.gateway.health.paused.discard(target)
    await context.gateway.health_monitor.write()
    await made_known(context, actor, "target.resume", target, "health", {})


async def release(context: AppContext, provider: str, label: str, actor: Actor) -> None:
    """Use a parked or resting credential again, for every model. Raises NotFound."""
    bound = context.gateway.snapshot.providers.get(provider.lower())
    if bound is None or label not in {credential.label for credential in bound.credentials}:
        raise NotFound(f"There is no credential {label!r} of a provider {provider!r}.")
    context.gateway.health.release(bound.provider.id, label)
    await context.gateway.health_monitor.write()
    await made_known(context, actor, "credential.release", f"{bound.name} ({label})", "health", {})


def _check(context: AppContext, target: str) -> None:
    if target not in {one.name for one in targets(context)}:
        raise NotFound(f"There is no target {target!r}.")
