"""The middleware of every request: host check (DNS rebinding), CORS, and errors in the client's dialect."""

from __future__ import annotations

import ipaddress
import logging
import math
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from aiohttp.typedefs import Middleware

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import (
    BadRequest,
    BodyTimeout,
    Forbidden,
    GatewayError,
    Internal,
    MethodNotAllowed,
    PayloadTooLarge,
    UnknownPath,
    UpstreamError,
    release,
)
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.call import new_id
from conduit_desktop.server import request_fields
from conduit_desktop.server.unknown_paths import UnknownPaths, shown
from conduit_desktop.wire import Dialect, dialect
from conduit_desktop.wire.errors.error_body import parse_json

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

log = logging.getLogger(__name__)

REQUEST_ID = web.RequestKey("request_id", str)
"""The id of the request's record, set as soon as the request is handed to the gateway."""

GEMINI_KEY_HEADER, ANTHROPIC_VERSION_HEADER = "x-goog-api-key", "anthropic-version"
"""Headers that show which vendor's SDK asks for the list of models: the path is the same for all."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_EXPOSED = ", ".join(
    (
        "x-conduit-request-id", "x-conduit-provider", "x-conduit-model", "x-conduit-attempts", "x-conduit-dropped",
        "x-conduit-trimmed",
        "x-conduit-cost-usd", "x-conduit-overhead-ms", "x-conduit-token-count", "retry-after", "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "request-id", "x-request-id",
        *(f"anthropic-ratelimit-{what}-{part}" for what in ("requests", "tokens") for part in ("limit", "remaining", "reset")),
    )
)  # fmt: skip
_BRACKETED = re.compile(r"\[[^\[\]]+\](?::\d*)?", re.ASCII)
"""An IPv6 address in a Host header, with or without a port."""
_BEFORE_A_ROUTE = (UnknownPath.code, "host_not_allowed")
"""Codes of what is refused before it has a record, and has an id all the same: it is what a user quotes."""
# The SDKs of OpenAI and Anthropic obey `x-should-retry` before they look at the status (`_base_client.py`).
_RELAYED_ERROR_HEADERS = ("retry-after", "request-id", "x-request-id", "x-should-retry")


def client_api_middleware(gateway: Gateway, unknown_paths: UnknownPaths | None = None) -> Middleware:
    """The one middleware of the client API: checks the host, answers preflights, and writes errors."""
    unknown = unknown_paths or UnknownPaths()

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            # Before preflights as well: a page with a rebound name must get no CORS headers.
            check_host(request.headers.get("Host", ""), gateway.snapshot.settings.allowed_hosts)
            if request.method == "OPTIONS":
                return _preflight(request, gateway)
            response = await handler(request)
        except (BadRequest, BodyTimeout, PayloadTooLarge) as error:
            # Only a caller with a valid key learns what is wrong with the body. Handlers see to that first; this holds for all.
            response = _refused(request, _authentication_error(request, gateway) or error)
            release(error)
        except GatewayError as error:
            if error.code == UnknownPath.code:
                unknown.count(request.method, request.path, request_fields.user_agent(request))
            if error.code in _BEFORE_A_ROUTE:
                request[REQUEST_ID] = new_id(now_ms())
            response = error_response(request, error)
            release(error)
        except web.HTTPException as error:
            if error.status == 404:
                unknown.count(request.method, request.path, request_fields.user_agent(request))
            request[REQUEST_ID] = new_id(now_ms())
            response = error_response(request, _from_aiohttp(request, error))
            # The router keeps it in the request, and its frames keep the request.
            release(error)
        except ConnectionResetError:
            # The client has disconnected: aiohttp ends the connection, and there is nothing to log.
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path)
            response = error_response(request, Internal("Internal error of the gateway; see its log."))
            release(error)
        # A stream has sent its headers by now; `chat.stream` adds these itself.
        if "Origin" in request.headers and not response.prepared:
            response.headers.update(cors_headers(request, gateway))
        return response

    return handle


def _refused(request: web.Request, error: GatewayError) -> web.Response:
    """The response to a request whose body is wrong."""
    if REQUEST_ID not in request:
        # There is no record of that id, so the log has it; without the error's text, which may quote the body.
        request[REQUEST_ID] = new_id(now_ms())
        log.info("%s %s was refused: %s (%s)", request.method, shown(request.path), error.code, request[REQUEST_ID])
    return error_response(request, error)


def cors_headers(request: web.Request, gateway: Gateway) -> dict[str, str]:
    """CORS headers for a request from an allowed origin; empty for other origins."""
    origin = request.headers.get("Origin", "")
    if not origin or not origin_allowed(origin, tuple(gateway.snapshot.settings.cors_origins)):
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED, "Vary": "Origin"}


def foreign_page(request: web.Request, gateway: Gateway) -> bool:
    """Whether the request comes from a web page whose origin is not allowed."""
    origin = request.headers.get("Origin")
    return origin is not None and not origin_allowed(origin, tuple(gateway.snapshot.settings.cors_origins))


def _preflight(request: web.Request, gateway: Gateway) -> web.Response:
    headers = cors_headers(request, gateway)
    if headers:
        headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE, OPTIONS, HEAD"
        # Echoed: `*` does not include Authorization (Fetch standard, "CORS non-wildcard request-header name"), and SDKs
        # send a dozen headers of their own.
        headers["Access-Control-Allow-Headers"] = request.headers.get(
            "Access-Control-Request-Headers", "authorization, content-type"
        )
        headers["Access-Control-Max-Age"] = "600"
        # Browsers with Private Network Access ask for this where a public page calls a private address. Local Network Access has
        # superseded it (web-platform-dx.github.io/web-features-explorer/features/private-network-access).
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
    # 204 for a foreign origin, too: without the headers the browser refuses by itself.
    return web.Response(status=204, headers=headers)


@lru_cache(maxsize=512)
def origin_allowed(origin: str, patterns: tuple[str, ...]) -> bool:
    """Whether `origin` matches one of `patterns`, where `*` matches any text."""
    return any(re.fullmatch(".*".join(re.escape(piece) for piece in pattern.split("*")), origin) for pattern in patterns)


@lru_cache(maxsize=512)
def _is_this_computer(name: str) -> bool:
    # `host.docker.internal` is how containers on this computer call it.
    if name in ("localhost", "host.docker.internal") or name.endswith(".localhost") or name == socket.gethostname().lower():
        return True
    try:
        # DNS rebinding needs a host name of the attacker, which the browser then sends: an IP address in Host is harmless.
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def check_host(host: str, allowed: list[str]) -> None:
    """Raises Forbidden for a Host header that names neither this computer nor an allowed host (DNS rebinding)."""
    name = host_name(host)
    # Simple health checks send no Host header; a browser always does.
    if not name or _is_this_computer(name) or name in (one.lower() for one in allowed):
        return
    raise Forbidden(
        f"The host name {name[:100]!r} is not allowed; add it to the setting allowed_hosts.",
        code="host_not_allowed",
    )


def accepted_names(allowed: list[str]) -> list[str]:
    """The host names, besides IP addresses, that `check_host` accepts, for a person who reads the log."""
    return list(dict.fromkeys(["localhost", socket.gethostname().lower(), *(one.lower() for one in allowed)]))


@lru_cache(maxsize=512)
def host_name(host: str) -> str:
    """The name in a Host header, in lower case and without the port; the whole value where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
    except ValueError:
        return host.lower() or "?"
    address = parts.netloc.rpartition("@")[2]
    # `hostname` ignores what stands around the brackets: it is `::1` for `[::1].evil.com` too.
    if "[" in address and not _BRACKETED.fullmatch(address):
        return host.lower()
    return (parts.hostname or "").lower()


