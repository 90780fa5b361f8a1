"""Mends for what vendors that borrow Anthropic's dialect refuse in a body of it."""

from __future__ import annotations

import re
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Mend
from conduit_desktop.wire.changed_items import change_items, with_items

_OFF: dict[str, Json] = {"type": "disabled"}
_UNREAD = {"image": "An image", "document": "A document"}


def forced_tools_without_thinking(always_on: str) -> Mend:
    """A call that is demanded excludes thinking: thinking is switched off where nobody asked for it, else the call is only offered.

    `always_on`: models whose thinking cannot be switched off.
    """

    def mend(body: dict[str, Json], facts: ModelFacts) -> list[str]:
        choice, thinking = body.get("tool_choice"), body.get("thinking")
        if not isinstance(choice, dict) or choice.get("type") not in ("any", "tool") or thinking == _OFF:
            return []
        asked = isinstance(thinking, dict) or "output_config" in body
        if not asked and not (always_on and re.match(always_on, str(body.get("model", "")))):
            body["thinking"] = dict(_OFF)
            return []
        parallel = {name: value for name, value in choice.items() if name == "disable_parallel_tool_use"}
        body["tool_choice"] = {"type": "auto", **parallel}
        return ["tool_choice"]

    return mend


def unread_blocks(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """A sentence in place of each image and document, for models that are known to read text only; a document of text is text.

    A refusal would end the conversation: the block comes back with every later request.
    """
    lost: list[str] = []
    if facts.images is False:
        change_items(body, "messages", lambda message: _with_sentences(message, lost))
    return lost


def _with_sentences(holder: Any, lost: list[str]) -> Any:
    """A message, or a tool's result, with its blocks replaced; the same object where there are none."""
    if not isinstance(holder, dict):
        return holder
    return with_items(holder, "content", lambda block: _sentence_for(block, lost))


def _sentence_for(block: Any, lost: list[str]) -> Any:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "tool_result":
        return _with_sentences(block, lost)
    if kind not in _UNREAD:
        return block
    mark = {"cache_control": block["cache_control"]} if block.get("cache_control") else {}
    if (text := _text_of(block)) is not None:
        lost += ["content.citations"] if block.get("citations") else []
        return {"type": "text", "text": text, **mark}
    lost.append(f"content.{kind}")
    return {"type": "text", "text": f"[{_UNREAD[kind]} was left out: the model does not take it]", **mark}


def _text_of(block: dict[str, Any]) -> str | None:
    """The text of a document that is one, after its title and context; None for any other block."""
    source = block.get("source")
    if block.get("type") != "document" or not isinstance(source, dict):
        return None
    match source:
        case {"type": "text", "data": str(text)} | {"type": "content", "content": str(text)}:
            texts = [text]
        case {"type": "content", "content": list(blocks)} if blocks and all(_is_text(each) for each in blocks):
            texts = [each["text"] for each in blocks]
        case _:
            return None
    head = [str(block[name]) for name in ("title", "context") if block.get(name)]
    return "\n\n".join([*(["\n".join(head)] if head else []), "\n".join(texts)])


def _is_text(block: Any) -> bool:
    return isinstance(block, dict) and isinstance(block.get("text"), str)
