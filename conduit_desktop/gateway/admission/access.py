"""Identifies the caller and checks what it may use: the key, the address, the models."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import Forbidden, Unauthorized
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import Route
from conduit_desktop.gateway.snapshot import Network, Snapshot

KEY_PREFIX = "condt_"
KEY_HEADER = "x-conduit-key"
"""A header for a virtual key alone: what else comes in it is never sent on."""
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via", "cf-connecting-ip")
"""Headers of a request that a proxy has passed on: it comes from wherever the proxy listens, and not from this computer."""
_ADDRESS_REFUSED = "This address may not call the gateway."

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True, repr=False)
class Caller:
    """The caller. `key` is None for the operator, and for a client that sends nothing but its provider's own key (`own_key`).

    With both, the request is the virtual key's: its limits hold and its name is recorded.
    """

    key: VirtualKey | None = None
    own_key: str | None = None
    own_key_header: str = ""
    """The header in which `own_key` came, in lower case; empty where it came in the query."""

    @property
    def id(self) -> str:
        """The key's id; empty where there is none."""
        return self.key.id if self.key else ""

    @property
    def owner(self) -> str:
        """Whose responses and conversations are kept for it; empty where everybody could read them."""
        # A digest of the client's own key, because the owner is stored.
        return f"client:{digest(self.own_key)}" if self.own_key and self.key is None else self.id


def digest(key: str) -> str:
    """The SHA-256 of a virtual key in hex: all that is stored of it."""
    # aiohttp decodes header bytes that are not UTF-8 as surrogates: such a key is unknown, not an internal error.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def identify(call: Call, snapshot: Snapshot) -> Caller:
    """The caller; raises Unauthorized or Forbidden. Only for a known key does the text give the reason."""
    # Before the key: a barred address must not learn whether a key is valid.
    check_address(call.client_ip, snapshot)
    # Set by the desktop app in this process, never read from a request.
    if call.operator:
        return Caller(snapshot.keys.get(call.path.get("key_id", "")))
    if not call.credential:
        return Caller(_checked(_anonymous(call, snapshot), call))
    # By prefix first: a mistyped or revoked key of the gateway must never be sent on to a provider.
    if not call.credential.startswith(KEY_PREFIX):
        if call.own_key_header != KEY_HEADER and accepts_client_keys(snapshot):
            return Caller(own_key=call.credential, own_key_header=call.own_key_header)
        raise Unauthorized(
            f"This is not a key of this gateway: its keys begin with {KEY_PREFIX}. Make one in Conduit Desktop under Virtual Keys."
        )
    # A dictionary look-up by SHA-256 reveals nothing of the key through its timing.
    key = snapshot.keys_by_digest.get(digest(call.credential))
    if key is None:
        raise Unauthorized("The API key is not valid.")
    return Caller(_checked(key, call), call.own_key, call.own_key_header)


def accepts_client_keys(snapshot: Snapshot) -> bool:
    """Whether any provider that is enabled takes clients' own keys."""
    return any(bound.provider.accept_client_keys and bound.provider.enabled for bound in snapshot.providers.values())


def _anonymous(call: Call, snapshot: Snapshot) -> VirtualKey:
    name = snapshot.settings.anonymous_key
    key = None
    # The address alone is not enough: a web page in a browser on this computer comes from loopback, too, and so does everything
    # that a reverse proxy on this computer passes on.
    if name and is_loopback(call.client_ip) and not call.foreign_page and not was_forwarded(call.headers):
        key = snapshot.keys_by_name.get(name.lower())
    if key is None:
        raise Unauthorized(
            "No API key was sent. Send a virtual key as 'Authorization: Bearer condt_…' or 'x-api-key'.", code="missing_api_key"
        )
    return key


def _checked(key: VirtualKey, call: Call) -> VirtualKey:
    if not key.enabled:
        raise Unauthorized(f"The key {key.name!r} is disabled.")
    if key.expires_at is not None and key.expires_at <= now_ms():
        raise Unauthorized(f"The key {key.name!r} has expired.")
    if key.allowed_ips and not _allowed(call.client_ip, key.allowed_ips):
        raise Forbidden(f"The key {key.name!r} may not be used from this address.", code="ip_not_allowed")
    return key


def check_address(address: str, snapshot: Snapshot) -> None:
    """Raises Forbidden where the IP rules keep `address` out: deny wins; with any allow rule, all others are out."""
    if not snapshot.rules:
        return
    parsed = _parsed(address)
    # Fail closed: an address that cannot be parsed would match no rule, not even a denying one.
    if parsed is None:
        raise Forbidden(_ADDRESS_REFUSED, code="ip_not_allowed")
    matches = [rule.allow for rule in snapshot.rules if parsed.version == rule.network.version and parsed in rule.network]
    if False in matches or (any(rule.allow for rule in snapshot.rules) and True not in matches):
        raise Forbidden(_ADDRESS_REFUSED, code="ip_not_allowed")


@lru_cache(maxsize=1024)
def _parsed(address: str) -> Address | None:
    """The client's address; None where it cannot be parsed or is not known (empty).

    A socket that listens on both IP versions reports IPv4 clients as `::ffff:1.2.3.4`: they are checked as IPv4.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, ipaddress.IPv6Address) else parsed


def was_forwarded(headers: Mapping[str, str]) -> bool:
    """Whether a proxy has passed the request on: its address is then the proxy's. `headers` ignore case."""
    return any(map(headers.__contains__, _FORWARDED))


def is_loopback(address: str) -> bool:
    """Whether the address is one of this computer's own; one that is not known is not."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _allowed(address: str, networks: Iterable[str]) -> bool:
    """Whether the address is in one of the networks; one that cannot be parsed is in none."""
    parsed = _parsed(address)
    if parsed is None:
        return False
    return any(parsed.version == block.version and parsed in block for block in map(_network, networks))


def check_model(key: VirtualKey | None, requested: str, route: Route) -> None:
    """Raises Forbidden where the key may call the model neither by the requested name nor by the name of its route.

    The default alias answers to any unknown name: there only its own name counts.
    """
    if not ((may_call(key, requested) and not route.is_default) or may_call(key, route.name)):
        raise Forbidden(f"This key may not call the model {requested!r}.", param="model")


def may_call(key: VirtualKey | None, model: str) -> bool:
    """Whether the key's allow list (empty: everything) lets `model` through. Patterns ignore case."""
    if key is None or not key.models:
        return True
    name = model.lower()
    # Equality first: brackets in a model's name stand for themselves, and fnmatch would take them for a set.
    return any(name == pattern.lower() or fnmatchcase(name, pattern.lower()) for pattern in key.models)
