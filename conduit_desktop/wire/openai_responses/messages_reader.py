"""Reads the items of a Responses request into neutral turns.

Items are a flat list; what the model said without the user in between (thoughts, words, calls) is one assistant turn.
"""

from __future__ import annotations

from typing import Any

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
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid, missing
from conduit_desktop.wire.openai_responses.content_parts import read_part
from conduit_desktop.wire.openai_responses.fields import HEAD, NAME, remember
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames
from conduit_desktop.wire.provenance import unmark

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system", "developer": "developer"}
CALLS = {"function_call": "function", "custom_tool_call": "custom"}
RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})


class ItemReader:
    """Reads the items of one request, in order."""

    def __init__(self, source_form: dict[str, str], names: FlatToolNames) -> None:
        self._source_form = source_form
        self._names = names
        self.messages: list[Message] = []

    def read(self, items: list[Json]) -> list[Message]:
        """The turns; raises BadRequest with the path of the field that is wrong."""
        for index, raw in enumerate(items):
            self._item(FieldReader(raw, f"input[{index}]", self._source_form), raw)
        return self.messages

    def _item(self, fields: FieldReader, raw: dict[str, Json]) -> None:
        kind = raw.get("type")
        if kind is None and "role" not in raw:
            if not isinstance(raw.get("id"), str):
                raise missing(fields.at("type"))
            kind = "item_reference"
        if kind is not None and not isinstance(kind, str):
            raise invalid(fields.at("type"), "a string", kind)
        if kind in (None, "message"):
            self._message(fields)
        elif kind in CALLS:
            self._call(fields, kind)
        elif kind in RESULTS:
            self._result(fields)
        elif kind == "reasoning":
            self._reasoning(fields.path, raw)
        else:
            self._opaque(kind, raw)

    def _assistant(self) -> Message:
        """The assistant's open turn, or a new one."""
        if not self.messages or self.messages[-1].role != "assistant":
            self.messages.append(Message("assistant", plain=True))
        return self.messages[-1]

    def _message(self, fields: FieldReader) -> None:
        role = fields.need_text("role")
        if role not in _ROLES:
            raise invalid(fields.at("role"), f"one of {', '.join(_ROLES)}", role)
        if "content" not in fields.rest:
            raise missing(fields.at("content"))
        content = fields.rest.pop("content")
        parts = self._parts(content, fields.at("content"), role == "assistant")
        envelope = {"role": role, "parts": len(parts), "plain": isinstance(content, str), "head": fields.rest}
        remember(self._source_form, fields.path, envelope)
        turn = self._assistant() if role == "assistant" else Message(_ROLES[role], plain=isinstance(content, str))
        if turn.role != "assistant":
            self.messages.append(turn)
        turn.parts += parts
        turn.extra |= {name: value for name, value in fields.rest.items() if name not in HEAD}

    def _parts(self, content: Json, path: str, assistant: bool) -> list[Part]:
        if isinstance(content, str):
            return [Text(content)] if content else []
        if not isinstance(content, list):
            raise invalid(path, "a string or an array of parts", content)
        usual = "output_text" if assistant else "input_text"
        return [
            read_part(FieldReader(part, f"{path}[{index}]", self._source_form), usual)  # type: ignore[arg-type]  # one of two words
            for index, part in enumerate(content)
        ]

    def _head(self, fields: FieldReader) -> None:
        remember(self._source_form, fields.path, {"head": {name: fields.rest.pop(name) for name in HEAD if name in fields.rest}})

    def _call(self, fields: FieldReader, kind: str) -> None:
        self._head(fields)
        call_id, name = fields.need_text("call_id"), fields.need_text("name")
        arguments = fields.need_text("input" if kind == "custom_tool_call" else "arguments")
        if isinstance(fields.rest.get("namespace"), str):
            name = self._names.flatten(fields.rest.pop("namespace"), name)
        call = ToolCall(call_id, name, arguments, "custom" if kind == "custom_tool_call" else "function", extra=fields.rest)
        self._assistant().parts.append(call)

    def _result(self, fields: FieldReader) -> None:
        self._head(fields)
        call_id = fields.need_text("call_id")
        if "output" not in fields.rest:
            raise missing(fields.at("output"))
        output = fields.rest.pop("output")
        parts = self._parts(output, fields.at("output"), assistant=False)
        result = ToolResult(call_id, parts, plain=isinstance(output, str), extra=fields.rest)
        self.messages.append(Message("tool", [result]))

    def _reasoning(self, path: str, raw: dict[str, Json]) -> None:
        """OpenAI's thoughts stay as they are; another's, carried by the client, become that provider's again."""
        sealed = unmark(raw.get("encrypted_content"))
        part: Part
        if sealed is None:
            part = Thinking(thought(raw), _text(raw.get("encrypted_content")), dialect=NAME, raw=raw)
        else:
            remember(self._source_form, path, {"raw": raw})
            hidden = sealed.kind == "hidden"
            part = RedactedThinking(sealed.data) if hidden else Thinking(thought(raw), sealed.data or None, dialect=sealed.dialect)
        self._assistant().parts.append(part)

    def _opaque(self, kind: str, raw: dict[str, Json]) -> None:
        part = Opaque(NAME, kind, raw)
        role = raw.get("role")
        if kind.endswith("_output") or kind == "mcp_approval_response":
            self.messages.append(Message("user", [part]))
        elif role in ("user", "system", "developer"):
            self.messages.append(Message(_ROLES[role], [part]))
        else:
            self._assistant().parts.append(part)


def thought(item: dict[str, Any]) -> str:
    """What a reasoning item says: the thoughts themselves, else their summary."""
    for name in ("content", "summary"):
        parts = item.get(name)
        texts = [part["text"] for part in parts if _says(part)] if isinstance(parts, list) else []
        if texts:
            return "\n\n".join(texts)
    return ""


def _says(part: Json) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str) and bool(part["text"])


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None
