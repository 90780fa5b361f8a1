"""A failover scenario: a client of one dialect, two scripted vendors in the same or another one, and the HTTP server between.

await scenario.configure(timeouts={"first_token_s": 0.3})
scenario.a.script(Step(status=503))
response = await scenario.ask()            # the alias "ab": A then B
assert response.text and response.by == "b"
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson
from aiohttp import web

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.server.application import build
from tests.fakes.app_context import IdleServer
from tests.fakes.client_dialects import CLIENT_DIALECTS
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.waiting import WITHIN_S, settled

DialectName = Literal["openai", "anthropic", "responses", "gemini", "ollama"]
LONG = "one two three four five six seven eight nine ten"
"""The text that the vendor echoes: ten words, ten frames."""


@dataclass(frozen=True)
class RequestVariant:
    """The client's dialect, passthrough or translated, and streamed or whole."""

    dialect: DialectName
    passthrough: bool
    streamed: bool

    @property
    def upstream(self) -> DialectName:
        """The vendors' dialect."""
        return self.dialect if self.passthrough else ("anthropic" if self.dialect in ("openai", "ollama") else "openai")

    def __str__(self) -> str:
        return f"{self.dialect}-{'passthrough' if self.passthrough else 'translated'}-{'stream' if self.streamed else 'whole'}"


VARIANTS = [
    RequestVariant(dialect, passthrough, streamed)
    for dialect in ("openai", "anthropic")
    for passthrough in (True, False)
    for streamed in (True, False)
]
OTHER_VARIANTS = [
    RequestVariant(dialect, False, streamed) for dialect in ("responses", "gemini", "ollama") for streamed in (True, False)
]
STREAMS = [variant for variant in VARIANTS if variant.streamed]
WHOLES = [variant for variant in VARIANTS if not variant.streamed]


