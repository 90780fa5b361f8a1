"""Repricing: only unknown costs, all of them, and the spend of keys with them."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions import repricing
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do

AT = 1_790_000_000_000


async def record(context: AppContext, id: str, **fields: Any) -> None:
    made = RequestRecord(**{"id": id, "started_at": AT, "provider": "gpu", "upstream_model": "m", "input": 1_000_000, **fields})
    await context.store.ledger.record(made)


async def costs(do: Do) -> dict[str, Any]:
    return {row["id"]: row["cost_usd"] for row in (await do("GET", "/requests", limit="500"))["data"]}


async def test_a_known_cost_stays_as_it_is_even_if_it_is_nothing(context: AppContext, do: Do) -> None:
    await record(context, "known", cost_nano=5_000_000_000, cost_state="final")
    await record(context, "free", cost_nano=0, cost_state="final")
    await record(context, "guessed", cost_nano=7_000_000_000, cost_state="estimated")
    await record(context, "unknown")
    await record(context, "refused", status="refused")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    assert await do("POST", "/prices/reprice") == {"repriced": 1}
    assert await costs(do) == {"known": 5, "free": 0, "guessed": 7, "unknown": 2, "refused": None}
    assert await do("POST", "/prices/reprice") == {"repriced": 0}


async def test_every_class_of_tokens_is_counted(context: AppContext, do: Do) -> None:
    counts = {"cache_read": 2_000_000, "cache_write": 3_000_000, "output": 5_000_000, "reasoning": 1_000_000, "audio_in": 7_000_000,
              "audio_out": 11_000_000}  # fmt: skip
    await record(context, "a", **counts)
    rates = {"input": 1, "cache_read": 10, "cache_write": 100, "output": 1000, "reasoning": 2000, "audio_in": 5, "audio_out": 7}
    await do("PUT", "/prices/gpu/m", rates)
    await do("POST", "/prices/reprice")
    # `output` holds the reasoning tokens and not the audio.
    assert await costs(do) == {"a": 1 + 20 + 300 + 4 * 1000 + 2000 + 35 + 77}


async def test_more_records_than_one_batch_are_all_priced(context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "BATCH", 2)
    for number in range(5):
        await record(context, f"r{number}", upstream_model="dark" if number < 3 else "m")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    assert await do("POST", "/prices/reprice") == {"repriced": 2}
    assert await costs(do) == {"r0": None, "r1": None, "r2": None, "r3": 2, "r4": 2}


async def test_a_repriced_request_counts_against_its_key(context: AppContext, do: Do) -> None:
    key = await do("POST", "/keys", {"name": "a", "budget_usd": 1})
    await record(context, "a", key_id=key["id"], key_name="a")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await do("POST", "/prices/reprice")
    found = await do("GET", f"/keys/{key['id']}")
    assert (found["spend_usd"], found["status"]) == (2, "budget_spent")


async def test_the_catalog_is_not_read_where_it_is_switched_off(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_key": "k"})
    await record(context, "a", provider="openai", upstream_model="gpt-4o-mini")
    await do("PATCH", "/settings", {"catalog_prices": False})
    assert await do("POST", "/prices/reprice") == {"repriced": 0}
    await do("PATCH", "/settings", {"catalog_prices": True})
    assert await do("POST", "/prices/reprice") == {"repriced": 1}


@pytest.mark.parametrize("endpoint", ["images", "image_edits", "speech", "transcriptions", "translations"])
async def test_an_endpoint_billed_by_unit_stays_unknown_without_tokens(context: AppContext, do: Do, endpoint: str) -> None:
    await record(context, "a", endpoint=endpoint, input=0)
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await do("POST", "/prices/reprice")
    assert await costs(do) == {"a": None}


@pytest.mark.parametrize("tokens", ["output", "audio_in"])
async def test_an_endpoint_billed_by_unit_is_priced_by_tokens_it_reported(context: AppContext, do: Do, tokens: str) -> None:
    await record(context, "a", endpoint="speech", input=1_000_000, **{tokens: 1_000_000})
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 3, "audio_in": 3})
    await do("POST", "/prices/reprice")
    assert await costs(do) == {"a": 5}
