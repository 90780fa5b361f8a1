"""Files that the user has written: exports and CSV files, for the user alone whatever the process's umask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO


def write_export(path: Path, text: str) -> None:
    """Write `text` to the file, UTF-8 with its line ends as they are; raises OSError."""
    with private_file(path) as file:
        file.write(text)


def private_file(path: Path) -> TextIO:
    """The file, empty and open for text as `write_export` writes it; raises OSError."""
    return open(path, "w", encoding="utf-8", newline="", opener=_private)


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    # A file that was there, too; but not a device, a pipe, or one of another user.
    if os.name == "posix" and os.path.isfile(path) and os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    return descriptor
