"""`/v1/responses`: the Responses API, and the store of responses for providers that have none.

A response is stored where it was made: by a provider of the Responses API itself, by the gateway for every other provider.
`previous_response_id` is looked up here first; an id that is not found belongs to the provider.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, ConduitError, GatewayError, UnknownPath
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call, Exchange, StreamReply, WholeReply
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.server import request_fields
from conduit_desktop.server.chat import make_call, send
from conduit_desktop.server.identity import IDENTIFIED, caller_of, identify
from conduit_desktop.server.middleware import Handler
from conduit_desktop.server.models import json_response
from conduit_desktop.server.responses_websocket import connect_handler
from conduit_desktop.store.interface import StoredResponse
from conduit_desktop.wire.media.endpoints import MediaRequest

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.server.response_storage import StoringResponses

log = logging.getLogger(__name__)

_STORED_AT_PROVIDER = ("conversation", "prompt", "background")
"""Fields that refer to objects which only the provider that stores them can look up."""


def mount(router: web.UrlDispatcher, gateway: Gateway, prefixes: Iterable[str]) -> None:
    """All paths of the Responses API."""
    for prefix in prefixes:
        router.add_post(f"{prefix}/responses", _create(gateway))
        router.add_post(f"{prefix}/responses/input_tokens", _count(gateway))
        router.add_post(f"{prefix}/responses/compact", _compact(gateway))
        router.add_get(f"{prefix}/responses", connect_handler(gateway, _answered))
        router.add_get(f"{prefix}/responses/{{id}}/input_items", _input_items(gateway))
        router.add_post(f"{prefix}/responses/{{id}}/cancel", _cancel(gateway))
        router.add_get(f"{prefix}/responses/{{id}}", _retrieve(gateway))
        router.add_delete(f"{prefix}/responses/{{id}}", _delete(gateway))


def _create(gateway: Gateway) -> Handler:
    async def create(request: web.Request) -> web.StreamResponse:
        from conduit_desktop.server.response_storage import (
            StoringResponses,  # imported late: a dialect is loaded at its first request
        )
        from conduit_desktop.wire.openai_responses.compaction import is_triggered

        identify(request, gateway)
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        dialect = StoringResponses(compacting=is_triggered(body))
        call = make_call(request, gateway, dialect, body)
        return await send(request, gateway, await _answered(gateway, call, dialect))

    return create


async def _answered(gateway: Gateway, call: Call, dialect: StoringResponses) -> Exchange:
    """The answer to a call, with what it continues put into the call and its response stored; raises GatewayError."""
    _need_input(call.body)
    owner = ""
    with suppress(GatewayError):  # `gateway.answer` refuses such a caller, and records it
        owner = _owner(call, gateway)
    dialect.previous = await _expand(call, gateway, owner) or dialect.previous
    exchange = await gateway.answer(call)
    # The API stores unless `store` is false. Without an owner the response could be read by everybody.
    if call.body.get("store") is not False and owner:
        if isinstance(exchange, StreamReply):
            exchange.frames = _storing(exchange.frames, gateway, call, owner, dialect)
        else:
            await _store(gateway, call, owner, dialect)
    return exchange


def _compact(gateway: Gateway) -> Handler:
    """A compaction on its own path: OpenAI's where a target has it, else a summary by the model."""

    async def compact(request: web.Request) -> web.StreamResponse:
        from conduit_desktop.server.response_storage import StoringResponses
        from conduit_desktop.wire.openai_responses.compaction import TRIGGER
        from conduit_desktop.wire.openai_responses.compaction_writer import compacted

        identify(request, gateway, "compact")
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        dialect = StoringResponses(compacting=True)
        call = make_call(request, gateway, dialect, body, stream=False)
        _need_input(body)
        with suppress(GatewayError):  # `gateway.answer` refuses such a caller, and records it
            await _expand(call, gateway, _owner(call, gateway))
        items = _items(call.body)
        if _compacts_itself(call.model, gateway):
            call.endpoint, call.media_request = "compact", MediaRequest("compact", {**call.body, "input": items})
            return await send(request, gateway, await gateway.answer(call))
        call.body = {**call.body, "input": [*items, {"type": TRIGGER}], "store": False}
        exchange = await gateway.answer(call)
        assert isinstance(exchange, WholeReply), "the call is not streamed"
        response = dialect.written or orjson.loads(exchange.body)
        exchange.body = orjson.dumps(compacted(response, items))
        return await send(request, gateway, exchange)

    return compact


