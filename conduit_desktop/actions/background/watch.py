"""Background jobs: following the config file, pruning the store, logging changes of the server."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path

from conduit_desktop.actions.background.alerts import Alerts
from conduit_desktop.actions.background.memory import MemoryTrimmer
from conduit_desktop.actions.background.webhook import Webhook
from conduit_desktop.actions.config_file.release import release_file
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.lock import HomeLock

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0
MAINTAIN_EVERY_S = 30.0
TIDY_EVERY_S = 3600.0


class BackgroundJobs:
    """Runs from `begin` to `end`."""

    def __init__(self, context: AppContext, lock: HomeLock, config: Path | None, serves: bool) -> None:
        """`serves`: without a config file, what an earlier one defined is unlocked."""
        self._context = context
        self._lock = lock
        self._config = config
        self._serves = serves
        self._seen: tuple[int, int] | None = None
        self._missing = 0
        """How many checks in a row found no file: an editor that replaces it removes it for a moment."""
        self._alerts = Alerts(context)
        self._webhook = Webhook(context) if serves else None
        self._trimmer = MemoryTrimmer()
        self._task: asyncio.Task[None] | None = None
        self._maintenance: asyncio.Task[None] | None = None
        self._unsubscribe = (
            context.bus.subscribe(self._on_server, "server"),
            context.bus.subscribe(_log_request, "requests"),
        )

    async def begin(self) -> None:
        """Apply the config file, or raise ConfigFileBroken; then watch it."""
        if self._config is not None:
            self._seen = self._stamp()
            # At the start a broken file ends the program: to run with an older configuration would go unnoticed.
            await self._apply(self._config)
        elif self._serves:
            # Only where the gateway serves: a single command has no config file either, and must not unlock what the file defines.
            await release_file(self._context)
        self._task = asyncio.ensure_future(self._run())
        self._maintenance = asyncio.ensure_future(self._maintain())
        if self._webhook is not None:
            self._webhook.begin()
        if self._serves:
            self._trimmer.begin()

    async def end(self) -> None:
        """Stop watching."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._alerts.close()
        if self._webhook is not None:
            await self._webhook.end()
        await self._trimmer.end()
        for task in (self._task, self._maintenance):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            try:
                await self._check_file()
            except Exception:  # a fault of one round must not end the watch
                log.exception("the config file could not be followed")
            self._alerts.check_expiry(now_ms())

    async def _maintain(self) -> None:
        """Sum up the log and remove what is too old: apart from the rest, since on a large log it takes minutes."""
        # In the past, so that the first round prunes: a process that never runs for an hour would never do it.
        tidied = -TIDY_EVERY_S
        store = self._context.store
        await asyncio.sleep(CHECK_EVERY_S)
        while True:
            try:
                await store.ledger.summarize()
                if time.monotonic() - tidied > TIDY_EVERY_S:
                    tidied = time.monotonic()
                    await store.tidy(self._context.gateway.snapshot.settings)
            except ConduitError as error:  # the store reports a full disk itself
                log.info("the log was not summed up or pruned: %s", error)
            except Exception:  # a fault of one round must not end the maintenance
                log.exception("the log could not be summed up or pruned")
            await asyncio.sleep(MAINTAIN_EVERY_S)

    async def _check_file(self) -> None:
        stamp = self._stamp()
        self._missing = self._missing + 1 if stamp is None else 0
        # Polled by modification time and size: this also works on network mounts and for a mounted Kubernetes ConfigMap.
        if self._config is None or (stamp == self._seen if stamp is not None else self._missing != 2):
            return
        # Before the file is read: a change during the reading gives another stamp, and is seen in the next round.
        self._seen = stamp
        try:
            await self._apply(self._config)
            log.info("the config file %s was read again", self._config)
        except ConduitError as error:
            # The former configuration stays in force: a typing error in the file must not stop a running gateway.
            log.error("the config file is not used: %s", error)
            self._context.gateway.state.notify("system", "error", "The config file is not used", f"Nothing was changed. {error}")

    async def _apply(self, config: Path) -> None:
        # Without a config file, nothing of all that reads and compares one is loaded.
        from conduit_desktop.actions.config_file.document import load
        from conduit_desktop.actions.config_file.transfer import sync_file

        await sync_file(self._context, await asyncio.to_thread(load, config))

    def _stamp(self) -> tuple[int, int] | None:
        """Modification time and size of the file; None where there is none."""
        if self._config is None:
            return None
        try:
            found = self._config.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _on_server(self, _change: Change) -> None:
        # The command line finds the running gateway by the address in the lock file.
        self._lock.update(address=self._context.server.address)
        state, at = self._context.server.state, self._context.server.address
        # The caller of `start` reports why it failed.
        log.log(
            logging.INFO if state in ("running", "stopped") else logging.DEBUG,
            "the server is %s%s",
            state,
            f" at {at}" if at else "",
        )


def _log_request(change: Change) -> None:
    record = change.payload
    if isinstance(record, RequestRecord) and log.isEnabledFor(logging.DEBUG):
        # The request log holds the same: at a higher level, each request would fill the log file too.
        log.debug(
            "%s %s to %s: %s, %d, %.0f ms", record.id, record.model, record.provider or "no provider", record.status,
            record.http_status, record.duration_ms,
        )  # fmt: skip
