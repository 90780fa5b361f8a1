"""Slows down the guessing of keys: counts failed logins by address."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

FREE = 20
"""Failed logins of one address that are answered at once."""
EVERY_S = 3.0
"""Seconds after which an address may fail once more."""
MOST = 4096
"""Addresses that are known at the same time; the one that has failed least lately is forgotten."""


class FailedLogins:
    """Failed logins by address, an IPv6 one by its /64. `ticks` is monotonic time in seconds.

    Only failures are slowed down: a valid key is never looked at here, so that one program with a wrong key does not lock out the
    others behind the same address.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._full_at: dict[str, float] = {}
        """When all that an address used up is free again."""

    def wait_s(self, address: str) -> float:
        """Seconds after which the next failed login of an address is answered; nothing is counted."""
        full_at = self._full_at.get(_network(address))
        return 0.0 if full_at is None else max(0.0, full_at - self._ticks() - (FREE - 1) * EVERY_S)

    def failed(self, address: str) -> float:
        """Count one more; returns the seconds after which the next is answered, 0 where it may fail at once."""
        now, network = self._ticks(), _network(address)
        # Taken out and put in again: the order of the dictionary is that of the last failures.
        full_at = max(self._full_at.pop(network, now), now)
        wait_s = full_at - now - (FREE - 1) * EVERY_S
        if wait_s <= 0:
            full_at += EVERY_S
            if wait_s + EVERY_S > 0:
                log.warning("%d failed logins from %s: further ones are slowed down", FREE, address or "an unknown address")
        self._full_at[network] = full_at
        if len(self._full_at) > MOST:
            del self._full_at[next(iter(self._full_at))]
        return max(0.0, wait_s)


def _network(address: str) -> str:
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    # One subscriber has a whole /64 of addresses.
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
