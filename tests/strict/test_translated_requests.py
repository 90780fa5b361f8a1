"""No strict vendor refuses a translated request: requests of every client dialect, whole and streamed, in loops of tool calls."""

from __future__ import annotations

import pytest

from conduit_desktop.core.paths import Home
from tests.strict.drawing import CLIENTS
from tests.strict.translated_requests import MODELS, send_drawn_requests

EACH = 2


@pytest.mark.parametrize("vendor", MODELS)
async def test_a_vendor_refuses_no_translated_request(vendor: str, home: Home) -> None:
    count, failures = await send_drawn_requests(home, [vendor], list(CLIENTS), EACH, seed=1)
    assert count
    assert [str(failure) for failure in failures] == []
