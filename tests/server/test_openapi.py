"""The description of both APIs, the page that draws it, and the metrics."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from conduit_desktop.actions.operations import OPERATIONS
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import AttemptRecord, RequestRecord
from conduit_desktop.server.application import build
from conduit_desktop.server.docs import policy
from conduit_desktop.server.metrics import Metrics, sample
from conduit_desktop.server.openapi import document
from tests.fakes.app_context import open_context

PAGE = Path(__file__).parents[2] / "resources" / "docs.html"


@pytest.fixture
async def server(home: Home) -> AsyncIterator[TestServer]:
    async with open_context(home) as context, TestServer(build(context)) as made:
        yield made


async def read(server: TestServer, path: str, **headers: str) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as session, session.get(server.make_url(path), headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


def _refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_refs(inner) for inner in value.values()))
    return set().union(*(_refs(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_operation_is_described_and_every_reference_leads_somewhere() -> None:
    made = document()
    described = {(verb, path) for path, item in made["paths"].items() for verb in item if verb != "parameters"}
    for row in OPERATIONS:
        assert (row.method.lower(), "/admin/v1" + row.path.replace("*}", "}")) in described
    known = {f"#/components/schemas/{name}" for name in made["components"]["schemas"]}
    assert _refs(made) <= known


def test_every_operation_that_returns_something_names_its_view() -> None:
    made = document()
    for row in OPERATIONS:
        assert (row.result is None and not row.text) == (row.status == 204), row.path
        if row.result is not None:
            described = made["paths"]["/admin/v1" + row.path.replace("*}", "}")][row.method.lower()]["responses"][str(row.status)]
            schema = described["content"]["application/json"]["schema"]
            shown = schema["properties"]["data"]["items"] if row.many else schema
            assert shown == {"$ref": f"#/components/schemas/{row.result.__name__}"}


def test_the_request_log_is_described_with_pages_that_are_short_before_the_end() -> None:
    described = document()["paths"]["/admin/v1/requests"]["get"]
    assert "fewer rows than `limit`, even none, while `next` is set" in described["description"]


def test_every_route_of_the_client_api_is_described(server: TestServer) -> None:
    paths = document()["paths"]
    served = {resource.canonical for resource in server.app.router.resources()}
    for path in served:
        if path.startswith("/v1/") and not path.startswith(("/v1/v1", "/v1/models/")):
            assert path in paths, path
    for path in paths:
        if not path.startswith(("/admin", "/v1beta")):
            assert path in served or path == "/v1/models/{id}", path


async def test_the_description_and_its_page_need_no_key_and_no_other_host(server: TestServer) -> None:
    status, text, headers = await read(server, "/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert '"openapi":"3.1.0"' in text
    status, text, headers = await read(server, "/docs")
    assert status == 200
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].count("sha256-") == 2
    assert policy(PAGE.read_bytes()) == headers["Content-Security-Policy"]


def _record(**values: Any) -> RequestRecord:
    return RequestRecord(**{"id": "r", "started_at": 0, "model": "m", "provider": "p", **values})


def test_metrics_add_up() -> None:
    metrics = Metrics()
    metrics.count(_record(input=10, output=5, cost_nano=1_500_000, duration_ms=300.0, first_token_ms=60.0))
    metrics.count(_record(input=1, cost_nano=None, duration_ms=80_000.0, status="broken",
                          attempts=[AttemptRecord("p", "x", outcome="broken"), AttemptRecord("q", "x")]))  # fmt: skip
    metrics.count(_record(status="refused", model="made-up", error_code="model_not_found", cost_nano=0))
    lines = metrics.text(3, 9, 0.002, 60.0).splitlines()
    for line in (
        'conduit_requests_total{model="m",provider="p",endpoint="chat",status="success"} 1',
        'conduit_requests_total{model="",provider="p",endpoint="chat",status="refused"} 1',
        'conduit_tokens_total{model="m",provider="p",class="input"} 11',
        'conduit_cost_usd_total{model="m",provider="p"} 0.0015',
        'conduit_unpriced_requests_total{model="m",provider="p"} 1',
        'conduit_upstream_errors_total{provider="p",reason="broken"} 1',
        'conduit_first_token_seconds_bucket{model="m",provider="p",le="0.05"} 0',
        'conduit_first_token_seconds_bucket{model="m",provider="p",le="0.1"} 1',
        'conduit_request_duration_seconds_bucket{model="m",provider="p",le="+Inf"} 2',
        'conduit_request_duration_seconds_sum{model="m",provider="p"} 80.3',
        'conduit_request_duration_seconds_count{model="m",provider="p"} 2',
        "conduit_requests_in_flight 3",
        "conduit_tasks 9",
        "conduit_event_loop_lag_seconds 0.002",
    ):
        assert line in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_names_that_callers_make_up_do_not_grow_the_metrics_without_end() -> None:
    metrics = Metrics()
    for n in range(5000):
        metrics.count(_record(model=f"p/{n}"))
    lines = [line for line in metrics.text(0, 0, 0.0, 0.0).splitlines() if line.startswith("conduit_requests_total{")]
    assert len(lines) == 2001
    assert sum(int(line.rpartition(" ")[2]) for line in lines) == 5000
    assert 'conduit_requests_total{model="other",provider="p",endpoint="chat",status="success"} 3000' in lines


def test_labels_are_escaped() -> None:
    assert sample("x", (("model", 'a"b\\c\nd\ud800'),), 1) == 'x{model="a\\"b\\\\c\\nd?"} 1'


async def test_metrics_are_for_this_computer_or_the_master_key(server: TestServer) -> None:
    status, text, headers = await read(server, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "conduit_requests_in_flight 0" in text
    for header in ({"Origin": "https://evil.example"}, {"X-Forwarded-For": "203.0.113.5"}):
        status, text, _ = await read(server, "/metrics", **header)
        assert status in (401, 403)
        assert "conduit_requests" not in text
