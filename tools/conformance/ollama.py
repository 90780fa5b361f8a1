"""How Ollama's answers are looked at; see `lenses`."""

from __future__ import annotations

from collections.abc import Iterable

from tools.conformance.seen import Fields, Seen, number

_ENDS = {"stop": "stop", "length": "length"}


def whole(body: Fields) -> Seen:
    """One answer."""
    return stream([body])


def stream(lines: Iterable[Fields]) -> Seen:
    """Its lines. An answer that calls tools ends with `stop` here."""
    seen = Seen()
    for line in lines:
        message = line.get("message") or {}
        seen.text += message.get("content") or ""
        seen.thinking += message.get("thinking") or ""
        for call in message.get("tool_calls") or ():
            seen.call(call["function"]["name"], call["function"].get("arguments"))
        if line.get("done"):
            seen.ended(line.get("done_reason"), _ENDS)
            seen.counted(number(line.get("prompt_eval_count")), 0, 0, number(line.get("eval_count")), 0)
    if seen.calls and seen.finish == "stop":
        seen.finish = "tool_calls"
    return seen
