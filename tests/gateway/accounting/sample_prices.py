"""Compiled prices for the tests of prices and costs."""

from __future__ import annotations

from conduit_desktop.core.entities import Price
from conduit_desktop.core.events import Usage
from conduit_desktop.gateway.accounting.compiled_price import CompiledPrice, compile_price
from conduit_desktop.gateway.accounting.cost import price_answer

CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "audio_in", "audio_out")


def compiled_price(**rates: object) -> CompiledPrice:
    made = compile_price(Price.model_validate({"pattern": "p/m", **rates}))
    assert made is not None
    return made


def cost(price: CompiledPrice | None, usage: Usage) -> int | None:
    return price_answer(price, usage).nano


FULL = compiled_price(
    input=3, output=15, cache_read=0.3, cache_write=3.75, cache_write_1h=6, reasoning=20, audio_in=40, audio_out=80
)  # fmt: skip
