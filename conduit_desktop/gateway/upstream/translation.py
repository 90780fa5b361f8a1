"""Prepares a chat request for one target: passthrough or translated.

Passthrough: the client's dialect is among the provider's. The body is sent with the model replaced, frames are
relayed as bytes, and the reader only watches. Translated: body and frames are read in one dialect and written in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, RedactedThinking, Thinking, with_messages
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.affinity import session_of
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningRecorder, ReasoningStore, Recipient
from conduit_desktop.gateway.upstream.spelling import spelled
from conduit_desktop.providers import CLAUDE, ProviderKind
from conduit_desktop.providers.claude import without_thoughts
from conduit_desktop.providers.image_limits import check_images
from conduit_desktop.providers.model_facts import ModelFacts, facts_of, family_facts
from conduit_desktop.wire import Dialect, dialect, sliced_json
from conduit_desktop.wire.allowed_tools import with_allowed_tools
from conduit_desktop.wire.anthropic.billing_line import without_billing_line
from conduit_desktop.wire.client_tools import as_functions
from conduit_desktop.wire.custom_tools import without_custom_tools
from conduit_desktop.wire.expressed import BILLING_LINE, expressed
from conduit_desktop.wire.hosted_search import with_search_tool
from conduit_desktop.wire.openai_chat.fields import has_functions, with_tools
from conduit_desktop.wire.openai_chat.reasoning import give_back
from conduit_desktop.wire.tool_names import Names, with_fitting_names, without_repeated_tools
from conduit_desktop.wire.turn_rules import TurnRules
from conduit_desktop.wire.turns import is_orderly, normalised, obeys

_CONVERSATIONS = {"openai_responses": "input", "gemini": "contents", "gemini_array": "contents"}
"""By dialect, the field of a request that holds the conversation, where it is not `messages`."""
_OBJECTS = ("container", "conversation", "prompt")
"""Fields that name an object which only the provider that made it has."""
_FOREIGN = "thoughts and sources of other providers"


def prepare(
    call: Call, target: BoundTarget, overrides: Mapping[str, Json], reasoning: ReasoningStore, written_for: str | None = None
) -> PreparedRequest:
    """Prepare the body for a target; raises BadRequest where the request cannot be read.

    `overrides` are an alias's fields: they stand for the client's own, and the vendor's rules hold for them just as for those.
    `reasoning` holds that of earlier answers, for the vendors that want it returned. `written_for`: the model that the client can
    know of, the first of the alias; None: this one.
    """
    kind = target.bound.kind
    if (
        _goes_unchanged(kind, target.model, call.model, call.dialect.name, written_for)
        and not overrides
        and call.untranslatable is None
        and kind.passes(call.dialect.name, call.body)
        and (call.stream or not kind.whole_needs_stream(target.model, call.body, call.dialect.name))
    ):
        return _unchanged(call, target, kind)
    other_model = _is_other_model(kind, target.model, call.model, call.dialect.name, written_for)
    passthrough = _is_passed_through(call, kind, kind.dialects_for(target.model))
    if passthrough and other_model:
        passthrough = _takes(call, kind, target.model)
    if passthrough and call.dialect.name == "openai_responses" and "compact" not in kind.endpoints:
        passthrough = not _asks_to_compact(call)
    if passthrough and "functions" in call.body and call.dialect.name == "openai_chat" and "openai_chat" in kind.borrowed:
        # Others than OpenAI ignore the form before tools, and answer without having seen a function.
        passthrough = not _has_functions(call)
    if passthrough and call.untranslatable is not None and not kind.holds_objects and call.untranslatable.param in _OBJECTS:
        raise call.untranslatable  # the vendor would answer as if the object were not there
    draft = _passed_through(call, target, reasoning, other_model) if passthrough else _translated(call, target, reasoning)
    upstream, body, dropped = draft.upstream, draft.body, draft.dropped
    if overrides:
        override(upstream, body, overrides)
    # After both branches: a vendor's limits hold for the client's own body just as for a translated one.
    adapted = kind.adapt(target.model, body, upstream.name, not passthrough)
    if passthrough and (other_model or overrides) and upstream.name not in kind.borrowed:
        # The client knows the limits of the model it wrote for, and the vendor's other models have others.
        adapted = [*adapted, *kind.adapt_to_model(target.model, body, upstream.name)]
    if adapted or dropped:
        dropped = list(dict.fromkeys([*dropped, *adapted]))
    collected = not call.stream and kind.whole_needs_stream(target.model, body, upstream.name)
    if collected:
        _ = call.neutral  # the answer is written for it: where it cannot be read, that is to be known before it is paid for
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    made = PreparedRequest(
        call, upstream, passthrough, _written(call, body, passthrough), dropped, draft.watch, collected, draft.names
    )
    made.customs = draft.customs
    if not passthrough:
        made.asked_whole = call.stream and kind.stream_needs_whole(target.model, body, upstream.name)
        made.headers = kind.added_headers(body)
    return made


@lru_cache(maxsize=1024)
def _goes_unchanged(kind: ProviderKind, model: str, requested: str, dialect: str, written_for: str | None) -> bool:
    """Whether a chat in OpenAI's dialect is sent on with nothing but its model changed, whatever is in it."""
    if dialect != "openai_chat" or dialect in kind.borrowed or not kind.supports(dialect):
        return False
    if _is_other_model(kind, model, requested, dialect, written_for) or kind.turn_rules(model, dialect).in_passthrough:
        return False
    return dialect in kind.dialects_for(model)


