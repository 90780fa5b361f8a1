"""From the name a caller asked for to the targets that can answer, in order, each with the reason for its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import chain

from conduit_desktop.core.entities import ModelAlias, Target
from conduit_desktop.core.errors import BadRequest, ModelNotFound
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.strategies import STRATEGIES, PriceLookup, RoundRobinCounters, StrategyContext
from conduit_desktop.gateway.snapshot import BoundProvider, Snapshot
from conduit_desktop.providers import Endpoint

MAX_ROUTES = 2000
"""Names whose way is kept with a snapshot; callers can make up any number of them."""


@dataclass(frozen=True, slots=True)
class BoundTarget:
    """A provider and its own name for the model."""

    bound: BoundProvider
    model: str
    weight: int
    name: str
    """`provider/model`, as prices, health and logs know it."""

    @classmethod
    def of(cls, bound: BoundProvider, model: str, weight: int = 1) -> BoundTarget:
        """The target with its name made out."""
        return cls(bound, model, weight, f"{bound.name}/{model}")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """A request's time-outs in seconds, and its further attempts on one target.

    A whole answer sends nothing until it is finished, so `whole_s` holds for it instead of `first_token_s`: the first-token
    time-out where the alias or the operator's settings name one; else the total, or half of it where there is another
    target to ask after that.
    """

    connect_s: float
    first_token_s: float
    whole_s: float
    idle_s: float
    total_s: float
    retries: int


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads. `name` is what usage is counted under: the alias, or `provider/model` for a direct call."""

    name: str
    alias: ModelAlias | None
    targets: tuple[BoundTarget, ...]
    limits: Timeouts
    missing: tuple[str, ...] = ()
    fallbacks: tuple[Route, ...] = ()
    """Where the alias's fallbacks lead, in order, each once; they have none of their own."""

    by_cause: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    """Where it leads instead when a target refused the request for that reason (`context_length`, `content_filter`)."""

    @property
    def within_reach(self) -> tuple[BoundTarget, ...]:
        """Every target that may come to answer."""
        if not self.fallbacks and not self.by_cause:
            return self.targets
        others = (*self.fallbacks, *chain.from_iterable(self.by_cause.values()))
        return (*self.targets, *(target for other in others for target in other.targets))


def find(name: str, snapshot: Snapshot, endpoint: Endpoint | None = "chat") -> Route:
    """Where `name` leads: an alias (exact, any case, then the longest `*` pattern), `provider/model`, or the default alias.

    Only targets whose provider has the endpoint (None: any) are in it. Raises ModelNotFound, and BadRequest where none has.
    """
    key = name if endpoint == "chat" else (endpoint, name)
    route = snapshot.routes.get(key)
    if route is None:
        route = _find(name, snapshot)
        route = replace(route, fallbacks=tuple(_fallbacks(route, snapshot)), by_cause=_by_cause(route, snapshot))
        route = _with_endpoint(route, endpoint) if endpoint is not None else route
        if len(snapshot.routes) < MAX_ROUTES:
            snapshot.routes[key] = route
    return route


def _with_endpoint(route: Route, endpoint: Endpoint) -> Route:
    """The route without targets that lack the endpoint; raises BadRequest where all do."""
    able = tuple(target for target in route.targets if offers(target, endpoint))
    fallbacks = tuple(_with_able(other, endpoint) for other in route.fallbacks)
    if route.within_reach and not able and not any(other.targets for other in fallbacks):
        raise BadRequest(
            f"None of the providers of the model {route.name!r} has the endpoint {endpoint}.",
            code="unsupported_endpoint", param="model",
        )  # fmt: skip
    lacking = tuple(f"{target.name}: has no endpoint {endpoint}" for target in route.targets if target not in able)
    if not (lacking or fallbacks or route.by_cause):
        return route
    by_cause = {cause: tuple(_with_able(other, endpoint) for other in others) for cause, others in route.by_cause.items()}
    return replace(route, targets=able, missing=(*route.missing, *lacking), fallbacks=fallbacks, by_cause=by_cause)


def _with_able(route: Route, endpoint: Endpoint) -> Route:
    return replace(route, targets=tuple(target for target in route.targets if offers(target, endpoint)))


def offers(target: BoundTarget, endpoint: Endpoint) -> bool:
    """Whether a request for the endpoint can go to the target; a chat model completes, too, and any can be counted for."""
    has = target.bound.kind.endpoints
    return endpoint in has or (endpoint in ("completions", "count_tokens") and "chat" in has)


def _find(name: str, snapshot: Snapshot) -> Route:
    alias = _alias(name, snapshot)
    if alias is not None:
        return _route(alias, name, snapshot)
    direct = _direct(name, snapshot)
    if direct is not None:
        return direct
    fallback = snapshot.settings.default_alias
    if fallback and (alias := snapshot.aliases.get(fallback.lower())) is not None and alias.enabled:
        return _route(alias, name, snapshot)
    raise ModelNotFound(f"The model {name!r} is not known here. GET /v1/models lists what this key may call.", param="model")


def _alias(name: str, snapshot: Snapshot) -> ModelAlias | None:
    exact = snapshot.aliases.get(name.lower())
    if exact is not None and exact.enabled:
        return exact
    for alias in snapshot.patterns:
        if alias.enabled and star(alias.alias, name) is not None:
            return alias
    return None


