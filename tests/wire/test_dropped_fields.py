"""What a vendor has no place for: kept in other words or named, and never sent as what it would refuse."""

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


def said(upstream: str, *messages: Message, **settings: Any) -> WrittenRequest:
    """What a foreign caller's request becomes."""
    asked = ChatRequest("elsewhere", "m", [*messages, Message("user", [Text("hello")], plain=True)], **settings)
    return dialect(upstream).write_request(asked, "m")


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("tool", "search")])
@pytest.mark.parametrize("tools", [[], [Tool("search", kind="hosted", type="web_search")]])
def test_a_demand_for_tools_that_are_not_there_is_named(upstream: str, choice: ToolChoice, tools: list[Tool]) -> None:
    out = said(upstream, tools=tools, tool_choice=choice)
    assert "tool_choice" in out.dropped
    assert "tool_choice" not in out.body


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_demand_in_words_of_another_vendor_is_named_beside_the_tools(upstream: str) -> None:
    out = said(upstream, tools=[Tool("f")], tool_choice=ToolChoice("auto", extra={"type": "file_search"}))
    assert out.dropped[0].startswith("tool_choice")


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_leaving_it_to_the_model_where_there_are_no_tools_is_no_loss(upstream: str) -> None:
    assert said(upstream, tool_choice=ToolChoice("auto")).dropped == []


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses"])
def test_an_effort_in_a_word_that_is_not_openais_is_named(upstream: str) -> None:
    out = said(upstream, reasoning=Reasoning("colossal"))
    assert out.dropped == ["reasoning.effort"]
    assert "colossal" not in str(out.body)


@pytest.mark.parametrize("upstream", UPSTREAMS)
def test_a_file_that_is_nowhere_is_named(upstream: str) -> None:
    out = said(upstream, Message("user", [Text("look"), Media("image")]))
    assert len(out.dropped) == 1
    assert out.dropped[0].startswith("image")


@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("role", ["system", "tool"])
def test_marks_on_words_are_named_wherever_the_words_go(upstream: str, role: Any) -> None:
    """Instructions become a field of their own, and results plain text: what was said beside the words is lost there, too."""
    marked = Text("rules", citations=[Citation(url="https://example.com")], extra={"shade": 1})
    call = Message("assistant", [ToolCall("c", "f", "{}")])
    before = [Message("user", [Text("hi")]), call, Message("tool", [ToolResult("c", [marked])])]
    out = said(upstream, *([Message("system", [marked])] if role == "system" else before))
    assert {"content.shade", "citations"} <= set(out.dropped)


@pytest.mark.parametrize("upstream", ["openai_chat", "anthropic_messages", "gemini", "bedrock"])
def test_pictures_among_the_instructions_are_named_where_those_are_words_alone(upstream: str) -> None:
    out = said(upstream, Message("system", [Text("rules"), Media("image", url="https://example.com/a.png")]))
    assert out.dropped == ["system.media"]


@pytest.mark.parametrize("upstream", ["openai_responses", "ollama"])
def test_a_schema_that_was_not_given_asks_for_any_json(upstream: str) -> None:
    body = said(upstream, output=OutputFormat("schema", name="answer")).body
    assert body.get("format", body.get("text")) in ("json", {"format": {"type": "json_object"}})


def test_bedrock_is_not_asked_to_stop_at_nothing() -> None:
    out = said("bedrock", stop=["", "END"])
    assert out.body["inferenceConfig"]["stopSequences"] == ["END"]
    assert out.dropped == ["stop"]


def test_a_refusal_is_said_to_responses_in_words() -> None:
    """Its type for refusals needs the id and the state of the message they stand in."""
    out = said("openai_responses", Message("assistant", [Text("Sorry: "), Refusal("no")]))
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
def test_cohere_holds_only_what_fits_a_turns_role(role: Any, parts: list[Part], dropped: list[str]) -> None:
    out = said("cohere", Message(role, parts))
    assert out.dropped == dropped
    assert not any(word in str(out.body["messages"]) for word in ("hm", "image_url", "tool_calls"))


def test_thoughts_within_a_result_are_named_to_responses() -> None:
    out = said("openai_responses", Message("tool", [ToolResult("c", [Thinking("hm"), Text("done")])]))
    assert out.dropped == ["tool_result.content"]
    assert out.body["input"][0]["output"] == "done"


def test_cohere_keeps_its_tools_where_the_one_demanded_is_not_among_them() -> None:
    out = said("cohere", tools=[Tool("f")], tool_choice=ToolChoice("tool", "g"))
    assert [tool["function"]["name"] for tool in out.body["tools"]] == ["f"]
    assert out.dropped == ["tool_choice"]
