"""A first start: what is found becomes providers under free names, with keys left in the environment."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import first_steps
from conduit_desktop.actions.onboarding.discovery import FoundKey, FoundServer
from conduit_desktop.actions.onboarding.first_steps import add_demo, add_found
from conduit_desktop.actions.schemas.inputs import NewProvider, read
from tests.actions.conftest import OPENAI
from tests.fakes.app_context import DictSecrets

KEY = FoundKey("openai", "OpenAI", "OPENAI_API_KEY", "sk-…1", used=False)
SERVER = FoundServer("ollama", "Ollama", "http://127.0.0.1:11434/v1", ("qwen:4b", "llama:8b"), used=False)


async def test_a_found_key_stays_in_the_environment_and_its_provider_gets_a_free_name(context: AppContext) -> None:
    await providers.create(context, read(NewProvider, {**OPENAI, "name": "OpenAI", "api_key": "env:OTHER"}), "gui")
    assert await add_found(context, [KEY, KEY], [], "gui") == ["openai-2", "openai-3"]
    assert [one.keys[0].hint for one in await providers.all_providers(context)][1:] == ["env:OPENAI_API_KEY"] * 2
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}


async def test_the_models_of_a_found_server_are_published_up_to_a_limit(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_steps, "MOST_MODELS", 1)
    assert await add_found(context, [], [SERVER], "gui") == ["ollama"]
    assert [one.base_url for one in await providers.all_providers(context)] == [SERVER.base_url]
    assert [one.alias for one in await models.all_models(context)] == ["qwen:4b"]


async def test_the_demo_uses_a_demo_provider_of_any_name(context: AppContext) -> None:
    await providers.create(context, read(NewProvider, {"name": "mine", "kind": "demo"}), "gui")
    await add_demo(context, "gui")
    assert [one.name for one in await providers.all_providers(context)] == ["mine"]
    assert {target.provider for one in await models.all_models(context) for target in one.targets} == {"mine"}
