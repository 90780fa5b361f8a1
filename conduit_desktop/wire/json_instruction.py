"""The instruction that asks for JSON in words, where a vendor or a model cannot be held to a format."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json


def json_instruction(schema: Json) -> str:
    """A sentence for the instructions of a request; `schema` None: any JSON object."""
    if not isinstance(schema, dict):
        return "Give the final answer as one JSON object, and nothing else."
    text = orjson.dumps(schema).decode()
    return f"Give the final answer as one JSON value that matches this JSON schema, and nothing else:\n{text}"
