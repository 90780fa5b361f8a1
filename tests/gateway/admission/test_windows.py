"""Windows over the last minute, as limits and headers see them."""

import pytest

from conduit_desktop.gateway.admission.windows import (
    DAY_S,
    EXACT_UP_TO,
    MINUTE_S,
    SLICES,
    ExactWindow,
    SlicedWindow,
    UsageWindow,
    fitting,
)

NOON = 1_800_000_000.0
"""The beginning of a minute."""


def filled(window: UsageWindow, *seconds: float) -> UsageWindow:
    for second in seconds:
        window.add(NOON + second)
    return window


def test_single_uses_are_over_a_minute_after_they_came():
    window = filled(ExactWindow(MINUTE_S), 0, 10, 20)
    assert window.used(NOON + 59) == 3
    assert window.used(NOON + 65) == 2
    assert window.used(NOON + 200) == 0


def test_room_in_an_exact_window_comes_with_the_oldest_uses_that_stand_in_the_way():
    window = filled(ExactWindow(MINUTE_S), 0, 10, 20)
    assert window.reset_s(NOON + 30) == pytest.approx(30)
    assert window.wait_s(NOON + 30, limit=3) == pytest.approx(30)
    assert window.wait_s(NOON + 30, limit=3, amount=2) == pytest.approx(40)
    assert window.wait_s(NOON + 30, limit=4) == 0


def test_a_clock_that_was_set_back_leaves_no_key_locked_out():
    assert filled(ExactWindow(MINUTE_S), 8 * 3600).used(NOON) == 0
    assert filled(SlicedWindow(MINUTE_S), 8 * 3600).used(NOON) == 0


def test_a_clock_that_steps_back_a_little_forgets_nothing():
    window = filled(SlicedWindow(MINUTE_S), 1, 1, 1)
    assert window.used(NOON - 0.5) == 3
    window.add(NOON - 0.5)
    assert window.used(NOON + 2) == 4


def test_a_sliced_window_forgets_each_slice_a_minute_after_it_began():
    window = SlicedWindow(MINUTE_S)
    window.add(NOON + 10, 60)
    window.add(NOON + 30, 40)
    assert window.used(NOON + 69.4) == 100
    assert window.used(NOON + 70) == 40
    assert window.used(NOON + 90) == 0


def test_a_sliced_window_keeps_no_more_numbers_than_slices():
    window = SlicedWindow(MINUTE_S)
    for moment in range(5000):
        window.add(NOON + moment / 10)
    assert window.used(NOON + 499.9) == pytest.approx(600, abs=5)
    assert len(window._slices) == SLICES


@pytest.mark.parametrize("offset_s", [10.0, 50.0, 64.0])
@pytest.mark.parametrize("amount", [1, 40, 100])
def test_after_the_wait_of_a_sliced_window_there_is_room(offset_s: float, amount: int):
    window = SlicedWindow(MINUTE_S)
    window.add(NOON + 5, 150)
    window.add(NOON + offset_s, 10)
    now = NOON + offset_s
    wait = window.wait_s(now, limit=100, amount=amount)
    assert 0 < wait <= MINUTE_S
    assert window.used(now + wait - 0.01) + amount > 100
    assert window.used(now + wait + 0.01) + amount <= 100


def test_a_sliced_window_with_room_causes_no_wait():
    assert filled(SlicedWindow(MINUTE_S), 0, 10).wait_s(NOON + 20, limit=3) == 0


def test_small_limits_are_counted_exactly_and_keep_their_window_when_they_change():
    window = fitting(None, 60, MINUTE_S)
    assert isinstance(window, ExactWindow)
    assert fitting(window, 90, MINUTE_S) is window
    assert isinstance(fitting(window, EXACT_UP_TO + 1, MINUTE_S), SlicedWindow)
    assert fitting(window, None, MINUTE_S) is None
    assert fitting(None, None, MINUTE_S) is None


def test_the_window_kind_changes_above_the_exact_limit_in_both_directions():
    assert isinstance(fitting(None, EXACT_UP_TO, MINUTE_S), ExactWindow)
    wide = fitting(None, EXACT_UP_TO + 1, MINUTE_S)
    assert isinstance(wide, SlicedWindow)
    assert fitting(wide, EXACT_UP_TO + 2, MINUTE_S) is wide
    assert isinstance(fitting(wide, EXACT_UP_TO, MINUTE_S), ExactWindow)


