"""One loop for Qt and asyncio: Qt waits for events, asyncio runs in time slices.

qasync creates a Qt object for every callback, timer and socket, which halves a server's throughput. Where the selector has a
descriptor (epoll on Linux), Qt watches only that descriptor and one timer; everything else is asyncio's own code. A slice
runs asyncio until nothing is ready or `SLICE_S` has passed; then Qt paints and fires its timers.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Callable
from typing import Any, cast

from PySide6.QtCore import QCoreApplication, QSocketNotifier

from conduit_desktop.gui.event_loop.timer_loop import TimerLoop

# A quarter of a frame at 60 Hz, so that Qt has the larger part of each frame to paint.
SLICE_S = 0.004
"""Seconds that asyncio may run before control returns to Qt."""

WAIT_S = 0.001
"""Seconds that a slice waits for more events before it returns to Qt. Each pass through Qt releases the GIL, which under load
the database threads then take."""

_AsyncioLoop: Any = asyncio.SelectorEventLoop
"""Typed as Any: most of what is used of it is private to asyncio."""


class _BoundedSelector:
    """A selector that waits at most `WAIT_S`: longer waits are left to Qt."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.register, self.unregister, self.modify = selector.register, selector.unregister, selector.modify
        self.get_map, self.get_key, self.close = selector.get_map, selector.get_key, selector.close
        self._select = selector.select
        self.found = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The ready keys after at most `WAIT_S` seconds; `found` is True if there were any."""
        ready = self._select(WAIT_S if timeout is None or timeout > WAIT_S else timeout)
        self.found = bool(ready)
        return ready

    def fileno(self) -> int:
        """The selector's own descriptor, which becomes readable when a registered one is ready."""
        return int(self._selector.fileno())  # type: ignore[attr-defined]


class SelectorLoop(TimerLoop):
    """qasync's loop with asyncio's own queues and selector; Qt watches the selector's descriptor.

    It uses `BaseEventLoop._run_once`, `_ready` and `_scheduled`, unchanged from Python 3.8 to 3.14; a test fails if one of
    them is missing.
    """

    call_soon_threadsafe = _AsyncioLoop.call_soon_threadsafe
    # asyncio's own selector: qasync would make a Qt notifier for each socket.
    _add_reader = _AsyncioLoop._add_reader
    _remove_reader = _AsyncioLoop._remove_reader
    _add_writer = _AsyncioLoop._add_writer
    _remove_writer = _AsyncioLoop._remove_writer
    _process_events = _AsyncioLoop._process_events
    _add_callback = _AsyncioLoop._add_callback

    _selector: Any

    def __init__(self, app: QCoreApplication | None = None) -> None:
        self._in_slice = False
        self._awake = False
        super().__init__(app)
        self._take_selector()
        self._notifier = QSocketNotifier(self._selector.fileno(), QSocketNotifier.Type.Read)
        self._notifier.setEnabled(False)
        self._notifier.activated.connect(self._run_slice)

    def _take_selector(self) -> None:
        """Replace qasync's selector of Qt notifiers by a real one."""
        # qasync has registered the self-pipe with its own selector; unless it moves over, no other thread could wake the loop.
        self._remove_reader(self._ssock.fileno())
        self._selector.close()
        self._selector = _BoundedSelector(selectors.DefaultSelector())
        self._add_reader(self._ssock.fileno(), self._read_from_self)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """As in asyncio; a call from Qt (a click) also wakes the loop."""
        handle: asyncio.Handle = _AsyncioLoop.call_soon(self, callback, *args, context=context)
        # Within a slice `_prepare_wait` looks at the queue at the end; outside, one byte is enough, and each write is a system
        # call.
        if not self._in_slice and not self._awake:
            self._awake = True
            self._write_to_self()
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """As in asyncio; the Qt timer is set to the earliest entry."""
        handle: asyncio.TimerHandle = _AsyncioLoop.call_at(self, when, callback, *args, context=context)
        # A server sets many timers within one slice: the Qt timer is set once, at the end of it.
        if not self._in_slice and when < self._due:
            self._set_alarm()
        return handle

    def _run_due(self) -> None:
        self._run_slice()

    def _run_slice(self) -> None:
        """Run asyncio for at most SLICE_S."""
        if self._in_slice or not self.is_running():
            # A Qt loop nested in a callback, or events after a stop: without this, Qt would spin on the readable descriptor.
            self._notifier.setEnabled(False)
            return
        self._in_slice = True
        end = time.monotonic() + SLICE_S
        try:
            self._run_once()
            while (self._ready or self._selector.found) and self.is_running() and time.monotonic() < end:
                self._run_once()
        finally:
            self._in_slice = False
            self._prepare_wait()

    def _prepare_wait(self) -> None:
        """Before Qt waits: make sure that pending work wakes it."""
        if self.is_closed():
            return
        # Qt watches the selector alone, so work that is ready has to make it readable.
        self._awake = bool(self._ready)
        if self._awake:
            self._write_to_self()
        self._set_alarm()
        if not self._notifier.isEnabled() and self.is_running():
            self._notifier.setEnabled(True)

    def _before_run_forever(self) -> None:
        super()._before_run_forever()
        # asyncio sets these in `run_forever`, which qasync replaces: without them, the generators left open would not be closed.
        self._old_hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_firstiter_hook, finalizer=self._asyncgen_finalizer_hook)
        self._notifier.setEnabled(True)
        self._prepare_wait()

    def _after_run_forever(self) -> None:
        super()._after_run_forever()
        sys.set_asyncgen_hooks(*self._old_hooks)
        self._notifier.setEnabled(False)

    def close(self) -> None:
        """Close the selector after Qt has stopped watching it."""
        if not self.is_closed() and not self.is_running():
            self._alarm.stop()
            self._notifier.setEnabled(False)
            self._notifier.deleteLater()
        super().close()


def make_loop(app: QCoreApplication) -> asyncio.AbstractEventLoop:
    """The fastest loop this system has for `app`."""
    if sys.platform == "linux":
        return cast(asyncio.AbstractEventLoop, SelectorLoop(app))
    from conduit_desktop.gui.event_loop.posted_loop import PostedLoop

    return cast(asyncio.AbstractEventLoop, PostedLoop(app))