def star(pattern: str, name: str) -> str | None:
    """What the first `*` of `pattern` stands for in `name`, None where they do not match (any case)."""
    head, _, tail = pattern.lower().partition("*")
    lower = name.lower()
    if len(lower) < len(head) + len(tail.replace("*", "")) or not lower.startswith(head):
        return None
    if "*" not in tail:
        return name[len(head) : len(name) - len(tail)] if lower.endswith(tail) else None
    return name[len(head) :] if fnmatchcase(lower, pattern.lower()) else None


def _route(alias: ModelAlias, asked: str, snapshot: Snapshot) -> Route:
    found: list[BoundTarget] = []
    missing: list[str] = []
    for target in alias.targets:
        bound = snapshot.providers.get(target.provider.lower())
        if bound is None:
            missing.append(f"{target.provider}: no such provider")
        elif not bound.provider.enabled:
            missing.append(f"{target.provider}: disabled")
        elif not _is_name(model := _target_model(alias, target, asked)):
            missing.append(f"{bound.name}: {model!r} is no model's name")
        else:
            found.append(BoundTarget.of(bound, model, target.weight))
    return Route(alias.alias, alias, tuple(found), limits(alias, snapshot.settings), tuple(missing))


def _target_model(alias: ModelAlias, target: Target, asked: str) -> str:
    """`*` alone stands for the name asked for; within a name, for what the alias's `*` matched."""
    if "*" not in target.model:
        return target.model
    return asked if target.model == "*" else target.model.replace("*", star(alias.alias, asked) or "", 1)


def _is_name(model: str) -> bool:
    """Some vendors have the model in their addresses, where segments of dots would lead elsewhere."""
    return {".", ".."}.isdisjoint(model.split("/"))


def _direct(name: str, snapshot: Snapshot) -> Route | None:
    provider, slash, model = name.partition("/")
    bound = snapshot.providers.get(provider.lower()) if slash and model else None
    if bound is None or not _is_name(model):
        return None
    if not bound.provider.enabled:
        return Route(name, None, (), limits(None, snapshot.settings), (f"{bound.name}: disabled",))
    target = BoundTarget.of(bound, model)
    return Route(target.name, None, (target,), limits(None, snapshot.settings))


def limits(alias: ModelAlias | None, settings: Settings) -> Timeouts:
    """The time-outs that hold for a request: the alias's own over the settings'."""
    own = alias.timeouts if alias else None
    return Timeouts(
        connect_s=(own and own.connect_s) or settings.connect_s,
        first_token_s=(own and own.first_token_s) or settings.first_token_s,
        whole_s=_whole_s(alias, settings),
        idle_s=(own and own.idle_s) or settings.idle_s,
        total_s=(own and own.total_s) or settings.total_s,
        retries=alias.retries if alias else 1,
    )


def _whole_s(alias: ModelAlias | None, settings: Settings) -> float:
    own = alias.timeouts if alias else None
    if own and own.first_token_s:
        return own.first_token_s
    if "first_token_s" in settings.model_fields_set:
        return settings.first_token_s
    total = (own and own.total_s) or settings.total_s
    return total / 2 if alias and len(alias.targets) + len(alias.fallbacks) > 1 else total


def order(route: Route, turns: RoundRobinCounters, health: Health, rates: PriceLookup) -> list[BoundTarget]:
    """The route's targets as this request shall try them.

    The strategy chooses among those that can be asked now, so that each of them gets its share; the others come last.
    """
    targets = list(route.targets)
    if len(targets) < 2 or route.alias is None:
        return targets
    able: list[BoundTarget] = []
    others: list[BoundTarget] = []
    for target in targets:
        (able if can_be_asked(target, health) else others).append(target)
    known = StrategyContext(route.alias, turns, health, rates)
    return [*STRATEGIES[route.alias.strategy](able, known), *others] if able else others


def can_be_asked(target: BoundTarget, health: Health) -> bool:
    """Whether the target's breaker and one of its credentials let a request through now, and not only to be tried out."""
    if not health.may_ask(target.name):
        return False
    if not health.credentials:
        return True
    provider_id, model = target.bound.provider.id, target.model
    return any(health.may_use(provider_id, credential.label, model) for credential in target.bound.credentials)


def _by_cause(route: Route, snapshot: Snapshot) -> dict[str, tuple[Route, ...]]:
    if route.alias is None:
        return {}
    found: dict[str, tuple[Route, ...]] = {}
    causes = (("context_length", route.alias.context_fallbacks), ("content_filter", route.alias.content_filter_fallbacks))
    for cause, names in causes:
        aliases = [(name, snapshot.aliases.get(name.lower())) for name in names]
        routes = tuple(_route(alias, name, snapshot) for name, alias in aliases if alias is not None and alias.enabled)
        if routes:
            found[cause] = routes
    return found


def _fallbacks(route: Route, snapshot: Snapshot) -> Iterator[Route]:
    if route.alias is None or not route.alias.fallbacks:
        return
    seen = {route.name.lower()}
    queue = list(route.alias.fallbacks)
    while queue:
        name = queue.pop(0)
        alias = snapshot.aliases.get(name.lower())
        if alias is None or name.lower() in seen or not alias.enabled:
            continue
        seen.add(name.lower())
        yield _route(alias, name, snapshot)
        queue.extend(alias.fallbacks)
