"""Pictures and sound that a model generated: from one dialect's form into another's, and the names of what an answer loses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from conduit_desktop.core.chat import Citation, Json, Media, MediaKind, Opaque
from conduit_desktop.core.events import Cited, Event, Finished, OpaqueBlock
from conduit_desktop.wire.values import image_type, standard_base64

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}", re.ASCII)
_SOUND_PREFIXES = {"UklGR": "audio/wav", "SUQz": "audio/mpeg", "//": "audio/mpeg", "T2dn": "audio/ogg", "ZkxhQ": "audio/flac"}
_KINDS: dict[str, MediaKind] = {"image": "image", "audio": "audio", "video": "video"}
_WRITTEN: Mapping[str, frozenset[str]] = {
    "openai_chat": frozenset({"image", "audio"}),
    "openai_responses": frozenset({"image"}),
    "gemini": frozenset({"image", "audio", "video"}),
    "gemini_array": frozenset({"image", "audio", "video"}),
    "ollama": frozenset({"image"}),
    "ollama_generate": frozenset({"image"}),
}
"""The generated media that each dialect's answers can hold."""
_SEVERAL_CHOICES = frozenset({"openai_chat", "openai_completions", "gemini", "gemini_array"})
_WITHOUT_SOURCES = frozenset({"ollama", "ollama_generate", "openai_completions"})
"""The dialects whose answers cannot cite."""
_BY_URL = frozenset({"openai_chat", "openai_responses", "anthropic_messages"})
"""Those that cite pages only: a client's own documents have numbers there that other vendors do not know."""
_WITH_LOGPROBS = ("openai_chat", "gemini", "ollama", "cohere")
"""The dialects whose answers have the log probabilities of their tokens in a form that others can be written in."""
_NOT_SHOWN = frozenset({"textSignature", "attachedSignature", "thoughtSignature", "reasoning_details", "reasoning"})
"""Blocks that a client never shows: signatures and encrypted thoughts."""

_MAY_BE_LOST = frozenset({OpaqueBlock, Cited, Finished})


def media_of(media_type: str | None, data: Json) -> Media | None:
    """Base64 `data` of `media_type` as media; None for other types."""
    kind = _KINDS.get((media_type or "").partition("/")[0])
    valid = _base64(data)
    return Media(kind, data=valid, media_type=media_type) if kind is not None and valid else None


def _base64(data: Json) -> str | None:
    """`data` in standard base64; None for anything else, which clients could not decode."""
    standard = standard_base64(data) if isinstance(data, str) else ""
    return standard if standard and len(standard) % 4 == 0 and _BASE64.fullmatch(standard) else None


def image_of(url: Json) -> Media | None:
    """A picture from a data URL or another URL."""
    if not isinstance(url, str) or not url:
        return None
    found = _DATA_URL.match(url)
    if found is None:
        return Media("image", url=url)
    return media_of(found[1] or "image/png", url[found.end() :])


def image_from(data: Json) -> Media | None:
    """A picture from base64, with the type of its first bytes."""
    return media_of(image_type(data) or "image/png", data) if isinstance(data, str) else None


def sound_of(data: Json) -> Media | None:
    """Sound from base64, with the type of its first bytes; raw samples are OpenAI's `pcm16`."""
    if not isinstance(data, str):
        return None
    known = next((kind for prefix, kind in _SOUND_PREFIXES.items() if data.startswith(prefix)), "audio/L16;codec=pcm;rate=24000")
    return media_of(known, data)


def url_of(media: Media) -> str | None:
    """The media as a URL, a data URL for data."""
    return media.url or (f"data:{media.media_type or 'image/png'};base64,{media.data}" if media.data else None)


def lost_in_answer(events: Iterable[Event], caller: str) -> list[str]:
    """The names of what answers in the dialect `caller` cannot hold (blocks, sources, choices, probabilities), as `answer.name`."""
    lost: dict[str, None] = {}
    for event in events:
        if type(event) not in _MAY_BE_LOST:
            continue
        if type(event) is OpaqueBlock and _is_lost(event.block, caller):
            lost[f"answer.{_name(event.block)}"] = None
        elif type(event) is Cited and _is_uncited(event.citation, caller):
            lost["answer.citations"] = None
        elif type(event) is Finished:
            if event.choice and caller not in _SEVERAL_CHOICES:
                lost["answer.choices"] = None
            if event.logprobs and not caller.startswith(_WITH_LOGPROBS):
                lost["answer.logprobs"] = None
    return list(lost)


def _is_uncited(citation: Citation, caller: str) -> bool:
    return not caller.startswith(citation.dialect or "-") and (
        caller in _WITHOUT_SOURCES or (not citation.url and caller in _BY_URL)
    )


def _is_lost(block: Opaque, caller: str) -> bool:
    # A dialect's variants (`gemini_array`) write its own blocks too.
    if caller.startswith(block.dialect) or block.name in _NOT_SHOWN:
        return False
    return block.media is None or block.media.kind not in _WRITTEN.get(caller, frozenset())


def _name(block: Opaque) -> str:
    return block.media.kind if block.media is not None else block.name.rpartition(".")[2]
