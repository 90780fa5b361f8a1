"""Windows at the borders of their slices."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission.windows import DAY_S, MINUTE_S, SLICES, ExactWindow, SlicedWindow, UsageWindow, fitting

NOON = 1_800_000_000.0
KINDS = [ExactWindow, SlicedWindow]


def filled(window: UsageWindow, *uses: tuple[float, int]) -> UsageWindow:
    for second, amount in uses:
        window.add(NOON + second, amount)
    return window


def test_up_to_six_hundred_uses_are_counted_one_by_one() -> None:
    assert (MINUTE_S, DAY_S, SLICES) == (60, 86_400, 120)
    assert isinstance(fitting(None, 600, 60), ExactWindow)
    sliced = fitting(None, 601, 60)
    assert isinstance(sliced, SlicedWindow)
    assert fitting(sliced, 1000, 60) is sliced
    assert isinstance(fitting(sliced, 600, 60), ExactWindow)
    assert fitting(sliced, None, 60) is None
    assert isinstance(fitting(None, 0, 60), ExactWindow)


@pytest.mark.parametrize(("second", "used"), [(0, 3), (59.99, 3), (60, 3), (60.01, 2), (69.99, 2), (70.01, 1), (81, 0)])
def test_a_single_use_counts_until_a_span_is_over(second: float, used: int) -> None:
    assert filled(ExactWindow(60), (0, 1), (10, 1), (20, 1)).used(NOON + second) == used


@pytest.mark.parametrize(("second", "used"), [(0.4, 7), (59.9, 7), (60, 4), (60.49, 4), (60.5, 0), (100, 0)])
def test_a_use_on_the_border_of_two_slices_belongs_to_the_later_one(second: float, used: int) -> None:
    window = filled(SlicedWindow(60), (0.2, 2), (0.4, 1), (0.5, 4))
    assert window.used(NOON + second) == used


def test_a_use_is_counted_in_the_slice_of_its_own_moment_after_a_look() -> None:
    window = filled(SlicedWindow(60), (0.2, 2))
    assert window.used(NOON + 0.5) == 2
    window.add(NOON + 0.7)
    assert window.used(NOON + 60) == 1
    assert window.reset_s(NOON + 60) == 0.5


def test_uses_of_one_slice_are_kept_as_one_number_however_the_clock_jumps() -> None:
    window = SlicedWindow(60)
    for number in range(100):
        window.add(NOON + number % 2)
    assert len(window._slices) <= 2
    assert window.used(NOON + 1) == 100


def test_the_first_slice_that_is_kept_is_the_one_after_a_span() -> None:
    for seconds, used in ((59.99, 1), (60, 0)):
        assert filled(SlicedWindow(60), (0, 1)).used(NOON + seconds) == used


@pytest.mark.parametrize(("back_s", "used"), [(0, 1), (29.9, 1), (30, 1), (30.1, 0), (30.6, 0), (100, 0)])
def test_uses_ahead_by_more_than_half_a_span_are_dropped(back_s: float, used: int) -> None:
    window = filled(SlicedWindow(60), (100, 1))
    assert window.used(NOON + 100 - back_s) == used


@pytest.mark.parametrize("kind", KINDS)
def test_a_wait_is_until_enough_uses_are_over(kind: type[ExactWindow] | type[SlicedWindow]) -> None:
    window = filled(kind(60), (0, 1), (10, 2), (20, 3))
    now = NOON + 20
    assert [window.wait_s(now, 6, amount) for amount in (0, 1, 2, 3, 4, 6, 7, 100)] == [0, 40, 50, 50, 60, 60, 60, 60]
    assert [window.wait_s(now, limit) for limit in (7, 6, 5, 0)] == [0, 40, 50, 60]
    assert kind(60).wait_s(now, 0) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_is_reset_when_its_first_use_is_over(kind: type[ExactWindow] | type[SlicedWindow]) -> None:
    window = filled(kind(60), (0, 1), (10, 2))
    assert [window.reset_s(NOON + second) for second in (10, 30, 59.5)] == [50, 30, 0.5]
    assert window.reset_s(NOON + 60.5) == 9.5
    assert window.reset_s(NOON + 80) == 0


def test_no_wait_of_a_sliced_window_is_below_zero() -> None:
    window = filled(SlicedWindow(60), (0, 5))
    assert window.reset_s(NOON + 59.9) == pytest.approx(0.1)
    assert window.wait_s(NOON + 59.9, 5) == pytest.approx(0.1)
    # Counted for a moment that is over already, as after a restart.
    late = SlicedWindow(60)
    late.used(NOON + 100)
    late.add(NOON + 100)
    assert late.wait_s(NOON + 100, 1) == 60


def test_a_reset_on_the_border_of_a_slice_is_that_of_the_next_use() -> None:
    window = filled(SlicedWindow(60), (0, 1), (10, 2))
    assert window.reset_s(NOON + 59.9) == pytest.approx(0.1)
    assert window.reset_s(NOON + 60) == 10
