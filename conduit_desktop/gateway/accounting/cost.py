"""The cost of a call: a line for each class that was used, in integers, with one rounding at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import compress
from math import prod
from operator import attrgetter
from typing import Any, NamedTuple

from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.core.records import CostState, PriceSource
from conduit_desktop.gateway.accounting.compiled_price import (
    CHARGED,
    NO_UNITS,
    PER,
    PER_CHARACTER,
    PER_MS,
    PER_TOKEN,
    SCALE,
    CompiledPrice,
    rounded,
)

_LARGEST_COUNT = 10**8
"""Tokens of one class: more than ten times the largest context window, so a mistake of the vendor's."""
_LARGEST_COST = 2**62
"""Nano-dollars: the database's integers have 64 bits."""
_BASE_TIERS = frozenset({"", "default", "standard", "on_demand", "auto"})
"""Names of the tier to which a price's rates apply as they are: OpenAI, Anthropic and Gemini, Groq and Vertex."""
_TIER_NAMES = {"on_demand_flex": "flex", "on_demand_priority": "priority"}
"""Vertex's `trafficType`: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/GenerateContentResponse#TrafficType"""
_BASE_CONDITIONS = frozenset({"speed:standard", "speed:default", "region:global", "region:default", "region:not_available"})
"""Anthropic's `inference_geo` is `not_available` for models that have no choice of region."""
_RATE_OF_LINE = {
    "images": "per_image", "seconds": "per_minute", "characters": "per_1k_chars", "searches": "per_search",
    "requests": "per_request",
}  # fmt: skip


class CostLine(NamedTuple):
    """One line of a breakdown: `units` of a class at `price_nano` nano-dollars for `per` of them cost `cost_nano`.

    `name` is a rate of `core.tokens`, or `images`, `seconds`, `characters`, `searches`, `requests`, `provider_reported`,
    `failed_attempts`. The lines' costs add up to the whole cost exactly, so each may be a nano-dollar off its own product.
    """

    name: str
    units: int | float
    per: int
    price_nano: int
    cost_nano: int

    def as_dict(self) -> dict[str, Any]:
        """The line as a record holds it."""
        return {
            "class": self.name, "units": self.units, "per": self.per, "price_nano": self.price_nano, "cost_nano": self.cost_nano,
        }  # fmt: skip


_line: Callable[[tuple[str, int, int, int, int]], CostLine] = partial(tuple.__new__, CostLine)
"""A line of its values, without a call of Python's own for each."""


class Cost(NamedTuple):
    """What a call cost in nano-dollars, None where unknown, with its lines and where its price is from (`date`: YYYY-MM-DD)."""

    nano: int | None
    state: CostState
    breakdown: tuple[CostLine, ...] = ()
    source: PriceSource = ""
    date: str = ""


UNKNOWN = Cost(None, "unknown")
_COUNTED = (*(field for _, field in CHARGED), "searches")
_counts = attrgetter(*_COUNTED)
_INTEGERS = {int}
_INPUT_AT, _OUTPUT_AT = _COUNTED.index("input"), _COUNTED.index("output")


def price_answer(compiled_price: CompiledPrice | None, usage: Usage | None, units: Units = NO_UNITS) -> Cost:
    """The cost of a call with its breakdown; unknown where there is no price for what it used.

    `usage` None: no tokens were reported, and the call is priced by its `units`. The cost that the provider itself reported
    wins. It is `final` only where everything that was reported has a price of its own, and nothing contradicts itself.
    """
    clear = True
    if usage is not None and units is NO_UNITS and compiled_price is not None and compiled_price.is_plain:
        plain = _plain_cost(compiled_price, usage)
        if plain is not None:
            return plain
    if usage is not None:
        usage, clear = _checked(usage)
        clear = clear and not usage.unclear and usage.source == "reported"
        if usage.cost_nano is not None:
            state: CostState = "final" if clear else "estimated"
            line = CostLine("provider_reported", 1, 1, usage.cost_nano, usage.cost_nano)
            return Cost(usage.cost_nano, state, (line,), "provider_reported")
    if compiled_price is None:
        return UNKNOWN
    bill = _Bill(compiled_price)
    if not bill.charge(usage, units):
        return UNKNOWN
    return bill.cost(clear)