@dataclass
class ClientResponse:
    """The response as a client reads it. `times` are the arrival times of its pieces, in seconds since the request."""

    variant: RequestVariant
    status: int
    headers: dict[str, str]
    raw: bytes
    times: list[float] = field(default_factory=list)
    text: str = ""
    ended_well: bool = False
    error: dict[str, Any] | None = None
    pings: int = 0

    @property
    def by(self) -> str:
        """The provider that answered (x-conduit-provider)."""
        return self.headers.get("x-conduit-provider", "")

    @property
    def message(self) -> str:
        """The error's text; empty where there was none."""
        return str(self.error["message"]) if self.error else ""

    def read(self) -> ClientResponse:
        """Parse text, end, pings and error, as a client would."""
        kind = self.headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            for frame in self.raw.replace(b"\r\n", b"\n").split(b"\n\n"):
                self.pings += frame.startswith((b": ping", b"event: ping"))
                data = b"".join(line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:"))
                if data == b"[DONE]":
                    self.ended_well = True
                elif data:
                    self._take(orjson.loads(data))
        else:
            for line in self.raw.split(b"\n") if "ndjson" in kind else [self.raw]:
                if line:
                    self._take(orjson.loads(line))
        return self

    def _take(self, value: dict[str, Any]) -> None:
        error = value.get("error") or (value.get("response") or {}).get("error")
        if error:
            self.error = self.error or ({"message": error} if isinstance(error, str) else error)
            return
        text, ended = _READERS[self.variant.dialect](value)
        self.text += text
        self.ended_well = self.ended_well or ended


def _openai(value: dict[str, Any]) -> tuple[str, bool]:
    """Text and end of a chunk or a whole completion, which ends with its finish reason; a stream ends with `[DONE]`."""
    whole = value["object"] == "chat.completion"
    texts = [choice["message" if whole else "delta"].get("content") or "" for choice in value["choices"]]
    return "".join(texts), whole and bool(value["choices"][0]["finish_reason"])


def _anthropic(value: dict[str, Any]) -> tuple[str, bool]:
    if value["type"] == "message":
        return "".join(block["text"] for block in value["content"]), bool(value["stop_reason"])
    return value.get("delta", {}).get("text", ""), value["type"] == "message_stop"


def _responses(value: dict[str, Any]) -> tuple[str, bool]:
    if value.get("object") == "response":
        texts = [part["text"] for item in value["output"] if item["type"] == "message" for part in item["content"]]
        return "".join(texts), value["status"] == "completed"
    return value["delta"] if value["type"] == "response.output_text.delta" else "", value["type"] == "response.completed"


def _gemini(value: dict[str, Any]) -> tuple[str, bool]:
    candidates = value.get("candidates", [])
    parts = [part for candidate in candidates for part in candidate.get("content", {}).get("parts", [])]
    return "".join(part.get("text", "") for part in parts), any(candidate.get("finishReason") for candidate in candidates)


def _ollama(value: dict[str, Any]) -> tuple[str, bool]:
    return value["message"]["content"], value["done"]


_READERS = {"openai": _openai, "anthropic": _anthropic, "responses": _responses, "gemini": _gemini, "ollama": _ollama}


class Scenario:
    """Gateway, HTTP server, and the vendors A and B. `configure` adds the aliases `ab` (A then B) and `a` (A alone)."""

    def __init__(
        self, variant: RequestVariant, gateway: GatewayFixture, a: Vendor, b: Vendor, url: str, session: aiohttp.ClientSession
    ) -> None:
        self.variant = variant
        self.gateway = gateway
        self.a, self.b = a, b
        self.url = url
        self.session = session

    def base_url(self, vendor: Vendor) -> str:
        """A vendor's base URL for the upstream dialect."""
        return vendor.openai_url if self.variant.upstream == "openai" else vendor.anthropic_url

    @property
    def kind(self) -> str:
        """The vendors' provider kind."""
        return f"{self.variant.upstream}-compatible"

    async def configure(self, timeouts: dict[str, float] | None = None, keepalive_s: float = 10.0, **alias: Any) -> Scenario:
        """Add the providers a and b, a price for each, the aliases, and a key with a budget; timeouts in seconds."""
        self.gateway.state.overrides["keepalive_s"] = keepalive_s
        for name, vendor in (("a", self.a), ("b", self.b)):
            await self.gateway.add_provider(name, self.base_url(vendor), kind=self.kind)
        await self.gateway.add_price("alpha", 1.0, 2.0)
        await self.gateway.add_price("beta", 3.0, 15.0)
        times = {"connect_s": 10.0, "first_token_s": 10.0, "idle_s": 10.0, "total_s": 30.0, **(timeouts or {})}
        await self.gateway.add_alias("ab", "a/alpha", "b/beta", timeouts=times, **alias)
        await self.gateway.add_alias("a", "a/alpha", timeouts=times, **{k: v for k, v in alias.items() if k != "strategy"})
        await self.gateway.add_key(budget_nano=10**12, unpriced="allow")
        return self

    def body(self, model: str, text: str, **fields: Any) -> dict[str, Any]:
        """The request's body."""
        return CLIENT_DIALECTS[self.variant.dialect].request(model, text, self.variant.streamed, **fields)[1]

    def post(self, model: str = "ab", text: str = LONG, **fields: Any) -> Any:
        """Send the request; returns aiohttp's context manager of the response."""
        headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21"}
        path, body = CLIENT_DIALECTS[self.variant.dialect].request(model, text, self.variant.streamed, **fields)
        return self.session.post(self.url + path, json=body, headers=headers)

    async def ask(self, model: str = "ab", text: str = LONG, **fields: Any) -> ClientResponse:
        """Send the request and read the response to its end."""
        began = asyncio.get_running_loop().time()
        pieces: list[bytes] = []
        times: list[float] = []
        async with self.post(model, text, **fields) as response:
            async for piece in response.content.iter_any():
                pieces.append(piece)
                times.append(asyncio.get_running_loop().time() - began)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return ClientResponse(self.variant, response.status, headers, b"".join(pieces), times).read()

    @property
    def record(self) -> RequestRecord:
        """The latest request's record."""
        return self.gateway.records[-1]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """The latest record's attempts: provider and outcome."""
        return [(attempt.provider, attempt.outcome) for attempt in self.record.attempts]

    async def settled(self) -> None:
        """Wait until no call is running at the gateway and the vendors, and every record can be read."""
        await settled(self.gateway)
        async with asyncio.timeout(WITHIN_S):
            for vendor in (self.a, self.b):
                for call in tuple(vendor.calls):
                    await call.ended.wait()

    def check(self) -> None:
        """Invariants after every test: one record per received request, nothing reserved, nothing in flight."""
        assert self.gateway.in_flight == 0
        assert len({record.id for record in self.gateway.records}) == len(self.gateway.records) == self.gateway.calls
        account = self.gateway.account("key_tester")
        assert account.reserved_nano == 0
        assert account.spend_nano == sum(record.cost_nano or 0 for record in self.gateway.records)
        assert all(health.in_flight == 0 and not health.probing for health in self.gateway.health.targets.values())
        everything = b"".join(orjson.dumps(record) for record in self.gateway.records)
        assert API_KEY.encode() not in everything


@asynccontextmanager
async def open_scenario(variant: RequestVariant, home: Home) -> AsyncIterator[Scenario]:
    """A started scenario; at the end its invariants are checked and it is stopped."""
    async with Vendor() as a, Vendor() as b, open_gateway(home) as gateway:
        context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, IdleServer(), {})  # type: ignore[arg-type]
        runner = web.AppRunner(build(context), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                scenario = Scenario(variant, gateway, a, b, f"http://127.0.0.1:{runner.addresses[0][1]}", session)
                yield scenario
                await scenario.settled()
                scenario.check()
        finally:
            await runner.cleanup()
