"""Lists in parts: the limits of a page, its cursor, and rows that come or go in between."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.paging import part
from conduit_desktop.actions.schemas.inputs import PageQuery, read
from conduit_desktop.core.errors import Invalid


def test_a_page_of_one_gives_every_row_once_and_ends_without_a_cursor() -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        shown, cursor = part(["b", "c", "a"], str, PageQuery(limit=1, cursor=cursor))
        seen += shown
    assert (seen, cursor) == (["a", "b", "c"], None)


@pytest.mark.parametrize(("count", "more"), [(499, False), (500, False), (501, True)])
def test_a_full_page_has_a_cursor_only_if_there_is_more(count: int, more: bool) -> None:
    shown, cursor = part((f"{number:04d}" for number in range(count)), str, read(PageQuery, {"limit": "500"}))
    assert (len(shown), cursor is not None) == (min(count, 500), more)


def test_a_page_is_fifty_rows_unless_a_limit_is_given() -> None:
    shown, cursor = part((f"{number:04d}" for number in range(51)), str, PageQuery())
    assert (len(shown), cursor is not None) == (50, True)


@pytest.mark.parametrize("limit", ["0", "-1", "501", "x", "1.5", ""])
def test_a_limit_outside_one_to_five_hundred_is_refused(limit: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(PageQuery, {"limit": limit})
    assert raised.value.field == "limit"


def test_the_next_page_goes_on_where_the_last_row_was_though_it_has_gone() -> None:
    _, cursor = part(["a", "b", "c", "d"], str, PageQuery(limit=2))
    assert part(["aa", "c", "d"], str, PageQuery(limit=2, cursor=cursor)) == (["c", "d"], None)
