"""Virtual keys: shown once, kept as a digest, refused when they are gone."""

from __future__ import annotations

import hashlib
import re

import pytest

from conduit_desktop.actions.house import House
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do


async def test_a_key_is_shown_once_and_kept_as_its_digest(house: House, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "laptop"})
    assert re.fullmatch(r"condt_[A-Za-z0-9_-]{43}", made["key"])
    kept = await house.store.keys.get(made["id"])
    assert kept is not None
    assert kept.digest == hashlib.sha256(made["key"].encode()).hexdigest()
    assert made["hint"] == f"condt_…{made['key'][-4:]}"
    assert "key" not in await do("GET", f"/keys/{made['id']}")
    assert made["key"] not in repr(made["hint"]) + repr(kept)


async def test_a_rotated_key_replaces_the_old_one_at_once(house: House, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "laptop", "rpm": 5})
    rotated = await do("POST", f"/keys/{made['id']}/rotate")
    assert (rotated["id"], rotated["rpm"]) == (made["id"], 5)
    digests = house.gateway.snapshot.keys_by_digest
    assert hashlib.sha256(rotated["key"].encode()).hexdigest() in digests
    assert hashlib.sha256(made["key"].encode()).hexdigest() not in digests


async def test_a_key_is_found_by_its_name_too(do: Do) -> None:
    made = await do("POST", "/keys", {"name": "My laptop"})
    assert (await do("GET", "/keys/my%20laptop"))["id"] == made["id"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "active"), ({"enabled": False}, "disabled"), ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
        ({"expires_at": "2999-01-01T00:00:00+02:00"}, "active"), ({"budget_usd": 0}, "budget_spent"),
    ],
)  # fmt: skip
async def test_the_status_says_whether_a_key_opens(do: Do, fields: dict[str, object], status: str) -> None:
    assert (await do("POST", "/keys", {"name": "a", **fields}))["status"] == status


async def test_reset_spend_counts_from_here_twice_over(house: House, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a", "budget_usd": 10})
    path = f"/keys/{made['id']}"

    async def spend(id: str, usd: int) -> None:
        record = RequestRecord(id=id, started_at=1_790_000_000_000, key_id=made["id"], key_name="a", cost_nano=usd * 10**9)
        await house.store.ledger.record(record)
        await house.gateway.reload_spend()

    await spend("one", 4)
    assert (await do("GET", path))["spend_usd"] == 4
    assert (await do("POST", f"{path}/reset-spend"))["spend_usd"] == 0
    await spend("two", 3)
    assert (await do("GET", path))["spend_usd"] == 3
    assert (await do("POST", f"{path}/reset-spend"))["spend_usd"] == 0
    assert (await do("GET", "/usage"))["data"][0]["cost_usd"] == 7


async def test_null_lifts_a_limit(do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a", "budget_usd": 2.5, "rpm": 3, "models": ["gpt-*"], "metadata": {"team": "x"}})
    changed = await do("PATCH", f"/keys/{made['id']}", {"budget_usd": None, "rpm": None, "models": None, "metadata": None})
    assert (changed["budget_usd"], changed["rpm"], changed["models"], changed["metadata"]) == (None, None, [], {})


async def test_a_removed_key_is_unknown_at_once(house: House, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a"})
    await do("DELETE", f"/keys/{made['id']}")
    assert house.gateway.snapshot.keys == {}
