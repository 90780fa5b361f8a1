"""An app context for every test of the actions, and a shorthand for operations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from conduit_desktop.actions import operations
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.wire import dialect
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


async def kept_request(context: AppContext, body: dict[str, Any], language: str = "openai_chat", stream: bool = False) -> str:
    """The id of a chat that was answered, with body and answer kept; without a model in its body it goes to `talk`."""
    call = Call(dialect(language), dict(body), body.get("model", "talk"), stream=stream, operator=True)
    call.keep_payload = True
    exchange = await context.gateway.answer(call)
    if isinstance(exchange, StreamReply):
        async for _ in exchange.frames:
            pass
        await exchange.close()
    await context.gateway.state.bodies_kept(call.id)
    return call.id


OPENAI = {"name": "openai", "kind": "openai", "api_key": "sk-proj-0123456789abcdefWXYZ"}
"""A provider with a key."""
