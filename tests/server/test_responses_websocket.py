"""The Responses API over a WebSocket, to vendors that know nothing of it: events, continued conversations, errors, hang-ups."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.server.http_server import HttpServer
from conduit_desktop.server.responses_websocket import WAITING
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor


class Served:
    """A listening gateway, and a short way to connect to it."""

    def __init__(self, gateway: GatewayFixture, vendor: Vendor, session: aiohttp.ClientSession, url: str) -> None:
        self.gateway, self.vendor, self.session, self.url = gateway, vendor, session, url

    @asynccontextmanager
    async def connected(self, path: str = "/v1/responses", key: str = KEY) -> AsyncIterator[Client]:
        async with self.session.ws_connect(self.url + path, headers={"Authorization": f"Bearer {key}"}) as socket:
            yield Client(socket)


class Client:
    """One open connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def create(self, **fields: Any) -> list[dict[str, Any]]:
        """Send a response.create; the events up to the last one."""
        await self.socket.send_str(orjson.dumps({"type": "response.create", "model": "alias", **fields}).decode())
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] not in ("response.completed", "response.failed", "error"):
            events.append(orjson.loads(await self.socket.receive_str()))
        return events


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield Served(gateway, vendor, session, context.server.address or "")


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/openai/v1/responses"])
async def test_the_events_of_the_stream_come_as_messages_and_the_request_is_recorded(served: Served, path: str) -> None:
    async with served.connected(path) as client:
        events = await client.create(input="hello")
        assert events[0]["type"] == "response.created"
        assert text_of(events) == "You said: hello"
        assert events[-1]["response"]["status"] == "completed"
    assert [(record.key_name, record.status, record.streamed) for record in served.gateway.records] == [("tester", "success", True)]


@pytest.mark.parametrize("store", [False, True])
async def test_a_conversation_is_continued_by_the_id_of_its_last_response(served: Served, store: bool) -> None:
    async with served.connected() as client:
        first = await client.create(input="one", store=store)
        second = await client.create(input="two", store=store, previous_response_id=first[-1]["response"]["id"])
        third = await client.create(input="three", store=store, previous_response_id=second[-1]["response"]["id"])
    assert third[-1]["response"]["previous_response_id"] == second[-1]["response"]["id"]
    sent = [message["content"] for message in served.vendor.requests[2].body["messages"]]
    assert sent == ["one", "You said: one", "two", "You said: two", "three"]


async def test_what_is_not_stored_is_known_to_its_connection_alone(served: Served) -> None:
    async with served.connected() as client:
        first = await client.create(input="one", store=False)
    async with served.connected() as client:
        events = await client.create(input="two", previous_response_id=first[-1]["response"]["id"])
    assert [event["type"] for event in events] == ["error"]
    assert events[0]["error"]["code"] == "previous_response_not_found"
    assert events[0]["status"] == 400


async def test_a_warm_up_costs_nothing_and_can_be_continued(served: Served) -> None:
    async with served.connected() as client:
        begun, done = await client.create(input="You are a pirate.", generate=False)
        assert (begun["type"], done["response"]["output"], done["response"]["usage"]["total_tokens"]) == ("response.created", [], 0)
        assert not served.vendor.requests
        await client.create(input="hello", previous_response_id=done["response"]["id"])
    assert [message["content"] for message in served.vendor.requests[0].body["messages"]] == ["You are a pirate.\n\nhello"]


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        ("{", 400, "invalid_json"),
        ('"text"', 400, "invalid_event"),
        ('{"type":"response.cancel"}', 400, "invalid_event"),
        ('{"type":"response.inject","input":"x"}', 400, "invalid_event"),
        ('{"type":"response.create","input":"x"}', 400, "missing_parameter"),
        ('{"type":"response.create","model":"alias"}', 400, "missing_parameter"),
        ('{"type":"response.create","model":"alias","input":"x","background":true}', 400, "invalid_parameter"),
        ('{"type":"response.create","model":"nope","input":"x"}', 404, "model_not_found"),
    ],
)
async def test_a_faulty_event_is_answered_by_an_error_and_the_connection_goes_on(
    served: Served, event: str, status: int, code: str
) -> None:
    async with served.connected() as client:
        await client.socket.send_str(event)
        error = orjson.loads(await client.socket.receive_str())
        assert (error["type"], error["status"], error["error"]["code"]) == ("error", status, code)
        assert text_of(await client.create(input="hello")) == "You said: hello"


