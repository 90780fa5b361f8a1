"""Publishing a provider's models, the demo, and how providers are doing."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding.first_steps import add_demo
from conduit_desktop.actions.provider_states import provider_states
from conduit_desktop.actions.publishing import alias_for, publish
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, ProviderPatch, read
from conduit_desktop.core.errors import Conflict, Invalid
from tests.actions.conftest import OPENAI


def test_an_alias_leaves_the_vendor_of_an_aggregator_out():
    assert alias_for("openai/gpt-5") == "gpt-5"
    assert alias_for("gpt-5") == "gpt-5"
    assert alias_for("accounts/fireworks/models/kimi/") == "kimi"


async def test_a_model_two_providers_have_gets_both_as_targets(context: AppContext):
    await providers.create(context, read(NewProvider, OPENAI), "gui")
    await providers.create(context, read(NewProvider, {**OPENAI, "name": "router", "kind": "openrouter"}), "gui")
    assert await publish(context, "openai", ["gpt-5"], "gui") == ["gpt-5"]
    assert await publish(context, "router", ["openai/gpt-5"], "gui") == ["gpt-5"]
    assert await publish(context, "router", ["openai/gpt-5"], "gui") == []
    (alias,) = await models.all_models(context)
    assert [(one.provider, one.model) for one in alias.targets] == [("openai", "gpt-5"), ("router", "openai/gpt-5")]


async def test_the_demo_is_added_once(context: AppContext):
    assert await add_demo(context, "gui") == "demo-chat"
    assert await add_demo(context, "gui") == "demo-chat"
    assert [one.name for one in await providers.all_providers(context)] == ["demo"]
    assert {row.alias for row in await models.all_models(context)} == {"demo-chat", "demo-thinking", "demo-tools"}


async def test_a_providers_state_shows_the_fault_and_its_aliases(context: AppContext):
    await add_demo(context, "gui")
    await providers.create(context, read(NewProvider, {**OPENAI, "api_key": "env:NOT_SET"}), "gui")
    states = provider_states(context)
    assert states["demo"].state == "unused"
    assert states["demo"].aliases == ["demo-chat", "demo-thinking", "demo-tools"]
    assert states["openai"].state == "unready"
    assert "NOT_SET" in states["openai"].text
    await providers.edit(context, "openai", read(ProviderPatch, {"enabled": False}), "gui")
    assert provider_states(context)["openai"].state == "disabled"


async def test_an_alias_that_the_config_file_defines_is_not_changed(context: AppContext):
    await providers.create(context, read(NewProvider, OPENAI), "gui")
    await providers.create(context, read(NewProvider, {**OPENAI, "name": "router", "kind": "openrouter"}), "gui")
    new = read(NewModel, {"alias": "gpt-5", "targets": [{"provider": "openai", "model": "gpt-5"}]})
    await models.create(context, new, "file", "file")
    with pytest.raises(Conflict, match="config file"):
        await publish(context, "router", ["openai/gpt-5"], "gui")
    assert await publish(context, "openai", ["gpt-5"], "gui") == []
    (alias,) = await models.all_models(context)
    assert [one.provider for one in alias.targets] == ["openai"]


async def test_two_models_of_one_name_share_an_alias_whatever_their_case(context: AppContext):
    await providers.create(context, read(NewProvider, OPENAI), "gui")
    assert await publish(context, "openai", ["a/Mini", "b/mini"], "gui") == ["Mini", "Mini"]
    (alias,) = await models.all_models(context)
    assert [one.model for one in alias.targets] == ["a/Mini", "b/mini"]


@pytest.mark.parametrize("model", ["a\nb", "x" * 201])
async def test_a_model_whose_name_cannot_be_an_alias_is_refused(context: AppContext, model: str):
    await providers.create(context, read(NewProvider, OPENAI), "gui")
    with pytest.raises(Invalid) as raised:
        await publish(context, "openai", [model], "gui")
    assert raised.value.field == "alias"


async def test_a_model_of_an_unknown_provider_is_not_published(context: AppContext):
    with pytest.raises(Invalid):
        await publish(context, "missing", ["m"], "gui")
    assert await models.all_models(context) == []
