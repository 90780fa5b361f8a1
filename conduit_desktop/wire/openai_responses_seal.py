"""Proofs of thinking on their way through clients that cannot name whose they are.

A Responses client hands `encrypted_content` back, an Anthropic client a signature. What one provider made is marked
with its dialect before a client of another gets it, so that it finds its way back and never goes to a stranger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from conduit_desktop.core.chat import Json

_MARK = "conduit.v1."
_KIND = re.compile(r"(signed|hidden)(?:@([\w-]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A proof of `dialect`: the signature of a thinking block (empty where it has none), or a whole hidden one.

    `id` is the item's that it belongs to, where the provider names it: OpenAI refuses a proof under another's.
    """

    dialect: str
    data: str
    hidden: bool = False
    id: str = ""


def seal(sealed: Sealed) -> str:
    """The proof with its mark."""
    kind = "hidden" if sealed.hidden else "signed"
    named = f"{kind}@{sealed.id}"
    return f"{_MARK}{sealed.dialect}.{named if _KIND.fullmatch(named) else kind}.{sealed.data}"


def unseal(text: Json) -> Sealed | None:
    """The proof behind a mark; None for what bears none."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    dialect, kind, data = [*text.removeprefix(_MARK).split(".", 2), "", ""][:3]
    found = _KIND.fullmatch(kind)
    return Sealed(dialect, data, found[1] == "hidden", found[2] or "") if found else None
