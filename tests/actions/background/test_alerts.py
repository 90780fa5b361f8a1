"""Notifications about keys, once each."""

from __future__ import annotations

import asyncio
import itertools
import shlex
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.actions.background import alerts as module
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


@pytest.fixture
def notes(context: AppContext, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Title and text of everything that is notified, before the store drops an occasion it has."""
    made: list[tuple[str, str]] = []

    def notify(_kind: str, _severity: str, title: str, text: str, _occasion: str = "") -> None:
        made.append((title, text))

    monkeypatch.setattr(context.gateway.state, "notify", notify)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of the module: its one element, in seconds."""
    at = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: at[0]))
    return at


ROOM = f"{OWN} has no room for a usual request"


async def test_four_requests_do_not_show_what_one_usually_costs_and_five_do(
    context: AppContext, do: Do, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    for cost in (0.22, 0.22, 0.22, 0.22):
        spend(context, key, cost)
    context.bus.publish("requests", RequestRecord(id="free", started_at=NOW, key_id=key["id"], provider="p", upstream_model="m"))
    assert ROOM not in [title for title, _ in notes]
    spend(context, key, 0.01)
    assert notes[-1] == (ROOM, "$0.11 are left, and its requests usually cost $0.22.")


async def test_a_rest_that_fits_a_usual_request_exactly_is_not_notified(
    context: AppContext, do: Do, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    for cost in (0.1, 0.1, 0.1, 0.3, 0.3):
        spend(context, key, cost)
    assert [title for title, _ in notes] == [f"{OWN} is 90% spent"]


async def test_a_budget_spent_to_the_last_cent_is_notified_as_spent_alone(
    context: AppContext, do: Do, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 1})
    for _ in range(5):
        spend(context, key, 0.2)
    assert [title for title, _ in notes] == [f"{OWN} is 75% spent", f"{OWN} is spent"]


async def test_what_a_request_usually_costs_is_the_median_of_the_last_twenty(
    context: AppContext, do: Do, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    key = await do("POST", "/keys", {"name": "app", "budget_usd": 56})
    for cost in (*[4] * 11, *[1] * 10):
        spend(context, key, cost)
    assert notes[-1] == (ROOM, "$2.00 are left, and its requests usually cost $2.50.")


async def test_a_success_after_a_target_without_money_is_notified_of_the_account_alone(
    context: AppContext, do: Do, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    attempts = [AttemptRecord("openai", "m", outcome="money", status=402), AttemptRecord("azure", "m")]
    spend(context, None, 0.1, status="success", provider="azure", upstream_model="m", attempts=attempts)
    assert notes == [
        ("The account at openai is used up", "It refuses requests because of its own balance or quota: 402")
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error", "provider": "gpu", "upstream_model": "dark"},
        {"status": "error", "error_text": f"{NO_PRICE}, and the budget 'all' holds."},
        {"status": "success", "provider": ""},
        {"status": "refused", "error_code": "invalid_api_key", "key_id": "key_1"},
    ],
)
async def test_what_shows_no_missing_price_is_not_notified(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]], fields: dict[str, Any]
) -> None:
    for _ in range(20):
        context.bus.publish("requests", RequestRecord(id="r", started_at=NOW, **fields))
    context.bus.publish("requests", "r")
    assert notes == []


async def test_a_direct_call_refused_for_its_price_names_its_own_model(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    refused = RequestRecord(
        id="a", started_at=NOW, model="gpu/dark", status="refused", error_text=f"{NO_PRICE}.", endpoint="images"
    )  # fmt: skip
    context.bus.publish("requests", refused)
    [(title, text)] = notes
    assert title == "No price is known for gpu/dark"
    assert text.endswith("--per-image USD (where it is billed by tokens: --input USD --output USD)")


async def test_an_image_with_as_many_tokens_in_as_out_is_priced_by_tokens(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    made = RequestRecord(id="u", started_at=NOW, provider="gpu", upstream_model="dark", endpoint="images", input=5, output=5)
    context.bus.publish("requests", made)
    [(_, text)] = notes
    assert text.endswith("'gpu/dark' --input USD --output USD")


async def test_a_thousand_models_without_a_price_are_remembered_and_one_more_begins_anew(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]]
) -> None:
    def used(number: int) -> int:
        model = f"m{number}"
        context.bus.publish("requests", RequestRecord(id="u", started_at=NOW, provider="gpu", upstream_model=model))
        return len(notes)

    assert [used(number) for number in range(1000)][-1] == 1000
    assert used(0) == 1000
    assert used(1000) == 1001
    assert used(0) == 1002


