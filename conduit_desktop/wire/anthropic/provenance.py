"""Thoughts and citations of other providers in answers to Anthropic clients, and their removal from later requests.

A client hands back every thought and source, whichever provider they came from. Anthropic refuses a signature or an index that is
not its own ("Invalid `signature` in `thinking` block"), so those of others are marked (`wire.provenance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import orjson

from conduit_desktop.core.chat import Citation, Json, Part, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.wire.anthropic.messages_layout import open_tool_loop_without_thinking
from conduit_desktop.wire.anthropic.messages_reader import NAME, Fields
from conduit_desktop.wire.changed_items import with_items
from conduit_desktop.wire.provenance import CLAUDE_DIALECTS, MarkedContent, mark, mark_foreign, unmark, without_emptied


def portable_signature(signature: str, dialect: str) -> str:
    """The signature for a thought from a provider of `dialect`: Claude's unchanged, another or an empty one with a mark."""
    # Without a signature there is nothing of Claude's to keep valid, so only this dialect's own thoughts stay unmarked.
    return mark_foreign(signature, dialect, CLAUDE_DIALECTS if signature else ("", NAME))


def write_citation(citation: Citation) -> Fields | None:
    """A citation: Anthropic's own unchanged, another's as the result of a web search; None for one without a URL."""
    if citation.dialect == NAME:
        return citation.raw if isinstance(citation.raw, dict) else None
    if not citation.url:
        return None
    position = "" if citation.start is None or citation.end is None else f"{citation.start}-{citation.end}"
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": mark(MarkedContent(citation.dialect, position, "cited")),
    }


Find = Callable[[ToolCall | Text], Iterable[Part]]


def _nobody(signature: str) -> bool:
    return False


def without_foreign(body: Fields, is_foreign: Callable[[str], bool] = _nobody) -> Fields:
    """`body` without thoughts and citations of other providers; the same object where there are none.

    Foreign is what is marked, and what has a signature that `is_foreign`: an answer that was passed through has no marks.
    Where that leaves a tool call without a thought before it, or another provider made one without any, thinking by budget is
    removed, too: Anthropic requires the thought.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    kept = without_emptied(messages, partial(_message, is_foreign=is_foreign), "content") if _has_provenance(messages) else messages
    cleaned = body if kept is messages else {**body, "messages": kept}
    thinking = body.get("thinking")
    # Only a budget demands the thought: in adaptive mode the model may answer without one.
    # https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
    by_budget = isinstance(thinking, dict) and thinking.get("type") == "enabled"
    # A client that leaves out Anthropic's own thoughts gets Anthropic's own error.
    if by_budget and open_tool_loop_without_thinking(kept, of_others=kept is messages):
        return _without_thinking(cleaned)
    return cleaned


def _has_provenance(messages: list[Json]) -> bool:
    """Whether a block may be a provider's own. Without a call for each message and block: a long history has thousands."""
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if type(content) is list:
            for block in content:
                if type(block) is dict and ("citations" in block or block.get("type") == "thinking"):
                    return True
    return False


def _message(message: Json, is_foreign: Callable[[str], bool]) -> Json:
    content = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
    if not isinstance(content, list):
        return message
    kept = [left for block in content for left in _own_content(block, is_foreign)]
    if len(kept) == len(content) and all(new is old for new, old in zip(kept, content, strict=True)):
        return message
    return {**message, "content": kept}


def _own_content(block: Json, is_foreign: Callable[[str], bool]) -> list[Json]:
    """The block without foreign citations, in a list; an empty list for a foreign thought, or an empty text of citations only."""
    if not isinstance(block, dict):
        return [block]
    if block.get("type") == "thinking":
        signature = block.get("signature")
        foreign = unmark(signature) is not None or (isinstance(signature, str) and signature != "" and is_foreign(signature))
        return [] if foreign else [block]
    citations = block.get("citations")
    if block.get("type") != "text" or not isinstance(citations, list):
        return [block]
    own = [raw for raw in citations if not (isinstance(raw, dict) and unmark(raw.get("encrypted_index")))]
    if len(own) == len(citations):
        return [block]
    if own:
        return [{**block, "citations": own}]
    return [{key: value for key, value in block.items() if key != "citations"}] if block.get("text") else []


def with_thinking(body: Fields, find: Find) -> Fields:
    """`body` with the thoughts that its client left out before its tool calls; the same object where none are found.

    `find` returns those kept for a call.
    """
    return with_items(body, "messages", partial(_with_thinking, find=find))


def _with_thinking(message: Json, find: Find) -> Json:
    content = message.get("content") if isinstance(message, dict) and message.get("role") == "assistant" else None
    if not isinstance(content, list):
        return message
    blocks = [block for block in content if isinstance(block, dict)]
    if any(block.get("type") in ("thinking", "redacted_thinking") for block in blocks):
        return message
    calls = [
        ToolCall(str(block.get("id")), str(block.get("name")), orjson.dumps(block.get("input") or {}).decode())
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    thoughts: list[Part] = next((found for call in calls if (found := [*find(call)])), [])
    written: list[Json] = []
    for part in thoughts:
        if isinstance(part, Thinking):
            written.append({"type": "thinking", "thinking": part.text, "signature": part.signature or ""})
        elif isinstance(part, RedactedThinking):
            written.append({"type": "redacted_thinking", "data": part.data})
    return {**message, "content": [*written, *content]} if written else message


def _without_thinking(body: Fields) -> Fields:
    """`body` without thinking, and without the context edits that require it."""
    rest = {key: value for key, value in body.items() if key != "thinking"}
    management = rest.get("context_management")
    if isinstance(management, dict) and isinstance(management.get("edits"), list):
        rest["context_management"] = {**management, "edits": [edit for edit in management["edits"] if not _clears_thinking(edit)]}
    return rest


def _clears_thinking(edit: Json) -> bool:
    return isinstance(edit, dict) and str(edit.get("type")).startswith("clear_thinking")
