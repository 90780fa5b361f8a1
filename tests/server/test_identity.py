"""A stranger costs nothing: who sends a request is decided by its head, before a byte of its body is read."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.admission.failed_logins import FREE
from conduit_desktop.gateway.call import GATEWAY_ID, HOP_HEADER
from conduit_desktop.server import protocol, request_fields
from conduit_desktop.server.http_server import HttpServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor

MB = 1024 * 1024
WITHIN_S = 10.0
BODY = orjson.dumps({"model": "alias", "messages": [{"role": "user", "content": "hello"}]})
PATHS = {
    "/v1/chat/completions": "openai", "/v1/completions": "openai", "/v1/responses": "openai", "/v1/responses/compact": "openai",
    "/v1/responses/input_tokens": "openai", "/v1/embeddings": "openai", "/v1/images/generations": "openai",
    "/v1/images/edits": "openai", "/v1/audio/speech": "openai", "/v1/audio/transcriptions": "openai",
    "/v1/audio/translations": "openai", "/v1/moderations": "openai", "/v1/rerank": "openai",
    "/openai/deployments/m/chat/completions": "openai", "/v1/messages": "anthropic", "/v1/messages/count_tokens": "anthropic",
    "/anthropic/v1/messages": "anthropic", "/v1beta/models/m:generateContent": "gemini",
    "/v1beta/models/m:streamGenerateContent": "gemini", "/v1beta/models/m:countTokens": "gemini",
    "/v1beta/models/m:embedContent": "gemini", "/v1beta/models/m:batchEmbedContents": "gemini", "/api/chat": "ollama",
    "/api/generate": "ollama", "/api/embed": "ollama", "/api/show": "ollama", "/v2/chat": "cohere", "/v2/embed": "cohere",
    "/v2/rerank": "cohere",
}  # fmt: skip
each_path = pytest.mark.parametrize("path", PATHS)


@dataclass
class Served:
    gateway: GatewayFixture
    vendor: Vendor
    context: AppContext

    @property
    def port(self) -> int:
        return int((self.context.server.address or "").rpartition(":")[2])

    async def send(self, path: str, body: bytes, *lines: str, length: int | None = None) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of the answer to a POST that states `length` bytes and sends `body`, and no more."""
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                stated = f"Content-Length: {len(body) if length is None else length}"
                head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: localhost", stated, *lines, "", ""))
                writer.write(head.encode() + body)
                status, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
                answer = orjson.loads(await reader.readexactly(int(headers["content-length"])))
                return int(status.split(" ")[1]), answer, headers
            finally:
                writer.close()


AUTHORIZED = f"Authorization: Bearer {KEY}"


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield Served(gateway, vendor, context)


def shape_of(answer: Any) -> str:
    """The dialect of an error."""
    match answer:
        case {"type": "error", "error": {"type": str()}}:
            return "anthropic"
        case {"error": {"status": str(), "code": int()}}:
            return "gemini"
        case {"error": {"type": str(), "param": _}}:
            return "openai"
        case {"error": str()}:
            return "ollama"
        case {"message": str()}:
            return "cohere"
    return "unknown"


@each_path
async def test_a_stranger_is_refused_before_its_body_has_come(served: Served, path: str) -> None:
    status, answer, headers = await served.send(path, b'{"model"', length=99 * MB)
    assert (status, shape_of(answer)) == (401, PATHS[path])
    assert headers["connection"] == "close"


BODIES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "no JSON": (b"{", ()), "nested": (b"[" * 100_000, ()), "gzip": (gzip.compress(BODY), ("Content-Encoding: gzip",)),
    "no gzip": (b"x", ("Content-Encoding: gzip",)), "unknown encoding": (b"x", ("Content-Encoding: lzma",)),
    "a form": (b"x", ("Content-Type: multipart/form-data; boundary=x",)),
    "of a page": (BODY, ("Content-Type: text/plain", "Origin: https://evil.example")), "empty": (b"", ()),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/audio/transcriptions", "/v1/messages", "/api/chat"])
async def test_a_stranger_gets_the_same_error_whatever_its_body_is(served: Served, path: str) -> None:
    answers = [await served.send(path, body, *lines) for body, lines in BODIES.values()]
    assert {status for status, _, _ in answers} == {401}
    assert len({orjson.dumps(answer) for _, answer, _ in answers}) == 1


async def test_the_body_of_a_stranger_is_neither_unpacked_nor_parsed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> bytes:
        raise AssertionError("reads a body")

    monkeypatch.setattr(request_fields, "read_body", never)
    for lines in ((), ("Authorization: Bearer condt_wrong",)):
        assert (await served.send("/v1/chat/completions", BODY, *lines))[0] == 401


async def test_a_refused_stranger_is_recorded_without_a_model(served: Served) -> None:
    _, _, headers = await served.send("/v1/embeddings", BODY)
    record = served.gateway.records[-1]
    assert (record.id, record.status, record.model, record.endpoint) == (
        headers["x-conduit-request-id"], "refused", "", "embeddings",
    )  # fmt: skip


async def test_a_key_without_room_is_refused_before_its_large_body_has_come(served: Served) -> None:
    await served.gateway.add_key("slow", "condt_" + "s" * 43, rpm=1)
    line = f"Authorization: Bearer condt_{'s' * 43}"
    assert (await served.send("/v1/chat/completions", BODY, line))[0] == 200
    status, answer, headers = await served.send("/v1/chat/completions", b"{", line, length=50 * MB)
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
    assert "retry-after" in headers


