"""Content parts of the Responses dialect, both ways."""

from __future__ import annotations

import re
from typing import Literal, assert_never

from conduit_desktop.core.chat import Citation, Json, Media, Opaque, Part, Refusal, Text
from conduit_desktop.wire.base64_values import standard
from conduit_desktop.wire.event_validation import word
from conduit_desktop.wire.openai_chat.citations import read_span, write_span
from conduit_desktop.wire.openai_chat.fields import FieldReader, invalid
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.provenance import MarkedContent, mark

CONTENT = "content:"
"""Before the name of an opaque content part; an opaque item bears its type alone."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)

TextType = Literal["input_text", "output_text"]


def read_part(fields: FieldReader, text_type: TextType) -> Part:
    """One content part; `text_type` is the usual word for text where it stands."""
    raw = dict(fields.rest)
    kind = fields.need_text("type")
    match kind:
        case "input_text" | "output_text" | "text":
            return _text(fields, kind, text_type)
        case "refusal" if len(raw) == 2 and isinstance(raw.get("refusal"), str):
            return Refusal(raw["refusal"])
        case "input_image":
            return _image(fields)
        case "input_file":
            return _file(fields)
        case "input_audio" if isinstance(raw.get("input_audio"), dict):
            return _audio(fields)
    return Opaque(NAME, CONTENT + kind, raw)


def _text(fields: FieldReader, kind: str, usual: str) -> Text:
    text = fields.rest.pop("text", None)
    if not isinstance(text, str):
        raise invalid(fields.at("text"), "a string", text)
    if kind != usual:
        fields.source_form[fields.at("type")] = kind
    part = Text(text)
    annotations = fields.rest.get("annotations")
    if isinstance(annotations, list) and all(isinstance(raw, dict) for raw in annotations):
        part.citations = [read_citation(raw) for raw in fields.rest.pop("annotations")]
    for name, value in (("annotations", annotations), ("logprobs", fields.rest.get("logprobs"))):
        if value == []:
            fields.source_form[fields.at(name)] = "list"
            fields.rest.pop(name, None)
    part.extra = fields.rest
    return part


def read_citation(raw: Json) -> Citation:
    """An annotation of any kind, with its own words kept in `raw`."""
    if not isinstance(raw, dict):
        return Citation(dialect=NAME, raw=raw)
    start, end = read_span(raw)
    title = word(raw.get("title") or raw.get("filename"))
    return Citation(url=word(raw.get("url")), title=title, start=start, end=end, dialect=NAME, raw=raw)


def write_citation(citation: Citation) -> Json:
    """An annotation; None for a source with neither address nor title. A passage of the caller's own is one of a file."""
    if citation.dialect == NAME and citation.raw is not None:
        return citation.raw
    if not citation.url:
        no_file = mark(MarkedContent(citation.dialect, "", "cited"))
        said = {"type": "file_citation", "file_id": no_file, "filename": citation.title, "index": citation.end or 0}
        return said if citation.title else None
    return {"type": "url_citation", "url": citation.url, "title": citation.title or citation.url, **write_span(citation)}


def _image(fields: FieldReader) -> Media:
    media = Media("image", detail=fields.text("detail"), file_id=fields.text("file_id"))
    url = fields.text("image_url")
    if url is not None:
        _locate(media, url)
    media.extra = fields.rest
    return media


def _file(fields: FieldReader) -> Media:
    media = Media("document", name=fields.text("filename"), file_id=fields.text("file_id"))
    data = fields.text("file_data")
    if data is None:
        media.url = fields.text("file_url")
    elif data.startswith("data:"):
        _locate(media, data)
    else:
        media.data = data
    media.extra = fields.rest
    return media


def _audio(fields: FieldReader) -> Media:
    inner = fields.inner("input_audio")
    form = inner.text("format")
    kind = {"mp3": "audio/mpeg"}.get(form, f"audio/{form}") if form is not None else None
    media = Media("audio", data=inner.need_text("data"), media_type=kind)
    media.extra = {**fields.rest, **({"input_audio": inner.rest} if inner.rest else {})}
    return media


def _locate(media: Media, url: str) -> None:
    found = _DATA_URL.match(url)
    if found:
        media.media_type, media.data = found[1], url[found.end() :]
    else:
        media.url = url


def write_text(part: Text, kind: str, own: bool) -> tuple[dict[str, Json], list[str]]:
    """A text part, and the names of what was lost."""
    said: dict[str, Json] = {"type": kind, "text": part.text}
    annotations = [raw for citation in part.citations if (raw := write_citation(citation)) is not None]
    if annotations and kind == "output_text":
        said["annotations"] = annotations
    if own:
        return {**said, **part.extra}, []
    lost = [f"content.{name}" for name in part.extra] + (["cache_control"] if part.cache else [])
    if part.citations and "annotations" not in said:
        lost.append("citations")
    return said, lost


def write_media(media: Media, own: bool) -> tuple[dict[str, Json] | None, list[str]]:
    """A media part, or None where it cannot be said, and the names of what was lost. A foreign file's id means nothing."""
    lost = [] if own else [f"content.{name}" for name in media.extra] + (["cache_control"] if media.cache else [])
    said = _say(media if own else standard(media), own)
    if said is None:
        return None, [*lost, f"{media.kind}.{'file_id' if media.file_id else 'url' if media.url else media.media_type or 'data'}"]
    if own:
        for name, value in media.extra.items():
            said[name] = {**said[name], **value} if name == "input_audio" and name in said else value
    return said, lost


def _say(media: Media, own: bool) -> dict[str, Json] | None:
    if media.text is not None:
        return {"type": "input_text", "text": f"{media.name}\n\n{media.text}" if media.name else media.text}
    match media.kind:
        case "image":
            return _say_image(media, own)
        case "document":
            return _say_file(media, own)
        case "audio":
            return _say_audio(media, own)
        case "video":
            return None
        case _:
            assert_never(media.kind)


def _say_audio(media: Media, own: bool) -> dict[str, Json] | None:
    """Only as it was read: this API hears nothing."""
    if media.data is None or not own:
        return None
    form = "mp3" if media.media_type == "audio/mpeg" else (media.media_type or "").removeprefix("audio/")
    return {"type": "input_audio", "input_audio": {"data": media.data, **({} if media.media_type is None else {"format": form})}}


def _say_image(media: Media, own: bool) -> dict[str, Json] | None:
    said: dict[str, Json] = {"type": "input_image"}
    if media.data is not None:
        said["image_url"] = f"data:{media.media_type or 'image/png'};base64,{media.data}"
    elif media.url is not None:
        said["image_url"] = media.url
    elif not own:
        return None
    if media.file_id is not None and own:
        said["file_id"] = media.file_id
    if media.detail is not None or not own:
        said["detail"] = media.detail if own else media.detail or "auto"
    return said


def _say_file(media: Media, own: bool) -> dict[str, Json] | None:
    said: dict[str, Json] = {"type": "input_file"}
    if media.name is not None:
        said["filename"] = media.name
    if media.data is not None:
        bare = own and media.media_type is None
        said["file_data"] = media.data if bare else f"data:{media.media_type or 'application/pdf'};base64,{media.data}"
        if not own:
            said.setdefault("filename", "document.pdf")
    elif media.url is not None:
        said["file_data" if media.url.startswith("data:") else "file_url"] = media.url
    elif not own:
        return None
    if media.file_id is not None and own:
        said["file_id"] = media.file_id
    return said
