"""The clock jumps: the computer slept for eight hours, or somebody set its clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from conduit_desktop.core import clock as clock_module
from conduit_desktop.gateway.admission import limits
from conduit_desktop.gateway.upstream.client import Upstream
from tests.fakes.clock import Clock
from tests.fakes.scenario import LONG, Scenario
from tests.fakes.script import Step
from tests.fakes.waiting import until

HOURS_8 = 8 * 3600.0
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()


class WallTime:
    """Stands in for the module `time`."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock.wall
        self.monotonic = clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """22:00 UTC, for limits and budgets."""
    made = Clock(wall=MIDNIGHT - 7200)
    for module in (limits, clock_module):
        monkeypatch.setattr(module, "time", WallTime(made))
    return made


async def start(scenario: Scenario, clock: Clock, **key: object) -> None:
    """Everything counts by `clock` from now on."""
    await scenario.configure()
    scenario.gateway.state.upstream = Upstream(wall=clock.wall, ticks=clock)
    scenario.gateway.state.budgets.now_ms = clock.millis
    await scenario.gateway.store.keys.delete("key_tester")
    await scenario.gateway.add_key(**{"budget_nano": 10**12, "unpriced": "allow", **key})


async def test_s26_after_a_sleep_idle_connections_are_not_used_again(scenario: Scenario, clock: Clock) -> None:
    await start(scenario, clock)
    scenario.a.script(Step(headers={"x": "y"}))
    for _ in range(2):
        assert (await scenario.ask("a")).ended_well
    clock.sleep(HOURS_8)
    response = await scenario.ask("a")
    assert response.ended_well
    assert response.times[-1] < 1.0
    before, after = scenario.a.requests[1], scenario.a.requests[2]
    assert before.peer != after.peer
    assert [record.status for record in scenario.gateway.records] == ["success"] * 3
    assert [len(record.attempts) for record in scenario.gateway.records] == [1, 1, 1]


async def test_s26_connections_are_kept_where_no_clock_jumps(wholes: Scenario, clock: Clock) -> None:
    await start(wholes, clock)
    for _ in range(3):
        await wholes.ask("a")
        clock.advance(HOURS_8)
    assert len({call.peer for call in wholes.a.requests}) == 1


async def test_s26_a_stream_under_way_goes_on(streams: Scenario, clock: Clock) -> None:
    await start(streams, clock)
    streams.a.script(Step(text=LONG, frame_s=0.1))
    slow = asyncio.ensure_future(streams.ask("a"))
    await until(lambda: streams.a.requests and streams.a.requests[-1].frames_sent > 1)
    clock.sleep(HOURS_8)
    quick = await streams.ask("a", text="hello")
    assert quick.ended_well
    response = await slow
    assert response.ended_well
    assert response.text == LONG


async def test_s26_windows_and_budgets_go_by_the_time_of_day(scenario: Scenario, clock: Clock) -> None:
    await start(scenario, clock, rpm=2, budget_period="daily", budget_nano=10**12)
    for _ in range(2):
        assert (await scenario.ask()).status == 200
    assert (await scenario.ask()).status == 429
    spent = scenario.gateway.account("key_tester").spend_nano
    assert spent > 0
    clock.sleep(HOURS_8)  # past midnight
    assert (await scenario.ask()).status == 200
    account = scenario.gateway.account("key_tester")
    assert account.spend_nano == scenario.record.cost_nano
    assert account.period_start == MIDNIGHT * 1000
    for yesterdays in scenario.gateway.records[:2]:
        yesterdays.cost_nano = 0  # for the comparison of spend and records at the end


async def test_s26_a_clock_set_back_leaves_no_target_excluded(scenario: Scenario, clock: Clock) -> None:
    await start(scenario, clock, rpm=2)
    for _ in range(2):
        assert (await scenario.ask()).status == 200
    clock.set_wall(clock.wall() - HOURS_8)
    assert (await scenario.ask()).status == 200


async def test_s26_cooldowns_and_circuits_go_by_the_monotonic_clock(scenario: Scenario, clock: Clock) -> None:
    await start(scenario, clock)
    scenario.gateway.health.now = clock
    scenario.a.script(Step(status=429, headers={"retry-after": "60"}), Step())
    assert (await scenario.ask()).by == "b"
    clock.set_wall(clock.wall() + HOURS_8)  # somebody set the clock: the minute is not over
    assert (await scenario.ask()).by == "b"
    clock.advance(61)
    assert (await scenario.ask()).by == "a"