def tried(context: AppContext, address: str, times: int = 1) -> None:
    """Calls of the address with a key that is not valid."""
    for _ in range(times):
        wrong = RequestRecord(id="r", started_at=NOW, status="refused", error_code="invalid_api_key", client_ip=address)
        context.bus.publish("requests", wrong)


async def test_every_ten_wrong_keys_within_a_minute_are_notified_once(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]], clock: list[float]
) -> None:
    tried(context, "10.0.0.1", 9)
    assert notes == []
    clock[0] += 60
    tried(context, "10.0.0.1")
    assert [title for title, _ in notes] == ["Wrong API keys from 10.0.0.1"]
    tried(context, "10.0.0.1", 9)
    assert len(notes) == 1
    tried(context, "10.0.0.1")
    assert len(notes) == 2


async def test_ten_wrong_keys_in_more_than_a_minute_are_not_notified(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]], clock: list[float]
) -> None:
    tried(context, "10.0.0.1")
    clock[0] += 60.5
    tried(context, "10.0.0.1", 9)
    assert notes == []
    tried(context, "10.0.0.1")
    assert len(notes) == 1


@pytest.mark.parametrize(("others", "expected"), [(998, ["Wrong API keys from 10.0.0.1"]), (999, [])])
async def test_tries_of_a_thousand_addresses_are_counted_and_then_begin_anew(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]], clock: list[float], others: int, expected: list[str]
) -> None:
    tried(context, "10.0.0.1", 9)
    for number in range(others):
        tried(context, f"2001:db8::{number:x}")
    tried(context, "10.0.0.1")
    assert [title for title, _ in notes] == expected


@pytest.mark.parametrize(
    ("pause_s", "title"), [(86_400, "Wrong API keys from many addresses"), (86_400.5, "Wrong API keys from 10.0.0.20")]
)
async def test_twenty_addresses_a_day_are_named(
    context: AppContext, alerts: Alerts, notes: list[tuple[str, str]], clock: list[float], pause_s: float, title: str
) -> None:
    tried(context, "10.0.0.0", 10)
    clock[0] += pause_s
    for number in range(1, 21):
        tried(context, f"10.0.0.{number}", 10)
    assert [one for one, _ in notes] == [*(f"Wrong API keys from 10.0.0.{number}" for number in range(20)), title]


@pytest.mark.parametrize(
    ("after_ms", "expected"),
    [
        (-30 * 86_400_000, []),
        (-7 * 86_400_000 - 1, []),
        (-7 * 86_400_000, ["The key app expires within 7 days"]),
        (-86_400_001, ["The key app expires within 7 days"]),
        (-86_400_000, ["The key app expires within a day"]),
        (-1, ["The key app expires within a day"]),
        (0, ["The key app has expired"]),
        (86_400_000, ["The key app has expired"]),
        (86_400_001, []),
    ],
)
async def test_a_key_is_notified_by_the_days_it_has_left(
    do: Do, alerts: Alerts, notes: list[tuple[str, str]], after_ms: int, expected: list[str]
) -> None:
    await do("POST", "/keys", {"name": "app", "expires_at": "2026-09-21T14:13:20Z"})
    await do("POST", "/keys", {"name": "forever"})
    for _ in range(2):
        alerts.check_expiry(NOW + after_ms)
    assert [title for title, _ in notes] == expected
