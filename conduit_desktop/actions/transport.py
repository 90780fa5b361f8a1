"""How operations are called: in this process, or over HTTP from a gateway elsewhere. Both return the same views and errors.

`OperationClient` adds the calls by path that the command line uses; `AdminClient` adds one typed method for each operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import ActionError, ConduitError, Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from pydantic import BaseModel

    from conduit_desktop.actions.context import Actor, AppContext

PREFIX = "/admin/v1"
PAGE = 500
"""Rows of one part of a list, the most that a list returns at once."""
QUEUE = 1000
"""Changes kept for a reader of `events()`; of more, the oldest are dropped."""


class GatewayUnreachable(ConduitError):
    """The gateway elsewhere does not answer."""


class Transport(Protocol):
    """Calls operations of one gateway."""

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        """The operation's result: a view or plain JSON values; (rows, cursor) of a list; text; None. Raises ActionError.

        `path` is below `/admin/v1`, percent-encoded. `query` and `body` are the operation's models or plain values.
        """
        ...

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on the loop for every change from now on, until the function returned is called."""
        ...

    async def close(self) -> None: ...


class LocalTransport:
    """Calls the dispatcher in this process; views come back as they are, without JSON."""

    def __init__(self, context: AppContext, actor: Actor) -> None:
        self.context = context
        self._actor = actor

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        from conduit_desktop.actions import operations  # with every form and view: loaded at the first call

        operation, names = operations.match(method, path)
        return await operations.perform(self.context, operation, names, _given(query), body, self._actor)

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self.context.bus.subscribe(listener)

    async def close(self) -> None:
        """Nothing is open: the context belongs to the process."""


class OperationClient:
    """Calls operations by their path, with plain JSON values."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def request(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """The result as the admin API's JSON; text for CSV; None where there is none. Raises ActionError."""
        return plain(await self.transport.perform(method, path, query, body))

    async def every(self, path: str, query: Mapping[str, Any] | None = None) -> list[Any]:
        """Every row of a list, as JSON values."""
        rows: list[Any] = []
        cursor: str | None = None
        while True:
            answer = await self.request("GET", path, query={**(query or {}), "limit": PAGE, "cursor": cursor})
            rows += answer["data"]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` on the loop for every change from now on, until the function returned is called.

        The payload is a RequestRecord for `requests`, else an id, a name or None.
        """
        return self.transport.subscribe(listener)

    async def events(self) -> AsyncIterator[Change]:
        """Every change from the first step of the iteration on."""
        queue: asyncio.Queue[Change] = asyncio.Queue(QUEUE)

        def put(change: Change) -> None:
            # A slow reader loses old changes and never holds up the bus, which calls its listeners on the loop.
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(change)

        unsubscribe = self.transport.subscribe(put)
        try:
            while True:
                yield await queue.get()
        finally:
            unsubscribe()

    async def close(self) -> None:
        """Close the transport."""
        await self.transport.close()


def segment(name: str) -> str:
    """A name as one part of a path."""
    # Slashes too: `provider/model` must stay one part of the path.
    return quote(name, safe="")


def plain(answer: Any) -> Any:
    """A result of either transport as plain JSON values, with text as a string."""
    if answer is None or isinstance(answer, (str, dict)):
        return answer
    from conduit_desktop.actions.operations import TextAnswer, as_json

    return answer.text if isinstance(answer, TextAnswer) else as_json(answer)


def http_request(path: str, query: Any, body: Any) -> tuple[str, bytes | None, str]:
    """Target, body and content type of an operation over HTTP. A text is sent as CSV, anything else as JSON."""
    parameters = {name: _text(value) for name, value in _values(_given(query)).items() if value is not None}
    target = PREFIX + path + (f"?{urlencode(parameters)}" if parameters else "")
    if isinstance(body, str):
        return target, body.encode(), "text/csv"
    return target, None if body is None else orjson.dumps(_values(body)), "application/json"


def http_result(status: int, content_type: str, data: bytes, origin: str) -> Any:
    """An operation's result from its HTTP response; raises the ActionError that the gateway sent, or GatewayUnreachable."""
    is_json = content_type.partition(";")[0].strip() == "application/json"
    # First the status: a proxy's error page is neither JSON nor ours.
    if status >= 400:
        raise _error(status, data, origin)
    if not data:
        return None
    return orjson.loads(data) if is_json else data.decode()


def _error(status: int, data: bytes, origin: str) -> ConduitError:
    try:
        error = orjson.loads(data)["error"]
        message, code, field = str(error["message"]), str(error.get("code", "")), error.get("field")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        # An error page of something in between: the gateway itself was not reached.
        return GatewayUnreachable(f"{origin} answers {status}")
    for kind in (NotFound, Conflict, Invalid):
        if (kind.status, kind.code) == (status, code):
            return kind(message, field)
    if code == "unavailable":
        return ConduitError(message)
    other = ActionError(message, field)
    other.status, other.code = status, code  # type: ignore[misc]  # the remaining errors have no class of their own here
    return other


def _given(query: Any) -> Any:
    """A query without the parameters that are None."""
    if query is None:
        return {}
    return {name: value for name, value in query.items() if value is not None} if isinstance(query, Mapping) else query


def _values(model: BaseModel | Any) -> Any:
    """Only the fields that were set: in a patch, an unset field is one that does not change."""
    # Not by isinstance: importing pydantic would slow down a command that sends plain values.
    return model.model_dump(mode="json", exclude_unset=True) if hasattr(model, "model_dump") else model


def _text(value: Any) -> str:
    # `1`, as in `unread=1`: Python's `True` is not how a query string spells it.
    return str(int(value)) if isinstance(value, bool) else str(value)
