"""Gemini's API: `models/{model}:{method}`, such as `generateContent`; model and method are in the path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.errors import BadRequest, UnknownPath
from conduit_desktop.gateway.call import Call
from conduit_desktop.server import media, request_fields
from conduit_desktop.server.chat import answer, make_call
from conduit_desktop.server.identity import identify
from conduit_desktop.server.middleware import REQUEST_ID
from conduit_desktop.server.models import model_handler, models_handler
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.gemini_embeddings import GeminiEmbeddingsCaller

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

PREFIXES = ("/v1beta", "/v1", "", "/v1beta/v1beta", "/v1/v1", "/v1/v1beta")
"""SDKs call either version; with a base URL that already ends in one, they call it doubled."""
LISTS = ("/v1beta", "/v1beta/v1beta", "/v1/v1beta")
"""Where lists of models are always Gemini's; below `/v1` the header `x-goog-api-key` decides."""

Answerer = Callable[[web.Request, "Gateway", Call], Awaitable[web.StreamResponse]]


def mount(router: web.UrlDispatcher, gateway: Gateway) -> None:
    """Add the routes."""
    for prefix in PREFIXES:
        router.add_post(prefix + "/models/{target:.+}", handler(gateway))
    for prefix in LISTS:
        router.add_get(f"{prefix}/models", models_handler(gateway))
        router.add_get(prefix + "/models/{id:.+}", model_handler(gateway))


def handler(gateway: Gateway) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Handles every method of a model."""

    async def handle(request: web.Request) -> web.StreamResponse:
        # From the right, because model names may hold a colon, as in `llama3:latest`.
        model, _, method = request.match_info["target"].rpartition(":")
        answerer = METHODS.get(method)
        if answerer is None or not model:
            known = ", ".join(f":{name}" for name in METHODS)
            raise UnknownPath(f"There is nothing at {request.path}. The methods of a model are {known}.")
        identify(request, gateway)
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        return await answerer(request, gateway, _call(request, gateway, body, model.removeprefix("models/"), method))

    return handle


def _call(request: web.Request, gateway: Gateway, body: dict[str, Any], model: str, method: str) -> Call:
    stream = method == "streamGenerateContent"
    # Google's APIs take their system parameters with and without `$` (docs.cloud.google.com/apis/docs/system-parameters).
    events = not stream or request.query.get("alt", request.query.get("$alt")) == "sse"
    # As in `request_fields.model_of`: the name goes into records, metrics and logs.
    if len(model) > 512:
        raise BadRequest("The model's name is too long.", param="model")
    return make_call(request, gateway, dialect("gemini" if events else "gemini_array"), body, model, stream)


async def _generate(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    # A single content without its list is taken as well; the text of the refusal is Google's own.
    if not isinstance(call.body.get("contents"), list | dict) or not call.body["contents"]:
        raise BadRequest("contents is not specified", code="missing_parameter", param="contents")
    return await answer(request, gateway, call)


async def _count(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    """The count of a target that can count; else an estimate, labelled by a header. It is free and leaves no record."""
    call.endpoint, call.media_request, call.recorded = "count_tokens", MediaRequest("count_tokens", call.body), False
    del request[REQUEST_ID]  # an answer names the id of its record, and there is none
    return await media.answer(request, gateway, call)


def _embed(batch: bool) -> Answerer:
    async def embed(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
        """Embeddings of any provider; Gemini's own get the request as it came."""
        media.check_inputs(call.body, "requests")
        call.endpoint, call.media_request = (
            "embeddings",
            MediaRequest("embeddings", call.body, caller_format=GeminiEmbeddingsCaller(batch)),
        )
        return await media.answer(request, gateway, call)

    return embed


METHODS: dict[str, Answerer] = {
    "generateContent": _generate,
    "streamGenerateContent": _generate,
    "countTokens": _count,
    "embedContent": _embed(batch=False),
    "batchEmbedContents": _embed(batch=True),
}
