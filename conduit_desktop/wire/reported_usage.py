"""The usage in a body of any dialect, also where the body is not an answer: a failure that was billed all the same."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.event_validation import FAULTS

_OPENAI = ("conduit_desktop.wire.openai_chat.usage", "usage")
_READERS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("openai_chat", "openai_completions", "openrouter_chat", "sagemaker"), _OPENAI),
    "openai_responses": ("conduit_desktop.wire.openai_responses.usage", "usage"),
    "anthropic_messages": ("conduit_desktop.wire.anthropic.usage", "usage"),
    "gemini": ("conduit_desktop.wire.gemini.usage", "usageMetadata"),
    "bedrock": ("conduit_desktop.wire.bedrock.usage", "usage"),
    "cohere": ("conduit_desktop.wire.cohere.usage", "usage"),
}
"""The module of `read_usage` and the field that it reads, by the dialect's name."""


def usage_in(body: Json, dialect: str) -> Usage | None:
    """The usage that `body`, or the response within it, reports in that dialect; None where it reports none that can be read."""
    if not isinstance(body, dict) or dialect not in _READERS:
        return None
    module, field = _READERS[dialect]
    # Within the response of an event of the Responses API, or the delta of Cohere's last event.
    within = body.get("response") or body.get("delta")
    raw = body.get(field) or (within.get(field) if isinstance(within, dict) else None)
    if not isinstance(raw, dict):
        return None
    read_usage: Callable[[Any], Usage] = import_module(module).read_usage
    try:
        usage = read_usage(raw)
    except FAULTS:
        return None
    return usage if usage.total_input or usage.total_output or usage.cost_nano is not None else None
