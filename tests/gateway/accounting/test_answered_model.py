"""An answer is priced as the model that it names: an Azure deployment, a router and `-latest` are names for others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import BudgetExceeded, GatewayError
from conduit_desktop.core.media import Units
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.accounting import pricing
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from conduit_desktop.gateway.accounting.pricing import MAX_ANSWERED, PriceQuery
from conduit_desktop.gateway.admission.bounds import input_bounds
from conduit_desktop.gateway.call import WholeReply
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream

USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000}


def whole(model: str, usage: dict[str, int] = USAGE) -> bytes:
    message = {"role": "assistant", "content": "hi"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage}
    return http_answer(orjson.dumps(body), "application/json", "length")


def streamed(model: str) -> bytes:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model}
    frames = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": USAGE},
    ]
    data = b"".join(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    return http_answer(data, "text/event-stream", "chunked")


async def cost(gateway: GatewayFixture, model: str, answered: str, *, stream: bool = False, kind: str = "openai") -> int | None:
    """Nano-dollars of a call of `model` whose answer names `answered`."""
    async with raw_upstream(streamed(answered) if stream else whole(answered)) as url:
        await gateway.add_provider("up", f"{url}/v1", kind=kind)
        await gateway.add_key()
        if stream:
            await gateway.stream(f"up/{model}")
        else:
            await gateway.ask(f"up/{model}")
    return gateway.records[-1].cost_nano


def target_of(gateway: GatewayFixture, name: str) -> BoundTarget:
    provider, _, model = name.partition("/")
    return BoundTarget.of(gateway.snapshot.providers[provider], model)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_first_answer_of_a_deployment_has_the_price_of_the_model_that_it_names(gateway: GatewayFixture, stream: bool):
    # gpt-4o: $2.50 and $10 for a million.
    assert await cost(gateway, "our-deployment", "gpt-4o-2024-08-06", stream=stream) == 3_500_000_000


@pytest.mark.parametrize("stream", [False, True])
async def test_a_name_for_several_snapshots_has_the_price_of_the_one_that_answered(gateway: GatewayFixture, stream: bool):
    # The first snapshot of gpt-4o costs twice what the later ones do: $5 and $15.
    assert await cost(gateway, "gpt-4o", "gpt-4o-2024-05-13", stream=stream) == 6_500_000_000


async def test_an_answer_of_a_media_endpoint_has_the_price_of_the_model_that_it_names(gateway: GatewayFixture):
    usage = {"prompt_tokens": 1_000_000, "total_tokens": 1_000_000}
    data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    body = {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}
    async with raw_upstream(http_answer(orjson.dumps(body), "application/json", "length")) as url:
        await gateway.add_provider("up", f"{url}/v1", kind="openai")
        await gateway.add_key()
        request = call("up/our-deployment", input="hi")
        request.endpoint, request.media_request = "embeddings", MediaRequest("embeddings", request.body)
        del request.body["messages"]
        await gateway.answer(request)
    # $0.02 for a million.
    assert gateway.records[-1].cost_nano == 20_000_000


async def test_an_answer_that_names_an_unknown_model_has_the_price_of_the_one_that_was_asked_for(gateway: GatewayFixture):
    assert await cost(gateway, "gpt-4o", "gpt-4o-of-our-own") == 3_500_000_000


async def test_an_unknown_model_that_answers_with_an_invented_name_has_no_price(gateway: GatewayFixture):
    assert await cost(gateway, "our-deployment", "gpt-4o-invented") is None


async def test_a_budget_admits_calls_of_a_deployment_whose_model_an_answer_has_named(gateway: GatewayFixture):
    other = "condt_" + "b" * 43
    async with raw_upstream(whole("gpt-4o-2024-08-06")) as url:
        await gateway.add_provider("up", f"{url}/v1", kind="openai")
        await gateway.add_key()
        await gateway.add_key("limited", other, budget_nano=10_000_000_000)
        with pytest.raises(GatewayError):
            await gateway.ask("up/our-deployment", key=other)
        await gateway.ask("up/our-deployment")
        await gateway.ask("up/our-deployment", key=other)
    assert [(one.status, one.cost_nano) for one in gateway.records][1:] == [("success", 3_500_000_000)] * 2


async def test_the_operators_price_for_the_target_holds_whatever_the_answer_names(gateway: GatewayFixture):
    await gateway.add_price("up/our-deployment", 1.0, 1.0)
    assert await cost(gateway, "our-deployment", "gpt-4o") == 1_100_000_000


async def test_the_operators_price_for_a_model_holds_for_a_deployment_that_names_it(gateway: GatewayFixture):
    await gateway.add_price("gpt-4o*", 4.0, 0.0)
    assert await cost(gateway, "our-deployment", "gpt-4o-2024-08-06") == 4_000_000_000


async def test_a_free_model_stays_free_whatever_the_answer_names(gateway: GatewayFixture):
    assert await cost(gateway, "llama", "gpt-4o", kind="ollama") == 0


async def test_the_price_of_an_answer_is_looked_up_once(gateway: GatewayFixture, monkeypatch: pytest.MonkeyPatch):
    looked_up: list[str] = []
    compile_prices = pricing.compile_prices

    def counted(queries: Iterable[PriceQuery], *args: Any) -> Any:
        listed = list(queries)
        looked_up.extend(query.name for query in listed)
        return compile_prices(listed, *args)

    monkeypatch.setattr(pricing, "compile_prices", counted)
    async with raw_upstream(whole("gpt-4o-2024-08-06")) as url:
        await gateway.add_provider("up", f"{url}/v1", kind="openai")
        await gateway.add_key()
        await asyncio.gather(*(gateway.ask("up/our-deployment") for _ in range(3)))
        await gateway.ask("up/our-deployment")
    assert [record.cost_nano for record in gateway.records] == [3_500_000_000] * 4
    assert 1 <= looked_up.count("up/gpt-4o-2024-08-06") <= 3


async def test_a_server_that_makes_up_names_does_not_keep_the_gateway_busy(gateway: GatewayFixture):
    prices = gateway.state.compiled_prices
    async with raw_upstream(whole("one-more")) as url:
        await gateway.add_provider("up", f"{url}/v1", kind="openai")
        await gateway.add_key()
        prices._answered.update(f"up/{number}" for number in range(MAX_ANSWERED))
        await gateway.ask("up/gpt-4o")
    assert gateway.records[-1].cost_nano == 3_500_000_000
    assert prices._known.keys() == {"up/gpt-4o"}


SHORT = {"prompt_tokens": 10, "completion_tokens": 1000, "total_tokens": 1010}


async def test_calls_at_once_whose_snapshot_is_dearer_than_its_model_pass_a_budget_by_one_answer_at_most(home: Home):
    # mistral-large-latest is $1.50 for a million tokens of output, the snapshot of 2024 that it once stood for $6.
    async with raw_upstream(whole("mistral-large-2411", SHORT)) as url, open_gateway(home, budget_wait_s=60) as gateway:
        await gateway.add_provider("up", f"{url}/v1", kind="mistral")
        [price] = (
            await gateway.state.compiled_prices.find([target_of(gateway, "up/mistral-large-latest")], gateway.snapshot)
        ).values()
        assert price is not None
        asked = call("up/mistral-large-latest", max_tokens=1000)
        worst = price._worst(input_bounds(asked)[0], 1000, Units(), speeds=False)
        await gateway.add_key(budget_nano=10 * worst)
        answers = await asyncio.gather(
            *(gateway.answer(call("up/mistral-large-latest", max_tokens=1000)) for _ in range(20)), return_exceptions=True
        )
        assert {type(answer) for answer in answers} == {WholeReply, BudgetExceeded}
        spent = gateway.account("key_tester").spend_nano
        one = 10 * 2000 + 1000 * 6000
        assert spent <= 10 * worst + one
        assert gateway.records[-1].cost_nano in (one, 0)


async def test_a_dearer_model_that_has_answered_for_a_deployment_counts_in_its_worst_case(gateway: GatewayFixture):
    async with AsyncExitStack() as stack:
        for name, model in (("mini", "gpt-4o-mini"), ("dear", "gpt-4o")):
            url = await stack.enter_async_context(raw_upstream(whole(model, SHORT)))
            await gateway.add_provider(name, f"{url}/v1", kind="openai")
        await gateway.add_key()
        await gateway.ask("mini/our-router")
        target = target_of(gateway, "mini/our-router")
        prices = gateway.state.compiled_prices
        [before] = prices.known([target]).values()  # type: ignore[union-attr]
        assert before is not None
        # The router takes another model now.
        await prices.find_answered(target, "gpt-4o", gateway.snapshot)
        found, known = prices.of_answer(target, "gpt-4o", before)
        assert known
        assert found is not None
        [after] = prices.known([target]).values()  # type: ignore[union-attr]
        assert after is not None
        assert after.expected(1000, 1000) == before.expected(1000, 1000)
        assert after.worst(1000, 1000) == found.worst(1000, 1000) > before.worst(1000, 1000)
        prices.of_answer(target, "gpt-4o", after)
        assert prices.known([target]) == {target.name: after}


@pytest.mark.parametrize(
    ("provider", "model", "snapshot"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-05-13"), ("mistral", "mistral-large-latest", "mistral-large-2411"),
        ("openai", "gpt-4", "gpt-4-0613"), ("anthropic", "claude-3-5-haiku-latest", "claude-3-5-haiku"),
    ],
)  # fmt: skip
def test_the_catalog_knows_the_snapshots_of_a_model(provider: str, model: str, snapshot: str):
    found = PriceCatalog.load().snapshots(provider, model)
    assert snapshot in found
    assert not [name for name in found if "mini" in name or "32k" in name or "preview" in name]
    assert snapshot not in PriceCatalog.load().snapshots(provider, snapshot)
