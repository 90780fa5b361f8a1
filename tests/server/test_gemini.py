"""Gemini's API over real HTTP: Google's own SDK on both versions, every target behind it, and the paths by hand."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestServer
from google import genai
from google.genai import errors, types

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.paths import Home
from conduit_desktop.server.application import build
from tests.fakes.app_context import IdleServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_gemini import SIGNATURE

ALIASES = ["to-gemini", "to-openai", "to-anthropic"]
HELLO = {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]}
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==")
WEATHER = types.FunctionDeclaration(
    name="weather",
    description="The weather.",
    parameters=types.Schema(type=types.Type.OBJECT, properties={"city": types.Schema(type=types.Type.STRING)}, required=["city"]),
)
TOOLS = [types.Tool(function_declarations=[WEATHER])]


class ServedGateway:
    """Short ways to call the gateway."""

    def __init__(self, gateway: GatewayFixture, vendor: Vendor, session: aiohttp.ClientSession, url: str) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self._session = session
        self.url = url

    async def call(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, Any]:
        method = "GET" if body is None else "POST"
        data = None if body is None else orjson.dumps(body)
        sent = headers or {"x-goog-api-key": KEY}
        async with self._session.request(method, f"{self.url}{path}", data=data, headers=sent) as response:
            return response.status, await response.read(), response.headers

    async def sdk(self, ask: Callable[[genai.Client], Any], version: str = "v1beta") -> Any:
        """What `ask` gets from Google's SDK, which blocks."""
        return await asyncio.to_thread(self._call_sdk, ask, version)

    def _call_sdk(self, ask: Callable[[genai.Client], Any], version: str) -> Any:
        client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=self.url, api_version=version))
        try:
            return ask(client)
        finally:
            client.close()


@pytest.fixture
async def served(home: Home) -> AsyncIterator[ServedGateway]:
    async with Vendor() as vendor, open_gateway(home) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("ge", vendor.anthropic_url, kind="gemini")
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_alias("to-gemini", "ge/gemini-3-flash")
        await gateway.add_alias("to-openai", "oa/gpt-x")
        await gateway.add_alias("to-anthropic", "an/claude-x")
        await gateway.add_price("*", 1.0, 2.0)
        await gateway.add_key()
        context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, IdleServer(), gateway.state.overrides)
        async with TestServer(build(context), host="127.0.0.1") as server:
            yield ServedGateway(gateway, vendor, session, str(server.make_url("")).rstrip("/"))


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("alias", ALIASES)
async def test_the_sdk_gets_whole_answers(served: ServedGateway, alias: str, version: str) -> None:
    answer = await served.sdk(lambda client: client.models.generate_content(model=alias, contents="hello there"), version)
    assert "hello there" in answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.prompt_token_count == 20
    assert answer.usage_metadata.candidates_token_count == 7
    record = served.gateway.records[-1]
    assert (record.status, record.input, record.output, record.cost_state) == ("success", 20, 7, "final")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("alias", ALIASES)
async def test_the_sdk_gets_streams(served: ServedGateway, alias: str, version: str) -> None:
    chunks = await served.sdk(
        lambda client: list(client.models.generate_content_stream(model=alias, contents="one two three")), version
    )
    assert "one two three" in "".join(chunk.text or "" for chunk in chunks)
    assert len(chunks) > 3
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count == 7
    assert served.gateway.records[-1].streamed


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("alias", ALIASES)
async def test_the_sdk_goes_through_a_tool_loop(served: ServedGateway, alias: str, stream: bool) -> None:
    def loop(client: genai.Client) -> tuple[Any, str]:
        config = types.GenerateContentConfig(tools=TOOLS, automatic_function_calling={"disable": True})
        user_content = types.Content(
            role="user", parts=[types.Part(text="the weather?"), types.Part.from_bytes(data=PIXEL, mime_type="image/png")]
        )
        if stream:
            chunks = list(client.models.generate_content_stream(model=alias, contents=[user_content], config=config))
            parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts if part.function_call]
        else:
            answer = client.models.generate_content(model=alias, contents=[user_content], config=config)
            parts = [part for part in answer.candidates[0].content.parts if part.function_call]
        (part,) = parts
        function_response = types.FunctionResponse(id=part.function_call.id, name="weather", response={"result": "sunny"})
        history = [
            user_content,
            types.Content(role="model", parts=[part]),
            types.Content(role="user", parts=[types.Part(function_response=function_response)]),
        ]
        return part, client.models.generate_content(model=alias, contents=history, config=config).text

    part, text = await served.sdk(loop)
    assert (part.function_call.name, part.function_call.args) == ("weather", {"city": "Bern"})
    assert "sunny" in text
    if alias == "to-gemini":
        assert base64.b64encode(part.thought_signature).decode() == SIGNATURE


@pytest.mark.parametrize("alias", ["to-gemini", "to-anthropic"])
async def test_the_sdk_gets_thinking_apart_from_text(served: ServedGateway, alias: str) -> None:
    served.vendor.script(Step(thinking="let me see", text="done now"))
    chunks = await served.sdk(lambda client: list(client.models.generate_content_stream(model=alias, contents="x")))
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought) == "let me see"
    assert "".join(part.text or "" for part in parts if not part.thought) == "done now"


