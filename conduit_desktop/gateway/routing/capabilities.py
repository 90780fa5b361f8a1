"""Which targets can serve a request, by the lists of providers and the facts of models; an unknown model counts as able."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conduit_desktop.core.chat import ChatRequest, Media, ToolResult
from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import BadRequest, GatewayError
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget, Route
from conduit_desktop.providers import FEATURES
from conduit_desktop.providers.model_facts import facts_of

Offered = Mapping[str, tuple[int, list[OfferedModel]]]
"""The models that providers list, by provider name, with the `updated_at` of the provider."""

GUESS = 1.5
"""A model's context window excludes a request only where the estimate exceeds it by this factor, because the estimate is rough.
The alias's own limit is exact."""
MOST_OUTPUT = 393_216
"""Taken for models of which neither the longest answer nor the context window is known: no known model gives more tokens."""
MAX_MODELS = 2000
_NEEDED = frozenset({"tools", "vision", "json", "schema"})
_LABELS = {"tools": "tools", "vision": "images", "json": "JSON answers", "schema": "a JSON schema for its answer"}

_FIELDS = {"tools": "tools", "json": "response_format", "schema": "response_format"}
"""The field that asks for a feature, for the error; a picture may stand anywhere."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of one model: its context window and longest answer in tokens, and the features it lacks.

    `by_table`: the context is not from the provider's list but from the facts of models; `only_by_table`: nothing else is known.
    """

    context_tokens: int | None = None
    lacks: frozenset[str] = frozenset()
    max_output: int | None = None
    by_table: bool = False
    only_by_table: bool = False


_NOTHING = ModelFacts()


class Capabilities:
    """The facts of models, from the lists of their providers."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered
        self._facts: dict[str, tuple[object, ModelFacts]] = {}

    def unfit(self, call: Call, route: Route) -> dict[str, GatewayError]:
        """Why some of the route's targets cannot serve the call, by target name; empty for nearly all calls."""
        limit = route.alias.max_context_tokens if route.alias else None
        if limit is not None and call.tokens_at(route.all_targets) > limit:
            why = f"the request has about {call.input_tokens:,} tokens, and the model {route.name!r} takes {limit:,}"
            return {target.name: _too_long(why) for target in route.targets}
        # What a table says can only prefer one target to another. Alone, a target gets every request, and none is measured.
        if len(route.targets) == 1 and self._of(route.targets[0]).only_by_table:
            return {}
        found: dict[str, GatewayError] = {}
        by_table: list[str] = []
        for target in route.targets:
            facts = self._of(target)
            if facts is _NOTHING:
                continue
            if (reason := _why_not(call, facts, route)) is not None:
                found[target.name] = reason
                if facts.by_table and reason.code == "context_length_exceeded":
                    by_table.append(target.name)
        # A table can be older than the model, or not know a header that widens the context (Anthropic's `context-1m`): where no
        # other target is left, the vendor decides.
        if by_table and all(target.name in found for target in route.targets):
            for name in by_table:
                found.pop(name, None)
        return found

    def most_output(self, target: BoundTarget) -> int:
        """The most tokens that one answer of the target's model can have."""
        facts = self._of(target)
        return facts.max_output or facts.context_tokens or MOST_OUTPUT

    def forget(self) -> None:
        """A provider was changed: read the facts again."""
        self._facts.clear()

    def _of(self, target: BoundTarget) -> ModelFacts:
        """The facts of a target; read again when its provider's list was read again."""
        source = self._offered.get(target.bound.name)
        kept = self._facts.get(target.name)
        # By identity: a list that was read again is another object, and comparing lists would cost more than it saves.
        if kept is not None and kept[0] is source:
            return kept[1]
        # Emptied whole: clients can invent names through `*` targets, and facts are cheap to find again.
        if len(self._facts) >= MAX_MODELS:
            self._facts.clear()
        facts = _facts(target, source[1] if source else [])
        self._facts[target.name] = (source, facts)
        return facts


def _facts(target: BoundTarget, offered: list[OfferedModel]) -> ModelFacts:
    model = next((one for one in offered if one.id == target.model), None)
    lacks: set[str] = set(FEATURES - target.bound.kind.features)
    if model is not None:
        # Providers list schema support; plain JSON can be requested of any model by its prompt.
        lacks |= {"schema" if feature == "json" else feature for feature in model.lacks}
    listed = model.context_tokens if model else None
    table = facts_of(target.model, target.bound.provider.kind)
    context, most = listed or table.context, (model.max_output_tokens if model else None) or table.max_output
    needed, by_table = frozenset(lacks & _NEEDED), listed is None and context is not None
    facts = ModelFacts(context, needed, most, by_table, only_by_table=(by_table or listed is None) and not needed)
    return _NOTHING if facts == _NOTHING else facts


def _why_not(call: Call, facts: ModelFacts, route: Route) -> GatewayError | None:
    size = facts.context_tokens
    if size is not None and not _is_short(call, size * GUESS) and call.tokens_at(route.all_targets) > size * GUESS:
        return _too_long(f"the request has about {call.input_tokens:,} tokens, and the model takes {size:,}")
    # Only then: `needs` reads the whole request, which passthrough otherwise does without.
    if facts.lacks:
        for need in needs(call):
            if need in facts.lacks:
                return BadRequest(f"the model does not take {_LABELS[need]}", code="unsupported_parameter", param=_FIELDS.get(need))
    return None


def _is_short(call: Call, tokens: float) -> bool:
    """Whether the text that was received is too short for so many tokens: a byte is never estimated as more than one."""
    return call.received is not None and len(call.received[0]) <= tokens


def _too_long(why: str) -> BadRequest:
    return BadRequest(why, code="context_length_exceeded", param="messages")


def needs(call: Call) -> Iterator[str]:
    """The features a request needs: `tools`, `json`, `schema`, `vision`. Nothing where it cannot be read."""
    try:
        request = call.neutral
    except GatewayError:
        # A target of the client's own dialect may take what our reader cannot: passthrough is not refused for that.
        return
    # A vendor's own tool is left out and named where the target has none like it.
    if any(tool.kind != "hosted" for tool in request.tools):
        yield "tools"
    if request.output is not None and request.output.kind != "text":
        yield "json"
        if request.output.kind == "schema":
            yield "schema"
    if _has_images(request):
        yield "vision"


def _has_images(request: ChatRequest) -> bool:
    for message in request.messages:
        for part in message.parts:
            # Tools return screenshots: a model without vision fails on those as well.
            inner = part.parts if isinstance(part, ToolResult) else (part,)
            if any(isinstance(one, Media) and one.kind == "image" for one in inner):
                return True
    return False
