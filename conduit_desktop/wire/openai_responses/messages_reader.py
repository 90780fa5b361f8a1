"""Reads the items of a Responses request into neutral messages.

Items are a flat list. Reasoning, text and calls of the model without a user item in between become one assistant message.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from conduit_desktop.core.chat import (
    Json,
    Message,
    Opaque,
    Part,
    RedactedThinking,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.json_fields import FieldReader, SourceForm
from conduit_desktop.wire.openai_responses.compaction import as_message
from conduit_desktop.wire.openai_responses.content_parts import TextType, read_part
from conduit_desktop.wire.openai_responses.fields import ENVELOPE, NAME, note_json
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames
from conduit_desktop.wire.provenance import unmark

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}
_ONE_OF_ROLES = f"one of {', '.join(_ROLES)}"
CALLS: dict[str, str] = {"function_call": "function", "custom_tool_call": "custom"}
RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


_HEADS = {kind: f'{{"head":{{"type":"{kind}"}}}}' for kind in ("function_call", "function_call_output")}


@lru_cache(maxsize=64)
def _note_without_head(role: str, parts: int, plain: bool, has_type: bool) -> str:
    """What `note_json` keeps of a message that has no other field than its type: the same text for nearly all of them."""
    head = {"type": "message"} if has_type else {}
    return orjson.dumps({"role": role, "parts": parts, "plain": plain, "head": head}).decode()


class ItemReader:
    """Reads the items of one request, in order."""

    def __init__(self, source_form: SourceForm, names: FlatToolNames) -> None:
        self._source_form = source_form
        self._names = names
        self.messages: list[Message] = []

    def read(self, items: list[Json]) -> list[Message]:
        """The messages; raises BadRequest with the path of the field that is wrong."""
        for index, raw in enumerate(items):
            if not self._is_usual(index, raw):
                self._item(FieldReader(raw, "input", self._source_form, index=index))
        return self.messages

    def _is_usual(self, index: int, raw: Json) -> bool:
        """Read a text, a function's call or its result in its usual form, as `_item` does; False for any other item.

        Nearly all items of a long history are such, and a reader for each would take most of the time of its translation.
        """
        if type(raw) is not dict:
            return False
        if "role" in raw:
            return raw.get("type", "message") == "message" and self._is_usual_message(index, raw)
        kind, call_id = raw.get("type"), raw.get("call_id")
        # The fields of the envelope besides the type.
        head = len(raw) - (3 if kind == "function_call_output" else 4)
        if type(call_id) is not str or (head and head != ("id" in raw) + ("status" in raw) + ("phase" in raw)):
            return False
        if kind == "function_call" and type(name := raw.get("name")) is type(arguments := raw.get("arguments")) is str:
            self._assistant().parts.append(ToolCall(call_id, name, arguments))
        elif kind == "function_call_output" and type(output := raw.get("output")) is str:
            result = ToolResult(call_id, [Text(output)] if output else [], None, None, True)
            self.messages.append(Message("tool", [result]))
        else:
            return False
        if head:
            envelope = {name: raw[name] for name in ENVELOPE if name in raw}
            note_json(self._source_form, f"input[{index}]", {"head": envelope})
        else:
            # The same as `note_json`, for the type alone.
            self._source_form[f"input[{index}]"] = _HEADS[kind]
        return True

    def _is_usual_message(self, index: int, raw: dict[str, Json]) -> bool:
        role, content, has_type = raw["role"], raw.get("content"), "type" in raw
        head: dict[str, Json] | None = None
        if len(raw) != 2 + has_type:
            head = {name: value for name, value in raw.items() if name in ENVELOPE}
        if type(role) is not str or role not in _ROLES or (head is not None and len(head) != len(raw) - 2):
            return False
        parts: list[Part] = []
        if type(content) is str:
            parts += [Text(content)] if content else []
        elif type(content) is list and content:
            usual = "output_text" if role == "assistant" else "input_text"
            for part in content:
                if type(part) is not dict or len(part) != 2 or part.get("type") != usual or type(part.get("text")) is not str:
                    return False
                parts.append(Text(part["text"]))
        else:
            return False
        plain = type(content) is str
        if head is None:
            self._source_form[f"input[{index}]"] = _note_without_head(role, len(parts), plain, has_type)
        else:
            note_json(self._source_form, f"input[{index}]", {"role": role, "parts": len(parts), "plain": plain, "head": head})
        if role != "assistant":
            self.messages.append(Message(_ROLES[role], parts, None, plain))
        else:
            self._assistant().parts += parts
        return True

    def _item(self, fields: FieldReader) -> None:
        raw = fields.raw
        kind = raw.get("type")
        if kind is None and "role" not in raw:
            # An item reference may leave its type out.
            if not isinstance(raw.get("id"), str):
                raise fields.missing("type")
            kind = "item_reference"
        if kind is not None and not isinstance(kind, str):
            raise fields.invalid("type", "a string", kind)
        if kind in (None, "message"):
            self._message(fields)
        elif kind in CALLS:
            self._call(fields, kind)
        elif kind in RESULTS:
            self._result(fields)
        elif kind == "reasoning":
            self._reasoning(fields.path, raw)
        elif (message := as_message(raw)) is not None:
            self._message(FieldReader(message, fields.path, self._source_form))
        else:
            self._opaque(kind, raw)

    def _assistant(self) -> Message:
        """The assistant message that ends the conversation so far, or a new one."""
        if not self.messages or self.messages[-1].role != "assistant":
            self.messages.append(Message("assistant", plain=True))
        return self.messages[-1]

    def _message(self, fields: FieldReader) -> None:
        role = fields.required_choice("role", _ROLES, _ONE_OF_ROLES)
        content, parts = _parts(fields, "content", "output_text" if role == "assistant" else "input_text")
        envelope = {"role": role, "parts": len(parts), "plain": isinstance(content, str), "head": fields.rest}
        # Several items become one message, so only the notes show where each of them ended.
        note_json(self._source_form, fields.path, envelope)
        if role != "assistant":
            self.messages.append(Message(_ROLES[role], plain=isinstance(content, str)))
        message = self._assistant() if role == "assistant" else self.messages[-1]
        message.parts += parts
        message.extra |= {name: value for name, value in fields.rest.items() if name not in ENVELOPE}

    def _envelope(self, fields: FieldReader) -> None:
        head = {name: fields.rest.pop(name) for name in ENVELOPE if name in fields.rest}
        note_json(self._source_form, fields.path, {"head": head})

    def _call(self, fields: FieldReader, kind: str) -> None:
        self._envelope(fields)
        call_id, name = fields.required_string("call_id"), fields.required_string("name")
        arguments = fields.required_string("input" if kind == "custom_tool_call" else "arguments")
        if isinstance(fields.rest.get("namespace"), str):
            name = self._names.flatten(fields.rest.pop("namespace"), name)
        call = ToolCall(call_id, name, arguments, "custom" if kind == "custom_tool_call" else "function", extra=fields.rest)
        self._assistant().parts.append(call)

    def _result(self, fields: FieldReader) -> None:
        self._envelope(fields)
        call_id = fields.required_string("call_id")
        output, parts = _parts(fields, "output", "input_text")
        result = ToolResult(call_id, parts, plain=isinstance(output, str), extra=fields.rest)
        self.messages.append(Message("tool", [result]))

    def _reasoning(self, path: str, raw: dict[str, Json]) -> None:
        """OpenAI's reasoning stays as it is; another provider's, which the client carried, becomes that provider's again."""
        sealed = unmark(raw.get("encrypted_content"))
        part: Part
        if sealed is None:
            part = Thinking(reasoning_text(raw), _text(raw.get("encrypted_content")), dialect=NAME, raw=raw)
        else:
            # A writer of this dialect needs the item as it came; the neutral part no longer shows the mark.
            note_json(self._source_form, path, {"raw": raw})
            if sealed.kind == "hidden":
                part = RedactedThinking(sealed.data)
            else:
                part = Thinking(reasoning_text(raw), sealed.data or None, dialect=sealed.dialect)
        self._assistant().parts.append(part)

    def _opaque(self, kind: str, raw: dict[str, Json]) -> None:
        part = Opaque(NAME, kind, raw)
        role = raw.get("role")
        # What the client adds ends the model's turn; other unknown items, such as hosted calls, are the model's own.
        if kind.endswith("_output") or kind == "mcp_approval_response":
            self.messages.append(Message("user", [part]))
        elif role in ("user", "system", "developer"):
            self.messages.append(Message(_ROLES[role], [part]))
        else:
            self._assistant().parts.append(part)


def _parts(fields: FieldReader, name: str, text_type: TextType) -> tuple[Json, list[Part]]:
    """The content that must stand under `name`, as it came and as parts."""
    if name not in fields.rest:
        raise fields.missing(name)
    content = fields.rest.pop(name)
    if isinstance(content, str):
        return content, [Text(content)] if content else []
    if not isinstance(content, list):
        raise fields.invalid(name, "a string or an array of parts", content)
    return content, [read_part(part, text_type) for part in fields.items(name, content)]


def reasoning_text(item: dict[str, Any]) -> str:
    """The text of a reasoning item: the reasoning itself, else its summary."""
    for name in ("content", "summary"):
        parts = item.get(name)
        texts = [part["text"] for part in parts if _has_text(part)] if isinstance(parts, list) else []
        if texts:
            # Summary parts are paragraphs, and nothing else would separate them in one text.
            return "\n\n".join(texts)
    return ""


def _has_text(part: Json) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and bool(part["text"])


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
