"""The setup of a replay: gateway, HTTP server and the replay server as upstream, with one provider per recording."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from aiohttp import web

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import CredentialRef, Provider
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.server.application import build
from conduit_desktop.wire import dialect
from tests.conformance.answer_readers import READ_WHOLE
from tests.conformance.recordings import GOOGLE_KEY, Recording, recordings
from tests.fakes.app_context import IdleServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.replay import interactions, replaying

Fields = dict[str, Any]


@dataclass
class ClientResponse:
    """A response of the gateway."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def dropped(self) -> list[str]:
        """The fields that the gateway reports as dropped (x-conduit-dropped)."""
        return [name.strip() for name in self.headers.get("x-conduit-dropped", "").split(",") if name.strip()]


@dataclass
class ReplaySetup:
    """Everything that runs. `recordings[n]` is served by the provider named `r<n>`."""

    gateway: GatewayFixture
    url: str
    replay: str
    session: aiohttp.ClientSession
    recordings: list[Recording]

    def model(self, recording: Recording) -> str:
        """The direct name of a recording's model at its own provider."""
        return f"r{self.recordings.index(recording)}/{recording.model}"

    async def ask(
        self, recording: Recording, body: Fields, client_dialect: str, client_path: str, stream: bool, array: bool = False
    ) -> ClientResponse:
        """Send a request of the client's dialect to `client_path`; in-process where the client API has no path for it."""
        model = self.model(recording)
        # Each recording is a provider of its own: the reasoning of one turn would pass for another provider's in the next.
        self.gateway.state.reasoning = ReasoningStore()
        if not client_path:
            return await self._in_process(recording, body, client_dialect, stream)
        if client_dialect == "gemini":
            method = "streamGenerateContent" if stream else "generateContent"
            path = f"/v1beta/models/{model}:{method}" + ("?alt=sse" if stream and not array else "")
        elif "{model}" in client_path:
            path = client_path.format(model=quote(model))
        else:
            path, body = client_path, {**body, "model": model}
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        async with self.session.post(self.url + path, data=orjson.dumps(body), headers=headers) as response:
            headers_received = {name.lower(): value for name, value in response.headers.items()}
            return ClientResponse(response.status, headers_received, await response.read())

    async def _in_process(self, recording: Recording, body: Fields, client_dialect: str, stream: bool) -> ClientResponse:
        from conduit_desktop.core.errors import GatewayError, UpstreamError

        call = Call(dialect(client_dialect), dict(body), self.model(recording), stream=stream, credential=KEY)
        try:
            exchange = await self.gateway.answer(call)
        except GatewayError as error:
            own = isinstance(error, UpstreamError) and error.body
            return ClientResponse(error.status, {}, error.body if own else orjson.dumps(call.dialect.write_error(error)[1]))  # type: ignore[attr-defined]
        if isinstance(exchange, WholeReply):
            return ClientResponse(exchange.status, exchange.headers, exchange.body)
        try:
            return ClientResponse(200, exchange.headers, b"".join([data async for data in exchange.frames]))
        finally:
            await exchange.close()

    async def upstream_requests(self) -> dict[str, Fields]:
        """The requests that the replay server received since the last call, by recording; only the last attempt of each."""
        async with self.session.get(f"{self.replay}/__replay/journal") as response:
            entries = orjson.loads(await response.read())
        async with self.session.post(f"{self.replay}/__replay/reset") as response:
            await response.read()
        return {entry["cassette"]: entry for entry in entries}


@asynccontextmanager
async def open_setup(folder: Path, home: Home) -> AsyncIterator[ReplaySetup]:
    """A started setup, stopped at the end."""
    known = recordings(interactions(folder))
    async with replaying(folder) as replay, open_gateway(home) as gateway:
        await _configure(gateway, known, replay)
        context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, IdleServer(), {})  # type: ignore[arg-type]
        runner = web.AppRunner(build(context), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as session:
                yield ReplaySetup(gateway, f"http://127.0.0.1:{runner.addresses[0][1]}", replay, session, known)
        finally:
            await runner.cleanup()


async def _configure(gateway: GatewayFixture, recordings: list[Recording], replay: str) -> None:
    for index, recording in enumerate(recordings):
        endpoint = recording.endpoint
        if endpoint is None:
            continue
        key = GOOGLE_KEY if endpoint.kind == "vertex" else "replayed"
        gateway.secrets.set(f"provider/r{index}/0", key)
        await gateway.store.providers.insert(
            Provider(
                id=f"prov_r{index}", name=f"r{index}", kind=endpoint.kind,
                base_url=replay + quote(f"/c/{recording.name}{endpoint.base}"),
                credentials=(CredentialRef(label="0", secret=f"provider/r{index}/0", hint="…"),), options=dict(endpoint.options),
            )
        )  # fmt: skip
    await gateway.add_key()
    for index, recording in enumerate(recordings):
        if recording.endpoint is not None and recording.endpoint.dialect in READ_WHOLE:
            # A kind with several dialects would be called in the preferred one, but the recording is in this one.
            kind: Any = gateway.snapshot.providers[f"r{index}"].kind
            kind.dialects = (recording.endpoint.dialect,)
            kind.supports = kind.dialects.__contains__
