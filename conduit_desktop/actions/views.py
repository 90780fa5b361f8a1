"""What an operator sees: the JSON of the admin API, one model a kind. No view has room for a secret."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from conduit_desktop.core.entities import (
    BudgetPeriod,
    CostState,
    NotificationKind,
    RequestStatus,
    Severity,
    Sticky,
    Strategy,
    Target,
    Tier,
    Timeouts,
)

KeyStatus = Literal["active", "disabled", "expired", "budget_spent"]
TargetState = Literal["answering", "unused", "failing", "probing", "paused", "unready", "disabled"]
CredentialState = Literal["ready", "resting", "parked"]
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


class Page(View, Generic[T]):
    """Part of a list; `next` is the cursor of the rest, None at the end."""

    data: list[T]
    next: str | None = None


class StatusView(View):
    """GET /status. Durations as their names say; `database_bytes` counts both databases with their logs."""

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


class ProviderTestView(View):
    """POST /providers/{name}/test. A feature is None where the test could not tell."""

    ok: bool
    latency_ms: float | None
    error: str | None
    features: dict[str, bool | None]


class OfferedView(View):
    """A model a provider offers; None where it does not say. Prices in US dollars per million tokens."""

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
    timeouts: Timeouts
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
    per_image: float | None
    per_minute: float | None
    per_1k_chars: float | None
    tiers: list[Tier]
    valid_from: str | None
    origin: Literal["user", "catalog", "free"]
    locked: bool
    """The config file defines it, and only the file can change it."""
    created_at: str | None
    updated_at: str | None


class RepricedView(View):
    """POST /prices/reprice: how many requests of unknown cost have one now."""

    repriced: int


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


class AttemptView(View):
    """One question to one target."""

    provider: str
    model: str
    credential: str
    outcome: str
    status: int | None
    detail: str
    started_at: str | None
    duration_ms: float


class CredentialHealthView(View):
    """How one credential fares with one model. `wait_s` is how long it rests, None for one that is parked."""

    label: str
    state: CredentialState
    reason: str
    wait_s: float | None


class CircuitTurnView(View):
    """When a target's circuit opened or closed."""

    state: Literal["open", "closed"]
    at: str


class TargetHealthView(View):
    """A target, `provider/model`. `latencies_ms` of the latest answers in order; `errors` of the last hour by reason.

    `next_probe_s`: seconds until an open breaker lets one request through; `rest_s`: until its provider wants to be asked
    again. `turns`: its circuit's of the last day, the newest last.
    """

    name: str
    provider: str
    model: str
    aliases: list[str]
    state: TargetState
    text: str
    in_flight: int
    latency_ms: float | None
    latencies_ms: list[float]
    tokens_per_s: float | None
    errors: dict[str, int]
    last_error: str
    next_probe_s: float | None
    rest_s: float
    turns: list[CircuitTurnView]
    credentials: list[CredentialHealthView]


class RequestView(View):
    """A request's record. Token classes are disjoint, but `reasoning` is the thought part of `output`."""

    id: str
    started_at: str | None
    key_id: str
    key_name: str
    model: str
    provider: str
    upstream_model: str
    endpoint: str
    dialect: str
    streamed: bool
    status: RequestStatus
    http_status: int
    error_code: str
    error_text: str
    client: str
    client_ip: str
    duration_ms: float
    first_token_ms: float | None
    upstream_ms: float | None
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    audio_in: int
    audio_out: int
    cost_usd: float | None
    cost_state: CostState
    finish: str
    dropped: list[str]
    attempts: list[AttemptView]


class RequestDetailView(RequestView):
    """GET /requests/{id}: with the prompt and the answer, where they were kept."""

    request_payload: Any = None
    response_payload: Any = None


class NotificationView(View):
    """Something the operator should know."""

    id: str
    kind: NotificationKind
    severity: Severity
    title: str
    text: str
    read: bool
    created_at: str | None


class IpRuleView(View):
    """Lets a network in or keeps it out."""

    id: str
    action: Literal["allow", "deny"]
    network: str
    created_at: str | None


class AuditView(View):
    """Who changed what, when."""

    id: int
    at: str | None
    actor: str
    action: str
    subject: str
    changes: dict[str, Any]


class BackupView(View):
    """A backup just written: a zip file with a consistent copy of both databases."""

    path: str
    bytes: int
    created_at: str | None


class ChangeView(View):
    """One line of an import's preview: what would happen to the thing called `name`, and in which fields."""

    kind: Literal["provider", "model", "key", "price", "setting"]
    name: str
    change: Literal["add", "change", "same", "locked", "remove"]
    fields: list[str]


class ImportView(View):
    """POST /import. `new_keys` holds, once, the keys that had to be made, by name; empty unless `applied`."""

    applied: bool
    changes: list[ChangeView]
    new_keys: dict[str, str]

    def __repr__(self) -> str:
        return f"ImportView(applied={self.applied}, changes={len(self.changes)})"

    __str__ = __repr__
