"""Usage: its groups, unknown costs, and CSV that no spreadsheet runs."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.usage import as_csv, groups, view
from conduit_desktop.core.cursor import write_cursor
from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.records import RequestRecord, UsageRow
from tests.actions.conftest import Do


def test_groups_are_read_in_order_without_doubles() -> None:
    assert groups(" model ,day,model,") == ["model", "day"]
    assert groups("") == []
    assert groups("day,model,key,provider") == ["day", "model", "key", "provider"]


@pytest.mark.parametrize("text", ["week", "day;model", "key_name", "day,Model"])
def test_an_unknown_group_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        groups(text)
    assert raised.value.field == "group_by"


@pytest.mark.parametrize(
    ("cost", "unpriced", "shown"), [(0, 0, 0.0), (0, 1, None), (5_000_000_000, 1, 5.0), (5_000_000_000, 0, 5.0)]
)
def test_a_cost_is_unknown_only_where_nothing_is_priced(cost: int, unpriced: int, shown: float | None) -> None:
    assert view(UsageRow(cost_nano=cost, unpriced_requests=unpriced), [])["cost_usd"] == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_quoted(text: str) -> None:
    cell = as_csv([view(UsageRow(model=text), ["model"])], "model").split("\n", 1)[1]
    assert cell.lstrip('"').startswith(f"'{text[0]}")


def test_other_texts_are_left_alone_in_csv() -> None:
    line = as_csv([view(UsageRow(model="a=b", provider=""), ["model", "provider"])], "model,provider").splitlines()[1]
    assert line.startswith("a=b,,")


async def test_usage_counts_from_since_until_before_until(context: AppContext, do: Do) -> None:
    for day in (20, 21, 22):
        at = 1_790_000_000_000 + (day - 21) * 86_400_000
        await context.store.ledger.record(RequestRecord(id=str(day), started_at=at))
    rows = (await do("GET", "/usage", group_by="day", since="2026-09-21", until="2026-09-22"))["data"]
    assert [row["day"] for row in rows] == ["2026-09-21"]
    assert (await do("GET", "/usage", since="2026-09-21"))["data"][0]["requests"] == 2
    assert (await do("GET", "/usage", until="2026-09-22"))["data"][0]["requests"] == 2


async def test_a_plain_date_and_a_day_are_those_of_the_time_zone(context: AppContext, do: Do) -> None:
    evening, night = 1_789_945_200_000, 1_789_952_400_000  # 2026-09-20 23:00 and 2026-09-21 01:00, UTC
    for at in (evening, night):
        await context.store.ledger.record(RequestRecord(id=str(at), started_at=at))

    async def days(**query: str) -> list[tuple[str, int]]:
        return [(row["day"], row["requests"]) for row in (await do("GET", "/usage", group_by="day", **query))["data"]]

    assert await days() == [("2026-09-20", 1), ("2026-09-21", 1)]
    assert await days(tz="Europe/Berlin") == [("2026-09-21", 2)]
    assert await days(tz="America/New_York", until="2026-09-21") == [("2026-09-20", 2)]
    assert await days(since="2026-09-21") == await days(since="2026-09-21", tz="UTC") == [("2026-09-21", 1)]
    assert await days(since="2026-09-21T00:00:00Z", tz="Europe/Berlin") == [("2026-09-21", 1)]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "UTC+2"])
async def test_a_time_zone_that_is_none_is_refused(do: Do, zone: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("GET", "/usage", group_by="day", tz=zone)
    assert raised.value.field == "tz"


async def test_all_rows_come_at_once_where_no_part_is_asked_for(context: AppContext, do: Do) -> None:
    for number in range(120):
        await context.store.ledger.record(RequestRecord(id=str(number), started_at=number, session=f"s{number:03}", cost_nano=1))
    answer = await do("GET", "/usage", group_by="session")
    assert len(answer["data"]) == 120
    assert answer["next"] is None
    part = await do("GET", "/usage", group_by="session", limit="50")
    assert len(part["data"]) == 50
    assert part["next"]


@pytest.mark.parametrize("group_by", ["session", "day,model", "model,key", "hour", "key,day"])
async def test_a_part_goes_on_behind_the_groups_of_the_last_row_though_requests_come(
    context: AppContext, do: Do, group_by: str
) -> None:
    day = 86_400_000
    for number in range(60):
        made = RequestRecord(
            id=str(number), started_at=number * day // 7, session=f"s{number % 9}", model="ab"[number % 2], key_id="klm"[number % 3]
        )
        await context.store.ledger.record(made)
    whole = (await do("GET", "/usage", group_by=group_by))["data"]
    assert len(whole) > 4
    parts, cursor = [], None
    while not parts or cursor:
        part = await do("GET", "/usage", group_by=group_by, limit="4", **({"cursor": cursor} if cursor else {}))
        parts += part["data"]
        cursor = part["next"]
        # Before all others: a part counted by rows would begin one row too early.
        await context.store.ledger.record(RequestRecord(id=f"new{len(parts)}", started_at=0, session="", model="", key_id=""))
    names = group_by.split(",")
    assert [[row[name] for name in names] for row in parts] == [[row[name] for name in names] for row in whole]


@pytest.mark.parametrize("place", [("2026-13-01", "a"), ("a",), ("2026-01-01", 1), ("2026-01-01", "a", "b")])
async def test_a_cursor_of_other_groups_is_refused(do: Do, place: tuple[str | int, ...]) -> None:
    with pytest.raises(Invalid) as raised:
        await do("GET", "/usage", group_by="day,model", cursor=write_cursor(*place))
    assert raised.value.field == "cursor"


async def test_failed_is_distinguished_from_refused_and_latencies_are_of_answers(context: AppContext, do: Do) -> None:
    for number, status in enumerate(["success", "success", "error", "broken", "refused", "cancelled"]):
        made = RequestRecord(id=str(number), started_at=number, status=status, duration_ms=10.0 * (number + 1), first_token_ms=5)  # type: ignore[arg-type]
        await context.store.ledger.record(made)
    [row] = (await do("GET", "/usage"))["data"]
    assert (row["requests"], row["failed"], row["refused"], row["errors"]) == (6, 2, 1, 3)
    assert row["latency_ms"] == {"p50": 10.0, "p95": 20.0}
    assert row["first_token_ms"] == {"p50": 5.0, "p95": 5.0}
