"""The cost of a call: a price compiled for integer arithmetic, a line for each class that was used, one rounding at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, partial
from itertools import compress
from math import ceil, lcm, prod
from operator import attrgetter
from typing import Any, NamedTuple

from conduit_desktop.core.entities import Price, Rates
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import UNIT_RATES, Units
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.records import CostState, PriceSource
from conduit_desktop.core.tokens import BASE_RATES, CLASSES, RATE_NAMES, RATES

# Integers throughout: sums of floats would differ from the ledger's sums.
PER = 1_000_000
"""Rates are for a million tokens."""
_HOUR_MS = 3_600_000
_SCALE = lcm(PER, _HOUR_MS, 1000)
"""Costs are summed in parts of a nano-dollar: tokens, milliseconds and characters all divide into whole ones."""
_PER_TOKEN, _PER_MS, _PER_CHARACTER = _SCALE // PER, _SCALE // _HOUR_MS, _SCALE // 1000
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
_FEE_RATES = ("/per_request", "/per_search")
"""Ends of the names of factors that are for a fee, which the general factor of a tier leaves as it is."""
_SOURCES: dict[str, PriceSource] = {"user": "override", "catalog": "catalog", "provider_list": "provider_list", "free": ""}
# No vendor prices what was thought in another way than what was written, unless it lists a rate for it.
_SAME_PRICE = frozenset({"reasoning"})


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
NO_UNITS = Units()
_CHARGED = tuple(
    (rate.name, rate.usage_field) for side in ("input", "output") for one in CLASSES if one.side == side for rate in one.rates
)
"""The rates and the fields of usage that they charge, in the order of a breakdown."""
_COUNTED = (*(field for _, field in _CHARGED), "searches")
_counts = attrgetter(*_COUNTED)
_INTEGERS = {int}
_INPUT_AT, _OUTPUT_AT = _COUNTED.index("input"), _COUNTED.index("output")


@dataclass(frozen=True, slots=True)
class RateTier:
    """Nano-dollars per million tokens by rate, for a request whose whole input is over `above` tokens.

    `assumed` are the rates that the price lacks and that are taken from another class, `unpriced` those without any.
    """

    above: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    audio_in: int
    audio_out: int
    image_in: int
    image_out: int
    assumed: frozenset[str] = frozenset()
    unpriced: frozenset[str] = frozenset()

    def charges(self) -> tuple[tuple[str, int, bool, bool], ...]:
        """Each rate in the order of a breakdown: its name, the rate, whether it is assumed, whether there is none."""
        return tuple((name, getattr(self, name), name in self.assumed, name in self.unpriced) for name, _ in _CHARGED)

    def dearest(self) -> tuple[int, int, int]:
        """`above`, and the highest rates of a token of the input and of the output."""
        inputs = max(self.input, self.cache_read, self.cache_write, self.cache_write_1h, self.audio_in, self.image_in)
        return self.above, inputs, max(self.output, self.reasoning, self.audio_out, self.image_out)


@dataclass(frozen=True)
class CompiledPrice:
    """A compiled price: see `core.tokens.TokenRate` for the fallback of a missing rate.

    `steps` begins with the base (above -1) and rises. `valid_until` is when the price must be looked up again (epoch ms;
    None: it is valid until a price is changed). `others` are the prices of other models that may answer in place of this one, such
    as its dated snapshots: an answer is billed as the model that it names.
    """

    price: Price
    steps: tuple[RateTier, ...]
    valid_until: int | None = None
    others: tuple[CompiledPrice, ...] = ()

    @cached_property
    def source(self) -> PriceSource:
        """Where the price is from; empty for a price that is free by its kind."""
        return _SOURCES[self.price.origin]

    @cached_property
    def date(self) -> str:
        """The date that the price is of, as YYYY-MM-DD: the list's, or when the operator's price began or was entered."""
        at_ms = self.price.valid_from or self.price.updated_at or self.price.created_at
        if self.price.as_of or not at_ms or self.price.origin == "free":
            return self.price.as_of
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")

    @cached_property
    def by_tokens(self) -> bool:
        """Whether tokens have a price; without one, a call is priced by image, minute, character, search or request alone."""
        return any(getattr(self.price, name) is not None for name in BASE_RATES)

    @cached_property
    def by_units(self) -> bool:
        """Whether images, minutes, characters, searches or requests have a price."""
        return any(getattr(self.price, name) is not None for name in UNIT_RATES)

    @cached_property
    def is_free(self) -> bool:
        """Whether every rate there is is zero."""
        if any(getattr(step, name) for step in self.steps for name in RATE_NAMES):
            return False
        return not any(self.images.values()) and not any(getattr(self.price, name) for name in UNIT_RATES if name != "per_image")

    @cached_property
    def images(self) -> dict[tuple[str, str], int]:
        """Nano-dollars for an image by (size, quality), in lower case; ("", "") is any other. Empty: images have no price."""
        rates = self.price.per_image
        if rates is None:
            return {}
        if isinstance(rates, tuple):
            return {(_plain(rate.size), _plain(rate.quality)): to_nano(rate.usd) for rate in rates}
        return {("", ""): to_nano(rates)}

    @cached_property
    def factors(self) -> Mapping[str, Fraction]:
        """The factors of service tiers and of further conditions (`speed:fast`), by name in lower case."""
        return {name.lower(): _ratio(factor) for name, factor in self.price.service_tiers.items()}

    @cached_property
    def rate_factors(self) -> Mapping[str, Mapping[str, Fraction]]:
        """The factors of single rates (`flex/cache_read`) by tier or condition, where they are not the general one."""
        found: dict[str, dict[str, Fraction]] = {}
        for name, factor in self.factors.items():
            condition, _, rate = name.partition("/")
            if rate:
                found.setdefault(condition, {})[rate] = factor
        return found

    @cached_property
    def unit_nano(self) -> dict[str, int]:
        """Nano-dollars by the name of the rate (`per_minute`, `per_search`), for the rates there are; images are apart."""
        rates = ((name, getattr(self.price, name)) for name in UNIT_RATES if name != "per_image")
        return {name: to_nano(rate) for name, rate in rates if rate is not None}

    @cached_property
    def hour_nano(self) -> int:
        """Nano-dollars for an hour of sound: vendors price the hour, whose sixtieth part is no whole number ($0.04 at Groq)."""
        return to_nano(Decimal(str(self.price.per_minute or 0)) * 60)

    @cached_property
    def is_plain(self) -> bool:
        """Whether an answer without searches costs its tokens and nothing else."""
        return self.by_tokens and "per_request" not in self.unit_nano

    @cached_property
    def covers_chat(self) -> bool:
        """Whether a chat has a price."""
        return self.covers(True, NO_UNITS)

    @cached_property
    def charges(self) -> tuple[tuple[int, tuple[tuple[str, int, bool, bool], ...]], ...]:
        """`above` and the rates of each step, as `RateTier.charges` lists them."""
        return tuple((step.above, step.charges()) for step in self.steps)

    @cached_property
    def _dearest(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(step.dearest() for step in self.steps)

    @cached_property
    def _dearest_fee_factor(self) -> int:
        """The highest factor of a fee, rounded up to a whole number: it is for a bound."""
        return max((ceil(factor) for name, factor in self.factors.items() if name.endswith(_FEE_RATES)), default=1)

    @cached_property
    def _dearest_factors(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The highest product of factors as numerator and denominator: without the factors of speed, and with them."""
        dearest: dict[str, Fraction] = {}
        for name, factor in self.factors.items():
            if name.endswith(_FEE_RATES):
                continue
            kind = name.partition(":")[0] if ":" in name else ""
            dearest[kind] = max(factor, dearest.get(kind, Fraction(1)))
        speed = dearest.pop("speed", Fraction(1))
        others = prod(dearest.values(), start=Fraction(1))
        return others.as_integer_ratio(), (others * speed).as_integer_ratio()

    def step(self, total_input: int) -> RateTier:
        """The rates that hold for a request with that many input tokens, of every class together."""
        chosen = self.steps[0]
        for step in self.steps[1:]:
            if total_input > step.above:
                chosen = step
        return chosen

    def image_nano(self, size: str, quality: str) -> tuple[int | None, bool]:
        """Nano-dollars for an image, and whether they are certain; None where images have no price.

        Where the size or quality is not known, or the price has none that fits, the dearest is taken.
        """
        size, quality = _plain(size), _plain(quality)
        for key in ((size, quality), (size, ""), ("", quality), ("", "")):
            if (found := self.images.get(key)) is not None:
                return found, True
        return max(self.images.values(), default=None), False

    def covers(self, tokens: bool, units: Units, reports_tokens: bool = True) -> bool:
        """Whether a call has a price: one that reads and generates `tokens`, or is counted in `units`.

        A token price needs input and output; a call of a media endpoint is priced by its units or by its tokens, those only
        where its answer `reports_tokens`.
        """
        if self.is_free:
            return True
        rates = self.unit_nano
        if reports_tokens and self.price.input is not None and self.price.output is not None:
            return True
        if tokens:
            return not self.by_tokens and "per_request" in rates
        used = (
            (bool(units.images), bool(self.images)),
            (units.seconds is None or units.seconds > 0, "per_minute" in rates),
            (bool(units.characters), "per_1k_chars" in rates),
            (bool(units.searches), "per_search" in rates),
        )
        priced = [has_rate for is_used, has_rate in used if is_used]
        # Embeddings and rankings are input alone.
        return all(priced) if priced else self.price.input is not None or "per_request" in rates or "per_search" in rates

    def expected(self, input_tokens: int, output_tokens: int, units: Units = NO_UNITS, cache_rate: str = "") -> int:
        """Nano-dollars for a call of that size: output at the higher of the output and reasoning rates.

        `units`: those of a media request, whose price is the higher of its tokens and its units. `cache_rate` is the rate at
        which the request's input may be written to a cache (`cache_write`, `cache_write_1h`); empty where it asks for none.
        """
        step = self.step(input_tokens)
        rate = max(step.input, getattr(step, cache_rate)) if cache_rate else step.input
        tokens = (input_tokens * rate + output_tokens * max(step.output, step.reasoning)) * _PER_TOKEN
        if units is NO_UNITS and self.is_plain:
            return _rounded(tokens, _SCALE)
        return _rounded(max(tokens, self._media(units)) + self._fees(units), _SCALE)

    def worst(self, input_tokens: int, output_tokens: int, units: Units = NO_UNITS, speeds: bool = True) -> int:
        """The most nano-dollars that a call of at most that size can cost, whatever classes its tokens are of.

        The dearest class of each side, the dearest step that such an input can be in, and the dearest service tier; the
        factors `speed:…` only where `speeds` (vendors give a faster answer only to those who ask for it). The dearest of `others`
        counts, too.
        """
        own = self._worst(input_tokens, output_tokens, units, speeds)
        if not self.others:
            return own
        return max(own, *(other.worst(input_tokens, output_tokens, units, speeds) for other in self.others))

    def _worst(self, input_tokens: int, output_tokens: int, units: Units, speeds: bool) -> int:
        dearest_input = dearest_output = 0
        for above, inputs, outputs in self._dearest:
            if input_tokens > above:
                dearest_input, dearest_output = max(dearest_input, inputs), max(dearest_output, outputs)
        tokens = (input_tokens * dearest_input + output_tokens * dearest_output) * _PER_TOKEN
        numerator, denominator = self._dearest_factors[speeds]
        if units is NO_UNITS and self.is_plain:
            return -(-tokens * numerator // (_SCALE * denominator))
        scaled = max(tokens, self._media(units)) * numerator + self._fees(units) * self._dearest_fee_factor * denominator
        # Rounded up: it is a bound.
        return -(-scaled // (_SCALE * denominator))

    def _media(self, units: Units) -> int:
        """What the model makes or hears, in 1/_SCALE nano-dollars, at the rates there are."""
        total = 0
        if units.images and self.images:
            total += units.images * (self.image_nano(units.image_size, units.image_quality)[0] or 0) * _SCALE
        if units.seconds:
            total += self.billed_ms(units.seconds) * self.hour_nano * _PER_MS
        return total + units.characters * self.unit_nano.get("per_1k_chars", 0) * _PER_CHARACTER

    def _fees(self, units: Units) -> int:
        """Searches and the fee for a request, in 1/_SCALE nano-dollars."""
        rates = self.unit_nano
        return (units.searches * rates.get("per_search", 0) + rates.get("per_request", 0)) * _SCALE if rates else 0

    def billed_ms(self, seconds: float) -> int:
        """Milliseconds that are billed for audio of that length."""
        # Groq bills at least ten seconds: https://console.groq.com/docs/speech-to-text
        return round(max(seconds, self.price.min_seconds or 0.0) * 1000)


def compile_price(price: Price, valid_until: int | None = None) -> CompiledPrice | None:
    """The compiled price; None where it has neither an input, an output nor a unit rate."""
    if all(getattr(price, name) is None for name in (*BASE_RATES, *UNIT_RATES)):
        return None
    tiers = sorted(price.tiers, key=lambda tier: tier.above_input_tokens)
    # A rate that a tier leaves out is that of the base price; only then does the fallback between rates apply.
    steps = (_step(-1, [price]), *(_step(tier.above_input_tokens, [tier, price]) for tier in tiers))
    return CompiledPrice(price, steps, valid_until)


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
    """The tokens in the order of `_CHARGED`, each once; None where something else was used, or the usage contradicts itself."""
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
    """The lines of one call, with their costs in 1/_SCALE nano-dollars."""

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
                lines.append((name, count, PER, rate, count * rate * _PER_TOKEN, True))
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
            self._lines.append(("images", units.images, 1, nano, units.images * nano * _SCALE, True))
        if units.seconds:
            if (minute := rates.get("per_minute")) is None:
                return False
            ms = compiled_price.billed_ms(units.seconds)
            self._lines.append(("seconds", ms / 1000, 60, minute, ms * compiled_price.hour_nano * _PER_MS, True))
        if units.characters:
            if (nano := rates.get("per_1k_chars")) is None:
                return False
            self._lines.append(("characters", units.characters, 1000, nano, units.characters * nano * _PER_CHARACTER, True))
        return bool(self._lines)

    def _fee(self, name: str, count: int, nano: int | None) -> None:
        """A line without the tier's factor. Without a price it has no cost, and the whole is an estimate."""
        if nano is None:
            self._final = False
        else:
            self._lines.append((name, count, 1, nano, count * nano * _SCALE, False))

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
                nano = _rounded(nano * factor, 1)
            else:
                exact += scaled
            # Each line is what it adds to the rounded sum so far: the lines add up exactly.
            total = min(_rounded(exact, _SCALE), _LARGEST_COST)
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


def _step(above: int, sources: Iterable[Rates]) -> RateTier:
    """Each rate as the first source states it; one that no source states is that of its fallback."""
    rates: dict[str, int] = {}
    assumed: set[str] = set()
    unpriced: set[str] = set()
    for source in sources:
        for name in RATE_NAMES:
            rate = getattr(source, name)
            if rate is not None:
                rates.setdefault(name, to_nano(rate))
    for rate in RATES:
        if rate.name in rates:
            continue
        rates[rate.name] = rates[rate.fallback] if rate.fallback is not None else 0
        if rate.fallback is None or rate.fallback in unpriced:
            unpriced.add(rate.name)
        elif rate.name not in _SAME_PRICE or rate.fallback in assumed:
            assumed.add(rate.name)
    return RateTier(above=above, **rates, assumed=frozenset(assumed), unpriced=frozenset(unpriced))


def _ratio(factor: float) -> Fraction:
    """The factor as written; one of many digits is the quotient of two rates (0.666666666667 is 2/3), so that halves round up."""
    exact = Fraction(str(factor))
    return exact if exact.denominator < 10**9 else exact.limit_denominator(100_000)


def _plain(text: str) -> str:
    """A size or quality in lower case; `auto` leaves the choice to the vendor and is as good as none."""
    text = text.strip().lower()
    return "" if text == "auto" else text


def _rounded(value: int | Fraction, per: int) -> int:
    # `round` would go through a float, and would round half to even.
    return int((2 * value + per) // (2 * per))
