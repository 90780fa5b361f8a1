"""The log at size: how long every query of the window and the admin API takes, a start, and pruning during writes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks import ledger_fill
from benchmarks.bench import Row
from conduit_desktop.core.cursor import write_cursor
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import PricedRequests, RequestFilter, Spending, UsageGroup
from conduit_desktop.store.sqlite.store import SqliteStore

MOST_MS = 100.0
MOST_START_S = 2.0
MOST_STALL_MS = 50.0
REPEATS = 5
MOST_TIMED_MS = 2000.0
"""A query that takes longer is not repeated."""
RATE = 200
"""Requests a second that are written while the log is pruned."""
DAY_MS = 86_400_000
SUBJECT = "Conduit"

ABSENT = "absent"
_FILTERS: dict[str, tuple[str, ...]] = {
    "key": ("key_007", ledger_fill.RARE, ABSENT),
    "model": ("model-03", ledger_fill.RARE, ABSENT),
    "provider": ("provider-02", ledger_fill.RARE, ABSENT),
    "status": ("success", "broken"),
    "client": ("client-3", ledger_fill.RARE, ABSENT),
    "session": ("session-000100", ledger_fill.RARE, ABSENT),
    "user": ("user-77", ledger_fill.RARE, ABSENT),
    "tag": ("prod", ledger_fill.RARE, ABSENT),
    "endpoint": ("embeddings", ledger_fill.RARE, ABSENT),
    "upstream_model": ("vendor-model-03-2026-05-01", ledger_fill.RARE, ABSENT),
    "text": ("model-03", "overloaded", "rar", ABSENT),
}
"""Values that are frequent, those of one request, and those that no request has."""

ZONES = ("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata")
PART = 501
"""Rows of a part of the admin API's answer, and one that tells whether there are more."""
_SINGLE: tuple[tuple[UsageGroup, ...], ...] = (
    (), ("model",), ("upstream_model",), ("key",), ("team",), ("provider",), ("client",), ("endpoint",), ("status",), ("session",),
    ("user",), ("tag",),
)  # fmt: skip
_PAIRS: tuple[tuple[UsageGroup, ...], ...] = (
    ("model", "key"), ("key", "model"), ("upstream_model", "provider"), ("key", "client"), ("model", "status"),
    ("team", "endpoint"), ("session", "model"), ("session", "user"), ("session", "status"), ("user", "key"), ("tag", "model"),
    ("tag", "key"), ("model", "session"), ("key", "user"), ("status", "tag"),
)  # fmt: skip
_BY_DAY: tuple[tuple[UsageGroup, ...], ...] = (
    ("day",), ("day", "model"), ("day", "key"), ("day", "provider"), ("day", "team"), ("day", "client"), ("day", "session"),
    ("day", "upstream_model", "provider"), ("day", "model", "key", "provider"), ("hour", "model"),
)  # fmt: skip
_WHOLE = (*(one for one in _SINGLE if one not in (("session",), ("user",))), *_PAIRS[2:6], ("day",), ("day", "model"))
"""What the window shows whole, or what has few rows."""
_LONG = (("session",), ("user",), ("day", "session"), *_PAIRS[6:], ("day", "model", "key", "provider"), ("hour", "model"))

Query = Callable[[], Awaitable[Any]]


def ledger(folder: Path, count: int) -> list[Row]:
    """Every measure on a log of `count` requests, made in `folder` unless there is one already."""
    home = Home(folder / "ledger")
    rows: list[Row] = []
    if not home.database.exists():
        asyncio.run(SqliteStore.open(home).close())
        start = time.monotonic()
        ledger_fill.fill(home.database, count, int(time.time() * 1000))
        size = f"{home.database.stat().st_size / 1e9:.2f} GB"
        rows.append(Row("ledger: filling", SUBJECT, (time.monotonic() - start,), "s", note=size))
    return rows + asyncio.run(measures(home))


async def measures(home: Home) -> list[Row]:
    """Every measure on a log that is there."""
    async with _opened(home) as store:
        newest, _ = await store.ledger.list(limit=1)
        now = newest[0].started_at + 1
        start = time.monotonic()
        done = await store.ledger.summarize(now)
        rows = [Row("ledger: summing up hours and days", SUBJECT, (time.monotonic() - start,), "s", note=f"{done} of them")]
    rows.append(await _start(home))
    async with _opened(home) as store:
        await _fill_lists(store)
        queries = {**_pages(store, now), **_usage(store, now), **_budgets(store, now), **_lists(store)}
        for name, query in queries.items():
            rows.append(await _timed(f"ledger: {name}", query))
        rows.append(await _searched(store))
        rows.append(await _during_a_long_read(store))
        rows += await _pruned(store, now)
    return rows


