"""Budgets under load, through the whole pipeline: parallel calls, waits, hang-ups, restarts, midnight."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Budget, BudgetScope
from conduit_desktop.core.errors import BudgetBusy, BudgetExceeded, Forbidden, GatewayError, RateLimited
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import StreamReply
from conduit_desktop.gateway.routing.explain import explain
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.script import Step, Tokens
from tests.fakes.vendor import Vendor
from tests.fakes.waiting import settled, until

DOLLAR = 10**9
THOUGHT = Tokens(input=20, output=30_000, reasoning=29_990)
"""At $5 a million tokens, an answer of $0.15 where $0.02 is expected."""


async def furnish(gateway: GatewayFixture, vendor: Vendor, **key: Any) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
    await gateway.add_alias("m", "oa/thinker", retries=0)
    await gateway.add_alias("either", "oa/thinker", "an/other", retries=0)
    await gateway.add_price("thinker", 5.0, 5.0)
    await gateway.add_price("other", 5.0, 5.0)
    await gateway.add_key(**key)


async def add_budget(
    gateway: GatewayFixture, scope: BudgetScope, target: str = "", limit: int = 5 * DOLLAR, **fields: Any
) -> Budget:
    made = Budget(id=f"bud_{scope}_{target}", name=f"{scope} {target}", scope=scope, target=target, limit_nano=limit, **fields)
    await gateway.store.budgets.insert(made)
    await gateway.refresh()
    return made


async def status(gateway: GatewayFixture, stream: bool = False, **fields: Any) -> int:
    """The status of one call; a stream is read to its end."""
    try:
        exchange = await gateway.answer(call(fields.pop("model", "m"), stream=stream, **fields))
    except GatewayError as error:
        return error.status
    if isinstance(exchange, StreamReply):
        data = b"".join([frame async for frame in exchange.frames])
        await exchange.close()
        return 402 if b"billing_hard_limit_reached" in data else 200
    return 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scope", ["key", "team", "global"])
async def test_200_calls_at_once_with_hidden_thoughts_pass_a_budget_of_5_dollars_by_one_answer_at_most(
    home: Home, vendor: Vendor, stream: bool, scope: BudgetScope
) -> None:
    vendor.script(Step(delay_s=0.01, text="hm", tokens=THOUGHT), cycle=True)
    async with open_gateway(home, budget_wait_s=120) as gateway:
        await furnish(gateway, vendor, team="red", **({"budget_nano": 5 * DOLLAR} if scope == "key" else {}))
        if scope != "key":
            await add_budget(gateway, scope, "red" if scope == "team" else "")
        found = Counter(await asyncio.gather(*(status(gateway, stream) for _ in range(200))))
        await settled(gateway)
        spent = sum(record.cost_nano or 0 for record in gateway.records)
        assert set(found) == {200, 402}
        assert 5 * DOLLAR - THOUGHT.output * 5000 <= spent <= 5 * DOLLAR + THOUGHT.output * 5000
        account = gateway.account("key_tester")
        assert (account.spend_nano, account.reserved_nano, account.held_nano, account.bookings) == (spent, 0, 0, 0)


async def test_streams_at_once_that_go_on_beyond_their_caps_end_where_the_budget_does(gateway: GatewayFixture) -> None:
    chunk = (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"thinker","choices":[{"index":0,"delta":%b}]}\n\n'
    )
    endless = http_answer(chunk % b'{"content":"word "}' * 20_000 + b"data: [DONE]\n\n", "text/event-stream", "chunked")
    async with raw_upstream(endless) as url:
        await gateway.add_provider("oa", f"{url}/v1")
        await gateway.add_price("thinker", 5.0, 5.0)
        await gateway.add_key(budget_nano=10_000_000)  # 2,000 tokens for both
        found = await asyncio.gather(*(status(gateway, stream=True, max_tokens=10, model="oa/thinker") for _ in range(2)))
        await settled(gateway)
    account = gateway.account("key_tester")
    assert found == [402, 402]
    assert account.spend_nano == sum(record.cost_nano or 0 for record in gateway.records)
    # What was received before the end is counted by its bytes: an estimate, and within the budget.
    assert 0 < account.spend_nano <= 10_000_000
    assert (account.reserved_nano, account.held_nano, account.bookings) == (0, 0, 0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_target_that_ignored_a_cap_is_not_trusted_with_another(home: Home, vendor: Vendor, stream: bool) -> None:
    vendor.script(Step(delay_s=0.01, text="hm", tokens=THOUGHT), cycle=True)
    async with open_gateway(home, budget_wait_s=60) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR // 4)
        # One answer is $0.15, where the cap allows $0.0005. Once one has shown that, only one such is in flight.
        assert await status(gateway, stream, max_tokens=100) == 200
        found = Counter(await asyncio.gather(*(status(gateway, stream, max_tokens=100) for _ in range(20))))
        await settled(gateway)
        spent = sum(record.cost_nano or 0 for record in gateway.records)
    assert found == {200: 1, 402: 19}
    assert spent <= DOLLAR // 4 + THOUGHT.output * 5000


async def test_honest_calls_whose_worst_cases_fit_are_all_served_at_once(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor, budget_nano=5 * DOLLAR)
    vendor.script(Step(delay_s=0.3, tokens=Tokens(input=20, output=100)), cycle=True)
    tasks = [asyncio.ensure_future(status(gateway, max_tokens=1000)) for _ in range(50)]
    await until(lambda: len(vendor.requests) == 50)
    assert await asyncio.gather(*tasks) == [200] * 50


async def test_calls_that_wait_for_a_budget_are_answered_in_the_order_in_which_they_came(home: Home, vendor: Vendor) -> None:
    vendor.script(Step(delay_s=0.02), cycle=True)
    async with open_gateway(home, budget_wait_s=60) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR)
        await gateway.ask("m", "number 0")  # looks up the price
        tasks = []
        for number in range(1, 12):
            tasks.append(asyncio.ensure_future(gateway.ask("m", f"number {number}")))
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
    asked = [request.body["messages"][0]["content"] for request in vendor.requests]
    assert asked == [f"number {number}" for number in range(12)]


@pytest.mark.parametrize(
    ("client_dialect", "path"),
    [
        ("openai_chat", ("error", "code")), ("openai_responses", ("error", "code")), ("anthropic_messages", ("error", "type")),
        ("gemini", ("error", "status")),
    ],
)  # fmt: skip
async def test_a_call_that_has_waited_too_long_gets_the_error_in_its_own_dialect(
    home: Home, vendor: Vendor, client_dialect: str, path: tuple[str, str]
) -> None:
    async with open_gateway(home, budget_wait_s=0.05) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR)
        vendor.script(Step(hang=True), Step())
        first = asyncio.ensure_future(gateway.ask("m"))
        await until(lambda: vendor.requests)
        with pytest.raises(BudgetBusy) as busy:
            await gateway.ask("m")
        assert (busy.value.status, busy.value.retry_after) == (429, 1.0)
        code, body = dialect(client_dialect).write_error(busy.value)
        words = {"code": "budget_busy", "type": "rate_limit_error", "status": "RESOURCE_EXHAUSTED"}
        assert (code, body[path[0]][path[1]]) == (429, words[path[1]])
        assert (gateway.records[-1].status, gateway.records[-1].error_code) == ("refused", "budget_busy")
        first.cancel()
        await asyncio.wait({first})
        assert await status(gateway) == 200
        assert not gateway.state.budgets.of_key(gateway.snapshot.keys["key_tester"]).waiting


async def test_without_a_wait_a_call_is_refused_at_once(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, budget_wait_s=0) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR)
        vendor.script(Step(hang=True), Step())
        first = asyncio.ensure_future(gateway.ask("m"))
        await until(lambda: vendor.requests)
        with pytest.raises(BudgetBusy):
            await gateway.ask("m")
        first.cancel()
        await asyncio.wait({first})


async def test_a_caller_who_hangs_up_while_it_waits_leaves_nothing_behind(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, budget_wait_s=60) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR)
        vendor.script(Step(hang=True), Step())
        queue = gateway.state.budgets.of_key(gateway.snapshot.keys["key_tester"])
        first = asyncio.ensure_future(gateway.ask("m"))
        await until(lambda: vendor.requests)
        waiting = [asyncio.ensure_future(gateway.ask("m", f"number {number}")) for number in range(3)]
        await until(lambda: len(queue.waiting) == 3)
        waiting[0].cancel()
        first.cancel()
        await asyncio.wait({first, waiting[0]})
        await asyncio.gather(*waiting[1:])
        await settled(gateway)
        account = gateway.account("key_tester")
        assert (account.reserved_nano, account.held_nano, account.overruns, account.bookings) == (0, 0, 0, 0)
        assert not queue.waiting
        assert [request.body["messages"][0]["content"] for request in vendor.requests[1:]] == ["number 1", "number 2"]


async def test_a_key_that_is_disabled_while_its_call_waits_is_refused(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, budget_wait_s=60) as gateway:
        await furnish(gateway, vendor, budget_nano=DOLLAR)
        vendor.script(Step(hang=True), Step())
        key = gateway.snapshot.keys["key_tester"]
        queue = gateway.state.budgets.of_key(key)
        first = asyncio.ensure_future(gateway.ask("m"))
        await until(lambda: vendor.requests)
        second = asyncio.ensure_future(status(gateway))
        await until(lambda: queue.waiting)
        await gateway.store.keys.replace(key.model_copy(update={"enabled": False}))
        await gateway.refresh()
        assert await second == 401
        first.cancel()
        await asyncio.wait({first})


# Providers


async def test_a_provider_whose_budget_is_spent_is_left_out_and_the_others_serve(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    await add_budget(gateway, "provider", "OA", limit=30_000_000)
    vendor.script(Step(tokens=Tokens(input=20, output=4000)), cycle=True)
    for served_by in ("oa", "an", "an"):
        await gateway.ask("either")
        assert gateway.records[-1].provider == served_by
    with pytest.raises(BudgetExceeded, match="budget 'provider OA' of the provider 'OA'"):
        await gateway.ask("m")
    await add_budget(gateway, "provider", "an", limit=1)
    with pytest.raises(BudgetExceeded):
        await gateway.ask("either")


async def test_the_explanation_of_a_route_names_the_spent_budget_of_a_provider(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    await add_budget(gateway, "provider", "oa", limit=0)
    rows = await explain(gateway.state, "either", {"messages": []})
    assert [(row.provider, row.usable) for row in rows] == [("oa", False), ("an", True)]
    assert rows[0].reason == "The monthly budget 'provider oa' of the provider 'oa' ($0.00) is spent"


async def test_where_a_providers_budget_is_in_use_another_provider_serves_without_a_wait(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, budget_wait_s=60) as gateway:
        await furnish(gateway, vendor)
        budget = await add_budget(gateway, "provider", "oa", limit=DOLLAR)
        vendor.script(Step(hang=True), Step())
        first = asyncio.ensure_future(gateway.ask("m"))
        await until(lambda: vendor.requests)
        await gateway.ask("either")
        assert gateway.records[-1].provider == "an"
        waiting = asyncio.ensure_future(gateway.ask("m"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        first.cancel()
        await waiting
        await settled(gateway)
        account = gateway.budget_account(budget)
        assert (account.reserved_nano, account.held_nano, account.bookings) == (0, 0, 0)
        assert account.spend_nano == sum(record.cost_nano or 0 for record in gateway.records if record.provider == "oa")


async def test_a_call_without_a_price_at_one_of_its_targets_is_refused_where_a_budget_holds(
    gateway: GatewayFixture, vendor: Vendor
) -> None:
    await furnish(gateway, vendor, team="red")
    await gateway.add_alias("mixed", "oa/thinker", "an/nameless")
    assert await status(gateway, model="mixed") == 200
    await add_budget(gateway, "team", "red")
    with pytest.raises(Forbidden, match="No price is known"):
        await gateway.ask("mixed")
    assert not [request for request in vendor.requests if request.body["model"] == "nameless"]


async def test_tokens_are_counted_for_a_caller_whatever_the_budgets(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    await gateway.add_alias("nameless", "oa/nameless")
    await add_budget(gateway, "global", limit=0)
    await add_budget(gateway, "provider", "oa", limit=0)
    for model in ("m", "nameless"):
        counting = call(model, client_dialect="anthropic_messages")
        counting.endpoint, counting.media_request = "count_tokens", MediaRequest("count_tokens", counting.body)
        await gateway.answer(counting)
    assert await status(gateway) == 402


@pytest.mark.parametrize(("ttl", "expected"), [(None, 1000), ("5m", 1250), ("1h", 2000)])
async def test_what_a_call_writes_to_a_cache_is_expected_at_the_rate_of_its_lifetime(
    gateway: GatewayFixture, vendor: Vendor, ttl: str | None, expected: int
) -> None:
    await furnish(gateway, vendor)
    await gateway.add_alias("cached", "an/cached")
    await gateway.add_price("cached", 1.0, 0.0, cache_write=1.25, cache_write_1h=2.0)
    budget = await add_budget(gateway, "global")
    mark = {} if ttl is None else {"cache_control": {"type": "ephemeral", "ttl": ttl}}
    asked = call("cached", client_dialect="anthropic_messages", system=[{"type": "text", "text": "be brief", **mark}])
    vendor.script(Step(hang=True))
    answering = asyncio.ensure_future(gateway.answer(asked))
    await until(lambda: vendor.requests)
    assert gateway.budget_account(budget).reserved_nano == asked.input_tokens * expected
    answering.cancel()
    await asyncio.wait({answering})
    assert gateway.budget_account(budget).reserved_nano == 0


# Restarts


async def test_memory_and_ledger_are_equal_before_and_after_a_restart(home: Home, vendor: Vendor) -> None:
    scopes: list[tuple[BudgetScope, str]] = [
        ("global", ""), ("team", "RED"), ("alias", "M"), ("key", "key_tester"), ("provider", "OA"), ("provider", "an")
    ]  # fmt: skip
    vendor.script(
        Step(tokens=THOUGHT),
        Step(status=500),
        Step(text="one two three", cut_after=2),
        Step(tokens=Tokens(cache_read=7)),
        cycle=True,
    )
    async with open_gateway(home) as gateway:
        await furnish(gateway, vendor, team="red", budget_nano=1000 * DOLLAR)
        budgets = [await add_budget(gateway, *one, limit=1000 * DOLLAR) for one in scopes]
        asked = [(model, stream) for model in ("m", "either") for stream in (False, True)] * 6
        await asyncio.gather(*(status(gateway, stream, model=model) for model, stream in asked))
        await settled(gateway)
        before = [gateway.budget_account(one).spend_nano for one in budgets] + [gateway.account("key_tester").spend_nano]
        assert before[0] == before[-1] == sum(record.cost_nano or 0 for record in gateway.records) > 0
        await gateway.state.reload_spend()
        assert [gateway.budget_account(one).spend_nano for one in budgets] == before[:-1]
    async with open_gateway(home) as gateway:
        after = [gateway.budget_account(one).spend_nano for one in budgets] + [gateway.account("key_tester").spend_nano]
        assert after == before


async def test_what_is_settled_while_the_ledger_is_read_again_is_counted_once(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor, budget_nano=1000 * DOLLAR)

    async def read_again() -> None:
        for _ in range(30):
            await gateway.state.reload_spend()

    reading = asyncio.ensure_future(read_again())
    await asyncio.gather(*(status(gateway) for _ in range(60)), reading)
    await settled(gateway)
    assert gateway.account("key_tester").spend_nano == sum(record.cost_nano or 0 for record in gateway.records)


@pytest.mark.parametrize(
    ("limits", "asks"), [({"rpm": 3}, 3), ({"rpd": 3}, 3), ({"tpm": 5000}, 1), ({"rpd": 100_000, "rpm": 3}, 3)]
)
async def test_rate_limits_survive_a_restart(home: Home, vendor: Vendor, limits: dict[str, int], asks: int) -> None:
    vendor.script(Step(tokens=Tokens(input=20, output=4950)), cycle=True)
    async with open_gateway(home) as gateway:
        await furnish(gateway, vendor, **limits)
        assert [await status(gateway) for _ in range(asks)] == [200] * asks
        before = gateway.state.limiter.headers(gateway.snapshot.keys["key_tester"])
    async with open_gateway(home) as gateway:
        after = gateway.state.limiter.headers(gateway.snapshot.keys["key_tester"])
        assert {name: row[:2] for name, row in after.items()} == {name: row[:2] for name, row in before.items()}
        with pytest.raises(RateLimited):
            await gateway.ask("m")


# Midnight


async def test_a_call_admitted_after_midnight_belongs_to_the_new_day_in_memory_and_in_the_ledger(
    home: Home, vendor: Vendor
) -> None:
    midnight = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    async with open_gateway(home) as gateway:
        gateway.state.budgets.now_ms = lambda: midnight + 50
        await furnish(gateway, vendor, budget_nano=5 * DOLLAR, budget_period="daily")
        late = call("m")
        late.started_at, late.id = midnight - 50, "req_late"
        await gateway.answer(late)
        record = gateway.records[-1]
        assert record.started_at == midnight + 50
        assert gateway.account("key_tester").spend_nano == record.cost_nano
        await gateway.state.reload_spend()
        assert gateway.account("key_tester").spend_nano == record.cost_nano


async def test_a_call_settled_after_midnight_is_paid_by_the_day_on_which_it_was_admitted(home: Home, vendor: Vendor) -> None:
    midnight = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    now = [midnight - 50]
    async with open_gateway(home) as gateway:
        gateway.state.budgets.now_ms = lambda: now[0]
        await furnish(gateway, vendor, budget_nano=5 * DOLLAR, budget_period="daily")
        vendor.script(Step(delay_s=0.1))
        asked = call("m")
        asked.started_at = now[0]
        answering = asyncio.ensure_future(gateway.answer(asked))
        await until(lambda: vendor.requests)
        assert gateway.account("key_tester").reserved_nano > 0
        now[0] = midnight + 50
        assert gateway.account("key_tester").reserved_nano == 0
        await answering
        assert gateway.account("key_tester").spend_nano == 0
        await gateway.state.reload_spend()
        assert gateway.account("key_tester").spend_nano == 0
        now[0] = midnight - 50
        assert gateway.account("key_tester").spend_nano == gateway.records[-1].cost_nano


async def test_a_call_that_waits_for_a_budget_over_midnight_is_admitted_in_the_new_day(home: Home, vendor: Vendor) -> None:
    midnight = round(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
    began = now_ms()
    async with open_gateway(home, budget_wait_s=60) as gateway:
        # Midnight is 300 ms away.
        gateway.state.budgets.now_ms = lambda: midnight - 300 + now_ms() - began
        await furnish(gateway, vendor, budget_nano=DOLLAR, budget_period="daily")
        vendor.script(Step(hang=True), Step())
        began = now_ms()
        first, second = call("m"), call("m")
        first.started_at = second.started_at = midnight - 300
        hanging = asyncio.ensure_future(gateway.answer(first))
        await until(lambda: vendor.requests)
        await gateway.answer(second)
        record = gateway.records[-1]
        assert record.started_at >= midnight
        assert gateway.account("key_tester").spend_nano == record.cost_nano
        hanging.cancel()
        await asyncio.wait({hanging})
        assert gateway.account("key_tester").spend_nano == record.cost_nano


# Estimates by length


@pytest.mark.parametrize(
    ("dollars", "content", "weighs"),
    [
        (10_000, "Say hello.", False),
        (10, "Say hello.", True),
        (10_000, [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}], True),
    ],
    ids=["ample room", "less", "a picture"],
)
async def test_a_text_is_weighed_where_a_limit_may_matter(
    gateway: GatewayFixture, vendor: Vendor, dollars: int, content: Any, weighs: bool
) -> None:
    await furnish(gateway, vendor, budget_nano=dollars * DOLLAR, tpm=10_000_000)
    made = call("m", content)
    made.received = (orjson.dumps(made.body), made.body)
    vendor.script(Step(hang=True))
    asking = asyncio.ensure_future(gateway.answer(made))
    await until(lambda: vendor.requests)
    assert bool(made.estimated_tokens) is weighs
    account = gateway.account("key_tester")
    assert 0 < account.reserved_nano <= account.held_nano
    asking.cancel()
    await asyncio.wait({asking})
    await settled(gateway)
    # A caller that leaves is charged by the text, whatever was reserved.
    assert made.estimated_tokens
    assert (account.reserved_nano, account.held_nano) == (0, 0)


async def test_an_alias_of_a_model_that_searches_holds_what_it_may_find(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, budget_wait_s=0) as gateway:
        # What it finds is taken as 200,000 tokens: a dollar.
        await furnish(gateway, vendor, budget_nano=3 * DOLLAR // 2)
        await gateway.add_price("thinker:online", 5.0, 5.0)
        await gateway.add_alias("searching", "oa/thinker:online", retries=0)
        await gateway.ask("m", max_tokens=10)  # looks up the price
        for model, code in (("m", 200), ("searching", 429)):
            vendor.script(Step(hang=True), Step(hang=True), Step())
            before = len(vendor.requests)
            # The first leaves no room for another worst case; the second is the one that may overrun the budget.
            hanging = [asyncio.ensure_future(gateway.ask(model, max_tokens=10)) for _ in range(2)]
            await until(lambda before=before: len(vendor.requests) == before + 2)
            assert await status(gateway, model=model, max_tokens=10) == code
            for task in hanging:
                task.cancel()
            await asyncio.wait(hanging)
            await settled(gateway)
