"""Reads the messages of an OpenAI chat request into neutral turns and parts."""

from __future__ import annotations

import re
from typing import get_args

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import (
    CacheTtl,
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
from conduit_desktop.wire.openai_chat.fields import NAME, FieldReader, invalid, missing
from conduit_desktop.wire.openai_chat.reasoning import FIELDS, ThinkingReader
from conduit_desktop.wire.openai_chat.tool_calls import thought_signature

ROLES = frozenset(get_args(Role)) | {"function"}
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)
_AUDIO_TYPES = {"mp3": "audio/mpeg"}


def read_messages(body: FieldReader) -> list[Message]:
    """`messages` of a request."""
    raw = body.array("messages")
    if raw is None:
        raise missing("messages")
    if not raw:
        raise invalid("messages", "at least one message", raw)
    return [_message(FieldReader(value, f"messages[{index}]", body.source_form)) for index, value in enumerate(raw)]


def _message(fields: FieldReader) -> Message:
    role = fields.need_text("role")
    if role not in ROLES:
        raise invalid(fields.at("role"), f"one of {', '.join(sorted(ROLES))}", role)
    if role in ("tool", "function"):
        return _tool_message(fields, role)
    message = Message(role, name=fields.text("name"))  # type: ignore[arg-type]  # narrowed by ROLES
    if role == "assistant":
        message.parts += _thinking(fields)
    parts, message.plain = _content(fields, required=role != "assistant")
    message.parts += parts
    if role == "assistant":
        _refusal(fields, message)
        message.parts += _tool_calls(fields)
    message.extra = fields.rest
    return message


def _tool_message(fields: FieldReader, role: str) -> Message:
    legacy = role == "function"
    call_id = "" if legacy else fields.need_text("tool_call_id")
    name = fields.need_text("name") if legacy else fields.text("name")
    parts, plain = _content(fields, required=False)
    extra: dict[str, Json] = {"role": role} if legacy else {}
    return Message("tool", [ToolResult(call_id, parts, name, plain=plain, extra=extra)], extra=fields.rest)


def _thinking(fields: FieldReader) -> list[Part]:
    """The thinking fields of compatible vendors, kept as they came for the same dialect."""
    said = {name: value for name in FIELDS if name in fields.rest and (value := fields.take(name)) is not None}
    for name in [name for name, value in said.items() if value == ""]:
        fields.source_form[fields.at(name)] = "empty"
        del said[name]
    if not said:
        return []
    parts = collect(ThinkingReader().read(said)).first.parts
    neutral: list[Part] = [part for part in parts if not isinstance(part, Opaque)]
    for part in neutral:
        if isinstance(part, Thinking):
            part.dialect, part.raw = NAME, {"message": said}
            return neutral
    return [Opaque(NAME, "reasoning", said), *neutral]


def _content(fields: FieldReader, required: bool) -> tuple[list[Part], bool]:
    """`content` as parts, and whether it was bare text. Without words or parts, the source_form says how."""
    at = fields.at("content")
    if "content" not in fields.rest:
        if required:
            raise missing(at)
        fields.source_form[at] = "absent"
        return [], True
    content = fields.take("content")
    if isinstance(content, list):
        if not content:
            fields.source_form[at] = "list"
        return [_part(FieldReader(part, f"{at}[{index}]", fields.source_form)) for index, part in enumerate(content)], False
    if isinstance(content, str):
        if not content:
            fields.source_form[at] = "empty"
        return ([Text(content)] if content else []), True
    if content is None and not required:
        return [], True
    raise invalid(at, "a string or an array of parts", content)


def _refusal(fields: FieldReader, message: Message) -> None:
    refusal = fields.text("refusal")
    if refusal == "":
        fields.source_form[fields.at("refusal")] = "empty"
    elif refusal is not None and message.plain:
        message.parts.append(Refusal(refusal))
    elif refusal is not None:
        fields.rest["refusal"] = refusal


def _tool_calls(fields: FieldReader) -> list[Part]:
    raw = fields.array("tool_calls")
    if raw == []:
        fields.source_form[fields.at("tool_calls")] = "list"
    return [
        _tool_call(FieldReader(value, f"{fields.at('tool_calls')}[{index}]", fields.source_form))
        for index, value in enumerate(raw or [])
    ]


