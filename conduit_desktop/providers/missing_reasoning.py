"""Mends for vendors that refuse a tool loop without the reasoning that they sent in it.

The gateway puts reasoning back where it has it (`gateway/upstream/reasoning_store.py`). What is still missing was made by another
vendor, or was lost: then thinking is switched off for the request where the model can do without, else a placeholder stands for it.
"""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts

PLACEHOLDER = " "
"""DeepSeek V4 takes a space and refuses an empty text: https://github.com/NousResearch/hermes-agent/pull/18263"""
_OFF = {"type": "disabled"}


def switch_off(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Switch thinking off in a chat request with a call whose reasoning is missing; pad answers within a tool loop."""
    messages = body.get("messages")
    if not isinstance(messages, list) or body.get("thinking") == _OFF:
        return []
    if any(_is_bare(message) for message in messages):
        body["thinking"] = dict(_OFF)
        body.pop("reasoning_effort", None)  # the effort of what is off
        return ["thinking"]
    return pad(body, facts)


def pad(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Put a placeholder for missing reasoning into a chat request, for models whose thinking cannot be switched off.

    Also in the answer that ends a tool loop: https://github.com/openclaw/openclaw/issues/73417
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or body.get("thinking") == _OFF:
        return []
    in_loop = False
    padded: list[Json] = []
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role == "user":
            in_loop = False
        in_loop = in_loop or (role == "assistant" and bool(message.get("tool_calls")))
        if role == "assistant" and in_loop and not message.get("reasoning_content"):
            message = {**message, "reasoning_content": PLACEHOLDER}
        padded.append(message)
    body["messages"] = padded
    return []


def _is_bare(message: Any) -> bool:
    """Whether a message of the assistant has calls and no reasoning."""
    if not isinstance(message, dict) or message.get("role") != "assistant" or not message.get("tool_calls"):
        return False
    return not str(message.get("reasoning_content") or "").strip()


def switch_off_in_messages(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """The same in Anthropic's dialect: a turn that called tools must hold its thinking block."""
    messages = body.get("messages")
    if not isinstance(messages, list) or body.get("thinking") == _OFF or not any(map(_lacks_block, messages)):
        return []
    body["thinking"] = dict(_OFF)
    return ["thinking"]


def pad_in_messages(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """A thinking block with a placeholder before the calls of each turn without one, for models that always think."""
    messages = body.get("messages")
    if isinstance(messages, list) and any(map(_lacks_block, messages)):
        block = {"type": "thinking", "thinking": PLACEHOLDER, "signature": ""}
        body["messages"] = [
            {**message, "content": [block, *message["content"]]} if _lacks_block(message) else message for message in messages
        ]
    return []


def _lacks_block(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
    kinds = [block.get("type") for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    return "tool_use" in kinds and "thinking" not in kinds and "redacted_thinking" not in kinds
