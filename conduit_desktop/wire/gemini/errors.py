"""Errors of Google's APIs, which are google.rpc.Status as JSON, read and written. https://google.aip.dev/193"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, ProviderFailed, Reason, UpstreamError, classify_status
from conduit_desktop.wire.errors.classify import SEARCHED, classify
from conduit_desktop.wire.errors.context_overflow import context_overflow, gemini_text
from conduit_desktop.wire.errors.error_body import parse_json
from conduit_desktop.wire.errors.retry_after import duration, retry_hint
from conduit_desktop.wire.gemini.field_names import NAME, Fields

_STATUSES: dict[str, tuple[Reason, int]] = {
    "INVALID_ARGUMENT": ("bad_request", 400),
    "FAILED_PRECONDITION": ("bad_request", 400),
    "OUT_OF_RANGE": ("bad_request", 400),
    "UNAUTHENTICATED": ("auth", 401),
    "PERMISSION_DENIED": ("permission", 403),
    "NOT_FOUND": ("model_not_found", 404),
    "ABORTED": ("server", 409),
    "ALREADY_EXISTS": ("bad_request", 409),
    "RESOURCE_EXHAUSTED": ("rate_limit", 429),
    "CANCELLED": ("server", 499),
    "INTERNAL": ("server", 500),
    "UNKNOWN": ("server", 500),
    "DATA_LOSS": ("server", 500),
    "UNIMPLEMENTED": ("bad_request", 501),
    "UNAVAILABLE": ("overloaded", 503),
    "DEADLINE_EXCEEDED": ("timeout", 504),
}
"""The reason and the HTTP status of each google.rpc.Code.

https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
"""

_NAMES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    405: "UNIMPLEMENTED", 408: "DEADLINE_EXCEEDED", 409: "ABORTED", 413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED", 529: "UNAVAILABLE",
}  # fmt: skip

_CODES_OF_BROKEN: dict[Reason, int] = {"rate_limit": 429, "overloaded": 503, "money": 429}
"""The codes of errors within a stream by which clients choose whether and when to retry."""

_REASONS: dict[str, Reason] = {
    "API_KEY_INVALID": "auth",
    "API_KEY_EXPIRED": "auth",
    "ACCESS_TOKEN_EXPIRED": "auth",
    "CREDENTIALS_MISSING": "auth",
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": "auth",
    "API_KEY_SERVICE_BLOCKED": "permission",
    "SERVICE_DISABLED": "permission",
    "CONSUMER_SUSPENDED": "permission",
    "CONSUMER_INVALID": "permission",
    "BILLING_DISABLED": "money",
    "RATE_LIMIT_EXCEEDED": "rate_limit",
    "MODEL_CAPACITY_EXHAUSTED": "overloaded",
}
"""`reason` of google.rpc.ErrorInfo."""

# A 429 of a plain rate limit says "check your plan and billing details" too.
_MONEY = re.compile(
    r"prepa(y|id)\w* credits?|credits? (are|is|have been) (depleted|exhausted)|billing (account|is|has|to be)|enable billing"
    r"|spend(ing)? (cap|limit)|requires billing",
    re.IGNORECASE,
)
_CONTEXT = re.compile(r"token count.{0,60}exceeds? the maximum|exceeds? the maximum number of (input )?tokens", re.IGNORECASE)
_SAFETY = re.compile(
    r"blocked by|prohibited content|violat\w+ .{0,60}(polic|safety|guideline)|safety (filter|polic|reason)|model armor"
    r"|usage guidelines",
    re.IGNORECASE,
)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified: an object, or an array of one in streams without `alt=sse`. The body may be HTML.

    Header names are in lower case.
    """
    error = _error_of(parse_json(body))
    text = body[:SEARCHED].decode("utf-8", "replace")
    message = error.get("message") if isinstance(error.get("message"), str) else None
    kind = error.get("status") if isinstance(error.get("status"), str) else None
    return UpstreamError(
        message or _plain(text) or f"HTTP {status}",
        status=status,
        reason=_reason(status, kind, message or text, error),
        kind=kind,
        retry_after=_wait(headers, error, text),
        dialect=NAME,
        body=body,
        headers=headers,
    )


