"""Who is called: where a provider lives, how it signs, which dialects it speaks, and what is odd about it.

A kind does no I/O. It prepares requests (`OutboundRequest`) that the gateway sends, and reads what is not a dialect's business
(model lists). Quirks are data on the class. An OpenAI-compatible vendor is a row in `vendors.py` or `local.py`, and every
kind has a line in `catalog.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import Reason, UpstreamError

Endpoint = Literal[
    "chat", "completions", "count_tokens", "embeddings", "images", "image_edits", "speech", "transcriptions",
    "translations", "moderations", "rerank", "embedding",
]  # fmt: skip
"""What can be asked for; `embedding` is only the address for a single text, where a vendor has another for it."""
Feature = Literal["stream", "tools", "vision", "json", "usage_in_stream"]
"""What a test of a provider looks for."""
FEATURES: frozenset[Feature] = frozenset({"stream", "tools", "vision", "json", "usage_in_stream"})


@dataclass(frozen=True, slots=True)
class KindField:
    """One input of a provider's form. `name` is `api_key`, `base_url`, or a key of `options`."""

    name: str
    label: str
    required: bool = False
    secret: bool = False
    placeholder: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """A credential ready for use; never printed. `headers` are the provider's own extra ones."""

    api_key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, repr=False)
class OutboundRequest:
    """A request as it goes out. Not printed: it carries the credential."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""


class UpstreamResponse(Protocol):
    """An answer whose body has not been read yet; see `gateway.upstream.Response`."""

    status: int
    headers: Mapping[str, str]

    async def chunk(self) -> bytes: ...
    async def read(self) -> bytes: ...
    def finish(self) -> None: ...
    def abort(self) -> None: ...


Send = Callable[[OutboundRequest], Awaitable[UpstreamResponse]]
"""Sends one request and gives the head of its answer; raises UpstreamError."""


@dataclass(slots=True)
class LocalAnswer:
    """The answer of a provider inside the house: its bytes in pieces, each given when its time has come."""

    status: int
    content_type: str
    frames: AsyncIterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


class ProviderKind:
    """One kind of provider, bound to one configured `Provider`.

    Subclasses set the class data and override what is odd. `dialects` are those it speaks natively, best first: the
    native lane is taken when the caller's dialect is among them.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    docs: ClassVar[str] = ""
    dialects: ClassVar[tuple[str, ...]] = ("openai_chat",)
    default_base_url: ClassVar[str] = ""
    fields: ClassVar[tuple[KindField, ...]] = ()
    endpoints: ClassVar[frozenset[Endpoint]] = frozenset({"chat"})
    forms: ClassVar[Mapping[Endpoint, str]] = MappingProxyType({})
    """How an endpoint beside chat is said (`wire.forms`), where that is not OpenAI's way."""
    own_words: ClassVar[frozenset[str]] = frozenset()
    """Of callers who ask for embeddings in other words than OpenAI's, those that are understood as they are."""
    price_provider: ClassVar[str | None] = None
    """The provider's id in the price catalog; None: nothing is known of its prices."""
    free: ClassVar[bool] = False
    """Runs on the user's own machine: every call costs nothing."""
    local: ClassVar[bool] = False
    """Answers inside the house, through `answer`, without network."""
    renews_credentials: ClassVar[bool] = False
    """What is stored is no key but what gets one: `credentials` is asked before each call."""
    several_steps: ClassVar[bool] = False
    """A chat takes more than one request: `open` is asked to send them."""
    features: ClassVar[frozenset[Feature]] = FEATURES
    """What its chats can do at all; a test of a provider looks for nothing else."""
    relayed_headers: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the caller's headers that go on in the native lane."""
    reasons: ClassVar[Mapping[str, Reason]] = MappingProxyType({})
    """What this vendor's own error codes mean (in lower case), where nobody else has them or they mean something else."""
    default_headers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Sent unless the caller or the provider's own headers say otherwise (an API version)."""

    def __init__(self, config: Provider) -> None:
        self.config = config
        self.base_url = (config.base_url or self.default_base_url).rstrip("/")

    def speaks(self, dialect: str) -> bool:
        """Whether a request in that dialect can go on as it came."""
        return dialect in self.dialects

    def form_for(self, endpoint: Endpoint, model: str) -> str:
        """The form of an endpoint beside chat, where it differs from model to model."""
        return self.forms.get(endpoint, "openai")

    def complete(self, answer: dict[str, Json], headers: Mapping[str, str]) -> None:
        """Add to an answer beside chat what the vendor says of it in its headers alone. Header names in any case."""

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """The dialects that `model` understands, best first, where they differ from model to model."""
        return self.dialects

    async def credentials(self, secrets: Secrets) -> Secrets:
        """For kinds that renew: what to send now. Slow work belongs into a thread. Raises UpstreamError."""
        return secrets

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """What authenticates a call, names in lower case. The provider's own `secrets.headers` win."""
        raise TypeError(f"{type(self).__name__} does not say how it authenticates")

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The address of `endpoint`. Base URLs with and without the version segment both work."""
        raise TypeError(f"{type(self).__name__} does not say where it lives")

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Change `body` in place for this vendor's oddities; the names of what had to be dropped.

        In the native lane (`translated` False) only what the vendor would refuse outright may be touched.
        """
        return []

    def adapt_for(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """The same where the model's name matters and the body does not hold it."""
        return self.adapt(body, dialect, translated)

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """The whole request, ready to send. Override where signing covers the body (SigV4).

        `relayed` holds the caller's headers to pass on, and `content-type` where the body is not JSON (multipart).
        """
        return OutboundRequest(
            "POST", self.url(endpoint, model, dialect, stream), self.all_headers(secrets, dialect, relayed), body
        )

    def all_headers(self, secrets: Secrets, dialect: str, relayed: Mapping[str, str]) -> dict[str, str]:
        """Every header of a call: defaults, the caller's, what authenticates, the provider's own; the later one wins."""
        headers = {"content-type": "application/json", **self.default_headers}
        for more in (relayed, self.headers(secrets, dialect), secrets.headers):
            if more:
                headers.update([(name.lower(), value) for name, value in more.items()])
        return headers

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """What to ask for the list of models; None where the vendor has no such list (see `known_models`)."""
        return None

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """Every place to ask for the list, the one that tells most first; what a server does not have is passed over."""
        asked = self.models_request(secrets)
        return [] if asked is None else [asked]

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The vendor's model list in our words; raises ValueError for a body that is no such list."""
        return []

    def known_models(self) -> list[OfferedModel]:
        """What is offered where there is no list to ask for."""
        return []

    def named(self, model: str) -> str:
        """What `model` is called in the body of a request."""
        return model

    async def open(self, send: Send, outbound: OutboundRequest, stream: bool, secrets: Secrets) -> UpstreamResponse:
        """For kinds of several steps: from the first request (`outbound`) to the answer. Raises UpstreamError.

        What it leaves running when it fails or is cancelled, or when its answer is aborted, it stops itself.
        """
        return await send(outbound)

    def judge(self, error: UpstreamError) -> None:
        """Correct why `error` came, where its code says so here."""
        reason = self.reasons.get((error.kind or "").lower())
        if reason is not None:
            error.set_reason(reason)

    def answer(self, endpoint: Endpoint, body: dict[str, Any], stream: bool) -> LocalAnswer:
        """For `local` kinds: the answer itself."""
        raise TypeError(f"{type(self).__name__} is not inside the house")
