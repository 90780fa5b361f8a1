"""The state of a provider: the first reason that holds, and the numbers behind it."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.provider_states import ProviderStateView, provider_states
from conduit_desktop.actions.schemas.inputs import NewProvider, ProviderPatch, read
from conduit_desktop.core.errors import UpstreamError

REFUSED = UpstreamError("no such key", status=401, reason="auth")
DOWN = UpstreamError("down", status=503, reason="server")


@pytest.fixture
async def owner(context: AppContext) -> str:
    """The id of a provider `one` with two keys."""
    keys = [{"label": label, "api_key": f"sk-{label}"} for label in "ab"]
    made = await providers.create(context, read(NewProvider, {"name": "one", "kind": "openai", "api_keys": keys}), "gui")
    await providers.create(context, read(NewProvider, {"name": "oneself", "kind": "demo"}), "gui")
    return made.id


def state(context: AppContext) -> ProviderStateView:
    return provider_states(context)["one"]


async def test_a_provider_shows_the_latency_of_its_fastest_target(context: AppContext, owner: str) -> None:
    assert (state(context).state, state(context).text) == ("unused", "No requests yet")
    context.gateway.health.succeeded("oneself/x", "other", "a", 1.0)
    assert state(context).state == "unused"
    context.gateway.health.succeeded("one/x", owner, "a", 1250.0)
    context.gateway.health.succeeded("one/y", owner, "a", 2000.0)
    assert (state(context).state, state(context).text) == ("answering", "Latency 1,250 ms")


async def test_a_disabled_key_or_an_open_circuit_is_shown_as_a_fault(context: AppContext, owner: str) -> None:
    for _ in range(5):
        context.gateway.health.failed("one/x", owner, None, DOWN)
    assert (state(context).state, state(context).text) == ("troubled", "down")
    context.gateway.health.failed("one/x", owner, "a", REFUSED)
    assert (state(context).state, state(context).text) == ("troubled", "1 of 2 keys disabled: no such key")
    assert provider_states(context)["oneself"].state == "unused"


async def test_a_disabled_provider_is_disabled_before_anything_else(context: AppContext, owner: str) -> None:
    context.gateway.health.failed("one/x", owner, "a", REFUSED)
    await providers.edit(context, "one", read(ProviderPatch, {"enabled": False}), "gui")
    assert state(context).state == "disabled"
