"""A vendor's own web search, asked of another vendor."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import Tool
from conduit_desktop.wire.hosted_search import WEB_SEARCH, for_anthropic


@pytest.mark.parametrize(
    ("location", "written", "dropped"),
    [
        ({"city": "Bern"}, {"type": "approximate", "city": "Bern"}, []),
        ({"type": "approximate", "country": "CH"}, {"type": "approximate", "country": "CH"}, []),
        ("Bern", None, ["tools[web_search].user_location"]),
        (None, None, []),
    ],
)
def test_a_place_has_its_kind_for_anthropic(location: Any, written: Any, dropped: list[str]) -> None:
    lost: list[str] = []
    tool = Tool(WEB_SEARCH, kind="hosted", type=WEB_SEARCH, extra={"user_location": location})
    assert for_anthropic(tool, lost).get("user_location") == written
    assert lost == dropped