async def test_a_vendors_error_has_its_status_and_headers(served: Served) -> None:
    served.vendor.script(Step(status=429, headers={"retry-after": "30"}), model="gpt-x")
    async with served.connected() as client:
        error = (await client.create(input="hello"))[-1]
    assert (error["type"], error["status"]) == ("error", 429)
    assert float(error["headers"]["retry-after"]) >= 29
    assert error["headers"]["x-conduit-request-id"].startswith("req_")


@pytest.mark.parametrize("fault", [Step(cut_after=1), Step(error_after=1), Step(malformed_after=1)])
async def test_a_response_that_breaks_off_ends_in_one_event_and_the_next_one_is_not_mixed_up_with_it(
    served: Served, fault: Step
) -> None:
    served.vendor.script(fault, Step(), model="gpt-x")
    async with served.connected() as client:
        failed = (await client.create(input="hello"))[-1]
        assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
        assert "oa/gpt-x broke off" in failed["response"]["error"]["message"]
        following = await client.create(input="again")
    assert [following[0]["type"], following[-1]["type"]] == ["response.created", "response.completed"]


async def test_a_limit_holds_for_each_response_of_a_connection(served: Served) -> None:
    await served.gateway.add_key("slow", "condt_" + "s" * 43, rpm=1)
    async with served.connected(key="condt_" + "s" * 43) as client:
        assert (await client.create(input="one"))[-1]["type"] == "response.completed"
        assert (await client.create(input="two"))[-1]["status"] == 429


async def test_a_key_is_needed_before_the_upgrade(served: Served) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with served.connected(key="condt_" + "x" * 43):
            pass
    assert refused.value.status == 401


async def test_a_foreign_page_cannot_use_the_anonymous_key(served: Served) -> None:
    served.gateway.state.overrides["anonymous_key"] = "tester"
    await served.gateway.refresh()
    async with served.session.ws_connect(served.url + "/v1/responses") as socket:
        assert text_of(await Client(socket).create(input="hello")) == "You said: hello"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with served.session.ws_connect(served.url + "/v1/responses", origin="https://evil.example"):
            pass
    assert refused.value.status == 401


