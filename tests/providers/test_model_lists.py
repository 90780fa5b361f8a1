"""Lists of models in the formats of the vendors."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import CATALOG, bind


def read(kind: str, body: Any) -> list[OfferedModel]:
    base = None if CATALOG[kind].default_base_url else "https://h"
    return bind(Provider(id="p", name="p", kind=kind, base_url=base)).read_models(body)


def test_the_plain_list():
    body = {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "owned_by": "x"}, {"object": "model"}, "odd"]}
    assert read("openai", body) == [OfferedModel("gpt-4o")]


def test_openrouters_list_has_context_price_and_features():
    row = {
        "id": "a/b", "name": "A: B", "context_length": 200000, "pricing": {"prompt": "0.000003", "completion": "0.000015"},
        "top_provider": {"max_completion_tokens": 64000}, "supported_parameters": ["tools", "reasoning", "structured_outputs"],
        "architecture": {"input_modalities": ["text", "image", "audio"]},
    }  # fmt: skip
    wanted = OfferedModel("a/b", "A: B", 200000, 64000, 3.0, 15.0, ("tools", "vision", "audio", "thinking", "json"))
    assert read("openrouter", {"data": [row]}) == [wanted]


def test_a_router_without_a_price_of_its_own_has_none():
    row = {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}}
    assert read("openrouter", {"data": [row]}) == [OfferedModel("openrouter/auto")]


def test_together_gives_a_bare_list_with_dollars_per_million():
    row = {"id": "x/y", "display_name": "Y", "context_length": 8192, "pricing": {"input": 0.18, "output": 0.2}}
    assert read("together", [row]) == [OfferedModel("x/y", "Y", 8192, None, 0.18, 0.2)]
    assert read("together", [{"id": "black-forest-labs/FLUX.2", "type": "image"}])[0].features == ("images",)


def test_xai_counts_cents_per_hundred_million():
    row = {"id": "grok-4", "prompt_text_token_price": 30000, "completion_text_token_price": 150000}
    found = read("xai", {"models": [{**row, "input_modalities": ["text"]}, {**row, "input_modalities": ["text", "image"]}]})
    assert [(model.input_usd, model.output_usd) for model in found] == [(3.0, 15.0)] * 2
    assert [(model.features, model.lacks) for model in found] == [((), ("vision",)), (("vision",), ())]


@pytest.mark.parametrize(
    ("kind", "row", "context", "output"),
    [
        ("groq", {"id": "m", "context_window": 131072, "max_completion_tokens": 8192}, 131072, 8192),
        ("mistral", {"id": "m", "max_context_length": 262144}, 262144, None),
        ("vllm", {"id": "m", "max_model_len": 4096}, 4096, None),
        ("llamacpp", {"id": "m", "meta": {"n_ctx_train": 32768}}, 32768, None),
        ("lmstudio", {"id": "m", "max_context_length": 8192}, 8192, None),
        ("github", {"id": "m", "limits": {"max_input_tokens": 131072, "max_output_tokens": 4096}}, 131072, 4096),
        ("huggingface", {"id": "m", "providers": [{"context_length": 65536}]}, 65536, None),
        ("deepinfra", {"id": "m", "metadata": {"context_length": 40960, "max_tokens": 16384}}, 40960, 16384),
        ("openai-compatible", {"id": "m", "context_length": True, "max_model_len": "9"}, None, None),
    ],
)
def test_context_sizes_are_read_under_every_vendors_name(kind: str, row: dict[str, Any], context: int | None, output: int | None):
    (model,) = read(kind, {"data": [row]})
    assert (model.context_tokens, model.max_output_tokens) == (context, output)


def test_the_lists_of_mistral_and_anthropic_have_features():
    (small,) = read(
        "mistral", {"data": [{"id": "m", "capabilities": {"function_calling": True, "vision": True, "completion_chat": True}}]}
    )
    assert small.features == ("tools", "vision")
    capabilities = {"image_input": {"supported": True}, "thinking": {"supported": True}, "structured_outputs": {"supported": False}}
    row = {
        "id": "claude-x",
        "display_name": "Claude X",
        "max_input_tokens": 1000000,
        "max_tokens": 128000,
        "capabilities": capabilities,
    }
    assert read("anthropic", {"data": [row], "has_more": False}) == [
        OfferedModel("claude-x", "Claude X", 1000000, 128000, features=("vision", "thinking"), lacks=("json",))
    ]


@pytest.mark.parametrize("body", [None, "x", {"error": "no"}, {"data": {}}, 5])
def test_a_body_that_is_not_a_list_raises(body: Any):
    with pytest.raises(ValueError, match="not a list"):
        read("openai", body)


def test_where_lists_are_requested():
    def url(kind: str, base: str | None = None) -> str | None:
        list_request = bind(Provider(id="p", name="p", kind=kind, base_url=base)).models_request(Secrets("k"))
        return list_request.url if list_request else None

    assert url("openai") == "https://api.openai.com/v1/models"
    assert url("anthropic") == "https://api.anthropic.com/v1/models?limit=1000"
    assert url("github") == "https://models.github.ai/catalog/models"
    assert url("github", "https://proxy.example/v1") is None
    assert url("perplexity") is None


def test_a_vendor_without_a_list_names_its_models():
    known = bind(Provider(id="p", name="p", kind="perplexity")).known_models()
    assert "sonar-pro" in [model.id for model in known]


def test_cloudflares_list_has_tasks_and_properties():
    rows = [
        {"id": "uuid", "name": "@cf/meta/llama", "task": {"name": "Text Generation"}, "properties": [
            {"property_id": "context_window", "value": "24000"}, {"property_id": "function_calling", "value": "true"},
            {"property_id": "price", "value": [
                {"unit": "per M input tokens", "price": 0.29, "currency": "USD"},
                {"unit": "per M output tokens", "price": 2.25, "currency": "USD"}]}]},
        {"name": "@cf/baai/bge", "task": {"name": "Text Embeddings"}, "properties": []},
        {"name": "@cf/openai/whisper", "task": {"name": "Automatic Speech Recognition"}},
        {"name": "odd", "task": None},
    ]  # fmt: skip
    assert read("cloudflare", {"result": rows, "success": True}) == [
        OfferedModel("@cf/meta/llama", None, 24000, None, 0.29, 2.25, ("tools",)),
        OfferedModel("@cf/baai/bge", features=("embeddings",)),
    ]


@pytest.mark.parametrize(
    ("base", "chat", "models"),
    [
        (None, "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1",
         "https://api.cloudflare.com/client/v4/accounts/a1/ai/models/search?per_page=1000"),
        ("https://api.cloudflare.com/client/v4/accounts/b2/ai/v1", "https://api.cloudflare.com/client/v4/accounts/b2/ai/v1",
         "https://api.cloudflare.com/client/v4/accounts/b2/ai/models/search?per_page=1000"),
        ("https://gateway.ai.cloudflare.com/v1/a1/gw/workers-ai/v1", "https://gateway.ai.cloudflare.com/v1/a1/gw/workers-ai/v1",
         None),
    ],
)  # fmt: skip
def test_cloudflares_urls_contain_the_account(base: str | None, chat: str, models: str | None):
    one = bind(Provider(id="p", name="p", kind="cloudflare", base_url=base, options={"account_id": "a1"}))
    assert one.url("chat", "m", "openai_chat", False) == f"{chat}/chat/completions"
    list_request = one.models_request(Secrets("k"))
    assert (list_request.url if list_request else None) == models


def test_replicates_collection_is_a_list_of_owners_and_names():
    body = {"name": "Language models", "models": [{"owner": "meta", "name": "llama", "run_count": 1}, {"owner": "x"}]}
    assert read("replicate", body) == [OfferedModel("meta/llama")]


@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        (None, "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("https://dashscope.aliyuncs.com", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ("https://ws-1.ap-southeast-1.maas.aliyuncs.com", "https://ws-1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1"),
    ],
)
def test_qwens_regions(base: str | None, wanted: str):
    one = bind(Provider(id="p", name="p", kind="qwen", base_url=base))
    assert one.url("chat", "m", "openai_chat", False) == f"{wanted}/chat/completions"


def test_further_rates_are_read_where_the_list_has_them_and_a_zero_is_none():
    pricing = {
        "prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003", "input_cache_write": "0.00000375",
        "request": "0.01", "web_search": "0", "audio": "0",
    }  # fmt: skip
    (found,) = read("openrouter", {"data": [{"id": "a/b", "pricing": pricing}]})
    assert found.rates == pytest.approx({"cache_read": 0.3, "cache_write": 3.75, "per_request": 0.01})


def test_a_price_per_token_that_is_one_per_million_is_no_price():
    (found,) = read("openai-compatible", {"data": [{"id": "m", "pricing": {"prompt": "2.5", "completion": "10"}}]})
    assert (found.input_usd, found.output_usd) == (None, None)
