"""Writes a conversation as the fields `system` and `messages` of the Messages API."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.chat import Json, Media, Message, Part, Text
from conduit_desktop.wire.anthropic.messages_reader import Fields
from conduit_desktop.wire.anthropic.messages_writer import AnthropicPartWriter

OWN_CALL = "toolu_"
"""How the ids of Anthropic's own tool calls begin."""
FILLER = "."
"""The text of a turn whose parts the API cannot express."""


@dataclass(slots=True)
class Layout:
    """A conversation as the fields `system` and `messages`."""

    system: str | list[Fields] | None
    messages: list[Fields]


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
    """A conversation of another dialect, arranged by `wire/turns.py`: one message of instructions, then turns that alternate."""
    system: list[Message] = []
    turns: list[Fields] = []
    for message in messages:
        if message.name is not None or message.extra:
            _drop_message_fields(message, parts)
        if message.role in ("system", "developer"):
            system.append(message)
        else:
            turns.append(_turn(message, parts))
    if turns and turns[-1]["role"] == "assistant":
        _trim_prefill(turns[-1])
    return Layout(_system(system, parts), turns)


def _turn(message: Message, parts: AnthropicPartWriter) -> Fields:
    is_assistant = message.role == "assistant"
    content = parts.content(_without_media(message, parts) if is_assistant else message.parts)
    # The API has no role `tool`: results are blocks of a user message.
    role = "assistant" if is_assistant else "user"
    if not content:
        # Empty content is refused, and without the turn its neighbours would not alternate.
        return {"role": role, "content": FILLER}
    if len(content) > 1:
        # sorted() is stable: results keep their order, and so does the rest.
        return {"role": role, "content": content if is_assistant else sorted(content, key=_stands_after_results)}
    only = content[0]
    return {"role": role, "content": only["text"] if len(only) == 2 and only["type"] == "text" else content}


def _stands_after_results(block: Fields) -> bool:
    return bool(block["type"] != "tool_result")


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
    if message.extra:
        parts.drop(*(f"messages.{key}" for key, value in message.extra.items() if value is not None))


def _without_media(message: Message, parts: AnthropicPartWriter) -> list[Part]:
    """The parts that a message of the assistant may hold: the API takes its images from the user alone."""
    if Media not in map(type, message.parts):
        return message.parts
    parts.drop(*(f"assistant.{part.kind}" for part in message.parts if isinstance(part, Media)))
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


def _trim_prefill(last: Fields) -> None:
    """Trim an answer that the model is to continue: "final assistant content cannot end with trailing whitespace"."""
    # Only the last text is trimmed: white space before it is the caller's own, and a thought must stay as it was signed.
    content = last["content"]
    if isinstance(content, str):
        last["content"] = content.rstrip()
    elif content[-1]["type"] == "text":
        content[-1]["text"] = content[-1]["text"].rstrip()
