"""How a command reaches the gateway: through the process that serves the home, or by opening the home itself.

Both are an `OperationClient`: over `LocalTransport`, or over `BlockingTransport` with the address in the home's lock file.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

import click
import orjson

from conduit_desktop.actions.transport import PREFIX, LocalTransport, OperationClient, http_request, http_result
from conduit_desktop.actions.transport import segment as segment
from conduit_desktop.app import Options, open_app
from conduit_desktop.cli import printing
from conduit_desktop.cli.options import CliError, CommandOptions
from conduit_desktop.core.bus import Change
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ActionError, HomeHeld

P = ParamSpec("P")
TIMEOUT_S = 120.0
WAIT_S = 60.0
"""For how long a command waits for others that were before it."""
STARTING_S = 5.0
"""In the first seconds of a process that serves the home, it may not have an address yet."""


class BlockingTransport:
    """The admin API of this computer's own server over `http.client`: a command is one request, and must start fast.

    (Importing aiohttp would take longer than the request.)
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._token = token

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        target, data, content_type = http_request(path, query, body)
        connection = connect(self.address)
        try:
            connection.request(method, target, data, {**self._authorization, "Content-Type": content_type})
            response = connection.getresponse()
            content = response.read()
        except OSError as error:
            raise CliError(f"{self.address} serves this home but does not answer: {error}") from error
        finally:
            connection.close()
        return http_result(response.status, response.headers.get("Content-Type", ""), content, self.address)

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        raise NotImplementedError("a command reads `events`")

    def events(self) -> Iterator[tuple[str, Any]]:
        """Topic and payload of every change, until the server stops. Blocks."""
        # The server sends a ping every 10 s: a minute without a byte means that it is gone.
        connection = connect(self.address, timeout=60)
        try:
            connection.request("GET", f"{PREFIX}/events", headers=self._authorization)
            response = connection.getresponse()
            if response.status != 200:
                http_result(response.status, "", response.read(), self.address)
            for line in response:
                # Our own server writes each event's data on one line, so no full parser of server-sent events is needed.
                if line.startswith(b"data: "):
                    change = orjson.loads(line[6:])
                    # The event `lost` has a count in place of a topic.
                    yield change.get("topic", "lost"), change.get("payload", change)
        finally:
            connection.close()

    async def close(self) -> None:
        """Nothing is open between two requests."""

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


class Connection:
    """The gateway of one home, for the length of a command. Raises CliError with the operation's error message."""

    def __init__(self, options: Options, as_json: bool = False) -> None:
        self.options = options
        self.as_json = as_json
        self._stack = AsyncExitStack()
        # One loop for the whole command: a home that is opened here is bound to the loop it was opened on.
        self._runner = asyncio.Runner()
        self._client: OperationClient | None = None
        self.address, self._token = server_of(options)

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """The result of one operation as plain values; text where it is not JSON; None where there is none."""
        return self._run(lambda client: client.request(method, path, body, query))

    def all(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every row of a list."""
        rows: list[dict[str, Any]] = self._run(lambda client: client.every(path, query))
        return rows

    def print_rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[printing.Column]) -> None:
        """A list of entities: a table of `columns`, or JSON with all fields where the command has `--json`."""
        printing.as_json(rows) if self.as_json else printing.table(rows, columns)

    def print_row(self, row: Mapping[str, Any]) -> None:
        """One entity: a line for each field, or JSON where the command has `--json`."""
        printing.as_json(row) if self.as_json else printing.details(row)

    def events(self) -> Iterator[tuple[str, Any]]:
        """Topic and payload of every change, until the server stops. Only while a server runs for this home."""
        if self.address is None:
            raise CliError("no server runs for this home, so there is nothing to follow.")
        return BlockingTransport(self.address, self._token).events()

    def close(self) -> None:
        """Close the home, if it was opened here."""
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.close()

    def _run(self, call: Callable[[OperationClient], Any]) -> Any:
        async def run() -> Any:
            if self._client is None:
                self._client = OperationClient(await self._transport())
            return await call(self._client)

        try:
            return self._runner.run(run())
        except ActionError as error:
            raise CliError(error.message) from error

    async def _transport(self) -> LocalTransport | BlockingTransport:
        give_up = time.monotonic() + WAIT_S
        while self.address is None:
            try:
                return LocalTransport(await self._stack.enter_async_context(open_app(self.options)), "cli")
            except HomeHeld:
                # Another process was first: a server, which is called then, or one more command after those waited for.
                self.address, self._token = server_of(self.options)
                if self.address is None and time.monotonic() > give_up:
                    raise
        return BlockingTransport(self.address, self._token)


def server_of(options: Options) -> tuple[str | None, str]:
    """Address and token of the process that serves the home, or None; raises HomeHeld for one that does not listen.

    A server that has just been started is waited for. None also for another command: its end is waited for by who opens the home.
    """
    from conduit_desktop.store.lock import HomeLock

    home = options.folder
    # Looking must not make the folder: `--home` may be misspelled.
    if not home.root.is_dir():
        return None, ""
    while True:
        holder = HomeLock(home).holder()
        if holder is None or holder.get("command"):
            return None, ""
        if holder.get("address"):
            return str(holder["address"]), str(holder.get("token", ""))
        # Empty: it has the lock, and has not written yet.
        if holder and now_ms() - int(holder.get("started_at", 0)) > STARTING_S * 1000:
            who = f"process {holder['pid']}" if "pid" in holder else "another process"
            raise HomeHeld(f"the home folder {home.root} is in use by {who}, which does not listen; start its server, or stop it.")
        time.sleep(0.05)


def connect(address: str, timeout: float = TIMEOUT_S) -> http.client.HTTPConnection:
    """A connection to our own server."""
    parts = urlsplit(address)
    # A server that listens on every address is reached on loopback; Windows refuses to connect to 0.0.0.0.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname or "127.0.0.1")  # noqa: S104
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=timeout)
    # The certificate is the user's own, made for another name; the address comes from this home's lock file.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=timeout, context=context)


@contextmanager
def connected(given: CommandOptions) -> Iterator[Connection]:
    """A connection for one command."""
    # Taken out, because `Options` has no such field.
    as_json = bool(given.values.pop("json", False))
    connection = Connection(given.options(), as_json)
    try:
        yield connection
    finally:
        connection.close()


def with_connection(command: Callable[Concatenate[Connection, P], None]) -> Callable[P, None]:
    """Call `command` with a connection as its first argument."""

    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        given = click.get_current_context().ensure_object(CommandOptions)
        with connected(given) as connection:
            command(connection, *args, **kwargs)

    return update_wrapper(run, command)
