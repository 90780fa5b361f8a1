"""Hosted vendors with an OpenAI-compatible API: one row each. Those that have Anthropic's API, too, are in `two_dialects.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import Reason
from conduit_desktop.providers import Endpoint, KindField
from conduit_desktop.providers.chat_mends import (
    any_object_as_schema,
    at_most_cache_marks,
    at_most_stops,
    at_most_tools,
    dropping,
    dropping_unless,
    effort_or_budget,
    fit_effort,
    images_of,
    json_without_thinking,
    last_images,
    mention_json,
    parsed_reasoning,
    schema_in_instructions,
    short_id,
    strict_all_or_none,
    strict_where_it_can_be,
    tools_or_format,
    within,
    without_parts,
)
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_lists import PriceFields
from conduit_desktop.providers.openai_compatible import (
    CHAT_RULES,
    OPENAI_REASONING_MODELS,
    TEXT_EMBEDDINGS,
    EffortNames,
    OpenAICompatible,
)
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.wire.turns import CHAT_TURNS, TurnRules

_CHAT = "openai_chat"
_OPEN_QWEN3 = r"qwen3-(?:(?:0\.6|1\.7|4|8|14|32)b|30b-a3b|235b-a22b)$|qwq$"
"""Qwen's open models that think by default. https://help.aliyun.com/en/model-studio/error-code"""


class OpenRouter(OpenAICompatible):
    """OpenRouter: many vendors behind one key. It reports the cost of each call."""

    kind = "openrouter"
    label = "OpenRouter"
    docs = "https://openrouter.ai/docs/api-reference/overview"
    default_base_url = "https://openrouter.ai/api/v1"
    fields = (key_from("openrouter.ai/settings/keys", "sk-or-…"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "image_edits"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"images": "openrouter", "image_edits": "openrouter"}
    price_provider = "openrouter"
    price_fields = PriceFields("pricing.prompt", "pricing.completion", "1000000")
    # https://openrouter.ai/docs/api-reference/chat-completion lists both.
    takes_both_limits = True
    developer_role = True
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(at_most_stops(4), "https://openrouter.ai/docs/api-reference/parameters", dialect=_CHAT),
        # Claude Code's identifiers have 150 characters and more. https://github.com/ujisati/claude-code-provider-proxy/issues/11
        RequestRule(short_id("user", 128), "ujisati/claude-code-provider-proxy#11", dialect=_CHAT),
        RequestRule(effort_or_budget, "https://openrouter.ai/docs/use-cases/reasoning-tokens", dialect=_CHAT),
        RequestRule(at_most_cache_marks(4), "https://openrouter.ai/docs/features/prompt-caching", models=".*claude", dialect=_CHAT),
    )
    # https://openrouter.ai/docs/guides/best-practices/reasoning-tokens: "preserving reasoning", unmodified.
    returns_reasoning = "reasoning_details"

    def dialect_for(self, model: str, request: ChatRequest) -> str:
        """OpenAI's chat, with Anthropic's cache marks: without them Claude is paid for at the full price in every turn."""
        return "openrouter_chat"

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """OpenAI's paths; new and edited images share a path of their own."""
        return f"{self.root}/images" if endpoint in self.media_formats else super().url(endpoint, model, dialect, stream)


