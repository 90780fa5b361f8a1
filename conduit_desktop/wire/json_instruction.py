"""The instruction that asks for JSON in words, where a vendor or a model cannot be held to a format."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json


def json_instruction(schema: Json, description: Json = None) -> str:
    """A sentence for the instructions of a request; `schema` None: any JSON object. `description`: what the value is."""
    if not isinstance(schema, dict):
        return "Give the final answer as one JSON object, and nothing else."
    text = orjson.dumps(schema).decode()
    what = f" ({description})" if isinstance(description, str) and description else ""
    return f"Give the final answer as one JSON value{what} that matches this JSON schema, and nothing else:\n{text}"
