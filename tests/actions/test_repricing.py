"""Re-pricing: which costs change, at which prices, what stays an estimate, and the spend of keys with them."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions import repricing
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.records import AttemptRecord, RequestRecord
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
    assert (await do("POST", "/prices/reprice"))["repriced"] == 1
    assert await costs(do) == {"known": 5, "free": 0, "guessed": 7, "unknown": 2, "refused": None}
    assert (await do("POST", "/prices/reprice"))["repriced"] == 0


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
    assert (await do("POST", "/prices/reprice"))["repriced"] == 2
    assert await costs(do) == {"r0": None, "r1": None, "r2": None, "r3": 2, "r4": 2}


async def test_a_repriced_request_counts_against_its_key(context: AppContext, do: Do) -> None:
    key = await do("POST", "/keys", {"name": "a", "budget_usd": 1})
    await record(context, "a", key_id=key["id"], key_name="a")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await do("POST", "/prices/reprice")
    found = await do("GET", f"/keys/{key['id']}")
    assert (found["spend_usd"], found["status"]) == (2, "budget_spent")


async def test_the_attempt_that_answered_gets_the_new_cost_and_a_failed_one_keeps_its_own(context: AppContext, do: Do) -> None:
    failed = AttemptRecord("other", "n", outcome="malformed", cost_nano=500_000_000)
    await record(
        context, "a", attempts=[failed, AttemptRecord("gpu", "m", outcome="ok")], attempts_nano=500_000_000, status="success"
    )
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await do("POST", "/prices/reprice")
    found = await do("GET", "/requests/a")
    assert (found["cost_usd"], [attempt["cost_usd"] for attempt in found["attempts"]]) == (2.5, [0.5, 2])


async def test_the_catalog_is_not_read_where_it_is_switched_off(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_key": "k"})
    await record(context, "a", provider="openai", upstream_model="gpt-4o-mini")
    await do("PATCH", "/settings", {"catalog_prices": False})
    assert (await do("POST", "/prices/reprice"))["repriced"] == 0
    await do("PATCH", "/settings", {"catalog_prices": True})
    assert (await do("POST", "/prices/reprice"))["repriced"] == 1


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


async def reprice(do: Do, **body: Any) -> tuple[int, int, float, float]:
    answer = await do("POST", "/prices/reprice", body)
    return answer["repriced"], answer["changed"], answer["before_usd"], answer["after_usd"]


async def test_a_preview_says_what_would_change_and_changes_nothing(context: AppContext, do: Do) -> None:
    await record(context, "unknown")
    await record(context, "known", cost_nano=5_000_000_000, cost_state="final")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    before = await costs(do)
    audited = len((await do("GET", "/audit"))["data"])
    assert await reprice(do, mode="all", preview=True) == (2, 1, 5, 4)
    assert await costs(do) == before
    assert len((await do("GET", "/audit"))["data"]) == audited
    assert await reprice(do, mode="all") == (2, 1, 5, 4)
    assert await costs(do) == {"unknown": 2, "known": 2}
    assert await reprice(do, mode="all") == (0, 0, 0, 0)


async def test_each_request_gets_the_price_of_its_day(context: AppContext, do: Do) -> None:
    starts = {"2026-09-01": 1, "2026-09-21": 2, "2026-09-23": 3}
    for day, rate in starts.items():
        await do("PUT", "/prices/gpu/m", {"input": rate, "output": 0, "valid_from": day})
    for number, day in enumerate((-40, -10, 0, 1, 2, 3)):
        await record(context, f"r{number}", started_at=AT + day * 86_400_000)  # AT is on 2026-09-21
    assert (await reprice(do))[0] == 5
    assert await costs(do) == {"r0": None, "r1": 1, "r2": 2, "r3": 2, "r4": 3, "r5": 3}


async def test_an_estimate_stays_an_estimate(context: AppContext, do: Do) -> None:
    await record(context, "guessed", cost_nano=1, cost_state="estimated")
    await record(context, "broken", status="broken")
    await record(context, "counted", units={"estimated": True})
    await record(context, "unclear", units={"unclear": ["advisor"]})
    await record(context, "sure")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await reprice(do, mode="all")
    states = {row["id"]: row["cost_state"] for row in (await do("GET", "/requests"))["data"]}
    assert states == {"sure": "final", **dict.fromkeys(("guessed", "broken", "counted", "unclear"), "estimated")}


async def test_what_a_provider_billed_is_not_corrected(context: AppContext, do: Do) -> None:
    await record(context, "a", cost_nano=7, cost_state="final", price_source="provider_reported")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    assert await reprice(do, mode="all") == (0, 0, 0, 0)


async def test_units_lifetimes_tiers_and_searches_have_their_own_prices(context: AppContext, do: Do) -> None:
    rates = {"input": 1, "output": 1, "cache_write": 2, "cache_write_1h": 4, "per_search": 0.5, "per_minute": 6, "min_seconds": 10,
             "per_1k_chars": 3, "per_image": [{"size": "big", "quality": "high", "usd": 0.25}, {"usd": 0.05}],
             "service_tiers": {"flex": 0.5}}  # fmt: skip
    await do("PUT", "/prices/gpu/m", rates)
    await record(context, "hour", input=0, cache_write=3_000_000, units={"cache_write_1h": 1_000_000})
    await record(context, "flex", service_tier="flex", units={"searches": 2})
    await record(context, "pictures", endpoint="images", input=0, units={"images": 2, "image_size": "big", "image_quality": "high"})
    await record(context, "speech", endpoint="speech", input=0, units={"characters": 500})
    await record(context, "short", endpoint="transcriptions", input=0, units={"seconds": 3.0})
    await reprice(do)
    assert await costs(do) == {"hour": 2 * 2 + 4, "flex": 0.5 + 1, "pictures": 0.5, "speech": 1.5, "short": 1}


async def test_failed_attempts_stay_in_the_cost_and_its_breakdown(context: AppContext, do: Do) -> None:
    line = {"class": "failed_attempts", "units": 1, "per": 1, "price_nano": 10**9, "cost_nano": 10**9}
    await record(context, "a", cost_nano=10**9, cost_state="estimated", attempts_nano=10**9, cost_breakdown=[line])
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await reprice(do, mode="all")
    row = await do("GET", "/requests/a")
    assert row["cost_usd"] == 3
    assert [one["class"] for one in row["cost_breakdown"]] == ["input", "failed_attempts"]
    assert sum(one["cost_usd"] for one in row["cost_breakdown"]) == 3


async def test_a_request_keeps_its_former_costs_with_their_corrector(context: AppContext, do: Do) -> None:
    await record(context, "a", cost_nano=5_000_000_000, cost_state="final", price_source="catalog", price_date="2026-01-01")
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 2})
    await reprice(do, mode="all", model="gpu/m")
    row = await do("GET", "/requests/a")
    assert (row["cost_usd"], row["price_source"]) == (2, "override")
    [former] = row["corrections"]
    assert (former["actor"], former["cost_usd"], former["price_source"]) == ("admin", 5, "catalog")
    assert former["at"]
    [entry, *_] = (await do("GET", "/audit"))["data"]
    assert (entry["action"], entry["subject"], entry["changes"]) == ("price.reprice", "gpu/m", {"repriced": 1})


async def test_only_the_chosen_time_and_model_are_repriced(context: AppContext, do: Do) -> None:
    for number in range(3):
        await record(context, f"r{number}", started_at=AT + number * 86_400_000)
    await do("PUT", "/prices/*", {"input": 2, "output": 2})
    assert (await reprice(do, model="other"))[0] == 0
    assert (await reprice(do, since="2026-09-22", until="2026-09-23"))[0] == 1
    assert await costs(do) == {"r0": None, "r1": 2, "r2": None}


async def test_the_price_is_that_of_the_model_which_answered(context: AppContext, do: Do) -> None:
    deployment = AttemptRecord("azure", "my-deployment")
    await do("POST", "/providers", {"name": "azure", "kind": "azure", "base_url": "https://x.openai.azure.com", "api_key": "k"})
    await record(context, "a", provider="azure", upstream_model="gpt-4o-mini-2024-07-18", attempts=[deployment])
    assert (await reprice(do))[0] == 1
    assert (await costs(do))["a"] == 0.15
    await do("PUT", "/prices/azure/my-deployment", {"input": 2, "output": 2})
    assert await reprice(do, mode="all") == (1, 1, 0.15, 2)