def _compacts_itself(model: str, gateway: Gateway) -> bool:
    """Whether a target of the model has the path. Unknown models are refused later, by the gateway."""
    with suppress(GatewayError):
        resolve_model(model, gateway.snapshot, "compact")
        return True
    return False


def _need_input(body: dict[str, Any]) -> None:
    from conduit_desktop.wire.openai_responses.request_reader import INSTEAD_OF_INPUT

    given = body.get("input")
    if given is None and not any(body.get(name) for name in INSTEAD_OF_INPUT):
        raise BadRequest("The field 'input' is missing.", code="missing_parameter", param="input")
    if given is not None and not isinstance(given, (str, list)):
        raise BadRequest("The field 'input' must be a string or a list of items.", param="input")


def _owner(call: Call, gateway: Gateway) -> str:
    """Whose responses the caller may see; raises Unauthorized or Forbidden."""
    return access.identify(call, gateway.snapshot).owner


async def _expand(call: Call, gateway: Gateway, owner: str) -> str | None:
    """Put the stored conversation of `previous_response_id` and the stored items that are referred to into the call.

    Returns `previous_response_id` where it is stored here.
    """
    call.body = await _with_stored_items(call.body, gateway, owner)
    if (name := _held_at_provider(call.body)) is not None:
        text = f"'{name}' is kept by the provider of a Responses API, and no such provider can answer this."
        call.untranslatable = BadRequest(text, param=name)
    previous = call.body.get("previous_response_id")
    if not isinstance(previous, str) or not previous:
        return None
    kept = await gateway.state.store.responses.get(previous, owner)
    if kept is None:
        text = f"Previous response with id {previous[:100]!r} not found here."
        call.untranslatable = BadRequest(text, code="previous_response_not_found", param="previous_response_id")
        return None
    body = {name: value for name, value in call.body.items() if name != "previous_response_id"}
    call.body = {**body, "input": [*kept.conversation, *_items(call.body)]}
    return previous


async def _with_stored_items(body: dict[str, Json], gateway: Gateway, owner: str) -> dict[str, Json]:
    """The body with the items of stored responses in place of the references to them, which Vercel's AI SDK sends by default."""
    from conduit_desktop.wire.openai_responses.response_object import response_of_item

    given = body.get("input")
    references = [item["id"] for item in given if _is_reference(item)] if isinstance(given, list) else []
    wanted = {response_of_item(id) for id in references if isinstance(id, str)} - {None}
    found: dict[Json, Json] = {}
    for response in wanted:
        if (kept := await gateway.state.store.responses.get(str(response), owner)) is not None:
            found |= {item["id"]: item for item in kept.response["output"]}
    if not found:
        return body
    return {**body, "input": [found.get(item["id"], item) if _is_reference(item) else item for item in given or ()]}


