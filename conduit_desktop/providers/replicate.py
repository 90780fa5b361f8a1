"""Replicate: a prediction is made, then its stream is read or its end awaited."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets, Send, UpstreamResponse
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.compatible import BASE_URL, key_from
from conduit_desktop.wire.framing import sse

log = logging.getLogger(__name__)

_RUNNING = frozenset({"starting", "processing", "queued"})
_LONGEST_PAUSE_S = 2.0
_FAULTS = 3
"""How many times in a row the state of a prediction may be refused to us."""


class Replicate(ProviderKind):
    """Language models on Replicate, as `owner/name`, `owner/name:version` or `deployments/owner/name`.

    https://replicate.com/docs/reference/http
    """

    kind = "replicate"
    label = "Replicate"
    docs = "https://replicate.com/docs/reference/http"
    dialects = ("replicate",)
    default_base_url = "https://api.replicate.com/v1"
    fields = (key_from("replicate.com/account/api-tokens", "r8_…"), BASE_URL)
    features = frozenset({"stream", "vision", "usage_in_stream"})
    several_steps = True
    pause_s: ClassVar[float] = 0.25
    """Seconds until a prediction that runs is asked for first; each pause is twice the one before."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url, "v1")
        self.goodbyes: set[asyncio.Task[None]] = set()
        """Cancellations on their way."""

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """A bearer token, where there is one."""
        return {"authorization": f"Bearer {secrets.api_key}"} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Where a prediction of `model` is made; raises ValueError for anything but a chat."""
        if endpoint not in self.endpoints:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        if ":" in model:
            return f"{self.root}/predictions"
        place = model if model.startswith("deployments/") else f"models/{model}"
        return f"{self.root}/{quote(place, safe='/')}/predictions"

    def adapt_for(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """A model's version stands in the body."""
        if ":" in model:
            body["version"] = model.partition(":")[2]
        return []

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """A quick answer comes at once. A longer wait could not be called off: only an answer tells the prediction's id."""
        outbound = super().prepare(endpoint, model, dialect, stream, body, secrets, relayed)
        if not stream:
            outbound.headers.setdefault("prefer", "wait=5")
        return outbound

    async def open(self, send: Send, outbound: OutboundRequest, stream: bool, secrets: Secrets) -> UpstreamResponse:
        """The prediction's stream, or the prediction once it is over; a model that cannot stream is awaited."""
        response = await send(outbound)
        if response.status >= 400:
            return response
        made = Prediction(self, send, secrets, await _read(response))
        try:
            if stream and made.stream_url:
                events = await send(made.request(made.stream_url))
                if events.status < 400:
                    return EventStream(events, made)
                events.abort()
            return await made.awaited()
        except BaseException:
            made.cancel()
            raise

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """Replicate's own collection of language models."""
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", f"{self.root}/collections/language-models", headers)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models of the collection; raises ValueError for a body that is none."""
        rows = body.get("models") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer is not a list of models")
        return [
            OfferedModel(f"{row['owner']}/{row['name']}") for row in rows if isinstance(row, dict) and {"owner", "name"} <= {*row}
        ]


