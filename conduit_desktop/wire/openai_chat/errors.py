"""Errors of OpenAI and its compatible vendors, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, MalformedStream, Reason, UpstreamError
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.errors.context_overflow import context_overflow, openai_text
from conduit_desktop.wire.openai_chat.fields import NAME

_CODES: dict[Reason, tuple[str, str]] = {
    "context_length": ("invalid_request_error", "context_length_exceeded"),
    "content_filter": ("invalid_request_error", "content_filter"),
    "too_large": ("invalid_request_error", "payload_too_large"),
    "bad_request": ("invalid_request_error", "invalid_request_error"),
    "model_not_found": ("invalid_request_error", "model_not_found"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "money": ("insufficient_quota", "insufficient_quota"),
    "timeout": ("api_error", "provider_timeout"),
    "broken": ("api_error", "provider_stream_broken"),
}
"""OpenAI's type and code for the reason of an error that has another dialect or no code."""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified. `headers` have lower-case names."""
    return error_body.read_error(status, headers, body, NAME)


def read_error_object(value: Any) -> UpstreamError:
    """An error inside a stream, or in a body with status 200."""
    return error_body.read_error_object(value, NAME)


def choice_error(choice: dict[str, Json]) -> UpstreamError | None:
    """The error inside a choice (OpenRouter), which comes with status 200."""
    if choice.get("error") or choice.get("finish_reason") == "error":
        return read_error_object(choice.get("error") or "the provider ended the answer with an error")
    return None


def base_response_fault(value: dict[str, Json]) -> UpstreamError | None:
    """The error in MiniMax's `base_resp`, which comes with status 200. https://platform.minimax.io/docs/api-reference/errorcode"""
    fields = value.get("base_resp")
    code = fields.get("status_code") if isinstance(fields, dict) else None
    # MiniMax sends `base_resp` with successful answers too; 0 means success.
    if not isinstance(fields, dict) or not isinstance(code, int) or code == 0:
        return None
    status = _MINIMAX.get(code, 500)
    error = {"message": fields.get("status_msg") or f"error {code}", "status_code": status}
    return read_error_object({"error": {**error, "code": "content_filter"} if code in (1026, 1027) else error})


_MINIMAX = {
    1001: 504, 1002: 429, 1004: 401, 1008: 402, 1026: 400, 1027: 400, 1039: 429, 1041: 429, 1042: 400, 2013: 400, 2045: 429,
    2049: 401, 2056: 429,
}  # fmt: skip
"""MiniMax's codes and their HTTP statuses; every other code is an error of its servers."""


def unexpected_body(body: bytes) -> MalformedStream | UpstreamError:
    """The error of a whole body that came instead of a stream."""
    parsed = error_body.parse_json(body)
    if parsed is None:
        return MalformedStream("a page or a broken body came where a stream was expected")
    if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict):
        parsed = parsed[0]
    if isinstance(parsed, dict) and (fault := base_response_fault(parsed)) is not None:
        return fault
    if isinstance(parsed, dict) and not parsed.get("choices") and any(parsed.get(name) for name in error_body.TEXT_FIELDS):
        return read_error_object(parsed)
    return MalformedStream("a whole body came where a stream was expected")


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and body."""
    return 400 if context_overflow(error) is not None else error.status, write_error_body(error)


def write_error_body(error: GatewayError, param: str = "messages") -> dict[str, Json]:
    """`{"error": {message, type, param, code}}`. `param` is the field that an overflow of the context is about."""
    overflow = context_overflow(error)
    if overflow is not None:
        message = error.message
        own = isinstance(error, UpstreamError) and error.dialect in _OPENAI and error.kind in _OVERFLOWS
        # OpenAI's own words stay: only its errors have these codes, with the text that clients know.
        if not own:
            message = openai_text(overflow) + (error.note if isinstance(error, UpstreamError) else "")
        code = error.code if own else _OVERFLOWS[0]
        return {"error": {"message": message, "type": "invalid_request_error", "param": error.param or param, "code": code}}
    kind, code = error.type, error.code
    # Clients branch on OpenAI's codes, so another vendor's own code would mean nothing to them.
    if isinstance(error, UpstreamError) and (error.kind is None or error.dialect not in _OPENAI):
        kind, code = _CODES.get(error.reason, (kind, error.kind or "provider_error"))
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


_OVERFLOWS = ("context_length_exceeded", "string_above_max_length")
_OPENAI = frozenset({NAME, "openai_completions", "openai_responses"})
"""The dialects whose errors have OpenAI's types and codes."""
