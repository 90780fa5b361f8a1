"""The first start: discovered keys and servers become providers, or the demo provider is added."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from conduit_desktop.actions import providers
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.onboarding.discovery import FoundKey, FoundServer, found_keys, found_servers
from conduit_desktop.actions.own_address import check_not_own
from conduit_desktop.actions.publishing import publish_in
from conduit_desktop.actions.schemas.inputs import AddDiscovered, NewProvider, read
from conduit_desktop.actions.schemas.views import DiscoveryView, FoundKeyView, FoundServerView
from conduit_desktop.core.errors import Invalid
from conduit_desktop.providers.catalog import CATALOG

MOST_MODELS = 50
"""Models of a local server that are published at once."""
DEMO_MODELS = ("demo-chat", "demo-thinking", "demo-tools")


async def discovered(context: AppContext) -> DiscoveryView:
    """Provider keys in the environment and model servers on this computer; takes about two seconds at most."""
    keys, servers = await found_keys(context), await found_servers(context)
    return DiscoveryView(
        keys=[FoundKeyView(**asdict(one)) for one in keys],
        servers=[FoundServerView(**{**asdict(one), "models": list(one.models)}) for one in servers],
    )


async def add_discovered(context: AppContext, wanted: AddDiscovered, actor: Actor) -> list[str]:
    """Add a provider for each variable and server that discovery finds now; raises Invalid for another one."""
    # Found again, not taken from the body: a caller must not make the gateway use any variable or address it likes.
    keys = {one.variable: one for one in await found_keys(context)}
    # Only where needed: looking for servers takes up to two seconds.
    servers = {one.base_url: one for one in await found_servers(context)} if wanted.servers else {}
    for field, names, known in (("variables", wanted.variables, keys), ("servers", wanted.servers, servers)):
        for index, name in enumerate(names):
            if name not in known:
                raise Invalid(f"{field}[{index}]: {name!r} was not found on this computer", f"{field}[{index}]")
    return await add_found(context, [keys[one] for one in wanted.variables], [servers[one] for one in wanted.servers], actor)


async def add_found(context: AppContext, keys: Iterable[FoundKey], servers: Iterable[FoundServer], actor: Actor) -> list[str]:
    """Add a provider for each, in one transaction; keys stay in the environment, a server's models are published.

    Returns the providers' names.
    """
    wanted: list[tuple[str, dict[str, str], Sequence[str]]] = [
        *((key.kind, {"api_key": f"env:{key.variable}"}, ()) for key in keys),
        *((server.kind, {"base_url": server.base_url}, server.models[:MOST_MODELS]) for server in servers),
    ]

    async def work(started: PendingChange) -> list[str]:
        taken = {one.name.lower() for one in await context.store.providers.all()}
        jobs, names = [], []
        for kind, values, _ in wanted:
            await check_not_own(context, values.get("base_url"), kind)
            names.append(_free_name(kind, taken))
            taken.add(names[-1])
            jobs.append(await providers.prepare_insert(started.secrets, _body(names[-1], kind, values)))

        def add(edit: Edit) -> None:
            for job, name, (_, _, published) in zip(jobs, names, wanted, strict=True):
                job(edit)
                publish_in(edit, name, published)

        await started.commit(add)
        return names

    return await change(context, actor, work)


async def add_demo(context: AppContext, actor: Actor) -> str:
    """Publish the demo's models, adding its provider where there is none; returns the alias to try first."""

    async def work(started: PendingChange) -> None:
        rows = await context.store.providers.all()
        # A second click must not add a second demo provider.
        existing = next((one for one in rows if one.kind == "demo"), None)
        body = _body(_free_name("demo", {one.name.lower() for one in rows}), "demo", {})
        insert = await providers.prepare_insert(started.secrets, body) if existing is None else None

        def add(edit: Edit) -> None:
            provider = insert(edit) if insert is not None else existing
            assert provider is not None
            known = {model.id for model in CATALOG["demo"](provider).known_models()}
            publish_in(edit, provider.name, [model for model in DEMO_MODELS if model in known] or sorted(known))

        await started.commit(add)

    await change(context, actor, work)
    return DEMO_MODELS[0]


def _free_name(kind: str, taken: Collection[str]) -> str:
    return next(name for name in (kind, *(f"{kind}-{number}" for number in range(2, 1000))) if name not in taken)


def _body(name: str, kind: str, values: Mapping[str, str]) -> NewProvider:
    return read(NewProvider, {"name": name, "kind": kind, **values})
