"""Tests of the admin API over a gateway whose own server does not listen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from tests.fakes.app_context import open_context


@pytest.fixture
async def context(home: Home) -> AsyncIterator[AppContext]:
    async with open_context(home) as opened:
        yield opened
