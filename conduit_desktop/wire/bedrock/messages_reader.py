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
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid

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
"""Media types by the words Bedrock has for them."""

SourceForm = dict[str, str]


def read_content(content: list[Json], path: str, source_form: SourceForm) -> list[Part]:
    """The blocks of a message, of `system` or of a result. A cache point is a mark on the part before it."""
    parts: list[Part] = []
    for index, block in enumerate(content):
        where = f"{path}[{index}]"
        if not isinstance(block, dict) or not block:
            raise invalid(where, "a content block", block)
        point = block.get("cachePoint")
        if point in ({"type": "default"}, {"type": "default", "ttl": "1h"}) and len(block) == 1 and _mark(parts, point):
            continue
        parts.append(read_block(block, where, source_form))
    return parts


def _mark(parts: list[Part], point: dict[str, str]) -> bool:
    last = parts[-1] if parts else None
    if not isinstance(last, Text | Media | ToolCall | ToolResult) or last.cache is not None:
        return False
    last.cache = "1h" if point.get("ttl") == "1h" else "5m"
    return True


def read_block(block: dict[str, Json], path: str, source_form: SourceForm) -> Part:
    """One block; a kind no neutral word fits stays whole, as `Opaque`."""
    kind = next(iter(block))
    value = block[kind]
    if len(block) > 1:
        return Opaque(NAME, kind, block)
    if kind == "text":
        if not isinstance(value, str):
            raise invalid(f"{path}.text", "a string", value)
        return Text(value)
    found: Part | None = None
    if kind in FORMATS:
        found = _media(kind, FieldReader(value, f"{path}.{kind}", source_form))  # type: ignore[arg-type]  # the table's keys are the kinds
    elif kind == "toolUse":
        found = _call(FieldReader(value, f"{path}.toolUse", source_form))
    elif kind == "toolResult":
        found = _result(FieldReader(value, f"{path}.toolResult", source_form))
    elif kind == "reasoningContent":
        found = read_thinking(value)
    elif kind == "guardContent":
        found = _guarded(value)
    elif kind == "citationsContent":
        found = _cited(value)
    elif kind == "json":
        source_form[path] = "json"
        found = Text(orjson.dumps(value).decode())
    return Opaque(NAME, kind, block) if found is None else found


def _media(kind: MediaKind, fields: FieldReader) -> Media | None:
    said = fields.text("format") if kind == "document" else fields.need_text("format")
    source: Json = fields.mapping("source")
    name = fields.text("name")
    media_type = None if said is None else FORMATS[kind].get(said, f"{kind}/{said}")
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
        return None  # a tool that runs at the vendor's
    call_id, name, value = fields.need_text("toolUseId"), fields.need_text("name"), fields.take("input")
    return ToolCall(call_id, name, orjson.dumps({} if value is None else value).decode(), extra=fields.rest)


def _result(fields: FieldReader) -> Part | None:
    if "type" in fields.rest and fields.rest["type"] != "tool_result":
        return None
    call_id, status = fields.need_text("toolUseId"), fields.text("status")
    content = fields.array("content") or []
    parts = read_content(content, fields.at("content"), fields.source_form)
    if status not in (None, "success", "error"):
        raise invalid(fields.at("status"), "success or error", status)
    return ToolResult(call_id, parts, is_error=None if status is None else status == "error", extra=fields.rest)


def read_thinking(value: Json) -> Part | None:
    """A thought, or one that is hidden. The signature of a Claude is the same as at Anthropic's."""
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
    """A text for the guardrail to look at."""
    match value:
        case {"text": {"text": str(text), **more}} if len(value) == 1:
            return Text(text, extra={"guardContent": more})
        case _:
            return None


def _cited(value: Json) -> Part | None:
    match value:
        case {"content": [{"text": str(text)}], "citations": [*citations]} if len(value) == 2 and citations:
            return Text(text, citations=[read_citation(raw).over(len(text)) for raw in citations])
        case {"citations": [*citations]} if len(value) == 1 and citations:  # sources of what stands elsewhere
            return Text("", citations=[read_citation(raw) for raw in citations])
        case _:
            return None


def cited_block(text: str, citations: list[Json]) -> dict[str, Json]:
    """Words and their sources; sources alone where there are no words."""
    return {"citationsContent": {**({"content": [{"text": text}]} if text else {}), "citations": citations}}


def read_citation(raw: Json) -> Citation:
    """A citation, with its own words kept in `raw`."""
    fields = raw if isinstance(raw, dict) else {}
    location = fields.get("location")
    web = location.get("web") if isinstance(location, dict) else None
    quotes = [str(each.get("text") or "") for each in fields.get("sourceContent") or () if isinstance(each, dict)]
    url = web.get("url") if isinstance(web, dict) else None
    return Citation(url, fields.get("title"), "".join(quotes) or None, dialect=NAME, raw=raw)
