"""Neutral parts, written as content blocks of Bedrock's Converse API."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import assert_never

import orjson

from conduit_desktop.core.chat import (
    CacheTtl,
    Json,
    Media,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.base64_values import standard
from conduit_desktop.wire.bedrock.messages_reader import FORMATS, NAME, cited_block
from conduit_desktop.wire.json_fields import SourceForm
from conduit_desktop.wire.values import as_object

Block = dict[str, Json]

_WORDS = {kind: {media_type: word for word, media_type in words.items()} for kind, words in FORMATS.items()}
_UNFIT_FOR_AN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_UNFIT_FOR_A_NAME = re.compile(r"[^a-zA-Z0-9\-()\[\] ]+")
_IMAGE_MAGIC = {"/9j/": "jpeg", "iVBORw0KGgo": "png", "R0lGOD": "gif", "UklGR": "webp"}
_LONGEST_ID = 64
_SIGNERS = ("", NAME, "anthropic_messages")
"""The dialects whose signatures mean something here: a Claude signs alike wherever it is served."""


class BedrockPartWriter:
    """Writes parts as blocks. `own`: they were read from this dialect, so they are said again exactly as they were."""

    def __init__(self, own: bool, source_form: SourceForm) -> None:
        self.own = own
        self._source_form = source_form
        self.dropped: dict[str, None] = {}

    def drop(self, *names: str) -> None:
        """Note what had to go."""
        self.dropped.update(dict.fromkeys(names))

    def content(self, parts: Iterable[Part], path: str = "") -> list[Block]:
        """The blocks for `parts`, each cache mark a block of its own behind its part."""
        written: list[Block] = []
        for part in parts:
            block = self.block(part, f"{path}[{len(written)}]")
            if block is None:
                continue
            written.append(block)
            cache = getattr(part, "cache", None)
            if cache is not None:
                written.append(cache_point(cache))
        return written

    def block(self, part: Part, path: str) -> Block | None:
        """One block; None for what Bedrock would refuse or not understand."""
        match part:
            case Text():
                return self._text(part, path)
            case Refusal():
                return {"text": part.text} if part.text.strip() else None
            case Media():
                return self._media(part)
            case Thinking():
                return self._thinking(part)
            case RedactedThinking():
                return {"reasoningContent": {"redactedContent": part.data}}
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part, path)
            case Opaque():
                if part.dialect == NAME and isinstance(part.value, dict):
                    return part.value
                self.drop(f"content[{part.name}]")
                return None
            case _:
                assert_never(part)

    def _extra(self, block: Block, extra: Block, what: str) -> Block:
        if self.own:
            return {**block, **extra}
        self.drop(*(f"{what}.{name}" for name, value in extra.items() if value is not None))
        return block

    def _text(self, part: Text, path: str) -> Block | None:
        if self.own:
            if self._source_form.get(path) == "json":
                return {"json": orjson.loads(part.text)}
            if "guardContent" in part.extra:
                return {"guardContent": {"text": {"text": part.text, **part.extra["guardContent"]}}}
            if part.citations:
                return cited_block(part.text, [citation.raw for citation in part.citations])
            return {"text": part.text}
        if part.citations:
            self.drop("citations")
        return self._extra({"text": part.text}, part.extra, "content") if part.text.strip() else None

    def _thinking(self, part: Thinking) -> Block | None:
        if not self.own and (part.signature is None or part.dialect not in _SIGNERS):
            self.drop("thinking")  # a Claude refuses thoughts it has not signed
            return None
        signed = {} if part.signature is None else {"signature": part.signature}
        return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}

    def _call(self, part: ToolCall) -> Block | None:
        if part.kind == "hosted":
            self.drop(f"tool_calls[{part.name}]")
            return None
        if part.signature is not None:
            self.drop("thought_signature")
        value: Json
        if self.own:
            value = orjson.loads(part.arguments or "{}")
        else:
            value, whole = as_object(part)
            if not whole:
                self.drop("tool_calls.arguments")
        said = {"toolUseId": part.id if self.own else tool_id(part.id), "name": part.name, "input": value}
        return {"toolUse": self._extra(said, part.extra, "tool_calls")}

    def _result(self, part: ToolResult, path: str) -> Block:
        held = [each for each in part.parts if self.own or not (isinstance(each, Media) and each.kind == "audio")]
        if len(held) < len(part.parts):
            self.drop("tool_result.audio")  # every other kind of file may stand in a result
        content = self.content(held, f"{path}.toolResult.content")
        if not content and not self.own:
            content = [{"text": "."}]  # a result must not be empty
        said: Block = {"toolUseId": part.call_id if self.own else tool_id(part.call_id), "content": content}
        if part.is_error is not None:
            said["status"] = "error" if part.is_error else "success"
        return {"toolResult": self._extra(said, part.extra, "tool_result")}

    def _media(self, part: Media) -> Block | None:
        part = part if self.own else standard(part)
        word = self._word(part)
        source = self._source(part)
        unsaid = self.own and part.kind == "document" and part.media_type is None
        if (word is None and not unsaid) or source is None:
            self.drop(f"{part.kind}.{'file_id' if part.file_id else 'url' if part.url else part.media_type or 'data'}")
            return None
        said: Block = {"source": source} if unsaid else {"format": word, "source": source}
        if part.name is not None or part.kind == "document":
            said["name"] = part.name if self.own else document_name(part.name)
            if self.own and part.name is None:
                del said["name"]
        extra = {name: value for name, value in part.extra.items() if name != "s3Location"}
        return {part.kind: self._extra(said, extra, "content")}

    def _word(self, part: Media) -> str | None:
        if part.text is not None and not self.own:
            return "txt"
        words = _WORDS[part.kind]
        found = words.get(part.media_type or "")
        if found is None and part.kind == "image":
            found = next((word for magic, word in _IMAGE_MAGIC.items() if (part.data or "").startswith(magic)), None)
        if found is None and part.kind == "document" and (part.media_type or "").startswith("text/"):
            found = "txt"
        if found is None and part.kind == "document" and part.media_type is None:
            found = "pdf"
        return found or ((part.media_type or "").partition("/")[2] if self.own else None)

    def _source(self, part: Media) -> Json:
        if part.data is not None:
            return {"bytes": part.data}
        if part.text is not None:
            return {"text": part.text} if self.own else {"bytes": base64.b64encode(part.text.encode()).decode()}
        if part.url is not None and part.url.startswith("s3://"):
            return {"s3Location": {"uri": part.url, **part.extra.get("s3Location", {})}}
        return None


def cache_point(ttl: CacheTtl) -> Block:
    """A cache point; five minutes is what no `ttl` means."""
    return {"cachePoint": {"type": "default", "ttl": "1h"} if ttl == "1h" else {"type": "default"}}


def tool_id(call_id: str) -> str:
    """`call_id` in the alphabet and length Bedrock accepts; the same id always gives the same."""
    clean = _UNFIT_FOR_AN_ID.sub("_", call_id)
    if clean and clean == call_id and len(clean) <= _LONGEST_ID:
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{clean[: _LONGEST_ID - 13] or 'tooluse'}_{digest}"


def document_name(name: str | None) -> str:
    """A name Bedrock accepts: letters, digits, single blanks, hyphens and brackets."""
    return " ".join(_UNFIT_FOR_A_NAME.sub(" ", name or "").split()) or "document"
