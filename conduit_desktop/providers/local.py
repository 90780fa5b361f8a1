"""Servers that users run themselves: no key is needed, and calls cost nothing where the address is of their own network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, Secrets
from conduit_desktop.providers.chat_mends.answer_format import any_object_as_schema, format_or_prefill
from conduit_desktop.providers.chat_mends.fields import above_zero, greedy, within, without_empty_stops
from conduit_desktop.providers.chat_mends.media import images_of, without_parts, without_remote_images
from conduit_desktop.providers.chat_mends.messages import (
    json_arguments,
    with_content,
    with_content_key,
    with_texts,
    without_null_content,
)
from conduit_desktop.providers.chat_mends.tools import (
    grammar_schemas,
    logprobs_or_streamed_tools,
    named_tool_alone,
    object_schemas,
    unknown_tools,
    with_functions,
    with_object_parameters,
)
from conduit_desktop.providers.fields import BASE_URL, OPTIONAL_KEY
from conduit_desktop.providers.openai_compatible import CHAT_RULES, ORPHANS, TEXT_EMBEDDINGS, OpenAICompatible
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.turn_rules import CHAT_TURNS, TurnRules

_CHAT = "openai_chat"
_OLLAMA = "https://github.com/ollama/ollama/blob/main/openai/openai.go"
_VLLM_SAMPLING = "https://github.com/vllm-project/vllm/blob/main/vllm/sampling_params.py"

ONE_SYSTEM = replace(CHAT_TURNS, system="first", in_passthrough=True)
"""The name of a local model need not show its chat template, and many templates refuse a second system message."""

_NATIVE = {
    ("chat", "ollama"): "/api/chat", ("chat", "ollama_generate"): "/api/generate", ("embeddings", "ollama"): "/api/embed",
    ("embedding", "ollama"): "/api/embeddings",
}  # fmt: skip
"""Paths of Ollama's own API by endpoint and dialect. They have no version segment."""


class LocalServer(OpenAICompatible):
    """Base class of the rows below."""

    fields = (BASE_URL, OPTIONAL_KEY)
    endpoints = frozenset({"chat", "completions", "embeddings"})
    own_server = True
    turns: ClassVar[Mapping[str, TurnRules]] = {"openai_chat": ONE_SYSTEM}
    # A long prompt takes minutes to be read on a laptop, and a second attempt would begin to read it anew. Claude Code waits for
    # 300 s, and longer with API_TIMEOUT_MS.
    first_token_s: ClassVar[float | None] = 900.0


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
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(without_remote_images, "https://github.com/ollama/ollama/issues/6753", dialect=_CHAT),
        RequestRule(without_parts("file", "video_url"), f"{_OLLAMA}: invalid message format", dialect=_CHAT),
        RequestRule(images_of("png", "jpe?g", "webp"), f"{_OLLAMA}: invalid image input", dialect=_CHAT),
        RequestRule(without_null_content, f"{_OLLAMA}: invalid message content type", dialect=_CHAT),
        RequestRule(json_arguments, f"{_OLLAMA}: invalid tool call arguments", dialect=_CHAT),
        RequestRule(with_functions(object_schemas), "can1357/oh-my-pi#4488: cannot unmarshal bool", dialect=_CHAT),
        RequestRule(unknown_tools, "https://github.com/sigoden/aichat/issues/1375: does not support tools", dialect=_CHAT),
    )
    # https://docs.ollama.com/capabilities/thinking; its OpenAI-compatible API reads and writes this name.
    returns_reasoning = "reasoning"
    unsupported = ("n", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls")

    def is_free(self, model: str) -> bool:
        """Not the models that a local Ollama forwards to Ollama's cloud: https://docs.ollama.com/cloud"""
        return super().is_free(model) and not model.lower().endswith(("-cloud", ":cloud"))

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The OpenAI-compatible paths below `/v1`, or Ollama's own next to it; raises ValueError for other endpoints."""
        if (endpoint, dialect) in _NATIVE:
            # The configured base URL is that of the OpenAI-compatible API, and `versioned` has completed it with `/v1`.
            return self.root.removesuffix("/v1") + _NATIVE[endpoint, dialect]
        return super().url(endpoint, model, dialect, stream)


class LMStudio(LocalServer):
    """LM Studio's local server."""

    kind = "lmstudio"
    returns_reasoning = "as_sent"
    label = "LM Studio"
    docs = "https://lmstudio.ai/docs/developer/openai-compat"
    default_base_url = "http://localhost:1234/v1"
    media_formats = TEXT_EMBEDDINGS
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(
            any_object_as_schema, "lmstudio-ai/lmstudio-bug-tracker: 'response_format.type' must be 'json_schema' or 'text'",
            dialect=_CHAT,
        ),
        RequestRule(named_tool_alone, "lmstudio-ai/lmstudio-bug-tracker: Invalid tool_choice type: 'object'", dialect=_CHAT),
        RequestRule(with_texts("tool"), "NousResearch/hermes-agent#95229: Invalid 'messages' in payload", dialect=_CHAT),
        RequestRule(
            without_null_content, "lmstudio-ai/lmstudio-bug-tracker#261: must be a string or an array of objects", dialect=_CHAT
        ),
        RequestRule(
            with_functions(with_object_parameters), "elie222/rakazo#851; lmstudio-ai/lmstudio-bug-tracker#2254", dialect=_CHAT
        ),
        RequestRule(without_remote_images, "https://lmstudio.ai/docs/developer/openai-compat", dialect=_CHAT),
    )  # fmt: skip
    unsupported = ("n", "user", "metadata", "service_tier", "store", "parallel_tool_calls")

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """LM Studio's own list has sizes and features as well: https://lmstudio.ai/docs/developer/rest/endpoints"""
        own = self.get(self.root.removesuffix("/v1") + "/api/v0/models", secrets)
        return [own, *super().model_lists(secrets)]


