"""Large bodies reach their target whole, and nothing that is done with one on the event loop is done in one piece."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.server import request_fields
from conduit_desktop.wire import sliced_json

LARGEST = 256 * 1024
"""Bytes that orjson may get at once on the loop."""


class CountingJson:
    """orjson, with the sizes of what it was given."""

    JSONDecodeError = orjson.JSONDecodeError

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def loads(self, text: bytes) -> Any:
        """As orjson's."""
        self.sizes.append(len(text))
        return orjson.loads(text)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> CountingJson:
    """What is given to orjson while a body is read."""
    counting = CountingJson()
    monkeypatch.setattr(sliced_json, "orjson", counting)
    monkeypatch.setattr(request_fields, "orjson", counting)
    return counting


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "messages": [{"role": "user", "content": "word " * 1_200_000}]},
        {"model": "m", "messages": [{"role": "user", "content": "x"}] * 40_000},
        {"model": "m", "tools": {f"k{at}": at for at in range(100_000)}},
        {"model": "m", "input": [0] * 900_000, "text": "ä\n" * 2_000_000},
    ],
    ids=["one long text", "many messages", "many fields", "numbers and escapes"],
)
async def test_a_large_body_is_never_parsed_in_one_piece(given: CountingJson, body: dict[str, Any]) -> None:
    assert await request_fields.parse_spread(orjson.dumps(body)) == body
    assert max(given.sizes) <= LARGEST


async def test_a_large_body_that_is_no_json_is_refused_as_that() -> None:
    with pytest.raises(BadRequest, match="is not valid JSON") as caught:
        await request_fields.parse_spread(b'{"messages":"' + b"x" * 5_000_000)
    assert caught.value.code == "invalid_json"
