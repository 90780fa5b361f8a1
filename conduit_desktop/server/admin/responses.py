"""Responses of the admin API: JSON, also for errors."""

from __future__ import annotations

import math
from typing import Any

import orjson
from aiohttp import web

from conduit_desktop.actions.routes import WrongMethod
from conduit_desktop.core.errors import ActionError


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """`value` as JSON."""
    # Keys that are shown once must not outlive the answer in a cache.
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", headers=headers)


def refusal(error: ActionError) -> web.Response:
    """An error in the admin API's own shape."""
    headers = {"Allow": ", ".join(error.allowed)} if isinstance(error, WrongMethod) else None
    if error.status == 401:
        # HTTP demands it with every 401 (RFC 9110, 15.5.2).
        headers = {"WWW-Authenticate": "Bearer"}
    if (retry_after := getattr(error, "retry_after", None)) is not None:
        headers = {"Retry-After": str(math.ceil(retry_after))}
    return as_json({"error": {"message": error.message, "code": error.code, "field": error.field}}, error.status, headers)
