"""The cost of a call: a price compiled for integer arithmetic, with one rounding at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conduit_desktop.core.entities import Price, Rates
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import UNIT_RATES, Units
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.tokens import BASE_RATES, RATE_NAMES, RATES

# Integers throughout: sums of floats would differ from the ledger's sums.
PER = 1_000_000
"""Rates are for a million tokens."""


@dataclass(frozen=True, slots=True)
class RateTier:
    """Nano-dollars per million tokens by rate, for a request whose whole input is over `above` tokens."""

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

    def millionths(self, usage: Usage) -> int:
        """The cost in millionths of a nano-dollar, exact."""
        # Reasoning is part of the output: a report of more than that would make the rest negative.
        reasoning = min(usage.reasoning, usage.output)
        image_in, image_out = min(usage.image_in, usage.input), min(usage.image_out, usage.output - reasoning)
        return (
            (usage.input - image_in) * self.input
            + image_in * self.image_in
            + usage.cache_read * self.cache_read
            + usage.cache_write_5m * self.cache_write
            + usage.cache_write_1h * self.cache_write_1h
            + (usage.output - reasoning - image_out) * self.output
            + image_out * self.image_out
            + reasoning * self.reasoning
            + usage.audio_in * self.audio_in
            + usage.audio_out * self.audio_out
        )


@dataclass(frozen=True, slots=True)
class CompiledPrice:
    """A compiled price: see `core.tokens.TokenRate` for the fallback of a missing rate.

    `steps` begins with the base (above -1) and rises. `valid_until` is when the price must be looked up again (epoch ms;
    None: it is valid until a price is changed).
    """

    price: Price
    steps: tuple[RateTier, ...]
    valid_until: int | None = None

    @property
    def by_tokens(self) -> bool:
        """Whether tokens have a price; without one, a call is priced by image, minute or character alone."""
        return self.price.input is not None or self.price.output is not None

    @property
    def is_free(self) -> bool:
        """Whether every rate there is is zero."""
        rates = (getattr(self.price, name) for name in (*RATE_NAMES, *UNIT_RATES))
        return not any(rates) and not any(getattr(tier, name) for tier in self.price.tiers for name in RATE_NAMES)

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded half up; what the provider itself reported wins."""
        if usage.cost_nano is not None:
            return usage.cost_nano
        return _rounded(self.step(usage.total_input).millionths(usage), PER)

    def expected(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars for a call of that size with nothing cached; output at the higher of the output and reasoning rates."""
        step = self.step(input_tokens)
        return _rounded(input_tokens * step.input + output_tokens * max(step.output, step.reasoning), PER)

    def step(self, total_input: int) -> RateTier:
        """The rates that hold for a request with that many input tokens, of every class together."""
        chosen = self.steps[0]
        for step in self.steps[1:]:
            if total_input > step.above:
                chosen = step
        return chosen

    def units(self, *, images: int = 0, seconds: float = 0.0, characters: int = 0) -> int | None:
        """Nano-dollars for what is not counted in tokens; None where something that was used has no price."""
        total = 0
        # A second is counted in whole milliseconds.
        for count, rate, per in (
            (images, self.price.per_image if isinstance(self.price.per_image, float) else None, 1),
            (round(seconds * 1000), self.price.per_minute, 60_000),
            (characters, self.price.per_1k_chars, 1000),
        ):
            if count and rate is None:
                return None
            total += _rounded(count * to_nano(rate or 0), per)
        return total


def compile_price(price: Price, valid_until: int | None = None) -> CompiledPrice | None:
    """The compiled price; None where it has neither an input, an output nor a unit rate."""
    if all(getattr(price, name) is None for name in (*BASE_RATES, *UNIT_RATES)):
        return None
    tiers = sorted(price.tiers, key=lambda tier: tier.above_input_tokens)
    # A rate that a tier leaves out is that of the base price; only then does the fallback between rates apply.
    steps = (_step(-1, [price]), *(_step(tier.above_input_tokens, [tier, price]) for tier in tiers))
    return CompiledPrice(price, steps, valid_until)


def cost_of(compiled_price: CompiledPrice | None, usage: Usage) -> int | None:
    """Nano-dollars of a chat call; None where unknown: no price, or one without a rate for tokens."""
    if usage.cost_nano is not None:
        return usage.cost_nano
    # No tokens cost nothing, whatever else the price is made of.
    if compiled_price is None or not (compiled_price.by_tokens or usage.total_input + usage.total_output == 0):
        return None
    return compiled_price.cost(usage)


def cost_of_units(compiled_price: CompiledPrice | None, usage: Usage | None, units: Units) -> int | None:
    """Nano-dollars of a call to a media endpoint; None where unknown.

    Reported tokens count where tokens have a price; else images, seconds and characters, each at its own rate.
    """
    if usage is not None and usage.cost_nano is not None:
        return usage.cost_nano
    if compiled_price is None:
        return None
    if compiled_price.is_free:
        return 0
    if usage is not None and compiled_price.by_tokens:
        return compiled_price.cost(usage)
    if not units.known:
        return None
    return compiled_price.units(images=units.images, seconds=units.seconds or 0.0, characters=units.characters)


def expected_cost(compiled_price: CompiledPrice, input_tokens: int, output_tokens: int, units: Units) -> int:
    """Nano-dollars to reserve for a call to a media endpoint: the higher of its tokens and its units."""
    tokens = compiled_price.expected(input_tokens, output_tokens) if compiled_price.by_tokens else 0
    counted = compiled_price.units(images=units.images, seconds=units.seconds or 0.0, characters=units.characters)
    return max(tokens, counted or 0)


def _step(above: int, sources: Iterable[Rates]) -> RateTier:
    """Each rate as the first source states it; one that no source states is that of its fallback."""
    rates: dict[str, int] = {}
    for source in sources:
        for name in RATE_NAMES:
            rate = getattr(source, name)
            if rate is not None:
                rates.setdefault(name, to_nano(rate))
    for rate in RATES:
        rates.setdefault(rate.name, rates[rate.fallback] if rate.fallback is not None else 0)
    return RateTier(above=above, **rates)


def _rounded(value: int, per: int) -> int:
    # `round` would go through a float, and would round half to even.
    return (2 * value + per) // (2 * per)
