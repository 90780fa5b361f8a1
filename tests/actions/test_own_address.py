"""A provider whose base URL is the gateway itself is refused wherever it can be set up."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.own_address import check_not_own
from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.settings import Settings
from tests.actions.conftest import Do

PORT = 5999
OWN = [
    "localhost", "LOCALHOST.", "api.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]",
    "2130706433", "0x7f.1", socket.gethostname(), "gateway.example",
]  # fmt: skip


def context_of(address: str | None = f"http://127.0.0.1:{PORT}", **settings: Any) -> AppContext:
    snapshot = SimpleNamespace(settings=Settings(port=PORT, allowed_hosts=["gateway.example"], **settings))
    return cast(AppContext, SimpleNamespace(server=SimpleNamespace(address=address), gateway=SimpleNamespace(snapshot=snapshot)))


@pytest.mark.parametrize("host", OWN)
@pytest.mark.parametrize("address", [f"http://127.0.0.1:{PORT}", None], ids=["listening", "not yet"])
async def test_every_name_of_this_computer_with_the_own_port_is_refused(host: str, address: str | None) -> None:
    with pytest.raises(Invalid, match="own address") as caught:
        await check_not_own(context_of(address), f"http://{host}:{PORT}/v1", "openai-compatible")
    assert caught.value.field == "base_url"


class OneAddress(socket.socket):
    """Sockets of a computer that has the address 192.168.7.7."""

    def bind(self, address: Any) -> None:
        if address[0] != "192.168.7.7":
            raise OSError("not an address of this computer")


async def test_an_address_of_its_network_card_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", OneAddress)
    with pytest.raises(Invalid):
        await check_not_own(context_of(), f"http://192.168.7.7:{PORT}", "openai-compatible")
    await check_not_own(context_of(), f"http://192.168.7.8:{PORT}", "openai-compatible")


@pytest.mark.parametrize(
    "url",
    [f"http://127.0.0.1:{PORT + 1}/v1", f"http://192.0.2.1:{PORT}", "https://api.openai.com/v1", None, "", "http://", "http://a:b"],
)
async def test_another_port_another_computer_and_a_vendors_own_address_pass(url: str | None) -> None:
    await check_not_own(context_of(), url, "openai")


async def test_a_kinds_own_address_counts_where_none_is_given() -> None:
    with pytest.raises(Invalid):
        await check_not_own(context_of("http://127.0.0.1:11434"), None, "ollama")


async def test_the_operations_that_add_and_edit_a_provider_refuse_it(context: AppContext, do: Do) -> None:
    port = context.gateway.snapshot.settings.port
    own = {"name": "self", "kind": "openai-compatible", "base_url": f"http://localhost:{port}/v1"}
    with pytest.raises(Invalid, match="own address"):
        await do("POST", "/providers", own)
    await do("POST", "/providers", {**own, "base_url": f"http://localhost:{port + 1}/v1"})
    with pytest.raises(Invalid, match="own address"):
        await do("PATCH", "/providers/self", {"base_url": f"http://127.0.0.1:{port}"})
