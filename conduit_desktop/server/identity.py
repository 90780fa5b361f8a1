"""Decides who sends a request, by its head alone: no byte of a body is read, unpacked or parsed for a stranger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.core.errors import GatewayError, LoopDetected, RateLimited, Unauthorized
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.call import GATEWAY_ID, HOP_HEADER, Call
from conduit_desktop.providers import Endpoint
from conduit_desktop.server import request_fields
from conduit_desktop.server.middleware import REQUEST_ID, dialect_of, foreign_page
from conduit_desktop.wire import Dialect, dialect

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

IDENTIFIED: web.RequestKey[Call] = web.RequestKey("identified", Call)
"""The call of a request whose caller is known; its body is still to be read."""
SMALL = 256 * 1024
"""Bytes of a body that is read without a look at the limits of its key: they are checked when it has been read."""


def identify(request: web.Request, gateway: Gateway, endpoint: Endpoint = "chat") -> Call:
    """As `identified`; the call is kept for `make_call`."""
    call = request[IDENTIFIED] = identified(request, gateway, dialect("openai_chat"), endpoint)
    return call


def identified(request: web.Request, gateway: Gateway, language: Dialect, endpoint: Endpoint = "chat") -> Call:
    """A request whose body is to be read, as a call with its caller. A refusal is recorded, with `endpoint`.

    Raises Unauthorized, Forbidden, LoopDetected, and RateLimited after many failed logins or where the key has no room.
    """
    call = head_of(request, gateway, language)
    snapshot = gateway.state.snapshot
    try:
        caller = call.caller = access.identify(call, snapshot)
        # Not for small bodies, which nearly all are: it is checked again when the model is known.
        if not request.content.is_eof() and (request.content_length or SMALL) >= SMALL:
            gateway.state.limiter.check_room(caller.key)
    except GatewayError as error:
        raise _refused(request, gateway, call, endpoint, error) from None
    call.snapshot = snapshot
    # As in `middleware.is_known`, without a call.
    if getattr(connection := request._protocol, "is_stranger", False):
        connection.known()  # type: ignore[attr-defined]
    return call


def caller_of(request: web.Request, gateway: Gateway) -> Caller:
    """Who sends a request without a body; raises what `identify` does. Nothing is recorded."""
    call = head_of(request, gateway)
    try:
        return access.identify(call, gateway.snapshot)
    except GatewayError as error:
        raise _slowed_down(gateway, call, error) from None


def head_of(request: web.Request, gateway: Gateway, language: Dialect | None = None) -> Call:
    """What the head of a request says, as a call without model and body; raises LoopDetected."""
    headers = request.headers
    if HOP_HEADER in headers and GATEWAY_ID in headers[HOP_HEADER]:
        raise LoopDetected("This request has passed through this gateway already: the base URL of a provider leads back to it.")
    keys = request_fields.keys(request)
    return Call(
        language or dialect("openai_chat"),
        {},
        "",
        headers=headers,
        credential=keys.credential,
        own_key=keys.own_key,
        own_key_header=keys.own_key_header,
        client_ip=request.remote or "",
        client=request_fields.product_name(headers.get("User-Agent", "")[:200]),
        foreign_page="Origin" in headers and foreign_page(request, gateway),
    )


def _refused(request: web.Request, gateway: Gateway, call: Call, endpoint: Endpoint, error: GatewayError) -> GatewayError:
    slowed_down = _slowed_down(gateway, call, error)
    # A flood of wrong keys is not written down call by call.
    if slowed_down is error:
        call.dialect, call.endpoint = dialect_of(request), endpoint
        gateway.refuse(call, error)
        request[REQUEST_ID] = call.id
    return slowed_down


def _slowed_down(gateway: Gateway, call: Call, error: GatewayError) -> GatewayError:
    """The error of a failed login: that there were too many from its address, where that is so."""
    # No key at all is no guess at one.
    if not (isinstance(error, Unauthorized) and call.credential):
        return error
    wait_s = gateway.state.failed_logins.failed(call.client_ip)
    if not wait_s:
        return error
    return RateLimited(f"{error.message} There were too many failed logins from this address.", retry_after=wait_s)