def _unchanged(call: Call, target: BoundTarget, kind: ProviderKind) -> PreparedRequest:
    """The client's own body with the target's model."""
    upstream, received = call.dialect, call.body
    body = upstream.passthrough_request(received, kind.upstream_model(target.model))
    dropped = _left_out(upstream.name, received, body)
    # The vendor's limits hold for the client's own body, too.
    if adapted := kind.adapt(target.model, body, upstream.name, False):
        dropped = list(dict.fromkeys([*dropped, *adapted]))
    return PreparedRequest(call, upstream, True, _written(call, body, True), dropped)


def _is_other_model(kind: ProviderKind, model: str, requested: str, dialect: str, written_for: str | None) -> bool:
    """Whether the client wrote for another model than `model`: the alias's first, or one with other limits that it named."""
    if written_for is not None and written_for != model:
        return True
    if requested == model or dialect in kind.borrowed:
        return False
    return _names_another(requested, model, kind.kind) and any(rule.of_model for rule in kind.rules)


@lru_cache(maxsize=4096)
def _names_another(requested: str, model: str, vendor: str) -> bool:
    """Whether the requested name is that of another model with other limits: an alias `claude-opus-4-8` of a Haiku.

    The client wrote for the model whose name it used. Both must be known: an operator's own name says nothing.
    """
    asked, answering = family_facts(requested, vendor), family_facts(model, vendor)
    return bool(asked and answering and asked != answering)


@dataclass(slots=True)
class _Draft:
    """A body before the vendor's rules and the alias's overrides."""

    upstream: Dialect
    body: dict[str, Json]
    names: Names
    dropped: list[str]
    watch: ReasoningRecorder | None
    customs: frozenset[str] = frozenset()


