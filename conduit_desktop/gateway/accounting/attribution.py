"""Whom a request is for: key, team and tags of the caller, and the client's own names of session and user."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.call import Call

_SESSION_HEADERS = ("x-session-id", "x-claude-code-session-id", "session_id", "session-id")
_TAGS_HEADER = "x-conduit-tags"
_MAX_NAME = 200
"""Characters of a session, a user or a tag: clients choose them, and each is kept in the record and its totals."""
_MAX_TAGS = 20


def attribute(record: RequestRecord, call: Call, key: VirtualKey | None) -> None:
    """Set what the request belongs to; `key` None: it came without a virtual key."""
    tags: tuple[str, ...] = ()
    if key is not None:
        record.key_id, record.key_name, record.team, tags = key.id, key.name, key.team or "", key.tags
    body, headers = call.body, call.headers
    if headers:
        if sent := headers.get(_TAGS_HEADER):
            tags = tuple(dict.fromkeys((*tags, *filter(None, map(_name, sent.split(","))))))[:_MAX_TAGS]
        record.session = next((name for header in _SESSION_HEADERS if (name := _name(headers.get(header)))), "")
    record.tags = tags
    record.session = record.session or _name(body.get("prompt_cache_key"))
    metadata = body.get("metadata")
    by_metadata = metadata.get("user_id") if isinstance(metadata, dict) else None
    record.user = _name(body.get("user")) or _name(body.get("safety_identifier")) or _name(by_metadata)


def _name(value: Json) -> str:
    """A client's name as it is recorded; empty where it is no text."""
    if type(value) is not str or not value:
        return ""
    name = value[:_MAX_NAME].strip()
    # Control characters, and the surrogates of bytes that were no text, would reach terminals and the database.
    return name if name.isprintable() else "".join(character for character in name if character.isprintable())
