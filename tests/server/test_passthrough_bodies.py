"""Passed-through bodies, from client to vendor and back: any legal JSON arrives unchanged."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.server.application import build
from tests.fakes.app_context import IdleServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

ODD = (
    '{"model":"oa/m","messages":[{"role":"user","content":"Hä \\ud83d\\ude00 \\u0000"}],'
    '"x_new":{"b":1,"a":[1.0,0.1,-0.0,18446744073709551615,null]},"twice":1,"twice":2}'
).encode()
ANSWER = (
    b'{\r\n  "id" : "c", "choices": [{"index":0,"message":{"role":"assistant","content":"H\\u00e4"},"finish_reason":"stop"}],\n'
)
ANSWER += (
    b'  "usage": {"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}, "x_new": 1.0, "big": 123456789012345678901234567890}\n'
)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as made:
        yield made


@pytest.fixture
async def server(home: Home, vendor: Vendor) -> AsyncIterator[TestServer]:
    async with open_gateway(home) as gateway:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_key(models=("oa/m",))
        # As the gateway's own server does: bodies are unpacked by who reads them.
        running = TestServer(build(_context(home, gateway)), host="127.0.0.1")
        await running.start_server(auto_decompress=False)
        yield running
        await running.close()


def _context(home: Home, gateway: GatewayFixture) -> AppContext:
    return AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, IdleServer(), {})  # type: ignore[arg-type]


async def post(server: TestServer, body: object, **headers: str) -> tuple[int, bytes]:
    sent = {"Authorization": f"Bearer {KEY}", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/v1/chat/completions"), data=body, headers=sent) as response,
    ):
        return response.status, await response.read()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 9):
        yield body[start : start + 9]


@pytest.mark.parametrize("sent", ["whole", "chunked", "gzip"])
async def test_the_vendor_reads_what_the_caller_meant(server: TestServer, vendor: Vendor, sent: str) -> None:
    vendor.script(Step(body=ANSWER))
    headers = {"content-encoding": "gzip"} if sent == "gzip" else {}
    body: object = {"whole": ODD, "chunked": _pieces(ODD), "gzip": gzip.compress(ODD)}[sent]
    assert await post(server, body, **headers) == (200, ANSWER)
    assert vendor.requests[-1].body == {**orjson.loads(ODD), "model": "m"}
    assert "Hä 😀" in vendor.requests[-1].raw.decode()


async def test_of_a_model_named_twice_the_checked_one_is_used(server: TestServer, vendor: Vendor) -> None:
    twice = b'{"model":"oa/forbidden","messages":[{"role":"user","content":"a"}],"model":"oa/m"}'
    assert (await post(server, twice))[0] == 200
    assert vendor.requests[-1].raw.count(b'"model"') == 1
    assert vendor.requests[-1].body["model"] == "m"
    assert (await post(server, twice.replace(b"oa/m", b"x").replace(b"oa/forbidden", b"oa/m")))[0] in (403, 404)


async def test_twenty_megabytes_arrive(server: TestServer, vendor: Vendor) -> None:
    text = "ä" * 10_000_000
    ask = {"model": "oa/m", "messages": [{"role": "user", "content": text}]}
    vendor.script(Step(body=ANSWER))
    assert await post(server, _pieces_of_a_megabyte(orjson.dumps(ask))) == (200, ANSWER)
    assert vendor.requests[-1].body["messages"][0]["content"] == text


async def _pieces_of_a_megabyte(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 1 << 20):
        yield body[start : start + (1 << 20)]


async def test_an_answer_that_came_packed_is_unpacked_and_otherwise_as_it_was(server: TestServer, vendor: Vendor) -> None:
    vendor.script(Step(body=gzip.compress(ANSWER), headers={"content-encoding": "gzip"}))
    assert await post(server, ODD) == (200, ANSWER)
