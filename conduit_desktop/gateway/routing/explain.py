"""Where a name leads now: the targets in the order in which they would be asked, each with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.money import show_usd
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.gateway import Gateway
from conduit_desktop.gateway.routing import resolve as routing
from conduit_desktop.gateway.routing.resolve import BoundTarget
from conduit_desktop.gateway.routing.strategies import RoundRobinCounters
from conduit_desktop.gateway.routing.trimming import trim
from conduit_desktop.wire import dialect

_CAUSES = {"context_length": "what is too long", "content_filter": "what was filtered"}


@dataclass(slots=True)
class ExplainedTarget:
    """One target of a name, in the order in which they would be asked."""

    provider: str
    model: str
    reason: str
    usable: bool


async def explain(gateway: Gateway, name: str, body: dict[str, Any]) -> list[ExplainedTarget]:
    """Where a request for `name` would go now, with the reason for each place; raises ModelNotFound. Takes no turn.

    `body` is the request, in OpenAI's words: some targets cannot serve every one.
    """
    route = routing.find(name, gateway.snapshot, endpoint=None)
    await gateway.compiled_prices.find(route.targets, gateway.snapshot)
    turns = RoundRobinCounters(dict(gateway.turns.next))
    ordered = routing.order(route, turns, gateway.health, gateway.compiled_prices)
    call = Call(dialect("openai_chat"), {"model": name, **body}, name)
    if route.alias is not None and route.alias.trim and route.alias.max_context_tokens:
        trim(call, route.alias.max_context_tokens)
    unfit = gateway.capabilities.unfit(call, route)
    ordered = [target for target in ordered if target.name not in unfit] + [target for target in ordered if target.name in unfit]
    rows = [_explained(gateway, route, target, place, unfit) for place, target in enumerate(ordered)]
    for what, other in _others(route):
        await gateway.compiled_prices.find(other.targets, gateway.snapshot)
        unfit = gateway.capabilities.unfit(call, other)
        for target in other.targets:
            row = _explained(gateway, other, target, 0, unfit)
            row.reason = f"{what} {other.name}: {row.reason}"
            rows.append(row)
    return rows


def _others(route: routing.Route) -> Iterator[tuple[str, routing.Route]]:
    """Where a request goes when no target of the route answered, or refused it for a cause."""
    yield from (("fallback", other) for other in route.fallbacks)
    for cause, others in route.by_cause.items():
        yield from ((f"fallback for {_CAUSES[cause]}", other) for other in others)


def _explained(
    gateway: Gateway, route: routing.Route, target: BoundTarget, place: int, unfit: Mapping[str, GatewayError]
) -> ExplainedTarget:
    health = gateway.health.targets.get(target.name)
    usable, reason = True, f"{route.alias.strategy if route.alias else 'direct'}: place {place + 1}"
    waits = [
        gateway.health.credential_wait_s(target.bound.provider.id, credential.label, target.model)
        for credential in target.bound.credentials
    ]
    if target.bound.problem:
        usable, reason = False, target.bound.problem
    elif target.name in unfit:
        usable, reason = False, f"cannot serve this request: {unfit[target.name]}"
    elif not gateway.health.may_ask(target.name):
        usable, reason = False, gateway.health.why_not(target.name).removeprefix("not asked, ")
    elif waits and all(wait is None for wait in waits):
        usable, reason = False, "all its credentials are parked: the provider refused them"
    elif waits and not any(wait == 0 for wait in waits):
        usable, reason = False, f"rests for {min(wait for wait in waits if wait):.0f} s after a rate limit"
    elif route.alias and route.alias.strategy in ("fastest", "least_busy") and health:
        speed = f", {1000 / health.token_ms:,.0f} tokens/s" if health.token_ms else ""
        reason += f" ({health.in_flight} in flight, first answer after {health.latency_ms or 0:.0f} ms{speed})"
    elif route.alias and route.alias.strategy == "weighted":
        reason += f" (weight {target.weight})"
    elif route.alias and route.alias.strategy == "cheapest":
        reason += f" (1,000 tokens in and 500 out: {show_usd(gateway.compiled_prices.rate(target.name))})"
    return ExplainedTarget(target.bound.name, target.model, reason, usable)
