"""Records of finished requests, their attempts, and totals over them. Money is whole nano-dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

RequestStatus = Literal["success", "error", "broken", "cancelled", "refused"]
CostState = Literal["final", "estimated", "unknown"]
PriceSource = Literal["", "override", "provider_reported", "provider_list", "catalog"]


@dataclass(slots=True)
class AttemptRecord:
    """One request to one target. `outcome` is `ok`, `cancelled` or an UpstreamError reason; `started_at` is epoch ms.

    `tokens` (by class) and `cost_nano` are what this attempt used; None: it cost nothing, or its cost is unknown.
    """

    provider: str
    model: str
    credential: str = ""
    outcome: str = "ok"
    status: int | None = None
    detail: str = ""
    started_at: int = 0
    duration_ms: float = 0.0
    tokens: dict[str, int] = field(default_factory=dict)
    cost_nano: int | None = None


@dataclass(slots=True)
class RequestRecord:
    """The record of one request. `model` is the requested alias (`provider/model` for a direct call).

    `started_at` is epoch ms; the durations are ms from the request's arrival. The token classes (`core.tokens`)
    are counts. `cost_nano` is None where the cost is unknown; it includes `attempts_nano`, the cost of failed attempts.
    `session`, `user` and `tags` are the client's own names for what the request belongs to. `units` holds what was used besides
    tokens: `images`, `image_size`, `image_quality`, `seconds`, `characters`, `searches`, `cache_write_1h` (tokens), `surcharges`
    and `unclear` (lists, see `Usage`), `estimated` where the gateway counted the tokens, and `unanswered`: the number of failed
    attempts that had the whole request and sent no answer, whose cost is unknown. `cost_breakdown` has a line for each
    class: `class`, `units`, `price_nano` (for one `per` units) and `cost_nano`.
    """

    id: str
    started_at: int
    key_id: str = ""
    key_name: str = ""
    team: str = ""
    model: str = ""
    provider: str = ""
    upstream_model: str = ""
    endpoint: str = "chat"
    dialect: str = ""
    streamed: bool = False
    status: RequestStatus = "success"
    http_status: int = 200
    error_code: str = ""
    error_text: str = ""
    client: str = ""
    session: str = ""
    user: str = ""
    tags: tuple[str, ...] = ()
    client_ip: str = ""
    duration_ms: float = 0.0
    first_token_ms: float | None = None
    upstream_ms: float | None = None
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    units: dict[str, Any] = field(default_factory=dict)
    service_tier: str = ""
    cost_nano: int | None = None
    cost_state: CostState = "unknown"
    attempts_nano: int = 0
    cost_breakdown: list[dict[str, Any]] = field(default_factory=list)
    price_source: PriceSource = ""
    price_date: str = ""
    finish: str = ""
    dropped: tuple[str, ...] = ()
    attempts: list[AttemptRecord] = field(default_factory=list)

    @property
    def target_model(self) -> str:
        """The name by which the last target was asked; `upstream_model` is the one that the answer gave itself."""
        return self.attempts[-1].model if self.attempts else self.upstream_model


@dataclass(frozen=True, slots=True)
class CostCorrection:
    """Another cost for a record, in nano-dollars; it is written only where the record still has the cost `before_nano`."""

    id: str
    before_nano: int | None
    cost_nano: int
    cost_state: CostState
    cost_breakdown: list[dict[str, Any]]
    price_source: PriceSource
    price_date: str


@dataclass(frozen=True, slots=True)
class FormerCost:
    """What a record's cost was until it was corrected at `at` (epoch ms) by `actor`."""

    at: int
    actor: str
    cost_nano: int | None
    cost_state: CostState
    price_source: PriceSource
    price_date: str


@dataclass(slots=True)
class UsageRow:
    """Totals over one group. Group fields that the query does not group by are None. `cost_nano` sums priced requests only.

    `failed`: a provider or the gateway failed; `refused`: no provider was asked. Percentiles are in ms, None where not known.
    """

    day: str | None = None
    hour: str | None = None
    model: str | None = None
    upstream_model: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    team: str | None = None
    provider: str | None = None
    client: str | None = None
    session: str | None = None
    user: str | None = None
    tag: str | None = None
    endpoint: str | None = None
    status: str | None = None
    requests: int = 0
    failed: int = 0
    refused: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    cost_nano: int = 0
    unpriced_requests: int = 0
    estimated_requests: int = 0
    latency_p50: float | None = None
    latency_p95: float | None = None
    first_token_p50: float | None = None
    first_token_p95: float | None = None

    @property
    def errors(self) -> int:
        """Requests without an answer: failed or refused."""
        return self.failed + self.refused
