"""The paths of other vendors' clients: Azure's deployments, Cohere's `/v2`, `/anthropic`, `/api/ps`; and unknown ones."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.server.media import MOST_INPUTS
from conduit_desktop.server.unknown_paths import MOST, UnknownPaths, shown
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.vendor import Vendor

MESSAGES = [{"role": "user", "content": "hello"}]


@dataclass
class Served:
    """A listening gateway with the alias `alias` (OpenAI's dialect) and `claude` (Anthropic's)."""

    gateway: GatewayFixture
    vendor: Vendor
    session: aiohttp.ClientSession
    address: str

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status, and JSON or text."""
        sent = {"Authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = None if body is None else orjson.dumps(body)
        async with self.session.request(method, self.address + path, data=data, headers=sent) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw[:1] in (b"{", b"[") else raw.decode()


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_alias("alias", "oa/gpt-x", max_context_tokens=8000)
        await gateway.add_alias("claude", "an/claude-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield Served(gateway, vendor, session, context.server.address or "")


@pytest.mark.parametrize("model", ["alias", "oa/gpt-x", "oa%2Fgpt-x"])
async def test_azures_clients_name_the_model_in_the_path(served: Served, model: str) -> None:
    path = f"/openai/deployments/{model}/chat/completions?api-version=2024-10-21"
    status, body = await served.call("POST", path, {"messages": MESSAGES}, api_key=KEY)
    assert (status, body["object"]) == (200, "chat.completion")
    assert served.vendor.requests[0].body["model"] == "gpt-x"


async def test_azures_deployment_replaces_a_model_in_the_body(served: Served) -> None:
    path = "/openai/deployments/alias/embeddings?api-version=2024-10-21"
    status, body = await served.call("POST", path, {"model": "text-embedding-3", "input": "hello"})
    assert (status, body["object"]) == (200, "list")


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/openai/chat/completions"])
async def test_azures_newer_paths_are_openais_below_its_own(served: Served, path: str) -> None:
    assert (await served.call("POST", path, {"model": "alias", "messages": MESSAGES}))[0] == 200


@pytest.mark.parametrize("prefix", ["/anthropic/v1", "/anthropic"])
async def test_anthropics_api_is_also_below_its_name(served: Served, prefix: str) -> None:
    body = {"model": "claude", "max_tokens": 20, "messages": MESSAGES}
    status, answer = await served.call("POST", f"{prefix}/messages?beta=true", body)
    assert (status, answer["type"]) == (200, "message")
    assert "input_tokens" in (await served.call("POST", f"{prefix}/messages/count_tokens", body))[1]
    assert (await served.call("GET", f"{prefix}/models"))[1]["data"][0]["type"] == "model"
    assert (await served.call("GET", f"{prefix}/models/claude"))[1]["display_name"] == "claude"


async def test_coheres_chat_is_answered_by_any_provider(served: Served) -> None:
    status, body = await served.call("POST", "/v2/chat", {"model": "alias", "messages": MESSAGES})
    assert status == 200
    assert body["finish_reason"] == "COMPLETE"
    assert body["message"]["content"][0]["text"] == "You said: hello"
    status, text = await served.call("POST", "/v2/chat", {"model": "alias", "messages": MESSAGES, "stream": True})
    assert status == 200
    assert "message-end" in text


async def test_coheres_embeddings_are_made_by_any_provider(served: Served) -> None:
    request = {"model": "alias", "texts": ["one", "two"], "input_type": "search_query", "embedding_types": ["float"]}
    status, body = await served.call("POST", "/v2/embed", request)
    assert status == 200
    assert [len(vector) > 0 for vector in body["embeddings"]["float"]] == [True, True]
    assert body["texts"] == ["one", "two"]
    assert body["id"].startswith("req_")
    assert served.vendor.requests[0].body["input"] == ["one", "two"]
    assert not {"input_type", "task_type"} & served.vendor.requests[0].body.keys()
    contents = [{"content": [{"type": "text", "text": "one"}]}]
    assert (await served.call("POST", "/v2/embed", {"model": "alias", "inputs": contents}))[0] == 200
    assert served.vendor.requests[1].body["input"] == ["one"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "texts"),
        ({"texts": []}, "texts"),
        ({"images": ["data:"]}, "texts"),
        ({"texts": ["a"], "embedding_types": ["int8"]}, "float"),
    ],
)
async def test_what_cannot_be_embedded_is_refused_in_coheres_shape(served: Served, fields: dict[str, Any], field: str) -> None:
    status, body = await served.call("POST", "/v2/embed", {"model": "alias", **fields})
    assert (status, list(body)) == (400, ["message"])
    assert field in body["message"]


