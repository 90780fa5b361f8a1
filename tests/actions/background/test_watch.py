"""The config file is followed: read when it changes, kept through a broken version, reported when missing twice."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conduit_desktop.actions.background import watch as module
from conduit_desktop.actions.background.watch import BackgroundJobs, _log_request
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import ConfigFile, parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.reports import ChangeView
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import ConfigFileBroken, DatabaseUnusable
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.lock import HomeLock
from tests.actions.conftest import Do

DEMO = '[[providers]]\nname = "demo"\nkind = "demo"\n'
Write = Callable[[str], None]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "conduit.toml"


@pytest.fixture
def write(config: Path) -> Write:
    """Write the file, each time with a later time of change."""
    times = iter(range(1_700_000_000, 1_800_000_000))

    def run(text: str) -> None:
        config.write_text(text)
        os.utime(config, (at := next(times), at))

    return run


@pytest.fixture
async def watch(context: AppContext, config: Path, write: Write) -> AsyncIterator[BackgroundJobs]:
    write(DEMO)
    made = BackgroundJobs(context, HomeLock(context.home), config, serves=True)
    await made.begin()
    yield made
    await made.end()


async def names(do: Do) -> list[str]:
    return [row["name"] for row in (await do("GET", "/providers"))["data"]]


async def test_a_changed_file_is_read_and_an_unchanged_one_is_not(
    do: Do, watch: BackgroundJobs, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await names(do) == ["demo"]
    taken: list[ConfigFile] = []
    sync = transfer.sync_file

    async def counted(context: AppContext, config: ConfigFile) -> list[ChangeView]:
        taken.append(config)
        return await sync(context, config)

    monkeypatch.setattr(transfer, "sync_file", counted)
    await watch._check_file()
    assert taken == []
    write(DEMO.replace("demo", "other", 1))
    await watch._check_file()
    await watch._check_file()
    assert len(taken) == 1
    assert await names(do) == ["other"]


async def test_a_broken_file_changes_nothing_and_is_announced(
    context: AppContext, do: Do, watch: BackgroundJobs, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("[[providers]")
    await watch._check_file()
    assert await names(do) == ["demo"]
    assert "the config file is not used" in caplog.text
    while context.gateway.state._side_work:
        await asyncio.wait(context.gateway.state._side_work)
    assert [row["title"] for row in (await do("GET", "/notifications"))["data"]] == ["The config file is not used"]


async def test_a_file_missing_at_one_check_keeps_its_definitions(do: Do, watch: BackgroundJobs, config: Path, write: Write) -> None:
    config.unlink()
    await watch._check_file()
    write(DEMO)
    await watch._check_file()
    assert await names(do) == ["demo"]


async def test_a_file_that_stays_missing_is_reported_once_and_changes_nothing(
    do: Do, watch: BackgroundJobs, config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config.unlink()
    for reports in (0, 1, 1):
        await watch._check_file()
        assert caplog.text.count("the config file is not used") == reports
    assert await names(do) == ["demo"]


async def test_a_start_with_a_broken_file_fails(context: AppContext, config: Path, write: Write) -> None:
    write("[[providers]")
    made = BackgroundJobs(context, HomeLock(context.home), config, serves=True)
    with pytest.raises(ConfigFileBroken):
        await made.begin()
    await made.end()


@pytest.mark.parametrize("serves", [True, False])
async def test_a_start_without_a_file_unlocks_what_one_defined_only_where_the_home_is_served(
    context: AppContext, do: Do, serves: bool
) -> None:
    await transfer.sync_file(context, parse(DEMO))
    made = BackgroundJobs(context, HomeLock(context.home), None, serves)
    await made.begin()
    await made.end()
    assert (await do("GET", "/providers/demo"))["locked"] is not serves
    assert context.bus._listeners == []


class Job:
    """A background job that only notes when it is begun and ended."""

    def __init__(self, *_given: Any) -> None:
        self.noted: list[str] = []

    def begin(self) -> None:
        """Note it."""
        self.noted.append("begin")

    async def end(self) -> None:
        """Note it."""
        self.noted.append("end")


@pytest.mark.parametrize(("serves", "sent", "trimmed"), [(True, ["begin", "end"], ["begin", "end"]), (False, [], ["end"])])
async def test_webhook_and_trimming_run_from_begin_to_end_where_the_home_is_served(
    context: AppContext, monkeypatch: pytest.MonkeyPatch, serves: bool, sent: list[str], trimmed: list[str]
) -> None:
    webhook, trimmer = Job(), Job()
    monkeypatch.setattr(module, "Webhook", lambda _context: webhook)
    monkeypatch.setattr(module, "MemoryTrimmer", lambda: trimmer)
    jobs = BackgroundJobs(context, HomeLock(context.home), None, serves)
    await jobs.begin()
    await jobs.end()
    assert (webhook.noted, trimmer.noted) == (sent, trimmed)


class Rounds:
    """`asyncio` with a `sleep` that takes no time, notes the seconds, and cancels its task at the call number `ends`."""

    def __init__(self, ends: int) -> None:
        self.slept: list[float] = []
        self._ends = ends

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.slept.append(seconds)
        if len(self.slept) == self._ends:
            raise asyncio.CancelledError


async def test_the_log_is_summed_up_every_half_minute_and_pruned_at_once_and_after_an_hour(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, rounds, at, done = BackgroundJobs(context, HomeLock(context.home), None, serves=False), Rounds(5), [0.0], []
    times = iter((5.0, 3605.0, 3605.5, 3606.0))

    async def summarize() -> None:
        at[0] = next(times)
        done.append("summarize")
        if at[0] == 3605.5:
            raise DatabaseUnusable("the disk is full")

    async def tidy(settings: Any) -> None:
        assert settings is context.gateway.snapshot.settings
        done.append("tidy")

    monkeypatch.setattr(module, "asyncio", rounds)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: at[0]))
    monkeypatch.setattr(context.store.ledger, "summarize", summarize)
    monkeypatch.setattr(context.store, "tidy", tidy)
    with pytest.raises(asyncio.CancelledError):
        await jobs._maintain()
    await jobs.end()
    assert done == ["summarize", "tidy", "summarize", "summarize", "summarize", "tidy"]
    assert rounds.slept == [2.0, 30.0, 30.0, 30.0, 30.0]


async def test_every_two_seconds_the_file_and_the_expiry_of_keys_are_checked_whatever_fails(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, rounds, done = BackgroundJobs(context, HomeLock(context.home), None, serves=False), Rounds(3), []

    async def check_file() -> None:
        done.append("file")
        raise RuntimeError("a fault of the program")

    def check_expiry(now_ms: int) -> None:
        done.append(f"expiry {now_ms}")

    monkeypatch.setattr(module, "asyncio", rounds)
    monkeypatch.setattr(module, "now_ms", lambda: 7)
    monkeypatch.setattr(jobs, "_check_file", check_file)
    monkeypatch.setattr(jobs._alerts, "check_expiry", check_expiry)
    with pytest.raises(asyncio.CancelledError):
        await jobs._run()
    await jobs.end()
    assert done == ["file", "expiry 7"] * 2
    assert rounds.slept == [2.0] * 3
    assert "the config file could not be followed" in caplog.text


async def test_the_lock_file_names_the_address_of_the_running_server(context: AppContext, watch: BackgroundJobs) -> None:
    watch._lock.acquire({"pid": 1})
    context.bus.publish("server")
    assert (watch._lock.holder() or {})["address"] == context.server.address
    watch._lock.release()


def test_at_the_level_debug_each_finished_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    record = RequestRecord(id="r1", started_at=1, model="fast", provider="openai", status="success", http_status=200)
    caplog.set_level(logging.INFO, logger="conduit_desktop")
    _log_request(Change("requests", record))
    assert caplog.text == ""
    caplog.set_level(logging.DEBUG, logger="conduit_desktop")
    _log_request(Change("requests", record))
    _log_request(Change("requests", "r1"))
    assert [one.getMessage() for one in caplog.records] == ["r1 fast to openai: success, 200, 0 ms"]