@pytest.mark.parametrize("alias", ALIASES)
async def test_the_sdk_raises_an_error_for_a_broken_stream(served: ServedGateway, alias: str) -> None:
    served.vendor.script(Step(text="one two three four five", cut_after=3))
    seen: list[str] = []

    def ask(client: genai.Client) -> None:
        for chunk in client.models.generate_content_stream(model=alias, contents="x"):
            seen.append(chunk.text or "")

    with pytest.raises(errors.APIError) as caught:
        await served.sdk(ask)
    assert "".join(seen).startswith("one")
    assert caught.value.code == 502
    assert served.gateway.records[-1].status == "broken"


async def test_a_passed_through_request_is_sent_unchanged(served: ServedGateway) -> None:
    body = {**HELLO, "generation_config": {"top_k": 3}, "somethingNew": {"a_b": 1}}
    status, raw, headers = await served.call("/v1beta/models/to-gemini:generateContent", body)
    assert (status, headers["x-conduit-provider"]) == (200, "ge")
    sent = served.vendor.requests[-1]
    assert sent.body == body
    assert sent.path == "/v1beta/models/gemini-3-flash:generateContent"
    assert orjson.loads(raw)["responseId"] == "resp-1"


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_stream_without_alt_is_one_array(served: ServedGateway, alias: str) -> None:
    status, raw, headers = await served.call(f"/v1beta/models/{alias}:streamGenerateContent", HELLO)
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    chunks = orjson.loads(raw)
    text = "".join(part.get("text", "") for chunk in chunks for part in chunk["candidates"][0].get("content", {}).get("parts", ()))
    assert "hello there" in text
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_broken_array_holds_the_error(served: ServedGateway, alias: str) -> None:
    served.vendor.script(Step(text="one two three four five", cut_after=3))
    _, raw, _ = await served.call(f"/v1/models/{alias}:streamGenerateContent", HELLO)
    *chunks, last = orjson.loads(raw)
    assert chunks
    assert last["error"]["code"] == 502
    assert not any("finishReason" in chunk["candidates"][0] for chunk in chunks)


@pytest.mark.parametrize("name", ["ge/gemini-3-flash", "models/to-gemini", "TO-GEMINI", "oa/vendor/gpt:free"])
async def test_names_may_hold_slashes_and_colons(served: ServedGateway, name: str) -> None:
    status, raw, _ = await served.call(f"/v1beta/models/{name}:generateContent", HELLO)
    assert status == 200, raw


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1", "", "/v1beta/v1beta", "/v1/v1beta"])
async def test_the_key_may_stand_in_the_query_and_versions_are_forgiven(served: ServedGateway, prefix: str) -> None:
    status, _, _ = await served.call(f"{prefix}/models/to-gemini:generateContent?key={KEY}", HELLO, accept="*/*")
    assert status == 200
    assert KEY not in str(served.vendor.requests[-1].query)


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        ("/v1beta/models/nothing:generateContent", HELLO, 404, "NOT_FOUND"),
        ("/v1/models/nothing:generateContent", HELLO, 404, "NOT_FOUND"),
        ("/v1beta/models/to-gemini:generateContent", {}, 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/to-openai:generateContent", {"contents": [{"parts": [{"text": 1}]}]}, 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/to-gemini:sing", HELLO, 404, "NOT_FOUND"),
        ("/v1beta/models/to-gemini", HELLO, 404, "NOT_FOUND"),
    ],
)
async def test_errors_have_googles_shape(served: ServedGateway, path: str, body: Any, status: int, name: str) -> None:
    code, raw, _ = await served.call(path, body)
    error = orjson.loads(raw)["error"]
    assert (code, error["code"], error["status"]) == (status, status, name)


async def test_a_wrong_key_has_googles_error(served: ServedGateway) -> None:
    code, raw, _ = await served.call("/v1beta/models/to-gemini:generateContent", HELLO, **{"x-goog-api-key": "condt_wrong"})
    assert code == 401
    assert orjson.loads(raw)["error"]["details"][0]["reason"] == "API_KEY_INVALID"


async def test_googles_own_error_is_relayed_whole(served: ServedGateway) -> None:
    body = {"error": {"code": 400, "message": "odd", "status": "INVALID_ARGUMENT", "details": [{"x": 1}]}}
    served.vendor.script(Step(status=400, body=body))
    code, raw, _ = await served.call("/v1beta/models/to-gemini:generateContent", HELLO)
    assert (code, orjson.loads(raw)) == (400, body)


async def test_tokens_are_counted_by_gemini_or_estimated(served: ServedGateway) -> None:
    counted = await served.sdk(lambda client: client.models.count_tokens(model="to-gemini", contents="hello there"))
    assert counted.total_tokens == 20
    assert served.vendor.requests[-1].path.endswith(":countTokens")
    status, raw, headers = await served.call("/v1beta/models/to-openai:countTokens", HELLO)
    assert (status, headers["x-conduit-token-count"]) == (200, "estimated")
    assert "x-conduit-request-id" not in headers, "there is no record of that id"
    assert 0 < orjson.loads(raw)["totalTokens"] < 20
    whole = {"generateContentRequest": {"model": "models/to-gemini", **HELLO}}
    await served.call("/v1beta/models/to-gemini:countTokens", whole)
    assert served.vendor.requests[-1].body["generateContentRequest"]["model"] == "models/gemini-3-flash"
    assert (await served.call("/v1beta/models/nothing:countTokens", HELLO))[0] == 404


