"""Gemini's contents and their parts, read into neutral messages."""

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
from conduit_desktop.wire.gemini.field_names import (
    NAME,
    Fields,
    SourceForm,
    a_list,
    instead,
    missing,
    note,
    wrong,
)
from conduit_desktop.wire.gemini.reasoning import foreign
from conduit_desktop.wire.provenance import unmark

_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "tool", "tool": "tool"}
_BARE = ("output", "result", "error")
"""Keys under which a function's answer stands when it is nothing but text; the first is ours."""
_MODIFIERS = frozenset({"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"})


class ContentReader:
    """Reads one conversation; remembers the calls that have no result yet."""

    def __init__(self, source_form: SourceForm) -> None:
        self._source_form = source_form
        self._waiting: list[tuple[str, str]] = []
        """(id, name) of the calls of the last turn of the model's."""

    def message(self, content: Json, where: str) -> Message:
        """One content; raises BadRequest with the path of what is wrong."""
        if not isinstance(content, dict):
            raise wrong(where, "a Content")
        said = content.get("role")
        if said is None:
            self._source_form[f"{where}.role|absent"] = ""
        role = _ROLES.get("user" if said is None else said) if isinstance(said, str | None) else None
        if role is None:
            raise wrong(f"{where}.role", "user or model")
        if role == "assistant":
            self._waiting = []
        if said == "tool":
            instead(self._source_form, f"{where}.role", said)
        parts = self.parts(content, where)
        plain = len(parts) == 1 and isinstance(parts[0], Text)
        return Message(
            role, parts, plain=plain, extra={key: value for key, value in content.items() if key not in ("role", "parts")}
        )

    def parts(self, content: Fields, where: str) -> list[Part]:
        """The parts of a content; one without any has none."""
        if "parts" not in content:
            self._source_form[f"{where}.parts|absent"] = ""
            return []
        parts = a_list(content["parts"], self._source_form, f"{where}.parts")
        return [self._part(part, f"{where}.parts.{index}") for index, part in enumerate(parts)]

    def _part(self, part: Json, where: str) -> Part:
        if not isinstance(part, dict):
            raise wrong(where, "a Part")
        if "functionCall" in part:
            return self._call(part, where)
        if "functionResponse" in part:
            return self._result(part, where)
        if "inlineData" in part or "fileData" in part:
            return self._media(part, where)
        if "text" in part:
            return _text(part, where)
        return Opaque(NAME, next((key for key in part if key not in _MODIFIERS), "part"), part)

    def _call(self, part: Fields, where: str) -> ToolCall:
        inner = _fields(part, "functionCall", where)
        name, call_id = _name(inner, f"{where}.functionCall"), inner.get("id")
        if not isinstance(call_id, str) or not call_id:
            call_id = self._made(where, name, "functionCall", inner)
        args = inner.get("args")
        if args is None:
            self._source_form[f"{where}.functionCall.args|absent"] = ""
        elif not isinstance(args, dict):
            raise wrong(f"{where}.functionCall.args", "an object")
        extra = _rest(part, "functionCall", "thoughtSignature")
        if more := _rest(inner, "id", "name", "args"):
            extra["functionCall"] = more
        self._waiting.append((call_id, name))
        return ToolCall(call_id, name, orjson.dumps(args or {}).decode(), signature=_signature(part), extra=extra)

    def _made(self, where: str, name: str, kind: str, inner: Fields) -> str:
        """An id for a call that has none: the same for the same place, whatever comes after it."""
        self._not_said(f"{where}.{kind}.id", inner)
        return "call_" + hashlib.sha256(f"{where} {name}".encode()).hexdigest()[:20]

    def _not_said(self, path: str, inner: Fields) -> None:
        if "id" in inner:
            instead(self._source_form, path, inner["id"])
        else:
            note(self._source_form, path, "absent")

    def _result(self, part: Fields, where: str) -> ToolResult:
        inner = _fields(part, "functionResponse", where)
        at = f"{where}.functionResponse"
        name = _name(inner, at)
        call_id = inner.get("id")
        known = isinstance(call_id, str) and bool(call_id)
        found = call_id if known else self._waiting_for(name)
        if not known:
            self._not_said(f"{at}.id", inner)
        if found is None:
            found = self._made(where, name, "functionResponse", inner)
        self._waiting = [call for call in self._waiting if call[0] != found]
        result = ToolResult(str(found), name=name, extra=_rest(part, "functionResponse"))
        self._response(result, inner, at)
        if "parts" in inner:
            more = a_list(inner["parts"], self._source_form, f"{at}.parts")
            result.parts += [self._part(each, f"{at}.parts.{index}") for index, each in enumerate(more)]
            result.plain = False
        if rest := _rest(inner, "id", "name", "response", "parts"):
            result.extra["functionResponse"] = rest
        return result

    def _waiting_for(self, name: str) -> str | None:
        """The first call of that name without a result, else the first of all."""
        return next((call for call, called in self._waiting if called == name), self._waiting[0][0] if self._waiting else None)

    def _response(self, result: ToolResult, inner: Fields, at: str) -> None:
        """Bare text stands under one key; anything else is passed on as JSON."""
        response = inner.get("response")
        if response is None:
            self._source_form[f"{at}.response|absent"] = ""
            result.plain = True
            return
        if not isinstance(response, dict):
            raise wrong(f"{at}.response", "an object")
        (key, value), *more = [*response.items()] or [("", None)]
        if not more and key in _BARE and isinstance(value, str):
            result.plain = True
            result.parts = [Text(value)]
            result.is_error = True if key == "error" else None
            if key == "result":
                note(self._source_form, f"{at}.response.output", "key", key)
        else:
            result.parts = [Text(orjson.dumps(response).decode())]
            instead(self._source_form, f"{at}.response", response)

    def _media(self, part: Fields, where: str) -> Media:
        key = "inlineData" if "inlineData" in part else "fileData"
        inner = _fields(part, key, where)
        mime = inner.get("mimeType")
        media = Media("document", media_type=mime if isinstance(mime, str) else None, extra=_rest(part, key))
        content = "data" if key == "inlineData" else "fileUri"
        value = inner.get(content)
        if not isinstance(value, str):
            raise missing(f"{where}.{key}.{content}") if value is None else wrong(f"{where}.{key}.{content}", "a string")
        if key == "inlineData":
            media.data = value
        elif is_public(value):
            media.url = value
        else:
            media.file_id = value
        media.kind = media_kind(media.media_type, value if key == "fileData" else "")
        if isinstance(inner.get("displayName"), str):
            media.name = inner["displayName"]
        if more := _rest(inner, "mimeType", content, "displayName" if media.name is not None else ""):
            media.extra[key] = more
        return media


