"""Providers: where their secrets go, and what a failure leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions.house import House
from conduit_desktop.core.errors import Conflict, Invalid
from tests.actions.conftest import OPENAI, Do
from tests.fakes.house import DictSecrets, heard


@pytest.fixture
def kept(house: House) -> dict[str, str]:
    assert isinstance(house.secrets, DictSecrets)
    return house.secrets.kept


async def test_a_key_goes_to_the_secrets_and_only_its_hint_comes_back(do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {**OPENAI, "headers": {"X-Org": "organization-0123456789"}})
    assert made["keys"] == [{"label": "default", "hint": "sk-…WXYZ", "weight": 1}]
    assert made["headers"] == {"X-Org": "…6789"}
    assert kept == {
        f"provider/{made['id']}/default": OPENAI["api_key"], f"header/{made['id']}/x-org": "organization-0123456789",
    }  # fmt: skip


async def test_a_key_from_the_environment_stays_a_reference(house: House, do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {**OPENAI, "api_key": "env:MY_KEY"})
    assert made["keys"][0]["hint"] == "env:MY_KEY"
    assert kept == {}
    provider = await house.store.providers.get("openai")
    assert provider is not None
    assert provider.credentials[0].secret == "env:MY_KEY"


async def test_a_refused_provider_leaves_no_secret(do: Do, kept: dict[str, str]) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)
    with pytest.raises(Conflict):
        await do("POST", "/providers", OPENAI)
    with pytest.raises(Invalid):
        await do("POST", "/providers", {**OPENAI, "name": "b", "kind": "openai-compatible"})
    assert kept == before


async def test_a_failed_change_puts_the_old_secret_back(house: House, do: Do, kept: dict[str, str], monkeypatch: Any) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(house.store.providers, "replace_in", full)
    with pytest.raises(OSError, match="disk full"):
        await do("PATCH", "/providers/openai", {"api_key": "sk-another-0123456789abcdef", "headers": {"X-New": "value"}})
    assert kept == before


async def test_a_locked_keyring_changes_nothing(house: House, do: Do) -> None:
    assert isinstance(house.secrets, DictSecrets)
    house.secrets.broken = True
    with pytest.raises(OSError, match="locked"):
        await do("POST", "/providers", OPENAI)
    assert (await do("GET", "/providers"))["data"] == []


async def test_several_keys_keep_their_secrets_by_label(do: Do, kept: dict[str, str]) -> None:
    keys = [{"label": "a", "api_key": "sk-aaaaaaaaaaaaaaaa1111"}, {"label": "b", "api_key": "sk-bbbbbbbbbbbbbbbb2222", "weight": 3}]
    made = await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": keys})
    changed = await do("PATCH", "/providers/openai", {"api_keys": [{"label": "b"}, {"label": "c", "api_key": "env:C"}]})
    assert [(key["label"], key["hint"]) for key in changed["keys"]] == [("b", "sk-…2222"), ("c", "env:C")]
    assert kept == {f"provider/{made['id']}/b": "sk-bbbbbbbbbbbbbbbb2222"}


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ([{"label": "a"}], "api_keys[0].api_key"),
        ([{"label": "a", "api_key": "x"}, {"label": "a", "api_key": "y"}], "api_keys[1].label"),
        ([{"api_key": "x"}], "api_keys[0].label"),
    ],
)
async def test_wrong_key_lists_name_the_entry(do: Do, keys: list[dict[str, str]], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": keys})
    assert raised.value.field == field


async def test_null_clears_and_what_was_not_sent_stays(do: Do, kept: dict[str, str]) -> None:
    await do("POST", "/providers", {**OPENAI, "base_url": "https://x.example/v1", "headers": {"A": "one-value", "B": "two"}})
    changed = await do("PATCH", "/providers/openai", {"headers": {"a": None}, "base_url": None})
    assert (changed["base_url"], list(changed["headers"]), changed["keys"][0]["hint"]) == (None, ["B"], "sk-…WXYZ")
    changed = await do("PATCH", "/providers/openai", {"headers": None, "accept_client_keys": True, "api_key": None})
    assert (changed["headers"], changed["keys"], kept) == ({}, [], {})


async def test_a_new_name_is_carried_into_the_aliases(do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "OpenAI", "model": "m"}]})
    await do("PATCH", "/providers/openai", {"name": "work"})
    assert (await do("GET", "/models/fast"))["targets"][0]["provider"] == "work"


async def test_removing_a_provider_removes_its_secrets_and_is_heard(house: House, do: Do, kept: dict[str, str]) -> None:
    await do("POST", "/providers", {**OPENAI, "headers": {"A": "b"}})
    changes = heard(house)
    await do("DELETE", "/providers/OPENAI")
    assert kept == {}
    assert [(change.topic, change.payload) for change in changes] == [("providers", "openai")]
    assert "openai" not in house.gateway.snapshot.providers


async def test_the_demo_can_be_tested_and_says_what_it_offers(do: Do) -> None:
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})
    offered = (await do("GET", "/providers/demo/models"))["data"]
    assert "demo-chat" in [one["id"] for one in offered]
    result = await do("POST", "/providers/demo/test")
    assert result["ok"], result
