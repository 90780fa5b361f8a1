"""Backups: a copy of the databases in one archive, without secrets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import apply
from conduit_desktop.actions.schemas.inputs import BackupRequest
from conduit_desktop.actions.schemas.reports import BackupView
from conduit_desktop.actions.schemas.views import rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import Invalid
from conduit_desktop.store.backup import backup


async def create(context: AppContext, request: BackupRequest, actor: Actor) -> BackupView:
    """Write a consistent copy of both databases; raises Invalid for a path that cannot be written."""
    if request.path is None:
        folder = context.home.root / "backups"
        target = folder / f"conduit-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.zip"
        await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
    else:
        target = Path(request.path)
        if not target.is_absolute():
            raise Invalid("path: must be an absolute path", "path")
        if not await asyncio.to_thread(target.parent.is_dir):
            raise Invalid(f"path: there is no folder {target.parent}", "path")
    written = await backup(context.home, target)
    await apply(context, actor, lambda edit: edit.record("backup.create", str(written)))
    size = await asyncio.to_thread(lambda: written.stat().st_size)
    return BackupView(path=str(written), bytes=size, created_at=rfc3339(now_ms()))
