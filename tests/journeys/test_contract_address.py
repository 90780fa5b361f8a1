"""The address from outside: a change of host or port takes effect at once, and breaks no answer; what cannot be had is refused."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import MASTER_KEY, RunningGateway, environment, vendor
from tests.journeys.test_contract_process import command, free_port

ASKED = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


@contextmanager
def served(home: Path, port: int, *options: str) -> Iterator[RunningGateway]:
    """`conduit-desktop serve` on a stored port, which can be changed while it runs."""
    assert command("settings", "set", "port", str(port), "--home", str(home))[0] == 0
    arguments = [sys.executable, "-m", "conduit_desktop", "serve", "--home", str(home), *options]
    with (home.parent / "log").open("w") as log:
        env = environment(CONDUIT_MASTER_KEY=MASTER_KEY, CONDUIT_LOG_LEVEL="info")
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
        assert process.stdout is not None
        try:
            yield RunningGateway(process.stdout.readline().split()[-1], process, home)
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


def move(gateway: RunningGateway, **settings: Any) -> None:
    """Change settings over the admin API, and go on at the address that the gateway then has."""
    gateway.admin("PATCH", "/settings", settings)
    gateway.address = json.loads((gateway.home / "conduit.lock").read_text())["address"]


def refused(gateway: RunningGateway, **settings: Any) -> dict[str, Any]:
    """The error of a change that is refused, with its status."""
    with pytest.raises(urllib.error.HTTPError) as error:
        gateway.admin("PATCH", "/settings", settings)
    with error.value as answer:
        found: dict[str, Any] = json.loads(answer.read())["error"]
    return {"status": error.value.code, **found}


def answers(address: str, port: int) -> bool:
    """Whether something listens there and is in good health."""
    try:
        return httpx.get(f"http://{address}:{port}/health").status_code == 200
    except httpx.ConnectError:
        return False


def setting(gateway: RunningGateway, name: str) -> Any:
    return next(row["value"] for row in gateway.admin("GET", "/settings")["data"] if row["name"] == name)


def until(condition: Callable[[], object], within_s: float = 20) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def streaming(gateway: RunningGateway, upstream: str) -> tuple[threading.Thread, list[str]]:
    """A stream that has begun and goes on for a second, and the lines of it that have come."""
    gateway.add("providers", name="up", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
    gateway.add("models", alias="m", targets=[{"provider": "up", "model": "m"}])
    key = gateway.add("keys", name="k")["key"]
    httpx.post(f"{upstream}/__script", json={"steps": [{"text": "word " * 12, "frame_s": 0.1}]})
    lines: list[str] = []
    begun = threading.Event()

    def listen() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("POST", f"{gateway.address}/v1/chat/completions", json=ASKED, headers=headers, timeout=30) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                begun.set()

    thread = threading.Thread(target=listen)
    thread.start()
    assert begun.wait(20)
    return thread, lines


def test_a_new_port_is_used_at_once_and_answers_at_the_old_one_are_finished(tmp_path: Path) -> None:
    old, new = free_port(), free_port()
    with vendor() as upstream, served(tmp_path / "home", old) as gateway:
        idle = http.client.HTTPConnection("127.0.0.1", old, timeout=20)
        idle.request("GET", "/health")
        idle.getresponse().read()
        thread, lines = streaming(gateway, upstream)
        move(gateway, port=new)
        assert "data: [DONE]" not in lines
        assert gateway.address == f"http://127.0.0.1:{new}"
        assert [answers("127.0.0.1", port) for port in (old, new)] == [False, True]
        assert gateway.admin("GET", "/status")["address"] == gateway.address
        assert idle.sock.recv(1) == b""
        idle.close()
        thread.join(20)
        assert "data: [DONE]" in lines
        # A command finds the process by its lock file.
        assert command("providers", "list", "--home", str(gateway.home))[0] == 0
        assert setting(gateway, "port") == new
    assert f"the server is running at http://127.0.0.1:{new}" in (tmp_path / "log").read_text()


def test_a_taken_port_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path / "home", port) as gateway, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        other = taken.getsockname()[1]
        error = refused(gateway, port=other, idle_s=7)
        assert (error["status"], error["code"], error["field"]) == (409, "conflict", "port")
        assert f"port {other} is taken by" in error["message"]
        assert "--port" not in error["message"]
        assert (setting(gateway, "port"), setting(gateway, "idle_s")) == (port, 60)
        assert answers("127.0.0.1", port)
        code, _, text = command("settings", "set", "port", str(other), "--home", str(gateway.home))
        assert (code, f"port {other} is taken by" in text) == (1, True)


def test_an_address_of_no_interface_is_refused(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path / "home", port) as gateway:
        for host in ("192.0.2.1", "no-such-name.invalid", "a..b"):
            error = refused(gateway, host=host)
            assert (error["status"], error["field"]) == (422, "host"), host
            assert host in error["message"]
        assert answers("127.0.0.1", port)
        assert setting(gateway, "host") == ""


def test_the_same_port_goes_from_this_computer_to_every_address_and_back(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path / "home", port) as gateway:
        move(gateway, host="0.0.0.0")
        assert gateway.address == f"http://0.0.0.0:{port}"
        assert answers("127.0.0.2", port)
        move(gateway, host="")
        assert gateway.address == f"http://127.0.0.1:{port}"
        assert [answers(address, port) for address in ("127.0.0.1", "127.0.0.2")] == [True, False]
        # Another program has the port at one of the addresses.
        with socket.create_server(("127.0.0.2", port)):
            assert f"port {port} is taken by" in refused(gateway, host="0.0.0.0")["message"]
        assert answers("127.0.0.1", port)
        assert gateway.admin("GET", "/status")["address"] == f"http://127.0.0.1:{port}"
        move(gateway, host="127.0.0.1")
        assert answers("127.0.0.1", port)
    assert "beyond this computer" in (tmp_path / "log").read_text()


def test_a_config_file_moves_the_server_and_one_with_a_taken_port_changes_nothing(tmp_path: Path) -> None:
    file, old, new = tmp_path / "conduit.toml", free_port(), free_port()
    file.write_text(f"[settings]\nport = {old}\n")
    with (
        served(tmp_path / "home", free_port(), "--config", str(file)) as gateway,
        closing(socket.create_server(("127.0.0.1", 0))) as taken,
    ):
        assert gateway.address == f"http://127.0.0.1:{old}"
        file.write_text(f"[settings]\nidle_s = 7\nport = {new}\n")
        until(lambda: answers("127.0.0.1", new))
        until(lambda: not answers("127.0.0.1", old))
        gateway.address = f"http://127.0.0.1:{new}"
        file.write_text(f"[settings]\nidle_s = 8\nport = {taken.getsockname()[1]}\n")
        until(lambda: gateway.admin("GET", "/notifications")["data"])
        (notification,) = gateway.admin("GET", "/notifications")["data"]
        assert "line 3: port: port" in notification["text"], notification
        assert (setting(gateway, "port"), setting(gateway, "idle_s")) == (new, 7)
