"""The order in which pages list what the operator created."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class _Created(Protocol):
    @property
    def created_at(self) -> str | None: ...


T = TypeVar("T", bound=_Created)


def oldest_first(rows: Iterable[T]) -> list[T]:
    """Rows by the time of their creation; the client lists them by name."""
    return sorted(rows, key=lambda row: row.created_at or "")
