"""Which models a test of a provider finds, and which of them it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from conduit_desktop.core.errors import Invalid
from conduit_desktop.gateway.health import probe
from conduit_desktop.gateway.upstream import model_list
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_openai import MODELS
from tests.fakes.waiting import WITHIN_S

PLAIN = {"data": [{"id": "qwen3-8b"}, {"id": "nomic"}]}
FULLER = {
    "data": [
        {"id": "nomic", "type": "embeddings", "state": "not-loaded", "max_context_length": 2048},
        {
            "id": "qwen3-8b", "type": "vlm", "state": "loaded", "max_context_length": 262144, "loaded_context_length": 8192,
            "capabilities": ["tool_use"],
        },
    ]
}  # fmt: skip
NOT_THERE = {"error": "Unexpected endpoint or method. (GET /api/v0/models)"}


def lists(own: Any, status: int = 200) -> AbstractAsyncContextManager[str]:
    """A server with LM Studio's two lists; its address."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/v0/models":
            return web.json_response(own, status=status)
        assert request.path == "/v1/models"
        return web.json_response(PLAIN)

    return serving(answer)


@asynccontextmanager
async def serving(answer: Handler) -> AsyncIterator[str]:
    """A server that answers every GET so; its address."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_lm_studios_own_list_holds_sizes_and_features(gateway: GatewayFixture) -> None:
    async with lists(FULLER) as address:
        await gateway.add_provider("lm", address, kind="lmstudio")
        vectors, chat = await probe.offered_models(gateway, "lm")
        assert (vectors.id, vectors.features) == ("nomic", ("embeddings",))
        assert (chat.id, chat.context_tokens, chat.features) == ("qwen3-8b", 8192, ("tools", "vision"))


async def test_an_older_lm_studio_is_queried_for_the_plain_list(gateway: GatewayFixture) -> None:
    for number, status in enumerate((404, 200)):  # LM Studio answers 200 to what it does not know
        async with lists(NOT_THERE, status) as address:
            await gateway.add_provider(f"lm{number}", address, kind="lmstudio")
            found = await probe.offered_models(gateway, f"lm{number}")
            assert [model.id for model in found] == ["qwen3-8b", "nomic"]


async def test_a_list_of_another_shape_than_its_vendors_is_no_list(gateway: GatewayFixture) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": "models/a", "supportedGenerationMethods": 7}]})

    async with serving(answer) as address:
        await gateway.add_provider("odd", address, kind="gemini")
        with pytest.raises(Invalid, match="no list of models"):
            await probe.offered_models(gateway, "odd")


async def test_a_list_that_does_not_end_is_listened_to_no_more(gateway: GatewayFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_list, "LIST_S", 0.2)
    left = asyncio.Event()

    async def begin(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return response

    async with serving(begin) as address:
        await gateway.add_provider("slow", address)
        with pytest.raises(Invalid, match="did not list its models within"):
            await probe.offered_models(gateway, "slow")
        async with asyncio.timeout(WITHIN_S):
            await left.wait()


async def test_a_model_that_is_not_for_chat_is_not_the_providers_fault(gateway: GatewayFixture, vendor: Vendor) -> None:
    vendor.script(Step(status=404, message="This is not a chat model"), model=MODELS[0])
    await gateway.add_provider("oa", vendor.openai_url)
    tested = await probe.test_provider(gateway, "oa")
    assert tested.ok
    assert [call.body["model"] for call in vendor.requests][:2] == [*MODELS[:2]]
    assert {call.body["model"] for call in vendor.requests[2:]} == {MODELS[1]}


async def test_an_embedding_alias_is_not_probed_with_chat(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("vectors", "oa/text-embedding-3-small")
    await gateway.add_alias("chat", "oa/gpt-x")
    assert (await probe.test_provider(gateway, "oa")).ok
    assert {call.body["model"] for call in vendor.requests} == {"gpt-x"}


async def test_where_no_model_answers_the_first_error_is_shown(gateway: GatewayFixture, vendor: Vendor) -> None:
    vendor.script(Step(status=404, message="no such thing"))
    await gateway.add_provider("oa", vendor.openai_url)
    tested = await probe.test_provider(gateway, "oa")
    assert not tested.ok
    assert "no such thing" in str(tested.error)
    assert {call.body["model"] for call in vendor.requests} == {name for name in MODELS if "embed" not in name}


async def test_a_provider_that_is_down_gets_one_request(gateway: GatewayFixture, vendor: Vendor) -> None:
    vendor.script(Step(status=401, message="bad key"))
    await gateway.add_provider("oa", vendor.openai_url)
    tested = await probe.test_provider(gateway, "oa")
    assert not tested.ok
    assert len(vendor.requests) == 1
