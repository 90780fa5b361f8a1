"""The inputs of operations: one model for each body, validated the same for window, command line, admin API and file.

Build one with `read(Model, values)`, which raises Invalid with the field's path. A patch changes only
the fields that were sent (`model_fields_set`); null clears.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from conduit_desktop.actions.schemas.checks import (
    alias_name,
    day_start,
    header_values,
    label_text,
    moment,
    network,
    not_before,
    price_pattern,
    provider_name,
    secret_text,
    time_zone,
    zone_name,
)
from conduit_desktop.actions.schemas.validation import AS_LIST, AS_NUMBER, Body, Query, number_or_list
from conduit_desktop.actions.schemas.validation import read as read
from conduit_desktop.core.entities import BudgetPeriod, BudgetScope, Sticky, Strategy, TimeoutOverrides
from conduit_desktop.core.records import RequestStatus

ProviderName = Annotated[str, AfterValidator(provider_name)]
AliasName = Annotated[str, AfterValidator(alias_name)]
Label = Annotated[str, AfterValidator(label_text)]
SecretText = Annotated[str, AfterValidator(secret_text)]
Network = Annotated[str, AfterValidator(network)]
Headers = Annotated[dict[str, str], AfterValidator(header_values)]
Moment = Annotated[str, AfterValidator(moment)]
"""RFC 3339 (or, in queries, a plain date), kept as written in UTC with Z."""

Weight = Annotated[int, Field(ge=1, le=1_000_000)]
# Up to here, JSON readers that use doubles (JavaScript's does) hold every integer exactly.
Count = Annotated[int, Field(ge=1, le=2**53)]
# 10^9 dollars are 10^18 nano-dollars, which still fit the 64-bit integers of SQLite.
Usd = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class NewCredential(Body):
    """One of several keys of a provider; `api_key` may be `env:NAME`."""

    label: Label
    api_key: SecretText | None = None
    """May be left out in a patch for a label that is there already: its key stays."""
    weight: Weight = 1


class NewProvider(Body):
    """POST /providers. `api_key` is the same as one entry in `api_keys` with the label `default`."""

    name: ProviderName
    kind: str
    base_url: str | None = None
    api_key: SecretText | None = None
    api_keys: list[NewCredential] | None = None
    headers: Headers | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    accept_client_keys: bool = False
    enabled: bool = True


class ProviderPatch(Body):
    """PATCH /providers/{name}. `api_key` replaces the first key alone, `api_keys` all of them; `headers` changes those it names."""

    name: ProviderName | None = None
    kind: str | None = None
    base_url: str | None = None
    api_key: SecretText | None = None
    api_keys: list[NewCredential] | None = None
    headers: dict[str, str | None] | None = None
    """A null value removes that header, null for the field removes all of them."""
    options: dict[str, Any] | None = None
    accept_client_keys: bool | None = None
    enabled: bool | None = None


class PublishRequest(Body):
    """POST /providers/{name}/publish: the provider's models to create aliases for."""

    models: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(max_length=1000)


class AddDiscovered(Body):
    """POST /discovery: environment variables and base URLs that GET /discovery returned."""

    variables: list[str] = Field(default_factory=list, max_length=100)
    servers: list[str] = Field(default_factory=list, max_length=100)


class NewTarget(Body):
    """Where an alias can go."""

    provider: str = Field(min_length=1)
    model: str = Field(min_length=1, max_length=500)
    weight: Weight = 1


class NewModel(Body):
    """POST /models."""

    alias: AliasName
    strategy: Strategy = "priority"
    targets: list[NewTarget] = Field(min_length=1, max_length=100)
    fallbacks: list[str] = Field(default_factory=list, max_length=100)
    context_fallbacks: list[str] = Field(default_factory=list, max_length=100)
    content_filter_fallbacks: list[str] = Field(default_factory=list, max_length=100)
    retries: int = Field(default=1, ge=0, le=10)
    timeouts: TimeoutOverrides = TimeoutOverrides()
    max_context_tokens: Count | None = None
    sticky: Sticky | None = None
    trim: bool = False
    overrides: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True


class ModelPatch(Body):
    """PATCH /models/{alias}."""

    alias: AliasName | None = None
    strategy: Strategy | None = None
    targets: list[NewTarget] | None = Field(default=None, min_length=1, max_length=100)
    fallbacks: list[str] | None = Field(default=None, max_length=100)
    context_fallbacks: list[str] | None = Field(default=None, max_length=100)
    content_filter_fallbacks: list[str] | None = Field(default=None, max_length=100)
    retries: int | None = Field(default=None, ge=0, le=10)
    timeouts: TimeoutOverrides | None = None
    max_context_tokens: Count | None = None
    sticky: Sticky | None = None
    trim: bool | None = None
    overrides: dict[str, Any] | None = None
    enabled: bool | None = None


