"""Servers on the user's own machine: no key is needed, and calls cost nothing."""

from __future__ import annotations

from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, Secrets
from conduit_desktop.providers.fields import BASE_URL, OPTIONAL_KEY
from conduit_desktop.providers.openai_compatible import TEXT_EMBEDDINGS, OpenAICompatible

_NATIVE = {
    ("chat", "ollama"): "/api/chat", ("chat", "ollama_generate"): "/api/generate", ("embeddings", "ollama"): "/api/embed",
    ("embedding", "ollama"): "/api/embeddings",
}  # fmt: skip
"""Paths of Ollama's own API by endpoint and dialect. They have no version segment."""


class LocalServer(OpenAICompatible):
    """Base class of the rows below."""

    fields = (BASE_URL, OPTIONAL_KEY)
    endpoints = frozenset({"chat", "completions", "embeddings"})
    free = True


class Ollama(LocalServer):
    """Ollama: requests in its own dialects are passed through, all others go to its OpenAI-compatible API."""

    kind = "ollama"
    label = "Ollama"
    docs = "https://docs.ollama.com/api/openai-compatibility"
    fields = (
        KindField("base_url", "Base URL", help="Empty: http://localhost:11434/v1. Ollama's cloud: https://ollama.com/v1"),
        KindField("api_key", "API key", secret=True, help="Only for Ollama's cloud: made at ollama.com/settings/keys."),
    )
    dialects = ("openai_chat", "ollama", "ollama_generate")
    default_base_url = "http://localhost:11434/v1"
    media_formats = TEXT_EMBEDDINGS
    passthrough_formats = frozenset({"ollama"})
    unsupported = ("n", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls")

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The OpenAI-compatible paths below `/v1`, or Ollama's own next to it; raises ValueError for other endpoints."""
        if (endpoint, dialect) in _NATIVE:
            # The configured base URL is that of the OpenAI-compatible API, and `versioned` has completed it with `/v1`.
            return self.root.removesuffix("/v1") + _NATIVE[endpoint, dialect]
        return super().url(endpoint, model, dialect, stream)


class LMStudio(LocalServer):
    """LM Studio's local server."""

    kind = "lmstudio"
    label = "LM Studio"
    docs = "https://lmstudio.ai/docs/developer/openai-compat"
    default_base_url = "http://localhost:1234/v1"
    media_formats = TEXT_EMBEDDINGS
    unsupported = ("n", "user", "metadata", "service_tier", "store", "parallel_tool_calls")

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """LM Studio's own list has sizes and features as well: https://lmstudio.ai/docs/developer/rest/endpoints"""
        own = self.get(self.root.removesuffix("/v1") + "/api/v0/models", secrets)
        return [own, *super().model_lists(secrets)]


class LlamaCpp(LocalServer):
    """llama.cpp's `llama-server`."""

    kind = "llamacpp"
    label = "llama.cpp"
    docs = "https://github.com/ggml-org/llama.cpp/tree/master/tools/server"
    default_base_url = "http://localhost:8080/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank"})
    unsupported = ("user", "metadata", "service_tier", "store")


class VLLM(LocalServer):
    """vLLM's server."""

    kind = "vllm"
    label = "vLLM"
    docs = "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"
    default_base_url = "http://localhost:8000/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank", "transcriptions", "translations"})
    developer_role = True
    unsupported = ("user", "metadata", "service_tier", "store")


class LocalAI(LocalServer):
    """LocalAI."""

    kind = "localai"
    label = "LocalAI"
    docs = "https://localai.io/basics/getting_started/"
    default_base_url = "http://localhost:8080/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions", "rerank"})
    unsupported = ("user", "metadata", "service_tier", "store", "parallel_tool_calls")


class Jan(LocalServer):
    """Jan's local API server."""

    kind = "jan"
    label = "Jan"
    docs = "https://jan.ai/docs/local-api"
    default_base_url = "http://localhost:1337/v1"
    endpoints = frozenset({"chat"})
    unsupported = ("user", "metadata", "service_tier", "store", "parallel_tool_calls")
