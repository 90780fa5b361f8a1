"""Notifications of the desktop: warnings and errors of the gateway, shown by the system while nobody looks at the window."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NotificationQuery
from conduit_desktop.actions.schemas.reports import NotificationView
from conduit_desktop.core.bus import Change

# Linux desktops read angle brackets in a notification as markup
# (https://specifications.freedesktop.org/notification-spec/latest/markup.html), and texts hold strangers' words.
_PLAIN = str.maketrans({"<": "‹", ">": "›", "&": "+"})
LONGEST = 300


class DesktopNotifications:
    """Calls `show(title, text)` for every new warning or error for which `wanted()`, until `close`.

    It listens to the gateway itself: the window's feed is paused while the window is hidden.
    """

    def __init__(
        self, client: AdminClient, run: Callable[[Coroutine[Any, Any, Any]], Any], wanted: Callable[[], bool],
        show: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self._client = client
        self._run = run
        self._wanted = wanted
        self._show = show
        self.close = client.subscribe(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.topic == "notifications" and isinstance(change.payload, str) and self._wanted():
            self._run(self._announce(change.payload))

    async def _announce(self, note_id: str) -> None:
        # The newest part of the list: a note that is not in it any more was followed by fifty others.
        notes, _ = await self._client.notifications(NotificationQuery(unread=True))
        for note in notes:
            if note.id == note_id and note.severity != "info" and self._wanted():
                self._show(*plain(note))


def plain(note: NotificationView) -> tuple[str, str]:
    """Title and text without markup and control characters, at most `LONGEST` characters each."""
    return _plain(note.title), _plain(note.text)


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text.translate(_PLAIN))[:LONGEST]
