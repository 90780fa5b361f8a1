"""Listening sockets: makes them, and names the program that holds a taken port."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from conduit_desktop.core.errors import ConduitError, PortTaken, describe

log = logging.getLogger(__name__)

Place = tuple[str, int]
"""The IP address and port of a socket."""

BACKLOG = 1024
"""Connections that the system accepts for a socket before the server does."""
_TCP_LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""
_LOOPBACK = ("127.0.0.1", "::1")


def place_of(listener: socket.socket) -> Place:
    """Where a socket listens."""
    address, port = listener.getsockname()[:2]
    return str(address), int(port)


def addresses(host: str) -> tuple[str, ...]:
    """The IP addresses of the setting `host`, empty for this computer's own. Raises ConduitError for an unknown name. Blocks."""
    if not host:
        return _LOOPBACK
    bare = host.strip("[]")
    with suppress(ValueError):
        return (str(ipaddress.ip_address(bare)),)
    try:
        found = socket.getaddrinfo(bare, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # a name of the wrong form is a ValueError
        raise ConduitError(f"cannot listen on {host}: {getattr(error, 'strerror', '') or 'there is no such address'}") from error
    return (str(found[0][4][0]),)


def covers(listening: Iterable[Place], wanted: Place) -> bool:
    """Whether one of the sockets takes connections to an address and port."""
    address, port = wanted
    return any(one_port == port and (one == address or _is_any_of_family(one, address)) for one, one_port in listening)


def overlap(one: Place, other: Place) -> bool:
    """Whether two sockets cannot listen at once although they differ: one of them takes every address of the computer."""
    (first, port), (second, other_port) = one, other
    if port != other_port or first == second:
        return False
    return _is_any_of_family(first, second) or _is_any_of_family(second, first)


def _is_any_of_family(address: str, other: str) -> bool:
    """Whether `address` stands for all of the computer's, of the IP version of `other`."""
    return address == ("::" if ":" in other else "0.0.0.0")  # noqa: S104


def bind(host: str, port: int, held: Mapping[Place, socket.socket] = MappingProxyType({})) -> list[socket.socket]:
    """Listening sockets for `host`; where it is empty, 127.0.0.1 and (if available) ::1 on the same port. Blocks.

    Sockets of `held` that listen there already are among the result. Raises PortTaken, ConduitError.
    """
    first_address, *others = addresses(host)
    first = listen(first_address, port, held)
    sockets = [first]
    try:
        sockets += [listen(address, place_of(first)[1], held) for address in others]
    # Not IPv4 alone: clients that look up localhost as ::1 first would reach the other program.
    except PortTaken:
        close(sockets, held.values())
        if port == 0:
            # The system chose a port for IPv4 that is taken on IPv6: try another.
            return bind(host, port)
        raise
    except OSError as error:
        # A computer without IPv6 is no reason not to start.
        log.info("not listening on ::1: %s", describe(error))
    return sockets


def close(sockets: Iterable[socket.socket], held: Iterable[socket.socket]) -> None:
    """Close the sockets that are not in `held`."""
    kept = set(held)
    for one in sockets:
        if one not in kept:
            one.close()


def listen(address: str, port: int, held: Mapping[Place, socket.socket] = MappingProxyType({})) -> socket.socket:
    """A socket that listens at an IP address: the one of `held` there, or a new one. Raises PortTaken, ConduitError, OSError."""
    if (found := held.get((address, port))) is not None:
        return found
    return _listening_socket(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port)


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
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError as error:
        made.close()
        # 10013 and 10048: WSAEACCES and WSAEADDRINUSE.
        if error.errno in (errno.EADDRINUSE, errno.EACCES) or getattr(error, "winerror", 0) in (10013, 10048):
            raise _port_taken(host, port, error) from error
        # For loopback `bind` decides: it goes on without IPv6.
        if host not in ("::1", "127.0.0.1"):
            raise ConduitError(f"cannot listen on {host}: {error.strerror}") from error
        raise
    return made


def _port_taken(host: str, port: int, error: OSError) -> PortTaken:
    advice = "; choose another with --port or CONDUIT_PORT."
    if error.errno == errno.EACCES:
        return PortTaken(f"no permission to listen on port {port} of {host} ({error.strerror})", advice)
    program = port_holder(port)
    by = f" by {program}" if program else ""
    return PortTaken(f"port {port} is taken{by}", f"{advice}{port_hint(port)}")


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
