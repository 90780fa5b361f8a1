"""The request log: each filter alone, and pages that neither lose nor repeat a row."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.requests import cursor_at
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do

AT = 1_790_000_000_000


@pytest.fixture
async def log(context: AppContext) -> None:
    for number, name in enumerate("abc"):
        await context.store.ledger.record(
            RequestRecord(
                id=name, started_at=AT + number * 1000, key_id=f"key_{name}", key_name=f"name {name}", model=f"model-{name}",
                provider=f"provider-{name}", status="broken" if name == "b" else "success",
            )
        )  # fmt: skip


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"key": "key_b"}, "b"), ({"key": "name b"}, "b"), ({"model": "model-b"}, "b"), ({"provider": "provider-b"}, "b"),
        ({"status": "broken"}, "b"), ({"since": "2026-09-21T14:13:21Z"}, "cb"), ({"until": "2026-09-21T14:13:21Z"}, "a"),
        ({"key": "missing"}, ""), ({"limit": "1"}, "c"), ({"cursor": cursor_at(AT + 1000)}, "ba"),
    ],
)  # fmt: skip
async def test_each_filter_keeps_what_fits(do: Do, query: dict[str, str], ids: str) -> None:
    assert [row["id"] for row in (await do("GET", "/requests", **query))["data"]] == list(ids)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("limit", ["1", "2", "3", "500"])
async def test_pages_give_every_row_once(do: Do, limit: str) -> None:
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await do("GET", "/requests", limit=limit, **cursor)
        ids += [row["id"] for row in page["data"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert ids == ["c", "b", "a"]


async def test_a_payload_that_is_no_json_is_shown_as_text(context: AppContext, do: Do) -> None:
    await context.store.ledger.record(RequestRecord(id="a", started_at=AT))
    await context.store.payloads.put("a", b'{"cut": ', b"\xff\xfe", AT)
    detail = await do("GET", "/requests/a")
    assert (detail["request_payload"], detail["response_payload"]) == ('{"cut": ', "\ufffd\ufffd")
