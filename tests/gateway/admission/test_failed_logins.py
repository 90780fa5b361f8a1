"""How many failed logins an address has, and when it may fail again."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission import failed_logins
from conduit_desktop.gateway.admission.failed_logins import EVERY_S, FREE, MOST, FailedLogins

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


def test_twenty_failures_are_answered_and_then_one_in_three_seconds(logins: FailedLogins, ticks: Ticks) -> None:
    assert [logins.failed(A) for _ in range(23)] == [0.0] * 20 + [3.0] * 3
    assert logins.wait_s(A) == 3
    ticks.now += 2
    assert logins.wait_s(A) == logins.failed(A) == 1
    ticks.now += 1
    assert logins.wait_s(A) == 0
    assert [logins.failed(A) for _ in range(2)] == [0, 3]
    ticks.now += 10
    assert [logins.failed(A) for _ in range(4)] == [0, 0, 0, 2]


def test_after_a_minute_all_twenty_are_free_again(logins: FailedLogins, ticks: Ticks) -> None:
    for _ in range(20):
        logins.failed(A)
    ticks.now += 60
    assert [logins.failed(A) for _ in range(21)] == [0.0] * 20 + [3.0]
    ticks.now += 10_000
    assert [logins.failed(A) for _ in range(21)] == [0.0] * 20 + [3.0]


def test_an_address_that_never_failed_has_no_wait(logins: FailedLogins) -> None:
    assert logins.wait_s(A) == 0
    logins.failed(B)
    assert (logins.wait_s(A), logins.wait_s(B)) == (0, 0)


def test_the_twentieth_failure_is_logged_once(logins: FailedLogins, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(19):
        logins.failed(A)
    assert caplog.messages == []
    for _ in range(30):
        logins.failed(A)
    assert caplog.messages == [f"20 failed logins from {A}: further ones are slowed down"]


def test_4096_addresses_are_known_and_the_one_that_failed_least_lately_is_forgotten(logins: FailedLogins) -> None:
    for address in (A, B):
        for _ in range(20):
            logins.failed(address)
    for number in range(MOST - 2):
        logins.failed(f"10.0.{number >> 8}.{number & 255}")
    assert (logins.wait_s(A), logins.wait_s(B)) == (3, 3)
    logins.failed(A)
    logins.failed("10.9.9.9")
    assert (logins.wait_s(A), logins.wait_s(B)) == (3, 0)
    assert MOST == 4096


def test_an_ipv6_network_of_64_bits_is_one_address_and_a_wrong_one_is_itself(logins: FailedLogins) -> None:
    for number in range(20):
        logins.failed(f"2001:db8:0:1:{number:x}::")
    assert logins.wait_s("2001:db8:0:1:ffff:ffff:ffff:ffff") == 3
    assert logins.wait_s("2001:db8:0:2::") == logins.wait_s("2001:db8::") == 0
    assert logins.failed("fe80::1") == logins.failed("ffff::1") == 0
    for _ in range(20):
        logins.failed("no: address")
    assert logins.wait_s("no: address") == 3
    assert logins.wait_s("no: other") == 0