def error_in_answer(fields: Fields) -> UpstreamError:
    """An error after a success status."""
    error = _error_of(fields)
    kind = error.get("status") if isinstance(error.get("status"), str) else None
    code = error.get("code")
    status = code if isinstance(code, int) and code >= 400 else _STATUSES.get(kind or "", ("server", 500))[1]
    # The headers are those of an answer that began as a success, and say nothing about this error.
    return read_error(status, {}, orjson.dumps(fields))


def write_error(error: GatewayError) -> tuple[int, Fields]:
    """The status and the body. Google's own errors are passed on whole."""
    # `details` hold what the neutral error does not, such as the exact quota that is exhausted.
    if isinstance(error, UpstreamError) and error.dialect == NAME and (own := _error_of(parse_json(error.body))):
        return error.status, {"error": own}
    overflow = context_overflow(error)
    if overflow is not None:
        note = error.note if isinstance(error, UpstreamError) else ""
        return 400, {"error": {"code": 400, "message": gemini_text(overflow) + note, "status": "INVALID_ARGUMENT"}}
    code = _CODES_OF_BROKEN.get(error.cause or "server", error.status) if isinstance(error, ProviderFailed) else error.status
    status = _NAMES.get(code) or ("INVALID_ARGUMENT" if 400 <= code < 500 else "INTERNAL")
    body: Fields = {"code": code, "message": error.message, "status": status}
    details = list(_details(error))
    if details:
        body["details"] = details
    return error.status, {"error": body}


def _details(error: GatewayError) -> Iterator[Fields]:
    # Google marks a wrong key by this reason, with status 400, so a client may look for the reason alone.
    if error.status == 401:
        yield {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        yield {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    if error.retry_after is not None:
        # At least one second: rounded down to zero it would ask for a retry at once.
        yield {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{max(1, round(error.retry_after))}s"}


def _error_of(fields: Json) -> Fields:
    if isinstance(fields, list) and fields:
        fields = fields[0]
    error = fields.get("error") if isinstance(fields, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _reason(status: int, kind: str | None, text: str, error: Fields) -> Reason:
    for detail in _rows(error):
        # First, because Google reports an invalid key with status 400, which would pass for a bad request.
        known = _REASONS.get(str(detail.get("reason")))
        if known is not None:
            return known
    reason = _STATUSES[kind][0] if kind in _STATUSES else classify_status(status)
    # Before the other texts: no wait and no change of the request helps where the money is gone.
    if reason in ("rate_limit", "permission", "bad_request") and _MONEY.search(text, 0, SEARCHED):
        return "money"
    if reason == "bad_request":
        if _CONTEXT.search(text, 0, SEARCHED):
            return "context_length"
        if _SAFETY.search(text, 0, SEARCHED):
            return "content_filter"
        if kind == "FAILED_PRECONDITION":
            return "permission"  # "User location is not supported for the API use."
        return classify(status, None, text)
    return classify(403, None, text) if reason == "permission" else reason


def _rows(error: Fields) -> Iterator[Fields]:
    details = error.get("details")
    yield from (row for row in (details if isinstance(details, list) else ()) if isinstance(row, dict))


def _wait(headers: Mapping[str, str], error: Fields, text: str) -> float | None:
    """The wait in seconds by google.rpc.RetryInfo, else by the headers or the text."""
    # Exact and about this error, so it comes before the headers and the wording.
    for detail in _rows(error):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (seconds := duration(delay)) is not None:
            return seconds
        if isinstance(delay, dict) and isinstance(delay.get("seconds"), int | str):
            return duration(str(delay["seconds"]))
    return retry_hint(headers, str(error.get("message") or text))


def _plain(text: str) -> str:
    """The text of an HTML page, in one short line."""
    return " ".join(re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", text, flags=re.IGNORECASE | re.DOTALL).split())[:300]
