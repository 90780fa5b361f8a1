"""Prepares a chat request for one target, and relays its answer: passthrough or translated.

Passthrough: the client's dialect is among the provider's. The body is sent with the model replaced, frames are
relayed as bytes, and the reader only watches. Translated: body and frames are read in one dialect and written in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol

import orjson

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest, Json, RedactedThinking, Thinking, with_messages
from conduit_desktop.core.errors import BadRequest, UpstreamError
from conduit_desktop.core.events import Event, Finished, UsageReported, last_usage
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import contains_credential
from conduit_desktop.gateway.routing.affinity import session_of
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningRecorder, ReasoningStore, Recipient
from conduit_desktop.gateway.upstream.spelling import spelled
from conduit_desktop.providers import CLAUDE, ProviderKind, Secrets
from conduit_desktop.providers.claude import without_thoughts
from conduit_desktop.providers.image_limits import check_images
from conduit_desktop.providers.model_facts import ModelFacts, facts_of, family_facts
from conduit_desktop.wire import Dialect, ReframingWriter, StreamWriter, dialect
from conduit_desktop.wire.allowed_tools import with_allowed_tools
from conduit_desktop.wire.anthropic.billing_line import without_billing_line
from conduit_desktop.wire.client_tools import as_functions
from conduit_desktop.wire.custom_tools import CustomCalls, without_custom_tools
from conduit_desktop.wire.errors.in_stream import holds_error, is_json, is_recognised
from conduit_desktop.wire.expressed import BILLING_LINE, expressed
from conduit_desktop.wire.framing import splitter_of, sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.hosted_search import with_search_tool
from conduit_desktop.wire.openai_chat.fields import has_functions, with_tools
from conduit_desktop.wire.openai_chat.reasoning import give_back
from conduit_desktop.wire.tool_names import Names, with_fitting_names, with_own_names, without_repeated_tools
from conduit_desktop.wire.turns import TurnRules, is_usual, normalised, obeys


class Relay(Protocol):
    """Turns the target's stream into the client's."""

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        """The client's bytes for the upstream's `data` and its `events`; `faulty`: an error or an unreadable frame follows.

        `unread`: as many frames at the end of `data` the reader refused or never read, and the client gets none of them.
        """
        ...

    def end(self, missing: bytes = b"") -> bytes:
        """The last bytes of a complete answer; `missing` is the terminal frame that the target left out."""
        ...

    def raw_error(self, secrets: Secrets) -> bytes:
        """The target's own error frame, unchanged, where the client's SDK reads it as an error; else nothing.

        A frame that quotes a credential is not relayed.
        """
        ...


class PassthroughRelay:
    """Relays whole frames unchanged; an incomplete frame waits for its rest, so a broken one never reaches the client.

    With `hide_usage`, frames that hold only usage are left out: the gateway requested them, the client did not. `watch` keeps
    the reasoning that the vendor wants returned.
    """

    __slots__ = ("_buffer", "_hide_usage", "_splitter", "_unfit", "_upstream", "_watch")

    def __init__(self, upstream: Dialect, hide_usage: bool, watch: ReasoningRecorder | None = None) -> None:
        self._watch = watch
        self._upstream = upstream
        self._splitter = splitter_of(upstream.content_type)
        self._hide_usage = hide_usage
        self._buffer = b""
        self._unfit: Frame | None = None

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        if self._watch is not None:
            self._watch.see(events)
        buffer = self._buffer + data if self._buffer else data
        end = self._splitter.last_end(buffer)
        whole, self._buffer = buffer[:end], buffer[end:]
        if faulty:
            # At the end of the stream, only the frame end of an error may be missing.
            fit, self._unfit = _until_unfit(self._splitter.split(whole if data else buffer + self._splitter.end), unread)
            return b"".join(fit) if data else b""
        # Frames are split only where usage has come: all other bytes are passed on without being parsed a second time.
        if self._hide_usage and UsageReported in map(type, events):
            is_usage_only = self._upstream.is_usage_only
            return b"".join(frame.raw for frame in self._splitter.split(whole) if not is_usage_only(frame.data))
        return whole

    def end(self, missing: bytes = b"") -> bytes:
        rest, self._buffer = self._buffer, b""
        if rest.strip() and (missing or self._hide_usage):
            # The last frame lacks its end, without which a frame after it would become a part of it.
            rest += self._splitter.end
            if self._hide_usage and any(self._upstream.is_usage_only(frame.data) for frame in self._splitter.split(rest)):
                rest = b""
        return rest + missing

    def raw_error(self, secrets: Secrets) -> bytes:
        frame = self._unfit
        return (
            frame.raw
            if frame is not None and is_recognised(frame, self._upstream.name) and not contains_credential(frame.raw, secrets)
            else b""
        )


class TranslatedRelay:
    """Writes the events in the client's dialect; `watch` keeps the reasoning that it cannot express.

    `names`: the client's own names of the tools that the target was sent other names of; `customs`: those of its custom tools,
    in place of which the target was sent functions.
    """

    __slots__ = ("_customs", "_names", "_watch", "_writer")

    def __init__(
        self, writer: StreamWriter, watch: ReasoningRecorder | None = None, names: Names | None = None,
        customs: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self._writer = writer
        self._watch = watch
        self._names = names
        self._customs = CustomCalls(customs) if customs else None

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        if self._watch is not None:
            self._watch.see(events)
        if self._names:
            events = with_own_names(events, self._names)
        if self._customs is not None:
            events = self._customs.restored(events)
        write = self._writer.write
        return b"".join([write(event) for event in events])

    def end(self, missing: bytes = b"") -> bytes:
        return self._writer.end()

    def raw_error(self, secrets: Secrets) -> bytes:
        return b""


class ReframedRelay:
    """Relays the same frames in another framing of the dialect: Gemini streams as one JSON array without `alt=sse`."""

    __slots__ = ("_passthrough", "_writer")

    def __init__(self, passthrough: PassthroughRelay, writer: ReframingWriter) -> None:
        self._passthrough = passthrough
        self._writer = writer

    def feed(self, data: bytes, events: list[Event], faulty: bool, unread: int = 0) -> bytes:
        return self._reframed(self._passthrough.feed(data, events, faulty, unread))

    def _reframed(self, data: bytes) -> bytes:
        return b"".join([self._writer.frame(frame.data) for frame in sse.SseSplitter.split(data) if frame.data])

    def end(self, missing: bytes = b"") -> bytes:
        rest = self._passthrough.end()
        # The last frame may lack its end, without which the splitter would not return it.
        return (self._reframed(rest + b"\n\n") if rest.strip() else b"") + self._writer.close()

    def raw_error(self, secrets: Secrets) -> bytes:
        framed = self._reframed(self._passthrough.raw_error(secrets))
        return framed + self._writer.close() if framed else b""


def _until_unfit(frames: Sequence[Frame], unread: int) -> tuple[list[bytes], Frame | None]:
    """The frames before the first that the reader refused, that is an error, or that is not JSON, and that one.

    Only the reader knows some faults (OpenRouter's finish reason `error`); the success marker may stand right behind one.
    """
    fit: list[bytes] = []
    for at, frame in enumerate(frames):
        if len(frames) - at <= unread or holds_error(frame) or not is_json(frame):
            return fit, frame
        fit.append(frame.raw)
    return fit, None


_CONVERSATIONS = {"openai_responses": "input", "gemini": "contents", "gemini_array": "contents"}
"""By dialect, the field of a request that holds the conversation, where it is not `messages`."""
_OBJECTS = ("container", "conversation", "prompt")
"""Fields that name an object which only the provider that made it has."""
_FOREIGN = "thoughts and sources of other providers"


@dataclass(slots=True)
class PreparedRequest:
    """One request prepared for one target. `upstream` is the target's dialect, `passthrough` whether it is the client's own."""

    call: Call
    upstream: Dialect
    passthrough: bool
    body: bytes
    dropped: list[str] = field(default_factory=list)
    watch: ReasoningRecorder | None = None
    collected: bool = False
    """The client gets a whole answer, and the target is asked for a stream: it refuses to answer whole."""
    names: Names = field(default_factory=dict)
    """The client's own names of the tools that the target was sent other names of."""
    asked_whole: bool = False
    """The client gets a stream, and the target is asked for a whole answer: it refuses to stream this one."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that the translated body needs."""
    customs: frozenset[str] = frozenset()
    """The names of the client's custom tools where the target may have been sent functions in their place."""

    @property
    def streams(self) -> bool:
        """Whether the target is asked for a stream."""
        return (self.call.stream or self.collected) and not self.asked_whole

    @property
    def relays_answer(self) -> bool:
        """Whether the answer goes to the client as it comes: in the client's own dialect, with the client's names of its tools."""
        return self.passthrough and not self.names and not self.customs

    def relay(self, writer: StreamWriter) -> Relay:
        """The relay of the target's stream; `writer` is that of the client's dialect, for translated streams."""
        if self.relays_answer:
            # OpenAI's SDKs, aider, LangChain and the AI SDK do not ask for usage in streams: the gateway does, to know the cost.
            passthrough = PassthroughRelay(self.upstream, not self.upstream.asks_for_usage(self.call.body), self.watch)
            return ReframedRelay(passthrough, writer) if isinstance(writer, ReframingWriter) else passthrough
        return self.translated(writer)

    def translated(self, writer: StreamWriter) -> TranslatedRelay:
        """The relay that writes the target's events, whatever its dialect."""
        return TranslatedRelay(writer, self.watch, self.names, self.customs)

    def failed_answer(self, events: list[Event]) -> UpstreamError | None:
        """The error of a translated answer that the model failed to make; it is taken out of `events` with what follows.

        In passthrough the client knows its vendor's own reasons, and gets the answer as it is.
        """
        if self.passthrough:
            return None
        if Finished not in map(type, events):
            return None
        for at, event in enumerate(events):
            if type(event) is Finished and event.reason == "error":
                usage = last_usage(events)
                del events[at:]
                detail = f": {event.detail}" if event.detail else ""
                failure = UpstreamError(f"the model's answer failed ({event.raw or 'error'}){detail}", status=502, reason="server")
                # A reason of its own is the model's, which another request need not meet; a bare one may be the server's.
                failure.target_answered = (event.raw or "error").lower() != "error"
                failure.usage = usage
                return failure
        return None

    def write_answer(self, events: list[Event], body: bytes) -> bytes:
        """The whole answer in the client's dialect."""
        if self.watch is not None:
            self.watch.see(events)
        # A collected stream has no body to pass through.
        if self.relays_answer and not self.collected and body:
            return body
        if self.names:
            events = with_own_names(events, self.names)
        if self.customs:
            events = CustomCalls(self.customs).restored(events)
        return orjson.dumps(self.call.dialect.write_response(collect(events), self.call.neutral))

    def relayed_headers(self, target: BoundTarget) -> dict[str, str]:
        """The client's headers that are sent on: in passthrough, those that the provider kind lists; else those of the body."""
        # Only in passthrough: one vendor's beta header would change, or fail, a request that was translated for another.
        if not self.passthrough:
            return self.headers
        names = _relayed_names(target.bound.kind.relayed_headers)
        named = [(lower, value) for name, value in self.call.headers.items() if (lower := names[name])]
        relayed = dict(named)
        if len(relayed) == len(named) and "".join(relayed.values()).isascii():
            return relayed
        relayed = {}
        for lower, value in named:
            # aiohttp decodes bytes that are no text as surrogates, which it could not write again.
            if value.isascii() or _is_text(value):
                # A list header may be sent in several parts: `anthropic-beta` twice.
                relayed[lower] = f"{relayed[lower]}, {value}" if lower in relayed else value
        return relayed


_NEVER_RELAYED = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-", "x-conduit-", "connection", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade", "host", "content-", "accept-encoding", "expect", "forwarded", "x-forwarded-",
)  # fmt: skip
"""Credentials, cookies, what belongs to one connection, and the gateway's own headers, whatever a kind lists."""


