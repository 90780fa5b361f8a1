"""Notifications about keys, once each."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from conduit_desktop.actions.background.alerts import LATELY_MS, SOON_MS, TRIES, Alerts
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do

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


def spend(context: AppContext, key: Any, usd: float) -> None:
    """A request of the key ends, having cost `usd`."""
    context.gateway.account(key["id"]).spend_nano += round(usd * 1e9)
    context.bus.publish("requests", RequestRecord(id=f"r{next(_ids)}", started_at=NOW, key_id=key["id"]))


async def test_a_budget_raises_a_notification_when_almost_spent_and_when_spent(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    free = await do("POST", "/keys", {"name": "free"})
    spend(context, free, 100)
    spend(context, key, 0.79)
    assert await notified(context, do) == []
    spend(context, key, 0.02)
    spend(context, key, 0.02)
    almost = ("budget", "warning", "The budget of the key app is almost spent")
    assert await notified(context, do) == [almost]
    spend(context, key, 0.5)
    spend(context, key, 0)
    assert await notified(context, do) == [almost, ("budget", "error", "The budget of the key app is spent")]


async def test_a_budget_is_almost_spent_from_four_fifths_on(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    spend(context, key, 0.8)
    assert [severity for _, severity, _ in await notified(context, do)] == ["warning"]


async def test_a_raised_budget_raises_a_new_notification(context: AppContext, do: Do, alerts: Alerts) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    spend(context, key, 0.9)
    assert len(await notified(context, do)) == 1
    await do("POST", "/notifications/read")
    await do("PATCH", f"/keys/{key['id']}", {"budget_usd": 2})
    spend(context, key, 0.1)
    assert len(await notified(context, do)) == 1
    spend(context, key, 0.7)
    assert len(await notified(context, do)) == 2


async def test_a_key_raises_a_notification_before_and_after_it_expires(context: AppContext, do: Do, alerts: Alerts) -> None:
    await do("POST", "/keys", {"name": "app", "expires_at": "2026-09-21T14:13:20Z"})
    await do("POST", "/keys", {"name": "off", "expires_at": "2026-09-21T14:13:20Z", "enabled": False})
    for at in (NOW - SOON_MS - 1, NOW - SOON_MS, NOW - 1):
        alerts.check_expiry(at)
    assert await notified(context, do) == [("expiry", "info", "The key app expires soon")]
    alerts.check_expiry(NOW)
    alerts.check_expiry(NOW + LATELY_MS + 1)
    # Notes of one millisecond come in any order.
    assert sorted(await notified(context, do)) == [
        ("expiry", "info", "The key app expires soon"), ("expiry", "warning", "The key app has expired"),
    ]  # fmt: skip


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
