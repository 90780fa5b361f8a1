"""Usage by every group, in any time zone, with latencies: each against sums made here, record by record."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import RequestFilter
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.conftest import OpenFilled
from tests.store.samples import write

HOUR = 3_600_000
# Clocks in Berlin are set back at 01:00 UTC on this day, and 02:30 local time comes twice.
SET_BACK = round(datetime(2026, 10, 25, 0, 0, tzinfo=UTC).timestamp() * 1000)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")


def records() -> list[RequestRecord]:
    """200 requests over four days, drawn once."""
    draw = random.Random(7)
    made = []
    for number in range(200):
        status = draw.choice(["success"] * 6 + ["error", "broken", "refused", "cancelled"])
        made.append(
            RequestRecord(
                id=f"r{number:03}", started_at=SET_BACK - 36 * HOUR + draw.randrange(96 * HOUR), key_id="k", key_name="key",
                team=draw.choice(["red", "blue", ""]), model=draw.choice("ab"), provider=draw.choice(["x", "y"]),
                upstream_model=draw.choice(["m1", "m2"]), client=draw.choice(["codex", "claude-cli"]),
                session=draw.choice(["s1", "s2", ""]), user=draw.choice(["u1", "u2", ""]),
                tags=tuple(draw.sample(["t1", "t2", "t3"], draw.randrange(3))), endpoint=draw.choice(["chat", "embeddings"]),
                status=status, input=draw.randrange(1000), output=draw.randrange(1000), image_in=draw.randrange(10),
                cost_nano=None if status == "refused" else draw.randrange(10**9), cost_state="final",
                duration_ms=float(draw.randrange(1, 5000)), first_token_ms=draw.choice([None, float(draw.randrange(1, 900))]),
            )
        )  # fmt: skip
    return made


async def totals(store: SqliteStore) -> None:
    """Not summed up yet."""
    await write(store, *records())


async def summaries(store: SqliteStore) -> None:
    """All summed up."""
    await write(store, *records())
    await _summarize(store)


async def stale(store: SqliteStore) -> None:
    """Some written after their hour was summed up."""
    made = records()
    late = made[::5]
    await write(store, *(one for one in made if one not in late))
    await _summarize(store)
    await write(store, *late)


async def _summarize(store: SqliteStore) -> None:
    # In the middle of a day: that day has summaries by hour alone, its last hours none.
    assert await store.ledger.summarize(SET_BACK + 55 * HOUR) > 24


@pytest.fixture(params=[totals, summaries, stale], ids=lambda fill: fill.__name__)
async def filled(request: pytest.FixtureRequest, open_filled: OpenFilled) -> SqliteStore:
    """The same requests three times."""
    store, _ = await open_filled(request.param)
    return store


def expected(groups: list[str], zone: Any, chosen: list[RequestRecord]) -> dict[tuple[Any, ...], dict[str, Any]]:
    sums: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    for record in chosen:
        at = datetime.fromtimestamp(record.started_at / 1000, UTC).astimezone(zone)
        hour = at.replace(minute=0, second=0, microsecond=0).isoformat().replace("+00:00", "Z" if zone is UTC else "+00:00")
        names: dict[str, Any] = {"day": at.date().isoformat(), "hour": hour, "key": record.key_id}
        keys: list[tuple[Any, ...]] = [()]
        for group in groups:
            values = (record.tags or ("",)) if group == "tag" else (names.get(group, getattr(record, group, None)),)
            keys = [(*key, value) for key in keys for value in values]
        for key in keys:
            row = sums[key]
            row["requests"] += 1
            row["failed"] += record.status in ("error", "broken")
            row["refused"] += record.status == "refused"
            row["input"] += record.input
            row["image_in"] += record.image_in
            row["cost_nano"] += record.cost_nano or 0
            row["unpriced_requests"] += record.cost_nano is None and record.status != "refused"
            if record.status == "success":
                row.setdefault("latencies", []).append(record.duration_ms)
    return sums


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "groups",
    [
        [], ["day"], ["hour"], ["upstream_model"], ["team"], ["client"], ["endpoint", "status"], ["session"], ["user"], ["tag"],
        ["session", "model"], ["tag", "user"], ["day", "session"], ["hour", "provider"], ["key", "client"],
    ],
    ids="-".join,
)  # fmt: skip
async def test_sums_and_latencies_are_those_of_the_records(filled: SqliteStore, groups: list[Any], zone: str) -> None:
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    midnight = round(datetime(2026, 10, 25, tzinfo=where).timestamp() * 1000)
    for since, until in ((None, None), (midnight, midnight + 25 * HOUR), (midnight + 12_345, midnight + 7 * HOUR + 1)):
        chosen = [one for one in records() if (since or 0) <= one.started_at < (until or 2**62)]
        rows = await filled.ledger.usage(groups, since, until, where)
        wanted = expected(groups, where, chosen)
        found = {tuple(getattr(row, "key_id" if name == "key" else name) for name in groups): row for row in rows}
        assert found.keys() == wanted.keys()
        assert list(found) == sorted(found, key=str)
        for key, row in found.items():
            sums = dict(wanted[key])
            latencies = sorted(sums.pop("latencies", []))
            assert {name: getattr(row, name) for name in sums} == sums, key
            assert row.latency_p50 == (latencies[(len(latencies) + 1) // 2 - 1] if latencies else None)
            assert (row.latency_p95 is None) == (not latencies)


async def test_an_hour_that_comes_twice_is_two_hours(filled: SqliteStore) -> None:
    for at in (SET_BACK + HOUR // 2, SET_BACK + 3 * HOUR // 2):
        await filled.ledger.record(RequestRecord(id=str(at), started_at=at, model="twice"))
    rows = await filled.ledger.usage(["hour", "model"], SET_BACK, SET_BACK + 2 * HOUR, ZoneInfo("Europe/Berlin"))
    assert [row.hour for row in rows if row.model == "twice"] == ["2026-10-25T02:00:00+01:00", "2026-10-25T02:00:00+02:00"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"client": "codex"}, {"session": "s1"}, {"user": "u2"}, {"tag": "t2"}, {"endpoint": "embeddings"}, {"upstream_model": "m1"},
        {"session": "s1", "tag": "t1"},
    ],
    ids=str,
)  # fmt: skip
async def test_the_log_is_filtered_by_what_a_record_belongs_to(filled: SqliteStore, wanted: dict[str, Any]) -> None:
    found, _ = await filled.ledger.list(RequestFilter(**wanted), 500)

    def fits(one: RequestRecord) -> bool:
        return all(value in one.tags if name == "tag" else getattr(one, name) == value for name, value in wanted.items())

    assert {one.id for one in found} == {one.id for one in records() if fits(one)} != set()


async def test_the_log_is_filtered_by_the_least_cost_and_leaves_out_the_unknown(filled: SqliteStore) -> None:
    found, _ = await filled.ledger.list(RequestFilter(min_cost_nano=5 * 10**8), 500)
    assert {one.id for one in found} == {one.id for one in records() if (one.cost_nano or 0) >= 5 * 10**8}
    free, _ = await filled.ledger.list(RequestFilter(min_cost_nano=0), 500)
    assert all(one.cost_nano is not None for one in free)


@pytest.mark.parametrize(
    ("text", "ids"), [("GPT", {"1"}), ("0%", {"2"}), ("a_b", {"3"}), ("\\", {"4"}), ("limit", {"2"}), ("nothing", set())]
)
async def test_a_text_is_searched_for_as_it_is(store: SqliteStore, text: str, ids: set[str]) -> None:
    rows = (
        RequestRecord(id="1", started_at=1, model="gpt-5"),
        RequestRecord(id="2", started_at=2, error_text="100% spent", error_code="limit"),
        RequestRecord(id="3", started_at=3, client="a_b"),
        RequestRecord(id="4", started_at=4, upstream_model="back\\slash"),
        RequestRecord(id="5", started_at=5, client="axb", error_text="1000"),
    )
    await write(store, *rows)
    found, _ = await store.ledger.list(RequestFilter(text=text))
    assert {one.id for one in found} == ids
