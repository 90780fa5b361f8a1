"""Every row of the table, and every kind of invalid input."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import orjson
import pytest

from conduit_desktop.actions import notifications, operations, price_csv, requests, usage
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.dispatch import TOPICS
from conduit_desktop.actions.routes import WrongMethod
from conduit_desktop.core.errors import (
    ActionError,
    BadRequest,
    Conflict,
    GatewayError,
    Internal,
    Invalid,
    ModelNotFound,
    NotFound,
    Unauthorized,
)
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import OPENAI, Do
from tests.fakes.app_context import published
from tests.fakes.newer_catalog import offer_newer_catalog

ALIAS = {"alias": "fast", "targets": [{"provider": "openai", "model": "gpt-4o-mini"}]}


async def open_gateway(do: Do) -> dict[str, Any]:
    """One of everything; the key as it was created."""
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", ALIAS)
    await do("PUT", "/prices/openai%2Fgpt-4o-mini", {"input": 0.15, "output": 0.6})
    await do("POST", "/budgets", {"name": "all", "scope": "global", "limit_usd": 100})
    await do("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"})
    made: dict[str, Any] = await do("POST", "/keys", {"name": "laptop", "budget_usd": 5, "budget_period": "monthly"})
    return made


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/status", {"version", "address", "uptime_s", "in_flight", "loop_lag_ms", "home", "secrets_backend", "database_bytes"}),
        (
            "/providers/openai",
            {"id", "name", "kind", "base_url", "keys", "headers", "options", "accept_client_keys", "enabled", "locked"},
        ),
        (
            "/models/fast",
            {"id", "alias", "strategy", "targets", "fallbacks", "retries", "timeouts", "max_context_tokens", "overrides"},
        ),
        ("/prices/openai/gpt-4o-mini", {"pattern", "input", "output", "cache_read", "per_image", "valid_from", "created_at"}),
    ],
)
async def test_one_entity_has_the_fields_of_the_contract(do: Do, path: str, fields: set[str]) -> None:
    await open_gateway(do)
    assert fields <= set(await do("GET", path))


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/catalog", None), ("/providers", 1), ("/models", 1), ("/keys", 1), ("/requests", 0), ("/usage", 0), ("/prices", 1),
        ("/settings", None), ("/notifications", 0), ("/ip-rules", 1), ("/audit", 6),
    ],
)  # fmt: skip
async def test_a_list_answers_data_and_next(do: Do, path: str, rows: int | None) -> None:
    await open_gateway(do)
    answer = await do("GET", path)
    assert set(answer) == {"data", "next"}
    assert answer["next"] is None
    assert len(answer["data"]) == rows if rows is not None else answer["data"]


async def test_everything_made_can_be_changed_and_removed(do: Do) -> None:
    key = await open_gateway(do)
    changes = [
        ("/models/fast", {"retries": 3}), ("/providers/openai", {"enabled": False}), (f"/keys/{key['id']}", {"rpm": 60}),
    ]  # fmt: skip
    for path, patch in changes:
        assert (await do("PATCH", path, patch)).items() >= patch.items()
    rule = (await do("GET", "/ip-rules"))["data"][0]["id"]
    for path in [*(path for path, _ in changes), "/prices/openai/gpt-4o-mini", f"/ip-rules/{rule}"]:
        assert await do("DELETE", path) is None
    for path in ("/models", "/providers", "/keys", "/prices", "/ip-rules"):
        assert (await do("GET", path))["data"] == []


async def test_statuses_are_created_no_content_and_ok(context: AppContext) -> None:
    async def status(method: str, path: str, body: Any = None) -> int:
        return (await operations.call(context, method, path, {}, body, "admin"))[0]

    assert await status("POST", "/providers", OPENAI) == 201
    assert await status("GET", "/providers/openai") == 200
    assert await status("DELETE", "/providers/openai") == 204


@pytest.mark.parametrize(
    ("method", "path", "body", "error", "field"),
    [
        ("POST", "/providers", {**OPENAI, "nmae": "x"}, Invalid, "nmae"),
        ("POST", "/providers", [OPENAI], Invalid, None),
        ("POST", "/providers", None, Invalid, None),
        ("POST", "/providers", {**OPENAI, "name": "other", "kind": "openaii"}, Invalid, "kind"),
        ("POST", "/providers", {**OPENAI, "name": "a/b"}, Invalid, "name"),
        ("POST", "/providers", {**OPENAI, "name": ""}, Invalid, "name"),
        ("POST", "/providers", {**OPENAI, "name": "other", "base_url": "ftp://x"}, Invalid, "base_url"),
        ("POST", "/providers", {**OPENAI, "name": "other", "base_url": "https://u:p@x"}, Invalid, "base_url"),
        ("POST", "/providers", {**OPENAI, "name": "other", "api_key": "env:1X"}, Invalid, "api_key"),
        ("POST", "/providers", {**OPENAI, "name": "other", "headers": {"a b": "c"}}, Invalid, "headers"),
        ("POST", "/providers", {**OPENAI, "name": "other", "headers": {"Host": "c"}}, Invalid, "headers"),
        ("POST", "/providers", {"name": "other", "kind": "openai"}, Invalid, "api_key"),
        ("POST", "/providers", {**OPENAI, "name": "other", "options": {"organisation": "x"}}, Invalid, "options.organisation"),
        ("PATCH", "/providers/openai", {"options": {"pace_ms": 1}}, Invalid, "options.pace_ms"),
        ("POST", "/providers", {"name": "other", "kind": "openai-compatible", "api_key": "k"}, Invalid, "base_url"),
        ("POST", "/providers", {**OPENAI, "name": "OpenAI"}, Conflict, "name"),
        ("POST", "/models", {**ALIAS, "alias": "FAST"}, Conflict, "alias"),
        ("POST", "/models", {**ALIAS, "alias": "x", "targets": []}, Invalid, "targets"),
        ("POST", "/models", {"alias": "x", "targets": [{"provider": "no", "model": "m"}]}, Invalid, "targets[0].provider"),
        ("POST", "/models", {"alias": "x", "targets": [{"provider": "openai"}]}, Invalid, "targets[0].model"),
        ("POST", "/models", {**ALIAS, "alias": "x", "fallbacks": ["y"]}, Invalid, "fallbacks[0]"),
        ("POST", "/models", {**ALIAS, "alias": "x", "fallbacks": ["x"]}, Invalid, "fallbacks[0]"),
        ("POST", "/models", {**ALIAS, "alias": "x", "strategy": "magic"}, Invalid, "strategy"),
        ("POST", "/models", {**ALIAS, "alias": "x", "timeouts": {"idle_s": 0}}, Invalid, "timeouts.idle_s"),
        ("POST", "/models", {**ALIAS, "alias": "x", "timeouts": {"idle": 1}}, Invalid, "timeouts.idle"),
        ("POST", "/models", {**ALIAS, "alias": " fast "}, Conflict, "alias"),
        ("POST", "/keys", {"name": "laptop"}, Conflict, "name"),
        ("POST", "/keys", {"name": "x", "budget_usd": -1}, Invalid, "budget_usd"),
        ("POST", "/keys", {"name": "x", "rpm": 0}, Invalid, "rpm"),
        ("POST", "/keys", {"name": "x", "rpm": True}, Invalid, "rpm"),
        ("POST", "/keys", {"name": "x", "expires_at": "tomorrow"}, Invalid, "expires_at"),
        ("POST", "/keys", {"name": "x", "expires_at": "2027-01-01T00:00:00"}, Invalid, "expires_at"),
        ("POST", "/keys", {"name": "x", "allowed_ips": ["10.0.0.300"]}, Invalid, "allowed_ips[0]"),
        ("POST", "/keys", {"name": "x", "budget_period": "yearly"}, Invalid, "budget_period"),
        ("POST", "/keys", {}, Invalid, "name"),
        ("PUT", "/prices/x", {"input": -1}, Invalid, "input"),
        ("PUT", "/prices/x", {"input": "cheap"}, Invalid, "input"),
        ("PUT", "/prices/x", {"cache_read": 1}, Invalid, "input"),
        ("PUT", "/prices/x", {"pattern": "y", "input": 1, "output": 2}, Invalid, "pattern"),
        ("PUT", "/prices/x", {"input": 1, "output": 2, "tiers": [{"above_input_tokens": 1, "in": 1}]}, Invalid, "tiers[0].in"),
        ("PATCH", "/settings", {"prot": 1}, Invalid, "prot"),
        ("PATCH", "/settings", {"port": 70000}, Invalid, "port"),
        ("PATCH", "/settings", {"anonymous_key": "missing"}, Invalid, "anonymous_key"),
        ("PATCH", "/settings", {"default_alias": "nothing"}, Invalid, "default_alias"),
        ("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"}, Conflict, "network"),
        ("POST", "/ip-rules", {"action": "deny", "network": "localhost"}, Invalid, "network"),
        ("POST", "/ip-rules", {"action": "maybe", "network": "::1"}, Invalid, "action"),
        ("POST", "/keys/missing/rotate", None, NotFound, None),
        ("POST", "/master-key/rotate", {"key": "mine"}, Invalid, "key"),
        ("POST", "/backup", {"path": "relative.zip"}, Invalid, "path"),
        ("POST", "/backup", {"path": "/no/such/folder/b.zip"}, Invalid, "path"),
        ("GET", "/nothing", None, NotFound, None),
        ("GET", "/keys/missing", None, NotFound, None),
        ("GET", "/requests/nothing", None, NotFound, None),
        ("DELETE", "/ip-rules/none", None, NotFound, None),
        ("POST", "/notifications/none/read", None, NotFound, None),
        ("DELETE", "/status", None, WrongMethod, None),
    ],
)
async def test_a_wrong_input_is_refused_by_field(
    do: Do, method: str, path: str, body: Any, error: type[ActionError], field: str | None
) -> None:
    await open_gateway(do)
    with pytest.raises(error) as raised:
        await do(method, path, body)
    assert raised.value.field == field
    assert raised.value.message


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/keys", {"limit": "501"}, "limit"), ("/keys", {"limit": "0"}, "limit"), ("/keys", {"cursor": "%"}, "cursor"),
        ("/requests", {"cursor": "x"}, "cursor"), ("/requests", {"status": "odd"}, "status"),
        ("/requests", {"modle": "x"}, "modle"),
        ("/requests", {"since": "yesterday"}, "since"), ("/usage", {"group_by": "day,week"}, "group_by"),
        ("/status", {"x": "1"}, "x"),
    ],
)  # fmt: skip
async def test_a_wrong_query_is_refused_by_field(do: Do, path: str, query: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("GET", path, **query)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/requests"), ("GET", "/usage"), ("GET", "/usage?csv"), ("POST", "/prices/reprice")],
)
@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-09-22", "2026-09-21"),
        ("2026-09-21T00:00:00.001Z", "2026-09-21"),
        # The later of the two as a text, the earlier as a time.
        ("2026-09-21T10:00:00Z", "2026-09-21T11:00:00+02:00"),
    ],
)
async def test_a_range_that_ends_before_it_begins_is_refused_by_field(
    do: Do, method: str, path: str, since: str, until: str
) -> None:
    path, _, more = path.partition("?")
    given = {"since": since, "until": until, **({"format": more} if more else {})}
    with pytest.raises(Invalid, match="must not be before since") as raised:
        await (do(method, path, given) if method == "POST" else do(method, path, **given))
    assert raised.value.field == "until"
    given["until"] = since
    await (do(method, path, given) if method == "POST" else do(method, path, **given))


async def test_a_range_of_usage_is_compared_in_its_time_zone(do: Do) -> None:
    # In Tokyo the day has begun, in New York it has not ended.
    await do("GET", "/usage", since="2026-09-21", until="2026-09-20T15:00:00Z", tz="Asia/Tokyo")
    with pytest.raises(Invalid) as raised:
        await do("GET", "/usage", since="2026-09-21", until="2026-09-20T15:00:00Z", tz="America/New_York")
    assert raised.value.field == "until"


async def test_a_long_list_comes_in_parts_without_gap_or_double(do: Do) -> None:
    for number in range(7):
        await do("POST", "/keys", {"name": f"key {number}"})
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await do("GET", "/keys", limit="3", **cursor)
        names += [row["name"] for row in answer["data"]]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert sorted(names) == [f"key {number}" for number in range(7)]


async def test_names_with_slashes_and_spaces_are_found(do: Do) -> None:
    await open_gateway(do)
    await do("POST", "/models", {**ALIAS, "alias": "team a/gpt *"})
    assert (await do("GET", "/models/team%20a%2Fgpt%20%2A"))["alias"] == "team a/gpt *"
    assert (await do("GET", "/models/team%20a/gpt%20*"))["alias"] == "team a/gpt *"


async def test_no_answer_and_no_audit_entry_holds_a_secret(context: AppContext, do: Do) -> None:
    key = await open_gateway(do)
    await do("PATCH", "/providers/openai", {"headers": {"X-Team": "very-secret-header-value"}})
    rotated = await do("POST", f"/keys/{key['id']}/rotate")
    master = (await do("POST", "/master-key/rotate"))["master_key"]
    seen = b""
    for row in operations.OPERATIONS:
        if row.method == "GET" and "{" not in row.path:
            seen += orjson.dumps(await do("GET", row.path))
    seen += orjson.dumps(await do("GET", "/providers/openai")) + orjson.dumps(await do("GET", f"/keys/{key['id']}"))
    for secret in (OPENAI["api_key"], "very-secret-header-value", key["key"], rotated["key"], master, "digest"):
        assert secret.encode() not in seen
    await context.store.close()
    kept = b"".join(path.read_bytes() for path in context.home.root.rglob("*") if path.is_file())
    for secret in (OPENAI["api_key"], "very-secret-header-value", key["key"], rotated["key"], master):
        assert secret.encode() not in kept


async def test_requests_are_filtered_and_shown_with_their_cost(context: AppContext, do: Do) -> None:
    priced = RequestRecord(
        id="req_1", started_at=1_790_000_000_000, key_name="laptop", model="fast", provider="openai", cost_nano=1_250_000
    )
    unknown = RequestRecord(id="req_2", started_at=1_790_000_001_000, model="fast", status="broken", cost_state="unknown")
    await context.store.ledger.record(priced)
    await context.store.ledger.record(unknown)
    rows = (await do("GET", "/requests"))["data"]
    assert [(row["id"], row["cost_usd"]) for row in rows] == [("req_2", None), ("req_1", 0.00125)]
    assert [row["id"] for row in (await do("GET", "/requests", status="broken"))["data"]] == ["req_2"]
    assert [row["id"] for row in (await do("GET", "/requests", until="2026-09-21T14:13:20.500Z"))["data"]] == ["req_1"]
    detail = await do("GET", "/requests/req_1")
    assert (detail["started_at"], detail["request_payload"]) == ("2026-09-21T14:13:20.000Z", None)


async def test_long_lists_and_csv_are_made_off_the_event_loop(context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred requests held up every stream for a quarter of a second."""
    for number in range(120):
        await context.store.ledger.record(RequestRecord(id=f"r{number:03d}", started_at=1_790_000_000_000, model=f"m{number}"))
    loop, on_loop = threading.get_ident(), []

    def watched(make: Any) -> Any:
        def run(*arguments: Any) -> Any:
            if threading.get_ident() == loop:
                on_loop.append(make.__name__)
            return make(*arguments)

        return run

    for module, name in ((requests, "view"), (usage, "as_csv"), (price_csv, "write"), (operations, "as_json")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    assert len((await do("GET", "/requests", limit="120"))["data"]) == 120
    assert len((await do("GET", "/usage", group_by="model", format="csv")).text.splitlines()) == 121
    await do("GET", "/prices.csv")
    assert set(on_loop) <= {"as_json"}, "a text's result has no rows"
    on_loop.clear()
    await do("GET", "/requests", limit="120")
    assert on_loop == []


async def test_usage_groups_by_the_given_fields(context: AppContext, do: Do) -> None:
    await context.store.ledger.record(
        RequestRecord(id="a", started_at=1_790_000_000_000, model="fast", cost_nano=5_000_000_000, output=7)
    )
    await context.store.ledger.record(RequestRecord(id="b", started_at=1_790_000_000_000, model="fast"))
    row = (await do("GET", "/usage", group_by="day,model"))["data"][0]
    assert (
        row.items()
        >= {"day": "2026-09-21", "model": "fast", "requests": 2, "cost_usd": 5.0, "unpriced_requests": 1, "output": 7}.items()
    )
    assert "key" not in row
    csv = await do("GET", "/usage", group_by="model", format="csv")
    assert csv.text.splitlines()[0].startswith("model,requests,errors,")


async def test_what_has_no_price_is_unknown_in_the_sums_and_never_nothing(context: AppContext, do: Do) -> None:
    for number, (model, cost) in enumerate([("dark", None), ("free", 0), ("tiny", 34_000)]):
        await context.store.ledger.record(RequestRecord(id=str(number), started_at=1_790_000_000_000, model=model, cost_nano=cost))
    rows = (await do("GET", "/usage", group_by="model"))["data"]
    assert [(row["model"], row["cost_usd"]) for row in rows] == [("dark", None), ("free", 0.0), ("tiny", 0.000034)]
    lines = (await do("GET", "/usage", group_by="model", format="csv")).text.splitlines()
    at = lines[0].split(",").index("cost_usd")
    assert [line.split(",")[at] for line in lines[1:]] == ["unknown", "0.0", "0.000034"]


async def test_a_fixed_setting_is_a_conflict_but_a_wrong_value_is_invalid(context: AppContext, do: Do) -> None:
    context.gateway.state.overrides = {"port": 0}
    with pytest.raises(Conflict):
        await do("PATCH", "/settings", {"port": 5001})
    with pytest.raises(Invalid) as caught:
        await do("PATCH", "/settings", {"port": "abc"})
    assert caught.value.field == "port"


async def test_payloads_come_with_the_request_they_belong_to(context: AppContext, do: Do) -> None:
    await context.store.ledger.record(RequestRecord(id="a", started_at=1))
    await context.store.payloads.put("a", b'{"model":"x"}', b"data: 1\n\n", 1)
    detail = await do("GET", "/requests/a")
    assert (detail["request_payload"], detail["response_payload"]) == ({"model": "x"}, "data: 1\n\n")


async def test_changes_at_the_same_time_lose_nothing(do: Do) -> None:
    key = await open_gateway(do)
    patches: list[dict[str, Any]] = [{"rpm": 5}, {"tpm": 6}, {"rpd": 7}, {"max_parallel": 8}, {"description": "d"}]
    await asyncio.gather(*(do("PATCH", f"/keys/{key['id']}", patch) for patch in patches))
    assert (await do("GET", f"/keys/{key['id']}")).items() >= {
        name: value for patch in patches for name, value in patch.items()
    }.items()


async def test_addresses_and_times_come_back_as_they_were_typed(do: Do) -> None:
    typed = {"name": "a", "allowed_ips": ["10.0.0.1", "::1", "10.0.0.0/8"], "expires_at": "2030-01-31T12:00:00Z"}
    assert (await do("POST", "/keys", typed)).items() >= typed.items()


OF_FILE = """
[settings]
port = 5055
[[providers]]
name = "openai"
kind = "openai"
api_key = "env:OPENAI_API_KEY"
[[models]]
alias = "fast"
targets = [{ provider = "openai", model = "m" }]
[[keys]]
name = "ci"
key = "condt_0123456789012345678901234567890123456789abc"
[[budgets]]
name = "all"
scope = "global"
limit_usd = 5
[[prices]]
pattern = "openai/m"
input = 1
output = 2
"""
LOCKED: dict[tuple[str, str], tuple[str, Any]] = {
    ("PATCH", "/providers/{name}"): ("/providers/openai", {"enabled": False}),
    ("DELETE", "/providers/{name}"): ("/providers/openai", None),
    ("POST", "/providers/{name}/publish"): ("/providers/openai/publish", {"models": ["new", "vendor/fast"]}),
    ("PATCH", "/models/{alias*}"): ("/models/fast", {"retries": 0}),
    ("DELETE", "/models/{alias*}"): ("/models/fast", None),
    ("PATCH", "/keys/{id}"): ("/keys/ci", {"rpm": 1}),
    ("DELETE", "/keys/{id}"): ("/keys/ci", None),
    ("POST", "/keys/{id}/rotate"): ("/keys/ci/rotate", None),
    ("PATCH", "/budgets/{id}"): ("/budgets/all", {"limit_usd": 1}),
    ("DELETE", "/budgets/{id}"): ("/budgets/all", None),
    ("POST", "/prices.csv"): ("/prices.csv", "pattern,input,output\nopenai/m,2,2\n"),
    ("PUT", "/prices/{pattern*}"): ("/prices/openai/m", {"input": 2, "output": 2}),
    ("DELETE", "/prices/{pattern*}"): ("/prices/openai/m", None),
    ("PATCH", "/settings"): ("/settings", {"port": 1}),
}
"""The operations on what a config file can define, each with a call of it."""
FREE = {
    "/providers", "/models", "/keys", "/budgets", "/ip-rules", "/ip-rules/{id}", "/providers/{name}/test",
    "/models/{alias*}/explain", "/webhook", "/webhook/test", "/health/{target*}/pause", "/health/{target*}/resume",
    "/health/{provider}/credentials/{label}/release",
    "/keys/{id}/reset-spend", "/prices/reprice", "/notifications/read", "/notifications/{id}/read", "/backup", "/import",
    "/master-key/rotate", "/discovery", "/demo", "/catalog/prices/refresh", "/replay", "/clients/{name}/set",
    "/clients/{name}/undo",
}  # fmt: skip
"""Paths of operations that add something new, or do not touch what a config file defines."""


SHOWN = ("/providers", "/models", "/keys", "/budgets", "/prices", "/settings", "/audit")


def test_every_operation_on_what_a_config_file_can_define_is_known_here() -> None:
    for row in operations.OPERATIONS:
        assert row.method == "GET" or row.path in FREE or (row.method, row.path) in LOCKED, row


@pytest.mark.parametrize(("method", "path"), LOCKED)
async def test_an_operation_on_what_the_config_file_defines_is_a_conflict(
    context: AppContext, do: Do, method: str, path: str
) -> None:
    await transfer.sync_file(context, parse(OF_FILE))
    before = [await do("GET", one) for one in SHOWN]
    actual, body = LOCKED[method, path]
    with pytest.raises(Conflict, match="config file") as raised:
        await do(method, actual, body)
    assert raised.value.status == 409
    assert [await do("GET", one) for one in SHOWN] == before


async def test_what_the_config_file_defines_is_shown_as_locked_and_what_the_user_made_is_not(context: AppContext, do: Do) -> None:
    await transfer.sync_file(context, parse(OF_FILE))
    await do("POST", "/providers", {**OPENAI, "name": "mine"})
    await do("POST", "/models", {**ALIAS, "alias": "mine"})
    await do("POST", "/keys", {"name": "mine"})
    await do("POST", "/budgets", {"name": "mine", "scope": "global", "limit_usd": 1})
    await do("PUT", "/prices/mine", {"input": 1, "output": 2})
    fields = {"/providers": "name", "/models": "alias", "/keys": "name", "/budgets": "name", "/prices": "pattern"}
    for path, field in fields.items():
        rows = (await do("GET", path))["data"]
        assert {row[field] == "mine" for row in rows} == {True, False}
        assert all(row["locked"] is (row[field] != "mine") for row in rows), path


RULE = "the first IP rule"
CALLS: dict[tuple[str, str], tuple[str, Any, str | None]] = {
    ("POST", "/providers"): ("/providers", {"name": "other", "kind": "demo"}, "provider.create"),
    ("POST", "/discovery"): ("/discovery", {"variables": []}, None),
    ("POST", "/demo"): ("/demo", None, "model.create"),
    ("POST", "/providers/{name}/publish"): ("/providers/openai/publish", {"models": ["m"]}, "model.create"),
    ("PATCH", "/providers/{name}"): ("/providers/openai", {"enabled": False}, "provider.edit"),
    ("DELETE", "/providers/{name}"): ("/providers/openai", None, "provider.remove"),
    ("POST", "/models"): ("/models", {**ALIAS, "alias": "other"}, "model.create"),
    ("PATCH", "/models/{alias*}"): ("/models/fast", {"retries": 0}, "model.edit"),
    ("DELETE", "/models/{alias*}"): ("/models/fast", None, "model.remove"),
    ("POST", "/health/{target*}/pause"): ("/health/openai/gpt-4o-mini/pause", None, "target.pause"),
    ("POST", "/health/{target*}/resume"): ("/health/openai/gpt-4o-mini/resume", None, "target.resume"),
    ("POST", "/health/{provider}/credentials/{label}/release"): (
        "/health/openai/credentials/default/release", None, "credential.release",
    ),
    ("POST", "/keys"): ("/keys", {"name": "other"}, "key.create"),
    ("PATCH", "/keys/{id}"): ("/keys/laptop", {"rpm": 1}, "key.edit"),
    ("DELETE", "/keys/{id}"): ("/keys/laptop", None, "key.remove"),
    ("POST", "/keys/{id}/rotate"): ("/keys/laptop/rotate", None, "key.rotate"),
    ("POST", "/keys/{id}/reset-spend"): ("/keys/laptop/reset-spend", None, "key.reset-spend"),
    ("POST", "/budgets"): ("/budgets", {"scope": "global", "limit_usd": 1}, "budget.create"),
    ("PATCH", "/budgets/{id}"): ("/budgets/all", {"limit_usd": 1}, "budget.edit"),
    ("DELETE", "/budgets/{id}"): ("/budgets/all", None, "budget.remove"),
    ("POST", "/prices.csv"): ("/prices.csv", "pattern,input,output\nother,1,2\n", "price.put"),
    ("POST", "/prices/reprice"): ("/prices/reprice", {"mode": "all"}, "price.reprice"),
    ("POST", "/catalog/prices/refresh"): ("/catalog/prices/refresh", None, "catalog.refresh"),
    ("PUT", "/prices/{pattern*}"): ("/prices/other", {"input": 1, "output": 2}, "price.put"),
    ("DELETE", "/prices/{pattern*}"): ("/prices/openai/gpt-4o-mini", None, "price.remove"),
    ("PATCH", "/settings"): ("/settings", {"theme": "dark"}, "settings.change"),
    ("PUT", "/webhook"): ("/webhook", {"url": "http://127.0.0.1:9/x"}, "webhook.set"),
    ("DELETE", "/webhook"): ("/webhook", None, "webhook.remove"),
    ("POST", "/webhook/test"): ("/webhook/test", None, None),
    ("POST", "/ip-rules"): ("/ip-rules", {"action": "deny", "network": "::1"}, "ip-rule.create"),
    ("DELETE", "/ip-rules/{id}"): (RULE, None, "ip-rule.remove"),
    ("POST", "/backup"): ("/backup", None, "backup.create"),
    ("POST", "/import"): ("/import", {"toml": '[[keys]]\nname = "new"\n', "apply": True}, "key.create"),
    ("POST", "/master-key/rotate"): ("/master-key/rotate", None, "master-key.rotate"),
    ("POST", "/clients/{name}/set"): ("/clients/codex/set", {"anyway": True}, "client.set"),
    ("POST", "/clients/{name}/undo"): ("/clients/codex/undo", None, "client.undo"),
    # Nothing of the configuration changes.
    ("POST", "/providers/{name}/test"): ("/providers/demo/test", None, None),
    ("POST", "/models/{alias*}/explain"): ("/models/fast/explain", {}, None),
    ("POST", "/replay"): ("/replay", {"request_id": "kept"}, None),
    ("POST", "/notifications/read"): ("/notifications/read", None, None),
    ("POST", "/notifications/{id}/read"): ("the first notification", None, None),
}  # fmt: skip
"""By method and path of the table: a call, its body, and what the audit log calls it."""


CHANGING = [row for row in operations.OPERATIONS if row.method != "GET"]


async def prepared_call(context: AppContext, do: Do, row: operations.Operation) -> tuple[str, Any, str | None]:
    """Path, body and audited action of the call of `row` in CALLS, after what it needs has been created."""
    await open_gateway(do)
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})
    await notifications.notify(context, "system", "info", "a", "b")
    if row.path.startswith("/webhook"):
        await do("PUT", "/webhook", {"url": "http://127.0.0.1:9/x"})
    if row.path == "/clients/{name}/undo":
        await do("POST", "/clients/codex/set", {"anyway": True})
    path, body, action = CALLS[row.method, row.path]
    if path == "/replay":
        await context.store.ledger.record(RequestRecord(id="kept", started_at=1, dialect="openai_chat", model="demo/demo-chat"))
        kept = {"model": "demo/demo-chat", "messages": [{"role": "user", "content": "Hello"}]}
        await context.store.payloads.put("kept", orjson.dumps(kept), b"", 1)
    if path == "/catalog/prices/refresh":
        await offer_newer_catalog(context)
    elif path == RULE:
        path = f"/ip-rules/{(await do('GET', '/ip-rules'))['data'][0]['id']}"
    elif path == "the first notification":
        path = f"/notifications/{(await do('GET', '/notifications'))['data'][0]['id']}/read"
    return path, body, action


