"""Virtual keys: shown once, kept as a digest, refused when they are gone."""

from __future__ import annotations

import hashlib
import re

import pytest

from conduit_desktop.actions import keys
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, read
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.budgets import BudgetAccount
from tests.actions.conftest import Do


async def test_a_key_is_shown_once_and_kept_as_its_digest(context: AppContext, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "laptop"})
    assert re.fullmatch(r"condt_[A-Za-z0-9_-]{43}", made["key"])
    kept = await context.store.keys.get(made["id"])
    assert kept is not None
    assert kept.digest == hashlib.sha256(made["key"].encode()).hexdigest()
    assert made["hint"] == f"condt_…{made['key'][-4:]}"
    assert "key" not in await do("GET", f"/keys/{made['id']}")
    assert made["key"] not in repr(made["hint"]) + repr(kept)


async def test_a_rotated_key_replaces_the_old_one_at_once(context: AppContext, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "laptop", "rpm": 5})
    rotated = await do("POST", f"/keys/{made['id']}/rotate")
    assert (rotated["id"], rotated["rpm"]) == (made["id"], 5)
    digests = context.gateway.snapshot.keys_by_digest
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


async def test_reset_spend_counts_from_here_twice_over(context: AppContext, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a", "budget_usd": 10})
    path = f"/keys/{made['id']}"

    async def spend(id: str, usd: int) -> None:
        record = RequestRecord(id=id, started_at=1_790_000_000_000, key_id=made["id"], key_name="a", cost_nano=usd * 10**9)
        await context.store.ledger.record(record)
        await context.gateway.state.reload_spend()

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


async def test_a_removed_key_is_unknown_at_once(context: AppContext, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a"})
    await do("DELETE", f"/keys/{made['id']}")
    assert context.gateway.snapshot.keys == {}


async def test_only_the_digest_of_the_newest_key_is_known_after_each_rotation(context: AppContext, do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a"})
    for _ in range(2):
        rotated = await do("POST", "/keys/a/rotate")
        assert rotated["key"] != made["key"]
        wanted = hashlib.sha256(rotated["key"].encode()).hexdigest()
        assert list(context.gateway.snapshot.keys_by_digest) == [wanted]
        assert [key.digest for key in await context.store.keys.all()] == [wanted]
        assert rotated["hint"] == f"condt_…{rotated['key'][-4:]}"


async def test_a_name_that_another_key_has_is_a_conflict_whatever_its_case(do: Do) -> None:
    await do("POST", "/keys", {"name": "a"})
    await do("POST", "/keys", {"name": "b"})
    with pytest.raises(Conflict) as raised:
        await do("PATCH", "/keys/b", {"name": "A"})
    assert raised.value.field == "name"
    assert (await do("PATCH", "/keys/a", {"name": "A"}))["name"] == "A"


async def test_a_name_cannot_be_cleared(do: Do) -> None:
    await do("POST", "/keys", {"name": "a"})
    with pytest.raises(Invalid) as raised:
        await do("PATCH", "/keys/a", {"name": None})
    assert raised.value.field == "name"


async def test_a_key_expires_at_its_time_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    key = VirtualKey(id="k", name="k", digest="", hint="", expires_at=1000)
    for now, wanted in ((999, "active"), (1000, "expired"), (1001, "expired")):
        monkeypatch.setattr(keys, "now_ms", lambda now=now: now)
        assert keys.status(key, BudgetAccount()) == wanted


def test_a_budget_is_spent_when_the_spend_reaches_it() -> None:
    key = VirtualKey(id="k", name="k", digest="", hint="", budget_nano=10)
    account = BudgetAccount()
    for spent, wanted in ((9, "active"), (10, "budget_spent"), (11, "budget_spent")):
        account.spend_nano = spent
        assert keys.status(key, account) == wanted
    assert keys.status(key.model_copy(update={"enabled": False}), account) == "disabled"


async def test_a_new_key_does_not_print_itself(context: AppContext) -> None:
    made = await keys.create(context, read(NewKey, {"name": "a"}), "gui")
    assert made.key not in repr(made)
    assert made.key not in str(made)


async def test_a_key_is_made_of_32_random_bytes() -> None:
    assert len({keys.fresh() for _ in range(100)}) == 100
    assert re.fullmatch(r"condt_[A-Za-z0-9_-]{43}", keys.fresh())


async def test_the_audit_log_names_what_rotation_removal_and_reset_did_and_no_key(do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a"})
    rotated = await do("POST", "/keys/a/rotate")
    await do("POST", "/keys/a/reset-spend")
    await do("DELETE", "/keys/a")
    rows = (await do("GET", "/audit"))["data"]
    assert [(row["action"], row["changes"]) for row in rows[:3]] == [
        ("key.remove", {"hint": rotated["hint"]}), ("key.reset-spend", {"spend_usd": 0}), ("key.rotate", {"hint": rotated["hint"]}),
    ]  # fmt: skip
    assert made["key"] not in str(rows)
    assert rotated["key"] not in str(rows)


async def test_a_removed_key_is_not_found_by_any_verb(do: Do) -> None:
    made = await do("POST", "/keys", {"name": "a"})
    await do("DELETE", f"/keys/{made['id']}")
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/reset-spend")):
        with pytest.raises(NotFound):
            await do(method, f"/keys/{made['id']}{path}")
