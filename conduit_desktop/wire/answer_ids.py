"""Ids of translated answers: with the prefix of the client's dialect, by which clients and their logs tell whose answer it is."""

from __future__ import annotations

import re
from uuid import uuid4

_PREFIX = re.compile(r"(?:chatcmpl|cmpl|msg|resp|gen|req|ollama)[-_]")
_UNUSUAL = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64


def answer_id(prefix: str, given: str, own: bool = False) -> str:
    """The id `given` by the provider under `prefix` (`msg_`, `chatcmpl-`); a new one where it gave none.

    The same id gives the same id again, so that all frames of one answer agree. `own`: the answer was read in the dialect.
    """
    if given and (own or given.startswith(prefix)):
        return given
    rest = _UNUSUAL.sub("", _PREFIX.sub("", given, count=1))
    return (prefix + rest)[:_LONGEST] if rest else prefix + uuid4().hex