@pytest.mark.parametrize("alias", ["ge/text-embedding", "oa/demo-embed"])
async def test_the_sdk_gets_embeddings(served: ServedGateway, alias: str) -> None:
    made = await served.sdk(lambda client: client.models.embed_content(model=alias, contents=["a", "b"]))
    assert len(made.embeddings) == 2
    assert all(one.values for one in made.embeddings)
    status, raw, _ = await served.call(f"/v1beta/models/{alias}:embedContent", {"content": {"parts": [{"text": "a"}]}})
    assert status == 200
    assert orjson.loads(raw)["embedding"]["values"]


async def test_embeddings_are_passed_through_to_gemini_and_back_unchanged(served: ServedGateway) -> None:
    content = {"parts": [{"text": "a"}, {"inline_data": {"mime_type": "image/png", "data": "iVBO"}}]}
    ask = {"requests": [{"model": "models/x", "content": content, "taskType": "CLUSTERING"}, {"content": content, "title": "t"}]}
    status, raw, headers = await served.call("/v1beta/models/ge/text-embedding:batchEmbedContents", ask)
    assert (status, headers["x-conduit-provider"]) == (200, "ge")
    name = {"model": "models/text-embedding"}
    assert served.vendor.requests[-1].body == {"requests": [{**one, **name} for one in ask["requests"]]}
    assert list(orjson.loads(raw)) == ["embeddings"]
    await served.call("/v1beta/models/ge/text-embedding:embedContent", {"content": content, "embedContentConfig": {"new": 1}})
    assert served.vendor.requests[-1].path.endswith("/models/text-embedding:embedContent")
    assert served.vendor.requests[-1].body == {"content": content, "embedContentConfig": {"new": 1}}


async def test_what_no_other_vendor_could_embed_is_named(served: ServedGateway) -> None:
    ask = {"content": {"parts": [{"inline_data": {"mime_type": "image/png", "data": "iVBO"}}]}}
    status, raw, _ = await served.call("/v1beta/models/oa/demo-embed:embedContent", ask)
    assert status == 400
    assert "content.parts" in orjson.loads(raw)["error"]["message"]


async def test_geminis_refusal_to_embed_is_relayed(served: ServedGateway) -> None:
    refusal = {"error": {"code": 404, "message": "models/none is not found", "status": "NOT_FOUND", "details": []}}
    served.vendor.script(Step(status=404, body=refusal))
    status, raw, _ = await served.call("/v1beta/models/ge/none:embedContent", {"content": {"parts": [{"text": "a"}]}})
    assert (status, orjson.loads(raw)) == (404, refusal)


async def test_lists_of_models_have_googles_shape_where_google_is_meant(served: ServedGateway) -> None:
    names = await served.sdk(lambda client: [model.name for model in client.models.list(config={"page_size": 2})])
    assert names == [f"models/{alias}" for alias in sorted(ALIASES)]
    one = await served.sdk(lambda client: client.models.get(model="to-gemini"), "v1")
    assert one.name == "models/to-gemini"
    _, raw, _ = await served.call("/v1/models")
    assert "models" in orjson.loads(raw)
    _, raw, _ = await served.call("/v1/models", authorization=f"Bearer {KEY}")
    assert orjson.loads(raw)["object"] == "list"
    _, raw, _ = await served.call("/v1beta/models", authorization=f"Bearer {KEY}")
    assert "models" in orjson.loads(raw)


async def test_a_model_for_embeddings_is_listed_with_its_own_methods(served: ServedGateway) -> None:
    """By its provider's list where that was fetched, else by its name."""
    for alias, target in (("vectors", "oa/text-embedding-3-small"), ("listed", "ge/unusual-name"), ("spoken", "ge/bge-chat")):
        await served.gateway.add_alias(alias, target)
    offered = [OfferedModel("unusual-name", features=("embeddings",)), OfferedModel("bge-chat", features=("tools",))]
    served.gateway.state.offered["ge"] = (0, offered)
    _, raw, _ = await served.call("/v1beta/models")
    methods = {row["displayName"]: row["supportedGenerationMethods"] for row in orjson.loads(raw)["models"]}
    assert methods["vectors"] == methods["listed"] == ["embedContent", "batchEmbedContents"]
    assert methods["to-gemini"] == methods["spoken"] == ["generateContent", "countTokens"]
    _, raw, _ = await served.call("/v1beta/models/vectors")
    assert orjson.loads(raw)["supportedGenerationMethods"] == ["embedContent", "batchEmbedContents"]
    _, raw, _ = await served.call("/api/show", {"model": "vectors"}, authorization=f"Bearer {KEY}")
    assert orjson.loads(raw)["capabilities"] == ["embedding"]
