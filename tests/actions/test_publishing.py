"""Publishing a provider's models, the demo, and how providers are doing."""

from __future__ import annotations

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.first_steps import add_demo
from conduit_desktop.actions.house import House
from conduit_desktop.actions.inputs import NewProvider, ProviderPatch, read
from conduit_desktop.actions.provider_states import provider_states
from conduit_desktop.actions.publishing import alias_for, publish
from tests.actions.conftest import OPENAI


def test_an_alias_leaves_the_vendor_of_an_aggregator_out():
    assert alias_for("openai/gpt-5") == "gpt-5"
    assert alias_for("gpt-5") == "gpt-5"
    assert alias_for("accounts/fireworks/models/kimi/") == "kimi"


async def test_a_model_two_providers_have_gets_both_as_targets(house: House):
    await providers.create(house, read(NewProvider, OPENAI), "gui")
    await providers.create(house, read(NewProvider, {**OPENAI, "name": "router", "kind": "openrouter"}), "gui")
    assert await publish(house, "openai", ["gpt-5"], "gui") == ["gpt-5"]
    assert await publish(house, "router", ["openai/gpt-5"], "gui") == ["gpt-5"]
    assert await publish(house, "router", ["openai/gpt-5"], "gui") == []
    (alias,) = await models.all_models(house)
    assert [(one.provider, one.model) for one in alias.targets] == [("openai", "gpt-5"), ("router", "openai/gpt-5")]


async def test_the_demo_is_added_once(house: House):
    assert await add_demo(house, "gui") == "demo-chat"
    assert await add_demo(house, "gui") == "demo-chat"
    assert [one.name for one in await providers.all_providers(house)] == ["demo"]
    assert {row.alias for row in await models.all_models(house)} == {"demo-chat", "demo-thinking", "demo-tools"}


async def test_a_providers_state_says_what_is_wrong_and_who_uses_it(house: House):
    await add_demo(house, "gui")
    await providers.create(house, read(NewProvider, {**OPENAI, "api_key": "env:NOT_SET"}), "gui")
    states = provider_states(house)
    assert states["demo"].state == "unused"
    assert states["demo"].aliases == ["demo-chat", "demo-thinking", "demo-tools"]
    assert states["openai"].state == "unready"
    assert "NOT_SET" in states["openai"].text
    await providers.edit(house, "openai", read(ProviderPatch, {"enabled": False}), "gui")
    assert provider_states(house)["openai"].state == "disabled"
