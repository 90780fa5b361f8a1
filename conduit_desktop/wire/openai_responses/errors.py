"""Errors of the Responses API: OpenAI's own shape, and failures inside a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BudgetExceeded, GatewayError, RateLimited, Reason, UpstreamError
from conduit_desktop.wire.openai_chat import errors as chat
from conduit_desktop.wire.openai_responses.fields import NAME

_SERVERS_FAULT = frozenset({"server_error", "rate_limit_exceeded", "vector_store_timeout"})
_CODES: dict[Reason, str] = {
    "context_length": "context_length_exceeded",
    "content_filter": "invalid_prompt",
    "too_large": "invalid_prompt",
    "bad_request": "invalid_prompt",
    "rate_limit": "rate_limit_exceeded",
    "money": "insufficient_quota",
}
"""What clients of this API know to act on; everything else is a `server_error`, which they try again."""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """A provider's error answer, classified. `headers` have lower-case names."""
    error = chat.read_error(status, headers, body)
    error.dialect = NAME
    return error


def error_in_answer(value: Any) -> UpstreamError:
    """An `error` event, or an error body that came with status 200."""
    error = chat.read_error_object(value)
    error.dialect = NAME
    return error


def failed_response(response: dict[str, Json]) -> UpstreamError:
    """A response that failed; unless its code names a fault of the server, the request was at fault."""
    said = response.get("error")
    found = said if isinstance(said, dict) else {"message": said or "the response failed without saying why"}
    code = found.get("code")
    status = 400 if isinstance(code, str) and code not in _SERVERS_FAULT else 500
    return error_in_answer({"error": {"status_code": status, **found}})


def failure_code(error: GatewayError) -> str:
    """The code of a failed response."""
    if isinstance(error, UpstreamError):
        return _CODES.get(error.reason, "server_error")
    if isinstance(error, BudgetExceeded):
        return "insufficient_quota"
    if isinstance(error, RateLimited):
        return "rate_limit_exceeded"
    return "invalid_prompt" if error.status == 400 else "server_error"
