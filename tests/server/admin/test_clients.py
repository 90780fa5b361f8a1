"""`AdminClient` over both transports: the same views, the same errors, the same changes; and no edit lost between them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from conduit_desktop.actions import master_key, notifications
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.remote_transport import RemoteTransport, record_of
from conduit_desktop.actions.requests import view
from conduit_desktop.actions.schemas.inputs import (
    ClientSetup,
    KeyPatch,
    ModelPatch,
    NewBudget,
    NewIpRule,
    NewKey,
    NewModel,
    NewPrice,
    NewProvider,
    NotificationQuery,
    ProviderPatch,
    RequestQuery,
    UsageQuery,
    read,
)
from conduit_desktop.actions.transport import GatewayUnreachable, LocalTransport
from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Message, Text
from conduit_desktop.core.errors import ActionError, Conflict, GatewayError, Invalid, NotFound
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.server.application import build

EDITS = 1000
"""Of different fields of one virtual key, half through each transport."""
ROUNDS = int(os.environ.get("CONDUIT_RACES", "50"))
"""Of a PATCH over HTTP while the window edits another field of the same row, for each kind of row."""

RECORD = RequestRecord(
    id="r1", started_at=1_790_000_000_123, key_id="key_1", key_name="laptop", model="fast", provider="openai", upstream_model="m",
    input=5, output=7, cost_nano=1_234_567, cost_state="final", dropped=("seed",), duration_ms=12.5, first_token_ms=3.25,
    attempts=[AttemptRecord("openai", "m", "default", started_at=1_790_000_000_125, duration_ms=9.5)],
)  # fmt: skip


@pytest.fixture
async def server(context: AppContext) -> AsyncIterator[TestServer]:
    async with TestServer(build(context)) as made:
        yield made


@pytest.fixture
async def local(context: AppContext) -> AdminClient:
    return AdminClient(LocalTransport(context, "gui"))


@pytest.fixture
async def remote(context: AppContext, server: TestServer) -> AsyncIterator[AdminClient]:
    client = AdminClient(RemoteTransport(str(server.make_url("")), await master_key.current(context)))
    yield client
    await client.close()


async def furnish(client: AdminClient) -> str:
    """One of everything through `client`; the key's id."""
    await client.create_provider(read(NewProvider, {"name": "openai", "kind": "openai", "api_key": "sk-proj-0123456789abcdef"}))
    await client.create_model(read(NewModel, {"alias": "team/fast", "targets": [{"provider": "openai", "model": "m"}]}))
    await client.put_price("openai/m", read(NewPrice, {"input": 1, "output": 2}))
    await client.create_ip_rule(read(NewIpRule, {"action": "deny", "network": "10.0.0.0/8"}))
    return (await client.create_key(read(NewKey, {"name": "laptop", "budget_usd": 5, "budget_period": "monthly"}))).id


async def test_both_transports_return_the_same_views(context: AppContext, local: AdminClient, remote: AdminClient) -> None:
    key = await furnish(remote)
    await context.store.ledger.record(RECORD)
    await notifications.notify(context, "system", "info", "a", "b")
    calls: list[Any] = [
        lambda c: c.catalog(), lambda c: c.providers(), lambda c: c.provider("openai"), lambda c: c.provider_states(),
        lambda c: c.models(), lambda c: c.model("team/fast"), lambda c: c.explain_model("team/fast"), lambda c: c.health(),
        lambda c: c.keys(), lambda c: c.key(key), lambda c: c.requests(RequestQuery(limit=5)), lambda c: c.records(),
        lambda c: c.request_detail("r1"), lambda c: c.usage(UsageQuery(group_by="model,key")), lambda c: c.usage(),
        lambda c: c.usage_csv(UsageQuery(group_by="day")), lambda c: c.prices(), lambda c: c.price("openai/m"),
        lambda c: c.settings(), lambda c: c.notifications(NotificationQuery(unread=True)), lambda c: c.unread_notifications(),
        lambda c: c.ip_rules(), lambda c: c.audit(), lambda c: c.export_config(),
        lambda c: c.import_config('[[keys]]\nname = "new"\n'), lambda c: c.clients(), lambda c: c.client("codex", "team/fast"),
    ]  # fmt: skip
    for call in calls:
        here, there = await call(local), await call(remote)
        assert here == there
        assert here not in ([], {}, ([], None), "")


