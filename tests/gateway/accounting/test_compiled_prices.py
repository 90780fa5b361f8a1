"""Tariffs that were found are kept until a price changes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from conduit_desktop.core.entities import Price, Provider
from conduit_desktop.gateway.accounting import compiled_prices as tariffs_module
from conduit_desktop.gateway.accounting import pricing
from conduit_desktop.gateway.accounting.compiled_prices import CompiledPrices
from conduit_desktop.gateway.routing.resolve import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider, Credential, Snapshot
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind


def target() -> BoundTarget:
    provider = Provider(id="prov_a", name="a", kind="openai")
    return BoundTarget.of(BoundProvider(provider, bind(provider), (Credential("0", Secrets()),)), "m")


def at(rate: float) -> Snapshot:
    return Snapshot(prices=(Price(pattern="a/m", input=rate, output=rate),))


async def test_a_price_that_changes_while_it_is_looked_up_holds_for_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    one, kept, changed = target(), CompiledPrices(), threading.Event()

    def late(*args: Any) -> Any:
        found = pricing.compile_prices(*args)
        assert changed.wait(10)
        return found

    monkeypatch.setattr(tariffs_module, "tariffs", late)
    asking = asyncio.ensure_future(kept.find([one], at(1.0)))
    await asyncio.sleep(0)
    kept.forget()
    changed.set()
    (old,) = (await asking).values()
    assert old is not None
    assert old.price.input == 1.0
    assert kept.known([one]) is None
    await kept.find([one], at(2.0))
    (new,) = (kept.known([one]) or {}).values()
    assert new is not None
    assert new.price.input == 2.0
