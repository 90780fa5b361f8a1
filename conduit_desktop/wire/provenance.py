"""Marks on what one provider made and only it can read, on its way through clients of another dialect.

A Responses client hands `encrypted_content` back, an Anthropic client a signature or the index of a source. What such a
field holds is marked with the dialect it came from, so that it finds its way back and never goes to a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, cast

from conduit_desktop.core.chat import Json

Kind = Literal["signed", "hidden", "cited"]

CLAUDES = ("", "anthropic_messages", "bedrock", "openai_chat")
"""Where signatures are a Claude's, who signs alike wherever it is served (in chat, OpenRouter's), or nobody says whose."""
_MARK = "conduit.v1."
_KIND = re.compile(r"(signed|hidden|cited)(?:@([\w-]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class MarkedContent:
    """What `dialect` made: the signature of a thought (empty where it has none), a whole hidden one, or a source's place.

    `id` is the item's that it belongs to, where the provider names it: OpenAI refuses a proof under another's.
    """

    dialect: str
    data: str
    kind: Kind = "signed"
    id: str = ""


def mark(sealed: MarkedContent) -> str:
    """What was made, with its mark."""
    named = f"{sealed.kind}@{sealed.id}"
    return f"{_MARK}{sealed.dialect}.{named if _KIND.fullmatch(named) else sealed.kind}.{sealed.data}"


def marked(signature: str, said_in: str, signers: Collection[str]) -> str:
    """A signature from the dialect `said_in`: as it is where that is among `signers` or a mark is on it, else with one."""
    return signature if said_in in signers or unmark(signature) is not None else mark(MarkedContent(said_in, signature))


def unmark(text: Json) -> MarkedContent | None:
    """What is behind a mark; None for what bears none."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    dialect, kind, data = [*text.removeprefix(_MARK).split(".", 2), "", ""][:3]
    found = _KIND.fullmatch(kind)
    return MarkedContent(dialect, data, cast(Kind, found[1]), found[2] or "") if found else None