class _RelayedNames(dict[str, str]):
    """Headers' names in lower case where the header is relayed, else empty, by the name as it came.

    Kept, because a request has a dozen headers and the same names as the one before.
    """

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self._prefixes = prefixes

    def __missing__(self, name: str) -> str:
        # Clients choose the names.
        if len(self) >= 1000:
            self.clear()
        lower = name.lower()
        found = self[name] = lower if lower.startswith(self._prefixes) and not lower.startswith(_NEVER_RELAYED) else ""
        return found


@lru_cache(maxsize=64)
def _relayed_names(prefixes: tuple[str, ...]) -> _RelayedNames:
    return _RelayedNames(prefixes)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


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
        _override(upstream, body, overrides)
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


def _override(upstream: Dialect, body: dict[str, Json], overrides: Mapping[str, Json]) -> None:
    """Set or remove the alias's fields, in the dialect's own way where it has one."""
    override = getattr(upstream, "override", None)
    for name, value in overrides.items():
        if upstream.name == "openai_chat" and name in _SAME_LIMIT:
            body.pop(_SAME_LIMIT[name], None)
        if override is not None:
            override(body, name, value)
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


def _written(call: Call, body: dict[str, Json], passthrough: bool) -> bytes:
    # A body that took the place of the one received (a conversation put back into it) has no text of its own.
    if passthrough and call.received is not None and call.received[1] is call.body:
        return spelled(call.received[0], call.body, body)
    return orjson.dumps(body)


def _fitted(request: ChatRequest, rules: TurnRules, upstream: str) -> tuple[ChatRequest, Names, list[str]]:
    """`request` of another dialect with turns and tools as the target takes them, the names to put back, and what was lost."""
    if not request.tools and request.tool_choice is None and is_usual(request.messages, rules):
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
