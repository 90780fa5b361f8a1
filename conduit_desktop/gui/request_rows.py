"""A request as tables show it, made cheaply from a record of the live feed or from a page of the log."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.records import CostState, RequestRecord, RequestStatus

TONES: dict[RequestStatus, str] = {
    "success": "success",
    "error": "danger",
    "broken": "danger",
    "cancelled": "text_muted",
    "refused": "warning",
}
"""The colour of each status."""

FAILED: frozenset[RequestStatus] = frozenset({"error", "broken", "refused"})
"""What counts as an error: not answered whole, and not because the caller left."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request. `at` in epoch ms, durations in ms, `cost_nano` None is unknown."""

    id: str
    at: int
    status: RequestStatus
    http_status: int
    key: str
    model: str
    target: str
    endpoint: str
    tokens_in: int
    tokens_out: int
    cost_nano: int | None
    cost_state: CostState
    first_token_ms: float | None
    duration_ms: float
    attempts: int
    error: str
    client: str


def row_of(one: RequestRecord) -> RequestRow:
    """The line of a record."""
    return RequestRow(
        id=one.id,
        at=one.started_at,
        status=one.status,
        http_status=one.http_status,
        key=one.key_name,
        model=one.model,
        target=f"{one.provider}/{one.upstream_model}" if one.provider else "",
        endpoint=one.endpoint,
        tokens_in=one.input + one.cache_read + one.cache_write + one.audio_in,
        tokens_out=one.output + one.audio_out,
        cost_nano=one.cost_nano,
        cost_state=one.cost_state,
        first_token_ms=one.first_token_ms,
        duration_ms=one.duration_ms,
        attempts=len(one.attempts),
        error=one.error_text or one.error_code,
        client=one.client,
    )
