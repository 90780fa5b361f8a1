"""Single input values: what is accepted, what is refused, and the form that is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conduit_desktop.actions.schemas import checks


@pytest.mark.parametrize("name", ["a", "9", "Open.AI_2-x", "a" * 64])
def test_a_provider_name_of_letters_digits_dots_dashes_and_underscores_is_accepted(name: str) -> None:
    assert checks.provider_name(name) == name


@pytest.mark.parametrize("name", ["", "a/b", "a b", ".a", "-a", "_a", "é", "a*", "a\n", "a" * 65])
def test_a_provider_name_that_would_break_provider_slash_model_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        checks.provider_name(name)


@pytest.mark.parametrize(("check", "longest"), [(checks.alias_name, 200), (checks.label_text, 200), (checks.price_pattern, 300)])
def test_names_are_bounded_printable_and_without_outer_spaces(check: Callable[[str], str], longest: int) -> None:
    for good in ("a", "team a/gpt-*", "x" * longest):
        assert check(good) == good
    for bad in ("", "x" * (longest + 1), " a", "a ", "a\nb", "a\x00b", "a\u200bb"):
        with pytest.raises(ValueError, match=f"1 to {longest} printable"):
            check(bad)


@pytest.mark.parametrize("text", ["sk-1", "env:A", "env:_a9", '{\n\t"type": "service_account"\r\n}'])
def test_a_secret_is_a_text_or_an_environment_reference(text: str) -> None:
    assert checks.secret_text(text) == text


@pytest.mark.parametrize("text", ["env:", "env:1A", "env:A-B", "env:A B", "env:A ", ""])
def test_a_malformed_environment_reference_or_an_empty_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        checks.secret_text(text)


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x1f"])
def test_a_secret_with_a_control_character_is_refused_without_repeating_it(char: str) -> None:
    with pytest.raises(ValueError, match="control characters") as raised:
        checks.secret_text(f"sk-private{char}")
    assert "private" not in str(raised.value)


def test_a_header_name_is_a_token() -> None:
    for good in ("X-Org", "x_org", "a" * 200, "!#$%&'*+.^_`|~-"):
        assert checks.header_name(good) == good
    for bad in ("", "a b", "a:b", "é", "a\n", "a" * 201):
        with pytest.raises(ValueError, match="not a valid header name"):
            checks.header_name(bad)


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "te", "Trailer", "upgrade", "Keep-Alive"]
)
def test_a_header_of_the_connection_cannot_be_set(name: str) -> None:
    with pytest.raises(ValueError, match="belongs to the connection"):
        checks.header_name(name)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-A": "1", "Host": "x"}, "'Host' belongs"), ({"X-A": "a\nX-B: b"}, "line breaks"), ({"X-A": "a\rb"}, "line breaks"),
        ({"X-A": ""}, "'X-A' must not be empty"), ({"X-A": "env:1"}, "'X-A' must name"), ({"X-A": "a\x00"}, "control"),
    ],
)  # fmt: skip
def test_a_header_value_without_meaning_or_with_a_line_break_is_refused(headers: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checks.header_values(headers)


def test_good_headers_are_kept_as_they_are() -> None:
    assert checks.header_values({"X-A": "1", "x-b": "env:B"}) == {"X-A": "1", "x-b": "env:B"}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("10.0.0.1", "10.0.0.1"), ("10.1.2.3/8", "10.0.0.0/8"), ("::0001", "::1"), ("2001:DB8::/32", "2001:db8::/32"),
        ("10.0.0.1/32", "10.0.0.1/32"),
    ],
)  # fmt: skip
def test_a_network_is_stored_in_its_canonical_form(text: str, stored: str) -> None:
    assert checks.network(text) == stored


@pytest.mark.parametrize("text", ["", "localhost", "10.0.0", "10.0.0.256", "10.0.0.0/33", "10.0.0.0/", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CIDR"):
        checks.network(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2027-01-31", "2027-01-31T00:00:00.000Z"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00.000Z"),
        ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00.000Z"),
        ("2027-01-31T12:00:00 02:00", "2027-01-31T10:00:00.000Z"),
        ("2027-01-31T12:00:00.25-01:30", "2027-01-31T13:30:00.250Z"),
    ],
)
def test_a_time_is_stored_in_utc_with_milliseconds(text: str, stored: str) -> None:
    assert checks.moment(text) == stored


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-13-01", "2027-01-31T12:00:00", "2027-01-31 12:00"])
def test_a_time_without_an_offset_or_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        checks.moment(text)
