"""The fields of a response object besides its output: its id, its status, and the settings of the request."""

from __future__ import annotations

import hashlib
import re
from uuid import uuid4

from conduit_desktop.core.chat import ChatRequest, Json, Text
from conduit_desktop.core.events import Finished, Started
from conduit_desktop.wire.openai_responses.fields import NAME, is_own
from conduit_desktop.wire.openai_responses.request_writer import write_settings

_OTHER_INCOMPLETE = frozenset({"max_messages", "steered"})
"""OpenAI's further values of `incomplete_details.reason`, which have no neutral reason."""
_RESPONSE_ID = re.compile(r"resp_([0-9a-f]{32})")
_ITEM_ID = re.compile(r"[a-z]+_([0-9a-f]{32})[0-9a-f]{2,4}")
"""Of a response and of an item in it, both made here."""
# How the response is delivered is no part of it: OpenAI's own does not repeat these.
_NOT_ECHOED = frozenset({"stream", "include", "stream_options"})
_DEFAULTS: dict[str, Json] = {
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""The defaults of the settings: the models of official clients require every field."""


def initial_response(request: ChatRequest, started: Started) -> dict[str, Json]:
    """The response as it begins: in progress, without output."""
    own = started.dialect == NAME
    body: dict[str, Json] = {
        # A new id where the vendor's is not of this form: some vendors repeat theirs, and item ids are derived from it.
        "id": started.id if started.id.startswith("resp_") or (own and started.id) else f"resp_{uuid4().hex}",
        "object": "response",
        "created_at": started.created or 0,
        "status": "in_progress",
        **({"error": None, "incomplete_details": None} if own else _DEFAULTS),
        "model": started.model or request.model,
        "output": [],
        "usage": None,
    }
    # OpenAI's own answer echoes the settings itself.
    if is_own(request) and not own:
        body |= {name: value for name, value in write_settings(request)[0].items() if name not in _NOT_ECHOED}
        first = request.messages[0] if request.messages else None
        if first is not None and request.source_form.get("instructions") == "top":
            body["instructions"] = "".join(part.text for part in first.parts if isinstance(part, Text))
    return {**body, **(started.extra if own else {})}


def write_status(finish: Finished) -> dict[str, Json]:
    """`status` and `incomplete_details`; a response that still runs in the background keeps its status."""
    if finish.reason == "other" and finish.raw in ("queued", "in_progress", "cancelled"):
        return {"status": finish.raw}
    if finish.reason == "length" and finish.raw in _OTHER_INCOMPLETE:
        return {"status": "incomplete", "incomplete_details": {"reason": finish.raw}}
    if finish.reason == "length":
        return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    if finish.reason == "content_filter":
        return {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    return {"status": "completed"}


def item_id(prefix: str, response_id: str, index: int) -> str:
    """The id of the item at `index`, derived from the response's id so that it is stable; `response_of_item` finds that again."""
    if (own := _RESPONSE_ID.fullmatch(response_id)) is not None:
        return f"{prefix}_{own[1]}{index:02x}"
    # Hashed, as a vendor's id may hold any characters and OpenAI takes item ids of 64 letters, digits, `_` and `-`.
    digest = hashlib.sha256(f"{response_id}/{index}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}_{digest[:40]}"


def response_of_item(id: str) -> str | None:
    """The id of the response that has the item, where the gateway made both ids."""
    found = _ITEM_ID.fullmatch(id)
    return f"resp_{found[1]}" if found is not None else None
