"""A furnished gateway and two scripted vendors, for every test of the room."""

from collections.abc import AsyncIterator

import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.furnished import Furnished, furnished
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
async def gateway(home: Home) -> AsyncIterator[Furnished]:
    async with furnished(home) as made:
        yield made
