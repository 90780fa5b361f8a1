"""Vendors of their own models with an OpenAI-compatible API: one row each. Some that have Anthropic's, too: `two_dialects.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import Reason
from conduit_desktop.providers import Endpoint, KindField
from conduit_desktop.providers.chat_mends.answer_format import (
    any_object_as_schema,
    json_without_thinking,
    mention_json,
)
from conduit_desktop.providers.chat_mends.fields import above_zero, dropping, within, without_zero
from conduit_desktop.providers.chat_mends.media import images_of, without_parts
from conduit_desktop.providers.chat_mends.messages import with_content_key, without_null_content
from conduit_desktop.providers.chat_mends.reasoning import fit_effort
from conduit_desktop.providers.chat_mends.tools import at_most_tools, only_chosen
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.image_limits import XAI_IMAGES
from conduit_desktop.providers.model_lists import PriceFields
from conduit_desktop.providers.openai_compatible import (
    CHAT_RULES,
    OpenAICompatible,
)
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.providers.xai_rules import fit_tools, has_foreign_tools, without_null_contents
from conduit_desktop.wire.tool_names import OPENAI_NAME
from conduit_desktop.wire.turn_rules import CHAT_TURNS, TurnRules

_CHAT = "openai_chat"
_OPEN_QWEN3 = r"qwen3-(?:(?:0\.6|1\.7|4|8|14|32)b|30b-a3b|235b-a22b)$|qwq$"
"""Qwen's open models that think by default. https://help.aliyun.com/en/model-studio/error-code"""


class XAI(OpenAICompatible):
    """xAI. Its list of language models has prices in US cents per hundred million tokens."""

    kind = "xai"
    images = XAI_IMAGES
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
    price_fields = PriceFields(
        "prompt_text_token_price", "completion_text_token_price", "0.0001",
        (("cache_read", "cached_prompt_text_token_price"), ("image_in", "prompt_image_token_price")),
    )  # fmt: skip
    reasoning_object = False
    # langbot-app/LangBot#1205: every message needs at least one non-empty content element
    turns: ClassVar[Mapping[str, TurnRules]] = {"openai_chat": replace(CHAT_TURNS, empty_messages=False, in_passthrough=True)}
    unsupported = ("logit_bias", "metadata", "service_tier", "store")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        # Whatever the effort: unlike OpenAI's, these models take none of them with the effort `none` either.
        RequestRule(
            dropping("presence_penalty", "frequency_penalty", "stop"),
            "https://docs.x.ai/developers/model-capabilities/text/reasoning", r"grok-(?:[4-9]|code)(?!.*non-reasoning)", _CHAT,
        ),
        RequestRule(dropping("presence_penalty"), "miaoxworld/NativeTavern#83", r"grok-4\.(?:2\d|[3-9])|grok-[5-9]", _CHAT),
        RequestRule(
            without_null_content, "langchain-ai/langchain#34140; AstrBotDevs/AstrBot#6447: at least one content element",
            dialect=_CHAT,
        ),
        RequestRule(at_most_tools(128), "https://docs.x.ai/docs/api-reference"),
        RequestRule(images_of("png", "jpe?g"), "https://docs.x.ai/docs/guides/image-understanding", dialect=_CHAT),
        RequestRule(fit_effort, "https://docs.x.ai/developers/model-capabilities/text/reasoning", dialect="openai_responses"),
        RequestRule(fit_tools, "farion1231/cc-switch#6815, #6917: alternatives at the root; lidge-jun/opencodex#2240"),
        RequestRule(without_null_contents, "lidge-jun/opencodex#2239", dialect="openai_responses"),
    )  # fmt: skip

    def passes(self, dialect: str, body: Mapping[str, Json]) -> bool:
        """Codex's namespaces and custom tools go to chat as functions, and their calls come back as its own."""
        return dialect != "openai_responses" or not has_foreign_tools(body)


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
        RequestRule(
            without_zero("frequency_penalty"), "brianpetro/obsidian-smart-connections#627: must satisfy p > 0", dialect=_CHAT
        ),
        RequestRule(any_object_as_schema, "567-labs/instructor#1005: text, json_schema and regex only", dialect=_CHAT),
    )
    features = frozenset({"stream", "vision", "json", "usage_in_stream"})


class Qwen(OpenAICompatible):
    """Alibaba's Model Studio (DashScope). Keys belong to a region, and each region has its own base URL."""

    kind = "qwen"
    label = "Qwen (DashScope)"
    docs = "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope"
    default_base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    price_provider = "qwen"
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
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "qwen"}
    # tailcallhq/forgecode#1580: Tool names are not allowed to be [search]
    turns: ClassVar[Mapping[str, TurnRules]] = {
        "openai_chat": replace(CHAT_TURNS, names=replace(OPENAI_NAME, reserved=("search",)), in_passthrough=True)
    }
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
        RequestRule(with_content_key, "jekalmin/extended_openai_conversation#456", dialect=_CHAT),
        RequestRule(above_zero("top_p", 0.01), "nicepkg/aide#26: range of top_p should be (0.0, 1.0]", dialect=_CHAT),
        RequestRule(
            within("temperature", 0, 1.99), "https://docs.qwencloud.com/api-reference/chat/dashscope: 0 <= x < 2", dialect=_CHAT
        ),
        RequestRule(only_chosen("none", "auto"), "pydantic/pydantic-ai#1265", "qwen-long", _CHAT),
    )  # fmt: skip
    # https://help.aliyun.com/en/model-studio/error-code: OpenAI's code for an empty account is a limit of tokens a minute here.
    reasons: ClassVar[Mapping[str, Reason]] = {
        "insufficient_quota": "rate_limit",
        "arrearage": "money",
        "allocationquota.freetieronly": "permission",  # one model's free tokens
        "datainspectionfailed": "content_filter",
    }


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
    price_provider = "jina"
    fields = (key_from("jina.ai/api-dashboard", "jina_…"), BASE_URL)
    endpoints = frozenset({"embeddings", "rerank"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "jina", "rerank": "jina"}
    models_url = ""
    offered = (
        "jina-embeddings-v5-text-small", "jina-embeddings-v5-text-nano", "jina-embeddings-v4", "jina-embeddings-v3",
        "jina-reranker-v3", "jina-reranker-m0",
    )  # fmt: skip