_GEMINI = frozenset({"generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"})
"""The method names at the end of paths of Gemini's API (`models/NAME:METHOD`)."""


def _authentication_error(request: web.Request, gateway: Gateway) -> GatewayError | None:
    """The error of a caller that may not use the gateway at all; None for one that may."""
    from conduit_desktop.server.identity import IDENTIFIED, head_of  # which imports this module

    if IDENTIFIED in request:
        return None
    try:
        access.identify(head_of(request, gateway), gateway.snapshot)
    except GatewayError as error:
        return error
    return None


def dialect_of(request: web.Request) -> Dialect:
    """The dialect of a request by its path, for lists of models by its headers; OpenAI's for every other path."""
    return dialect_of_path(request.path, request.headers)


def dialect_of_path(path: str, headers: Mapping[str, str]) -> Dialect:
    """The dialect of a request of which nothing but the head may have been read; names of headers ignore case."""
    # By path, because an error may come before the body was read.
    if path.startswith("/v2/"):
        return dialect("cohere")
    if path.startswith("/anthropic/"):
        return dialect("anthropic_messages")
    if path.startswith("/api/"):
        return dialect("ollama_generate" if path == "/api/generate" else "ollama")
    if path.startswith(("/v1beta/", "/v1/v1beta/")) or (":" in path and path.rpartition(":")[2] in _GEMINI):
        return dialect("gemini")
    if "/responses" in path:
        return dialect("openai_responses")
    if path.endswith("/completions") and not path.endswith("/chat/completions"):
        return dialect("openai_completions")
    if "/messages" in path:
        return dialect("anthropic_messages")
    if "/models" in path:
        if GEMINI_KEY_HEADER in headers:
            return dialect("gemini")
        return dialect("anthropic_messages" if ANTHROPIC_VERSION_HEADER in headers else "openai_chat")
    return dialect("openai_chat")


