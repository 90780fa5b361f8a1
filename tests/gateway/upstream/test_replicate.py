"""The whole way to Replicate: predictions made, streamed, awaited, and called off."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from conduit_desktop.core.errors import GatewayError, ProviderFailed, RateLimited, UpstreamError
from conduit_desktop.gateway.call import StreamReply
from conduit_desktop.gateway.upstream import failover
from conduit_desktop.providers.replicate import Replicate
from tests.fakes.gateway import GatewayFixture, call
from tests.fakes.vendor_replicate import ID, ReplicateVendor
from tests.fakes.waiting import WITHIN_S

MODEL = "meta/llama"
pytestmark = pytest.mark.usefixtures("short_backoff")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replicate, "pause_s", 0.0)


async def furnish(gateway: GatewayFixture, vendor: ReplicateVendor, model: str = MODEL) -> None:
    await gateway.add_provider("rep", vendor.url, kind="replicate")
    await gateway.add_alias("r", f"rep/{model}", retries=0)
    await gateway.add_price(model, 1.0, 2.0)
    await gateway.add_key()


async def test_a_quick_answer_comes_with_the_first_request(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["Hello", " there"]) as vendor:
        await furnish(gateway, vendor)
        body = await gateway.ask("r", "hi", max_tokens=9)
        assert body["choices"][0]["message"]["content"] == "Hello there"
        assert body["usage"]["prompt_tokens"] == 11
        assert vendor.calls == ["POST /v1/models/meta/llama/predictions"]
        assert vendor.inputs == [{"input": {"prompt": "hi", "max_tokens": 9}}]
        assert vendor.headers[0]["prefer"] == "wait=5"
    record = gateway.records[-1]
    assert (record.status, record.input, record.output, record.cost_nano) == ("success", 11, 5, 11_000 + 10_000)


async def test_a_slow_answer_is_awaited(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["Hello"], runs=3) as vendor:
        await furnish(gateway, vendor)
        body = await gateway.ask("r", client_dialect="anthropic_messages")
        assert body["content"][0]["text"] == "Hello"
        assert vendor.calls[1:] == [f"GET /v1/predictions/{ID}"] * 4
        assert not vendor.cancelled.is_set()


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
async def test_a_stream_is_read_as_it_comes_and_counted(gateway: GatewayFixture, client_dialect: str) -> None:
    async with ReplicateVendor(["Hel", "lo\n\nthere", " ü"], runs=1) as vendor:
        await furnish(gateway, vendor)
        data = (await gateway.stream("r", client_dialect=client_dialect)).decode()
        assert all(orjson.dumps(piece).decode()[1:-1] in data for piece in ("Hel", "lo\n\nthere", " ü"))
        assert "[DONE]" in data if client_dialect == "openai_chat" else "message_stop" in data
        assert vendor.inputs[0]["stream"] is True
        assert vendor.calls[1] == f"GET /stream/{ID}"
        assert not vendor.cancelled.is_set()
    record = gateway.records[-1]
    assert (record.status, record.input, record.output, record.cost_state) == ("success", 11, 5, "final")


async def test_a_model_that_cannot_stream_is_awaited_and_written_as_a_stream(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["Hello"], streams=False, runs=1) as vendor:
        await furnish(gateway, vendor)
        data = await gateway.stream("r")
        assert b'"Hello"' in data
        assert data.rstrip().endswith(b"data: [DONE]")


async def test_a_hang_up_in_a_stream_cancels_the_prediction(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["Hello", "never"], hang=True) as vendor:
        await furnish(gateway, vendor)
        exchange = await gateway.answer(call("r", stream=True))
        assert isinstance(exchange, StreamReply)
        await anext(exchange.frames)
        assert not vendor.cancelled.is_set()
        await exchange.close()
        await asyncio.wait_for(vendor.cancelled.wait(), WITHIN_S)
        assert vendor.calls[-1] == f"POST /v1/predictions/{ID}/cancel"
    assert gateway.records[-1].status == "cancelled"


async def test_a_hang_up_while_waiting_cancels_the_prediction(gateway: GatewayFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replicate, "pause_s", 0.01)
    async with ReplicateVendor(["Hello"], runs=10_000) as vendor:
        await furnish(gateway, vendor)
        pending = asyncio.create_task(gateway.ask("r"))
        while len(vendor.calls) < 3:
            await asyncio.sleep(0.005)
        pending.cancel()
        await asyncio.wait({pending})
        await asyncio.wait_for(vendor.cancelled.wait(), WITHIN_S)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_prediction_that_fails_is_no_success(gateway: GatewayFixture, stream: bool) -> None:
    async with ReplicateVendor(["Hel"] if stream else [], fails="CUDA out of memory", runs=0 if stream else 1) as vendor:
        await furnish(gateway, vendor)
        if stream:
            data = await gateway.stream("r")
            assert b"CUDA out of memory" in data
            assert b"[DONE]" not in data
            assert gateway.records[-1].status == "broken"
        else:
            with pytest.raises(GatewayError, match="CUDA out of memory"):
                await gateway.ask("r")
            assert gateway.records[-1].status == "error"


async def test_a_throttle_says_how_long(gateway: GatewayFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "WAIT_ALONE_S", 0.0)
    async with ReplicateVendor([], refuses=429) as vendor:
        await furnish(gateway, vendor)
        with pytest.raises((RateLimited, UpstreamError, ProviderFailed)) as caught:
            await gateway.ask("r")
        assert caught.value.status == 429
        assert caught.value.retry_after == pytest.approx(7, abs=1)


async def test_a_version_and_a_deployment_have_addresses_of_their_own(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["ok"]) as vendor:
        await furnish(gateway, vendor, "meta/llama:0a1b2c")
        await gateway.ask("r")
        await gateway.ask("rep/deployments/acme/bot")
        assert vendor.calls == ["POST /v1/predictions", "POST /v1/deployments/acme/bot/predictions"]
        assert vendor.inputs[0]["version"] == "0a1b2c"