class Prediction:
    """One prediction that was made: how it stands, where it is read, and how it is called off."""

    def __init__(self, kind: Replicate, send: Send, secrets: Secrets, body: dict[str, Any]) -> None:
        self._kind, self._send, self._secrets = kind, send, secrets
        self.body = body
        self.pause_s = kind.pause_s
        self._url = f"{kind.root}/predictions/{quote(str(body['id']), safe='')}"

    @property
    def over(self) -> bool:
        """It runs no more."""
        return self.body.get("status") not in _RUNNING

    @property
    def stream_url(self) -> str:
        """Where its output is streamed; empty where the model cannot."""
        urls = self.body.get("urls")
        url = urls.get("stream") if isinstance(urls, dict) else None
        return url if isinstance(url, str) and urlsplit(url).scheme in ("https", urlsplit(self._kind.root).scheme) else ""

    def request(self, url: str, method: str = "GET") -> OutboundRequest:
        """A request about it. The key goes along to the configured host and, from Replicate, to Replicate's others."""
        home, there = urlsplit(self._kind.root).netloc, urlsplit(url).netloc
        known = there == home or (home == "api.replicate.com" and there.endswith(".replicate.com"))
        headers = self._kind.all_headers(self._secrets, self._kind.dialects[0], {}) if known else {}
        headers.pop("content-type", None)
        return OutboundRequest(method, url, {**headers, "accept": "application/json" if url == self._url else "text/event-stream"})

    async def refreshed(self) -> UpstreamResponse | None:
        """Ask how it stands; the answer, where that was a refusal."""
        response = await self._send(self.request(self._url))
        if response.status >= 400:
            return response
        self.body = await _read(response)
        return None

    async def awaited(self) -> UpstreamResponse:
        """Wait until it is over. It is cancelled where its state cannot be read any more."""
        pause, faults = self.pause_s, 0
        while not self.over:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            refused = await self.refreshed()
            faults = 0 if refused is None else faults + 1
            if refused is not None and (faults == _FAULTS or refused.status < 429):
                self.cancel()
                return refused
            if refused is not None:
                refused.abort()
        return WholeAnswer(orjson.dumps(self.body))

    def cancel(self) -> None:
        """Call it off, in the background: it would go on generating, and billing."""
        if self.over:
            return
        self.body["status"] = "canceled"
        task = asyncio.get_running_loop().create_task(self._call_off())
        self._kind.goodbyes.add(task)
        task.add_done_callback(self._kind.goodbyes.discard)

    async def _call_off(self) -> None:
        try:
            response = await self._send(self.request(f"{self._url}/cancel", "POST"))
            await response.read()
            response.finish()
        except UpstreamError as error:
            log.warning("a prediction at %s could not be cancelled: %s", self._kind.config.name, error.message)


async def _read(response: UpstreamResponse) -> dict[str, Any]:
    try:
        body = orjson.loads(await response.read())
    except orjson.JSONDecodeError:
        body = None
    response.finish()
    if not isinstance(body, dict) or not body.get("id"):
        raise UpstreamError("the provider's answer is no prediction", status=502, reason="malformed")
    return body


class WholeAnswer:
    """A prediction that is over."""

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": "application/json"}
        self._body = body

    async def chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def read(self) -> bytes:
        return await self.chunk()

    def finish(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is held."""


class EventStream:
    """A prediction's stream, and behind its `done` the finished prediction, which alone tells the tokens."""

    def __init__(self, events: UpstreamResponse, made: Prediction) -> None:
        self.status, self.headers = events.status, events.headers
        self._events, self._made = events, made
        self._splitter = sse.SseSplitter()
        self._done = self._told = False

    async def chunk(self) -> bytes:
        if self._told:
            return b""
        if self._done:
            return await self._tell()
        data = await self._events.chunk()
        self._done = any(frame.event in ("done", "error") for frame in self._splitter.feed(data))
        self._told = not data
        return data

    async def _tell(self) -> bytes:
        self._told = True
        self._events.finish()
        with suppress(UpstreamError):  # the answer is whole without its metrics
            for _ in range(_FAULTS):
                if (refused := await self._made.refreshed()) is not None:
                    refused.abort()
                elif self._made.over:
                    return sse.write(orjson.dumps({**self._made.body, "output": None}), "prediction")
                await asyncio.sleep(self._made.pause_s)
        return b""

    async def read(self) -> bytes:
        pieces = []
        while data := await self.chunk():
            pieces.append(data)
        return b"".join(pieces)

    def finish(self) -> None:
        self._events.finish()

    def abort(self) -> None:
        self._events.abort()
        if not self._done:
            self._made.cancel()