class KeyPatch(Body):
    """PATCH /keys/{id}: every field of a virtual key that can be changed."""

    name: Label | None = None
    description: str | None = Field(default=None, max_length=2000)
    team: Label | None = None
    tags: list[Label] | None = Field(default=None, max_length=100)
    enabled: bool | None = None
    models: list[AliasName] | None = Field(default=None, max_length=1000)
    budget_usd: Usd | None = None
    budget_period: BudgetPeriod | None = None
    rpm: Count | None = None
    rpd: Count | None = None
    tpm: Count | None = None
    max_parallel: Count | None = None
    expires_at: Moment | None = None
    unpriced: Literal["allow", "block"] | None = None
    log_payloads: bool | None = None
    allowed_ips: list[Network] | None = Field(default=None, max_length=1000)
    metadata: dict[str, Any] | None = None


class NewKey(KeyPatch):
    """POST /keys: the same, with a name."""

    name: Label


class ClientQuery(Query):
    """GET /clients/{name}: the difference for these models."""

    model: AliasName | None = None
    small_model: AliasName | None = None


class ClientSetup(Body):
    """POST /clients/{name}/set. Without a model, the first alias is taken; the limits are those of the client's own key."""

    model: AliasName | None = None
    small_model: AliasName | None = None
    """For the tool's background work; without it, `model`."""
    models: list[AliasName] | None = Field(default=None, max_length=1000)
    """Patterns of what the key may call; empty: everything."""
    budget_usd: Usd | None = None
    budget_period: BudgetPeriod | None = None
    anyway: bool = False
    """Also where the tool was not found on this computer."""
    revision: str | None = Field(default=None, max_length=64)
    """Of the view whose difference was looked at: another content of a file is then a conflict."""


Thresholds = Annotated[list[Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]], Field(max_length=20)]
"""Fractions of a budget's limit."""


class BudgetPatch(Body):
    """PATCH /budgets/{id}. `target` is the provider's name, the alias, the key's id or name, the team; null for `global`."""

    name: Label | None = None
    scope: BudgetScope | None = None
    target: str | None = Field(default=None, max_length=300)
    limit_usd: Usd | None = None
    period: BudgetPeriod | None = None
    thresholds: Thresholds | None = None
    action: Literal["block", "warn"] | None = None


class NewBudget(BudgetPatch):
    """POST /budgets: the same; without a name, one is made from the rest."""

    scope: BudgetScope
    limit_usd: Usd
    period: BudgetPeriod = "monthly"


class NewRates(Body):
    """US dollars per million tokens."""

    input: Rate | None = None
    output: Rate | None = None
    cache_read: Rate | None = None
    cache_write: Rate | None = None
    cache_write_1h: Rate | None = None
    reasoning: Rate | None = None
    audio_in: Rate | None = None
    audio_out: Rate | None = None
    image_in: Rate | None = None
    image_out: Rate | None = None


class NewTier(NewRates):
    """Rates that hold once a request's input is over `above_input_tokens` tokens."""

    above_input_tokens: Count

    @model_validator(mode="before")
    @classmethod
    def _as_older_releases_wrote(cls, values: Any) -> Any:
        # Exports and config files of version 0.1 have `{"above": 200000, "rates": {...}}`.
        if isinstance(values, dict) and "above" in values and isinstance(values.get("rates"), dict):
            others = {name: value for name, value in values.items() if name not in ("above", "rates")}
            return {"above_input_tokens": values["above"], **values["rates"], **others}
        return values


class NewImageRate(Body):
    """US dollars for one image of a size and quality; left out: of every one."""

    size: str = Field(default="", max_length=100)
    quality: str = Field(default="", max_length=100)
    usd: Rate


# With a tag for each, so that an error names the field and no other member of the union.
ImageRates = Annotated[Annotated[Rate, Tag(AS_NUMBER)] | Annotated[list[NewImageRate], Tag(AS_LIST)], Discriminator(number_or_list)]


class NewPrice(NewRates):
    """PUT /prices/{pattern}. `pattern` may be repeated in the body; it must then be the path's."""

    pattern: Annotated[str, AfterValidator(price_pattern)] | None = None
    per_image: ImageRates | None = None
    per_minute: Rate | None = None
    min_seconds: Rate | None = None
    per_1k_chars: Rate | None = None
    per_search: Rate | None = None
    per_request: Rate | None = None
    service_tiers: dict[str, Rate] = Field(default_factory=dict)
    tiers: list[NewTier] = Field(default_factory=list, max_length=20)
    valid_from: Moment | None = None