@pytest.mark.parametrize("row", CHANGING, ids=lambda row: f"{row.method}{row.path}")
async def test_each_operation_that_changes_something_is_audited_once_with_its_actor(
    context: AppContext, do: Do, row: operations.Operation
) -> None:
    path, body, action = await prepared_call(context, do, row)
    before = len((await context.store.audit.list(500))[0])
    status, _ = await operations.call(context, row.method, path, {}, body, "gui")
    assert status == row.status
    entries = (await context.store.audit.list(500))[0]
    new = entries[: len(entries) - before]
    made = {(one.actor, one.action) for one in new}
    assert made == (set() if action is None else {("gui", action)})
    assert len(new) == (3 if row.path == "/demo" else len(made))  # the demo has three models


async def test_nothing_that_only_reads_is_audited(context: AppContext, do: Do) -> None:
    await open_gateway(do)
    before = len((await context.store.audit.list(500))[0])
    for row in operations.OPERATIONS:
        if row.method == "GET" and "{" not in row.path:
            await do("GET", row.path)
    await do("POST", "/import", {"toml": '[[keys]]\nname = "new"\n'})
    assert len((await context.store.audit.list(500))[0]) == before


@pytest.mark.parametrize("row", operations.OPERATIONS, ids=lambda row: f"{row.method}{row.path}")
def test_every_operation_is_found_by_its_own_path_and_changes_unless_it_reads(row: operations.Operation) -> None:
    path = row.path.replace("{", "").replace("*}", "").replace("}", "")
    assert operations.match(row.method, path)[0] is row
    reading = row.method == "GET" or row.path in ("/providers/{name}/test", "/models/{alias*}/explain", "/backup", "/replay")
    assert row.changes is not reading


