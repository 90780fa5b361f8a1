"""How a command reaches the house: through whoever serves the home, or by opening it.

Both ways end in `actions.operations`, so both do the same.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote, urlencode, urlsplit

import click
import orjson

from conduit_desktop.app import Options, open_app
from conduit_desktop.cli.options import CliError, CommandOptions
from conduit_desktop.core.errors import HomeHeld

P = ParamSpec("P")
PREFIX = "/admin/v1"
TIMEOUT_S = 120.0


class Connection:
    """The house, as a command sees it. Raises Failed with the house's own words."""

    def __init__(self, options: Options, as_json: bool = False) -> None:
        self.options = options
        self.as_json = as_json
        self._stack = AsyncExitStack()
        self._runner: asyncio.Runner | None = None
        self._context: Any = None
        self.address, self._token = server_of(options)

    def call(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Any:
        """One operation's answer as plain values, text for what is not JSON; None where there is nothing to say."""
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        if self.address is not None:
            return self._over_http(self.address, method, path, body, asked)
        return self._inside(method, path, body, asked)

    def all(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every row of a list."""
        rows: list[dict[str, Any]] = []
        cursor = None
        while True:
            answer = self.call("GET", path, query={**(query or {}), "limit": 500, "cursor": cursor})
            rows += answer["data"]
            cursor = answer["next"]
            if cursor is None:
                return rows

    def _inside(self, method: str, path: str, body: Any, query: Mapping[str, str]) -> Any:
        from conduit_desktop.actions import operations
        from conduit_desktop.core.errors import ActionError

        try:
            if self._runner is None:
                self._runner = asyncio.Runner()
                self._context = self._runner.run(self._stack.enter_async_context(open_app(self.options)))
            _, answer = self._runner.run(operations.call(self._context, method, path, query, body, "cli"))
        except ActionError as error:
            raise CliError(error.message) from error
        return answer.text if isinstance(answer, operations.TextAnswer) else answer

    def _over_http(self, address: str, method: str, path: str, body: Any, query: Mapping[str, str]) -> Any:
        connection = connect(address)
        target = PREFIX + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            connection.request(method, target, None if body is None else orjson.dumps(body), headers)
            response = connection.getresponse()
            data = response.read()
        except OSError as error:
            raise CliError(f"{address} serves this home but does not answer: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise CliError(_complaint(data) or f"{address} answers {response.status}")
        is_json = response.headers.get_content_type() == "application/json"
        return (orjson.loads(data) if is_json else data.decode()) if data else None

    def events(self) -> Iterator[tuple[str, Any]]:
        """The live feed: topic and payload, until the server stops. Only where somebody serves the home."""
        if self.address is None:
            raise CliError("nobody serves this home now, so there is nothing to follow.")
        connection = connect(self.address, timeout=60)
        try:
            connection.request("GET", f"{PREFIX}/events", headers={"Authorization": f"Bearer {self._token}"})
            response = connection.getresponse()
            if response.status != 200:
                raise CliError(_complaint(response.read()) or f"{self.address} answers {response.status}")
            for line in response:
                if line.startswith(b"data: "):
                    change = orjson.loads(line[6:])
                    yield change.get("topic", "lost"), change.get("payload", change)
        finally:
            connection.close()

    def close(self) -> None:
        """Close the house, if it was opened here."""
        if self._runner is not None:
            try:
                self._runner.run(self._stack.aclose())
            finally:
                self._runner.close()


def server_of(options: Options) -> tuple[str | None, str]:
    """Address and token of whoever serves the home; None where nobody holds it. Raises HomeHeld for one that does not listen."""
    from conduit_desktop.store.lock import HomeLock

    home = options.folder
    if not home.root.is_dir():
        return None, ""
    holder = HomeLock(home).holder()
    if holder is None:
        return None, ""
    if not holder.get("address"):
        who = f"process {holder['pid']}" if "pid" in holder else "another process"
        raise HomeHeld(f"the home folder {home.root} is in use by {who}, which does not listen; start its server, or stop it.")
    return str(holder["address"]), str(holder.get("token", ""))


def connect(address: str, timeout: float = TIMEOUT_S) -> http.client.HTTPConnection:
    """A connection to our own server."""
    parts = urlsplit(address)
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
    """The house for one command."""
    as_json = bool(given.values.pop("json", False))
    reach = Connection(given.options(), as_json)
    try:
        yield reach
    finally:
        reach.close()


def with_connection(command: Callable[Concatenate[Connection, P], None]) -> Callable[P, None]:
    """Call `command` with the house as its first argument."""

    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        given = click.get_current_context().ensure_object(CommandOptions)
        with connected(given) as reach:
            command(reach, *args, **kwargs)

    return update_wrapper(run, command)


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _complaint(data: bytes) -> str:
    try:
        message = orjson.loads(data)["error"]["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return str(message)
