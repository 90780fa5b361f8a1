"""Writes images, documents, audio and video as OpenAI's content parts."""

from __future__ import annotations

from typing import assert_never

from conduit_desktop.core.chat import Json, Media
from conduit_desktop.wire.values import decoded_text, named_text, standard_media

# `input_audio` takes wav and mp3 only: https://platform.openai.com/docs/guides/audio
_FORMATS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav"}

Written = tuple[dict[str, Json] | None, list[str]]
"""A part, or None where OpenAI cannot express it, and the names of what was dropped."""


def write_media(media: Media, own: bool, bare: bool = False) -> Written:
    """One part. `own`: it was read from this dialect; `bare`: its URL was not wrapped in an object."""
    dropped = [] if own else [f"content.{name}" for name in media.extra]
    # The client's own form goes out unchanged; from other dialects come alphabets and paddings that not every vendor decodes.
    part = _part(media if own else standard_media(media), own, bare)
    if part is None:
        source = "file_id" if media.file_id else "url" if media.url else media.media_type or "data"
        return None, [*dropped, f"{media.kind}.{source}"]
    if own:
        for name, value in media.extra.items():
            if isinstance(value, dict) and isinstance(part.get(name), dict):
                part[name] = {**part[name], **value}
            else:
                part[name] = value
    return part, dropped


def _part(media: Media, own: bool, bare: bool) -> dict[str, Json] | None:
    # As files, OpenAI's chat takes PDFs only: a file of text goes as its text.
    text = media.text if media.text is not None or own else decoded_text(media)
    if text is not None:
        return {"type": "text", "text": named_text(media.name, text)}
    match media.kind:
        case "image":
            return _linked(media, "image_url", bare)
        case "video":
            # `video_url` is an extension of compatible vendors; OpenAI takes no video.
            return _linked(media, "video_url", bare) if own else None
        case "audio":
            return _audio(media, own)
        case "document":
            return _document(media, own)
        case _:
            assert_never(media.kind)


def _url(media: Media) -> str | None:
    if media.data is not None:
        return f"data:{media.media_type or 'application/octet-stream'};base64,{media.data}"
    return media.url


def _linked(media: Media, name: str, bare: bool) -> dict[str, Json] | None:
    url = _url(media)
    if url is None:
        return None
    if bare:
        return {"type": name, name: url}
    return {"type": name, name: {"url": url, **({"detail": media.detail} if media.detail is not None else {})}}


def _audio(media: Media, own: bool) -> dict[str, Json] | None:
    audio_format = _FORMATS.get(media.media_type or "")
    # Compatible vendors take more formats than OpenAI, so a format that a client of this dialect names is kept.
    if audio_format is None and own and media.media_type:
        audio_format = media.media_type.removeprefix("audio/")
    if media.data is None or (audio_format is None and not own):
        return None
    return {"type": "input_audio", "input_audio": {"data": media.data, **({"format": audio_format} if audio_format else {})}}


def _document(media: Media, own: bool) -> dict[str, Json] | None:
    """A `file` part; None for another vendor's file id, and for a URL, which OpenAI does not accept."""
    file: dict[str, Json] = {}
    if media.name is not None:
        file["filename"] = media.name
    if media.data is not None:
        file["file_data"] = media.data if own and media.media_type is None else _url(media)
        # OpenAI refuses data without a file name, and other dialects have documents without one.
        if not own:
            file.setdefault("filename", "document.pdf" if media.media_type == "application/pdf" else "document")
    elif own and media.url is not None:
        file["file_data"] = media.url
    elif not own:
        return None
    if own and media.file_id is not None:
        file["file_id"] = media.file_id
    return {"type": "file", "file": file}
