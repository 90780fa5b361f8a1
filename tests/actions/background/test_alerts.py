"""Notifications about keys, once each."""

from __future__ import annotations

import asyncio
import itertools
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from conduit_desktop.actions.background.alerts import DAY_MS, LATELY_MS, TRIES, Alerts
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.gateway.admission.limits import NO_PRICE
from tests.actions.conftest import OPENAI, Do

NOW = 1_790_000_000_000
_ids = itertools.count()


@pytest.fixture
def alerts(context: AppContext) -> Iterator[Alerts]:
    made = Alerts(context)
    yield made
    made.close()


async def notified(context: AppContext, do: Do) -> list[tuple[str, str, str]]:
    while context.gateway.state._side_work:
        await asyncio.wait(context.gateway.state._side_work)
    return [(row["kind"], row["severity"], row["title"]) for row in reversed((await do("GET", "/notifications"))["data"])]


def spend(context: AppContext, key: Any, usd: float, **fields: Any) -> None:
    """A request of the key ends, having cost `usd`."""
    made = RequestRecord(id=f"r{next(_ids)}", started_at=now_ms(), cost_nano=round(usd * 1e9), cost_state="final", **fields)
    made.key_id = key["id"] if key else ""
    context.gateway.state.budgets.charge(made)
    context.bus.publish("requests", made)


OWN = "The total budget of the key app"


async def test_a_keys_budget_raises_a_notification_at_each_threshold_once(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    free = await do("POST", "/keys", {"name": "free"})
    spend(context, free, 100)
    spend(context, key, 0.74)
    assert await notified(context, do) == []
    for cost in (0.01, 0.01, 0.14, 0.2, 0.5):
        spend(context, key, cost)
    assert await notified(context, do) == [
        ("budget", "warning", f"{OWN} is 75% spent"), ("budget", "warning", f"{OWN} is 90% spent"),
        ("budget", "error", f"{OWN} is spent"),
    ]  # fmt: skip


async def test_a_restart_notifies_of_nothing_twice(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1, "expires_at": "2026-09-21T14:13:20Z"})
    spend(context, key, 0.8)
    alerts.check_expiry(NOW - 1)
    before = await notified(context, do)
    assert len(before) == 2
    await do("POST", "/notifications/read")
    alerts.close()
    again = Alerts(context)
    spend(context, key, 0.01)
    again.check_expiry(NOW - 1)
    assert await notified(context, do) == before
    again.close()


async def test_the_next_period_is_notified_though_the_last_ones_notice_is_unread(
    context: AppContext, do: Do, alerts: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do("POST", "/budgets", {"name": "all", "scope": "global", "limit_usd": 1, "period": "daily"})
    day = [now_ms()]
    monkeypatch.setattr(context.gateway.state.budgets, "now_ms", lambda: day[0])
    for _ in range(2):
        made = RequestRecord(id=f"r{next(_ids)}", started_at=day[0], cost_nano=10**9, cost_state="final")
        context.gateway.state.budgets.charge(made)
        context.bus.publish("requests", made)
        day[0] += 86_400_000
    assert await notified(context, do) == [("budget", "error", "The daily budget all is spent")] * 2


async def test_a_raised_budget_and_a_reset_spend_are_notified_anew(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    spend(context, key, 0.8)
    await do("PATCH", f"/keys/{key['id']}", {"budget_usd": 2})
    spend(context, key, 0.1)
    assert len(await notified(context, do)) == 1
    spend(context, key, 0.7)
    assert len(await notified(context, do)) == 2
    await do("POST", f"/keys/{key['id']}/reset-spend")
    spend(context, key, 1.6)
    assert len(await notified(context, do)) == 3


@pytest.mark.parametrize(
    ("scope", "target", "fields"),
    [
        ("global", None, {}), ("provider", "openai", {"provider": "OpenAI"}), ("alias", "fast", {"model": "Fast"}),
        ("team", "red", {"team": "Red"}),
    ],
)  # fmt: skip
async def test_a_budget_of_every_scope_is_notified_of_its_own_requests(
    context: AppContext, do: Do, alerts: Alerts, scope: str, target: str | None, fields: dict[str, str]
) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "openai", "model": "m"}]})
    await do(
        "POST", "/budgets", {"name": "b", "scope": scope, "target": target, "limit_usd": 1, "thresholds": [0.5], "action": "warn"}
    )
    if scope != "global":
        spend(context, None, 9, provider="other", model="other", team="other")
    spend(context, None, 0.6, **fields)
    assert await notified(context, do) == [("budget", "warning", "The monthly budget b is 50% spent")]