def is_public(uri: str) -> bool:
    """Whether anybody may fetch it: not a bucket, and not a file that was uploaded to Google."""
    return uri.startswith(("http://", "https://")) and "generativelanguage.googleapis.com/" not in uri


def media_kind(mime: str | None, uri: str = "") -> MediaKind:
    """What a media type, or else an address, stands for."""
    if mime is None and "youtu" in uri:
        return "video"
    kind = (mime or guess_type(uri.partition("?")[0])[0] or "").partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "document"  # type: ignore[return-value]  # they are the kinds


def _text(part: Fields, where: str) -> Part:
    text = part["text"]
    if not isinstance(text, str):
        raise wrong(f"{where}.text", "a string")
    if part.get("thought") is True:
        return _thought(part, text)
    return Text(text, extra=_rest(part, "text"))


def _thought(part: Fields, text: str) -> Thinking:
    """A thought of Gemini's, or another's that finds its way back by its mark."""
    signature, extra = _signature(part), _rest(part, "text", "thought", "thoughtSignature")
    marked = foreign(signature)
    sealed = unmark(marked)
    if sealed is None:
        return Thinking(text, signature, extra, dialect=NAME)
    return Thinking(text, marked if sealed.id else sealed.data or None, extra, sealed.dialect)


def _signature(part: Fields) -> str | None:
    signature = part.get("thoughtSignature")
    return signature if isinstance(signature, str) else None


def _fields(part: Fields, key: str, where: str) -> Fields:
    inner = part[key]
    if not isinstance(inner, dict):
        raise wrong(f"{where}.{key}", "an object")
    return inner


def _name(inner: Fields, where: str) -> str:
    name = inner.get("name")
    if not isinstance(name, str):
        raise missing(f"{where}.name") if name is None else wrong(f"{where}.name", "a string")
    return name


def _rest(fields: Fields, *known: str) -> Fields:
    return {key: value for key, value in fields.items() if key not in known}
