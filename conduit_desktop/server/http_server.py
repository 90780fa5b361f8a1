"""The HTTP server: listens at the address of the settings, follows it when it changes, and drains at stop."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.actions.context import ServerState
from conduit_desktop.core.errors import ConduitError, describe
from conduit_desktop.gateway.admission.access import accepts_client_keys
from conduit_desktop.server import listeners
from conduit_desktop.server.application import build
from conduit_desktop.server.descriptors import DescriptorWatch, raise_limit
from conduit_desktop.server.listeners import Place, bind, place_of
from conduit_desktop.server.middleware import accepted_names
from conduit_desktop.server.protocol import ClientRunner

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

log = logging.getLogger(__name__)

GRACE_S = 10.0
"""Time for streams in flight when the server stops."""
CUT_S = 0.5
"""Time after that for a stream that is cut off to write its error event."""
LAG_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of a certificate chain and its private key, both PEM."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """The context for a server; raises ConduitError where the files cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConduitError(f"cannot use the TLS certificate {self.certificate} with {self.key}: {error}") from error
        return context


class HttpServer:
    """Listens for client and admin requests; implements `actions.context.ServerControl`."""

    def __init__(self, tls: Tls | None = None) -> None:
        self._tls = tls
        self._ssl: ssl.SSLContext | None = None
        self._context: AppContext | None = None
        self._runner: ClientRunner | None = None
        self._sites: dict[socket.socket, web.SockSite] = {}
        """The sockets that are listened on; the first one's address is the server's."""
        self._lag: asyncio.Task[None] | None = None
        self._since = 0.0
        self._descriptors = 0
        self._start_stop_lock = asyncio.Lock()
        self.state: ServerState = "stopped"
        self.address: str | None = None
        self.error = ""
        self.loop_lag_ms = 0.0

    def serve(self, context: AppContext) -> None:
        """Set what the server gives access to; call it before `start`."""
        self._context = context

    @property
    def uptime_s(self) -> float:
        """Seconds since the server began to listen; 0 while it does not run."""
        return time.monotonic() - self._since if self.state == "running" else 0.0

    async def start(self) -> None:
        """Listen at the address and port of the settings; raises PortTaken or ConduitError."""
        async with self._start_stop_lock:
            if self.state == "running" or self._context is None:
                return
            self._publish("starting")
            settings = self._context.gateway.snapshot.settings
            try:
                self._ssl = self._tls.context() if self._tls else None
                # In a thread: naming the program that holds a taken port reads /proc or runs a command.
                sockets = await asyncio.to_thread(bind, settings.host, settings.port)
            except ConduitError as error:
                self._publish("failed", error=str(error))
                raise
            await self._begin(self._context, sockets)

    async def _begin(self, context: AppContext, sockets: list[socket.socket]) -> None:
        # Without handler_cancellation a client's disconnect would be noticed only at the next write, and upstream would go on
        # generating until then (docs.aiohttp.org/en/stable/web_advanced.html, "Peer disconnection").
        # No access log: every request has a record, and a path may hold a key (`?key=`).
        runner = ClientRunner(
            build(context), handler_cancellation=True, access_log=None, shutdown_timeout=GRACE_S, keepalive_timeout=75
        )
        # In headless mode and in the window alike: the usual 1,024 are few for streams, each of which needs two.
        self._descriptors = raise_limit()
        runner.strangers_at_most(self._descriptors // 4)
        await runner.setup()
        self._runner, self._sites = runner, {}
        await self._listen_on(context, sockets)
        self._lag = asyncio.ensure_future(self._measure_lag())
        self._since = time.monotonic()
        self._publish("running")

    async def _listen_on(self, context: AppContext, sockets: list[socket.socket]) -> None:
        """Listen on these sockets and no others."""
        assert self._runner is not None
        sites = {one: self._sites.get(one) or await self._site(self._runner, one) for one in sockets}
        for one in [one for one in self._sites if one not in sites]:
            await self._stop_listening(one)
        self._sites = sites
        host, port = place_of(sockets[0])
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{'https' if self._ssl else 'http'}://{shown}:{port}"
        if not _is_loopback(host):
            _log_reach(context, host)

    async def _site(self, runner: ClientRunner, listener: socket.socket) -> web.SockSite:
        site = web.SockSite(runner, listener, backlog=listeners.BACKLOG, ssl_context=self._ssl)
        await site.start()
        return site

    async def _stop_listening(self, listener: socket.socket) -> None:
        await self._sites.pop(listener).stop()

    async def prepare_address(self, host: str, port: int) -> NewAddress | None:
        """Bind another address; the server answers there once the result is applied. None where nothing has to change.

        Port 0 is the one that the server has. Raises PortTaken and ConduitError; the server then listens where it did.
        """
        # Looked at without the lock too: a stop holds it for ten seconds, and leaves nothing to move.
        if self._moves:
            async with self._start_stop_lock:
                if self._moves:
                    return await self._prepare(host, port)
        return None

    @property
    def _moves(self) -> bool:
        """Whether a new address is bound at once: also where the server could not listen at the former one."""
        return self._context is not None and (self._runner is not None or self.state == "failed")

    async def _prepare(self, host: str, port: int) -> NewAddress | None:
        held = {place_of(one): one for one in self._sites}
        wanted = await asyncio.to_thread(listeners.addresses, host)
        port = port or next((port for _, port in held), 0)
        # Bound before the former address is given up, unless one of the two takes in the other: those cannot be there at once.
        in_the_way = [one for one in held if any(listeners.overlap(one, (address, port)) for address in wanted)]
        for one in in_the_way:
            await self._stop_listening(held.pop(one))
        try:
            sockets = await asyncio.to_thread(bind, host, port, held)
        except (ConduitError, OSError) as error:
            await self._listen_again(in_the_way)
            if isinstance(error, ConduitError):
                raise
            raise ConduitError(f"cannot listen on {host or 'this computer'}: {describe(error)}") from error
        if self._runner is not None and set(sockets) == set(self._sites):
            return None
        return NewAddress(self, sockets, in_the_way)

    async def _listen_again(self, places: Iterable[Place]) -> None:
        """Go back to addresses that were given up for others."""
        for address, port in places:
            if self._runner is None:
                return
            try:
                listener = listeners.listen(address, port)
            except (ConduitError, OSError) as error:
                log.error("no longer listening on %s, port %d: %s", address, port, describe(error))
            else:
                # The first one's address is the server's, and 127.0.0.1 was before ::1.
                self._sites = {listener: await self._site(self._runner, listener), **self._sites}

    async def move(self, sockets: list[socket.socket]) -> None:
        """Listen on these sockets and no others. Connections made elsewhere end with the answers in progress on them."""
        async with self._start_stop_lock:
            context = self._context
            if not self._moves or context is None:  # stopped in the meantime
                listeners.close(sockets, ())
            elif self._runner is None:
                await self._begin(context, sockets)
            else:
                await self._listen_on(context, sockets)
                self._runner.retire([place_of(one) for one in sockets])
                self._publish("running")

    async def stay(self, sockets: list[socket.socket], given_up: Iterable[Place]) -> None:
        """Close sockets that were bound for nothing, and listen where the server did."""
        async with self._start_stop_lock:
            listeners.close(sockets, self._sites)
            await self._listen_again(given_up)

    async def stop(self) -> None:
        """Stop listening, wait for requests in flight (at most GRACE_S), then close all connections."""
        async with self._start_stop_lock:
            runner, self._runner = self._runner, None
            self._sites = {}
            if self._lag is not None:
                self._lag.cancel()
                self._lag = None
            if runner is not None:
                # First no new connections, then the streams: a client must not be accepted only to be cut off.
                for site in tuple(runner.sites):
                    await site.stop()
                if self._context is not None:
                    await self._context.gateway.state.drain(GRACE_S)
                    # The grace period is over: streams get an error event, all other requests are cancelled.
                    self._context.gateway.state.close_streams()
                    await self._context.gateway.state.drain(CUT_S)
                # The grace period has been spent in `drain`: aiohttp must not wait for it a second time.
                runner._shutdown_timeout = 0.5
                await runner.cleanup()
            self.address = None
            self._publish("stopped")

    async def _measure_lag(self) -> None:
        loop = asyncio.get_running_loop()
        watch = DescriptorWatch(self._descriptors)
        while True:
            watch.look()
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.loop_lag_ms = max(0.0, (loop.time() - due) * 1000)

    def _publish(self, state: ServerState, error: str = "") -> None:
        self.state, self.error = state, error
        if self._context is not None:
            self._context.bus.publish("server", state)


class NewAddress:
    """Sockets of an address that the server does not answer at yet: `apply` or `cancel` them."""

    def __init__(self, server: HttpServer, sockets: list[socket.socket], given_up: list[Place]) -> None:
        self._server, self._sockets, self._given_up = server, sockets, given_up

    async def apply(self) -> None:
        """Answer there, and no longer at the former address; answers in progress are finished."""
        await self._server.move(self._sockets)

    async def cancel(self) -> None:
        """Stay at the former address."""
        await self._server.stay(self._sockets, self._given_up)


def _log_reach(context: AppContext, host: str) -> None:
    """Log who may call a server that other computers reach."""
    snapshot = context.gateway.snapshot
    log.info(
        "Other computers may call this gateway by its IP addresses and as %s. Requests with another host name are refused: "
        "add it with `conduit-desktop settings set allowed_hosts '%s'`.",
        ", ".join(accepted_names(snapshot.settings.allowed_hosts)),
        json.dumps([*snapshot.settings.allowed_hosts, "NAME"]),
    )
    if not (accepts_client_keys(snapshot) or any(key.enabled for key in snapshot.keys.values())):
        log.warning(
            "listening on %s, beyond this computer, and there is no virtual key that is enabled: every call is refused "
            "until one is made (conduit-desktop keys create --name NAME)",
            host,
        )


def _is_loopback(host: str) -> bool:
    # Without the scope of a link-local address, which not every Python reads.
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
