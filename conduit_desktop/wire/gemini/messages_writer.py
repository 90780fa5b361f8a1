"""Writes neutral parts as parts of Gemini's contents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from mimetypes import guess_type
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
from conduit_desktop.wire import json_text
from conduit_desktop.wire.gemini.field_names import NAME, Fields
from conduit_desktop.wire.gemini.reasoning import portable_signature
from conduit_desktop.wire.values import as_object, decoded_text, left_out, named_text, standard_media

_TYPES = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4", "document": "application/pdf"}
"""The media type of a file where neither its type nor its name shows it. Vertex AI requires one."""

_READABLE = re.compile(r"image/(?:png|jpeg|webp|heic|heif)\b|audio/|video/|application/pdf\b")
"""The media types of other files that Google reads. https://ai.google.dev/gemini-api/docs/image-understanding#supported-formats"""


class GeminiPartWriter:
    """Writes parts. `own`: they were read from this dialect, and are written exactly as they were."""

    def __init__(self, own: bool) -> None:
        self.own = own
        self.dropped: list[str] = []
        self._names: dict[str, str] = {}
        """The function names of the calls written so far, by id, because a result must name its function."""

    def content(self, parts: Iterable[Part]) -> list[Fields]:
        """The written parts, without those that Gemini cannot express."""
        return [written for part in parts if (written := self.part(part)) is not None]

    def part(self, part: Part) -> Fields | None:
        """One part; None for one that Gemini cannot express."""
        match part:
            case Text():
                return self._text(part)
            case Refusal():
                return {"text": part.text} if part.text else None
            case Thinking():
                return self._thinking(part)
            case Media():
                return self._media(part)
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case RedactedThinking():
                self.dropped.append("redacted_thinking")
                return None
            case Opaque():
                if part.dialect == NAME and (self.own or part.value):
                    return dict(part.value)
                self.dropped.append(f"content[{part.name}]")
                return None
            case _:
                assert_never(part)

    def _rest(self, part: Fields, extra: Fields, what: str, cache: CacheTtl | None = None) -> Fields:
        """`part` with `extra` where it was read from this dialect; else that is dropped. Gemini has no cache marks."""
        if self.own:
            return {**part, **extra}
        self.dropped += [f"{what}.{name}" for name, value in extra.items() if value is not None]
        if cache is not None:
            self.dropped.append("cache_control")
        return part

    def _text(self, part: Text) -> Fields | None:
        if not self.own and not part.text:
            return None
        if part.citations:
            self.dropped.append("citations")
        return self._rest({"text": part.text}, part.extra, "content", part.cache)

    def _thinking(self, part: Thinking) -> Fields | None:
        """Gemini's own thoughts come from its clients, or from the store of thinking signatures; those of others are dropped."""
        if part.dialect != NAME and not self.own:
            self.dropped.append("thinking")
            return None
        signature = part.signature if part.dialect in ("", NAME) else portable_signature(part.signature or "", part.dialect)
        signed = {} if signature is None else {"thoughtSignature": signature}
        return self._rest({"text": part.text, "thought": True, **signed}, part.extra, "content")

    def _media(self, part: Media) -> Fields | None:
        if not self.own and part.text is not None:
            return self._rest({"text": named_text(part.name, part.text)}, part.extra, "content", part.cache)
        # A file id of another vendor means nothing to Google; a storage bucket's address does.
        if not self.own and part.data is None and part.url is None and not (part.file_id or "").startswith("gs://"):
            self.dropped.append("file_id" if part.file_id else part.kind)
            return None
        if part.detail not in (None, "auto"):
            self.dropped.append(f"{part.kind}.detail")
        if not self.own:
            part = standard_media(part)
            if (text := decoded_text(part)) is not None:
                return self._rest({"text": named_text(part.name, text)}, part.extra, "content", part.cache)
            if not _is_readable(part):
                self.dropped.append(f"{part.kind}.{part.media_type}")
                return self._rest({"text": left_out(part)}, part.extra, "content", part.cache)
            # Files have no names in Gemini's contents.
            if part.name is not None:
                self.dropped.append(f"{part.kind}.name")
        key, inner = self._source(part)
        extra = dict(part.extra)
        if self.own:
            inner |= extra.pop(key, {})
        return self._rest({key: inner}, extra, "content", part.cache)

    def _source(self, part: Media) -> tuple[str, Fields]:
        # An own part without a type stays without one, so that the request goes out as it came.
        kind = part.media_type if self.own else part.media_type or _guess(part)
        inner: Fields = {} if kind is None else {"mimeType": kind}
        if self.own and part.name is not None:
            inner["displayName"] = part.name
        if part.data is not None:
            return "inlineData", {**inner, "data": part.data}
        return "fileData", {**inner, "fileUri": part.url or part.file_id or ""}

    def _call(self, part: ToolCall) -> Fields | None:
        if part.kind == "hosted":
            self.dropped.append(f"tool_calls[{part.name}]")
            return None
        self._names[part.id] = part.name
        args, lossless = as_object(part)
        if not lossless:
            self.dropped.append("tool_calls.arguments")
        extra = dict(part.extra)
        more = extra.pop("functionCall", {}) if self.own else {}
        written: Fields = {"functionCall": {"id": part.id, "name": part.name, "args": args, **more}}
        if part.signature is not None:
            written["thoughtSignature"] = part.signature
        return self._rest(written, extra, "tool_calls", part.cache)

    def _result(self, part: ToolResult) -> Fields:
        # Google refuses a result without a name, or with another than its call's; other dialects have only the call's id.
        called = self._names.get(part.call_id)
        name = (part.name or called if self.own else called or part.name) or part.call_id
        inner: Fields = {"id": part.call_id, "name": name, "response": self._response(part)}
        media = [each for each in part.parts if isinstance(each, Media) and each.text is None]
        # A result may hold files since Gemini 3; for older models the provider moves them (`providers/gemini.py`).
        if files := self.content(media):
            inner["parts"] = files
        extra = dict(part.extra)
        if self.own:
            inner |= extra.pop("functionResponse", {})
        return self._rest({"functionResponse": inner}, extra, "tool_result", part.cache)

    def _response(self, part: ToolResult) -> Fields:
        """The result as an object: itself where its text is one, else under the keys that Google documents for text.

        https://ai.google.dev/api/caching#FunctionResponse
        """
        texts = [each.text or "" for each in part.parts if isinstance(each, Text | Media)]
        for each in part.parts:
            if isinstance(each, Text):
                self._text(each)  # records what is dropped besides its text
            elif not isinstance(each, Media):
                self.dropped.append("tool_result.content")
        text = "\n".join(text for text in texts if text)
        if part.is_error:
            return {"error": text}
        return _as_object(text) or {"output": text}


def _as_object(text: str) -> Json:
    """The JSON object in `text`; None for other text, and for an object with keys that have a meaning for Gemini."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json_text.loads_exact(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and not {"output", "error", "result"} & value.keys() else None


def _is_readable(part: Media) -> bool:
    """Whether Google takes the media type of a file that is sent inline; it decides itself on addresses."""
    return part.data is None or part.media_type is None or _READABLE.match(part.media_type) is not None


def _guess(part: Media) -> str:
    guessed = guess_type((part.name or part.url or "").partition("?")[0])[0]
    return guessed or _TYPES[part.kind]
