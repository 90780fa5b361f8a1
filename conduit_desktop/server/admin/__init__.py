"""The operator's door: `/admin/v1`, which puts HTTP around the table in `actions.operations`, and a live feed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from conduit_desktop.actions import master_key, operations
from conduit_desktop.actions.house import Actor
from conduit_desktop.core.errors import ActionError, ConduitError, describe
from conduit_desktop.server.admin import feed
from conduit_desktop.server.admin.access import Refused, check

if TYPE_CHECKING:
    from conduit_desktop.actions.house import House

log = logging.getLogger(__name__)

PREFIX = "/admin/v1"
MAX_BODY = 16 * 1024 * 1024
"""Bytes; far more than any config file has."""

_ACTOR: web.RequestKey[Actor] = web.RequestKey("actor")
"""Who asks, as the audit log names it."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, house: House) -> None:
    """Add the admin API to an application."""
    feeds = feed.Feeds(house.bus)
    app.on_startup.append(_with_master_key(house))
    app.on_shutdown.append(feeds.close)
    app.router.add_get(f"{PREFIX}/events", _guarded(house, feeds.serve))
    app.router.add_route("*", PREFIX + "{path:(?:/.*)?}", _guarded(house, _operation(house)))


def _with_master_key(house: House) -> Callable[[web.Application], Awaitable[None]]:
    """The first start makes the master key; a locked keyring keeps the admin API shut, not the gateway."""

    async def make(app: web.Application) -> None:
        try:
            await master_key.current(house)
        except ConduitError as error:
            log.error("the admin API has no master key: %s", describe(error))

    return make


def _guarded(house: House, handler: _Handler) -> _Handler:
    """Nobody but the operator, and every failure as the admin API's own error."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            request[_ACTOR] = await check(request, house)
            return await handler(request)
        except ActionError as error:
            return _error(error)
        except ConduitError as error:
            log.error("%s %s: %s", request.method, request.path, describe(error))
            return _json({"error": {"message": str(error), "code": "unavailable", "field": None}}, 503)

    return guarded


def _operation(house: House) -> _Handler:
    async def operation(request: web.Request) -> web.StreamResponse:
        method = "GET" if request.method == "HEAD" else request.method
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        operations.match(method, path)  # before the body is read: a wrong path is not worth it
        body = await _body(request)
        status, answer = await operations.call(house, method, path, request.query, body, request[_ACTOR])
        if isinstance(answer, operations.Text):
            return web.Response(status=status, text=answer.text, content_type=answer.content_type)
        return web.Response(status=status) if status == 204 else _json(answer, status)

    return operation


async def _body(request: web.Request) -> Any:
    """The JSON sent, None where nothing was; raises Refused."""
    data = bytearray()
    async for part in request.content.iter_chunked(65536):
        data += part
        if len(data) > MAX_BODY:
            raise Refused(413, "payload_too_large", f"The body is over {MAX_BODY // 1024 // 1024} MB.")
    if not data.strip():
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Refused(400, "invalid_json", f"The body is not valid JSON: {error}") from error


def _error(error: ActionError) -> web.Response:
    headers = {"Allow": ", ".join(error.allowed)} if isinstance(error, operations.WrongMethod) else None
    if error.status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    body = {"error": {"message": error.message, "code": error.code, "field": error.field}}
    return _json(body, error.status, headers)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Keys that are shown once must not outlive the answer in a cache.
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", headers=headers)
