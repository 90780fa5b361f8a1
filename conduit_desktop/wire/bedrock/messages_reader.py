"""Content blocks of Bedrock's Converse API, read into neutral parts.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import (
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

NAME = "bedrock"

FORMATS: dict[str, dict[str, str]] = {
    "image": {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"},
    "document": {
        "pdf": "application/pdf", "csv": "text/csv", "doc": "application/msword", "html": "text/html", "txt": "text/plain",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "md": "text/markdown",
        "xls": "application/vnd.ms-excel", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    },
    "video": {
        "mkv": "video/x-matroska", "mov": "video/quicktime", "mp4": "video/mp4", "webm": "video/webm", "flv": "video/x-flv",
        "mpeg": "video/mpeg", "mpg": "video/mpg", "wmv": "video/x-ms-wmv", "three_gp": "video/3gpp",
    },
    "audio": {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "aac": "audio/aac", "opus": "audio/opus",
              "ogg": "audio/ogg", "m4a": "audio/m4a"},
}  # fmt: skip
"""Media types by Bedrock's format names."""


def read_content(fields: FieldReader, name: str) -> list[Part]:
    """The blocks of a message, of `system` or of a result. A cache point marks the part before it."""
    parts: list[Part] = []
    for block in fields.items(name, fields.array(name) or [], "a content block"):
        if not block.raw:
            raise block.style.invalid(block.path, "a content block", block.raw)
        point = block.raw.get("cachePoint")
        if point in ({"type": "default"}, {"type": "default", "ttl": "1h"}) and len(block.raw) == 1 and _mark(parts, point):
            continue
        parts.append(read_block(block))
    return parts


def _mark(parts: list[Part], point: dict[str, str]) -> bool:
    last = parts[-1] if parts else None
    # A point without such a part before it stays a block of its own, so that its place is not lost.
    if not isinstance(last, Text | Media | ToolCall | ToolResult) or last.cache is not None:
        return False
    last.cache = "1h" if point.get("ttl") == "1h" else "5m"
    return True


def read_block(fields: FieldReader) -> Part:
    """One block; a kind that no neutral part fits stays whole, as `Opaque`."""
    block = fields.raw
    kind = next(iter(block))
    # A block has one kind; a second key is something newer that no neutral part could keep.
    if len(block) > 1:
        return Opaque(NAME, kind, block)
    if kind == "text":
        return Text(fields.required_string(kind))
    part: Part | None = None
    if kind in FORMATS:
        part = _media(kind, fields.required_child(kind))  # type: ignore[arg-type]  # the table's keys are the kinds
    elif kind == "toolUse":
        part = _call(fields.required_child(kind))
    elif kind == "toolResult":
        part = _result(fields.required_child(kind))
    elif kind == "reasoningContent":
        part = read_thinking(block[kind])
    elif kind == "guardContent":
        part = _guarded(block[kind])
    elif kind == "citationsContent":
        part = _cited(block[kind])
    elif kind == "json":
        # Other dialects have no JSON in a result, so it becomes text; the note brings it back for Bedrock.
        fields.source_form[fields.path] = "json"
        part = Text(orjson.dumps(block[kind]).decode())
    return Opaque(NAME, kind, block) if part is None else part


def _media(kind: MediaKind, fields: FieldReader) -> Media | None:
    # `format` is optional for documents alone (API_runtime_DocumentBlock).
    form = fields.string("format") if kind == "document" else fields.required_string("format")
    source: Json = fields.mapping("source")
    name = fields.string("name")
    media_type = None if form is None else FORMATS[kind].get(form, f"{kind}/{form}")
    media = Media(kind, media_type=media_type, name=name, extra=fields.rest)
    match source:
        case {"bytes": str(data)} if len(source) == 1:
            media.data = data
        case {"text": str(text)} if len(source) == 1:
            media.text = text
        case {"s3Location": {"uri": str(uri), **more}} if len(source) == 1:
            media.url = uri
            if more:
                media.extra["s3Location"] = more
        case _:
            return None
    return media


def _call(fields: FieldReader) -> Part | None:
    if "type" in fields.rest and fields.rest["type"] != "tool_use":
        return None  # a tool that Bedrock runs itself
    call_id, name, value = fields.required_string("toolUseId"), fields.required_string("name"), fields.take("input")
    return ToolCall(call_id, name, orjson.dumps({} if value is None else value).decode(), extra=fields.rest)


def _result(fields: FieldReader) -> Part | None:
    # A result of a tool that Bedrock runs itself, as with the calls.
    if "type" in fields.rest and fields.rest["type"] != "tool_result":
        return None
    call_id, status = fields.required_string("toolUseId"), fields.string("status")
    parts = read_content(fields, "content")
    if status not in (None, "success", "error"):
        raise fields.invalid("status", "success or error", status)
    return ToolResult(call_id, parts, is_error=None if status is None else status == "error", extra=fields.rest)


def read_thinking(value: Json) -> Part | None:
    """Thinking, plain or redacted. The signature of a Claude model is the one that Anthropic's own API gives."""
    # Only blocks of known fields: one with more stays whole, so that Bedrock gets back all that it sent.
    match value:
        case {"reasoningText": {"text": str(text), "signature": str(signature)} as inner} if len(value) == 1 and len(inner) == 2:
            return Thinking(text, signature)
        case {"reasoningText": {"text": str(text)} as inner} if len(value) == 1 and len(inner) == 1:
            return Thinking(text)
        case {"redactedContent": str(data)} if len(value) == 1:
            return RedactedThinking(data)
        case _:
            return None


def _guarded(value: Json) -> Part | None:
    """A text that a guardrail checks."""
    match value:
        case {"text": {"text": str(text), **more}} if len(value) == 1:
            return Text(text, extra={"guardContent": more})
        case _:
            return None


def _cited(value: Json) -> Part | None:
    match value:
        case {"content": [{"text": str(text)}], "citations": [*citations]} if len(value) == 2 and citations:
            return Text(text, citations=[read_citation(raw).over(len(text)) for raw in citations])
        case {"citations": [*citations]} if len(value) == 1 and citations:  # sources of the text in another block
            return Text("", citations=[read_citation(raw) for raw in citations])
        case _:
            return None


def cited_block(text: str, citations: list[Json]) -> dict[str, Json]:
    """A text and its sources; sources alone where the text is empty."""
    return {"citationsContent": {**({"content": [{"text": text}]} if text else {}), "citations": citations}}


def read_citation(raw: Json) -> Citation:
    """A citation; `raw` keeps it as it came."""
    fields = raw if isinstance(raw, dict) else {}
    location = fields.get("location")
    web = location.get("web") if isinstance(location, dict) else None
    quotes = [str(each.get("text") or "") for each in fields.get("sourceContent") or () if isinstance(each, dict)]
    url = web.get("url") if isinstance(web, dict) else None
    return Citation(url, fields.get("title"), "".join(quotes) or None, dialect=NAME, raw=raw)
