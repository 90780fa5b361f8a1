"""The table of operations: every action with its method, path, inputs, result and topics.

`AdminClient` calls them in this process, the server offers them over HTTP, and the OpenAPI description is made from the table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from conduit_desktop.actions import (
    audit,
    backup,
    budgets,
    comparison,
    health,
    ip_rules,
    keys,
    master_key,
    models,
    notifications,
    price_catalog,
    prices,
    providers,
    replay,
    repricing,
    requests,
    settings,
    usage,
    webhook,
)
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import TOPICS
from conduit_desktop.actions.onboarding import first_steps
from conduit_desktop.actions.paging import part
from conduit_desktop.actions.provider_states import provider_states
from conduit_desktop.actions.publishing import publish
from conduit_desktop.actions.routes import PathPattern, WrongMethod, find
from conduit_desktop.actions.schemas import inputs as given
from conduit_desktop.actions.schemas import reports, views
from conduit_desktop.actions.schemas.validation import Query, read
from conduit_desktop.actions.status import status
from conduit_desktop.core.bus import Topic
from conduit_desktop.core.errors import ActionError, GatewayError, Invalid, NotFound
from conduit_desktop.core.heavy_work import for_operator


@dataclass(frozen=True, slots=True)
class OperationCall:
    """One call of an operation: `path` holds the names in the path, `query` and `body` are validated."""

    context: AppContext
    actor: Actor
    path: Mapping[str, str]
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """A result that is not JSON."""

    content_type: str
    text: str


_SHORT_PAGES = (
    "Newest first. A request searches the log for a limited time: `data` may hold fewer rows than `limit`, even none, while `next` "
    "is set. Only `next: null` is the end; repeat the request with `cursor` set to `next` until then."
)

MOST_ROWS = 5_000
"""Rows of usage in one answer, where no part is asked for."""

MOST_ON_LOOP = 50
"""Rows whose JSON is made on the event loop; that of more is made in a thread."""

_SUMS_OF_REQUESTS = (
    "`session`, `user` and `tag` have sums alone, and in pairs: with any other group, and `session` with `user`; with `day` in UTC "
    "as well. Other combinations with them are summed request by request: over a range of more than 100,000 requests the answer "
    "is 422, with the field `group_by`, unless it comes by `day` or `hour` first. Of requests that are no longer kept, pairs count "
    "by quarters of a day of UTC."
)

Run = Callable[[OperationCall], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table. `{name*}` in a path may hold slashes."""

    method: str
    path: str
    summary: str
    run: Run
    result: type[BaseModel] | None = None
    """The view returned; with `many`, the type of the rows of a list. None: nothing (204)."""
    many: bool = False
    body: type[BaseModel] | type[dict[str, Any]] | type[str] | None = None
    """None where nothing may be sent, `dict` for any object, `str` for text (CSV)."""
    query: type[Query] = Query
    status: int = 200
    text: str = ""
    """A further content type that the operation can return."""
    changes: tuple[str, ...] = ()
    """The kinds of change it can make, by their names in the audit log; empty for an operation that only reads."""
    description: str = ""
    """More than the summary, for the API description."""
    route: PathPattern = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", PathPattern(self.path))

    @property
    def topics(self) -> frozenset[Topic]:
        """The topics that the dispatcher can publish for it."""
        return frozenset(topic for name in self.changes for topic in TOPICS[name])


class ProviderRefused(ActionError):
    """A request that the operator had sent to a provider failed."""

    status = 502
    code = "provider_error"


def _page(load: Callable[[AppContext], Awaitable[list[Any]]], key: Callable[[Any], str]) -> Run:
    """A list that is in memory, in parts ordered by `key`."""

    async def run(call: OperationCall) -> Any:
        return part(await load(call.context), key, call.query)

    return run


def _in_order(rows: list[Any], query: given.PageQuery) -> tuple[list[Any], str | None]:
    """A list that keeps its order, in parts."""
    # With leading zeros: a cursor is compared as text, where 10 would come before 9.
    numbered, cursor = part(enumerate(rows), lambda row: f"{row[0]:09d}", query)
    return [row for _, row in numbered], cursor


