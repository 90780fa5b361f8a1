"""Cost in whole nano-dollars: classes, stand-ins, tiers, units."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from conduit_desktop.core.entities import Price, Tier
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.compiled_price import compile_price
from conduit_desktop.gateway.accounting.cost import Cost, price_answer
from tests.gateway.accounting.sample_prices import CLASSES, FULL, compiled_price, cost


def test_each_class_costs_its_own_rate():
    million = 1_000_000
    assert cost(FULL, Usage(input=million)) == 3_000_000_000
    assert cost(FULL, Usage(cache_read=million)) == 300_000_000
    assert cost(FULL, Usage(cache_write_5m=million)) == 3_750_000_000
    assert cost(FULL, Usage(cache_write_1h=million)) == 6_000_000_000
    assert cost(FULL, Usage(output=million)) == 15_000_000_000
    assert cost(FULL, Usage(audio_in=million)) == 40_000_000_000
    assert cost(FULL, Usage(audio_out=million)) == 80_000_000_000


def test_thought_is_part_of_the_output_and_priced_apart_only_with_a_rate_of_its_own():
    assert cost(FULL, Usage(output=10, reasoning=4)) == 6 * 15_000 + 4 * 20_000
    assert cost(compiled_price(input=3, output=15), Usage(output=10, reasoning=4)) == 10 * 15_000


def test_more_thought_than_output_is_billed_as_output_and_is_an_estimate():
    assert price_answer(FULL, Usage(output=3, reasoning=9))[:2] == (3 * 20_000, "estimated")


def test_a_missing_rate_takes_its_stand_in():
    plain = compiled_price(input=2, output=8)
    for name in ("cache_read", "cache_write_5m", "cache_write_1h", "audio_in"):
        assert cost(plain, Usage(**{name: 1000})) == 2_000_000, name
    assert cost(plain, Usage(audio_out=1000)) == 8_000_000
    assert cost(compiled_price(input=2, output=8, cache_write=2.5), Usage(cache_write_1h=1000)) == 2_500_000


def test_an_hour_in_the_cache_does_not_cost_less_than_five_minutes_by_default():
    assert cost(compiled_price(input=2, output=8, cache_write=4), Usage(cache_write_1h=1)) == 4000


def test_half_a_nano_dollar_is_rounded_up_once_at_the_end():
    cheap = compiled_price(input=0.0005, output=0.0005)  # half a nano-dollar a token
    assert cost(cheap, Usage(input=1)) == 1
    assert cost(cheap, Usage(input=1, output=1)) == 1
    assert cost(cheap, Usage(input=1, output=2)) == 2


def test_what_the_provider_reported_wins():
    assert cost(FULL, Usage(input=1000, cost_nano=42)) == 42
    assert cost(None, Usage(input=1000, cost_nano=42)) == 42


def test_no_tariff_is_unknown_and_never_nothing():
    assert cost(None, Usage(input=1)) is None
    assert cost(None, Usage()) is None


def test_tokens_of_a_model_priced_by_image_are_unknown():
    by_image = compiled_price(per_image=0.04)
    assert cost(by_image, Usage(output=4160)) is None
    assert price_answer(by_image, None, Units(images=2))[:2] == (80_000_000, "final")


def test_a_free_price_is_nothing_and_known():
    assert cost(compiled_price(input=0, output=0), Usage(input=10, output=10)) == 0


def test_a_tier_holds_for_the_whole_request_and_counts_every_class_of_input():
    tiers = [{"above_input_tokens": 200, "input": 2}, {"above_input_tokens": 400, "input": 3, "output": 20}]
    tiered = compiled_price(input=1, output=10, cache_read=0.1, tiers=tiers)
    assert cost(tiered, Usage(input=200)) == 200_000
    assert cost(tiered, Usage(input=201)) == 402_000
    assert cost(tiered, Usage(input=1, cache_read=200)) == 2_000 + 200 * 100
    assert cost(tiered, Usage(input=401, output=1)) == 401 * 3000 + 20_000


def test_a_tier_keeps_the_rates_it_does_not_change():
    price = Price(pattern="p/m", input=1, output=10, tiers=(Tier(above_input_tokens=0, input=2),))
    made = compile_price(price)
    assert made is not None
    assert cost(made, Usage(input=1, output=1)) == 2000 + 10_000


@pytest.mark.parametrize(
    ("used", "nano"),
    [
        ({"seconds": 90.0}, 9_000_000),
        ({"seconds": 0.001}, 100),
        ({"characters": 250}, 3_750_000),
        ({"seconds": 60.0, "characters": 1000}, 21_000_000),
        ({}, None),
    ],
)
def test_minutes_and_characters_cost_by_the_part(used: dict[str, float], nano: int | None):
    assert price_answer(compiled_price(per_minute=0.006, per_1k_chars=0.015), None, Units(**used)).nano == nano


def test_a_unit_without_a_price_is_unknown():
    assert price_answer(compiled_price(per_minute=0.006), None, Units(images=1)).nano is None


@pytest.mark.parametrize(
    "broken",
    [
        {"input": -5}, {"output": 10.0}, {"input": True}, {"output": 10**9}, {"reasoning": 11}, {"image_out": 11}, {"image_in": 11},
        {"reasoning": 6, "image_out": 6}, {"cost_nano": -1}, {"cost_nano": 10**20}, {"unclear": ("video_tokens",)},
        {"source": "estimated"}, {"searches": -1},
    ],
    ids=str,
)  # fmt: skip
def test_usage_that_contradicts_itself_is_priced_as_far_as_it_goes_and_never_final(broken: dict[str, object]):
    usage = replace(Usage(input=10, output=10), **broken)
    found = price_answer(FULL, usage)
    assert found.state == "estimated"
    assert found.nano is not None
    assert found.nano >= 0


@pytest.mark.parametrize("usage", [Usage(cost_nano=42, unclear=("x",)), Usage(output=1, reasoning=2, cost_nano=42)], ids=str)
def test_a_reported_cost_with_contradictory_usage_is_kept_and_not_final(usage: Usage):
    assert price_answer(FULL, usage)[:2] == (42, "estimated")


def test_a_reported_cost_names_the_provider_as_its_source():
    found = price_answer(FULL, Usage(input=10, cost_nano=42))
    assert found.source == "provider_reported"
    assert [line.as_dict() for line in found.breakdown] == [
        {"class": "provider_reported", "units": 1, "per": 1, "price_nano": 42, "cost_nano": 42}
    ]


@pytest.mark.parametrize(
    ("rates", "usage"),
    [
        ({"output": 10}, Usage(input=1_000_000, output=1)),
        ({"input": 10}, Usage(input=1, output=1_000_000)),
        ({"output": 10}, Usage(cache_read=5)),
        ({"input": 10}, Usage(audio_out=5)),
        ({"per_minute": 1}, Usage(input=5, output=5)),
        ({"per_search": 1}, Usage(input=5, output=5)),
    ],
    ids=str,
)
def test_half_a_price_is_unknown_and_not_zero(rates: dict[str, float], usage: Usage):
    assert price_answer(compiled_price(**rates), usage)[:2] == (None, "unknown")


def test_input_alone_has_a_price_where_nothing_is_generated():
    assert price_answer(compiled_price(input=0.1), Usage(input=1000))[:2] == (100_000, "final")


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input=10, output=10, searches=1), Usage(input=10, output=10, audio_in=1), Usage(input=10, output=10, audio_out=1),
        Usage(input=10, output=10, cache_read=1), Usage(input=10, output=10, cache_write_5m=1),
        Usage(input=10, output=10, image_in=1), Usage(input=10, output=10, image_out=1),
        Usage(input=10, output=10, service_tier="flex"), Usage(input=10, output=10, surcharges=("speed:fast",)),
        Usage(input=10, output=10, surcharges=("region:us",)),
    ],
    ids=str,
)  # fmt: skip
def test_a_dimension_without_a_rate_makes_the_cost_an_estimate(usage: Usage):
    found = price_answer(compiled_price(input=3, output=15), usage)
    assert found.state == "estimated"
    assert found.nano is not None
    assert found.nano >= 10 * 3000 + 10 * 15_000


@pytest.mark.parametrize("tier", ["", "default", "standard", "on_demand", "ON_DEMAND", "auto"])
def test_the_base_tier_has_the_plain_rates_by_whatever_name(tier: str):
    assert price_answer(compiled_price(input=3, output=15), Usage(input=10, service_tier=tier))[:2] == (30_000, "final")


def test_factors_multiply_and_leave_searches_and_fees_as_they_are():
    made = compiled_price(input=2, output=10, per_search=0.01, per_request=0.005, service_tiers={"flex": 0.5, "region:us": 1.1})
    found = price_answer(made, Usage(input=1000, searches=2, service_tier="flex", surcharges=("region:us",)))
    assert found[:2] == (1_100_000 + 20_000_000 + 5_000_000, "final")
    assert [line[:4] for line in found.breakdown] == [
        ("input", 1000, 1_000_000, 1_100_000_000), ("searches", 2, 1, 10_000_000), ("requests", 1, 1, 5_000_000),
    ]  # fmt: skip


def test_an_hour_in_the_cache_at_the_rate_of_five_minutes_is_an_estimate():
    made = compiled_price(input=2, output=8, cache_write=2.5)
    assert price_answer(made, Usage(cache_write_5m=1000)).state == "final"
    assert price_answer(made, Usage(cache_write_1h=1000)).state == "estimated"


PICTURES = compiled_price(
    per_image=[
        {"size": "1024x1024", "quality": "high", "usd": 0.19}, {"size": "1024x1024", "usd": 0.04}, {"quality": "low", "usd": 0.01},
        {"size": "1536x1024", "quality": "high", "usd": 0.25},
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("size", "quality", "usd", "state"),
    [
        ("1024x1024", "high", 0.19, "final"), ("1024x1024", "medium", 0.04, "final"), ("512x512", "low", 0.01, "final"),
        ("1024X1024", "HIGH", 0.19, "final"), ("512x512", "high", 0.25, "estimated"), ("auto", "auto", 0.25, "estimated"),
        ("", "", 0.25, "estimated"),
    ],
)  # fmt: skip
def test_a_picture_costs_by_size_and_quality_and_the_dearest_where_they_are_not_known(
    size: str, quality: str, usd: float, state: str
):
    found = price_answer(PICTURES, None, Units(images=3, image_size=size, image_quality=quality))
    assert found[:2] == (round(usd * 3 * 10**9), state)


def test_a_short_recording_is_billed_for_the_least_time():
    made = compiled_price(per_minute=0.6, min_seconds=10)
    assert price_answer(made, None, Units(seconds=2.0)).breakdown[0][:4] == ("seconds", 10.0, 60, 600_000_000)
    assert price_answer(made, None, Units(seconds=2.0)).nano == 100_000_000
    assert price_answer(made, None, Units(seconds=12.5)).nano == 125_000_000
    assert price_answer(made, None, Units(seconds=None)).nano is None
    assert made.expected(0, 0, Units(seconds=2.0)) == 100_000_000


def test_a_reranker_priced_by_search_needs_no_rate_for_tokens():
    assert price_answer(compiled_price(per_search=0.002), Usage(input=900), Units(searches=3))[:2] == (6_000_000, "final")
    assert price_answer(compiled_price(per_search=0.002), None, Units(searches=3)).nano == 6_000_000


def test_a_flat_fee_for_a_request_holds_whatever_its_tokens():
    assert price_answer(compiled_price(per_request=0.01), Usage(input=900, output=5))[:2] == (10_000_000, "final")


def test_a_picture_that_reports_tokens_is_priced_by_them_and_not_by_the_picture_too():
    made = compiled_price(input=5, output=40, per_image=0.19)
    assert price_answer(made, Usage(input=10, output=1000), Units(images=1)).nano == 50_000 + 40_000_000
    assert price_answer(made, None, Units(images=1)).nano == 190_000_000


def test_a_price_that_is_free_by_its_kind_is_certain_for_every_dimension():
    made = compile_price(Price(pattern="p/*", input=0, output=0, origin="free"))
    found = price_answer(made, Usage(input=5, output=5, searches=3, service_tier="flex", cache_read=5))
    assert (found.nano, found.state, found.source) == (0, "final", "")
    assert price_answer(made, None, Units(images=3))[:2] == (0, "final")


def test_a_list_whose_tokens_are_free_says_nothing_of_pictures():
    made = compile_price(Price(pattern="p/*", input=0, output=0, origin="catalog"))
    assert price_answer(made, None, Units(images=3)).state == "estimated"


@pytest.mark.parametrize(
    ("fields", "source", "date"),
    [
        ({"origin": "catalog", "as_of": "2026-11-30"}, "catalog", "2026-11-30"),
        ({"origin": "provider_list", "as_of": "2026-11-29"}, "provider_list", "2026-11-29"),
        ({"valid_from": 1_772_366_400_000, "updated_at": 5}, "override", "2026-03-01"),
        ({"updated_at": 1_772_366_400_000}, "override", "2026-03-01"),
        ({}, "override", ""),
    ],
)
def test_a_cost_tells_where_its_price_is_from_and_of_which_day(fields: dict[str, object], source: str, date: str):
    made = compile_price(Price.model_validate({"pattern": "p", "input": 1, "output": 1, **fields}))
    found = price_answer(made, Usage(input=5))
    assert (found.source, found.date) == (source, date)


def test_a_search_in_the_units_and_in_the_usage_is_one_search():
    made = compiled_price(input=0, output=0, per_search=0.01)
    assert price_answer(made, Usage(input=1, searches=3), Units(searches=3)).nano == 30_000_000


def test_a_factor_of_one_rate_holds_for_it_in_place_of_the_tiers():
    # Gemini's flex halves everything but what is read from the cache.
    made = compiled_price(input=2, output=10, cache_read=1, service_tiers={"flex": 0.5, "flex/cache_read": 1})
    usage = Usage(input=1_000_000, output=1_000_000, cache_read=1_000_000, service_tier="flex")
    cost = price_answer(made, usage)
    assert (cost.nano, cost.state) == (1_000_000_000 + 5_000_000_000 + 1_000_000_000, "final")
    assert [line.price_nano for line in cost.breakdown] == [1_000_000_000, 1_000_000_000, 5_000_000_000]


def test_a_factor_of_the_fee_alone_leaves_the_tokens_as_they_are():
    # Perplexity's fee for a request is by the size of the search's context.
    made = compiled_price(input=1, output=1, per_request=0.005, service_tiers={"search_context:high/per_request": 2.4})
    usage = Usage(input=1_000_000, output=1_000_000, surcharges=("search_context:high",))
    assert (price_answer(made, usage).nano, price_answer(made, usage).state) == (2_012_000_000, "final")
    assert made.worst(1_000_000, 1_000_000) >= 2_012_000_000


def test_a_factor_of_many_digits_is_the_quotient_of_two_rates():
    # GPT-4o mini at priority: $0.25 in place of $0.15, which no decimal number of digits says.
    made = compiled_price(input=0.15, output=0.6, service_tiers={"priority": 1.666666666667, "flex": 0.333333333333})
    assert price_answer(made, Usage(input=2, output=0, service_tier="priority")).nano == 500
    assert price_answer(made, Usage(input=10_000_001, output=0, service_tier="priority")).nano == 2_500_000_250
    assert price_answer(made, Usage(input=10_000_010, output=0, service_tier="flex")).nano == 500_000_500
    # As it was written, where it has fewer digits.
    odd = compiled_price(input=1, output=1, service_tiers={"flex": 0.1234567})
    assert price_answer(odd, Usage(input=10_000_000, output=0, service_tier="flex")).nano == 1_234_567_000


def test_factors_of_two_conditions_multiply_for_each_rate():
    made = compiled_price(input=1, output=10, service_tiers={"priority": 2, "priority/output": 3, "region:us": 1.1})
    usage = Usage(input=1_000_000, output=1_000_000, service_tier="priority", surcharges=("region:us",))
    assert price_answer(made, usage).nano == 2_200_000_000 + 33_000_000_000


def test_an_unknown_cost_has_no_lines():
    assert price_answer(None, Usage(input=5)) == Cost(None, "unknown")


def test_every_counter_of_usage_is_priced_or_known_not_to_be():
    assert {field.name for field in fields(Usage)} == {
        *CLASSES, "reasoning", "image_in", "image_out", "searches", "service_tier", "surcharges", "unclear", "source", "cost_nano",
        "extra",
    }  # fmt: skip
