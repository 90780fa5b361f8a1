"""Errors of Anthropic's Messages API, read and written. https://platform.claude.com/docs/en/api/errors"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, ProviderFailed, Reason, ThreadNotFound, UpstreamError
from conduit_desktop.wire.anthropic.messages_reader import NAME, Fields
from conduit_desktop.wire.errors.classify import SEARCHED, classify
from conduit_desktop.wire.errors.context_overflow import anthropic_text, context_overflow
from conduit_desktop.wire.errors.error_body import parse_json
from conduit_desktop.wire.errors.retry_after import retry_after, until

_REASONS: dict[str, tuple[Reason, int]] = {
    "invalid_request_error": ("bad_request", 400),
    "authentication_error": ("auth", 401),
    "billing_error": ("money", 402),
    "permission_error": ("permission", 403),
    "not_found_error": ("model_not_found", 404),
    "request_too_large": ("too_large", 413),
    "rate_limit_error": ("rate_limit", 429),
    "api_error": ("server", 500),
    "timeout_error": ("timeout", 504),
    "overloaded_error": ("overloaded", 529),
}
"""The reason of each error type, and the status of one that comes inside a stream."""

_TYPES_OF_BROKEN: dict[Reason, str] = {
    "overloaded": "overloaded_error", "rate_limit": "rate_limit_error", "money": "billing_error",
}  # fmt: skip
"""The types of errors within a stream by which clients choose whether and when to retry."""

# Anthropic's list of errors has no type for 502 and 503, so its general one stands for them.
_TYPES = {status: name for name, (_, status) in _REASONS.items()} | {502: "api_error", 503: "api_error"}

_SPEND = re.compile(r"credit balance is too low|spend(ing)? limit|usage limits?.{0,40}regain access", re.IGNORECASE)
_CONTEXT = re.compile(
    r"prompt is too long|exceeds? (the )?context (limit|window)|context window|input length and `?max_tokens`?", re.IGNORECASE
)
_FILTERED = re.compile(r"content filtering policy", re.IGNORECASE)
# Not every error is the API's own: the one for a body over 32 MB comes from Cloudflare in front of it.
# https://platform.claude.com/docs/en/api/errors
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified by its type, then by its text. Header names are in lower case; the body may be HTML."""
    fields = parse_json(body)
    error = _error_of(fields)
    kind = _kind(error)
    message = _message_of(fields, error) or _page_text(body) or f"HTTP {status}"
    reason = _reason(kind, message, error, classify(status, kind, message))
    return UpstreamError(
        message,
        status=status,
        reason=reason,
        kind=kind,
        retry_after=_wait(headers, reason),
        dialect=NAME,
        body=body,
        headers=headers,
    )


def error_in_answer(fields: Fields) -> UpstreamError:
    """An error after a success status: the error event of a stream, or a whole body."""
    error = _error_of(fields)
    kind = _kind(error)
    # The HTTP status was 200 by then, so the type alone shows which status the error would have had.
    reason, status = _REASONS.get(kind or "", ("server", 500))
    message = _message_of(fields, error) or kind or "the provider sent an error without a text"
    return UpstreamError(
        message,
        status=status,
        reason=_reason(kind, message, error, reason),
        kind=kind,
        dialect=NAME,
        body=orjson.dumps(fields),
    )


def write_error(error: GatewayError) -> tuple[int, Fields]:
    """The status and the body `{"type": "error", "error": {"type", "message"}}`. Anthropic's own errors are passed on whole."""
    # An own error may hold fields that the neutral one does not (`details`), and a client may act on them.
    if isinstance(error, UpstreamError) and error.dialect == NAME:
        fields = parse_json(error.body)
        if isinstance(fields, dict) and fields.get("type") == "error" and isinstance(fields.get("error"), dict):
            return error.status, fields
    overflow = context_overflow(error)
    if overflow is not None and not (isinstance(error, UpstreamError) and error.dialect == NAME):
        note = error.note if isinstance(error, UpstreamError) else ""
        return 400, {"type": "error", "error": {"type": "invalid_request_error", "message": anthropic_text(overflow) + note}}
    kind = _TYPES_OF_BROKEN.get(error.cause or "server") if isinstance(error, ProviderFailed) else None
    kind = kind or _TYPES.get(error.status)
    if kind is None:
        kind = "invalid_request_error" if 400 <= error.status < 500 else "api_error"
    # The SDKs replay the conversation by this code. https://platform.claude.com/docs/en/build-with-claude/message-threads
    details = {"details": {"error_code": error.code}} if isinstance(error, ThreadNotFound) else {}
    return error.status, {"type": "error", "error": {"type": kind, "message": error.message, **details}}


