"""Replicate: a chat is a prediction, which is created first, and then streamed or polled until it is finished."""

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
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.wire.framing import sse

log = logging.getLogger(__name__)

_RUNNING = frozenset({"starting", "processing", "queued"})
_MAX_PAUSE_S = 2.0
_MAX_FAILURES = 3
"""Failed polls in a row after which a prediction is given up."""


class Replicate(ProviderKind):
    """Language models on Replicate, as `owner/name`, `owner/name:version` or `deployments/owner/name`.

    https://replicate.com/docs/reference/http
    """

    kind = "replicate"
    label = "Replicate"
    docs = "https://replicate.com/docs/reference/http"
    dialects = ("replicate",)
    default_base_url = "https://api.replicate.com/v1"
    price_provider = "replicate"
    fields = (key_from("replicate.com/account/api-tokens", "r8_…"), BASE_URL)
    features = frozenset({"stream", "vision", "usage_in_stream"})
    several_steps = True
    pause_s: ClassVar[float] = 0.25
    """Seconds before the first poll of a running prediction; each pause is twice as long as the one before."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url, "v1")
        self.cancellations: set[asyncio.Task[None]] = set()
        """Cancel requests in flight; the loop holds only weak references to tasks."""

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Where a prediction of `model` is created; raises ValueError for anything but a chat."""
        if endpoint not in self.endpoints:
            raise self.no_endpoint(endpoint)
        if ":" in model:
            return f"{self.root}/predictions"
        path = model if model.startswith("deployments/") else f"models/{model}"
        return f"{self.root}/{quote(path, safe='/')}/predictions"

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Adds the version of the model, which is a field of the body."""
        if ":" in model:
            body["version"] = model.partition(":")[2]
        return []

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes | bytearray, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """Without a stream, lets Replicate wait 5 s for the result. During a longer wait the prediction could not be cancelled,
        because its id comes with the response.
        """
        outbound = super().prepare(endpoint, model, dialect, stream, body, secrets, relayed)
        if not stream:
            outbound.headers.setdefault("prefer", "wait=5")
        return outbound

    async def open(self, send: Send, outbound: OutboundRequest, stream: bool, secrets: Secrets) -> UpstreamResponse:
        """The prediction's stream, or the finished prediction where the model does not stream. Raises UpstreamError."""
        response = await send(outbound)
        if response.status >= 400:
            return response
        prediction = Prediction(self, send, secrets, await _read(response))
        try:
            if stream and prediction.stream_url:
                events = await send(prediction.request(prediction.stream_url))
                if events.status < 400:
                    return EventStream(events, prediction)
                # The prediction runs although its stream cannot be opened, so it is polled instead of failing the call.
                events.abort()
            return await prediction.wait()
        # A cancelled call must not leave a prediction running, either.
        except BaseException:
            prediction.cancel()
            raise

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """Replicate's collection of language models."""
        return self.get(f"{self.root}/collections/language-models", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models of the collection; raises ValueError for another body."""
        return [OfferedModel(f"{row['owner']}/{row['name']}") for row in rows_of(body, "models") if {"owner", "name"} <= {*row}]


class Prediction:
    """One prediction: `body` is its last known state."""

    def __init__(self, kind: Replicate, send: Send, secrets: Secrets, body: dict[str, Any]) -> None:
        self._kind, self._send, self._secrets = kind, send, secrets
        self.body = body
        self.pause_s = kind.pause_s
        # Built from the id and not taken from the answer's `urls`: the key then goes to the configured host, a proxy's too.
        self._url = f"{kind.root}/predictions/{quote(str(body['id']), safe='')}"

    @property
    def finished(self) -> bool:
        """Whether it succeeded, failed or was cancelled."""
        return self.body.get("status") not in _RUNNING

    @property
    def stream_url(self) -> str:
        """Where its output is streamed; empty for a model that does not stream."""
        urls = self.body.get("urls")
        url = urls.get("stream") if isinstance(urls, dict) else None
        # The key is never sent without TLS unless the configured base URL has none.
        return url if isinstance(url, str) and urlsplit(url).scheme in ("https", urlsplit(self._kind.root).scheme) else ""

    def request(self, url: str, method: str = "GET") -> OutboundRequest:
        """A request about it. The key is sent to the configured host only, or to any host of Replicate where that is one."""
        configured, host = urlsplit(self._kind.root).netloc, urlsplit(url).netloc
        trusted = host == configured or (configured == "api.replicate.com" and host.endswith(".replicate.com"))
        headers = self._kind.all_headers(self._secrets, self._kind.dialects[0], {}) if trusted else {}
        # Neither a poll nor a cancel request has a body.
        headers.pop("content-type", None)
        return OutboundRequest(method, url, {**headers, "accept": "application/json" if url == self._url else "text/event-stream"})

    async def refresh(self) -> UpstreamResponse | None:
        """Poll its state; returns the response where that was an error."""
        response = await self._send(self.request(self._url))
        if response.status >= 400:
            return response
        self.body = await _read(response)
        return None

    async def wait(self) -> UpstreamResponse:
        """Poll until it is finished; where polls keep failing, it is cancelled and the error response returned."""
        pause, failures = self.pause_s, 0
        while not self.finished:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_S)
            error = await self.refresh()
            failures = 0 if error is None else failures + 1
            # 429 and 5xx may pass; another error would only be repeated.
            if error is not None and (failures == _MAX_FAILURES or error.status < 429):
                self.cancel()
                return error
            if error is not None:
                error.abort()
        return FinishedPrediction(orjson.dumps(self.body))

    def cancel(self) -> None:
        """Cancel it, in the background: otherwise it would go on generating, and cost money."""
        if self.finished:
            return
        # Set before the request is sent, so that a second call of `cancel` sends nothing.
        self.body["status"] = "canceled"
        task = asyncio.get_running_loop().create_task(self._send_cancel())
        self._kind.cancellations.add(task)
        task.add_done_callback(self._kind.cancellations.discard)

    async def _send_cancel(self) -> None:
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
        raise UpstreamError("the provider's answer is not a prediction", status=502, reason="malformed")
    return body


class FinishedPrediction:
    """A finished prediction as the response to a request that was not streamed."""

    self_delimited = True

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
        """Nothing to release: the body is in memory."""

    def abort(self) -> None:
        """Nothing to release: the body is in memory."""


class EventStream:
    """A prediction's event stream. After its `done` event follows the finished prediction, the only place with token counts."""

    def __init__(self, events: UpstreamResponse, prediction: Prediction) -> None:
        self.status, self.headers = events.status, events.headers
        self._events, self._prediction = events, prediction
        self._splitter = sse.SseSplitter()
        self._done = self._ended = False

    @property
    def self_delimited(self) -> bool:
        return self._events.self_delimited

    async def chunk(self) -> bytes:
        if self._ended:
            return b""
        if self._done:
            return await self._metrics()
        data = await self._events.chunk()
        self._done = any(frame.event in ("done", "error") for frame in self._splitter.feed(data))
        self._ended = not data
        return data

    async def _metrics(self) -> bytes:
        """The finished prediction as an SSE event; empty where it cannot be read in a few polls."""
        self._ended = True
        self._events.finish()
        with suppress(UpstreamError):  # the answer is complete without token counts
            for _ in range(_MAX_FAILURES):
                if (error := await self._prediction.refresh()) is not None:
                    error.abort()
                elif self._prediction.finished:
                    # Without the output: its text was streamed already, and would be sent a second time.
                    return sse.write(orjson.dumps({**self._prediction.body, "output": None}), "prediction")
                await asyncio.sleep(self._prediction.pause_s)
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
        # After `done` the prediction has ended by itself, and there is nothing left to cancel.
        if not self._done:
            self._prediction.cancel()