async def test_a_budget_that_only_warns_does_not_say_that_requests_are_refused(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/budgets", {"name": "b", "scope": "global", "limit_usd": 1, "action": "warn", "period": "total"})
    spend(context, None, 1)
    assert await notified(context, do) == [("budget", "warning", "The budget b is spent")]
    [note] = (await do("GET", "/notifications"))["data"]
    assert note["text"] == "$1.00 of $1.00 are spent. It only warns: requests go on."


async def test_a_rest_that_fits_no_usual_request_is_notified_once(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    for _ in range(6):
        spend(context, key, 0.15)
    titles = [title for _, _, title in await notified(context, do)]
    assert titles.count(f"{OWN} has no room for a usual request") == 1
    spend(context, key, 0.01)
    assert len(await notified(context, do)) == len(titles)


async def test_a_model_without_a_price_is_notified_once_with_the_way_to_it(context: AppContext, do: Do, alerts: Alerts) -> None:
    for number in range(3):
        context.bus.publish("requests", RequestRecord(id=f"u{number}", started_at=NOW, provider="gpu", upstream_model="dark"))
    assert await notified(context, do) == [("budget", "warning", "No price is known for gpu/dark")]
    [note] = (await do("GET", "/notifications"))["data"]
    assert "conduit-desktop prices add 'gpu/dark' --input USD --output USD" in note["text"]


@pytest.mark.parametrize(
    ("endpoint", "tokens", "options"),
    [
        ("images", 0, "--per-image USD"),
        ("images", 5, "--input USD --output USD"),
        ("speech", 0, "--per-1k-chars USD"),
        ("transcriptions", 0, "--per-minute USD"),
        ("rerank", 0, "--per-search USD"),
        ("embeddings", 0, "--input USD --output USD"),
    ],
)
async def test_the_way_to_a_price_names_the_rate_by_which_the_endpoint_is_billed(
    context: AppContext, do: Do, alerts: Alerts, endpoint: str, tokens: int, options: str
) -> None:
    made = RequestRecord(id="u", started_at=NOW, provider="gpu", upstream_model="dark", endpoint=endpoint, input=tokens)
    context.bus.publish("requests", made)
    await notified(context, do)
    [note] = (await do("GET", "/notifications"))["data"]
    assert note["text"].endswith(f"prices add 'gpu/dark' {options}")


async def test_a_name_chosen_by_a_client_is_one_word_of_the_command_to_copy(context: AppContext, do: Do, alerts: Alerts) -> None:
    name = "x'; touch pwned; echo '"
    context.bus.publish("requests", RequestRecord(id="u", started_at=NOW, provider="gpu", upstream_model=name))
    await notified(context, do)
    [note] = (await do("GET", "/notifications"))["data"]
    words = shlex.split(note["text"].partition("conduit-desktop ")[2])
    assert words == ["prices", "add", f"gpu/{name}", "--input", "USD", "--output", "USD"]


async def test_a_request_refused_for_its_price_names_the_targets_of_its_alias(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "openai", "model": "dark"}]})
    refused = {"status": "refused", "error_code": "model_not_allowed"}
    text = f"{NO_PRICE}, and the budget 'all' holds."
    context.bus.publish("requests", RequestRecord(id="a", started_at=NOW, model="Fast", error_text=text, **refused))  # type: ignore[arg-type]
    context.bus.publish("requests", RequestRecord(id="b", started_at=NOW, model="no", error_text="Not for you.", **refused))  # type: ignore[arg-type]
    assert await notified(context, do) == [("budget", "warning", "No price is known for openai/dark")]


async def test_an_account_without_money_is_notified_once_a_day(context: AppContext, do: Do, alerts: Alerts) -> None:
    for number, at in enumerate((NOW, NOW + 1, NOW + 86_400_000)):
        failed = AttemptRecord("openai", "m", outcome="money", status=402, detail="insufficient_quota")
        context.bus.publish("requests", RequestRecord(id=f"m{number}", started_at=at, status="error", attempts=[failed]))
    assert await notified(context, do) == [("health", "error", "The account at openai is used up")] * 2


async def test_a_key_is_notified_a_week_and_a_day_before_and_after_it_expires(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/keys", {"name": "app", "expires_at": "2026-09-21T14:13:20Z"})
    await do("POST", "/keys", {"name": "off", "expires_at": "2026-09-21T14:13:20Z", "enabled": False})
    week = ("expiry", "info", "The key app expires within 7 days")
    day = ("expiry", "warning", "The key app expires within a day")
    over = ("expiry", "warning", "The key app has expired")
    for at, expected in (
        (NOW - 7 * DAY_MS - 1, []), (NOW - 7 * DAY_MS, [week]), (NOW - DAY_MS - 1, [week]), (NOW - DAY_MS, [week, day]),
        (NOW - 1, [week, day]), (NOW, [week, day, over]), (NOW + LATELY_MS + 1, [week, day, over]),
    ):  # fmt: skip
        alerts.check_expiry(at)
        assert await notified(context, do) == expected


async def test_a_key_that_expires_tomorrow_is_not_notified_for_the_week(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/keys", {"name": "app", "expires_at": "2026-09-21T14:13:20Z"})
    alerts.check_expiry(NOW - DAY_MS)
    assert [title for _, _, title in await notified(context, do)] == ["The key app expires within a day"]


async def test_a_key_that_expired_long_ago_is_not_notified(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/keys", {"name": "app", "expires_at": "2026-09-21T14:13:20Z"})
    alerts.check_expiry(NOW + LATELY_MS + 1)
    assert await notified(context, do) == []


async def test_wrong_keys_from_a_whole_network_push_out_no_other_notification(context: AppContext, do: Do, alerts: Alerts) -> None:
    for number in range(200):
        for _ in range(TRIES):
            wrong = RequestRecord(
                id=f"r{next(_ids)}",
                started_at=NOW,
                status="refused",
                error_code="invalid_api_key",
                client_ip=f"2001:db8::{number:x}",
            )
            context.bus.publish("requests", wrong)
    titles = [title for _, _, title in await notified(context, do)]
    assert len(titles) <= 21
    assert "Wrong API keys from many addresses" in titles


async def test_many_wrong_keys_from_one_address_raise_a_notification(context: AppContext, do: Do, alerts: Alerts) -> None:
    def tried(address: str, times: int) -> None:
        for _ in range(times):
            wrong = RequestRecord(
                id=f"r{next(_ids)}", started_at=NOW, status="refused", error_code="invalid_api_key", client_ip=address
            )
            context.bus.publish("requests", wrong)

    tried("10.0.0.1", TRIES - 1)
    tried("10.0.0.2", TRIES)
    assert await notified(context, do) == [("security", "warning", "Wrong API keys from 10.0.0.2")]
