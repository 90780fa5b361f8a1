"""Ollama's API under `/api`: chat, embeddings, and what its clients read first (version, tags, a model's capabilities)."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.entities import ModelAlias, OfferedModel
from conduit_desktop.core.errors import BadRequest, Invalid, ModelNotFound
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.health import probe
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.gateway.routing.targets import Route
from conduit_desktop.providers.model_details import completed
from conduit_desktop.server import media, request_fields
from conduit_desktop.server.chat import answer, make_call
from conduit_desktop.server.identity import identify
from conduit_desktop.server.middleware import Handler
from conduit_desktop.server.models import context_of, details_of_first, embeds, json_response, offered_to
from conduit_desktop.wire import Dialect, dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.ollama_embeddings import OllamaEmbeddingsCaller, read_input

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

VERSION = "0.12.0"
"""The version of Ollama whose API this is: clients refuse servers that are too old (VS Code: before 0.6.4)."""
LIST_S = 2.0
"""Seconds that a provider may take to list its models' capabilities, before the reply is sent without them."""

_LATEST = ":latest"
_FOREVER = "2318-01-01T00:00:00Z"
"""When a model is unloaded that was loaded for good, as `ollama ps` writes "Forever" for it."""
_DETAILS = {"parent_model": "", "format": "", "family": "conduit", "families": ["conduit"]}
_SIZES = {"parameter_size": "", "quantization_level": ""}
_FEATURES = ("tools", "vision", "thinking")


def mount(router: web.UrlDispatcher, gateway: Gateway) -> None:
    """Add the routes."""
    router.add_post("/api/chat", chat_handler(gateway, "ollama", "messages"))
    router.add_post("/api/generate", chat_handler(gateway, "ollama_generate", "prompt"))
    router.add_post("/api/embed", embed_handler(gateway))
    router.add_post("/api/embeddings", embed_handler(gateway))
    router.add_post("/api/show", show_handler(gateway))
    router.add_get("/api/tags", tags_handler(gateway))
    router.add_get("/api/ps", running_handler(gateway))
    router.add_get("/api/version", _version)


async def _version(request: web.Request) -> web.Response:
    return json_response({"version": VERSION})


def chat_handler(gateway: Gateway, name: str, field: str) -> Handler:
    """Handles chat in the dialect `name`, streamed unless the body turns that off. `field`: the one that holds the prompt."""

    async def chat(request: web.Request) -> web.StreamResponse:
        language = dialect(name)
        identify(request, gateway)
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = _call(request, gateway, language, body)
        if not body.get(field):
            # Without a prompt Ollama only loads the model and reports that (ollama/ollama, docs/api.md, "Load a model").
            # Models here need no loading: no provider is called and nothing is recorded, but a key is needed all the same.
            access.identify(call, gateway.snapshot)
            return json_response(_loaded(call, language))
        if field == "messages":
            request_fields.need_messages(body)
        elif not isinstance(body[field], str):
            raise BadRequest(f"The field {field!r} must be a string.", param=field)
        return await answer(request, gateway, call)

    return chat


def _call(request: web.Request, gateway: Gateway, language: Dialect, body: dict[str, Any], stream: bool = True) -> Call:
    """The request as a call; `stream` is the default where the body has no flag."""
    streamed = stream if body.get("stream") is None else request_fields.flag(body, "stream")
    return make_call(request, gateway, language, body, named(request_fields.model_of(body), gateway), streamed)


def named(model: str, gateway: Gateway) -> str:
    """`model` without the `:latest` that Ollama's clients add, where an alias goes by the name without it."""
    aliases = gateway.snapshot.aliases
    short = model.removesuffix(_LATEST)
    return short if model.lower() not in aliases and short.lower() in aliases else model


def _loaded(call: Call, language: Dialect) -> dict[str, Any]:
    content = {"message": {"role": "assistant", "content": ""}} if language.name == "ollama" else {"response": ""}
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {"model": call.body["model"], "created_at": now, **content, "done_reason": "load", "done": True}