def _passed_through(call: Call, target: BoundTarget, reasoning: ReasoningStore, other_model: bool) -> _Draft:
    """The client's own body, but for the model and for what another provider signed.

    `other_model`: the client wrote for another model, whose conversations may hold what this one refuses.
    """
    kind, upstream = target.bound.kind, call.dialect
    watch: ReasoningRecorder | None = None
    received: dict[str, Json] = call.body
    names: Names = {}
    customs = _NONE
    lost: list[str] = []
    rules = kind.turn_rules(target.model, upstream.name)
    if other_model and upstream.name == "anthropic_messages" and not rules.in_passthrough:
        rules = _rules_of_older_claude(rules, facts_of(target.model, kind.kind))
    if rules.in_passthrough or upstream.name in kind.borrowed:
        received, names, customs, lost = _in_order(call, kind, rules, target.model)
    if upstream.name == "anthropic_messages":
        if call.trimmed and _binds_thoughts(kind, target.model):
            received = without_thoughts(received)
        # To Anthropic itself everything goes as it came.
        if kind.kind != "anthropic":
            with_line, received = received, without_billing_line(received)
            lost = [*lost, BILLING_LINE] if received is not with_line else lost
    body = upstream.passthrough_request(received, kind.upstream_model(target.model))
    to = _recipient(call, target, upstream.name) if _is_followed(target, upstream.name) else None
    if to is not None:
        body = reasoning.own_only(to, body)
        watch = reasoning.watch(to)
    dropped = lost + _left_out(upstream.name, received, body)
    if to is not None:
        body = reasoning.healed(to, body)
    return _Draft(upstream, body, names, dropped, watch, customs)


def _translated(call: Call, target: BoundTarget, reasoning: ReasoningStore) -> _Draft:
    """The request in the best of the target's dialects; raises BadRequest."""
    if call.untranslatable is not None:
        raise call.untranslatable
    kind = target.bound.kind
    request, left_out = expressed(as_functions(call.neutral))
    if (limits := kind.image_limits(target.model)) is not None:
        check_images(request, limits, kind.label, _CONVERSATIONS.get(call.dialect.name, "messages"))
    request = kind.with_effort(target.model, with_search_tool(request))
    # The Responses API's writer does it by the request; the writer of chats gets the calls as their client made the tools.
    in_chat = call.dialect.name == "openai_chat"
    customs = frozenset(tool.name for tool in request.tools if in_chat and tool.kind == "custom")
    upstream = dialect(kind.dialect_for(target.model, request))
    request, names, lost = _fitted(request, kind.turn_rules(target.model, upstream.name), upstream.name)
    # After the turns are joined: calls of one answer that came apart would each get the thoughts before them.
    to = _recipient(call, target, upstream.name)
    watch = reasoning.watch(to)
    if call.trimmed and to.origin == CLAUDE and _binds_thoughts(kind, target.model):
        request = _without_thoughts(request)
    else:
        request = reasoning.restored(to, request)
    if upstream.name == "openai_chat":
        request = with_tools(request) if upstream.name in kind.borrowed else request
        request = give_back(request, kind.returned_reasoning(target.model, upstream.name), "claude" in target.model)
    outgoing = upstream.write_request(request, kind.upstream_model(target.model))
    if upstream.name in kind.cache_keys:
        _set_cache_key(call, outgoing.body)
    return _Draft(upstream, outgoing.body, names, [*left_out, *lost, *outgoing.dropped], watch, customs)


def _rules_of_older_claude(rules: TurnRules, facts: ModelFacts) -> TurnRules:
    """For a conversation written for another Claude: no role `system` within the messages before 4.8, no begun answer from 4.6 on.

    All else Anthropic takes as it comes, turns of one role in a row included.
    """
    if facts.system_in_messages is not False and rules.assistant_last:
        return rules
    system = rules.system if facts.system_in_messages is False else "anywhere"
    return replace(rules, system=system, late_system="user", alternate=False, in_passthrough=True)


def _asks_to_compact(call: Call) -> bool:
    """Whether the request ends in the item that asks for a compaction: vendors that only borrow the API do not know it."""
    # Imported late: a dialect is loaded at its first request.
    from conduit_desktop.wire.openai_responses.compaction import is_triggered

    return is_triggered(call.body)


def _has_functions(call: Call) -> bool:
    """Whether the request has its tools in the form before tools. What the gateway cannot read is the vendor's to judge."""
    try:
        return call.untranslatable is None and has_functions(call.neutral)
    except BadRequest:
        return False


