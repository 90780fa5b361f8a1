"""Ollama's own Python client against the gateway: keyless, streamed and whole, with tools, and what clients ask first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import ollama
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import CredentialRef, ModelAlias, OfferedModel, Provider, Target, VirtualKey
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.server.application import build
from tests.fakes.app_context import open_context
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor

KEY = "condt_" + "k" * 43
NO = {"error": "no"}
OPEN = "condt_" + "o" * 43
MESSAGES = [{"role": "user", "content": "hello there"}]
TOOL = {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": {"type": "object"}}}


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as made:
        yield made


@pytest.fixture
async def context(home: Home, vendor: Vendor) -> AsyncIterator[AppContext]:
    async with open_context(home, anonymous_key="guest") as opened:
        opened.secrets.set("provider/oa/0", API_KEY)
        credential = CredentialRef(label="0", secret="provider/oa/0", hint="…")
        await opened.store.providers.insert(
            Provider(id="prov_oa", name="oa", kind="openai-compatible", base_url=vendor.openai_url, credentials=(credential,))
        )
        for alias in ("gpt", "hidden"):
            target = Target(provider="oa", model="gpt-x")
            await opened.store.models.insert(ModelAlias(id=f"mod_{alias}", alias=alias, targets=(target,), max_context_tokens=4096))
        await opened.store.keys.insert(
            VirtualKey(id="key_guest", name="guest", digest=digest(KEY), hint="condt_…", models=("gpt",))
        )
        await opened.gateway.refresh()
        yield opened


@pytest.fixture
async def server(context: AppContext) -> AsyncIterator[TestServer]:
    async with TestServer(build(context), host="127.0.0.1") as running:
        yield running


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[ollama.AsyncClient]:
    made = ollama.AsyncClient(host=str(server.make_url("/")))
    yield made
    await made._client.aclose()


async def test_a_chat_streams_by_default_and_needs_no_key(client: ollama.AsyncClient) -> None:
    parts = [part async for part in await client.chat("gpt:latest", MESSAGES, stream=True)]
    assert "".join(part.message.content or "" for part in parts).strip()
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].prompt_eval_count
    assert parts[-1].eval_count


async def test_a_chat_without_stream_is_answered_whole(client: ollama.AsyncClient) -> None:
    answer = await client.chat("gpt", MESSAGES, options={"num_predict": 50})
    assert answer.message.content
    assert (answer.done, answer.done_reason) == (True, "stop")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_is_called_and_answered(client: ollama.AsyncClient, vendor: Vendor, stream: bool) -> None:
    if stream:
        parts = [part async for part in await client.chat("gpt", MESSAGES, tools=[TOOL], stream=True)]
        calls = [call for part in parts for call in part.message.tool_calls or ()]
    else:
        calls = list((await client.chat("gpt", MESSAGES, tools=[TOOL])).message.tool_calls or ())
    assert [call.function.name for call in calls] == ["weather"]
    messages: list[Any] = [
        *MESSAGES,
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "sunny", "tool_name": "weather"},
    ]
    assert (await client.chat("gpt", messages)).message.content
    sent = vendor.requests[-1].body["messages"]
    assert sent[-1]["tool_call_id"] == sent[-2]["tool_calls"][0]["id"]


async def test_a_prompt_is_completed(client: ollama.AsyncClient) -> None:
    assert (await client.generate("gpt", "hello there")).response
    parts = [part async for part in await client.generate("gpt", "hello there", stream=True)]
    assert "".join(part.response or "" for part in parts).strip()
    assert parts[-1].done


async def test_no_question_is_answered_as_a_model_that_is_loaded(client: ollama.AsyncClient, vendor: Vendor) -> None:
    assert (await client.generate("gpt", "")).done_reason == "load"
    assert (await client.chat("gpt", [])).done_reason == "load"
    assert not vendor.requests


async def test_texts_become_vectors(client: ollama.AsyncClient) -> None:
    made = await client.embed("gpt:latest", ["one", "two"], dimensions=4)
    assert len(made.embeddings) == 2
    assert all(made.embeddings)
    assert made.prompt_eval_count
    assert list((await client.embeddings("gpt", "one")).embedding)


async def test_embedding_input_is_sent_to_ollama_unchanged(server: TestServer, context: AppContext, vendor: Vendor) -> None:
    credential = CredentialRef(label="0", secret="provider/oa/0", hint="…")
    await context.store.providers.insert(
        Provider(id="prov_ol", name="ol", kind="ollama", base_url=vendor.anthropic_url, credentials=(credential,))
    )
    await context.store.keys.insert(VirtualKey(id="key_all", name="all", digest=digest(OPEN), hint="condt_…"))
    await context.gateway.refresh()
    answer = {"model": "up", "embeddings": [[0.5]], "total_duration": 7, "prompt_eval_count": 3}
    vendor.script(
        Step(status=200, body=answer), Step(status=200, body={"embedding": [0.5]}), Step(status=400, body={"error": "no"})
    )
    ask = {"model": "ol/nomic", "input": "a", "truncate": False, "keep_alive": "5m"}
    auth = {"Authorization": f"Bearer {OPEN}"}
    async with aiohttp.ClientSession() as session:
        async with session.post(server.make_url("/api/embed"), json=ask, headers=auth) as response:
            assert await response.json() == answer
        older = {"model": "ol/nomic", "prompt": "a"}
        async with session.post(server.make_url("/api/embeddings"), json=older, headers=auth) as response:
            assert await response.json() == {"embedding": [0.5]}
        async with session.post(server.make_url("/api/embed"), json=ask, headers=auth) as response:
            assert (response.status, await response.json()) == (400, NO)
    assert [(call.path, call.body) for call in vendor.requests] == [
        ("/api/embed", {**ask, "model": "nomic"}), ("/api/embeddings", {**older, "model": "nomic"}),
        ("/api/embed", {**ask, "model": "nomic"}),
    ]  # fmt: skip


async def test_a_stream_that_breaks_ends_in_an_error(client: ollama.AsyncClient, vendor: Vendor) -> None:
    vendor.script(Step(cut_after=2))
    parts: list[ollama.ChatResponse] = []

    async def follow() -> None:
        parts.extend([part async for part in await client.chat("gpt", MESSAGES, stream=True)])

    with pytest.raises(ollama.ResponseError, match="broke off"):
        await follow()
    assert not parts


async def test_errors_are_ollamas(client: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError) as raised:
        await client.chat("nonsense", MESSAGES)
    assert raised.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as raised:
        await client.chat("hidden", MESSAGES)
    assert raised.value.status_code == 403


async def test_tags_name_what_the_key_may_call(client: ollama.AsyncClient) -> None:
    assert [model.model for model in (await client.list()).models] == ["gpt"]


@pytest.mark.parametrize(
    ("features", "capabilities"),
    [((), ["completion", "tools"]), (("vision", "tools", "json"), ["completion", "tools", "vision"])],
)
async def test_show_returns_the_known_details(
    client: ollama.AsyncClient, context: AppContext, features: tuple[str, ...], capabilities: list[str]
) -> None:
    provider = context.gateway.snapshot.providers["oa"].provider
    context.gateway.state.offered["oa"] = (provider.updated_at, [OfferedModel("gpt-x", features=features)])
    shown = await client.show("gpt:latest")
    assert shown.capabilities == capabilities
    info = shown.modelinfo
    assert info is not None
    assert info[f"{info['general.architecture']}.context_length"] == 4096


async def test_show_and_ps_know_a_model_that_no_list_describes(client: ollama.AsyncClient, context: AppContext) -> None:
    target = Target(provider="oa", model="gpt-4o-2024-08-06")
    alias = ModelAlias(id="mod_gpt", alias="gpt", targets=(target,))
    await context.store.models.replace(alias)
    await context.gateway.refresh()
    shown = await client.show("gpt")
    assert shown.capabilities == ["completion", "tools", "vision"]
    assert shown.modelinfo is not None
    assert shown.modelinfo["conduit.context_length"] == 128_000
    assert [model.context_length for model in (await client.ps()).models] == [128_000]


async def test_the_version_and_the_stream_are_as_clients_expect(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/api/version")) as response:
            version = tuple(int(piece) for piece in (await response.json())["version"].split("."))
            assert version >= (0, 6, 4)
        body = {"model": "gpt", "messages": MESSAGES}
        async with session.post(server.make_url("/api/chat"), data=orjson.dumps(body)) as response:
            assert response.content_type == "application/x-ndjson"
            assert orjson.loads((await response.read()).splitlines()[-1])["done"] is True


async def test_an_ollama_upstream_gets_requests_in_its_own_dialect(context: AppContext, client: ollama.AsyncClient) -> None:
    seen: list[Any] = []

    async def chat(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        last = b'{"model":"llama3","message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":3,"eval_count":2}\n'
        data = b'{"model":"llama3","message":{"role":"assistant","content":"hi"},"done":false,"odd":1}\n' + last
        return web.Response(body=data, content_type="application/x-ndjson")

    app = web.Application()
    app.router.add_post("/api/chat", chat)
    app.router.add_post("/api/generate", chat)
    async with TestServer(app, host="127.0.0.1") as upstream:
        base = str(upstream.make_url("/v1"))
        await context.store.providers.insert(Provider(id="prov_ol", name="ol", kind="ollama", base_url=base))
        await context.store.models.insert(
            ModelAlias(id="mod_gptol", alias="gptol", targets=(Target(provider="ol", model="llama3"),))
        )
        await context.store.keys.replace((await context.store.keys.all())[0].model_copy(update={"models": ()}))
        await context.gateway.refresh()
        parts = [part async for part in await client.chat("gptol", MESSAGES, stream=True, keep_alive="5m")]
        generated = [part.response async for part in await client.generate("gptol", "hello", stream=True)]
        await context.gateway.state.upstream.close()
    assert [part.message.content for part in parts] == ["hi", ""]
    assert seen[0] == ("/api/chat", {"model": "llama3", "messages": MESSAGES, "tools": [], "stream": True, "keep_alive": "5m"})
    assert seen[1][0] == "/api/generate"
    assert len(generated) == 2
