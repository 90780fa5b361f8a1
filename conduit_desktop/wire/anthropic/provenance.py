"""What other providers made, as Anthropic's callers carry it, and how it is taken out again before it goes to Anthropic.

A caller sees thoughts and sources whoever made them, and hands them back. Anthropic refuses a signature or an index that is
not its own ("Invalid `signature` in `thinking` block"), so those of others bear a mark.
"""

from __future__ import annotations

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.anthropic.messages_layout import open_tool_loop_without_thinking
from conduit_desktop.wire.anthropic.messages_reader import NAME, Fields
from conduit_desktop.wire.provenance import CLAUDES, MarkedContent, mark, marked, unmark


def proof(signature: str, dialect: str) -> str:
    """The signature of a thought that was said in `dialect`: a Claude's as it is, anything else and none at all with a mark."""
    return marked(signature, dialect, CLAUDES if signature else ("", NAME))


def write_citation(citation: Citation) -> Fields | None:
    """A source: Anthropic's own as it was, another's as a search's result; None for one without an address."""
    if citation.dialect == NAME:
        return citation.raw if isinstance(citation.raw, dict) else None
    if not citation.url:
        return None
    place = "" if citation.start is None or citation.end is None else f"{citation.start}-{citation.end}"
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": mark(MarkedContent(citation.dialect, place, "cited")),
    }


def without_foreign(body: Fields) -> Fields:
    """`body` without the thoughts and sources of others; the very same where there are none.

    A thought that is taken out before a tool's call takes thinking by budget with it: there, Anthropic insists on one.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    kept = [_message(message) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return body
    cleaned = {**body, "messages": [new for new, old in zip(kept, messages, strict=True) if new is old or new["content"]]}
    thinking = body.get("thinking")
    by_budget = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    return _unthinking(cleaned) if by_budget and open_tool_loop_without_thinking(cleaned["messages"]) else cleaned


def _message(message: Json) -> Json:
    content = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
    if not isinstance(content, list):
        return message
    kept = [left for block in content for left in _left_of(block)]
    if len(kept) == len(content) and all(new is old for new, old in zip(kept, content, strict=True)):
        return message
    return {**message, "content": kept}


def _left_of(block: Json) -> list[Json]:
    """The block without the sources that others named; nothing of a thought of theirs, or of sources without words."""
    if not isinstance(block, dict):
        return [block]
    if block.get("type") == "thinking":
        return [block] if unmark(block.get("signature")) is None else []
    citations = block.get("citations")
    if block.get("type") != "text" or not isinstance(citations, list):
        return [block]
    own = [raw for raw in citations if not (isinstance(raw, dict) and unmark(raw.get("encrypted_index")))]
    if len(own) == len(citations):
        return [block]
    if own:
        return [{**block, "citations": own}]
    return [{key: value for key, value in block.items() if key != "citations"}] if block.get("text") else []


def _unthinking(body: Fields) -> Fields:
    """`body` without thinking, and without the edits that demand it."""
    rest = {key: value for key, value in body.items() if key != "thinking"}
    management = rest.get("context_management")
    if isinstance(management, dict) and isinstance(management.get("edits"), list):
        rest["context_management"] = {**management, "edits": [edit for edit in management["edits"] if not _clears_thinking(edit)]}
    return rest


def _clears_thinking(edit: Json) -> bool:
    return isinstance(edit, dict) and str(edit.get("type")).startswith("clear_thinking")
