"""Change items of a list in a JSON object; what stays the same stays the same object, so that a long conversation is not copied."""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import Json

Fields = dict[str, Json]


def with_items(fields: Fields, name: str, change: Callable[[Json], Json]) -> Fields:
    """A copy of `fields` with each item of the list `name` as `change` returns it.

    `change` returns its argument or another item. `fields` itself where every item stays the same object, or there is no list.
    """
    items = fields.get(name)
    if not isinstance(items, list):
        return fields
    made = [change(item) for item in items]
    return fields if all(new is old for new, old in zip(made, items, strict=True)) else {**fields, name: made}


def change_items(fields: Fields, name: str, change: Callable[[Json], Json]) -> None:
    """The same in place: `fields` gets a new list where an item changes; the list that it had stays as it is."""
    changed = with_items(fields, name, change)
    if changed is not fields:
        fields[name] = changed[name]
