"""Failures of aiohttp as UpstreamErrors, with the reason that failover decides by."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from conduit_desktop.core.errors import Reason, UpstreamError


class MappedErrors:
    """A context manager that maps exceptions of aiohttp to UpstreamErrors. It has no state: one serves every request."""

    __slots__ = ("_reset",)

    def __init__(self, reset: Reason) -> None:
        """`reset` is the reason of a lost connection: `connect` before an answer, `broken` within one."""
        self._reset = reset

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and (mapped := _mapped(error, self._reset)) is not None:
            raise mapped from error


CONNECTING = MappedErrors("connect")
READING = MappedErrors("broken")


def _mapped(error: BaseException, reset: Reason) -> UpstreamError | None:
    """The UpstreamError for an exception of aiohttp; None for any other. `reset`: the reason of a lost connection."""
    # Subclasses first: TLS and DNS errors of aiohttp are ClientConnectorErrors, and those are ClientConnectionErrors.
    match error:
        case aiohttp.ConnectionTimeoutError():
            return UpstreamError("the connection timed out", status=504, reason="timeout")
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return UpstreamError("no answer in time", status=504, reason="timeout")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return UpstreamError(f"TLS failed: {_cause(error)}", status=502, reason="connect")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamError(f"the host name {error.host} cannot be resolved", status=502, reason="connect")
        case aiohttp.ClientConnectorError():
            where, refused = f"{error.host}:{error.port}", isinstance(error.os_error, ConnectionRefusedError)
            cause = "connection refused" if refused else _cause(error.os_error)
            return UpstreamError(f"cannot connect to {where}: {cause}", status=502, reason="connect")
        case aiohttp.ServerDisconnectedError():
            # Typical for a kept connection that the provider closes at this moment: as `connect` it is retried.
            return UpstreamError("the connection was closed before an answer", status=502, reason=reset)
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | ConnectionError() | asyncio.IncompleteReadError():
            return UpstreamError("the connection broke", status=502, reason=reset)
        case aiohttp.ClientResponseError():
            return UpstreamError(f"the answer is not HTTP: {error.message}", status=502, reason="malformed")
        case aiohttp.InvalidURL():
            return UpstreamError("the provider's address is not a valid URL", status=502, reason="connect")
        case _:
            return None


def _cause(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