async def _clients(call: OperationCall) -> Any:
    # Here, because the editors of config files are needed by this page alone.
    from conduit_desktop.actions.clients import setup

    return _in_order(await setup.all_clients(call.context), call.query)


async def _client(call: OperationCall) -> Any:
    from conduit_desktop.actions.clients import setup

    return await setup.get(call.context, call.path["name"], call.query)


async def _set_client(call: OperationCall) -> Any:
    from conduit_desktop.actions.clients import setup

    return await setup.set_up(call.context, call.path["name"], call.body, call.actor)


async def _undo_client(call: OperationCall) -> Any:
    from conduit_desktop.actions.clients import setup

    return await setup.undo(call.context, call.path["name"], call.actor)


async def _catalog(call: OperationCall) -> Any:
    return _in_order(providers.catalog(), call.query)


async def _offered(call: OperationCall) -> Any:
    offers = await providers.offered(call.context, call.path["name"], call.query.refresh)
    return part(offers, lambda offer: offer.id, call.query)


async def _usage(call: OperationCall) -> Any:
    query = call.query
    if query.format == "csv":
        return TextAnswer("text/csv", await usage.csv_file(call.context, query))
    # Of a list without end, making the JSON would hold up the streams on this loop.
    return await usage.page(call.context, query, MOST_ROWS if query.limit is None else query.limit)


async def _prices_csv(call: OperationCall) -> Any:
    return TextAnswer("text/csv", await prices.as_csv(call.context))


async def _explain(call: OperationCall) -> Any:
    return await models.explain(call.context, call.path["alias"], call.body or {}), None


async def _settings(call: OperationCall) -> Any:
    return _in_order(await settings.show(call.context), call.query)


async def _change_settings(call: OperationCall) -> Any:
    return await settings.change(call.context, call.body, call.actor), None


async def _rotate_master_key(call: OperationCall) -> Any:
    return views.MasterKeyView(master_key=await master_key.rotate(call.context, call.actor))


async def _read_all(call: OperationCall) -> Any:
    return reports.ReadView(read=await notifications.mark_all_read(call.context, call.actor))


async def _unread(call: OperationCall) -> Any:
    return reports.UnreadView(unread=await notifications.unread(call.context))


async def _health(call: OperationCall) -> Any:
    return part(health.targets(call.context), _by_name, call.query)


async def _provider_states(call: OperationCall) -> Any:
    return views.ProviderStatesView(states=provider_states(call.context))


async def _publish(call: OperationCall) -> Any:
    provider = (await providers.get(call.context, call.path["name"])).name
    return views.PublishedView(aliases=await publish(call.context, provider, call.body.models, call.actor))


async def _export(call: OperationCall) -> Any:
    return reports.ExportView(**await transfer.export(call.context))


async def _discovery(call: OperationCall) -> Any:
    return await first_steps.discovered(call.context)


async def _add_discovered(call: OperationCall) -> Any:
    return views.AddedView(providers=await first_steps.add_discovered(call.context, call.body, call.actor))


async def _add_demo(call: OperationCall) -> Any:
    return views.DemoView(alias=await first_steps.add_demo(call.context, call.actor))


def _by_name(row: Any) -> str:
    return str(row.name).casefold()


def _by_alias(row: Any) -> str:
    return str(row.alias).casefold()


def _by_age(row: Any) -> str:
    # With the id: a cursor names one row, and two rows may be of the same millisecond.
    return f"{row.created_at or ''} {row.id}"