@pytest.mark.parametrize("span_s", [MINUTE_S, DAY_S])
def test_a_use_counts_in_an_exact_window_for_its_whole_span(span_s: int):
    assert filled(ExactWindow(span_s), 0).used(NOON) == 1
    assert filled(ExactWindow(span_s), 0).used(NOON + span_s) == 1
    assert filled(ExactWindow(span_s), 0).used(NOON + span_s + 0.001) == 0


@pytest.mark.parametrize("span_s", [MINUTE_S, DAY_S])
def test_a_use_counts_in_a_sliced_window_until_its_slice_is_a_span_old(span_s: int):
    width = span_s / SLICES
    assert filled(SlicedWindow(span_s), 0).used(NOON) == 1
    assert filled(SlicedWindow(span_s), 0).used(NOON + span_s - 0.001) == 1
    assert filled(SlicedWindow(span_s), 0).used(NOON + span_s) == 0
    assert filled(SlicedWindow(span_s), width - 0.001).used(NOON + span_s - 0.001) == 1
    assert filled(SlicedWindow(span_s), width - 0.001).used(NOON + span_s) == 0


@pytest.mark.parametrize("kind", [ExactWindow, SlicedWindow])
def test_a_day_window_reports_its_seconds_in_a_day(kind: type[ExactWindow] | type[SlicedWindow]):
    window = filled(kind(DAY_S), 0)
    assert window.reset_s(NOON + 3600) == DAY_S - 3600
    assert window.wait_s(NOON + 3600, limit=1) == DAY_S - 3600


@pytest.mark.parametrize("kind", [ExactWindow, SlicedWindow])
def test_an_empty_window_has_room_at_once(kind: type[ExactWindow] | type[SlicedWindow]):
    window = kind(MINUTE_S)
    assert (window.used(NOON), window.reset_s(NOON), window.wait_s(NOON, limit=1)) == (0, 0, 0)
    window.add(NOON)
    assert (window.used(NOON + 61), window.reset_s(NOON + 61), window.wait_s(NOON + 61, limit=1)) == (0, 0, 0)


@pytest.mark.parametrize("kind", [ExactWindow, SlicedWindow])
def test_an_amount_is_counted_in_full(kind: type[ExactWindow] | type[SlicedWindow]):
    window = kind(MINUTE_S)
    window.add(NOON, 5)
    window.add(NOON + 0.1, 2)
    assert window.used(NOON + 0.1) == 7
    assert window.wait_s(NOON + 0.1, limit=7) == pytest.approx(59.9)
    assert window.wait_s(NOON + 0.1, limit=8) == 0


@pytest.mark.parametrize("kind", [ExactWindow, SlicedWindow])
def test_more_than_the_limit_waits_no_longer_than_until_the_window_is_empty(kind: type[ExactWindow] | type[SlicedWindow]):
    window = filled(kind(MINUTE_S), 0, 10)
    assert window.wait_s(NOON + 20, limit=1, amount=5) == pytest.approx(50)


def test_a_moment_ahead_of_a_clock_that_was_set_back_is_dropped_from_an_exact_window():
    window = filled(ExactWindow(MINUTE_S), 0, 10)
    assert window.used(NOON + 5) == 2  # the oldest moment decides, and it is in the past
    assert window.used(NOON - 1) == 0


def test_a_sliced_window_keeps_half_a_span_of_uses_ahead_of_a_clock_that_was_set_back():
    assert filled(SlicedWindow(MINUTE_S), 30).used(NOON) == 1
    assert filled(SlicedWindow(MINUTE_S), 30.5).used(NOON) == 0


def test_a_use_that_is_counted_after_its_slice_was_looked_at_is_forgotten_in_time():
    window = SlicedWindow(MINUTE_S)
    assert window.used(NOON) == 0
    window.add(NOON + 0.2, 3)
    window.add(NOON + 0.4, 4)
    assert window.used(NOON + 0.4) == 7
    assert len(window._slices) == 1
    assert window.used(NOON + 60) == 0


@pytest.mark.parametrize("kind", [ExactWindow, SlicedWindow])
def test_a_wait_below_one_second_is_reported_as_it_is(kind: type[ExactWindow] | type[SlicedWindow]):
    window = filled(kind(MINUTE_S), 0)
    assert window.reset_s(NOON + 59.75) == 0.25
    assert window.wait_s(NOON + 59.75, limit=1) == 0.25