async def test_coheres_errors_have_its_shape(served: Served) -> None:
    status, body = await served.call("POST", "/v2/chat", {"model": "nope", "messages": MESSAGES})
    assert (status, list(body)) == (404, ["message"])


async def test_ollamas_running_models_are_those_the_key_may_call(served: Served) -> None:
    status, body = await served.call("GET", "/api/ps")
    assert (status, [row["name"] for row in body["models"]]) == (200, ["alias", "claude"])
    assert {"model", "size", "digest", "details", "expires_at", "size_vram", "context_length"} <= body["models"][0].keys()
    assert body["models"][0]["context_length"] == 8000
    async with served.session.get(served.address + "/api/ps") as response:
        assert response.status == 401


UNKNOWN: dict[str, list[str]] = {
    "/v1/nothing": ["error"], "/anthropic/v1/files": ["error", "type"], "/v1/messages/batches": ["error", "type"],
    "/v2/classify": ["message"], "/api/pull": ["error"], "/v1beta/cachedContents": ["error"],
}  # fmt: skip


@pytest.mark.parametrize("path", UNKNOWN)
async def test_an_unknown_path_is_answered_in_its_dialect_counted_and_named_once(
    served: Served, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            status, body = await served.call("POST", path, {}, User_Agent="tool/1.0 (linux)")
            assert (status, sorted(body)) == (404, UNKNOWN[path])
    lines = [record.getMessage() for record in caplog.records if "unknown path" in record.getMessage()]
    assert lines == [f"tool/1.0 asked for an unknown path: POST {path}"]
    status, metrics = await served.call("GET", "/metrics")
    assert f'conduit_unknown_paths_total{{method="POST",path="{path}"}} 3' in metrics


async def test_an_unknown_method_of_a_gemini_model_is_an_unknown_path(served: Served) -> None:
    assert (await served.call("POST", "/v1beta/models/alias:batchGenerateContent", {}))[0] == 404
    assert 'path="/v1beta/models/alias:batchGenerateContent"' in (await served.call("GET", "/metrics"))[1]


async def test_what_is_refused_before_a_route_is_found_has_an_id(served: Served) -> None:
    for method, path, host in (("POST", "/v1/nothing", "localhost"), ("PUT", "/v1/models", "localhost"), ("GET", "/", "evil.com")):
        async with served.session.request(method, served.address + path, headers={"Host": host}) as response:
            assert response.status in (403, 404, 405)
            assert response.headers["x-conduit-request-id"].startswith("req_")


def test_neither_keys_nor_control_characters_of_a_path_are_shown() -> None:
    assert shown(f"/v1/{KEY}/chat\x1b[31m") == "/v1/…/chat?[31m"
    assert len(shown("/a" * 1000)) == 20


def test_a_secret_with_slashes_in_a_path_is_redacted() -> None:
    SECRETS.add("pk/with+odd=chars 0987654321zz")
    assert shown("/v1/nothing/pk/with+odd=chars 0987654321zz") == "/v1/nothing/…"


def test_paths_that_callers_make_up_do_not_grow_the_counts_without_end() -> None:
    unknown = UnknownPaths()
    for n in range(2 * MOST):
        unknown.count("GET", f"/{n}", "")
    assert len(unknown.counts) == MOST + 1
    assert unknown.counts["", "other"] == MOST


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/v1/embeddings", {"model": "alias", "input": ["x"]}, lambda body: body["error"]["message"]),
        ("/api/embed", {"model": "alias", "input": ["x"]}, lambda body: body["error"]),
        ("/v2/embed", {"model": "alias", "texts": ["x"]}, lambda body: body["message"]),
        ("/v2/embed", {"model": "alias", "inputs": [{"content": []}]}, lambda body: body["message"]),
        ("/v1beta/models/alias:batchEmbedContents", {"requests": [{}]}, lambda body: body["error"]["message"]),
    ],
)
async def test_too_many_inputs_of_embeddings_are_refused_in_every_dialect_with_their_number(
    served: Served, path: str, body: dict[str, Any], text: Callable[[Any], str]
) -> None:
    many = {name: value * (MOST_INPUTS + 1) if isinstance(value, list) else value for name, value in body.items()}
    status, answer = await served.call("POST", path, many)
    assert (status, "has 20,001 entries; a request may have 20,000" in text(answer)) == (400, True), answer
    assert served.vendor.requests == []
