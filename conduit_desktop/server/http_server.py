"""The HTTP server: listens on both loopback addresses, drains at stop, and names the program that holds a taken port."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import json
import logging
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.actions.context import ServerState
from conduit_desktop.core.errors import ConduitError, PortTaken, describe
from conduit_desktop.gateway.admission.access import accepts_client_keys
from conduit_desktop.server.application import build
from conduit_desktop.server.descriptors import DescriptorWatch, raise_limit
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
_TCP_LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""


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
        self._context: AppContext | None = None
        self._runner: web.AppRunner | None = None
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
            try:
                await self._listen(self._context)
            except ConduitError as error:
                self._publish("failed", error=str(error))
                raise
            self._since = time.monotonic()
            self._publish("running")

    async def _listen(self, context: AppContext) -> None:
        settings = context.gateway.snapshot.settings
        ssl_context = self._tls.context() if self._tls else None
        # In a thread: naming the program that holds a taken port reads /proc or runs a command.
        sockets = await asyncio.to_thread(bind, settings.host, settings.port)
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
        for listener in sockets:
            await web.SockSite(runner, listener, backlog=1024, ssl_context=ssl_context).start()
        self._runner = runner
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{'https' if ssl_context else 'http'}://{shown}:{port}"
        if not _is_loopback(host):
            log.info(
                "Other computers may call this gateway by its IP addresses and as %s. Requests with another host name are refused: "
                "add it with `conduit-desktop settings set allowed_hosts '%s'`.",
                ", ".join(accepted_names(settings.allowed_hosts)),
                json.dumps([*settings.allowed_hosts, "NAME"]),
            )
            snapshot = context.gateway.snapshot
            if not (accepts_client_keys(snapshot) or any(key.enabled for key in snapshot.keys.values())):
                log.warning(
                    "listening on %s, beyond this computer, and there is no virtual key that is enabled: every call is refused "
                    "until one is made (conduit-desktop keys create --name NAME)",
                    settings.host,
                )
        self._lag = asyncio.ensure_future(self._measure_lag())

    async def stop(self) -> None:
        """Stop listening, wait for requests in flight (at most GRACE_S), then close all connections."""
        async with self._start_stop_lock:
            runner, self._runner = self._runner, None
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


def _is_loopback(host: str) -> bool:
    # Without the scope of a link-local address, which not every Python reads.
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets for `host`; where it is empty, 127.0.0.1 and (if available) ::1 on the same port. Raises PortTaken."""
    if host:
        return [_listening_socket(socket.AF_INET6 if ":" in host else socket.AF_INET, host.strip("[]"), port)]
    first = _listening_socket(socket.AF_INET, "127.0.0.1", port)
    sockets = [first]
    try:
        sockets.append(_listening_socket(socket.AF_INET6, "::1", first.getsockname()[1]))
    # Not IPv4 alone: clients that look up localhost as ::1 first would reach the other program.
    except PortTaken:
        first.close()
        if port == 0:
            # The system chose a port for IPv4 that is taken on IPv6: try another.
            return bind(host, port)
        raise
    except OSError as error:
        # A computer without IPv6 is no reason not to start.
        log.info("not listening on ::1: %s", describe(error))
    return sockets


def _listening_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # On Windows SO_REUSEADDR would let a second program listen on the same port; SO_EXCLUSIVEADDRUSE prevents that even
            # where the other program asks for it (msdn.microsoft.com/en-us/library/windows/hardware/cc150667).
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Elsewhere it only passes over connections that are still closing, so that a restart need not wait for them.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else a socket on `::` would also take the IPv4 port, where the system has dual-stack sockets.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(1024)
        made.setblocking(False)
    except OSError as error:
        made.close()
        # 10013 and 10048: WSAEACCES and WSAEADDRINUSE.
        if error.errno in (errno.EADDRINUSE, errno.EACCES) or getattr(error, "winerror", 0) in (10013, 10048):
            raise PortTaken(_port_taken_text(host, port, error)) from error
        # For loopback `bind` decides: it goes on without IPv6.
        if host not in ("::1", "127.0.0.1"):
            raise ConduitError(f"cannot listen on {host}: {error.strerror}") from error
        raise
    return made


def _port_taken_text(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"no permission to listen on port {port} of {host} ({error.strerror}); choose another with --port or CONDUIT_PORT."
    program = port_holder(port)
    by = f" by {program}" if program else ""
    return f"port {port} is taken{by}; choose another with --port or CONDUIT_PORT.{port_hint(port)}"


def port_holder(port: int) -> str | None:
    """The program that listens on `port`, such as `ControlCenter (pid 412)`; None where the system does not show it. Blocks."""
    # Only a detail of the error text: failing to find it must not hide that the port is taken.
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        if sys.platform == "linux":
            return _port_holder_linux(port)
        return _port_holder_windows(port) if sys.platform == "win32" else _port_holder_lsof(port)
    return None


def port_hint(port: int) -> str:
    """Advice for a port that a well-known program uses, with a leading space; empty for other ports."""
    if sys.platform == "darwin" and port == 5000:
        return " On macOS this is often the AirPlay Receiver (System Settings, General, AirDrop & Handoff)."
    return ""


def _port_holder_linux(port: int) -> str | None:
    """The socket's inode from /proc/net/tcp*, then the process that has this socket open."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _TCP_LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and inodes:
            # Processes of other users do not show their open files.
            with suppress(OSError):
                if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _port_holder_lsof(port: int) -> str | None:
    # -F prints one field per line, its first letter the field: p for the pid, c for the command.
    # By its full path, so that PATH cannot put another program in its place.
    command = ["/usr/sbin/lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False).stdout.splitlines()  # noqa: S603
    fields = {line[:1]: line[1:] for line in lines}
    return f"{fields['c']} (pid {fields['p']})" if "c" in fields and "p" in fields else None


def _port_holder_windows(port: int) -> str | None:
    script = f"(Get-Process -Id (Get-NetTCPConnection -LocalPort {port} -State Listen).OwningProcess | Select -First 1).ProcessName"
    # -NoProfile: a profile of the user may print text of its own, or take seconds.
    command = ["powershell", "-NoProfile", "-Command", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip() or None  # noqa: S603