def _by_pattern(row: Any) -> str:
    # With the date: a pattern may have several prices, each valid from another day.
    return f"{row.pattern.casefold()} {row.valid_from or ''}"


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/status", "State, address and load of the gateway", lambda c: status(c.context), views.StatusView),
    Operation("GET", "/catalog", "Every provider kind", _catalog, views.KindView, many=True, query=given.PageQuery),
    Operation("GET", "/discovery", "Provider keys in the environment and model servers on this computer", _discovery,
              views.DiscoveryView),
    Operation("POST", "/discovery", "Add providers for discovered keys and servers", _add_discovered, views.AddedView,
              body=given.AddDiscovered, status=201, changes=("provider.create", "model.create", "model.edit")),
    Operation("POST", "/demo", "Add the demo provider and publish its models", _add_demo, views.DemoView, status=201,
              changes=("provider.create", "model.create", "model.edit")),
    Operation("GET", "/providers", "Every provider", _page(providers.all_providers, _by_name), views.ProviderView, many=True,
              query=given.PageQuery),
    Operation("POST", "/providers", "Add a provider", lambda c: providers.create(c.context, c.body, c.actor),
              views.ProviderView, body=given.NewProvider, status=201, changes=("provider.create",)),
    Operation("GET", "/provider-states", "The state of every provider, and the aliases that use it", _provider_states,
              views.ProviderStatesView),
    Operation("GET", "/providers/{name}", "One provider", lambda c: providers.get(c.context, c.path["name"]),
              views.ProviderView),
    Operation("PATCH", "/providers/{name}", "Change a provider",
              lambda c: providers.edit(c.context, c.path["name"], c.body, c.actor), views.ProviderView,
              body=given.ProviderPatch, changes=("provider.edit", "model.edit", "budget.edit")),
    Operation("DELETE", "/providers/{name}", "Remove a provider and its secrets",
              lambda c: providers.remove(c.context, c.path["name"], c.actor), status=204, changes=("provider.remove",)),
    Operation("POST", "/providers/{name}/test", "Send a provider a small request",
              lambda c: providers.test(c.context, c.path["name"]), views.ProviderTestView),
    Operation("GET", "/providers/{name}/models", "The models a provider offers", _offered, views.OfferedView, many=True,
              query=given.OfferedQuery),
    Operation("POST", "/providers/{name}/publish", "Create an alias for each of a provider's models", _publish,
              views.PublishedView, body=given.PublishRequest, changes=("model.create", "model.edit")),
    Operation("GET", "/models", "Every model alias", _page(models.all_models, _by_alias), views.ModelView, many=True,
              query=given.PageQuery),
    Operation("POST", "/models", "Add a model alias", lambda c: models.create(c.context, c.body, c.actor), views.ModelView,
              body=given.NewModel, status=201, changes=("model.create",)),
    Operation("POST", "/models/{alias*}/explain", "The targets a request would try, with reasons", _explain,
              views.ExplainedView, many=True, body=dict),
    Operation("GET", "/models/{alias*}", "One model alias", lambda c: models.get(c.context, c.path["alias"]), views.ModelView),
    Operation("PATCH", "/models/{alias*}", "Change a model alias",
              lambda c: models.edit(c.context, c.path["alias"], c.body, c.actor), views.ModelView, body=given.ModelPatch,
              changes=("model.edit", "budget.edit")),
    Operation("DELETE", "/models/{alias*}", "Remove a model alias",
              lambda c: models.remove(c.context, c.path["alias"], c.actor), status=204, changes=("model.remove",)),
    Operation("GET", "/health", "Health of every target and its credentials", _health, reports.TargetHealthView, many=True,
              query=given.PageQuery),
    Operation("POST", "/health/{target*}/pause", "Send a target no requests until it is resumed",
              lambda c: health.pause(c.context, c.path["target"], c.actor), status=204, changes=("target.pause",)),
    Operation("POST", "/health/{target*}/resume", "Send a paused target requests again",
              lambda c: health.resume(c.context, c.path["target"], c.actor), status=204, changes=("target.resume",)),
    Operation("POST", "/health/{provider}/credentials/{label}/release", "Use a disabled credential again",
              lambda c: health.release(c.context, c.path["provider"], c.path["label"], c.actor), status=204,
              changes=("credential.release",)),
    Operation("GET", "/keys", "Every virtual key", _page(keys.all_keys, _by_age), views.KeyView, many=True,
              query=given.PageQuery),
    Operation("POST", "/keys", "Create a virtual key; its value is returned once",
              lambda c: keys.create(c.context, c.body, c.actor), views.NewKeyView, body=given.NewKey, status=201,
              changes=("key.create",)),
    Operation("GET", "/keys/{id}", "One virtual key", lambda c: keys.get(c.context, c.path["id"]), views.KeyView),
    Operation("PATCH", "/keys/{id}", "Change a virtual key",
              lambda c: keys.edit(c.context, c.path["id"], c.body, c.actor), views.KeyView, body=given.KeyPatch,
              changes=("key.edit",)),
    Operation("DELETE", "/keys/{id}", "Remove a virtual key",
              lambda c: keys.remove(c.context, c.path["id"], c.actor), status=204, changes=("key.remove",)),
    Operation("POST", "/keys/{id}/rotate", "Give a virtual key a new value, returned once",
              lambda c: keys.rotate(c.context, c.path["id"], c.actor), views.NewKeyView, changes=("key.rotate",)),
    Operation("POST", "/keys/{id}/reset-spend", "Set the spend of a key's current period to zero",
              lambda c: keys.reset_spend(c.context, c.path["id"], c.actor), views.KeyView, changes=("key.reset-spend",)),
    Operation("GET", "/keys/{id}/history", "What was spent in the past periods of a key's own budget",
              lambda c: keys.history(c.context, c.path["id"], c.query), views.BudgetPeriodView, many=True,
              query=given.PageQuery),
    Operation("GET", "/budgets", "Every budget, with its spend", _page(budgets.all_budgets, _by_age), views.BudgetView, many=True,
              query=given.PageQuery),
    Operation("POST", "/budgets", "Add a budget", lambda c: budgets.create(c.context, c.body, c.actor), views.BudgetView,
              body=given.NewBudget, status=201, changes=("budget.create",)),
    Operation("GET", "/budgets/{id}", "One budget", lambda c: budgets.get(c.context, c.path["id"]), views.BudgetView),
    Operation("PATCH", "/budgets/{id}", "Change a budget",
              lambda c: budgets.edit(c.context, c.path["id"], c.body, c.actor), views.BudgetView, body=given.BudgetPatch,
              changes=("budget.edit",)),
    Operation("DELETE", "/budgets/{id}", "Remove a budget",
              lambda c: budgets.remove(c.context, c.path["id"], c.actor), status=204, changes=("budget.remove",)),
    Operation("GET", "/budgets/{id}/history", "What was spent in a budget's past periods",
              lambda c: budgets.history(c.context, c.path["id"], c.query), views.BudgetPeriodView, many=True,
              query=given.PageQuery),
    Operation("GET", "/clients", "Tools that can use the gateway, and their state on this computer", _clients, views.ClientView,
              many=True, query=given.PageQuery),
    Operation("GET", "/clients/{name}", "One tool, with the difference that setting it up would make", _client, views.ClientView,
              query=given.ClientQuery),
    Operation("POST", "/clients/{name}/set", "Point a tool at the gateway in its own config files, with a key of its own",
              _set_client, views.ClientView, body=given.ClientSetup, changes=("client.set", "client.undo")),
    Operation("POST", "/clients/{name}/undo", "Take a tool's set-up back and remove its key", _undo_client, views.ClientView,
              changes=("client.undo",)),
    Operation("GET", "/requests", "The request log", lambda c: requests.page(c.context, c.query), reports.RequestView,
              many=True, query=given.RequestQuery, description=_SHORT_PAGES),
    Operation("GET", "/requests/{id}", "One request", lambda c: requests.get(c.context, c.path["id"]),
              reports.RequestDetailView),
    Operation("GET", "/requests/{id}/compare/{other}", "Two requests side by side, with what differs",
              lambda c: comparison.compare(c.context, c.path["id"], c.path["other"]), reports.ComparisonView),
    Operation("POST", "/replay", "Ask a kept request again, of another target if named; costs what it costs",
              lambda c: replay.replay(c.context, c.body), reports.RequestDetailView, body=given.ReplayRequest),
    Operation("GET", "/usage", "Requests, tokens, cost and latency, by any of the groups", _usage, reports.UsageView,
              many=True, query=given.UsageQuery, text="text/csv", description=_SUMS_OF_REQUESTS),
    Operation("GET", "/prices", "Every price set by the user", _page(prices.all_prices, _by_pattern), views.PriceView,
              many=True, query=given.PageQuery),
    Operation("GET", "/prices.csv", "Every price set by the user, as CSV", _prices_csv, text="text/csv"),
    Operation("POST", "/prices.csv", "Set the prices of a CSV file", lambda c: prices.import_csv(c.context, c.body, c.actor),
              views.PricesImportedView, body=str, changes=("price.put",)),
    Operation("POST", "/prices/reprice", "Compute the cost of past requests from the prices of their time",
              lambda c: repricing.reprice(c.context, c.body, c.actor), views.RepricedView, body=given.RepriceRequest,
              changes=("price.reprice",)),
    Operation("GET", "/catalog/prices", "The price catalog", lambda c: price_catalog.listed(c.context, c.query),
              views.CatalogPricesView, query=given.CatalogQuery),
    Operation("POST", "/catalog/prices/refresh", "Take a newer price catalog",
              lambda c: price_catalog.refresh(c.context, c.actor), views.CatalogRefreshedView, changes=("catalog.refresh",)),
    Operation("GET", "/prices/{pattern*}", "One price", lambda c: prices.get(c.context, c.path["pattern"]), views.PriceView),
    Operation("PUT", "/prices/{pattern*}", "Set a price",
              lambda c: prices.put(c.context, c.path["pattern"], c.body, c.actor), views.PriceView, body=given.NewPrice,
              changes=("price.put",)),
    Operation("DELETE", "/prices/{pattern*}", "Remove a price",
              lambda c: prices.remove(c.context, c.path["pattern"], c.actor), status=204, changes=("price.remove",)),
    Operation("GET", "/settings", "Every setting", _settings, views.SettingView, many=True, query=given.PageQuery),
    Operation("PATCH", "/settings", "Change settings", _change_settings, views.SettingView, many=True, body=dict,
              changes=("settings.change",)),
    Operation("GET", "/notifications", "Notifications, newest first", lambda c: notifications.page(c.context, c.query),
              reports.NotificationView, many=True, query=given.NotificationQuery),
    Operation("GET", "/notifications/unread", "The number of unread notifications", _unread, reports.UnreadView),
    Operation("POST", "/notifications/read", "Mark all notifications as read", _read_all, reports.ReadView,
              changes=("notification.read",)),
    Operation("POST", "/notifications/{id}/read", "Mark a notification as read",
              lambda c: notifications.mark_read(c.context, c.path["id"], c.actor), status=204,
              changes=("notification.read",)),
    Operation("GET", "/webhook", "Where notifications are sent", lambda c: webhook.get(c.context), views.WebhookView),
    Operation("PUT", "/webhook", "Send notifications to an address; the signing secret is returned once",
              lambda c: webhook.put(c.context, c.body, c.actor), views.WebhookSecretView, body=given.NewWebhook,
              changes=("webhook.set",)),
    Operation("DELETE", "/webhook", "Send notifications nowhere", lambda c: webhook.remove(c.context, c.actor), status=204,
              changes=("webhook.remove",)),
    Operation("POST", "/webhook/test", "Send a test notification", lambda c: webhook.test(c.context), views.WebhookTestView),
    Operation("GET", "/ip-rules", "Every IP rule", _page(ip_rules.all_rules, _by_age), views.IpRuleView, many=True,
              query=given.PageQuery),
    Operation("POST", "/ip-rules", "Add an IP rule", lambda c: ip_rules.create(c.context, c.body, c.actor), views.IpRuleView,
              body=given.NewIpRule, status=201, changes=("ip-rule.create",)),
    Operation("DELETE", "/ip-rules/{id}", "Remove an IP rule",
              lambda c: ip_rules.remove(c.context, c.path["id"], c.actor), status=204, changes=("ip-rule.remove",)),
    Operation("GET", "/audit", "Who changed what, and when", lambda c: audit.page(c.context, c.query), reports.AuditView,
              many=True, query=given.PageQuery),
    Operation("POST", "/backup", "Write a consistent copy of the databases",
              lambda c: backup.create(c.context, c.body, c.actor), reports.BackupView, body=given.BackupRequest,
              changes=("backup.create",)),
    Operation("GET", "/export", "The configuration as conduit.toml, without secrets", _export, reports.ExportView),
    Operation("POST", "/import", "Preview or apply a conduit.toml",
              lambda c: transfer.import_(c.context, c.body, c.actor), reports.ImportView, body=given.ImportRequest,
              changes=("provider.create", "provider.edit", "model.create", "model.edit", "key.create", "key.edit",
                       "price.put", "settings.change")),
    Operation("POST", "/master-key/rotate", "Replace the master key", _rotate_master_key, views.MasterKeyView,
              changes=("master-key.rotate",)),
)  # fmt: skip


