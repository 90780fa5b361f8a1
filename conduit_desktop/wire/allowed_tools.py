"""Which of a request's tools may be called: OpenAI and Gemini have a list next to the tools; elsewhere the rest is not offered."""

from __future__ import annotations

from dataclasses import replace

from conduit_desktop.core.chat import ChatRequest, Json

_LISTS = ("type", "allowed_tools", "tools", "allowedFunctionNames")


def with_allowed_tools(request: ChatRequest) -> ChatRequest:
    """`request` with the allowed tools alone, and without the list; the same object where there is none.

    A tool that the client did not allow must not be called, whatever the target can express.
    """
    choice = request.tool_choice
    if choice is None or choice.mode not in ("auto", "required"):
        return request
    allowed = _names(choice.extra)
    kept = [tool for tool in request.tools if tool.name in allowed or tool.type in allowed]
    # A list that names none of the tools is the vendor's to judge.
    if not kept:
        return request
    rest = {
        name: value
        for name, value in choice.extra.items()
        if name not in ("type", "allowed_tools", "tools", "allowedFunctionNames")
    }
    return replace(request, tools=kept, tool_choice=replace(choice, extra=rest))


def _names(extra: dict[str, Json]) -> set[str]:
    """The names of functions and the types of hosted tools in the list of OpenAI's chats, of its responses, or of Gemini."""
    inner = extra.get("allowed_tools")
    listed = inner.get("tools") if isinstance(inner, dict) else extra.get("tools") or extra.get("allowedFunctionNames")
    return {name for one in listed if (name := _name(one)) is not None} if isinstance(listed, list) else set()


def _name(one: Json) -> str | None:
    if not isinstance(one, dict):
        return one if isinstance(one, str) else None
    kind = one.get("type")
    inner = one.get(str(kind))
    name = inner.get("name") if isinstance(inner, dict) else one.get("name")
    found = name if kind in ("function", "custom") else kind
    return found if isinstance(found, str) else None
