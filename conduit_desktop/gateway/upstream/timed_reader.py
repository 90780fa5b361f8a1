"""Reads the chunks of an upstream's stream, with pings and the idle time-out on one timer."""

from __future__ import annotations

import asyncio

from conduit_desktop.core.errors import Closing, UpstreamError
from conduit_desktop.providers import UpstreamResponse

_CLOSING = "The gateway is closing; the answer was cut off."
_EARLY_S = 0.005
"""An event loop's timer may fire this much too soon."""


class TimedReader:
    """Reads an upstream's chunks, returns in between for pings, and raises when the upstream is silent for too long.

    A ping is due when the *client* has been sent nothing for `keepalive_s`, whatever the upstream sends meanwhile. Silence is
    time spent waiting for the upstream: a client that reads slowly does not make it look stalled.

    One timer serves the whole stream: it is set anew only when it fires, not for every chunk, which would cost more than
    reading the chunk does.
    """

    __slots__ = (
        "_closing", "_deadline", "_expired", "_idle_s", "_keepalive_s", "_loop", "_response", "_sent_at", "_silent_s", "_task",
        "_timer", "waited_s",
    )  # fmt: skip

    def __init__(self, response: UpstreamResponse, keepalive_s: float, idle_s: float) -> None:
        self._response = response
        self._keepalive_s = keepalive_s
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._silent_s = 0.0
        self.waited_s = 0.0
        """Seconds spent waiting for the upstream."""
        self._closing = False
        self._task: asyncio.Task[object] | None = None
        """The task that waits for a chunk now."""
        self._deadline = 0.0
        """When it has waited long enough, in the loop's time."""
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """The gateway closes: the stream ends now, with the dialect's error event."""
        self._closing = True
        self._expire()

    def stop(self) -> None:
        """Nothing more is read: cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def chunk(self, sent: bool) -> bytes | None:
        """The next bytes (b"" at the end), or None when a ping is due; raises UpstreamError after `idle_s` of silence.

        `sent`: the client has been sent something since the last call. Raises Closing after `close`.
        """
        if self._closing:
            raise Closing(_CLOSING)
        now = self._loop.time()
        if sent:
            self._sent_at = now
        # Claude Code takes a stream for stalled after 20 s without a byte (BerriAI/litellm#36024).
        ping_at = self._sent_at + self._keepalive_s
        if ping_at <= now:
            return None
        self._wait_until(min(ping_at, now + self._idle_s - self._silent_s))
        task = self._task = asyncio.current_task()
        assert task is not None
        cancelling = task.cancelling()
        try:
            data = await self._response.chunk()
        except asyncio.CancelledError:
            # As in asyncio.timeout: a cancellation from outside wins over the timer's.
            expired, self._expired = self._expired, False
            if not expired or task.uncancel() > cancelling:
                raise
            if self._closing:
                raise Closing(_CLOSING) from None
            self._waited(now)
            if self._silent_s >= self._idle_s - _EARLY_S:
                raise UpstreamError(f"the answer stalled for {self._idle_s:g} s", status=504, reason="timeout") from None
            return None
        finally:
            self._task = None
            if self._expired:  # the chunk or another error came first
                self._expired = False
                task.uncancel()
        self._waited(now)
        self._silent_s = 0.0
        return data

    def _wait_until(self, deadline: float) -> None:
        self._deadline = deadline
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._task is None:
            return  # the client is being written to; the next chunk sets the timer
        if self._loop.time() < self._deadline - _EARLY_S:
            self._timer = self._loop.call_at(self._deadline, self._on_timer)
        else:
            self._expire()

    def _expire(self) -> None:
        # Once: `cancel` adds up, and the single `uncancel` in `chunk` would leave a second one behind.
        if self._task is not None and not self._expired:
            self._expired = True
            self._task.cancel()

    def _waited(self, since: float) -> None:
        waited = self._loop.time() - since
        self._silent_s += waited
        self.waited_s += waited
