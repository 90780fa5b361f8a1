"""Each vendor as documented: the URLs of chats and of the list of models, the header of the key, the name of the limit."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind, Secrets
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.providers.openai_compatible import OpenAICompatible

BEARER, X_API_KEY, GOOGLE = ("authorization", "Bearer KEY"), ("x-api-key", "KEY"), ("x-goog-api-key", "KEY")
MAX, MAX_COMPLETION = "max_tokens", "max_completion_tokens"


class Row(NamedTuple):
    kind: str
    chat: str
    models: str | None
    key: tuple[str, str] = BEARER
    limit: str | None = MAX
    """The name of the limit of output tokens; None for vendors of another dialect."""


GEMINI = "https://generativelanguage.googleapis.com/v1beta/models"
CLOUDFLARE = "https://api.cloudflare.com/client/v4/accounts/acc/ai"
ROWS = [
    Row("openai", "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/models", limit=MAX_COMPLETION),
    Row("anthropic", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/models?limit=1000", X_API_KEY, None),
    Row("gemini", f"{GEMINI}/m:generateContent", f"{GEMINI}?pageSize=1000", GOOGLE, None),
    Row("openrouter", "https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1/models"),
    Row("deepseek", "https://api.deepseek.com/v1/chat/completions", "https://api.deepseek.com/v1/models"),
    Row("groq", "https://api.groq.com/openai/v1/chat/completions", "https://api.groq.com/openai/v1/models", limit=MAX_COMPLETION),
    Row("mistral", "https://api.mistral.ai/v1/chat/completions", "https://api.mistral.ai/v1/models"),
    Row("cohere", "https://api.cohere.com/v2/chat", "https://api.cohere.com/v1/models?page_size=1000", limit=None),
    Row("together", "https://api.together.ai/v1/chat/completions", "https://api.together.ai/v1/models"),
    Row("fireworks", "https://api.fireworks.ai/inference/v1/chat/completions", "https://api.fireworks.ai/inference/v1/models"),
    Row("xai", "https://api.x.ai/v1/chat/completions", "https://api.x.ai/v1/language-models"),
    Row("cerebras", "https://api.cerebras.ai/v1/chat/completions", "https://api.cerebras.ai/v1/models", limit=MAX_COMPLETION),
    Row("sambanova", "https://api.sambanova.ai/v1/chat/completions", "https://api.sambanova.ai/v1/models"),
    Row("deepinfra", "https://api.deepinfra.com/v1/openai/chat/completions", "https://api.deepinfra.com/v1/openai/models"),
    Row("perplexity", "https://api.perplexity.ai/chat/completions", None),
    Row("nvidia", "https://integrate.api.nvidia.com/v1/chat/completions", "https://integrate.api.nvidia.com/v1/models"),
    Row("moonshot", "https://api.moonshot.ai/v1/chat/completions", "https://api.moonshot.ai/v1/models", limit=MAX_COMPLETION),
    Row("zai", "https://api.z.ai/api/paas/v4/chat/completions", "https://api.z.ai/api/paas/v4/models"),
    Row("qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/models"),
    Row("github", "https://models.github.ai/inference/chat/completions", "https://models.github.ai/catalog/models"),
    Row("huggingface", "https://router.huggingface.co/v1/chat/completions", "https://router.huggingface.co/v1/models"),
    Row("minimax", "https://api.minimax.io/v1/chat/completions", "https://api.minimax.io/v1/models", limit=MAX_COMPLETION),
    Row("cloudflare", f"{CLOUDFLARE}/v1/chat/completions", f"{CLOUDFLARE}/models/search?per_page=1000"),
    Row("replicate", "https://api.replicate.com/v1/models/m/predictions",
        "https://api.replicate.com/v1/collections/language-models", limit=None),
    Row("ollama", "http://localhost:11434/v1/chat/completions", "http://localhost:11434/v1/models"),
    Row("lmstudio", "http://localhost:1234/v1/chat/completions", "http://localhost:1234/api/v0/models"),
    Row("llamacpp", "http://localhost:8080/v1/chat/completions", "http://localhost:8080/v1/models"),
    Row("vllm", "http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1/models"),
    Row("localai", "http://localhost:8080/v1/chat/completions", "http://localhost:8080/v1/models"),
    Row("jan", "http://localhost:1337/v1/chat/completions", "http://localhost:1337/v1/models"),
]  # fmt: skip
ELSEWHERE = {"azure", "vertex", "bedrock", "sagemaker", "voyage", "jina", "elevenlabs", "openai-compatible", "anthropic-compatible"}
"""Kinds with test files of their own, without chats, or without a default URL."""


def vendor(kind: str, base_url: str | None = None) -> ProviderKind:
    options = {"account_id": "acc"} if kind == "cloudflare" else {}
    return bind(Provider(id="p", name="p", kind=kind, base_url=base_url, options=options))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_requests_go_where_the_vendor_documents(row: Row) -> None:
    one = vendor(row.kind)
    dialect = one.dialects[0]
    sent = one.prepare("chat", "m", dialect, False, b"{}", Secrets("KEY"), {})
    name, value = row.key
    assert (sent.method, sent.url, sent.headers[name]) == ("POST", row.chat, value)
    lists = one.model_lists(Secrets("KEY"))
    assert [list_request.url for list_request in lists[:1]] == ([row.models] if row.models else [])
    assert all(list_request.headers[name] == value for list_request in lists)


@pytest.mark.parametrize("row", [row for row in ROWS if row.limit], ids=lambda row: row.kind)
def test_the_output_limit_has_the_vendors_name(row: Row) -> None:
    assert row.limit is not None
    for name in (MAX, MAX_COMPLETION):
        body: dict[str, Any] = {"model": "m", name: 9}
        assert vendor(row.kind).adapt("m", body, "openai_chat", True) == []
        assert body == {"model": "m", row.limit: 9}


VERSIONED = [
    (name, kind.version)
    for name, kind in CATALOG.items()
    if issubclass(kind, OpenAICompatible) and "chat" in kind.endpoints and kind.version
    if kind.default_base_url.endswith(f"/{kind.version}")
]


@pytest.mark.parametrize(("kind", "version"), VERSIONED)
def test_a_base_url_may_lack_its_version(kind: str, version: str) -> None:
    default = CATALOG[kind].default_base_url
    for base in (default, default + "/", default.removesuffix(f"/{version}"), f"{default}/chat/completions"):
        assert vendor(kind, base).url("chat", "m", "openai_chat", False) == f"{default}/chat/completions"


def test_most_have_a_version() -> None:
    assert len(VERSIONED) > 20


def test_no_vendor_is_missing() -> None:
    assert {row.kind for row in ROWS} | ELSEWHERE == {name for name, kind in CATALOG.items() if not kind.local}
    assert all(urlsplit(row.chat).scheme == "https" or "localhost" in row.chat for row in ROWS)
