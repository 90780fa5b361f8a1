"""Whole answers of vendors that refuse to answer whole: the target streams, and the client gets one body."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.errors import UpstreamError
from tests.fakes.gateway import GatewayFixture
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.script import Step
from tests.fakes.strict.vendor import strict_vendors
from tests.fakes.vendor import Vendor
from tests.wire.chat_frames import DONE, chunk

OPEN_QWEN = "qwen3-32b"


def text_of(client_dialect: str, body: dict[str, Any]) -> str:
    match client_dialect:
        case "openai_chat":
            return str(body["choices"][0]["message"]["content"])
        case "anthropic_messages":
            return "".join(block["text"] for block in body["content"] if block["type"] == "text")
        case _:
            return str(body["message"]["content"])


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages", "ollama"])
@pytest.mark.parametrize(("kind", "model", "limit"), [("qwen", OPEN_QWEN, 100), ("fireworks", "accounts/fireworks/models/x", 5000)])
async def test_a_stream_is_collected_into_one_answer(
    gateway: GatewayFixture, client_dialect: str, kind: str, model: str, limit: int
) -> None:
    async with strict_vendors() as strict:
        await gateway.add_provider("v", f"{strict.address}/{kind}/v1", kind=kind)
        await gateway.add_key()
        fields: dict[str, Any] = {"options": {"num_predict": limit}} if client_dialect == "ollama" else {"max_tokens": limit}
        body = await gateway.ask(f"v/{model}", client_dialect=client_dialect, **fields)
    assert [one.id for one in strict.refused] == []
    assert strict.calls[0].body["stream"] is True
    assert text_of(client_dialect, body)
    assert gateway.records[-1].status == "success"
    assert gateway.records[-1].output


async def test_a_model_with_thinking_switched_off_answers_whole(gateway: GatewayFixture) -> None:
    async with strict_vendors() as strict:
        await gateway.add_provider("v", f"{strict.address}/qwen/v1", kind="qwen")
        await gateway.add_key()
        await gateway.ask(f"v/{OPEN_QWEN}", reasoning_effort="none")
    assert strict.refused == []
    assert "stream" not in strict.calls[0].body
    assert strict.calls[0].body["enable_thinking"] is False


@pytest.mark.parametrize("cut", [b"", b"data: {}"], ids=["between frames", "within a frame"])
async def test_a_stream_that_breaks_while_it_is_collected_is_left_for_the_next_target(
    gateway: GatewayFixture, vendor: Vendor, cut: bytes
) -> None:
    await gateway.add_provider("v", vendor.openai_url, kind="qwen")
    await gateway.add_provider("w", vendor.openai_url)
    await gateway.add_alias("m", f"v/{OPEN_QWEN}", "w/other", retries=0)
    await gateway.add_key()
    half = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hal"},"finish_reason":null}]}\n\n'
    vendor.script(Step(body=half + cut, content_type="text/event-stream"), model=OPEN_QWEN)
    body = await gateway.ask("m")
    assert body["choices"][0]["message"]["content"] != "Hal"
    assert [attempt.outcome for attempt in gateway.records[-1].attempts] == ["broken", "ok"]


async def test_an_error_in_a_collected_stream_is_the_answer(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("v", vendor.openai_url, kind="qwen")
    await gateway.add_key()
    fault = b'data: {"error":{"message":"Output data may contain inappropriate content.","code":"data_inspection_failed"}}\n\n'
    vendor.script(Step(body=fault, content_type="text/event-stream"))
    with pytest.raises(UpstreamError) as refused:
        await gateway.ask(f"v/{OPEN_QWEN}")
    assert refused.value.reason == "content_filter"


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages", "ollama"])
@pytest.mark.parametrize("content_type", ["text/event-stream", "text/event-stream; charset=utf-8"])
async def test_a_stream_that_nobody_asked_for_is_collected(gateway: GatewayFixture, client_dialect: str, content_type: str) -> None:
    data = b"".join([chunk({"content": "one "}), chunk({"content": "two"}), chunk({}, "stop"), DONE])
    async with raw_upstream(http_answer(data, content_type, "chunked")) as address:
        await gateway.add_provider("r", address)
        await gateway.add_key()
        assert text_of(client_dialect, await gateway.ask("r/m", client_dialect=client_dialect)) == "one two"
        assert gateway.records[-1].status == "success"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
async def test_a_whole_answer_is_one_under_any_label(gateway: GatewayFixture, content_type: str, mark: bytes) -> None:
    body = b'{"id":"a","choices":[{"index":0,"message":{"content":"one"},"finish_reason":"stop"}]}'
    async with raw_upstream(http_answer(mark + body, content_type, "length")) as address:
        await gateway.add_provider("r", address)
        await gateway.add_key()
        assert text_of("anthropic_messages", await gateway.ask("r/m", client_dialect="anthropic_messages")) == "one"
