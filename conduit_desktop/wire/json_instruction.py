"""The instruction that asks for JSON in words, for models that cannot be held to a format."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json


def json_instruction(schema: Json) -> str:
    """A sentence for the instructions of a request; `schema` None: any JSON object."""
    wanted = "The final answer must be JSON only, without Markdown fences."
    return f"{wanted} It must match this JSON schema:\n{orjson.dumps(schema).decode()}" if isinstance(schema, dict) else wanted
