"""Writes neutral parts as content blocks of Bedrock's Converse API."""

from __future__ import annotations

import base64
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
from conduit_desktop.wire.base import DroppingWriter
from conduit_desktop.wire.bedrock.messages_reader import FORMATS, NAME, cited_block
from conduit_desktop.wire.json_fields import SourceForm
from conduit_desktop.wire.values import as_object, may_be_signature, standard_media

Block = dict[str, Json]

_FORMAT_NAMES = {kind: {media_type: name for name, media_type in formats.items()} for kind, formats in FORMATS.items()}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\-()\[\] ]+")
_MAX_NAME_LENGTH = 190  # of 200, with room for a number
_SIGNERS = ("", NAME, "anthropic_messages")
"""The dialects whose thinking signatures are valid here: Claude's are the same wherever it is served."""


class BedrockPartWriter(DroppingWriter):
    """Writes parts as blocks. `source_form` is that of the request; `cites`: the model reads what a document says about itself."""

    def __init__(self, own: bool, source_form: SourceForm, cites: bool = False) -> None:
        super().__init__(own)
        self._cites = cites
        self._source_form = source_form
        self._documents: dict[str, int] = {}

    def content(self, parts: Iterable[Part], path: str = "") -> list[Block]:
        """The blocks for `parts`; a cache mark is a block of its own after its part. `path` is where they stand in the request."""
        written: list[Block] = []
        for part in parts:
            block = self.block(part, f"{path}[{len(written)}]")
            if block is None:
                continue
            written.append(block)
            if not self.own and isinstance(part, ToolResult):
                written += _settle_result(block["toolResult"])
            cache = getattr(part, "cache", None)
            if cache is not None:
                written.append(cache_point(cache))
        return written

    def block(self, part: Part, path: str) -> Block | None:
        """One block; None for a part that Bedrock would refuse or not understand."""
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
        return self.with_extra({"text": part.text}, part.extra, "content") if part.text.strip() else None

    def _thinking(self, part: Thinking) -> Block | None:
        if not self.own and not _is_claudes(part):
            self.drop("thinking")  # a thought without Claude's signature is refused
            return None
        signed = {} if part.signature is None else {"signature": part.signature}
        return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}

    def _call(self, part: ToolCall) -> Block | None:
        if part.kind == "hosted":
            self.drop(f"tool_calls[{part.name}]")
            return None
        if part.signature is not None:
            # Gemini's signature, which no other vendor can check.
            self.drop("thought_signature")
        value: Json
        if self.own:
            # Not `as_object`: Bedrock's input may be any JSON value, and an own one must not change.
            value = orjson.loads(part.arguments or "{}")
        else:
            value, lossless = as_object(part)
            if not lossless:
                self.drop("tool_calls.arguments")
        fields = {"toolUseId": part.id, "name": part.name, "input": value}
        return {"toolUse": self.with_extra(fields, part.extra, "tool_calls")}

    def _result(self, part: ToolResult, path: str) -> Block:
        kept = [each for each in part.parts if self.own or not (isinstance(each, Media) and each.kind == "audio")]
        if len(kept) < len(part.parts):
            self.drop("tool_result.audio")  # a result may hold every other kind of file
        content = self.content(kept, f"{path}.toolResult.content")
        if not content and not self.own:
            content = [{"text": "."}]  # a result must not be empty
        fields: Block = {"toolUseId": part.call_id, "content": content}
        if part.is_error is not None:
            fields["status"] = "error" if part.is_error else "success"
        return {"toolResult": self.with_extra(fields, part.extra, "tool_result")}

    def _media(self, part: Media) -> Block | None:
        part = part if self.own else standard_media(part)
        format_name = self._format(part)
        source = self._source(part)
        # Bedrock lets a document go without a format, and an own request must not gain one.
        without_format = self.own and part.kind == "document" and part.media_type is None
        if (format_name is None and not without_format) or source is None:
            self.drop(f"{part.kind}.{'file_id' if part.file_id else 'url' if part.url else part.media_type or 'data'}")
            return None
        fields: Block = {"source": source} if without_format else {"format": format_name, "source": source}
        if part.name is not None or part.kind == "document":
            # A document's name is required, and file names have dots and underscores, which are refused.
            fields["name"] = part.name if self.own else self._document_name(part.name)
            if self.own and part.name is None:
                del fields["name"]
        if not self.own and part.detail not in (None, "auto"):
            self.drop(f"{part.kind}.detail")
        extra = {name: value for name, value in part.extra.items() if name != "s3Location"}
        if self._cites and not self.own and part.kind == "document":
            # Anthropic's fields of a document have the same names and values here.
            fields |= {name: extra.pop(name) for name in ("context", "citations") if extra.get(name) is not None}
        return {part.kind: self.with_extra(fields, extra, "content")}

    def _document_name(self, name: str | None) -> str:
        """A name that no other document of the request has: "messages contain duplicate document names"."""
        found = document_name(name)
        self._documents[found] = self._documents.get(found, 0) + 1
        return found if self._documents[found] == 1 else self._document_name(f"{found} ({self._documents[found]})")

    def _format(self, part: Media) -> str | None:
        # The text goes out as the bytes of a text file (see `_source`).
        if part.text is not None and not self.own:
            return "txt"
        names = _FORMAT_NAMES[part.kind]
        found = names.get(part.media_type or "")
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
        # Converse fetches nothing from the web: of addresses it takes those of S3 alone.
        if part.url is not None and part.url.startswith("s3://"):
            return {"s3Location": {"uri": part.url, **part.extra.get("s3Location", {})}}
        return None


def cache_point(ttl: CacheTtl) -> Block:
    """A cache point. Without `ttl` it lasts five minutes."""
    return {"cachePoint": {"type": "default", "ttl": "1h"} if ttl == "1h" else {"type": "default"}}


def document_name(name: str | None) -> str:
    """A name that Bedrock accepts: letters, digits, single spaces, hyphens and brackets.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
    """
    return " ".join(_NOT_IN_NAMES.sub(" ", name or "").split())[:_MAX_NAME_LENGTH].strip() or "document"


def _is_claudes(part: Thinking) -> bool:
    if part.signature is None or part.dialect not in _SIGNERS:
        return False
    # Nobody can say where a thought without a dialect comes from: the client handed it over.
    return part.dialect != "" or may_be_signature(part.signature)


def _settle_result(result: Block) -> list[Block]:
    """Arrange a written `toolResult`, in place, as the models take it; returns the blocks that have to stand after it."""
    content = result["content"]
    # A cache point is no part of a result: it stands after it.
    points = [block for block in content if "cachePoint" in block]
    # Claude: "all content must be type text if is_error is true".
    moved = [block for block in content if result.get("status") == "error" and ("image" in block or "document" in block)]
    result["content"] = [block for block in content if block not in points and block not in moved] or [{"text": "."}]
    return moved + points[-1:]
