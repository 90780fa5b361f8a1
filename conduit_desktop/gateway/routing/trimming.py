"""Context trimming: removes the oldest exchanges of a long conversation from the request body.

An exchange begins with a user message and ends before the next one, so that tool calls stay with their results. The system
prompt and the last exchange always stay.
"""

from __future__ import annotations

from typing import Any

from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call

_LISTS = ("messages", "contents", "input")
_SYSTEM_ROLES = ("system", "developer")


def trim(call: Call, limit: int) -> int:
    """Shorten the call's body to about `limit` tokens, or to one exchange; returns the number of removed messages."""
    if call.input_tokens <= limit:
        return 0
    name = next((name for name in _LISTS if isinstance(call.body.get(name), list)), None)
    if name is None:
        return 0
    messages = call.body[name]
    starts = [index for index, message in enumerate(messages) if _begins_exchange(message)]
    over, removed = call.input_tokens - limit, set[int]()
    begin = 0
    # What follows the last start is the last exchange: the loop removes only what lies before a start.
    for start in starts:
        exchange = [index for index in range(begin, start) if not _is_system(messages[index])]
        begin = start
        if not exchange:
            continue
        removed.update(exchange)
        over -= sum(input_tokens(messages[index]) for index in exchange)
        if over <= 0:
            break
    if removed:
        call.replace_body({**call.body, name: [message for index, message in enumerate(messages) if index not in removed]})
        call.trimmed = len(removed)
    return len(removed)


def _is_system(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM_ROLES


def _begins_exchange(message: Any) -> bool:
    """Whether it is a message of the user, and not a tool result, which some dialects also give the role `user`."""
    if not isinstance(message, dict) or message.get("role") != "user":
        return False
    parts = message.get("content", message.get("parts"))
    return not (isinstance(parts, list) and any(_is_result(part) for part in parts))


def _is_result(part: Any) -> bool:
    return isinstance(part, dict) and (
        part.get("type") == "tool_result" or "functionResponse" in part or "function_response" in part or "toolResult" in part
    )
