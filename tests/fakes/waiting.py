"""Waits for what a call leaves behind: its record, its payload, and the notifications it causes.

The record of a success is durable before the answer ends. That of a call that was refused or cancelled is not, and payloads and
notifications are written in the background: a test that reads any of these has to wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from conduit_desktop.gateway.state import GatewayState

T = TypeVar("T")

WITHIN_S = 20.0
"""Nobody waits this long where all is well: on a loaded machine it is a second, and what never comes fails at last."""

PAUSE_S = 0.02


async def settled(gateway: GatewayState, within_s: float = WITHIN_S) -> None:
    """Wait until no call is in flight and all that the calls left behind can be read; fails after `within_s`."""
    async with asyncio.timeout(within_s):
        await gateway.drain(within_s)
        while gateway._side_work:
            await asyncio.wait(gateway._side_work)
        # The writer takes its jobs in order: this one comes after every record that was handed over.
        await gateway.store.database.write(lambda connection: None)
    assert gateway.in_flight == 0


async def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Wait, without holding up the loop, until `condition` holds; fails after `within_s`."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + within_s
    while not condition():
        assert loop.time() < give_up, f"it did not happen within {within_s} s"
        await asyncio.sleep(0.005)


def read_until(read: Callable[[], T], holds: Callable[[T], object] = bool, within_s: float = WITHIN_S) -> T:
    """What `read` gives, as soon as it fulfils `holds`; for a gateway in another process, asked over HTTP.

    Fails after `within_s` with what was read last.
    """
    give_up = time.monotonic() + within_s
    while not holds(found := read()):
        assert time.monotonic() < give_up, f"after {within_s} s it is still {found!r}"
        time.sleep(PAUSE_S)
    return found
