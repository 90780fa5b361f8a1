"""Open files: as many as the system allows, and a line in the log when none is left."""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from contextlib import suppress

log = logging.getLogger(__name__)

MOST = 65_536
"""Descriptors that are asked for; a system may allow a billion, and sizes tables by it."""
_UNLIMITED = 8192
"""Where the system has no such limit (Windows), as many connections as there may be."""
_WARN_S = 60.0
_NONE_LEFT = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> int:
    """Allow this process as many open files as it may have, up to MOST; returns the limit."""
    if sys.platform == "win32":
        return _UNLIMITED
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    # macOS names an unlimited number that it then refuses.
    with suppress(OSError, ValueError):
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return int(soft)


class DescriptorWatch:
    """Says once a minute that no descriptor is left: the event loop then drops new connections without a word."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._warned_at: float | None = None

    def look(self) -> bool:
        """Whether a file can be opened."""
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            if error.errno not in _NONE_LEFT:
                return True
            now = time.monotonic()
            if self._warned_at is None or now - self._warned_at > _WARN_S:
                self._warned_at = now
                log.error("no file descriptor is left (the limit is %d): new connections are dropped", self._limit)
            return False
        if self._warned_at is not None:
            self._warned_at = None
            log.info("file descriptors are free again")
        return True
