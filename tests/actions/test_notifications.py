"""Notifications: read one by one or all at once, and no unread one twice."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import notifications
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import NotFound
from tests.actions.conftest import Do
from tests.fakes.app_context import published


async def test_all_are_marked_as_read_and_counted_once(context: AppContext, do: Do) -> None:
    for title in ("a", "b"):
        await notifications.notify(context, "system", "info", title, "x")
    assert await notifications.unread(context) == 2
    changes = published(context)
    assert await do("POST", "/notifications/read") == {"read": 2}
    assert [one.topic for one in changes] == ["notifications"]
    assert await do("POST", "/notifications/read") == {"read": 0}
    assert await notifications.unread(context) == 0
    assert len((await do("GET", "/notifications"))["data"]) == 2
    assert (await do("GET", "/notifications", unread="1"))["data"] == []


async def test_one_is_marked_as_read_and_the_others_are_not(context: AppContext, do: Do) -> None:
    for title in ("a", "b"):
        await notifications.notify(context, "system", "info", title, "x")
    newest = (await do("GET", "/notifications"))["data"][0]
    changes = published(context)
    await do("POST", f"/notifications/{newest['id']}/read")
    assert [(one.topic, one.payload) for one in changes] == [("notifications", newest["id"])]
    assert [row["title"] for row in (await do("GET", "/notifications", unread="true"))["data"]] == ["a"]


async def test_an_unknown_notification_is_not_found_and_nothing_is_published(context: AppContext) -> None:
    changes = published(context)
    with pytest.raises(NotFound):
        await notifications.mark_read(context, "ntf_none")
    assert changes == []


async def test_the_same_unread_notification_is_published_once(context: AppContext) -> None:
    changes = published(context)
    for _ in range(2):
        await notifications.notify(context, "system", "info", "a", "x")
    assert [one.topic for one in changes] == ["notifications"]
