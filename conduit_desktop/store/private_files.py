"""Files for the user alone: written whole or not at all, with mode 0600, and a lock that other processes heed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PATIENCE_S = 2.0
_TEMPORARY = re.compile(r"\..+-(\d+)-[0-9a-f]{8}")
_FORMER = re.compile(r"\.(?:restore|conduit-backup|prices)-\w{8}|\.writable-\d+")
"""Temporary names of earlier releases, which do not name their process."""


def temporary(path: Path) -> Path:
    """A name next to `path` for a file or folder that is there only for a while; it holds the id of this process."""
    return path.with_name(f".{path.name}-{os.getpid()}-{secrets.token_hex(4)}")


def sweep(folder: Path, former: bool = False) -> list[Path]:
    """Remove what killed processes left in `folder` under a temporary name; returns it. No file in use is touched.

    `former`: names of earlier releases too, which is safe only while no other process may use the folder.
    """
    try:
        found = [path for path in folder.iterdir() if path.name.startswith(".")]
    except OSError:
        return []
    # One by this very process, too: in a container each start has the same process id, and this is called before the first.
    stale = [
        path
        for path in found
        if ((named := _TEMPORARY.fullmatch(path.name)) and (int(named[1]) == os.getpid() or not is_alive(int(named[1]))))
        or (former and _FORMER.fullmatch(path.name))
    ]
    for path in stale:
        remove(path)
    return stale


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; no error where there is none, or where it cannot be deleted."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_alive(process: int) -> bool:
    """Whether there is a process of that id. On Windows always true: there, asking for one may end it."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def write_private(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that after a crash there is the old file or the new one; raises OSError."""
    part = temporary(path)
    try:
        _write_new(part, data)
        _replace(part, path)
    except BaseException:
        remove(part)
        raise
    # A rename is durable only once its folder is: without this, a power cut can bring the old file back.
    sync_folder(path.parent)


def create_private(path: Path, data: bytes) -> bytes:
    """Put `data` at `path` unless there is a file already; what is there in the end. Raises OSError."""
    part = temporary(path)
    try:
        _write_new(part, data)
        with suppress(FileExistsError):
            _move_new(part, path)
    finally:
        remove(part)
    # Read back: where another process was first, its content is the one that holds.
    return path.read_bytes()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` against other threads and processes; waits until it is free. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _write_new(path: Path, data: bytes) -> None:
    # O_EXCL refuses a file or link that is there already; without O_BINARY, Windows would convert line ends.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        # Before the rename, or a power cut could leave the new name with empty content.
        os.fsync(file.fileno())


def _move_new(source: Path, target: Path) -> None:
    """Raises FileExistsError where there is a file at `target`."""
    if sys.platform == "win32":
        # Unlike elsewhere, a rename on Windows never replaces a file.
        source.rename(target)
        return
    try:
        os.link(source, target)  # unlike a rename, it never takes another's place
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        _write_new(target, source.read_bytes())
    sync_folder(target.parent)


def _replace(source: Path, target: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            source.replace(target)
        except PermissionError:
            # Windows refuses while another program, such as a virus scanner, has the old file open.
            if sys.platform != "win32" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def sync(path: Path) -> None:
    """Make a file's content durable."""
    # For writing: Windows syncs no other handle.
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError:  # after ten tries, one a second
                continue
            return
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
