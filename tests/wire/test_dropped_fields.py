"""What a vendor cannot express: written differently or reported as dropped, and never sent in a form that it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire import WrittenRequest, dialect

UPSTREAMS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini", "ollama", "cohere", "bedrock")


def written(upstream: str, *messages: Message, **settings: Any) -> WrittenRequest:
    """What a foreign caller's request becomes."""
    request = ChatRequest("elsewhere", "m", [*messages, Message("user", [Text("hello")], plain=True)], **settings)
    return dialect(upstream).write_request(request, "m")


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("tool", "search")])
@pytest.mark.parametrize("tools", [[], [Tool("search", kind="hosted", type="file_search")]])
def test_a_forced_choice_without_tools_is_reported_as_dropped(upstream: str, choice: ToolChoice, tools: list[Tool]) -> None:
    out = written(upstream, tools=tools, tool_choice=choice)
    assert "tool_choice" in out.dropped
    assert "tool_choice" not in out.body


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_another_vendors_tool_choice_is_reported_as_dropped(upstream: str) -> None:
    out = written(upstream, tools=[Tool("f")], tool_choice=ToolChoice("auto", extra={"type": "file_search"}))
    assert out.dropped[0].startswith("tool_choice")


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_the_choice_auto_without_tools_is_no_loss(upstream: str) -> None:
    assert written(upstream, tool_choice=ToolChoice("auto")).dropped == []


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_an_unknown_effort_is_reported_as_dropped(upstream: str) -> None:
    out = written(upstream, reasoning=Reasoning("colossal"))
    assert out.dropped == ["reasoning.effort"]
    assert "colossal" not in str(out.body)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_file_without_content_is_reported_as_dropped(upstream: str) -> None:
    out = written(upstream, Message("user", [Text("look"), Media("image")]))
    assert len(out.dropped) == 1
    assert out.dropped[0].startswith("image")


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("role", ["system", "tool"])
def test_cache_marks_and_citations_of_texts_are_reported_as_dropped(upstream: str, role: Any) -> None:
    """Instructions become a field of their own, and results plain text, so that marks on them are lost there, too."""
    marked = Text("rules", citations=[Citation(url="https://example.com")], extra={"shade": 1})
    call = Message("assistant", [ToolCall("c", "f", "{}")])
    before = [Message("user", [Text("hi")]), call, Message("tool", [ToolResult("c", [marked])])]
    out = written(upstream, *([Message("system", [marked])] if role == "system" else before))
    assert {"content.shade", "citations"} <= set(out.dropped)


@pytest.mark.parametrize("upstream", ["openai_chat", "anthropic_messages", "gemini", "bedrock"])
def test_images_in_instructions_are_reported_as_dropped_where_only_text_is_allowed(upstream: str) -> None:
    out = written(upstream, Message("system", [Text("rules"), Media("image", url="https://example.com/a.png")]))
    assert out.dropped == ["system.media"]


@pytest.mark.parametrize("upstream", ["openai_responses", "ollama"])
def test_a_format_without_its_schema_becomes_json_mode(upstream: str) -> None:
    body = written(upstream, output=OutputFormat("schema", name="answer")).body
    assert body.get("format", body.get("text")) in ("json", {"format": {"type": "json_object"}})


def test_an_empty_stop_text_is_not_sent_to_bedrock() -> None:
    out = written("bedrock", stop=["", "END"])
    assert out.body["inferenceConfig"]["stopSequences"] == ["END"]
    assert out.dropped == ["stop"]


def test_a_refusal_becomes_text_for_the_responses_api() -> None:
    """Its type for refusals needs the id and the state of the message they stand in."""
    out = written("openai_responses", Message("assistant", [Text("Sorry: "), Refusal("no")]))
    assert out.body["input"][0] == {"role": "assistant", "content": "Sorry: no"}


@pytest.mark.parametrize(
    ("role", "parts", "dropped"),
    [
        ("user", [Thinking("hm"), ToolCall("c", "f", "{}")], ["thinking", "tool_calls"]),
        ("system", [Text("rules"), Media("image", url="https://example.com/a.png")], ["system.image"]),
        ("assistant", [Text("see"), Media("image", url="https://example.com/a.png")], ["assistant.image"]),
        ("tool", [ToolResult("c", [Thinking("hm"), Text("done")])], ["thinking"]),
    ],
)
def test_parts_that_a_role_may_not_hold_are_dropped_for_cohere(role: Any, parts: list[Part], dropped: list[str]) -> None:
    out = written("cohere", Message(role, parts))
    assert out.dropped == dropped
    assert not any(word in str(out.body["messages"]) for word in ("hm", "image_url", "tool_calls"))


def test_thoughts_in_a_result_are_reported_as_dropped_for_the_responses_api() -> None:
    out = written("openai_responses", Message("tool", [ToolResult("c", [Thinking("hm"), Text("done")])]))
    assert out.dropped == ["tool_result.content"]
    assert out.body["input"][0]["output"] == "done"


def test_tools_for_cohere_are_kept_where_the_forced_one_is_missing() -> None:
    out = written("cohere", tools=[Tool("f")], tool_choice=ToolChoice("tool", "g"))
    assert [tool["function"]["name"] for tool in out.body["tools"]] == ["f"]
    assert out.dropped == ["tool_choice"]
