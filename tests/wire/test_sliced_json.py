"""Large JSON is read and written in slices, as orjson does it at once."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from conduit_desktop.wire import json_limits, sliced_json

SLICE = 64


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that short texts have many."""
    monkeypatch.setattr(sliced_json, "_SLICE", SLICE)
    monkeypatch.setattr(sliced_json, "_TEXT", SLICE)
    monkeypatch.setattr(sliced_json, "_BATCH", 4)


def drawn(draw: random.Random, depth: int = 0) -> Any:
    """A value of any kind, with long and short strings."""
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return draw.choice([None, True, False, -1, 0, 2**53, 1.5, -2.5e-7])
    if kind < 4:
        letters = draw.choice(["abc ", 'a"\\\n\x01', "äö€", "😀x", "[]{},:"])
        return "".join(draw.choice(letters) for _ in range(draw.choice([0, 3, 30, 70, 200])))
    if kind < 6:
        return draw.randrange(10**6)
    size = draw.choice([0, 1, 3, 9])
    if kind == 6:
        return {f"k{at}{draw.choice(['', 'ä', chr(34)])}": drawn(draw, depth + 1) for at in range(size)}
    return [drawn(draw, depth + 1) for _ in range(size)]


def text_of(draw: random.Random, value: Any) -> bytes:
    """The value as some client might write it."""
    text = orjson.dumps(value, option=draw.choice([0, orjson.OPT_INDENT_2]))
    if draw.randrange(2):
        # Everything that is not ASCII as escapes.
        text = b"".join(character.encode() if ord(character) < 128 else _escaped(character) for character in text.decode())
    return text


def _escaped(character: str) -> bytes:
    units = character.encode("utf-16-be")
    return b"".join(b"\\u%04x" % int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))


@pytest.mark.parametrize("seed", range(30))
def test_what_is_read_and_written_in_slices_is_what_orjson_reads_and_writes(seed: int) -> None:
    draw = random.Random(seed)
    value = [drawn(draw) for _ in range(5)]
    text = text_of(draw, value)

    assert sliced_json.run(sliced_json.read(text)) == orjson.loads(text)
    assert bytes(sliced_json.run(sliced_json.write(value))) == orjson.dumps(value)


@pytest.mark.parametrize("seed", range(60))
def test_a_broken_text_is_refused_as_orjson_refuses_it(seed: int) -> None:
    draw = random.Random(seed)
    text = bytearray(text_of(draw, [drawn(draw) for _ in range(3)]))
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(text))
        text[at : at + draw.choice([0, 1, 20])] = draw.choice([b"", b",", b'"', b"]", b"}", b"[", b"\\", b":", b"\xff", b"x", b" "])
    try:
        expected = orjson.loads(text)
    except orjson.JSONDecodeError:
        with pytest.raises(sliced_json.NotJson):
            sliced_json.run(sliced_json.read(text))
    else:
        assert sliced_json.run(sliced_json.read(text)) == expected


@pytest.mark.parametrize(
    "text", ["[1,]" + " " * 99, "[,1]" + " " * 99, "[[1]2" + " " * 99, '{"a":1,}', '{"a":{}1}', "[1}", "[[1]", '["a']
)
def test_commas_and_brackets_that_are_not_json_are_refused(text: str) -> None:
    with pytest.raises(sliced_json.NotJson):
        sliced_json.run(sliced_json.read(text.encode()))


def test_no_slice_is_longer_than_a_few_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    # Counted, not timed: what orjson gets at once, and what is looked at between two pauses.
    read: list[int] = []
    loads, dumps = orjson.loads, orjson.dumps

    class Counting:
        JSONDecodeError = orjson.JSONDecodeError

        @staticmethod
        def loads(text: bytes) -> Any:
            read.append(len(text))
            return loads(text)

        @staticmethod
        def dumps(value: Any) -> bytes:
            written = dumps(value)
            read.append(len(written))
            return written

    monkeypatch.setattr(sliced_json, "orjson", Counting)
    value = {
        "text": "word \n" * 2000,
        "items": [{"a": "x" * 50, "b": [1] * 100} for _ in range(100)],
        "names": {f"k{at}": at for at in range(500)},
        "numbers": [0] * 5000,
    }
    text = dumps(value)

    pauses = sum(1 for _ in sliced_json.read(text))
    assert max(read) <= 2 * SLICE + 2
    assert pauses >= len(text) // (2 * SLICE)
    read.clear()
    pauses = sum(1 for _ in sliced_json.write(value))
    assert max(read) <= 6 * SLICE
    assert pauses >= len(text) // (8 * SLICE)


def test_nesting_over_the_limit_is_refused_before_it_is_read() -> None:
    deep = json_limits.DEEPEST
    assert sliced_json.run(sliced_json.read(b"[" * deep + b"]" * deep + b" " * SLICE)) is not None
    with pytest.raises(json_limits.TooComplex):
        sliced_json.run(sliced_json.read(b"[" * (deep + 1) + b"]" * (deep + 1)))
