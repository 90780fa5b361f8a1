"""The JSON of large frames: read in slices, within bounds, and as tolerantly as that of small ones."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire import json_text
from conduit_desktop.wire.framing.frame_json import SMALL, read_large
from tests.fakes.counted_json import CountedJson


def test_a_frame_of_many_fields_is_read_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"response": {f"k{at}": {"n": at} for at in range(50_000)}, "text": "ä" * SMALL}
    counted = CountedJson(monkeypatch)
    assert read_large(orjson.dumps(value)) == value
    assert max(counted.on_loop) <= SMALL


@pytest.mark.parametrize("loads", [json_text.loads, json_text.loads_exact])
def test_a_frame_that_holds_little_is_read_as_a_small_one_is(loads: object) -> None:
    text = b'{"text":"' + b"x" * 2 * SMALL + b'","half":"\\ud800"}'
    assert read_large(text, loads) == json_text.loads(text)  # type: ignore[arg-type]


def test_half_a_character_in_a_frame_of_many_fields_is_replaced() -> None:
    text = orjson.dumps([{"k": at} for at in range(20_000)])[:-1] + b',"' + b"x" * SMALL + b'\\ud800"]'
    assert read_large(text)[-1].endswith("x\ufffd")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{" + b",".join(b'"k%d":1' % at for at in range(300_000)) + b"}", "more than 200,000 objects, lists and fields"),
        (b'{"a":' + b"[" * 5_000_000, "nested deeper than 200 levels"),
        (b'{"a":"' + b"x" * 5_000_000, "not JSON"),
        (b"[" + b'{"a":1},' * 50_000 + b"x" * 1_000_000 + b"!]", "not JSON"),
    ],
)
def test_a_frame_that_cannot_be_read_is_malformed(text: bytes, why: str) -> None:
    with pytest.raises(MalformedStream, match=why):
        read_large(text)


def test_a_large_frame_is_read_with_a_pause_after_each_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("conduit_desktop.wire.sliced_json.time.sleep", pauses.append)
    text = "x" * (5 * 1024 * 1024)
    assert read_large(orjson.dumps({"text": text})) == {"text": text}
    assert len(pauses) > len(text) // (128 * 1024)
    assert set(pauses) == {0.0005}
