"""A store of its own for each test, empty or filled."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite.store import SqliteStore

Fill = Callable[[SqliteStore], Awaitable[Any]]
OpenFilled = Callable[[Fill], Awaitable[tuple[SqliteStore, Any]]]


@pytest_asyncio.fixture
async def store(home: Home) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore.open(home)
    yield opened
    await opened.close()


class FilledHomes:
    """Homes by the function that filled them, each once, with what the function returned."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filled: dict[Fill, tuple[Path, Any]] = {}

    async def copy(self, fill: Fill, home: Home) -> Any:
        """Make `home` a copy of the one that `fill` filled; what `fill` returned."""
        if fill not in self._filled:
            original = Home(self._folder / str(len(self._filled)))
            store = SqliteStore.open(original)
            try:
                result = await fill(store)
            finally:
                await store.close()
            self._filled[fill] = original.root, result
        root, result = self._filled[fill]
        shutil.copytree(root, home.root, dirs_exist_ok=True)
        return result


@pytest.fixture(scope="session")
def filled_homes(tmp_path_factory: pytest.TempPathFactory) -> FilledHomes:
    return FilledHomes(tmp_path_factory.mktemp("filled"))


@pytest.fixture
async def open_filled(home: Home, filled_homes: FilledHomes) -> AsyncIterator[OpenFilled]:
    """`store, result = await open_filled(fill)`: this test's own store with what `fill(store)` writes, and what it returns.

    `fill` is a function of a module. To write and sum up hundreds of records takes ten times as long as a test that reads them.
    """
    opened: list[SqliteStore] = []

    async def open_copy(fill: Fill) -> tuple[SqliteStore, Any]:
        result = await filled_homes.copy(fill, home)
        opened.append(SqliteStore.open(home))
        return opened[0], result

    yield open_copy
    for store in opened:
        await store.close()
