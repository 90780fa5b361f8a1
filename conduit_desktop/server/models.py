"""`/v1/models`: the aliases that the caller's key may use, in the format of the caller's dialect."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from conduit_desktop.core.entities import ModelAlias, OfferedModel, Rates
from conduit_desktop.core.errors import ModelNotFound
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.providers.model_details import completed
from conduit_desktop.server.identity import caller_of
from conduit_desktop.server.middleware import ANTHROPIC_VERSION_HEADER, GEMINI_KEY_HEADER, Handler

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

Row = dict[str, Any]


def models_handler(gateway: Gateway) -> Handler:
    """GET /v1/models."""

    async def models(request: web.Request) -> web.Response:
        if is_gemini(request):
            return json_response(_gemini_page(request, gateway, offered_to(request, gateway)))
        aliases = offered_to(request, gateway)
        if is_anthropic(request):
            return json_response(_anthropic_page(request, [_anthropic_row(gateway, alias) for alias in aliases]))
        return json_response({"object": "list", "data": await openai_rows(gateway, aliases)})

    return models


def model_handler(gateway: Gateway) -> Handler:
    """GET /v1/models/{id}."""

    async def model(request: web.Request) -> web.Response:
        name = request.match_info["id"]
        for alias in offered_to(request, gateway):
            if alias.alias.lower() == name.lower():
                if is_gemini(request):
                    return json_response(_gemini_row(gateway, alias))
                if is_anthropic(request):
                    return json_response(_anthropic_row(gateway, alias))
                return json_response((await openai_rows(gateway, [alias]))[0])
        # One error for both, so that a key cannot find out the names that it may not use.
        raise ModelNotFound(f"The model {name!r} does not exist, or this key may not use it.", param="model")

    return model


def offered_to(request: web.Request, gateway: Gateway) -> list[ModelAlias]:
    """The enabled aliases that the caller's key may use, sorted by name; raises Unauthorized or Forbidden."""
    snapshot = gateway.snapshot
    caller = caller_of(request, gateway)
    # Without patterns: `gpt-*` is no name that a client could send.
    found = [alias for alias in snapshot.aliases.values() if alias.enabled and access.may_call(caller.key, alias.alias)]
    if caller.own_key is not None and caller.key is None:
        found = [alias for alias in found if _takes_client_keys(alias, snapshot)]
    return sorted(found, key=lambda alias: alias.alias.lower())


def _takes_client_keys(alias: ModelAlias, snapshot: Snapshot) -> bool:
    bounds = (snapshot.providers.get(target.provider.lower()) for target in alias.targets)
    return any(bound is not None and bound.provider.enabled and bound.provider.accept_client_keys for bound in bounds)


def is_gemini(request: web.Request) -> bool:
    """Whether the caller expects Gemini's format: the key is in Google's header, or the path is below `/v1beta`."""
    return GEMINI_KEY_HEADER in request.headers or "/v1beta/" in request.path


def is_anthropic(request: web.Request) -> bool:
    """Whether the caller expects Anthropic's format: by its header, or by the path."""
    return ANTHROPIC_VERSION_HEADER in request.headers or request.path.startswith("/anthropic/")


_CHAT_METHODS = ["generateContent", "countTokens"]
_EMBEDDING_METHODS = ["embedContent", "batchEmbedContents"]
_EMBEDDING_NAMES = re.compile(r"embed|(?:^|[/_-])(?:bge|gte|e5)-", re.IGNORECASE)
"""Most vendors' lists do not state what a model is for: its name is all there is to go by."""


def embeds(gateway: Gateway, target: BoundTarget) -> bool:
    """Whether a target is for embeddings: its provider lists it as such, or it has such a name."""
    listed = _listed(gateway, target)
    features = listed.features if listed is not None else ()
    return "embeddings" in features or (not features and _EMBEDDING_NAMES.search(target.model) is not None)


def _gemini_row(gateway: Gateway, alias: ModelAlias) -> Row:
    row: Row = {"name": f"models/{alias.alias}", "version": "1", "displayName": alias.alias}
    target = _first_target(alias, gateway.snapshot)
    model = details(gateway, target) if target is not None else None
    if tokens := context_of(alias, model):
        row["inputTokenLimit"] = tokens
    if model is not None and model.max_output_tokens:
        row["outputTokenLimit"] = model.max_output_tokens
    if model is not None and "thinking" in model.features:
        row["thinking"] = True
    methods = _EMBEDDING_METHODS if target is not None and embeds(gateway, target) else _CHAT_METHODS
    return {**row, "supportedGenerationMethods": methods}


