"""`/v1/responses`: answers in the Responses dialect, and the ones kept here for providers that keep none.

What a caller wants stored is stored where the answer was made: by a provider of this API itself, by the house for every
other. `previous_response_id` is looked up here first; what is not found belongs to the provider.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, ConduitError, GatewayError, UnknownPath
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.gateway.routing import resolve as routing
from conduit_desktop.server import request_fields as reading
from conduit_desktop.server.chat import make_call, send
from conduit_desktop.server.middleware import Handler, caller_of
from conduit_desktop.server.models import json_response
from conduit_desktop.store.interface import StoredResponse

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.server.response_storage import StoringResponses

log = logging.getLogger(__name__)

_AT_THE_PROVIDER = ("conversation", "prompt")
"""What only the provider that keeps them can look up."""


def mount(router: web.UrlDispatcher, gateway: Gateway, prefixes: Iterable[str]) -> None:
    """All paths of the Responses API."""
    for prefix in prefixes:
        router.add_post(f"{prefix}/responses", _create(gateway))
        router.add_post(f"{prefix}/responses/input_tokens", _count(gateway))
        router.add_get(f"{prefix}/responses/{{id}}", _retrieve(gateway))
        router.add_delete(f"{prefix}/responses/{{id}}", _delete(gateway))


def _create(gateway: Gateway) -> Handler:
    async def create(request: web.Request) -> web.StreamResponse:
        from conduit_desktop.server.response_storage import StoringResponses  # a dialect is loaded at its first call

        body = await reading.read_json(request, gateway.snapshot.settings.max_body_mb)
        speaks = StoringResponses()
        call = make_call(request, gateway, speaks, body)
        _need_input(body)
        owner = ""
        with suppress(GatewayError):  # a caller that is turned away is told so, and recorded, by the gateway
            owner = _owner(call, gateway)
        speaks.previous = await _expand(call, gateway, owner)
        exchange = await gateway.answer(call)
        if call.body.get("store") is not False and owner:
            if isinstance(exchange, StreamReply):
                exchange.frames = _keeping(exchange.frames, gateway, call, owner, speaks)
            else:
                await _keep(gateway, call, owner, speaks)
        return await send(request, gateway, exchange)

    return create


def _need_input(body: dict[str, Any]) -> None:
    from conduit_desktop.wire.openai_responses.request_reader import INSTEAD_OF_INPUT

    given = body.get("input")
    if given is None and not any(body.get(name) for name in INSTEAD_OF_INPUT):
        raise BadRequest("The field 'input' is missing.", code="missing_parameter", param="input")
    if given is not None and not isinstance(given, (str, list)):
        raise BadRequest("The field 'input' must be a string or a list of items.", param="input")


def _owner(call: Call, gateway: Gateway) -> str:
    """Whose responses the caller may see; raises Unauthorized or Forbidden."""
    caller = access.identify(call, gateway.snapshot)
    return f"client:{access.digest(caller.own_key)}" if caller.own_key else caller.id


async def _expand(call: Call, gateway: Gateway, owner: str) -> str | None:
    """Put the conversation behind `previous_response_id` into the call, where it is kept here; gives that id."""
    for name in _AT_THE_PROVIDER:
        if call.body.get(name):
            text = f"'{name}' is kept by the provider of a Responses API, and no such provider can answer this."
            call.untranslatable = BadRequest(text, param=name)
    previous = call.body.get("previous_response_id")
    if not isinstance(previous, str) or not previous:
        return None
    kept = await gateway.store.responses.get(previous, owner)
    if kept is None:
        text = f"Previous response with id {previous[:100]!r} not found here."
        call.untranslatable = BadRequest(text, code="previous_response_not_found", param="previous_response_id")
        return None
    body = {name: value for name, value in call.body.items() if name != "previous_response_id"}
    call.body = {**body, "input": [*kept.conversation, *_items(call.body)]}
    return previous


def _items(body: dict[str, Json]) -> list[Json]:
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given or ())


async def _keeping(
    frames: AsyncGenerator[bytes], gateway: Gateway, call: Call, owner: str, speaks: StoringResponses
) -> AsyncGenerator[bytes]:
    """The frames; the response is kept before the last of them leaves, so that the caller can go on from it at once."""
    kept = False
    try:
        async for data in frames:
            if not kept and speaks.written is not None:
                kept = True
                await _keep(gateway, call, owner, speaks)
            yield data
    finally:
        await frames.aclose()


async def _keep(gateway: Gateway, call: Call, owner: str, speaks: StoringResponses) -> None:
    response = speaks.written
    if response is None:
        return
    kept = StoredResponse([*_items(call.body), *response["output"]], response)
    try:
        if not await gateway.store.responses.put(response["id"], owner, kept, call.started_at):
            log.warning("the response to %s is too long to be kept", call.id)
    except ConduitError as error:
        log.warning("the response to %s could not be kept: %s", call.id, error)


def _retrieve(gateway: Gateway) -> Handler:
    async def retrieve(request: web.Request) -> web.Response:
        if request.query.get("stream") in ("true", "1"):
            raise BadRequest("A stored response is given whole, not as a stream.", param="stream")
        kept = await gateway.store.responses.get(request.match_info["id"], _owner(caller_of(request, gateway), gateway))
        if kept is None:
            raise _unknown(request)
        return json_response(kept.response)

    return retrieve


def _delete(gateway: Gateway) -> Handler:
    async def delete(request: web.Request) -> web.Response:
        id = request.match_info["id"]
        if not await gateway.store.responses.delete(id, _owner(caller_of(request, gateway), gateway)):
            raise _unknown(request)
        return json_response({"id": id, "object": "response", "deleted": True})

    return delete


def _count(gateway: Gateway) -> Handler:
    async def count(request: web.Request) -> web.Response:
        body = await reading.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = caller_of(request, gateway)
        call.body = body
        owner = _owner(call, gateway)
        if body.get("model") is not None:  # the API lets it be left out
            name, snapshot = reading.model_of(body), gateway.snapshot
            access.check_model(access.identify(call, snapshot).key, name, routing.find(name, snapshot, endpoint=None).name)
        await _expand(call, gateway, owner)
        if call.untranslatable is not None:
            raise call.untranslatable
        told = {"object": "response.input_tokens", "input_tokens": input_tokens(call.body)}
        response = json_response(told)
        response.headers["x-conduit-token-count"] = "estimated"
        return response

    return count


def _unknown(request: web.Request) -> UnknownPath:
    text = (
        f"Response with id {request.match_info['id'][:100]!r} not found. Kept here are the responses that were stored for this "
        "key and made by providers without a Responses API; ask such a provider itself for its own."
    )
    return UnknownPath(text, code="response_not_found", param="id")
