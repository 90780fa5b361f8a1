"""Writes neutral messages as items of a Responses request."""

from __future__ import annotations

from collections import deque
from typing import Any, assert_never

from conduit_desktop.core.chat import (
    Json,
    Media,
    Message,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.openai_responses.content_parts import CONTENT, write_media, write_text
from conduit_desktop.wire.openai_responses.fields import NAME, noted_json
from conduit_desktop.wire.openai_responses.messages_reader import CALLS
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames
from conduit_desktop.wire.provenance import MarkedContent, unmark

_OF_MODEL = frozenset({"reasoning", *CALLS})
_ITEM_TYPE = {kind: name for name, kind in CALLS.items()}


class ItemsWriter:
    """Writes the items of one request. `own`: they were read from this dialect. `dropped` names what was dropped."""

    def __init__(self, own: bool, source_form: dict[str, str]) -> None:
        self.own = own
        self.source_form = source_form
        self.dropped: list[str] = []
        self.items: list[dict[str, Json]] = []
        self._names = FlatToolNames(source_form)
        self._custom: set[str] = set()

    @property
    def _path(self) -> str:
        """The path of the next item in the request."""
        return f"input[{len(self.items)}]"

    def write(self, messages: list[Message]) -> list[dict[str, Json]]:
        """All items, in order."""
        for message in messages:
            if self.own:
                self._items_of(message)
            else:
                self._drop_fields(message)
                self._items_of_foreign(message)
        if not self.own:
            self._drop_lonely()
        return self.items

    def _drop_lonely(self) -> None:
        """Leave out reasoning without the item it belongs to, which OpenAI refuses: that item could not be expressed.

        https://github.com/continuedev/continue/issues/8933
        """
        kept: list[dict[str, Json]] = []
        for item in reversed(self.items):
            if item.get("type") == "reasoning" and not (kept and _is_of_model(kept[-1])):
                self.dropped.append("thinking")
            else:
                kept.append(item)
        self.items = kept[::-1]

    def instructions(self, messages: list[Message]) -> str:
        """The texts of `messages`, for the field `instructions`."""
        texts = [[part for part in message.parts if isinstance(part, Text)] for message in messages]
        for message, parts in zip(messages, texts, strict=True):
            self._drop_fields(message)
            self.dropped += [name for part in parts for name in write_text(part, "input_text", self.own)[1]]
        return "\n\n".join("".join(part.text for part in parts) for parts in texts)

    def _drop_fields(self, message: Message) -> None:
        if not self.own and (message.extra or message.name):
            self.dropped += [f"messages.{name}" for name in message.extra] + (["messages.name"] if message.name else [])

    def _items_of_foreign(self, message: Message) -> None:
        """The items of a message of another dialect, of which nothing is noted: each run of content is one."""
        content: list[Part] = []
        for part in message.parts:
            if _is_content(part):
                content.append(part)
                continue
            if content:
                self._message(message, content, {})
                content = []
            self._item(part, {})
        if content or (not message.parts and message.role != "assistant"):
            self._message(message, content, {})

    def _items_of(self, message: Message) -> None:
        parts = deque(message.parts)
        started = False
        while True:
            # The path of an item is its place in the list, so notes fit only while every item read is written again.
            envelope = noted_json(self.source_form, self._path)
            count = self._content_ahead(message, parts, envelope, started)
            if count is not None:
                self._message(message, [parts.popleft() for _ in range(min(count, len(parts)))], envelope)
            elif parts:
                self._item(parts.popleft(), envelope)
            else:
                return
            started = True

    def _content_ahead(self, message: Message, parts: deque[Part], envelope: dict[str, Any], started: bool) -> int | None:
        """How many of the next parts belong to one message item; None where the next part is an item of its own.

        `envelope` holds what the reader recorded about the item at this path.
        """
        if envelope.get("role") == message.role and (parts or not started or message.role == "assistant"):
            return int(envelope["parts"])
        if not parts:
            return 0 if not started and not message.parts and message.role != "assistant" else None
        run = next((index for index, part in enumerate(parts) if not _is_content(part)), len(parts))
        return run or None

    def _message(self, message: Message, parts: list[Part], envelope: dict[str, Any]) -> None:
        role = "user" if message.role == "tool" else message.role
        kind = "output_text" if role == "assistant" else "input_text"
        content = self._content(parts, "content", kind)
        plain = envelope["plain"] if envelope else not self.own or (message.plain and role != "assistant")
        if plain and all(part["type"] == kind for part in content):
            body: Json = "".join(part["text"] for part in content)
            # Plain text has no place for annotations, but an assistant's message in parts would need an id from OpenAI.
            self.dropped += ["citations" for part in content if "annotations" in part]
        # An empty message that the client sent is written again, but none is made out of dropped parts.
        elif not content and not envelope and message.parts:
            return  # none of its parts could be expressed
        else:
            body = content
        self.items.append({"role": role, "content": body, **envelope.get("head", {})})

    def _content(self, parts: list[Part], field: str, kind: str) -> list[dict[str, Json]]:
        """The parts of the field of the next item."""
        written: list[dict[str, Json]] = []
        for part in parts:
            # Nearly all parts of a long history.
            if type(part) is Text and not (self.own or part.cache or part.citations or part.extra):
                written.append({"type": kind, "text": part.text})
                continue
            made = self._part(part, f"{self._path}.{field}[{len(written)}]", kind)
            if made is not None:
                written.append(made)
        return written

    def _part(self, part: Part, path: str, kind: str) -> dict[str, Json] | None:
        match part:
            case Text():
                text, dropped = write_text(part, self.source_form.get(f"{path}.type", kind) if self.own else kind, self.own)
                self.dropped += dropped
                return text
            case Refusal():  # a refusal from another dialect lacks the message id that OpenAI requires
                return {"type": "refusal", "refusal": part.text} if self.own else {"type": kind, "text": part.text}
            case Media():
                # An assistant's message of this API holds text and refusals only.
                if kind == "output_text" and not self.own:
                    self.dropped.append(f"assistant.{part.kind}")
                    return None
                media, dropped = write_media(part, self.own)
                self.dropped += dropped
                return media
            case Opaque():
                if part.dialect == NAME:
                    return dict(part.value)
                self.dropped.append(f"content[{part.name}]")
                return None
            case Thinking() | RedactedThinking() | ToolCall() | ToolResult():  # items of their own, but not within a result
                self.dropped += [] if self.own else ["tool_result.content"]
                return None
            case _:
                assert_never(part)

    def _item(self, part: Part, envelope: dict[str, Any]) -> None:
        head = envelope.get("head", {})
        if "raw" in envelope:
            self.items.append(envelope["raw"])
        elif isinstance(part, ToolCall):
            self._call(part, head)
        elif isinstance(part, ToolResult):
            self._result(part, head)
        elif isinstance(part, (Thinking, RedactedThinking)):
            self._thinking(part)
        elif isinstance(part, Opaque):
            self.items.append(dict(part.value))

    def _call(self, call: ToolCall, head: dict[str, Json]) -> None:
        if call.kind == "hosted":
            self.dropped.append(f"tool_calls[{call.name}]")
            return
        name, namespace = self._names.restore(call.name)
        custom = call.kind == "custom"
        # Clients and vendors parse the arguments of a function, and an empty string is not JSON.
        arguments = call.arguments or ("" if custom or self.own else "{}")
        if custom:
            # The result's type must match the call's, and a neutral result does not say which kind of tool it came from.
            self._custom.add(call.id)
        item = {"call_id": call.id, "name": name, "input" if custom else "arguments": arguments, **namespace}
        if not self.own and (call.extra or call.cache or call.signature):
            self.dropped += [f"tool_calls.{name}" for name in call.extra]
            fields = (("cache_control", call.cache), ("thought_signature", call.signature))
            self.dropped += [name for name, value in fields if value]
        self.items.append({"type": _ITEM_TYPE[call.kind], **item, **head, **(call.extra if self.own else {})})

    def _result(self, result: ToolResult, head: dict[str, Json]) -> None:
        output = self._content(result.parts, "output", "input_text")
        plain = result.plain or (not self.own and all(part["type"] == "input_text" for part in output))
        body: Json = "\n".join(part["text"] for part in output) if plain else output
        kind = "custom_tool_call_output" if result.call_id in self._custom else "function_call_output"
        if not self.own and (result.extra or result.is_error or result.cache):
            self.dropped += [f"tool_result.{name}" for name in result.extra]
            fields = (("tool_result.is_error", result.is_error), ("cache_control", result.cache))
            self.dropped += [name for name, value in fields if value]
        self.items.append({"type": kind, "call_id": result.call_id, "output": body, **head, **(result.extra if self.own else {})})

    def _thinking(self, part: Thinking | RedactedThinking) -> None:
        """Write a reasoning item of OpenAI; thoughts of other providers are dropped, because OpenAI refuses them."""
        if isinstance(part, Thinking) and part.dialect == NAME and part.raw is not None:
            self.items.append(part.raw)
            return
        if isinstance(part, Thinking):
            content = unmark(part.signature) or MarkedContent(part.dialect, part.signature or "")
            if content.dialect == NAME and content.data:
                identity = {"id": content.id} if content.id else {}  # OpenAI accepts none, but refuses another item's
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                self.items.append({"type": "reasoning", **identity, "summary": summary, "encrypted_content": content.data})
                return
        self.dropped.append("thinking" if isinstance(part, Thinking) else "redacted_thinking")


def _is_of_model(item: dict[str, Json]) -> bool:
    return item.get("type") in _OF_MODEL or item.get("role") == "assistant"


def _is_content(part: Part) -> bool:
    """Whether the part belongs into a message item, and is not an item of its own."""
    if isinstance(part, Opaque):
        return part.dialect != NAME or part.name.startswith(CONTENT)
    return isinstance(part, (Text, Media, Refusal))
