"""Gives memory that large bodies leave behind back to the system, though not at once: the next body needs it again."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

EVERY_S = 5.0
GROWN = 8 * 2**20
"""Bytes that the process has to have grown by since it was smallest."""
WORKED_S = 0.01
"""Processor time that it has to have used since the last time, so that an idle one does nothing."""
_KEPT = 16 * 2**20
"""Bytes at its end that the heap keeps, or grows by, until the memory is trimmed: with glibc's own 128 KB, every body of a megabyte
would be given pages by the system anew, a fifth of the time it takes to pass it on."""
_M_TOP_PAD = -2
_STATM = Path("/proc/self/statm")
_PAGE = 4096


class MemoryTrimmer:
    """Runs from `begin` to `end`; only on Linux with glibc, elsewhere it does nothing."""

    def __init__(self) -> None:
        self._trim = _trim_function()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start to look."""
        if self._trim is not None:
            self._task = asyncio.ensure_future(self._run(self._trim))

    async def end(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, trim: Callable[[int], int]) -> None:
        least, trimmed_at = _resident(), -WORKED_S
        while True:
            await asyncio.sleep(EVERY_S)
            now, used_s = _resident(), time.process_time()
            # Compared with the least that there ever was, not with what the last trim left: what was in use then may be free now.
            least = min(least, now)
            if now - least < GROWN or used_s - trimmed_at < WORKED_S:
                continue
            trimmed_at = used_s
            # In a thread: the call releases the interpreter lock, and walks through all free memory.
            await asyncio.to_thread(trim, 0)


def _resident() -> int:
    """Bytes of the process in memory."""
    return int(_STATM.read_text().split()[1]) * _PAGE


def _trim_function() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux") or not _STATM.exists():
        return None
    # Imported where it is used: half a megabyte.
    import ctypes

    try:
        libc = ctypes.CDLL(None)
        trim: Callable[[int], int] = libc.malloc_trim
        libc.mallopt(_M_TOP_PAD, _KEPT)
    except (AttributeError, OSError):  # musl has none
        return None
    return trim
