"""Nothing on a visible page is stale: a change made by another client refreshes every page that shows what was changed.

The pages run on a remote transport without HTTP, so that none of them depends on a gateway in the same process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import notifications
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import first_steps
from conduit_desktop.actions.onboarding.discovery import FoundServer
from conduit_desktop.actions.operations import OPERATIONS, Operation
from conduit_desktop.actions.transport import LocalTransport, http_request, plain
from conduit_desktop.core.bus import Change
from conduit_desktop.core.chat import Message, Text
from conduit_desktop.core.errors import NotFound, UpstreamError
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page
from conduit_desktop.gui.shell.page_registry import PAGES, page_class
from tests.fakes.newer_catalog import offer_newer_catalog
from tests.fakes.waiting import settled, until
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

NAMES = ("welcome", *(entry.name for entry in PAGES))
VOLATILE = {"uptime_s", "loop_lag_ms", "in_flight", "database_bytes", "cooldown_s", "next_probe_s"}
"""Fields that change without a change of anything: a page reads them by a timer, or not at all."""

NOT_SHOWN: dict[str, set[str]] = {"chat": {"spend_usd"}, "settings": {"spend_usd"}}
"""Fields of a page's reads that it does not show: these two offer keys by their names."""

CHANGING = [operation for operation in OPERATIONS if operation.topics]
TARGET = "work%2Fdemo-chat"

Call = Callable[[AdminClient], Awaitable[Any]]


Reads = dict[str, tuple[tuple[str, Any], Any]]
"""By request target, what was read (path and query) and its answer."""