def _tool_call(fields: FieldReader) -> ToolCall:
    kind = fields.text("type")
    if kind is None:
        fields.source_form.setdefault(fields.at("type"), "absent")
    elif kind not in ("function", "custom"):
        raise invalid(fields.at("type"), "'function' or 'custom'", kind)
    call_id = fields.need_text("id")
    inner = fields.inner("custom" if kind == "custom" else "function")
    name = inner.need_text("name")
    said = "input" if kind == "custom" else "arguments"
    arguments = inner.text(said)
    if arguments is None:
        fields.source_form.setdefault(inner.at(said), "absent")
    signature, extra = thought_signature(fields.rest)
    if inner.rest:
        extra["function"] = inner.rest
    return ToolCall(call_id, name, arguments or "", "custom" if kind == "custom" else "function", signature, extra=extra)


def _part(fields: FieldReader) -> Part:
    raw = dict(fields.rest)
    kind = fields.need_text("type")
    match kind:
        case "text":
            text = fields.rest.pop("text", None)
            if text is None:
                raise missing(fields.at("text"))
            if not isinstance(text, str):
                raise invalid(fields.at("text"), "a string", text)
            cache = read_cache(fields)
            return Text(text, cache, extra=fields.rest)
        case "image_url" | "video_url":
            return _linked(fields, kind)
        case "input_audio" if isinstance(fields.rest.get("input_audio"), dict):
            return _audio(fields)
        case "file":
            return _file(fields)
        case "refusal" if len(raw) == 2 and isinstance(raw.get("refusal"), str):
            return Refusal(raw["refusal"])
        case "thinking":
            return Thinking(thinking_text(raw.get("thinking")), dialect=NAME, raw={"part": raw})
    return Opaque(NAME, kind, raw)


def thinking_text(value: Json) -> str:
    """The words in Mistral's `thinking`: a string, or a list of text parts."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def _linked(fields: FieldReader, kind: str) -> Media:
    """An image or a film by address, which may hold the data itself."""
    if isinstance(fields.rest.get(kind), str):
        fields.source_form[fields.at(kind)] = "string"
        inner = FieldReader({"url": fields.rest.pop(kind)}, fields.at(kind), fields.source_form)
    else:
        inner = fields.inner(kind)
    url = inner.need_text("url")
    media = Media("image" if kind == "image_url" else "video", detail=inner.text("detail"), cache=read_cache(fields))
    _locate(media, url)
    media.extra = {**fields.rest, **({kind: inner.rest} if inner.rest else {})}
    return media


def _locate(media: Media, url: str) -> None:
    found = _DATA_URL.match(url)
    if found:
        media.media_type, media.data = found[1], url[found.end() :]
    else:
        media.url = url


def _audio(fields: FieldReader) -> Media:
    inner = fields.inner("input_audio")
    data, form = inner.need_text("data"), inner.text("format")
    media = Media(
        "audio", data=data, media_type=_AUDIO_TYPES.get(form, f"audio/{form}") if form else None, cache=read_cache(fields)
    )
    media.extra = {**fields.rest, **({"input_audio": inner.rest} if inner.rest else {})}
    return media


def _file(fields: FieldReader) -> Media:
    inner = fields.inner("file")
    data = inner.text("file_data")
    media = Media("document", file_id=inner.text("file_id"), name=inner.text("filename"), cache=read_cache(fields))
    if data is not None:
        if data.startswith(("data:", "http:", "https:")):
            _locate(media, data)
        else:
            media.data = data
    elif media.file_id is None:
        raise missing(inner.at("file_data"))
    media.extra = {**fields.rest, **({"file": inner.rest} if inner.rest else {})}
    return media


def read_cache(fields: FieldReader) -> CacheTtl | None:
    """Take `cache_control` of a part or a tool, if it is one that is known."""
    match fields.rest.get("cache_control"):
        case {"type": "ephemeral", **rest} if not rest:
            del fields.rest["cache_control"]
            return "5m"
        case {"type": "ephemeral", "ttl": "5m" | "1h" as ttl, **rest} if not rest:
            del fields.rest["cache_control"]
            if ttl == "5m":
                fields.source_form[fields.at("cache_control")] = "5m"
            return "1h" if ttl == "1h" else "5m"
    return None
