"""Answers that the model failed to make: another target is tried, and none passes for an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.core.answer import collect
from conduit_desktop.core.errors import ProviderFailed, UpstreamError
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.wire import dialect
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.vendor import Vendor
from tests.wire.dialect_io import read

FAILED = {
    "candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "bad call", "index": 0}],
    "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5},
}
TEXT = {"candidates": [{"content": {"role": "model", "parts": [{"text": "let me see"}]}, "index": 0}]}


@pytest.fixture
async def gateway(home: Home, vendor: Vendor) -> AsyncIterator[GatewayFixture]:
    async def answer(request: web.Request) -> web.Response:
        chunks = [TEXT, FAILED] if "talks" in request.path else [FAILED]
        if "stream" in request.path:
            data = b"".join(b"data: " + orjson.dumps(one) + b"\r\n\r\n" for one in chunks)
            return web.Response(body=data, content_type="text/event-stream")
        return web.json_response(chunks[-1])

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server, open_gateway(home) as made:
        await made.add_provider("g", str(server.make_url("/")), kind="gemini")
        await made.add_provider("v", vendor.openai_url)
        await made.add_alias("alone", "g/gemini-x", retries=0)
        await made.add_alias("talks", "g/talks", retries=0)
        await made.add_alias("two", "g/gemini-x", "v/gpt-x", retries=0)
        await made.add_key()
        yield made
        await made.state.upstream.close()


@pytest.mark.parametrize("caller", ["openai_chat", "anthropic_messages"])
async def test_a_failed_answer_is_an_error_where_no_other_target_is(gateway: GatewayFixture, caller: str) -> None:
    with pytest.raises(ProviderFailed, match=r"MALFORMED_FUNCTION_CALL.*bad call"):
        await gateway.ask("alone", client_dialect=caller)
    with pytest.raises(ProviderFailed, match=r"MALFORMED_FUNCTION_CALL.*bad call"):
        await gateway.stream("alone", client_dialect=caller)


@pytest.mark.parametrize("caller", ["openai_chat", "anthropic_messages"])
async def test_before_the_first_content_another_target_answers(gateway: GatewayFixture, caller: str) -> None:
    body = await gateway.ask("two", client_dialect=caller)
    assert collect(dialect(caller).read_response(body)).first.text == "You said: hello"
    assert collect(read(dialect(caller), await gateway.stream("two", client_dialect=caller))).first.text == "You said: hello"
    assert [attempt.outcome for attempt in gateway.records[-1].attempts] == ["server", "ok"]


async def test_answers_that_the_model_fails_to_make_close_the_target_to_nobody(gateway: GatewayFixture) -> None:
    for _ in range(12):
        with pytest.raises(ProviderFailed, match="MALFORMED_FUNCTION_CALL"):
            await gateway.ask("alone", client_dialect="openai_chat")
    assert gateway.state.health.target("g/gemini-x").state == "closed"


async def test_after_content_a_failed_answer_ends_in_an_error_event(gateway: GatewayFixture) -> None:
    data = await gateway.stream("talks", client_dialect="anthropic_messages")
    assert b"let me see" in data
    assert b"event: error" in data
    assert b"event: message_stop" not in data
    assert gateway.records[-1].status == "broken"


@pytest.mark.parametrize(
    "reason",
    ["network_error", "insufficient_system_resource", "abort", "function_call_filter: MALFORMED_FUNCTION_CALL"],
)
def test_a_finish_reason_of_a_broken_server_is_a_failure(reason: str) -> None:
    body = {"id": "a", "model": "m", "choices": [{"index": 0, "message": {"content": "let"}, "finish_reason": reason}]}
    assert collect(dialect("openai_chat").read_response(body)).first.finish.reason == "error"  # type: ignore[union-attr]


async def test_an_answer_that_ends_in_an_error_has_no_success_marker_in_passthrough(home: Home) -> None:
    data = b"".join(
        b"data: " + orjson.dumps({"id": "a", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) + b"\n\n"
        for delta, finish in (({"content": "let me see"}, None), ({}, "error"))
    )
    answer = http_answer(data + b"data: [DONE]\n\n", "text/event-stream", "length")
    async with raw_upstream(answer) as url, open_gateway(home) as gateway:
        await gateway.add_provider("p", url)
        await gateway.add_alias("a", "p/m", retries=0)
        await gateway.add_key()
        received = await gateway.stream("a")
        assert b"let me see" in received
        assert b'"error":{' in received
        assert b"[DONE]" not in received
        assert gateway.records[-1].status == "broken"
        await gateway.state.upstream.close()


async def test_a_client_of_the_vendors_own_dialect_gets_the_reason_as_it_came(gateway: GatewayFixture) -> None:
    body: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    exchange = await gateway.answer(Call(dialect("gemini"), body, "alone", stream=False, credential=KEY))
    assert isinstance(exchange, WholeReply)
    assert orjson.loads(exchange.body) == FAILED


@asynccontextmanager
async def refusing(home: Home, kind: str, refusal: Callable[[], web.Response], retries: int) -> AsyncIterator[GatewayFixture]:
    """A gateway whose alias `alone` has one target, a server of that kind that answers every request with the refusal."""

    async def refuse(_: web.Request) -> web.Response:
        return refusal()

    app = web.Application()
    app.router.add_post("/{path:.*}", refuse)
    async with TestServer(app, host="127.0.0.1") as server, open_gateway(home) as gateway:
        await gateway.add_provider("local", str(server.make_url("/v1")), kind=kind)
        await gateway.add_alias("alone", "local/m", retries=retries)
        await gateway.add_key()
        yield gateway
        await gateway.state.upstream.close()


async def test_a_picture_that_llama_cpp_cannot_see_is_a_400_and_closes_no_provider(home: Home) -> None:
    def refusal() -> web.Response:
        # llama.cpp b11549, for a model without a projector
        why = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
        return web.json_response({"error": {"code": 500, "message": why, "type": "server_error"}}, status=500)

    async with refusing(home, "llamacpp", refusal, retries=0) as gateway:
        for _ in range(8):
            with pytest.raises(UpstreamError, match="image input is not supported") as refused:
                await gateway.ask("alone")
            assert (refused.value.status, refused.value.reason) == (400, "bad_request")


@pytest.mark.parametrize("caller", ["openai_chat", "anthropic_messages"])
@pytest.mark.parametrize("status", [500, 502])
async def test_a_prompt_over_the_context_that_a_server_answers_with_500_is_not_sent_again(
    home: Home, caller: str, status: int
) -> None:
    calls = 0

    def refusal() -> web.Response:
        nonlocal calls
        calls += 1
        return web.json_response({"error": {"message": "the input length exceeds the context length"}}, status=status)

    async with refusing(home, "ollama", refusal, retries=2) as gateway:
        with pytest.raises(UpstreamError) as refused:
            await gateway.ask("alone", client_dialect=caller)
        assert (refused.value.status, refused.value.reason, calls) == (400, "context_length", 1)
