"""Waits for what a call writes in the background: its record, its payload, and notifications.

The record of a success is durable before the answer ends. That of a refused or cancelled call is not, and payloads and
notifications are written in the background: a test that reads any of these has to wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from conduit_desktop.gateway.gateway import Gateway

T = TypeVar("T")

WITHIN_S = 20.0
"""Only a failing test waits this long; on a loaded machine a good one waits about a second."""

PAUSE_S = 0.02


async def settled(gateway: Gateway, within_s: float = WITHIN_S) -> None:
    """Wait until no call is in flight and all that the calls left behind can be read; fails after `within_s`."""
    async with asyncio.timeout(within_s):
        await gateway.state.drain(within_s)
        while gateway.state._side_work:
            await asyncio.wait(gateway.state._side_work)
        # The writer thread runs its jobs in order: this one is done after every record queued before.
        await gateway.state.store.database.write(lambda connection: None)
    assert gateway.in_flight == 0


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Wait, without holding up the loop, until `condition` holds; fails after `within_s`."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    while not condition():
        assert loop.time() < give_up, f"it did not happen within {within_s} s"
        await asyncio.sleep(0.005)


def read_until(read: Callable[[], T], holds: Callable[[T], object] = bool, within_s: float = WITHIN_S) -> T:
    """Call `read` until `holds` is true of its result, and return that; for a gateway in another process, read over HTTP.

    Fails after `within_s` seconds with the last result.
    """
    give_up = time.monotonic() + within_s
    while not holds(found := read()):
        assert time.monotonic() < give_up, f"after {within_s} s it is still {found!r}"
        time.sleep(PAUSE_S)
    return found
