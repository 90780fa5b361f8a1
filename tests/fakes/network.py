"""A guard around sockets: tests can connect to this machine only."""

from __future__ import annotations

import ipaddress
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_LOCAL_NAMES = frozenset({"", "localhost", "ip6-localhost", "localhost.localdomain"})


def is_local(host: object) -> bool:
    """Whether `host` (a name or an address, bytes or text, or None for the wildcard) is this machine."""
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name.lower() in _LOCAL_NAMES or name.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@contextmanager
def loopback_only() -> Iterator[list[str]]:
    """While this is open, sockets connect only to loopback and Unix addresses; yields the list of refused addresses.

    A refused connection raises AssertionError. Names below `.invalid` do not resolve (RFC 6761), as everywhere.
    """
    refused: list[str] = []

    def refuse(what: str) -> AssertionError:
        refused.append(what)
        return AssertionError(f"a test tried to reach {what}: only loopback is allowed")

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            sock.close()  # socket.create_connection closes it for an OSError only
            raise refuse(f"{address[0]}:{address[1]}")

    real_connect, real_connect_ex, real_getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def connect(sock: socket.socket, address: Any) -> None:
        check(sock, address)
        real_connect(sock, address)

    def connect_ex(sock: socket.socket, address: Any) -> int:
        check(sock, address)
        return real_connect_ex(sock, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not is_local(host):
            _only_numeric(host, refuse)
        return real_getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect_ex)
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield refused


@contextmanager
def watched_sockets() -> Iterator[weakref.WeakSet[socket.socket]]:
    """While this is open, the set collects the sockets that the main thread creates; freed ones leave it.

    An event loop that is not closed shows too: it has a pair of sockets to wake itself. Servers in other threads are not
    watched: they serve several tests, and close a connection some time after their client did.
    """
    made: weakref.WeakSet[socket.socket] = weakref.WeakSet()
    real_init = socket.socket.__init__

    def init(sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        real_init(sock, *args, **kwargs)
        if threading.current_thread() is threading.main_thread():
            made.add(sock)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "__init__", init)
        yield made


def _only_numeric(host: Any, refuse: Any) -> None:
    """Addresses resolve to themselves without a network; names do not."""
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        raise refuse(f"the name {host!r}") from None
