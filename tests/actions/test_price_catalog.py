"""The price catalog over the admin API: shown in parts, and replaced by a newer one from the operator's address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from conduit_desktop.core.errors import Conflict, Invalid
from tests.actions.conftest import Do

TODAY = datetime.now(UTC).date()


def newer(days: int = 1) -> bytes:
    row = {"url": "https://v", "prices": [[{"input": 7, "output": 8}]], "models": {"gpt-4o": 0}}
    date = (TODAY + timedelta(days=days)).isoformat()
    return orjson.dumps({"date": date, "source": "a test", "providers": {"openai": row}})


@asynccontextmanager
async def serving(body: bytes, status: int = 200) -> AsyncIterator[str]:
    async def get(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_get("/prices.json", get)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/prices.json"
    finally:
        await runner.cleanup()


async def test_the_catalog_is_shown_in_parts_with_its_date_and_source(do: Do):
    first = await do("GET", "/catalog/prices", limit="2", q="openai/gpt-4o-mini")
    assert first["is_built_in"]
    assert first["date"]
    assert first["models"] > 5000
    assert len(first["data"]) == 2
    second = await do("GET", "/catalog/prices", limit="2", q="openai/gpt-4o-mini", cursor=first["next"])
    names = [f"{row['provider']}/{row['model']}" for row in (*first["data"], *second["data"])]
    assert names == sorted(set(names))
    assert all("openai/gpt-4o-mini" in name for name in names)


async def test_a_newer_catalog_is_taken_and_its_prices_hold_at_once(do: Do):
    async with serving(newer()) as url:
        await do("PATCH", "/settings", {"catalog_url": url})
        made = await do("POST", "/catalog/prices/refresh")
    assert (made["source"], made["models"]) == ("a test", 1)
    shown = await do("GET", "/catalog/prices")
    assert not shown["is_built_in"]
    assert [(row["provider"], row["model"], row["input"]) for row in shown["data"]] == [("openai", "gpt-4o", 7)]
    audit = await do("GET", "/audit")
    assert audit["data"][0]["action"] == "catalog.refresh"


@pytest.mark.parametrize(("body", "status"), [(b"{}", 200), (b"", 200), (newer(), 404), (newer(40), 200)])
async def test_what_is_no_catalog_is_refused_and_the_one_in_use_stays(do: Do, body: bytes, status: int):
    before: dict[str, Any] = await do("GET", "/catalog/prices")
    async with serving(body, status) as url:
        await do("PATCH", "/settings", {"catalog_url": url})
        with pytest.raises(Invalid):
            await do("POST", "/catalog/prices/refresh")
    assert await do("GET", "/catalog/prices") == before


async def test_a_catalog_that_is_not_newer_is_refused(do: Do):
    async with serving(newer(-3000)) as url:
        await do("PATCH", "/settings", {"catalog_url": url})
        with pytest.raises(Conflict):
            await do("POST", "/catalog/prices/refresh")


@pytest.mark.parametrize("url", ["https://user:secret@host/prices.json", "https://token@host"])
async def test_an_address_with_a_credential_is_refused_since_settings_are_no_secrets(do: Do, url: str):
    with pytest.raises(Invalid, match="catalog_url: must not hold a user name or password"):
        await do("PATCH", "/settings", {"catalog_url": url})
    await do("PATCH", "/settings", {"catalog_url": "https://host/@user/prices.json"})


@pytest.mark.parametrize("url", ["", "http://prices.example.org/prices.json", "ftp://127.0.0.1/x"])
async def test_only_an_address_of_the_operator_that_nobody_can_write_on_the_way_is_called(do: Do, url: str):
    await do("PATCH", "/settings", {"catalog_url": url})
    with pytest.raises(Invalid):
        await do("POST", "/catalog/prices/refresh")
