"""Makes a long conversation fit: whole turns are taken out, oldest first, from the body as the caller wrote it.

A turn begins with what the user says and goes up to what the user says next, so that tool calls stay with their results. The
system prompt and the last turn always stay.
"""

from __future__ import annotations

from typing import Any

from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call

_LISTS = ("messages", "contents", "input")
_SYSTEM_ROLES = ("system", "developer")


def trim(call: Call, limit: int) -> int:
    """Shorten the call's body until it has about `limit` tokens or one turn is left; the number of messages taken out."""
    if call.input_tokens <= limit:
        return 0
    name = next((name for name in _LISTS if isinstance(call.body.get(name), list)), None)
    if name is None:
        return 0
    messages = call.body[name]
    starts = [index for index, message in enumerate(messages) if _begins_turn(message)]
    over, gone = call.input_tokens - limit, set[int]()
    begin = 0
    for start in starts:
        turn = [index for index in range(begin, start) if not _is_system(messages[index])]
        begin = start
        if not turn:
            continue
        gone.update(turn)
        over -= sum(input_tokens(messages[index]) for index in turn)
        if over <= 0:
            break
    if gone:
        call.replace_body({**call.body, name: [message for index, message in enumerate(messages) if index not in gone]})
        call.trimmed = len(gone)
    return len(gone)


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM_ROLES


def _begins_turn(message: Any) -> bool:
    """Whether the user speaks here, and not a tool in the user's name."""
    if not isinstance(message, dict) or message.get("role") != "user":
        return False
    parts = message.get("content", message.get("parts"))
    return not (isinstance(parts, list) and any(_is_result(part) for part in parts))


def _is_result(part: Any) -> bool:
    return isinstance(part, dict) and (
        part.get("type") == "tool_result" or "functionResponse" in part or "function_response" in part or "toolResult" in part
    )
