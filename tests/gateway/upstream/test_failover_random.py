"""A thousand random schedules of faults: each request ends once, in success or an honest error, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.health import circuit
from tests.fakes.scenario import LONG, OTHER_VARIANTS, VARIANTS, ClientResponse, Scenario, open_scenario
from tests.fakes.script import Step

ALL_WAYS = [*VARIANTS, *OTHER_VARIANTS]
SEEDS = -(-1000 // len(ALL_WAYS))
"""For each way."""
AT_ONCE = 4
"""Schedules that run at the same time, each with models of its own: most of the time they wait."""
REQUESTS = 8

FAULTS = (
    *(Step(status=status) for status in (429, 500, 503, 529)),
    Step(status=429, headers={"retry-after-ms": "30"}),
    Step(status=400, message="no"),
    Step(status=404, message="no such model"),
    *(Step(reset=True), Step(hang=True), Step(delay_s=0.3), Step(think_s=0.3), Step(think_s=0.08)),
    *(Step(cut_after=count) for count in (0, 3)),
    *(Step(malformed_after=count) for count in (0, 3)),
    *(Step(error_after=count) for count in (0, 3)),
    *(Step(stall_after=3), Step(no_end=True), Step(cut_after=3, frame_s=0.01)),
    *(Step(body=body) for body in ("<html>oops</html>", {"error": {"message": "oops"}}, "")),
    *(Step(frame_s=0.01, split_bytes=7), Step(tokens=None)),
)


@pytest.fixture(params=ALL_WAYS, ids=str)
async def scenario(request: pytest.FixtureRequest, home: Home, short_backoff: None) -> AsyncIterator[Scenario]:
    """Every dialect of the client API."""
    async with open_scenario(request.param, home) as made:
        yield made


async def one(scenario: Scenario, dice: random.Random, seed: int) -> ClientResponse | None:
    """A request read to its end; None where the client hung up before."""
    patience = dice.choice((None, None, None, 0.03, 0.1))
    try:
        async with asyncio.timeout(patience):
            return await scenario.ask(f"{dice.choice(('ab', 'ab', 'turns', 'spared', 'a'))}-{seed}")
    except TimeoutError:
        return None


def honest(response: ClientResponse, record: RequestRecord) -> None:
    """Success or error, never both and never neither; the record says the same."""
    assert response.ended_well != (response.error is not None), response.raw
    if response.ended_well:
        assert LONG in response.text
        assert record.status == "success"
        assert record.attempts[-1].outcome == "ok"
        assert record.http_status == response.status == 200
    else:
        assert response.message
        assert record.status in ("error", "broken")
        assert record.http_status >= 400
        assert all(attempt.outcome != "ok" for attempt in record.attempts)
    assert b"oops" not in response.raw.replace(response.message.encode(), b"")


async def schedule(scenario: Scenario, seed: int) -> int:
    """One seed's faults and requests; how many of the clients hung up."""
    dice = random.Random(f"{scenario.variant} {seed}")
    for vendor, model in ((scenario.a, "alpha"), (scenario.b, "beta")):
        faulty = dice.random()
        steps = (dice.choice(FAULTS) if dice.random() < faulty else Step() for _ in range(8))
        vendor.script(*steps, model=f"{model}-{seed}", cycle=True)
    response = await asyncio.gather(*(one(scenario, dice, seed) for _ in range(REQUESTS)))
    records = {record.id: record for record in scenario.gateway.records}
    for each in response:
        if each is not None:
            honest(each, records[each.headers["x-conduit-request-id"]])
    return sum(each is None for each in response)


async def several(scenario: Scenario, seeds: Iterator[int]) -> int:
    """One schedule after the other."""
    left = 0
    for seed in seeds:
        try:
            left += await schedule(scenario, seed)
        except Exception as error:
            error.add_note(f"seed {seed} of {scenario.variant}")
            raise
    return left


async def furnish(scenario: Scenario) -> None:
    """Aliases whose targets are other models for each schedule: two targets, in order or round-robin, one, one with a fallback."""
    timeouts = {"first_token_s": 0.15, "idle_s": 0.15, "total_s": 0.6}
    await scenario.configure(keepalive_s=0.05, timeouts=timeouts)
    gateway = scenario.gateway
    for pattern in ("alpha-*", "beta-*"):
        await gateway.add_price(pattern, 1.0, 2.0)
    await gateway.add_alias("ab-*", "a/alpha-*", "b/beta-*", timeouts=timeouts)
    await gateway.add_alias("turns-*", "a/alpha-*", "b/beta-*", timeouts=timeouts, strategy="round_robin")
    await gateway.add_alias("a-*", "a/alpha-*", timeouts=timeouts)
    await gateway.add_alias("spare", "b/beta", timeouts=timeouts)
    await gateway.add_alias("spared-*", "a/alpha-*", timeouts=timeouts, fallbacks=("spare",))


@pytest.mark.timeout(120)
async def test_random_faults_end_every_request_once_and_leave_nothing_behind(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "OPEN_BASE_S", 0.05)
    monkeypatch.setattr(circuit, "COOLDOWN_S", 0.05)
    await furnish(scenario)
    before = asyncio.all_tasks()
    seeds = iter(range(SEEDS))
    left = sum(await asyncio.gather(*(several(scenario, seeds) for _ in range(AT_ONCE))))
    await scenario.settled()
    scenario.check()
    outcomes = Counter(record.status for record in scenario.gateway.records)
    assert SEEDS * REQUESTS - left <= sum(outcomes.values()) <= SEEDS * REQUESTS
    assert outcomes["cancelled"] <= left
    assert outcomes.keys() >= {"success", "error", "cancelled"}, "the schedules try nothing"
    session = scenario.gateway.state.upstream._session
    assert session is not None
    assert not session.connector._acquired, "connections left"
    # What serves idle connections of the test's own client and vendors may come and go.
    tasks = [task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)]
    assert not tasks