def _plain_cost(compiled_price: CompiledPrice, usage: Usage) -> Cost | None:
    """The cost of tokens alone; None for any other usage, which `_Bill` prices. Nearly every answer is priced here."""
    counts = _plain_counts(compiled_price, usage)
    if counts is None:
        return None
    charges = compiled_price.charges[0][1]
    if len(compiled_price.charges) > 1:
        size = usage.total_input
        for above, rates in compiled_price.charges:
            if size > above:
                charges = rates
    is_sure = True
    exact = before = 0
    lines: list[CostLine] = []
    # `compress`: most classes are not used.
    for count, (name, rate, is_assumed, is_unpriced) in compress(zip(counts, charges, strict=False), counts):
        if is_unpriced:
            return UNKNOWN
        if is_assumed:
            is_sure = False
        exact += count * rate
        # As in `_Bill.cost`.
        total = (2 * exact + PER) // (2 * PER)
        lines.append(_line((name, count, PER, rate, total - before)))
        before = total
    final = (is_sure or compiled_price.price.origin == "free") and usage.source == "reported" and not usage.unclear
    return Cost(before, "final" if final else "estimated", tuple(lines), compiled_price.source, compiled_price.date)


def _plain_counts(compiled_price: CompiledPrice, usage: Usage) -> Sequence[int] | None:
    """The tokens in the order of `CHARGED`, each once; None where something else was used, or the usage contradicts itself."""
    tier = usage.service_tier
    if usage.cost_nano is not None or usage.surcharges or usage.searches:
        return None
    if tier and (tier not in _BASE_TIERS or tier in compiled_price.factors):
        return None
    counts: Sequence[int] = _counts(usage)
    if set(map(type, counts)) != _INTEGERS or min(counts) < 0 or max(counts) > _LARGEST_COUNT:
        return None
    if usage.reasoning or usage.image_in or usage.image_out:
        inputs, outputs = usage.input - usage.image_in, usage.output - usage.reasoning - usage.image_out
        if inputs < 0 or outputs < 0:
            return None
        counts = list(counts)
        counts[_INPUT_AT], counts[_OUTPUT_AT] = inputs, outputs
    return counts


