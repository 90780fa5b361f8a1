"""Notifications: read one by one or all at once, and no unread one twice."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import notifications
from conduit_desktop.actions.context import House
from conduit_desktop.core.errors import NotFound
from tests.actions.conftest import Do
from tests.fakes.house import heard


async def test_all_are_marked_as_read_and_counted_once(house: House, do: Do) -> None:
    for title in ("a", "b"):
        await notifications.notify(house, "system", "info", title, "x")
    assert await notifications.unread(house) == 2
    changes = heard(house)
    assert await do("POST", "/notifications/read") == {"read": 2}
    assert [one.topic for one in changes] == ["notifications"]
    assert await do("POST", "/notifications/read") == {"read": 0}
    assert await notifications.unread(house) == 0
    assert len((await do("GET", "/notifications"))["data"]) == 2
    assert (await do("GET", "/notifications", unread="1"))["data"] == []


async def test_one_is_marked_as_read_and_the_others_are_not(house: House, do: Do) -> None:
    for title in ("a", "b"):
        await notifications.notify(house, "system", "info", title, "x")
    newest = (await do("GET", "/notifications"))["data"][0]
    changes = heard(house)
    await do("POST", f"/notifications/{newest['id']}/read")
    assert [(one.topic, one.payload) for one in changes] == [("notifications", newest["id"])]
    assert [row["title"] for row in (await do("GET", "/notifications", unread="true"))["data"]] == ["a"]


async def test_an_unknown_notification_is_not_found_and_nothing_is_published(house: House) -> None:
    changes = heard(house)
    with pytest.raises(NotFound):
        await notifications.mark_read(house, "ntf_none")
    assert changes == []


async def test_the_same_unread_notification_is_published_once(house: House) -> None:
    changes = heard(house)
    for _ in range(2):
        await notifications.notify(house, "system", "info", "a", "x")
    assert [one.topic for one in changes] == ["notifications"]
