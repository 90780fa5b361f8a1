"""Hosts of the models of many makers, with an OpenAI-compatible API: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import Reason
from conduit_desktop.providers import Endpoint
from conduit_desktop.providers.chat_mends.answer_format import (
    mention_json,
    schema_in_instructions,
    tools_or_format,
)
from conduit_desktop.providers.chat_mends.fields import (
    at_most_stops,
    cap_output,
    counted_logprobs,
    dropping_unless,
    first_of,
    only_fields,
    short_id,
    within,
)
from conduit_desktop.providers.chat_mends.media import last_images, without_parts
from conduit_desktop.providers.chat_mends.messages import at_most_cache_marks, known_message_fields, with_texts
from conduit_desktop.providers.chat_mends.reasoning import effort_or_budget, parsed_reasoning
from conduit_desktop.providers.chat_mends.tools import at_most_tools, strict_all_or_none, strict_where_it_can_be
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_lists import OPENROUTER_PRICES, PriceFields
from conduit_desktop.providers.openai_compatible import (
    CHAT_RULES,
    OPENAI_REASONING_MODELS,
    TEXT_EMBEDDINGS,
    EffortNames,
    OpenAICompatible,
)
from conduit_desktop.providers.request_rules import RequestRule

_CHAT = "openai_chat"


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
    price_fields = OPENROUTER_PRICES
    # https://openrouter.ai/docs/api-reference/chat-completion lists both.
    takes_both_limits = True
    developer_role = True
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(at_most_stops(4), "https://openrouter.ai/docs/api-reference/parameters", dialect=_CHAT),
        # Claude Code's identifiers have 150 characters and more. https://github.com/ujisati/claude-code-provider-proxy/issues/11
        RequestRule(short_id("user", 128), "ujisati/claude-code-provider-proxy#11", dialect=_CHAT),
        RequestRule(effort_or_budget, "https://openrouter.ai/docs/use-cases/reasoning-tokens", dialect=_CHAT),
        RequestRule(first_of("models", 3), "coder/xum#2963: 'models' array must have 3 items or fewer", dialect=_CHAT),
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
    reasoning_object = False
    # https://console.groq.com/docs/openai: a 400 "if they are supplied".
    # `metadata` and `chat_template_kwargs`: skye-harris/hass_local_openai_llm#59, immersive-translate/immersive-translate#3016.
    refused = ("logprobs", "top_logprobs", "logit_bias", "metadata", "store", "chat_template_kwargs")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(
            known_message_fields("role", "content", "tool_calls", "tool_call_id", "reasoning", "function_call"),
            "ServiceStack/llms#17; diegosouzapw/OmniRoute#11026: property 'timestamp' is unsupported", dialect=_CHAT,
        ),
        RequestRule(with_texts("system", "tool"), "CherryHQ/cherry-studio#3307: value must be a string", dialect=_CHAT),
        RequestRule(dropping_unless(1, "n"), "https://console.groq.com/docs/openai", dialect=_CHAT),
        RequestRule(
            cap_output, "khoj-ai/khoj#1236; Alishahryar1/free-claude-code#955: must be less than or equal to", dialect=_CHAT
        ),
        RequestRule(at_most_stops(4), "https://console.groq.com/docs/api-reference", dialect=_CHAT),
        RequestRule(at_most_tools(128), "https://console.groq.com/docs/api-reference", dialect=_CHAT),
        RequestRule(
            tools_or_format, "langchain-ai/langchain#34155: JSON mode cannot be combined with tools", "(?!openai/)", _CHAT
        ),
        RequestRule(
            schema_in_instructions("json_object"), "https://console.groq.com/docs/structured-outputs: supported models",
            "llama-3|gemma|allam|qwen/qwen3-32b", _CHAT,
        ),
        RequestRule(
            strict_where_it_can_be(required=True, unknown=("minItems", "maxItems")),
            "https://console.groq.com/docs/structured-outputs; i-am-bee/beeai-framework#1215", dialect=_CHAT,
        ),
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
    price_fields = PriceFields("pricing.input", "pricing.output", "1", (("cache_read", "pricing.cached_input"),))
    unsupported = ("metadata", "service_tier", "store", "user")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(without_parts("file"), "https://docs.together.ai/reference/chat-completions-1", dialect=_CHAT),
        RequestRule(counted_logprobs, "UKGovernmentBEIS/inspect_ai#1613: 1 rather than true", dialect=_CHAT),
    )
    returns_reasoning = "as_sent"


_FIREWORKS_FIELDS = frozenset(
    {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "max_tokens",
        "max_completion_tokens", "temperature", "top_p", "top_k", "min_p", "typical_p", "frequency_penalty", "presence_penalty",
        "repetition_penalty", "mirostat_target", "mirostat_lr", "n", "stop", "seed", "stream", "stream_options", "logprobs",
        "top_logprobs", "logit_bias", "response_format", "reasoning_effort", "reasoning_history", "thinking", "user", "metadata",
        "prompt_cache_key", "prompt_cache_isolation_key", "prompt_truncate_len", "context_length_exceeded_behavior", "ignore_eos",
        "echo", "echo_last", "raw_output", "return_token_ids", "perf_metrics_in_response", "prediction", "speculation",
        "prompt_cache_max_len", "safety_identifier", "service_tier", "store",
    }
)  # fmt: skip
"""https://docs.fireworks.ai/api-reference/post-chatcompletions"""


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
    reasoning_object = False
    # "Requests with max_tokens > 4096 must have stream=true": https://docs.fireworks.ai/updates/changelog
    whole_limit = 4096
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(at_most_stops(4), "https://docs.fireworks.ai/api-reference/post-chatcompletions", dialect=_CHAT),
        RequestRule(
            only_fields(_FIREWORKS_FIELDS), "web-infra-dev/midscene#1322: Extra inputs are not permitted, field: …", dialect=_CHAT
        ),
    )


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
    reasoning_object = False
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
    price_provider = "sambanova"
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
    price_provider = "deepinfra"
    fields = (key_from("deepinfra.com/dash/api_keys"), BASE_URL)
    endpoints = frozenset({"chat", "completions", "embeddings", "images", "speech", "transcriptions"})
    media_formats = TEXT_EMBEDDINGS
    price_fields = PriceFields(
        "metadata.pricing.input_tokens", "metadata.pricing.output_tokens", "1",
        (("cache_read", "metadata.pricing.cache_read_tokens"),),
    )  # fmt: skip
    unsupported = ("metadata", "service_tier", "store", "logit_bias")
    returns_reasoning = "as_sent"


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
    # The request's schema allows no others: sipeed/picoclaw#1019; can1357/oh-my-pi#2299.
    refused = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "verbosity", "enable_thinking")
    unsupported = ("n", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls")
    # NousResearch/hermes-agent#77973, #19888: Unsupported parameter(s): reasoning
    reasoning_object = False


class GitHubModels(OpenAICompatible):
    """GitHub Models: a base URL without version, and a list of models at another path."""

    kind = "github"
    label = "GitHub Models"
    docs = "https://docs.github.com/en/rest/models/inference"
    default_base_url = "https://models.github.ai/inference"
    price_provider = "github"
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
    price_provider = "huggingface"
    fields = (key_from("huggingface.co/settings/tokens", "hf_…", "the permission to call Inference Providers"), BASE_URL)
    price_fields = PriceFields("providers.0.pricing.input", "providers.0.pricing.output", "1")
    # The list has a price for each provider, and the router chooses one of them itself.
    list_prices_hold = False
    unsupported = ("metadata", "service_tier", "store")
    # DeepSeek and Kimi behind the router refuse a tool loop without it: https://github.com/huggingface/responses.js/pull/54
    returns_reasoning = "as_sent"
