"""Reads the error bodies that most vendors share: OpenAI's `{"error": {...}}`, FastAPI's `detail`, a bare `message`, plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.wire import json_text
from conduit_desktop.wire.errors.classify import STATUS_OF, classify
from conduit_desktop.wire.errors.retry_after import retry_hint

TEXT_FIELDS = ("error", "message", "Message", "detail", "errors", "error_message", "msg")
"""The fields that hold an error's text, in the order in which they are tried."""

_LONGEST = 2_000
"""Characters of a message that are kept."""
_WAITABLE = frozenset({"rate_limit", "overloaded", "server", "timeout"})


def parse_json(data: bytes) -> Any:
    """The JSON value in `data`; None for anything that is not JSON."""
    try:
        return json_text.loads(data)
    except orjson.JSONDecodeError:
        return None


def read_error(status: int, headers: Mapping[str, str], body: bytes, dialect: str) -> UpstreamError:
    """A provider's error response in `dialect`, classified. `headers` have lower-case names."""
    parsed = parse_json(body)
    if isinstance(parsed, (dict, list, str)) and parsed:
        message, kind, param, text = _facts(parsed)
    else:
        message, kind, param, text = _plain(status, body), None, None, _plain(status, body)
    reason = classify(status, kind, text, param)
    wait = None
    if reason in _WAITABLE:
        # The answer's real headers win over those quoted in its body, which are the vendor's behind it.
        wait = retry_hint({**_headers_in_body(parsed), **headers}, text, limited=reason == "rate_limit")
    return UpstreamError(
        message or f"the provider answered with status {status}",
        status=status,
        reason=reason,
        kind=kind,
        param=param,
        retry_after=wait,
        dialect=dialect,
        body=body,
        headers=headers,
    )


def read_error_object(value: Any, dialect: str) -> UpstreamError:
    """An error inside a stream, or in a body with status 200. Its status is the one in the error, else that of its reason."""
    message, kind, param, text = _facts(value)
    status = _status(value)
    reason = classify(status or 500, kind, text, param)
    return UpstreamError(
        message or "the provider reported an error without a message",
        status=status or STATUS_OF.get(reason, 500),
        reason=reason,
        kind=kind,
        param=param,
        retry_after=retry_hint({}, text) if reason in _WAITABLE else None,
        dialect=dialect,
        body=orjson.dumps(value if isinstance(value, dict) else {"error": {"message": message}}),
    )


def _facts(value: Any) -> tuple[str, str | None, str | None, str]:
    """The message, the vendor's own code, the invalid field, and all text to classify by."""
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
    message = next((_text(error[name]) for name in TEXT_FIELDS if error.get(name)), "")
    upstream = error.get("metadata")
    raw = upstream.get("raw") if isinstance(upstream, dict) else None
    if isinstance(raw, str) and raw:
        message = f"{message}: {raw}"  # OpenRouter wraps the vendor's own message. https://openrouter.ai/docs/api_reference/errors-and-debugging
    param = error.get("param")
    text = orjson.dumps(error).decode()
    return _short(message), _kind(error), param if isinstance(param, str) else None, f"{message} {text}"


def _headers_in_body(value: Any) -> dict[str, str]:
    """Headers in the body, with lower-case names: OpenRouter passes on the vendor's headers there."""
    for name in ("error", "metadata", "headers"):
        value = value.get(name) if isinstance(value, dict) else None
    return {str(name).lower(): str(header) for name, header in value.items()} if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """The text of a message that may be a list of errors (FastAPI, Cloudflare) or an object (Mistral)."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value)
    if isinstance(value, dict):
        where = ".".join(str(step) for step in value["loc"]) + ": " if isinstance(value.get("loc"), list) else ""
        return where + next((_text(value[name]) for name in ("message", "msg", "detail") if value.get(name)), "")
    return str(value)


def _kind(error: dict[str, Any]) -> str | None:
    """The vendor's code, or its type if there is no code or it only repeats the status."""
    code, kind = error.get("code"), error.get("type") or error.get("status")
    listed = error.get("errors")
    if code is None and isinstance(listed, list) and listed and isinstance(listed[0], dict):
        code = listed[0].get("code")  # Cloudflare
    code = str(code) if isinstance(code, int | str) and not isinstance(code, bool) else ""
    # Longer numbers are codes of the vendor's own and say more than the type.
    if code and not (code.isdigit() and len(code) <= 3):
        return code
    return kind if isinstance(kind, str) and kind else None


def _status(value: Any) -> int | None:
    """The HTTP status that is given in an error object."""
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
    """The message of a body that is not JSON; a web page is never quoted."""
    # Four bytes are the most that a character takes in UTF-8.
    text = body[: 4 * _LONGEST].decode("utf-8", "replace").strip()
    if not text:
        return f"the provider answered with status {status} and no body"
    if text.startswith("<") or "<html" in text[:500].lower():
        return f"the provider answered with a web page (status {status})"
    return _short(text)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
