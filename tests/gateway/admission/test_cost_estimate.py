"""What a request is expected to cost, the most that it can cost, and what is held for it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Price
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.admission.bounds import input_bound, input_bounds
from conduit_desktop.gateway.admission.cost_estimate import CostEstimate, cache_rate_of
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.gateway.admission.sample_calls import TEXT, call


def price(**rates: Any) -> CompiledPrice:
    made = compile_price(Price(pattern="*", **rates))
    assert made is not None
    return made


ONE, TWO = price(input=1000, output=1000), price(input=2000, output=2000)
"""A million and two million nano-dollars a token."""
FREE, FREE_TOO = price(input=0, output=0), price(input=0, output=0)
SOUND = price(input=1000, output=1000, per_minute=0.006)
A_TOKEN = 1_000_000
ASKED = {"messages": [{"role": "user", "content": TEXT}]}


def never() -> CostEstimate:
    raise AssertionError("not needed")


def media(endpoint: str, body: dict[str, Any], size: int = 0) -> Call:
    form = None
    if size:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
        form = multipart.parse(head + b"\0" * size + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")
    request = MediaRequest(endpoint, body, form)
    return Call(dialect("openai_chat"), body, "m", endpoint=endpoint, media_request=request)


def test_what_is_not_stated_of_the_worst_case_is_what_is_expected() -> None:
    made = CostEstimate(1, 2, ONE, cost_nano=5)
    assert (made.worst_nano, made.held_nano) == (5, 5)
    made = CostEstimate(1, 2, ONE, cost_nano=5, worst_nano=9)
    assert (made.worst_nano, made.held_nano) == (9, 9)
    made = CostEstimate(1, 2, ONE, cost_nano=5, worst_nano=9, held_nano=7)
    assert (made.worst_nano, made.held_nano) == (9, 7)
    made = CostEstimate(1, 2, ONE, cost_nano=5, worst_nano=3, held_nano=2)
    assert (made.worst_nano, made.held_nano) == (5, 5)


def test_the_dearest_target_is_expected_and_the_first_of_equal_ones() -> None:
    for prices in ([ONE, TWO], [TWO, ONE]):
        made = CostEstimate.of(3, 4, prices)
        assert (made.compiled_price, made.cost_nano) == (TWO, 14 * A_TOKEN)
    assert (made.worst_nano, made.held_nano, made.unpriced, made.most_tokens) == (14 * A_TOKEN, 14 * A_TOKEN, False, 0)
    assert CostEstimate.of(3, 4, [FREE, FREE_TOO]).compiled_price is FREE
    assert CostEstimate.of(3, 4, []).compiled_price is None


def test_a_target_without_a_price_leaves_the_others_to_be_counted() -> None:
    for prices in ([None, ONE], [ONE, None]):
        made = CostEstimate.of(3, 4, prices)
        assert (made.compiled_price, made.cost_nano, made.unpriced) == (ONE, 7 * A_TOKEN, True)
    assert CostEstimate.of(3, 4, [price(input=1000)]).unpriced
    assert not CostEstimate.of(3, 4, [price(input=1000)], Units()).unpriced


def test_output_is_expected_at_the_cap_up_to_what_is_reserved() -> None:
    for cap, output in ((10, 10), (4095, 4095), (4096, 4096), (5000, 4096), (None, 4096)):
        body = ASKED | ({"max_tokens": cap} if cap else {})
        made, by_length = CostEstimate.of_call(call(body), 4096, [ONE]), by_its_length(call(body))
        assert made.output_tokens == by_length.output_tokens == output
        assert made.cost_nano == (call(body).input_tokens + output) * A_TOKEN


def test_input_is_estimated_by_its_length_where_nothing_limits() -> None:
    made = call(ASKED)
    assert CostEstimate.of_call(made, 10, [ONE]).input_tokens == made.input_tokens
    assert CostEstimate.of_call(made, 10, [ONE], limited=False).input_tokens == made.rough_tokens
    assert made.rough_tokens == len(orjson.dumps(ASKED)) // 4 + 1 != made.input_tokens


@pytest.mark.parametrize("endpoint", ["embeddings", "rerank", "moderations"])
def test_an_endpoint_that_generates_nothing_has_no_output(endpoint: str) -> None:
    made = Call(dialect("openai_chat"), {"input": TEXT}, "m", endpoint=endpoint)
    estimate = CostEstimate.of_call(made, 4096, [ONE])
    assert (estimate.output_tokens, estimate.cost_nano, estimate.unpriced) == (0, made.input_tokens * A_TOKEN, False)
    for keep_caps in (True, False):
        estimate.add_worst(made, [(ONE, 8192)], keep_caps=keep_caps)
        assert estimate.worst_nano == input_bound(made) * A_TOKEN
    assert not CostEstimate.of_call(made, 4096, [price(input=1000)]).unpriced


# The worst case


def worst(made: Call, targets: list[tuple[CompiledPrice | None, int]], **options: bool) -> tuple[int, int]:
    """The most that a call can cost, and what is held for it, in tokens of A_TOKEN."""
    estimate = CostEstimate(0, 0, None)
    estimate.add_worst(made, targets, **options)
    assert (estimate.worst_nano % A_TOKEN, estimate.held_nano % A_TOKEN) == (0, 0)
    return estimate.worst_nano // A_TOKEN, estimate.held_nano // A_TOKEN


def by_its_length(made: Call, targets: list[tuple[CompiledPrice | None, int]] | None = None, **options: bool) -> CostEstimate:
    chosen = {"searches": False, "keep_caps": True} | options
    return CostEstimate.by_length(made, 4096, [(ONE, 8192)] if targets is None else targets, weigh=never, **chosen)


@pytest.mark.parametrize(
    ("fields", "longest", "keep_caps", "output"),
    [
        ({"max_tokens": 50}, 8192, True, 50), ({"max_tokens": 50}, 8192, False, 8192), ({"max_tokens": 9000}, 8192, True, 8192),
        ({}, 8192, True, 8192), ({}, 8192, False, 8192), ({"max_tokens": 50, "n": 3}, 8192, True, 150),
        ({"max_tokens": 50, "n": 3}, 10, True, 30), ({"max_tokens": 50, "n": 3}, 10, False, 30), ({"n": 3}, 8192, True, 3 * 8192),
        ({"max_tokens": 50, "n": 3}, 8192, False, 3 * 8192),
    ],
    ids=str,
)  # fmt: skip
def test_the_longest_answer_is_the_cap_or_what_the_target_can_generate(
    fields: dict[str, Any], longest: int, keep_caps: bool, output: int
) -> None:
    made = call(ASKED | fields)
    bound, likely = input_bounds(made)
    assert worst(made, [(ONE, longest)], keep_caps=keep_caps) == (bound + output, likely + output)
    rough = by_its_length(made, [(ONE, longest)], keep_caps=keep_caps)
    assert rough.most_tokens == bound + output
    assert rough.worst_nano == rough.held_nano == max((bound + output) * A_TOKEN, rough.cost_nano)


def test_the_dearest_target_is_the_worst_case_and_one_without_a_price_costs_nothing() -> None:
    made = call(ASKED)
    bound, likely = input_bounds(made)
    for targets in ([(ONE, 100), (TWO, 9), (None, 10**6)], [(None, 10**6), (TWO, 9), (ONE, 100)]):
        assert worst(made, targets) == (2 * (bound + 9), max(2 * (likely + 9), likely + 100))
        rough = by_its_length(made, targets)
        assert (rough.compiled_price, rough.unpriced, rough.most_tokens) == (TWO, True, bound + 10**6)
        assert rough.cost_nano == 2 * (made.rough_tokens + 4096) * A_TOKEN
    assert worst(made, [(None, 9)]) == worst(made, []) == (0, 0)
    nothing = by_its_length(made, [])
    assert (nothing.compiled_price, nothing.cost_nano, nothing.worst_nano, nothing.unpriced) == (None, 0, 0, False)
    assert nothing.most_tokens == bound


def test_the_first_of_equal_targets_is_the_dearest_by_length_too() -> None:
    found = by_its_length(call(ASKED), [(FREE, 9), (FREE_TOO, 9)])
    assert found.compiled_price is FREE
    assert (found.cost_nano, found.worst_nano, found.unpriced) == (0, 0, False)
    assert by_its_length(call(ASKED), [(price(input=1000), 9)]).unpriced
    assert by_its_length(call(ASKED), [(price(input=1000), 9), (ONE, 9)]).unpriced


def test_a_target_that_searches_is_held_for_what_it_may_find() -> None:
    made = call(ASKED)
    plain, searching = worst(made, [(ONE, 9)]), worst(made, [(ONE, 9)], searches=True)
    assert tuple(more - less for more, less in zip(searching, plain, strict=True)) == (200_000, 200_000)
    assert by_its_length(made, [(ONE, 9)], searches=True).most_tokens == by_its_length(made, [(ONE, 9)]).most_tokens + 200_000


def test_a_faster_answer_is_the_worst_case_of_a_request_for_one_alone() -> None:
    fast = price(input=1000, output=1000, service_tiers={"speed:fast": 6})
    for fields, factor in (({}, 1), ({"speed": "fast"}, 6)):
        made = call(ASKED | fields)
        assert worst(made, [(fast, 9)])[0] == factor * (input_bound(made) + 9)
        assert by_its_length(made, [(fast, 8192)]).worst_nano == factor * (input_bound(made) + 8192) * A_TOKEN


def test_sound_may_be_billed_by_tokens_of_its_seconds() -> None:
    made = media("transcriptions", {"model": "m"}, 1_500)
    bound, likely = input_bounds(made)
    assert worst(made, [(ONE, 9)]) == (bound + 48 + 9, likely + 48 + 9)
    without = media("transcriptions", {"model": "m"})
    assert worst(without, [(ONE, 9)]) == (input_bound(without) + 9, input_bounds(without)[1] + 9)


def test_the_units_of_a_media_request_are_expected_and_at_the_worst() -> None:
    by_minute = price(per_minute=0.006)
    made = media("transcriptions", {"model": "m"}, 96_000)
    estimate = CostEstimate.of_call(made, 4096, [by_minute])
    assert (estimate.cost_nano, estimate.unpriced) == (600_000, False)
    estimate.add_worst(made, [(by_minute, 9)])
    assert estimate.worst_nano == estimate.held_nano == 9_600_000


def test_what_is_held_is_raised_and_never_lowered() -> None:
    made = call(ASKED)
    estimate = CostEstimate(0, 0, None, cost_nano=10**15)
    estimate.add_worst(made, [(ONE, 9)])
    assert (estimate.worst_nano, estimate.held_nano) == (10**15, 10**15)


# Caches


@pytest.mark.parametrize(
    ("body", "rate"),
    [
        ({}, ""), ({"system": "cache_control"}, ""), ({"cache_control": {"type": "ephemeral"}}, "cache_write"),
        ({"x": [{"cache_control": {"ttl": "1h"}}]}, "cache_write_1h"), ({"x": [{"cache_control": {"ttl": "5m"}}]}, "cache_write"),
        ({"x": [{"cache_control": {"ttl": "5m"}}, [{"cache_control": {"ttl": "1h"}}]]}, "cache_write_1h"),
        ({"x": {"cache_control": None}}, ""), ({"x": {"cache_control": {}}}, ""), ({"x": {"cache_control": "1h"}}, "cache_write"),
    ],
    ids=str,
)  # fmt: skip
def test_the_rate_of_what_is_written_to_a_cache_is_that_of_the_longest_life(body: dict[str, Any], rate: str) -> None:
    assert cache_rate_of(call(body)) == cache_rate_of(call(body, received=False)) == rate
    replaced = call({"y": 1})
    replaced.replace_body(body)
    assert cache_rate_of(replaced) == rate


def test_input_is_expected_at_the_rate_of_what_is_written_to_a_cache() -> None:
    cached = price(input=1000, output=1000, cache_write=1250, cache_write_1h=2000)
    for rate, factor in (("", 1000), ("cache_write", 1250), ("cache_write_1h", 2000)):
        made = CostEstimate.of_call(call(ASKED), 0, [cached], rate)
        assert made.cost_nano == call(ASKED).input_tokens * factor * 1000
    marked = call({"messages": [{"content": TEXT, "cache_control": {"ttl": "1h"}}]})
    assert by_its_length(marked, [(cached, 9)]).cost_nano == (marked.rough_tokens * 2000 + 4096 * 1000) * 1000
