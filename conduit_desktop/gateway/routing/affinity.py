"""Session affinity: requests of a session, or with the same beginning, go to the target whose prompt cache knows them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from itertools import takewhile
from typing import Any

import orjson

from conduit_desktop.core.entities import ModelAlias
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.routing.strategies import is_available
from conduit_desktop.gateway.routing.targets import BoundTarget

MAX_REMEMBERED = 10_000
"""Sessions and prefixes kept; the least recently used are dropped first."""
# No standard names a session: these are the headers of clients such as Claude Code, whose value is a free label.
SESSION_HEADERS = (
    "x-session-id", "x-claude-code-session-id", "x-claude-code-session", "session-id", "session_id", "x-conversation-id",
)  # fmt: skip
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "preamble", "tools")


class SessionAffinity:
    """The target that last answered a session, or a prompt with the same beginning."""

    def __init__(self) -> None:
        self._targets: OrderedDict[bytes, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._targets)

    def first(self, key: bytes, targets: list[BoundTarget], health: Health) -> list[BoundTarget]:
        """`targets` with the session's target first, where it is among them and available now."""
        name = self._targets.get(key)
        for index, target in enumerate(targets):
            if target.name == name:
                # An unavailable target keeps its place: waiting for it would cost more than its prompt cache saves.
                return [target, *targets[:index], *targets[index + 1 :]] if index and is_available(target, health) else targets
        return targets

    def answered(self, key: bytes, name: str) -> None:
        """The target answered: the session's next request goes there first."""
        self._targets[key] = name
        self._targets.move_to_end(key)
        if len(self._targets) > MAX_REMEMBERED:
            self._targets.popitem(last=False)


def key_of(alias: ModelAlias, call: Call) -> bytes | None:
    """The key of the request's session, different for each caller and alias; None where it names no session."""
    if alias.sticky == "prefix":
        mark = _prefix(call.body)
    else:
        session = session_of(call.headers, call.body)
        if session is None:
            return None
        mark = session.encode("utf-8", "replace")
    # With the caller in the key, no client can steer or observe another one's sessions.
    caller = call.credential or call.client_ip
    # A digest, so that ten thousand entries stay small, however long the beginning of a prompt is.
    return blake2b(b"\0".join((alias.id.encode(), caller.encode("utf-8", "replace"), mark)), digest_size=16).digest()


def session_of(headers: Mapping[str, str], body: Mapping[str, Any]) -> str | None:
    """The session that a request names, in a header or in its body (OpenAI's `user`, Anthropic's `metadata.user_id`)."""
    for name in SESSION_HEADERS:
        if value := headers.get(name):
            return value
    metadata = body.get("metadata")
    # OpenAI's `prompt_cache_key` replaces `user` for this purpose: a user may have several sessions.
    named = (body.get("prompt_cache_key"), metadata.get("user_id") if isinstance(metadata, dict) else None, body.get("user"))
    return next((value for value in named if isinstance(value, str) and value), None)


def _prefix(body: Mapping[str, Any]) -> bytes:
    """System prompt, tools, and everything up to the first message that is neither: what a prompt cache keeps longest."""
    messages = next((body[name] for name in ("messages", "contents", "input") if name in body), body.get("prompt"))
    if isinstance(messages, list):
        system = list(takewhile(_is_system, messages))
        messages = messages[: len(system) + 1]
    return orjson.dumps([*(body.get(name) for name in _SYSTEM), messages])


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")
