"""A request as the tables show it, made from a record of the live feed or of the log."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import CostState, RequestRecord, RequestStatus
from conduit_desktop.core.tokens import total_input, total_output

STATUS_LABELS: dict[RequestStatus, str] = {
    "success": "Success",
    "error": "Failed",
    "broken": "Interrupted",
    "cancelled": "Cancelled",
    "refused": "Rejected",
}
"""Failed: no target answered. Interrupted: the response broke off. Cancelled: by the client. Rejected: by the gateway."""

TONES: dict[RequestStatus, str] = {
    "success": "success",
    "error": "danger",
    "broken": "danger",
    "cancelled": "text_muted",
    "refused": "warning",
}
"""The palette token of each status."""

FAILED: frozenset[RequestStatus] = frozenset({"error", "broken", "refused"})
"""The statuses that are counted as errors. A request that its client cancelled is not one."""

REASON_LABELS: dict[str, tuple[str, str]] = {
    "bad_request": ("bad request", "bad requests"),
    "context_length": ("prompt too long", "prompts too long"),
    "content_filter": ("content filter", "content filter"),
    "too_large": ("request too large", "requests too large"),
    "model_not_found": ("model not found", "model not found"),
    "auth": ("API key rejected", "API key rejected"),
    "permission": ("permission denied", "permission denied"),
    "money": ("quota exhausted", "quota exhausted"),
    "rate_limit": ("rate limit", "rate limits"),
    "overloaded": ("overloaded", "overloaded"),
    "server": ("server error", "server errors"),
    "timeout": ("timeout", "timeouts"),
    "connect": ("connection error", "connection errors"),
    "malformed": ("invalid response", "invalid responses"),
    "broken": ("interrupted stream", "interrupted streams"),
}
"""Why an attempt failed (`core.errors.Reason`), for one attempt and for a count of them."""


def reason_label(reason: str, count: int = 1) -> str:
    """A reason in plain words; an unknown one is shown by its code."""
    one, many = REASON_LABELS.get(reason, (reason.replace("_", " "),) * 2)
    return one if count == 1 else many


DIALECT_LABELS = {
    "openai_chat": "OpenAI Chat Completions",
    "openai_responses": "OpenAI Responses",
    "anthropic_messages": "Anthropic Messages",
    "gemini": "Gemini",
    "gemini_array": "Gemini",
    "ollama": "Ollama",
    "ollama_generate": "Ollama (generate)",
    "cohere": "Cohere",
    "bedrock": "Bedrock Converse",
    "replicate": "Replicate",
}
"""The names of the APIs, by dialect (`conduit_desktop.wire`)."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """One request. `at` in epoch ms, durations in ms, `cost_nano` in nano-dollars (None: unknown)."""

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
    """The row of a record."""
    return RequestRow(
        id=one.id,
        at=one.started_at,
        status=one.status,
        http_status=one.http_status,
        key=one.key_name,
        model=one.model,
        target=f"{one.provider}/{one.upstream_model}" if one.provider else "",
        endpoint=one.endpoint,
        tokens_in=total_input(one),
        tokens_out=total_output(one),
        cost_nano=one.cost_nano,
        cost_state=one.cost_state,
        first_token_ms=one.first_token_ms,
        duration_ms=one.duration_ms,
        attempts=len(one.attempts),
        error=one.error_text or one.error_code,
        client=one.client,
    )


def cost_text(row: RequestRow) -> str:
    """The cost as tables show it: `~` marks an estimate, `unknown` a missing price."""
    known = show_usd(row.cost_nano)
    return f"~{known}" if row.cost_state == "estimated" and row.cost_nano is not None else known