async def test_both_transports_search_the_log_until_a_page_is_full_or_the_log_ends(
    context: AppContext, local: AdminClient, remote: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.STEP", 2)
    monkeypatch.setattr("conduit_desktop.store.sqlite.search.MAX_S", 0)
    for number in range(20):
        error = "quota exceeded" if number in (0, 1, 7, 15) else ""
        await context.store.ledger.record(RequestRecord(id=f"r{number:02}", started_at=1000 + number, error_text=error, model="m"))
    for client in (local, remote):
        query = RequestQuery(q="quota", limit=3)
        assert len((await client.records_part(query))[0]) < 3
        for ask in (client.requests, client.records):
            found, cursor = await ask(query)
            assert [row.id for row in found] == ["r15", "r07", "r01"]
            assert cursor is not None
            found, cursor = await ask(RequestQuery(q="quota", limit=3, cursor=cursor))
            assert ([row.id for row in found], cursor) == (["r00"], None)
            assert await ask(RequestQuery(q="absent", limit=3)) == ([], None)


async def test_both_transports_make_the_same_changes(context: AppContext, local: AdminClient, remote: AdminClient) -> None:
    key = await furnish(local)
    for number, client in enumerate((local, remote)):
        assert (await client.edit_provider("openai", read(ProviderPatch, {"enabled": bool(number)}))).enabled is bool(number)
        assert (await client.edit_model("team/fast", read(ModelPatch, {"retries": number}))).retries == number
        assert (await client.edit_key(key, read(KeyPatch, {"rpm": number + 1, "budget_usd": None}))).rpm == number + 1
        assert (await client.rotate_key(key)).key.startswith("condt_")
        assert (await client.reset_spend(key)).spend_usd == 0
        await client.pause_target("openai/m")
        assert {one.name: one.state for one in await client.health()}["openai/m"] == "paused"
        await client.resume_target("openai/m")
        await client.release_credential("openai", "default")
        rows = await client.change_settings({"theme": "dark" if number else "light"})
        assert next(row.value for row in rows if row.name == "theme") == ("dark" if number else "light")
        assert await client.publish("openai", [f"vendor/m{number}"]) == [f"m{number}"]
        assert await client.add_demo() == "demo-chat"
        assert (await client.set_client("codex", read(ClientSetup, {"anyway": True}))).state == "set"
        assert (await client.undo_client("codex")).key_id is None
        assert (await client.reprice()).repriced == 0
        assert (await client.backup()).bytes > 0
        assert await client.mark_all_read() == 0
        assert (await client.import_config(f'[[keys]]\nname = "k{number}"\n', apply=True)).new_keys[f"k{number}"]
    actors = {one.actor for one in (await local.audit())[0]}
    assert actors == {"gui", "admin"}


@pytest.mark.parametrize(
    ("call", "kind", "field"),
    [
        (lambda c: c.provider("nothing"), NotFound, None),
        (lambda c: c.create_key(NewKey.model_construct(_fields_set={"name"}, name="laptop")), Conflict, "name"),
        (lambda c: c.change_settings({"port": 70000}), Invalid, "port"),
        (lambda c: c.add_discovered(variables=["PATH"]), Invalid, "variables[0]"),
        (lambda c: c.request_detail("nothing"), NotFound, None),
        (lambda c: c.mark_read("nothing"), NotFound, None),
        (lambda c: c.usage(UsageQuery(group_by="colour")), Invalid, "group_by"),
    ],
)
async def test_both_transports_raise_the_same_errors(
    local: AdminClient, remote: AdminClient, call: Any, kind: type[ActionError], field: str | None
) -> None:
    await furnish(local)
    raised = []
    for client in (local, remote):
        with pytest.raises(kind) as caught:
            await call(client)
        raised.append((type(caught.value), caught.value.message, caught.value.field, caught.value.status, caught.value.code))
    assert raised[0] == raised[1]
    assert raised[0][2] == field


async def test_both_transports_deliver_changes_with_records(context: AppContext, local: AdminClient, remote: AdminClient) -> None:
    for client in (local, remote):
        async with aclosing(client.events()) as events:
            first = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            if isinstance(client.transport, RemoteTransport):
                await asyncio.wait_for(client.transport.connected.wait(), 10)
            context.bus.publish("requests", RECORD)
            change = await asyncio.wait_for(first, 10)
            while change.payload is None:  # a remote stream begins with a change of every topic
                change = await asyncio.wait_for(anext(events), 10)
            assert (change.topic, change.payload) == ("requests", RECORD)


def test_a_record_comes_back_from_its_view() -> None:
    assert record_of(view(RECORD).model_dump(mode="json")) == RECORD


async def test_what_needs_the_process_is_refused_for_a_remote_gateway(remote: AdminClient) -> None:
    for call in (remote.master_key, remote.start_server, remote.stop_server):
        with pytest.raises(Conflict, match="elsewhere"):
            await call()


async def test_a_gateway_that_does_not_answer_and_a_wrong_key_are_different_errors(
    server: TestServer, unused_tcp_port: int
) -> None:
    away = AdminClient(RemoteTransport(f"http://127.0.0.1:{unused_tcp_port}", "k"))
    with pytest.raises(GatewayUnreachable, match=str(unused_tcp_port)):
        await away.status()
    await away.close()
    stranger = AdminClient(RemoteTransport(str(server.make_url("")), "secret-key"))
    with pytest.raises(ActionError) as raised:
        await stranger.status()
    await stranger.close()
    assert (raised.value.status, raised.value.code) == (401, "invalid_master_key")
    assert "secret-key" not in f"{raised.value} {stranger.transport!r}"


async def test_both_transports_stream_a_chat(context: AppContext, server: TestServer, local: AdminClient) -> None:
    await local.create_provider(read(NewProvider, {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}}))
    key = await local.create_key(read(NewKey, {"name": "laptop"}))
    master = await master_key.current(context)
    remote = AdminClient(RemoteTransport(str(server.make_url("")), master, client_key=key.key))
    texts = []
    for client in (local, remote):
        stream = client.chat("demo/demo-chat", [Message("user", [Text("Hello")], plain=True)], key_id=key.id)
        texts.append(collect([event async for event in stream]).first.text)
        assert stream.record is not None
        assert (stream.record.status, stream.record.key_name, stream.record.id) == ("success", "laptop", stream.id)
    assert texts[0] == texts[1] != ""
    with pytest.raises(GatewayError) as raised:
        [event async for event in remote.chat("nothing", [Message("user", [Text("Hello")], plain=True)])]
    assert raised.value.status == 404
    await remote.close()


