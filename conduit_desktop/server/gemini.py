"""Gemini's API: `models/{m}:generateContent` and its sisters; the model and the method stand in the path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.errors import BadRequest, UnknownPath
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.upstream.token_counts import count_tokens
from conduit_desktop.server import request_fields as reading
from conduit_desktop.server.chat import answer, make_call
from conduit_desktop.server.media import answer as answer_beside
from conduit_desktop.server.models import json_response, model_handler, models_handler
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.gemini_embeddings import GeminiEmbeddingsCaller

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

PREFIXES = ("/v1beta", "/v1", "", "/v1beta/v1beta", "/v1/v1", "/v1/v1beta")
"""SDKs call either version; a missing or doubled one is forgiven."""
LISTS = ("/v1beta", "/v1beta/v1beta", "/v1/v1beta")
"""Where lists of models are always Gemini's; below `/v1` the header tells."""

Answerer = Callable[[web.Request, "Gateway", Call], Awaitable[web.StreamResponse]]


def mount(router: web.UrlDispatcher, gateway: Gateway) -> None:
    """Add the routes."""
    for prefix in PREFIXES:
        router.add_post(prefix + "/models/{target:.+}", handler(gateway))
    for prefix in LISTS:
        router.add_get(f"{prefix}/models", models_handler(gateway))
        router.add_get(prefix + "/models/{id:.+}", model_handler(gateway))


def handler(gateway: Gateway) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answers every method."""

    async def ask(request: web.Request) -> web.StreamResponse:
        model, _, method = request.match_info["target"].rpartition(":")
        answerer = METHODS.get(method)
        if answerer is None or not model:
            known = ", ".join(f":{name}" for name in METHODS)
            raise UnknownPath(f"There is nothing at {request.path}. The methods of a model are {known}.")
        body = await reading.read_json(request, gateway.snapshot.settings.max_body_mb)
        return await answerer(request, gateway, _call(request, gateway, body, model.removeprefix("models/"), method))

    return ask


def _call(request: web.Request, gateway: Gateway, body: dict[str, Any], model: str, method: str) -> Call:
    stream = method == "streamGenerateContent"
    events = not stream or request.query.get("alt", request.query.get("$alt")) == "sse"
    if len(model) > 512:
        raise BadRequest("The model's name is too long.", param="model")
    return make_call(request, gateway, dialect("gemini" if events else "gemini_array"), body, model, stream)


async def _generate(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    if not isinstance(call.body.get("contents"), list | dict) or not call.body["contents"]:
        raise BadRequest("contents is not specified", code="missing_parameter", param="contents")
    return await answer(request, gateway, call)


async def _count(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    """A target that counts is asked; where none does, the estimate says that it is one."""
    counted = await count_tokens(gateway, call)
    if counted is not None:
        return web.Response(body=counted, content_type="application/json")
    response = json_response({"totalTokens": input_tokens(call.body)})
    response.headers["x-conduit-token-count"] = "estimated"
    return response


def _embed(batch: bool) -> Answerer:
    async def embed(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
        """Any provider's embeddings; Gemini's hear and say what is said here."""
        call.endpoint, call.media_request = (
            "embeddings",
            MediaRequest("embeddings", call.body, caller_format=GeminiEmbeddingsCaller(batch)),
        )
        return await answer_beside(request, gateway, call)

    return embed


METHODS: dict[str, Answerer] = {
    "generateContent": _generate,
    "streamGenerateContent": _generate,
    "countTokens": _count,
    "embedContent": _embed(batch=False),
    "batchEmbedContents": _embed(batch=True),
}
