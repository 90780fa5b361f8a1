"""S25: the disk fills up while requests are recorded; the policy decides about further ones, and no record is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit_desktop.core.errors import RecordsRefused
from conduit_desktop.core.paths import Home
from tests.fakes.gateway import GatewayFixture, open_gateway
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.waiting import read_until, settled
from tests.journeys.processes import RunningGateway, conduit, environment, vendor
from tests.journeys.test_killed import Received, all_records, call

KEY = "condt_" + "k" * 43


async def furnish(gateway: GatewayFixture, upstream: Vendor) -> None:
    await gateway.add_provider("oa", upstream.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    await gateway.add_price("gpt-x", 1.0, 2.0)
    await gateway.add_key("tester", KEY)


async def fill(gateway: GatewayFixture) -> None:
    """No page more for the database from now on."""

    def cap(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {int(pages)}")

    await gateway.store.database.write(cap)


async def free_space(gateway: GatewayFixture) -> None:
    def lift(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1073741823")

    await gateway.store.database.write(lift)


async def until(condition: object, within_s: float = 10) -> None:
    """Wait until the callable holds."""
    async with asyncio.timeout(within_s):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def until_refused(gateway: GatewayFixture) -> int:
    """Ask until records cannot be written; how many were answered."""
    for requests_sent in range(5000):
        if not gateway.store.database.healthy:
            return requests_sent
        assert (await gateway.ask("m"))["choices"]
    raise AssertionError("the disk never filled up")


@pytest.mark.parametrize("policy", ["answer", "refuse"])
async def test_s25_a_full_database_follows_the_policy_notifies_and_loses_nothing(home: Home, policy: str) -> None:
    async with Vendor() as upstream, open_gateway(home, record_policy=policy) as gateway:
        await furnish(gateway, upstream)
        await fill(gateway)
        requests_sent = await until_refused(gateway)
        notifications: list[object] = []
        if policy == "answer":
            for _ in range(20):
                assert (await gateway.ask("m"))["choices"]
            requests_sent += 20
        else:
            before = len(upstream.requests)
            with pytest.raises(RecordsRefused):
                await gateway.ask("m")
            assert len(upstream.requests) == before
        gateway.bus.subscribe(lambda change: notifications.append(change) if change.topic == "notifications" else None)
        await free_space(gateway)
        await until(lambda: gateway.store.database.healthy)
        assert (await gateway.ask("m"))["choices"]
        await settled(gateway)
        notes, _ = await gateway.store.notifications.list()
        assert {note.title for note in notes} == {"Requests cannot be recorded", "Requests are recorded again"}
        assert any("full" in note.text for note in notes)
        assert notifications
        records, _ = await gateway.store.ledger.list(limit=5000)
        successes = [record for record in records if record.status == "success"]
        assert len(successes) == requests_sent + 1
        assert {record.id for record in records} == {record.id for record in gateway.records}
        assert gateway.account("key_tester").spend_nano == sum(record.cost_nano or 0 for record in successes)
        totals = await gateway.store.ledger.usage(("model",))
        assert sum(row.requests for row in totals) == len(records)
    with sqlite3.connect(home.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


async def ask_many(served: RunningGateway, key: str, count: int, received: Received) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        for _ in range(count // 20):
            await asyncio.gather(
                *(call(session, served.address, key, "openai", "m", number % 2 == 0, received) for number in range(20))
            )


def test_s25_a_real_full_disk_is_survived(small_disk: Path) -> None:
    home = small_disk / "home"
    with vendor() as upstream, conduit(home) as served:
        served.add("providers", name="oa", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
        served.add("models", alias="m", targets=[{"provider": "oa", "model": "gpt-x"}])
        served.admin("PUT", "/prices/gpt-x", {"input": 1, "output": 2})
        key = str(served.add("keys", name="k")["key"])
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        ballast.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 150_000))
        received = Received()
        asyncio.run(ask_many(served, key, 1000, received))
        assert len(received.whole) == 1000, "calls are answered all the same"
        ballast.unlink()
        asyncio.run(ask_many(served, key, 20, received))
        recorded_again(served)
        recorded = all_records(served)
        assert set(received.whole) == set(recorded)
        notes = served.admin("GET", "/notifications")["data"]
        assert "Requests cannot be recorded" in {note["title"] for note in notes}
    with sqlite3.connect(home / "conduit.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def recorded_again(served: RunningGateway) -> None:
    """Wait until what waited has been written."""
    read_until(lambda: served.admin("GET", "/notifications")["data"], lambda notes: "Requests are recorded again" in {
        note["title"] for note in notes
    })  # fmt: skip


@pytest.mark.parametrize("size_kb", [4, 40, 160, 330, 400])
def test_a_start_on_a_full_disk_is_one_line_that_names_the_place_and_the_remedy(small_disk: Path, size_kb: int) -> None:
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(b"x" * (free.f_bavail * free.f_frsize - size_kb * 1024))
    home = small_disk / "home"
    command = [sys.executable, "-m", "conduit_desktop", "keys", "create", "--name", "k", "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert str(home) in last
    assert "Free some space" in last
    # With room again, it starts as if nothing had been.
    (small_disk / "ballast").unlink()
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []
