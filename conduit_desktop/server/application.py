"""Builds the aiohttp application: the routes of client API, admin API, health, metrics and docs on one port."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from conduit_desktop import __version__
from conduit_desktop.server import admin, cohere, docs, gemini, media, metrics, ollama, responses
from conduit_desktop.server.chat import chat_handler
from conduit_desktop.server.middleware import Handler, client_api_middleware
from conduit_desktop.server.models import model_handler, models_handler
from conduit_desktop.server.protocol import DIRECT, RequestHandler
from conduit_desktop.server.unknown_paths import UnknownPaths

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

_ANY_SIZE = 2**40
"""Switches aiohttp's own limit off: `request_fields.read_body` enforces the setting `max_body_mb`."""


def build(context: AppContext) -> web.Application:
    """The application with all routes."""
    gateway = context.gateway
    unknown_paths = UnknownPaths()
    middleware = client_api_middleware(gateway, unknown_paths)
    app = web.Application(client_max_size=_ANY_SIZE, middlewares=[middleware])
    chats = {"/v1/chat/completions": "openai_chat", "/v1/messages": "anthropic_messages"}
    direct: dict[str, RequestHandler] = {
        path: partial(middleware, handler=chat_handler(gateway, name)) for path, name in chats.items()
    }
    app[DIRECT] = direct
    admin.mount(app, context)
    router = app.router
    for prefix in (*_PREFIXES, DEPLOYMENT):
        router.add_post(f"{prefix}/chat/completions", chat_handler(gateway, "openai_chat"))
    for prefix in (*_PREFIXES, *_ANTHROPIC):
        router.add_post(f"{prefix}/messages", chat_handler(gateway, "anthropic_messages"))
    for prefix in (*_PREFIXES, *_ANTHROPIC):
        router.add_get(f"{prefix}/models", models_handler(gateway))
        # `.+`, because names of models hold slashes, such as `openai/gpt-5`.
        router.add_get(f"{prefix}/models/{{id:.+}}", model_handler(gateway))
    gemini.mount(router, gateway)
    ollama.mount(router, gateway)
    cohere.mount(router, gateway)
    responses.mount(router, gateway, _PREFIXES)
    media.mount(router, gateway, (*_PREFIXES, DEPLOYMENT))
    media.mount_counts(router, gateway, (*_PREFIXES, *_ANTHROPIC))
    metrics.mount(app, context, unknown_paths)
    docs.mount(router)
    # Claude Code begins with HEAD /, which aiohttp answers by this GET.
    router.add_get("/", _root)
    router.add_get("/health", _health)
    router.add_get("/health/ready", _ready(context))
    return app


_PREFIXES = ("/v1", "", "/v1/v1", "/openai/v1", "/openai")
"""A missing or doubled version segment is accepted: clients differ in whether the base URL contains it. Azure's clients append
`/openai` or `/openai/v1` to their endpoint."""
DEPLOYMENT = "/openai/deployments/{deployment:.+?}"
"""Where Azure's clients name the model, in versions of its API that are dates."""
_ANTHROPIC = ("/anthropic/v1", "/anthropic")
"""Where vendors that also have OpenAI's API have Anthropic's, and where gateways commonly have it."""


async def _root(request: web.Request) -> web.Response:
    return _json({"name": "Conduit Desktop", "version": __version__, "status": "ok"})


async def _health(request: web.Request) -> web.Response:
    return _json({"status": "ok", "version": __version__})


def _ready(context: AppContext) -> Handler:
    async def ready(request: web.Request) -> web.Response:
        # Without space for records it is not ready: a load balancer should use another instance.
        writable = context.store.healthy
        providers = sum(bound.provider.enabled and not bound.problem for bound in context.gateway.snapshot.providers.values())
        body = {"status": "ok" if writable else "degraded", "records": writable, "providers": providers}
        return _json(body, 200 if writable else 503)

    return ready


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")
