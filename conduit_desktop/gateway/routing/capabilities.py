"""Which targets can serve a request, by what their providers say of their models; a model of which nothing is known may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conduit_desktop.core.chat import ChatRequest, Media, ToolResult
from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import BadRequest, GatewayError
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.resolve import BoundTarget, Route
from conduit_desktop.providers import FEATURES

Offered = Mapping[str, tuple[int, list[OfferedModel]]]
"""What providers said they offer, by name."""

GUESS = 1.5
"""A request is only turned away from a model by its own window where the estimate is over it by this factor: the estimate is
rough, and the model knows better. The alias's own limit is taken as it stands."""
MAX_MODELS = 2000
_NEEDED = frozenset({"tools", "vision", "json", "schema"})
_WORDS = {"tools": "tools", "vision": "pictures", "json": "JSON answers", "schema": "a JSON schema for its answer"}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model: its window in tokens, and what it cannot do."""

    context_tokens: int | None = None
    lacks: frozenset[str] = frozenset()


_NOTHING = ModelFacts()


class Capabilities:
    """Remembers the facts of models as their providers told them."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._facts: dict[str, tuple[object, ModelFacts]] = {}

    def unfit(self, call: Call, route: Route) -> dict[str, GatewayError]:
        """Why some of the route's targets cannot serve the call, by their names; nearly always nothing."""
        limit = route.alias.max_context_tokens if route.alias else None
        if limit is not None and call.input_tokens > limit:
            why = f"the request has about {call.input_tokens:,} tokens, and the model {route.name!r} takes {limit:,}"
            return {target.name: _too_long(why) for target in route.targets}
        found: dict[str, GatewayError] = {}
        for target in route.targets:
            facts = self._of(target)
            if facts is not _NOTHING and (reason := _why_not(call, facts)) is not None:
                found[target.name] = reason
        return found

    def forget(self) -> None:
        """A provider was changed: what its models can do is to be found out anew."""
        self._facts.clear()

    def _of(self, target: BoundTarget) -> ModelFacts:
        """The facts of a target; read again when its provider was asked again."""
        source = self._offered.get(target.bound.name)
        kept = self._facts.get(target.name)
        if kept is not None and kept[0] is source:
            return kept[1]
        if len(self._facts) >= MAX_MODELS:
            self._facts.clear()
        facts = _facts(target, source[1] if source else [])
        self._facts[target.name] = (source, facts)
        return facts


def _facts(target: BoundTarget, offered: list[OfferedModel]) -> ModelFacts:
    model = next((one for one in offered if one.id == target.model), None)
    lacks: set[str] = set(FEATURES - target.bound.kind.features)
    if model is not None:
        # Their lists tell of schemas; any model can be asked for JSON in words.
        lacks |= {"schema" if feature == "json" else feature for feature in model.lacks}
    facts = ModelFacts(model.context_tokens if model else None, frozenset(lacks & _NEEDED))
    return _NOTHING if facts == _NOTHING else facts


def _why_not(call: Call, facts: ModelFacts) -> GatewayError | None:
    size = facts.context_tokens
    if size is not None and call.input_tokens > size * GUESS:
        return _too_long(f"the request has about {call.input_tokens:,} tokens, and the model takes {size:,}")
    if facts.lacks:
        for need in needs(call):
            if need in facts.lacks:
                return BadRequest(f"the model does not take {_WORDS[need]}", code="unsupported_parameter")
    return None


def _too_long(why: str) -> BadRequest:
    return BadRequest(why, code="context_length_exceeded", param="messages")


def needs(call: Call) -> Iterator[str]:
    """What a request asks of a model beyond words: `tools`, `json`, `schema`, `vision`. Nothing where it cannot be read."""
    try:
        request = call.neutral
    except GatewayError:
        return
    if request.tools:
        yield "tools"
    if request.output is not None and request.output.kind != "text":
        yield "json"
        if request.output.kind == "schema":
            yield "schema"
    if _has_pictures(request):
        yield "vision"


def _has_pictures(request: ChatRequest) -> bool:
    for message in request.messages:
        for part in message.parts:
            inner = part.parts if isinstance(part, ToolResult) else (part,)
            if any(isinstance(one, Media) and one.kind == "image" for one in inner):
                return True
    return False
