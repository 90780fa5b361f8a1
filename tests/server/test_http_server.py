"""Listening beyond this computer: every path asks for a key, whether the address was set at the start or changed later."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.actions import master_key, settings
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict, Invalid, PortTaken
from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor
from tests.fakes.waiting import until
from tests.server.test_identity import PATHS

BODY = {"model": "alias", "messages": [{"role": "user", "content": "hello"}]}
READ = ("/v1/models", "/v1/models/alias", "/v1beta/models", "/api/tags", "/api/ps", "/v1/responses/resp_1")
ADMIN = ("/admin/v1/status", "/admin/v1/events", "/admin/v1/keys", "/admin/v1/unknown")
FORWARDED = {"Via": "1.1 proxy"}
"""As from another computer, by a proxy on this one."""
WARNING = "beyond this computer"


class Served:
    """A gateway with one alias and no key."""

    def __init__(self, gateway: GatewayFixture, context: AppContext, session: aiohttp.ClientSession) -> None:
        self.gateway, self.context, self.session = gateway, context, session

    async def status(self, method: str, path: str, **options: Any) -> int:
        port = (self.context.server.address or "").rpartition(":")[2]
        async with self.session.request(method, f"http://127.0.0.1:{port}{path}", **options) as answer:
            return answer.status

    async def answered_without_a_key(self) -> dict[str, int]:
        """The paths that do not refuse a request without a key, with their status."""
        found = {f"POST {path}": await self.status("POST", path, json=BODY) for path in PATHS}
        found |= {f"GET {path}": await self.status("GET", path) for path in (*READ, *ADMIN)}
        found["GET /metrics"] = await self.status("GET", "/metrics", headers=FORWARDED)
        return {path: status for path, status in found.items() if status != 401}


@pytest.fixture
def everywhere() -> dict[str, Any]:
    return {"host": "0.0.0.0"}


@pytest.fixture
async def served(home: Home, everywhere: dict[str, Any]) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0, **everywhere) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_alias("alias", "oa/gpt-x")
        async with listening(home, gateway) as context:
            yield Served(gateway, context, session)


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(WARNING in record.message and record.levelno == logging.WARNING for record in caplog.records)


async def test_beyond_this_computer_without_any_key_every_call_is_refused_and_the_log_says_so(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    assert await served.answered_without_a_key() == {}
    await served.context.server.stop()
    caplog.clear()
    await served.context.server.start()
    assert warnings(caplog) == 1


@pytest.mark.parametrize("everywhere", [{}])
async def test_an_address_changed_at_run_time_is_as_guarded_as_one_of_the_start(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    master = await master_key.current(served.context)
    changed = await served.status("PATCH", "/admin/v1/settings", json={"host": "0.0.0.0"}, headers={"X-Master-Key": master})
    assert (changed, warnings(caplog)) == (200, 1)
    assert (served.context.server.address or "").startswith("http://0.0.0.0:")
    assert await served.answered_without_a_key() == {}


def port_of(context: AppContext) -> int:
    return int((context.server.address or "").rpartition(":")[2])


@pytest.mark.parametrize("everywhere", [{}])
async def test_a_body_that_is_still_coming_is_answered_after_the_address_has_changed(served: Served) -> None:
    await served.gateway.add_key()
    body = orjson.dumps(BODY)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(served.context))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body[:10])
    runner = served.context.server._runner
    await until(lambda: any(not connection.is_idle for connection in runner.server.connections))
    change = await served.context.server.prepare_address("127.0.0.2", 0)
    await change.apply()
    writer.write(body[10:])
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("everywhere", [{}])
@pytest.mark.parametrize("host", ["127.0.0.2", "0.0.0.0"])
async def test_a_change_that_fails_after_the_address_was_bound_leaves_the_server_where_it_was(served: Served, host: str) -> None:
    before = port_of(served.context)
    with pytest.raises(Invalid, match="there is no virtual key"):
        await settings.change(served.context, {"host": host, "anonymous_key": "no such key"}, "admin")
    assert await served.status("GET", "/health") == 200
    assert (served.context.server.address, port_of(served.context)) == (f"http://127.0.0.1:{before}", before)
    with socket.create_server(("127.0.0.2", before)):
        """The other address is free again."""


@pytest.mark.parametrize("everywhere", [{}])
async def test_a_server_that_could_not_listen_begins_as_soon_as_it_is_given_a_free_port(served: Served) -> None:
    server, port = served.context.server, port_of(served.context)
    await server.stop()
    del served.gateway.state.overrides["port"]
    with socket.create_server(("127.0.0.1", port)):
        await settings.change(served.context, {"port": port}, "admin")
        with pytest.raises(PortTaken):
            await server.start()
        with pytest.raises(Conflict, match="is taken"):
            await settings.change(served.context, {"port": port}, "admin")
        await settings.change(served.context, {"port": 0}, "admin")
    assert server.state == "running"
    assert await served.status("GET", "/health") == 200


async def test_an_anonymous_key_lets_in_this_computer_alone_where_others_can_connect(served: Served) -> None:
    await served.gateway.add_key(name="local")
    served.gateway.state.overrides["anonymous_key"] = "local"
    await served.gateway.refresh()
    assert await served.status("POST", "/v1/chat/completions", json=BODY) == 200
    assert await served.status("POST", "/v1/chat/completions", json=BODY, headers=FORWARDED) == 401


@pytest.mark.parametrize(("enabled", "warned"), [(True, 0), (False, 1)])
async def test_a_key_that_is_enabled_ends_the_warning(
    served: Served, caplog: pytest.LogCaptureFixture, enabled: bool, warned: int
) -> None:
    await served.gateway.add_key(enabled=enabled)
    await served.context.server.stop()
    caplog.clear()
    await served.context.server.start()
    assert warnings(caplog) == warned
    status = await served.status("POST", "/v1/chat/completions", json=BODY, headers={"Authorization": f"Bearer {KEY}"})
    assert status == (200 if enabled else 401)
