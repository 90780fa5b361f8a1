"""Content blocks of Anthropic's Messages API, read into neutral parts."""

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
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.provenance import unmark

NAME = "anthropic_messages"

Fields = dict[str, Json]

TOOL_USE = frozenset({"type", "id", "name", "input"})
"""What a tool call is made of, in answers."""

_PLACE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)
"""Where in its text a source stands, as its mark keeps it."""
_TYPE_NAMES = {str: "a string", int: "an integer", bool: "true or false", dict: "an object", list: "an array"}


def missing(where: str) -> BadRequest:
    """A required field that is not there."""
    return BadRequest(f"{where}: Field required", code="missing_parameter", param=where)


def wrong(where: str, expected: str) -> BadRequest:
    """A field with a value that cannot be used."""
    return BadRequest(f"{where}: {expected}", code="invalid_parameter", param=where)


def required(fields: Fields, key: str, kind: type, where: str) -> Json:
    """The field `key`, of exactly the type `kind`; `where` is the path of `fields`, empty at the top."""
    path = f"{where}.{key}" if where else key
    value = fields.get(key)
    if value is None:
        raise missing(path)
    if type(value) is not kind:
        raise wrong(path, f"Input should be {_TYPE_NAMES[kind]}")
    return value


def optional_text(fields: Fields, key: str, where: str) -> str | None:
    """A string, or None where it is absent or null; raises BadRequest for anything else."""
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise wrong(f"{where}.{key}", f"Input should be {_TYPE_NAMES[str]}")
    return value


SourceForm = dict[str, str]
"""How a field was said that neutral values keep in one way only, by its path: `null`, `list` (empty) or `5m`."""


def rest(fields: Fields, where: str, source_form: SourceForm, *known: str) -> Fields:
    """What the neutral part has no field for. Nulls count as not said; that they were is kept in `source_form`."""
    for key, value in fields.items():
        if value is None:
            source_form[f"{where}.{key}" if where else key] = "null"
    return {key: value for key, value in fields.items() if key not in known and value is not None}


def read_cache(fields: Fields, where: str, source_form: SourceForm, extra: Fields) -> CacheTtl | None:
    """The cache mark; what it says beyond its lifetime (a scope) is kept with it in `extra`."""
    mark = fields.get("cache_control")
    if not isinstance(mark, dict):
        return None
    ttl: CacheTtl = "1h" if mark.get("ttl") == "1h" else "5m"
    if mark == {"type": "ephemeral", "ttl": "5m"}:
        source_form[f"{where}.cache_control.ttl"] = "5m"
    elif mark != cache_mark(ttl):
        extra["cache_control"] = mark
    return ttl


def restore_source_form(body: Fields, source_form: SourceForm) -> None:
    """Say again in `body` what `source_form` remembers."""
    for path, how in source_form.items():
        if how not in _SAID:
            continue
        *steps, key = path.split(".")
        owner: Json = body
        for step in steps:
            if isinstance(owner, list):
                owner = owner[int(step)] if step.isdecimal() and int(step) < len(owner) else None
            else:
                owner = owner.get(step) if isinstance(owner, dict) else None
        if isinstance(owner, dict) and key not in owner:
            owner[key] = [] if how == "list" else _SAID[how]


_SAID: dict[str, Json] = {"null": None, "5m": "5m", "list": ()}


def cache_mark(ttl: CacheTtl) -> Fields:
    """The usual way to ask for caching; five minutes is what no `ttl` means."""
    return {"type": "ephemeral", "ttl": "1h"} if ttl == "1h" else {"type": "ephemeral"}


def read_content(content: Json, where: str, source_form: SourceForm) -> tuple[list[Part], bool]:
    """A message's content as parts, and whether it was bare text."""
    if isinstance(content, str):
        return [Text(content)], True
    if not isinstance(content, list):
        raise missing(where) if content is None else wrong(where, "Input should be a string or an array of content blocks")
    return [read_block(block, f"{where}.{index}", source_form) for index, block in enumerate(content)], False


def read_block(block: Json, where: str, source_form: SourceForm) -> Part:
    """One block of a request. Types this dialect's neutral words do not cover stay whole, as `Opaque`."""
    if not isinstance(block, dict):
        raise wrong(where, "Input should be a content block")
    kind = required(block, "type", str, where)
    reader = _READERS.get(kind)
    return reader(block, where, source_form) if reader is not None else Opaque(NAME, kind, block)


