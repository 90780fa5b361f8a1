"""Parts that one dialect alone has, written as text where they hold text: every other dialect would drop them.

Only what a model reads: a hosted tool's call, an encrypted result and the like stay with the dialect that has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, Opaque, Part, Text, ToolResult, with_messages
from conduit_desktop.wire.anthropic.billing_line import after_billing_line
from conduit_desktop.wire.anthropic.messages_reader import NAME as ANTHROPIC
from conduit_desktop.wire.anthropic.messages_reader import read_block, read_cache
from conduit_desktop.wire.json_fields import FieldReader

# By name: importing the dialects would load them before anybody speaks them.
COHERE = "cohere"
RESPONSES = "openai_responses"

BILLING_LINE = "system.x-anthropic-billing-header"
"""The name under which the dropped line is reported."""


def expressed(request: ChatRequest) -> tuple[ChatRequest, list[str]]:
    """`request` for a target of another dialect, and the names of what was left out; the same object where nothing changes."""
    if request.dialect == RESPONSES:
        return request, ["phase"] if _has_phases(request) else []
    if request.dialect not in (ANTHROPIC, COHERE):
        return request, []
    if not any(map(_may_change, request.messages)):
        return request, []
    dropped: list[str] = []
    messages = [_message(message, dropped) if _may_change(message) else message for message in request.messages]
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request, []
    return with_messages(request, messages), list(dict.fromkeys(dropped))


def _has_phases(request: ChatRequest) -> bool:
    """Whether a message is marked as a commentary or as the final answer, which Codex sends back."""
    from conduit_desktop.wire.openai_responses.fields import noted_json

    form = request.source_form
    return any("phase" in note and noted_json(form, at).get("head", {}).get("phase") for at, note in form.items())


def _may_change(message: Message) -> bool:
    """Whether there may be anything to express. Without a call for each part: a long history has thousands."""
    for part in message.parts:
        if type(part) is Opaque or type(part) is Media:
            return True
        if message.role == "system" and type(part) is Text and after_billing_line(part.text) is not None:
            return True
        if type(part) is ToolResult:
            for inner in part.parts:
                if type(inner) is Opaque or type(inner) is Media:
                    return True
    return False


def _message(message: Message, dropped: list[str]) -> Message:
    parts = message.parts
    first = parts[0] if message.role == "system" and parts else None
    if isinstance(first, Text) and (rest := after_billing_line(first.text)) is not None:
        dropped.append(BILLING_LINE)
        parts = [*([replace(first, text=rest)] if rest else []), *parts[1:]]
    changed = _parts(parts, dropped, apart=True)
    return message if changed is message.parts else replace(message, parts=changed)


def _parts(parts: list[Part], dropped: list[str], apart: bool = False) -> list[Part]:
    """`apart`: with a blank line between a text that stands for a block and the next text, as dialects join texts without one."""
    changed = [_part(part, dropped) for part in parts]
    if all(len(new) == 1 and new[0] is old for new, old in zip(changed, parts, strict=True)):
        return parts
    out: list[Part] = []
    after_block = False
    for new, old in zip(changed, parts, strict=True):
        is_block = isinstance(old, Opaque) and isinstance(new[0], Text)
        last = out[-1] if out else None
        if apart and (is_block or after_block) and isinstance(last, Text) and isinstance(new[0], Text):
            out[-1] = replace(last, text=f"{last.text}\n\n")
        out += new
        after_block = is_block
    return out


def _part(part: Part, dropped: list[str]) -> list[Part]:
    if isinstance(part, ToolResult):
        inner = _parts(part.parts, dropped)
        return [part if inner is part.parts else replace(part, parts=inner)]
    if isinstance(part, Media):
        return _document(part, dropped) or [part]
    if isinstance(part, Opaque) and (write := _TEXTS.get((part.dialect, part.name))) is not None:
        text = write(part.value)
        if text is None:
            return [part]
        fields = FieldReader(part.value, "", {})
        if fields.raw.get("citations"):
            dropped.append("content.citations")
        return [Text(text, read_cache(fields) if part.dialect == ANTHROPIC else None)]
    return [part]


def _document(document: Media, dropped: list[str]) -> list[Part]:
    """The blocks of a document that holds pictures among its texts; empty for every other one, which stays one part."""
    source = document.extra.get("source")
    blocks = source.get("content") if isinstance(source, dict) and source.get("type") == "content" else None
    if not isinstance(blocks, list) or not any(isinstance(block, dict) and block.get("type") == "image" for block in blocks):
        return []
    head = "\n".join(str(one) for one in (document.name, document.extra.get("context")) if one)
    parts: list[Part] = [Text(head)] if head else []
    parts += [read_block(FieldReader(block, "", {})) for block in blocks if isinstance(block, dict)]
    if document.extra.get("citations"):
        dropped.append("content.citations")
    last = parts[-1]
    if document.cache is not None and isinstance(last, Text | Media):
        parts[-1] = replace(last, cache=document.cache)
    return parts


def _compaction(block: dict[str, Any]) -> str | None:
    """The summary that Anthropic's server-side compaction put in place of a conversation."""
    content = block.get("content")
    return content if isinstance(content, str) and content else None


