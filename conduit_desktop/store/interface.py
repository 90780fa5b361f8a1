"""What the gateway and the actions need of a store: tables to read, and transactions to change them.

`sqlite` implements these protocols. Money is in nano-dollars, times are epoch milliseconds, prune limits are in days and MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from conduit_desktop.core.entities import (
    AuditEntry,
    Budget,
    BudgetScope,
    Entity,
    IpRule,
    ModelAlias,
    Notification,
    NotificationKind,
    Price,
    Provider,
    Severity,
    VirtualKey,
)
from conduit_desktop.core.records import CostCorrection, FormerCost, RequestRecord, RequestStatus, UsageRow
from conduit_desktop.core.settings import Settings

E = TypeVar("E", bound=Entity)
T = TypeVar("T")

UsageGroup = Literal[
    "day", "hour", "model", "upstream_model", "key", "team", "provider", "client", "session", "user", "tag", "endpoint", "status"
]
RecordPage = tuple[list[RequestRecord], str | None]
NotificationPage = tuple[list[Notification], str | None]
AuditPage = tuple[list[AuditEntry], str | None]
"""Rows of a list, newest first, and the cursor of the rest; None at the end."""

HealthListener = Callable[[bool, str], None]


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which records: `key` is an id or a name, `model` the requested alias, `since_ms` inclusive, `until_ms` exclusive.

    `text` is part of the model, the client or the error, whatever its case.
    """

    key: str | None = None
    model: str | None = None
    provider: str | None = None
    status: RequestStatus | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    client: str | None = None
    session: str | None = None
    user: str | None = None
    tag: str | None = None
    endpoint: str | None = None
    upstream_model: str | None = None
    min_cost_nano: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PricedRequests:
    """Which records to price: those whose cost is unknown, or all; `model` is an alias, an upstream model or `provider/model`."""

    unknown_only: bool = True
    since_ms: int | None = None
    until_ms: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """Whose spend is asked for: the scope and target of a budget (see `core.entities.Budget`), since a moment in epoch ms.

    `until_ms` is exclusive; None: until now. Both lie on quarters of an hour. `former` are earlier names of the target.
    """

    scope: BudgetScope
    target: str = ""
    since_ms: int = 0
    until_ms: int | None = None
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What a key used at a moment (epoch ms): `amount` is a number of requests or of tokens."""

    key_id: str
    at_ms: int
    amount: int


@dataclass(frozen=True, slots=True, repr=False)
class Payload:
    """The bodies of one request and its response; the flags mark which was cut off.

    `pieces`: of a stream, when each piece was sent, in ms from the request's arrival, and its bytes.
    """

    request: bytes
    response: bytes
    request_truncated: bool
    response_truncated: bool
    at: int
    pieces: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class StoredResponse:
    """A response that a client requested to keep, with every item of its conversation."""

    conversation: list[Any]
    response: dict[str, Any]


class EntityTable(Protocol[E]):
    """The entities of one kind, in the order they were added."""

    async def all(self) -> list[E]: ...
    async def get(self, key: str) -> E | None:
        """The entity of that name or id; names are found whatever their case."""
        ...


class PriceTable(EntityTable[Price], Protocol):
    """Prices by pattern; several may share a pattern, each valid from its own time."""

    async def history(self, pattern: str) -> list[Price]:
        """Every price of that pattern, oldest first."""
        ...


class EntityRows(Protocol[E]):
    """The entities of one kind inside a transaction."""

    def all(self) -> list[E]: ...
    def get(self, key: str) -> E | None: ...
    def insert(self, entity: E) -> None:
        """Raises Conflict, naming the field, for a name that is taken."""
        ...

    def replace(self, entity: E) -> None:
        """Put `entity` in the place of the one with its identity; raises NotFound, Conflict."""
        ...

    def delete(self, key: str) -> bool:
        """False where there was none."""
        ...


class PriceRows(EntityRows[Price], Protocol):
    """Prices inside a transaction."""

    def history(self, pattern: str) -> list[Price]: ...


class SettingRows(Protocol):
    """Settings inside a transaction."""

    def put(self, values: Mapping[str, Any]) -> None:
        """Set every option given; None goes back to the default."""
        ...


class AuditRows(Protocol):
    """The audit log inside a transaction."""

    def add(self, actor: str, action: str, subject: str, changes: Mapping[str, Any] | None = None) -> int:
        """Write an entry and return its id. `changes` must not hold secrets."""
        ...

    def amend(self, entry_id: int, changes: Mapping[str, Any]) -> None:
        """Replace the changes of an entry, for a long change that commits in several steps."""
        ...


class MetaRows(Protocol):
    """Internal values by name, inside a transaction."""

    def put(self, name: str, value: Any) -> None: ...


class NotificationRows(Protocol):
    """Notifications inside a transaction."""

    def mark_read(self, id: str) -> bool: ...
    def mark_all_read(self) -> int: ...


class LedgerRows(Protocol):
    """The request log inside a transaction."""

    def correct(self, corrections: Iterable[CostCorrection], actor: str, at_ms: int) -> list[CostCorrection]:
        """Give records another cost, and keep the former one with its corrector; those that were written, with all totals."""
        ...


class Transaction(Protocol):
    """One open write transaction. Its methods block: they run on the store's writer thread."""

    @property
    def providers(self) -> EntityRows[Provider]: ...
    @property
    def models(self) -> EntityRows[ModelAlias]: ...
    @property
    def keys(self) -> EntityRows[VirtualKey]: ...
    @property
    def prices(self) -> PriceRows: ...
    @property
    def ip_rules(self) -> EntityRows[IpRule]: ...
    @property
    def budgets(self) -> EntityRows[Budget]: ...
    @property
    def settings(self) -> SettingRows: ...
    @property
    def audit(self) -> AuditRows: ...
    @property
    def meta(self) -> MetaRows: ...
    @property
    def notifications(self) -> NotificationRows: ...
    @property
    def ledger(self) -> LedgerRows: ...

    def note_files(self) -> None:
        """Keep which files, such as the vault, belong to the database now: a start without one of them is an error."""
        ...