def _error_of(fields: Json) -> Fields:
    """The object with the message: Vertex wraps errors in a list, Bedrock has a bare `message`."""
    if isinstance(fields, list) and fields:
        fields = fields[0]
    if not isinstance(fields, dict):
        return {}
    error = fields.get("error", fields)
    return error if isinstance(error, dict) else {}


def _kind(error: Fields) -> str | None:
    """The error type, or the code of a compatible vendor that has codes instead (Z.ai)."""
    return next((error[name] for name in ("type", "code") if isinstance(error.get(name), str)), None)


def _message_of(fields: Json, error: Fields) -> str | None:
    if isinstance(error.get("message"), str):
        return str(error["message"])
    if isinstance(fields, dict):
        for key in ("message", "error", "detail"):
            if isinstance(fields.get(key), str):
                return str(fields[key])
    return None


def _page_text(body: bytes) -> str:
    """The title of an HTML page, else its text, in one short line."""
    # Bounded, as an error page can have any size and the expressions go over all of the text.
    text = body[:SEARCHED].decode("utf-8", "replace")
    title = _TITLE.search(text)
    return " ".join(_TAG.sub(" ", title[1] if title else text).split())[:300]


def _reason(kind: str | None, message: str, error: Fields, otherwise: Reason) -> Reason:
    reason = _REASONS[kind][0] if kind in _REASONS else otherwise
    # First, as a spent balance comes under types that also stand for other faults.
    if _out_of_money(message, error):
        return "money"
    if reason in ("bad_request", "too_large"):
        if _CONTEXT.search(message, 0, SEARCHED):
            return "context_length"
        if _FILTERED.search(message, 0, SEARCHED):
            return "content_filter"
    if reason == "bad_request":
        # The type is too coarse here: `invalid_request_error` also covers lack of money, a wrong key and an unknown model.
        return classify(400, None, message)  # compatible vendors have texts of their own
    # A 429 whose text speaks of capacity: the limit is the vendor's, not that of the caller's account.
    if reason == "rate_limit" and otherwise == "overloaded":
        return "overloaded"
    return "content_filter" if _FILTERED.search(message, 0, SEARCHED) else reason


def _out_of_money(message: str, error: Fields) -> bool:
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return _SPEND.search(message, 0, SEARCHED) is not None or (
        isinstance(code, str) and ("spend_limit" in code or "billing" in code)
    )


def _wait(headers: Mapping[str, str], reason: Reason) -> float | None:
    """`retry-after`; else, for a rate limit, the time until the last of the exhausted limits is full again.

    https://platform.claude.com/docs/en/api/rate-limits#response-headers
    """
    wait = retry_after(headers)
    if wait is not None or reason != "rate_limit":
        return wait
    exhausted: list[float] = []
    for name, value in headers.items():
        # The limits are not listed by name, so that a kind of limit that Anthropic adds later counts too.
        limit = name.removeprefix("anthropic-ratelimit-").removesuffix("-reset")
        if len(limit) != len(name) - len("anthropic-ratelimit--reset"):
            continue
        # These resets are RFC 3339 times, unlike the durations that OpenAI sends.
        seconds = until(value, headers)
        if seconds is not None and headers.get(f"anthropic-ratelimit-{limit}-remaining") == "0":
            exhausted.append(seconds)
    # The last of them: a request that meets only one of two exhausted limits is refused again.
    return max(exhausted, default=None)
