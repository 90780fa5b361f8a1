"""Records that the database refuses, as JSON lines in a file next to it: they outlive the process that has them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

log = logging.getLogger(__name__)


class UnwrittenRows:
    """The file; used by the writer thread alone. Where it cannot be written either, the rows are in memory only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Append rows, durably."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "ab") as file:
                # A line of its own: the last one may be half, of a process that was killed.
                file.write(b"\n" + b"\n".join(map(orjson.dumps, rows)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except (OSError, TypeError) as error:
            log.warning("records that wait cannot be kept in %s: %s", self.path, error)

    def read(self) -> list[dict[str, Any]]:
        """The rows of an earlier process. A line that cannot be read is left out."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            return []
        rows = []
        for line in lines:
            try:
                row = orjson.loads(line) if line else None
            except orjson.JSONDecodeError:
                log.warning("a line of %s cannot be read", self.path)
                continue
            if isinstance(row, dict):
                rows.append(row)
        return rows

    def clear(self) -> None:
        """Remove the file: its rows are in the database."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be removed: %s", self.path, error)
