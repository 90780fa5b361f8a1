"""A price compiled for integer arithmetic: its rates by step and class, what a call is expected to cost, and the most it can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import ceil, lcm, prod

from conduit_desktop.core.entities import Price, Rates
from conduit_desktop.core.media import UNIT_RATES, Units
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.records import PriceSource
from conduit_desktop.core.tokens import BASE_RATES, CLASSES, RATE_NAMES, RATES

# Integers throughout: sums of floats would differ from the ledger's sums.
PER = 1_000_000
"""Rates are for a million tokens."""
_HOUR_MS = 3_600_000
SCALE = lcm(PER, _HOUR_MS, 1000)
"""Costs are summed in parts of a nano-dollar: tokens, milliseconds and characters all divide into whole ones."""
PER_TOKEN, PER_MS, PER_CHARACTER = SCALE // PER, SCALE // _HOUR_MS, SCALE // 1000
"""Parts of 1/SCALE for a unit of a rate that is for a million tokens, an hour, or a thousand characters."""
_FEE_RATES = ("/per_request", "/per_search")
"""Ends of the names of factors that are for a fee, which the general factor of a tier leaves as it is."""
_SOURCES: dict[str, PriceSource] = {"user": "override", "catalog": "catalog", "provider_list": "provider_list", "free": ""}
# No vendor prices what was thought in another way than what was written, unless it lists a rate for it.
_SAME_PRICE = frozenset({"reasoning"})
NO_UNITS = Units()
"""Of a call that is priced by its tokens alone: compared by identity."""
CHARGED = tuple(
    (rate.name, rate.usage_field) for side in ("input", "output") for one in CLASSES if one.side == side for rate in one.rates
)
"""The rates and the fields of usage that they charge, in the order of a breakdown."""


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
        return tuple((name, getattr(self, name), name in self.assumed, name in self.unpriced) for name, _ in CHARGED)

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
        tokens = (input_tokens * rate + output_tokens * max(step.output, step.reasoning)) * PER_TOKEN
        if units is NO_UNITS and self.is_plain:
            return rounded(tokens, SCALE)
        return rounded(max(tokens, self._media(units)) + self._fees(units), SCALE)

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
        tokens = (input_tokens * dearest_input + output_tokens * dearest_output) * PER_TOKEN
        numerator, denominator = self._dearest_factors[speeds]
        if units is NO_UNITS and self.is_plain:
            return -(-tokens * numerator // (SCALE * denominator))
        scaled = max(tokens, self._media(units)) * numerator + self._fees(units) * self._dearest_fee_factor * denominator
        # Rounded up: it is a bound.
        return -(-scaled // (SCALE * denominator))

    @cached_property
    def _one_rate(self) -> tuple[int, int, int, int] | None:
        """Rates of input and output, and the dearest of each side; None where steps, factors or other models count as well."""
        if self.others or len(self.steps) > 1 or not self.is_plain or self._dearest_factors != ((1, 1), (1, 1)):
            return None
        step = self.steps[0]
        _, dearest_input, dearest_output = step.dearest()
        return step.input, max(step.output, step.reasoning), max(dearest_input, 0), max(dearest_output, 0)

    def of_chat(self, sizes: tuple[int, int], most: tuple[int, int], cache_rate: str, speeds: bool) -> tuple[int, int]:
        """`expected` for the input and output tokens of `sizes`, and `worst` for those of `most`."""
        rates = self._one_rate
        if rates is None or cache_rate:
            return self.expected(*sizes, NO_UNITS, cache_rate), self.worst(*most, NO_UNITS, speeds)
        # Written out for nearly every price, as it runs for every request.
        exact = (sizes[0] * rates[0] + sizes[1] * rates[1]) * PER_TOKEN
        bound = (most[0] * rates[2] + most[1] * rates[3]) * PER_TOKEN
        return (2 * exact + SCALE) // (2 * SCALE), -(-bound // SCALE)

    def _media(self, units: Units) -> int:
        """What the model makes or hears, in 1/SCALE nano-dollars, at the rates there are."""
        total = 0
        if units.images and self.images:
            total += units.images * (self.image_nano(units.image_size, units.image_quality)[0] or 0) * SCALE
        if units.seconds:
            total += self.billed_ms(units.seconds) * self.hour_nano * PER_MS
        return total + units.characters * self.unit_nano.get("per_1k_chars", 0) * PER_CHARACTER

    def _fees(self, units: Units) -> int:
        """Searches and the fee for a request, in 1/SCALE nano-dollars."""
        rates = self.unit_nano
        return (units.searches * rates.get("per_search", 0) + rates.get("per_request", 0)) * SCALE if rates else 0

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


def rounded(value: int | Fraction, per: int) -> int:
    """The value in units of `per`, halves up."""
    # `round` would go through a float, and would round half to even.
    return int((2 * value + per) // (2 * per))
