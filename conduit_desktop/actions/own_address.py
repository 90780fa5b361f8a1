"""The address of this gateway: how clients here call it, and that no provider has it, as every request would come back."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Invalid
from conduit_desktop.providers.catalog import kind_of

LOOKUP_S = 2.0
"""Seconds that looking a host name up may take; what is not found by then is not this computer."""
_PORTS = {"http": 80, "https": 443}


async def check_not_own(context: AppContext, base_url: str | None, kind: str) -> None:
    """Raises Invalid (field `base_url`) where requests to the base URL, or to the kind's own, would come to this gateway.

    A proxy in front of the gateway is not seen here: what comes back through one is refused by the header that it carries.
    """
    url = base_url if base_url and base_url.strip() else kind_of(kind).default_base_url
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return  # `check_base_url` says what is wrong with it
    host = (parts.hostname or "").rstrip(".").lower()
    if not host or port != _own_port(context):
        return
    allowed = {name.lower() for name in context.gateway.snapshot.settings.allowed_hosts}
    if host in allowed or await _is_this_computer(host):
        raise Invalid(
            f"the base URL {url.strip()} is this gateway's own address: every request would come back to it. Enter the provider's.",
            "base_url",
        )


def own_roots(context: AppContext) -> tuple[str, ...]:
    """The address for programs on this computer, such as `http://127.0.0.1:5000`, and its other spellings after it.

    Empty while the server does not listen and its port is any free one.
    """
    settings = context.gateway.snapshot.settings
    parts = urlsplit(context.server.address or f"http://{_in_url(settings.host or '127.0.0.1')}:{settings.port}")
    if not parts.port:
        return ()
    host = (parts.hostname or "").partition("%")[0]
    # A program cannot connect to every address; Windows refuses 0.0.0.0.
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    names = dict.fromkeys([_in_url(host), "127.0.0.1", "localhost", "[::1]", "0.0.0.0"])  # noqa: S104
    return tuple(f"{parts.scheme}://{name}:{parts.port}" for name in names)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _own_port(context: AppContext) -> int:
    """The port on which the server listens, or will."""
    address = context.server.address
    return (urlsplit(address).port or 0) if address else context.gateway.snapshot.settings.port


async def _is_this_computer(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower():
        return True
    with suppress(ValueError):
        return is_own(host.partition("%")[0])
    with suppress(OSError):
        return is_own(socket.inet_ntoa(socket.inet_aton(host)))  # an address as a number: `0x7f.1`, `2130706433`
    # A name of this computer in the hosts file or at the network's name server.
    with suppress(OSError, UnicodeError, TimeoutError):
        async with asyncio.timeout(LOOKUP_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        return any(is_own(str(address[0]).partition("%")[0]) for *_, address in found)
    return False


def is_own(address: str) -> bool:
    """Whether an IP address is one of this computer; raises ValueError for another text."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    # To connect to the unspecified address is to connect to this computer.
    if parsed.is_loopback or parsed.is_unspecified:
        return True
    # The system binds a socket to an address of its own alone; nothing is sent.
    try:
        with socket.socket(socket.AF_INET6 if parsed.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((str(parsed), 0))
    except OSError:
        return False
    return True
