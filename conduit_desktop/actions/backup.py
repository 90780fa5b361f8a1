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
        # With microseconds: two backups within a second must not overwrite each other.
        target = folder / f"conduit-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.zip"
        # For the owner alone: the databases may hold prompts and answers.
        await asyncio.to_thread(folder.mkdir, mode=0o700, exist_ok=True)
    else:
        target = Path(request.path)
        # A relative path would start at the gateway's working directory, which the caller does not know.
        if not target.is_absolute():
            raise Invalid("path: must be an absolute path", "path")
        # Not created: a typing error in the path would be noticed only when the backup is needed.
        if not await asyncio.to_thread(target.parent.is_dir):
            raise Invalid(f"path: there is no folder {target.parent}", "path")
    written = await backup(context.home, target)
    # After the copy, so that the audit log names no backup that failed.
    await apply(context, actor, lambda edit: edit.record("backup.create", str(written)))
    size = await asyncio.to_thread(lambda: written.stat().st_size)
    return BackupView(path=str(written), bytes=size, created_at=rfc3339(now_ms()))
