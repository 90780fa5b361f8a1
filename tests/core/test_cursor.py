"""Cursors of lists: opaque, safe in a URL, and refused when no list returned them."""

from __future__ import annotations

import base64

import pytest

from conduit_desktop.core.cursor import page, read_cursor, write_cursor
from conduit_desktop.core.errors import Invalid


@pytest.mark.parametrize("cursor", ["%", "a", "====", "é", "gA", "_w", "", "e30", "IngiCg", "W10", "WzFd", "WyJhIiwiYiJd"])
def test_a_cursor_that_no_list_returned_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as raised:
        read_cursor(cursor, str)
    assert raised.value.field == "cursor"


def test_a_cursor_of_another_kind_of_list_or_with_too_large_a_number_is_refused() -> None:
    for cursor in (write_cursor("a", "b"), write_cursor(1, 2), base64.urlsafe_b64encode(b'[9223372036854775808,"a"]').decode()):
        with pytest.raises(Invalid):
            read_cursor(cursor, int, str)


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "2026-11-22T00:17:00.000Z key_1", "ÿÿÿ>?~"])
def test_a_cursor_is_safe_in_an_address_and_returns_its_place(text: str) -> None:
    cursor = write_cursor(-(2**63), text)
    assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert read_cursor(cursor, int, str) == [-(2**63), text]


def test_a_page_has_a_cursor_of_its_last_row_only_if_there_is_more() -> None:
    assert page([1, 2, 3], 3, lambda row: (row,)) == ([1, 2, 3], None)
    assert page([1, 2, 3], 2, lambda row: (row,)) == ([1, 2], write_cursor(2))
    assert page([], 2, lambda row: (row,)) == ([], None)
