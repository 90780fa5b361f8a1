"""`AdminClient`: what pages and commands hold. One typed method for each operation, over either transport."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from conduit_desktop.actions.schemas import inputs, reports, views
from conduit_desktop.actions.schemas.views import View
from conduit_desktop.actions.transport import PAGE, LocalTransport, OperationClient, plain, segment
from conduit_desktop.core.errors import Conflict
from conduit_desktop.core.records import RequestRecord

if TYPE_CHECKING:
    from conduit_desktop.actions.chat import ChatAnswer
    from conduit_desktop.core.chat import Message

T = TypeVar("T")
V = TypeVar("V", bound=View)
Page = tuple[list[T], str | None]
"""Rows of a list and the cursor of the rest; None at the end."""


class AdminClient(OperationClient):
    """Every operation of one gateway.

    Raises ActionError (NotFound, Conflict, Invalid with its `field`) for what is refused, GatewayUnreachable for a remote
    gateway that does not answer, DatabaseUnusable where the local store fails. Lists are complete; those of the log come in
    parts.
    """

    @property
    def is_local(self) -> bool:
        """The gateway runs in this process: its server can be started and stopped, and its master key read."""
        return isinstance(self.transport, LocalTransport)

    # Status, catalog, discovery

    async def status(self) -> views.StatusView:
        """Version, address, uptime and load."""
        return await self._one(views.StatusView, "GET", "/status")

    async def start_server(self) -> None:
        """Listen; raises PortTaken, and Conflict for a remote gateway."""
        # The admin API has no such operation: a server that it stopped could not receive the call that starts it again.
        await self._local("started").context.server.start()

    async def stop_server(self) -> None:
        """Stop listening, after a grace period for streams; raises Conflict for a remote gateway."""
        await self._local("stopped").context.server.stop()

    async def catalog(self) -> list[views.KindView]:
        """Every provider kind."""
        return await self._all(views.KindView, "/catalog")

    async def discovery(self) -> views.DiscoveryView:
        """Provider keys in the environment and model servers on the gateway's computer; takes up to two seconds."""
        return await self._one(views.DiscoveryView, "GET", "/discovery")

    async def add_discovered(self, variables: Sequence[str] = (), servers: Sequence[str] = ()) -> list[str]:
        """Add a provider for each environment variable and server URL that `discovery` found; their names."""
        body = inputs.read(inputs.AddDiscovered, {"variables": list(variables), "servers": list(servers)})
        return (await self._one(views.AddedView, "POST", "/discovery", body)).providers

    async def add_demo(self) -> str:
        """Add the demo provider and its models; the alias to try first."""
        return (await self._one(views.DemoView, "POST", "/demo")).alias

    # Providers

    async def providers(self) -> list[views.ProviderView]:
        """Every provider, by name."""
        return await self._all(views.ProviderView, "/providers")

    async def provider(self, name: str) -> views.ProviderView:
        """One provider; raises NotFound."""
        return await self._one(views.ProviderView, "GET", f"/providers/{segment(name)}")

    async def provider_states(self) -> dict[str, views.ProviderStateView]:
        """The state of every provider by name, with the aliases that use it."""
        return (await self._one(views.ProviderStatesView, "GET", "/provider-states")).states

    async def create_provider(self, new: inputs.NewProvider) -> views.ProviderView:
        """Raises Conflict, Invalid."""
        return await self._one(views.ProviderView, "POST", "/providers", new)

    async def edit_provider(self, name: str, patch: inputs.ProviderPatch) -> views.ProviderView:
        """Change the fields that are set; a new name is carried into the aliases. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.ProviderView, "PATCH", f"/providers/{segment(name)}", patch)

    async def remove_provider(self, name: str) -> None:
        """Raises NotFound, Conflict."""
        await self._nothing("DELETE", f"/providers/{segment(name)}")

    async def test_provider(self, name: str) -> views.ProviderTestView:
        """Send a small, billed request. Raises NotFound."""
        return await self._one(views.ProviderTestView, "POST", f"/providers/{segment(name)}/test")

    async def offered_models(self, name: str, refresh: bool = False) -> list[views.OfferedView]:
        """The models a provider offers; raises NotFound, and an ActionError with the provider's error."""
        return await self._all(views.OfferedView, f"/providers/{segment(name)}/models", {"refresh": refresh})

    async def publish(self, name: str, models: Sequence[str]) -> list[str]:
        """Create an alias for each model, all or none; the aliases created or changed. Raises NotFound, Conflict, Invalid."""
        body = inputs.read(inputs.PublishRequest, {"models": list(models)})
        return (await self._one(views.PublishedView, "POST", f"/providers/{segment(name)}/publish", body)).aliases

    # Model aliases

    async def models(self) -> list[views.ModelView]:
        """Every alias, by name."""
        return await self._all(views.ModelView, "/models")

    async def model(self, alias: str) -> views.ModelView:
        """One alias; raises NotFound."""
        return await self._one(views.ModelView, "GET", f"/models/{segment(alias)}")

    async def create_model(self, new: inputs.NewModel) -> views.ModelView:
        """Raises Conflict, Invalid."""
        return await self._one(views.ModelView, "POST", "/models", new)

    async def edit_model(self, alias: str, patch: inputs.ModelPatch) -> views.ModelView:
        """Change the fields that are set. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.ModelView, "PATCH", f"/models/{segment(alias)}", patch)

    async def remove_model(self, alias: str) -> None:
        """Raises NotFound, Conflict."""
        await self._nothing("DELETE", f"/models/{segment(alias)}")

    async def explain_model(self, alias: str, body: Mapping[str, Any] | None = None) -> list[views.ExplainedView]:
        """The targets a request with `body` would try now, in order, each with the reason. Raises NotFound."""
        answer = await self.transport.perform("POST", f"/models/{segment(alias)}/explain", None, dict(body or {}))
        return _rows(views.ExplainedView, answer)[0]

    # Health

    async def health(self) -> list[reports.TargetHealthView]:
        """Every target with its circuit and credentials."""
        return await self._all(reports.TargetHealthView, "/health")

    async def pause_target(self, target: str) -> None:
        """Send `provider/model` no requests until it is resumed. Raises NotFound."""
        await self._nothing("POST", f"/health/{segment(target)}/pause")

    async def resume_target(self, target: str) -> None:
        """Raises NotFound."""
        await self._nothing("POST", f"/health/{segment(target)}/resume")

    async def release_credential(self, provider: str, label: str) -> None:
        """Use a disabled credential, or one in cooldown, again. Raises NotFound."""
        await self._nothing("POST", f"/health/{segment(provider)}/credentials/{segment(label)}/release")

    # Virtual keys

    async def keys(self) -> list[views.KeyView]:
        """Every virtual key, the oldest first."""
        return await self._all(views.KeyView, "/keys")

    async def key(self, key_id: str) -> views.KeyView:
        """One key by id or name; raises NotFound."""
        return await self._one(views.KeyView, "GET", f"/keys/{segment(key_id)}")

    async def create_key(self, new: inputs.NewKey) -> views.NewKeyView:
        """The key with its value, which is returned only here. Raises Conflict, Invalid."""
        return await self._one(views.NewKeyView, "POST", "/keys", new)

    async def edit_key(self, key_id: str, patch: inputs.KeyPatch) -> views.KeyView:
        """Change the fields that are set. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.KeyView, "PATCH", f"/keys/{segment(key_id)}", patch)

    async def remove_key(self, key_id: str) -> None:
        """Raises NotFound, Conflict."""
        await self._nothing("DELETE", f"/keys/{segment(key_id)}")

    async def rotate_key(self, key_id: str) -> views.NewKeyView:
        """The key with its new value. Raises NotFound, Conflict."""
        return await self._one(views.NewKeyView, "POST", f"/keys/{segment(key_id)}/rotate")

    async def reset_spend(self, key_id: str) -> views.KeyView:
        """Set the spend of the current period to zero. Raises NotFound."""
        return await self._one(views.KeyView, "POST", f"/keys/{segment(key_id)}/reset-spend")

    async def key_history(self, key_id: str, limit: int = 50) -> list[views.BudgetPeriodView]:
        """What a key spent in the last `limit` periods of its own budget before the running one, the newest first.

        Raises NotFound.
        """
        path = f"/keys/{segment(key_id)}/history"
        return _rows(views.BudgetPeriodView, await self.transport.perform("GET", path, {"limit": limit}))[0]

    # Budgets

    async def budgets(self) -> list[views.BudgetView]:
        """Every budget, the oldest first."""
        return await self._all(views.BudgetView, "/budgets")

    async def budget(self, budget_id: str) -> views.BudgetView:
        """One budget by id or name; raises NotFound."""
        return await self._one(views.BudgetView, "GET", f"/budgets/{segment(budget_id)}")

    async def create_budget(self, new: inputs.NewBudget) -> views.BudgetView:
        """Raises Conflict, Invalid."""
        return await self._one(views.BudgetView, "POST", "/budgets", new)

    async def edit_budget(self, budget_id: str, patch: inputs.BudgetPatch) -> views.BudgetView:
        """Change the fields that are set. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.BudgetView, "PATCH", f"/budgets/{segment(budget_id)}", patch)

    async def remove_budget(self, budget_id: str) -> None:
        """Raises NotFound, Conflict."""
        await self._nothing("DELETE", f"/budgets/{segment(budget_id)}")

    async def budget_history(self, budget_id: str, limit: int = 50) -> list[views.BudgetPeriodView]:
        """What was spent in the last `limit` periods before the running one, the newest first. Raises NotFound."""
        path = f"/budgets/{segment(budget_id)}/history"
        return _rows(views.BudgetPeriodView, await self.transport.perform("GET", path, {"limit": limit}))[0]

    # Clients

    async def clients(self) -> list[views.ClientView]:
        """Every tool that can use the gateway, with its state on the gateway's computer."""
        return await self._all(views.ClientView, "/clients")

    async def client(self, name: str, model: str | None = None, small_model: str | None = None) -> views.ClientView:
        """One tool, with the difference for these models. Raises NotFound, Invalid."""
        query = {key: value for key, value in (("model", model), ("small_model", small_model)) if value is not None}
        return _view(views.ClientView, await self.transport.perform("GET", f"/clients/{segment(name)}", query))

    async def set_client(self, name: str, setup: inputs.ClientSetup) -> views.ClientView:
        """Write a tool's config files and make its key. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.ClientView, "POST", f"/clients/{segment(name)}/set", setup)

    async def undo_client(self, name: str) -> views.ClientView:
        """Take a tool's set-up back. Raises NotFound, Conflict, Invalid."""
        return await self._one(views.ClientView, "POST", f"/clients/{segment(name)}/undo")

    # Requests, usage

    async def requests(self, query: inputs.RequestQuery | None = None) -> tuple[list[reports.RequestView], str | None]:
        """A page of the log, newest first, and the cursor of the rest; short only at the end. Raises Invalid."""

        async def part(query: inputs.RequestQuery) -> tuple[list[reports.RequestView], str | None]:
            return _rows(reports.RequestView, await self.transport.perform("GET", "/requests", query))

        # Not `_all`: the log may hold millions of records.
        return await _whole_page(part, query or inputs.RequestQuery())

    async def records(self, query: inputs.RequestQuery | None = None) -> tuple[list[RequestRecord], str | None]:
        """As `requests`, as records with money in nano-dollars and times in epoch ms; the cheaper one for long tables."""
        return await _whole_page(self.records_part, query or inputs.RequestQuery())

    async def records_part(self, query: inputs.RequestQuery) -> tuple[list[RequestRecord], str | None]:
        """As `records`, from a part of the log that is searched in a fraction of a second.

        The page may be short, even empty, though there is a cursor: the search goes on there.
        """
        if isinstance(self.transport, LocalTransport):
            from conduit_desktop.actions import requests

            return await requests.records(self.transport.context, query)
        from conduit_desktop.actions.remote_transport import record_of

        answer = await self.transport.perform("GET", "/requests", query)
        return [record_of(row) for row in answer["data"]], answer["next"]

    def cursor_at(self, at: int) -> str:
        """The cursor of the requests that started at `at` (epoch ms) or before."""
        from conduit_desktop.actions.requests import cursor_at

        return cursor_at(at)

    async def request_detail(self, request_id: str) -> reports.RequestDetailView:
        """One request, with prompt and answer where they were kept. Raises NotFound."""
        return await self._one(reports.RequestDetailView, "GET", f"/requests/{segment(request_id)}")

    async def compare(self, request_id: str, other: str) -> reports.ComparisonView:
        """Two requests side by side. Raises NotFound."""
        return await self._one(reports.ComparisonView, "GET", f"/requests/{segment(request_id)}/compare/{segment(other)}")

    async def replay(
        self, request_id: str, target: str | None = None, overrides: dict[str, Any] | None = None
    ) -> reports.RequestDetailView:
        """Ask a kept request again; the new one's record. Raises NotFound, Conflict where its body was not kept, and Invalid."""
        given = inputs.ReplayRequest(request_id=request_id, target=target, overrides=overrides or {})
        return await self._one(reports.RequestDetailView, "POST", "/replay", given)

    async def usage(self, query: inputs.UsageQuery | None = None) -> list[reports.UsageView]:
        """Sums by the groups of `query.group_by`; all rows. Raises Invalid."""
        if isinstance(self.transport, LocalTransport):
            from conduit_desktop.actions import usage

            return await usage.rows(self.transport.context, query or inputs.UsageQuery())  # one query instead of one per part
        # `_all` sets its own limit and cursor, and CSV would not come as rows.
        parameters = (query or inputs.UsageQuery()).model_dump(exclude_unset=True, exclude={"limit", "cursor", "format"})
        return await self._all(reports.UsageView, "/usage", parameters)

    async def usage_csv(self, query: inputs.UsageQuery) -> str:
        """The same as CSV with a heading. Raises Invalid."""
        parameters = query.model_copy(update={"format": "csv"})
        return str(plain(await self.transport.perform("GET", "/usage", parameters.model_dump(exclude_none=True))))

    # Prices

    async def prices(self) -> list[views.PriceView]:
        """Every price set by the user, by pattern."""
        return await self._all(views.PriceView, "/prices")

    async def price(self, pattern: str) -> views.PriceView:
        """The price of a pattern that is valid now; raises NotFound."""
        return await self._one(views.PriceView, "GET", f"/prices/{segment(pattern)}")

    async def put_price(self, pattern: str, new: inputs.NewPrice) -> views.PriceView:
        """Set a price; raises Conflict, Invalid."""
        return await self._one(views.PriceView, "PUT", f"/prices/{segment(pattern)}", new)

    async def remove_price(self, pattern: str) -> None:
        """Raises NotFound, Conflict."""
        await self._nothing("DELETE", f"/prices/{segment(pattern)}")

    async def prices_csv(self) -> str:
        """Every price set by the user, as CSV with a heading."""
        return str(plain(await self.transport.perform("GET", "/prices.csv")))

    async def import_prices(self, text: str) -> int:
        """Set every price of a CSV file, all or none; how many. Raises Invalid with line and column, Conflict."""
        answer = await self.transport.perform("POST", "/prices.csv", None, text)
        return _view(views.PricesImportedView, answer).imported

    async def catalog_prices(self, query: inputs.CatalogQuery | None = None) -> views.CatalogPricesView:
        """The price catalog in use with its date, and a part of its prices. Reads a large file, in a thread of the gateway."""
        answer = await self.transport.perform("GET", "/catalog/prices", query or inputs.CatalogQuery())
        return _view(views.CatalogPricesView, answer)

    async def refresh_catalog(self) -> views.CatalogRefreshedView:
        """Take a newer price catalog from the address of the setting `catalog_url`. Raises Invalid, Conflict if it is not newer."""
        return await self._one(views.CatalogRefreshedView, "POST", "/catalog/prices/refresh")

    async def reprice(self, request: inputs.RepriceRequest | None = None) -> views.RepricedView:
        """Compute the cost of past requests from the prices of their time; with `preview`, say what would change."""
        return await self._one(views.RepricedView, "POST", "/prices/reprice", request or inputs.RepriceRequest())

    # Settings, notifications, IP rules, audit log

    async def settings(self) -> list[views.SettingView]:
        """Every setting; `locked` where config file, command line or environment fix it."""
        return await self._all(views.SettingView, "/settings")

    async def change_settings(self, values: Mapping[str, Any]) -> list[views.SettingView]:
        """Set the options given; None restores a default. Every setting afterwards. Raises Invalid, Conflict."""
        return _rows(views.SettingView, await self.transport.perform("PATCH", "/settings", None, dict(values)))[0]

    async def notifications(
        self, query: inputs.NotificationQuery | None = None
    ) -> tuple[list[reports.NotificationView], str | None]:
        """A part of the notifications, newest first, and the cursor of the rest."""
        query = query or inputs.NotificationQuery()
        return _rows(reports.NotificationView, await self.transport.perform("GET", "/notifications", query))

    async def unread_notifications(self) -> int:
        """The number of unread notifications."""
        return (await self._one(reports.UnreadView, "GET", "/notifications/unread")).unread

    async def mark_read(self, notification_id: str) -> None:
        """Raises NotFound."""
        await self._nothing("POST", f"/notifications/{segment(notification_id)}/read")

    async def mark_all_read(self) -> int:
        """How many were unread."""
        return (await self._one(reports.ReadView, "POST", "/notifications/read")).read

    async def webhook(self) -> str | None:
        """A hint of the address to which notifications are sent; None where there is none."""
        return (await self._one(views.WebhookView, "GET", "/webhook")).url

    async def set_webhook(self, url: str) -> views.WebhookSecretView:
        """Send notifications to this address; its signing secret is returned only here. Raises Invalid."""
        return await self._one(views.WebhookSecretView, "PUT", "/webhook", inputs.read(inputs.NewWebhook, {"url": url}))

    async def remove_webhook(self) -> None:
        """Raises NotFound."""
        await self._nothing("DELETE", "/webhook")

    async def test_webhook(self) -> views.WebhookTestView:
        """Send a test notification; raises NotFound."""
        return await self._one(views.WebhookTestView, "POST", "/webhook/test")

    async def ip_rules(self) -> list[views.IpRuleView]:
        """Every IP rule, the oldest first."""
        return await self._all(views.IpRuleView, "/ip-rules")

    async def create_ip_rule(self, new: inputs.NewIpRule) -> views.IpRuleView:
        """Raises Conflict, Invalid."""
        return await self._one(views.IpRuleView, "POST", "/ip-rules", new)

    async def remove_ip_rule(self, rule_id: str) -> None:
        """Raises NotFound."""
        await self._nothing("DELETE", f"/ip-rules/{segment(rule_id)}")

    async def audit(self, query: inputs.PageQuery | None = None) -> tuple[list[reports.AuditView], str | None]:
        """A part of the audit log, newest first, and the cursor of the rest."""
        return _rows(reports.AuditView, await self.transport.perform("GET", "/audit", query or inputs.PageQuery()))

    # Backup, config file, master key

    async def backup(self, path: str | None = None) -> reports.BackupView:
        """Write an archive at an absolute `path` of the gateway's computer, or in its backups folder. Raises Invalid."""
        body = inputs.read(inputs.BackupRequest, {"path": path})
        return await self._one(reports.BackupView, "POST", "/backup", body)

    async def export_config(self) -> str:
        """The configuration as the text of a `conduit.toml`, without secrets."""
        return (await self._one(reports.ExportView, "GET", "/export")).toml

    async def import_config(self, toml: str, apply: bool = False, allow_env: Sequence[str] = ()) -> reports.ImportView:
        """Preview, or with `apply` make, the changes of a `conduit.toml`. Raises Invalid.

        Of the environment, the file takes only the variables of `allow_env`.
        """
        request = inputs.ImportRequest(toml=toml, apply=apply, allow_env=list(allow_env))
        return await self._one(reports.ImportView, "POST", "/import", request)

    async def master_key(self) -> str:
        """The master key in force; raises Conflict for a remote gateway."""
        from conduit_desktop.actions import master_key

        # No operation returns it: a remote caller has it already, or must not get it.
        return await master_key.current(self._local("read").context)

    async def rotate_master_key(self) -> str:
        """Replace the master key; the new one. Raises Conflict where the environment sets it."""
        return (await self._one(views.MasterKeyView, "POST", "/master-key/rotate")).master_key

    # Chat

    def chat(self, alias: str, messages: Sequence[Message], *, key_id: str | None = None, **parameters: Any) -> ChatAnswer:
        """Stream an answer of `alias` (or `provider/model`); `parameters` are those of `actions.chat.chat_request`.

        With `key_id` the call counts against that key; a remote gateway always uses the transport's `client_key`, and raises
        Conflict without one.
        """
        from conduit_desktop.actions.chat import chat_request, stream_chat
        from conduit_desktop.actions.remote_transport import RemoteTransport

        if isinstance(self.transport, RemoteTransport):
            return self.transport.chat(chat_request(alias, messages, **parameters))
        return stream_chat(self._local("used for a chat").context, alias, messages, key_id=key_id, **parameters)

    def _local(self, verb: str) -> LocalTransport:
        if not isinstance(self.transport, LocalTransport):
            raise Conflict(f"This cannot be {verb} from here: the gateway runs elsewhere.")
        return self.transport

    async def _one(self, kind: type[V], method: str, path: str, body: Any = None) -> V:
        return _view(kind, await self.transport.perform(method, path, None, body))

    async def _nothing(self, method: str, path: str) -> None:
        await self.transport.perform(method, path)

    async def _all(self, kind: type[V], path: str, query: Mapping[str, Any] | None = None) -> list[V]:
        rows: list[V] = []
        cursor: str | None = None
        while True:
            more, cursor = _rows(
                kind, await self.transport.perform("GET", path, {**(query or {}), "limit": PAGE, "cursor": cursor})
            )
            rows += more
            if cursor is None:
                return rows
            await asyncio.sleep(0)  # a long list must not hold the loop


def _view(kind: type[V], answer: Any) -> V:
    """The view of either transport: the object itself, or its JSON."""
    return answer if isinstance(answer, kind) else kind.model_validate(answer)


async def _whole_page(part: Callable[[inputs.RequestQuery], Awaitable[Page[T]]], query: inputs.RequestQuery) -> Page[T]:
    """The parts of a search joined, until they are `query.limit` rows or the log ends."""
    rows, cursor = await part(query)
    while cursor is not None and len(rows) < query.limit:
        more, cursor = await part(query.model_copy(update={"cursor": cursor, "limit": query.limit - len(rows)}))
        rows = [*rows, *more]
    return rows, cursor


def _rows(kind: type[V], answer: Any) -> tuple[list[V], str | None]:
    # A local list is a tuple of views, so that hundreds of rows need not pass through JSON.
    rows, cursor = (answer["data"], answer["next"]) if isinstance(answer, dict) else answer
    return [_view(kind, row) for row in rows], cast("str | None", cursor)