def error_response(request: web.Request, error: GatewayError) -> web.Response:
    """The error response in the client's dialect; a provider's JSON error of the same dialect is relayed unchanged."""
    response = _error_response(request, error)
    discard_body(request, response)
    return response


def discard_body(request: web.Request, response: web.Response) -> None:
    """End the connection with `response` where the request's body has not come whole: nobody is going to read the rest."""
    if not request.content.is_eof():
        response.force_close()
        # aiohttp would go on receiving it for ten seconds, however much comes.
        if (discard_rest := getattr(request.protocol, "discard_rest", None)) is not None:
            discard_rest()


def is_known(request: web.Request) -> None:
    """The request has a valid key: its connection is no longer a stranger's."""
    # Of `protocol.ClientConnection`; a server of tests may have others.
    if getattr(connection := request.protocol, "is_stranger", False):
        connection.known()  # type: ignore[attr-defined]


def _error_response(request: web.Request, error: GatewayError) -> web.Response:
    client_dialect = dialect_of(request)
    # It may quote a path or a host in which a client put its key. (A provider's error was redacted where it came in.)
    error.message = SECRETS.redact(error.message)
    headers = dict(error.response_headers)
    if REQUEST_ID in request:
        headers["x-conduit-request-id"] = request[REQUEST_ID]
    if isinstance(error, UpstreamError) and error.body and error.dialect == client_dialect.name and error.status >= 400:
        headers |= {name: value for name, value in error.headers.items() if name in _RELAYED_ERROR_HEADERS}
        # SDKs show nothing of a plain text or a web page: such a body becomes an error of the dialect, with the text in it.
        if isinstance(parse_json(error.body), dict | list):
            # Without parameters: aiohttp refuses a charset in `content_type`.
            sent = error.headers.get("content-type", "").partition(";")[0]
            content_type = sent if "json" in sent else "application/json"
            return web.Response(status=error.status, body=error.body, content_type=content_type, headers=headers)
    status, body = client_dialect.write_error(error)
    if error.retry_after is not None:
        # Rounded up: a client that comes back a moment too early is refused again.
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=headers)


def _from_aiohttp(request: web.Request, error: web.HTTPException) -> GatewayError:
    if error.status == 404:
        return UnknownPath(f"No such path: {request.path}. GET /openapi.json lists the paths.")
    if error.status == 405:
        return MethodNotAllowed(f"{request.path} does not take {request.method}.")
    if error.status == 413:
        return PayloadTooLarge("The request body is too large.")
    internal = Internal(error.reason)
    internal.status = error.status
    return internal
