"""Views of requests, usage, health, notifications and changes: the admin API's JSON. No view has a field for a secret."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from conduit_desktop.actions.schemas.views import View
from conduit_desktop.core.entities import NotificationKind, Severity
from conduit_desktop.core.records import CostState, PriceSource, RequestStatus

TargetState = Literal["answering", "unused", "failing", "probing", "paused", "unready", "disabled"]
CredentialState = Literal["ready", "cooldown", "disabled"]


class AttemptView(View):
    """One attempt at one target."""

    provider: str
    model: str
    credential: str
    outcome: str
    status: int | None
    detail: str
    started_at: str | None
    duration_ms: float
    tokens: dict[str, int] = Field(default_factory=dict)
    cost_usd: float | None = None


class CredentialHealthView(View):
    """Health of one credential with one model. `wait_s`: seconds of cooldown left, None for a disabled credential."""

    label: str
    state: CredentialState
    reason: str
    wait_s: float | None


class CircuitTransitionView(View):
    """When a target's circuit opened or closed."""

    state: Literal["open", "closed"]
    at: str


class TargetHealthView(View):
    """A target, `provider/model`. `latencies_ms` of the latest answers in order; `errors` of the last hour by reason.

    `next_probe_s`: seconds until an open circuit lets one request through; `cooldown_s`: seconds until the provider's rate
    limit ends. `transitions`: when its circuit opened and closed in the last day, the newest last.
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
    cooldown_s: float
    transitions: list[CircuitTransitionView]
    credentials: list[CredentialHealthView]


class CostLineView(View):
    """What one class cost: `units` of it at `price_usd` for `per` units (a million tokens, one image, a minute …)."""

    model_config = ConfigDict(frozen=True, defer_build=True, populate_by_name=True, serialize_by_alias=True)

    class_: str = Field(alias="class")
    units: float
    per: int
    price_usd: float
    cost_usd: float


class RequestView(View):
    """A request's record. Token classes are disjoint, but `reasoning` is the thought part of `output`."""

    id: str
    started_at: str | None
    key_id: str
    key_name: str
    team: str = ""
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
    session: str = ""
    user: str = ""
    tags: list[str] = Field(default_factory=list)
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
    image_in: int = 0
    image_out: int = 0
    units: dict[str, Any] = Field(default_factory=dict)
    service_tier: str = ""
    cost_usd: float | None
    cost_state: CostState
    cost_breakdown: list[CostLineView] = Field(default_factory=list)
    price_source: PriceSource = ""
    price_date: str = ""
    finish: str
    dropped: list[str]
    attempts: list[AttemptView]


class FormerCostView(View):
    """What a request's cost was until it was corrected, and by whom (as in the audit log)."""

    at: str | None
    actor: str
    cost_usd: float | None
    cost_state: CostState
    price_source: PriceSource
    price_date: str


class StreamPieceView(View):
    """A piece of a streamed answer: when it was sent, in ms from the request's arrival, and what was in it.

    `tool` is the name of the tool whose call begins in it, `characters` count text, thinking and arguments.
    """

    at_ms: float
    bytes: int
    kind: Literal["text", "thinking", "tool_call", "end", "other"]
    characters: int = 0
    tool: str = ""


class RequestDetailView(RequestView):
    """GET /requests/{id}: with its corrections, the oldest first, and prompt and answer where they were kept.

    `timeline` is of a stream that was kept, empty for any other answer.
    """

    corrections: list[FormerCostView] = Field(default_factory=list)

    request_payload: Any = None
    response_payload: Any = None
    timeline: list[StreamPieceView] = Field(default_factory=list)


class ToolCallView(View):
    """A call of a tool in an answer; `arguments` as the model wrote them."""

    name: str
    arguments: str


class ComparedAnswerView(View):
    """One side of a comparison. `text` is null where the answer was not kept."""

    request: RequestView
    text: str | None
    thinking: str = ""
    tool_calls: list[ToolCallView] = Field(default_factory=list)


class DifferenceView(View):
    """A piece of the two texts: in both, only in the left one, or only in the right one."""

    kind: Literal["equal", "removed", "added"]
    text: str


class ComparedFieldView(View):
    """A field at the top of the requests' bodies that differs; null where a body has none."""

    name: str
    left: Any = None
    right: Any = None


class ComparisonView(View):
    """GET /requests/{id}/compare/{other}: both answers, what differs in their texts, and in which fields the requests differ."""

    left: ComparedAnswerView
    right: ComparedAnswerView
    differences: list[DifferenceView]
    fields: list[ComparedFieldView]


class PercentilesView(View):
    """Milliseconds; None where no answer was measured."""

    p50: float | None
    p95: float | None


class UsageView(View):
    """A row of GET /usage. Of the groups (`key` is an id, with `key_name`) only those requested are set.

    `failed`: a provider or the gateway failed; `refused`: no provider was asked; `errors` is their sum. Tokens by class;
    `cost_usd` of the requests with a known price, null where there are only others. Latencies are of the newest 5,000 answers.
    """

    day: str | None = None
    hour: str | None = None
    model: str | None = None
    upstream_model: str | None = None
    key: str | None = None
    key_name: str | None = None
    team: str | None = None
    provider: str | None = None
    client: str | None = None
    session: str | None = None
    user: str | None = None
    tag: str | None = None
    endpoint: str | None = None
    status: str | None = None
    requests: int
    failed: int = 0
    refused: int = 0
    errors: int
    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    audio_in: int
    audio_out: int
    image_in: int = 0
    image_out: int = 0
    cost_usd: float | None
    unpriced_requests: int
    estimated_requests: int
    latency_ms: PercentilesView = PercentilesView(p50=None, p95=None)
    first_token_ms: PercentilesView = PercentilesView(p50=None, p95=None)


class UnreadView(View):
    """GET /notifications/unread."""

    unread: int


class ReadView(View):
    """POST /notifications/read: how many were unread."""

    read: int


class ExportView(View):
    """GET /export: the text of a `conduit.toml`, without secrets."""

    toml: str


class NotificationView(View):
    """A notification to the operator."""

    id: str
    kind: NotificationKind
    severity: Severity
    title: str
    text: str
    read: bool
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


class ValueView(View):
    """A field that an import would set, as text; of a secret, a hint. `before` is null for what is new."""

    field: str
    before: str | None
    after: str | None


class VariableView(View):
    """An environment variable that a file names: where, and whether it is set here and was allowed by name.

    What a provider takes is sent to `hosts`. An import is refused while one that is `needed` is not allowed.
    """

    name: str
    used_in: list[str]
    hosts: list[str]
    is_set: bool
    allowed: bool
    needed: bool


class ChangeView(View):
    """One line of an import's preview: what would happen to the entity `name`, and in which fields.

    `host` is where the calls to a provider would go, with its keys.
    """

    kind: Literal["provider", "model", "key", "budget", "price", "setting"]
    name: str
    change: Literal["add", "change", "same", "locked", "remove"]
    fields: list[str]
    values: list[ValueView] = Field(default_factory=list)
    host: str | None = None


class ImportView(View):
    """POST /import. `new_keys` holds, once, the keys that had to be made, by name; empty unless `applied`.

    `variables` are those that the file names. `changes` is empty where a value comes from one that was not allowed.
    """

    applied: bool
    changes: list[ChangeView]
    new_keys: dict[str, str]
    variables: list[VariableView] = Field(default_factory=list)

    def __repr__(self) -> str:
        return f"ImportView(applied={self.applied}, changes={len(self.changes)})"

    __str__ = __repr__
