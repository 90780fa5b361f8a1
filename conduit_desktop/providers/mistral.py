"""Mistral: OpenAI's dialect, with strict validation of everything that differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import Endpoint
from conduit_desktop.providers.chat_mends.fields import greedy, only_fields, without_empty_tools
from conduit_desktop.providers.chat_mends.messages import json_arguments, known_message_fields, with_content_key
from conduit_desktop.providers.chat_mends.tools import with_functions, with_parameters
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.openai_compatible import CHAT_RULES, EffortNames, OpenAICompatible
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.tool_names import MISTRAL_ID
from conduit_desktop.wire.turn_rules import CHAT_TURNS, TurnRules

_FIELDS = frozenset(
    {
        "model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "metadata", "response_format",
        "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls", "prompt_mode",
        "reasoning_effort", "prompt_cache_key", "guardrails", "safe_prompt",
    }
)  # fmt: skip
_MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id", "prefix")


def continue_last(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """An answer that the client began, and the model is to continue, is marked as such."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if isinstance(last, dict) and last.get("role") == "assistant" and not last.get("tool_calls"):
        body["messages"] = [*body["messages"][:-1], {**last, "prefix": True}]
    return []


class Mistral(OpenAICompatible):
    """Mistral's platform.

    It answers 422 to unknown fields, to tool-call ids other than nine letters or digits, and to functions without parameters.
    """

    kind = "mistral"
    label = "Mistral"
    docs = "https://docs.mistral.ai/api"
    default_base_url = "https://api.mistral.ai/v1"
    fields = (key_from("console.mistral.ai/api-keys"), BASE_URL)
    endpoints = frozenset({"chat", "embeddings", "transcriptions", "moderations"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "mistral"}
    price_provider = "mistral"
    usage_in_stream = False
    reasoning_object = False
    applies_templates = False
    # https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py
    turns: ClassVar[Mapping[str, TurnRules]] = {
        "openai_chat": replace(
            CHAT_TURNS, system="leading", empty_messages=False, user_after_results=False, ids=MISTRAL_ID, in_passthrough=True
        )
    }
    renamed: ClassVar[Mapping[str, str]] = {"seed": "random_seed"}
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        # A recorded request with `tool_choice` and without `tools` was answered.
        RequestRule(without_empty_tools, "https://docs.mistral.ai/api: an empty list of tools is refused", dialect="openai_chat"),
        RequestRule(with_content_key, "jekalmin/extended_openai_conversation#456: empty tool_calls", dialect="openai_chat"),
        RequestRule(greedy, "devoxx/DevoxxGenieIDEAPlugin#338: top_p must be 1 when using greedy sampling", dialect="openai_chat"),
        RequestRule(only_fields(_FIELDS), "https://docs.mistral.ai/api: extra inputs are not permitted", dialect="openai_chat"),
        RequestRule(
            known_message_fields(*_MESSAGE_FIELDS), "https://docs.mistral.ai/api: extra inputs are not permitted",
            dialect="openai_chat",
        ),
        RequestRule(
            continue_last, "https://docs.mistral.ai/guides/prefix: expected last role User or Tool (or Assistant with prefix True)",
            dialect="openai_chat",
        ),
        RequestRule(json_arguments, "mistralai/mistral-common: arguments are a string", dialect="openai_chat"),
        RequestRule(with_functions(with_parameters), "https://docs.mistral.ai/api: Function.parameters", dialect="openai_chat"),
    )  # fmt: skip
    # https://docs.mistral.ai/studio-api/conversations/reasoning: a part of the content, of the models that reason.
    returns_reasoning = "content"
    reasoning_models = r"magistral|mistral-(small|medium|large-4)"
    not_reasoning = r"codestral|devstral|ministral|pixtral|voxtral|open-|mistral-(tiny|large(?!-4)|nemo|saba)"
    # https://docs.mistral.ai/capabilities/reasoning/adjustable: for Small and Medium thinking is on or off.
    effort_names: ClassVar[EffortNames] = (
        (r"mistral-large-4", {"minimal": "low", "xhigh": "high", "max": "high"}),
        (r"mistral-(small|medium)", {"minimal": "none", **dict.fromkeys(("low", "medium", "xhigh", "max"), "high")}),
    )
