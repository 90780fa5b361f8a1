"""Guesses at the master key are slowed down by address, on every path that takes it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from conduit_desktop.actions import master_key
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.admission.failed_logins import EVERY_S, FREE
from conduit_desktop.server.admin import access
from tests.fakes.gateway import open_gateway
from tests.fakes.http_server import listening

WITHIN_S = 10.0
WRONG = "X-Master-Key: condm_wrong"
PROXY = "Via: 1.1 proxy"
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
OPERATIONS = ("/admin/v1/status", "/admin/v1/events")


@dataclass
class Served:
    context: AppContext
    master: str

    async def get(self, path: str, *lines: str, source: str = "127.0.0.1") -> tuple[int, str | None]:
        """Status and Retry-After of the answer to a request from the address `source`."""
        port = int((self.context.server.address or "").rpartition(":")[2])
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            try:
                writer.write("\r\n".join((f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode())
                status, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            finally:
                writer.close()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return int(status.split(" ")[1]), headers.get("retry-after")

    @property
    def right(self) -> str:
        return f"X-Master-Key: {self.master}"


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with open_gateway(home, port=0) as gateway, listening(home, gateway) as context:
        yield Served(context, await master_key.current(context))


@pytest.mark.parametrize("path", [*OPERATIONS, "/metrics"])
async def test_repeated_wrong_master_keys_get_429_with_the_time_to_wait(served: Served, path: str) -> None:
    found = [await served.get(path, WRONG, PROXY) for _ in range(FREE + 2)]
    assert [status for status, _ in found] == [401] * FREE + [429] * 2
    assert {wait for _, wait in found[FREE:]} == {f"{EVERY_S:.0f}"}


async def test_all_paths_count_together_so_that_none_gives_further_guesses(served: Served) -> None:
    for number in range(FREE):
        path = (*OPERATIONS, "/metrics")[number % 3]
        assert (await served.get(path, WRONG, PROXY))[0] == 401
    websocket = await served.get("/v1/responses", "Authorization: Bearer condt_wrong", *UPGRADE)
    for status, wait in [websocket, *[await served.get(path, WRONG, PROXY) for path in (*OPERATIONS, "/metrics")]]:
        assert (status, wait) == (429, f"{EVERY_S:.0f}")


async def test_a_websocket_with_a_wrong_key_is_refused_before_its_upgrade_and_slowed_down(served: Served) -> None:
    statuses = [(await served.get("/v1/responses", "Authorization: Bearer condt_wrong", *UPGRADE))[0] for _ in range(FREE + 2)]
    assert statuses == [401] * FREE + [429] * 2


async def test_what_comes_through_a_proxy_is_not_looked_at_while_it_has_to_wait(served: Served) -> None:
    for _ in range(FREE):
        await served.get("/admin/v1/status", WRONG, PROXY)
    # Else a guesser would go on: only the answers to wrong keys would be another status.
    assert (await served.get("/admin/v1/status", served.right, PROXY))[0] == 429
    assert (await served.get("/metrics", served.right, PROXY))[0] == 429


async def test_programs_of_this_computer_do_not_lock_out_its_user(served: Served) -> None:
    for _ in range(FREE + 2):
        await served.get("/admin/v1/status", WRONG)
    assert (await served.get("/admin/v1/status", WRONG))[0] == 429
    assert (await served.get("/admin/v1/status", served.right))[0] == 200
    assert (await served.get("/admin/v1/events", served.right))[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
async def test_an_address_that_has_to_wait_keeps_no_other_one_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    # As two computers of a network.
    monkeypatch.setattr(access, "is_loopback", lambda address: False)
    for _ in range(FREE):
        await served.get("/admin/v1/status", WRONG)
    assert (await served.get("/admin/v1/status", served.right))[0] == 429
    assert (await served.get("/admin/v1/status", served.right, source="127.0.0.2"))[0] == 200
    assert (await served.get("/admin/v1/events", served.right, source="127.0.0.2"))[0] == 200
