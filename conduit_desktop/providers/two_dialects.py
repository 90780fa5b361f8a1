"""Vendors with OpenAI's API and, at another path, Anthropic's: one row each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import Reason
from conduit_desktop.providers import Endpoint, KindField, Secrets, missing_reasoning
from conduit_desktop.providers.anthropic import ANTHROPIC_HEADERS
from conduit_desktop.providers.chat_mends.answer_format import mention_json, schema_in_instructions
from conduit_desktop.providers.chat_mends.fields import (
    above_zero,
    at_most_stops,
    cap_output,
    dropping,
    dropping_unless,
    short_id,
    within,
)
from conduit_desktop.providers.chat_mends.media import without_parts, without_remote_images
from conduit_desktop.providers.chat_mends.messages import json_arguments
from conduit_desktop.providers.chat_mends.reasoning import named_thinking, one_switch, while_thinking
from conduit_desktop.providers.chat_mends.tools import (
    at_most_tools,
    moonshot_schemas,
    offered_tools_only,
    search_settings,
    with_functions,
    with_parameters,
)
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.messages_mends import forced_tools_without_thinking, unread_blocks
from conduit_desktop.providers.openai_compatible import CHAT_RULES, ORPHANS, EffortNames, OpenAICompatible
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.wire.openai_chat.reasoning import ReasoningField
from conduit_desktop.wire.tool_names import OPENAI_NAME
from conduit_desktop.wire.turn_rules import BORROWED_MESSAGES, CHAT_TURNS, TurnRules

ANTHROPIC = "anthropic_messages"
CHAT = "openai_chat"
_VERSION = {"anthropic-version": "2023-06-01"}
_PASTED = re.compile(r"/anthropic(/v1(/messages)?)?$")


class TwoDialectVendor(OpenAICompatible):
    """Requests in Anthropic's dialect are passed through to the vendor's Anthropic API; all others go to its OpenAI API."""

    dialects = ("openai_chat", ANTHROPIC)
    relayed_headers = (*ANTHROPIC_HEADERS, "openai-")
    applies_templates = False
    turns: ClassVar[Mapping[str, TurnRules]] = {ANTHROPIC: BORROWED_MESSAGES}
    openai_path: ClassVar[str] = "/v1"
    """The end of the OpenAI API's base URL, a regular expression. Behind another URL the Anthropic API cannot be located."""
    anthropic_path: ClassVar[str] = "/anthropic/v1"
    """What replaces it in the Anthropic API's base URL."""

    def __init__(self, config: Provider) -> None:
        # People paste either of the vendor's base URLs; both APIs are located from the part that they share.
        pasted = config.base_url and _PASTED.sub("", config.base_url.rstrip("/"))
        super().__init__(config.model_copy(update={"base_url": pasted}) if pasted else config)
        found = re.search(f"{self.openai_path}$", self.root)
        self.anthropic_root = self.root[: found.start()] + self.anthropic_path if found else ""

    def supports(self, dialect: str) -> bool:
        """Anthropic's dialect only where its URL can be derived from the base URL."""
        return bool(self.anthropic_root) if dialect == ANTHROPIC else super().supports(dialect)

    def returned_reasoning(self, model: str, dialect: str) -> ReasoningField | None:
        """The field of chats; in Anthropic's dialect thinking blocks, which are parts of the content."""
        return "content" if dialect == ANTHROPIC and self.returns_reasoning else super().returned_reasoning(model, dialect)

    def reasoning_origin(self, model: str, dialect: str) -> str:
        """The vendor, whatever name a model has: no thought of its is Claude's."""
        return f"{self.kind} {dialect}"

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL in the API of the dialect; raises ValueError for an endpoint that the vendor does not have."""
        if dialect == ANTHROPIC and endpoint == "chat":
            return f"{self.anthropic_root}/messages"
        return super().url(endpoint, model, dialect, stream)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key as a bearer token, for the Anthropic API also in `x-api-key`: vendors document one or the other."""
        headers = super().headers(secrets, dialect)
        return {**headers, "x-api-key": secrets.api_key} if dialect == ANTHROPIC and secrets.api_key else headers

    def all_headers(self, secrets: Secrets, dialect: str, relayed: Mapping[str, str]) -> dict[str, str]:
        """As elsewhere, with Anthropic's default version for its API only."""
        return super().all_headers(secrets, dialect, {**_VERSION, **relayed} if dialect == ANTHROPIC else relayed)


