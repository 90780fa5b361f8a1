"""The config file is followed: read when it changes, kept through a broken version, reported when missing twice."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from conduit_desktop.actions.background.watch import BackgroundJobs
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import ConfigFile, parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.reports import ChangeView
from conduit_desktop.core.errors import ConfigFileBroken
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
    do: Do, watch: BackgroundJobs, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("[[providers]")
    await watch._check_file()
    assert await names(do) == ["demo"]
    assert "the config file is not used" in caplog.text


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