class Groq(OpenAICompatible):
    """Groq."""

    kind = "groq"
    label = "Groq"
    docs = "https://console.groq.com/docs/openai"
    default_base_url = "https://api.groq.com/openai/v1"
    fields = (key_from("console.groq.com/keys", "gsk_…"), BASE_URL)
    endpoints = frozenset({"chat", "speech", "transcriptions", "translations"})
    price_provider = "groq"
    max_tokens_field = "max_completion_tokens"
    # https://console.groq.com/docs/openai: a 400 "if they are supplied".
    refused = ("logprobs", "top_logprobs", "logit_bias")
    message_refused = ("name", "reasoning_content", "reasoning_details")
    unsupported = ("metadata", "store")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(dropping_unless(1, "n"), "https://console.groq.com/docs/openai", dialect=_CHAT),
        RequestRule(at_most_stops(4), "https://console.groq.com/docs/api-reference", dialect=_CHAT),
        RequestRule(at_most_tools(128), "https://console.groq.com/docs/api-reference", dialect=_CHAT),
        RequestRule(
            tools_or_format, "langchain-ai/langchain#34155: JSON mode cannot be combined with tools", "(?!openai/)", _CHAT
        ),
        RequestRule(
            schema_in_instructions("json_object"), "https://console.groq.com/docs/structured-outputs: supported models",
            "llama-3|gemma|allam|qwen/qwen3-32b", _CHAT,
        ),
        RequestRule(strict_where_it_can_be(required=True), "https://console.groq.com/docs/structured-outputs", dialect=_CHAT),
        RequestRule(mention_json, "https://console.groq.com/docs/structured-outputs: JSON object mode", dialect=_CHAT),
        RequestRule(parsed_reasoning, "https://console.groq.com/docs/reasoning", "qwen|deepseek-r1", _CHAT),
        RequestRule(without_parts("file", "input_audio"), "https://console.groq.com/docs/api-reference", dialect=_CHAT),
        RequestRule(last_images(5), "https://console.groq.com/docs/vision", dialect=_CHAT),
    )  # fmt: skip
    # groq/groq-python chat_completion_assistant_message_param.py: "supported on models that support reasoning".
    returns_reasoning = "reasoning"
    reasoning_models = r"openai/gpt-oss|qwen/qwen3"
    # Without it these models put their thoughts into the answer, between tags: https://console.groq.com/docs/reasoning
    model_defaults = ((r"qwen|deepseek-r1", {"reasoning_format": "parsed"}),)
    # https://console.groq.com/docs/errors: status 498.
    reasons: ClassVar[Mapping[str, Reason]] = {"capacity_exceeded": "overloaded"}
    not_reasoning = r"llama|meta-llama/|gemma|mixtral|allam|moonshotai/kimi-k2-instruct"
    # https://console.groq.com/docs/reasoning
    effort_names: ClassVar[EffortNames] = (
        (r"qwen", dict.fromkeys(("minimal", "low", "medium", "high", "xhigh", "max"), "default")),
    )


