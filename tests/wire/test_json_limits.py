"""Which JSON texts are too deep or hold too much, and that a text within the bounds is never refused."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.wire import json_limits
from conduit_desktop.wire.json_limits import DEEPEST, MOST_FIELDS, MOST_VALUES, TooComplex, check, check_depth

MB = 1024 * 1024


def passes(text: bytes) -> bool:
    try:
        list(check(text))
    except TooComplex:
        return False
    return True


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_a_value_of_the_deepest_nesting_passes_and_one_level_more_does_not() -> None:
    check_depth(nested(DEEPEST))
    with pytest.raises(TooComplex) as caught:
        check_depth(nested(DEEPEST + 1))
    assert caught.value.code == "nested_too_deep"


def test_brackets_of_a_long_text_that_are_not_nested_pass() -> None:
    assert passes(b"[" + b",".join([b'{"a":[1]}'] * 40_000) + b"]")


@pytest.mark.parametrize("opener", [b"[", b'{"a":'])
def test_a_large_text_that_is_nested_too_deep_is_refused_without_being_parsed(opener: bytes) -> None:
    assert not passes(opener * (17 * MB // len(opener)))


def test_ten_thousand_levels_between_other_values_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_limits, "_COUNTED", 0)
    text = b'{"a":' + b"[" * 201 + b"]" * 201 + b"}"
    assert not passes(text)
    assert passes(text.replace(b"[" * 201, b"[" * 190).replace(b"]" * 201, b"]" * 190))


@pytest.mark.parametrize(
    ("value", "count", "most"),
    [(b"[]", 1, MOST_FIELDS), (b"{}", 1, MOST_FIELDS), (b'{"a":1}', 2, MOST_FIELDS), (b"1", 1, MOST_VALUES)],
)
def test_a_text_of_too_many_values_is_refused(value: bytes, count: int, most: int) -> None:
    at_most = most // count - 1
    assert passes(b"[" + b",".join([value] * at_most) + b"]")
    assert not passes(b"[" + b",".join([value] * (at_most + 3)) + b"]")


@pytest.mark.parametrize(
    "text",
    [
        "[{,:" * 400_000,
        '\\"[{,:' * 300_000,
        "\\\\" * 700_000 + "[" * 300_000,
        'quoted "[[[[" and \\"' * 100_000,
        "\n[\u00e9" * 300_000,
    ],
    ids=["brackets", "escaped quotes", "backslashes", "quoted brackets", "not ASCII"],
)
def test_what_is_within_a_string_is_not_counted(text: str) -> None:
    assert passes(orjson.dumps({"a": text, "b": [text]}))


@pytest.mark.parametrize("shift", range(6))
def test_an_escape_at_the_border_of_two_slices_is_not_cut(shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_limits, "_SLICE", 8)
    monkeypatch.setattr(json_limits, "_COUNTED", 0)
    text = orjson.dumps(["x" * shift + '\\"' * 9 + "[" * 300])
    assert passes(text)
    assert not passes(text + b"[" * 300)


def test_the_check_lets_others_run_about_every_megabyte() -> None:
    assert sum(1 for _ in check(b"[" + b" " * (8 * MB) + b"]")) >= 8


def test_the_check_of_a_long_text_without_brackets_spares_the_one_of_its_depth() -> None:
    def is_deep(text: bytes) -> bool:
        checking = check(text)
        while True:
            try:
                next(checking)
            except StopIteration as end:
                return bool(end.value)

    assert not is_deep(orjson.dumps({"a": "x" * (2 * MB)}))
    assert is_deep(orjson.dumps({"a": "x" * (2 * MB), "b": nested(200)}))
    assert not is_deep(orjson.dumps({"a": "x" * (17 * MB), "b": nested(190)})), "its depth was counted"
