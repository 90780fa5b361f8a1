"""Usage of long ranges, read from blocks of days and parts of days: against sums made here, record by record."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.records import CostCorrection, RequestRecord, UsageRow
from conduit_desktop.store.interface import Spending, UsageGroup
from conduit_desktop.store.sqlite import ledger
from conduit_desktop.store.sqlite.store import SqliteStore
from conduit_desktop.store.sqlite.summaries import PAIRS, PAIRS_OF_QUARTERS, PAIRS_OF_REQUESTS, PARTS
from tests.store.conftest import OpenFilled
from tests.store.samples import write

HOUR = 3_600_000
DAY = 24 * HOUR
# A block of 64 days begins here; in it, clocks are set back in Berlin (25 October) and in New York (1 November).
FIRST_DAY = 324 * 64
FIRST = FIRST_DAY * DAY
LENGTH = 90
"""Days: a block of 64, one of 16, two of 4 and two days."""
END = FIRST + LENGTH * DAY
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu")
HALF = ("Asia/Kolkata", "Asia/Kathmandu")
SINGLE: tuple[UsageGroup, ...] = ("key", "team", "model", "provider", "upstream_model", "client", "endpoint", "status")
OF_LOG: tuple[UsageGroup, ...] = ("session", "user", "tag")


def drawn() -> list[RequestRecord]:
    """160 requests of `LENGTH` days, most of them near a midnight somewhere."""
    draw = random.Random(11)
    made = []
    for number in range(160):
        status = draw.choice(["success"] * 6 + ["error", "broken", "refused", "cancelled"])
        at = FIRST + draw.randrange(LENGTH) * DAY + draw.choice([0, 10, 18, 22, 23]) * HOUR + draw.randrange(HOUR)
        made.append(
            RequestRecord(
                id=f"r{number:03}", started_at=at, key_id=draw.choice(["k1", "k2", "k3"]), key_name="key",
                team=draw.choice(["red", "blue", ""]), model=draw.choice("abc"), provider=draw.choice(["x", "y", ""]),
                upstream_model=draw.choice(["m1", "m2"]), client=draw.choice(["codex", "claude-cli"]),
                session=draw.choice(["s1", "s2", f"once{number:03}", ""]), user=draw.choice(["u1", "u2", ""]),
                tags=tuple(draw.sample(["t1", "t2", "t3"], draw.randrange(3))), endpoint=draw.choice(["chat", "embeddings"]),
                status=status, input=draw.randrange(1000), output=draw.randrange(1000),
                cost_nano=None if status == "refused" else draw.randrange(10**9), cost_state="final",
                duration_ms=5.0, first_token_ms=3.0,
            )
        )  # fmt: skip
    return made


async def summed_up(store: SqliteStore) -> list[RequestRecord]:
    """All of them, summed up."""
    made = drawn()
    await write(store, *made)
    assert await store.ledger.summarize(END + DAY) > LENGTH
    return made


async def corrected(store: SqliteStore) -> list[RequestRecord]:
    """Some were written late, some costs changed later: their days were summed up twice."""
    made = drawn()
    await write(store, *(one for one in made if one not in made[::7]))
    await store.ledger.summarize(END + DAY)
    await write(store, *made[::7])
    chosen = [one for one in made[::5] if one.cost_nano is not None]
    changes = [CostCorrection(one.id, one.cost_nano, 77, "final", [], "override", "") for one in chosen]
    await store.transact(lambda tx: tx.ledger.correct(changes, "cli", END))
    await store.ledger.summarize(END + DAY)
    return [dataclasses.replace(one, cost_nano=77) if one in chosen else one for one in made]


async def stale(store: SqliteStore) -> list[RequestRecord]:
    """Some were written late, and are not summed up yet."""
    made = drawn()
    await write(store, *(one for one in made if one not in made[::40]))
    await store.ledger.summarize(END + DAY)
    await write(store, *made[::40])
    return made


async def pruned(store: SqliteStore) -> list[RequestRecord]:
    """All requests but those of the last 10 days are gone."""
    made = drawn()
    await write(store, *made)
    assert await store.ledger.prune(10, 10**6, END) > 100
    await store.ledger.summarize(END + DAY)
    return made


@functools.cache
def day_and_hour(at_ms: int, zone: tzinfo) -> tuple[str, str]:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    text = at.replace(minute=0, second=0, microsecond=0).isoformat()
    return at.date().isoformat(), text.replace("+00:00", "Z") if zone is UTC else text


def values_of(record: RequestRecord, group: str, zone: tzinfo) -> tuple[str, ...]:
    match group:
        case "day":
            return (day_and_hour(record.started_at, zone)[0],)
        case "hour":
            return (day_and_hour(record.started_at, zone)[1],)
        case "key":
            return (record.key_id,)
        case "tag":
            return record.tags or ("",)
    return (getattr(record, group),)


Sums = dict[tuple[str, ...], list[int]]


def naive(records: Sequence[RequestRecord], groups: Sequence[str], zone: tzinfo, since: int | None, until: int | None) -> Sums:
    sums: Sums = defaultdict(lambda: [0] * 6)
    for one in records:
        if not (since or 0) <= one.started_at < (until or 2**62):
            continue
        for key in itertools.product(*(values_of(one, group, zone) for group in groups)):
            counts = (1, one.status in ("error", "broken"), one.status == "refused", one.input, one.output, one.cost_nano or 0)
            sums[key] = [before + count for before, count in zip(sums[key], counts, strict=True)]
    return dict(sums)


def key_of(row: UsageRow, groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(getattr(row, "key_id" if name == "key" else name) for name in groups)


def sums_of(rows: Sequence[UsageRow], groups: Sequence[str]) -> Sums:
    return {key_of(row, groups): [row.requests, row.failed, row.refused, row.input, row.output, row.cost_nano] for row in rows}


GROUPS: list[tuple[UsageGroup, ...]] = [
    (), ("day",), *((name,) for name in (*SINGLE, *OF_LOG)), *(("day", name) for name in (*SINGLE, *OF_LOG)), *PAIRS,  # type: ignore[list-item]
    *PAIRS_OF_REQUESTS,  # type: ignore[list-item]
    ("model", "session"), ("status", "tag"), ("user", "session"), ("day", "session", "model"),
    ("model", "key"), ("upstream_model", "provider"), ("key", "day"), ("day", "upstream_model", "provider"), ("hour",),
    ("hour", "key"), ("day", "model", "key", "provider"),
]  # fmt: skip


@pytest.mark.parametrize("made", [summed_up, corrected, stale, pruned], ids=lambda made: made.__name__)
async def test_every_group_and_pair_of_a_long_range_is_the_sum_of_its_records(
    open_filled: OpenFilled, made: Callable[..., Any]
) -> None:
    store, records = await open_filled(made)
    for name in ZONES:
        zone = UTC if name == "UTC" else ZoneInfo(name)
        midnight = round(datetime(2026, 10, 20, tzinfo=zone).timestamp() * 1000)
        for since, until in ((None, None), (FIRST + 3 * DAY, None), (midnight, midnight + 60 * DAY)):
            for groups in GROUPS:
                if made is pruned and name != "UTC" and groups == ("day", "session", "model"):
                    # Days of another time zone are summed from single requests.
                    continue
                rows = await store.ledger.usage(groups, since, until, zone)
                if made is pruned and name in HALF and set(groups) & set(OF_LOG):
                    # Only whole hours are known of requests that are gone: those of a midnight may be of the day before.
                    if since is None:
                        wanted = naive(records, groups, zone, None, None)
                        assert sum(row.requests for row in rows) == sum(sums[0] for sums in wanted.values()), (name, groups)
                    continue
                if made is pruned and {*PAIRS_OF_REQUESTS} & {groups, groups[::-1]}:
                    # Of requests that are gone, pairs are known by quarters of a day of UTC.
                    start, end = since and since - since % (6 * HOUR), until and until + -until % (6 * HOUR)
                    assert sums_of(rows, groups) == naive(records, groups, zone, start, end), (name, groups, since, until)
                    continue
                assert sums_of(rows, groups) == naive(records, groups, zone, since, until), (name, groups, since, until)
                keys = [key_of(row, groups) for row in rows]
                assert keys == sorted(keys), (name, groups)


@pytest.mark.parametrize("made", [summed_up, stale], ids=lambda made: made.__name__)
async def test_rows_come_in_parts_that_make_up_the_whole(open_filled: OpenFilled, made: Callable[..., Any]) -> None:
    store, _ = await open_filled(made)
    for name in ("UTC", "Europe/Berlin"):
        zone = UTC if name == "UTC" else ZoneInfo(name)
        for groups in (
            (),
            ("session",),
            ("key", "model"),
            ("model", "key"),
            ("day", "model"),
            ("hour", "key"),
            ("day", "session"),
            ("key", "day"),
            ("session", "model"),
            ("tag", "status"),
            ("session", "user"),
            ("key", "session"),
            ("status", "tag"),
            ("day", "session", "model"),
        ):
            whole = await store.ledger.usage(groups, FIRST + 5 * DAY, None, zone)  # type: ignore[arg-type]
            parts: list[UsageRow] = []
            after = None
            while rows := await store.ledger.usage(groups, FIRST + 5 * DAY, None, zone, 7, after):  # type: ignore[arg-type]
                assert len(rows) <= 7
                parts += rows
                after = key_of(rows[-1], groups)
                if not groups:
                    break
            assert sums_of(parts, groups) == sums_of(whole, groups)
            assert len(parts) == len(whole)


def remove(connection: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)


async def test_a_long_range_is_read_from_its_largest_blocks(open_filled: OpenFilled) -> None:
    store, records = await open_filled(summed_up)
    statements = (
        f"DELETE FROM blocks WHERE hours < {64 * 24} AND block * hours < {(FIRST_DAY + 64) * 24}",
        "DELETE FROM hourly", "DELETE FROM totals", "DELETE FROM daily_combinations", "DELETE FROM requests",
    )  # fmt: skip
    await store.database.write(lambda connection: remove(connection, *statements))
    for groups in ((), ("key",), ("session",), ("tag",), ("key", "model"), ("model", "key"), ("client", "status")):
        rows = await store.ledger.usage(groups, FIRST, END)  # type: ignore[arg-type]
        assert sums_of(rows, groups) == naive(records, groups, UTC, FIRST, END), groups
    spent = await store.ledger.spent([Spending("alias", "A", FIRST, END), Spending("global", "", FIRST)])
    assert spent == [sum(one.cost_nano or 0 for one in records if one.model in models) for models in ("a", "abc")]


async def test_a_long_range_of_pairs_with_a_session_user_or_tag_is_read_from_blocks_of_16_days(open_filled: OpenFilled) -> None:
    store, records = await open_filled(summed_up)
    statements = (
        f"DELETE FROM blocks WHERE hours < {16 * 24} AND block * hours < {(FIRST_DAY + 80) * 24}",
        "DELETE FROM hourly", "DELETE FROM totals", "DELETE FROM daily_combinations", "DELETE FROM requests",
    )  # fmt: skip
    await store.database.write(lambda connection: remove(connection, *statements))
    for groups in PAIRS_OF_REQUESTS:
        rows = await store.ledger.usage(groups, FIRST, END)  # type: ignore[arg-type]
        assert sums_of(rows, groups) == naive(records, groups, UTC, FIRST, END), groups


async def test_the_quarters_of_a_day_at_the_ends_of_a_range_are_read_from_blocks(open_filled: OpenFilled) -> None:
    store, records = await open_filled(summed_up)
    since, until = FIRST + 18 * HOUR, END - 12 * HOUR
    statements = ("DELETE FROM hourly", "DELETE FROM totals", "DELETE FROM daily_combinations", "DELETE FROM requests")
    await store.database.write(lambda connection: remove(connection, *statements))
    for groups in PAIRS_OF_REQUESTS:
        rows = await store.ledger.usage(groups, since, until)  # type: ignore[arg-type]
        assert sums_of(rows, groups) == naive(records, groups, UTC, since, until), groups


async def test_pairs_of_the_running_day_are_read_from_its_quarters_until_it_is_over(store: SqliteStore) -> None:
    made = drawn()
    times = sorted(one.started_at for one in made)
    day = next(at // DAY for at in times[1:] if at % DAY > 13 * HOUR)
    made = [one for one in made if one.started_at < (day + 1) * DAY]
    made += [dataclasses.replace(made[0], id=f"h{hour}", started_at=day * DAY + hour * HOUR) for hour in range(13)]
    await write(store, *made)
    await store.ledger.summarize(day * DAY + 13 * HOUR)
    before = f"DELETE FROM totals WHERE slot < {day * 96 + 48}"
    await store.database.write(lambda connection: remove(connection, before, "DELETE FROM requests"))
    for groups in PAIRS_OF_QUARTERS:
        rows = await store.ledger.usage(groups)  # type: ignore[arg-type]
        assert sums_of(rows, groups) == naive(made, groups, UTC, None, None), groups


async def test_quarters_of_pairs_of_totals_are_removed_once_their_day_is_summed_up(store: SqliteStore) -> None:
    made = drawn()
    await write(store, *made)
    noon = max(one.started_at for one in made) // DAY * DAY + 18 * HOUR
    await write(store, dataclasses.replace(made[0], id="morning", started_at=noon - 17 * HOUR))
    await store.ledger.summarize(noon)
    kinds = ", ".join(f"'{PAIRS[pair]}'" for pair in PAIRS_OF_QUARTERS)
    statement = f"SELECT count(*) FROM blocks WHERE hours = 6 AND kind IN ({kinds})"
    assert await store.database.read(lambda connection: connection.execute(statement).fetchone()[0]) > 0
    await store.ledger.summarize(END + DAY)
    assert await store.database.read(lambda connection: connection.execute(statement).fetchone()[0]) == 0


async def test_an_interrupted_summary_of_a_quarter_of_a_day_is_made_again(
    open_filled: OpenFilled, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, records = await open_filled(summed_up)
    late = dataclasses.replace(records[0], id="late", cost_nano=5)
    await write(store, late)
    monkeypatch.setattr("conduit_desktop.store.sqlite.summaries.pairs_of_quarter", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await store.ledger.summarize(END + DAY)
    wanted = naive([*records, late], ["session", "model"], UTC, None, None)
    assert sums_of(await store.ledger.usage(["session", "model"]), ["session", "model"]) == wanted
    monkeypatch.undo()
    await store.ledger.summarize(END + DAY)
    assert sums_of(await store.ledger.usage(["session", "model"]), ["session", "model"]) == wanted


@pytest.mark.parametrize("groups", [("session", "tag"), ("tag", "user"), ("session", "model", "key")], ids="-".join)
async def test_groups_without_sums_are_refused_where_too_many_requests_would_be_read(
    open_filled: OpenFilled, monkeypatch: pytest.MonkeyPatch, groups: tuple[UsageGroup, ...]
) -> None:
    store, records = await open_filled(summed_up)
    monkeypatch.setattr("conduit_desktop.store.sqlite.usage.MOST_SINGLE", 100)
    with pytest.raises(Invalid, match="choose a shorter range") as refused:
        await store.ledger.usage(groups, limit=10)
    assert refused.value.field == "group_by"
    since = FIRST + 60 * DAY
    assert sums_of(await store.ledger.usage(groups, since), groups) == naive(records, groups, UTC, since, None)
    assert await store.ledger.usage(["session", "model"]), "what has sums is never refused"


async def test_pruning_gives_way_to_live_requests_after_a_bounded_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(store, *drawn())
    monkeypatch.setattr(ledger, "MOST_STEP_S", 0.0)
    steps: list[int] = []
    step = ledger._prune_step

    def counted(connection: sqlite3.Connection, **options: int) -> int:
        steps.append(step(connection, **options))
        return steps[-1]

    monkeypatch.setattr(ledger, "_prune_step", counted)
    monkeypatch.setattr(ledger, "PRUNE_PAUSE_S", 0)
    assert await store.ledger.prune(1, 10**6, END + 5 * DAY) == 160
    assert max(steps) == ledger.PRUNE_AT_ONCE
    assert sum(steps) == 160


@pytest.mark.parametrize("name", ZONES[1:])
async def test_days_of_another_time_zone_are_read_without_hours(open_filled: OpenFilled, name: str) -> None:
    store, records = await open_filled(summed_up)
    zone = ZoneInfo(name)
    since, until = (round(datetime(2026, *day, tzinfo=zone).timestamp() * 1000) for day in ((10, 15), (12, 1)))
    await store.database.write(
        lambda connection: remove(connection, "DELETE FROM hourly", "DELETE FROM totals", "DELETE FROM requests")
    )
    for group in SINGLE:
        rows = await store.ledger.usage(["day", group], since, until, zone)
        assert sums_of(rows, ["day", group]) == naive(records, ["day", group], zone, since, until), group


@pytest.mark.parametrize("pair", [("key", "model"), ("provider", "upstream_model")], ids="-".join)
async def test_pairs_of_groups_that_the_window_shows_are_read_by_the_hour(
    open_filled: OpenFilled, pair: tuple[UsageGroup, ...]
) -> None:
    store, records = await open_filled(summed_up)
    await store.database.write(
        lambda connection: remove(connection, "DELETE FROM totals", "DELETE FROM daily_combinations", "DELETE FROM requests")
    )
    since, until = FIRST + 7 * HOUR, END - 5 * HOUR
    assert sums_of(await store.ledger.usage(pair, since, until), pair) == naive(records, pair, UTC, since, until)


async def test_an_interrupted_summary_of_a_day_is_made_again(open_filled: OpenFilled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended before the larger blocks were written: until then, neither they nor the day are read."""
    store, records = await open_filled(summed_up)
    late = dataclasses.replace(records[0], id="late", cost_nano=5)
    await write(store, late)
    monkeypatch.setattr("conduit_desktop.store.sqlite.summaries.sums_of_larger_blocks", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await store.ledger.summarize(END + DAY)
    wanted = naive([*records, late], ["key", "model"], UTC, None, None)
    assert sums_of(await store.ledger.usage(["key", "model"]), ["key", "model"]) == wanted
    monkeypatch.undo()
    assert await store.ledger.summarize(END + DAY) == 1
    assert sums_of(await store.ledger.usage(["key", "model"]), ["key", "model"]) == wanted


def test_a_day_begins_at_a_part_of_a_day_in_every_time_zone_of_today() -> None:
    names = ("Africa/Lagos", "America/St_Johns", "Asia/Tehran", "Asia/Yangon", "Australia/Adelaide", "Australia/Eucla",
             "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Marquesas", *ZONES[1:])  # fmt: skip
    for name in names:
        for month in (1, 7):
            midnight = round(datetime(2026, month, 1, tzinfo=ZoneInfo(name)).timestamp())
            assert midnight % 900 == 0
            assert midnight // 900 % 96 in (0, *PARTS), name
