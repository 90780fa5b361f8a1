"""Spreads bursts of work over several iterations of the event loop, so that running streams need not wait for all of it."""

from __future__ import annotations

import asyncio
from collections import deque

AT_ONCE = 16
"""Pieces of work in one iteration. One is the begin or the end of a request, a third of a millisecond."""


class Pacer:
    """Lets so many callers begin in each iteration of the loop; the others follow in order, after what has arrived meanwhile."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def turn(self) -> asyncio.Future[None] | None:
        """What to await before the work begins; None where it can begin at once."""
        self._begun += 1
        if self._begun == 1:
            asyncio.get_running_loop().call_soon(self._next)
        if self._begun <= self._at_once and not self._waiting:
            return None
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def _next(self) -> None:
        """An iteration has ended."""
        self._begun = 0
        while self._waiting and self._begun < self._at_once:
            waiter = self._waiting.popleft()
            if not waiter.done():  # cancelled
                waiter.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