class Together(OpenAICompatible):
    """Together AI."""

    kind = "together"
    label = "Together AI"
    docs = "https://docs.together.ai/docs/openai-api-compatibility"
    default_base_url = "https://api.together.ai/v1"
    fields = (key_from("api.together.ai/settings/api-keys"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions", "translations", "rerank"})
    media_formats = TEXT_EMBEDDINGS
    price_provider = "together"
    price_fields = PriceFields("pricing.input", "pricing.output", "1")
    unsupported = ("metadata", "service_tier", "store", "user")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(without_parts("file"), "https://docs.together.ai/reference/chat-completions-1", dialect=_CHAT),
    )
    returns_reasoning = "as_sent"


class Fireworks(OpenAICompatible):
    """Fireworks AI."""

    kind = "fireworks"
    label = "Fireworks AI"
    docs = "https://docs.fireworks.ai/tools-sdks/openai-compatibility"
    default_base_url = "https://api.fireworks.ai/inference/v1"
    fields = (key_from("app.fireworks.ai/settings/users/api-keys", "fw_…"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings", "rerank"})
    price_provider = "fireworks"
    # https://docs.fireworks.ai/guides/reasoning: interleaved thinking needs the field of the turn before.
    returns_reasoning = "reasoning_content"
    unsupported = ("service_tier", "store")
    # "Requests with max_tokens > 4096 must have stream=true": https://docs.fireworks.ai/updates/changelog
    whole_limit = 4096
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(at_most_stops(4), "https://docs.fireworks.ai/api-reference/post-chatcompletions", dialect=_CHAT),
    )


class XAI(OpenAICompatible):
    """xAI. Its list of language models has prices in US cents per hundred million tokens."""

    kind = "xai"
    label = "xAI"
    docs = "https://docs.x.ai/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    # In chat completions the header x-grok-conv-id does the same. https://docs.x.ai/developers/advanced-api-usage/prompt-caching
    cache_keys = frozenset({"openai_responses"})
    default_base_url = "https://api.x.ai/v1"
    fields = (key_from("console.x.ai", "xai-…"), BASE_URL)
    # Without image_edits: xAI takes JSON there, and OpenAI's clients send a multipart form.
    endpoints = frozenset({"chat", "completions", "images"})
    price_provider = "x-ai"
    detailed_models_path = "/language-models"
    price_fields = PriceFields("prompt_text_token_price", "completion_text_token_price", "0.0001")
    unsupported = ("logit_bias", "metadata", "service_tier", "store")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        # Whatever the effort: unlike OpenAI's, these models take none of them with the effort `none` either.
        RequestRule(
            dropping("presence_penalty", "frequency_penalty", "stop"),
            "https://docs.x.ai/developers/model-capabilities/text/reasoning", r"grok-(?:[4-9]|code)(?!.*non-reasoning)", _CHAT,
        ),
        RequestRule(dropping("presence_penalty"), "miaoxworld/NativeTavern#83", r"grok-4\.(?:2\d|[3-9])|grok-[5-9]", _CHAT),
        RequestRule(at_most_tools(128), "https://docs.x.ai/docs/api-reference"),
        RequestRule(images_of("png", "jpe?g"), "https://docs.x.ai/docs/guides/image-understanding", dialect=_CHAT),
        RequestRule(fit_effort, "https://docs.x.ai/developers/model-capabilities/text/reasoning", dialect="openai_responses"),
    )  # fmt: skip


class Cerebras(OpenAICompatible):
    """Cerebras."""

    kind = "cerebras"
    label = "Cerebras"
    docs = "https://inference-docs.cerebras.ai/resources/openai"
    default_base_url = "https://api.cerebras.ai/v1"
    fields = (key_from("cloud.cerebras.ai", "csk-…"), BASE_URL)
    endpoints = frozenset({"chat", "completions"})
    price_provider = "cerebras"
    max_tokens_field = "max_completion_tokens"
    # https://inference-docs.cerebras.ai/resources/openai: a 400 "if they are supplied".
    refused = ("frequency_penalty", "presence_penalty", "logit_bias")
    message_refused = ("reasoning_details",)
    unsupported = ("n", "metadata", "store")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(
            strict_where_it_can_be(required=False, unknown=("minItems", "maxItems", "pattern", "format")),
            "https://inference-docs.cerebras.ai/capabilities/structured-outputs; musistudio/claude-code-router#708", dialect=_CHAT,
        ),
        RequestRule(within("temperature", 0, 1.5), "https://inference-docs.cerebras.ai/api-reference", dialect=_CHAT),
        RequestRule(strict_all_or_none, "https://inference-docs.cerebras.ai/capabilities/tool-use", dialect=_CHAT),
        RequestRule(
            without_parts("file", "input_audio"), "https://inference-docs.cerebras.ai/api-reference/chat-completions", dialect=_CHAT
        ),
    )  # fmt: skip
    not_reasoning = r"llama|qwen-3-(coder|235b-a22b-instruct)"
    # https://inference-docs.cerebras.ai/capabilities/reasoning: "reasoning context retention".
    # It refuses `reasoning_content`: https://github.com/egoist/chatwise-releases/issues/1442
    returns_reasoning = "reasoning"
    reasons: ClassVar[Mapping[str, Reason]] = {"queue_exceeded": "overloaded"}


class SambaNova(OpenAICompatible):
    """SambaNova Cloud. Its list has prices in US dollars per token."""

    kind = "sambanova"
    label = "SambaNova"
    docs = "https://docs.sambanova.ai/docs/en/features/openai-compatibility"
    default_base_url = "https://api.sambanova.ai/v1"
    fields = (key_from("cloud.sambanova.ai/apis"), BASE_URL)
    endpoints = frozenset({"chat", "embeddings", "transcriptions", "translations"})
    media_formats = TEXT_EMBEDDINGS
    price_fields = PriceFields("pricing.prompt", "pricing.completion", "1000000")
    unsupported = (
        "logprobs", "top_logprobs", "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "metadata",
        "service_tier", "store",
    )  # fmt: skip


