"""A list of the tools that may be called, next to the tools themselves."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import ChatRequest, Message, Text, Tool, ToolChoice
from conduit_desktop.wire import dialect
from conduit_desktop.wire.allowed_tools import with_allowed_tools

FUNCTIONS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in "abc"]
FLAT = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in "abc"]
HELLO = [{"role": "user", "content": "hello"}]


def of(name: str, body: dict[str, Any]) -> ChatRequest:
    return dialect(name).read_request(body, {"model": "m"})


REQUESTS = {
    "chat": of(
        "openai_chat",
        {"model": "m", "messages": HELLO, "tools": FUNCTIONS, "tool_choice": {
            "type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
                {"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": "b"}},
            ]},
        }},
    ),
    "responses": of(
        "openai_responses",
        {"model": "m", "input": "hello", "tools": FLAT, "tool_choice": {
            "type": "allowed_tools", "mode": "required", "tools": FLAT[:2],
        }},
    ),
    "gemini": of(
        "gemini",
        {
            "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
            "tools": [{"functionDeclarations": [{"name": name} for name in "abc"]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a", "b"]}},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("caller", REQUESTS)
def test_other_tools_are_not_offered(caller: str) -> None:
    request = with_allowed_tools(REQUESTS[caller])
    assert [tool.name for tool in request.tools] == ["a", "b"]
    assert request.tool_choice == ToolChoice("required")
    body = dialect("anthropic_messages").write_request(request, "m").body
    assert ([tool["name"] for tool in body["tools"]], body["tool_choice"]) == (["a", "b"], {"type": "any"})
    assert [tool.name for tool in REQUESTS[caller].tools] == ["a", "b", "c"], "the client's own request is unchanged"


def test_a_hosted_tool_is_allowed_by_its_type() -> None:
    tools = [Tool("a"), Tool("web_search", kind="hosted", type="web_search")]
    choice = ToolChoice("auto", extra={"tools": [{"type": "web_search"}]})
    request = with_allowed_tools(ChatRequest("openai_responses", "m", [Message("user", [Text("x")])], tools, choice))
    assert [tool.name for tool in request.tools] == ["web_search"]


@pytest.mark.parametrize("choice", [None, ToolChoice("auto"), ToolChoice("tool", "a"), ToolChoice("auto", extra={"tools": []})])
def test_a_request_without_a_list_is_the_same_object(choice: ToolChoice | None) -> None:
    request = ChatRequest("openai_chat", "m", [], [Tool("a"), Tool("b")], choice)
    assert with_allowed_tools(request) is request
