"""Budgets of the operator: whose spend they limit, what they show, and what becomes of them when names change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do

DOLLAR = 1_000_000_000
WORLD = {"name": "all", "scope": "global", "limit_usd": 5}


async def spend(context: AppContext, usd: float, at: datetime | None = None, **fields: Any) -> None:
    when = round((at or datetime.now(UTC)).timestamp() * 1000)
    number = when * 1000 + spend.calls  # type: ignore[attr-defined]
    spend.calls += 1  # type: ignore[attr-defined]
    await context.store.ledger.record(
        RequestRecord(id=f"r{number}", started_at=when, cost_nano=round(usd * DOLLAR), cost_state="final", **fields)
    )
    await context.gateway.state.reload_spend()  # in memory is what the gateway itself has settled


spend.calls = 0  # type: ignore[attr-defined]


@pytest.fixture
async def configured(do: Do) -> dict[str, Any]:
    """A provider, an alias and a key; the key as it was made."""
    await do("POST", "/providers", {"name": "Gpu", "kind": "openai-compatible", "base_url": "http://127.0.0.1:9/v1"})
    await do("POST", "/models", {"alias": "Fast", "targets": [{"provider": "Gpu", "model": "m"}]})
    return dict(await do("POST", "/keys", {"name": "Laptop", "team": "red"}))


@pytest.mark.parametrize(
    ("scope", "target", "holder"),
    [
        ("global", None, {}),
        ("provider", "Gpu", {"provider": "Gpu"}),
        ("alias", "Fast", {"model": "Fast"}),
        ("team", "red", {"team": "red"}),
        ("key", "Laptop", {}),
    ],
)
async def test_a_budget_counts_what_its_scope_spent_in_the_running_period(
    context: AppContext, do: Do, configured: dict[str, Any], scope: str, target: str | None, holder: dict[str, str]
) -> None:
    key = {"key_id": configured["id"]} if scope == "key" else {}
    made = await do("POST", "/budgets", {"name": "b", "scope": scope, "target": target, "limit_usd": 3, "period": "daily"})
    assert made["spend_usd"] == 0
    await spend(context, 0.25, **holder, **key)
    await spend(context, 9, datetime.now(UTC) - timedelta(days=2), **holder, **key)
    if scope != "global":
        await spend(context, 7, provider="other", model="other", key_id="key_other")
    row = await do("GET", "/budgets/b")
    assert row["spend_usd"] == 0.25
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert row["period_start"] == midnight.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert row["next_reset"] == (midnight + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert (row["thresholds"], row["action"], row["locked"]) == ([0.75, 0.9, 1.0], "block", False)


async def test_a_target_gets_its_own_spelling_and_a_key_its_id(do: Do, configured: dict[str, Any]) -> None:
    made = [
        await do("POST", "/budgets", {"scope": scope, "target": target, "limit_usd": 1})
        for scope, target in (("provider", "gPU"), ("alias", "fAST"), ("key", "lAPTOP"), ("key", configured["id"]))
    ]
    assert [one["target"] for one in made] == ["Gpu", "Fast", configured["id"], configured["id"]]
    assert len({one["name"] for one in made}) == 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "provider", "limit_usd": 1}, "target"),
        ({"scope": "provider", "target": "nobody", "limit_usd": 1}, "target"),
        ({"scope": "alias", "target": "nobody", "limit_usd": 1}, "target"),
        ({"scope": "key", "target": "nobody", "limit_usd": 1}, "target"),
        ({"scope": "team", "limit_usd": 1}, "target"),
        ({"scope": "global", "target": "x", "limit_usd": 1}, "target"),
        ({"scope": "planet", "limit_usd": 1}, "scope"),
        ({"scope": "global"}, "limit_usd"),
        ({"scope": "global", "limit_usd": -1}, "limit_usd"),
        ({"scope": "global", "limit_usd": None}, "limit_usd"),
        ({"scope": "global", "limit_usd": 1, "thresholds": [0]}, "thresholds[0]"),
        ({"scope": "global", "limit_usd": 1, "period": "hourly"}, "period"),
    ],
)
async def test_a_budget_that_limits_nothing_is_refused_with_its_field(do: Do, body: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("POST", "/budgets", body)
    assert raised.value.field == field
    assert (await do("GET", "/budgets"))["data"] == []


async def test_a_budget_is_changed_field_by_field_and_removed(do: Do, configured: dict[str, Any]) -> None:
    made = await do("POST", "/budgets", WORLD)
    with pytest.raises(Conflict):
        await do("POST", "/budgets", {**WORLD, "name": "ALL"})
    after = await do("PATCH", f"/budgets/{made['id']}", {"limit_usd": 7.5, "action": "warn", "thresholds": [0.5]})
    assert (after["limit_usd"], after["action"], after["thresholds"]) == (7.5, "warn", [0.5])
    assert (await do("PATCH", "/budgets/all", {"thresholds": None}))["thresholds"] == [0.75, 0.9, 1.0]
    with pytest.raises(Invalid):
        await do("PATCH", "/budgets/all", {"scope": "provider"})
    assert (await do("PATCH", "/budgets/all", {"scope": "provider", "target": "gpu"}))["target"] == "Gpu"
    assert (await do("PATCH", "/budgets/all", {"scope": "global"}))["target"] is None
    await do("DELETE", "/budgets/all")
    with pytest.raises(NotFound):
        await do("GET", "/budgets/all")
    actions = [row["action"] for row in (await do("GET", "/audit"))["data"] if row["action"].startswith("budget")]
    assert actions == ["budget.remove", *["budget.edit"] * 4, "budget.create"]


async def test_a_renamed_provider_or_alias_keeps_its_budget_and_what_was_spent(
    context: AppContext, do: Do, configured: dict[str, Any]
) -> None:
    for scope, target in (("provider", "Gpu"), ("alias", "Fast")):
        await do("POST", "/budgets", {"name": scope, "scope": scope, "target": target, "limit_usd": 3})
    await spend(context, 1, provider="Gpu", model="Fast")
    await do("PATCH", "/providers/Gpu", {"name": "tpu"})
    await do("PATCH", "/models/Fast", {"alias": "quick"})
    await spend(context, 0.5, provider="tpu", model="quick")
    rows = {row["name"]: row for row in (await do("GET", "/budgets"))["data"]}
    assert {name: (row["target"], row["spend_usd"]) for name, row in rows.items()} == {
        "provider": ("tpu", 1.5), "alias": ("quick", 1.5),
    }  # fmt: skip
    moved = await do("PATCH", "/budgets/provider", {"scope": "alias", "target": "quick"})
    assert moved["spend_usd"] == 0.5


async def test_the_history_has_a_row_for_every_past_period_back_to_the_first_request(context: AppContext, do: Do) -> None:
    await do("POST", "/budgets", {**WORLD, "period": "daily"})
    assert (await do("GET", "/budgets/all/history"))["data"] == []
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await spend(context, 1, today - timedelta(seconds=1))
    await spend(context, 2, today - timedelta(days=3))
    await spend(context, 4, today)
    rows = (await do("GET", "/budgets/all/history"))["data"]
    assert [row["spend_usd"] for row in rows] == [1, 0, 2]
    assert rows[0]["period_end"] == today.strftime("%Y-%m-%dT00:00:00.000Z")
    assert rows[-1]["period_start"] == (today - timedelta(days=3)).strftime("%Y-%m-%dT00:00:00.000Z")
    first = await do("GET", "/budgets/all/history", limit="2")
    rest = await do("GET", "/budgets/all/history", limit="2", cursor=first["next"])
    assert first["data"] + rest["data"] == rows
    assert rest["next"] is None


async def test_the_past_periods_of_a_keys_own_budget_are_those_of_a_budget_on_the_key(context: AppContext, do: Do) -> None:
    key = await do("POST", "/keys", {"name": "ci", "budget_usd": 5, "budget_period": "daily"})
    await do("POST", "/budgets", {"name": "same", "scope": "key", "target": "ci", "limit_usd": 5, "period": "daily"})
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for dollars, days in ((1, 1), (2, 3), (4, 0)):
        await spend(context, dollars, today - timedelta(days=days), key_id=key["id"])
    await spend(context, 8, today - timedelta(days=2))
    rows = (await do("GET", "/keys/ci/history"))["data"]
    assert [row["spend_usd"] for row in rows] == [1, 0, 2]
    assert (await do("GET", "/budgets/same/history"))["data"] == rows
    # The spend that counts is reset, what was spent is not.
    await do("POST", "/keys/ci/reset-spend")
    first = await do("GET", f"/keys/{key['id']}/history", limit="2")
    rest = await do("GET", f"/keys/{key['id']}/history", limit="2", cursor=first["next"])
    assert first["data"] + rest["data"] == rows
    await do("PATCH", "/keys/ci", {"budget_period": "total"})
    assert (await do("GET", "/keys/ci/history"))["data"] == []
    with pytest.raises(NotFound):
        await do("GET", "/keys/none/history")


async def test_a_budget_for_ever_has_no_past(context: AppContext, do: Do) -> None:
    await do("POST", "/budgets", {**WORLD, "period": "total"})
    await spend(context, 1, datetime(2020, 1, 1, tzinfo=UTC))
    row = await do("GET", "/budgets/all")
    assert (row["spend_usd"], row["period_start"], row["next_reset"]) == (1, None, None)
    assert (await do("GET", "/budgets/all/history"))["data"] == []


async def test_a_budget_of_the_config_file_is_locked_and_so_is_the_name_it_uses(
    context: AppContext, do: Do, configured: dict[str, Any]
) -> None:
    from conduit_desktop.actions.config_file.document import parse
    from conduit_desktop.actions.config_file.transfer import sync_file

    text = '[[budgets]]\nname = "a"\nscope = "provider"\ntarget = "gpu"\nlimit_usd = 5\n'
    changes = await sync_file(context, parse(text))
    assert [(one.kind, one.name, one.change) for one in changes] == [("budget", "a", "add")]
    for method, body in (("PATCH", {"limit_usd": 9}), ("DELETE", None)):
        with pytest.raises(Conflict):
            await do(method, "/budgets/a", body)
    with pytest.raises(Conflict):
        await do("PATCH", "/providers/Gpu", {"name": "tpu"})
    assert await sync_file(context, parse(text)) == []
    again = await sync_file(context, parse(text.replace("5", "6") + 'action = "warn"\n'))
    assert [(one.name, one.change, one.fields) for one in again] == [("a", "change", ["action", "limit_usd"])]
    gone = await sync_file(context, parse(""))
    assert [(one.kind, one.name, one.change) for one in gone] == [("budget", "a", "remove")]


async def test_an_export_carries_budgets_teams_and_tags(context: AppContext, do: Do, configured: dict[str, Any]) -> None:
    await do("PATCH", "/keys/Laptop", {"tags": ["a", "b"]})
    await do("POST", "/budgets", {"name": "k", "scope": "key", "target": "Laptop", "limit_usd": 2.5, "period": "weekly"})
    await do("POST", "/budgets", WORLD)
    text = (await do("GET", "/export"))["toml"]
    assert 'team = "red"' in text
    for name in ("k", "all"):
        await do("DELETE", f"/budgets/{name}")
    await do("PATCH", "/keys/Laptop", {"tags": [], "team": None})
    await do("POST", "/import", {"toml": text, "apply": True})
    key = await do("GET", "/keys/Laptop")
    assert (key["team"], key["tags"]) == ("red", ["a", "b"])
    rows = {row["name"]: (row["target"], row["limit_usd"], row["period"]) for row in (await do("GET", "/budgets"))["data"]}
    assert rows == {"k": (configured["id"], 2.5, "weekly"), "all": (None, 5, "monthly")}


async def test_an_import_names_the_budget_whose_target_is_nowhere(do: Do) -> None:
    text = '[[budgets]]\nname = "a"\nscope = "alias"\ntarget = "x"\nlimit_usd = 5\n'
    for apply in (False, True):
        with pytest.raises(Invalid, match=r"line 4.*there is no alias 'x'"):
            await do("POST", "/import", {"toml": text, "apply": apply})


async def test_budgets_without_a_name_are_numbered(do: Do, configured: dict[str, Any]) -> None:
    body = {"scope": "provider", "target": "Gpu", "limit_usd": 1}
    names = [(await do("POST", "/budgets", body))["name"] for _ in range(4)]
    base = "monthly budget of provider Gpu"
    assert names == [base, f"{base} 2", f"{base} 3", f"{base} 4"]


async def test_a_rename_publishes_the_budgets_that_carry_the_new_name(
    context: AppContext, do: Do, configured: dict[str, Any]
) -> None:
    await do("POST", "/budgets", {"name": "b", "scope": "provider", "target": "Gpu", "limit_usd": 1})
    changes: list[str] = []
    context.bus.subscribe(lambda change: changes.append(str(change.topic)), "budgets")
    await do("PATCH", "/providers/Gpu", {"enabled": False})
    assert changes == []
    await do("PATCH", "/providers/Gpu", {"name": "tpu"})
    assert changes == ["budgets"]