def embed_handler(gateway: Gateway) -> Handler:
    """Embeddings of any provider; Ollama's own get the request as it came. A body with `prompt` is the older API."""

    async def embed(request: web.Request) -> web.StreamResponse:
        identify(request, gateway, "embeddings")
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = _call(request, gateway, dialect("ollama"), body, stream=False)
        older = "input" not in body and "prompt" in body
        media.check_inputs(body, "input")
        read_input(body, older)
        call.stream, call.endpoint = False, "embeddings"
        call.media_request = MediaRequest("embeddings", body, caller_format=OllamaEmbeddingsCaller(str(body["model"]), older))
        return await media.answer(request, gateway, call)

    return embed


def tags_handler(gateway: Gateway) -> Handler:
    """GET /api/tags: every model this key may call."""

    async def tags(request: web.Request) -> web.Response:
        return json_response({"models": [_tag(alias) for alias in offered_to(request, gateway)]})

    return tags


def running_handler(gateway: Gateway) -> Handler:
    """GET /api/ps: as `/api/tags`. Models here need no loading, so all are ready for as long as anyone waits."""

    async def running(request: web.Request) -> web.Response:
        rows = [
            {
                **_tag(alias),
                "expires_at": _FOREVER,
                "size_vram": 0,
                "context_length": context_of(alias, details_of_first(gateway, alias)) or 0,
            }
            for alias in offered_to(request, gateway)
        ]
        return json_response({"models": [{name: value for name, value in row.items() if name != "modified_at"} for row in rows]})

    return running


def _tag(alias: ModelAlias) -> dict[str, Any]:
    return {
        "name": alias.alias,
        "model": alias.alias,
        "modified_at": _changed(alias),
        "size": 0,
        # Ollama's digests are SHA-256 in hex; this one needs only to have their form.
        "digest": hashlib.sha256(alias.alias.encode()).hexdigest(),
        "details": {**_DETAILS, **_SIZES},
    }


def _changed(alias: ModelAlias) -> str:
    return datetime.fromtimestamp(alias.updated_at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_handler(gateway: Gateway) -> Handler:
    """POST /api/show: a model's capabilities and context length."""

    async def show(request: web.Request) -> web.Response:
        call = identify(request, gateway)
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        # Older clients of Ollama send `name`.
        model = named(request_fields.model_of({"model": body.get("model") or body.get("name")}), gateway)
        route = resolve_model(model, gateway.snapshot, endpoint=None)
        assert call.caller is not None
        access.check_model(call.caller.key, model, route)
        if not route.targets:
            raise ModelNotFound(f"The model {model!r} has no target.", param="model")
        known = await _known(gateway, route)
        return json_response(_shown(route, known, embeds(gateway, route.targets[0])))

    return show


async def _known(gateway: Gateway, route: Route) -> list[OfferedModel]:
    """The targets' models as their providers list them, where they answer within LIST_S, completed from the facts of models."""
    listed: dict[str, OfferedModel] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(LIST_S):
            for target in route.targets:
                with suppress(Invalid):
                    offered = await probe.offered_models(gateway, target.bound.name)
                    listed.update((target.name, model) for model in offered if model.id == target.model)
    return [
        completed(listed.get(target.name) or OfferedModel(target.model), target.bound.provider.kind) for target in route.targets
    ]


def _shown(route: Route, known: list[OfferedModel], embedding: bool) -> dict[str, Any]:
    """The capabilities that every known target has. Where none is known, tools are assumed: most current models have them."""
    listed = [model for model in known if model.features]
    # Every target, because any of them may answer the request.
    features = [name for name in _FEATURES if listed and all(name in model.features for model in listed)]
    sizes = [model.context_tokens for model in known if model.context_tokens]
    size = (route.alias.max_context_tokens if route.alias else None) or min(sizes, default=None)
    info: dict[str, Any] = {"general.architecture": "conduit", "general.basename": route.name}
    if size:
        info["conduit.context_length"] = size
    return {
        "modelfile": "",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": {**_DETAILS, **_SIZES},
        "model_info": info,
        # VS Code's provider reads what a model can do from this list, which Ollama has had since 0.6.4.
        "capabilities": ["embedding"] if embedding else ["completion", *(features if listed else ["tools"])],
        **({"modified_at": _changed(route.alias)} if route.alias else {}),
    }