def _thinking_object(on: str = "enabled", **facts: str) -> ThinkingSwitch:
    """The switch of these vendors: an object called `thinking`."""
    return ThinkingSwitch({"thinking": {"type": on}}, {"thinking": {"type": "disabled"}}, **facts)


_KIMI_THINKS = r"kimi-(k2\.[5-9]|k2-thinking|k[3-9])"
_KIMI_ALWAYS_THINKS = r"kimi-k(2\.7|2-thinking|[3-9])"
_THREE_EFFORTS = {"minimal": "low", "medium": "high", "xhigh": "max"}


class DeepSeek(TwoDialectVendor):
    """DeepSeek. https://api-docs.deepseek.com/guides/anthropic_api"""

    kind = "deepseek"
    label = "DeepSeek"
    docs = "https://api-docs.deepseek.com/"
    default_base_url = "https://api.deepseek.com/v1"
    fields = (key_from("platform.deepseek.com/api_keys", "sk-…"), BASE_URL)
    price_provider = "deepseek"
    # https://api-docs.deepseek.com/guides/thinking_mode#tool-calls: a 400 without it, in every later request of the conversation.
    returns_reasoning = "reasoning_content"
    # https://api-docs.deepseek.com/guides/thinking_mode: all but the old deepseek-chat think by default.
    switch = _thinking_object(takes_effort=".*", no_forced_tools="deepseek-(?!chat)", always_on="deepseek-reasoner")
    # The vendor's own table of what the other words mean.
    effort_names: ClassVar[EffortNames] = ((".*", {"minimal": "low", "medium": "high", "xhigh": "high"}),)
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        ORPHANS,
        # First: what is refused while the model thinks depends on it.
        RequestRule(missing_reasoning.pad, "NousResearch/hermes-agent#18263", "deepseek-reasoner", CHAT),
        RequestRule(missing_reasoning.pad_in_messages, "decolua/9router#2397", "deepseek-reasoner", ANTHROPIC),
        RequestRule(
            missing_reasoning.switch_off, "https://api-docs.deepseek.com/guides/thinking_mode", "deepseek-(?!chat|reasoner)", CHAT
        ),
        RequestRule(missing_reasoning.switch_off_in_messages, "decolua/9router#2397", "deepseek-(?!chat|reasoner)", ANTHROPIC),
        RequestRule(
            while_thinking(switch, dropping("temperature", "top_p", "presence_penalty", "frequency_penalty")),
            "https://api-docs.deepseek.com/guides/thinking_mode: they have no effect", "deepseek-(?!chat)", CHAT,
        ),
        RequestRule(within("top_logprobs", 0, 20), "https://api-docs.deepseek.com/api/create-chat-completion", dialect=CHAT),
        RequestRule(at_most_tools(128), "https://api-docs.deepseek.com/api/create-chat-completion"),
        RequestRule(
            schema_in_instructions("json_object"), "https://api-docs.deepseek.com/guides/json_mode: no schemas", dialect=CHAT
        ),
        RequestRule(mention_json, "https://api-docs.deepseek.com/guides/json_mode: the word json in a message", dialect=CHAT),
        RequestRule(without_parts("file", "input_audio"), "https://api-docs.deepseek.com/api/create-chat-completion", dialect=CHAT),
        RequestRule(json_arguments, "https://api-docs.deepseek.com/api/create-chat-completion: a string", dialect=CHAT),
        RequestRule(
            cap_output, "Gitlawb/openclaude#35; Aider-AI/aider#4125: the valid range of max_tokens is [1, 8192]",
            "deepseek-(chat|reasoner)$",
        ),
        RequestRule(unread_blocks, "deepseek-ai/DeepSeek-V3#1026: unknown variant `image`", dialect=ANTHROPIC),
        RequestRule(
            forced_tools_without_thinking(always_on="deepseek-reasoner"), "deepseek-ai/awesome-deepseek-integration#598, #606",
            "deepseek-(?!chat)", ANTHROPIC,
        ),
    )  # fmt: skip
    unsupported = ("n", "seed", "logit_bias", "parallel_tool_calls", "metadata", "service_tier", "store", "user")


