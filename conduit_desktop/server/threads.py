"""Anthropic's message threads: kept here, unless every target of the model keeps them itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, ConduitError, GatewayError, ThreadNotFound
from conduit_desktop.core.events import Event
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.call import Call, Exchange, StreamReply
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.gateway.threads import KeptThread
from conduit_desktop.server.request_fields import need_messages

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

_FIXED = ("system", "tools")
"""What the first request of a thread sets for all of it; a request that continues the thread may not send it."""


async def answer(gateway: Gateway, call: Call) -> Exchange:
    """The answer to a request of the Messages API, with its thread taken care of."""
    thread = call.body.get("thread")
    if not isinstance(thread, dict) or _kept_by_all_targets(gateway, call):
        if not isinstance(thread, dict) or thread.get("type") != "continue":
            need_messages(call.body)
        return await gateway.answer(call)
    owner = _owner(gateway, call)
    fixed = _expand(gateway, call, thread, owner)
    need_messages(call.body)
    messages = tuple(call.body["messages"])
    exchange = await gateway.answer(call)
    # Without an owner the conversation could be continued by everybody.
    if owner is None:
        return exchange
    if isinstance(exchange, StreamReply):
        exchange.frames = _keeping(exchange.frames, gateway, call, owner, messages, fixed)
    else:
        _keep(gateway, owner, orjson.loads(exchange.body), messages, fixed)
    return exchange


def _kept_by_all_targets(gateway: Gateway, call: Call) -> bool:
    """Whether whoever answers keeps threads itself. An unknown model is refused later, by the gateway."""
    try:
        route = resolve_model(call.model, gateway.snapshot)
    except GatewayError:
        return True
    return all(target.bound.kind.keeps_threads for target in route.all_targets)


def _owner(gateway: Gateway, call: Call) -> str | None:
    with suppress(GatewayError):  # `gateway.answer` refuses such a caller, and records it
        return access.identify(call, gateway.snapshot).owner or None
    return None


def _expand(gateway: Gateway, call: Call, thread: dict[str, Json], owner: str | None) -> dict[str, Json]:
    """Put the whole conversation in place of the thread; returns the fields that hold for all of it. Raises ThreadNotFound."""
    body = {name: value for name, value in call.body.items() if name != "thread"}
    match thread.get("type"):
        case "create":
            call.body = body
            return {name: body[name] for name in _FIXED if name in body}
        case "continue":
            previous = thread.get("previous_message_id")
            kept = gateway.state.threads.find(owner, previous) if owner and isinstance(previous, str) else None
            if kept is None:
                raise ThreadNotFound("The thread is not kept any more. Send the whole conversation and create a new one.")
            # Nothing new where the client has an unfinished turn go on.
            new = body.get("messages") or []
            if not isinstance(new, list):
                raise BadRequest("messages: must be an array", param="messages")
            call.body = {**body, **kept.fixed, "messages": [*kept.messages, *new]}
            return kept.fixed
    raise BadRequest("thread.type: must be 'create' or 'continue'", param="thread.type")


async def _keeping(
    frames: AsyncGenerator[bytes], gateway: Gateway, call: Call, owner: str, messages: tuple[Json, ...], fixed: dict[str, Json]
) -> AsyncGenerator[bytes]:
    """The frames; the thread is kept before the last of them is sent, so that the client can continue it at once."""
    reader, events = call.dialect.reader(), list[Event]()
    kept = False
    try:
        async for data in frames:
            # An answer that cannot be read is relayed all the same, and its thread is not kept: the client replays it.
            with suppress(ConduitError):
                events += reader.feed(data)
                if reader.done and not kept:
                    kept = True
                    _keep(gateway, owner, call.dialect.write_response(collect(events), call.neutral), messages, fixed)
            yield data
    finally:
        await frames.aclose()


def _keep(gateway: Gateway, owner: str, answer: Any, messages: tuple[Json, ...], fixed: dict[str, Json]) -> None:
    match answer:
        case {"id": str(id), "content": list(content)}:
            message = {"role": "assistant", "content": content}
            gateway.state.threads.keep(owner, id, KeptThread((*messages, message), fixed))
