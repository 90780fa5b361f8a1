"""A configured gateway and two scripted vendors, for every test of the gateway."""

from collections.abc import AsyncIterator

import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.upstream import failover
from tests.fakes.gateway import GatewayFixture, open_gateway
from tests.fakes.scenario import STREAMS, VARIANTS, WHOLES, Scenario, open_scenario
from tests.fakes.vendor import Vendor


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as made:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[Vendor]:
    async with Vendor() as made:
        yield made


@pytest.fixture
async def gateway(home: Home) -> AsyncIterator[GatewayFixture]:
    async with open_gateway(home) as made:
        yield made


@pytest.fixture
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come soon: no test is about the pauses between them."""
    monkeypatch.setattr(failover, "BACKOFF_S", 0.01)


@pytest.fixture(params=VARIANTS, ids=str)
async def scenario(request: pytest.FixtureRequest, home: Home, short_backoff: None) -> AsyncIterator[Scenario]:
    """Every combination: the client's dialect, passthrough and translated, streamed and whole."""
    async with open_scenario(request.param, home) as made:
        yield made


@pytest.fixture(params=STREAMS, ids=str)
async def streams(request: pytest.FixtureRequest, home: Home, short_backoff: None) -> AsyncIterator[Scenario]:
    """The combinations of a stream."""
    async with open_scenario(request.param, home) as made:
        yield made


@pytest.fixture(params=WHOLES, ids=str)
async def wholes(request: pytest.FixtureRequest, home: Home, short_backoff: None) -> AsyncIterator[Scenario]:
    """The combinations of a whole answer."""
    async with open_scenario(request.param, home) as made:
        yield made
