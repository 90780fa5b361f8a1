"""A price as the catalog file holds it: rates in US dollars, with a condition (`from`, `between`) where it does not always hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Variant = dict[str, Any]


def number(value: Decimal, digits: int = 9) -> float:
    """Whole nano-dollars: some of the sources divide, and give a float's twentieth digit."""
    rounded = float(round(value, digits))
    return int(rounded) if rounded.is_integer() else rounded


def with_output(variant: Variant) -> Variant:
    """The price of a model that has no output, such as an embedding: a token price needs a rate for both sides."""
    if "input" in variant and "output" not in variant:
        variant["output"] = 0
    return variant
