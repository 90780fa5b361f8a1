"""Content parts of the Responses dialect, both ways."""

from __future__ import annotations

from typing import Literal, assert_never

from conduit_desktop.core.chat import Citation, Json, Media, Opaque, Part, Refusal, Text
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.json_fields import FieldReader
from conduit_desktop.wire.openai_chat.citations import read_span, write_span
from conduit_desktop.wire.openai_chat.fields import read_audio, set_location
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.provenance import MarkedContent, mark
from conduit_desktop.wire.values import decoded_text, named_text, standard_media

CONTENT = "content:"
"""Prefix of the name of an opaque content part; an opaque item is named by its type alone."""

_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""https://developers.openai.com/api/docs/guides/images-vision"""

TextType = Literal["input_text", "output_text"]


def read_part(fields: FieldReader, text_type: TextType) -> Part:
    """One content part; `text_type` is the usual type of a text part in its place."""
    raw = fields.raw
    kind = fields.required_string("type")
    match kind:
        case "input_text" | "output_text" | "text":
            return _text(fields, kind, text_type)
        # A neutral refusal is text alone; a part with further fields is kept whole as opaque.
        case "refusal" if len(raw) == 2 and isinstance(raw.get("refusal"), str):
            return Refusal(raw["refusal"])
        case "input_image":
            return _image(fields)
        case "input_file":
            return _file(fields)
        case "input_audio" if isinstance(raw.get("input_audio"), dict):
            return read_audio(fields)
    return Opaque(NAME, CONTENT + kind, raw)


def _text(fields: FieldReader, kind: str, usual: str) -> Text:
    text = fields.rest.pop("text", None)
    if not isinstance(text, str):
        raise fields.invalid("text", "a string", text)
    if kind != usual:
        fields.note("type", kind)
    part = Text(text)
    annotations = fields.rest.get("annotations")
    if isinstance(annotations, list) and all(isinstance(raw, dict) for raw in annotations):
        part.citations = [read_citation(raw) for raw in fields.rest.pop("annotations")]
    for name, value in (("annotations", annotations), ("logprobs", fields.rest.get("logprobs"))):
        # OpenAI's own output has both lists empty, and clients send it back: without a note they would be lost.
        if value == []:
            fields.note(name, "list")
            fields.rest.pop(name, None)
    part.extra = fields.rest
    return part


def read_citation(raw: Json) -> Citation:
    """An annotation of any kind; `raw` keeps it as it came."""
    if not isinstance(raw, dict):
        return Citation(dialect=NAME, raw=raw)
    start, end = read_span(raw)
    title = text_or_none(raw.get("title") or raw.get("filename"))
    return Citation(url=text_or_none(raw.get("url")), title=title, start=start, end=end, dialect=NAME, raw=raw)


def write_citation(citation: Citation) -> Json:
    """An annotation; None for a source with neither URL nor title. One without a URL is written as the citation of a file."""
    if citation.dialect == NAME and citation.raw is not None:
        return citation.raw
    if not citation.url:
        # The mark says that there is no such file at OpenAI, so that the citation is removed when the client sends it back.
        no_file = mark(MarkedContent(citation.dialect, "", "cited"))
        written = {"type": "file_citation", "file_id": no_file, "filename": citation.title, "index": citation.end or 0}
        return written if citation.title else None
    return {"type": "url_citation", "url": citation.url, "title": citation.title or citation.url, **write_span(citation)}


def _image(fields: FieldReader) -> Media:
    media = Media("image", detail=fields.string("detail"), file_id=fields.string("file_id"))
    url = fields.string("image_url")
    if url is not None:
        set_location(media, url)
    media.extra = fields.rest
    return media


def _file(fields: FieldReader) -> Media:
    media = Media("document", name=fields.string("filename"), file_id=fields.string("file_id"))
    data = fields.string("file_data")
    if data is None:
        media.url = fields.string("file_url")
    elif data.startswith("data:"):
        set_location(media, data)
    else:
        media.data = data
    media.extra = fields.rest
    return media


def write_text(part: Text, kind: str, own: bool) -> tuple[dict[str, Json], list[str]]:
    """A text part, and the names of the fields that are dropped."""
    written: dict[str, Json] = {"type": kind, "text": part.text}
    annotations = [raw for citation in part.citations if (raw := write_citation(citation)) is not None]
    if annotations and kind == "output_text":
        written["annotations"] = annotations
    if own:
        return {**written, **part.extra}, []
    dropped = [f"content.{name}" for name in part.extra] + (["cache_control"] if part.cache else [])
    if part.citations and "annotations" not in written:
        dropped.append("citations")
    return written, dropped


def write_media(media: Media, own: bool) -> tuple[dict[str, Json] | None, list[str]]:
    """A media part, or None where Responses has none like it, and the names of what is dropped (a foreign file's id too)."""
    dropped = [] if own else [f"content.{name}" for name in media.extra] + (["cache_control"] if media.cache else [])
    written = _write_location(media if own else standard_media(media), own)
    if written is None:
        held = "file_id" if media.file_id else "url" if media.url else media.media_type or "data"
        return None, [*dropped, f"{media.kind}.{held}"]
    if own:
        for name, value in media.extra.items():
            written[name] = {**written[name], **value} if name == "input_audio" and name in written else value
    return written, dropped


def _write_location(media: Media, own: bool) -> dict[str, Json] | None:
    text = media.text if media.text is not None or own else decoded_text(media)
    if text is not None:
        return {"type": "input_text", "text": named_text(media.name, text)}
    match media.kind:
        case "image":
            return _write_image(media, own)
        case "document":
            return _write_file(media, own)
        case "audio":
            return _write_audio(media, own)
        case "video":
            return None
        case _:
            assert_never(media.kind)


def _write_audio(media: Media, own: bool) -> dict[str, Json] | None:
    """Only in its own dialect: the Responses API takes no audio input."""
    if media.data is None or not own:
        return None
    form = "mp3" if media.media_type == "audio/mpeg" else (media.media_type or "").removeprefix("audio/")
    return {"type": "input_audio", "input_audio": {"data": media.data, **({} if media.media_type is None else {"format": form})}}


def _write_image(media: Media, own: bool) -> dict[str, Json] | None:
    written: dict[str, Json] = {"type": "input_image"}
    if media.data is not None:
        if not own and media.media_type not in (None, *_IMAGE_TYPES):
            return None
        written["image_url"] = f"data:{media.media_type or 'image/png'};base64,{media.data}"
    elif media.url is not None:
        written["image_url"] = media.url
    elif not own:
        return None
    if media.file_id is not None and own:
        written["file_id"] = media.file_id
    if media.detail is not None or not own:
        # OpenAI's type for an image requires a detail, but a request of this dialect stays as the client wrote it.
        written["detail"] = media.detail if own else media.detail or "auto"
    return written


def _write_file(media: Media, own: bool) -> dict[str, Json] | None:
    written: dict[str, Json] = {"type": "input_file"}
    if media.name is not None:
        written["filename"] = media.name
    if media.data is not None:
        bare = own and media.media_type is None
        written["file_data"] = media.data if bare else f"data:{media.media_type or 'application/pdf'};base64,{media.data}"
        # OpenAI refuses data without a file name, and other dialects have documents without one.
        if not own:
            written.setdefault("filename", "document.pdf")
    elif media.url is not None:
        # A data URL is no address that OpenAI could fetch.
        written["file_data" if media.url.startswith("data:") else "file_url"] = media.url
    elif not own:
        return None
    if media.file_id is not None and own:
        written["file_id"] = media.file_id
    return written
