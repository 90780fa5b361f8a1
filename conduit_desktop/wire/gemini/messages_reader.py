"""Reads Gemini's contents and their parts into neutral messages."""

from __future__ import annotations

import hashlib
from mimetypes import guess_type

import orjson

from conduit_desktop.core.chat import (
    Json,
    Media,
    MediaKind,
    Message,
    Opaque,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire.gemini.field_names import NAME, as_list, note, note_name, note_value
from conduit_desktop.wire.gemini.reasoning import foreign_signature
from conduit_desktop.wire.json_fields import GOOGLE_STYLE, FieldReader, SourceForm
from conduit_desktop.wire.provenance import unmark

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BARE = ("output", "result", "error")
"""Keys of a function's response that is nothing but text; the writer uses the first."""
_MODIFIERS = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"})


class ContentReader:
    """Reads one conversation; keeps the calls that have no result yet."""

    def __init__(self, source_form: SourceForm) -> None:
        self._source_form = source_form
        self._open_calls: list[tuple[str, str]] = []
        """(id, name) of the calls in the model's last turn that have no result."""
        self._last_role: Role | None = None

    def message(self, content: Json, path: str) -> Message:
        """One content; raises BadRequest with the path of the field that is wrong."""
        fields = self._fields(content, path, "a Content")
        given = fields.take("role")
        if given is None:
            note(self._source_form, fields.at("role"), "absent")
        role = _ROLES.get("user" if given is None else given) if isinstance(given, str | None) else None
        if role is None:
            raise fields.invalid("role", "user or model", given)
        # A new turn of the model closes the calls of the one before: Google wants results directly after their calls. Neighbouring
        # contents of the model are one turn: google-genai keeps each chunk of a stream as a content, the empty last one, too.
        if role == "assistant" and self._last_role != "assistant":
            self._open_calls = []
        self._last_role = role
        # The writer has `function` for results, so only the note brings this role back.
        if given == "tool":
            note_value(self._source_form, fields.at("role"), given)
        parts = self.parts(fields)
        plain = len(parts) == 1 and isinstance(parts[0], Text)
        return Message(role, parts, plain=plain, extra=fields.rest)

    def _fields(self, value: Json, path: str, expected: str) -> FieldReader:
        return FieldReader(value, path, self._source_form, GOOGLE_STYLE, expected)

    def parts(self, fields: FieldReader) -> list[Part]:
        """The parts of a content or of a function's response; none where it has no `parts`."""
        path = fields.at("parts")
        if "parts" not in fields.rest:
            note(self._source_form, path, "absent")
            return []
        parts = as_list(fields.take("parts"), self._source_form, path)
        return [self._part(part) for part in fields.items("parts", parts, "a Part")]

    def _part(self, fields: FieldReader) -> Part:
        part = fields.raw
        if "functionCall" in part:
            return self._call(fields)
        if "functionResponse" in part:
            return self._result(fields)
        if "inlineData" in part or "fileData" in part:
            return _media(fields)
        if "text" in part:
            return _text(fields)
        return Opaque(NAME, next((key for key in part if key not in _MODIFIERS), "part"), part)

    def _call(self, fields: FieldReader) -> ToolCall:
        inner = fields.required_child("functionCall")
        name, call_id = inner.required_string("name"), inner.take("id")
        if not isinstance(call_id, str) or not call_id:
            self._note_no_id(inner)
            call_id = _made_id(fields.path, name)
        args = inner.mapping("args")
        if args is None:
            note(self._source_form, inner.at("args"), "absent")
        signature = _signature(fields)
        self._open_calls.append((call_id, name))
        return ToolCall(call_id, name, orjson.dumps(args or {}).decode(), signature=signature, extra=fields.rest_with(inner))

    def _note_no_id(self, inner: FieldReader) -> None:
        if "id" in inner.raw:
            note_value(self._source_form, inner.at("id"), inner.raw["id"])
        else:
            note(self._source_form, inner.at("id"), "absent")

    def _result(self, fields: FieldReader) -> ToolResult:
        inner = fields.required_child("functionResponse")
        name, call_id = inner.required_string("name"), inner.take("id")
        if not isinstance(call_id, str) or not call_id:
            self._note_no_id(inner)
            # Results without an id are matched by name, in the order of the calls; other dialects need the id.
            call_id = self._open_call(name) or _made_id(fields.path, name)
        self._open_calls = [call for call in self._open_calls if call[0] != call_id]
        result = ToolResult(call_id, name=name)
        self._response(result, inner)
        if "parts" in inner.rest:
            result.parts += self.parts(inner)
            result.plain = False
        result.extra = fields.rest_with(inner)
        return result

    def _open_call(self, name: str) -> str | None:
        """The first call of that name without a result, else the first of all."""
        first = self._open_calls[0][0] if self._open_calls else None
        return next((call_id for call_id, called in self._open_calls if called == name), first)

    def _response(self, result: ToolResult, inner: FieldReader) -> None:
        """Text alone is under one key; any other response becomes JSON text."""
        path = inner.at("response")
        response = inner.mapping("response")
        if response is None:
            note(self._source_form, path, "absent")
            result.plain = True
            return
        # A default pair for an empty object, which has no item to unpack.
        (key, value), *more = [*response.items()] or [("", None)]
        if not more and key in _BARE and isinstance(value, str):
            result.plain = True
            result.parts = [Text(value)]
            result.is_error = True if key == "error" else None
            if key == "result":
                note_name(self._source_form, path, "output", key)
        else:
            text = _wrapped_text(response, result.name)
            result.parts = [Text(orjson.dumps(response).decode() if text is None else text)]
            note_value(self._source_form, path, response)


def _wrapped_text(response: dict[str, Json], name: str | None) -> str | None:
    """The text of a response that a client put into an object only because Gemini wants one."""
    match response:
        case {"return_value": str(text), **more} if not more:  # pydantic-ai
            return text
        case {"name": str(called), "content": str(text), **more} if not more and called == name:  # Vercel's AI SDK
            return text
        case _:
            return None


def _made_id(path: str, name: str) -> str:
    """An id for a call that has none: the same for the same position, whatever follows it."""
    return "call_" + hashlib.sha256(f"{path} {name}".encode()).hexdigest()[:20]


def _media(fields: FieldReader) -> Media:
    key = "inlineData" if "inlineData" in fields.raw else "fileData"
    inner = fields.required_child(key)
    mime, name = inner.rest.pop("mimeType", None), inner.rest.get("displayName")
    value = inner.required_string("data" if key == "inlineData" else "fileUri")
    media = Media("document", media_type=mime if isinstance(mime, str) else None)
    if key == "inlineData":
        media.data = value
    elif is_public(value):
        media.url = value
    else:
        media.file_id = value
    media.kind = media_kind(media.media_type, value if key == "fileData" else "")
    if isinstance(name, str):
        media.name = inner.string("displayName")
    media.extra = fields.rest_with(inner)
    return media


def is_public(uri: str) -> bool:
    """Whether any server can fetch it: not a storage bucket, and not a file that was uploaded to Google."""
    return uri.startswith(("http://", "https://")) and "generativelanguage.googleapis.com/" not in uri


def media_kind(mime: str | None, uri: str = "") -> MediaKind:
    """The kind of a media type, or else of a URL."""
    # A YouTube address has no file extension to guess from.
    if mime is None and "youtu" in uri:
        return "video"
    kind = (mime or guess_type(uri.partition("?")[0])[0] or "").partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"  # type: ignore[return-value]  # they are the kinds


def _text(fields: FieldReader) -> Part:
    text = fields.required_string("text")
    return _thinking(fields, text) if fields.raw.get("thought") is True else Text(text, extra=fields.rest)


def _thinking(fields: FieldReader, text: str) -> Thinking:
    """Gemini's thinking, or another provider's that is known by the mark in its signature."""
    del fields.rest["thought"]
    signature = _signature(fields)
    marked = foreign_signature(signature)
    sealed = unmark(marked)
    if sealed is None:
        return Thinking(text, signature, fields.rest, dialect=NAME)
    return Thinking(text, marked if sealed.id else sealed.data or None, fields.rest, sealed.dialect)


def _signature(fields: FieldReader) -> str | None:
    signature = fields.rest.pop("thoughtSignature", None)
    return signature if isinstance(signature, str) else None
