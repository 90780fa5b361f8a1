"""Recorded provider traffic as an upstream: starts and stops the replay server that comes with the recordings."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest


def interactions(folder: Path) -> Iterator[dict[str, Any]]:
    """The recordings, one by one: cassette, n, provider, kind, features, method, uri, status, headers, req, text or b64."""
    with gzip.open(folder / "recordings.jsonl.gz", "rb") as lines:
        for line in lines:
            yield orjson.loads(line)


@asynccontextmanager
async def replaying(folder: Path) -> AsyncIterator[str]:
    """The address of a replay server over the recordings in `folder`; skips the test where it cannot run.

    A provider's base URL for one recording is `{address}/c/{cassette}/{real path}`.
    """
    if not (folder / "replay.py").is_file():
        pytest.skip(f"no replay.py next to the recordings in {folder}")
    if importlib.util.find_spec("yaml") is None:
        pytest.skip("replay.py needs pyyaml")
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(folder / "replay.py"), "--port", str(port), str(folder / "recordings.jsonl.gz"),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _answering(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _free_port() -> int:
    """A free port: replay.py cannot choose one and report it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def _answering(port: int, process: asyncio.subprocess.Process, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return
    raise RuntimeError(f"replay.py ended with {process.returncode}")
