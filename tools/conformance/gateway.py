"""The running gateway, its HTTP door, and the replay server behind it, with one provider for each recording."""

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
from conduit_desktop.server.application import build
from conduit_desktop.wire import dialect
from tests.fakes.app_context import IdleServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.replay import interactions, replaying
from tools.conformance.lenses import WHOLE
from tools.conformance.places import GOOGLE_KEY, Recording, recordings

Fields = dict[str, Any]


@dataclass
class Heard:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def dropped(self) -> list[str]:
        """What the gateway said it could not express."""
        return [name.strip() for name in self.headers.get("x-conduit-dropped", "").split(",") if name.strip()]


@dataclass
class Hall:
    """Everything that runs. `known`: the recordings, each with a provider named `r` and its position."""

    gateway: GatewayFixture
    url: str
    replay: str
    session: aiohttp.ClientSession
    known: list[Recording]

    def model(self, recording: Recording) -> str:
        """The direct name of a recording's model at its own provider."""
        return f"r{self.known.index(recording)}/{recording.model}"

    async def ask(self, recording: Recording, body: Fields, speaks: str, door: str, stream: bool, array: bool = False) -> Heard:
        """Ask as a client of the dialect `speaks` at the path `door`; in-process where the client API has no path for it."""
        model = self.model(recording)
        if not door:
            return await self._inside(recording, body, speaks, stream)
        if speaks == "gemini":
            method = "streamGenerateContent" if stream else "generateContent"
            path = f"/v1beta/models/{model}:{method}" + ("?alt=sse" if stream and not array else "")
        elif "{model}" in door:
            path = door.format(model=quote(model))
        else:
            path, body = door, {**body, "model": model}
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        async with self.session.post(self.url + path, data=orjson.dumps(body), headers=headers) as response:
            told = {name.lower(): value for name, value in response.headers.items()}
            return Heard(response.status, told, await response.read())

    async def _inside(self, recording: Recording, body: Fields, speaks: str, stream: bool) -> Heard:
        from conduit_desktop.core.errors import GatewayError, UpstreamError

        call = Call(dialect(speaks), dict(body), self.model(recording), stream=stream, credential=KEY)
        try:
            exchange = await self.gateway.answer(call)
        except GatewayError as error:
            own = isinstance(error, UpstreamError) and error.body
            return Heard(error.status, {}, error.body if own else orjson.dumps(call.dialect.write_error(error)[1]))  # type: ignore[attr-defined]
        if isinstance(exchange, WholeReply):
            return Heard(exchange.status, exchange.headers, exchange.body)
        try:
            return Heard(200, exchange.headers, b"".join([data async for data in exchange.frames]))
        finally:
            await exchange.close()

    async def journal(self) -> dict[str, Fields]:
        """What reached the replay server since the last time, by the recording's name; the last attempt counts."""
        async with self.session.get(f"{self.replay}/__replay/journal") as response:
            entries = orjson.loads(await response.read())
        async with self.session.post(f"{self.replay}/__replay/reset") as response:
            await response.read()
        return {entry["cassette"]: entry for entry in entries}


@asynccontextmanager
async def opened(folder: Path, home: Home) -> AsyncIterator[Hall]:
    """Everything started, and stopped at the end."""
    known = recordings(interactions(folder))
    async with replaying(folder) as replay, open_gateway(home) as gateway:
        await _furnish(gateway, known, replay)
        context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, IdleServer(), {})  # type: ignore[arg-type]
        runner = web.AppRunner(build(context), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Hall(gateway, f"http://127.0.0.1:{runner.addresses[0][1]}", replay, session, known)
        finally:
            await runner.cleanup()


async def _furnish(gateway: GatewayFixture, known: list[Recording], replay: str) -> None:
    for index, recording in enumerate(known):
        place = recording.place
        if place is None:
            continue
        key = GOOGLE_KEY if place.kind == "vertex" else "replayed"
        gateway.secrets.set(f"provider/r{index}/0", key)
        await gateway.store.providers.insert(
            Provider(
                id=f"prov_r{index}", name=f"r{index}", kind=place.kind, base_url=replay + quote(f"/c/{recording.name}{place.base}"),
                credentials=(CredentialRef(label="0", secret=f"provider/r{index}/0", hint="…"),), options=dict(place.options),
            )
        )  # fmt: skip
    await gateway.add_key()
    for index, recording in enumerate(known):
        if recording.place is not None and recording.place.dialect in WHOLE:
            # Kinds that speak several would be asked in the best; what was recorded is an answer in this one.
            kind: Any = gateway.snapshot.providers[f"r{index}"].kind
            kind.dialects = (recording.place.dialect,)
            kind.speaks = kind.dialects.__contains__