async def test_a_change_waits_for_the_one_before_and_a_read_does_not(context: AppContext, do: Do) -> None:
    async with context.write_lock:
        change = asyncio.ensure_future(do("POST", "/keys", {"name": "a"}))
        assert (await do("GET", "/keys"))["data"] == []
        assert not change.done()
    assert (await change)["name"] == "a"


@pytest.mark.parametrize("body", [{"a": 1}, [], "x", 0, False])
async def test_an_operation_without_a_body_refuses_one(do: Do, body: Any) -> None:
    with pytest.raises(Invalid):
        await do("POST", "/notifications/read", body)


@pytest.mark.parametrize("body", [[], "x", 1, False])
async def test_an_operation_that_takes_any_object_refuses_what_is_none(do: Do, body: Any) -> None:
    with pytest.raises(Invalid, match="must be an object"):
        await do("PATCH", "/settings", body)


@pytest.mark.parametrize(
    ("error", "wanted", "status"),
    [
        (ModelNotFound("x"), NotFound, 404), (BadRequest("x", param="messages"), Invalid, 422),
        (Internal("x"), operations.ProviderRefused, 502), (Unauthorized("x"), operations.ProviderRefused, 502),
    ],
)  # fmt: skip
async def test_a_provider_that_refuses_is_an_answer_and_not_a_fault(
    do: Do, monkeypatch: pytest.MonkeyPatch, error: GatewayError, wanted: type[ActionError], status: int
) -> None:
    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(operations.models, "explain", refuse)
    with pytest.raises(wanted) as raised:
        await do("POST", "/models/x/explain", {})
    assert (raised.value.status, raised.value.field) == (status, error.param)


