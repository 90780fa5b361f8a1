"""From the model name of a request to its route: an alias, `provider/model`, or the default alias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from conduit_desktop.core.entities import ModelAlias, Target
from conduit_desktop.core.errors import BadRequest, ModelNotFound
from conduit_desktop.gateway.routing.targets import BoundTarget, Route, timeouts_for, with_patience
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.providers import Endpoint

MAX_ROUTES = 2000
"""Routes cached with a snapshot. Clients choose the names, so the number has to be bounded."""


def resolve_model(name: str, snapshot: Snapshot, endpoint: Endpoint | None = "chat") -> Route:
    """The route of `name`: an alias (exact, any case, then the longest `*` pattern), `provider/model`, or the default alias.

    It holds only targets whose provider has the endpoint (None: any). Raises ModelNotFound, or BadRequest where no provider has it.
    """
    # A plain string for chat: nearly every request is one, and making a tuple costs more than the look-up.
    key = name if endpoint == "chat" else (endpoint, name)
    route = snapshot.routes.get(key)
    if route is None:
        route = _resolve(name, snapshot)
        route = replace(route, fallbacks=tuple(_fallbacks(route, snapshot)), by_cause=_by_cause(route, snapshot))
        route = with_patience(_with_endpoint(route, endpoint) if endpoint is not None else route, snapshot.settings)
        # Nothing is evicted: the next snapshot begins with an empty cache.
        if len(snapshot.routes) < MAX_ROUTES:
            snapshot.routes[key] = route
    return route


def _with_endpoint(route: Route, endpoint: Endpoint) -> Route:
    """The route without targets that lack the endpoint; raises BadRequest where all do."""
    able = tuple(target for target in route.targets if offers(target, endpoint))
    fallbacks = tuple(_with_able(other, endpoint) for other in route.fallbacks)
    if route.all_targets and not able and not any(other.targets for other in fallbacks):
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
    """Whether the target serves the endpoint. Chat models also serve legacy completions, and their tokens can be estimated."""
    has = target.bound.kind.endpoints
    return endpoint in has or (endpoint in ("completions", "count_tokens") and "chat" in has)


def _resolve(name: str, snapshot: Snapshot) -> Route:
    alias = _alias(name, snapshot)
    if alias is not None:
        return _route(alias, name, snapshot)
    # After the aliases, so that an alias can take over a `provider/model` that clients have written into their settings.
    direct = _direct(name, snapshot)
    if direct is not None:
        return direct
    fallback = snapshot.settings.default_alias
    if fallback and (alias := snapshot.aliases.get(fallback.lower())) is not None and alias.enabled:
        return replace(_route(alias, name, snapshot), is_default=True)
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
    # By length first, because head and tail must not overlap: `a*a` does not match `a`.
    if len(lower) < len(head) + len(tail.replace("*", "")) or not lower.startswith(head):
        return None
    if "*" not in tail:
        return name[len(head) : len(name) - len(tail)] if lower.endswith(tail) else None
    return name[len(head) :] if fnmatchcase(lower, pattern.lower()) else None


def _route(alias: ModelAlias, requested: str, snapshot: Snapshot) -> Route:
    found: list[BoundTarget] = []
    missing: list[str] = []
    for target in alias.targets:
        bound = snapshot.providers.get(target.provider.lower())
        if bound is None:
            missing.append(f"{target.provider}: no such provider")
        elif not bound.provider.enabled:
            missing.append(f"{target.provider}: disabled")
        elif not _is_name(model := _target_model(alias, target, requested)):
            missing.append(f"{bound.name}: {model!r} is no model's name")
        else:
            found.append(BoundTarget.of(bound, model, target.weight))
    first = _target_model(alias, alias.targets[0], requested) if alias.targets else None
    return Route(alias.alias, alias, tuple(found), timeouts_for(alias, snapshot.settings), first, tuple(missing))


def _target_model(alias: ModelAlias, target: Target, requested: str) -> str:
    """`*` alone stands for the requested name; within a name, for what the alias's `*` matched."""
    if "*" not in target.model:
        return target.model
    return requested if target.model == "*" else target.model.replace("*", star(alias.alias, requested) or "", 1)


def _is_name(model: str) -> bool:
    """Whether `model` is safe in a URL path: Gemini, Azure and Bedrock put it there, and dot segments would change the path."""
    return {".", ".."}.isdisjoint(model.split("/"))


def _direct(name: str, snapshot: Snapshot) -> Route | None:
    provider, slash, model = name.partition("/")
    bound = snapshot.providers.get(provider.lower()) if slash and model else None
    if bound is None or not _is_name(model):
        return None
    if not bound.provider.enabled:
        return Route(name, None, (), timeouts_for(None, snapshot.settings), missing=(f"{bound.name}: disabled",))
    target = BoundTarget.of(bound, model)
    return Route(target.name, None, (target,), timeouts_for(None, snapshot.settings))


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
    # Aliases may name each other as fallbacks, in a circle.
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
