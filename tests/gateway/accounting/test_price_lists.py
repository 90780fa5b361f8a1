"""Prices in vendors' own lists of models: which hold, and when a list is fetched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.gateway.accounting import price_lists
from conduit_desktop.gateway.accounting.price_lists import price_of
from conduit_desktop.gateway.health.probe import offered_models
from tests.fakes.gateway import GatewayFixture

USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}


class ListingVendor:
    """A vendor with a list of models; counts how often it was read."""

    def __init__(self, rows: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> None:
        self.rows, self.usage = rows, usage or USAGE
        self.lists = 0
        self.status = 200
        self.url = ""

    async def models(self, request: web.Request) -> web.Response:
        self.lists += 1
        return web.json_response({"object": "list", "data": self.rows}, status=self.status)

    async def chat(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        return web.json_response({**head, "choices": [choice], "usage": self.usage})


@asynccontextmanager
async def listing(*rows: dict[str, Any], usage: dict[str, Any] | None = None) -> AsyncIterator[ListingVendor]:
    vendor = ListingVendor(list(rows), usage)
    app = web.Application()
    app.router.add_get("/v1/models", vendor.models)
    app.router.add_post("/v1/chat/completions", vendor.chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield vendor
    finally:
        await runner.cleanup()


DEEPINFRA = {"id": "new/model", "metadata": {"pricing": {"input_tokens": 0.2, "output_tokens": 0.8, "cache_read_tokens": 0.05}}}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("deepinfra", DEEPINFRA),
        ("openrouter", {"id": "new/model", "pricing": {"prompt": "0.0000002", "completion": "0.0000008"}}),
        ("together", {"id": "new/model", "pricing": {"input": 0.2, "output": 0.8}}),
        ("sambanova", {"id": "new/model", "pricing": {"prompt": "0.0000002", "completion": "0.0000008"}}),
        ("xai", {"id": "new/model", "prompt_text_token_price": 2000, "completion_text_token_price": 8000}),
    ],
)
async def test_the_first_call_of_a_model_that_the_catalog_lacks_has_the_price_of_the_vendors_list(
    gateway: GatewayFixture, kind: str, row: dict[str, Any]
):
    async with listing(row) as vendor:
        await gateway.add_provider("up", vendor.url, kind=kind)
        await gateway.add_key()
        await gateway.ask("up/new/model")
    record = gateway.records[-1]
    assert (record.cost_nano, record.cost_state, record.price_source) == (280_000_000, "final", "provider_list")
    assert record.price_date


async def test_tokens_from_the_cache_have_the_lists_own_price(gateway: GatewayFixture):
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 400_000}}
    async with listing(DEEPINFRA, usage=usage) as vendor:
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await gateway.add_key()
        await gateway.ask("up/new/model")
    assert gateway.records[-1].cost_nano == 120_000_000 + 20_000_000 + 80_000_000


async def test_a_list_is_read_once_for_many_first_calls_and_not_again_for_a_model_that_it_lacks(gateway: GatewayFixture):
    async with listing(DEEPINFRA) as vendor:
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await gateway.add_key()
        await asyncio.gather(*(gateway.ask("up/new/model") for _ in range(20)))
        await gateway.ask("up/another/model")
        assert vendor.lists == 1
    assert {record.cost_nano for record in gateway.records[:20]} == {280_000_000}
    assert gateway.records[-1].cost_state == "unknown"


async def test_a_list_that_fails_leaves_the_cost_unknown_and_the_answer_whole(gateway: GatewayFixture):
    async with listing() as vendor:
        vendor.status = 500
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await gateway.add_key()
        assert (await gateway.ask("up/new/model"))["choices"]
    assert (gateway.records[-1].status, gateway.records[-1].cost_state) == ("success", "unknown")


async def test_a_price_of_the_catalog_needs_no_list(gateway: GatewayFixture):
    async with listing(DEEPINFRA) as vendor:
        await gateway.add_provider("up", vendor.url, kind="openrouter")
        await gateway.add_key()
        await gateway.ask("up/openai/gpt-4o")
        assert vendor.lists == 0
    assert gateway.records[-1].price_source == "catalog"


async def test_a_list_that_was_read_for_another_reason_holds_over_the_catalog(gateway: GatewayFixture):
    async with listing({"id": "openai/gpt-4o", "pricing": {"prompt": "0.000004", "completion": "0.00001"}}) as vendor:
        await gateway.add_provider("up", vendor.url, kind="openrouter")
        await gateway.add_key()
        await gateway.ask("up/openai/gpt-4o")
        await offered_models(gateway, "up", refresh=True)
        await gateway.ask("up/openai/gpt-4o")
    assert [(one.cost_nano, one.price_source) for one in gateway.records] == [
        (3_500_000_000, "catalog"),
        (5_000_000_000, "provider_list"),
    ]


async def test_the_catalog_adds_what_a_list_with_the_same_rates_lacks(gateway: GatewayFixture):
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 1_000_000}}
    async with listing({"id": "openai/gpt-4o", "pricing": {"prompt": "0.0000025", "completion": "0.00001"}}, usage=usage) as vendor:
        await gateway.add_provider("up", vendor.url, kind="openrouter")
        await gateway.add_key()
        await offered_models(gateway, "up")
        await gateway.ask("up/openai/gpt-4o")
    # Cached input costs $1.25, of which the list says nothing.
    assert (gateway.records[-1].cost_nano, gateway.records[-1].price_source) == (2_250_000_000, "provider_list")


async def test_a_general_server_is_not_asked_for_a_list_but_its_prices_hold_once_it_was_read(gateway: GatewayFixture):
    async with listing({"id": "new/model", "pricing": {"prompt": "0.0000002", "completion": "0.0000008"}}) as vendor:
        await gateway.add_provider("up", vendor.url, kind="openai-compatible")
        await gateway.add_key()
        await gateway.ask("up/new/model")
        assert vendor.lists == 0
        await offered_models(gateway, "up")
        await gateway.ask("up/new/model")
    assert [record.cost_nano for record in gateway.records] == [None, 280_000_000]


async def test_the_operators_price_holds_over_the_vendors_list(gateway: GatewayFixture):
    async with listing(DEEPINFRA) as vendor:
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await gateway.add_price("new/model", 1.0, 0.0)
        await gateway.add_key()
        await gateway.ask("up/new/model")
        assert vendor.lists == 0
    assert gateway.records[-1].price_source == "override"


async def test_a_changed_provider_loses_the_prices_of_its_list(gateway: GatewayFixture):
    async with listing(DEEPINFRA) as vendor:
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await offered_models(gateway, "up")
        bound = gateway.snapshot.providers["up"]
        assert gateway.state.price_lists.find(bound, "new/model") is not None
        await gateway.store.providers.replace(bound.provider.model_copy(update={"updated_at": 7}))
        await gateway.refresh()
        assert gateway.state.price_lists.find(bound, "new/model") is None


async def test_an_old_list_is_read_again_and_its_prices_hold_until_then(gateway: GatewayFixture, monkeypatch: pytest.MonkeyPatch):
    async with listing(DEEPINFRA) as vendor:
        await gateway.add_provider("up", vendor.url, kind="deepinfra")
        await gateway.add_key()
        await gateway.ask("up/new/model")
        now = price_lists.now_ms()
        monkeypatch.setattr(price_lists, "now_ms", lambda: now + price_lists.VALID_MS)
        gateway.state.compiled_prices.forget()
        await gateway.ask("up/new/model")
        await asyncio.gather(*gateway.state.price_lists._running.values())
        assert vendor.lists == 2
    assert [record.cost_nano for record in gateway.records] == [280_000_000] * 2


@pytest.mark.parametrize(
    ("offered", "rates"),
    [
        (OfferedModel("m", input_usd=1.0, output_usd=2.0), (1, 2)),
        (OfferedModel("m", input_usd=1.0), None),
        (OfferedModel("m", output_usd=1.0), None),
        (OfferedModel("m", input_usd=0.0, output_usd=0.0), None),
        (OfferedModel("m:free", input_usd=0.0, output_usd=0.0), (0, 0)),
        (OfferedModel("m", input_usd=0.1, features=("embeddings",)), (0.1, 0)),
    ],
)
def test_half_a_price_and_a_zero_for_everything_are_no_price(offered: OfferedModel, rates: tuple[float, float] | None):
    price = price_of("p", offered, "2026-11-30")
    assert (None if price is None else (price.input, price.output)) == rates


def test_a_listed_price_has_its_origin_date_and_further_rates():
    price = price_of(
        "p", OfferedModel("a/m", input_usd=1.0, output_usd=2.0, rates={"cache_read": 0.1, "per_request": 0.01}), "2026-11-30"
    )
    assert price is not None
    assert (price.pattern, price.origin, price.as_of) == ("p/a/m", "provider_list", "2026-11-30")
    assert (price.cache_read, price.per_request) == (0.1, 0.01)
