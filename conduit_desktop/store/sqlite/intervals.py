"""Half-open intervals of whole numbers: sorted lists that do not overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""From the first number (inclusive) to the second (exclusive)."""


def aligned(intervals: Iterable[Interval], size: int) -> list[Interval]:
    """The whole blocks of `size` within each interval, as numbers of blocks."""
    blocks = ((-(-start // size), end // size) for start, end in intervals)
    return [(start, end) for start, end in blocks if start < end]


def scaled(intervals: Iterable[Interval], size: int) -> list[Interval]:
    """The reverse of `aligned`: blocks of `size` as what they hold."""
    return [(start * size, end * size) for start, end in intervals]


def before(intervals: Iterable[Interval], limit: int) -> list[Interval]:
    """What lies before `limit`."""
    return [(start, min(end, limit)) for start, end in intervals if start < limit]


def without(intervals: Iterable[Interval], holes: Sequence[Interval]) -> list[Interval]:
    """What is left once the holes, sorted as well, are taken out."""
    left: list[Interval] = []
    for start, end in intervals:
        for hole_start, hole_end in holes:
            if hole_end <= start:
                continue
            if hole_start >= end:
                break
            if start < hole_start:
                left.append((start, hole_start))
            start = max(start, hole_end)
        if start < end:
            left.append((start, end))
    return left
