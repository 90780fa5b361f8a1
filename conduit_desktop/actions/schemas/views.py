"""Views of the configuration and the gateway's state: the admin API's JSON. No view has a field for a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from conduit_desktop.core.entities import BudgetPeriod, BudgetScope, ImageRate, Sticky, Strategy, Target, Tier, TimeoutOverrides

ProviderState = Literal["disabled", "unready", "troubled", "answering", "unused"]
ClientState = Literal["not_installed", "not_set", "set", "changed_elsewhere"]
KeyStatus = Literal["active", "disabled", "expired", "budget_spent"]
T = TypeVar("T")


def rfc3339(ms: int | None) -> str | None:
    """Epoch milliseconds as `2026-11-22T00:17:00.000Z`; None for None and for 0, which is never."""
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def chosen_time(ms: int | None) -> str | None:
    """A time that an operator chose, as it would be typed: `2027-01-31T12:00:00Z`, with milliseconds only where it has any."""
    text = rfc3339(ms)
    return text.replace(".000Z", "Z") if text else None


class View(BaseModel):
    """Frozen: what was true when it was made."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class ListEnvelope(View, Generic[T]):
    """Part of a list; `next` is the cursor of the rest, None at the end."""

    data: list[T]
    next: str | None = None


class StatusView(View):
    """GET /status. Durations are in the unit of their suffix; `database_bytes` counts both databases with their logs."""

    version: str
    state: str
    address: str | None
    error: str
    uptime_s: float
    in_flight: int
    loop_lag_ms: float
    home: str
    secrets_backend: str
    database_bytes: int


class FieldView(View):
    """One input a provider kind needs."""

    name: str
    label: str
    required: bool
    secret: bool
    placeholder: str
    help: str


class KindView(View):
    """A row of GET /catalog. `dialect` is the best of `dialects`; `local` needs no network, `free` costs nothing."""

    kind: str
    label: str
    dialect: str
    dialects: list[str]
    base_url: str
    fields: list[FieldView]
    endpoints: list[str]
    docs: str
    free: bool
    local: bool


class CredentialView(View):
    """One of a provider's keys: enough to know it by."""

    label: str
    hint: str
    weight: int


class ProviderView(View):
    """A provider. `headers` maps names to hints."""

    id: str
    name: str
    kind: str
    base_url: str | None
    keys: list[CredentialView]
    headers: dict[str, str]
    options: dict[str, Any]
    accept_client_keys: bool
    enabled: bool
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class ProviderStateView(View):
    """`text` is the reason in one short sentence; `aliases` are the model aliases with a target at this provider."""

    state: ProviderState
    text: str
    aliases: list[str]


class ProviderStatesView(View):
    """GET /provider-states: the state of each provider by name."""

    states: dict[str, ProviderStateView]


class PublishedView(View):
    """POST /providers/{name}/publish: the aliases created or changed."""

    aliases: list[str]


class FoundKeyView(View):
    """A provider key in the environment, used as `env:<variable>`. `used`: a provider has it already."""

    kind: str
    label: str
    variable: str
    hint: str
    used: bool


class FoundServerView(View):
    """A model server on this computer, with its models. `used`: a provider has its address already."""

    kind: str
    label: str
    base_url: str
    models: list[str]
    used: bool


class DiscoveryView(View):
    """GET /discovery."""

    keys: list[FoundKeyView]
    servers: list[FoundServerView]


class AddedView(View):
    """POST /discovery: the names of the providers added."""

    providers: list[str]


class DemoView(View):
    """POST /demo: the alias to try first."""

    alias: str


class InstalledView(View):
    """Where a tool was found: null where only its config folder is there; `version` is empty where it is not known."""

    path: str | None
    version: str


class ClientFileView(View):
    """A config file of a tool.

    `intact`: it has what was written to it; null where nothing was. `backup`: what it was before; null where it was not there.
    `diff` is what `set` would change, as a unified diff with secrets masked.
    """

    path: str
    format: str
    exists: bool
    intact: bool | None
    backup: str | None
    diff: str


class ClientView(View):
    """A tool that can use the gateway. No field has a key; `diff` is that of all files, and empty where nothing is to change.

    `can_set` false: it is set up by hand, for the `reason` given, with the `snippet` (in `language`) where there is one.
    `first_seen`: the first request with its key since it was set. `run` is the command to start it. `problem`: why it does not
    work, or cannot be set up now.
    """

    name: str
    label: str
    docs: str
    state: ClientState
    can_set: bool
    reason: str
    installed: InstalledView | None
    files: list[ClientFileView]
    diff: str
    problem: str
    note: str
    address: str | None
    model: str | None
    small_model: str | None
    key_id: str | None
    key_name: str | None
    key_hint: str | None
    set_at: str | None
    first_seen: str | None
    first_request: str | None
    run: str
    language: str
    snippet: str
    revision: str


class MasterKeyView(View):
    """POST /master-key/rotate: the new master key."""

    master_key: str

    def __repr__(self) -> str:
        return "MasterKeyView()"

    __str__ = __repr__


class ProviderTestView(View):
    """POST /providers/{name}/test. A feature is None where the test has no result."""

    ok: bool
    latency_ms: float | None
    error: str | None
    features: dict[str, bool | None]