async def call(
    context: AppContext, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, actor: Actor = "cli"
) -> tuple[int, Any]:
    """Run one operation: its status, and its result as plain JSON values (or `TextAnswer`; None with 204).

    `path` is below `/admin/v1`, percent-encoded; `body` as JSON reads it, None for none. Raises ActionError.
    """
    operation, names = match(method, path)
    result = await perform(context, operation, names, query or {}, body, actor)
    if isinstance(result, tuple) and len(result[0]) > MOST_ON_LOOP:
        return operation.status, await for_operator(as_json, result)
    return operation.status, as_json(result)


async def perform(
    context: AppContext, operation: Operation, names: Mapping[str, str], query: Query | Mapping[str, Any], body: Any, actor: Actor
) -> Any:
    """Run one operation: its view; rows and cursor of a list; a `TextAnswer`; None. Raises ActionError.

    `query` and `body` are the operation's own models, taken as they are, or plain values, which are validated.
    """
    parameters = query if isinstance(query, Query) else read(operation.query, dict(query))
    try:
        return await operation.run(OperationCall(context, actor, names, parameters, _body(operation, body)))
    except GatewayError as error:
        # Errors of the client API keep their meaning here, without its dialects' shapes.
        kind = NotFound if error.status == 404 else Invalid if error.status == 400 else ProviderRefused
        raise kind(error.message, error.param) from error


