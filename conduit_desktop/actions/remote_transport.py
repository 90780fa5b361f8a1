"""Operations of a gateway elsewhere: HTTP for calls, server-sent events for changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import fields
from typing import Any, get_args

import aiohttp
import orjson
from yarl import URL

from conduit_desktop.actions.chat import CLIENT, DIALECT, ChatAnswer
from conduit_desktop.actions.schemas.inputs import epoch_ms
from conduit_desktop.actions.transport import PREFIX, GatewayUnreachable, http_request, http_result, segment
from conduit_desktop.core.bus import Change, Topic
from conduit_desktop.core.errors import Conflict, GatewayError, describe
from conduit_desktop.core.events import Event
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing.sse import SseSplitter

log = logging.getLogger(__name__)

# Long: the test of a provider and the list of its models wait for that provider.
TIMEOUT_S = 120.0
SILENCE_S = 30.0
"""Without a byte for so long (the server sends a ping every 10 s), the event stream is opened again."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Pauses before the event stream is opened again; the last one repeats."""


class RemoteTransport:
    """The admin API at `address`, such as `https://gateway.example:5000`, with its master key.

    The certificate is verified, unless `verify` is False or an SSLContext that trusts the home's own certificate.
    """

    def __init__(self, address: str, key: str, *, verify: bool | ssl.SSLContext = True, client_key: str | None = None) -> None:
        """`client_key`: the virtual key for chats, which go through the client API."""
        self.address = address.rstrip("/")
        self._key = key
        self._client_key = client_key
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None
        self._listeners: list[Callable[[Change], None]] = []
        self._feed: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()
        """Set while the event stream is open."""

    def __repr__(self) -> str:
        return f"RemoteTransport({self.address!r})"

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, made on the loop at its first use."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {self._key}"}, connector=aiohttp.TCPConnector(ssl=self._verify)
            )
        return self._session

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        target, data, content_type = http_request(path, query, body)
        try:
            # `encoded`: names in the path are percent-encoded already, and must not be decoded here.
            url = URL(self.address + target, encoded=True)
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            headers = {"Content-Type": content_type}
            # A redirect would send the master key to another address.
            async with self.session.request(
                method, url, data=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                content = await response.read()
                return http_result(response.status, response.headers.get("Content-Type", ""), content, self.address)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GatewayUnreachable(f"{self.address} does not answer: {describe(error)}") from error

    def chat(self, body: dict[str, Any]) -> RemoteChat:
        """A streamed chat through the client API; raises Conflict without a virtual key."""
        if self._client_key is None:
            raise Conflict("A chat with a gateway elsewhere needs a virtual key of that gateway.")
        return RemoteChat(self, body, self._client_key)

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        if self._feed is None:
            self._feed = asyncio.get_running_loop().create_task(self._follow())

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    async def close(self) -> None:
        if self._feed is not None:
            self._feed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._feed
            self._feed = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                await self._read_events()
                failures = 0
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.debug("the event stream of %s ended: %s", self.address, describe(error))
            self.connected.clear()
            # Also after an orderly end: the server closes its streams when it stops, and comes back.
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    async def _read_events(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_S)
        async with self.session.get(
            f"{self.address}{PREFIX}/events?audit=true", timeout=timeout, allow_redirects=False
        ) as response:
            response.raise_for_status()
            self.connected.set()
            self._everything_changed()  # what happened before the stream was open is not in it
            decoder = SseSplitter()
            async for data in response.content.iter_any():
                for frame in decoder.feed(data):
                    self._publish(frame.event or "", frame.data)

    def _publish(self, event: str, data: bytes) -> None:
        if not data:  # a comment, such as a ping
            return
        if event == "lost":
            self._everything_changed()
            return
        try:
            message = orjson.loads(data)
            change = change_of(message["topic"], message["payload"])
        except (ValueError, KeyError, TypeError) as error:
            log.warning("an event of %s cannot be read: %s", self.address, describe(error))
            return
        self._notify(change)

    def _everything_changed(self) -> None:
        for topic in get_args(Topic):
            self._notify(Change(topic))

    def _notify(self, change: Change) -> None:
        # A copy: a listener may unsubscribe while it is called.
        for listener in tuple(self._listeners):
            listener(change)


class RemoteChat(ChatAnswer):
    """A streamed chat over the client API of a gateway elsewhere; also raises GatewayUnreachable where the connection breaks."""

    def __init__(self, transport: RemoteTransport, body: dict[str, Any], key: str) -> None:
        super().__init__()
        self._transport = transport
        self._body = body
        self._key = key

    @property
    def id(self) -> str:
        return self.headers.get("x-conduit-request-id", "")  # empty before the first event

    async def _run(self) -> AsyncGenerator[Event]:
        url = f"{self._transport.address}/v1/chat/completions"
        # In place of the session's master key, which is for the admin API alone.
        headers = {"Authorization": f"Bearer {self._key}", "User-Agent": CLIENT}
        # No limit in all: a long answer may stream for many minutes.
        timeout = aiohttp.ClientTimeout(total=None)
        try:
            async with self._transport.session.post(
                url, json=self._body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                self.headers = {name.lower(): value for name, value in response.headers.items()}
                if response.status != 200:
                    raise _refusal(response.status, await response.read())
                reader = dialect(DIALECT).reader()
                # As it arrives: blocks of a fixed size would hold an event back until they are full.
                async for data in response.content.iter_any():
                    for event in reader.feed(data):
                        yield event
                for event in reader.close():
                    yield event
        except (aiohttp.ClientError, OSError) as error:
            raise GatewayUnreachable(f"{self._transport.address} does not answer: {describe(error)}") from error
        # The gateway settles a record before the last byte of its stream, so it can be read now.
        self.record = record_of(await self._transport.perform("GET", f"/requests/{segment(self.id)}"))


def _refusal(status: int, data: bytes) -> GatewayError:
    try:
        error = orjson.loads(data)["error"]
        refusal = GatewayError(str(error["message"]), code=str(error.get("code") or "gateway_error"))
    # A proxy in between may answer with a page of its own.
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        refusal = GatewayError(f"the gateway answers {status}")
    refusal.status = status
    return refusal


def change_of(topic: Topic, payload: Any) -> Change:
    """A change as the bus of the other process published it: the payload of `requests` is a RequestRecord again."""
    return Change(topic, record_of(payload) if topic == "requests" and isinstance(payload, dict) else payload)


def record_of(row: dict[str, Any]) -> RequestRecord:
    """A RequestView's JSON as the record it was made of."""
    # Fields that only a view or a newer gateway has are left out.
    values = {name: value for name, value in row.items() if name in _RECORD_FIELDS}
    attempts = [_attempt_of(attempt) for attempt in row["attempts"]]
    return RequestRecord(
        **{
            **values,
            "started_at": _ms(row["started_at"]),
            "cost_nano": _nano(row["cost_usd"]),
            "attempts_nano": sum(attempt.cost_nano or 0 for attempt in attempts if attempt.outcome != "ok"),
            "cost_breakdown": [_cost_line_of(line) for line in row.get("cost_breakdown", ())],
            "dropped": tuple(row["dropped"]),
            "tags": tuple(row.get("tags", ())),
            "attempts": attempts,
        }
    )


_RECORD_FIELDS = frozenset(field.name for field in fields(RequestRecord))
_ATTEMPT_FIELDS = frozenset(field.name for field in fields(AttemptRecord))


def _attempt_of(row: dict[str, Any]) -> AttemptRecord:
    values = {name: value for name, value in row.items() if name in _ATTEMPT_FIELDS}
    return AttemptRecord(**{**values, "started_at": _ms(row["started_at"]), "cost_nano": _nano(row.get("cost_usd"))})


def _cost_line_of(line: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in line.items() if name not in ("price_usd", "cost_usd")}
    return {**values, "price_nano": to_nano(line["price_usd"]), "cost_nano": to_nano(line["cost_usd"])}


def _nano(usd: float | None) -> int | None:
    return None if usd is None else to_nano(usd)


def _ms(text: str | None) -> int:
    return epoch_ms(text) if text else 0