def _gemini_page(request: web.Request, gateway: Gateway, aliases: list[ModelAlias]) -> Row:
    """One page of `pageSize` (default 50, at most 1000) models; `pageToken` is the index of its first model."""
    size, token = request.query.get("pageSize", ""), request.query.get("pageToken", "")
    # Defaults and maximum as in ai.google.dev/api/python/google/generativeai/protos/ListModelsRequest.
    count = min(int(size), 1000) if size.isdecimal() and int(size) > 0 else 50
    start = int(token) if token.isdecimal() else 0
    page: Row = {"models": [_gemini_row(gateway, alias) for alias in aliases[start : start + count]]}
    return page | ({"nextPageToken": str(start + count)} if start + count < len(aliases) else {})


def _anthropic_row(gateway: Gateway, alias: ModelAlias) -> Row:
    created = _rfc3339(alias.created_at)
    row: Row = {"type": "model", "id": alias.alias, "display_name": alias.alias, "created_at": created, "lifecycle": "active"}
    model = details_of_first(gateway, alias)
    sizes = {"max_input_tokens": context_of(alias, model), "max_tokens": model.max_output_tokens if model is not None else None}
    return row | {name: size for name, size in sizes.items() if size}


async def openai_rows(gateway: Gateway, aliases: list[ModelAlias]) -> list[Row]:
    """OpenAI's rows, extended by facts of each alias's first target: `context_window` and `max_output_tokens`, and `pricing`
    in US dollars (per million tokens by class; per_image, per_minute, per_1k_chars)."""
    snapshot = gateway.snapshot
    first = {alias.alias: target for alias in aliases if (target := _first_target(alias, snapshot)) is not None}
    wanted = list(first.values())
    # First without a thread: the prices are mostly known.
    compiled_prices = gateway.state.compiled_prices.known(wanted)
    if compiled_prices is None:
        compiled_prices = await gateway.state.compiled_prices.find(wanted, snapshot)
    rows: list[Row] = []
    for alias in aliases:
        row: Row = {"id": alias.alias, "object": "model", "created": alias.created_at // 1000, "owned_by": "conduit"}
        target = first.get(alias.alias)
        model = details(gateway, target) if target else None
        if tokens := context_of(alias, model):
            row["context_window"] = tokens
        if model is not None and model.max_output_tokens:
            row["max_output_tokens"] = model.max_output_tokens
        compiled_price = compiled_prices.get(target.name) if target else None
        if compiled_price is not None:
            row["pricing"] = {name: rate for name in _RATES if (rate := getattr(compiled_price.price, name)) is not None}
        rows.append(row)
    return rows


_RATES = (*Rates.model_fields, "per_image", "per_minute", "per_1k_chars")


def _first_target(alias: ModelAlias, snapshot: Snapshot) -> BoundTarget | None:
    for target in alias.targets:
        bound = snapshot.providers.get(target.provider.lower())
        # A target `*` stands for the requested name: it has no model of its own to look up.
        if bound is not None and bound.provider.enabled and "*" not in target.model:
            return BoundTarget.of(bound, target.model)
    return None


def _listed(gateway: Gateway, target: BoundTarget) -> OfferedModel | None:
    """The model in the provider's own list, where that was fetched before."""
    _, offered = gateway.state.offered.get(target.bound.name, (0, []))
    return next((model for model in offered if model.id == target.model), None)


def details(gateway: Gateway, target: BoundTarget) -> OfferedModel:
    """What is known of a target's model: by its provider's list, where that was fetched before, and by the facts of models."""
    return completed(_listed(gateway, target) or OfferedModel(target.model), target.bound.provider.kind)


def context_of(alias: ModelAlias, model: OfferedModel | None) -> int | None:
    """The context of an alias in tokens: its own limit, or that of its model where it is known."""
    return alias.max_context_tokens or (model.context_tokens if model is not None else None)


def details_of_first(gateway: Gateway, alias: ModelAlias) -> OfferedModel | None:
    """What is known of the model of an alias's first target; None without a target."""
    target = _first_target(alias, gateway.snapshot)
    return details(gateway, target) if target is not None else None


def _anthropic_page(request: web.Request, rows: list[Row]) -> Row:
    limit = request.query.get("limit", "")
    # platform.claude.com/docs/en/api/models-list: 20 by default, 1 to 1000. Claude Code asks for 1000, and waits 3 s.
    count = min(int(limit), 1000) if limit.isdecimal() and int(limit) > 0 else 20
    after = request.query.get("after_id")
    start = next((index + 1 for index, row in enumerate(rows) if row["id"] == after), 0) if after else 0
    page = rows[start : start + count]
    return {
        "data": page,
        "has_more": start + count < len(rows),
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_response(value: Any) -> web.Response:
    """A response with `value` as JSON."""
    return web.Response(body=orjson.dumps(value), content_type="application/json")
