"""The client API over real HTTP: paths, keys, hosts, origins, bodies, and errors in the client's dialect."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor

CHAT = {"model": "alias", "messages": [{"role": "user", "content": "hello"}]}
MESSAGES = {**CHAT, "max_tokens": 50}


@dataclass
class ServedGateway:
    """A listening server, and a short way to call it."""

    context: AppContext
    gateway: GatewayFixture
    vendor: Vendor
    session: aiohttp.ClientSession
    headers: dict[str, str] = field(default_factory=lambda: {"Authorization": f"Bearer {KEY}"})

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, key: bool = True
    ) -> tuple[int, Any, Any]:
        """Status, JSON (or text) and headers."""
        data: Any = body if isinstance(body, (bytes, type(None))) else orjson.dumps(body)
        if data is not None and len(data) > 500_000:
            data = BytesIO(data)
        sent = {**(self.headers if key else {}), **(headers or {})}
        async with self.session.request(method, f"{self.context.server.address}{path}", data=data, headers=sent) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw[:1] in b"{[" and raw else raw, response.headers


@pytest.fixture
async def served(home: Home) -> AsyncIterator[ServedGateway]:
    async with Vendor() as vendor, open_gateway(home, port=0, max_body_mb=1) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_alias("claude", "an/claude-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield ServedGateway(context, gateway, vendor, session)


async def test_both_loopback_addresses_answer_on_one_port(served: ServedGateway) -> None:
    address = served.context.server.address or ""
    port = address.rpartition(":")[2]
    for host in ("127.0.0.1", *(["[::1]"] if socket.has_ipv6 else [])):
        async with served.session.get(f"http://{host}:{port}/health") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completions?beta=true"]
)
async def test_a_missing_or_doubled_version_and_a_query_are_forgiven(served: ServedGateway, path: str) -> None:
    status, body, _ = await served.call("POST", path, CHAT)
    assert (status, body["object"]) == (200, "chat.completion")


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
async def test_the_key_may_come_in_any_of_its_headers(served: ServedGateway, name: str) -> None:
    value = f"Bearer {KEY}" if name == "Authorization" else KEY
    assert (await served.call("POST", "/v1/chat/completions", CHAT, {name: value}, key=False))[0] == 200


async def test_the_key_may_come_in_the_query(served: ServedGateway) -> None:
    assert (await served.call("POST", f"/v1/chat/completions?key={KEY}", CHAT, key=False))[0] == 200


async def test_no_key_is_refused_in_each_dialect(served: ServedGateway) -> None:
    status, body, _ = await served.call("POST", "/v1/chat/completions", CHAT, key=False)
    assert (status, body["error"]["code"], body["error"]["type"]) == (401, "missing_api_key", "invalid_request_error")
    status, body, _ = await served.call("POST", "/v1/messages", MESSAGES, key=False)
    assert (status, body["type"], body["error"]["type"]) == (401, "error", "authentication_error")


@pytest.mark.parametrize("key", [b"condt_\xe9", b"sk-\xe9"])
async def test_a_key_of_bytes_that_are_no_text_is_a_wrong_key(served: ServedGateway, key: bytes) -> None:
    port = int((served.context.server.address or "").rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = (b"GET /v1/models HTTP/1.1", b"Host: localhost", b"Connection: close", b"Authorization: Bearer " + key)
    writer.write(b"\r\n".join((*lines, b"", b"")))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "body",
    [b"{", {}, {"model": "alias"}, {"model": "alias", "pad": "x" * 1_100_000}],
    ids=["no JSON", "no model", "no messages", "too large"],
)
async def test_a_missing_key_is_reported_before_a_faulty_body(served: ServedGateway, body: Any) -> None:
    status, answer, _ = await served.call("POST", "/v1/chat/completions", body, key=False)
    assert (status, answer["error"]["code"]) == (401, "missing_api_key")


async def test_the_anonymous_key_serves_this_computer_but_no_foreign_page(served: ServedGateway) -> None:
    served.gateway.state.overrides["anonymous_key"] = "tester"
    await served.gateway.refresh()
    assert (await served.call("POST", "/v1/chat/completions", CHAT, key=False))[0] == 200
    assert (await served.call("POST", "/v1/chat/completions", CHAT, {"Origin": "https://evil.example"}, key=False))[0] == 401
    assert (await served.call("POST", "/v1/chat/completions", CHAT, {"Origin": "http://localhost:3000"}, key=False))[0] == 200


async def test_a_providers_own_key_goes_to_the_provider_that_takes_it_and_no_other(served: ServedGateway) -> None:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    assert (await served.call("POST", "/v1/chat/completions", CHAT, headers, key=False))[0] == 401
    provider = await served.gateway.store.providers.get("oa")
    assert provider is not None
    await served.gateway.store.providers.replace(provider.model_copy(update={"accept_client_keys": True, "credentials": ()}))
    await served.gateway.refresh()
    assert (await served.call("POST", "/v1/chat/completions", CHAT, headers, key=False))[0] == 200
    status, body, _ = await served.call("POST", "/v1/chat/completions", {**CHAT, "model": "claude"}, headers, key=False)
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "invalid_json", None),
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'"text"', "invalid_json", None),
        (b"\xff\xfe", "invalid_json", None),
        ({}, "missing_parameter", "model"),
        ({**CHAT, "model": 5}, "invalid_parameter", "model"),
        ({"model": "alias"}, "missing_parameter", "messages"),
        ({**CHAT, "messages": "hello"}, "invalid_parameter", "messages"),
        ({**CHAT, "messages": []}, "invalid_parameter", "messages"),
        ({**CHAT, "messages": [{"content": "x"}]}, "invalid_parameter", "messages[0].role"),
        ({**CHAT, "stream": "yes"}, "invalid_parameter", "stream"),
    ],
)
async def test_a_malformed_body_is_refused_with_its_fault(served: ServedGateway, body: Any, code: str, param: str | None) -> None:
    for path in ("/v1/chat/completions", "/v1/messages"):
        status, answer, _ = await served.call("POST", path, body)
        assert status == 400
        assert answer["error"]["type"] == "invalid_request_error"
        assert param is None or param.split("[")[0] in answer["error"]["message"]
        if path == "/v1/chat/completions":
            assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)
    assert not served.vendor.requests


async def test_a_wrong_field_is_named_where_the_request_is_translated(served: ServedGateway) -> None:
    status, body, _ = await served.call("POST", "/v1/chat/completions", {**CHAT, "model": "claude", "temperature": "hot"})
    assert (status, body["error"]["param"]) == (400, "temperature")
    assert not served.vendor.requests


async def test_a_body_over_the_limit_is_413_with_or_without_content_length(served: ServedGateway) -> None:
    big = orjson.dumps({**CHAT, "padding": "x" * 1_100_000})
    status, body, _ = await served.call("POST", "/v1/chat/completions", big)
    assert (status, body["error"]["code"]) == (413, "payload_too_large")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    url = f"{served.context.server.address}/v1/messages"
    async with served.session.post(url, data=pieces(), headers=served.headers) as response:
        assert response.status == 413
        assert (await response.json())["error"]["type"] == "request_too_large"


async def test_a_large_body_reaches_the_provider_whole(served: ServedGateway) -> None:
    served.gateway.state.overrides["max_body_mb"] = 8
    await served.gateway.refresh()
    for model in ("alias", "claude"):
        talk = {**CHAT, "model": model, "messages": [{"role": "user", "content": "x" * 3_000_000}]}
        assert (await served.call("POST", "/v1/chat/completions", talk))[0] == 200
        sent = served.vendor.requests[-1].body["messages"][0]["content"]
        assert len(sent if isinstance(sent, str) else sent[0]["text"]) == 3_000_000


async def test_only_this_computers_names_are_answered_to(served: ServedGateway) -> None:
    port = (served.context.server.address or "").rpartition(":")[2]
    for host in (f"localhost:{port}", "127.0.0.1", f"[::1]:{port}", "app.localhost"):
        assert (await served.call("GET", "/v1/models", headers={"Host": host}))[0] == 200
    status, body, _ = await served.call("GET", "/v1/models", headers={"Host": "evil.example"})
    assert (status, body["error"]["code"]) == (403, "host_not_allowed")
    served.gateway.state.overrides["allowed_hosts"] = ["conduit.lan"]
    await served.gateway.refresh()
    assert (await served.call("GET", "/v1/models", headers={"Host": f"conduit.lan:{port}"}))[0] == 200


async def test_an_allowed_page_may_read_the_answer_and_its_headers(served: ServedGateway) -> None:
    preflight_headers = {
        "Origin": "app://obsidian.md",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-stainless-os",
    }
    status, _, headers = await served.call("OPTIONS", "/v1/chat/completions", headers=preflight_headers, key=False)
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "app://obsidian.md"
    assert headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
    status, _, headers = await served.call("POST", "/v1/chat/completions", CHAT, {"Origin": "http://localhost:8080"})
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "http://localhost:8080")
    assert "x-conduit-request-id" in headers["Access-Control-Expose-Headers"]
    _, _, headers = await served.call(
        "OPTIONS", "/v1/chat/completions", headers={**preflight_headers, "Origin": "https://evil.example"}, key=False
    )
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_stream_to_a_page_carries_its_headers_too(served: ServedGateway) -> None:
    _, raw, headers = await served.call("POST", "/v1/chat/completions", {**CHAT, "stream": True}, {"Origin": "http://localhost:1"})
    assert raw.rstrip().endswith(b"[DONE]")
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:1"
    assert headers["Content-Type"].startswith("text/event-stream")


async def test_unknown_paths_and_methods_are_404_and_405(served: ServedGateway) -> None:
    status, body, _ = await served.call("POST", "/v1/nothing", {})
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert (await served.call("DELETE", "/v1/chat/completions"))[0] == 405


async def test_the_way_of_an_answer_is_in_its_headers(served: ServedGateway) -> None:
    _, _, headers = await served.call("POST", "/v1/chat/completions", CHAT)
    assert (headers["x-conduit-provider"], headers["x-conduit-model"], headers["x-conduit-attempts"]) == ("oa", "gpt-x", "1")
    assert headers["x-conduit-cost-usd"] == "unknown"
    assert float(headers["x-conduit-overhead-ms"]) >= 0
    _, _, headers = await served.call("POST", "/v1/chat/completions", {**CHAT, "model": "claude", "seed": 7})
    assert "seed" in headers["x-conduit-dropped"]


async def test_an_errors_headers_name_the_target_and_the_number_of_attempts(served: ServedGateway) -> None:
    served.vendor.script(Step(status=400), model="gpt-x")
    status, _, headers = await served.call("POST", "/v1/chat/completions", CHAT)
    assert (status, headers["x-conduit-provider"], headers["x-conduit-model"], headers["x-conduit-attempts"]) == (
        400,
        "oa",
        "gpt-x",
        "1",
    )
    served.vendor.script(Step(status=500), model="gpt-x")
    status, _, headers = await served.call("POST", "/v1/messages", MESSAGES)
    assert (status, headers["x-conduit-provider"], headers["x-conduit-attempts"]) == (502, "oa", "2")


async def test_limit_headers_are_in_the_clients_dialect(served: ServedGateway) -> None:
    other = "condt_" + "r" * 43
    await served.gateway.add_key("limited", other, rpm=2, tpm=100_000)
    headers = {"Authorization": f"Bearer {other}"}
    _, _, limit_headers = await served.call("POST", "/v1/chat/completions", CHAT, headers)
    assert (limit_headers["x-ratelimit-limit-requests"], limit_headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    _, _, limit_headers = await served.call("POST", "/v1/messages", {**MESSAGES, "model": "claude"}, headers)
    assert limit_headers["anthropic-ratelimit-requests-remaining"] == "0"
    status, body, limit_headers = await served.call("POST", "/v1/chat/completions", CHAT, headers)
    assert (status, body["error"]["type"], body["error"]["code"]) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert 1 <= int(limit_headers["retry-after"]) <= 60
    assert (limit_headers["x-ratelimit-limit-requests"], limit_headers["x-ratelimit-remaining-requests"]) == ("2", "0")
    _, _, limit_headers = await served.call("POST", "/v1/messages", {**MESSAGES, "model": "claude"}, headers)
    assert limit_headers["anthropic-ratelimit-requests-remaining"] == "0"


async def test_a_daily_limit_is_in_the_headers_too(served: ServedGateway) -> None:
    other = "condt_" + "d" * 43
    await served.gateway.add_key("daily", other, rpm=50, rpd=2)
    _, _, limit_headers = await served.call("POST", "/v1/chat/completions", CHAT, {"Authorization": f"Bearer {other}"})
    assert (limit_headers["x-ratelimit-limit-requests"], limit_headers["x-ratelimit-remaining-requests"]) == ("2", "1")


async def test_what_a_model_cannot_do_is_shown_only_to_keys_that_may_call_it(served: ServedGateway) -> None:
    narrow = "condt_" + "n" * 43
    await served.gateway.add_key("narrow", narrow, models=("al*",))
    media_request = {"model": "claude", "input": "hello"}
    status, body, _ = await served.call("POST", "/v1/embeddings", media_request, {"Authorization": f"Bearer {narrow}"})
    assert (status, body["error"]["code"]) == (403, "model_not_allowed")
    status, body, _ = await served.call("POST", "/v1/embeddings", media_request)
    assert (status, body["error"]["code"]) == (400, "unsupported_endpoint")


async def test_models_are_listed_in_the_callers_shape_and_only_what_its_key_may_call(served: ServedGateway) -> None:
    narrow = "condt_" + "n" * 43
    await served.gateway.add_key("narrow", narrow, models=("al*",))
    _, body, _ = await served.call("GET", "/v1/models")
    assert [row["id"] for row in body["data"]] == ["alias", "claude"]
    _, body, _ = await served.call("GET", "/v1/models?limit=1", headers={"anthropic-version": "2023-06-01"})
    assert (body["data"][0]["type"], body["has_more"], body["last_id"]) == ("model", True, "alias")
    _, body, _ = await served.call("GET", "/v1/models", headers={"Authorization": f"Bearer {narrow}"})
    assert [row["id"] for row in body["data"]] == ["alias"]
    assert (await served.call("GET", "/v1/models/claude", headers={"Authorization": f"Bearer {narrow}"}))[0] == 404
    assert (await served.call("GET", "/v1/models", key=False))[0] == 401


async def test_an_error_of_a_list_of_models_has_the_shape_that_its_header_asks_for(served: ServedGateway) -> None:
    status, body, _ = await served.call("GET", "/v1/models/none", headers={"anthropic-version": "2023-06-01"})
    assert (status, body["type"], body["error"]["type"]) == (404, "error", "not_found_error")
    status, body, _ = await served.call("GET", "/v1/models", headers={"x-goog-api-key": "condt_wrong"}, key=False)
    assert (status, body["error"]["code"], body["error"]["status"]) == (401, 401, "UNAUTHENTICATED")
    status, body, _ = await served.call("GET", "/v1/models/none")
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_the_root_and_health_need_no_key(served: ServedGateway) -> None:
    for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/health"), ("GET", "/health/ready")):
        assert (await served.call(method, path, key=False))[0] == 200


async def test_a_taken_port_is_named_with_its_holder(home: Home, served: ServedGateway) -> None:
    from conduit_desktop.core.errors import PortTaken
    from conduit_desktop.server.listeners import bind

    port = int((served.context.server.address or "").rpartition(":")[2])
    with pytest.raises(PortTaken, match=str(port)):
        bind("", port)
