"""Custom tools (free text input) as functions with one string, `input`, for dialects that have only functions."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json, Tool


def schema() -> dict[str, Json]:
    """The JSON schema of the function's parameters."""
    return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def described(tool: Tool) -> str | None:
    """The tool's description and, for a custom tool, the grammar of its input, which a function has no field for."""
    custom = tool.extra.get("custom")
    form = tool.extra.get("format") or (custom.get("format") if isinstance(custom, dict) else None)
    form = form.get("grammar") or form if isinstance(form, dict) else {}
    if tool.kind != "custom" or not isinstance(form, dict) or not isinstance(form.get("definition"), str):
        return tool.description
    grammar = f"The input must follow this {form.get('syntax') or 'formal'} grammar:\n{form['definition']}"
    return f"{tool.description}\n\n{grammar}" if tool.description else grammar


def wrap(text: str) -> str:
    """Free text as the function's arguments, JSON text."""
    return orjson.dumps({"input": text}).decode()


def unwrap(arguments: str) -> str:
    """The text in the function's arguments; the arguments as they are where they hold other than one string."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        # A model may write the bare text instead of the JSON that was asked of it.
        return arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        # A model may name the one argument otherwise; its text is what the tool takes all the same.
        texts = [value["input"]] if "input" in value else list(value.values())
        if len(texts) == 1 and isinstance(texts[0], str):
            return texts[0]
    return arguments
