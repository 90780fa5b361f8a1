"""Mistral: OpenAI's dialect, with strict validation of everything that differs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import Endpoint
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.openai_compatible import EffortNames, OpenAICompatible

_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")


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
    refused = ("logit_bias", "logprobs", "top_logprobs", "user", "store", "service_tier")
    message_refused = ("reasoning_content", "refusal")
    not_reasoning = r"codestral|devstral|ministral|pixtral|voxtral|open-|mistral-(tiny|large(?!-4)|nemo|saba)"
    # https://docs.mistral.ai/capabilities/reasoning/adjustable: for Small and Medium thinking is on or off.
    effort_names: ClassVar[EffortNames] = (
        (r"mistral-large-4", {"minimal": "low", "xhigh": "high", "max": "high"}),
        (r"mistral-(small|medium)", {"minimal": "none", **dict.fromkeys(("low", "medium", "xhigh", "max"), "high")}),
    )

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """As other strict vendors, and in every request tool-call ids of nine characters and parameters for each function."""
        dropped = super().adapt(model, body, dialect, translated)
        # Also in passed-through requests: ids made by another vendor come back in the history, and Mistral answers 422 to them.
        if isinstance(body.get("messages"), list):
            body["messages"] = [_with_short_ids(message) for message in body["messages"]]
        if isinstance(body.get("tools"), list):
            body["tools"] = [_with_parameters(tool) for tool in body["tools"]]
        return dropped


def _with_parameters(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or isinstance(function.get("parameters"), dict):
        return tool
    return {**tool, "function": {**function, "parameters": {"type": "object", "properties": {}}}}


def _with_short_ids(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    # Copies, as a passed-through body shares its messages with the caller's, which the next target gets.
    if isinstance(call_id := message.get("tool_call_id"), str):
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