def _binds_thoughts(kind: ProviderKind, model: str) -> bool:
    """Whether the model refuses its thoughts in a conversation whose beginning was trimmed away."""
    return bool(facts_of(model, kind.kind).binds_thoughts)


def _without_thoughts(request: ChatRequest) -> ChatRequest:
    messages = [
        replace(message, parts=[part for part in message.parts if not isinstance(part, Thinking | RedactedThinking)])
        for message in request.messages
    ]
    return with_messages(request, messages)


def _takes(call: Call, kind: ProviderKind, model: str) -> bool:
    """Whether another model than the client wrote for takes what the request uses, in the client's dialect."""
    if call.untranslatable is not None:
        return True
    try:
        return kind.takes(model, call.neutral, call.dialect.name)
    except BadRequest:
        return True  # what the gateway cannot read is the vendor's to judge


_SAME_LIMIT = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
"""OpenAI's two names of one parameter: a request that has both is refused."""


def _is_passed_through(call: Call, kind: ProviderKind, dialects: tuple[str, ...]) -> bool:
    """Whether the call goes to a model of `dialects` in the client's own dialect."""
    name = call.dialect.name
    # OpenAI serves some models by the Responses API alone: what the provider speaks, a model need not.
    if not (kind.supports(name) and (dialects is kind.dialects or name in dialects)):
        return False
    # State that the vendor keeps under its own ids can be followed in its own dialect alone.
    return call.untranslatable is not None or kind.passes(name, call.body)


def override(upstream: Dialect, body: dict[str, Json], overrides: Mapping[str, Json]) -> None:
    """Set, or remove where the value is None, fields of a body, in the dialect's own way where it has one."""
    own = getattr(upstream, "override", None)
    for name, value in overrides.items():
        if upstream.name == "openai_chat" and name in _SAME_LIMIT:
            body.pop(_SAME_LIMIT[name], None)
        if own is not None:
            own(body, name, value)
        elif value is None:
            body.pop(name, None)
        else:
            body[name] = value


