"""Arranges a conversation as the Messages API requires: system on top, turns that alternate, tool results first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from conduit_desktop.core.chat import Json, Media, Message, Part, Text
from conduit_desktop.wire.anthropic.messages_reader import Fields
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter

OWN_CALL = "toolu_"
"""How the ids of Anthropic's own tool calls begin."""
FILLER = "."
"""The user's text in a conversation that has instructions only, because the API requires one message."""


@dataclass(slots=True)
class Layout:
    """A conversation as the fields `system` and `messages`."""

    system: str | list[Fields] | None
    messages: list[Fields]


@dataclass(slots=True)
class _Turn:
    role: Literal["user", "assistant"]
    content: list[Fields] = field(default_factory=list)


def own_layout(messages: list[Message], parts: AnthropicPartWriter, system_on_top: bool) -> Layout:
    """The conversation exactly as it was read."""
    system: str | list[Fields] | None = None
    if system_on_top and messages and messages[0].role == "system":
        system = _content(messages[0], parts)
        messages = messages[1:]
    return Layout(system, [{"role": m.role, **_own_content(m, parts), **m.extra} for m in messages])


def _own_content(message: Message, parts: AnthropicPartWriter) -> Fields:
    """The field `content`; none where the message was read without it."""
    return {"content": _content(message, parts)} if message.parts or not message.plain else {}


def foreign_layout(messages: list[Message], parts: AnthropicPartWriter) -> Layout:
    """A conversation of another dialect, without what the API refuses.

    Every system and developer message goes to the top-level `system`, in order: only the newest models accept one in the middle,
    and never between a tool call and its result. One from the middle is reported as `system.position`. Adjacent messages of one
    role become one turn; tool results come first in the turn after their call.
    """
    system = [m for m in messages if m.role in ("system", "developer")]
    turns: list[_Turn] = []
    for message in messages:
        _drop_message_fields(message, parts)
        if message.role in ("system", "developer"):
            if turns:
                parts.drop("system.position")
            continue
        # The API has no role `tool`: results are blocks of a user message.
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        content = parts.content(_allowed(message, parts))
        # The API refuses two turns of one role in succession; other vendors allow them.
        if turns and turns[-1].role == role:
            turns[-1].content.extend(content)
        # A message whose parts were all dropped makes no turn, because the API refuses empty content.
        elif content:
            turns.append(_Turn(role, content))
    _trim_prefill(turns)
    turns = turns or [_Turn("user", [{"type": "text", "text": FILLER}])]
    return Layout(_system(system, parts), [_written(turn) for turn in turns])


def open_tool_loop_without_thinking(messages: list[Fields], of_others: bool = False) -> bool:
    """Whether the conversation ends in a tool loop with a call before which there is no thinking block.

    With thinking on, Anthropic refuses that: "a final `assistant` message must start with a thinking block". `of_others`: only
    calls that Anthropic did not make count.
    """
    if len(messages) < 2 or "tool_result" not in _types(messages[-1]):
        return False
    for message in reversed(messages):
        kinds = _types(message)
        if isinstance(message, dict) and message.get("role") == "user":
            if "tool_result" not in kinds:
                return False  # the user's own turn, at which the loop began
        # Only the first block counts, because the API requires thinking at the start of the message.
        elif "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"):
            blocks = [block for block in message["content"] if isinstance(block, dict)]
            ids = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
            if not of_others or not all(each.startswith(OWN_CALL) for each in ids):
                return True
    return False


def _types(message: Json) -> list[Json]:
    """The types of the blocks of a message; empty where its content is text."""
    content = message.get("content") if isinstance(message, dict) else None
    return [block.get("type") for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _content(message: Message, parts: AnthropicPartWriter) -> str | list[Fields]:
    if message.plain and len(message.parts) == 1 and isinstance(message.parts[0], Text):
        return message.parts[0].text
    return parts.content(message.parts)


def _drop_message_fields(message: Message, parts: AnthropicPartWriter) -> None:
    if message.name is not None:
        parts.drop("messages.name")
    parts.drop(*(f"messages.{key}" for key, value in message.extra.items() if value is not None))


def _allowed(message: Message, parts: AnthropicPartWriter) -> list[Part]:
    """The parts that a message of its role may hold: the assistant has no images."""
    if message.role != "assistant":
        return message.parts
    for part in message.parts:
        if isinstance(part, Media):
            parts.drop(f"assistant.{part.kind}")
    return [part for part in message.parts if not isinstance(part, Media)]


def _system(messages: list[Message], parts: AnthropicPartWriter) -> str | list[Fields] | None:
    texts = [part for message in messages for part in message.parts if isinstance(part, Text)]
    for message in messages:
        # The field `system` takes text only, but other dialects allow images in instructions.
        parts.drop(*(f"system.{type(part).__name__.lower()}" for part in message.parts if not isinstance(part, Text)))
    blocks = parts.content(texts)
    if not blocks:
        return None
    # Bare text only where nothing is lost: a block of more than two fields has a cache mark, which text cannot carry.
    if len(blocks) == 1 and messages[0].plain and len(blocks[0]) == 2:
        return str(blocks[0]["text"])
    return blocks


def _trim_prefill(turns: list[_Turn]) -> None:
    """Trim an answer that the model is to continue: "final assistant content cannot end with trailing whitespace"."""
    # Only the last text is trimmed: white space before it is the caller's own, and a thought must stay as it was signed.
    if turns and turns[-1].role == "assistant" and turns[-1].content[-1]["type"] == "text":
        last = turns[-1].content[-1]
        last["text"] = last["text"].rstrip()


def _written(turn: _Turn) -> Fields:
    content = turn.content
    if turn.role == "user":
        # sorted() is stable: results keep their order, and so does the rest.
        content = sorted(content, key=lambda block: block["type"] != "tool_result")
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return {"role": turn.role, "content": content[0]["text"]}
    return {"role": turn.role, "content": content}
