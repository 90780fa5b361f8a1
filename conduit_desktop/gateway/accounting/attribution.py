"""Whom a request is for: key, team and tags of the caller, the client's own names of session and user, the model that answered.

All of it but the key's part is text of strangers: bounded in length and number, without control characters.
"""

from __future__ import annotations

import re

import orjson
from multidict import istr

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway.call import Call

_SESSION_HEADERS = tuple(map(istr, (
    "x-session-id", "x-claude-code-session-id", "session_id", "session-id", "conversation_id", "x-conversation-id",
)))  # fmt: skip
"""Of Claude Code, Codex (`session_id`, `conversation_id`) and others."""
_FIELDS = frozenset({"metadata", "prompt_cache_key", "user", "safety_identifier"})
_TAGS_HEADER = istr("x-conduit-tags")
_MAX_NAME = 200
"""Characters of a session, a user or a model: strangers choose them, and each is kept in the record and its totals."""
_MAX_TAG = 64
_MAX_TAGS = 20
_MAX_COMPOSITE = 2000
_CLAUDE_CODE_USER = re.compile(r"(user_.{1,200}?)(?:_account_([0-9a-fA-F-]{0,64}))?_session_([\w-]{1,100})")


def attribute(record: RequestRecord, call: Call, key: VirtualKey | None) -> None:
    """Set what the request belongs to; `key` None: it came without a virtual key."""
    tags: tuple[str, ...] = ()
    if key is not None:
        record.key_id, record.key_name, record.team, tags = key.id, key.name, key.team or "", key.tags
    body, headers = call.body, call.headers
    session = ""
    if headers:
        if sent := headers.get(_TAGS_HEADER):
            tags = _tags(tags, sent)
        for header in filter(headers.__contains__, _SESSION_HEADERS):
            if session := _name(headers[header]):
                break
    record.tags, record.session = tags, session
    # Most requests name nobody.
    if _FIELDS.isdisjoint(body):
        return
    metadata = body.get("metadata")
    by_metadata = metadata.get("user_id") if isinstance(metadata, dict) else None
    user, session_of_user = _composite(by_metadata) if by_metadata else ("", "")
    record.session = session or _name(body.get("prompt_cache_key")) or session_of_user
    record.user = _name(body.get("user")) or _name(body.get("safety_identifier")) or user


def model_name(value: str) -> str:
    """A model's name as it is recorded, where a stranger or an answer chose it."""
    return _name(value)


def _tags(of_key: tuple[str, ...], sent: str) -> tuple[str, ...]:
    """The key's tags, and those of the header, each once."""
    # The key's come first: they are the operator's, and no client can push them out.
    named = (_name(tag, _MAX_TAG) for tag in sent[: _MAX_TAGS * _MAX_TAG].split(","))
    return tuple(dict.fromkeys((*of_key, *filter(None, named))))[: max(_MAX_TAGS, len(of_key))]


def _composite(user_id: Json) -> tuple[str, str]:
    """User and session of Anthropic's `metadata.user_id`.

    Claude Code puts its session into it, as JSON (`account_uuid`, `device_id`, `session_id`) or as
    `user_…_account_…_session_…`. Left in, each session would be a user of its own.
    """
    if not isinstance(user_id, str) or len(user_id) > _MAX_COMPOSITE:
        return _name(user_id), ""
    if user_id.startswith("{"):
        try:
            fields = orjson.loads(user_id)
        except orjson.JSONDecodeError:
            return _name(user_id), ""
        session = _name(fields.get("session_id"))
        user = _name(fields.get("account_uuid")) or _name(fields.get("device_id"))
        return (user, session) if user or session else (_name(user_id), "")
    if (found := _CLAUDE_CODE_USER.fullmatch(user_id)) is not None:
        return _name(f"{found[1]}_account_{found[2]}" if found[2] else found[1]), found[3]
    return _name(user_id), ""


def _name(value: Json, longest: int = _MAX_NAME) -> str:
    """A stranger's text as it is recorded; empty where it is no text."""
    if type(value) is not str or not value:
        return ""
    # A client that puts its key there would have it in the log for good. Redacted before the cut, which could halve it.
    name = SECRETS.redact(value[:_MAX_COMPOSITE])[:longest].strip()
    # Control characters, and the surrogates of bytes that were no text, would reach terminals and the database.
    return name if name.isprintable() else "".join(character for character in name if character.isprintable())