class Moonshot(TwoDialectVendor):
    """Moonshot AI (Kimi)."""

    kind = "moonshot"
    label = "Moonshot AI (Kimi)"
    docs = "https://platform.kimi.ai/docs/api/overview"
    default_base_url = "https://api.moonshot.ai/v1"
    fields = (
        key_from("platform.kimi.ai/console/api-keys", "sk-…"),
        KindField("base_url", "Base URL", help="Keys made in China: https://api.moonshot.cn/v1"),
    )
    price_provider = "moonshotai"
    # "the message at position 1 with role 'assistant' must not be empty"
    turns: ClassVar[Mapping[str, TurnRules]] = {
        ANTHROPIC: BORROWED_MESSAGES,
        # "function name is invalid, must start with a letter": MoonshotAI/kimi-cli#2531
        "openai_chat": replace(CHAT_TURNS, empty_messages=False, names=replace(OPENAI_NAME, first="[a-zA-Z]"), in_passthrough=True),
    }
    # https://platform.kimi.ai/docs/guide/kimi-k2-6-quickstart#tool-use-compatibility: a 400 for a call without it.
    returns_reasoning = "reasoning_content"
    max_tokens_field = "max_completion_tokens"
    # https://platform.kimi.ai/docs/guide/use-thinking-effort: from K3 on three efforts and no switch; K2.7 always thinks.
    switch = _thinking_object(
        takes_effort=r"kimi-k[3-9]", always_on=r"kimi-k2(\.7|-thinking)", no_forced_tools=r"kimi-k2(\.|-thinking)"
    )
    effort_names: ClassVar[EffortNames] = ((r"kimi-k[3-9]", {**_THREE_EFFORTS, "none": "low"}),)
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(missing_reasoning.pad, "bytedance/deer-flow#3043; BerriAI/litellm#26156", _KIMI_ALWAYS_THINKS, CHAT),
        RequestRule(missing_reasoning.pad_in_messages, "QuantumNous/new-api#3121", _KIMI_ALWAYS_THINKS, ANTHROPIC),
        RequestRule(missing_reasoning.switch_off, "bytedance/deer-flow#3043; BerriAI/litellm#26156", r"kimi-k2\.[56]", CHAT),
        RequestRule(missing_reasoning.switch_off_in_messages, "QuantumNous/new-api#3121", r"kimi-k2\.[56]", ANTHROPIC),
        # The platform fixes the sampling of its thinking models (temperature 1, or 0.6 without thinking), and refuses other values.
        RequestRule(
            dropping("temperature", "top_p", "n", "presence_penalty", "frequency_penalty"),
            "https://platform.kimi.ai/docs/models; BerriAI/litellm#29687", _KIMI_THINKS, CHAT,
        ),
        RequestRule(dropping_unless(1, "temperature"), "MoonshotAI/kimi-code#740", _KIMI_THINKS, ANTHROPIC),
        RequestRule(dropping("top_p"), "https://platform.kimi.ai/docs/models", _KIMI_THINKS, ANTHROPIC),
        RequestRule(
            forced_tools_without_thinking(always_on=r"kimi-k2(\.7|-thinking)"), "can1357/oh-my-pi#1077",
            r"kimi-k2(\.[5-9]|-thinking)", ANTHROPIC,
        ),
        RequestRule(one_switch(switch), "https://platform.kimi.ai/docs/guide/use-thinking-effort", r"kimi-k", CHAT),
        RequestRule(
            moonshot_schemas, "vercel/ai#18921; MoonshotAI/kimi-cli#2061; MoonshotAI/kimi-code#1610: moonshot flavored json schema",
            dialect=CHAT,
        ),
        RequestRule(without_remote_images, "https://platform.kimi.ai/docs/guide/use-kimi-vision-model", dialect=CHAT),
    )  # fmt: skip
    unsupported = (
        "logit_bias", "logprobs", "top_logprobs", "seed", "user", "metadata", "service_tier", "store", "parallel_tool_calls",
    )  # fmt: skip


