"""Providers: where their secrets go, and what a failure leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions import models
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, read
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.providers.catalog import CATALOG
from tests.actions.conftest import OPENAI, Do
from tests.fakes.app_context import DictSecrets, published

COMMON = ("api_key", "base_url")
"""The fields of a kind that are no options."""


@pytest.fixture
def kept(context: AppContext) -> dict[str, str]:
    assert isinstance(context.secrets, DictSecrets)
    return context.secrets.kept


async def test_a_key_goes_to_the_secrets_and_only_its_hint_comes_back(do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {**OPENAI, "headers": {"X-Org": "organization-0123456789"}})
    assert made["keys"] == [{"label": "default", "hint": "sk-…WXYZ", "weight": 1}]
    assert made["headers"] == {"X-Org": "…6789"}
    assert kept == {
        f"provider/{made['id']}/default": OPENAI["api_key"], f"header/{made['id']}/x-org": "organization-0123456789",
    }  # fmt: skip


async def test_a_key_from_the_environment_stays_a_reference(context: AppContext, do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {**OPENAI, "api_key": "env:MY_KEY"})
    assert made["keys"][0]["hint"] == "env:MY_KEY"
    assert kept == {}
    provider = await context.store.providers.get("openai")
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


async def test_a_failed_change_puts_the_old_secret_back(
    context: AppContext, do: Do, kept: dict[str, str], monkeypatch: Any
) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(context.store.providers, "replace_in", full)
    with pytest.raises(OSError, match="disk full"):
        await do("PATCH", "/providers/openai", {"api_key": "sk-another-0123456789abcdef", "headers": {"X-New": "value"}})
    assert kept == before


async def test_a_locked_keyring_changes_nothing(context: AppContext, do: Do) -> None:
    assert isinstance(context.secrets, DictSecrets)
    context.secrets.broken = True
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


async def test_removing_a_provider_removes_its_secrets_and_is_published(context: AppContext, do: Do, kept: dict[str, str]) -> None:
    await do("POST", "/providers", {**OPENAI, "headers": {"A": "b"}})
    changes = published(context)
    await do("DELETE", "/providers/OPENAI")
    assert kept == {}
    assert [(change.topic, change.payload) for change in changes] == [("providers", "openai"), ("audit", "openai")]
    assert "openai" not in context.gateway.snapshot.providers


async def test_the_demo_can_be_tested_and_lists_its_models(do: Do) -> None:
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})
    offered = (await do("GET", "/providers/demo/models"))["data"]
    assert "demo-chat" in [one["id"] for one in offered]
    result = await do("POST", "/providers/demo/test")
    assert result["ok"], result


THREE = [
    {"label": "a", "api_key": "sk-aaaaaaaaaaaaaaaa1111", "weight": 2},
    {"label": "b", "api_key": "sk-bbbbbbbbbbbbbbbb2222", "weight": 3},
    {"label": "c", "api_key": "env:C", "weight": 4},
]


async def test_a_new_first_key_keeps_its_label_and_weight_and_every_further_key(do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": THREE})
    changed = await do("PATCH", "/providers/openai", {"api_key": "sk-nnnnnnnnnnnnnnnn9999"})
    assert [(key["label"], key["hint"], key["weight"]) for key in changed["keys"]] == [
        ("a", "sk-…9999", 2), ("b", "sk-…2222", 3), ("c", "env:C", 4),
    ]  # fmt: skip
    assert kept == {
        f"provider/{made['id']}/a/2": "sk-nnnnnnnnnnnnnnnn9999", f"provider/{made['id']}/b": "sk-bbbbbbbbbbbbbbbb2222",
    }  # fmt: skip


async def test_a_cleared_first_key_takes_only_its_own_secret_with_it(do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": THREE})
    changed = await do("PATCH", "/providers/openai", {"api_key": None})
    assert [key["label"] for key in changed["keys"]] == ["b", "c"]
    assert kept == {f"provider/{made['id']}/b": "sk-bbbbbbbbbbbbbbbb2222"}


async def test_a_key_added_to_a_provider_without_one_is_labelled_default(do: Do) -> None:
    await do("POST", "/providers", {"name": "openai", "kind": "openai", "accept_client_keys": True})
    changed = await do("PATCH", "/providers/openai", {"api_key": "env:A"})
    assert changed["keys"] == [{"label": "default", "hint": "env:A", "weight": 1}]


@pytest.mark.parametrize("patch", [{"enabled": False}, {"headers": {"X-A": "1"}}, {"options": {}}, {"name": "other"}])
async def test_a_change_of_something_else_keeps_every_key_and_its_secret(
    do: Do, kept: dict[str, str], patch: dict[str, Any]
) -> None:
    made = await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": THREE})
    changed = await do("PATCH", "/providers/openai", patch)
    assert changed["keys"] == made["keys"]
    secrets = {name: value for name, value in kept.items() if name.startswith("provider/")}
    assert secrets == {
        f"provider/{made['id']}/a": "sk-aaaaaaaaaaaaaaaa1111", f"provider/{made['id']}/b": "sk-bbbbbbbbbbbbbbbb2222",
    }  # fmt: skip


async def test_one_key_of_several_is_replaced_and_the_others_stay(do: Do, kept: dict[str, str]) -> None:
    made = await do("POST", "/providers", {"name": "openai", "kind": "openai", "api_keys": THREE})
    edited = [{"label": "a", "weight": 9}, {"label": "b", "api_key": "sk-nnnnnnnnnnnnnnnn9999"}, {"label": "c"}]
    changed = await do("PATCH", "/providers/openai", {"api_keys": edited})
    assert [(key["label"], key["hint"], key["weight"]) for key in changed["keys"]] == [
        ("a", "sk-…1111", 9), ("b", "sk-…9999", 1), ("c", "env:C", 1),
    ]  # fmt: skip
    assert kept == {
        f"provider/{made['id']}/a": "sk-aaaaaaaaaaaaaaaa1111", f"provider/{made['id']}/b/2": "sk-nnnnnnnnnnnnnnnn9999",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [("POST", "/providers"), ("PATCH", "/providers/openai")])
async def test_one_key_and_a_list_of_keys_at_once_are_refused(do: Do, kept: dict[str, str], method: str, path: str) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)
    body = {"api_key": "sk-x", "api_keys": [{"label": "a", "api_key": "sk-y"}]}
    with pytest.raises(Invalid) as raised:
        await do(method, path, {"name": "b", "kind": "openai", **body} if method == "POST" else body)
    assert raised.value.field == "api_key"
    assert kept == before


async def test_the_last_key_of_a_kind_that_needs_one_is_not_removed(do: Do, kept: dict[str, str]) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)
    for patch in ({"api_key": None}, {"api_keys": None}, {"api_keys": []}):
        with pytest.raises(Invalid) as raised:
            await do("PATCH", "/providers/openai", patch)
        assert raised.value.field == "api_key"
    assert kept == before


@pytest.mark.parametrize("instead", [{"accept_client_keys": True}, {"base_url": "http://10.0.0.1/v1"}])
async def test_a_key_is_not_needed_where_clients_bring_theirs_or_the_server_is_ones_own(do: Do, instead: dict[str, Any]) -> None:
    assert (await do("POST", "/providers", {"name": "a", "kind": "openai", **instead}))["keys"] == []


async def test_a_required_option_is_named_by_its_path(do: Do) -> None:
    kind, field = next((name, f.name) for name, k in CATALOG.items() for f in k.fields if f.required and f.name not in COMMON)
    with pytest.raises(Invalid) as raised:
        await do("POST", "/providers", {"name": "a", "kind": kind, "api_key": "k", "base_url": "https://x.example"})
    assert (raised.value.field or "").startswith("options.")
    assert field in {f.name for f in CATALOG[kind].fields}


@pytest.mark.parametrize("value", [[1], {"a": 1}])
async def test_an_option_is_a_plain_value(do: Do, value: Any) -> None:
    with pytest.raises(Invalid, match="must be text") as raised:
        await do("POST", "/providers", {"name": "a", "kind": "demo", "options": {"pace_ms": value}})
    assert raised.value.field == "options.pace_ms"


async def test_options_are_changed_one_by_one_and_null_removes_one_or_all(do: Do) -> None:
    await do("POST", "/providers", {"name": "a", "kind": "demo", "options": {"pace_ms": 1}})
    assert (await do("PATCH", "/providers/a", {"options": {}}))["options"] == {"pace_ms": 1}
    assert (await do("PATCH", "/providers/a", {"options": {"pace_ms": None}}))["options"] == {}
    await do("PATCH", "/providers/a", {"options": {"pace_ms": 2}})
    assert (await do("PATCH", "/providers/a", {"options": None}))["options"] == {}


@pytest.mark.parametrize("name", ["api_key", "base_url"])
async def test_a_field_of_its_own_is_no_option(do: Do, name: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("POST", "/providers", {**OPENAI, "options": {name: "x"}})
    assert raised.value.field == f"options.{name}"


@pytest.mark.parametrize(("patch", "field"), [({"kind": "openaii"}, "kind"), ({"base_url": "ftp://x"}, "base_url")])
async def test_kind_and_address_are_checked_in_a_change_too(do: Do, patch: dict[str, Any], field: str) -> None:
    await do("POST", "/providers", OPENAI)
    with pytest.raises(Invalid) as raised:
        await do("PATCH", "/providers/openai", patch)
    assert raised.value.field == field
    assert (await do("GET", "/providers/openai"))[field] == {**OPENAI, "base_url": None}[field]


async def test_a_new_name_that_another_provider_has_is_a_conflict_and_moves_no_alias(do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/providers", {"name": "demo", "kind": "demo"})
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "openai", "model": "m"}]})
    with pytest.raises(Conflict) as raised:
        await do("PATCH", "/providers/openai", {"name": "DEMO"})
    assert raised.value.field == "name"
    assert (await do("GET", "/models/fast"))["targets"][0]["provider"] == "openai"


async def test_an_alias_of_the_config_file_locks_the_name_of_its_provider_alone(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    new = read(NewModel, {"alias": "fast", "targets": [{"provider": "openai", "model": "m"}]})
    await models.create(context, new, "file", "file")
    with pytest.raises(Conflict, match="config file"):
        await do("PATCH", "/providers/openai", {"name": "work"})
    await do("PATCH", "/providers/openai", {"name": "openai", "enabled": False})


async def test_a_renamed_provider_publishes_the_aliases_that_follow(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    changes = published(context)
    await do("PATCH", "/providers/openai", {"name": "a"})
    assert [one.topic for one in changes] == ["providers", "audit"]
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "a", "model": "m"}]})
    changes.clear()
    await do("PATCH", "/providers/a", {"name": "b"})
    assert [one.topic for one in changes] == ["providers", "audit", "models"]


async def test_a_removed_provider_is_not_found_by_any_verb_and_its_aliases_stay(do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "openai", "model": "m"}]})
    await do("DELETE", "/providers/openai")
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/test", None), ("GET", "/models", None),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await do(method, f"/providers/openai{path}", body)
    assert (await do("GET", "/models/fast"))["targets"][0]["provider"] == "openai"


async def test_a_removal_that_fails_keeps_the_secrets(context: AppContext, do: Do, kept: dict[str, str], monkeypatch: Any) -> None:
    await do("POST", "/providers", OPENAI)
    before = dict(kept)

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(context.store.providers, "delete_in", full)
    with pytest.raises(OSError, match="disk full"):
        await do("DELETE", "/providers/openai")
    assert kept == before


async def test_the_catalog_lists_every_kind_once_in_order(do: Do) -> None:
    rows = (await do("GET", "/catalog", limit="500"))["data"]
    assert [row["kind"] for row in rows] == list(CATALOG)
    fields = {field["name"]: field["secret"] for row in rows for field in row["fields"]}
    assert fields["api_key"] is True


@pytest.mark.parametrize("body", [{"base_url": "env:WHERE"}, {"kind": "env:KIND"}, {"name": "env:NAME"}])
async def test_an_environment_reference_is_for_keys_and_headers_alone(do: Do, monkeypatch: Any, body: dict[str, str]) -> None:
    for name, value in (("WHERE", "http://10.0.0.1/v1"), ("KIND", "openai"), ("NAME", "a")):
        monkeypatch.setenv(name, value)
    with pytest.raises(Invalid) as raised:
        await do("POST", "/providers", {**OPENAI, **body})
    assert raised.value.field == next(iter(body))
