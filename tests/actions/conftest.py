"""A house for every test of this room, and a shorthand for its operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from conduit_desktop.actions import operations
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from tests.fakes.app_context import open_context

Do = Callable[..., Awaitable[Any]]


@pytest.fixture
async def context(home: Home) -> AsyncIterator[AppContext]:
    async with open_context(home) as opened:
        yield opened


@pytest.fixture
def do(context: AppContext) -> Do:
    """`await do("POST", "/keys", {"name": "a"})`: the answer's JSON."""

    async def run(method: str, path: str, body: Any = None, **query: str) -> Any:
        _, answer = await operations.call(context, method, path, query, body, "admin")
        return answer

    return run


OPENAI = {"name": "openai", "kind": "openai", "api_key": "sk-proj-0123456789abcdefWXYZ"}
"""A provider with a key."""
