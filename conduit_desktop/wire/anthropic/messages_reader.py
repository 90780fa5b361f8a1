"""Reads content blocks of Anthropic's Messages API into neutral parts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import orjson

from conduit_desktop.core.chat import (
    CacheTtl,
    Citation,
    Json,
    Media,
    MediaKind,
    Opaque,
    Part,
    RedactedThinking,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.json_fields import FieldReader
from conduit_desktop.wire.provenance import unmark

NAME = "anthropic_messages"

Fields = dict[str, Json]

TOOL_USE = frozenset({"type", "id", "name", "input"})
"""The fields of a `tool_use` block in answers."""

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
"""Start and end of a citation's text in characters, as `provenance.write_citation` marks those of other providers."""


def read_cache(fields: FieldReader) -> CacheTtl | None:
    """Take `cache_control`; one with more than a lifetime (a scope) is kept whole in `rest`."""
    mark = fields.rest.pop("cache_control", None)
    if not isinstance(mark, dict):
        return None
    ttl: CacheTtl = "1h" if mark.get("ttl") == "1h" else "5m"
    if mark == {"type": "ephemeral", "ttl": "5m"}:
        # Five minutes is also what no `ttl` means: only the note lets the request be written as it was.
        fields.note("cache_control.ttl", "5m")
    elif mark != cache_mark(ttl):
        fields.rest["cache_control"] = mark
    return ttl


def cache_mark(ttl: CacheTtl) -> Fields:
    """`cache_control` for that lifetime. No `ttl` means five minutes.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    return {"type": "ephemeral", "ttl": "1h"} if ttl == "1h" else {"type": "ephemeral"}


def read_content(fields: FieldReader, name: str = "content") -> tuple[list[Part], bool]:
    """A message's content as parts, and whether it was bare text."""
    content = fields.take(name)
    if content is None:
        raise fields.missing(name)
    if isinstance(content, str):
        return [Text(content)], True
    if not isinstance(content, list):
        raise fields.invalid(name, "a string or an array of content blocks", content)
    return [
        usual_part(block) or read_block(fields.item(name, index, block, "a content block")) for index, block in enumerate(content)
    ], False


def usual_part(block: Json) -> Part | None:
    """The part of a block in its usual form, as `read_block` reads it; None for a block with any further field.

    Nearly all blocks of a long history are such, and a reader for each would take most of the time of its translation.
    """
    if type(block) is not dict:
        return None
    kind, size = block.get("type"), len(block)
    if kind == "text" and size == 2:
        text = block.get("text")
        return Text(text) if type(text) is str else None
    if kind == "tool_use" and size == 4:
        call_id, name, arguments = block.get("id"), block.get("name"), block.get("input")
        if type(call_id) is str and type(name) is str and type(arguments) is dict:
            return ToolCall(call_id, name, orjson.dumps(arguments).decode())
    elif kind == "tool_result" and 3 <= size <= 4:
        call_id, content, is_error = block.get("tool_use_id"), block.get("content"), block.get("is_error")
        if type(call_id) is not str or (type(is_error) is not bool if size == 4 else "is_error" in block):
            return None
        if type(content) is str:
            return ToolResult(call_id, [Text(content)], None, is_error, True)
        parts = usual_parts(content)
        return ToolResult(call_id, parts, None, is_error) if parts is not None else None
    return None


def usual_parts(content: Json) -> list[Part] | None:
    """The parts of a list of blocks that all have their usual form; None for any other content."""
    if type(content) is not list:
        return None
    parts: list[Part] = []
    for block in content:
        if (part := usual_part(block)) is None:
            return None
        parts.append(part)
    return parts


def read_block(fields: FieldReader) -> Part:
    """One block of a request. A type that no neutral part fits stays whole, as `Opaque`."""
    kind = fields.required_string("type")
    reader = _READERS.get(kind)
    return reader(fields) if reader is not None else Opaque(NAME, kind, fields.raw)