def _search_result(block: dict[str, Any]) -> str | None:
    """A result that the client's own search found."""
    texts = _texts(block.get("content"))
    if not texts:
        return None
    head = [str(block[name]) for name in ("title", "source") if block.get(name)]
    return "\n".join([*head, *texts])


def _web_results(block: dict[str, Any]) -> str | None:
    """What Anthropic's web search found: the pages; their texts are encrypted."""
    results = block.get("content")
    pages = [one for one in results if isinstance(one, dict) and one.get("url")] if isinstance(results, list) else []
    lines = [f"- {one.get('title') or one['url']} ({one['url']})" for one in pages]
    return "\n".join(["Found on the web:", *lines]) if lines else None


def _web_page(block: dict[str, Any]) -> str | None:
    """The text of the page that Anthropic's web fetch read."""
    content = block.get("content")
    document = content.get("content") if isinstance(content, dict) else None
    source = document.get("source") if isinstance(document, dict) else None
    data = source.get("data") if isinstance(source, dict) and source.get("type") == "text" else None
    return f"{content.get('url') or 'A page'}:\n{data}" if isinstance(content, dict) and isinstance(data, str) and data else None


def _execution(block: dict[str, Any]) -> str | None:
    """What code printed that ran at Anthropic's."""
    content = block.get("content")
    if not isinstance(content, dict):
        return None
    return "\n".join(text for name in ("stdout", "stderr") if isinstance(text := content.get(name), str) and text) or None


def _tool_reference(block: dict[str, Any]) -> str | None:
    """A tool that a client's tool search found; its definition is among the request's tools."""
    name = block.get("tool_name")
    return f"Tool: {name}" if isinstance(name, str) and name else None


def _tool_document(block: dict[str, Json]) -> str | None:
    """A document of a tool's result, which is how Cohere's clients hand results over: its fields as JSON.

    https://docs.cohere.com/v2/docs/tool-use-overview
    """
    document = block.get("document")
    data = document.get("data") if isinstance(document, dict) else None
    if not data:
        return None
    named = {"id": document["id"]} if isinstance(document, dict) and document.get("id") else {}
    fields = {**named, **data} if isinstance(data, dict) else {**named, "data": data}
    return orjson.dumps(fields).decode() if len(fields) > 1 or not isinstance(fields.get("data"), str) else str(fields["data"])


def _texts(content: Json) -> list[str]:
    blocks = content if isinstance(content, list) else []
    return [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]


_TEXTS: dict[tuple[str, str], Callable[[dict[str, Any]], str | None]] = {
    (ANTHROPIC, "compaction"): _compaction,
    (ANTHROPIC, "search_result"): _search_result,
    (ANTHROPIC, "tool_reference"): _tool_reference,
    (ANTHROPIC, "web_search_tool_result"): _web_results,
    (ANTHROPIC, "web_fetch_tool_result"): _web_page,
    (ANTHROPIC, "code_execution_tool_result"): _execution,
    (ANTHROPIC, "bash_code_execution_tool_result"): _execution,
    (COHERE, "document"): _tool_document,
}
