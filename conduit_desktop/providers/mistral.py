"""Mistral: OpenAI's dialect, with strict validation of everything that differs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import Endpoint
from conduit_desktop.providers.chat_mends import (
    json_arguments,
    known_message_fields,
    only_fields,
    with_functions,
    with_messages,
    with_parameters,
)
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.openai_compatible import CHAT_RULES, EffortNames, OpenAICompatible
from conduit_desktop.providers.request_rules import RequestRule

_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_FIELDS = frozenset(
    {
        "model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "metadata", "response_format",
        "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction", "parallel_tool_calls", "prompt_mode",
        "reasoning_effort", "prompt_cache_key", "guardrails", "safe_prompt",
    }
)  # fmt: skip
_MESSAGE_FIELDS = ("role", "content", "name", "tool_calls", "tool_call_id", "prefix")


def short_call_ids(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Tool-call ids of nine letters and digits: those that another vendor made come back in the history."""
    with_messages(body, _with_short_ids)
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
    renamed: ClassVar[Mapping[str, str]] = {"seed": "random_seed"}
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(only_fields(_FIELDS), "https://docs.mistral.ai/api: extra inputs are not permitted", dialect="openai_chat"),
        RequestRule(
            known_message_fields(*_MESSAGE_FIELDS), "https://docs.mistral.ai/api: extra inputs are not permitted",
            dialect="openai_chat",
        ),
        RequestRule(
            short_call_ids, "mistralai/mistral-common, protocol/instruct/validator.py: _validate_tool_call_id",
            dialect="openai_chat",
        ),
        RequestRule(json_arguments, "mistralai/mistral-common: arguments are a string", dialect="openai_chat"),
        RequestRule(with_functions(with_parameters), "https://docs.mistral.ai/api: Function.parameters", dialect="openai_chat"),
    )  # fmt: skip
    not_reasoning = r"codestral|devstral|ministral|pixtral|voxtral|open-|mistral-(tiny|large(?!-4)|nemo|saba)"
    # https://docs.mistral.ai/capabilities/reasoning/adjustable: for Small and Medium thinking is on or off.
    effort_names: ClassVar[EffortNames] = (
        (r"mistral-large-4", {"minimal": "low", "xhigh": "high", "max": "high"}),
        (r"mistral-(small|medium)", {"minimal": "none", **dict.fromkeys(("low", "medium", "xhigh", "max"), "high")}),
    )


def _with_short_ids(message: dict[str, Any]) -> dict[str, Any]:
    if isinstance(call_id := message.get("tool_call_id"), str) and _short(call_id) != call_id:
        message = {**message, "tool_call_id": _short(call_id)}
    if isinstance(calls := message.get("tool_calls"), list):
        message = {**message, "tool_calls": [_renamed(call) for call in calls]}
    return message


def _renamed(call: Any) -> Any:
    if isinstance(call, dict) and isinstance(call.get("id"), str):
        return {**call, "id": _short(call["id"])}
    return call


def _short(call_id: str) -> str:
    """Nine characters, always the same for the same id, so that a result still refers to its call."""
    # A hash and not a counter: a later request of the conversation gets the same ids without any stored state.
    return call_id if _CALL_ID.fullmatch(call_id) else hashlib.sha256(call_id.encode()).hexdigest()[:9]
