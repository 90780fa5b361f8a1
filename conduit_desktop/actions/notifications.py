"""Notifications to the operator, and whether they were read."""

from __future__ import annotations

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.inputs import NotificationQuery
from conduit_desktop.actions.schemas.reports import NotificationView
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.entities import Notification, NotificationKind, Severity
from conduit_desktop.core.errors import NotFound


def view(note: Notification) -> NotificationView:
    """A notification as it is shown."""
    return NotificationView(**{**note.model_dump(), "created_at": rfc3339(note.created_at)})


async def page(context: AppContext, query: NotificationQuery) -> tuple[list[NotificationView], str | None]:
    """Notifications, newest first, and the cursor of the rest."""
    notes, cursor = await context.store.notifications.list(query.limit, query.cursor, query.unread)
    return [view(note) for note in notes], cursor


async def unread(context: AppContext) -> int:
    """The number of unread notifications."""
    return await context.store.notifications.unread()


async def mark_read(context: AppContext, notification_id: str, actor: Actor = "gui") -> None:
    """Mark one as read; raises NotFound."""

    def update(edit: Edit) -> None:
        if not edit.tx.notifications.mark_read(notification_id):
            raise NotFound(f"There is no notification {notification_id!r}.")
        # Without an audit entry: to read a notification changes nothing of the configuration.
        edit.announce("notification.read", notification_id)

    await apply(context, actor, update)


async def mark_all_read(context: AppContext, actor: Actor = "gui") -> int:
    """Mark all as read; returns how many were unread."""

    def update(edit: Edit) -> int:
        edit.announce("notification.read")
        return edit.tx.notifications.mark_all_read()

    return await apply(context, actor, update)


async def notify(context: AppContext, kind: NotificationKind, severity: Severity, title: str, text: str) -> None:
    """Add a notification, unless an unread one has the same text already. The text must not hold a secret."""
    if (note := await context.store.notifications.add(kind, severity, title, text)) is not None:
        context.bus.publish("notifications", note.id)
