"""Records and totals, and queries of both."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import AttemptRecord, CostCorrection, FormerCost, RequestRecord
from conduit_desktop.store.interface import PricedRequests, RequestFilter, Spending
from conduit_desktop.store.sqlite import usage
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.store.conftest import Fill, OpenFilled
from tests.store.samples import DAY, NOON, record, total, write


async def test_a_record_comes_back_as_it_was(store: SqliteStore):
    made = record(7, streamed=True, status="broken", error_text="Zürich 🚋 \"quoted\" \x00 'x'", first_token_ms=None)
    await write(store, made)
    back = await store.ledger.get(made.id)
    assert back == dataclasses.replace(made, error_text=back.error_text)
    assert back.error_text.startswith('Zürich 🚋 "quoted" ')
    assert await store.ledger.get("req_unknown") is None


async def test_a_bare_record_comes_back_as_it_was(store: SqliteStore):
    bare = RequestRecord(id="r", started_at=NOON)
    await write(store, bare)
    assert await store.ledger.get("r") == bare


async def test_a_record_written_twice_counts_once(store: SqliteStore):
    """A commit whose answer was lost is tried again."""
    await write(store, record(1), record(1), record(2))
    await write(store, record(1))
    [row] = await store.ledger.usage([])
    assert (row.requests, row.cost_nano) == (2, 2000)


async def test_odd_bytes_of_one_caller_spoil_no_other_record(store: SqliteStore):
    """aiohttp hands a header's odd bytes on as lone surrogates, which are no text."""
    odd = record(2, client="curl\udcff", output=10**30, attempts=[AttemptRecord("p\ud800", "m")])
    await write(store, record(1), odd, record(3))
    rows, _ = await store.ledger.list()
    assert [row.id for row in rows] == [record(3).id, odd.id, record(1).id]
    assert rows[1].client == "curl?"
    [row] = await store.ledger.usage([])
    assert row.requests == 3


async def test_a_record_that_cannot_be_written_at_all_fails_alone(store: SqliteStore):
    bad = record(2)
    bad.model = None  # type: ignore[assignment]
    futures = [store.ledger.record(made) for made in (record(1), bad, record(3))]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert outcomes[0] is outcomes[2] is None
    assert isinstance(outcomes[1], Exception)
    rows, _ = await store.ledger.list()
    assert [row.id for row in rows] == [record(3).id, record(1).id]


