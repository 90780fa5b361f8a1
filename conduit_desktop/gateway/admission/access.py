"""Who calls, and what may they: the key, the address, the models."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import Forbidden, Unauthorized
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.snapshot import Network, Snapshot

KEY_PREFIX = "condt_"
_LOOPBACK = frozenset({"127.0.0.1", "::1", ""})


@dataclass(slots=True, repr=False)
class Caller:
    """Who asks. `key` is None for the operator, and for a client that brings its provider's own key (`own_key`)."""

    key: VirtualKey | None = None
    own_key: str | None = None

    @property
    def id(self) -> str:
        """The key's id; empty where there is none."""
        return self.key.id if self.key else ""


def digest(key: str) -> str:
    """What is stored of a virtual key: its SHA-256 in hex."""
    # aiohttp reads bytes of a header that are no UTF-8 as surrogates: such a key is unknown, and no failure.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def identify(call: Call, snapshot: Snapshot) -> Caller:
    """The caller; raises Unauthorized or Forbidden. The text says why only for a key that is known."""
    check_address(call.client_ip, snapshot)
    if call.operator:
        return Caller(snapshot.keys.get(call.path.get("key_id", "")))
    if not call.credential:
        return Caller(_checked(_anonymous(call, snapshot), call))
    if not call.credential.startswith(KEY_PREFIX):
        if any(bound.provider.accept_client_keys and bound.provider.enabled for bound in snapshot.providers.values()):
            return Caller(own_key=call.credential)
        raise Unauthorized(
            f"This is not a key of this gateway: its keys begin with {KEY_PREFIX}. Make one in Conduit Desktop under Virtual Keys."
        )
    # A dictionary look-up by SHA-256 leaks nothing of the key through time.
    key = snapshot.keys_by_digest.get(digest(call.credential))
    if key is None:
        raise Unauthorized("The API key is not valid.")
    return Caller(_checked(key, call))


def _anonymous(call: Call, snapshot: Snapshot) -> VirtualKey:
    name = snapshot.settings.anonymous_key
    key = snapshot.keys_by_name.get(name.lower()) if name and call.client_ip in _LOOPBACK and not call.foreign_page else None
    if key is None:
        raise Unauthorized(
            "No API key was sent. Send a virtual key as 'Authorization: Bearer condt_…' or 'x-api-key'.", code="missing_api_key"
        )
    return key


def _checked(key: VirtualKey, call: Call) -> VirtualKey:
    if not key.enabled:
        raise Unauthorized(f"The key {key.name!r} is disabled.")
    if key.expires_at is not None and key.expires_at <= time.time() * 1000:
        raise Unauthorized(f"The key {key.name!r} has expired.")
    if key.allowed_ips and not any(_within(call.client_ip, network) for network in key.allowed_ips):
        raise Forbidden(f"The key {key.name!r} may not be used from this address.", code="ip_not_allowed")
    return key


def check_address(address: str, snapshot: Snapshot) -> None:
    """Raises Forbidden where the IP rules keep `address` out: deny wins; with any allow rule, all others are out."""
    if not snapshot.rules:
        return
    try:
        parsed = ipaddress.ip_address(address or "127.0.0.1")
    except ValueError:
        raise Forbidden("This address may not call the gateway.", code="ip_not_allowed") from None
    matches = [rule.allow for rule in snapshot.rules if parsed.version == rule.network.version and parsed in rule.network]
    if False in matches or (any(rule.allow for rule in snapshot.rules) and True not in matches):
        raise Forbidden("This address may not call the gateway.", code="ip_not_allowed")


@lru_cache(maxsize=1024)
def _network(text: str) -> Network:
    return ipaddress.ip_network(text, strict=False)


def _within(address: str, network: str) -> bool:
    parsed, block = ipaddress.ip_address(address or "127.0.0.1"), _network(network)
    return parsed.version == block.version and parsed in block


def check_model(key: VirtualKey | None, asked: str, name: str) -> None:
    """Raises Forbidden where the key may call a model neither by the name that was asked for, nor by the one it leads to."""
    if not (may_call(key, asked) or may_call(key, name)):
        raise Forbidden(f"This key may not call the model {asked!r}.", param="model")


def may_call(key: VirtualKey | None, model: str) -> bool:
    """Whether the key's allow list (empty: everything) lets `model` through. Patterns ignore case."""
    if key is None or not key.models:
        return True
    name = model.lower()
    return any(name == pattern.lower() or fnmatchcase(name, pattern.lower()) for pattern in key.models)
