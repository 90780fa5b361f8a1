"""What a price covers, what a call is expected to cost, and the most it can."""

from __future__ import annotations

import pytest

from conduit_desktop.core.entities import Price
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.compiled_price import compile_price
from tests.gateway.accounting.sample_prices import FULL, compiled_price


def test_a_price_without_any_rate_is_none():
    assert compile_price(Price(pattern="p/m", cache_read=1.0)) is None


def test_what_is_expected_takes_the_dearer_of_written_and_thought():
    assert FULL.expected(1000, 100) == 1000 * 3000 + 100 * 20_000
    assert compiled_price(input=3, output=15).expected(1000, 100) == 1000 * 3000 + 100 * 15_000


@pytest.mark.parametrize(
    ("rates", "tokens", "units", "covered"),
    [
        ({"input": 1, "output": 1}, True, Units(), True),
        ({"output": 1}, True, Units(), False),
        ({"input": 1}, True, Units(), False),
        ({"per_request": 1}, True, Units(), True),
        ({"per_image": 1}, True, Units(), False),
        ({"per_image": 1}, False, Units(images=1), True),
        ({"per_image": 1}, False, Units(characters=1), False),
        ({"per_minute": 1}, False, Units(seconds=None), True),
        ({"per_minute": 1}, False, Units(seconds=9.0), True),
        ({"per_1k_chars": 1}, False, Units(characters=9), True),
        ({"input": 1}, False, Units(), True),
        ({"per_search": 1}, False, Units(), True),
        ({"input": 0}, True, Units(), True),
    ],
)
def test_a_price_covers_a_call_or_leaves_it_unpriced(rates: dict[str, float], tokens: bool, units: Units, covered: bool):
    assert compiled_price(**rates).covers(tokens, units) is covered


def test_a_price_by_tokens_covers_no_call_whose_answer_reports_none():
    by_tokens = compiled_price(input=1, output=2)
    assert by_tokens.covers(False, Units(characters=9))
    assert not by_tokens.covers(False, Units(characters=9), reports_tokens=False)
    assert compiled_price(input=1, output=2, per_1k_chars=3).covers(False, Units(characters=9), reports_tokens=False)
    assert compiled_price(input=0, output=0).covers(False, Units(characters=9), reports_tokens=False)


def test_what_is_expected_takes_a_write_to_the_cache_at_its_price():
    assert FULL.expected(1000, 0, cache_rate="cache_write_1h") == 1000 * 6000
    assert FULL.expected(1000, 0, cache_rate="cache_write") == 1000 * 3750
    assert compiled_price(input=3, output=15, cache_write=1).expected(1000, 0, cache_rate="cache_write") == 1000 * 3000


def test_the_worst_case_takes_the_dearest_step_that_such_an_input_can_be_in():
    # DashScope's longer prompts are cheaper at some models: a bound on the input says only what it is not longer than.
    made = compiled_price(input=5, output=10, tiers=[{"above_input_tokens": 100, "input": 1, "output": 20}])
    assert made.worst(1000, 10) == 1000 * 5000 + 10 * 20_000
    assert made.worst(100, 10) == 100 * 5000 + 10 * 10_000
