"""Prices of the operator: what a price needs, one per pattern and start, and the lock of the config file."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import quote

import pytest

from conduit_desktop.actions import price_csv, prices
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.price_csv import MOST_ROWS
from conduit_desktop.actions.schemas.inputs import NewPrice, read
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog
from tests.actions.conftest import Do


@pytest.mark.parametrize("field", ["per_image", "per_minute", "per_1k_chars", "per_search", "per_request"])
async def test_any_one_rate_by_unit_makes_a_price_and_zero_is_one(do: Do, field: str) -> None:
    assert (await do("PUT", "/prices/x", {field: 0}))[field] == 0


@pytest.mark.parametrize("missing", ["input", "output"])
@pytest.mark.parametrize("given", [{"input": 1, "output": 2}, {"input": 0, "output": 0}, {"input": 1, "output": 2, "per_image": 3}])
async def test_half_a_price_is_refused_and_names_the_half_that_is_missing(do: Do, missing: str, given: dict[str, float]) -> None:
    half = {name: rate for name, rate in given.items() if name != missing}
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/x", half)
    assert raised.value.field == missing
    assert (await do("GET", "/prices"))["data"] == []
    assert (await do("PUT", "/prices/x", given))["output"] == given["output"]


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("per_image", -1, "per_image"),
        ("per_image", {}, "per_image"),
        ("per_image", [{"size": "1024x1024"}], "per_image[0].usd"),
        ("per_image", [{"usd": 1}, {"usd": -1}], "per_image[1].usd"),
        ("per_image", [{"usd": 1, "sise": "x"}], "per_image[0].sise"),
        ("per_image", [{"size": "1x1", "usd": 1}, {"size": "1X1 ", "usd": 2}], "per_image"),
        ("tiers", [{"above_input_tokens": 9, "input": 1}, {"above_input_tokens": 9, "input": 2}], "tiers"),
    ],
)
async def test_a_wrong_or_ambiguous_rate_is_refused_with_its_path(do: Do, field: str, value: object, path: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/x", {"input": 1, "output": 1, field: value})
    assert raised.value.field == path
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("pattern", [" x", "x ", "\x1b[31m", "x" * 301])
async def test_a_pattern_in_the_path_is_checked_as_one_in_the_body(do: Do, pattern: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("PUT", f"/prices/{quote(pattern, safe='')}", {"input": 1, "output": 1})
    assert raised.value.field == "pattern"


@pytest.mark.parametrize(
    "field", ["cache_read", "cache_write", "cache_write_1h", "reasoning", "audio_in", "image_in", "min_seconds"]
)
async def test_a_rate_that_only_refines_another_makes_no_price(do: Do, field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/x", {field: 1})
    assert raised.value.field == "input"
    assert (await do("GET", "/prices"))["data"] == []


EVERYTHING = {
    "input": 0.000001, "output": 2, "cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2, "reasoning": 3, "audio_in": 4,
    "audio_out": 5, "image_in": 6, "image_out": 7, "per_image": [{"size": "1024x1024", "quality": "high", "usd": 0.19}],
    "per_minute": 0.006, "min_seconds": 10, "per_1k_chars": 0.015, "per_search": 0.01, "per_request": 0.5,
    "tiers": [{"above_input_tokens": 200_000, "input": 3, "output": 6}], "service_tiers": {"flex": 0.5, "speed:fast": 6},
    "valid_from": "2027-01-31T12:00:00Z",
}  # fmt: skip


async def test_csv_carries_every_price_with_all_it_has(do: Do) -> None:
    await do("PUT", "/prices/a%2F*", EVERYTHING)
    await do("PUT", "/prices/plain", {"input": 1, "output": 2})
    formula = '=cmd|x,"y"'
    await do("PUT", f"/prices/{quote(formula, safe='')}", {"per_image": 0.04})
    before = (await do("GET", "/prices"))["data"]
    text = (await do("GET", "/prices.csv")).text
    assert "e-" not in text
    assert ",=cmd" not in text
    assert not any(line.startswith(("=", '"=')) for line in text.splitlines())
    for row in before:
        await do("DELETE", f"/prices/{quote(row['pattern'], safe='')}")
    assert await do("POST", "/prices.csv", text) == {"imported": 3}
    after = (await do("GET", "/prices"))["data"]
    stamps = ("created_at", "updated_at")
    assert [{k: v for k, v in row.items() if k not in stamps} for row in after] == [
        {k: v for k, v in row.items() if k not in stamps} for row in before
    ]


@pytest.mark.parametrize(
    ("text", "message", "field"),
    [
        ("model,input\nx,1\n", "line 1: there is no column `pattern`", "line 1"),
        ("pattern,price\nx,1\n", "line 1: there is no column 'price'", "line 1"),
        ("pattern,input,output\nx,1,2\ny,cheap,2\n", "line 3: input: 'cheap' is not a number", "line 3: input"),
        ("pattern,input,output\nx,-1,2\n", "line 2: input: must be greater than or equal to 0", "line 2: input"),
        ("pattern,input,output\nx,NaN,2\n", "line 2: input: 'NaN' is not a number", "line 2: input"),
        ("pattern,input,output\nx,1,2\ny,1,\n", "line 3: output: a price for tokens needs input and output", "line 3: output"),
        ("pattern,input,output\nx,1,2\nX,1,3\n", "line 3: 'X' is there twice", "line 3: pattern"),
        ("pattern,input,output\nx,1,2,3\n", "line 2: has more cells than the heading", "line 2"),
        ("pattern,input,output\n,1,2\n", "line 2: pattern: must be 1 to 300 printable characters", "line 2: pattern"),
        ('pattern,input,output\n"x,1,2\n', "is not valid CSV", "line 2"),
        ("", "there is no column `pattern`", "line 1"),
    ],
)
async def test_a_csv_with_one_bad_row_sets_nothing_and_names_its_line_and_column(
    do: Do, text: str, message: str, field: str
) -> None:
    with pytest.raises(Invalid, match=re.escape(message)) as raised:
        await do("POST", "/prices.csv", text)
    assert raised.value.field == field
    assert (await do("GET", "/prices"))["data"] == []


async def test_a_csv_of_too_many_prices_is_refused_at_the_first_that_is_too_many(do: Do) -> None:
    """300,000 of them held the loop for 1.3 s and took 1.6 GB."""
    rows = "".join(f"m{at},1,2\n" for at in range(MOST_ROWS + 1))
    with pytest.raises(Invalid, match=re.escape(f"line {MOST_ROWS + 2}: a file may have {MOST_ROWS:,} prices")):
        await do("POST", "/prices.csv", "pattern,input,output\n" + rows + "not,read,at,all\n")
    assert (await do("GET", "/prices"))["data"] == []


async def test_an_export_of_the_whole_catalog_can_be_imported_again(do: Do, context: AppContext) -> None:
    catalog = PriceCatalog.load(context.home.prices)
    found = [(name, catalog.find(*name, now_ms())) for name in catalog.names()]
    rows = [one.price.model_copy(update={"pattern": "/".join(name)}) for name, one in found if one is not None]
    # As many again are left: a newer catalog is larger.
    assert MOST_ROWS > 2 * len(rows) > 10_000
    text = price_csv.write(map(prices.view, rows))
    assert (await do("POST", "/prices.csv", text))["imported"] == len(rows)
    exported = (await do("GET", "/prices.csv")).text
    assert sorted(exported.splitlines()) == sorted(text.splitlines())
    assert (await do("POST", "/prices.csv", exported))["imported"] == len(rows)


async def test_many_prices_are_listed_off_the_loop(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"m{at},1,2\n" for at in range(200))
    await do("POST", "/prices.csv", "pattern,input,output\n" + rows)
    threads: set[int] = set()
    view = prices.view
    monkeypatch.setattr(prices, "view", lambda price: (threads.add(threading.get_ident()), view(price))[1])
    assert (await do("GET", "/prices"))["data"]
    assert threads
    assert threading.get_ident() not in threads


async def test_the_pattern_of_the_body_is_that_of_the_path(do: Do) -> None:
    assert (await do("PUT", "/prices/a%2Fb", {"pattern": "a/b", "input": 1, "output": 1}))["pattern"] == "a/b"
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/prices/a%2Fb", {"pattern": "A/b", "input": 1, "output": 1})
    assert raised.value.field == "pattern"


async def test_a_pattern_has_one_price_for_each_start(do: Do) -> None:
    first = await do("PUT", "/prices/x", {"input": 1, "output": 1})
    await do("PUT", "/prices/x", {"input": 2, "output": 1, "valid_from": "2999-01-01"})
    again = await do("PUT", "/prices/x", {"input": 3, "output": 1})
    assert again["created_at"] == first["created_at"]
    rows = (await do("GET", "/prices"))["data"]
    assert [(row["input"], row["valid_from"]) for row in rows] == [(3, None), (2, "2999-01-01T00:00:00Z")]
    assert (await do("GET", "/prices/x"))["input"] == 3


async def test_removing_a_price_removes_every_start_of_it(do: Do) -> None:
    await do("PUT", "/prices/x", {"input": 1, "output": 1})
    await do("PUT", "/prices/x", {"input": 2, "output": 1, "valid_from": "2999-01-01"})
    await do("DELETE", "/prices/x")
    assert (await do("GET", "/prices"))["data"] == []
    for method in ("GET", "DELETE"):
        with pytest.raises(NotFound):
            await do(method, "/prices/x")


async def test_one_start_that_the_config_file_defines_locks_itself_and_the_removal_of_all(context: AppContext, do: Do) -> None:
    await do("PUT", "/prices/x", {"input": 1, "output": 1})
    later: dict[str, Any] = {"input": 2, "output": 1, "valid_from": "2999-01-01"}
    await prices.put(context, "x", read(NewPrice, later), "file", "file")
    await do("PUT", "/prices/x", {"input": 3, "output": 1})  # another start than the file's
    for method, body in (("PUT", {**later, "input": 4}), ("DELETE", None)):
        with pytest.raises(Conflict, match="config file"):
            await do(method, "/prices/x", body)
    assert [(row["input"], row["locked"]) for row in (await do("GET", "/prices"))["data"]] == [(3, False), (2, True)]


async def test_the_config_file_may_replace_its_own_price(context: AppContext) -> None:
    for rate in (1, 2):
        await prices.put(context, "x", read(NewPrice, {"input": rate, "output": 1}), "file", "file")
    assert [row.input for row in await prices.all_prices(context)] == [2]
