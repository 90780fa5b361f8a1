"""The lock of a home: an operating-system lock on one file, released when its process ends, with the server's address in it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from conduit_desktop.core.errors import HomeHeld, HomeUnusable
from conduit_desktop.core.paths import Home

ACQUIRE_S = 0.3
"""Seconds `acquire` tries: a process that only calls `holder` takes the lock for a moment too."""
COMMAND_S = 30.0
"""Seconds `acquire` waits for a command of the command line, which holds the lock for a second."""

if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: a byte far behind the content is locked, so that others can read the content.
    _FAR = 1 << 30

    def _lock(handle: int, shared: bool) -> bool:
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, _FAR, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    # flock, not lockf: a POSIX record lock is lost as soon as its process closes any handle of the file.
    def _lock(handle: int, shared: bool) -> bool:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)


class HomeLock:
    """The lock of one home. The file's content is valid only while the lock is held."""

    def __init__(self, home: Home) -> None:
        self._path = home.lock
        self._root = home.root
        self._handle: int | None = None
        self._info: dict[str, Any] = {}

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def acquire(self, info: Mapping[str, Any], patience_s: float = ACQUIRE_S) -> Self:
        """Take the lock and write `info` (pid, address, started_at, command) for others; raises HomeHeld, HomeUnusable.

        Waits `patience_s` for a process that serves the home, and up to `COMMAND_S` for one that is `command`: a single command.
        """
        handle = self._open()
        began = unnamed = time.monotonic()
        while not _lock(handle, shared=False):
            holder, now = _read(self._path), time.monotonic()
            if holder:
                unnamed = now
            # The file is empty while one holder leaves and the next one enters: that moment is measured on its own.
            waited = now - began if holder else now - unnamed
            if waited > (COMMAND_S if holder.get("command") else 0 if holder.get("address") else patience_s) and waited > ACQUIRE_S:
                os.close(handle)
                raise HomeHeld(_who(self._root, holder))
            time.sleep(0.02)
        self._handle = handle
        self._info = {"pid": os.getpid(), **info}
        try:
            self._write()
        except OSError as error:  # a full disk
            self.release()
            raise HomeUnusable(self._root, error) from error
        return self

    def update(self, **info: Any) -> None:
        """Change what others read, such as the address once it is known; only while held."""
        if self._handle is not None:
            self._info |= info
            self._write()

    def holder(self) -> dict[str, Any] | None:
        """The content that the holding process wrote (empty where it wrote none); None where the lock is free."""
        if self._handle is not None:
            return dict(self._info)
        # `_open` would make the file, and a question should not write to the home.
        if not self._path.exists():
            return None
        handle = self._open()
        try:
            # Shared, where the system can: two processes that only look do not take each other for the holder.
            if _lock(handle, shared=True):
                _unlock(handle)
                return None
            return _read(self._path)
        finally:
            os.close(handle)

    def release(self) -> None:
        """Give the lock back. The file stays: removing it would let two hold locks on two files of one name."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            # Before the lock is given back, so that no reader takes this process for the next holder.
            os.ftruncate(handle, 0)
            _unlock(handle)
            os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def _open(self) -> int:
        try:
            # For the user alone: a server writes the token into it with which the command line calls it.
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise HomeUnusable(self._root, error) from error

    def _write(self) -> None:
        assert self._handle is not None
        content = orjson.dumps(self._info)
        # Shorter content is padded rather than cut first: a reader never meets an empty or half-cut file.
        padding = max(0, os.fstat(self._handle).st_size - len(content))
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, content + b" " * padding)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, ValueError):  # the holder has not written it yet
        return {}
    return content if isinstance(content, dict) else {}


def _who(root: Path, info: Mapping[str, Any]) -> str:
    process = f"process {info['pid']}" if "pid" in info else "another process"
    address = f" at {info['address']}" if info.get("address") else ""
    return f"the home folder {root} is in use by {process}{address}. Stop it, or choose another home with --home."
