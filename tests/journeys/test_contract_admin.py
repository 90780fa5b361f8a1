"""The admin API from outside: what every list, filter, refusal and feed looks like to a program."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.fakes.waiting import read_until
from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.processes import MASTER_KEY

LISTS = (
    "/catalog", "/providers", "/models", "/keys", "/requests", "/usage", "/prices", "/settings", "/notifications", "/ip-rules",
    "/audit", "/providers/oa/models",
)  # fmt: skip


def admin(open_gateway: ConfiguredGateway, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    given = headers or {"Authorization": f"Bearer {MASTER_KEY}"}
    return httpx.request(method, f"{open_gateway.served.address}/admin/v1{path}", json=body, headers=given, timeout=20)


def ask(open_gateway: ConfiguredGateway, key: str, model: str = "to-openai", **fields: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{open_gateway.served.address}/v1/chat/completions", json=body, headers=headers, timeout=20)


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def test_only_the_master_key_opens(open_gateway: ConfiguredGateway) -> None:
    for headers, status in (
        ({"X-Other": ""}, 401), ({"X-Master-Key": "wrong"}, 401), ({"Authorization": f"Bearer {open_gateway.key}"}, 403),
        ({"X-Master-Key": open_gateway.key}, 403), ({"X-Master-Key": MASTER_KEY}, 200),
    ):  # fmt: skip
        assert admin(open_gateway, "GET", "/status", **headers).status_code == status
    assert ask(open_gateway, MASTER_KEY).status_code == 401


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_data_and_next_and_bounds(open_gateway: ConfiguredGateway, path: str) -> None:
    answer = admin(open_gateway, "GET", path).json()
    assert set(answer) == {"data", "next"}
    assert isinstance(answer["data"], list)
    for wrong, field in (("limit=0", "limit"), ("limit=501", "limit"), ("cursor=§", "cursor"), ("wrong=1", "wrong")):
        refusal = admin(open_gateway, "GET", f"{path}?{wrong}")
        assert refusal.status_code == 422
        assert refusal.json()["error"]["field"] == field


def test_pages_join_to_the_whole(open_gateway: ConfiguredGateway) -> None:
    for _ in range(5):
        assert ask(open_gateway, open_gateway.key).status_code == 200

    def whole_and_pages(path: str) -> tuple[list[str], list[str]]:
        whole = [str(row) for row in admin(open_gateway, "GET", f"{path}?limit=500").json()["data"]]
        rows: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = admin(open_gateway, "GET", f"{path}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
            rows += [str(row) for row in page["data"]]
            cursor = page["next"]
        return whole, rows

    for path in ("/requests", "/settings", "/providers", "/prices", "/audit"):
        # The record of a call that another test had refused may be written between the two.
        read_until(lambda path=path: whole_and_pages(path), lambda found: found[0] == found[1])


def test_requests_and_sums_are_those_of_the_filters(open_gateway: ConfiguredGateway) -> None:
    made = open_gateway.served.add("keys", name="filtered", models=["to-*"])
    began = now()
    answer = ask(open_gateway, made["key"])
    between = now()
    assert ask(open_gateway, made["key"], "to-anthropic").status_code == 200
    assert ask(open_gateway, made["key"], "oa/gpt-x").status_code == 403

    def newest(count: int) -> list[Any]:
        return open_gateway.served.admin("GET", f"/requests?key=filtered&limit={count}")["data"]

    read_until(lambda: newest(3), lambda rows: len(rows) == 3)  # the answer to a refused request does not wait for its record

    def count(**filters: str) -> int:
        query = str(httpx.QueryParams({"key": "filtered", **filters}))
        return len(admin(open_gateway, "GET", f"/requests?{query}").json()["data"])

    assert [count(), count(key=made["id"]), count(model="to-openai"), count(provider="an"), count(status="refused")] == [
        3,
        3,
        1,
        1,
        1,
    ]
    assert [count(until=began), count(until=between), count(since=between), count(since=began, status="success")] == [0, 1, 2, 2]
    query = str(httpx.QueryParams({"group_by": "key,model", "since": began, "until": between}))
    [row] = admin(open_gateway, "GET", f"/usage?{query}").json()["data"]
    assert (row["key"], row["key_name"], row["model"], row["requests"]) == (made["id"], "filtered", "to-openai", 1)
    assert row["cost_usd"] == float(answer.headers["x-conduit-cost-usd"])
    for groups in ("day", "model", "key", "provider", "provider,day,key,model"):
        rows = admin(open_gateway, "GET", f"/usage?group_by={groups}").json()["data"]
        assert all(set(groups.split(",")) <= set(row) for row in rows)
    assert admin(open_gateway, "GET", "/usage?group_by=colour").json()["error"]["field"] == "group_by"


def test_a_key_has_a_spend_and_is_refused_once_removed(open_gateway: ConfiguredGateway) -> None:
    made = open_gateway.served.add("keys", name="short", budget_usd=1, budget_period="monthly")
    assert made["key"].startswith("condt_")
    assert len(made["key"]) == 6 + 43
    ask(open_gateway, made["key"])
    path = f"/keys/{made['id']}"
    shown = admin(open_gateway, "GET", path).json()
    assert "key" not in shown
    assert shown["spend_usd"] > 0
    assert (shown["reserved_usd"], shown["status"]) == (0, "active")
    start, end = (datetime.fromisoformat(shown[name]) for name in ("period_start", "next_reset"))
    assert (start.day, end.day, end.month) == (1, 1, start.month % 12 + 1)
    assert admin(open_gateway, "POST", f"{path}/reset-spend").json()["spend_usd"] == 0
    rotated = admin(open_gateway, "POST", f"{path}/rotate").json()["key"]
    assert [ask(open_gateway, key).status_code for key in (made["key"], rotated)] == [401, 200]
    cleared = admin(open_gateway, "PATCH", path, {"budget_usd": None}).json()
    assert (cleared["budget_usd"], cleared["budget_period"]) == (None, "monthly")
    assert admin(open_gateway, "DELETE", path).status_code == 204
    assert ask(open_gateway, rotated).status_code == 401


def test_the_newest_and_nearest_price_holds(open_gateway: ConfiguredGateway) -> None:
    costs = []
    for pattern, rate, more in (
        ("oa/*", 100, {}), ("oa/priced*", 200, {}), ("priced-model", 300, {}), ("oa/priced-model", 400, {}),
        ("oa/priced-model", 999, {"valid_from": "2099-01-01T00:00:00Z"}),
        ("oa/priced-model", 500, {"valid_from": "2020-01-01T00:00:00Z"}),
    ):  # fmt: skip
        assert admin(open_gateway, "PUT", f"/prices/{pattern}", {"input": rate, "output": rate, **more}).status_code == 200
        costs.append(round(float(ask(open_gateway, open_gateway.key, "oa/priced-model").headers["x-conduit-cost-usd"]) / 27e-6))
    assert costs == [100, 200, 300, 400, 400, 500]
    for pattern in ("oa/*", "oa/priced*", "priced-model", "oa/priced-model"):
        assert admin(open_gateway, "DELETE", f"/prices/{pattern}").status_code == 204
    unknown = ask(open_gateway, open_gateway.key, "oa/priced-model")
    assert unknown.headers["x-conduit-cost-usd"] == "unknown"
    open_gateway.served.admin("PUT", "/prices/priced-model", {"input": 1, "output": 1})
    assert open_gateway.served.admin("POST", "/prices/reprice")["repriced"] >= 1
    record = open_gateway.served.admin("GET", f"/requests/{unknown.headers['x-conduit-request-id']}")
    assert (record["cost_usd"], record["cost_state"]) == (pytest.approx(27e-6), "final")


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/providers", {"name": "x", "kind": "no-such-kind"}, "kind"),
        ("POST", "/providers", {"name": "x", "kind": "openai-compatible", "base_url": "nowhere"}, "base_url"),
        ("POST", "/providers", {"name": "x", "kind": "demo", "api_keys": [{"label": "a", "wrong": 1}]}, "api_keys[0].wrong"),
        ("POST", "/models", {"alias": "x", "targets": [{"provider": "ghost", "model": "y"}]}, "targets[0].provider"),
        ("POST", "/models", {"alias": "x", "targets": [{"provider": "oa", "model": "y"}], "fallbacks": ["x"]}, "fallbacks[0]"),
        (
            "POST",
            "/models",
            {"alias": "x", "targets": [{"provider": "oa", "model": "y"}], "timeouts": {"idle": 1}},
            "timeouts.idle",
        ),
        ("POST", "/keys", {"name": "x", "budget_usd": "much"}, "budget_usd"),
        ("POST", "/keys", {"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ("PUT", "/prices/x", {"input": -1}, "input"),
        ("PATCH", "/settings", {"port": "abc"}, "port"),
        ("PATCH", "/settings", {"no_such_setting": 1}, "no_such_setting"),
        ("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/33"}, "network"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(
    open_gateway: ConfiguredGateway, method: str, path: str, body: Any, field: str
) -> None:
    before = [admin(open_gateway, "GET", one).text for one in ("/providers", "/models", "/keys", "/prices", "/settings", "/audit")]
    refusal = admin(open_gateway, method, path, body)
    assert refusal.status_code == 422
    assert refusal.json()["error"]["field"] == field
    assert field.split(".")[-1].split("[")[0] in refusal.text
    assert [
        admin(open_gateway, "GET", one).text for one in ("/providers", "/models", "/keys", "/prices", "/settings", "/audit")
    ] == before


def test_a_name_that_is_taken_is_a_conflict(open_gateway: ConfiguredGateway) -> None:
    for path, body in (
        ("/providers", {"name": "OA", "kind": "demo"}), ("/keys", {"name": "ALL"}),
        ("/models", {"alias": "To-OpenAI", "targets": [{"provider": "oa", "model": "x"}]}),
    ):  # fmt: skip
        assert admin(open_gateway, "POST", path, body).status_code == 409


def test_the_feed_streams_events(open_gateway: ConfiguredGateway) -> None:
    event_lines: list[str] = []
    ready, done = threading.Event(), threading.Event()

    def listen() -> None:
        headers = {"X-Master-Key": MASTER_KEY}
        with httpx.stream("GET", f"{open_gateway.served.address}/admin/v1/events", headers=headers, timeout=20) as answer:
            ready.set()
            for line in answer.iter_lines():
                event_lines.append(line)
                if line == "event: requests":
                    done.set()
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert ready.wait(10)
    open_gateway.served.admin("PATCH", "/models/to-openai", {"retries": 2})
    ask(open_gateway, open_gateway.key)
    assert done.wait(10)
    assert [line for line in event_lines if line.startswith("event: ")] == ["event: models", "event: requests"]


def test_explain_gives_each_target_its_reason(open_gateway: ConfiguredGateway) -> None:
    body = {"model": "to-openai", "messages": [{"role": "user", "content": "hi"}]}
    [row] = open_gateway.served.admin("POST", "/models/to-openai/explain", body)["data"]
    assert (row["provider"], row["model"], row["usable"]) == ("oa", "gpt-x", True)
    assert row["reason"]