class LlamaCpp(LocalServer):
    """llama.cpp's `llama-server`."""

    kind = "llamacpp"
    # https://github.com/ggml-org/llama.cpp/tree/master/tools/server: handed to the chat template under this name.
    returns_reasoning = "reasoning_content"
    label = "llama.cpp"
    docs = "https://github.com/ggml-org/llama.cpp/tree/master/tools/server"
    # "Cannot have 2 or more assistant messages at the end of the list."
    turns: ClassVar[Mapping[str, TurnRules]] = {"openai_chat": replace(ONE_SYSTEM, alternate=True)}
    default_base_url = "http://localhost:8080/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank"})
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        ORPHANS,
        RequestRule(with_content, "ggml-org/llama.cpp, common/chat.cpp: Expected 'content' or 'tool_calls'", dialect=_CHAT),
        RequestRule(json_arguments, "ggml-org/llama.cpp, common/chat.cpp: templates parse them", dialect=_CHAT),
        RequestRule(grammar_schemas, "llama.cpp b11549: Unable to generate parser for this template", dialect=_CHAT),
        RequestRule(format_or_prefill, "llama.cpp b11549: Failed to initialize samplers", dialect=_CHAT),
        RequestRule(without_parts("file"), "llama.cpp b11549: unsupported content[].type", dialect=_CHAT),
        RequestRule(logprobs_or_streamed_tools, "llama.cpp b11549: logprobs is not supported with tools + stream", dialect=_CHAT),
    )
    unsupported = ("user", "metadata", "service_tier", "store")


class VLLM(LocalServer):
    """vLLM's server."""

    kind = "vllm"
    # https://docs.vllm.ai/en/latest/features/interleaved_thinking: newer versions say `reasoning` and read both names.
    returns_reasoning = "reasoning_content"
    label = "vLLM"
    docs = "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"
    default_base_url = "http://localhost:8000/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank", "transcriptions", "translations"})
    developer_role = True
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        ORPHANS,
        RequestRule(json_arguments, "vllm-project/vllm, entrypoints/chat_utils.py: it parses them", dialect=_CHAT),
        RequestRule(with_content_key, "vllm-project/vllm#12937; jekalmin/extended_openai_conversation#456", dialect=_CHAT),
        RequestRule(greedy, f"{_VLLM_SAMPLING}: _verify_greedy_sampling", dialect=_CHAT),
        RequestRule(above_zero("top_p", 0.01), _VLLM_SAMPLING, dialect=_CHAT),
        RequestRule(within("temperature", 0, 2), _VLLM_SAMPLING, dialect=_CHAT),
        RequestRule(within("presence_penalty", -2, 2), _VLLM_SAMPLING, dialect=_CHAT),
        RequestRule(within("frequency_penalty", -2, 2), _VLLM_SAMPLING, dialect=_CHAT),
        RequestRule(without_empty_stops, _VLLM_SAMPLING, dialect=_CHAT),
    )
    unsupported = ("user", "metadata", "service_tier", "store")


class LocalAI(LocalServer):
    """LocalAI."""

    kind = "localai"
    # https://localai.io/features/interleaved-thinking
    returns_reasoning = "reasoning"
    label = "LocalAI"
    docs = "https://localai.io/basics/getting_started/"
    default_base_url = "http://localhost:8080/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions", "rerank"})
    unsupported = ("user", "metadata", "service_tier", "store", "parallel_tool_calls")


class Jan(LocalServer):
    """Jan's local API server."""

    kind = "jan"
    returns_reasoning = "as_sent"
    label = "Jan"
    docs = "https://jan.ai/docs/local-api"
    default_base_url = "http://localhost:1337/v1"
    endpoints = frozenset({"chat"})
    unsupported = ("user", "metadata", "service_tier", "store", "parallel_tool_calls")
