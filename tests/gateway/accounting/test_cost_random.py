"""Costs of generated prices and usages, against their exact sums in fractions."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.entities import Price, Rates, Tier
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.core.tokens import RATES
from conduit_desktop.gateway.accounting.compiled_price import NO_UNITS, CompiledPrice, compile_price
from conduit_desktop.gateway.accounting.cost import price_answer
from tests.gateway.accounting.sample_prices import CLASSES, compiled_price, cost

counts = st.integers(0, 2_000_000)
rates = st.integers(0, 200_000).map(lambda thousandths: thousandths / 1000)
usages = st.builds(Usage, **dict.fromkeys(CLASSES, counts))
both = {"input": rates, "output": rates}
any_rates = dict.fromkeys(Rates.model_fields, rates | st.none())
compiled_prices = st.builds(compiled_price, **any_rates | both)


def spent(price: CompiledPrice, usage: Usage) -> int:
    nano = cost(price, usage)
    assert nano is not None
    return nano


@given(compiled_prices, usages, usages)
def test_cost_is_whole_and_additive_but_for_the_last_rounding(made: CompiledPrice, one: Usage, other: Usage):
    both = Usage(**{name: getattr(one, name) + getattr(other, name) for name in CLASSES})
    assert isinstance(spent(made, both), int)
    assert abs(spent(made, one) + spent(made, other) - spent(made, both)) <= 1


@given(compiled_prices, usages, st.sampled_from(CLASSES), counts)
def test_more_of_anything_never_costs_less(made: CompiledPrice, usage: Usage, name: str, more: int):
    assert spent(made, replace(usage, **{name: getattr(usage, name) + more})) >= spent(made, usage)


factors = st.sampled_from([0.1, 0.25, 0.5, 0.55, 1, 1.1, 1.75, 2, 2.5, 6])
tiers = st.lists(
    st.builds(Tier, above_input_tokens=st.sampled_from([0, 200_000, 1_000_000]), **any_rates),
    max_size=2, unique_by=lambda tier: tier.above_input_tokens,
)  # fmt: skip
prices = st.builds(
    Price,
    pattern=st.just("p/m"),
    **any_rates | both,
    per_search=rates | st.none(),
    per_request=rates | st.none(),
    tiers=tiers.map(tuple),
    service_tiers=st.dictionaries(st.sampled_from(["flex", "priority", "speed:fast", "region:us"]), factors),
)
whole_usages = st.builds(
    Usage,
    **dict.fromkeys((*CLASSES, "reasoning", "image_in", "image_out"), counts),
    searches=st.integers(0, 50),
    service_tier=st.sampled_from(["", "default", "flex", "PRIORITY"]),
    surcharges=st.sets(st.sampled_from(["speed:fast", "region:us", "region:global"])).map(tuple),
)


def reference(price: Price, usage: Usage) -> tuple[Fraction, bool]:
    """The cost in nano-dollars without any rounding, and whether everything that was used has a rate of its own."""
    reasoning = min(usage.reasoning, usage.output)
    image_out = min(usage.image_out, usage.output - reasoning)
    image_in = min(usage.image_in, usage.input)
    sound = (reasoning, image_out, image_in) == (usage.reasoning, usage.image_out, usage.image_in)
    used = {
        "input": usage.input - image_in, "cache_read": usage.cache_read, "cache_write": usage.cache_write_5m,
        "cache_write_1h": usage.cache_write_1h, "audio_in": usage.audio_in, "image_in": image_in, "audio_out": usage.audio_out,
        "output": usage.output - reasoning - image_out, "reasoning": reasoning, "image_out": image_out,
    }  # fmt: skip
    size = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h + usage.audio_in
    held = max(
        (tier for tier in price.tiers if size > tier.above_input_tokens), key=lambda tier: tier.above_input_tokens, default=price
    )
    fallback = {rate.name: rate.fallback for rate in RATES}

    def rate(name: str) -> tuple[Fraction, bool]:
        stated = getattr(held, name) if getattr(held, name) is not None else getattr(price, name)
        if stated is not None:
            return Fraction(str(stated)) * 1000, True
        other = fallback[name]
        assert other is not None
        return rate(other)[0], name == "reasoning"

    total, final = Fraction(0), sound
    for name, count in used.items():
        total += count * rate(name)[0]
        final = final and (not count or rate(name)[1])
    for condition in (usage.service_tier.lower(), *usage.surcharges):
        if condition in price.service_tiers:
            total *= Fraction(str(price.service_tiers[condition]))
        elif condition not in ("", "default", "region:global"):
            final = False
    if usage.searches:
        final = final and price.per_search is not None
        total += usage.searches * Fraction(str(price.per_search or 0)) * 10**9
    return total + Fraction(str(price.per_request or 0)) * 10**9, final


@given(prices, whole_usages)
def test_every_cost_is_the_exact_one_rounded_once_and_final_only_where_all_of_it_has_a_rate(price: Price, usage: Usage):
    exact, final = reference(price, usage)
    made = compile_price(price)
    found = price_answer(made, usage)
    assert found.nano == math.floor(exact + Fraction(1, 2))
    assert found.state == ("final" if final else "estimated")


@given(prices, whole_usages)
def test_the_lines_of_a_breakdown_add_up_to_the_cost_and_each_is_its_own_product(price: Price, usage: Usage):
    found = price_answer(compile_price(price), usage)
    assert sum(line.cost_nano for line in found.breakdown) == found.nano
    for line in found.breakdown:
        # A rate is rounded for the breakdown only where a factor makes a part of a nano-dollar of it.
        assert abs(line.cost_nano - Fraction(line.units) * line.price_nano / line.per) <= 1 + Fraction(line.units) / line.per, line
    assert all(line.units for line in found.breakdown)


@given(prices, whole_usages)
def test_no_call_costs_more_than_the_worst_case_of_its_size(price: Price, usage: Usage):
    made = compile_price(price)
    assert made is not None
    # The parts of a class are at most the class, as every reader reports them.
    usage = replace(usage, image_in=0, reasoning=min(usage.reasoning, usage.output), image_out=0)
    size = usage.total_input, usage.total_output
    worst = made.worst(*size, Units(searches=usage.searches))
    assert spent(made, usage) <= worst
    slow = replace(usage, surcharges=tuple(name for name in usage.surcharges if not name.startswith("speed:")))
    assert spent(made, slow) <= made.worst(*size, Units(searches=usage.searches), speeds=False) <= worst
    assert made.worst(size[0] + 5, size[1] + 5, Units(searches=usage.searches)) >= worst


@given(prices | st.builds(Price, pattern=st.just("p/m"), **both), st.lists(prices, max_size=1), counts, counts, counts, counts,
       st.sampled_from(["", "cache_write", "cache_write_1h"]), st.booleans())  # fmt: skip
def test_the_estimates_of_a_chat_are_the_expected_and_the_worst_cost_of_its_price(
    price: Price, others: list[Price], inputs: int, outputs: int, most_in: int, most_out: int, cache_rate: str, speeds: bool
):
    made = compile_price(price)
    assert made is not None
    made = replace(made, others=tuple(other for one in others if (other := compile_price(one)) is not None))
    found = made.of_chat((inputs, outputs), (most_in, most_out), cache_rate, speeds)
    assert found == (made.expected(inputs, outputs, NO_UNITS, cache_rate), made.worst(most_in, most_out, NO_UNITS, speeds))