def match(method: str, path: str) -> tuple[Operation, dict[str, str]]:
    """The row for a request and the names in its path; raises NotFound, WrongMethod."""
    # Several rows of one path differ by method; the first that fits wins, so special paths stand before `{name*}`.
    fitting = [(row, names) for row in OPERATIONS if (names := find(row.route, path)) is not None]
    for row, names in fitting:
        if row.method == method:
            return row, names
    if not fitting:
        raise NotFound(f"There is no {path or '/'} in the admin API.")
    raise WrongMethod(method, sorted({row.method for row, _ in fitting}))


def _body(operation: Operation, body: Any) -> Any:
    if operation.body is None:
        # A body that nothing reads is refused: whoever sent it expects an effect.
        return read(given.Empty, {} if body is None else body)
    if operation.body is str:
        if not isinstance(body, str):
            raise Invalid("must be CSV")
        return body
    if not issubclass(operation.body, BaseModel):
        # Any object: settings are checked by their action, and a sample request may have any field.
        if not isinstance(body, dict) and body is not None:
            raise Invalid("must be an object")
        return body or {}
    # A model from this process was validated when it was made.
    if isinstance(body, operation.body):
        return body
    if body is None and not any(info.is_required() for info in operation.body.model_fields.values()):
        body = {}
    return read(operation.body, body)


def as_json(answer: Any) -> Any:
    """The result of `perform` as plain JSON values; text and None stay as they are."""
    match answer:
        case None | TextAnswer():
            return answer
        case tuple():
            return {"data": [as_json(row) for row in answer[0]], "next": answer[1]}
        case reports.UsageView():  # only the groups that were requested
            return answer.model_dump(mode="json", exclude_unset=True)
        case _:
            return answer.model_dump(mode="json")