def _is_reference(item: Json) -> bool:
    """Whether it stands for an item that is stored; such a reference may leave its type out."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return False
    return item.get("type") == "item_reference" or ("type" not in item and "role" not in item)


def _held_at_provider(body: dict[str, Json]) -> str | None:
    """The first field that only the provider that holds its object can follow: no other must answer as if it were not there."""
    from conduit_desktop.wire.openai_responses.compaction import COMPACTION, summary_of

    for name in _STORED_AT_PROVIDER:
        if body.get(name):
            return name
    given = body.get("input")
    for index, item in enumerate(given if isinstance(given, list) else ()):
        if not isinstance(item, dict):
            continue
        kind = item.get("type")
        if kind == "item_reference" or _is_reference(item) or (kind == COMPACTION and summary_of(item) is None):
            return f"input[{index}]"
    return None


def _items(body: dict[str, Json]) -> list[Json]:
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())


async def _storing(
    frames: AsyncGenerator[bytes], gateway: Gateway, call: Call, owner: str, dialect: StoringResponses
) -> AsyncGenerator[bytes]:
    """The frames; the response is stored before the last of them is sent, so that the client can refer to it at once."""
    kept = False
    try:
        async for data in frames:
            if not kept and dialect.written is not None:
                kept = True
                await _store(gateway, call, owner, dialect)
            yield data
    finally:
        await frames.aclose()


async def _store(gateway: Gateway, call: Call, owner: str, dialect: StoringResponses) -> None:
    response = dialect.written
    if response is None:
        return
    kept = StoredResponse([*_items(call.body), *response["output"]], response)
    try:
        if not await gateway.state.store.responses.put(response["id"], owner, kept, call.started_at):
            log.warning("the response to %s is too long to be kept", call.id)
    except ConduitError as error:
        # The client has its answer already: a store that fails must not turn it into an error.
        log.warning("the response to %s could not be kept: %s", call.id, error)


def _retrieve(gateway: Gateway) -> Handler:
    async def retrieve(request: web.Request) -> web.Response:
        if request.query.get("stream") in ("true", "1"):
            raise BadRequest("A stored response is given whole, not as a stream.", param="stream")
        kept = await gateway.state.store.responses.get(request.match_info["id"], caller_of(request, gateway).owner)
        if kept is None:
            raise _unknown(request)
        return json_response(kept.response)

    return retrieve


def _input_items(gateway: Gateway) -> Handler:
    """GET …/input_items: what a stored response was made from, the newest first unless `order=asc`."""

    async def items(request: web.Request) -> web.Response:
        id = request.match_info["id"]
        kept = await gateway.state.store.responses.get(id, caller_of(request, gateway).owner)
        if kept is None:
            raise _unknown(request)
        given = kept.conversation[: len(kept.conversation) - len(kept.response["output"])]
        rows = [_listed(item, f"{id}_{index}") for index, item in enumerate(given)]
        if request.query.get("order", "desc") != "asc":
            rows.reverse()
        return json_response(_page(rows, request.query.get("limit", ""), request.query.get("after")))

    return items


def _listed(item: Json, id: str) -> dict[str, Json]:
    """An item of the input as the list shows it: with an id, and a message's text as a part."""
    row = dict(item) if isinstance(item, dict) else {"role": "user", "content": str(item)}
    row.setdefault("type", "message")
    row.setdefault("id", f"{'msg' if row['type'] == 'message' else 'item'}_{id.removeprefix('resp_')}")
    if row["type"] == "message" and isinstance(row.get("content"), str):
        kind = "output_text" if row.get("role") == "assistant" else "input_text"
        row["content"] = [{"type": kind, "text": row["content"]}]
    return row


def _page(rows: list[dict[str, Json]], limit: str, after: str | None) -> dict[str, Json]:
    # platform.openai.com/docs/api-reference/responses/input-items: 20 by default, 1 to 100.
    count = min(int(limit), 100) if limit.isdecimal() and int(limit) > 0 else 20
    start = next((index + 1 for index, row in enumerate(rows) if row["id"] == after), 0) if after else 0
    page = rows[start : start + count]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": start + count < len(rows)}


def _cancel(gateway: Gateway) -> Handler:
    """POST …/cancel: only responses that run in the background can be cancelled, and those are their provider's."""

    async def cancel(request: web.Request) -> web.Response:
        if await gateway.state.store.responses.get(request.match_info["id"], caller_of(request, gateway).owner) is None:
            raise _unknown(request)
        raise BadRequest("Cannot cancel a synchronous response.", code="invalid_request", param="id")

    return cancel


def _delete(gateway: Gateway) -> Handler:
    async def delete(request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if not await gateway.state.store.responses.delete(id, caller_of(request, gateway).owner):
            raise _unknown(request)
        return json_response({"id": id, "object": "response", "deleted": True})

    return delete


def _count(gateway: Gateway) -> Handler:
    async def count(request: web.Request) -> web.Response:
        identify(request, gateway)
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = request[IDENTIFIED]
        call.body = body
        owner = _owner(call, gateway)
        if body.get("model") is not None:  # the API lets it be left out
            name, snapshot = request_fields.model_of(body), gateway.snapshot
            access.check_model(access.identify(call, snapshot).key, name, resolve_model(name, snapshot, endpoint=None))
        await _expand(call, gateway, owner)
        if call.untranslatable is not None:
            raise call.untranslatable
        count = {"object": "response.input_tokens", "input_tokens": input_tokens(call.body)}
        response = json_response(count)
        response.headers["x-conduit-token-count"] = "estimated"
        return response

    return count


def _unknown(request: web.Request) -> UnknownPath:
    # The same for a response of another key: ids must not be probed.
    text = (
        f"Response with id {request.match_info['id'][:100]!r} not found. Kept here are the responses that were stored for this "
        "key and made by providers without a Responses API; ask such a provider itself for its own."
    )
    return UnknownPath(text, code="response_not_found", param="id")
