"""Hosted vendors that speak OpenAI's chat dialect: one row each."""

from __future__ import annotations

from conduit_desktop.providers.compatible import TEXT_EMBEDDINGS, OpenAICompatible
from conduit_desktop.providers.model_lists import PriceFields


class OpenRouter(OpenAICompatible):
    """OpenRouter: many vendors behind one key; reports what a call cost."""

    kind = "openrouter"
    label = "OpenRouter"
    docs = "https://openrouter.ai/docs/api-reference/overview"
    default_base_url = "https://openrouter.ai/api/v1"
    endpoints = frozenset({"chat", "completions", "embeddings"})
    price_provider = "openrouter"
    price_fields = PriceFields("pricing.prompt", "pricing.completion", "1000000")
    developer_role = True


class DeepSeek(OpenAICompatible):
    """DeepSeek."""

    kind = "deepseek"
    label = "DeepSeek"
    docs = "https://api-docs.deepseek.com/"
    default_base_url = "https://api.deepseek.com/v1"
    price_provider = "deepseek"
    json_schema = False
    unsupported = ("n", "seed", "logit_bias", "parallel_tool_calls", "metadata", "service_tier", "store", "user")


class Groq(OpenAICompatible):
    """Groq."""

    kind = "groq"
    label = "Groq"
    docs = "https://console.groq.com/docs/openai"
    default_base_url = "https://api.groq.com/openai/v1"
    endpoints = frozenset({"chat", "speech", "transcriptions", "translations"})
    price_provider = "groq"
    max_tokens_field = "max_completion_tokens"
    # https://console.groq.com/docs/openai: a 400 "if they are supplied".
    strict = True
    refused = ("logprobs", "top_logprobs", "logit_bias")
    message_refused = ("name", "reasoning_content")
    unsupported = ("n", "metadata", "store")


class Together(OpenAICompatible):
    """Together AI."""

    kind = "together"
    label = "Together AI"
    docs = "https://docs.together.ai/docs/openai-api-compatibility"
    default_base_url = "https://api.together.xyz/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions", "translations", "rerank"})
    forms = TEXT_EMBEDDINGS
    price_provider = "together"
    price_fields = PriceFields("pricing.input", "pricing.output", "1")
    unsupported = ("metadata", "service_tier", "store", "user")


class Fireworks(OpenAICompatible):
    """Fireworks AI."""

    kind = "fireworks"
    label = "Fireworks AI"
    docs = "https://docs.fireworks.ai/tools-sdks/openai-compatibility"
    default_base_url = "https://api.fireworks.ai/inference/v1"
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank"})
    price_provider = "fireworks"
    unsupported = ("service_tier", "store")


class XAI(OpenAICompatible):
    """xAI. Its list of language models tells prices in US cents per hundred million tokens."""

    kind = "xai"
    label = "xAI"
    docs = "https://docs.x.ai/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    default_base_url = "https://api.x.ai/v1"
    endpoints = frozenset({"chat", "completions", "images", "image_edits"})
    price_provider = "x-ai"
    models_url = "/language-models"
    price_fields = PriceFields("prompt_text_token_price", "completion_text_token_price", "0.0001")
    unsupported = ("logit_bias", "metadata", "service_tier", "store")
    # Grok 4 and later refuse these; the models named non-reasoning take them.
    model_unsupported = ((r"grok-(?:[4-9]|code)(?!.*non-reasoning)", ("presence_penalty", "frequency_penalty", "stop")),)


class Cerebras(OpenAICompatible):
    """Cerebras."""

    kind = "cerebras"
    label = "Cerebras"
    docs = "https://inference-docs.cerebras.ai/resources/openai"
    default_base_url = "https://api.cerebras.ai/v1"
    endpoints = frozenset({"chat", "completions"})
    price_provider = "cerebras"
    max_tokens_field = "max_completion_tokens"
    unsupported = ("frequency_penalty", "presence_penalty", "logit_bias", "n", "metadata", "store")


class SambaNova(OpenAICompatible):
    """SambaNova Cloud; its list tells prices in US dollars per token."""

    kind = "sambanova"
    label = "SambaNova"
    docs = "https://docs.sambanova.ai/docs/en/features/openai-compatibility"
    default_base_url = "https://api.sambanova.ai/v1"
    endpoints = frozenset({"chat", "embeddings", "transcriptions", "translations"})
    forms = TEXT_EMBEDDINGS
    price_fields = PriceFields("pricing.prompt", "pricing.completion", "1000000")
    unsupported = (
        "logprobs", "top_logprobs", "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "metadata",
        "service_tier", "store",
    )  # fmt: skip


