"""Compaction of a long conversation: one item that stands for all before it.

OpenAI's models answer a final `compaction_trigger` item with one `compaction` item, whose content only OpenAI can read. For every
other model the item holds a summary in plain text, marked as ours, and its text reaches the model again in the next request.
https://developers.openai.com/api/docs/guides/compaction and openai/codex#22809
"""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark

TRIGGER, COMPACTION = "compaction_trigger", "compaction"
_OURS = "conduit"
_HEAD = "Summary of the conversation so far:\n\n"


def is_triggered(body: dict[str, Json]) -> bool:
    """Whether the request asks for a compaction: its last item is the trigger."""
    items = body.get("input")
    return isinstance(items, list) and bool(items) and isinstance(items[-1], dict) and items[-1].get("type") == TRIGGER


def summary_of(item: Json) -> str | None:
    """The summary in a compaction item of ours; None for OpenAI's, and for any other item."""
    if not isinstance(item, dict) or item.get("type") != COMPACTION:
        return None
    marked = unmark(item.get("encrypted_content"))
    return marked.data if marked is not None and marked.kind == "summary" else None


def as_message(item: Json) -> dict[str, Json] | None:
    """A compaction item of ours as the message that a model reads; None for any other item."""
    summary = summary_of(item)
    if summary is None:
        return None
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _HEAD + summary}]}


def write_item(id: str, summary: str) -> dict[str, Json]:
    """A compaction item of ours."""
    return {"id": id, "type": COMPACTION, "encrypted_content": mark(MarkedContent(_OURS, summary, "summary"))}
