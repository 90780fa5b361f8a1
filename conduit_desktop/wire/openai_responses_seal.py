"""Proofs of thinking on their way through clients that cannot name whose they are.

A Responses client hands `encrypted_content` back, an Anthropic client a signature. What one provider made is marked
with its dialect before a client of another gets it, so that it finds its way back and never goes to a stranger.
"""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.core.chat import Json

_MARK = "conduit.v1."


@dataclass(frozen=True, slots=True)
class Sealed:
    """A proof of `dialect`: the signature of a thinking block, or a whole hidden one."""

    dialect: str
    data: str
    hidden: bool = False


def seal(sealed: Sealed) -> str:
    """The proof with its mark."""
    return f"{_MARK}{sealed.dialect}.{'hidden' if sealed.hidden else 'signed'}.{sealed.data}"


def unseal(text: Json) -> Sealed | None:
    """The proof behind a mark; None for what bears none."""
    if not isinstance(text, str) or not text.startswith(_MARK):
        return None
    dialect, kind, data = [*text.removeprefix(_MARK).split(".", 2), "", ""][:3]
    return Sealed(dialect, data, kind == "hidden") if kind in ("signed", "hidden") else None