def read_citation(raw: Json, length: int) -> Citation:
    """A citation of any of Anthropic's kinds, kept whole in `raw`, for a text of `length` characters.

    Anthropic's own covers the whole of its text; another provider's, which a client hands back, the range in its mark.
    """
    if not isinstance(raw, dict):
        return Citation(dialect=NAME, raw=raw)
    sealed = unmark(raw.get("encrypted_index"))
    place = _RANGE.fullmatch(sealed.data if sealed is not None else f"0-{length}" if length else "")
    source = raw.get("source")  # of a search result: a URL, or any name the client gave it
    return Citation(
        url=raw.get("url") or (source if isinstance(source, str) and "://" in source else None),
        title=raw.get("title") or raw.get("document_title") or source,
        quote=raw.get("cited_text") or None,
        start=int(place[1]) if place else None,
        end=int(place[2]) if place else None,
        dialect=NAME,
        raw=raw,
    )


def _text(fields: FieldReader) -> Part:
    text = fields.required_string("text")
    citations = fields.rest.pop("citations", None)
    # A neutral text has an empty list in both cases; the note keeps a list of none apart from no list at all.
    if citations == []:
        fields.note("citations", "list")
    cited = [read_citation(raw, len(text)) for raw in citations] if isinstance(citations, list) else []
    return Text(text, read_cache(fields), cited, fields.rest)


def _media(fields: FieldReader) -> Part:
    kind = cast(MediaKind, fields.raw["type"])
    source = fields.required_child("source")
    source.required_string("type")
    media = Media(kind, name=fields.string("title"), cache=read_cache(fields), extra=fields.rest)
    return media if _read_source(media, source) else Opaque(NAME, kind, fields.raw)


def _read_source(media: Media, fields: FieldReader) -> bool:
    """The media's data or address; False for a source that no neutral field fits."""
    known: tuple[str, ...]
    match fields.raw:
        case {"type": "base64", "data": str(data)}:
            media.data, known = data, ("data", "media_type")
        case {"type": "url", "url": str(url)}:
            media.url, known = url, ("url",)
        case {"type": "file", "file_id": str(file_id)}:
            media.file_id, known = file_id, ("file_id", "media_type")
        case {"type": "text", "data": str(text)}:
            media.text, known = text, ("data", "media_type")
        case {"type": "content", "content": content}:
            # Its blocks hold more than their text (images, citations): all of them stay in `extra` too.
            media.text, known = _plain_text(content), ()
            fields.rest = {key: value for key, value in fields.raw.items() if value is not None}
        # A kind of source that was added later: the block stays whole, and the API decides on it.
        case _:
            return False
    media.media_type = fields.string("media_type")
    if more := {key: value for key, value in fields.rest.items() if key not in known}:
        media.extra["source"] = more
    return True


def _plain_text(content: Json) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str))


def _tool_use(fields: FieldReader) -> Part:
    call_id, name = fields.required_string("id"), fields.required_string("name")
    arguments = orjson.dumps(fields.required_mapping("input")).decode()
    return ToolCall(call_id, name, arguments, cache=read_cache(fields), extra=fields.rest)


def _tool_result(fields: FieldReader) -> Part:
    call_id, is_error = fields.required_string("tool_use_id"), fields.boolean("is_error")
    # Content is optional here, unlike in a message: a tool may return nothing.
    parts, plain = ([], True) if fields.raw.get("content") is None else read_content(fields)
    return ToolResult(call_id, parts, None, is_error, plain, read_cache(fields), fields.rest)


def _thinking(fields: FieldReader) -> Part:
    """Claude's thinking, or another provider's that is known by the mark in its signature."""
    text, signature = fields.required_string("thinking"), fields.string("signature")
    sealed = unmark(signature)
    if sealed is None:
        return Thinking(text, signature, fields.rest)
    # OpenAI refuses a thought under another id than its item's, so a mark that holds an id is kept whole.
    return Thinking(text, signature if sealed.id else sealed.data or None, fields.rest, sealed.dialect)


def _redacted(fields: FieldReader) -> Part:
    data = fields.required_string("data")
    # The neutral part holds no further fields, so a block with any stays whole.
    return RedactedThinking(data) if len(fields.raw) == 2 else Opaque(NAME, "redacted_thinking", fields.raw)


_READERS: dict[str, Callable[[FieldReader], Part]] = {
    "text": _text,
    "image": _media,
    "document": _media,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
