"""The first line of Claude Code's system prompt, which changes with every request.

It is meant for Anthropic, which takes it out before its prompt cache. Any other vendor's cache would never find a prompt again: its
beginning is always new, and the whole prompt is paid for and read anew at every turn. anthropics/claude-code#68900
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json

_START = "x-anthropic-billing-header:"


def after_billing_line(text: Json) -> str | None:
    """What follows the line in a text that begins with it, mostly nothing; None for any other text."""
    if not isinstance(text, str) or not text.startswith(_START):
        return None
    return text.partition("\n")[2]


def without_billing_line(body: dict[str, Json]) -> dict[str, Json]:
    """A body of this dialect without that line; the same object where there is none."""
    system = body.get("system")
    first = system[0] if isinstance(system, list) and system else {"text": system}
    rest = after_billing_line(first.get("text")) if isinstance(first, dict) else None
    if rest is None:
        return body
    kept = {name: value for name, value in body.items() if name != "system"}
    if not isinstance(system, list):
        return {**kept, "system": rest} if rest else kept
    blocks = [*([{**first, "text": rest}] if rest else []), *system[1:]]
    return {**kept, "system": blocks} if blocks else kept
