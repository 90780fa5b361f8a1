"""The admin API as data: every action with its method, path, inputs and status; `call` runs one.

The server puts HTTP around this table, and the command line uses it as it is where nobody serves the home.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from conduit_desktop.actions import (
    audit,
    backup,
    health,
    ip_rules,
    keys,
    master_key,
    models,
    notifications,
    prices,
    providers,
    requests,
    settings,
    usage,
)
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.paging import part
from conduit_desktop.actions.routes import PathPattern, WrongMethod, find
from conduit_desktop.actions.schemas import inputs as given
from conduit_desktop.actions.schemas.validation import Query, read
from conduit_desktop.actions.status import status
from conduit_desktop.core.errors import ActionError, GatewayError, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class OperationCall:
    """One wish on its way: `path` holds the names in the path, `query` and `body` are checked."""

    context: AppContext
    actor: Actor
    path: Mapping[str, str]
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """An answer that is not JSON."""

    content_type: str
    text: str


Run = Callable[[OperationCall], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `body` is None where nothing may be sent, `dict` for any object. `{name*}` in a path may hold slashes."""

    method: str
    path: str
    summary: str
    run: Run
    body: type[BaseModel] | type[dict[str, Any]] | None = None
    query: type[Query] = Query
    status: int = 200
    changes: bool | None = None
    """Whether it reads, changes and writes, so that no other may come between; unless said, whatever is not GET does."""
    route: PathPattern = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", PathPattern(self.path))
        if self.changes is None:
            object.__setattr__(self, "changes", self.method != "GET")


class ProviderRefused(ActionError):
    """A provider that was asked on the operator's behalf did not do it."""

    status = 502
    code = "provider_error"


def _page(load: Callable[[AppContext], Awaitable[list[Any]]], key: Callable[[Any], str]) -> Run:
    """A list that is in memory anyway, in parts ordered by `key`."""

    async def run(asked: OperationCall) -> Any:
        return part(await load(asked.context), key, asked.query)

    return run


def _in_order(rows: list[Any], query: given.PageQuery) -> tuple[list[Any], str | None]:
    """A list whose order says something, in parts."""
    numbered, cursor = part(enumerate(rows), lambda row: f"{row[0]:09d}", query)
    return [row for _, row in numbered], cursor


async def _catalog(asked: OperationCall) -> Any:
    return _in_order(providers.catalog(), asked.query)


async def _offered(asked: OperationCall) -> Any:
    offers = await providers.offered(asked.context, asked.path["name"], asked.query.refresh)
    return part(offers, lambda offer: offer.id, asked.query)


async def _usage(asked: OperationCall) -> Any:
    rows = await usage.usage(asked.context, asked.query)
    if asked.query.format == "csv":
        return TextAnswer("text/csv", usage.as_csv(rows, asked.query.group_by))
    return _in_order(rows, asked.query)


async def _explain(asked: OperationCall) -> Any:
    return await models.explain(asked.context, asked.path["alias"], asked.body or {}), None


async def _settings(asked: OperationCall) -> Any:
    return _in_order(await settings.show(asked.context), asked.query)


async def _change_settings(asked: OperationCall) -> Any:
    return await settings.change(asked.context, asked.body, asked.actor), None


async def _rotate_master_key(asked: OperationCall) -> Any:
    return {"master_key": await master_key.rotate(asked.context, asked.actor)}


async def _read_all(asked: OperationCall) -> Any:
    return {"read": await notifications.mark_all_read(asked.context)}


async def _health(asked: OperationCall) -> Any:
    return part(health.targets(asked.context), _by_name, asked.query)


def _by_name(row: Any) -> str:
    return str(row.name).casefold()


def _by_alias(row: Any) -> str:
    return str(row.alias).casefold()


def _by_age(row: Any) -> str:
    return f"{row.created_at or ''} {row.id}"