class _Bill:
    """The lines of one call, with their costs in 1/SCALE nano-dollars."""

    __slots__ = ("_compiled", "_conditions", "_final", "_lines")

    def __init__(self, compiled_price: CompiledPrice) -> None:
        self._compiled = compiled_price
        self._lines: list[tuple[str, int | float, int, int, int, bool]] = []
        """Class, units, units that the price is for, nano-dollars, cost, and whether the tier's factor applies to it."""
        self._conditions: list[str] = []
        """The tier and the further conditions that change the price."""
        self._final = True

    def charge(self, usage: Usage | None, units: Units) -> bool:
        """Add everything that was used; False where a part of it that every call has, such as the output, has no price."""
        compiled_price = self._compiled
        rates = compiled_price.unit_nano
        searches = units.searches
        if usage is not None:
            searches = max(searches, usage.searches)
            if usage.service_tier or usage.surcharges:
                self._take_conditions(usage)
        # Tokens or units, never both: what a vendor counts in tokens it does not bill by the picture, too.
        charged = usage is not None and compiled_price.by_tokens and self._tokens(usage)
        if not charged and not self._units(units, usage is None):
            self._lines.clear()
            # A price for searches or requests alone holds whatever the tokens: rerankers, and operators' flat fees.
            if compiled_price.by_tokens or not ("per_request" in rates or (searches and "per_search" in rates)):
                # The operator's zero is meant for every unit; a list's zero only for what it lists.
                self._final = compiled_price.price.origin == "user"
                return compiled_price.is_free
        if searches:
            self._fee("searches", searches, rates.get("per_search"))
        if "per_request" in rates:
            self._fee("requests", 1, rates["per_request"])
        return True

    def _tokens(self, usage: Usage) -> bool:
        """Add the tokens; False, and nothing added, where some have no price."""
        parts = {"input": usage.image_in, "output": usage.reasoning + usage.image_out}
        lines: list[tuple[str, int | float, int, int, int, bool]] = []
        final = True
        charges = self._compiled.step(usage.total_input).charges()
        for counted, (name, rate, is_assumed, is_unpriced) in zip(_counts(usage), charges, strict=False):
            if count := counted - parts.get(name, 0):
                if is_unpriced:
                    return False
                final = final and not is_assumed
                lines.append((name, count, PER, rate, count * rate * PER_TOKEN, True))
        self._lines, self._final = lines, self._final and final
        return True

    def _units(self, units: Units, alone: bool) -> bool:
        """Add pictures, seconds and characters; False where none was used, or one has no price.

        `alone`: no tokens were reported, so a length that is not known leaves the cost unknown.
        """
        compiled_price, rates = self._compiled, self._compiled.unit_nano
        if units.seconds is None and alone:
            return False
        if units.images:
            nano, certain = compiled_price.image_nano(units.image_size, units.image_quality)
            if nano is None:
                return False
            self._final = self._final and certain
            self._lines.append(("images", units.images, 1, nano, units.images * nano * SCALE, True))
        if units.seconds:
            if (minute := rates.get("per_minute")) is None:
                return False
            ms = compiled_price.billed_ms(units.seconds)
            self._lines.append(("seconds", ms / 1000, 60, minute, ms * compiled_price.hour_nano * PER_MS, True))
        if units.characters:
            if (nano := rates.get("per_1k_chars")) is None:
                return False
            self._lines.append(("characters", units.characters, 1000, nano, units.characters * nano * PER_CHARACTER, True))
        return bool(self._lines)

    def _fee(self, name: str, count: int, nano: int | None) -> None:
        """A line without the tier's factor. Without a price it has no cost, and the whole is an estimate."""
        if nano is None:
            self._final = False
        else:
            self._lines.append((name, count, 1, nano, count * nano * SCALE, False))

    def _take_conditions(self, usage: Usage) -> None:
        """Take the tier and every further condition that has a factor; one without makes the cost an estimate."""
        factors, of_rates = self._compiled.factors, self._compiled.rate_factors
        tier = usage.service_tier.lower()
        for name in (_TIER_NAMES.get(tier, tier), *(name.lower() for name in usage.surcharges)):
            if name in factors or name in of_rates:
                self._conditions.append(name)
            elif name not in _BASE_TIERS and name not in _BASE_CONDITIONS:
                self._final = False

    def _factor_of(self, line: str, varies: bool) -> Fraction:
        """The factor of one line: of each condition that of its rate, or else the general one, which fees do not have."""
        factors, of_rates = self._compiled.factors, self._compiled.rate_factors
        rate = _RATE_OF_LINE.get(line, line)
        general = {name: factors.get(name, Fraction(1)) if varies else Fraction(1) for name in self._conditions}
        return prod((of_rates.get(name, {}).get(rate, general[name]) for name in self._conditions), start=Fraction(1))

    def cost(self, clear: bool) -> Cost:
        """The lines, rounded half up so that they add up to their sum, which is rounded once."""
        compiled_price = self._compiled
        exact: int | Fraction = 0
        before = 0
        breakdown: list[CostLine] = []
        for name, units, per, nano, scaled, varies in self._lines:
            if self._conditions:
                factor = self._factor_of(name, varies)
                exact += scaled * factor
                nano = rounded(nano * factor, 1)
            else:
                exact += scaled
            # Each line is what it adds to the rounded sum so far: the lines add up exactly.
            total = min(rounded(exact, SCALE), _LARGEST_COST)
            breakdown.append(CostLine(name, units, per, nano, total - before))
            before = total
        # A free price is certain: no class, tier or unit of it costs anything.
        final = clear and (self._final or compiled_price.price.origin == "free")
        return Cost(before, "final" if final else "estimated", tuple(breakdown), compiled_price.source, compiled_price.date)


def _checked(usage: Usage) -> tuple[Usage, bool]:
    """The usage with counts that can be priced, and whether it was free of contradictions: the same object where it was."""
    counts = _counts(usage)
    whole = all(type(count) is int for count in counts) and min(counts) >= 0 and max(counts) <= _LARGEST_COUNT
    cost = usage.cost_nano
    sound = cost is None or (type(cost) is int and 0 <= cost <= _LARGEST_COST)
    if whole and sound and usage.reasoning + usage.image_out <= usage.output and usage.image_in <= usage.input:
        return usage, True
    made = replace(usage, cost_nano=cost if sound else None)
    for name, count in zip(_COUNTED, counts, strict=True):
        setattr(made, name, min(max(0, int(count)), _LARGEST_COUNT * 10_000))
    # Parts are at most the whole, or the rest of it would be negative.
    made.reasoning = min(made.reasoning, made.output)
    made.image_out = min(made.image_out, made.output - made.reasoning)
    made.image_in = min(made.image_in, made.input)
    return made, False