class ReplayRequest(Body):
    """POST /replay. `target` is an alias or `provider/model`, the request's own where it is null.

    `overrides` sets fields of the request's body, or removes them (null).
    """

    request_id: str = Field(min_length=1, max_length=100)
    target: str | None = Field(default=None, min_length=1, max_length=512)
    overrides: dict[str, Any] = Field(default_factory=dict, max_length=100)


class RepriceRequest(Body):
    """POST /prices/reprice. `model` is an alias, an upstream model or `provider/model`; without limits, every request kept."""

    since: Moment | None = None
    until: Moment | None = None
    model: str | None = Field(default=None, min_length=1, max_length=500)
    mode: Literal["unknown", "all"] = "unknown"
    preview: bool = False

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: str | None, info: ValidationInfo) -> str | None:
        return not_before(until, info.data.get("since"))


class NewWebhook(Body):
    """PUT /webhook: the address, or `env:NAME`."""

    url: Annotated[str, Field(max_length=2000), AfterValidator(secret_text)]


class NewIpRule(Body):
    """POST /ip-rules. The address may be called `network`, `address` or `cidr`."""

    action: Literal["allow", "deny"]
    network: Network = Field(validation_alias=AliasChoices("network", "address", "cidr"))


class BackupRequest(Body):
    """POST /backup: where to; without a path, a dated file in the home's `backups` folder."""

    path: str | None = Field(default=None, min_length=1)


class ImportRequest(Body):
    """POST /import: the text of a `conduit.toml`; nothing is changed unless `apply` is true.

    Of the environment, the file takes only the variables named in `allow_env`.
    """

    # Not stripped: errors name the lines of the text as it was given.
    toml: Annotated[str, StringConstraints(strip_whitespace=False)]
    apply: bool = False
    allow_env: list[str] = Field(default_factory=list)
    """The environment variables that the file may take, by name."""


class Empty(Body):
    """No fields: for actions that take none."""


class PageQuery(Query):
    """Which part of a list: `cursor` is the value of `next` from the part before."""

    # A page is made on the loop: larger ones would delay the streams.
    limit: int = Field(default=50, ge=1, le=500)
    cursor: str | None = None


class CatalogQuery(PageQuery):
    """GET /catalog/prices: `q` is a part of `provider/model`."""

    q: str | None = None


class RequestQuery(PageQuery):
    """GET /requests. `key` is a key's id or name; times are RFC 3339 or plain dates (UTC)."""

    key: str | None = None
    model: str | None = None
    provider: str | None = None
    status: RequestStatus | None = None
    since: Moment | None = None
    until: Moment | None = None
    client: str | None = None
    session: str | None = None
    user: str | None = None
    tag: str | None = None
    endpoint: str | None = None
    upstream_model: str | None = None
    min_cost_usd: float | None = Field(default=None, ge=0, le=1e9, allow_inf_nan=False)
    q: str | None = Field(default=None, max_length=500)

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: str | None, info: ValidationInfo) -> str | None:
        return not_before(until, info.data.get("since"))


class UsageQuery(PageQuery):
    """GET /usage. `group_by` is any of the groups of usage, joined by commas; empty gives one row of totals.

    Days and hours, and plain dates, are those of the time zone `tz` (IANA name).
    """

    # None: all rows, because a reader adds them up.
    limit: int | None = Field(default=None, ge=1, le=500)  # type: ignore[assignment]
    group_by: str = ""
    since: Moment | None = None
    until: Moment | None = None
    tz: Annotated[str, AfterValidator(zone_name)] = "UTC"
    format: Literal["json", "csv"] = "json"

    @field_validator("until")
    @classmethod
    def _after_since(cls, until: str | None, info: ValidationInfo) -> str | None:
        return not_before(until, info.data.get("since"))

    @model_validator(mode="before")
    @classmethod
    def _dates_of_the_zone(cls, values: Any) -> Any:
        name = values.get("tz") if isinstance(values, dict) else None
        zone = time_zone(name) if isinstance(name, str) else None
        if zone is None:
            return values
        return values | {end: day_start(values[end], zone) for end in ("since", "until") if end in values}

    @property
    def zone(self) -> tzinfo:
        """The time zone of days and hours."""
        return time_zone(self.tz) or UTC


class OfferedQuery(PageQuery):
    """GET /providers/{name}/models: `refresh=1` asks the provider again."""

    refresh: bool = False


class NotificationQuery(PageQuery):
    """GET /notifications: `unread=1` leaves out what was read."""

    unread: bool = False


def epoch_ms(text: str) -> int:
    """A `Moment` as epoch milliseconds."""
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