def _by_pattern(row: Any) -> str:
    return f"{row.pattern.casefold()} {row.valid_from or ''}"


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/status", "How the house is doing", lambda a: status(a.context)),
    Operation("GET", "/catalog", "Every kind of provider", _catalog, query=given.PageQuery),
    Operation("GET", "/providers", "Every provider", _page(providers.all_providers, _by_name), query=given.PageQuery),
    Operation("POST", "/providers", "Add a provider", lambda a: providers.create(a.context, a.body, a.actor),
              given.NewProvider, status=201),
    Operation("GET", "/providers/{name}", "One provider", lambda a: providers.get(a.context, a.path["name"])),
    Operation("PATCH", "/providers/{name}", "Change a provider",
              lambda a: providers.edit(a.context, a.path["name"], a.body, a.actor), given.ProviderPatch),
    Operation("DELETE", "/providers/{name}", "Remove a provider and its secrets",
              lambda a: providers.remove(a.context, a.path["name"], a.actor), status=204),
    Operation("POST", "/providers/{name}/test", "Ask a provider a small question",
              lambda a: providers.test(a.context, a.path["name"]), changes=False),
    Operation("GET", "/providers/{name}/models", "What a provider offers", _offered, query=given.OfferedQuery),
    Operation("GET", "/models", "Every model alias", _page(models.all_models, _by_alias), query=given.PageQuery),
    Operation("POST", "/models", "Add a model alias", lambda a: models.create(a.context, a.body, a.actor),
              given.NewModel, status=201),
    Operation("POST", "/models/{alias*}/explain", "Where a request would go", _explain, dict, changes=False),
    Operation("GET", "/models/{alias*}", "One model alias", lambda a: models.get(a.context, a.path["alias"])),
    Operation("PATCH", "/models/{alias*}", "Change a model alias",
              lambda a: models.edit(a.context, a.path["alias"], a.body, a.actor), given.ModelPatch),
    Operation("DELETE", "/models/{alias*}", "Remove a model alias",
              lambda a: models.remove(a.context, a.path["alias"], a.actor), status=204),
    Operation("GET", "/health", "How every target and credential fares", _health, query=given.PageQuery),
    Operation("POST", "/health/{target*}/pause", "Send a target nothing until it is resumed",
              lambda a: health.pause(a.context, a.path["target"], a.actor), status=204),
    Operation("POST", "/health/{target*}/resume", "Let a target answer again",
              lambda a: health.resume(a.context, a.path["target"], a.actor), status=204),
    Operation("POST", "/health/{provider}/credentials/{label}/release", "Use a parked credential again",
              lambda a: health.release(a.context, a.path["provider"], a.path["label"], a.actor), status=204),
    Operation("GET", "/keys", "Every virtual key", _page(keys.all_keys, _by_age), query=given.PageQuery),
    Operation("POST", "/keys", "Make a virtual key, shown once", lambda a: keys.create(a.context, a.body, a.actor),
              given.NewKey, status=201),
    Operation("GET", "/keys/{id}", "One virtual key", lambda a: keys.get(a.context, a.path["id"])),
    Operation("PATCH", "/keys/{id}", "Change a virtual key",
              lambda a: keys.edit(a.context, a.path["id"], a.body, a.actor), given.KeyPatch),
    Operation("DELETE", "/keys/{id}", "Withdraw a virtual key",
              lambda a: keys.remove(a.context, a.path["id"], a.actor), status=204),
    Operation("POST", "/keys/{id}/rotate", "Put a new key in its place, shown once",
              lambda a: keys.rotate(a.context, a.path["id"], a.actor)),
    Operation("POST", "/keys/{id}/reset-spend", "Count its spend from here",
              lambda a: keys.reset_spend(a.context, a.path["id"], a.actor)),
    Operation("GET", "/requests", "The request log", lambda a: requests.page(a.context, a.query), query=given.RequestQuery),
    Operation("GET", "/requests/{id}", "One request", lambda a: requests.get(a.context, a.path["id"])),
    Operation("GET", "/usage", "What was spent", _usage, query=given.UsageQuery),
    Operation("GET", "/prices", "Every price set by the user", _page(prices.all_prices, _by_pattern), query=given.PageQuery),
    Operation("POST", "/prices/reprice", "Recompute unknown costs", lambda a: prices.reprice(a.context, a.actor)),
    Operation("GET", "/prices/{pattern*}", "One price", lambda a: prices.get(a.context, a.path["pattern"])),
    Operation("PUT", "/prices/{pattern*}", "Set a price",
              lambda a: prices.put(a.context, a.path["pattern"], a.body, a.actor), given.NewPrice),
    Operation("DELETE", "/prices/{pattern*}", "Forget a price",
              lambda a: prices.remove(a.context, a.path["pattern"], a.actor), status=204),
    Operation("GET", "/settings", "Every setting", _settings, query=given.PageQuery),
    Operation("PATCH", "/settings", "Change settings", _change_settings, dict),
    Operation("GET", "/notifications", "What the operator should know",
              lambda a: notifications.page(a.context, a.query), query=given.NotificationQuery),
    Operation("POST", "/notifications/read", "Mark all as read", _read_all),
    Operation("POST", "/notifications/{id}/read", "Mark one as read",
              lambda a: notifications.mark_read(a.context, a.path["id"]), status=204),
    Operation("GET", "/ip-rules", "Every IP rule", _page(ip_rules.all_rules, _by_age), query=given.PageQuery),
    Operation("POST", "/ip-rules", "Add an IP rule", lambda a: ip_rules.create(a.context, a.body, a.actor),
              given.NewIpRule, status=201),
    Operation("DELETE", "/ip-rules/{id}", "Remove an IP rule",
              lambda a: ip_rules.remove(a.context, a.path["id"], a.actor), status=204),
    Operation("GET", "/audit", "Who changed what, when", lambda a: audit.page(a.context, a.query), query=given.PageQuery),
    Operation("POST", "/backup", "Write a consistent copy of the databases",
              lambda a: backup.create(a.context, a.body, a.actor), given.BackupRequest, changes=False),
    Operation("GET", "/export", "The configuration as conduit.toml, without secrets", lambda a: transfer.export(a.context)),
    Operation("POST", "/import", "Read a conduit.toml: preview, or apply",
              lambda a: transfer.import_(a.context, a.body, a.actor), given.ImportRequest),
    Operation("POST", "/master-key/rotate", "A new master key", _rotate_master_key),
)  # fmt: skip


