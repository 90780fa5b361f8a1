"""Every estimate to the token: a change of a weight, a family or a rule is seen, and is made on purpose."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.gateway.admission import token_families
from conduit_desktop.gateway.admission.token_weights import CLASS_OF_BYTE, is_of_words, script_of
from tests.gateway.admission import exact_estimates
from tests.gateway.admission.exact_estimates import FAMILIES, SAMPLES

KEPT: dict[str, Any] = orjson.loads(exact_estimates.FILE.read_bytes())
ANEW = "python -m tests.gateway.admission.exact_estimates writes the figures anew"


@pytest.mark.parametrize("family", FAMILIES, ids=" ".join)
def test_each_family_counts_a_request_of_each_kind_by_its_own_rules(family: tuple[str, str, str]) -> None:
    found = dict(zip(exact_estimates.BODIES, exact_estimates.of_family(*family), strict=True))
    assert found == dict(zip(exact_estimates.BODIES, KEPT["families"][" ".join(family)], strict=True)), ANEW


@pytest.mark.parametrize("family", FAMILIES, ids=" ".join)
def test_each_family_counts_a_picture_of_each_size_by_its_own_rule(family: tuple[str, str, str]) -> None:
    found = dict(zip(exact_estimates.SIZES, exact_estimates.of_pictures(*family[:2]), strict=True))
    assert found == dict(zip(exact_estimates.SIZES, KEPT["pictures"][" ".join(family)], strict=True)), ANEW


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_text_of_each_kind_weighs_what_was_fitted(kind: str) -> None:
    assert exact_estimates.of_text(kind) == KEPT["texts"][kind], ANEW


@pytest.mark.parametrize("size", exact_estimates.SAMPLED)
def test_a_text_from_sixteen_kilobytes_on_is_weighed_by_the_same_samples_of_it(size: int) -> None:
    assert exact_estimates.of_ascii(size) == KEPT["long"][f"{size} bytes"], ANEW


@pytest.mark.parametrize("name", exact_estimates.LONG)
def test_a_text_from_a_megabyte_on_is_weighed_by_the_same_pieces_of_it(name: str) -> None:
    assert exact_estimates.input_tokens(exact_estimates.LONG[name]()) == KEPT["long"][name], ANEW


def test_every_pattern_of_families_is_found_by_a_sample() -> None:
    found = [
        next((pattern.pattern for pattern, _ in token_families._FAMILIES if pattern.search(name.lower())), None)
        for name, _, _ in FAMILIES
    ]
    assert {pattern.pattern for pattern, _ in token_families._FAMILIES} <= set(found)


def test_every_byte_of_utf_8_has_a_class() -> None:
    ascii_part = (
        b"........." + b"nn" + b".." + b"n" + b"." * 18 + b" " + b"." * 15 + b"0" * 10 + b"." * 7 + b"A" * 26 + b"." * 6 + b"a" * 26
        + b"." * 5
    )  # fmt: skip
    lead_bytes = b"llll" + b"mmmmmm" + b"gggggg" + b"yyyyy" + b"r" * 11 + b"ios" + b"j" * 7 + b"hhhh" + b"ww" + b"e" * 16
    assert ascii_part + b"c" * 64 + lead_bytes == CLASS_OF_BYTE


@pytest.mark.parametrize(
    ("script", "at_the_limit", "over_it"),
    [
        ("cyrillic", b"y" * 10 + b"c" + b"a" * 89, b"y" * 11 + b"c" + b"a" * 88),
        ("cjk", b"j" * 8 + b"c" + b"a" * 91, b"j" * 9 + b"c" + b"a" * 90),
        ("scripts", b"rihg" * 2 + b"c" + b"a" * 91, b"rihg" * 2 + b"hc" + b"a" * 90),
        ("scripts", b"e" * 3 + b"c" + b"a" * 96, b"e" * 4 + b"c" + b"a" * 95),
        ("vietnamese", b"o" * 2 + b"c" + b"a" * 97, b"o" * 3 + b"c" + b"a" * 96),
        ("latin2", b"m" * 8 + b"c" + b"a" * 991, b"m" * 9 + b"c" + b"a" * 990),
        ("latin1", b"l" * 6 + b"c" + b"a" * 993, b"l" * 7 + b"c" + b"a" * 992),
    ],
)
def test_the_script_of_a_text_is_known_by_its_share_of_lead_bytes(script: str, at_the_limit: bytes, over_it: bytes) -> None:
    assert script_of(at_the_limit) == "ascii"
    assert script_of(over_it) == script


def test_each_script_that_shares_a_limit_counts() -> None:
    for lead in (b"r", b"i", b"h", b"g"):
        assert script_of(lead * 9 + b"c" + b"a" * 90) == "scripts"


def test_a_text_without_further_bytes_of_characters_is_ascii() -> None:
    assert script_of(b"y" * 50) == "ascii"
    assert script_of(b"y" * 50 + b"c") == "cyrillic"


@pytest.mark.parametrize("letter", [b"a", b"A"])
@pytest.mark.parametrize(
    ("letters", "others", "is_of"),
    [(63, 0, True), (64, 0, False), (0, 63, True), (0, 64, False), (88, 12, False), (84, 16, True), (68, 12, True), (8, 72, True),
     (8, 92, False), (340, 60, True), (344, 56, False), (40, 360, True), (36, 364, False)],
)  # fmt: skip
def test_a_text_of_words_is_known_by_its_share_of_runs_of_letters(letter: bytes, letters: int, others: int, is_of: bool) -> None:
    assert is_of_words(letter * letters + b"." * others) is is_of