@pytest.mark.parametrize("path", ["/keys", "/ip-rules", "/providers", "/models", "/prices"])
@pytest.mark.parametrize("limit", ["1", "2", "500"])
async def test_every_list_in_parts_gives_each_row_once(do: Do, path: str, limit: str) -> None:
    await open_gateway(do)
    for number in range(2):
        await do("POST", "/keys", {"name": f"k{number}"})
        await do("POST", "/ip-rules", {"action": "deny", "network": f"10.{number}.0.0/16"})
        await do("POST", "/providers", {"name": f"P{number}", "kind": "demo"})
        await do("POST", "/models", {**ALIAS, "alias": f"M{number}"})
        await do("PUT", "/prices/openai%2Fgpt-4o-mini", {"input": number, "output": 2, "valid_from": f"299{number}-01-01"})
    whole = (await do("GET", path))["data"]
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await do("GET", path, limit=limit, **cursor)
        assert len(page["data"]) <= int(limit)
        rows += page["data"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert rows == whole
    assert len(rows) == 3


@pytest.mark.parametrize("path", ["/catalog", "/settings", "/usage", "/health", "/audit", "/notifications", "/requests", "/keys"])
@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": "0"}, "limit"), ({"limit": "501"}, "limit"), ({"limit": "-1"}, "limit"), ({"cursor": "%"}, "cursor")],
)
async def test_every_list_refuses_a_wrong_limit_and_a_wrong_cursor(do: Do, path: str, query: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("GET", path, **query)
    assert raised.value.field == field
    assert "data" in await do("GET", path, limit="500")
    assert len((await do("GET", path, limit="1"))["data"]) <= 1


async def test_no_answer_of_an_operation_holds_a_provider_key_or_header_value(context: AppContext, do: Do) -> None:
    body = {
        "name": "a", "kind": "openai", "api_keys": [{"label": "x", "api_key": "sk-private-0123456789-one"}],
        "headers": {"X-Team": "private-header-0123456789"},
    }  # fmt: skip
    answers = [await do("POST", "/providers", body)]
    answers.append(await do("PATCH", "/providers/a", {"api_keys": [{"label": "x", "api_key": "sk-private-0123456789-two"}]}))
    answers.append(await do("GET", "/export"))
    toml = '[[providers]]\nname = "a"\nkind = "openai"\napi_key = "sk-private-three"\n'
    answers.append(await do("POST", "/import", {"toml": toml, "apply": True}))
    answers.append(await do("GET", "/audit"))
    assert b"private" not in orjson.dumps(answers)
    assert "private" not in repr(context)


@pytest.mark.parametrize(("path", "named"), [("/nothing", "/nothing"), ("", "/")])
def test_an_unknown_path_is_named(path: str, named: str) -> None:
    with pytest.raises(NotFound, match=f"There is no {named} in"):
        operations.match("GET", path)


@pytest.mark.parametrize("row", CHANGING, ids=lambda row: f"{row.method}{row.path}")
async def test_each_operation_publishes_the_topics_it_declares_and_no_other(
    context: AppContext, do: Do, row: operations.Operation
) -> None:
    path, body, action = await prepared_call(context, do, row)
    changes = published(context)
    await operations.call(context, row.method, path, {}, body, "gui")
    topics = {one.topic for one in changes}
    if not row.changes:  # a test request is a request like any other
        assert topics <= {"requests", "health"}
        return
    assert topics <= row.topics
    assert (TOPICS[action] if action else ()) == () or topics & set(TOPICS[action])
    if len(row.changes) == 1:
        assert topics == row.topics


def test_every_operation_that_creates_an_entity_answers_201_and_every_removal_204() -> None:
    created = {one.path for one in operations.OPERATIONS if one.status == 201}
    assert created == {"/providers", "/models", "/keys", "/budgets", "/ip-rules", "/discovery", "/demo"}
    assert {one.status for one in operations.OPERATIONS if one.method == "DELETE"} == {204}
