"""Records of finished requests, their attempts, and totals over them. Money is whole nano-dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RequestStatus = Literal["success", "error", "broken", "cancelled", "refused"]
CostState = Literal["final", "estimated", "unknown"]


@dataclass(slots=True)
class AttemptRecord:
    """One request to one target. `outcome` is `ok`, `cancelled` or an UpstreamError reason; `started_at` is epoch ms."""

    provider: str
    model: str
    credential: str = ""
    outcome: str = "ok"
    status: int | None = None
    detail: str = ""
    started_at: int = 0
    duration_ms: float = 0.0


@dataclass(slots=True)
class RequestRecord:
    """The record of one request. `model` is the requested alias (`provider/model` for a direct call).

    `started_at` is epoch ms; the durations are ms from the request's arrival. The token classes (`core.tokens`)
    are counts. `cost_nano` is None where the cost is unknown.
    """

    id: str
    started_at: int
    key_id: str = ""
    key_name: str = ""
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
    cost_nano: int | None = None
    cost_state: CostState = "unknown"
    finish: str = ""
    dropped: tuple[str, ...] = ()
    attempts: list[AttemptRecord] = field(default_factory=list)


@dataclass(slots=True)
class UsageRow:
    """Totals over one group. Group fields that the query does not group by are None. `cost_nano` sums priced requests only."""

    day: str | None = None
    model: str | None = None
    key_id: str | None = None
    key_name: str | None = None
    provider: str | None = None
    requests: int = 0
    errors: int = 0
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    cost_nano: int = 0
    unpriced_requests: int = 0
    estimated_requests: int = 0
