"""Cohere's API under `/v2`: chat, embeddings and rerank, at any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.server import media, request_fields
from conduit_desktop.server.chat import chat_handler, make_call
from conduit_desktop.server.identity import identify
from conduit_desktop.server.middleware import Handler
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.cohere_embeddings import CohereEmbeddingsCaller, read_inputs
from conduit_desktop.wire.media.endpoints import MediaRequest

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway


def mount(router: web.UrlDispatcher, gateway: Gateway) -> None:
    """Add the routes."""
    router.add_post("/v2/chat", chat_handler(gateway, "cohere"))
    router.add_post("/v2/embed", embed_handler(gateway))
    # The body is the same as at `/v1/rerank`, which has Cohere's shape.
    router.add_post("/v2/rerank", media.endpoint_handler(gateway, "rerank"))


def embed_handler(gateway: Gateway) -> Handler:
    """Embeddings of any provider; Cohere's own get the request as it came."""

    async def embed(request: web.Request) -> web.StreamResponse:
        identify(request, gateway, "embeddings")
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = make_call(request, gateway, dialect("cohere"), body, stream=False)
        media.check_inputs(body, "texts", "inputs")
        read_inputs(body)
        call.endpoint = "embeddings"
        call.media_request = MediaRequest("embeddings", body, caller_format=CohereEmbeddingsCaller(body, call.id))
        return await media.answer(request, gateway, call)

    return embed
