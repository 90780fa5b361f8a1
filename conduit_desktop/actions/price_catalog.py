"""The price catalog: what it holds, and a newer one from the address that the operator set."""

from __future__ import annotations

import asyncio
from pathlib import Path

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.schemas.inputs import CatalogQuery
from conduit_desktop.actions.schemas.views import CatalogPricesView, CatalogPriceView, CatalogRefreshedView
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.cursor import page, read_cursor
from conduit_desktop.core.entities import Price
from conduit_desktop.core.errors import Invalid, UpstreamError
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.media import UNIT_RATES
from conduit_desktop.core.tokens import RATE_NAMES
from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog, install_catalog
from conduit_desktop.providers import OutboundRequest
from conduit_desktop.providers.address import in_own_network

FETCH_S = 60.0
"""Seconds that a new catalog may take."""
_SHOWN = (*RATE_NAMES, *UNIT_RATES, "min_seconds", "service_tiers")


async def listed(context: AppContext, query: CatalogQuery) -> CatalogPricesView:
    """The catalog's date and source, and a part of its prices: those that hold now."""
    return await for_operator(_listed, context.home.prices, query)


def _listed(installed: Path, query: CatalogQuery) -> CatalogPricesView:
    catalog = PriceCatalog.load(installed)
    wanted = (query.q or "").lower()
    names = [name for name in catalog.names() if wanted in f"{name[0]}/{name[1]}".lower()]
    if query.cursor:
        last = tuple(read_cursor(query.cursor, str, str))
        names = [name for name in names if name > last]
    rows, following = page(names[: query.limit + 1], query.limit, lambda name: name)
    found = ((name, catalog.find(*name, now_ms())) for name in rows)
    return CatalogPricesView(
        date=catalog.date.isoformat(),
        source=catalog.source,
        models=catalog.models,
        is_built_in=catalog.is_built_in,
        data=[_view(provider, model, one.price) for (provider, model), one in found if one is not None],
        next=following,
    )


def _view(provider: str, model: str, price: Price) -> CatalogPriceView:
    rates = {name: getattr(price, name) for name in _SHOWN}
    return CatalogPriceView(provider=provider, model=model, tiers=list(price.tiers), **rates)


async def refresh(context: AppContext, actor: Actor) -> CatalogRefreshedView:
    """Take a newer catalog from the address of the setting `catalog_url`; raises Invalid, Conflict where it is not newer."""
    return await change(context, actor, _refresh)


async def _refresh(started: PendingChange) -> CatalogRefreshedView:
    context = started.context
    url = context.gateway.snapshot.settings.catalog_url
    if not url:
        raise Invalid("The setting catalog_url names no address to take a price catalog from.", "catalog_url")
    # Prices decide what is refused: nobody on the path may write them.
    if not url.startswith("https://") and not (url.startswith("http://") and in_own_network(url)):
        raise Invalid("catalog_url must begin with https://.", "catalog_url")
    try:
        async with asyncio.timeout(FETCH_S):
            request = OutboundRequest("GET", url, {"accept": "application/json"})
            response, body = await context.gateway.state.upstream.fetch(request, context.gateway.snapshot.settings.connect_s)
    except TimeoutError:
        raise Invalid(f"{url} did not send a price catalog within {FETCH_S:g} s.") from None
    except UpstreamError as error:
        raise Invalid(f"{url} sent no price catalog: {error.message}") from error
    if response.status != 200:
        raise Invalid(f"{url} sent no price catalog: it answered {response.status}.")
    catalog = await asyncio.to_thread(install_catalog, body, context.home.prices)
    made = CatalogRefreshedView(date=catalog.date.isoformat(), source=catalog.source, models=catalog.models)

    def record(edit: Edit) -> None:
        edit.record("catalog.refresh", "prices", {"date": made.date, "source": made.source, "models": made.models})

    await started.commit(record)
    return made
