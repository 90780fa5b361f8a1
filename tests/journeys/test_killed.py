"""S24: the process is killed with fifty calls in flight; every completed answer is recorded, every reservation released."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import RunningGateway, conduit, vendor

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


@dataclass
class Received:
    """The clients' view: ids of completed answers, and the number of requests in flight."""

    whole: list[str] = field(default_factory=list)
    in_flight: int = 0


async def call(
    session: aiohttp.ClientSession, address: str, key: str, dialect: str, model: str, stream: bool, received: Received
) -> None:
    """One request; counted as whole where its last byte, and the success marker, came."""
    body = {"model": model, "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 50, "stream": stream}
    headers = {"authorization": f"Bearer {key}", "anthropic-version": "2026-10-21"}
    received.in_flight += 1
    try:
        async with session.post(address + PATHS[dialect], json=body, headers=headers) as response:
            raw = await response.read()
            marker = b"" if not stream else b"[DONE]" if dialect == "openai" else b"message_stop"
            if response.status == 200 and marker in raw:
                received.whole.append(response.headers["x-conduit-request-id"])
    except (aiohttp.ClientError, ConnectionError):
        return
    finally:
        received.in_flight -= 1


async def reap(served: RunningGateway, key: str) -> Received:
    """Quick calls over and over, fifty slow ones in flight, and then the kill."""
    received = Received()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:

        async def busy(dialect: str, model: str, stream: bool) -> None:
            while served.process.poll() is None:
                await call(session, served.address, key, dialect, model, stream, received)

        variants = [
            (dialect, model, stream) for dialect in PATHS for model in ("to-openai", "to-anthropic") for stream in (True, False)
        ]
        tasks = [asyncio.ensure_future(busy(*variant)) for variant in variants]
        slow = [
            asyncio.ensure_future(call(session, served.address, key, dialect, "slow", stream, received))
            for dialect in PATHS
            for stream in (True, False)
            for _ in range(13)
        ]
        async with asyncio.timeout(30):
            while len(received.whole) < 200 or (await asyncio.to_thread(served.admin, "GET", "/status"))["in_flight"] < 50:
                await asyncio.sleep(0.05)
        assert received.in_flight >= 50
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(10)
        await asyncio.gather(*tasks, *slow)
    return received


def furnish(served: RunningGateway, upstream: str) -> str:
    """Two providers, three aliases, prices, and a key with a budget; the key."""
    served.add("providers", name="oa", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
    served.add("providers", name="an", kind="anthropic-compatible", base_url=upstream, api_key=API_KEY)
    for alias, provider, model in (("to-openai", "oa", "gpt-x"), ("to-anthropic", "an", "claude-x"), ("slow", "oa", "slow-x")):
        served.add("models", alias=alias, targets=[{"provider": provider, "model": model}])
        served.admin("PUT", f"/prices/{model}", {"input": 3, "output": 15})
    script(upstream, "slow-x", think_s=20)
    return str(served.add("keys", name="k", budget_usd=1000)["key"])


def script(upstream: str, model: str, **step: Any) -> None:
    """Set the vendor's script for `model`."""
    body = json.dumps({"steps": [step], "model": model}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{upstream}/__script", body), timeout=10) as answer:
        answer.read()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_s24_a_kill_loses_no_record_of_a_whole_answer_and_keeps_no_reservation(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with vendor() as upstream:
        with conduit(home) as served:
            key = furnish(served, upstream)
            received = asyncio.run(reap(served, key))
        assert len(received.whole) >= 200
        with sqlite3.connect(home / "conduit.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        began = time.monotonic()
        with conduit(home) as served:
            assert time.monotonic() - began < 10
            recorded = all_records(served)
            assert set(received.whole) <= set(recorded), "a whole answer has no record"
            assert all(recorded[id]["status"] == "success" for id in received.whole)
            (found,) = served.admin("GET", "/keys")["data"]
            assert float(found["reserved_usd"]) == 0
            spent = sum(float(record["cost_usd"]) for record in recorded.values())
            assert float(found["spend_usd"]) == pytest.approx(spent)
            assert served.admin("GET", "/status")["in_flight"] == 0


def states(served: RunningGateway) -> dict[str, str]:
    """How every target fares, by name."""
    return {target["name"]: target["state"] for target in served.admin("GET", "/health")["data"]}


def status_of(served: RunningGateway, key: str, model: str) -> int:
    """The status of one whole answer."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(served.address + PATHS["openai"], body, headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            return error.code


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_s24_what_failed_and_what_was_paused_is_known_after_a_kill(tmp_path: Path) -> None:
    expected = {"oa/gpt-x": "failing", "an/claude-x": "paused"}
    with vendor() as upstream:
        with conduit(tmp_path / "home") as served:
            key = furnish(served, upstream)
            script(upstream, "gpt-x", status=503)
            served.admin("PATCH", "/models/to-openai", {"retries": 0})
            assert [status_of(served, key, "to-openai") for _ in range(6)] == [502] * 5 + [503]
            served.admin("POST", "/health/an/claude-x/pause")
            assert states(served).items() >= expected.items()
            served.process.send_signal(signal.SIGKILL)
            served.process.wait(10)
        with conduit(tmp_path / "home") as served:
            assert states(served).items() >= expected.items()
            assert status_of(served, key, "to-anthropic") == 503
            served.admin("POST", "/health/an/claude-x/resume")
            assert status_of(served, key, "to-anthropic") == 200


def all_records(served: RunningGateway) -> dict[str, dict[str, Any]]:
    """Every record, by id."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        answer = served.admin("GET", f"/requests?limit=500{cursor}")
        found |= {record["id"]: record for record in answer["data"]}
        if not answer["next"]:
            return found
        cursor = f"&cursor={answer['next']}"
