"""Asks a request whose body was kept once more: as it was, with other fields, or another target."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.actions import requests
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import ReplayRequest
from conduit_desktop.actions.schemas.reports import RequestDetailView
from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import Conflict, GatewayError, Invalid, NotFound
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.gateway.call import Call, StreamReply, held_at_provider
from conduit_desktop.gateway.upstream.translation import override
from conduit_desktop.wire import dialect

CLIENT = "Conduit replay"
"""The client in the record of a replay."""
_ENDPOINT = "chat"
_OF_CLIENT = ("openai_responses",)
"""Dialects whose answers can be stored at the vendor: a replay is read here, and nobody would fetch it."""


async def replay(context: AppContext, given: ReplayRequest) -> RequestDetailView:
    """Ask the kept request again, of the operator's own account; returns the record of the new one, with prompt and answer.

    An answer that failed has its error in the record. Raises NotFound for an unknown request, Conflict where its body was not kept
    whole or its endpoint cannot be asked again, Invalid for a target that does not exist.
    """
    call = await _call(context, given)
    try:
        exchange = await context.gateway.answer(call)
        if isinstance(exchange, StreamReply):
            try:
                async for _ in exchange.frames:
                    pass
            finally:
                # Also after a cancellation: an upstream that is not closed goes on generating, and billing.
                await exchange.close()
    except GatewayError as error:
        record = await context.store.ledger.get(call.id)
        if record is None or record.status == "refused":
            raise Invalid(f"target: {error.message}", "target") from None
    # They are stored after the answer, which does not wait for them.
    await context.gateway.state.bodies_kept(call.id)
    return await requests.get(context, call.id)


async def _call(context: AppContext, given: ReplayRequest) -> Call:
    record = await context.store.ledger.get(given.request_id)
    if record is None:
        raise NotFound(f"There is no request {given.request_id!r}.")
    if record.endpoint != _ENDPOINT:
        raise Conflict(f"Only chats can be replayed; this request went to the endpoint {record.endpoint}.")
    kept = await context.store.payloads.get(given.request_id)
    if kept is None:
        raise Conflict("The request's body was not kept: turn on the setting log_payloads, or log_payloads of its key.")
    if kept.request_truncated:
        raise Conflict("The request's body was too large to be kept whole.")
    body: dict[str, Json] = await for_operator(orjson.loads, kept.request)
    language = dialect(record.dialect)
    if language.name in _OF_CLIENT:
        body["store"] = False
    override(language, body, given.overrides)
    model = given.target or record.model
    if "model" in body:
        body["model"] = model
    call = Call(language, body, model, stream=_is_streamed(body, given, record.streamed), client=CLIENT, operator=True)
    call.untranslatable = held_at_provider(language.name, body)
    call.keep_payload = True
    return call


def _is_streamed(body: dict[str, Any], given: ReplayRequest, before: bool) -> bool:
    """Whether the answer is a stream: as before, unless an override says otherwise."""
    return bool(body.get("stream")) if "stream" in given.overrides else before
