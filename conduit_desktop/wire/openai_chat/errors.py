"""Reads the errors of OpenAI and its compatible vendors, and writes ours in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, MalformedStream, Reason, UpstreamError
from conduit_desktop.wire.errors.classify import STATUS_OF, classify
from conduit_desktop.wire.errors.retry_after import retry_hint
from conduit_desktop.wire.openai_chat.fields import NAME

_LONGEST = 2_000
_WAITABLE = frozenset({"rate_limit", "overloaded", "server", "timeout"})
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
"""OpenAI's type and code for a reason, where the error came in another dialect or without a code."""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """A provider's error answer, classified. `headers` have lower-case names."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if isinstance(parsed, (dict, list, str)) and parsed:
        message, kind, param, text = _facts(parsed)
    else:
        message, kind, param, text = _plain(status, body), None, None, _plain(status, body)
    reason = classify(status, kind, text)
    return UpstreamError(
        message or f"the provider answered with status {status}",
        status=status,
        reason=reason,
        kind=kind,
        param=param,
        retry_after=(
            retry_hint({**_quoted(parsed), **headers}, text, limited=reason == "rate_limit") if reason in _WAITABLE else None
        ),
        dialect=NAME,
        body=body,
        headers=headers,
    )


def read_error_object(value: Any) -> UpstreamError:
    """An error inside a stream, or in a body that came with status 200."""
    message, kind, param, text = _facts(value)
    said = _status(value)
    reason = classify(said or 500, kind, text)
    return UpstreamError(
        message or "the provider reported an error without saying which",
        status=said or STATUS_OF.get(reason, 500),
        reason=reason,
        kind=kind,
        param=param,
        retry_after=retry_hint({}, text) if reason in _WAITABLE else None,
        dialect=NAME,
        body=orjson.dumps(value if isinstance(value, dict) else {"error": {"message": message}}),
    )


def base_response_fault(value: dict[str, Json]) -> UpstreamError | None:
    """MiniMax says its errors in `base_resp`, with status 200. https://platform.minimax.io/docs/api-reference/errorcode"""
    said = value.get("base_resp")
    code = said.get("status_code") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(code, int) or code == 0:
        return None
    status = _MINIMAX.get(code, 500)
    error = {"message": said.get("status_msg") or f"error {code}", "status_code": status}
    return read_error_object({"error": {**error, "code": "content_filter"} if code in (1026, 1027) else error})


_MINIMAX = {
    1001: 504, 1002: 429, 1004: 401, 1008: 402, 1026: 400, 1027: 400, 1039: 429, 1041: 429, 1042: 400, 2013: 400, 2045: 429,
    2049: 401, 2056: 429,
}  # fmt: skip
"""MiniMax's codes and the statuses they stand for; every other is a fault of its servers."""


def unexpected_body(body: bytes) -> MalformedStream | UpstreamError:
    """What a body says that came where a stream was expected."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return MalformedStream("a page or a broken body came where a stream was expected")
    if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict):
        parsed = parsed[0]
    if isinstance(parsed, dict) and (fault := base_response_fault(parsed)) is not None:
        return fault
    if isinstance(parsed, dict) and not parsed.get("choices") and any(parsed.get(name) for name in _TEXT_FIELDS):
        return read_error_object(parsed)
    return MalformedStream("a whole body came where a stream was expected")


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """Status and body."""
    return error.status, error_body(error)


def error_body(error: GatewayError) -> dict[str, Json]:
    """`{"error": {message, type, param, code}}`."""
    kind, code = error.type, error.code
    if isinstance(error, UpstreamError) and (error.kind is None or error.dialect not in _OPENAI):
        kind, code = _CODES.get(error.reason, (kind, error.kind or "provider_error"))
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


_OPENAI = frozenset({NAME, "openai_completions", "openai_responses"})
"""The dialects whose errors are in OpenAI's words."""

_TEXT_FIELDS = ("error", "message", "Message", "detail", "errors", "error_message", "msg")


def _facts(value: Any) -> tuple[str, str | None, str | None, str]:
    """Message, the vendor's own code, the field at fault, and all text there is to classify by."""
    if isinstance(value, list):
        value = value[0] if value else ""
    error = value.get("error") if isinstance(value, dict) else value
    if isinstance(value, dict) and not error:
        detail = value.get("detail")
        error = detail if isinstance(detail, dict) else value
    if not isinstance(error, dict):
        message = error if isinstance(error, str) else orjson.dumps(error).decode()
        more = value.get("message") if isinstance(value, dict) else None
        text = f"{message} {more}" if isinstance(more, str) else message
        return _short(more if isinstance(more, str) and more else message), None, None, text
    message = next((_words(error[name]) for name in _TEXT_FIELDS if error.get(name)), "")
    upstream = error.get("metadata")
    raw = upstream.get("raw") if isinstance(upstream, dict) else None
    if isinstance(raw, str) and raw:
        message = f"{message}: {raw}"  # OpenRouter: the vendor's own words behind its general ones
    param = error.get("param")
    text = orjson.dumps(error).decode()
    return _short(message), _kind(error), param if isinstance(param, str) else None, f"{message} {text}"


def _quoted(value: Any) -> dict[str, str]:
    """Headers in the body, with lower-case names: OpenRouter passes those of the vendor behind it on like this."""
    for name in ("error", "metadata", "headers"):
        value = value.get(name) if isinstance(value, dict) else None
    return {str(name).lower(): str(said) for name, said in value.items()} if isinstance(value, dict) else {}


def _words(value: Any) -> str:
    """The text of a message that may be a list of findings (FastAPI, Cloudflare) or an object (Mistral)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(_words(item) for item in value)
    if isinstance(value, dict):
        where = ".".join(str(step) for step in value["loc"]) + ": " if isinstance(value.get("loc"), list) else ""
        return where + next((_words(value[name]) for name in ("message", "msg", "detail") if value.get(name)), "")
    return str(value)


def _kind(error: dict[str, Any]) -> str | None:
    """The vendor's code, or its type where the code is missing or only the status again."""
    code, kind = error.get("code"), error.get("type") or error.get("status")
    listed = error.get("errors")
    if code is None and isinstance(listed, list) and listed and isinstance(listed[0], dict):
        code = listed[0].get("code")  # Cloudflare
    code = str(code) if isinstance(code, int | str) and not isinstance(code, bool) else ""
    if code and not (code.isdigit() and len(code) <= 3):
        return code
    return kind if isinstance(kind, str) and kind else None


def _status(value: Any) -> int | None:
    """The HTTP status that an error in a stream stands for, where it says so."""
    error = value.get("error") if isinstance(value, dict) else None
    for holder in (error, value):
        if isinstance(holder, dict):
            for name in ("status_code", "code", "status", "http_status"):
                found = holder.get(name)
                if isinstance(found, str) and len(found) == 3 and found.isdecimal():
                    found = int(found)
                if isinstance(found, int) and 400 <= found <= 599:
                    return found
    return None


def _plain(status: int, body: bytes) -> str:
    """A body that is no JSON, in a few words; a web page is named, never quoted."""
    text = body[: 4 * _LONGEST].decode("utf-8", "replace").strip()
    if not text:
        return f"the provider answered with status {status} and no body"
    if text.startswith("<") or "<html" in text[:500].lower():
        return f"the provider answered with a web page (status {status})"
    return _short(text)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
