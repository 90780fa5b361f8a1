"""Providers, aliases, keys, prices and rules."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.entities import (
    CredentialRef,
    HeaderHint,
    IpRule,
    ModelAlias,
    Price,
    Provider,
    Target,
    Tier,
    TimeoutOverrides,
    VirtualKey,
)
from conduit_desktop.core.errors import Conflict, DatabaseUnusable, NotFound
from conduit_desktop.core.paths import Home
from conduit_desktop.store.sqlite.store import SqliteStore

OPENAI = Provider(
    id="prv_1", name="OpenAI", kind="openai", credentials=(CredentialRef(label="work", secret="env:KEY", hint="sk-…1", weight=3),),
    headers=(HeaderHint(name="x-team", secret="header/prv_1/x-team", hint="r…d"),), options={"nested": {"list": [1, None, True]}},
    enabled=False, created_at=5, updated_at=6,
)  # fmt: skip
ALIAS = ModelAlias(
    id="mdl_1", alias="fast-*", strategy="weighted",
    targets=(Target(provider="OpenAI", model="gpt-5", weight=2),), fallbacks=("slow",),
    timeouts=TimeoutOverrides(idle_s=2.5), max_context_tokens=128_000, overrides={"temperature": None, "stop": ["a"]},
)  # fmt: skip
KEY = VirtualKey(
    id="key_1", name="Aider", digest="ab" * 32, hint="condt_…x", models=("fast-*",), budget_nano=5 * 10**9, budget_period="monthly",
    rpm=60, expires_at=1, allowed_ips=("10.0.0.0/8",), metadata={"team": "red"}, log_payloads=True,
)  # fmt: skip
PRICE = Price(
    pattern="openai/gpt-*",
    input=1.25,
    output=10,
    tiers=(Tier(above_input_tokens=200_000, input=2.5),),
    per_image=0.04,
    valid_from=0,
)
RULE = IpRule(id="ipr_1", action="deny", network="203.0.113.0/24")


async def test_every_entity_comes_back_as_it_was(store: SqliteStore):
    await store.providers.insert(OPENAI)
    await store.models.insert(ALIAS)
    await store.keys.insert(KEY)
    await store.prices.insert(PRICE)
    await store.ip_rules.insert(RULE)
    assert await store.providers.all() == [OPENAI]
    assert await store.providers.get("OpenAI") == OPENAI
    assert await store.models.get("fast-*") == ALIAS
    assert await store.keys.get("key_1") == KEY
    assert await store.prices.get("openai/gpt-*") == PRICE
    assert await store.ip_rules.get("ipr_1") == RULE
    assert await store.ip_rules.get("ipr_2") is None


async def test_names_are_taken_whatever_their_case(store: SqliteStore):
    await store.providers.insert(OPENAI)
    await store.models.insert(ALIAS)
    await store.keys.insert(KEY)
    with pytest.raises(Conflict, match="provider 'OPENAI'") as caught:
        await store.providers.insert(OPENAI.model_copy(update={"id": "prv_2", "name": "OPENAI"}))
    assert caught.value.field == "name"
    with pytest.raises(Conflict) as caught:
        await store.models.insert(ALIAS.model_copy(update={"id": "mdl_2", "alias": "FAST-*"}))
    assert caught.value.field == "alias"
    with pytest.raises(Conflict) as caught:
        await store.keys.insert(KEY.model_copy(update={"id": "key_2", "digest": "x", "name": "aider"}))
    assert caught.value.field == "name"
    assert len(await store.providers.all()) == len(await store.models.all()) == len(await store.keys.all()) == 1


async def test_a_name_with_an_umlaut_is_one_name_in_both_cases(store: SqliteStore):
    await store.models.insert(ALIAS.model_copy(update={"alias": "Bücher"}))
    assert (await store.models.get("BÜCHER")).id == "mdl_1"
    with pytest.raises(Conflict):
        await store.models.insert(ALIAS.model_copy(update={"id": "mdl_2", "alias": "BÜCHER"}))


async def test_one_digest_opens_one_key(store: SqliteStore):
    await store.keys.insert(KEY)
    with pytest.raises(Conflict) as caught:
        await store.keys.insert(KEY.model_copy(update={"id": "key_2", "name": "other"}))
    assert caught.value.field == "digest"
    assert KEY.digest not in str(caught.value)


async def test_replacing_may_rename_but_not_onto_another(store: SqliteStore):
    other = OPENAI.model_copy(update={"id": "prv_2", "name": "Other"})
    await store.providers.insert(OPENAI)
    await store.providers.insert(other)
    await store.providers.replace(OPENAI.model_copy(update={"name": "openai", "base_url": "https://x.test"}))
    assert [provider.name for provider in await store.providers.all()] == ["openai", "Other"]
    with pytest.raises(Conflict):
        await store.providers.replace(OPENAI.model_copy(update={"name": "OTHER"}))
    with pytest.raises(NotFound, match="provider 'Third'"):
        await store.providers.replace(OPENAI.model_copy(update={"id": "prv_3", "name": "Third"}))


async def test_deleting_says_whether_there_was_one(store: SqliteStore):
    await store.providers.insert(OPENAI)
    await store.keys.insert(KEY)
    assert await store.providers.delete("openai")
    assert not await store.providers.delete("openai")
    assert await store.keys.delete("key_1")
    assert await store.keys.all() == []


async def test_several_steps_are_done_together_or_not_at_all(store: SqliteStore):
    await store.models.insert(ALIAS)

    def rename(connection) -> None:
        store.providers.insert_in(connection, OPENAI)
        store.models.delete_in(connection, ALIAS.alias)
        store.settings.put_in(connection, {"port": 1})
        store.providers.insert_in(connection, OPENAI)

    with pytest.raises(Conflict):
        await store.database.write(rename)
    assert await store.providers.all() == []
    assert await store.models.all() == [ALIAS]
    assert await store.settings.all() == {}


async def test_a_price_holds_from_its_day_on(store: SqliteStore):
    now = int(time.time() * 1000)
    old, current, coming = (
        PRICE.model_copy(update={"valid_from": at, "input": rate})
        for at, rate in ((0, 1.0), (now - 1000, 2.0), (now + 60_000, 3.0))
    )
    for price in (coming, old, current):
        await store.prices.insert(price)
    assert await store.prices.get("OPENAI/gpt-*") == current
    assert await store.prices.history("openai/gpt-*") == [old, current, coming]
    with pytest.raises(Conflict) as caught:
        await store.prices.insert(old)
    assert caught.value.field == "pattern"
    await store.prices.replace(current.model_copy(update={"input": 9.0}))
    assert (await store.prices.get("openai/gpt-*")).input == 9.0
    assert await store.prices.delete("openai/gpt-*")
    assert await store.prices.all() == []


async def test_a_price_that_is_new_is_put(store: SqliteStore):
    await store.prices.replace(PRICE)
    assert await store.prices.all() == [PRICE]


@pytest.mark.parametrize(("column", "value", "fault"), [("strategy", "guess", "strategy"), ("targets", "{broken", "JSON")])
async def test_a_row_that_makes_no_sense_is_named_and_not_printed(store: SqliteStore, column: str, value: str, fault: str):
    await store.models.insert(ALIAS)
    await store.database.write(lambda c: c.execute(f"UPDATE models SET {column} = ?", (value,)).rowcount)
    with pytest.raises(DatabaseUnusable, match=rf"model 'fast-\*' in .*conduit\.db cannot be read \({fault}\)") as caught:
        await store.models.all()
    assert value not in str(caught.value)


async def test_settings_are_put_changed_and_cleared(store: SqliteStore):
    await store.settings.put({"port": 5001, "cors_origins": ["*"], "theme": "dark"})
    await store.settings.put({"port": 0, "theme": None, "never_set": None})
    assert await store.settings.all() == {"cors_origins": ["*"], "port": 0}


@settings(max_examples=25)
@given(
    name=st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text and text.isprintable()),
    options=st.dictionaries(
        st.text(max_size=5), st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9), max_size=4
    ),
)
async def test_any_name_and_options_come_back(tmp_path_factory: pytest.TempPathFactory, name: str, options: dict):
    store = SqliteStore.open(Home(tmp_path_factory.mktemp("home")))
    made = OPENAI.model_copy(update={"name": name, "options": options})
    await store.providers.insert(made)
    back = [await store.providers.get(name), await store.providers.get(name.upper().lower())]
    await store.close()
    assert back[0] == made
    assert back[1] in (made, None) if name.upper().lower().casefold() != name.casefold() else back[1] == made
