"""What the parts of the Responses dialect share: its name, and JSON notes in `ChatRequest.source_form`.

For every item of `input` the notes keep, under the item's path, what neutral parts have no field for: ids, states, phases.
"""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.json_fields import SourceForm

NAME = "openai_responses"

ENVELOPE = ("type", "id", "status", "phase")
"""Fields that label an item at the provider that made it; they mean nothing to another."""


def note_json(source_form: SourceForm, path: str, value: Json) -> None:
    """Keep `value` for this dialect's request writer."""
    source_form[path] = orjson.dumps(value).decode()


def noted_json(source_form: SourceForm, path: str) -> dict[str, Any]:
    """The object that `note_json` kept; empty where it kept none."""
    kept = source_form.get(path, "")
    return orjson.loads(kept) if kept.startswith("{") else {}


def is_own(request: ChatRequest) -> bool:
    """Whether the request was read from this dialect."""
    return request.dialect == NAME


def is_applied_here(name: str, value: Json) -> bool:
    """Whether the gateway itself does what the field asks for, so that no target has to and nothing is dropped."""
    match name:
        case "store":
            return isinstance(value, bool)
        # Thoughts of other providers reach the client as encrypted content whether it asks or not.
        case "include":
            return isinstance(value, list) and all(item == "reasoning.encrypted_content" for item in value)
        case "stream_options":
            return isinstance(value, dict) and set(value) <= {"include_obfuscation"}
        # Only the default needs nothing: an answer in the background is for the target to make.
        case "background":
            return bool(value is False)
        case "truncation":
            return bool(value == "disabled")
        case _:
            return bool(value is None)
