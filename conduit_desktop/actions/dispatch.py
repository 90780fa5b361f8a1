"""The one path of every change: write lock, one transaction with its audit entry, gateway refresh, publication on the bus.

async def remove(context: AppContext, rule_id: str, actor: Actor) -> None:
    def job(edit: Edit) -> None:
        edit.tx.ip_rules.delete(rule_id)
        edit.record("ip-rule.remove", rule_id)

    await apply(context, actor, job)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from conduit_desktop.actions.credentials import SecretDraft
from conduit_desktop.core.bus import Topic
from conduit_desktop.core.errors import describe
from conduit_desktop.store.interface import PENDING_SECRETS

if TYPE_CHECKING:
    from conduit_desktop.actions.context import Actor, AddressChange, AppContext
    from conduit_desktop.store.interface import Transaction

log = logging.getLogger(__name__)
T = TypeVar("T")

_SHOWN: Mapping[str, tuple[Topic, ...]] = {
    "provider.create": ("providers",),
    "provider.edit": ("providers",),
    "provider.remove": ("providers",),
    "model.create": ("models",),
    "model.edit": ("models",),
    "model.remove": ("models",),
    "key.create": ("keys",),
    "key.edit": ("keys",),
    "key.remove": ("keys",),
    "key.rotate": ("keys",),
    "key.reset-spend": ("keys",),
    "budget.create": ("budgets",),
    "budget.edit": ("budgets",),
    "budget.remove": ("budgets",),
    "price.put": ("prices",),
    "price.remove": ("prices",),
    "price.reprice": ("requests",),
    "catalog.refresh": ("prices",),
    "settings.change": ("settings",),
    "ip-rule.create": ("ip_rules",),
    "ip-rule.remove": ("ip_rules",),
    "target.pause": ("health",),
    "target.resume": ("health",),
    "credential.release": ("health",),
    "client.set": ("clients", "keys"),
    "client.undo": ("clients", "keys"),
    "notification.read": ("notifications",),
    "config-file.release": ("settings", "providers", "models", "keys", "budgets", "prices"),
    "master-key.rotate": ("settings",),
    "webhook.set": (),
    "webhook.remove": (),
    "backup.create": (),
}
_NOT_AUDITED = "notification.read"
TOPICS: Mapping[str, tuple[Topic, ...]] = {
    name: topics if name == _NOT_AUDITED else (*topics, "audit") for name, topics in _SHOWN.items()
}
"""The topics on the bus that each kind of change publishes, by its name in the audit log."""


class Edit:
    """One open transaction: `tx` has the tables; `record` writes the audit entry into the same transaction."""

    def __init__(self, tx: Transaction, actor: Actor) -> None:
        self.tx = tx
        self.actor = actor
        self.changes: list[tuple[str, str | None]] = []
        """Name and subject of every change made."""

    def record(self, action: str, subject: str, changes: Mapping[str, Any] | None = None) -> int:
        """Write an audit entry and have its topics published; returns the entry's id. `changes` must not hold secrets."""
        self.announce(action, subject)
        return self.tx.audit.add(self.actor, action, subject, changes)

    def announce(self, action: str, subject: str | None = None) -> None:
        """Have the topics of `action` published, without an audit entry."""
        assert action in TOPICS, action
        self.changes.append((action, subject))


Job = Callable[[Edit], T]
"""Reads, checks and writes in one transaction. Runs on the store's writer thread: it must not touch the loop's objects."""


class PendingChange:
    """A change in progress, with the write lock held.

    `secrets` are written before the row that names them: put back when the change fails, and the old ones removed after it.
    """

    def __init__(self, context: AppContext, actor: Actor) -> None:
        self.context = context
        self.actor = actor
        self.secrets = SecretDraft(context.secrets, context.store.meta)
        self.topics: dict[Topic, str | None] = {}
        """Topics to publish, each with the subject of its change; None for several subjects."""
        self.address: AddressChange | None = None
        """Where the server is to listen once the change is committed."""
        self._is_committed = False

    async def commit(self, job: Job[T]) -> T:
        """Run `job` in one transaction, together with the audit entries it records."""

        pending = await self.secrets.pending()

        def run(tx: Transaction) -> tuple[T, list[tuple[str, str | None]]]:
            edit = Edit(tx, self.actor)
            result = job(edit)
            if self.secrets.wrote:
                # The vault, or the identity of the keyring's entries, is there from the first secret on.
                tx.note_files()
            if pending is not None:
                tx.meta.put(PENDING_SECRETS, pending)
            return result, edit.changes

        result, changes = await self.context.store.transact(run)
        self._is_committed = True
        # Only after the transaction: one that was rolled back publishes nothing.
        for action, subject in changes:
            for topic in TOPICS[action]:
                self.topics[topic] = None if self.topics.get(topic, subject) != subject else subject
        return result

    async def take_effect(self) -> None:
        """Let the gateway see what was committed, have the server listen there, then publish it."""
        try:
            await self._refresh()
        finally:
            if self.address is not None:
                await (self.address.apply() if self._is_committed else self.address.cancel())
        for topic, subject in self.topics.items():
            self.context.bus.publish(topic, subject)

    async def _refresh(self) -> None:
        if self.topics.keys() - {"notifications", "audit"}:  # the gateway's snapshot holds all but those
            # Before the publication: a listener that reads the gateway at the event must see the new state.
            await self.context.gateway.refresh()


async def change(context: AppContext, actor: Actor, work: Callable[[PendingChange], Awaitable[T]]) -> T:
    """Run `work` alone among all changes: its asynchronous part (secrets, network), then one or more `commit`s.

    A caller that is cancelled leaves early; the change itself always runs to its end, so that a row never names a secret
    that was taken back.
    """
    task = asyncio.ensure_future(_change(context, actor, work))
    # Shielded: a client that disconnects must not leave a secret without its row, or a row whose gateway was not refreshed.
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # Nobody awaits the task any more, so that its exception would be lost.
        task.add_done_callback(_log_failure)
        raise


async def apply(context: AppContext, actor: Actor, job: Job[T]) -> T:
    """Run `job` as a change that needs no asynchronous part."""
    return await change(context, actor, lambda started: started.commit(job))


def _change(context: AppContext, actor: Actor, work: Callable[[PendingChange], Awaitable[T]]) -> Coroutine[Any, Any, T]:
    async def run() -> T:
        # One lock for all changes: `before` values read outside the transaction stay true until it commits.
        async with context.write_lock:
            started = PendingChange(context, actor)
            try:
                async with started.secrets:
                    return await work(started)
            finally:
                # Also after a failure: of several commits, those before it hold.
                await started.take_effect()

    return run()


def _log_failure(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a change failed after its caller was gone: %s", describe(error))
