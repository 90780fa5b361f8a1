"""A gateway over a real store in a temporary home, with short ways to furnish it."""

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
from conduit_desktop.store import Store
from conduit_desktop.wire import dialect
from tests.fakes.vendor import API_KEY

KEY = "condt_" + "k" * 43


class DictSecrets:
    """A secret store in memory."""

    backend = "memory"
    note = ""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def set(self, name: str, value: str) -> None:
        self.kept[name] = value

    def delete(self, name: str) -> None:
        self.kept.pop(name, None)


class GatewayFixture(Gateway):
    """A gateway with short ways to add what a test needs; `records` are those of its finished requests."""

    records: list[RequestRecord]
    calls = 0
    """Calls that were put to it; a request whose caller hangs up before it has arrived is none."""

    async def answer(self, call: Call) -> Exchange:
        """Answer, and count it."""
        self.calls += 1
        return await super().answer(call)

    async def add_provider(self, name: str, base_url: str | None, kind: str = "openai-compatible", **more: Any) -> None:
        """A provider with the credentials `keys` (default: the vendor's own)."""
        credentials = []
        for index, key in enumerate(more.pop("keys", [API_KEY])):
            self.secrets.set(f"provider/{name}/{index}", key)
            credentials.append(CredentialRef(label=str(index), secret=f"provider/{name}/{index}", hint="…"))
        await self.store.providers.insert(
            Provider(id=f"prov_{name}", name=name, kind=kind, base_url=base_url, credentials=tuple(credentials), **more)
        )
        await self.refresh()

    async def add_alias(self, alias: str, *targets: str, timeouts: dict[str, float] | None = None, **more: Any) -> None:
        """An alias for targets given as `provider/model`."""
        parts = [target.partition("/") for target in targets]
        bound = tuple(Target(provider=provider, model=model) for provider, _, model in parts)
        await self.store.models.insert(
            ModelAlias(id=f"mod_{alias}", alias=alias, targets=bound, timeouts=TimeoutOverrides(**(timeouts or {})), **more)
        )
        await self.refresh()

    async def add_key(self, name: str = "tester", key: str = KEY, **more: Any) -> str:
        """A virtual key; its id."""
        await self.store.keys.insert(VirtualKey(id=f"key_{name}", name=name, digest=digest(key), hint="condt_…", **more))
        await self.refresh()
        return f"key_{name}"

    async def add_price(self, pattern: str, input: float, output: float, **more: Any) -> None:
        """US dollars per million tokens."""
        await self.store.prices.insert(Price(pattern=pattern, input=input, output=output, **more))
        await self.refresh()

    async def ask(
        self, model: str, text: str = "hello", *, speaks: str = "openai_chat", key: str | None = KEY, **fields: Any
    ) -> Any:
        """The whole answer's body."""
        exchange = await self.answer(call(model, text, speaks=speaks, key=key, **fields))
        assert isinstance(exchange, WholeReply)
        return orjson.loads(exchange.body)

    async def stream(
        self, model: str, text: str = "hello", *, speaks: str = "openai_chat", key: str | None = KEY, **fields: Any
    ) -> bytes:
        """Everything a streaming caller reads."""
        exchange = await self.answer(call(model, text, speaks=speaks, key=key, stream=True, **fields))
        assert isinstance(exchange, StreamReply)
        try:
            return b"".join([data async for data in exchange.frames])
        finally:
            await exchange.close()


def call(
    model: str, text: str = "hello", *, speaks: str = "openai_chat", key: str | None = KEY, stream: bool = False, **fields: Any
) -> Call:
    """A chat call in the dialect `speaks`."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    if speaks == "anthropic_messages":
        body.setdefault("max_tokens", 100)
    if stream:
        body["stream"] = True
    return Call(dialect(speaks), body, model, stream=stream, credential=key)


@asynccontextmanager
async def open_gateway(home: Home, **settings: Any) -> AsyncIterator[GatewayFixture]:
    """A started gateway; `settings` hold over the defaults."""
    store = Store.open(home)
    gateway = GatewayFixture(store, DictSecrets(), Bus(), settings)
    gateway.records = []
    gateway.bus.subscribe(lambda change: gateway.records.append(change.payload) if change.topic == "requests" else None)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop(1)
        await store.close()
