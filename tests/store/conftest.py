"""A store of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite.store import SqliteStore


@pytest_asyncio.fixture
async def store(home: Home) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore.open(home)
    yield opened
    await opened.close()
