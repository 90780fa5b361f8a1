"""Age is counted by a clock that jumps of the system's do not move, and strangers push out no record but their own."""

from __future__ import annotations

import pytest

from conduit_desktop.core.settings import Settings
from conduit_desktop.store.sqlite.retention import RetentionClock
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.samples import DAY, NOON, record, write

HOUR = 3_600_000


class Clocks:
    """The time of day and monotonic time of one process."""

    def __init__(self, store: SqliteStore, wall_ms: int) -> None:
        self.store, self.wall_ms, self.ticks = store, wall_ms, 0.0
        self.restart()

    def restart(self) -> None:
        self.store.retention = RetentionClock(self.store.database, self.store.meta, lambda: self.wall_ms, lambda: self.ticks)

    def pass_by(self, ms: int) -> None:
        self.wall_ms += ms
        self.ticks += ms / 1000


async def _records(store: SqliteStore) -> int:
    return len((await store.ledger.list(limit=500))[0])


@pytest.fixture
async def filled(store: SqliteStore) -> SqliteStore:
    await write(store, *(record(number) for number in range(5)))
    await store.payloads.put("kept", b"", b"", NOON)
    await store.audit.add("gui", "add", "kept", at=NOON)
    return store


async def _all_there(store: SqliteStore) -> bool:
    return await _records(store) == 5 and await store.payloads.get("kept") is not None and len((await store.audit.list())[0]) == 1


@pytest.mark.parametrize("known", [True, False], ids=["known home", "home of an earlier release"])
@pytest.mark.parametrize("years", [1, 10])
async def test_starts_with_the_clock_years_ahead_delete_nothing(filled: SqliteStore, known: bool, years: int) -> None:
    clocks = Clocks(filled, NOON + HOUR)
    if known:
        await filled.tidy(Settings())
    clocks.wall_ms += years * 365 * DAY
    for _ in range(5):
        clocks.restart()
        for _ in range(3):
            clocks.pass_by(HOUR)
            await filled.tidy(Settings())
    assert await _all_there(filled)


async def test_a_jump_while_running_deletes_nothing_and_neither_does_the_way_back(filled: SqliteStore) -> None:
    clocks = Clocks(filled, NOON + HOUR)
    await filled.tidy(Settings())
    clocks.wall_ms += 3650 * DAY
    clocks.pass_by(HOUR)
    await filled.tidy(Settings())
    clocks.wall_ms -= 3650 * DAY
    clocks.pass_by(HOUR)
    await filled.tidy(Settings())
    assert await _all_there(filled)
    assert await filled.retention.now_ms() == clocks.wall_ms


async def test_after_months_off_what_is_old_goes_once_the_program_has_run_for_a_day(filled: SqliteStore) -> None:
    clocks = Clocks(filled, NOON + HOUR)
    await filled.tidy(Settings())
    clocks.wall_ms += 400 * DAY
    clocks.restart()
    for _ in range(24):
        assert await _all_there(filled)
        clocks.pass_by(HOUR)
        await filled.tidy(Settings())
    assert not await _all_there(filled)
    assert await _records(filled) == 0


async def test_a_weekend_off_changes_nothing(filled: SqliteStore) -> None:
    clocks = Clocks(filled, NOON)
    for _ in range(5):
        await filled.tidy(Settings())
        clocks.pass_by(DAY)
    await filled.tidy(Settings())
    assert await _all_there(filled)
    clocks.wall_ms += 62 * HOUR
    clocks.restart()
    await filled.tidy(Settings())
    assert await filled.payloads.get("kept") is None, "bodies are kept for seven days"


async def test_refused_calls_without_a_key_push_out_no_other_record(store: SqliteStore) -> None:
    await write(store, *(record(number) for number in range(300)))
    await write(store, record(300, status="refused", error_code="model_not_allowed", key_id="key_a"))
    strangers = [
        record(1000 + number, status="refused", error_code="invalid_api_key", key_id="", cost_nano=None) for number in range(700)
    ]
    await write(store, *strangers)
    now = NOON + DAY
    assert await store.ledger.prune(max_age_days=90, max_rows=400, now_ms=now) == 601
    left = [row for page in [(await store.ledger.list(limit=500))[0]] for row in page]
    assert sum(row.key_id == "key_a" for row in left) == 301
    assert [row.id for row in left if not row.key_id] == [one.id for one in reversed(strangers[-99:])], "the newest of them stay"
    assert await store.ledger.prune(max_age_days=90, max_rows=200, now_ms=now) == 200
    left = (await store.ledger.list(limit=500))[0]
    assert {row.key_id for row in left} == {"key_a"}
    assert len(left) == 200