class DeepInfra(OpenAICompatible):
    """DeepInfra. In its base URL the version comes before `/openai`."""

    kind = "deepinfra"
    label = "DeepInfra"
    docs = "https://deepinfra.com/docs/advanced/openai_api"
    default_base_url = "https://api.deepinfra.com/v1/openai"
    fields = (key_from("deepinfra.com/dash/api_keys"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions"})
    media_formats = TEXT_EMBEDDINGS
    price_fields = PriceFields("metadata.pricing.input_tokens", "metadata.pricing.output_tokens", "1")
    unsupported = ("metadata", "service_tier", "store", "logit_bias")
    returns_reasoning = "as_sent"


class Perplexity(OpenAICompatible):
    """Perplexity: a base URL without version, and no list of models."""

    kind = "perplexity"
    label = "Perplexity"
    docs = "https://docs.perplexity.ai/guides/chat-completions-guide"
    default_base_url = "https://api.perplexity.ai"
    fields = (key_from("www.perplexity.ai/settings/api", "pplx-…"), BASE_URL)
    version = ""
    price_provider = "perplexity"
    models_url = ""
    offered = ("sonar", "sonar-pro", "sonar-reasoning-pro", "sonar-deep-research")
    applies_templates = False
    # "Last message must have role `user`"; "After the (optional) system message(s), user and assistant roles should be
    # alternating": https://github.com/perplexityai/api-discussion/issues/265
    turns: ClassVar[Mapping[str, TurnRules]] = {
        "openai_chat": replace(
            CHAT_TURNS, system="leading", alternate=True, needs_user=True, assistant_last=False, in_passthrough=True
        )
    }
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
        "tools",
        "tool_choice",
    )
    not_reasoning = r"sonar(-pro)?$"
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(without_parts("file", "input_audio"), "https://docs.perplexity.ai/api-reference", dialect=_CHAT),
        RequestRule(any_object_as_schema, "567-labs/instructor#1005: text, json_schema and regex only", dialect=_CHAT),
    )
    features = frozenset({"stream", "vision", "json", "usage_in_stream"})


