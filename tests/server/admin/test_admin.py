"""The admin API over real HTTP: access, errors, and the feed of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.actions import keys, master_key, usage
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, read
from conduit_desktop.core.bus import Change
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.server import admin
from conduit_desktop.server.admin import feed, operations
from conduit_desktop.server.http_server import HttpServer
from tests.fakes.gateway import open_gateway
from tests.fakes.http_server import listening
from tests.fakes.waiting import WITHIN_S

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def server(context: AppContext) -> AsyncIterator[TestServer]:
    app = web.Application()
    admin.mount(app, context)
    async with TestServer(app, host="127.0.0.1") as running:
        yield running


@pytest.fixture
async def master(context: AppContext) -> str:
    return await master_key.current(context)


@pytest.fixture
async def ask(server: TestServer, master: str) -> AsyncIterator[Ask]:
    """`await ask("GET", "/keys")`: status and JSON, as the operator unless headers say otherwise."""
    async with aiohttp.ClientSession() as session:

        async def run(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
            data = body if isinstance(body, (bytes, type(None))) else orjson.dumps(body)
            headers = {"Authorization": f"Bearer {master}"} if headers is None else headers
            async with session.request(method, server.make_url(f"/admin/v1{path}"), data=data, headers=headers) as response:
                text = await response.read()
                return response.status, orjson.loads(text) if text and response.content_type == "application/json" else text

        yield run


async def test_only_the_master_key_is_accepted(context: AppContext, ask: Ask, master: str) -> None:
    virtual = (await keys.create(context, read(NewKey, {"name": "a"}), "gui")).key
    for headers, status in (
        ({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Basic eDp5"}, 401), ({"X-Master-Key": ""}, 401),
        ({"Authorization": f"Bearer {virtual}"}, 403), ({"X-Master-Key": virtual}, 403),
        ({"Authorization": f"bearer {master}"}, 200), ({"X-Master-Key": master}, 200),
    ):  # fmt: skip
        assert (await ask("GET", "/status", headers=headers))[0] == status, headers
        if status != 200:
            assert (await ask("POST", "/keys", {"name": "b"}, headers))[0] == status
    assert [one.name for one in await keys.all_keys(context)] == ["a"]


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "http://localhost:3000"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_a_page_of_another_origin_is_refused_with_the_right_key_too(ask: Ask, master: str, headers: dict[str, str]) -> None:
    status, answer = await ask("GET", "/status", headers={**headers, "X-Master-Key": master})
    assert (status, answer["error"]["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "field"),
    [
        ("POST", "/keys", b"{", 400, "invalid_json", None),
        ("POST", "/keys", b"\xff", 400, "invalid_json", None),
        ("POST", "/keys", b"", 422, "invalid", None),
        ("POST", "/keys", {"name": "a", "bugdet_usd": 1}, 422, "invalid", "bugdet_usd"),
        ("POST", "/models", {"alias": "a", "targets": [{"provider": "p", "modle": "m"}]}, 422, "invalid", "targets[0].modle"),
        ("GET", "/keys/key_none", None, 404, "not_found", None),
        ("GET", "/nothing", None, 404, "not_found", None),
        ("GET", "", None, 404, "not_found", None),
        ("PUT", "/keys", {}, 405, "method_not_allowed", None),
        ("POST", "/status", {}, 405, "method_not_allowed", None),
        ("GET", "/keys?limit=x", None, 422, "invalid", "limit"),
    ],
)
async def test_errors_have_a_message_a_code_and_the_field(
    ask: Ask, method: str, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    got, answer = await ask(method, path, body)
    assert (got, set(answer), answer["error"]["code"], answer["error"]["field"]) == (status, {"error"}, code, field)
    assert answer["error"]["message"]


async def test_a_name_taken_is_a_conflict_and_names_the_field(ask: Ask) -> None:
    assert (await ask("POST", "/keys", {"name": "a"}))[0] == 201
    status, answer = await ask("POST", "/keys", {"name": "A"})
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (409, "conflict", "name")


async def test_names_are_decoded_once(ask: Ask) -> None:
    await ask("POST", "/providers", {"name": "demo", "kind": "demo"})
    await ask("POST", "/models", {"alias": "a/b %2F c", "targets": [{"provider": "demo", "model": "demo-chat"}]})
    assert (await ask("GET", "/models/a%2Fb%20%252F%20c"))[1]["alias"] == "a/b %2F c"
    assert (await ask("DELETE", "/models/a/b%20%252F%20c")) == (204, b"")


async def test_an_answer_with_a_key_is_not_to_be_cached(server: TestServer, master: str) -> None:
    async with aiohttp.ClientSession(headers={"X-Master-Key": master}) as session:
        async with session.post(server.make_url("/admin/v1/keys"), json={"name": "a"}) as response:
            assert response.headers["Cache-Control"] == "no-store"
        async with session.delete(server.make_url("/admin/v1/status")) as response:
            assert response.headers["Allow"] == "GET"
        async with session.head(server.make_url("/admin/v1/status")) as response:
            assert response.status == 200


async def test_usage_comes_as_csv_too(context: AppContext, ask: Ask) -> None:
    await context.store.ledger.record(RequestRecord(id="a", started_at=1_790_000_000_000, model="=cmd()"))
    status, text = await ask("GET", "/usage?group_by=model&format=csv")
    assert status == 200
    assert text.splitlines()[1].startswith(b"'=cmd(),1,")


async def test_csv_of_many_rows_is_made_in_parts(context: AppContext, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        made = RequestRecord(id=str(number), started_at=1_790_000_000_000 + number // 3 * 86_400_000, model=f"m{number}")
        await context.store.ledger.record(made)
    for group_by in ("", "model", "day,model", "model,day"):
        _, whole = await ask("GET", f"/usage?group_by={group_by}&format=csv")
        monkeypatch.setattr(usage, "CSV_ROWS", 2)
        _, parts = await ask("GET", f"/usage?group_by={group_by}&format=csv")
        monkeypatch.undo()
        assert parts == whole
        assert len(whole.splitlines()) == (8 if group_by else 2)


async def test_usage_of_groups_without_sums_of_too_many_requests_is_refused(
    context: AppContext, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await context.store.ledger.record(RequestRecord(id=str(number), started_at=1_790_000_000_000, session="s", tags=("t",)))
    monkeypatch.setattr("conduit_desktop.store.sqlite.usage.MOST_SINGLE", 2)
    status, answer = await ask("GET", "/usage?group_by=session,tag")
    assert (status, answer["error"]["field"]) == (422, "group_by")
    assert (await ask("GET", "/usage?group_by=session,model"))[0] == 200


async def test_too_large_a_body_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MAX_BODY", 100_000)
    status, answer = await ask("POST", "/keys", b" " * (operations.MAX_BODY + 1))
    assert (status, answer["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("query", ["", "?audit=true"])
async def test_the_feed_sends_changes_as_they_come(context: AppContext, server: TestServer, master: str, query: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"X-Master-Key": master}) as session,
        session.get(server.make_url(f"/admin/v1/events{query}")) as response,
    ):
        assert response.content_type == "text/event-stream"
        assert await response.content.readline() == b": connected\n"
        await keys.create(context, read(NewKey, {"name": "a"}), "gui")
        context.bus.publish("requests", RequestRecord(id="req_1", started_at=1, cost_nano=5_000_000_000))
        text = b""
        while b"event: requests" not in text or not text.endswith(b"\n\n"):
            text += await response.content.readany()
    first, *audited, last = text.strip().split(b"\n\n")
    assert first == b'event: keys\ndata: {"topic":"keys","payload":"a"}'
    assert audited == ([b'event: audit\ndata: {"topic":"audit","payload":"a"}'] if query else [])
    record = orjson.loads(last.partition(b"data: ")[2])["payload"]
    assert (record["id"], record["cost_usd"]) == ("req_1", 5.0)


async def test_the_feed_is_for_the_operator_alone(ask: Ask) -> None:
    assert (await ask("GET", "/events", headers={}))[0] == 401


async def test_a_slow_client_loses_the_oldest_changes_and_gets_their_number() -> None:
    listener = feed.Listener(size=2)
    for number in range(5):
        listener.put(Change("keys", str(number)))
    data = await listener.frames(1)
    assert data is not None
    assert data.startswith(b'event: lost\ndata: {"count":3}\n\n')
    assert [part[-3:-2] for part in data.split(b"\n\n")[1:3]] == [b"3", b"4"]


async def test_a_client_that_never_reads_takes_bounded_memory_and_does_not_delay_the_stop(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners: list[feed.Listener] = []

    class Noted(feed.Listener):
        def __init__(self) -> None:
            super().__init__()
            listeners.append(self)

    monkeypatch.setattr(feed, "Listener", Noted)
    async with open_gateway(home, port=0) as gateway, listening(home, gateway) as context:
        server = context.server
        assert isinstance(server, HttpServer)
        assert server._runner is not None
        assert server._runner.server is not None
        port = int((server.address or "").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        try:
            key = await master_key.current(context)
            writer.write(f"GET /admin/v1/events HTTP/1.1\r\nHost: localhost\r\nX-Master-Key: {key}\r\n\r\n".encode())
            async with asyncio.timeout(WITHIN_S):
                await reader.readuntil(b": connected\n\n")
                [connection] = server._runner.server.connections
                for number in range(60_000):
                    context.bus.publish("keys", f"{number} {'x' * 1000}")
                    if number % 100 == 0:
                        await asyncio.sleep(0)
            [listener] = listeners
            assert len(listener._changes) == feed.QUEUE
            assert connection.transport is not None
            assert connection.transport.get_write_buffer_size() < 8 * 1024 * 1024
            async with asyncio.timeout(WITHIN_S):
                await server.stop()
        finally:
            writer.close()


async def test_silence_is_filled_with_pings_until_the_end() -> None:
    listener = feed.Listener()
    assert await listener.frames(0.001) == b": ping\n\n"
    listener.close()
    assert await listener.frames(1) is None


async def test_a_stopping_server_ends_its_feeds(context: AppContext, master: str) -> None:
    app = web.Application()
    admin.mount(app, context)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    async with (
        aiohttp.ClientSession(headers={"X-Master-Key": master}) as session,
        session.get(server.make_url("/admin/v1/events")) as response,
    ):
        await response.content.readline()
        closing = asyncio.ensure_future(server.close())
        async with asyncio.timeout(WITHIN_S):
            assert await response.content.read() == b"\n"
            await closing
    assert context.bus._listeners == []
