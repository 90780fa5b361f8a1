"""The admin API, `/admin/v1`: the operations of `actions.operations` over HTTP, and a feed of changes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.actions import master_key
from conduit_desktop.actions.context import Actor
from conduit_desktop.core.errors import ActionError, ConduitError, describe
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.server.admin import feed
from conduit_desktop.server.admin.access import let_in
from conduit_desktop.server.admin.responses import as_json, refusal
from conduit_desktop.server.middleware import discard_body, is_known

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

log = logging.getLogger(__name__)

PREFIX = "/admin/v1"
_ACTOR: web.RequestKey[Actor] = web.RequestKey("actor")
"""The actor of the request, as the audit log names it."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, context: AppContext) -> None:
    """Add the admin API to an application."""
    feeds = feed.Feeds(context.bus)
    app.on_startup.append(_with_master_key(context))
    # At shutdown, not at cleanup: aiohttp waits for open requests in between, and a feed does not end by itself.
    app.on_shutdown.append(feeds.close)
    app.router.add_get(f"{PREFIX}/events", _guarded(context, feeds.serve))
    # Every path below the prefix, so that an unknown one gets the admin API's own error, and only with a key.
    app.router.add_route("*", PREFIX + "{path:(?:/.*)?}", _guarded(context, _operation(context)))


def _with_master_key(context: AppContext) -> Callable[[web.Application], Awaitable[None]]:
    """The first start makes the master key; a locked keyring disables the admin API, not the gateway."""

    async def make(app: web.Application) -> None:
        try:
            await master_key.current(context)
        except ConduitError as error:
            log.error("the admin API has no master key: %s", describe(error))

    return make


def _guarded(context: AppContext, handler: _Handler) -> _Handler:
    """Only the operator is let through; every failure becomes the admin API's error."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            request[_ACTOR] = await let_in(request, context)
            is_known(request)
            return await handler(request)
        except ActionError as error:
            response = refusal(error)
            discard_body(request, response)
            return response
        except ConduitError as error:
            log.error("%s %s: %s", request.method, request.path, describe(error))
            return as_json({"error": {"message": str(error), "code": "unavailable", "field": None}}, 503)

    return guarded


def _operation(context: AppContext) -> _Handler:
    async def operation(request: web.Request) -> web.StreamResponse:
        # The table with every view takes some megabytes: it is loaded at the first call, in a thread, so that no stream waits.
        answer = await for_operator(_answer)
        return await answer(request, request.rel_url.raw_path.removeprefix(PREFIX), context, request[_ACTOR])

    return operation


def _answer() -> Callable[[web.Request, str, AppContext, Actor], Awaitable[web.Response]]:
    from conduit_desktop.server.admin.operations import answer

    return answer
