"""A first start made useful: what was found here becomes providers, or the demo does."""

from __future__ import annotations

from collections.abc import Iterable

from conduit_desktop.actions import providers
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.onboarding.discovery import FoundKey, FoundServer
from conduit_desktop.actions.publishing import publish
from conduit_desktop.actions.schemas.inputs import NewProvider, read
from conduit_desktop.providers.catalog import CATALOG

MOST_MODELS = 50
"""Models of a local server made callable at once."""
DEMO_MODELS = ("demo-chat", "demo-thinking", "demo-tools")


async def add_found(context: AppContext, keys: Iterable[FoundKey], servers: Iterable[FoundServer], actor: Actor) -> list[str]:
    """Add a provider for each; keys stay in the environment, a server's models become callable. Gives the providers' names."""
    made = []
    for key in keys:
        made.append(await _create(context, key.kind, {"api_key": f"env:{key.variable}"}, actor))
    for server in servers:
        name = await _create(context, server.kind, {"base_url": server.base_url}, actor)
        await publish(context, name, server.models[:MOST_MODELS], actor)
        made.append(name)
    return made


async def add_demo(context: AppContext, actor: Actor) -> str:
    """Make the demo callable, adding its provider where there is none; the alias to try first."""
    existing = [one.name for one in await providers.all_providers(context) if one.kind == "demo"]
    name = existing[0] if existing else await _create(context, "demo", {}, actor)
    known = {model.id for kind in (CATALOG["demo"],) for model in kind(await providers.find(context, name)).known_models()}
    await publish(context, name, [model for model in DEMO_MODELS if model in known] or sorted(known), actor)
    return DEMO_MODELS[0]


async def _create(context: AppContext, kind: str, values: dict[str, str], actor: Actor) -> str:
    taken = {one.name.lower() for one in await providers.all_providers(context)}
    name = next(name for name in (kind, *(f"{kind}-{number}" for number in range(2, 1000))) if name not in taken)
    return (await providers.create(context, read(NewProvider, {"name": name, "kind": kind, **values}), actor)).name
