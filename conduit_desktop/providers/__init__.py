"""Who is called: the kinds of providers, each with its addresses, authentication, dialects and quirks.

A kind does no I/O: it prepares requests (`OutboundRequest`) that the gateway sends, and reads lists of models. Requests and
responses are the business of a dialect (`conduit_desktop.wire`). Quirks are data on the class. An OpenAI-compatible vendor is a
row in `vendors.py` or `local.py`; every kind has a line in `catalog.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.providers.address import in_own_network
from conduit_desktop.providers.image_limits import ImageLimits
from conduit_desktop.providers.model_facts import facts_of
from conduit_desktop.providers.request_rules import RequestRule, mend, mend_for_model
from conduit_desktop.wire.openai_chat.reasoning import ReasoningField
from conduit_desktop.wire.turn_rules import TurnRules, rules_of

CLAUDE = "claude"
"""The origin of Claude's reasoning, whose signatures are valid wherever Claude is served."""
Endpoint = Literal[
    "chat", "completions", "count_tokens", "embeddings", "images", "image_edits", "speech", "transcriptions",
    "translations", "moderations", "rerank", "embedding", "compact",
]  # fmt: skip
"""What a request is for. `embedding` only selects the URL for a single text, at vendors where that differs from a batch's."""
Feature = Literal["stream", "tools", "vision", "json", "usage_in_stream"]
"""What "test this provider" probes."""
FEATURES: frozenset[Feature] = frozenset({"stream", "tools", "vision", "json", "usage_in_stream"})


CLIENT_HEADERS = (
    "user-agent", "x-stainless-", "x-app", "x-client-", "originator", "session_id", "session-id", "x-session-", "conversation_id",
    "conversation-id", "thread_id", "thread-id", "x-initiator", "x-interaction-", "editor-", "http-referer", "x-title",
)  # fmt: skip
"""Prefixes of the headers by which a client names itself and its session, whatever it calls.

Coding plans admit calls by their User-Agent (api.kimi.com/coding answers 403 to others), and caches and abuse filters of vendors
go by the session: replaced, they would take every caller of the gateway for one."""


MAX_MODELS = 1000
"""Models of one provider of which something is kept."""


@dataclass(frozen=True, slots=True)
class KindField:
    """One input of the form for a provider. `name` is `api_key`, `base_url`, or a key of `Provider.options`."""

    name: str
    label: str
    required: bool = False
    secret: bool = False
    placeholder: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """A credential in plain text, never printed. `headers` are the extra ones configured for the provider."""

    api_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    came_in: str = ""
    """The header, in lower case, in which a client sent this key of its own; empty for a configured credential."""


@dataclass(slots=True, repr=False)
class OutboundRequest:
    """An HTTP request to a provider. Never printed: it carries the credential."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | bytearray = b""
    sent: bool = False
    """Whether all of its body was written to a connection; set by `Upstream.send`."""


class UpstreamResponse(Protocol):
    """A provider's HTTP response whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]

    @property
    def self_delimited(self) -> bool:
        """Whether the body marks its own end (by its length or a last chunk), so that a cut connection raises in `chunk`.

        A body that ends with the connection (HTTP/1.0) looks the same whole and cut: https://www.rfc-editor.org/rfc/rfc9112#section-8
        """
        ...

    async def chunk(self) -> bytes:
        """The next bytes as they arrive, b"" at the end; raises UpstreamError where the connection breaks."""
        ...

    async def read(self) -> bytes:
        """The rest of the body; raises UpstreamError where it is over the limit or the connection breaks."""
        ...

    def finish(self) -> None:
        """The answer is complete: keep the connection open for reuse if its body has been read to the end."""
        ...

    def abort(self) -> None:
        """Close the connection, so that the provider stops generating."""
        ...


Send = Callable[[OutboundRequest], Awaitable[UpstreamResponse]]
"""Sends one request and returns its response once the headers are there; raises UpstreamError."""


@dataclass(slots=True)
class LocalAnswer:
    """The response of a provider that runs in this process; `frames` waits before each piece as a network would."""

    status: int
    content_type: str
    frames: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


