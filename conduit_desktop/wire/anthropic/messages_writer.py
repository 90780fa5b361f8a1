"""Writes neutral parts as content blocks of Anthropic's Messages API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import assert_never

from conduit_desktop.core.chat import (
    CacheTtl,
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
from conduit_desktop.wire.anthropic.messages_reader import NAME, Fields, cache_mark
from conduit_desktop.wire.base import DroppingWriter
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark
from conduit_desktop.wire.values import IMAGE_TYPES, as_object, may_be_signature, standard_media

_SIGNERS = ("", NAME, "bedrock")
"""The dialects whose thinking signatures are valid here: Claude's are the same wherever it is served."""
NO_MESSAGE = "The tool failed without a message."


class AnthropicPartWriter(DroppingWriter):
    """Writes parts as blocks."""

    def content(self, parts: Iterable[Part]) -> list[Fields]:
        """The blocks for `parts`, without those that the API cannot express."""
        blocks: list[Fields] = []
        for part in parts:
            # Nearly all parts of a long history.
            if type(part) is Text and not (self.own or part.cache or part.citations or part.extra):
                if part.text and not part.text.isspace():  # "text content blocks must contain non-whitespace text"
                    blocks.append({"type": "text", "text": part.text})
                continue
            block = self.block(part)
            if block is None:
                continue
            blocks.append(block)
            if not self.own and isinstance(part, ToolResult):
                blocks += _settle_result(block)
        return blocks

    def block(self, part: Part) -> Fields | None:
        """One block; None for a part that Anthropic would refuse or not understand."""
        match part:
            # The most frequent kinds first.
            case ToolCall():
                return self._tool_use(part)
            case ToolResult():
                return self._tool_result(part)
            case Text():
                return self._text(part)
            case Media():
                return self._media(part)
            case Thinking():
                return self._thinking(part)
            case RedactedThinking():
                # Never dropped: readers make this part from Claude's hidden thoughts alone, which are valid wherever Claude is.
                return {"type": "redacted_thinking", "data": part.data}
            case Refusal():
                # The API has no kind of part for a refusal, and it refuses a blank text.
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Opaque():
                return self._opaque(part)
            case _:
                assert_never(part)

    def marks(self, block: Fields, cache: CacheTtl | None, extra: Fields, path: str) -> Fields:
        """`block` with its cache mark, and with `extra` where it was read from this dialect; else that is dropped."""
        if cache is not None:
            block["cache_control"] = cache_mark(cache)
        return self.with_extra(block, extra, path)

    def _text(self, part: Text) -> Fields | None:
        if not self.own and not part.text.strip():
            return None  # "text content blocks must contain non-whitespace text"
        block: Fields = {"type": "text", "text": part.text}
        if citations := [c.raw for c in part.citations if c.dialect == NAME]:
            block["citations"] = citations
        if len(citations) < len(part.citations):
            self.drop("citations")
        return self.marks(block, part.cache, part.extra, "content")

    def _thinking(self, part: Thinking) -> Fields | None:
        if not self.own and not _is_claudes(part):
            self.drop("thinking")  # a thought without Claude's signature is refused
            return None
        block: Fields = {"type": "thinking", "thinking": part.text}
        if self.own and part.dialect not in ("", NAME):
            block["signature"] = (
                part.signature if unmark(part.signature) else mark(MarkedContent(part.dialect, part.signature or ""))
            )
        elif part.signature is not None:
            block["signature"] = part.signature
        return self.marks(block, None, part.extra, "content")

    def _opaque(self, part: Opaque) -> Fields | None:
        if part.dialect == NAME:
            block: Fields = part.value
            return block
        self.drop(f"content[{part.name}]")
        return None

    def _tool_use(self, part: ToolCall) -> Fields | None:
        # Hosted calls of other vendors have kinds that Anthropic does not know, and no result in the conversation.
        if part.kind == "hosted":
            self.drop(f"tool_calls[{part.name}]")
            return None
        if part.signature is not None:
            # Gemini's signature, which no other vendor can check.
            self.drop("thought_signature")
        arguments, lossless = as_object(part)
        if not lossless:
            self.drop("tool_calls.arguments")
        block: Fields = {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        return self.marks(block, part.cache, part.extra, "tool_calls")

    def _tool_result(self, part: ToolResult) -> Fields:
        block: Fields = {"type": "tool_result", "tool_use_id": part.call_id}
        texts = [p.text for p in part.parts if type(p) is Text] if part.plain else []
        if part.plain and len(texts) == len(part.parts):
            # An empty text block is refused, and a result may go without content.
            if texts and (self.own or texts[0]):
                block["content"] = "".join(texts)
        elif (content := self.content(part.parts)) or self.own:
            block["content"] = content
        if part.is_error is not None:
            block["is_error"] = part.is_error
        return self.marks(block, part.cache, part.extra, "tool_result")

    def _media(self, part: Media) -> Fields | None:
        source = self._source(part)
        if source is None:
            return None
        block: Fields = {"type": part.kind, "source": source}
        # Only documents have a title; an image's name is not known to the API.
        if part.name is not None and (self.own or part.kind == "document"):
            block["title"] = part.name
        # `auto` is OpenAI's default, so nothing is lost with it.
        if part.detail not in (None, "auto"):
            self.drop(f"{part.kind}.detail")
        # `source` in `extra` is for `_source`; here it would become a field of the block.
        extra = {key: value for key, value in part.extra.items() if key != "source"}
        return self.marks(block, part.cache, extra, "content")

    def _source(self, part: Media) -> Fields | None:
        source = _plain_source(part) if self.own else self._foreign_source(standard_media(part))
        if source is None:
            return None
        more = part.extra.get("source")
        if self.own and isinstance(more, dict):
            return dict(more) if "type" in more else {**source, **more}
        return source

    def _foreign_source(self, part: Media) -> Fields | None:
        if part.kind not in ("image", "document"):
            self.drop(part.kind)
            return None
        if part.file_id is not None:
            self.drop("file_id")  # a file stored at another vendor
            return None
        if part.kind == "image" and part.data is not None:
            if part.media_type not in (None, *IMAGE_TYPES):
                self.drop(f"image.{part.media_type}")
                return None
            return {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}
        if part.kind == "document" and part.data is not None:
            return self._document_source(part)
        if part.url is None and (part.kind == "image" or part.text is None):
            self.drop(part.kind)  # it has no content
            return None
        return _plain_source(part)

    def _document_source(self, part: Media) -> Fields | None:
        media_type = part.media_type or "application/pdf"
        if media_type == "application/pdf":
            return {"type": "base64", "media_type": media_type, "data": part.data}
        # Besides PDF the API takes documents as plain text only, so text formats are decoded and any other is dropped.
        text = _decoded(part.data or "") if media_type.startswith("text/") or media_type == "application/json" else None
        if text is None:
            self.drop(f"document.{media_type}")
            return None
        return {"type": "text", "media_type": "text/plain", "data": text}


def _settle_result(block: Fields) -> list[Fields]:
    """Arrange a written `tool_result`, in place, as the API takes it; returns the blocks that have to stand after it."""
    content = block.get("content")
    after: list[Fields] = []
    if isinstance(content, list):
        # "cache_control may not be specified within tool_result.content": NousResearch/hermes-agent#89931
        for mark in [inner.pop("cache_control") for inner in content if "cache_control" in inner]:
            if mark.get("ttl") == "1h" or "cache_control" not in block:
                block["cache_control"] = mark
        if block.get("is_error"):
            # "all content must be type text if is_error is true"
            after = [inner for inner in content if inner["type"] != "text"]
            block["content"] = [inner for inner in content if inner["type"] == "text"]
    if block.get("is_error") and not block.get("content"):
        block["content"] = NO_MESSAGE  # "content cannot be empty if is_error is true"
    return after


def _is_claudes(part: Thinking) -> bool:
    if part.signature is None or part.dialect not in _SIGNERS:
        return False
    # Nobody can say where a thought without a dialect comes from: the client handed it over.
    return part.dialect != "" or may_be_signature(part.signature)


def _plain_source(part: Media) -> Fields | None:
    source: Fields
    if part.data is not None:
        source = {"type": "base64", "data": part.data}
    elif part.url is not None:
        source = {"type": "url", "url": part.url}
    elif part.file_id is not None:
        source = {"type": "file", "file_id": part.file_id}
    else:
        source = {"type": "text", "media_type": "text/plain", "data": part.text or ""}
    # A source of type `url` has no `media_type` (see the reader).
    if part.media_type is not None and part.url is None:
        source["media_type"] = part.media_type
    return source


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