async def test_without_an_upgrade_the_path_takes_no_get(served: Served) -> None:
    async with served.session.get(served.url + "/v1/responses", headers={"Authorization": f"Bearer {KEY}"}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (405, "method_not_allowed")


async def test_a_client_that_closes_stops_the_upstream(served: Served) -> None:
    served.vendor.script(Step(text="word " * 2000, frame_s=0.05), model="gpt-x")
    async with served.connected() as client:
        await client.socket.send_str('{"type":"response.create","model":"alias","input":"hello"}')
        while "delta" not in await client.socket.receive_str():
            pass
    call = served.vendor.requests[0]
    async with asyncio.timeout(10):
        await call.ended.wait()
    assert call.outcome == "hung up"
    async with asyncio.timeout(10):
        while not served.gateway.records:
            await asyncio.sleep(0.01)
    assert served.gateway.records[0].status == "cancelled"


async def test_two_events_at_once_are_answered_one_after_the_other(served: Served) -> None:
    async with served.connected() as client:
        for word in ("one", "two"):
            await client.socket.send_str(orjson.dumps({"type": "response.create", "model": "alias", "input": word}).decode())
        seen: list[str] = []
        while seen.count("response.completed") < 2:
            seen.append(orjson.loads(await client.socket.receive_str())["type"])
        assert seen.index("response.completed") < len(seen) - 1 - seen[::-1].index("response.created")


async def test_openais_sdk_streams_over_the_connection(served: Served) -> None:
    pytest.importorskip("websockets")
    openai = pytest.importorskip("openai")
    client = openai.AsyncOpenAI(api_key=KEY, base_url=served.url + "/v1")
    async with client, client.responses.connect() as connection:
        await connection.response.create(model="alias", input="hello")
        text = ""
        async for event in connection:
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.completed":
                break
    assert text == "You said: hello"


async def test_input_that_steers_is_given_back_at_once_while_the_response_goes_on(served: Served) -> None:
    pytest.importorskip("openai")
    from openai.types.responses import ResponseSteerFailedEvent

    served.vendor.script(Step(text="word " * 40, frame_s=0.02), model="gpt-x")
    async with served.connected() as client:
        await client.socket.send_str('{"type":"response.create","model":"alias","input":"hello"}')
        begun = orjson.loads(await client.socket.receive_str())
        steer = {"type": "response.steer", "previous_response_id": begun["response"]["id"], "input": "faster"}
        await client.socket.send_str(orjson.dumps(steer).decode())
        types: list[str] = []
        failed: dict[str, Any] = {}
        while not types or types[-1] != "response.completed":
            event = orjson.loads(await client.socket.receive_str())
            types.append(event["type"])
            failed = event if event["type"] == "response.steer.failed" else failed
        assert types.index("response.steer.failed") < len(types) - 10, "before the end of the response"
        ResponseSteerFailedEvent.model_validate(failed)
        assert failed["error"]["code"] == "steering_not_supported"
        assert failed["steer"] == {"previous_response_id": begun["response"]["id"], "input": "faster"}
        assert (await client.create(input="hello"))[-1]["type"] == "response.completed"


async def test_every_event_of_a_response_has_the_stream_id_that_its_client_gave_it(served: Served) -> None:
    async with served.connected() as client:
        events = await client.create(input="hello", stream_id="left")
        assert {event.get("stream_id") for event in events} == {"left"}
        assert not any("stream_id" in event for event in await client.create(input="hello"))


# A client that does not keep up.


async def never_reading(url: str) -> socket.socket:
    """A connection after its upgrade whose client has a small buffer and reads nothing more."""
    port = int(url.rpartition(":")[2])
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, ("127.0.0.1", port))
    lines = (
        "GET /v1/responses HTTP/1.1", "Host: localhost", f"Authorization: Bearer {KEY}", "Connection: Upgrade",
        "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    )  # fmt: skip
    await loop.sock_sendall(made, "\r\n".join(lines).encode())
    assert (await loop.sock_recv(made, 4096)).startswith(b"HTTP/1.1 101")
    return made


def message(text: bytes) -> bytes:
    """A text message of a client, masked with zeros."""
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


CREATE = message(b'{"type":"response.create","model":"alias","input":"hello"}')


async def test_what_a_client_does_not_read_stays_with_the_vendor_and_not_in_memory(home: Home) -> None:
    sent = 0
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": "x" * 4000}, "finish_reason": None}]}  # fmt: skip
    frame = b"data: " + orjson.dumps(chunk) + b"\n\n"

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionError):
            while sent < MOST_SENT:
                writer.write(frame)
                await writer.drain()
                sent += len(frame)
        writer.close()

    vendor = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with vendor, open_gateway(home, port=0) as gateway:
        await gateway.add_provider("oa", f"http://127.0.0.1:{vendor.sockets[0].getsockname()[1]}/v1")
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            client = await never_reading(context.server.address or "")
            await asyncio.get_running_loop().sock_sendall(client, CREATE)
            async with asyncio.timeout(30):
                before, still = -1, 0
                # Nothing moves any more in twenty looks, or all of it was taken.
                while still < 20 and sent < MOST_SENT:
                    before, still = sent, still + 1 if sent == before and sent else 0
                    await asyncio.sleep(0.02)
            assert sent < MOST_SENT / 4
            assert isinstance(context.server, HttpServer)
            assert context.server._runner is not None
            assert context.server._runner.server is not None
            waiting = [one.transport.get_write_buffer_size() for one in context.server._runner.server.connections if one.transport]
            assert max(waiting) < 1024 * 1024
            client.close()
            async with asyncio.timeout(10):
                while not gateway.records:
                    await asyncio.sleep(0.01)
            assert gateway.records[0].status == "cancelled"


MOST_SENT = 64 * 1024 * 1024
"""Bytes that the vendor has: many times what sockets hold."""


async def test_events_that_wait_for_a_response_are_bounded_and_further_ones_close_the_connection(served: Served) -> None:
    served.vendor.script(Step(hang=True), model="gpt-x")
    async with served.connected() as client:
        for _ in range(WAITING + 10):
            await client.socket.send_str('{"type":"response.create","model":"alias","input":"hello"}')
        async with asyncio.timeout(10):
            closed = await client.socket.receive()
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1013)


async def test_large_events_that_wait_are_bounded_by_their_size(served: Served) -> None:
    served.gateway.state.overrides["max_body_mb"] = 1
    await served.gateway.refresh()
    served.vendor.script(Step(hang=True), model="gpt-x")
    large = orjson.dumps({"type": "response.create", "model": "alias", "input": "x" * 600_000}).decode()
    async with served.connected() as client:
        for _ in range(4):
            await client.socket.send_str(large)
        async with asyncio.timeout(10):
            closed = await client.socket.receive()
    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1013)
