"""The whole desktop app in a process of its own: it starts, listens, is found by a second start, and leaves in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="ends the app with a POSIX signal")


async def start(home: Path, *options: str) -> Process:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "CONDUIT_SECRETS": "vault"}
    words = (sys.executable, "-m", "conduit_desktop", "--home", str(home), *(options or ("--port", "0")))
    return await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, env=environment)


async def test_it_announces_itself_once_and_a_signal_ends_it_in_order(tmp_path: Path):
    process = await start(tmp_path / "home")
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 20)
    assert line.startswith(b"Conduit listening on http://127.0.0.1:")
    port = int(line.rsplit(b":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()
    process.send_signal(signal.SIGTERM)
    rest, errors = await asyncio.wait_for(process.communicate(), 20)
    assert rest == b""
    assert b"Traceback" not in errors
    assert process.returncode == 0


async def test_a_second_start_on_one_home_brings_the_first_forward_and_ends(tmp_path: Path):
    first = await start(tmp_path / "home")
    assert first.stdout is not None
    await asyncio.wait_for(first.stdout.readline(), 20)
    second = await start(tmp_path / "home")
    told, _ = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 0
    assert told == b""
    first.send_signal(signal.SIGINT)
    await asyncio.wait_for(first.communicate(), 20)
    assert first.returncode == 0


@pytest.mark.parametrize("said_in", ["option", "config file"])
async def test_a_port_that_was_asked_for_and_is_taken_ends_it_with_one_line(tmp_path: Path, said_in: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "conduit.toml"
        config.write_text(f"[settings]\nport = {port}\n")
        options = ("--port", str(port)) if said_in == "option" else ("--config", str(config))
        process = await start(tmp_path / "home", *options)
        told, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, told) == (3, b"")
    (line,) = errors.decode().splitlines()
    assert f"port {port} is taken" in line
