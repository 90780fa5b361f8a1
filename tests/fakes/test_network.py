"""The socket guard: which connections it allows and refuses."""

from __future__ import annotations

import socket
from pathlib import Path

import keyring
import pytest

from tests.fakes.clock import Clock
from tests.fakes.memory_keyring import MemoryKeyring
from tests.fakes.network import is_local, loopback_only


def test_a_connection_to_loopback_is_allowed():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize("host", ["8.8.8.8", "2001:db8::1", "example.com"])
def test_a_connection_to_another_machine_is_an_error_and_is_recorded(host):
    with loopback_only() as refused:
        with pytest.raises(AssertionError, match="only loopback"):
            socket.create_connection((host, 443), timeout=1)
        assert len(refused) == 1
        assert host in refused[0]


async def test_asyncio_is_guarded_too():
    import asyncio

    with loopback_only() as refused:
        with pytest.raises(AssertionError):
            await asyncio.open_connection("192.0.2.7", 80)
        assert refused == ["192.0.2.7:80"]


def test_a_name_that_cannot_exist_does_not_resolve():
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), (b"localhost", True), (None, True), ("10.0.0.1", False), ("local", False)],
)
def test_loopback_addresses_are_local_and_others_are_not(host, local):
    assert is_local(host) is local


def test_no_key_of_the_user_is_seen(monkeypatch):
    import os

    assert not [name for name in os.environ if name.startswith("CONDUIT_") or name.endswith("_API_KEY")]


def test_a_home_holds_no_file_and_is_below_a_temporary_folder(home, tmp_path):
    assert [path for path in home.root.rglob("*") if path.is_file()] == []
    assert home.root.is_relative_to(tmp_path)
    assert Path.home().is_dir()


def test_the_keyring_is_a_fake_and_starts_empty(system_keyring):
    keyring.set_password("a", "b", "c")
    assert system_keyring.entries == {("a", "b"): "c"}
    assert isinstance(keyring.get_keyring(), MemoryKeyring)
    keyring.delete_password("a", "b")
    assert keyring.get_password("a", "b") is None


def test_the_fake_clock_moves_only_by_its_methods():
    clock = Clock()
    start, wall = clock(), clock.wall()
    clock.advance(2.5)
    assert (clock() - start, clock.wall() - wall) == (2.5, 2.5)
    clock.sleep(8 * 3600)
    assert (clock() - start, clock.wall() - wall) == (2.5, 2.5 + 8 * 3600)
