"""Errors of the Responses API: error bodies, and failed responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BudgetExceeded, GatewayError, ProviderFailed, RateLimited, Reason, UpstreamError
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.errors.context_overflow import context_overflow
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.reported_usage import usage_in

_SERVER_CODES = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_CODES: dict[Reason, str] = {
    "context_length": "context_length_exceeded",
    "content_filter": "invalid_prompt",
    "too_large": "invalid_prompt",
    "bad_request": "invalid_prompt",
    "rate_limit": "rate_limit_exceeded",
    "money": "insufficient_quota",
}
"""The codes that clients of this API handle; every other reason is a `server_error`, which they retry.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
"""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified. `headers` have lower-case names."""
    return error_body.read_error(status, headers, body, NAME)


def error_in_answer(value: Any) -> UpstreamError:
    """An `error` event, or an error body with status 200."""
    return error_body.read_error_object(value, NAME)


def failed_response(response: dict[str, Json], event: dict[str, Json] | None = None) -> UpstreamError:
    """The error of a failed response; its status is 400 unless the code is one of the server's.

    `event` is the stream's `response.failed`: some vendors put the error next to its `response`, or its fields on the top level.
    """
    details = response.get("incomplete_details")
    event = event or {}
    stated = event if event.get("message") or event.get("code") else None
    raw = response.get("error") or event.get("error") or stated or response.get("status_details") or details
    # A vendor may send the error as bare text or leave it out.
    found = raw if isinstance(raw, dict) else {"message": raw or "the response failed without a message"}
    if not found.get("message") and isinstance(found.get("reason"), str):
        found = {**found, "message": f"the response failed: {found['reason']}", "code": found["reason"]}
    code = found.get("code")
    status = 400 if isinstance(code, str) and code not in _SERVER_CODES else 500
    error = error_in_answer({"error": {"status_code": status, **found}})
    error.usage = usage_in(response, NAME)
    return error


def failure_code(error: GatewayError) -> str:
    """The `error.code` of a failed response."""
    if context_overflow(error) is not None:
        return "context_length_exceeded"
    if isinstance(error, UpstreamError):
        return _CODES.get(error.reason, "server_error")
    if isinstance(error, ProviderFailed) and error.cause in ("rate_limit", "money"):
        return _CODES[error.cause]
    # A code that clients do not retry: waiting does not refill a budget.
    if isinstance(error, BudgetExceeded):
        return "insufficient_quota"
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if error.status == 400 else "server_error"
