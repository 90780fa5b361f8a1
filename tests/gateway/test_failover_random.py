"""Two hundred random schedules of faults: each request ends once, in success or an honest error, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import random

import pytest

from conduit_desktop.gateway import health
from tests.fakes.crossing import LONG, Crossing, Heard
from tests.fakes.script import Step

SEEDS = 25
"""For each of the eight ways."""
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


async def one(crossing: Crossing, dice: random.Random) -> Heard | None:
    """A request heard to its end; None where the caller hung up before."""
    patience = dice.choice((None, None, None, 0.03, 0.1))
    try:
        async with asyncio.timeout(patience):
            return await crossing.ask(dice.choice(("ab", "ab", "a")))
    except TimeoutError:
        return None


def honest(crossing: Crossing, heard: Heard) -> None:
    """Success or error, never both and never neither; the record says the same."""
    assert heard.ended_well != (heard.error is not None), heard.raw
    record = next(record for record in crossing.gateway.records if record.id == heard.headers["x-conduit-request-id"])
    if heard.ended_well:
        assert LONG in heard.text
        assert record.status == "success"
        assert record.attempts[-1].outcome == "ok"
        assert record.http_status == heard.status == 200
    else:
        assert heard.message
        assert record.status in ("error", "broken")
        assert record.http_status >= 400
        assert all(attempt.outcome != "ok" for attempt in record.attempts)
    assert b"oops" not in heard.raw.replace(heard.message.encode(), b"")


async def schedule(crossing: Crossing, seed: int) -> None:
    """One seed's faults and requests."""
    dice = random.Random(f"{crossing.way} {seed}")
    crossing.gateway.health.targets.clear()
    crossing.gateway.health.doors.clear()
    for vendor in (crossing.a, crossing.b):
        faulty = dice.random()
        vendor.script(*(dice.choice(FAULTS) if dice.random() < faulty else Step() for _ in range(8)), cycle=True)
    heard = await asyncio.gather(*(one(crossing, dice) for _ in range(REQUESTS)))
    await crossing.settled(5)
    crossing.check()
    for each in heard:
        if each is not None:
            honest(crossing, each)
    left = sum(each is None for each in heard)
    assert sum(record.status == "cancelled" for record in crossing.gateway.records[-REQUESTS:]) <= left


@pytest.mark.timeout(120)
async def test_random_faults_end_every_request_once_and_leave_nothing_behind(
    crossing: Crossing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "OPEN_BASE_S", 0.05)
    monkeypatch.setattr(health, "COOLDOWN_S", 0.05)
    await crossing.furnish(keepalive_s=0.05, timeouts={"first_token_s": 0.15, "idle_s": 0.15, "total_s": 0.6})
    before = asyncio.all_tasks()
    for seed in range(SEEDS):
        try:
            await schedule(crossing, seed)
        except AssertionError as error:
            error.add_note(f"seed {seed} of {crossing.way}")
            raise
    seen = {record.status for record in crossing.gateway.records}
    assert seen >= {"success", "error", "cancelled"}, "the schedules try nothing"
    session = crossing.gateway.upstream._session
    assert session is not None
    assert not session.connector._acquired, "connections left"
    # What serves idle connections of the test's own client and vendors may come and go.
    left = [task for task in asyncio.all_tasks() - before if "RequestHandler" not in repr(task)]
    assert not left