async def _fill_lists(store: SqliteStore) -> None:
    """As many notifications and audit entries as are kept at most."""
    if await store.notifications.unread() == 0:
        for number in range(1000):
            await store.notifications.add("budget", "warning", f"A budget is spent ({number})", "A text", f"budget {number}")
    if len((await store.audit.list(500))[0]) < 500:
        await store.database.write(
            lambda connection: (
                connection.execute(
                    """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                INSERT INTO audit (at, actor, action, subject, changes) SELECT i, 'gui', 'key.edit', 'app', '{}' FROM n"""
                ).rowcount
            )
        )


@asynccontextmanager
async def _opened(home: Home) -> AsyncIterator[SqliteStore]:
    store = SqliteStore.open(home)
    try:
        yield store
    finally:
        await store.close()


async def _start(home: Home) -> Row:
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        async with _opened(home) as store:
            await store.ledger.list(limit=1)
            taken.append(time.perf_counter() - start)
    return Row("ledger: start", SUBJECT, tuple(taken), "s", None, f"{MOST_START_S:g} s", max(taken) <= MOST_START_S)


async def _timed(name: str, query: Query) -> Row:
    """The wall time of a query, repeated; the first time, with nothing of it in memory yet, apart."""
    walls: list[float] = []
    cpu = time.process_time()
    found: Any = None
    while len(walls) < 2 or (len(walls) <= REPEATS and sum(walls) < MOST_TIMED_MS):
        start = time.perf_counter()
        found = await query()
        walls.append((time.perf_counter() - start) * 1000)
    cpu = (time.process_time() - cpu) / len(walls) * 1000
    first, *walls = walls
    row = Row(name, SUBJECT, tuple(walls), "ms", None, f"{MOST_MS:g} ms")
    note = f"{_size(found)}; first {first:.0f} ms; {cpu:.0f} ms of CPU"
    return Row(name, SUBJECT, tuple(walls), "ms", None, f"{MOST_MS:g} ms", row.value <= MOST_MS, note)


def _size(found: Any) -> str:
    if isinstance(found, tuple):
        return f"{len(found[0])} rows" + ("" if found[1] is None else ", and more")
    return f"{len(found)} rows" if isinstance(found, list) else "1 value"


def _pages(store: SqliteStore, now: int) -> dict[str, Query]:
    listed = store.ledger.list
    queries: dict[str, Query] = {
        "requests, newest": lambda: listed(None, 50),
        "requests, 500 newest": lambda: listed(None, 500),
        "requests, 45 days deep": lambda: listed(None, 50, write_cursor(now - 45 * DAY_MS, "")),
        "requests, since and until": lambda: listed(RequestFilter(since_ms=now - 50 * DAY_MS, until_ms=now - 49 * DAY_MS), 50),
    }
    for name, values in _FILTERS.items():
        for value in values:
            queries[f"requests, {name} {value}"] = lambda name=name, value=value: listed(RequestFilter(**{name: value}), 50)
    for cost in (10**6, 10**11, 10**13):
        queries[f"requests, cost from ${cost / 1e9:g}"] = lambda cost=cost: listed(RequestFilter(min_cost_nano=cost), 50)
    both = RequestFilter(key="key_007", model="model-03", status="broken")
    queries["requests, key, model and status"] = lambda: listed(both, 50)
    queries["requests, unpriced"] = lambda: store.ledger.to_price(PricedRequests(), 500)
    return queries


