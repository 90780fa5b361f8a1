"""The targets of a model name in the order in which they would be tried now, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.money import show_usd
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.gateway.routing.strategies import RoundRobinCounters, order
from conduit_desktop.gateway.routing.targets import BoundTarget, Route
from conduit_desktop.gateway.routing.trimming import trim
from conduit_desktop.gateway.state import GatewayState
from conduit_desktop.wire import dialect

_CAUSES = {"context_length": "requests that are too long", "content_filter": "filtered requests"}


@dataclass(slots=True)
class ExplainedTarget:
    """One target of a model name; `usable`: whether a request could go to it now."""

    provider: str
    model: str
    reason: str
    usable: bool


async def explain(state: GatewayState, name: str, body: dict[str, Any]) -> list[ExplainedTarget]:
    """The targets for `name` in order, with the reason for each place; raises ModelNotFound. Round-robin is not advanced.

    `body` is a request in OpenAI's chat format: some targets cannot serve every request.
    """
    route = resolve_model(name, state.snapshot, endpoint=None)
    # Before the order is made: `cheapest` compares only prices that were looked up.
    await state.compiled_prices.find(route.targets, state.snapshot)
    round_robin = RoundRobinCounters(dict(state.round_robin.next))
    ordered = order(route, round_robin, state.health, state.compiled_prices)
    call = Call(dialect("openai_chat"), {"model": name, **body}, name)
    if route.alias is not None and route.alias.trim and route.alias.max_context_tokens:
        trim(call, route.alias.max_context_tokens)
    unfit = state.capabilities.unfit(call, route)
    # A request skips the unfit ones; here they come last, because the operator asks why they are not used.
    ordered = [target for target in ordered if target.name not in unfit] + [target for target in ordered if target.name in unfit]
    rows = [_explained(state, route, target, place, unfit) for place, target in enumerate(ordered)]
    for what, other in _others(route):
        await state.compiled_prices.find(other.targets, state.snapshot)
        unfit = state.capabilities.unfit(call, other)
        for target in other.targets:
            row = _explained(state, other, target, 0, unfit)
            row.reason = f"{what} {other.name}: {row.reason}"
            rows.append(row)
    return rows


def _others(route: Route) -> Iterator[tuple[str, Route]]:
    """The routes that are tried when no target of the route answered, or one refused for a cause, each with its label."""
    yield from (("fallback", other) for other in route.fallbacks)
    for cause, others in route.by_cause.items():
        yield from ((f"fallback for {_CAUSES[cause]}", other) for other in others)


def _explained(
    state: GatewayState, route: Route, target: BoundTarget, place: int, unfit: Mapping[str, GatewayError]
) -> ExplainedTarget:
    health = state.health.targets.get(target.name)
    usable, reason = True, f"{route.alias.strategy if route.alias else 'direct'}: place {place + 1}"
    waits = [
        state.health.credential_wait_s(target.bound.provider.id, credential.label, target.model)
        for credential in target.bound.credentials
    ]
    if target.bound.problem:
        usable, reason = False, target.bound.problem
    elif (spent := state.budgets.spent_budget(target.bound.name)) is not None:
        usable, reason = False, f"{spent.text} is spent"
    elif target.name in unfit:
        usable, reason = False, f"cannot serve this request: {unfit[target.name]}"
    elif not state.health.may_try(target.name):
        usable, reason = False, state.health.why_not(target.name).removeprefix("not tried, ")
    elif waits and all(wait is None for wait in waits):
        usable, reason = False, "all its credentials are disabled: the provider refused them"
    elif waits and not any(wait == 0 for wait in waits):
        usable, reason = False, f"in cooldown for {min(wait for wait in waits if wait):.0f} s after a rate limit"
    elif route.alias and route.alias.strategy in ("fastest", "least_busy") and health:
        speed = f", {1000 / health.token_ms:,.0f} tokens/s" if health.token_ms else ""
        reason += f" ({health.in_flight} in flight, first answer after {health.latency_ms or 0:.0f} ms{speed})"
    elif route.alias and route.alias.strategy == "weighted":
        reason += f" (weight {target.weight})"
    elif route.alias and route.alias.strategy == "cheapest":
        reason += f" (1,000 tokens in and 500 out: {show_usd(state.compiled_prices.rate(target.name))})"
    return ExplainedTarget(target.bound.name, target.model, reason, usable)
