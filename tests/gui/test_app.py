"""The desktop app in its own process: start, listening, second start and clean exit."""

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


async def test_the_address_is_announced_once_and_a_signal_ends_the_app_cleanly(tmp_path: Path):
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


async def test_a_second_start_on_one_home_raises_the_first_window_and_exits(tmp_path: Path):
    first = await start(tmp_path / "home")
    assert first.stdout is not None
    await asyncio.wait_for(first.stdout.readline(), 20)
    second = await start(tmp_path / "home")
    output, _ = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 0
    assert output == b""
    first.send_signal(signal.SIGINT)
    await asyncio.wait_for(first.communicate(), 20)
    assert first.returncode == 0


@pytest.mark.parametrize("given_in", ["option", "config file"])
async def test_a_given_port_that_is_in_use_ends_the_app_with_one_line(tmp_path: Path, given_in: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = tmp_path / "conduit.toml"
        config.write_text(f"[settings]\nport = {port}\n")
        options = ("--port", str(port)) if given_in == "option" else ("--config", str(config))
        process = await start(tmp_path / "home", *options)
        output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, output) == (3, b"")
    (line,) = errors.decode().splitlines()
    assert f"port {port} is taken" in line
