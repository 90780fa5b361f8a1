"""The token classes of usage, declared once for events, records, totals, prices, views and metrics.

A new class is one row of `CLASSES`, a migration that adds its columns (`requests`, `totals`, `prices`), and the explicit fields
and sums on the hot path, which `tests/core/test_tokens.py` names where they are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class TokenRate:
    """A rate of a price, in US dollars per million tokens.

    `name` is the field of `core.entities.Rates`, `usage_field` the field of `core.events.Usage` that it charges, `fallback` the
    rate that is taken where a price does not have this one (None: such tokens cost nothing).
    """

    name: str
    usage_field: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class TokenClass:
    """One class of tokens. `name` is its field in records, views and CSV, its column in the tables, and its label in metrics.

    `part_of` names the class that includes these tokens already; sums leave them out. A class has several `rates` where
    providers price it by lifetime; `Usage` then has a field for each, and records their sum.
    """

    name: str
    label: str
    side: Side
    rates: tuple[TokenRate, ...]
    part_of: str | None = None


CLASSES = (
    TokenClass("input", "Input", "input", (TokenRate("input", "input"),)),
    TokenClass("cache_read", "Cache read", "input", (TokenRate("cache_read", "cache_read", "input"),)),
    TokenClass("cache_write", "Cache write", "input", (
        TokenRate("cache_write", "cache_write_5m", "input"),
        TokenRate("cache_write_1h", "cache_write_1h", "cache_write"),
    )),
    TokenClass("output", "Output", "output", (TokenRate("output", "output"),)),
    TokenClass("reasoning", "Reasoning", "output", (TokenRate("reasoning", "reasoning", "output"),), part_of="output"),
    TokenClass("audio_in", "Audio in", "input", (TokenRate("audio_in", "audio_in", "input"),)),
    TokenClass("audio_out", "Audio out", "output", (TokenRate("audio_out", "audio_out", "output"),)),
    TokenClass("image_in", "Image in", "input", (TokenRate("image_in", "image_in", "input"),), part_of="input"),
    TokenClass("image_out", "Image out", "output", (TokenRate("image_out", "image_out", "output"),), part_of="output"),
)  # fmt: skip

CLASS_NAMES = tuple(one.name for one in CLASSES)
INPUT_CLASSES = tuple(one.name for one in CLASSES if one.side == "input" and one.part_of is None)
"""The classes whose sum is the whole input."""
OUTPUT_CLASSES = tuple(one.name for one in CLASSES if one.side == "output" and one.part_of is None)
"""The classes whose sum is the whole output."""

# `sorted` is stable, so within the second group the order of CLASSES holds: cache_write comes before cache_write_1h.
RATES = tuple(sorted((rate for one in CLASSES for rate in one.rates), key=lambda rate: rate.fallback is not None))
"""Every rate, those without a fallback first; a fallback comes before the rates that use it."""
RATE_NAMES = tuple(rate.name for rate in RATES)
BASE_RATES = tuple(rate.name for rate in RATES if rate.fallback is None)
"""The rates of which a price by tokens has at least one."""

# Made once, because totals are computed for each record and each row of a view.
_input_counts = attrgetter(*INPUT_CLASSES)
_output_counts = attrgetter(*OUTPUT_CLASSES)


def total_input(counts: object) -> int:
    """All input tokens of a record, a usage row or a view of one: any object with a field for each class."""
    return sum(_input_counts(counts))


def total_output(counts: object) -> int:
    """All output tokens of a record, a usage row or a view of one."""
    return sum(_output_counts(counts))
