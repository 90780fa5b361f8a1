"""The tokens of single words, marks and numbers, by their length, their case and what stands before them."""

from __future__ import annotations

import pytest

from conduit_desktop.gateway.admission.common_words import common_words
from conduit_desktop.gateway.admission.word_tokens import _COSTS, _MARKS, word_tokens

UNUSUAL = "zqxjkvbwpfgzqxjk"
"""Letters of which no beginning is a word, but for the shortest."""


def test_the_beginnings_of_the_sample_are_no_common_words() -> None:
    assert len(UNUSUAL) == 16
    assert not [size for size in range(1, 17) if UNUSUAL[:size].encode() in common_words()]


@pytest.mark.parametrize("size", range(1, 17))
@pytest.mark.parametrize(("before", "name"), [("", "n"), (" ", "s"), ("(", "p"), ("_", "p")])
def test_an_unusual_word_counts_by_its_letters(before: str, name: str, size: int) -> None:
    word = UNUSUAL[:size]
    assert word_tokens(f"{before}{word}".encode()) == _COSTS[name + "l"][size]
    assert word_tokens(f"{before}{word.capitalize()}".encode()) == _COSTS[name + "C"][size]
    if size > 1:
        assert word_tokens(f"{before}{word.upper()}".encode()) == _COSTS[name + "U"][size]


@pytest.mark.parametrize(("before", "name"), [("", "n"), (" ", "s"), ("(", "p")])
def test_a_common_word_is_nearly_one_token(before: str, name: str) -> None:
    assert b"house" in common_words()
    assert word_tokens(f"{before}house".encode()) == _COSTS[name + "l"][0]
    assert word_tokens(f"{before}House".encode()) == _COSTS[name + "C"][0]
    assert word_tokens(f"{before}HOUSE".encode()) == _COSTS[name + "U"][0]
    assert word_tokens(f"{before}house's".encode()) == _COSTS[name + "l"][0]


def test_a_common_word_in_capitals_is_one_token_up_to_seven_letters() -> None:
    words = {size: next(word for word in sorted(common_words()) if len(word) == size) for size in (7, 8)}
    assert word_tokens(words[7].upper()) == _COSTS["nU"][0]
    assert word_tokens(words[8].upper()) == _COSTS["nU"][8]
    assert word_tokens(words[8]) == _COSTS["nl"][0]


def test_three_digits_are_one_token() -> None:
    assert [word_tokens(b"1" * size) for size in (1, 3, 4, 6, 7)] == [1, 1, 2, 2, 3]
    assert word_tokens(b"0909") == 2


@pytest.mark.parametrize("size", [1, 2, 5, 15, 16, 17, 32])
def test_marks_count_by_their_number(size: int) -> None:
    assert word_tokens(b"=" * size) == _MARKS[min(size, 16)]


def test_spaces_and_line_ends_are_one_token_however_many_there_are() -> None:
    for text in (b" ", b"    ", b"\n", b"\r\n\r\n", b"  \n\n"):
        assert word_tokens(text) == 1
    assert word_tokens(b"") == 0


def test_equal_pieces_count_each() -> None:
    assert word_tokens(b" house" * 1000) == pytest.approx(1000 * _COSTS["sl"][0])
    assert word_tokens(b"house") + word_tokens(b" zqxjk") + word_tokens(b".") == pytest.approx(word_tokens(b"house zqxjk."))
