"""The entities that an operator configures: providers, aliases, keys, prices, IP rules, notifications.

Times are UTC epoch milliseconds, money whole nano-dollars, unless a name says otherwise. No entity holds a secret, only
the name under which it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["priority", "round_robin", "weighted", "random", "least_busy", "fastest", "cheapest"]
Sticky = Literal["session", "prefix"]
BudgetPeriod = Literal["total", "daily", "weekly", "monthly"]
BudgetScope = Literal["global", "provider", "alias", "key", "team"]
Source = Literal["user", "file"]
Severity = Literal["info", "warning", "error"]
NotificationKind = Literal["budget", "expiry", "health", "security", "system"]


class Entity(BaseModel):
    """Base class: frozen, refuses unknown fields."""

    # defer_build: an idle server needs few of these validators, so each is built when it is first used.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class CredentialRef(Entity):
    """A reference to one of a provider's keys.

    `secret` is `env:NAME`, or the name of an entry in the secret store; empty where the provider needs no key. `hint` is
    the masked key that may be shown, such as `sk-…9f3a`.
    """

    label: str = "default"
    secret: str = ""
    hint: str = ""
    weight: int = 1


class HeaderHint(Entity):
    """An extra request header of a provider; its value is in the secret store."""

    name: str
    secret: str
    hint: str = ""


class Provider(Entity):
    """A configured provider. `kind` names its row in the provider catalog; `options` are the fields of that kind."""

    id: str
    name: str
    kind: str
    base_url: str | None = None
    credentials: tuple[CredentialRef, ...] = ()
    headers: tuple[HeaderHint, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    accept_client_keys: bool = False
    enabled: bool = True
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class Target(Entity):
    """One destination of an alias: a provider by name, and that provider's model name."""

    provider: str
    model: str
    weight: int = 1


class TimeoutOverrides(Entity):
    """Timeouts of an alias in seconds; None takes the setting of the same name."""

    connect_s: float | None = Field(default=None, gt=0)
    first_token_s: float | None = Field(default=None, gt=0)
    idle_s: float | None = Field(default=None, gt=0)
    total_s: float | None = Field(default=None, gt=0)


class ModelAlias(Entity):
    """A model name of the client API with its targets. `alias` may be a pattern with `*`.

    `context_fallbacks` and `content_filter_fallbacks` replace `fallbacks` where a request is too long, or was filtered.
    `overrides` sets parameters of the request, or removes those given as null. `sticky` is session affinity: requests of one
    session, or with one prefix, go to the target that answered before, because that target has the prompt cached. `trim`
    removes the oldest messages of a request that is over `max_context_tokens`.
    """

    id: str
    alias: str
    strategy: Strategy = "priority"
    targets: tuple[Target, ...] = ()
    fallbacks: tuple[str, ...] = ()
    context_fallbacks: tuple[str, ...] = ()
    content_filter_fallbacks: tuple[str, ...] = ()
    # Each retry is paid for, and the client waits for all of them.
    retries: int = Field(default=1, ge=0, le=10)
    timeouts: TimeoutOverrides = TimeoutOverrides()
    max_context_tokens: int | None = Field(default=None, gt=0)
    sticky: Sticky | None = None
    trim: bool = False
    overrides: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


def alias_for(model: str) -> str:
    """The alias of a published model: its own name, without the vendor that an aggregator puts before it."""
    return model.rstrip("/").rpartition("/")[2] or model


