"""What a Responses client hands back of other providers, made fit for OpenAI: thoughts and citations removed, summaries as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.openai_responses.compaction import as_message
from conduit_desktop.wire.provenance import unmark


def _nobody(encrypted: str) -> bool:
    return False


def without_foreign(body: dict[str, Any], is_foreign: Callable[[str], bool] = _nobody) -> dict[str, Any]:
    """`body` without foreign thoughts and citations, and with our summaries as text; the same object where there are none.

    Foreign is what is marked, and encrypted content that `is_foreign`: an answer that was passed through has no marks.
    """
    items = body.get("input")
    if not isinstance(items, list):
        return body
    kept = [_item(item) for item in items if not _is_foreign_thought(item, is_foreign)]
    # Compared by identity, which costs nothing however long the conversation is.
    if len(kept) == len(items) and all(new is old for new, old in zip(kept, items, strict=True)):
        return body
    return {**body, "input": kept}


def _is_foreign_thought(item: Json, is_foreign: Callable[[str], bool]) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    encrypted = item.get("encrypted_content")
    return unmark(encrypted) is not None or (isinstance(encrypted, str) and encrypted != "" and is_foreign(encrypted))


def _item(item: Json) -> Json:
    if (summary := as_message(item)) is not None:
        return summary
    # Only the assistant's content holds annotations, which the client got from an answer.
    content = item.get("content") if isinstance(item, dict) and item.get("role") == "assistant" else None
    if not isinstance(content, list) or not any(_foreign_notes(part) for part in content):
        return item
    return {**item, "content": [_part(part) if _foreign_notes(part) else part for part in content]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    foreign = _foreign_notes(part)
    return {**part, "annotations": [note for note in part["annotations"] if note not in foreign]}


def _foreign_notes(part: Json) -> list[Json]:
    """The annotations of a part that cite a file of another provider."""
    notes = part.get("annotations") if isinstance(part, dict) else None
    return [note for note in notes if isinstance(note, dict) and unmark(note.get("file_id"))] if isinstance(notes, list) else []
