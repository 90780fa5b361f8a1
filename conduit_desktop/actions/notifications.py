"""What the operator should know, and has or has not read."""

from __future__ import annotations

from conduit_desktop.actions.context import AppContext
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
    """How many wait to be read."""
    return await context.store.notifications.unread()


async def mark_read(context: AppContext, notification_id: str) -> None:
    """Mark one as read; raises NotFound."""
    if not await context.store.notifications.mark_read(notification_id):
        raise NotFound(f"There is no notification {notification_id!r}.")
    context.bus.publish("notifications", notification_id)


async def mark_all_read(context: AppContext) -> int:
    """Mark all as read; how many were not."""
    count = await context.store.notifications.mark_all_read()
    context.bus.publish("notifications")
    return count


async def notify(context: AppContext, kind: NotificationKind, severity: Severity, title: str, text: str) -> None:
    """Tell the operator, unless an unread notification says the same already. The text must not hold a secret."""
    if (note := await context.store.notifications.add(kind, severity, title, text)) is not None:
        context.bus.publish("notifications", note.id)