class SettingsTable(Protocol):
    """The options that were set."""

    async def all(self) -> dict[str, Any]: ...


class Ledger(Protocol):
    """Request records and daily totals."""

    def record(self, record: RequestRecord) -> asyncio.Future[None]:
        """Write one record; the future is done once it is durable, and raises RecordsUnavailable."""
        ...

    async def get(self, id: str) -> RequestRecord | None: ...
    async def usage(
        self,
        group_by: Sequence[UsageGroup],
        since_ms: int | None = None,
        until_ms: int | None = None,
        zone: tzinfo = UTC,
        limit: int | None = None,
        after: tuple[str, ...] | None = None,
    ) -> list[UsageRow]:
        """Sums by the requested groups, ordered by them; days and hours of `zone`. Latencies are of the newest 5,000 answers.

        With `limit`, the first rows behind the one whose groups have the values `after` (a key's is its id).
        """
        ...

    async def spent(self, accounts: Sequence[Spending]) -> list[int]:
        """Nano-dollars that each account has spent since its moment, in the accounts' order.

        Exactly the records that were handed to `record` before are in the sums.
        """
        ...

    async def recent_requests(self, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
        """The requests that keys were admitted with, by steps of time, oldest first."""
        ...

    async def recent_tokens(self, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
        """The tokens of the keys' requests by the moment they ended, by steps of time, oldest first."""
        ...

    async def summarize(self, now_ms: int | None = None) -> int:
        """Sum up the hours and days that are over, in small steps, so that queries read few rows; how many there were."""
        ...

    async def began(self) -> int | None:
        """When the oldest slot of the totals began (epoch ms); None where there is none."""
        ...

    async def to_price(self, wanted: PricedRequests, limit: int = 500, after: RequestRecord | None = None) -> list[RequestRecord]:
        """Records that can have a cost, the oldest first, behind `after`."""
        ...

    async def former_costs(self, id: str) -> list[FormerCost]:
        """What a record's cost was before each of its corrections, the oldest first."""
        ...

    async def list(self, filters: RequestFilter | None = None, limit: int = 50, cursor: str | None = None) -> RecordPage:
        """Records, newest first, and the cursor of the next page; raises Invalid("cursor").

        A page may be short, even empty, though there is a cursor: a search looks through a part of the log at a time.
        """
        ...


class Payloads(Protocol):
    """Prompts and answers by request id."""

    async def put(
        self, request_id: str, request_body: bytes, response_body: bytes, at: int, pieces: Sequence[tuple[float, int]] = ()
    ) -> None: ...
    async def get(self, request_id: str) -> Payload | None: ...


class Responses(Protocol):
    """Responses that clients requested to keep. `owner` is the key a response was made for: to others it does not exist."""

    async def put(self, id: str, owner: str, kept: StoredResponse, at: int) -> bool: ...
    async def get(self, id: str, owner: str) -> StoredResponse | None: ...
    async def delete(self, id: str, owner: str) -> bool: ...


class Notifications(Protocol):
    """Notifications, newest first."""

    async def add(
        self, kind: NotificationKind, severity: Severity, title: str, text: str, occasion: str = ""
    ) -> Notification | None:
        """Add one; None where it is there already. An `occasion` is notified once."""
        ...

    async def get(self, id: str) -> Notification | None: ...
    async def list(self, limit: int = 50, cursor: str | None = None, unread: bool = False) -> NotificationPage: ...
    async def unread(self) -> int: ...


class AuditLog(Protocol):
    """Changes, newest first."""

    async def list(self, limit: int = 50, cursor: str | None = None) -> AuditPage: ...


PENDING_SECRETS = "pending_secrets"
"""The name in `Meta` of what a change is doing with secrets: `{"names": [...], "moves": {from: to}}`; null where nothing is.

The next start makes the moves, and removes each of `names` that no row names.
"""


class Meta(Protocol):
    """Internal values by name, kept over restarts."""

    async def get(self, name: str) -> Any: ...
    async def put(self, name: str, value: Any) -> None: ...


class Store(Protocol):
    """Everything one home persists, apart from its secrets."""

    @property
    def providers(self) -> EntityTable[Provider]: ...
    @property
    def models(self) -> EntityTable[ModelAlias]: ...
    @property
    def keys(self) -> EntityTable[VirtualKey]: ...
    @property
    def prices(self) -> PriceTable: ...
    @property
    def ip_rules(self) -> EntityTable[IpRule]: ...
    @property
    def budgets(self) -> EntityTable[Budget]: ...
    @property
    def settings(self) -> SettingsTable: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def payloads(self) -> Payloads: ...
    @property
    def responses(self) -> Responses: ...
    @property
    def notifications(self) -> Notifications: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def meta(self) -> Meta: ...

    on_health: HealthListener | None

    @property
    def price_catalog(self) -> Path:
        """The file of an installed price catalog, which need not exist."""
        ...

    """Called on the loop with (healthy, text) when records stop or start to be writable."""

    @property
    def healthy(self) -> bool:
        """False while records cannot be written."""
        ...

    def transact(self, job: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Run `job` in one write transaction; the future is done once its changes are durable.

        What the job raises undoes everything it did. Raises DatabaseUnusable for a full disk and the like.
        """
        ...

    async def tidy(self, settings: Settings, now_ms: int | None = None) -> None:
        """Remove what is too old or too much, in small steps."""
        ...
