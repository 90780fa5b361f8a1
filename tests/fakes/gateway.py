"""A gateway over a real store in a temporary home, with short methods to configure and call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from conduit_desktop.core.bus import Bus
from conduit_desktop.core.entities import CredentialRef, ModelAlias, Price, Provider, Target, TimeoutOverrides, VirtualKey
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.gateway.call import Call, Exchange, StreamReply, WholeReply
from conduit_desktop.gateway.gateway import Gateway
from conduit_desktop.store.interface import Store
from conduit_desktop.store.sqlite.store import SqliteStore
from conduit_desktop.wire import dialect
from tests.fakes.app_context import DictSecrets
from tests.fakes.vendor import API_KEY

KEY = "condt_" + "k" * 43


class GatewayFixture(Gateway):
    """A gateway with methods that add providers, aliases, keys and prices; `records` collects those of finished requests."""

    records: list[RequestRecord]
    calls = 0
    """Calls handed to the gateway; a request whose client disconnects before its body has arrived is not counted."""

    def __init__(self, store: Store, secrets: DictSecrets, bus: Bus, overrides: dict[str, Any] | None = None) -> None:
        super().__init__(store, secrets, bus, overrides)
        self.store, self.secrets, self.bus = store, secrets, bus

    async def answer(self, call: Call) -> Exchange:
        """Count the call and answer it."""
        self.calls += 1
        return await super().answer(call)

    async def add_provider(self, name: str, base_url: str | None, kind: str = "openai-compatible", **more: Any) -> None:
        """Add a provider with the credentials `keys` (default: the key that the fake vendor accepts)."""
        credentials = []
        for index, key in enumerate(more.pop("keys", [API_KEY])):
            self.secrets.set(f"provider/{name}/{index}", key)
            credentials.append(CredentialRef(label=str(index), secret=f"provider/{name}/{index}", hint="…"))
        await self.store.providers.insert(
            Provider(id=f"prov_{name}", name=name, kind=kind, base_url=base_url, credentials=tuple(credentials), **more)
        )
        await self.refresh()

    async def add_alias(self, alias: str, *targets: str, timeouts: dict[str, float] | None = None, **more: Any) -> None:
        """Add an alias for targets given as `provider/model`; timeouts in seconds."""
        parts = [target.partition("/") for target in targets]
        bound = tuple(Target(provider=provider, model=model) for provider, _, model in parts)
        await self.store.models.insert(
            ModelAlias(id=f"mod_{alias}", alias=alias, targets=bound, timeouts=TimeoutOverrides(**(timeouts or {})), **more)
        )
        await self.refresh()

    async def add_key(self, name: str = "tester", key: str = KEY, **more: Any) -> str:
        """Add a virtual key; returns its id."""
        await self.store.keys.insert(VirtualKey(id=f"key_{name}", name=name, digest=digest(key), hint="condt_…", **more))
        await self.refresh()
        return f"key_{name}"

    async def add_price(self, pattern: str, input: float, output: float, **more: Any) -> None:
        """Add a price in US dollars per million tokens."""
        await self.store.prices.insert(Price(pattern=pattern, input=input, output=output, **more))
        await self.refresh()

    async def ask(
        self, model: str, text: str = "hello", *, client_dialect: str = "openai_chat", key: str | None = KEY, **fields: Any
    ) -> Any:
        """Make one non-streamed request; returns the parsed body."""
        exchange = await self.answer(call(model, text, client_dialect=client_dialect, key=key, **fields))
        assert isinstance(exchange, WholeReply)
        return orjson.loads(exchange.body)

    async def stream(
        self, model: str, text: str = "hello", *, client_dialect: str = "openai_chat", key: str | None = KEY, **fields: Any
    ) -> bytes:
        """Make one streamed request; returns all bytes of the stream."""
        exchange = await self.answer(call(model, text, client_dialect=client_dialect, key=key, stream=True, **fields))
        assert isinstance(exchange, StreamReply)
        try:
            return b"".join([data async for data in exchange.frames])
        finally:
            await exchange.close()


def call(
    model: str,
    text: str = "hello",
    *,
    client_dialect: str = "openai_chat",
    key: str | None = KEY,
    stream: bool = False,
    **fields: Any,
) -> Call:
    """A chat call in the given client dialect."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    if client_dialect == "anthropic_messages":
        body.setdefault("max_tokens", 100)
    if stream:
        body["stream"] = True
    return Call(dialect(client_dialect), body, model, stream=stream, credential=key)


@asynccontextmanager
async def open_gateway(home: Home, secrets: DictSecrets | None = None, **settings: Any) -> AsyncIterator[GatewayFixture]:
    """A started gateway; `settings` override the defaults. `secrets` may outlive it, as the home does."""
    store = SqliteStore.open(home)
    gateway = GatewayFixture(store, DictSecrets() if secrets is None else secrets, Bus(), settings)
    gateway.records = []
    gateway.bus.subscribe(lambda change: gateway.records.append(change.payload) if change.topic == "requests" else None)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop(1)
        await store.close()
