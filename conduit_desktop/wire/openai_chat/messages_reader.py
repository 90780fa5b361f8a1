"""Reads the messages of an OpenAI chat request into neutral messages and parts."""

from __future__ import annotations

import hashlib
from typing import get_args

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import (
    Json,
    Media,
    Message,
    Opaque,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.json_fields import FieldReader
from conduit_desktop.wire.openai_chat.fields import NAME, note_legacy, read_audio, read_cache, set_location
from conduit_desktop.wire.openai_chat.reasoning import FIELDS, ThinkingReader
from conduit_desktop.wire.openai_chat.tool_calls import thought_signature

ROLES = frozenset(get_args(Role)) | {"function"}
_SPEAKERS = ("user", "assistant", "system", "developer")
_ONE_OF_ROLES = f"one of {', '.join(sorted(ROLES))}"


def read_messages(body: FieldReader) -> list[Message]:
    """`messages` of a request; raises BadRequest where there are none."""
    values = body.array("messages")
    if values is None:
        raise body.missing("messages")
    if not values:
        raise body.invalid("messages", "at least one message", values)
    open_calls = LegacyCalls()
    return [
        _usual_message(value) or _message(body.item("messages", index, value), open_calls) for index, value in enumerate(values)
    ]


def _usual_message(value: Json) -> Message | None:
    """A message with text alone or with calls, in its usual form, as `_message` reads it; None for one with any further field.

    Nearly all messages of a long history are such, and a reader for each would take most of the time of its translation. Arguments
    by name would take half as long again.
    """
    if type(value) is not dict:
        return None
    role, content, size = value.get("role"), value.get("content"), len(value)
    if type(content) is not str or not content:
        return None
    if role == "tool" and size == 3:
        call_id = value.get("tool_call_id")
        return Message("tool", [ToolResult(call_id, [Text(content)], None, None, True)]) if type(call_id) is str else None
    if size == 2 and role in _SPEAKERS:
        return Message(role, [Text(content)], None, True)
    if role != "assistant" or size != 3 or type(calls := value.get("tool_calls")) is not list or not calls:
        return None
    parts: list[Part] = [Text(content)]
    for call in calls:
        if (part := _usual_call(call)) is None:
            return None
        parts.append(part)
    return Message("assistant", parts, None, True)


def _usual_call(call: Json) -> ToolCall | None:
    """A function's call with its usual fields, as `_tool_call` reads it; None for one with any further field."""
    function = call.get("function") if type(call) is dict and len(call) == 3 and call.get("type") == "function" else None
    if type(function) is not dict or len(function) != 2:
        return None
    call_id, name, arguments = call.get("id"), function.get("name"), function.get("arguments")
    return ToolCall(call_id, name, arguments) if type(call_id) is type(name) is type(arguments) is str else None


class LegacyCalls:
    """The calls of a conversation in the form before tools, `function_call`, which has no ids: each gets one for its result.

    https://platform.openai.com/docs/api-reference/chat/create#chat-create-functions
    """

    def __init__(self) -> None:
        self._open: dict[str, list[str]] = {}

    def read(self, fields: FieldReader) -> ToolCall | None:
        """The call in `function_call` of an assistant's message; None where there is none, or one of `tool_calls` besides."""
        if not isinstance(fields.rest.get("function_call"), dict) or fields.raw.get("tool_calls"):
            return None
        inner = fields.required_child("function_call")
        name, arguments = inner.required_string("name"), inner.string("arguments")
        if arguments is None:
            inner.note_absent("arguments")
        # The same for the same position, whatever follows it.
        call_id = "call_" + hashlib.sha256(f"{fields.path} {name}".encode("utf-8", "surrogatepass")).hexdigest()[:20]
        self._open.setdefault(name, []).append(call_id)
        note_legacy(fields.source_form, call_id)
        return ToolCall(call_id, name, arguments or "", extra={"function_call": inner.rest} if inner.rest else {})

    def answered_by(self, name: str) -> str:
        """The id of the first call of the function without a result; empty where there is none."""
        ids = self._open.get(name)
        return ids.pop(0) if ids else ""


def _message(fields: FieldReader, open_calls: LegacyCalls) -> Message:
    role = fields.required_choice("role", ROLES, _ONE_OF_ROLES)
    if role in ("tool", "function"):
        return _tool_message(fields, role, open_calls)
    message = Message(role, name=fields.string("name"))  # type: ignore[arg-type]  # narrowed by ROLES
    if role == "assistant":
        message.parts += _thinking(fields)
    # An assistant message that only calls tools may leave its content out.
    parts, message.plain = _content(fields, required=role != "assistant")
    message.parts += parts
    if role == "assistant":
        _refusal(fields, message)
        message.parts += [_tool_call(call) for call in fields.children("tool_calls")]
        if (legacy := open_calls.read(fields)) is not None:
            message.parts.append(legacy)
    message.extra = fields.rest
    return message


def _tool_message(fields: FieldReader, role: str, open_calls: LegacyCalls) -> Message:
    # `function` is the role of tool results before tool calls had ids; its results name the function instead.
    legacy = role == "function"
    name = fields.required_string("name") if legacy else fields.string("name")
    call_id = open_calls.answered_by(name or "") if legacy else fields.required_string("tool_call_id")
    parts, plain = _content(fields, required=False)
    if legacy:
        note_legacy(fields.source_form, call_id)
    return Message("tool", [ToolResult(call_id, parts, name, plain=plain)], extra=fields.rest)


def _thinking(fields: FieldReader) -> list[Part]:
    """The reasoning fields of compatible vendors, kept as they came for the same dialect."""
    raw: dict[str, Json] = {}
    for name in FIELDS:
        value = fields.take(name)
        if value == "":
            fields.note(name, "empty")
        elif value is not None:
            raw[name] = value
    if not raw:
        return []
    parts = collect(ThinkingReader().read(raw)).first.parts
    neutral: list[Part] = [part for part in parts if not isinstance(part, Opaque)]
    for part in neutral:
        if isinstance(part, Thinking):
            # A vendor expects its reasoning back in the fields it came in, so they are kept together with one part.
            part.dialect, part.raw = NAME, {"message": raw}
            return neutral
    return [Opaque(NAME, "reasoning", raw), *neutral]


def _content(fields: FieldReader, required: bool) -> tuple[list[Part], bool]:
    """`content` as parts, and whether it was bare text; how an absent or empty one was written is noted."""
    if "content" not in fields.rest:
        if required:
            raise fields.missing("content")
        fields.note_absent("content")
        return [], True
    content = fields.take("content")
    if isinstance(content, list):
        if not content:
            fields.note("content", "list")
        return [_part(part) for part in fields.items("content", content)], False
    if isinstance(content, str):
        if not content:
            fields.note("content", "empty")
        return ([Text(content)] if content else []), True
    if content is None and not required:
        return [], True
    raise fields.invalid("content", "a string or an array of parts", content)


def _refusal(fields: FieldReader, message: Message) -> None:
    refusal = fields.filled_string("refusal")
    # A list of parts may hold refusals itself, from which the writer could not tell the field's.
    if refusal is not None and message.plain:
        message.parts.append(Refusal(refusal))
    elif refusal is not None:
        fields.rest["refusal"] = refusal


def _tool_call(fields: FieldReader) -> ToolCall:
    kind = fields.string("type")
    if kind is None:
        fields.note_absent("type")
    elif kind not in ("function", "custom"):
        raise fields.invalid("type", "'function' or 'custom'", kind)
    call_id = fields.required_string("id")
    inner = fields.required_child("custom" if kind == "custom" else "function")
    name = inner.required_string("name")
    field = "input" if kind == "custom" else "arguments"
    arguments = inner.string(field)
    if arguments is None:
        inner.note_absent(field)
    signature, extra = thought_signature(fields.rest)
    if inner.rest:
        extra["function"] = inner.rest
    return ToolCall(call_id, name, arguments or "", "custom" if kind == "custom" else "function", signature, extra=extra)


def _part(fields: FieldReader) -> Part:
    raw = fields.raw
    kind = fields.required_string("type")
    match kind:
        case "text":
            text = fields.required_string("text")
            cache = read_cache(fields)
            return Text(text, cache, extra=fields.rest)
        case "image_url" | "video_url":
            return _linked(fields, kind)
        case "input_audio" if isinstance(fields.rest.get("input_audio"), dict):
            cache = read_cache(fields)
            audio = read_audio(fields)
            audio.cache = cache
            return audio
        case "file":
            return _file(fields)
        # A neutral refusal is text alone; a part with further fields is kept whole as opaque.
        case "refusal" if len(raw) == 2 and isinstance(raw.get("refusal"), str):
            return Refusal(raw["refusal"])
        case "thinking":
            return Thinking(thinking_text(raw.get("thinking")), dialect=NAME, raw={"part": raw})
    return Opaque(NAME, kind, raw)


def thinking_text(value: Json) -> str:
    """The text in Mistral's `thinking`: a string, or a list of text parts."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _linked(fields: FieldReader, kind: str) -> Media:
    """An image or a video by URL, which may hold the data itself; Mistral takes the URL without an object around it."""
    if isinstance(fields.rest.get(kind), str):
        fields.note(kind, "string")
        fields.rest[kind] = {"url": fields.rest[kind]}
    inner = fields.required_child(kind)
    url = inner.required_string("url")
    media = Media("image" if kind == "image_url" else "video", detail=inner.string("detail"), cache=read_cache(fields))
    set_location(media, url)
    media.extra = fields.rest_with(inner)
    return media


def _file(fields: FieldReader) -> Media:
    inner = fields.required_child("file")
    data = inner.string("file_data")
    media = Media("document", file_id=inner.string("file_id"), name=inner.string("filename"), cache=read_cache(fields))
    if data is not None:
        # OpenAI takes data only; a URL is an extension of compatible vendors.
        if data.startswith(("data:", "http:", "https:")):
            set_location(media, data)
        else:
            media.data = data
    elif media.file_id is None:
        raise inner.missing("file_data")
    media.extra = fields.rest_with(inner)
    return media
