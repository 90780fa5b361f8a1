"""Changed items of a list: what stays the same is not copied, and the caller's list is never changed."""

from __future__ import annotations

import pytest

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.changed_items import change_items, with_items


def doubled(item: Json) -> Json:
    return item * 2 if isinstance(item, int) else item


def test_a_changed_item_makes_a_copy_and_leaves_the_list_of_the_caller() -> None:
    fields = {"items": [2, "a"], "other": 1}
    assert with_items(fields, "items", doubled) == {"items": [4, "a"], "other": 1}
    assert fields == {"items": [2, "a"], "other": 1}


@pytest.mark.parametrize("fields", [{"items": ["a"]}, {"items": []}, {"items": "ab"}, {"items": None}, {}])
def test_without_a_change_the_same_object_is_returned(fields: dict[str, Json]) -> None:
    assert with_items(fields, "items", doubled) is fields


def test_a_change_in_place_gives_a_new_list_and_leaves_the_shared_one() -> None:
    shared = [2, "a"]
    fields: dict[str, Json] = {"items": shared}
    change_items(fields, "items", doubled)
    assert (fields, shared) == ({"items": [4, "a"]}, [2, "a"])


def test_a_change_in_place_keeps_a_list_of_which_nothing_changes() -> None:
    shared = ["a"]
    fields: dict[str, Json] = {"items": shared}
    change_items(fields, "items", doubled)
    assert fields["items"] is shared
    change_items(fields, "missing", doubled)
    assert fields == {"items": ["a"]}
