"""Marks on content that one provider made and only it can read, for clients of another dialect to carry.

A client hands opaque values back in later requests: an Anthropic client a signature or the index of a source, a Responses client
`encrypted_content`. A value from another dialect's provider is marked with that dialect before the client gets it, so that later
it is sent to that provider again, and never to one that would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, cast

from conduit_desktop.core.chat import Json

Kind = Literal["signed", "hidden", "cited", "summary"]

CLAUDE_DIALECTS = ("", "anthropic_messages", "bedrock", "openai_chat")
"""Dialects whose thinking signatures are Claude's, which are valid wherever Claude is served (in chat: at OpenRouter).

The empty name stands for a signature of unknown origin.
"""
_MARK = "conduit.v1."
_KIND = re.compile(r"(signed|hidden|cited|summary)(?:@([\w-]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MarkedContent:
    """Opaque content of a provider of `dialect`.

    `data` is a thinking signature (`signed`, empty where a thought has none), a whole hidden thought (`hidden`), the position of a
    source (`cited`), or a summary of the gateway's own making (`summary`). `id` is that of the item it belongs to, where the
    provider names it: OpenAI refuses it under another id.
    """

    dialect: str
    data: str
    kind: Kind = "signed"
    id: str = ""


def mark(content: MarkedContent) -> str:
    """The content as one marked string."""
    # An id with other characters would break the form with dots, and OpenAI accepts an item without one.
    kind = f"{content.kind}@{content.id}"
    return f"{_MARK}{content.dialect}.{kind if _KIND.fullmatch(kind) else content.kind}.{content.data}"


def mark_foreign(signature: str, dialect: str, signers: Collection[str]) -> str:
    """`signature` of a provider of `dialect`, with a mark unless that is among `signers` or there is one already."""
    return signature if dialect in signers or unmark(signature) is not None else mark(MarkedContent(dialect, signature))


def unmark(text: Json) -> MarkedContent | None:
    """The content of a marked string; None for any other value."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    # Split twice only, as the data may hold dots itself; padded, as the text comes from a client.
    dialect, kind, data = [*text.removeprefix(_MARK).split(".", 2), "", ""][:3]
    found = _KIND.fullmatch(kind)
    return MarkedContent(dialect, data, cast(Kind, found[1]), found[2] or "") if found else None


def without_emptied(items: list[Json], clean: Callable[[Json], Json], content: str) -> list[Json]:
    """`items`, each cleaned, without those whose field `content` that has emptied; `items` itself where nothing changed.

    `clean` returns an item without foreign content as the same object.
    """
    # Unchanged messages stay the same objects, so that a long conversation is not copied.
    kept = [clean(item) for item in items]
    if all(new is old for new, old in zip(kept, items, strict=True)):
        return items
    # A message whose content was all foreign has nothing left to send, so it is removed as a whole.
    return [new for new, old in zip(kept, items, strict=True) if new is old or new[content]]
