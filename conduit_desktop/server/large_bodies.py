"""Bounds the bytes of large request bodies in flight: where there is no room, the rest of a body is not read until there is."""

from __future__ import annotations

import asyncio

from aiohttp import web

from conduit_desktop.core.errors import TooManyLargeBodies

LARGE = 1024 * 1024
"""Bytes of a body that counts; smaller ones are bounded by the descriptors and by the limits of keys."""
AT_ONCE = 4
"""Bodies of the largest size for which there is room, or for as many bytes of smaller ones."""
WAIT_S = 30.0
"""Seconds that a body waits for room: most clients wait for longer."""
RETRY_S = 5.0


class LargeBodies:
    """The large bodies in flight. What has come of a body counts, not what its head states: one that stalls takes no room."""

    def __init__(self) -> None:
        self.held = 0
        """Bytes in memory."""
        self._incomplete: dict[HeldBody, None] = {}
        """Those still coming, the oldest first."""
        self._waiting: list[asyncio.Future[None]] = []

    def has_room(self, body: HeldBody, more: int, largest: int) -> bool:
        """Whether `body` may grow by `more` bytes; `largest` is the size of the largest body.

        The oldest that is still coming has room of its own: else several could wait for each other. No more than that, as those
        that have come whole are still in memory, and end without it.
        """
        is_oldest = next(iter(self._incomplete), body) is body
        return self.held + more <= (AT_ONCE + is_oldest) * largest

    async def wait(self) -> None:
        """Until something has become free."""
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(changed)
        try:
            await changed
        finally:
            if changed in self._waiting:
                self._waiting.remove(changed)

    def begin(self, body: HeldBody) -> None:
        """The body is coming."""
        self._incomplete.setdefault(body)

    def change(self, body: HeldBody, by: int, is_complete: bool) -> None:
        """The body has another size, or has come whole."""
        self.held += by
        if is_complete:
            self._incomplete.pop(body, None)
        if by < 0 or is_complete:
            waiting, self._waiting = self._waiting, []
            for changed in waiting:
                if not changed.done():
                    changed.set_result(None)


class HeldBody:
    """What one body holds of `bodies`, until the task that answers its request ends. `largest` is in bytes."""

    def __init__(self, bodies: LargeBodies, largest: int) -> None:
        self._bodies, self._largest = bodies, largest
        self.size = 0

    async def grow(self, size: int) -> None:
        """The body is going to have `size` bytes in memory; waits for room. Raises TooManyLargeBodies."""
        bodies = self._bodies
        if not self.size:
            task = asyncio.current_task()
            assert task is not None
            task.add_done_callback(lambda _: self._set(0))
            bodies.begin(self)
        if not bodies.has_room(self, size - self.size, self._largest):
            try:
                async with asyncio.timeout(WAIT_S):
                    while not bodies.has_room(self, size - self.size, self._largest):
                        await bodies.wait()
            except TimeoutError:
                size_mb = AT_ONCE * self._largest >> 20
                raise TooManyLargeBodies(
                    f"Large request bodies are in flight, {size_mb} MB in all, and none ended within {WAIT_S:g} s.",
                    retry_after=RETRY_S,
                ) from None
        self._set(size, is_complete=False)

    def came(self, size: int) -> None:
        """The body is whole, and has that many bytes."""
        self._set(size if size > LARGE else 0)

    def _set(self, size: int, is_complete: bool = True) -> None:
        change, self.size = size - self.size, size
        self._bodies.change(self, change, is_complete)


def held_body(request: web.Request, largest: int) -> HeldBody:
    """What the body of a request holds of those of its server."""
    # A request made without a server has bodies of its own.
    manager = getattr(request.protocol, "_manager", None)
    return HeldBody(getattr(manager, "large_bodies", None) or LargeBodies(), largest)
