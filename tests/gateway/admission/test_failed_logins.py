"""How many failed logins an address has, and when it may fail again."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission import failed_logins
from conduit_desktop.gateway.admission.failed_logins import EVERY_S, FREE, FailedLogins

A, B = "203.0.113.7", "203.0.113.8"


class Ticks:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def logins(ticks: Ticks) -> FailedLogins:
    return FailedLogins(ticks)


def test_the_first_failures_are_answered_and_the_next_has_to_wait(logins: FailedLogins) -> None:
    assert [logins.failed(A) for _ in range(FREE)] == [0.0] * FREE
    assert logins.failed(A) == pytest.approx(EVERY_S)
    assert logins.wait_s(A) == pytest.approx(EVERY_S)


def test_one_address_slows_down_no_other(logins: FailedLogins) -> None:
    for _ in range(FREE + 5):
        logins.failed(A)
    assert logins.failed(B) == logins.wait_s(B) == 0


def test_an_address_may_fail_again_after_the_wait_and_is_not_kept_out_by_trying(logins: FailedLogins, ticks: Ticks) -> None:
    for _ in range(FREE + 100):
        logins.failed(A)
    ticks.now += EVERY_S
    assert logins.failed(A) == 0
    assert logins.failed(A) > 0


def test_all_addresses_of_one_ipv6_network_count_as_one(logins: FailedLogins) -> None:
    for number in range(FREE):
        logins.failed(f"2001:db8::{number:x}")
    assert logins.failed("2001:db8::ffff") > 0
    assert logins.failed("2001:db8:0:1::1") == 0
    for _ in range(FREE):
        logins.failed(f"::ffff:{A}")
    assert logins.failed(A) > 0


def test_a_flood_from_many_addresses_takes_bounded_memory(logins: FailedLogins) -> None:
    for number in range(3 * failed_logins.MOST):
        logins.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        logins.failed(f"2001:db8:{number:x}::1")
    assert len(logins._full_at) == failed_logins.MOST


def test_the_address_that_failed_least_lately_is_forgotten(logins: FailedLogins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "MOST", 2)
    for _ in range(FREE):
        logins.failed(A)
    for other in ("10.0.0.1", "10.0.0.2"):
        logins.failed(other)
    assert logins.failed(A) == 0
