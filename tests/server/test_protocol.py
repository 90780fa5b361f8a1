"""What the server does below the router, by raw bytes: doubled headers, unreadable heads, compressed and broken bodies."""

from __future__ import annotations

import asyncio
import gzip
import logging
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import brotli
import orjson
import pytest
from aiohttp import web

from conduit_desktop.core.paths import Home
from conduit_desktop.server import request_parser
from conduit_desktop.server.protocol import ClientServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor

zstd = pytest.importorskip("compression.zstd" if __import__("sys").version_info >= (3, 14) else "backports.zstd")

BODY = orjson.dumps({"model": "alias", "messages": [{"role": "user", "content": "hello"}]})
TWO_AGENTS = (b"User-Agent: pydantic-ai/1.0", b"user-agent: google-genai-sdk/2.0 gl-python/3.11")


@dataclass
class Answer:
    """One response, read to its end."""

    status: int
    version: bytes
    headers: dict[str, str]
    body: Any


@dataclass
class RawServer:
    """A listening gateway that is sent bytes as they are."""

    port: int
    gateway: GatewayFixture
    vendor: Vendor

    async def send(self, *pieces: bytes, answers: int = 1) -> list[Answer]:
        """Write each piece on its own, over one connection; the responses that come back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)  # so that the server reads the pieces one by one
            return [await _answer(reader) for _ in range(answers)]
        finally:
            writer.close()
            await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    version, code = status.split(" ")[:2]
    return Answer(int(code), version.encode(), headers, orjson.loads(body))


def post(body: bytes, *lines: bytes, path: bytes = b"/v1/chat/completions", length: bool = True) -> bytes:
    sized = (b"Content-Length: %d" % len(body),) if length else ()
    head = (b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Authorization: Bearer " + KEY.encode(), *lines, *sized)
    return b"\r\n".join((*head, b"", b"")) + body


@pytest.fixture
async def raw(home: Home) -> AsyncIterator[RawServer]:
    async with Vendor() as vendor, open_gateway(home, port=0, max_body_mb=1) as gateway:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield RawServer(int((context.server.address or "").rpartition(":")[2]), gateway, vendor)


TWICE = post(BODY, *TWO_AGENTS)


@pytest.mark.parametrize(
    ("pieces", "answers"),
    [
        ((TWICE,), 1),
        ((TWICE[:50], TWICE[50:150], TWICE[150:]), 1),
        ((post(BODY), TWICE), 2),
        ((post(BODY)[:-5], post(BODY)[-5:], TWICE, post(BODY), TWICE), 4),
        ((post(BODY) + TWICE,), 2),
        ((b"\r\n" + TWICE,), 1),
    ],
    ids=["at once", "in pieces", "after another request", "after a body in pieces", "pipelined", "after an empty line"],
)
async def test_a_doubled_user_agent_is_accepted(raw: RawServer, pieces: tuple[bytes, ...], answers: int) -> None:
    assert [one.status for one in await raw.send(*pieces, answers=answers)] == [200] * answers
    assert "pydantic-ai/1.0 google-genai-sdk/2.0 gl-python/3.11" in {call.headers["user-agent"] for call in raw.vendor.requests}


async def test_a_header_doubled_with_the_same_value_is_accepted(raw: RawServer) -> None:
    lines = (b"Content-Type: application/json", b"content-type:  application/json")
    assert (await raw.send(post(BODY, *lines)))[0].status == 200


REFUSED: dict[str, tuple[bytes, str]] = {
    "two hosts": (post(BODY, b"Host: secret"), "The header Host was sent twice."),
    "two lengths": (post(BODY, b"Content-Length: 3"), "Content-Length"),
    "a length and chunks": (post(BODY, b"Transfer-Encoding: chunked"), "Content-Length"),
    "two transfer encodings": (
        post(b"0\r\n\r\n", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", length=False), "Transfer-Encoding"
    ),
    "two content types": (
        post(BODY, b"Content-Type: application/json", b"Content-Type: secret/json"), "The header content-type was sent twice."
    ),
    "no host": (b"GET /v1/models HTTP/1.1\r\n\r\n", "The header Host is missing."),
    "a long line": (b"GET /" + b"secret" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", "too long"),
    "a long header": (b"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + b"secret" * 2000 + b"\r\n\r\n", "too long"),
    "too many headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: secret\r\n" % n for n in range(200)) + b"\r\n", "too many headers"
    ),
    "a header without a colon": (b"GET / HTTP/1.1\r\nHost: a\r\nsk-secret\r\n\r\n", "malformed"),
    "a null byte": (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: sk-\x00secret\r\n\r\n", "malformed"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 secret\r\n\r\n", "TLS"),
    "a broken chunk": (post(b"ZZ\r\nsecret\r\n0\r\n\r\n", b"Transfer-Encoding: chunked", length=False), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_an_unreadable_request_gets_a_json_error_with_an_id_and_one_line_in_the_log(
    raw: RawServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent, text = REFUSED[name]
    with caplog.at_level(logging.INFO):
        answer = (await raw.send(sent))[0]
    assert (answer.version, answer.status, answer.headers["content-type"]) == (b"HTTP/1.1", 400, "application/json")
    assert answer.body["error"]["type"] == "invalid_request_error"
    assert text.lower() in answer.body["error"]["message"].lower()
    assert answer.headers["x-conduit-request-id"].startswith("req_")
    lines = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert [record.exc_info for record in lines] == [None]
    assert answer.headers["x-conduit-request-id"] in lines[0].getMessage()
    assert "secret" not in lines[0].getMessage() + orjson.dumps(answer.body).decode()
    assert not raw.vendor.requests


async def test_a_client_that_hangs_up_while_its_answer_is_written_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        assert request.transport is not None
        request.transport.close()
        await response.write(b"too late")
        return response

    server = ClientServer(handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    async with listener:
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname()[:2])
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        await server.shutdown(1)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_an_unreadable_second_request_does_not_lose_the_first(raw: RawServer) -> None:
    answers = await raw.send(post(BODY), b"GET / HTTP/1.1\r\nno colon\r\n\r\n", answers=2)
    assert [one.status for one in answers] == [200, 400]


async def test_bytes_inside_a_head_are_never_read_as_the_beginning_of_a_request(raw: RawServer) -> None:
    # The head of the second request begins in the piece of the first one, so it is not certain where it begins.
    second = post(BODY, b"X-Note: " + post(BODY, *TWO_AGENTS, path=b"/v1/smuggled")[5:])
    answers = await raw.send(post(BODY) + second[:100], second[100:], answers=2)
    assert [one.status for one in answers] == [200, 400]


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress,
    # Without zlib's head and checksum, as some clients send it.
    "raw deflate": lambda body: zlib.compress(body, wbits=-15),
}  # fmt: skip


@pytest.mark.parametrize("encoding", COMPRESSIONS)
async def test_a_compressed_body_is_decoded(raw: RawServer, encoding: str) -> None:
    answer = (await raw.send(post(COMPRESSIONS[encoding](BODY), b"Content-Encoding: " + encoding.split()[-1].encode())))[0]
    assert answer.status == 200
    assert raw.vendor.requests[0].body["messages"][0]["content"] == "hello"
    assert "content-encoding" not in {name.lower() for name in raw.vendor.requests[0].headers}


@pytest.mark.parametrize("encoding", COMPRESSIONS)
async def test_the_limit_of_a_compressed_body_is_that_of_its_decoded_bytes(raw: RawServer, encoding: str) -> None:
    bomb = COMPRESSIONS[encoding](b"{" + b" " * 3_000_000 + b"}")
    answer = (await raw.send(post(bomb, b"Content-Encoding: " + encoding.split()[-1].encode())))[0]
    assert (answer.status, answer.body["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("cut", [False, True], ids=["other bytes", "cut off"])
@pytest.mark.parametrize("encoding", COMPRESSIONS)
async def test_a_broken_encoding_is_the_callers_fault(
    raw: RawServer, encoding: str, cut: bool, caplog: pytest.LogCaptureFixture
) -> None:
    body = COMPRESSIONS[encoding](BODY * 30)[:-8] if cut else b"\x00not compressed at all"
    answer = (await raw.send(post(body, b"Content-Encoding: " + encoding.split()[-1].encode())))[0]
    assert (answer.status, answer.body["error"]["type"]) == (400, "invalid_request_error")
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("form", ["other bytes", "cut off", "cut off in two packets"])
@pytest.mark.parametrize("encoding", COMPRESSIONS)
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (b"/v1/messages", ["type", "error"]), (b"/v1beta/models/m:generateContent", ["error"]), (b"/api/chat", ["error"]),
        (b"/v1/responses", ["error"]), (b"/v2/chat", ["message"]),
    ],
)  # fmt: skip
async def test_a_broken_encoding_is_refused_in_the_callers_dialect(
    raw: RawServer, path: bytes, shape: list[str], encoding: str, form: str
) -> None:
    body = b"\x00not compressed at all" if form == "other bytes" else COMPRESSIONS[encoding](BODY * 30)[:-8]
    request = post(body, b"Content-Encoding: " + encoding.split()[-1].encode(), path=path)
    pieces = [request[:-20], request[-20:]] if "two" in form else [request]
    answer = (await raw.send(*pieces))[0]
    assert answer.status == 400
    assert [name for name in answer.body if name in ("type", "error", "message")] == shape
    error = answer.body.get("error")
    match path:
        case b"/v1/messages":
            assert error["type"] == "invalid_request_error"
        case b"/v1beta/models/m:generateContent":
            assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
        case b"/api/chat":
            assert isinstance(error, str)
        case b"/v1/responses":
            # Of a body that is cut off, gzip and br say nothing: what came is no whole JSON.
            assert error["code"] in ("invalid_encoding", "invalid_json")


async def test_a_body_that_breaks_off_later_is_refused_without_a_traceback(
    raw: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    head = post(b"3\r\nabc\r\n", b"Transfer-Encoding: chunked", length=False)
    answer = (await raw.send(head, b"ZZ\r\nsecret\r\n0\r\n\r\n"))[0]
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_body")
    assert all(record.exc_info is None for record in caplog.records)


async def test_an_encoding_that_is_not_supported_is_named_in_the_refusal(raw: RawServer) -> None:
    answer = (await raw.send(post(b"\x1f\x9d\x90compressed", b"Content-Encoding: compress")))[0]
    assert (answer.status, answer.body["error"]["code"]) == (400, "unsupported_encoding")
    assert "gzip, deflate, br, zstd" in answer.body["error"]["message"]


@pytest.mark.parametrize(
    "path", [b"/v1/chat/completions/", b"/v1//chat/completions", b"//v1/chat/completions", b"/v1//chat//completions/?beta=true"]
)
async def test_slashes_too_many_are_accepted(raw: RawServer, path: bytes) -> None:
    assert [one.status for one in await raw.send(post(BODY, path=path) + post(BODY), answers=2)] == [200, 200]


async def test_slashes_too_many_lead_to_no_admin_path(raw: RawServer) -> None:
    answer = (await raw.send(b"GET //admin/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"))[0]
    assert (answer.status, answer.body["error"]["code"]) == (404, "not_found")


async def test_an_unknown_expectation_is_refused_in_json(raw: RawServer) -> None:
    answer = (await raw.send(post(BODY, b"Expect: something")))[0]
    assert (answer.status, answer.body["error"]["code"]) == (417, "expectation_failed")
    assert answer.headers["x-conduit-request-id"].startswith("req_")


@pytest.mark.parametrize("body", [b"{", b"", b"[1]", BODY[:-1]])
async def test_a_refused_body_has_an_id_that_the_log_names(raw: RawServer, body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = (await raw.send(post(body)))[0]
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_json")
    assert [answer.headers["x-conduit-request-id"] in record.getMessage() for record in caplog.records].count(True) == 1


async def test_a_byte_order_mark_before_the_body_is_ignored(raw: RawServer) -> None:
    assert (await raw.send(post(b"\xef\xbb\xbf" + BODY)))[0].status == 200


async def test_a_body_of_single_bytes_is_read_in_parts_and_is_whole(raw: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 KB of such chunks held up every stream for 150 ms."""
    fed: list[int] = []
    feed = request_parser._feed_data

    def counted(parser: Any, data: bytes) -> Any:
        fed.append(len(data))
        return feed(parser, data)

    monkeypatch.setattr(request_parser, "_feed_data", counted)
    body = orjson.dumps({"model": "alias", "messages": [{"role": "user", "content": "hello " * 20_000}]})
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %b\r\n" % KEY.encode()
    head += b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answers = await raw.send(head, chunks, answers=1)
    assert answers[0].status == 200
    assert raw.vendor.requests[-1].body["messages"][0]["content"] == "hello " * 20_000
    assert max(fed) <= 16 * 1024
    # And the next request on such a connection.
    small = b"".join([head, *(b"1\r\n%c\r\n" % byte for byte in BODY), b"0\r\n\r\n"])
    assert [answer.status for answer in await raw.send(small, small, answers=2)] == [200, 200]