class DeepInfra(OpenAICompatible):
    """DeepInfra: the version stands before the dialect's name."""

    kind = "deepinfra"
    label = "DeepInfra"
    docs = "https://deepinfra.com/docs/openai_api"
    default_base_url = "https://api.deepinfra.com/v1/openai"
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions"})
    forms = TEXT_EMBEDDINGS
    price_fields = PriceFields("metadata.pricing.input_tokens", "metadata.pricing.output_tokens", "1")
    unsupported = ("metadata", "service_tier", "store", "logit_bias")


class Perplexity(OpenAICompatible):
    """Perplexity: no version segment and no list of models."""

    kind = "perplexity"
    label = "Perplexity"
    docs = "https://docs.perplexity.ai/guides/chat-completions-guide"
    default_base_url = "https://api.perplexity.ai"
    version = ""
    price_provider = "perplexity"
    models_url = ""
    offered = ("sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research")
    unsupported = (
        "n",
        "stop",
        "seed",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "parallel_tool_calls",
        "metadata",
        "store",
        "user",
    )


class Nvidia(OpenAICompatible):
    """NVIDIA NIM, hosted (and with another base URL, one's own)."""

    kind = "nvidia"
    label = "NVIDIA NIM"
    docs = "https://docs.api.nvidia.com/nim/reference/llm-apis"
    default_base_url = "https://integrate.api.nvidia.com/v1"
    endpoints = frozenset({"chat", "completions", "embeddings"})
    forms = TEXT_EMBEDDINGS
    unsupported = ("n", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls")


class Moonshot(OpenAICompatible):
    """Moonshot AI (Kimi)."""

    kind = "moonshot"
    label = "Moonshot AI (Kimi)"
    docs = "https://platform.kimi.ai/docs/api/chat"
    default_base_url = "https://api.moonshot.ai/v1"
    price_provider = "moonshotai"
    unsupported = (
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "seed",
        "user",
        "metadata",
        "service_tier",
        "store",
        "parallel_tool_calls",
    )


class Zai(OpenAICompatible):
    """Z.ai (Zhipu's GLM): version four of its own address."""

    kind = "zai"
    label = "Z.ai (GLM)"
    docs = "https://docs.z.ai/api-reference/llm/chat-completion"
    default_base_url = "https://api.z.ai/api/paas/v4"
    version = "v4"
    endpoints = frozenset({"chat", "images"})
    price_provider = "zai"
    json_schema = False
    unsupported = (
        "n", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "metadata",
        "service_tier", "store", "parallel_tool_calls",
    )  # fmt: skip


class Qwen(OpenAICompatible):
    """Alibaba's DashScope, outside China; the address in China is another base URL."""

    kind = "qwen"
    label = "Qwen (DashScope)"
    docs = "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope"
    default_base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    endpoints = frozenset({"chat", "completions", "embeddings"})
    forms = TEXT_EMBEDDINGS
    unsupported = ("logit_bias", "user", "metadata", "service_tier", "store", "frequency_penalty")


class GitHubModels(OpenAICompatible):
    """GitHub Models: no version segment, and a catalog elsewhere."""

    kind = "github"
    label = "GitHub Models"
    docs = "https://docs.github.com/en/rest/models/inference"
    default_base_url = "https://models.github.ai/inference"
    version = ""
    endpoints = frozenset({"chat", "embeddings"})
    models_url = "https://models.github.ai/catalog/models"
    unsupported = ("logit_bias", "metadata", "service_tier", "store", "user")


class HuggingFace(OpenAICompatible):
    """Hugging Face's router; which vendor answers, and at what price, it decides itself."""

    kind = "huggingface"
    label = "Hugging Face"
    docs = "https://huggingface.co/docs/inference-providers/index"
    default_base_url = "https://router.huggingface.co/v1"
    price_fields = PriceFields("providers.0.pricing.input", "providers.0.pricing.output", "1")
    unsupported = ("metadata", "service_tier", "store")


class MiniMax(OpenAICompatible):
    """MiniMax, outside China."""

    kind = "minimax"
    label = "MiniMax"
    docs = "https://platform.minimax.io/docs/api-reference/text-openai-api"
    default_base_url = "https://api.minimax.io/v1"
    price_provider = "minimax"
    max_tokens_field = "max_completion_tokens"
    unsupported = (
        "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "logprobs", "top_logprobs", "metadata",
        "service_tier", "store",
    )  # fmt: skip