class VirtualKey(Entity):
    """A key of the client API. `digest` is the SHA-256 of the key in hex; the key itself is shown once and not stored.

    `baseline_nano` is the amount already spent in the current period when the spend was last reset (at `baseline_at`).
    `unpriced` None: calls without a known price are blocked where a budget holds, and allowed elsewhere.
    """

    id: str
    name: str
    digest: str
    hint: str
    description: str = ""
    team: str | None = None
    tags: tuple[str, ...] = ()
    enabled: bool = True
    models: tuple[str, ...] = ()
    budget_nano: int | None = Field(default=None, ge=0)
    budget_period: BudgetPeriod = "total"
    rpm: int | None = Field(default=None, gt=0)
    rpd: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    max_parallel: int | None = Field(default=None, gt=0)
    expires_at: int | None = None
    unpriced: Literal["allow", "block"] | None = None
    log_payloads: bool = False
    allowed_ips: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    baseline_nano: int = 0
    baseline_at: int = 0
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class Rates(Entity):
    """US dollars per million tokens, by the rates of `core.tokens`; None: the rate's fallback is taken (see `Price`)."""

    input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    cache_write_1h: float | None = Field(default=None, ge=0)
    reasoning: float | None = Field(default=None, ge=0)
    audio_in: float | None = Field(default=None, ge=0)
    audio_out: float | None = Field(default=None, ge=0)
    image_in: float | None = Field(default=None, ge=0)
    image_out: float | None = Field(default=None, ge=0)


class Tier(Rates):
    """Rates for the whole request where its input is over `above_input_tokens` tokens."""

    above_input_tokens: int


class ImageRate(Entity):
    """US dollars for one image of a size (`1024x1024`) and quality (`high`); empty: of every one."""

    size: str = ""
    quality: str = ""
    usd: float = Field(ge=0)


class Price(Rates):
    """The price of a model. `pattern` matches `provider/model` or the upstream model's name.

    A class without a rate is priced as another: see `TokenRate.fallback`. A price without input, output and unit rates counts
    as no price. `per_image` is one number, or a number for each size and quality. Shorter audio is billed as `min_seconds`.
    `service_tiers` are factors on every rate, by the tier's name as the provider reports it, or `speed:NAME` and `region:NAME`.
    `as_of` is the date of a catalog or of a provider's list that the price is from (`YYYY-MM-DD`).
    """

    pattern: str
    per_image: float | tuple[ImageRate, ...] | None = None
    per_minute: float | None = Field(default=None, ge=0)
    min_seconds: float | None = Field(default=None, ge=0)
    per_1k_chars: float | None = Field(default=None, ge=0)
    per_search: float | None = Field(default=None, ge=0)
    per_request: float | None = Field(default=None, ge=0)
    tiers: tuple[Tier, ...] = ()
    service_tiers: dict[str, float] = Field(default_factory=dict)
    valid_from: int = 0
    origin: Literal["user", "catalog", "provider_list", "free"] = "user"
    as_of: str = ""
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class Budget(Entity):
    """A limit on what may be spent in a period, by everybody (`global`) or by one provider, alias, key or team.

    `target` is the provider's name, the alias, the key's id or the team; empty for `global`. `thresholds` are the fractions of
    the limit at which the operator is notified. With the action `warn` nothing is refused. `former` are the names that a renamed
    provider or alias had before: what was spent under them counts.
    """

    id: str
    name: str
    scope: BudgetScope
    target: str = ""
    former: tuple[str, ...] = ()
    limit_nano: int = Field(ge=0)
    period: BudgetPeriod = "monthly"
    thresholds: tuple[float, ...] = (0.75, 0.9, 1.0)
    action: Literal["block", "warn"] = "block"
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class IpRule(Entity):
    """Allows or denies an address or CIDR block. Deny wins; with at least one allow rule, all other addresses are denied."""

    id: str
    action: Literal["allow", "deny"]
    network: str
    created_at: int = 0


class Notification(Entity):
    """Something the operator should know."""

    id: str
    kind: NotificationKind
    severity: Severity
    title: str
    text: str
    read: bool = False
    created_at: int = 0


class AuditEntry(Entity):
    """One change of the configuration: `actor` is `gui`, `admin`, `cli` or `file`; `changes` never holds a secret."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    changes: dict[str, Any] = Field(default_factory=dict)


@dataclass(slots=True)
class OfferedModel:
    """A model of a provider's own list; None means that the list does not contain the value. Prices are USD per million tokens."""

    id: str
    name: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    input_usd: float | None = None
    output_usd: float | None = None
    features: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """Features that the list says the model does not have."""
    rates: dict[str, float] = field(default_factory=dict)
    """Further prices of the list, by the fields of `Price`."""