def read_citation(raw: Json, length: int) -> Citation:
    """A citation of any of Anthropic's kinds, with its own words kept in `raw`, for a text of `length` characters.

    It stands for the whole of its text; another's, that a caller hands back, for the place that its mark says.
    """
    if not isinstance(raw, dict):
        return Citation(dialect=NAME, raw=raw)
    sealed = unmark(raw.get("encrypted_index"))
    place = _PLACE.fullmatch(sealed.data if sealed is not None else f"0-{length}" if length else "")
    source = raw.get("source")  # of a search result: an address, or whatever the caller calls it
    return Citation(
        url=raw.get("url") or (source if isinstance(source, str) and "://" in source else None),
        title=raw.get("title") or raw.get("document_title") or source,
        quote=raw.get("cited_text") or None,
        start=int(place[1]) if place else None,
        end=int(place[2]) if place else None,
        dialect=NAME,
        raw=raw,
    )


def _text(block: Fields, where: str, source_form: SourceForm) -> Part:
    text = required(block, "text", str, where)
    extra = rest(block, where, source_form, "type", "text", "cache_control", "citations")
    citations = block.get("citations")
    if isinstance(citations, list) and citations:
        cited = [read_citation(raw, len(text)) for raw in citations]
        return Text(text, read_cache(block, where, source_form, extra), cited, extra)
    if citations == []:
        source_form[f"{where}.citations"] = "list"
    return Text(text, read_cache(block, where, source_form, extra), extra=extra)


def _media(block: Fields, where: str, source_form: SourceForm) -> Part:
    kind = cast(MediaKind, block["type"])
    source = required(block, "source", dict, where)
    required(source, "type", str, f"{where}.source")
    extra = rest(block, where, source_form, "type", "source", "cache_control", "title")
    media = Media(kind, name=optional_text(block, "title", where), cache=read_cache(block, where, source_form, extra), extra=extra)
    if not _read_source(media, source, where, source_form):
        return Opaque(NAME, kind, block)
    return media


def _read_source(media: Media, source: Fields, where: str, source_form: SourceForm) -> bool:
    """Where the bytes are; False for a source no neutral word fits."""
    known: tuple[str, ...]
    match source:
        case {"type": "base64", "data": str(data)}:
            media.data, known = data, ("type", "data", "media_type")
        case {"type": "url", "url": str(url)}:
            media.url, known = url, ("type", "url")
        case {"type": "file", "file_id": str(file_id)}:
            media.file_id, known = file_id, ("type", "file_id", "media_type")
        case {"type": "text", "data": str(text)}:
            media.text, known = text, ("type", "data", "media_type")
        case {"type": "content", "content": content}:
            media.text, known = _plain_words(content), ()
        case _:
            return False
    media.media_type = optional_text(source, "media_type", f"{where}.source")
    if more := rest(source, f"{where}.source", source_form, *known):
        media.extra["source"] = more
    return True


def _plain_words(content: Json) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(b["text"] for b in blocks if isinstance(b, dict) and isinstance(b.get("text"), str))


def _tool_use(block: Fields, where: str, source_form: SourceForm) -> Part:
    call_id, name = required(block, "id", str, where), required(block, "name", str, where)
    arguments = orjson.dumps(required(block, "input", dict, where)).decode()
    extra = rest(block, where, source_form, "type", "id", "name", "input", "cache_control")
    return ToolCall(call_id, name, arguments, cache=read_cache(block, where, source_form, extra), extra=extra)


def _tool_result(block: Fields, where: str, source_form: SourceForm) -> Part:
    call_id = required(block, "tool_use_id", str, where)
    is_error = block.get("is_error")
    if not isinstance(is_error, bool | None):
        raise wrong(f"{where}.is_error", "Input should be true or false")
    extra = rest(block, where, source_form, "type", "tool_use_id", "content", "is_error", "cache_control")
    content = block.get("content")
    parts, plain = ([], True) if content is None else read_content(content, f"{where}.content", source_form)
    return ToolResult(call_id, parts, None, is_error, plain, read_cache(block, where, source_form, extra), extra)


def _thinking(block: Fields, where: str, source_form: SourceForm) -> Part:
    """A thought: a Claude's, or another's that finds its way back by its mark."""
    text, signature = required(block, "thinking", str, where), optional_text(block, "signature", where)
    extra = rest(block, where, source_form, "type", "thinking", "signature")
    sealed = unmark(signature)
    if sealed is None:
        return Thinking(text, signature, extra)
    return Thinking(text, signature if sealed.id else sealed.data or None, extra, sealed.dialect)


def _redacted(block: Fields, where: str, source_form: SourceForm) -> Part:
    data = required(block, "data", str, where)
    return RedactedThinking(data) if len(block) == 2 else Opaque(NAME, "redacted_thinking", block)


_READERS: dict[str, Callable[[Fields, str, SourceForm], Part]] = {
    "text": _text,
    "image": _media,
    "document": _media,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
