"""Parts that one dialect alone has, said in text where they hold text: every other dialect would drop them.

Only what a model reads: a hosted tool's call, an encrypted result and the like stay with the dialect that has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json, Message, Opaque, Part, Text, ToolResult
from conduit_desktop.wire.anthropic.billing_line import after_billing_line
from conduit_desktop.wire.anthropic.messages_reader import NAME as ANTHROPIC

BILLING_LINE = "system.x-anthropic-billing-header"
"""The name under which the dropped line is reported."""


def expressed(request: ChatRequest) -> tuple[ChatRequest, list[str]]:
    """`request` for a target of another dialect, and the names of what was left out; the same object where nothing changes."""
    if request.dialect != ANTHROPIC:
        return request, []
    dropped: list[str] = []
    messages = [_message(message, dropped) if _may_change(message) else message for message in request.messages]
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request, []
    return replace(request, messages=messages), dropped


def _may_change(message: Message) -> bool:
    """Whether there may be anything to express. Without a call for each part: a long history has thousands."""
    if message.role == "system":
        return True
    for part in message.parts:
        if type(part) is Opaque:
            return True
        if type(part) is ToolResult:
            for inner in part.parts:
                if type(inner) is Opaque:
                    return True
    return False


def _message(message: Message, dropped: list[str]) -> Message:
    parts = message.parts
    first = parts[0] if message.role == "system" and parts else None
    if isinstance(first, Text) and (rest := after_billing_line(first.text)) is not None:
        dropped.append(BILLING_LINE)
        parts = [*([replace(first, text=rest)] if rest else []), *parts[1:]]
    said = _parts(parts)
    return message if said is message.parts else replace(message, parts=said)


def _parts(parts: list[Part]) -> list[Part]:
    said = [_part(part) for part in parts]
    return parts if all(new is old for new, old in zip(said, parts, strict=True)) else said


def _part(part: Part) -> Part:
    if isinstance(part, ToolResult):
        inner = _parts(part.parts)
        return part if inner is part.parts else replace(part, parts=inner)
    if isinstance(part, Opaque) and part.dialect == ANTHROPIC and (write := _TEXTS.get(part.name)) is not None:
        text = write(part.value)
        return part if text is None else Text(text)
    return part


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


def _texts(content: Json) -> list[str]:
    blocks = content if isinstance(content, list) else []
    return [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]


_TEXTS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "compaction": _compaction,
    "search_result": _search_result,
    "tool_reference": _tool_reference,
    "web_search_tool_result": _web_results,
    "web_fetch_tool_result": _web_page,
    "code_execution_tool_result": _execution,
    "bash_code_execution_tool_result": _execution,
}