def _set_cache_key(call: Call, body: dict[str, Json]) -> None:
    """Name the session, so that the vendor sends its requests to the server whose prompt cache knows them."""
    session = session_of(call.headers, call.body)
    if session is None or "prompt_cache_key" in body:
        return
    # A digest: what names a session may also name a person, and the field takes 64 characters.
    scope = "\0".join((call.credential or call.client_ip, session))
    body["prompt_cache_key"] = blake2b(scope.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _written(call: Call, body: dict[str, Json], passthrough: bool) -> bytes | bytearray:
    # A body that took the place of the one received (a conversation put back into it) has no text of its own.
    if passthrough and call.received is not None and call.received[1] is call.body:
        survey = call.survey
        return spelled(call.received[0], call.body, body, survey is None or survey.has_float)
    if call.is_heavy:
        return sliced_json.run(sliced_json.write(body))
    return orjson.dumps(body)


def _fitted(request: ChatRequest, rules: TurnRules, upstream: str) -> tuple[ChatRequest, Names, list[str]]:
    """`request` of another dialect with turns and tools as the target takes them, the names to put back, and what was lost."""
    if not request.tools and request.tool_choice is None and is_orderly(request.messages, rules, with_tools=False):
        return request, {}, []
    request = with_allowed_tools(request)
    tools, lost = without_repeated_tools(request.tools)
    if tools is not request.tools:
        request = replace(request, tools=tools)
    if request.source_form.get("tools") == "functions" and request.parallel_tool_calls is None:
        request = replace(request, parallel_tool_calls=False)  # the client's form of an answer has one call
    request, names = with_fitting_names(request, rules.names)
    request, lost_turns = normalised(request, rules, upstream)
    return request, names, lost + lost_turns


def _in_order(
    call: Call, kind: ProviderKind, rules: TurnRules, model: str
) -> tuple[dict[str, Json], Names, frozenset[str], list[str]]:
    """The body for passthrough, the names and the custom tools to put back, and what was lost: the client's own body, unless this
    vendor would refuse its turns, its custom tools or the names of its tools.

    The owner of the dialect accepts more than a vendor that borrows it, and only such a vendor's rules are applied here.
    """
    long_names = call.dialect.name in kind.borrowed and not all(rules.names.fits(name) for name in _tool_names(call.body))
    # OpenAI alone has custom tools: xAI, Mistral, DeepSeek and others refuse the type.
    customs = _custom_tools(call.body) if call.dialect.name == "openai_chat" and call.dialect.name in kind.borrowed else _NONE
    if not (rules.in_passthrough or long_names or customs) or call.untranslatable is not None:
        return call.body, {}, _NONE, []
    try:
        request = call.neutral
    except BadRequest:
        return call.body, {}, _NONE, []  # what the gateway cannot read is the vendor's to judge
    in_order = not rules.in_passthrough or obeys(request.messages, rules)
    request, names = with_fitting_names(request, rules.names)
    if in_order and not names and not customs:
        return call.body, {}, _NONE, []
    lost: list[str] = []
    if customs:
        request, lost = without_custom_tools(request), ["tools.custom"]
    if not in_order:
        request, lost_turns = normalised(request, rules, call.dialect.name)
        lost += lost_turns
        # The notes on messages are by their places, which have changed.
        source_form = {path: form for path, form in request.source_form.items() if not path.startswith("messages")}
        if request.messages and request.messages[0].role == "system" and call.dialect.name == "anthropic_messages":
            source_form["system"] = "top"
        request = replace(request, source_form=source_form)
    return call.dialect.write_request(request, model).body, names, customs, lost


_NONE: frozenset[str] = frozenset()


def _custom_tools(body: Mapping[str, Json]) -> frozenset[str]:
    """The names of the custom tools in a body of OpenAI's chat dialect."""
    tools = body.get("tools")
    customs = [tool.get("custom") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else ()
    return frozenset(name for one in customs if isinstance(one, dict) and isinstance(name := one.get("name"), str))


def _tool_names(body: Mapping[str, Json]) -> list[str]:
    """The names of the functions in a body of OpenAI's chat dialect, where they are below `function`; none in other bodies."""
    tools = body.get("tools")
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return [name for function in functions if isinstance(function, dict) and isinstance(name := function.get("name"), str)]


def _recipient(call: Call, target: BoundTarget, name: str) -> Recipient:
    kind = target.bound.kind
    # The scope keeps callers apart: those without a key differ in their address alone.
    scope = call.credential or ("operator" if call.operator else f"anonymous {call.client_ip}")
    origin = kind.reasoning_origin(target.model, name)
    wanted = kind.returned_reasoning(target.model, name) is not None
    fit = kind.turn_rules(target.model, name).ids.fit
    return Recipient(scope, origin, name, wanted, origin == CLAUDE or name == "openai_responses", fit)


def _is_followed(target: BoundTarget, name: str) -> bool:
    """Whether passthrough in the dialect has to do with reasoning: where the vendor wants it back, or refuses another's."""
    kind = target.bound.kind
    if name == "openai_chat":
        return name in kind.borrowed and kind.returned_reasoning(target.model, name) is not None
    return name in ("anthropic_messages", "openai_responses")


def _left_out(dialect: str, received: Mapping[str, Json], sent: Mapping[str, Json]) -> list[str]:
    """What passthrough dropped: it changes a conversation only to remove content of other providers that this one refuses."""
    name = _CONVERSATIONS.get(dialect, "messages")
    lost = [_FOREIGN] if sent.get(name) is not received.get(name) else []
    return [*lost, "thinking"] if "thinking" in received and "thinking" not in sent else lost