def _usage(store: SqliteStore, now: int) -> dict[str, Query]:
    queries: dict[str, Query] = {}
    ranges = (("today", 0), ("7 days", 6), ("30 days", 29), ("90 days", 89), ("all", None))
    for zone_name in ZONES:
        zone: tzinfo = UTC if zone_name == "UTC" else ZoneInfo(zone_name)
        midnight = datetime.fromtimestamp(now / 1000, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        for label, days in ranges:
            since = None if days is None else round((midnight - timedelta(days=days)).timestamp() * 1000)
            # Without a part by time, only the ends of the range differ between zones.
            for group in (*_SINGLE, *_PAIRS, *_BY_DAY) if zone is UTC else (("key",), ("model", "key"), *_BY_DAY):
                name = f"usage by {' and '.join(group) or 'nothing'}, {label}, {zone_name}"
                # As the window and the admin API ask for them: groups with a row for each day or session come in parts.
                limit = None if group in _WHOLE or (label in ("today", "7 days") and group not in _LONG) else PART
                queries[name] = lambda group=group, since=since, zone=zone, limit=limit: store.ledger.usage(
                    group, since, None, zone, limit
                )
            if zone is UTC:
                after = ("session-050000",)
                queries[f"usage by session, {label}, a later part"] = lambda since=since, after=after: store.ledger.usage(
                    ["session"], since, None, UTC, PART, after
                )
        queries[f"usage by hour, 7 days, {zone_name}"] = lambda zone=zone: store.ledger.usage(
            ["hour"], now - 7 * DAY_MS, None, zone
        )
    return queries


def _budgets(store: SqliteStore, now: int) -> dict[str, Query]:
    month = now // DAY_MS * DAY_MS - 29 * DAY_MS
    accounts = {
        "global": Spending("global"), "a provider, 30 days": Spending("provider", "Provider-02", month),
        "an alias, 30 days": Spending("alias", "model-03", month), "a team": Spending("team", "team 3"),
        "a key, 30 days": Spending("key", "key_007", month),
    }  # fmt: skip
    queries: dict[str, Query] = {
        f"spend of {name}": lambda account=account: store.ledger.spent([account]) for name, account in accounts.items()
    }
    every = [Spending("key", f"key_{number:03}", month) for number in range(ledger_fill.KEYS)]
    queries["spend of 200 keys, 30 days, as at the start"] = lambda: store.ledger.spent(every)
    today = now // DAY_MS * DAY_MS
    for scope, target in (("global", ""), ("alias", "model-03"), ("key", "key_007")):
        for label, length, number in (("30 days", 1, 30), ("50 days", 1, 51), ("13 weeks", 7, 13), ("3 months", 30, 3)):
            periods = [
                Spending(scope, target, today - (place + 1) * length * DAY_MS, today - place * length * DAY_MS)  # type: ignore[arg-type]
                for place in range(number)
            ]
            queries[f"history of a {scope} budget, {label}"] = lambda periods=periods: store.ledger.spent(periods)
    queries["first moment of the totals"] = store.ledger.began
    return queries


def _lists(store: SqliteStore) -> dict[str, Query]:
    return {
        "notifications": lambda: store.notifications.list(50),
        "notifications, unread": lambda: store.notifications.list(500, None, True),
        "notifications, number unread": store.notifications.unread,
        "audit": lambda: store.audit.list(50),
        "audit, 500 deep in it": lambda: store.audit.list(500, write_cursor(0, 50_000)),
        "keys": store.keys.all,
    }


async def _searched(store: SqliteStore) -> Row:
    """A whole search for a text that no request has, page by page."""
    pages, cursor, longest, start = 0, None, 0.0, time.perf_counter()
    while pages == 0 or cursor is not None:
        began = time.perf_counter()
        found, cursor = await store.ledger.list(RequestFilter(text="no such text"), 50, cursor)
        longest = max(longest, time.perf_counter() - began)
        assert not found
        pages += 1
    note = f"{pages} pages in {time.perf_counter() - start:.1f} s"
    return Row("ledger: a page of a search to the end", SUBJECT, (longest * 1000,), "ms", None, "", None, note)


async def _during_a_long_read(store: SqliteStore) -> Row:
    """How long a page takes while another query reads for seconds."""
    long = store.database.read(lambda connection: connection.execute("SELECT sum(length(attempts)) FROM requests").fetchone())
    walls = []
    while not long.done() and len(walls) < 50:
        start = time.perf_counter()
        await store.ledger.list(None, 50)
        walls.append((time.perf_counter() - start) * 1000)
        await asyncio.sleep(0.01)
    await long
    row = Row("ledger: newest requests during a long read", SUBJECT, tuple(walls), "ms", None, f"{MOST_MS:g} ms")
    return Row(row.measure, SUBJECT, row.values, "ms", None, row.target, row.value <= MOST_MS, f"worst {max(walls):.0f} ms")


def _p99(delays: list[float]) -> float:
    return delays[len(delays) * 99 // 100]


async def _pruned(store: SqliteStore, now: int) -> list[Row]:
    """Prune the oldest days while `RATE` requests a second are written."""
    delays: list[float] = []

    async def write() -> None:
        number = 0
        start = time.perf_counter()
        while True:
            began = time.perf_counter()
            made = RequestRecord(
                id=f"req_{now:011x}{secrets.token_hex(8)}", started_at=now + round((began - start) * 1000), key_id="key_007",
                model="model-03", provider="provider-03", session=f"new-{number // 100}", cost_nano=1000, cost_state="final",
            )  # fmt: skip
            await store.ledger.record(made)
            delays.append((time.perf_counter() - began) * 1000)
            number += 1
            await asyncio.sleep(max(0.0, start + number / RATE - time.perf_counter()))

    (oldest,) = await store.database.read(lambda c: c.execute("SELECT min(started_at) FROM requests").fetchone())
    writing = asyncio.ensure_future(write())
    try:
        await asyncio.sleep(5)
        alone = sorted(delays)
        delays.clear()
        start = time.perf_counter()
        gone = await store.ledger.prune((now - oldest) // DAY_MS - 1, 10**12, now)
        took = time.perf_counter() - start
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    delays.sort()
    note = f"p99 {_p99(delays):.1f} ms; without pruning p99 {_p99(alone):.1f}, longest {alone[-1]:.1f} ms"
    met = delays[-1] <= MOST_STALL_MS
    return [
        Row("ledger: pruning the oldest days", SUBJECT, (took,), "s", note=f"{gone} requests"),
        Row("ledger: longest write while pruning", SUBJECT, (delays[-1],), "ms", None, f"{MOST_STALL_MS:g} ms", met, note),
    ]
