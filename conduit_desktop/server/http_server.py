"""Listening: both loopback addresses, one port, and a clean end."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.actions.context import ServerState
from conduit_desktop.core.errors import ConduitError, PortTaken, describe
from conduit_desktop.server.application import build
from conduit_desktop.server.port_holder import hint, holder

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

log = logging.getLogger(__name__)

GRACE_S = 10.0
"""What streams in flight get when the server stops."""
CUT_S = 0.5
"""What a stream that is cut off then gets to say so."""
LAG_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of a certificate chain and its key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Raises ConduitError where the files cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConduitError(f"cannot use the TLS certificate {self.certificate} with {self.key}: {error}") from error
        return context


class HttpServer:
    """Listens for the house; implements `actions.context.ServerControl`."""

    def __init__(self, tls: Tls | None = None) -> None:
        self._tls = tls
        self._context: AppContext | None = None
        self._runner: web.AppRunner | None = None
        self._lag: asyncio.Task[None] | None = None
        self._since = 0.0
        self._turn = asyncio.Lock()
        self.state: ServerState = "stopped"
        self.address: str | None = None
        self.error = ""
        self.loop_lag_ms = 0.0

    def serve(self, context: AppContext) -> None:
        """Name the house to listen for; before `start`."""
        self._context = context

    @property
    def uptime_s(self) -> float:
        """Seconds since it began to listen."""
        return time.monotonic() - self._since if self.state == "running" else 0.0

    async def start(self) -> None:
        """Listen as the settings say; raises PortTaken or ConduitError."""
        async with self._turn:
            if self.state == "running" or self._context is None:
                return
            self._say("starting")
            try:
                await self._listen(self._context)
            except ConduitError as error:
                self._say("failed", error=str(error))
                raise
            self._since = time.monotonic()
            self._say("running")

    async def _listen(self, context: AppContext) -> None:
        settings = context.gateway.snapshot.settings
        ssl_context = self._tls.context() if self._tls else None
        sockets = await asyncio.to_thread(bind, settings.host, settings.port)
        # Without handler_cancellation a hang-up would be noticed only at the next write.
        runner = web.AppRunner(
            build(context), handler_cancellation=True, access_log=None, shutdown_timeout=GRACE_S, keepalive_timeout=75
        )
        await runner.setup()
        for one in sockets:
            await web.SockSite(runner, one, backlog=1024, ssl_context=ssl_context).start()
        self._runner = runner
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{'https' if ssl_context else 'http'}://{shown}:{port}"
        self._lag = asyncio.ensure_future(self._measure_lag())

    async def stop(self) -> None:
        """Stop listening, give what is in flight its time, and close."""
        async with self._turn:
            runner, self._runner = self._runner, None
            if self._lag is not None:
                self._lag.cancel()
                self._lag = None
            if runner is not None:
                for site in tuple(runner.sites):
                    await site.stop()
                if self._context is not None:
                    await self._context.gateway.drain(GRACE_S)
                    # What is left had its time: streams are told, anything else is cancelled.
                    self._context.gateway.cut_streams()
                    await self._context.gateway.drain(CUT_S)
                runner._shutdown_timeout = 0.5
                await runner.cleanup()
            self.address = None
            self._say("stopped")

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.loop_lag_ms = max(0.0, (loop.time() - due) * 1000)

    def _say(self, state: ServerState, error: str = "") -> None:
        self.state, self.error = state, error
        if self._context is not None:
            self._context.bus.publish("server", state)


def bind(host: str, port: int) -> list[socket.socket]:
    """Sockets for `host`; empty: 127.0.0.1, and ::1 where there is one, on the same port. Raises PortTaken."""
    if host:
        return [_bound(socket.AF_INET6 if ":" in host else socket.AF_INET, host.strip("[]"), port)]
    first = _bound(socket.AF_INET, "127.0.0.1", port)
    sockets = [first]
    try:
        sockets.append(_bound(socket.AF_INET6, "::1", first.getsockname()[1]))
    except PortTaken:
        first.close()
        if port == 0:
            return bind(host, port)
        raise
    except OSError as error:
        log.info("not listening on ::1: %s", describe(error))
    return sockets


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(1024)
        made.setblocking(False)
    except OSError as error:
        made.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES) or getattr(error, "winerror", 0) in (10013, 10048):
            raise PortTaken(_taken(host, port, error)) from error
        if host not in ("::1", "127.0.0.1"):
            raise ConduitError(f"cannot listen on {host}: {error.strerror}") from error
        raise
    return made


def _taken(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not ours to take ({error.strerror}); choose another with --port or CONDUIT_PORT."
    who = holder(port)
    return f"port {port} is taken{f' by {who}' if who else ''}; choose another with --port or CONDUIT_PORT.{hint(port)}"
