"""Prices of the operator: what a price needs, one per pattern and start, and the lock of the config file."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions import prices
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewPrice, read
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from tests.actions.conftest import Do


@pytest.mark.parametrize("field", ["input", "output", "per_image", "per_minute", "per_1k_chars"])
async def test_any_one_rate_makes_a_price_and_zero_is_one(do: Do, field: str) -> None:
    assert (await do("PUT", "/prices/x", {field: 0}))[field] == 0


@pytest.mark.parametrize("field", ["cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_in", "audio_out"])
async def test_a_rate_that_only_refines_another_makes_no_price(do: Do, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/x", {field: 1})
    assert raised.value.field == "input"
    assert (await do("GET", "/prices"))["data"] == []


async def test_the_pattern_of_the_body_is_that_of_the_path(do: Do) -> None:
    assert (await do("PUT", "/prices/a%2Fb", {"pattern": "a/b", "input": 1}))["pattern"] == "a/b"
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/a%2Fb", {"pattern": "A/b", "input": 1})
    assert raised.value.field == "pattern"


async def test_a_pattern_has_one_price_for_each_start(do: Do) -> None:
    first = await do("PUT", "/prices/x", {"input": 1})
    await do("PUT", "/prices/x", {"input": 2, "valid_from": "2999-01-01"})
    again = await do("PUT", "/prices/x", {"input": 3})
    assert again["created_at"] == first["created_at"]
    rows = (await do("GET", "/prices"))["data"]
    assert [(row["input"], row["valid_from"]) for row in rows] == [(3, None), (2, "2999-01-01T00:00:00Z")]
    assert (await do("GET", "/prices/x"))["input"] == 3


async def test_removing_a_price_removes_every_start_of_it(do: Do) -> None:
    await do("PUT", "/prices/x", {"input": 1})
    await do("PUT", "/prices/x", {"input": 2, "valid_from": "2999-01-01"})
    await do("DELETE", "/prices/x")
    assert (await do("GET", "/prices"))["data"] == []
    for method in ("GET", "DELETE"):
        with pytest.raises(NotFound):
            await do(method, "/prices/x")


async def test_one_start_that_the_config_file_defines_locks_itself_and_the_removal_of_all(context: AppContext, do: Do) -> None:
    await do("PUT", "/prices/x", {"input": 1})
    later: dict[str, Any] = {"input": 2, "valid_from": "2999-01-01"}
    await prices.put(context, "x", read(NewPrice, later), "file", "file")
    await do("PUT", "/prices/x", {"input": 3})  # another start than the file's
    for method, body in (("PUT", {**later, "input": 4}), ("DELETE", None)):
        with pytest.raises(Conflict, match="config file"):
            await do(method, "/prices/x", body)
    assert [(row["input"], row["locked"]) for row in (await do("GET", "/prices"))["data"]] == [(3, False), (2, True)]


async def test_the_config_file_may_replace_its_own_price(context: AppContext) -> None:
    for rate in (1, 2):
        await prices.put(context, "x", read(NewPrice, {"input": rate}), "file", "file")
    assert [row.input for row in await prices.all_prices(context)] == [2]