class ProviderKind:
    """One kind of provider, bound to one configured `Provider`.

    Subclasses set the class data and override the hooks for what is odd about the vendor.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    docs: ClassVar[str] = ""
    dialects: ClassVar[tuple[str, ...]] = ("openai_chat",)
    """What its chats understand, best first. A caller's request in one of them is passed through, others are translated."""
    default_base_url: ClassVar[str] = ""
    fields: ClassVar[tuple[KindField, ...]] = ()
    endpoints: ClassVar[frozenset[Endpoint]] = frozenset({"chat"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = MappingProxyType({})
    """The format (`wire.media.endpoints`) of each media endpoint whose requests are not OpenAI's."""
    passthrough_formats: ClassVar[frozenset[str]] = frozenset()
    """Names of the caller formats (`wire.media.endpoints.CallerFormat`) that need no translation here."""
    price_provider: ClassVar[str | None] = None
    """The provider's id in the price catalog; None: the catalog does not know it."""
    answers_name_price: ClassVar[bool] = True
    """The model that an answer names says which price holds, even where the requested name has another one."""
    own_server: ClassVar[bool] = False
    """Software that users run themselves: its calls cost nothing, unless its address is another's (see `is_free`)."""
    first_token_s: ClassVar[float | None] = None
    """Seconds until its first token, where neither alias nor settings say; None: the default of the settings."""
    local: ClassVar[bool] = False
    """Answers in this process, through `answer`, without network."""
    renews_credentials: ClassVar[bool] = False
    """The stored secret is exchanged for a short-lived one: `credentials` is called before each request."""
    several_steps: ClassVar[bool] = False
    """A chat takes more than one HTTP request: `open` sends them."""
    keeps_threads: ClassVar[bool] = False
    """Keeps the conversation of a message thread (`thread` in Anthropic's dialect)."""
    holds_objects: ClassVar[bool] = True
    """Whether it may hold what a request names by an id: Anthropic's containers, OpenAI's conversations and prompts."""
    features: ClassVar[frozenset[Feature]] = FEATURES
    """What its chats support; "test this provider" probes nothing else."""
    relayed_headers: ClassVar[tuple[str, ...]] = CLIENT_HEADERS
    """Prefixes, in lower case, of the caller's headers that are sent on when a request is passed through."""
    reasons: ClassVar[Mapping[str, Reason]] = MappingProxyType({})
    """Error codes in lower case that only this vendor has, or that mean something else here, and what they mean."""
    borrowed: ClassVar[frozenset[str]] = frozenset()
    """Of `dialects`, those of another vendor. A request passed through in one of them comes from a client that knows the other
    vendor's limits and not this one's, so the rules hold for it; in the vendor's own dialect it goes as it came."""
    cache_keys: ClassVar[frozenset[str]] = frozenset()
    """The dialects in which the vendor takes `prompt_cache_key`, the name of a session for its prompt cache."""
    rules: ClassVar[tuple[RequestRule, ...]] = ()
    """What the vendor refuses, and the mends, in the order of their application."""
    turns: ClassVar[Mapping[str, TurnRules]] = MappingProxyType({})
    """By dialect, what the vendor demands of a conversation, where that is more than the dialect's owner demands."""
    images: ClassVar[ImageLimits | None] = None
    """How many pictures of which size it takes."""
    default_headers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Sent where neither the caller nor the provider's configured headers set them (an API version)."""

    def __init__(self, config: Provider) -> None:
        self.config = config
        self._turn_rules: dict[tuple[str, str], TurnRules] = {}
        self.base_url = (config.base_url or self.default_base_url).rstrip("/")
        # A vendor's own address cannot be this gateway's.
        self.may_lead_back = bool(config.base_url) or self.own_server
        """Whether its address could be that of this gateway, by a mistake in the configuration."""
        self.price_region = ""
        """The region of the address, where some of the vendor's models cost more in one; empty: the general price."""
        self._in_own_network = self.local or (self.own_server and in_own_network(self.base_url))

    def is_free(self, model: str) -> bool:
        """Whether calls of `model` cost nothing: it runs in this process, or on a server in the user's own network.

        The kind alone does not say it: clouds speak the API of Ollama and of vLLM, too. A server of a general kind may be a
        gateway that pays for what it answers, so its cost is unknown until the operator sets a price. Override where models differ.
        """
        return self._in_own_network

    def supports(self, dialect: str) -> bool:
        """Whether a request in `dialect` can be passed through. Called for each attempt."""
        return dialect in self.dialects

    def passes(self, dialect: str, body: Mapping[str, Json]) -> bool:
        """Whether `body` can be passed through in `dialect`, which the vendor borrows; False: it has to be translated."""
        return True

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """The dialects that `model` understands, best first. Override where models differ."""
        return self.dialects

    def dialect_for(self, model: str, request: ChatRequest) -> str:
        """The dialect into which `request` is translated for `model`. Override where one model understands several."""
        return self.dialects_for(model)[0]

    def with_effort(self, model: str, request: ChatRequest) -> ChatRequest:
        """`request` with an effort for thinking that is asked for without a level, where `model` would not think otherwise."""
        return request

    def media_format_for(self, endpoint: Endpoint, model: str) -> str:
        """The name of the format of a media endpoint. Override where models differ."""
        return self.media_formats.get(endpoint, "openai")

    def add_header_usage(self, answer: dict[str, Json], headers: Mapping[str, str]) -> None:
        """Add to a media endpoint's JSON `answer`, in place, what the vendor reports in response headers only.

        Called before the answer is read; `headers` ignores case.
        """

    async def credentials(self, secrets: Secrets) -> Secrets:
        """The secrets to send now, for kinds with `renews_credentials`. Blocking work runs in a thread. Raises UpstreamError."""
        return secrets

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The headers that authenticate a call, names in lower case; a bearer token unless overridden, empty without a key.

        The configured `secrets.headers` override them.
        """
        return {"authorization": f"Bearer {secrets.api_key}"} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL of `endpoint`; raises ValueError for an endpoint that the vendor does not have.

        A base URL works with and without its version segment.
        """
        raise TypeError(f"{type(self).__name__} defines no URL")

    def no_endpoint(self, endpoint: Endpoint) -> ValueError:
        """The error to raise for an endpoint that the vendor does not have."""
        return ValueError(f"{self.label} has no endpoint {endpoint}")

    def turn_rules(self, model: str, dialect: str) -> TurnRules:
        """What `model` demands of a conversation in `dialect`. Called for each attempt, so what was found is kept."""
        rules = self._turn_rules.get((model, dialect))
        if rules is None:
            # Clients choose the names of models.
            if len(self._turn_rules) >= MAX_MODELS:
                self._turn_rules.clear()
            rules = self._turn_rules[model, dialect] = self.find_turn_rules(model, dialect)
        return rules

    def find_turn_rules(self, model: str, dialect: str) -> TurnRules:
        """What `turn_rules` returns. Override where models differ."""
        rules = self.turns.get(dialect) or rules_of(dialect)
        return replace(rules, assistant_last=False) if facts_of(model, self.kind).prefill is False else rules

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Change `body` in place for this vendor's quirks; returns the names of fields that were dropped.

        Called once an attempt, after the dialect wrote the body and an alias's overrides were set. `model` is the target's name,
        which the body of some dialects does not hold. A passed-through request (`translated` False) is changed only where the
        vendor would refuse it. Raises BadRequest for what can neither be expressed nor left out.
        """
        return self.apply_rules(model, body, dialect, translated)

    def adapt_to_model(self, model: str, body: dict[str, Json], dialect: str) -> list[str]:
        """Change a passed-through `body` that was written for another model, in place; returns the names of what was dropped.

        Called after `adapt`, in dialects that the vendor owns: a failover led to `model`, or the operator's overrides are in the
        body. Only what the model is known to refuse is changed. Raises BadRequest.
        """
        return mend_for_model(self.rules, model, self.kind, dialect, body)

    def takes(self, model: str, request: ChatRequest, dialect: str) -> bool:
        """Whether `model` takes what `request` uses in `dialect`, one of `dialects_for(model)`.

        Override where one API of the vendor refuses what another takes.
        """
        return True

    def image_limits(self, model: str) -> ImageLimits | None:
        """How many pictures of which size `model` takes in a request. Override where models differ."""
        return self.images

    def whole_needs_stream(self, model: str, body: Mapping[str, Json], dialect: str) -> bool:
        """Whether the vendor refuses this body as a request for a whole answer: it is then streamed, and collected.

        Called after `adapt`, for requests for a whole answer.
        """
        return False

    def stream_needs_whole(self, model: str, body: Mapping[str, Json], dialect: str) -> bool:
        """Whether the vendor refuses to stream the answer to this translated body: it is then asked whole, and streamed from here.

        Called after `adapt`, for requests for a stream.
        """
        return False

    def added_headers(self, body: Mapping[str, Json]) -> dict[str, str]:
        """Headers, names in lower case, without which the vendor refuses a field of this translated body."""
        return {}

    def apply_rules(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Mend, in place, what breaks one of `rules`; returns the names of what was lost. Raises BadRequest."""
        if not self.rules or not (translated or dialect in self.borrowed):
            return []
        return mend(self.rules, model, self.kind, dialect, body, translated)

    def returned_reasoning(self, model: str, dialect: str) -> ReasoningField | None:
        """Where `model` wants its unsigned reasoning returned in a tool loop; None: nowhere. Called for each attempt."""
        return None

    def reasoning_origin(self, model: str, dialect: str) -> str:
        """Whose reasoning the answers are in `dialect`: only providers of one origin accept each other's."""
        if dialect in ("anthropic_messages", "bedrock") and "claude" in model:
            return CLAUDE
        # OpenAI's encrypted content is bound to the organization of the key.
        return "gemini" if dialect == "gemini" else f"{self.config.id} {dialect}"

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes | bytearray, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """The whole request, ready to send. Override where a signature covers the body (AWS SigV4).

        `relayed` holds the caller's headers to send on, and `content-type` where the body is not JSON (multipart).
        """
        return OutboundRequest(
            "POST", self.url(endpoint, model, dialect, stream), self.all_headers(secrets, dialect, relayed), body
        )

    def all_headers(self, secrets: Secrets, dialect: str, relayed: Mapping[str, str]) -> dict[str, str]:
        """Every header of a call. Later ones win: defaults, the caller's, authentication, those configured for the provider."""
        # The caller's headers, in lower case already, come before authentication: they cannot replace the operator's credential.
        headers = {"content-type": "application/json", **self.default_headers, **relayed}
        for more in (self._authentication(secrets, dialect), secrets.headers):
            if more:
                # Header names ignore case: in lower case a later value replaces an earlier one.
                headers.update([(name.lower(), value) for name, value in more.items()])
        return headers

    def _authentication(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The headers that authenticate a call: a client's own key goes on in the header that it came in."""
        if not secrets.came_in:
            return self.headers(secrets, dialect)
        # Without the key, for what else is configured: an organization, a project.
        key = f"Bearer {secrets.api_key}" if secrets.came_in == "authorization" else secrets.api_key
        return {**self.headers(Secrets(), dialect), secrets.came_in: key}

    def get(self, url: str, secrets: Secrets) -> OutboundRequest:
        """A GET request to `url` with the headers of the first dialect."""
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", url, headers)

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The request for the list of models; None where the vendor has none (see `known_models`)."""
        return None

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """Requests for all lists of models, the most detailed first; where one fails, the next is asked."""
        request = self.models_request(secrets)
        return [] if request is None else [request]

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models in the response to one of `model_lists`; raises ValueError for a body that is not such a list."""
        return []

    def lists_prices(self) -> bool:
        """Whether the list of models has prices that hold."""
        return False

    def known_models(self) -> list[OfferedModel]:
        """What is offered where the vendor has no list of models."""
        return []

    def upstream_model(self, model: str) -> str:
        """The name of `model` in the body of a request (Azure: its deployment)."""
        return model

    async def open(self, send: Send, outbound: OutboundRequest, stream: bool, secrets: Secrets) -> UpstreamResponse:
        """For kinds with `several_steps`: send `outbound` and whatever follows, and return the answer. Raises UpstreamError.

        On failure or cancellation, and when its answer is aborted, it stops what runs at the provider.
        """
        return await send(outbound)

    def judge(self, error: UpstreamError) -> None:
        """Correct the reason of `error`, in place, by `reasons`. Called for every error that a dialect read."""
        # In lower case, because vendors write their codes in different ways (Qwen: `Arrearage`).
        reason = self.reasons.get((error.kind or "").lower())
        if reason is not None:
            error.set_reason(reason)

    def answer(self, endpoint: Endpoint, body: dict[str, Any], stream: bool) -> LocalAnswer:
        """For `local` kinds: the response to a request body in the first of `dialects`."""
        raise TypeError(f"{type(self).__name__} does not answer in this process")
