"""The state of each provider, from its configuration and the latest requests."""

from __future__ import annotations

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.views import ProviderState as ProviderState
from conduit_desktop.actions.schemas.views import ProviderStateView as ProviderStateView
from conduit_desktop.gateway.snapshot import BoundProvider


def provider_states(context: AppContext) -> dict[str, ProviderStateView]:
    """The state of every provider by name; reads only memory."""
    snapshot = context.gateway.snapshot
    users: dict[str, list[str]] = {}
    for alias in (*snapshot.aliases.values(), *snapshot.patterns):
        for provider in {target.provider.lower() for target in alias.targets}:
            users.setdefault(provider, []).append(alias.alias)
    return {
        bound.name: ProviderStateView(state=state, text=text, aliases=sorted(set(users.get(bound.name.lower(), []))))
        for bound in snapshot.providers.values()
        for state, text in [_state(context, bound)]
    }


def _state(context: AppContext, bound: BoundProvider) -> tuple[ProviderState, str]:
    health = context.gateway.health
    if not bound.provider.enabled:
        return "disabled", "Disabled"
    if bound.problem:
        return "unready", bound.problem
    # A disabled key comes before an open circuit: it stays until the operator acts, a circuit closes again.
    refused = [
        credential.disabled
        for (owner, _), credential in health.credentials.items()
        if owner == bound.provider.id and credential.disabled
    ]
    if refused:
        keys = "Key disabled" if len(bound.credentials) == 1 else f"{len(refused)} of {len(bound.credentials)} keys disabled"
        return "troubled", f"{keys}: {refused[0]}"
    # With the slash: `openai` must not take in the targets of `openai-2`.
    targets = [target for path, target in health.targets.items() if path.startswith(f"{bound.name}/")]
    failing = [target for target in targets if target.state != "closed"]
    if failing:
        return "troubled", failing[0].last_error or "Circuit open"
    latencies = [target.latency_ms for target in targets if target.latency_ms is not None]
    return ("answering", f"Latency {min(latencies):,.0f} ms") if latencies else ("unused", "No requests yet")
