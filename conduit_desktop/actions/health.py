"""Health of targets and credentials; pausing and resuming targets, releasing credentials."""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.schemas.reports import CircuitTransitionView, CredentialHealthView, TargetHealthView, TargetState
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import NotFound
from conduit_desktop.gateway.health.state import TargetHealth
from conduit_desktop.gateway.snapshot import BoundProvider

ERRORS_WITHIN_S = 3600.0
TRANSITIONS_WITHIN_S = 86_400.0
_STATES: dict[str, TargetState] = {"closed": "answering", "open": "failing", "half_open": "probing"}


def targets(context: AppContext) -> list[TargetHealthView]:
    """Every target that an alias names, that was called or is paused, by name; reads only memory."""
    users = _users(context)
    health, providers = context.gateway.health, context.gateway.snapshot.providers
    # Health of a removed provider may still be in memory; its targets are not listed.
    called = [name for name in (*health.targets, *health.paused) if name.partition("/")[0].lower() in providers]
    return [_view(context, name, users.get(name, [])) for name in sorted({*users, *called}, key=str.lower)]


def _users(context: AppContext) -> dict[str, list[str]]:
    """The aliases of each target."""
    snapshot = context.gateway.snapshot
    users: dict[str, list[str]] = {}
    for alias in (*snapshot.aliases.values(), *snapshot.patterns):
        for target in alias.targets:
            bound = snapshot.providers.get(target.provider.lower())
            # A target with a pattern names no single model; its models are listed once they are called.
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
        cooldown_s=health.target_cooldown_s(name),
        transitions=_transitions(context, name),
        credentials=[_credential(context, bound, credential.label, model) for credential in bound.credentials],
    )


def _transitions(context: AppContext, name: str) -> list[CircuitTransitionView]:
    now = now_ms()
    found = context.gateway.health.transitions(name, TRANSITIONS_WITHIN_S)
    # Health counts in monotonic seconds, and a reader needs the time of day.
    return [CircuitTransitionView(state=state, at=str(rfc3339(now - round(ago * 1000)))) for ago, state in found]


def _state(context: AppContext, name: str, bound: BoundProvider, known: TargetHealth) -> tuple[TargetState, str]:
    # What the operator did comes first: a paused target may look unused or failing as well.
    if name in context.gateway.health.paused:
        return "paused", "Paused until it is resumed"
    if not bound.provider.enabled:
        return "disabled", "Its provider is disabled"
    if bound.problem:
        return "unready", bound.problem
    if known.state == "closed" and known.latency_ms is None:
        # No answer since the start, but an error: it fails before its circuit opens.
        return ("failing", known.last_error) if known.last_error else ("unused", "Not called since the start")
    return _STATES[known.state], known.last_error if known.state != "closed" else ""


def _credential(context: AppContext, bound: BoundProvider, label: str, model: str) -> CredentialHealthView:
    health, owner = context.gateway.health, bound.provider.id
    wait = health.credential_wait_s(owner, label, model)
    if wait is None:
        return CredentialHealthView(label=label, state="disabled", reason=health.disabled_reason(owner, label, model), wait_s=None)
    reason = "in cooldown after a rate limit" if wait else ""
    return CredentialHealthView(label=label, state="cooldown" if wait else "ready", reason=reason, wait_s=wait)


async def pause(context: AppContext, target: str, actor: Actor) -> None:
    """Send no requests to the target until it is resumed, also after a restart; running ones go on. Raises NotFound."""
    await _set_paused(context, target, actor, paused=True)


async def resume(context: AppContext, target: str, actor: Actor) -> None:
    """Send requests to a paused target again. Raises NotFound."""
    await _set_paused(context, target, actor, paused=False)


async def _set_paused(context: AppContext, target: str, actor: Actor, *, paused: bool) -> None:
    async def work(started: PendingChange) -> None:
        # A misspelled name would pause nothing, and be saved without a sign.
        if target not in {one.name for one in targets(context)}:
            raise NotFound(f"There is no target {target!r}.")
        names = context.gateway.health.paused
        before = target in names
        # In memory first, since what is saved is made of it; undone where the write fails.
        _toggle(names, target, paused)
        try:
            await started.commit(_saved(context, "target.pause" if paused else "target.resume", target))
        # Also for a cancellation, as at the end of the process.
        except BaseException:
            _toggle(names, target, before)
            raise

    await change(context, actor, work)


def _toggle(names: set[str], name: str, present: bool) -> None:
    names.add(name) if present else names.discard(name)


def _saved(context: AppContext, action: str, subject: str) -> Callable[[Edit], None]:
    """A job that writes the health known now, with the audit entry of `action`."""
    name, value = context.gateway.state.health_monitor.saved()

    def job(edit: Edit) -> None:
        edit.tx.meta.put(name, value)
        edit.record(action, subject)

    return job


async def release(context: AppContext, provider: str, label: str, actor: Actor) -> None:
    """Use a disabled credential, or one in cooldown, again for every model. Raises NotFound."""

    async def work(started: PendingChange) -> None:
        bound = context.gateway.snapshot.providers.get(provider.lower())
        if bound is None or label not in {credential.label for credential in bound.credentials}:
            raise NotFound(f"There is no credential {label!r} of a provider {provider!r}.")
        # Released in memory first: were the write to fail, the next refusal of the provider would disable it again.
        context.gateway.health.release(bound.provider.id, label)
        await started.commit(_saved(context, "credential.release", f"{bound.name} ({label})"))

    await change(context, actor, work)
