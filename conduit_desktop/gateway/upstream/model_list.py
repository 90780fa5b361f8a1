"""Fetches a provider's own list of its models, with the prices that some lists have."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import orjson

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import Invalid, UpstreamError
from conduit_desktop.gateway.redaction import redact_off_loop
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.providers import OutboundRequest, Secrets
from conduit_desktop.wire import dialect
from conduit_desktop.wire.event_validation import FAULTS

LIST_S = 15.0
"""Seconds that a list may take."""


async def fetch_models(upstream: Upstream, bound: BoundProvider, connect_s: float) -> list[OfferedModel]:
    """The provider's models. Raises Invalid for one that cannot be used, TimeoutError, UpstreamError, ValueError (no list)."""
    if bound.problem or not bound.credentials:
        raise Invalid(f"{bound.name}: {bound.problem or 'it has no usable credential'}")
    async with asyncio.timeout(LIST_S):
        secrets = await bound.kind.credentials(bound.credentials[0].secrets)
        lists = bound.kind.model_lists(secrets)
        # A fuller list may be missing or refused; the last one is what every server of the kind has.
        for fuller in lists[:-1]:
            with suppress(UpstreamError, ValueError):
                return await _listed(upstream, bound, fuller, secrets, connect_s)
        return await _listed(upstream, bound, lists[-1], secrets, connect_s) if lists else bound.kind.known_models()


async def _listed(
    upstream: Upstream, bound: BoundProvider, request: OutboundRequest, sent: Secrets, connect_s: float
) -> list[OfferedModel]:
    """The models of one list; raises UpstreamError, and ValueError for an answer that is no list."""
    response, body = await upstream.fetch(request, connect_s)
    if response.status >= 400:
        headers = {key.lower(): value for key, value in response.headers.items()}
        refusal = dialect(bound.kind.dialects[0]).read_error(response.status, headers, body)
        bound.kind.judge(refusal)
        await redact_off_loop(refusal, sent)
        raise refusal
    try:
        return bound.kind.read_models(orjson.loads(body))
    except FAULTS as error:
        raise ValueError(f"no list of models: {error!r}") from error
