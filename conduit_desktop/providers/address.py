"""Base URLs: validation of what an operator enters, and normalisation, so that a URL works with and without its version."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit, urlunsplit

from conduit_desktop.core.errors import Invalid

# `v1`, `v4`, `v1beta`
_VERSION = re.compile(r"v\d+[a-z0-9]*")
# The longer path comes first: a URL that ends in `/chat/completions` ends in `/completions`, too.
_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/models")
"""Endpoint paths that people paste along with the base URL, from a vendor's example."""


def check_base_url(text: str) -> str:
    """The base URL without trailing slashes; raises Invalid (field `base_url`) with what is wrong with it."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        # urlsplit accepts a wrong port; reading it raises the ValueError.
        port = parts.port
    except ValueError as error:
        raise Invalid(f"not a URL: {error}", "base_url") from error
    if wrong := _fault(url, parts, port):
        raise Invalid(wrong, "base_url")
    return url


def _fault(url: str, parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "the base URL must begin with http:// or https://"
    # urlsplit finds no user name in `http://@host`, so the @ itself is checked, too.
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "the base URL must not hold a user name or password; put the key into its own field"
    if not parts.hostname:
        return "the base URL names no host"
    if port == 0:
        return "the base URL names port 0"
    # urlsplit shows an empty query or fragment as none, so the characters themselves are checked, too.
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "the base URL must end before any ? or #"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "the base URL holds a space or a character that cannot be printed"
    return None


_OWN_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
        "100.64.0.0/10",  # Tailscale: https://tailscale.com/kb/1015/100.x-addresses
        "::1/128", "::/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_OWN_NAMES = re.compile(
    # RFC 6761, 6762, 8375; the names that Docker, home routers and Tailscale give.
    r"(.+\.)?(localhost|localdomain|local|lan|home|internal|home\.arpa)|.+\.ts\.net"
    # A name without a dot is one of the own network (a container's, a hosts file's), unless it is an address as a number.
    r"|(?!0x)(?=.*[a-z])[a-z0-9_-]+"
)


def in_own_network(url: str) -> bool:
    """Whether the host of `url` is this computer or one of a private network, by its address or its name; nothing is looked up."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return _OWN_NAMES.fullmatch(host) is not None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(isinstance(address, IPv4Address) == (network.version == 4) and address in network for network in _OWN_NETWORKS)


def versioned(base: str, default: str, version: str) -> str:
    """The URL that endpoint paths are appended to.

    `base` is as configured, `default` as the vendor documents it (may be empty), `version` the segment to add where the path of
    `base` holds none (empty for vendors without one). The path of a pasted endpoint is removed.
    """
    parts = urlsplit(base)
    path = _without_endpoint(parts.path.rstrip("/"))
    known = urlsplit(default)
    # On the vendor's own host any beginning of the documented path means that path.
    if known.netloc == parts.netloc and _is_beginning(path, known.path):
        path = known.path
    elif version and not any(_VERSION.fullmatch(segment) for segment in path.split("/")):
        path = f"{path}/{version}"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _without_endpoint(path: str) -> str:
    for end in _ENDPOINTS:
        if path.endswith(end):
            return path.removesuffix(end)
    return path


def _is_beginning(path: str, whole: str) -> bool:
    return whole == path or whole.startswith(path + "/")