class OfferedView(View):
    """A model a provider offers; None where neither its list nor our facts state it. Prices in US dollars per million tokens."""

    id: str
    name: str | None
    context_tokens: int | None
    max_output_tokens: int | None
    input_usd: float | None
    output_usd: float | None
    features: list[str]


class ModelView(View):
    """A model alias."""

    id: str
    alias: str
    strategy: Strategy
    targets: list[Target]
    fallbacks: list[str]
    context_fallbacks: list[str]
    content_filter_fallbacks: list[str]
    retries: int
    timeouts: TimeoutOverrides
    max_context_tokens: int | None
    sticky: Sticky | None
    trim: bool
    overrides: dict[str, Any]
    enabled: bool
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class ExplainedView(View):
    """One target as the router sees it now: `usable`, in which place, and why."""

    provider: str
    model: str
    usable: bool
    reason: str


class KeyView(View):
    """A virtual key: what it may, and where it stands."""

    id: str
    name: str
    hint: str
    description: str
    team: str | None
    tags: list[str]
    enabled: bool
    models: list[str]
    budget_usd: float | None
    budget_period: BudgetPeriod
    rpm: int | None
    rpd: int | None
    tpm: int | None
    max_parallel: int | None
    expires_at: str | None
    unpriced: Literal["allow", "block"]
    unpriced_is_default: bool = False
    """It was not chosen for this key: calls without a known price are blocked where any budget holds."""
    log_payloads: bool
    allowed_ips: list[str]
    metadata: dict[str, Any]
    spend_usd: float
    reserved_usd: float
    period_start: str | None
    next_reset: str | None
    status: KeyStatus
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class NewKeyView(KeyView):
    """A key just made or rotated: the only time `key` is shown."""

    key: str

    def __repr__(self) -> str:
        return f"NewKeyView(id={self.id!r}, hint={self.hint!r})"

    __str__ = __repr__


class BudgetView(View):
    """A budget, and where it stands in its running period. `target` is None for `global`; of a key it is the id."""

    id: str
    name: str
    scope: BudgetScope
    target: str | None
    limit_usd: float
    period: BudgetPeriod
    thresholds: list[float]
    action: Literal["block", "warn"]
    spend_usd: float
    reserved_usd: float
    period_start: str | None
    next_reset: str | None
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class BudgetPeriodView(View):
    """A row of GET /budgets/{id}/history and GET /keys/{id}/history: what was spent in one past period."""

    period_start: str | None
    period_end: str | None
    spend_usd: float


class PriceView(View):
    """A price. US dollars per million tokens by class, and by unit."""

    pattern: str
    input: float | None
    output: float | None
    cache_read: float | None
    cache_write: float | None
    cache_write_1h: float | None
    reasoning: float | None
    audio_in: float | None
    audio_out: float | None
    image_in: float | None
    image_out: float | None
    per_image: float | list[ImageRate] | None
    per_minute: float | None
    min_seconds: float | None
    per_1k_chars: float | None
    per_search: float | None
    per_request: float | None
    tiers: list[Tier]
    service_tiers: dict[str, float]
    valid_from: str | None
    origin: Literal["user", "catalog", "provider_list", "free"]
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class CatalogPriceView(View):
    """A price of the catalog that holds now: US dollars per million tokens by class, and by unit."""

    provider: str
    model: str
    input: float | None
    output: float | None
    cache_read: float | None
    cache_write: float | None
    cache_write_1h: float | None
    reasoning: float | None
    audio_in: float | None
    audio_out: float | None
    image_in: float | None
    image_out: float | None
    per_image: float | list[ImageRate] | None
    per_minute: float | None
    min_seconds: float | None
    per_1k_chars: float | None
    per_search: float | None
    per_request: float | None
    tiers: list[Tier]
    service_tiers: dict[str, float]


class CatalogPricesView(View):
    """GET /catalog/prices: the catalog in use, and a part of its prices."""

    date: str
    source: str
    models: int
    is_built_in: bool
    data: list[CatalogPriceView]
    next: str | None


class CatalogRefreshedView(View):
    """POST /catalog/prices/refresh: the catalog that is used from now on."""

    date: str
    source: str
    models: int


class PricesImportedView(View):
    """POST /prices.csv: how many prices were set."""

    imported: int


class RepricedView(View):
    """POST /prices/reprice: the requests that have another cost now, or in a `preview` would have.

    `changed` of them had a known cost before; the sums are over all of them, an unknown cost before counting as nothing.
    """

    preview: bool
    repriced: int
    changed: int
    before_usd: float
    after_usd: float


class SettingView(View):
    """One option: its value, and all that a form needs."""

    name: str
    value: Any
    title: str
    type: str
    default: Any
    description: str
    group: str
    choices: list[str] | None
    minimum: float | None
    maximum: float | None
    locked: bool


class IpRuleView(View):
    """Lets a network in or keeps it out."""

    id: str
    action: Literal["allow", "deny"]
    network: str
    created_at: str | None


class WebhookView(View):
    """GET /webhook: a hint of the address to which notifications are sent; None where there is none."""

    url: str | None


class WebhookSecretView(WebhookView):
    """PUT /webhook: the only time that the signing secret is shown."""

    secret: str

    def __repr__(self) -> str:
        return f"WebhookSecretView(url={self.url!r})"

    __str__ = __repr__


class WebhookTestView(View):
    """POST /webhook/test."""

    ok: bool
    error: str | None
