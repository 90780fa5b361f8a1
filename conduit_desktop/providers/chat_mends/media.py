"""Mends of images, files and recordings in the messages of a body of OpenAI's chat dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from conduit_desktop.core.chat import Media
from conduit_desktop.providers.chat_mends.messages import with_parts
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Body, Mend
from conduit_desktop.wire.values import decoded_text, named_text

MediaTest = Callable[[str, str], bool]
"""Whether the vendor takes a part, by its type and, for images, its address."""


def unread_parts(reads: MediaTest, why: str) -> Mend:
    """A sentence in place of each part that the vendor would refuse the request for; a file of text becomes its text.

    A refusal would end the conversation: the part comes back with every later request. The sentence lets the model say why it
    cannot answer.
    """

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []

        def change(part: dict[str, Any]) -> dict[str, Any]:
            kind = part.get("type")
            if not isinstance(kind, str) or reads(kind, _address(part)):
                return part
            if (text := _text_of(part)) is not None:
                return {"type": "text", "text": text}
            lost.append(f"content.{kind}")
            return {"type": "text", "text": f"[{_LABELS.get(kind, kind)} was left out: {why}]"}

        with_parts(body, change)
        return lost

    return mend


_LABELS = {"image_url": "An image", "file": "A file", "input_audio": "A recording", "video_url": "A video"}
_MEDIA = frozenset(_LABELS)
_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^,]*)?;base64,")


def _address(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _text_of(part: dict[str, Any]) -> str | None:
    """The text of a `file` part that holds one, behind the file's name."""
    match part:
        case {"type": "file", "file": {"file_data": str(data), **rest}} if (found := _DATA_URL.match(data)) is not None:
            text = decoded_text(Media("document", data=data[found.end() :], media_type=found[1]))
            name = rest.get("filename")
            return None if text is None else named_text(name if isinstance(name, str) else None, text)
    return None


def without_parts(*kinds: str) -> Mend:
    """Parts of these types are not taken."""
    return unread_parts(lambda kind, _: kind not in kinds, "the model does not take it")


_text_only = without_parts(*_MEDIA)


def unread_images(body: Body, facts: ModelFacts) -> list[str]:
    """For models that are known to read text only."""
    return _text_only(body, facts) if facts.images is False else []


without_remote_images = unread_parts(
    lambda kind, url: kind != "image_url" or not url.startswith(("http:", "https:")),
    "the provider takes images as data, and not by their address",
)


def images_of(*types: str) -> Mend:
    """Image data of other types is not taken."""
    taken = re.compile(rf"(?!data:)|data:image/({'|'.join(types)});")
    return unread_parts(
        lambda kind, url: kind != "image_url" or taken.match(url) is not None, f"the provider takes {' and '.join(types)}"
    )


def last_images(count: int) -> Mend:
    """Of too many images the last are kept."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        left = -count
        for message in body.get("messages") or ():
            content = message.get("content") if isinstance(message, dict) else None
            if isinstance(content, list):
                left += sum(isinstance(part, dict) and part.get("type") == "image_url" for part in content)

        def reads(kind: str, _: str) -> bool:
            nonlocal left
            if kind != "image_url":
                return True
            left -= 1
            return left < 0

        return unread_parts(reads, f"the provider takes {count} images")(body, facts) if left > 0 else []

    return mend
