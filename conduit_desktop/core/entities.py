"""The things an operator keeps: providers, aliases, keys, prices.

Times are UTC epoch milliseconds, money whole nano-dollars, unless a name says otherwise. No entity holds a secret: only
where one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["priority", "round_robin", "weighted", "random", "least_busy", "fastest", "cheapest"]
Sticky = Literal["session", "prefix"]
BudgetPeriod = Literal["total", "daily", "weekly", "monthly"]
Source = Literal["user", "file"]
Severity = Literal["info", "warning", "error"]
NotificationKind = Literal["budget", "expiry", "health", "security", "system"]


class Entity(BaseModel):
    """Frozen, and strict about what it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class CredentialRef(Entity):
    """One of a provider's keys, without the key: `secret` says where it is kept.

    `secret` is `env:NAME`, or the name of an entry in the secret store; empty where the provider needs no key. `hint` is
    what may be shown, such as `sk-…9f3a`.
    """

    label: str = "default"
    secret: str = ""
    hint: str = ""
    weight: int = 1


class HeaderHint(Entity):
    """An extra header of a provider; its value is kept with the secrets."""

    name: str
    secret: str
    hint: str = ""


class Provider(Entity):
    """A configured provider. `kind` names its row in the catalog; `options` are the kind's own fields."""

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
    """Where an alias can go: a provider by name, and that provider's own model name."""

    provider: str
    model: str
    weight: int = 1


class TimeoutOverrides(Entity):
    """Seconds; None takes the setting of the same name."""

    connect_s: float | None = Field(default=None, gt=0)
    first_token_s: float | None = Field(default=None, gt=0)
    idle_s: float | None = Field(default=None, gt=0)
    total_s: float | None = Field(default=None, gt=0)


class ModelAlias(Entity):
    """A name callers may use, with the targets behind it. `alias` may be a pattern with `*`.

    `context_fallbacks` and `content_filter_fallbacks` are asked instead of `fallbacks` where a request is too long, or was
    filtered. `overrides` sets parameters of the request, or removes those given as null. `sticky` keeps a session's requests,
    or those that begin alike, at the target that answered them, whose prompt cache knows them. `trim` removes the oldest turns
    of a request that is over `max_context_tokens`.
    """

    id: str
    alias: str
    strategy: Strategy = "priority"
    targets: tuple[Target, ...] = ()
    fallbacks: tuple[str, ...] = ()
    context_fallbacks: tuple[str, ...] = ()
    content_filter_fallbacks: tuple[str, ...] = ()
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


class VirtualKey(Entity):
    """A key of ours. `digest` is the SHA-256 of the key in hex; the key itself is shown once and kept nowhere.

    `baseline_nano` is what had been spent in the running period when the spend was last reset (at `baseline_at`).
    """

    id: str
    name: str
    digest: str
    hint: str
    description: str = ""
    enabled: bool = True
    models: tuple[str, ...] = ()
    budget_nano: int | None = Field(default=None, ge=0)
    budget_period: BudgetPeriod = "total"
    rpm: int | None = Field(default=None, gt=0)
    rpd: int | None = Field(default=None, gt=0)
    tpm: int | None = Field(default=None, gt=0)
    max_parallel: int | None = Field(default=None, gt=0)
    expires_at: int | None = None
    unpriced: Literal["allow", "block"] = "allow"
    log_payloads: bool = False
    allowed_ips: tuple[str, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    baseline_nano: int = 0
    baseline_at: int = 0
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class Rates(Entity):
    """US dollars per million tokens by class; None means: not priced on its own (see `Price`)."""

    input: float | None = Field(default=None, ge=0)
    output: float | None = Field(default=None, ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    cache_write_1h: float | None = Field(default=None, ge=0)
    reasoning: float | None = Field(default=None, ge=0)
    audio_in: float | None = Field(default=None, ge=0)
    audio_out: float | None = Field(default=None, ge=0)


class Tier(Entity):
    """The rates that hold for the whole request once its input is over `above` tokens."""

    above: int
    rates: Rates


class Price(Rates):
    """What a model costs. `pattern` matches `provider/model` or the upstream model's name.

    A class without a rate of its own costs: cache_read, cache_write and audio_in as input, cache_write_1h as
    cache_write, reasoning and audio_out as output. A price without input and output, and without a unit rate, is none.
    """

    pattern: str
    per_image: float | None = Field(default=None, ge=0)
    per_minute: float | None = Field(default=None, ge=0)
    per_1k_chars: float | None = Field(default=None, ge=0)
    tiers: tuple[Tier, ...] = ()
    valid_from: int = 0
    origin: Literal["user", "catalog", "free"] = "user"
    source: Source = "user"
    created_at: int = 0
    updated_at: int = 0


class IpRule(Entity):
    """Lets an address or CIDR block in, or keeps it out. Deny wins; with any allow rule, all others are out."""

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
    """Who (`gui`, `admin`, `cli`, `file`) changed what, when; `changes` never holds a secret."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    changes: dict[str, Any] = Field(default_factory=dict)


@dataclass(slots=True)
class OfferedModel:
    """A model a provider says it has; None means it does not say."""

    id: str
    name: str | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    input_usd: float | None = None
    output_usd: float | None = None
    features: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    """Features that the provider says it has not."""
