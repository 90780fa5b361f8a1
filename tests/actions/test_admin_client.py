"""Which call of the admin API each method of the client makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.bus import Change

Call = tuple[str, str, Any, Any]


class Recorder:
    """A transport of a gateway elsewhere: keeps every call, and answers with `answers` in order, then with None."""

    def __init__(self, *answers: Any) -> None:
        self.calls: list[Call] = []
        self._answers = list(answers)

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        """Keep the call."""
        self.calls.append((method, path, query, body))
        return self._answers.pop(0) if self._answers else None

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """No change is ever published."""
        return lambda: None

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        (lambda c: c.remove_provider("a/b"), "DELETE", "/providers/a%2Fb"),
        (lambda c: c.remove_model("team/fast"), "DELETE", "/models/team%2Ffast"),
        (lambda c: c.pause_target("openai/m"), "POST", "/health/openai%2Fm/pause"),
        (lambda c: c.resume_target("openai/m"), "POST", "/health/openai%2Fm/resume"),
        (lambda c: c.release_credential("openai", "a b"), "POST", "/health/openai/credentials/a%20b/release"),
        (lambda c: c.remove_key("key_1"), "DELETE", "/keys/key_1"),
        (lambda c: c.remove_budget("all"), "DELETE", "/budgets/all"),
        (lambda c: c.remove_price("openai/*"), "DELETE", "/prices/openai%2F%2A"),
        (lambda c: c.mark_read("n1"), "POST", "/notifications/n1/read"),
        (lambda c: c.remove_webhook(), "DELETE", "/webhook"),
        (lambda c: c.remove_ip_rule("ip_1"), "DELETE", "/ip-rules/ip_1"),
    ],
)
async def test_a_method_without_a_result_makes_its_one_call(
    call: Callable[[AdminClient], Awaitable[None]], method: str, path: str
) -> None:
    transport = Recorder()
    await call(AdminClient(transport))
    assert transport.calls == [(method, path, None, None)]


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda c, **limit: c.key_history("key_1", **limit), "/keys/key_1/history"),
        (lambda c, **limit: c.budget_history("all", **limit), "/budgets/all/history"),
    ],
)
async def test_a_history_has_fifty_periods_unless_another_number_is_given(
    call: Callable[..., Awaitable[list[Any]]], path: str
) -> None:
    row = {"period_start": "2026-09-01T00:00:00.000Z", "period_end": "2026-10-01T00:00:00.000Z", "spend_usd": 1.5}
    transport = Recorder({"data": [row], "next": "c"}, {"data": [], "next": None})
    client = AdminClient(transport)
    assert [period.spend_usd for period in await call(client)] == [1.5]
    assert await call(client, limit=3) == []
    assert transport.calls == [("GET", path, {"limit": 50}, None), ("GET", path, {"limit": 3}, None)]


async def test_an_explanation_sends_the_body_of_the_request_and_an_empty_one_without() -> None:
    transport = Recorder({"data": [], "next": None}, {"data": [], "next": None})
    client = AdminClient(transport)
    await client.explain_model("fast", {"max_tokens": 5})
    await client.explain_model("fast")
    assert [body for _, _, _, body in transport.calls] == [{"max_tokens": 5}, {}]


async def test_a_replay_sends_the_target_and_the_changed_fields() -> None:
    transport = Recorder()
    with pytest.raises(ValueError, match="RequestDetailView"):  # None is no record
        await AdminClient(transport).replay("r1", "openai/m", {"temperature": 0})
    [(method, path, _, body)] = transport.calls
    assert (method, path) == ("POST", "/replay")
    assert (body.request_id, body.target, body.overrides) == ("r1", "openai/m", {"temperature": 0})


async def test_a_list_of_several_parts_is_read_to_its_end_and_lets_the_loop_run_in_between() -> None:
    transport = Recorder({"data": [], "next": "c1"}, {"data": [], "next": "c2"}, {"data": [], "next": None})
    ran_after: list[int] = []
    asyncio.get_running_loop().call_soon(lambda: ran_after.append(len(transport.calls)))
    assert await AdminClient(transport).keys() == []
    assert [query["cursor"] for _, _, query, _ in transport.calls] == [None, "c1", "c2"]
    assert ran_after == [1]
