"""Gemini and Vertex AI: URLs, credentials, and the differences between generations of models."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.gemini import Gemini
from conduit_desktop.providers.vertex import Vertex


def gemini(base_url: str | None = None) -> Gemini:
    return Gemini(Provider(id="p", name="p", kind="gemini", base_url=base_url))


def vertex(**options: Any) -> Vertex:
    return Vertex(Provider(id="p", name="p", kind="vertex", base_url=options.pop("base_url", None), options=options))


@pytest.mark.parametrize(
    "base", [None, "https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/"]
)
@pytest.mark.parametrize("model", ["gemini-x", "models/gemini-x"])
def test_the_model_is_part_of_the_path(base: str | None, model: str):
    kind = gemini(base)
    root = "https://generativelanguage.googleapis.com/v1beta/models/gemini-x"
    assert kind.url("chat", model, "gemini", stream=False) == f"{root}:generateContent"
    assert kind.url("chat", model, "gemini", stream=True) == f"{root}:streamGenerateContent?alt=sse"
    assert kind.url("count_tokens", model, "gemini", stream=False) == f"{root}:countTokens"


@pytest.mark.parametrize(
    ("model", "endpoint", "form", "method"),
    [
        ("gemini-embedding-2", "embeddings", "vertex", "batchEmbedContents"),
        ("gemini-embedding-2", "embedding", "vertex", "embedContent"),
        ("text-embedding-005", "embeddings", "vertex_predict", "predict"),
    ],
)
def test_vertex_embeddings_use_the_method_of_the_models_generation(model: str, endpoint: Any, form: str, method: str) -> None:
    kind = vertex(project="p", location="europe-west4")
    assert kind.media_format_for("embeddings", model) == form
    assert kind.url(endpoint, model, "gemini", False).endswith(f"/publishers/google/models/{model}:{method}")


def test_dots_in_a_models_name_cannot_change_the_path():
    assert gemini().url("chat", "../x?y#z", "gemini", stream=False).endswith("/models/%2E%2E/x%3Fy%23z:generateContent")


def test_the_list_of_models():
    rows = [
        {"name": "models/gemini-x", "displayName": "X", "inputTokenLimit": 10, "outputTokenLimit": 5, "thinking": True,
         "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
    ]  # fmt: skip
    chat, embed = gemini().read_models({"models": rows})
    assert (chat.id, chat.name, chat.context_tokens, chat.max_output_tokens, chat.features) == (
        "gemini-x",
        "X",
        10,
        5,
        ("thinking",),
    )
    assert embed.features == ("embeddings",)
    with pytest.raises(ValueError, match="not a list"):
        gemini().read_models({})


def thinking(model: str, config: dict[str, Any]) -> Any:
    body: dict[str, Any] = {"contents": [], "generationConfig": {"thinkingConfig": config}}
    dropped = gemini().adapt(model, body, "gemini", translated=True)
    return body.get("generationConfig", {}).get("thinkingConfig", dropped)


@pytest.mark.parametrize(
    ("model", "config", "made"),
    [
        ("gemini-2.0-flash", {"thinkingLevel": "low"}, ["reasoning"]),
        ("gemini-2.0-flash", {"thinkingBudget": 0}, []),
        ("gemini-2.5-flash", {"thinkingLevel": "low"}, {"thinkingBudget": 2048}),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", {"thinkingBudget": 40_000}, {"thinkingBudget": 32_768}),
        ("gemini-2.5-pro", {"thinkingBudget": -1}, {"thinkingBudget": -1}),
        (
            "gemini-2.5-flash",
            {"thinkingBudget": 32_000, "includeThoughts": True},
            {"thinkingBudget": 24_576, "includeThoughts": True},
        ),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 100}, {"thinkingBudget": 512}),
        ("gemini-2.5-flash-lite", {"thinkingBudget": 0}, {"thinkingBudget": 0}),
        ("gemini-2.5-flash-image", {"thinkingLevel": "low"}, ["reasoning"]),
        ("gemini-3-flash-preview", {"thinkingBudget": 0}, {"thinkingLevel": "minimal"}),
        ("gemini-3-pro-preview", {"thinkingLevel": "medium"}, {"thinkingLevel": "low"}),
        ("gemini-3.1-pro-preview", {"thinkingLevel": "medium"}, {"thinkingLevel": "medium"}),
        ("gemini-3.8-flash", {"thinkingBudget": 0}, {"thinkingLevel": "low"}),
        ("gemini-3-pro-preview", {"thinkingBudget": 30_000}, {"thinkingLevel": "high"}),
        ("models/gemini-3-pro-preview", {"thinkingLevel": "minimal"}, {"thinkingLevel": "low"}),
        ("gemma-3-27b-it", {"thinkingBudget": 2000}, ["reasoning"]),
        ("gemma-4-31b-it", {"thinkingBudget": 0}, []),
        ("tunedModels/mine", {"thinkingLevel": "minimal"}, {"thinkingLevel": "low"}),
        ("gemini-3.1-pro", {"thinkingBudget": 0}, {"thinkingLevel": "low"}),
        ("gemini-3-pro", {"thinkingLevel": "minimal"}, {"thinkingLevel": "low"}),
        ("gemini-3.5-flash", {"thinkingBudget": -1, "includeThoughts": True}, {"includeThoughts": True}),
        ("gemini-flash-latest", {"thinkingLevel": "high"}, {"thinkingLevel": "high"}),
    ],
)
def test_thinking_is_adapted_to_the_generation(model: str, config: dict[str, Any], made: Any):
    assert thinking(model, config) == made


@pytest.mark.parametrize(
    ("model", "config", "lost"),
    [
        # A Pro thinks whatever is asked for, which costs money.
        ("gemini-2.5-pro", {"thinkingBudget": 0}, ["reasoning"]),
        ("gemini-3.1-pro", {"thinkingBudget": 0}, ["reasoning"]),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, []),
        ("gemini-2.5-flash", {"thinkingBudget": 32_000}, ["reasoning.budget_tokens"]),
        ("gemini-3-flash", {"thinkingBudget": 1000}, ["reasoning.budget_tokens"]),
        ("gemini-3-pro", {"thinkingLevel": "minimal"}, []),
    ],
)
def test_a_budget_that_is_not_kept_is_named(model: str, config: dict[str, Any], lost: list[str]):
    body: dict[str, Any] = {"contents": [], "generationConfig": {"thinkingConfig": config}}
    assert gemini().adapt(model, body, "gemini", translated=True) == lost


@pytest.mark.parametrize(
    ("kind", "model", "lost"),
    [
        (gemini(), "gemini-2.0-flash", []),
        (gemini(), "gemini-2.5-flash", ["presence_penalty"]),
        (gemini(), "gemini-3.1-pro", ["presence_penalty"]),
        (vertex(), "gemini-2.5-flash", []),
        (vertex(), "gemini-3.7-flash", ["presence_penalty"]),
    ],
)
def test_penalties_are_left_out_where_the_model_refuses_them(kind: Gemini | Vertex, model: str, lost: list[str]):
    body: dict[str, Any] = {"contents": [], "generationConfig": {"presencePenalty": 0.5, "frequencyPenalty": 0}}
    assert kind.adapt(model, body, "gemini", translated=True) == lost
    assert ("presencePenalty" in body.get("generationConfig", {})) == (not lost)


@pytest.mark.parametrize(
    ("kind", "model", "lost"),
    [
        (gemini(), "gemini-2.0-flash", []),
        (gemini(), "gemini-2.5-flash", ["logprobs", "top_logprobs"]),
        (gemini(), "gemini-3.1-pro", ["logprobs", "top_logprobs", "n"]),
        (vertex(), "gemini-2.5-flash", []),
        (vertex(), "gemini-3.1-pro", []),
        (vertex(), "gemini-3.5-flash", ["logprobs", "top_logprobs"]),
    ],
)
def test_logprobs_and_several_answers_are_left_out_where_the_model_has_none(kind: Gemini | Vertex, model: str, lost: list[str]):
    config = {"responseLogprobs": True, "logprobs": 2, "candidateCount": 3}
    body: dict[str, Any] = {"contents": [], "generationConfig": config}
    assert kind.adapt(model, body, "gemini", translated=True) == lost
    logprobs = {} if "logprobs" in lost else {"responseLogprobs": True, "logprobs": 2}
    assert body["generationConfig"] == {**logprobs, "candidateCount": 1 if "n" in lost else 3}


@pytest.mark.parametrize(
    ("kind", "model", "cap"),
    [
        (gemini(), "gemini-2.0-flash", 8192),
        (gemini(), "gemini-2.5-pro", 65_536),
        (vertex(), "gemini-2.5-pro", 65_535),
        (gemini(), "a-model-of-tomorrow", 200_000),
    ],
)
def test_the_output_cap_is_lowered_to_the_models_and_never_raised(kind: Gemini | Vertex, model: str, cap: int):
    for given, made in ((200_000, cap), (50, 50)):
        body: dict[str, Any] = {"contents": [], "generationConfig": {"maxOutputTokens": given}}
        assert kind.adapt(model, body, "gemini", translated=True) == []
        assert body["generationConfig"] == {"maxOutputTokens": made}


def test_gemma_gets_instructions_and_format_in_words_and_no_functions():
    body: dict[str, Any] = {
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {"responseMimeType": "application/json"},
    }
    assert gemini().adapt("gemma-3-27b-it", body, "gemini", translated=True) == ["tools", "tool_choice", "response_format"]
    words = "Give the final answer as one JSON object, and nothing else."
    assert body == {"contents": [{"role": "user", "parts": [{"text": "be brief"}, {"text": words}, {"text": "hi"}]}]}


def test_before_generation_3_functions_that_must_not_be_called_make_room_for_a_format():
    config = {"responseMimeType": "application/json"}
    choice = {"functionCallingConfig": {"mode": "NONE"}}
    body: dict[str, Any] = {"contents": [], "tools": [{}], "toolConfig": choice, "generationConfig": config}
    assert gemini().adapt("gemini-2.5-flash", body, "gemini", translated=True) == []
    assert body == {"contents": [], "generationConfig": config}


def test_from_generation_3_on_functions_and_a_format_stay_together():
    config = {"responseMimeType": "application/json"}
    body: dict[str, Any] = {"contents": [], "tools": [{}], "generationConfig": config}
    assert gemini().adapt("gemini-3-flash-preview", body, "gemini", translated=True) == []
    assert body == {"contents": [], "tools": [{}], "generationConfig": config}


def test_a_request_of_geminis_own_clients_goes_as_it_came():
    body: dict[str, Any] = {"contents": [], "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}, "serviceTier": "flex"}
    before = copy.deepcopy(body)
    assert gemini().adapt("gemini-2.5-pro", body, "gemini", translated=False) == []
    assert vertex().adapt("gemini-2.5-pro", body, "gemini", translated=False) == []
    assert body == before


CALL = {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]}
PICTURE = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
RESULT = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}, "parts": [PICTURE]}}, {"text": "x"}]}


def test_from_generation_3_on_the_first_call_is_signed():
    body: dict[str, Any] = {"contents": copy.deepcopy([CALL, RESULT])}
    gemini().adapt("gemini-3-flash", body, "gemini", translated=True)
    assert ["thoughtSignature" in part for part in body["contents"][0]["parts"]] == [True, False]
    assert body["contents"][1] == RESULT


def test_before_generation_3_files_follow_results_and_a_format_with_tools_becomes_an_instruction():
    config = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}
    body: dict[str, Any] = {"contents": copy.deepcopy([CALL, RESULT]), "tools": [{}], "generationConfig": config}
    assert gemini().adapt("gemini-2.5-pro", body, "gemini", translated=True) == ["response_format"]
    assert body == {
        "contents": [
            CALL,
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}, PICTURE, {"text": "x"}]},
        ],
        "tools": [{}],
        "systemInstruction": {
            "parts": [{"text": "Give the final answer as one JSON value that matches this JSON schema, and nothing else:\n"
                       '{"type":"object"}'}],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("", "aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_the_host_of_vertex_depends_on_the_location(location: str, host: str):
    url = vertex(project="p1", location=location).url("chat", "gemini-x", "gemini", stream=True)
    place = f"projects/p1/locations/{location or 'global'}"
    assert url == f"https://{host}/v1/{place}/publishers/google/models/gemini-x:streamGenerateContent?alt=sse"


@pytest.mark.parametrize("model", ["claude-sonnet-4-5@20250929", "anthropic/claude-sonnet-4-5@20250929"])
def test_claude_on_vertex_uses_anthropics_dialect(model: str):
    kind = vertex(project="p1", location="us-east5")
    assert kind.dialects_for(model) == ("anthropic_messages",)
    assert kind.dialects_for("gemini-x") == ("gemini",)
    assert kind.url("chat", model, "anthropic_messages", stream=True).endswith(
        "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    )
    body = {"model": model, "messages": [], "max_tokens": 5}
    assert kind.adapt(model, body, "anthropic_messages", translated=False) == []
    assert body == {"anthropic_version": "vertex-2023-10-16", "messages": [], "max_tokens": 5}


def test_a_key_of_express_mode_is_sent_as_an_api_key():
    key = "AIza" + "x" * 35
    kind = vertex()
    sent = kind.prepare("chat", "gemini-x", "gemini", False, b"{}", asyncio.run(kind.credentials(Secrets(key))), {})
    assert sent.headers["x-goog-api-key"] == key
    assert sent.url == "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-x:generateContent"


@pytest.fixture(scope="module")
def private_key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip


@asynccontextmanager
async def google(status: int = 200) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A token endpoint on loopback, and the requests that it got."""
    token_requests: list[bytes] = []

    async def token(request: web.Request) -> web.Response:
        token_requests.append(await request.read())
        good = {"access_token": f"ya29.{len(token_requests)}", "expires_in": 3600, "token_type": "Bearer"}
        return web.json_response(
            good if status == 200 else {"error": "invalid_grant", "error_description": "secret words"}, status=status
        )

    app = web.Application()
    app.router.add_post("/token", token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token", token_requests
    finally:
        await runner.cleanup()


def account(private_key: str, token_uri: str) -> str:
    fields = {"type": "service_account", "project_id": "from-the-key", "private_key_id": "1", "private_key": private_key,
              "client_email": "me@example.org", "client_id": "1", "token_uri": token_uri}  # fmt: skip
    return orjson.dumps(fields).decode()


async def test_one_token_of_a_service_account_serves_all_calls(private_key: str):
    kind = vertex()
    async with google() as (url, token_requests):
        secrets = Secrets(account(private_key, url), {"x": "y"})
        made = await asyncio.gather(*(kind.credentials(secrets) for _ in range(20)))
    assert len(token_requests) == 1
    assert {one.api_key for one in made} == {"ya29.1"}
    assert made[0].headers == {"x": "y"}
    assert kind.headers(made[0], "gemini") == {"authorization": "Bearer ya29.1"}
    assert "/projects/from-the-key/" in kind.url("chat", "gemini-x", "gemini", stream=False)


async def test_a_refused_account_is_an_auth_error_without_the_account(private_key: str):
    async with google(status=400) as (url, _):
        with pytest.raises(UpstreamError) as caught:
            await vertex().credentials(Secrets(account(private_key, url)))
    assert caught.value.reason == "auth"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["not json", '{"type": "service_account"}'])
async def test_an_invalid_account_is_refused_without_being_quoted(text: str):
    with pytest.raises(UpstreamError) as caught:
        await vertex().credentials(Secrets(text))
    assert caught.value.reason == "auth"
    assert text not in str(caught.value)


async def test_an_unreachable_token_endpoint_is_a_connect_error(private_key: str):
    with pytest.raises(UpstreamError) as caught:
        await vertex().credentials(Secrets(account(private_key, "http://127.0.0.1:9/token")))
    assert caught.value.reason == "connect"


def test_googles_own_models_are_listed():
    body = {"publisherModels": [{"name": "publishers/google/models/gemini-x"}]}
    assert [model.id for model in vertex().read_models(body)] == ["gemini-x"]


def test_vertex_gets_the_role_that_ai_studio_does_not_ask_for():
    vertex = Vertex(Provider(id="p", name="p", kind="vertex", options={"project": "p", "location": "us-central1"}))
    body = {"contents": [{"parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "yo"}]}]}
    assert vertex.adapt("gemini-2.5-flash", body, "gemini", translated=False) == []
    assert [one["role"] for one in body["contents"]] == ["user", "model"]