class Nvidia(OpenAICompatible):
    """NVIDIA NIM: the hosted one, or with another base URL the operator's own."""

    kind = "nvidia"
    returns_reasoning = "as_sent"
    label = "NVIDIA NIM"
    docs = "https://docs.api.nvidia.com/nim/reference/llm-apis"
    default_base_url = "https://integrate.api.nvidia.com/v1"
    fields = (key_from("build.nvidia.com/settings/api-keys", "nvapi-…"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "nvidia"}
    unsupported = ("n", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls")


class Qwen(OpenAICompatible):
    """Alibaba's Model Studio (DashScope). Keys belong to a region, and each region has its own base URL."""

    kind = "qwen"
    label = "Qwen (DashScope)"
    docs = "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope"
    default_base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    fields = (
        key_from("modelstudio.console.alibabacloud.com", "sk-…"),
        KindField(
            "base_url", "Base URL",
            help="Keys made in China: https://dashscope.aliyuncs.com/compatible-mode/v1; in the United States: https://dashscope-us."
            "aliyuncs.com/compatible-mode/v1; or a workspace's own, as https://ws-1.ap-southeast-1.maas.aliyuncs.com",
        ),
    )  # fmt: skip
    version = "compatible-mode/v1"
    endpoints = frozenset({"chat", "completions", "embeddings"})
    media_formats = TEXT_EMBEDDINGS
    unsupported = ("logit_bias", "user", "metadata", "service_tier", "store", "frequency_penalty")
    # From 3.5 on they think by default, and refuse a forced tool while they do.
    applies_templates = False
    switch = ThinkingSwitch(
        {"enable_thinking": True}, {"enable_thinking": False}, takes_effort=".*", always_on=r"qwq|qvq|.*-thinking",
        no_forced_tools=rf"{_OPEN_QWEN3}|qwen(3\.[5-9]|[4-9]|-plus|-flash)|qwq|qvq|.*-thinking",
    )  # fmt: skip
    # "parameter.enable_thinking must be set to false for non-streaming calls"
    streams_only = rf"{_OPEN_QWEN3}|qwq|qvq|qwen3-.*-thinking"
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(
            json_without_thinking(switch, by_default=rf"{_OPEN_QWEN3}|qwen(3\.[5-9]|[4-9]|-plus|-flash)"),
            "https://help.aliyun.com/en/model-studio/error-code: JSON mode is not supported in thinking mode", dialect=_CHAT,
        ),
        RequestRule(mention_json, "https://help.aliyun.com/en/model-studio/error-code: must contain the word json", dialect=_CHAT),
    )  # fmt: skip
    # https://help.aliyun.com/en/model-studio/error-code: OpenAI's code for an empty account is a limit of tokens a minute here.
    reasons: ClassVar[Mapping[str, Reason]] = {
        "insufficient_quota": "rate_limit",
        "arrearage": "money",
        "allocationquota.freetieronly": "permission",  # one model's free tokens
        "datainspectionfailed": "content_filter",
    }


class GitHubModels(OpenAICompatible):
    """GitHub Models: a base URL without version, and a list of models at another path."""

    kind = "github"
    label = "GitHub Models"
    docs = "https://docs.github.com/en/rest/models/inference"
    default_base_url = "https://models.github.ai/inference"
    fields = (key_from("github.com/settings/tokens", "github_pat_…", "the permission models: read"), BASE_URL)
    version = ""
    endpoints = frozenset({"chat", "embeddings"})
    models_url = "https://models.github.ai/catalog/models"
    # https://github.com/actions/ai-inference/issues/116; `gpt-4o` refuses `max_tokens` here too, unlike at OpenAI.
    needs_max_completion_tokens = rf"{OPENAI_REASONING_MODELS}|openai/gpt-(?:5|4o$)"
    unsupported = ("logit_bias", "metadata", "service_tier", "store", "user")


class HuggingFace(OpenAICompatible):
    """Hugging Face's router, which chooses the vendor and with it the price."""

    kind = "huggingface"
    label = "Hugging Face"
    docs = "https://huggingface.co/docs/inference-providers/index"
    default_base_url = "https://router.huggingface.co/v1"
    fields = (key_from("huggingface.co/settings/tokens", "hf_…", "the permission to call Inference Providers"), BASE_URL)
    price_fields = PriceFields("providers.0.pricing.input", "providers.0.pricing.output", "1")
    unsupported = ("metadata", "service_tier", "store")
    # DeepSeek and Kimi behind the router refuse a tool loop without it: https://github.com/huggingface/responses.js/pull/54
    returns_reasoning = "as_sent"


class Voyage(OpenAICompatible):
    """Voyage AI: embeddings and rerank, and no list of models."""

    kind = "voyage"
    label = "Voyage AI"
    docs = "https://docs.voyageai.com/reference/embeddings-api"
    default_base_url = "https://api.voyageai.com/v1"
    fields = (key_from("dashboard.voyageai.com", "pa-…"), BASE_URL)
    endpoints = frozenset({"embeddings", "rerank"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "voyage", "rerank": "voyage"}
    price_provider = "voyageai"
    models_url = ""
    offered = (
        "voyage-4", "voyage-4-large", "voyage-4-lite", "voyage-3.5", "voyage-3.5-lite", "voyage-code-3", "rerank-2.5",
        "rerank-2.5-lite",
    )  # fmt: skip


class Jina(OpenAICompatible):
    """Jina AI: embeddings and rerank."""

    kind = "jina"
    label = "Jina AI"
    docs = "https://jina.ai/embeddings"
    default_base_url = "https://api.jina.ai/v1"
    fields = (key_from("jina.ai/api-dashboard", "jina_…"), BASE_URL)
    endpoints = frozenset({"embeddings", "rerank"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "jina", "rerank": "jina"}
    models_url = ""
    offered = (
        "jina-embeddings-v5-text-small", "jina-embeddings-v5-text-nano", "jina-embeddings-v4", "jina-embeddings-v3",
        "jina-reranker-v3", "jina-reranker-m0",
    )  # fmt: skip