async def test_pages_go_on_where_they_ended_though_new_records_come(store: SqliteStore):
    """Several records share a millisecond; none is shown twice, none is missed."""
    await write(store, *(record(number, started_at=NOON + number // 7) for number in range(50)))
    seen: list[str] = []
    rows, cursor = await store.ledger.list(limit=8)
    while True:
        seen += [row.id for row in rows]
        if cursor is None:
            break
        await write(store, record(1000 + len(seen)))
        rows, cursor = await store.ledger.list(limit=8, cursor=cursor)
    assert seen == [record(number).id for number in reversed(range(50))]


async def test_a_full_last_page_has_no_next(store: SqliteStore):
    await write(store, *(record(number) for number in range(4)))
    assert (await store.ledger.list(limit=4))[1] is None
    assert (await store.ledger.list(limit=3))[1] is not None


@pytest.mark.parametrize(
    "cursor", ["", "%%%", "AAAA", "bnVsbA", "WzEsMl0", "WyJhIiwiYiJd", "W10", "Wy0xZTk5LCJhIl0", "ü", "WzFlMzAsImEiXQ"]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(store: SqliteStore, cursor: str):
    with pytest.raises(Invalid) as caught:
        await store.ledger.list(cursor=cursor)
    assert caught.value.field == "cursor"


async def test_each_filter_applies_alone_and_with_others(store: SqliteStore):
    await write(
        store,
        record(1), record(2, key_id="key_b", key_name="other"), record(3, model="slow"),
        record(4, provider="anthropic"), record(5, status="error"), record(6, status="error", model="slow"),
    )  # fmt: skip

    async def numbers(**values) -> list[int]:
        rows, _ = await store.ledger.list(RequestFilter(**values))
        return [int(row.id[4:]) for row in rows]

    assert await numbers() == [6, 5, 4, 3, 2, 1]
    assert await numbers(key="key_b") == await numbers(key="other") == [2]
    assert await numbers(model="slow") == [6, 3]
    assert await numbers(provider="anthropic") == [4]
    assert await numbers(status="error") == [6, 5]
    assert await numbers(status="error", model="slow") == [6]
    assert await numbers(since_ms=NOON + 2000, until_ms=NOON + 4000) == [3, 2]
    assert await numbers(model="' OR 1=1 --") == []


async def test_usage_groups_by_the_given_fields(store: SqliteStore):
    await write(
        store,
        record(1), record(2, model="slow", status="error"), record(3, started_at=NOON + DAY, key_id="key_b", key_name="b"),
        record(4, cost_nano=None, cost_state="unknown"), record(5, cost_nano=500, cost_state="estimated", status="cancelled"),
    )  # fmt: skip
    [row] = await store.ledger.usage([])
    assert (row.requests, row.errors, row.unpriced_requests, row.estimated_requests) == (5, 1, 1, 1)
    assert (row.input, row.output, row.reasoning, row.cost_nano) == (50, 25, 10, 3500)
    assert row.day is row.model is row.key_id is row.key_name is row.provider is None
    by_day = await store.ledger.usage(["day"])
    assert [(row.day, row.requests) for row in by_day] == [("2026-03-01", 4), ("2026-03-02", 1)]
    by_both = await store.ledger.usage(["model", "day"])
    assert [(row.model, row.day, row.requests) for row in by_both] == [
        ("fast", "2026-03-01", 3), ("fast", "2026-03-02", 1), ("slow", "2026-03-01", 1),
    ]  # fmt: skip
    assert [row.provider for row in await store.ledger.usage(["provider"])] == ["openai"]


async def test_usage_of_nothing_is_nothing(store: SqliteStore):
    assert await store.ledger.usage([]) == []
    assert await store.ledger.usage(["day"]) == []


async def test_usage_begins_and_ends_at_the_given_times(store: SqliteStore):
    midnight = NOON - DAY // 2
    times = (midnight - 1, midnight, NOON, midnight + DAY, midnight + DAY + 5, midnight + 2 * DAY)
    await write(store, *(record(number, started_at=at) for number, at in enumerate(times)))

    async def between(since: int | None = None, until: int | None = None) -> list[tuple[str, int]]:
        return [(row.day, row.requests) for row in await store.ledger.usage(["day"], since_ms=since, until_ms=until)]

    assert await between(NOON, midnight + DAY) == [("2026-03-01", 1)]
    assert await between(NOON, midnight + DAY + 1) == [("2026-03-01", 1), ("2026-03-02", 1)]
    assert await between(midnight, NOON) == [("2026-03-01", 1)]
    assert await between(midnight + 1, NOON) == []
    assert await between(midnight, midnight + DAY) == [("2026-03-01", 2)]
    assert await between(until=NOON) == [("2026-02-28", 1), ("2026-03-01", 1)]
    assert await between(since=midnight + DAY + 1) == [("2026-03-02", 1), ("2026-03-03", 1)]
    [row] = await store.ledger.usage([], since_ms=NOON + 1)
    assert (row.requests, row.input) == (3, 3 * record(0).input)


async def test_usage_counts_a_slot_whole_whose_requests_are_no_longer_all_there(store: SqliteStore):
    await write(store, record(1, started_at=NOON + 2), record(2, started_at=NOON + 4), record(3, started_at=NOON + DAY))
    await store.ledger.prune(max_age_days=1, max_rows=1000, now_ms=NOON + DAY + 3)
    [row] = await store.ledger.usage([], since_ms=NOON + 4, until_ms=NOON + 5)
    assert row.requests == 2


async def test_a_key_is_shown_by_its_name_today_or_its_last_one(store: SqliteStore):
    await store.keys.insert(VirtualKey(id="key_b", name="renamed", digest="d", hint="h"))
    await write(store, record(1), record(2, key_name="app2", started_at=NOON + DAY), record(3, key_id="key_b", key_name="old"))
    rows = await store.ledger.usage(["key"])
    assert [(row.key_id, row.key_name) for row in rows] == [("key_a", "app2"), ("key_b", "renamed")]
    await store.ledger.prune(1, 1000, now_ms=NOON + 400 * DAY)
    assert [row.key_name for row in await store.ledger.usage(["key"])] == ["app2", "renamed"]


async def test_spent_counts_from_each_keys_own_day(store: SqliteStore):
    await write(
        store, record(1), record(2, started_at=NOON + DAY), record(3, key_id="key_b", started_at=NOON + DAY),
        record(4, key_id="key_b", cost_nano=None),
    )  # fmt: skip
    second = NOON // DAY * DAY + DAY
    spent = await store.ledger.spent([Spending("key", "key_a", second), Spending("key", "key_b"), Spending("key", "key_c")])
    assert spent == [1000, 1000, 0]
    assert await store.ledger.spent([Spending("key", "key_a", second - DAY)]) == [2000]
    assert await store.ledger.spent([Spending("key", "key_a", second - DAY, second)]) == [1000]
    assert await store.ledger.spent([]) == []


async def test_each_scope_of_a_budget_has_its_own_sum(store: SqliteStore):
    await write(
        store, record(1), record(2, provider="other"), record(3, model="big"), record(4, team="red"), record(5, key_id="key_b")
    )
    asked = [
        Spending("global"), Spending("provider", "OTHER"), Spending("alias", "Big"), Spending("team", "red"),
        Spending("key", "key_b"), Spending("key", "KEY_B"), Spending("team", "blue"),
    ]  # fmt: skip
    assert await store.ledger.spent(asked) == [5000, 1000, 1000, 1000, 1000, 0, 0]


async def test_a_failed_attempt_is_charged_to_the_provider_that_was_paid(store: SqliteStore):
    attempts = [AttemptRecord("broke", "m", outcome="stream", cost_nano=300), AttemptRecord("p", "m", cost_nano=1000)]
    await write(store, record(1, started_at=NOON, cost_nano=1300, attempts_nano=300, attempts=attempts))
    assert await store.ledger.spent([Spending("global"), Spending("provider", "broke")]) == [1300, 300]
    [whole] = await store.ledger.usage([])
    assert (whole.requests, whole.cost_nano) == (1, 1300)
    [part] = await store.ledger.usage([], since_ms=NOON, until_ms=NOON + 1)
    assert (part.requests, part.cost_nano) == (1, 1300)


async def test_sessions_users_and_tags_keep_their_sums_once_their_requests_are_gone(store: SqliteStore):
    await write(store, record(1, session="s1", user="ann", tags=("a", "b", "a")), record(2, session="s1"), record(3))
    assert await store.ledger.prune(1, 1000, NOON + 2 * DAY) == 3
    for group, sums in (("session", {"": 1, "s1": 2}), ("user", {"": 2, "ann": 1}), ("tag", {"": 2, "a": 1, "b": 1})):
        rows = await store.ledger.usage([group])
        assert {getattr(row, group): row.requests for row in rows} == sums
        assert {row.cost_nano for row in rows} == {1000 * requests for requests in sums.values()}


async def test_requests_without_a_session_a_user_or_a_tag_have_a_row_of_their_own(store: SqliteStore):
    await write(store, record(1, session="s", user="u", tags=("t",), duration_ms=5.0), record(2, duration_ms=7.0))
    for summed in (False, True):
        if summed:
            assert await store.ledger.summarize(NOON + 2 * DAY) == 2
        for group in ("session", "user", "tag"):
            rows = await store.ledger.usage([group])  # type: ignore[list-item]
            assert [(getattr(row, group), row.requests, row.latency_p50) for row in rows] == [("", 1, 7.0), (group[0], 1, 5.0)]
            by_model = await store.ledger.usage(["model", group])  # type: ignore[list-item]
            assert [(row.model, getattr(row, group), row.requests) for row in by_model] == [("fast", "", 1), ("fast", group[0], 1)]


async def test_requests_that_went_before_they_were_summed_up_belong_to_no_session(store: SqliteStore):
    await write(store, record(1, session="s"), record(2, session="s", user="u", tags=("t",)))
    await store.database.write(lambda c: c.execute("DELETE FROM requests WHERE id = ?", (record(1).id,)).rowcount)
    assert await store.ledger.summarize(NOON + 2 * DAY) == 2
    for group in ("session", "user", "tag"):
        rows = await store.ledger.usage([group])  # type: ignore[list-item]
        assert [(getattr(row, group), row.requests, row.cost_nano) for row in rows] == [("", 2, 2000)]


async def test_a_late_answer_and_a_new_cost_reach_the_sums_of_their_hour(store: SqliteStore):
    unknown = {"cost_nano": None, "cost_state": "unknown"}
    await write(store, record(1, session="s", **unknown), record(2))
    later = NOON + 3 * DAY
    assert await store.ledger.summarize(later) == 2
    assert await store.ledger.summarize(later) == 0
    await write(store, record(3, session="s"))
    await store.transact(lambda tx: tx.ledger.correct([corrected(record(1).id, None, 70)], "cli", NOON))
    for summed in (0, 2):
        other, row = await store.ledger.usage(["session"])
        assert (row.session, row.requests, row.cost_nano, row.unpriced_requests) == ("s", 2, 1070, 0)
        assert (other.session, other.requests, other.cost_nano) == ("", 1, 1000)
        assert await store.ledger.spent([Spending("global"), Spending("alias", "FAST")]) == [2070, 2070]
        assert await store.ledger.summarize(later) == (2 if not summed else 0)


async def test_a_late_answer_does_not_undo_what_was_summed_of_requests_that_are_gone(store: SqliteStore):
    await write(store, record(1, session="s"), record(2, session="s"))
    await store.ledger.prune(1, 1000, NOON + 3 * DAY)
    await write(store, record(3, session="s"))
    await store.ledger.summarize(NOON + 3 * DAY)
    assert [(row.session, row.requests) for row in await store.ledger.usage(["session"])] == [("s", 2)]
    [row] = await store.ledger.usage([])
    assert row.requests == 3


async def test_the_running_hour_is_not_summed_up_and_not_pruned(store: SqliteStore):
    await write(store, record(1), record(2, started_at=NOON + DAY))
    assert await store.ledger.prune(1, 0, NOON + DAY + 60_000) == 1
    assert [row.id for row in (await store.ledger.list())[0]] == [record(2).id]


async def long_log(store: SqliteStore) -> None:
    """60 days with a record each, and two rare ones."""
    rare = [
        record(100, started_at=NOON + 40 * DAY, key_id="key_rare", key_name="old name", model="rare", provider="other",
               session="s", user="u", tags=("t",), cost_nano=10**9, endpoint="speech", upstream_model="up", status="broken",
               error_text="it timed out"),
        record(101, started_at=NOON + 20 * DAY, model="made up", status="refused", error_code="model_not_found", key_id="",
               client="stranger"),
    ]  # fmt: skip
    await write(store, *(record(n, started_at=NOON + n * DAY) for n in range(60)), *rare)


async def long_log_summed_up(store: SqliteStore) -> None:
    await long_log(store)
    await store.ledger.summarize(NOON + 70 * DAY)


@pytest.mark.parametrize("fill", [long_log, long_log_summed_up], ids=lambda fill: fill.__name__)
@pytest.mark.parametrize(
    "wanted",
    [
        {"key": "key_rare"}, {"key": "old name"}, {"model": "rare"}, {"model": "made up"}, {"client": "stranger"},
        {"session": "s"}, {"tag": "t"}, {"user": "u"}, {"min_cost_nano": 10**9}, {"text": "RAR"}, {"text": "timed out"},
        {"provider": "other", "model": "rare"}, {"endpoint": "speech"}, {"upstream_model": "up"}, {"status": "broken"},
        {"since_ms": NOON + 40 * DAY, "until_ms": NOON + 41 * DAY},
    ],
    ids=str,
)  # fmt: skip
async def test_a_rare_record_is_found_in_a_long_log_page_by_page(
    open_filled: OpenFilled, monkeypatch: pytest.MonkeyPatch, wanted: dict, fill: Fill
):
    """With small steps and no time, so that each page looks at a few records."""
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.STEP", 3)
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.MAX_S", 0.0)
    store, _ = await open_filled(fill)
    found: list[str] = []
    cursor = None
    for _ in range(100):
        rows, cursor = await store.ledger.list(RequestFilter(**wanted), 2, cursor)
        found += [row.id for row in rows]
        if cursor is None:
            break
    expected = [record(101).id] if wanted in ({"model": "made up"}, {"client": "stranger"}) else [record(100).id]
    expected += [record(40).id] if "since_ms" in wanted else []
    assert sorted(found) == sorted(expected)


async def test_a_value_that_no_record_has_ends_the_search_at_once(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.STEP", 3)
    # Time for two looks and no more: at the running hour, and at whatever hour has the value.
    looks = 0

    def monotonic() -> float:
        nonlocal looks
        looks += 1
        return 0.0 if looks < 3 else 1e9

    monkeypatch.setattr("conduit_desktop.store.sqlite.search.time", SimpleNamespace(monotonic=monotonic))
    await write(store, *(record(n, started_at=NOON + n * DAY) for n in range(60)))
    await store.ledger.summarize(NOON + 70 * DAY)
    for wanted in ({"model": "absent"}, {"key": "absent"}, {"session": "absent"}, {"tag": "absent"}, {"min_cost_nano": 10**12}):
        looks = 0
        assert await store.ledger.list(RequestFilter(**wanted)) == ([], None)


async def test_refused_requests_cannot_grow_the_totals(store: SqliteStore):
    """Model names of refused callers are theirs to choose, totals are kept for good."""
    refused = {"status": "refused", "cost_nano": None, "cost_state": "unknown", "key_id": "", "provider": ""}
    await write(store, *(record(n, model=f"m{n}", error_code="invalid_api_key", **refused) for n in range(20)))
    rows = await store.ledger.usage(["model"])
    assert [(row.model, row.requests, row.errors, row.unpriced_requests) for row in rows] == [("", 20, 20, 0)]


def corrected(id: str, before: int | None, cost: int, state: str = "final") -> CostCorrection:
    line = {"class": "input", "units": 1, "per": 1, "price_nano": cost, "cost_nano": cost}
    return CostCorrection(id, before, cost, state, [line], "override", "2026-11-30")  # type: ignore[arg-type]


async def test_a_correction_changes_the_record_and_every_total_and_keeps_the_former_cost_with_its_author(store: SqliteStore):
    unknown = {"cost_nano": None, "cost_state": "unknown"}
    named = {"session": "s", "user": "u", "tags": ("t", "t")}
    rows = [record(1, **unknown, **named), record(2, status="broken", **unknown), record(3, **named), record(4, **unknown)]
    await write(store, *rows, record(5, status="refused", **unknown))
    ids = [row.id for row in rows]
    assert [row.id for row in await store.ledger.to_price(PricedRequests())] == [ids[0], ids[1], ids[3]]
    assert [row.id for row in await store.ledger.to_price(PricedRequests(unknown_only=False))] == ids
    given = [
        corrected(ids[0], None, 70), corrected(ids[1], None, 5, "estimated"), corrected(ids[2], 1000, 400),
        corrected(ids[3], 9, 1), corrected("gone", None, 1),
    ]  # fmt: skip
    write_all = lambda tx: tx.ledger.correct(given, "cli", NOON)  # noqa: E731
    # The fourth has not the cost any more that it was corrected from, the fifth is gone.
    assert [one.id for one in await store.transact(write_all)] == ids[:3]
    assert await store.transact(write_all) == []
    [row] = await store.ledger.usage([])
    assert (row.cost_nano, row.unpriced_requests, row.estimated_requests) == (475, 1, 1)
    for kind in ("session", "user", "tag"):
        other, row = await store.ledger.usage([kind])  # type: ignore[list-item]
        assert (row.cost_nano, row.unpriced_requests) == (470, 0), kind
        assert (getattr(other, kind), other.cost_nano, other.unpriced_requests) == ("", 5, 1), kind
    first = await store.ledger.get(ids[0])
    assert (first.cost_nano, first.cost_state, first.price_source, first.price_date) == (70, "final", "override", "2026-11-30")
    assert first.cost_breakdown == given[0].cost_breakdown
    assert await store.ledger.former_costs(ids[2]) == [FormerCost(NOON, "cli", 1000, "final", "", "")]
    again = corrected(ids[2], 400, 300)
    await store.transact(lambda tx: tx.ledger.correct([again], "gui", NOON + 1))
    assert [(one.actor, one.cost_nano) for one in await store.ledger.former_costs(ids[2])] == [("cli", 1000), ("gui", 400)]
    assert await store.ledger.former_costs("gone") == []


async def test_records_to_price_are_chosen_by_time_and_model(store: SqliteStore):
    unknown = {"cost_nano": None, "cost_state": "unknown", "provider": "p"}
    for number, model in enumerate(("a", "b", "b")):
        await write(store, record(number, model=model, upstream_model=f"up-{model}", started_at=NOON + number, **unknown))

    async def found(after: RequestRecord | None = None, **wanted: object) -> list[int]:
        rows = await store.ledger.to_price(PricedRequests(**wanted), after=after)  # type: ignore[arg-type]
        return [row.started_at - NOON for row in rows]

    assert await found(since_ms=NOON + 1) == [1, 2]
    assert await found(until_ms=NOON + 1) == [0]
    assert await found(model="b") == await found(model="up-b") == await found(model="p/up-b") == [1, 2]
    assert await found(model="p") == []
    [first, *_] = await store.ledger.to_price(PricedRequests())
    assert await found(after=first) == [1, 2]


async def test_the_oldest_go_by_age_and_by_number_and_totals_stay(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("conduit_desktop.store.sqlite.ledger.PRUNE_STEP", 7)
    monkeypatch.setattr("conduit_desktop.store.sqlite.ledger.PRUNE_PAUSE_S", 0)
    await write(store, *(record(number, started_at=NOON + number * DAY) for number in range(50)))
    assert await store.ledger.prune(max_age_days=30, max_rows=1000, now_ms=NOON + 50 * DAY) == 20
    rows, _ = await store.ledger.list(limit=500)
    assert [row.id for row in rows] == [record(number).id for number in reversed(range(20, 50))]
    assert await store.ledger.prune(max_age_days=3000, max_rows=11, now_ms=NOON + 50 * DAY) == 19
    assert await store.ledger.prune(max_age_days=3000, max_rows=11, now_ms=NOON + 50 * DAY) == 0
    rows, _ = await store.ledger.list(limit=500)
    assert [row.id for row in rows] == [record(number).id for number in reversed(range(39, 50))]
    assert total(await store.ledger.usage(["day"]), "requests") == 50


RECORDS = st.lists(
    st.builds(
        lambda day, key, model, provider, status, cost, tokens: {
            "started_at": NOON + day * DAY, "key_id": key, "model": model, "provider": provider, "status": status,
            "cost_nano": cost, "cost_state": "unknown" if cost is None else "final", "input": tokens, "cache_read": tokens // 2,
        },
        st.integers(-2, 2), st.sampled_from(["", "a", "b"]), st.sampled_from(["x", "y"]), st.sampled_from(["p", "q"]),
        st.sampled_from(["success", "error", "broken", "cancelled", "refused"]), st.none() | st.integers(0, 10**12),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


@settings(max_examples=25)
@given(values=RECORDS, cut=st.integers(1, 9))
async def test_totals_are_the_sum_of_the_records(tmp_path_factory: pytest.TempPathFactory, values: list[dict], cut: int):
    store = SqliteStore.open(Home(tmp_path_factory.mktemp("home")))
    made = [record(number, **fields) for number, fields in enumerate(values)]
    for start in range(0, len(made), cut):
        await write(store, *made[start : start + cut])
    rows = await store.ledger.usage(["provider", "key", "day", "model"])
    await store.close()
    expected: dict[tuple, list[int]] = {}
    for one in made:
        group = expected.setdefault((one.provider, one.key_id, one.started_at, one.model), [0] * 5)
        unpriced = one.cost_nano is None and one.status != "refused"
        for index, add in enumerate((1, one.status not in ("success", "cancelled"), one.input, one.cost_nano or 0, unpriced)):
            group[index] += int(add)
    assert len(rows) == len(expected)
    assert sorted([r.requests, r.errors, r.input, r.cost_nano, r.unpriced_requests] for r in rows) == sorted(expected.values())


SLOT = 900_000
NAMED = ["fast", "FAST", "Zürich", "ZÜRICH", "zürich", "other"]
SPENT = st.builds(
    lambda slot, key, model, provider, team, cost: {
        "started_at": NOON + slot * SLOT, "key_id": key, "model": model, "provider": provider, "team": team, "cost_nano": cost,
        "cost_state": "unknown" if cost is None else "final",
    },
    st.integers(-400, 400), st.sampled_from(["key_a", "KEY_A", "key_b"]), st.sampled_from(NAMED), st.sampled_from(NAMED),
    st.sampled_from(NAMED), st.none() | st.integers(0, 10**12),
)  # fmt: skip
EDGES = st.integers(-400, 400).map(lambda slot: NOON // SLOT * SLOT + slot * SLOT)
ACCOUNTS = st.builds(
    lambda scope, names, since, until: Spending(scope, names[0] if scope != "global" else "", since, until, tuple(names[1:])),
    st.sampled_from(["global", "provider", "alias", "team", "key"]),
    st.lists(st.sampled_from([*NAMED, "key_a", "key_b", "KEY_A", "absent"]), min_size=1, max_size=3),
    # Few ranges, so that accounts share them.
    st.sampled_from([0, NOON // DAY * DAY, NOON // DAY * DAY - DAY]) | EDGES, st.none() | EDGES,
)  # fmt: skip


@settings(max_examples=25)
@given(
    made=st.lists(SPENT, min_size=1, max_size=30), accounts=st.lists(ACCOUNTS, max_size=30), summed=st.booleans(),
    most=st.sampled_from([1, 2, 1000]),
)  # fmt: skip
async def test_the_spend_of_many_accounts_at_once_is_that_of_each_alone(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict], accounts: list[Spending], summed: bool, most: int
):
    store = SqliteStore.open(Home(tmp_path_factory.mktemp("home")))
    records = [record(number, **fields) for number, fields in enumerate(made)]
    late = records[::3] if summed else []
    await write(store, *(one for one in records if one not in late))
    if summed:
        await store.ledger.summarize(NOON + 2 * DAY)
        await write(store, *late)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conduit_desktop.store.sqlite.usage.MOST_NAMES", most)
        together = await store.ledger.spent(accounts)
    alone = [(await store.ledger.spent([account]))[0] for account in accounts]
    await store.close()
    assert together == alone == [sum(one.cost_nano or 0 for one in records if _is_of(one, account)) for account in accounts]


def _is_of(one: RequestRecord, account: Spending) -> bool:
    if not account.since_ms <= one.started_at < (account.until_ms or 2**62):
        return False
    if account.scope in ("global", "key"):
        return account.scope == "global" or one.key_id in (account.target, *account.former)
    name = one.model if account.scope == "alias" else getattr(one, account.scope)
    # Only the case of ASCII is ignored: bytes.lower() knows no other.
    return name.encode().lower() in [other.encode().lower() for other in (account.target, *account.former)]


async def test_the_spend_holds_the_records_handed_over_before_it_was_asked_for_and_no_later_ones(store: SqliteStore):
    whole = Spending("global")
    for number in range(20):
        before = store.ledger.record(record(3 * number, cost_nano=1))
        asked = asyncio.ensure_future(store.ledger.spent([whole]))
        also_before = store.ledger.record(record(3 * number + 1, cost_nano=1))
        await asyncio.sleep(0)
        after = store.ledger.record(record(3 * number + 2, cost_nano=1))
        assert await asked == [3 * number + 2]
        await asyncio.gather(before, also_before, after)


async def test_past_periods_are_summed_while_records_are_written(store: SqliteStore, monkeypatch: pytest.MonkeyPatch):
    threads: list[str] = []
    spent = usage.spent

    def watched(*args: Any) -> list[int]:
        threads.append(threading.current_thread().name)
        return spent(*args)

    monkeypatch.setattr(usage, "spent", watched)
    waiting = store.ledger.record(record(1))
    periods = [Spending("global", "", NOON - number * DAY, NOON + DAY - number * DAY) for number in range(2)]
    assert await store.ledger.spent(periods) == [1000, 0]
    assert await store.ledger.spent([Spending("global", "", NOON)]) == [1000]
    assert [name.split()[-1] for name in threads] == ["reader", "writer"]
    await waiting


async def test_recent_use_counts_what_was_admitted_and_tokens_from_the_end_of_a_request(store: SqliteStore):
    def used(index: int, ago_ms: int, **fields: object) -> RequestRecord:
        return RequestRecord(**{"id": f"req_{index}", "started_at": NOON - ago_ms, "key_id": "k", "provider": "p", **fields})  # type: ignore[arg-type]

    await write(
        store,
        used(0, 90_000, duration_ms=40_000.0, input=100, output=10, reasoning=10),
        used(1, 59_000, status="error", provider="", cache_read=5),
        used(2, 58_900, status="cancelled", output=3),
        used(3, 1_000, status="refused", provider="", input=1000),
        used(4, 1_000, status="cancelled", provider=""),
        used(5, 1_000, endpoint="count_tokens", input=1000),
        used(6, 1_000, key_id="other", input=1000),
        used(7, 90_000, duration_ms=20_000.0, input=1000),
    )
    requests = await store.ledger.recent_requests(["k"], NOON - 60_000, 500)
    assert [(one.key_id, one.at_ms, one.amount) for one in requests] == [("k", NOON - 58_900, 2)]
    tokens = await store.ledger.recent_tokens(["k"], NOON - 60_000, 500)
    assert [(one.at_ms, one.amount) for one in tokens] == [(NOON - 58_900, 8), (NOON - 50_000, 110)]
