"""What all parts of the Responses dialect share: its name, and how a source's own form is remembered for its own writer.

`source_form` keeps for every item of `input` what neutral parts have no field for (ids, states), under the item's path.
"""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.chat import ChatRequest, Json

NAME = "openai_responses"

HEAD = ("type", "id", "status", "phase")
"""An item's envelope: labels the provider made, without meaning elsewhere."""


def remember(source_form: dict[str, str], path: str, value: Json) -> None:
    """Keep `value` for the dialect's own writer."""
    source_form[path] = orjson.dumps(value).decode()


def recall(source_form: dict[str, str], path: str) -> dict[str, Any]:
    """What `remember` kept; empty where it kept nothing."""
    kept = source_form.get(path, "")
    return orjson.loads(kept) if kept.startswith("{") else {}


def is_own(request: ChatRequest) -> bool:
    """Whether the request was read from this dialect."""
    return request.dialect == NAME


def honoured(name: str, value: Json) -> bool:
    """Whether the house does what the field asks for whoever answers, so that nothing is lost in translation."""
    match name:
        case "store":
            return isinstance(value, bool)
        case "include":
            return isinstance(value, list) and all(item == "reasoning.encrypted_content" for item in value)
        case "stream_options":
            return isinstance(value, dict) and set(value) <= {"include_obfuscation"}
        case "background":
            return bool(value is False)
        case "truncation":
            return bool(value == "disabled")
        case _:
            return bool(value is None)