async def call(
    context: AppContext, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, actor: Actor = "cli"
) -> tuple[int, Any]:
    """Run one operation: its status, and its answer as plain JSON values (or `TextAnswer`; None with 204).

    `path` is below `/admin/v1`, percent-encoded; `body` as JSON reads it, None for none. Raises ActionError.
    """
    operation, names = match(method, path)
    asked = OperationCall(context, actor, names, read(operation.query, dict(query or {})), _body(operation, body))
    try:
        async with context.turn if operation.changes else nullcontext():
            answer = await operation.run(asked)
    except GatewayError as error:
        kind = NotFound if error.status == 404 else Invalid if error.status == 400 else ProviderRefused
        raise kind(error.message, error.param) from error
    return operation.status, _json(answer)


def match(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The row for a request and the names in its path; raises NotFound, WrongMethod."""
    fitting = [(row, names) for row in OPERATIONS if (names := find(row.route, path)) is not None]
    for row, names in fitting:
        if row.method == method:
            return row, names
    if not fitting:
        raise NotFound(f"There is no {path or '/'} in the admin API.")
    raise WrongMethod(method, sorted({row.method for row, _ in fitting}))


def _body(operation: Operation, body: Any) -> Any:
    if operation.body is None:
        return read(given.Empty, {} if body is None else body)
    if not issubclass(operation.body, BaseModel):
        if not isinstance(body, dict) and body is not None:
            raise Invalid("must be an object")
        return body or {}
    if body is None and not any(info.is_required() for info in operation.body.model_fields.values()):
        body = {}
    return read(operation.body, body)


def _json(answer: Any) -> Any:
    match answer:
        case None | TextAnswer():
            return answer
        case tuple():
            return {"data": [_json(row) for row in answer[0]], "next": answer[1]}
        case BaseModel():
            return answer.model_dump(mode="json")
        case _:
            return answer
