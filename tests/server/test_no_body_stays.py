"""No body survives its request: without the garbage collector, nothing of a request or an answer is left in memory."""

from __future__ import annotations

import asyncio
import gc
import gzip
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.server.protocol import ClientConnection
from tests.endurance import failing_calls
from tests.fakes.failing_upstream import MARK, MODES, RawCaller, failing_upstream, filling
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.waiting import until

SIZE = 300_000
"""Bytes of each body: far more than anything else that a request makes."""


def left() -> list[object]:
    """The texts and bytes of bodies that something still holds."""
    found: dict[int, object] = {}
    for one in gc.get_objects():
        for held in gc.get_referents(one):
            if isinstance(held, str | bytes | bytearray) and len(held) > SIZE // 2:
                text = held if isinstance(held, str) else held[: SIZE // 2].decode("utf-8", "replace")
                if MARK in text or text.count("x") > SIZE // 4:
                    found[id(held)] = one
    return list(found.values())


def chain(holder: object, depth: int = 16) -> str:
    """Who holds it, for the message of a failure."""
    names: list[str] = []
    for _ in range(depth):
        kind = type(holder)
        shows = kind.__name__ in ("frame", "generator", "coroutine") or isinstance(holder, BaseException)
        names.append(f"{kind.__module__}.{kind.__qualname__} {str(holder)[:120] if shows else ''}")
        # Lists are mostly of this search itself.
        holders = [one for one in gc.get_referrers(holder) if type(one) is not list and not _is_of_this_search(one)]
        if not holders:
            break
        holder = holders[0]
    return "\n   <- ".join(names)


def _is_of_this_search(one: object) -> bool:
    code = getattr(one, "f_code", None) or getattr(one, "gi_code", None)
    return code is not None and code.co_filename == __file__


@pytest.fixture
async def served(home: Home) -> AsyncIterator[tuple[GatewayFixture, RawCaller]]:
    async with failing_upstream(SIZE) as address, open_gateway(home, port=0) as gateway, listening(home, gateway) as context:
        await gateway.add_key()
        await gateway.add_provider("up", f"{address}/v1")
        await gateway.add_provider("anth", address, "anthropic-compatible")
        await gateway.add_provider("gone", "http://127.0.0.1:9/v1")
        timeouts = {"connect_s": 1, "first_token_s": 0.3, "idle_s": 0.3, "total_s": 2}
        for mode in MODES:
            await gateway.add_alias(mode, f"up/{mode}", timeouts=timeouts, retries=0)
        await gateway.add_alias("gone", "gone/m", timeouts=timeouts, retries=0)
        await gateway.add_alias("fallback", "gone/m", "up/status-500", "up/ok", timeouts=timeouts, retries=0)
        assert context.server.address is not None
        yield gateway, RawCaller.of(context.server.address, SIZE)


async def _nothing_is_left(gateway: GatewayFixture, what: str) -> None:
    await until(lambda: gateway.in_flight == 0)
    # A call that was left may only begin now, and the loop has still to close its connections.
    for _ in range(200):
        held: list[object] = []  # what was found the last time must not live by this
        await asyncio.sleep(0.01)
        held = left()
        if not held:
            break
    message = "\n".join(chain(one) for one in held)
    del held
    assert not message, f"{what}: a body is held by\n{message}"


@pytest.fixture(scope="module")
def _frozen_objects() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # as it is for every other test


@pytest.fixture
def no_collector(_frozen_objects: None) -> None:
    """Nothing is collected in any test (see tests/conftest.py); what was there before is not searched."""
    assert not gc.isenabled()
    gc.collect()
    # Until the end of the module: the whole process has a million objects, and to collect them takes seconds.
    gc.freeze()


def _as_responses(body: bytes) -> bytes:
    return body.replace(b'"messages"', b'"input"').replace(b"max_tokens", b"max_output_tokens")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mode", [*MODES, "gone", "fallback"])
async def test_no_body_outlives_its_call(
    served: tuple[GatewayFixture, RawCaller], no_collector: None, mode: str, stream: bool
) -> None:
    gateway, client = served
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        change = (
            bytes
            if path != "/v1/responses"
            else (lambda body: body.replace(b'"messages"', b'"input"').replace(b"max_tokens", b"max_output_tokens"))
        )
        answer = await client.call(mode, stream, path=path, change=change)
        assert answer.startswith(b"HTTP/1.1 ")
        await _nothing_is_left(gateway, f"{mode} {path}: {answer[:30]!r}")


@pytest.mark.parametrize(
    "options",
    [
        {"key": "condt_" + "w" * 43},
        {"model": "unknown"},
        {"change": lambda body: body[:-1]},
        {"change": lambda body: body.replace(b"messages", b"massages")},
        {"change": lambda body: b"[" * 5000 + body},
        {"change": lambda body: gzip.compress(body, 0)[:-20], "headers": "Content-Encoding: gzip\r\n"},
        {"change": lambda body: b"\x1f\x8b" + body, "headers": "Content-Encoding: gzip\r\n"},
        {"path": "/v1/nothing"},
        {"cut": 1000},
        {"model": "no-answer", "read": 0},
        {"model": "ok", "stream": True, "read": 100},
        {"model": "stalled", "stream": True, "read": 100},
    ],
    ids=["wrong key", "unknown model", "cut JSON", "no messages", "deep", "cut gzip", "bad gzip", "unknown path",
         "hang-up in the body", "hang-up while waiting", "hang-up in a stream", "hang-up in a stalled stream"],
)  # fmt: skip
async def test_no_body_outlives_a_call_that_is_refused_or_left(
    served: tuple[GatewayFixture, RawCaller], no_collector: None, options: dict[str, Any]
) -> None:
    gateway, client = served
    await client.call(**{"model": "ok", **options})
    await _nothing_is_left(gateway, str(options))


@pytest.mark.parametrize("agents", [1, 2], ids=["a line that is too long", "after headers that were folded"])
async def test_nothing_of_a_refused_head_outlives_its_connection(
    served: tuple[GatewayFixture, RawCaller], no_collector: None, agents: int
) -> None:
    """3,000 such heads from a stranger were 400 MB that stayed."""
    gateway, client = served
    reader, writer = await asyncio.open_connection(client.host, client.port)
    await until(lambda: any(isinstance(one, ClientConnection) for one in gc.get_objects()))
    connection = next(one for one in gc.get_objects() if isinstance(one, ClientConnection))
    # As the event loop does with what has come; how much comes at once is the system's choice.
    connection.data_received(b"GET / HTTP/1.1\r\n" + b"User-Agent: a\r\n" * agents + b"x-a: " + b"x" * 2 * SIZE)
    del connection
    await reader.read()
    writer.close()
    await _nothing_is_left(gateway, "a refused head")


@pytest.mark.parametrize("mode", ["ok", "stalled", "status-500"])
async def test_nothing_of_an_event_outlives_its_websocket(
    served: tuple[GatewayFixture, RawCaller], no_collector: None, mode: str
) -> None:
    gateway, client = served
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://{client.host}:{client.port}/v1/responses", headers={"authorization": f"Bearer {KEY}"}
        ) as socket,
    ):
        await socket.send_str(orjson.dumps({"type": "response.create", "model": mode, "input": filling(SIZE)}).decode())
        await socket.receive()
    await _nothing_is_left(gateway, f"a WebSocket, {mode}")


def test_memory_after_many_failing_calls_is_what_it_was(tmp_path: Path) -> None:
    """The same with 100,000 calls: `make soak-failing`."""
    assert failing_calls.soak(tmp_path, calls=74, warm=74).growth_mb <= failing_calls.GROWTH_MB
