"""An upstream that answers a stream with one JSON array, as Gemini's does for those who do not ask for events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.core.answer import collect
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.wire import dialect
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.wire.dialect_io import read


def chunk(text: str, **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, **more}]}


CHUNKS = [
    chunk("Hello"),
    {**chunk(" there", finishReason="STOP"), "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 3}},
]


@pytest.fixture
async def gateway(home: Home) -> AsyncIterator[GatewayFixture]:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response([] if "empty" in request.path else CHUNKS)

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server, open_gateway(home) as made:
        await made.add_provider("g", str(server.make_url("/")), kind="gemini")
        await made.add_alias("gem", "g/gemini-x", retries=0)
        await made.add_alias("nothing", "g/empty", retries=0)
        await made.add_key()
        yield made
        await made.state.upstream.close()


@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
async def test_it_is_written_as_a_stream(gateway: GatewayFixture, client_dialect: str) -> None:
    answer = collect(read(dialect(client_dialect), await gateway.stream("gem", client_dialect=client_dialect)))
    assert answer.first.text == "Hello there"
    assert (gateway.records[-1].status, gateway.records[-1].output) == ("success", 3)


async def test_callers_of_the_same_dialect_get_events(gateway: GatewayFixture) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    exchange = await gateway.answer(Call(dialect("gemini"), body, "gem", stream=True, credential=KEY))
    assert isinstance(exchange, StreamReply)
    data = b"".join([piece async for piece in exchange.frames])
    await exchange.close()
    assert data.startswith(b"data: ")
    assert collect(read(dialect("gemini"), data)).first.text == "Hello there"


async def test_an_empty_one_is_no_answer(gateway: GatewayFixture) -> None:
    with pytest.raises(GatewayError):
        await gateway.stream("nothing")