async def test_a_remote_chat_without_a_virtual_key_is_refused(remote: AdminClient) -> None:
    with pytest.raises(Conflict, match="virtual key"):
        remote.chat("demo/demo-chat", [])


async def test_no_edit_is_lost_between_the_window_and_the_admin_api(local: AdminClient, remote: AdminClient) -> None:
    fields = ("rpm", "rpd", "tpm", "max_parallel", "budget_usd", "description", "enabled", "log_payloads", "models", "allowed_ips")
    key = (await local.create_key(read(NewKey, {"name": "shared"}))).id
    lost = 0

    def value_of(field: str, number: int) -> Any:
        match field:
            case "description":
                return f"edit {number}"
            case "enabled" | "log_payloads":
                return number % 2 == 0
            case "models":
                return [f"model-{number}"]
            case "allowed_ips":
                return [f"10.0.{number >> 8}.{number & 255}"]
            case "budget_usd":
                return float(number)
            case _:
                return number

    async def edit(field: str, client: AdminClient) -> None:
        """Edits of one field in order; after each, the field has its value whatever the others did."""
        nonlocal lost
        for number in range(1, EDITS // len(fields) + 1):
            wanted = value_of(field, number)
            await client.edit_key(key, read(KeyPatch, {field: wanted}))
            lost += getattr(await local.key(key), field) != wanted

    await asyncio.gather(*(edit(field, local if index % 2 else remote) for index, field in enumerate(fields)))
    assert lost == 0
    found = await local.key(key)
    assert all(getattr(found, field) == value_of(field, EDITS // len(fields)) for field in fields)


Values = Callable[[int], Any]
"""The value of a field by the number of the edit; no two in a row are the same."""
RACES: dict[str, tuple[str, Values, str, Values]] = {
    "/keys/laptop": ("rpm", lambda n: n, "description", lambda n: f"edit {n}"),
    "/providers/openai": ("base_url", lambda n: f"http://127.0.0.1:1/{n}", "accept_client_keys", lambda n: n % 2 == 1),
    "/models/team%2Ffast": ("retries", lambda n: n % 11, "max_context_tokens", lambda n: n),
    "/budgets/everyone": ("limit_usd", float, "thresholds", lambda n: [n / 10_000]),
}
"""By the path of a row: the field that the window edits, and the field of the PATCH."""


@pytest.mark.parametrize("path", RACES)
async def test_a_patch_and_an_edit_in_the_window_at_the_same_time_are_both_kept(
    local: AdminClient, remote: AdminClient, path: str
) -> None:
    await furnish(local)
    await local.create_budget(read(NewBudget, {"name": "everyone", "scope": "global", "limit_usd": 5}))
    edited, edit_value, patched, patch_value = RACES[path]
    edits = lost = 0
    for number in range(1, ROUNDS + 1):
        patch = asyncio.ensure_future(remote.request("PATCH", path, {patched: patch_value(number)}))
        # Until the PATCH has been answered, so that one of the edits runs while the PATCH does.
        while not patch.done():
            edits += 1
            await local.request("PATCH", path, {edited: edit_value(edits)})
        await patch
        row = await local.request("GET", path)
        lost += (row[edited], row[patched]) != (edit_value(edits), patch_value(number))
    assert edits > ROUNDS
    assert f"{lost} of {ROUNDS} lost" == f"0 of {ROUNDS} lost"
