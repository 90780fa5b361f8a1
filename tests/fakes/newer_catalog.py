"""A newer price catalog at the operator's address, without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from conduit_desktop.actions import operations
from conduit_desktop.actions.context import AppContext
from conduit_desktop.providers import OutboundRequest

URL = "https://prices.example.org/prices.json"


class Answer:
    """The part of an upstream response that is read."""

    status = 200


async def offer_newer_catalog(context: AppContext) -> None:
    """Set `catalog_url`, where a catalog of tomorrow with one model is fetched from then on."""
    row = {"url": "https://v", "prices": [[{"input": 7, "output": 8}]], "models": {"gpt-4o": 0}}
    date = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    body = orjson.dumps({"date": date, "source": "a test", "providers": {"openai": row}})

    async def fetch(outbound: OutboundRequest, connect_s: float) -> Any:
        assert outbound.url == URL
        return Answer(), body

    context.gateway.state.upstream.fetch = fetch  # type: ignore[method-assign]
    await operations.call(context, "PATCH", "/settings", {}, {"catalog_url": URL}, "admin")
