"""Bedrock behind the gateway: binary streams in, the frames of each client's dialect out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.core.answer import collect
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing.aws_eventstream import write
from tests.fakes.gateway import KEY as VIRTUAL
from tests.fakes.gateway import GatewayFixture, open_gateway
from tests.wire.dialect_io import read

ACCESS_KEY = "AKIA" + "X" * 16 + ":" + "s" * 40


def frame(event: str, **payload: Any) -> bytes:
    return write(orjson.dumps(payload), {":event-type": event, ":message-type": "event"})


EVENTS = [
    frame("messageStart", role="assistant"),
    *(frame("contentBlockDelta", contentBlockIndex=0, delta={"text": word}) for word in ("Hello", " there")),
    frame("contentBlockStop", contentBlockIndex=0),
]
END = [
    frame("messageStop", stopReason="end_turn"),
    frame("metadata", usage={"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}),
]
FAULT = write(b'{"message":"slow down"}', {":exception-type": "throttlingException", ":message-type": "exception"})


class Bedrock:
    """Answers Converse with `frames`, cut into pieces of seven bytes."""

    def __init__(self) -> None:
        self.frames = [*EVENTS, *END]
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.json())
        if request.path.endswith("/converse"):
            tools = self.bodies[-1].get("toolConfig", {}).get("tools")
            call = [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"q": 1}}}] if tools else []
            message = {"role": "assistant", "content": [{"text": "Hello there"}, *call]}
            usage = {"inputTokens": 9, "outputTokens": 4, "totalTokens": 13}
            return web.json_response({"output": {"message": message}, "stopReason": "end_turn", "usage": usage})
        response = web.StreamResponse(headers={"Content-Type": "application/vnd.amazon.eventstream"})
        await response.prepare(request)
        data = b"".join(self.frames)
        for at in range(0, len(data), 7):
            await response.write(data[at : at + 7])
        return response


@pytest.fixture
async def bedrock() -> Bedrock:
    return Bedrock()


@pytest.fixture
async def gateway(home: Home, bedrock: Bedrock) -> AsyncIterator[GatewayFixture]:
    app = web.Application()
    app.router.add_post("/{path:.*}", bedrock.answer)
    async with TestServer(app, host="127.0.0.1") as server, open_gateway(home) as made:
        await made.add_provider(
            "aws", str(server.make_url("/")), kind="bedrock", keys=[ACCESS_KEY], options={"region": "eu-west-1"}
        )
        await made.add_alias("nova", "aws/amazon.nova-lite-v1:0")
        await made.add_key()
        yield made
        await made.state.upstream.close()


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages", "ollama"])
async def test_every_client_reads_frames_of_its_dialect(gateway: GatewayFixture, bedrock: Bedrock, client_dialect: str) -> None:
    data = await gateway.stream("nova", client_dialect=client_dialect)
    answer = collect(read(dialect(client_dialect), data))
    assert answer.first.text == "Hello there"
    record = gateway.records[-1]
    assert (record.status, record.input, record.output) == ("success", 9, 4)
    assert bedrock.requests[-1].raw_path == "/model/amazon.nova-lite-v1%3A0/converse-stream"
    assert "/eu-west-1/bedrock/aws4_request" in bedrock.requests[-1].headers["authorization"]
    assert bedrock.bodies[-1]["messages"] == [{"role": "user", "content": [{"text": "hello"}]}]


async def test_a_caller_of_the_same_dialect_gets_the_frames_as_they_came(gateway: GatewayFixture, bedrock: Bedrock) -> None:
    body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}], "odd": 1}
    exchange = await gateway.answer(Call(dialect("bedrock"), body, "nova", stream=True, credential=VIRTUAL))
    assert isinstance(exchange, StreamReply)
    assert b"".join([data async for data in exchange.frames]) == b"".join([*EVENTS, *END])
    await exchange.close()
    assert bedrock.bodies[-1] == body


async def test_a_whole_answer_is_translated(gateway: GatewayFixture) -> None:
    body = await gateway.ask("nova")
    assert body["choices"][0]["message"]["content"] == "Hello there"
    record = gateway.records[-1]
    assert record.output == 4
    wanted = (record.id.replace("req_", "chatcmpl-"), record.started_at // 1000)
    assert (body["id"], body["created"]) == wanted, "Converse says neither"


LLAMA = "aws/us.meta.llama3-3-70b-instruct-v1:0"


@pytest.mark.parametrize("client_dialect", ["openai_chat", "openai_responses", "anthropic_messages", "gemini", "ollama"])
async def test_an_answer_with_tools_that_converse_does_not_stream_is_asked_whole_and_streamed(
    gateway: GatewayFixture, bedrock: Bedrock, client_dialect: str
) -> None:
    schema = {"type": "object", "properties": {"q": {"type": "integer"}}}
    function = {"name": "f", "parameters": schema}
    tools: Any = {
        "openai_responses": [{"type": "function", **function}],
        "anthropic_messages": [{"name": "f", "input_schema": schema}],
        "gemini": [{"functionDeclarations": [function]}],
    }.get(client_dialect, [{"type": "function", "function": function}])
    asked: dict[str, Any] = {
        "openai_responses": {"input": "hello"}, "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    }.get(client_dialect, {})  # fmt: skip
    data = await gateway.stream(LLAMA, client_dialect=client_dialect, tools=tools, **asked)
    assert bedrock.requests[-1].path.endswith("/converse")
    answer = collect(read(dialect(client_dialect), data))
    assert answer.first.text == "Hello there"
    (call,) = answer.first.tool_calls
    assert (call.name, orjson.loads(call.arguments)) == ("f", {"q": 1})
    assert (gateway.records[-1].status, gateway.records[-1].output) == ("success", 4)


async def test_an_answer_without_tools_is_streamed(gateway: GatewayFixture, bedrock: Bedrock) -> None:
    await gateway.stream(LLAMA)
    assert bedrock.requests[-1].path.endswith("/converse-stream")


@pytest.mark.parametrize("frames", [[*EVENTS], [*EVENTS, FAULT], [*EVENTS, b"\x00" * 40]])
async def test_a_stream_that_breaks_ends_in_an_error(gateway: GatewayFixture, bedrock: Bedrock, frames: list[bytes]) -> None:
    bedrock.frames = frames
    data = await gateway.stream("nova")
    assert b"Hello" in data
    assert b"provider_stream_broken" in data
    assert b"[DONE]" not in data
    assert gateway.records[-1].status == "broken"