@each_path
async def test_a_request_that_has_passed_through_is_refused_on_every_path(served: Served, path: str) -> None:
    hop = f"{HOP_HEADER}: 0123456789abcdef, {GATEWAY_ID}"
    status, answer, _ = await served.send(path, b"{}", AUTHORIZED, hop)
    assert (status, shape_of(answer)) == (508, PATHS[path])


@pytest.mark.parametrize("path", ["/v1/models", "/v1beta/models", "/api/tags", "/api/ps", "/v1/responses/resp_1"])
async def test_a_request_without_a_body_that_has_passed_through_is_refused_too(served: Served, path: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}", HOP_HEADER: GATEWAY_ID}
    async with aiohttp.ClientSession() as session, session.get(f"{served.context.server.address}{path}", headers=headers) as answer:
        assert answer.status == 508


async def test_a_websocket_that_has_passed_through_is_not_opened(served: Served) -> None:
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {KEY}", HOP_HEADER: GATEWAY_ID}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{served.context.server.address}/v1/responses", headers=headers)
        assert refused.value.status == 508


# Work of a known caller is bounded, too.


@pytest.mark.parametrize(
    ("path", "shape"),
    [("/v1/chat/completions", "openai"), ("/v1/messages", "anthropic"), ("/api/chat", "ollama"), ("/v2/chat", "cohere")],
)
@pytest.mark.parametrize("levels", [250, 900, 5000, 200_000])
async def test_a_body_that_is_nested_too_deep_is_a_bad_request(served: Served, path: str, shape: str, levels: int) -> None:
    deep = BODY[:-1] + b',"x":' + b"[" * levels + b"]" * levels + b"}"
    status, answer, _ = await served.send(path, deep, AUTHORIZED)
    assert (status, shape_of(answer)) == (400, shape)
    assert "nested" in str(answer)
    assert not served.vendor.requests


async def test_a_body_of_a_million_fields_is_a_bad_request(served: Served) -> None:
    many = BODY[:-1] + b"".join(b',"k%d":0' % number for number in range(1_000_000)) + b"}"
    status, answer, _ = await served.send("/v1/chat/completions", many, AUTHORIZED)
    assert (status, answer["error"]["code"]) == (400, "too_many_values")


async def test_a_bomb_is_refused_with_its_ratio(served: Served) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"[" * MB) for _ in range(50)) + packer.flush()
    status, answer, _ = await served.send("/v1/messages", bomb, AUTHORIZED, "Content-Encoding: gzip")
    assert (status, shape_of(answer)) == (413, "anthropic")


async def test_a_body_that_stops_coming_times_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_fields, "STALL_S", 0.05)
    status, answer, headers = await served.send("/v1/chat/completions", BODY[:-1], AUTHORIZED, length=len(BODY))
    assert (status, answer["error"]["code"]) == (408, "request_timeout")
    assert headers["connection"] == "close"


async def test_a_body_of_one_byte_now_and_then_times_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_fields, "SLOW_S", 0.05)
    monkeypatch.setattr(request_fields, "SLOWEST", 10**9)
    async with asyncio.timeout(WITHIN_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(f"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n{AUTHORIZED}\r\nContent-Length: 9999\r\n\r\n".encode())
        answering = asyncio.ensure_future(reader.readline())
        while not answering.done():
            writer.write(b" ")
            await asyncio.wait({answering}, timeout=0.01)
        assert answering.result().split(b" ")[1] == b"408"
        writer.close()


# Guessing keys, and open connections.


async def test_wrong_keys_are_slowed_down_and_a_valid_one_from_the_same_address_is_not(served: Served) -> None:
    wrong = "Authorization: Bearer condt_" + "w" * 43
    statuses = [(await served.send("/v1/messages", BODY, wrong))[0] for _ in range(FREE + 3)]
    assert statuses == [401] * FREE + [429] * 3
    _, answer, headers = await served.send("/v1/messages", BODY, wrong)
    assert (answer["error"]["type"], int(headers["retry-after"]) > 0) == ("rate_limit_error", True)
    assert (await served.send("/v1/chat/completions", BODY, AUTHORIZED))[0] == 200
    assert (await served.send("/v1/chat/completions", BODY))[0] == 401, "no key at all is no guess"
    assert len([record for record in served.gateway.records if record.status == "refused"]) == FREE + 1


async def test_the_oldest_idle_connections_without_a_key_are_closed_and_known_callers_stay(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = served.context.server
    assert isinstance(server, HttpServer)
    assert server._runner is not None
    assert isinstance(server._runner.server, protocol.ClientServer)
    monkeypatch.setattr(server._runner.server, "strangers", protocol.Strangers(10))
    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        url = f"{served.context.server.address}/v1/chat/completions"

        async def works() -> bool:
            async with session.post(url, data=BODY) as answer:
                return answer.status == 200

        assert await works()
        opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(8)]
        assert [await reader.read() for reader, _ in opened[:3]] == [b""] * 3, "the oldest were closed"
        assert not any(reader.at_eof() for reader, _ in opened[3:])
        assert await works()
        for _, writer in opened:
            writer.close()
