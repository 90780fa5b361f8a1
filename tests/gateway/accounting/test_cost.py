"""Cost in whole nano-dollars: classes, stand-ins, tiers, units."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.entities import Price, Rates, Tier
from conduit_desktop.core.events import Usage
from conduit_desktop.gateway.accounting.cost import CompiledPrice, compile_price, cost_of

CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "audio_in", "audio_out")


def compiled_price(**rates: object) -> CompiledPrice:
    made = compile_price(Price.model_validate({"pattern": "p/m", **rates}))
    assert made is not None
    return made


FULL = compiled_price(
    input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6, reasoning=20, audio_in=40, audio_out=80
)  # fmt: skip


def test_each_class_costs_its_own_rate():
    million = 1_000_000
    assert FULL.cost(Usage(input=million)) == 3_000_000_000
    assert FULL.cost(Usage(cache_read=million)) == 300_000_000
    assert FULL.cost(Usage(cache_write_5m=million)) == 3_750_000_000
    assert FULL.cost(Usage(cache_write_1h=million)) == 6_000_000_000
    assert FULL.cost(Usage(output=million)) == 15_000_000_000
    assert FULL.cost(Usage(audio_in=million)) == 40_000_000_000
    assert FULL.cost(Usage(audio_out=million)) == 80_000_000_000


def test_thought_is_part_of_the_output_and_priced_apart_only_with_a_rate_of_its_own():
    assert FULL.cost(Usage(output=10, reasoning=4)) == 6 * 15_000 + 4 * 20_000
    assert compiled_price(input=3, output=15).cost(Usage(output=10, reasoning=4)) == 10 * 15_000


def test_more_thought_than_output_is_billed_as_output():
    assert FULL.cost(Usage(output=3, reasoning=9)) == 3 * 20_000


def test_a_missing_rate_takes_its_stand_in():
    plain = compiled_price(input=2, output=8)
    for name in ("cache_read", "cache_write_5m", "cache_write_1h", "audio_in"):
        assert plain.cost(Usage(**{name: 1000})) == 2_000_000, name
    assert plain.cost(Usage(audio_out=1000)) == 8_000_000
    assert compiled_price(input=2, output=8, cache_write=2.5).cost(Usage(cache_write_1h=1000)) == 2_500_000


def test_an_hour_in_the_cache_does_not_cost_less_than_five_minutes_by_default():
    assert compiled_price(input=2, cache_write=4).cost(Usage(cache_write_1h=1)) == 4000


def test_half_a_nano_dollar_is_rounded_up_once_at_the_end():
    cheap = compiled_price(input=0.0005, output=0.0005)  # half a nano-dollar a token
    assert cheap.cost(Usage(input=1)) == 1
    assert cheap.cost(Usage(input=1, output=1)) == 1
    assert cheap.cost(Usage(input=1, output=2)) == 2


def test_what_the_provider_reported_wins():
    assert FULL.cost(Usage(input=1000, cost_nano=42)) == 42
    assert cost_of(None, Usage(input=1000, cost_nano=42)) == 42


def test_no_tariff_is_unknown_and_never_nothing():
    assert cost_of(None, Usage(input=1)) is None
    assert cost_of(None, Usage()) is None


def test_tokens_of_a_model_priced_by_image_are_unknown():
    by_image = compiled_price(per_image=0.04)
    assert cost_of(by_image, Usage(output=4160)) is None
    assert by_image.units(images=2) == 80_000_000


def test_a_price_without_any_rate_is_none():
    assert compile_price(Price(pattern="p/m", cache_read=1.0)) is None


def test_a_free_price_is_nothing_and_known():
    assert cost_of(compiled_price(input=0, output=0), Usage(input=10, output=10)) == 0


def test_a_tier_holds_for_the_whole_request_and_counts_every_class_of_input():
    tiers = [{"above_input_tokens": 200, "input": 2}, {"above_input_tokens": 400, "input": 3, "output": 20}]
    tiered = compiled_price(input=1, output=10, cache_read=0.1, tiers=tiers)
    assert tiered.cost(Usage(input=200)) == 200_000
    assert tiered.cost(Usage(input=201)) == 402_000
    assert tiered.cost(Usage(input=1, cache_read=200)) == 2_000 + 200 * 100
    assert tiered.cost(Usage(input=401, output=1)) == 401 * 3000 + 20_000


def test_a_tier_keeps_the_rates_it_does_not_change():
    price = Price(pattern="p/m", input=1, output=10, tiers=(Tier(above_input_tokens=0, input=2),))
    made = compile_price(price)
    assert made is not None
    assert made.cost(Usage(input=1, output=1)) == 2000 + 10_000


def test_what_is_expected_takes_the_dearer_of_written_and_thought():
    assert FULL.expected(1000, 100) == 1000 * 3000 + 100 * 20_000
    assert compiled_price(input=3, output=15).expected(1000, 100) == 1000 * 3000 + 100 * 15_000


@pytest.mark.parametrize(
    ("used", "nano"),
    [
        ({"seconds": 90.0}, 9_000_000),
        ({"seconds": 0.001}, 100),
        ({"characters": 250}, 3_750_000),
        ({"seconds": 60.0, "characters": 1000}, 21_000_000),
        ({}, 0),
    ],
)
def test_minutes_and_characters_cost_by_the_part(used: dict[str, float], nano: int):
    assert compiled_price(per_minute=0.006, per_1k_chars=0.015).units(**used) == nano


def test_a_unit_without_a_price_is_unknown():
    assert compiled_price(per_minute=0.006).units(images=1) is None


counts = st.integers(0, 2_000_000)
rates = st.integers(0, 200_000).map(lambda thousandths: thousandths / 1000)
usages = st.builds(Usage, **dict.fromkeys(CLASSES, counts))
compiled_prices = st.builds(compiled_price, **dict.fromkeys(Rates.model_fields, rates | st.none()) | {"input": rates})


@given(compiled_prices, usages, usages)
def test_cost_is_whole_and_additive_but_for_the_last_rounding(made: CompiledPrice, one: Usage, other: Usage):
    both = Usage(**{name: getattr(one, name) + getattr(other, name) for name in CLASSES})
    assert isinstance(made.cost(both), int)
    assert abs(made.cost(one) + made.cost(other) - made.cost(both)) <= 1


@given(compiled_prices, usages, st.sampled_from(CLASSES), counts)
def test_more_of_anything_never_costs_less(made: CompiledPrice, usage: Usage, name: str, more: int):
    assert made.cost(replace(usage, **{name: getattr(usage, name) + more})) >= made.cost(usage)


def test_every_counter_of_usage_is_priced_or_known_not_to_be():
    assert {field.name for field in fields(Usage)} == {
        *CLASSES, "reasoning", "image_in", "image_out", "searches", "service_tier", "surcharges", "unclear", "source", "cost_nano",
        "extra",
    }  # fmt: skip