class Zai(TwoDialectVendor):
    """Z.ai (Zhipu's GLM). The coding plan has a base URL of its own."""

    kind = "zai"
    label = "Z.ai (GLM)"
    docs = "https://docs.z.ai/api-reference/llm/chat-completion"
    default_base_url = "https://api.z.ai/api/paas/v4"
    fields = (
        key_from("z.ai/manage-apikey/apikey-list"),
        KindField(
            "base_url", "Base URL",
            help="The coding plan: https://api.z.ai/api/coding/paas/v4. Keys made in China: https://open.bigmodel.cn/api/paas/v4",
        ),
    )  # fmt: skip
    version = "v4"
    openai_path = r"/api/(coding/)?paas/v4"
    anthropic_path = "/api/anthropic/v1"
    endpoints = frozenset({"chat", "images"})
    price_provider = "zai"
    turns: ClassVar[Mapping[str, TurnRules]] = {
        ANTHROPIC: BORROWED_MESSAGES,
        "openai_chat": replace(CHAT_TURNS, needs_user=True, in_passthrough=True),
    }
    # https://docs.z.ai/guides/capabilities/thinking-mode: interleaved thinking.
    returns_reasoning = "reasoning_content"
    switch = _thinking_object(takes_effort=r"glm-5\.[2-9]")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(offered_tools_only, "https://docs.z.ai/api-reference/llm/chat-completion: auto only", dialect=CHAT),
        RequestRule(within("temperature", 0, 1), "https://docs.z.ai/api-reference/llm/chat-completion", dialect=CHAT),
        RequestRule(above_zero("top_p", 0.01), "songquanpeng/one-api#1045: code 1214", dialect=CHAT),
        RequestRule(search_settings, "cornellsh/codex-proxy#1: tools[6].web_search can not be null", dialect=CHAT),
        RequestRule(at_most_stops(1), "https://docs.z.ai/api-reference/llm/chat-completion", dialect=CHAT),
        RequestRule(short_id("user_id", 128, 6), "https://docs.z.ai/api-reference/llm/chat-completion", dialect=CHAT),
        RequestRule(
            schema_in_instructions("json_object"), "https://docs.z.ai/guides/capabilities/struct-output: no schemas", dialect=CHAT
        ),
    )  # fmt: skip
    renamed: ClassVar[Mapping[str, str]] = {"user": "user_id"}
    effort_names: ClassVar[EffortNames] = (
        (r"glm-5\.2", _THREE_EFFORTS),
        (r"glm-5\.[3-9]", {**_THREE_EFFORTS, "none": "low"}),  # these always think
    )
    # https://docs.z.ai/api-reference/api-code: most of these come with status 400 or 429.
    reasons: ClassVar[Mapping[str, Reason]] = {
        "1112": "auth",
        "1113": "money",
        "1121": "auth",
        "1211": "model_not_found",
        "1220": "permission",
        "1261": "context_length",
        "1301": "content_filter",
        "1305": "overloaded",
        "1309": "money",
        "1311": "permission",
    }
    unsupported = (
        "n", "seed", "logit_bias", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "metadata",
        "service_tier", "store", "parallel_tool_calls",
    )  # fmt: skip


class MiniMax(TwoDialectVendor):
    """MiniMax. https://platform.minimax.io/docs/api-reference/text-anthropic-api"""

    kind = "minimax"
    label = "MiniMax"
    docs = "https://platform.minimax.io/docs/api-reference/text-openai-api"
    default_base_url = "https://api.minimax.io/v1"
    fields = (
        key_from("platform.minimax.io/user-center/basic-information/interface-key"),
        KindField("base_url", "Base URL", help="Keys made in China: https://api.minimaxi.com/v1"),
    )
    price_provider = "minimax"
    # "invalid chat setting (2013)": one system message, at the beginning.
    turns: ClassVar[Mapping[str, TurnRules]] = {
        ANTHROPIC: BORROWED_MESSAGES,
        "openai_chat": replace(CHAT_TURNS, system="first", in_passthrough=True),
    }
    # https://platform.minimax.io/docs/api-reference/text-openai-api: separated from the content only on request.
    returns_reasoning = "reasoning_details"
    model_defaults = ((r"MiniMax-M[2-9]", {"reasoning_split": True}),)
    # https://platform.minimax.io/docs/api-reference/responses-create: M2 models always think.
    # MiniMax's word for thinking that is on is `adaptive`; the others say `enabled`.
    switch = _thinking_object("adaptive", always_on="MiniMax-M2")
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        # Not 0 itself: the range is open below.
        RequestRule(unread_blocks, "https://platform.minimax.io/docs/api-reference/text-anthropic-api", dialect=ANTHROPIC),
        RequestRule(within("temperature", 0.01, 1), "https://platform.minimax.io/docs/api-reference/text-openai-api"),
        RequestRule(with_functions(with_parameters), "QwenLM/qwen-code#11834: function parameters is empty", dialect=CHAT),
        RequestRule(json_arguments, "earendil-works/pi#5468: invalid function arguments json string", dialect=CHAT),
        RequestRule(named_thinking({"enabled": "adaptive"}), "CherryHQ/cherry-studio#16431: allowed: adaptive, disabled"),
    )
    max_tokens_field = "max_completion_tokens"
    unsupported = (
        "n", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "logprobs", "top_logprobs", "metadata",
        "service_tier", "store",
    )  # fmt: skip
