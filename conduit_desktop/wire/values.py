"""Tool arguments as the JSON object that some dialects want them to be."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json, ToolCall


def as_object(call: ToolCall) -> tuple[dict[str, Json], bool]:
    """The arguments as an object, and whether nothing was bent: free text, and what is no object, is wrapped in `input`."""
    if call.kind == "custom":
        return {"input": call.arguments}, True
    if not call.arguments.strip():
        return {}, True
    try:
        value: Json = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return {"input": call.arguments}, False
    return (value, True) if isinstance(value, dict) else ({"input": value}, False)
