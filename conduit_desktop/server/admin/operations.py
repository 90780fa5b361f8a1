"""One HTTP request as an operation: its body in, the operation's result out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.actions import operations
from conduit_desktop.core.errors import GatewayError, PayloadTooLarge
from conduit_desktop.server import request_fields
from conduit_desktop.server.admin.access import AdminRefused
from conduit_desktop.server.admin.responses import as_json

if TYPE_CHECKING:
    from conduit_desktop.actions.context import Actor, AppContext

MAX_BODY = 16 * 1024 * 1024
"""Bytes; far more than any config file has."""


async def answer(request: web.Request, path: str, context: AppContext, actor: Actor) -> web.Response:
    """The response of the operation at `path` (below the prefix); raises ActionError."""
    method = "GET" if request.method == "HEAD" else request.method
    operation, _ = operations.match(method, path)  # before the body is read: a wrong path is not worth it
    body = await _body(request, operation.body is str)
    status, result = await operations.call(context, method, path, request.query, body, actor)
    if isinstance(result, operations.TextAnswer):
        return web.Response(status=status, text=result.text, content_type=result.content_type)
    return web.Response(status=status) if status == 204 else as_json(result, status)


async def _body(request: web.Request, as_text: bool) -> Any:
    """The JSON sent, or the text of an operation that takes CSV; None where nothing was. Raises AdminRefused."""
    try:
        data = await request_fields.read_body(request, MAX_BODY / 1024 / 1024)
        if not data.strip():
            return None
        if as_text:
            return data.decode("utf-8-sig")
        return await request_fields.parse_spread(data, "body")
    except PayloadTooLarge:
        raise AdminRefused(413, "payload_too_large", f"The body is over {MAX_BODY // 1024 // 1024} MB.") from None
    except GatewayError as error:
        raise AdminRefused(error.status, error.code, error.message) from None
    except UnicodeDecodeError as error:
        raise AdminRefused(400, "invalid_text", "The body is not UTF-8.") from error
