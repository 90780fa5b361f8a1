"""Who changed what, when."""

from __future__ import annotations

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import PageQuery
from conduit_desktop.actions.schemas.reports import AuditView
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.entities import AuditEntry


def view(entry: AuditEntry) -> AuditView:
    """An entry as it is shown."""
    return AuditView(**{**entry.model_dump(), "at": rfc3339(entry.at)})


async def page(context: AppContext, query: PageQuery) -> tuple[list[AuditView], str | None]:
    """Entries, newest first, and the cursor of the rest."""
    entries, cursor = await context.store.audit.list(query.limit, query.cursor)
    return [view(entry) for entry in entries], cursor