class RecordingTransport:
    """The gateway through JSON, as over HTTP. Keeps the last answer of every read, without the fields in `ignored`."""

    def __init__(self, context: AppContext, ignored: set[str]) -> None:
        self._inner = LocalTransport(context, "gui")
        self._ignored = ignored
        self.reads: Reads = {}

    async def perform(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        answer = await self.ask(method, path, query, body)
        if method == "GET":
            self.reads[http_request(path, query, None)[0]] = ((path, query), without(answer, self._ignored))
        return answer

    async def ask(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        """The same, without keeping the answer."""
        return orjson.loads(orjson.dumps(plain(await self._inner.perform(method, path, query, body))))

    async def changed_reads(self, before: Reads) -> dict[str, Any]:
        """The current answers of these reads, where they differ from the answers they had."""
        now: dict[str, Any] = {}
        for target, (asked, _) in before.items():
            # A read of what is gone answers nothing that a page could show; the list that it was in has changed as well.
            with suppress(NotFound):
                now[target] = without(await self.ask("GET", *asked), self._ignored)
        return {target: answer for target, answer in now.items() if answer != before[target][1]}

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self._inner.subscribe(listener)

    async def close(self) -> None:
        """Nothing is open."""


def without(answer: Any, fields: set[str]) -> Any:
    """An answer without these fields, at any depth."""
    if isinstance(answer, dict):
        return {name: without(value, fields) for name, value in answer.items() if name not in fields}
    return [without(one, fields) for one in answer] if isinstance(answer, list) else answer


class VisiblePages:
    """Every page, visible, each with a transport of its own."""

    def __init__(self, context: AppContext, feed: Feed, ui: RecordingUi, qtbot: QtBot) -> None:
        self.transports = {name: RecordingTransport(context, VOLATILE | NOT_SHOWN.get(name, set())) for name in NAMES}
        self.pages: dict[str, Page] = {}
        for name, transport in self.transports.items():
            self.pages[name] = page_class(name)(AdminClient(transport), feed, ui)
            qtbot.addWidget(self.pages[name])
            self.pages[name].show()

    def reads(self) -> dict[str, Reads]:
        """By page, what it has read until now."""
        return {name: dict(transport.reads) for name, transport in self.transports.items()}

    async def changed_reads(self, before: dict[str, Reads]) -> dict[str, dict[str, Any]]:
        """By page, the current answers of its reads that differ from those in `before`.

        Taken before the change, because a page may have read the new answer by the time of the comparison.
        """
        changed = {name: await transport.changed_reads(before[name]) for name, transport in self.transports.items()}
        return {name: reads for name, reads in changed.items() if reads}

    async def follow(self, changed: dict[str, dict[str, Any]]) -> list[str]:
        """Wait until every page has read what `changed_reads` found; the reads that did not happen."""

        def missing() -> list[str]:
            reads = [(name, target, now) for name, found in changed.items() for target, now in found.items()]
            return [f"{name} {target}" for name, target, now in reads if self.transports[name].reads[target][1] != now]

        try:
            await until(lambda: not missing())
        except AssertionError:
            return missing()
        return []


@pytest.fixture
async def key_id(context: AppContext, other_client: AdminClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """One of everything that an operation can change; the id of the key."""

    async def no_servers(_context: AppContext) -> list[FoundServer]:
        return []

    monkeypatch.setattr(first_steps, "found_servers", no_servers)
    monkeypatch.setenv("GROQ_API_KEY", "gsk_0123456789abcdefYYYY")
    call = other_client.request
    await call("POST", "/providers", {"name": "work", "kind": "demo"})
    await call("POST", "/providers", {"name": "spare", "kind": "openai", "api_key": "env:NOT_SET_ANYWHERE"})
    await call("POST", "/models", {"alias": "play", "targets": [{"provider": "work", "model": "demo-chat"}]})
    await call("PUT", "/prices/unused", {"input": 1, "output": 2})
    await call("POST", "/budgets", {"name": "all", "scope": "global", "limit_usd": 100})
    key = (await call("POST", "/keys", {"name": "laptop", "budget_usd": 1}))["id"]
    spent = record(key_id=key, model="play", provider="work", upstream_model="demo-chat", cost_nano=900_000_000)
    unpriced = record(key_id=key, model="gpt-9", provider="spare", upstream_model="gpt-9", cost_nano=None, cost_state="unknown")
    await keep(context, spent, unpriced)
    await context.gateway.state.reload_spend()
    return str(key)


@pytest.fixture
async def pages(context: AppContext, key_id: str, feed: Feed, ui: RecordingUi, qtbot: QtBot) -> VisiblePages:
    return VisiblePages(context, feed, ui, qtbot)


def request(method: str, path: str, body: Any = None) -> Call:
    return lambda client: client.request(method, path, body)


EXAMPLES: dict[tuple[str, str], Call] = {
    ("POST", "/discovery"): request("POST", "/discovery", {"variables": ["GROQ_API_KEY"], "servers": []}),
    ("POST", "/demo"): request("POST", "/demo"),
    ("POST", "/providers"): request("POST", "/providers", {"name": "third", "kind": "demo"}),
    ("PATCH", "/providers/{name}"): request("PATCH", "/providers/work", {"name": "renamed"}),
    ("DELETE", "/providers/{name}"): request("DELETE", "/providers/spare"),
    ("POST", "/providers/{name}/publish"): request("POST", "/providers/work/publish", {"models": ["demo-thinking"]}),
    ("POST", "/models"): request("POST", "/models", {"alias": "b", "targets": [{"provider": "work", "model": "demo-tools"}]}),
    ("PATCH", "/models/{alias*}"): request("PATCH", "/models/play", {"alias": "renamed"}),
    ("DELETE", "/models/{alias*}"): request("DELETE", "/models/play"),
    ("POST", "/health/{target*}/pause"): request("POST", f"/health/{TARGET}/pause"),
    ("POST", "/health/{target*}/resume"): request("POST", f"/health/{TARGET}/resume"),
    ("POST", "/health/{provider}/credentials/{label}/release"): request("POST", "/health/work/credentials/default/release"),
    ("POST", "/keys"): request("POST", "/keys", {"name": "phone"}),
    ("PATCH", "/keys/{id}"): request("PATCH", "/keys/laptop", {"name": "renamed", "rpm": 7}),
    ("DELETE", "/keys/{id}"): request("DELETE", "/keys/laptop"),
    ("POST", "/keys/{id}/rotate"): request("POST", "/keys/laptop/rotate"),
    ("POST", "/keys/{id}/reset-spend"): request("POST", "/keys/laptop/reset-spend"),
    ("POST", "/budgets"): request("POST", "/budgets", {"scope": "global", "limit_usd": 1}),
    ("PATCH", "/budgets/{id}"): request("PATCH", "/budgets/all", {"limit_usd": 2}),
    ("DELETE", "/budgets/{id}"): request("DELETE", "/budgets/all"),
    ("POST", "/prices.csv"): request("POST", "/prices.csv", "pattern,input,output\nplay,1,2\n"),
    ("POST", "/prices/reprice"): request("POST", "/prices/reprice"),
    ("POST", "/catalog/prices/refresh"): request("POST", "/catalog/prices/refresh"),
    ("PUT", "/prices/{pattern*}"): request("PUT", "/prices/play", {"input": 1, "output": 2}),
    ("DELETE", "/prices/{pattern*}"): request("DELETE", "/prices/unused"),
    ("PATCH", "/settings"): request("PATCH", "/settings", {"idle_s": 7}),
    ("POST", "/notifications/read"): request("POST", "/notifications/read"),
    ("POST", "/notifications/{id}/read"): lambda client: read_newest(client),
    ("POST", "/clients/{name}/set"): request("POST", "/clients/codex/set", {"anyway": True}),
    ("POST", "/clients/{name}/undo"): request("POST", "/clients/codex/undo"),
    ("POST", "/ip-rules"): request("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"}),
    ("DELETE", "/ip-rules/{id}"): lambda client: remove_ip_rule(client),
    ("POST", "/import"): request("POST", "/import", {"toml": "[settings]\nidle_s = 9\n", "apply": True}),
    ("POST", "/master-key/rotate"): request("POST", "/master-key/rotate"),
    ("PUT", "/webhook"): request("PUT", "/webhook", {"url": "http://127.0.0.1:9/x"}),
    ("DELETE", "/webhook"): request("DELETE", "/webhook"),
    ("POST", "/backup"): request("POST", "/backup"),
}
"""A call of each operation that changes something, on what the fixture `key_id` made."""


async def read_newest(client: AdminClient) -> None:
    [newest, *_] = (await client.notifications())[0]
    await client.mark_read(newest.id)


async def remove_ip_rule(client: AdminClient) -> None:
    [rule] = await client.ip_rules()
    await client.remove_ip_rule(rule.id)


async def prepare(context: AppContext, client: AdminClient, operation: Operation) -> None:
    """What one operation needs in addition."""
    match operation.path:
        case "/health/{target*}/resume":
            await client.pause_target("work/demo-chat")
        case "/health/{provider}/credentials/{label}/release":
            owner = context.gateway.snapshot.providers["work"].provider.id
            refusal = UpstreamError("no such key", status=401, reason="auth")
            context.gateway.health.failed("work/demo-chat", owner, "default", refusal)
        case "/catalog/prices/refresh":
            await offer_newer_catalog(context)
        case "/prices/reprice":
            await client.request("PUT", "/prices/spare%2Fgpt-9", {"input": 1, "output": 2})
        case "/clients/{name}/undo":
            await client.request("POST", "/clients/codex/set", {"anyway": True})
        case "/notifications/read" | "/notifications/{id}/read":
            await notifications.notify(context, "budget", "warning", "Nearly spent", "80 %")
        case "/webhook" if operation.method == "DELETE":
            await client.request("PUT", "/webhook", {"url": "http://127.0.0.1:9/x"})
        case "/ip-rules/{id}":
            await client.request("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"})


UNSHOWN = {"/notifications/read",
           "/notifications/{id}/read"}  # fmt: skip
"""Operations whose effect no page reads: the window itself counts notifications."""


@pytest.mark.parametrize("operation", CHANGING, ids=lambda one: f"{one.method} {one.path}")
async def test_an_operation_of_another_client_refreshes_the_pages_that_show_its_effect(
    context: AppContext, other_client: AdminClient, feed: Feed, pages: VisiblePages, ui: RecordingUi, operation: Operation
):
    await prepare(context, other_client, operation)
    await until(lambda: not feed._timer.isActive())  # else a batch of the preparation would refresh the pages afterwards
    await ui.settle()
    assert await pages.follow(await pages.changed_reads(pages.reads())) == []
    before = pages.reads()
    await EXAMPLES[operation.method, operation.path](other_client)
    changed = await pages.changed_reads(before)
    assert bool(changed) == (operation.path not in UNSHOWN), changed
    assert await pages.follow(changed) == []


async def test_a_request_refreshes_the_pages_that_show_its_effect(
    context: AppContext, key_id: str, other_client: AdminClient, pages: VisiblePages, ui: RecordingUi
):
    await ui.settle()
    before = pages.reads()
    question = [Message("user", [Text("Hello")])]
    async for _ in other_client.chat("play", question, key_id=key_id):
        pass
    await settled(context.gateway)
    changed = await pages.changed_reads(before)
    for name in ("dashboard", "requests"):  # these add the record of the feed, without a query
        assert {target.partition("?")[0] for target in changed[name]} >= {"/admin/v1/requests"}
        changed[name] = {
            target: now
            for target, now in changed[name].items()
            if target.partition("?")[0] not in ("/admin/v1/requests", "/admin/v1/usage")
        }
    assert {"usage", "providers", "health"} <= changed.keys()
    assert await pages.follow(changed) == []


async def test_a_stopped_server_refreshes_the_pages_that_show_its_state(context: AppContext, pages: VisiblePages, ui: RecordingUi):
    await ui.settle()
    before = pages.reads()
    context.server.state, context.server.address = "stopped", None
    context.bus.publish("server", "stopped")
    changed = await pages.changed_reads(before)
    assert changed
    assert await pages.follow(changed) == []


async def test_a_hidden_page_reads_again_when_it_is_shown(
    other_client: AdminClient, feed: Feed, pages: VisiblePages, ui: RecordingUi
):
    await ui.settle()
    for page in pages.pages.values():
        page.hide()
    batches: list[object] = []
    feed.batch.connect(batches.append)
    before = pages.reads()
    await other_client.request("PATCH", "/keys/laptop", {"name": "renamed"})
    changed = await pages.changed_reads(before)
    await until(lambda: batches)
    await ui.settle()
    assert pages.reads() == before
    for page in pages.pages.values():
        page.show()
    assert await pages.follow(changed) == []
