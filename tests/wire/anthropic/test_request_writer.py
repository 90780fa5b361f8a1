"""Requests of other dialects, written for Anthropic's Messages API."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from hypothesis import given, settings

from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    RedactedThinking,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.anthropic.messages_layout import FILLER
from conduit_desktop.wire.claude_models import DEFAULT_MAX_TOKENS, EFFORT_BUDGETS
from tests.wire.messages_frames import MESSAGES, check_rules
from tests.wire.strategies import Features, requests

HELLO = Message("user", [Text("hello")], plain=True)
WEATHER = Tool("weather", "d", {"type": "object"})


def text_message(role: Role, text: str) -> Message:
    return Message(role, [Text(text)], plain=True)


def written(*messages: Message, **settings: Any) -> WrittenRequest:
    """The request as another dialect's caller made it."""
    return MESSAGES.write_request(ChatRequest("openai_chat", "alias", list(messages) or [HELLO], **settings), "claude-x")


def turns(*messages: Message) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(*messages).body["messages"]
    return found


def test_a_minimal_request_gets_max_tokens() -> None:
    out = written()
    assert out.body == {"model": "claude-x", "max_tokens": DEFAULT_MAX_TOKENS, "messages": [{"role": "user", "content": "hello"}]}
    assert out.dropped == []


def test_system_and_developer_messages_move_to_the_top() -> None:
    out = written(text_message("system", "a"), HELLO)
    assert out.body["system"] == "a"
    out = written(text_message("system", "a"), text_message("developer", "b"), HELLO)
    assert out.body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert out.dropped == []


def test_a_system_message_in_the_middle_joins_them_and_is_reported() -> None:
    out = written(text_message("system", "a"), HELLO, text_message("system", "b"), text_message("user", "more"))
    assert [block["text"] for block in out.body["system"]] == ["a", "b"]
    assert out.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": t} for t in ("hello", "more")]}]
    assert out.dropped == ["system.position"]


def test_a_conversation_of_instructions_only_gets_a_user_message() -> None:
    assert turns(text_message("system", "a")) == [{"role": "user", "content": FILLER}]


def test_results_come_first_in_the_turn_after_their_calls() -> None:
    calls = [ToolCall("call_1", "f", '{"a":1}'), ToolCall("call_2", "g", "")]
    found = turns(
        HELLO,
        Message("assistant", [Text("let me see"), *calls]),
        text_message("user", "hurry"),
        Message("tool", [ToolResult("call_1", [Text("one")], plain=True)]),
        Message("tool", [ToolResult("call_2", [Text("")], plain=True, is_error=True)]),
    )
    assert [turn["role"] for turn in found] == ["user", "assistant", "user"]
    assert found[1]["content"][1:] == [
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
    ]
    assert found[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "call_2", "is_error": True},
        {"type": "text", "text": "hurry"},
    ]


def test_blank_text_is_removed_and_adjacent_messages_become_one_turn() -> None:
    found = turns(
        text_message("user", "a"),
        text_message("assistant", " \n"),
        Message("assistant", []),
        Message("user", [Text(""), Text("b")]),
    )
    assert found == [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]


def test_an_answer_to_be_continued_ends_without_whitespace() -> None:
    assert turns(HELLO, text_message("assistant", "It is \n"))[-1] == {"role": "assistant", "content": "It is"}


@pytest.mark.parametrize(
    ("arguments", "kind", "made", "dropped"),
    [
        ("", "function", {}, []),
        ('{"a": 1}', "function", {"a": 1}, []),
        ("free words", "custom", {"input": "free words"}, []),
        ("[1]", "function", {"input": [1]}, ["tool_calls.arguments"]),
        ('{"a"', "function", {"input": '{"a"'}, ["tool_calls.arguments"]),
    ],
)
def test_arguments_become_an_object(arguments: str, kind: Any, made: Any, dropped: list[str]) -> None:
    out = written(HELLO, Message("assistant", [ToolCall("c", "f", arguments, kind)]))
    assert out.body["messages"][1]["content"][0]["input"] == made
    assert out.dropped == dropped


def test_ids_of_calls_and_results_are_changed_in_the_same_way() -> None:
    found = turns(
        HELLO,
        Message("assistant", [ToolCall("a:1", "f", ""), ToolCall("a.1", "f", ""), ToolCall("", "f", "")]),
        Message("tool", [ToolResult("a:1", [Text("x")]), ToolResult("a.1", [Text("y")]), ToolResult("", [Text("z")])]),
    )
    called = [block["id"] for block in found[1]["content"]]
    assert called == [block["tool_use_id"] for block in found[2]["content"]]
    assert len(set(called)) == 3
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", each) for each in called)


def test_images_and_documents_are_written_or_reported_as_dropped() -> None:
    text = base64.b64encode(b"words").decode()
    out = written(
        Message(
            "user",
            [
                Media("image", data="iVBORw0KGgoAAA==", detail="high"),
                Media("image", url="https://x/y.png", detail="auto"),
                Media("document", data="JVBE", name="a.pdf"),
                Media("document", data=text, media_type="text/csv"),
                Media("document", data="UEsD", media_type="application/zip"),
                Media("audio", data="UklG", media_type="audio/wav"),
                Media("image", file_id="file-1"),
            ],
        )
    )
    assert out.body["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAA=="}},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
    ]
    assert out.dropped == ["image.detail", "document.application/zip", "audio", "file_id"]


def test_only_signed_thinking_is_written() -> None:
    answer = Message(
        "assistant", [Thinking("proved", "c2ln"), RedactedThinking("eA=="), Thinking("not"), Text("hi"), Refusal("no")]
    )
    out = written(HELLO, answer, text_message("user", "more"))
    assert [block["type"] for block in out.body["messages"][1]["content"]] == ["thinking", "redacted_thinking", "text", "text"]
    assert out.body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "proved", "signature": "c2ln"}
    assert out.dropped == ["thinking"]


def test_fields_of_other_dialects_are_reported_as_dropped() -> None:
    answer = Message(
        "assistant",
        [
            Text("hi", citations=[Citation("https://x")], extra={"colour": 1}),
            Opaque("gemini", "executable_code", {}),
            ToolCall("h", "web_search", "{}", "hosted"),
            ToolCall("c", "f", "{}", signature="g"),
            Media("image", data="x"),
        ],
        name="bob",
        extra={"audio": {"id": 1}},
    )
    out = written(HELLO, answer)
    assert set(out.dropped) == {
        "citations",
        "content.colour",
        "content[executable_code]",
        "tool_calls[web_search]",
        "thought_signature",
        "assistant.image",
        "messages.name",
        "messages.audio",
    }


def test_tools_are_written_and_hosted_ones_reported_as_dropped() -> None:
    out = written(
        tools=[
            Tool("f", "d", {"properties": {}}, type="function", strict=True, cache="1h", extra={"x": 1}),
            Tool("g", strict=False),
            Tool("patch", "p", kind="custom", type="custom", extra={"format": {"type": "grammar"}}),
            Tool("", kind="hosted", type="web_search_preview"),
        ],
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
    )
    free_text = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    hour = {"type": "ephemeral", "ttl": "1h"}
    assert out.body["tools"] == [
        {
            "name": "f",
            "description": "d",
            "input_schema": {"properties": {}, "type": "object"},
            "strict": True,
            "cache_control": hour,
        },
        {"name": "g", "input_schema": {"type": "object"}},
        {"name": "patch", "description": "p", "input_schema": free_text},
    ]
    assert out.body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert out.dropped == ["tools.x", "tools.custom", "tools.format", "tools[web_search_preview]"]


def test_a_choice_without_its_tool_is_dropped() -> None:
    out = written(tools=[Tool("s", kind="hosted", type="search")], tool_choice=ToolChoice("tool", "s"))
    assert "tool_choice" not in out.body
    assert out.dropped == ["tools[search]", "tool_choice"]
    assert written(tools=[WEATHER], parallel_tool_calls=True).body.get("tool_choice") is None
    assert written(tools=[WEATHER], tool_choice=ToolChoice("none"), parallel_tool_calls=False).body["tool_choice"] == {
        "type": "none"
    }


@pytest.mark.parametrize(("effort", "budget"), EFFORT_BUDGETS.items())
def test_effort_becomes_a_budget_below_the_limit(effort: str, budget: int) -> None:
    out = written(reasoning=Reasoning(effort), max_tokens=500)
    assert out.body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert out.body["max_tokens"] == 500 + budget
    assert written(reasoning=Reasoning(effort)).body["max_tokens"] == DEFAULT_MAX_TOKENS + budget
    assert written(reasoning=Reasoning(effort), max_tokens=60_000).body["max_tokens"] == 60_000


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (Reasoning("none"), {"type": "disabled"}),
        (Reasoning(mode="disabled"), {"type": "disabled"}),
        (Reasoning(budget_tokens=0), {"type": "disabled"}),
        (Reasoning(budget_tokens=10), {"type": "enabled", "budget_tokens": 1024}),
        (Reasoning(budget_tokens=5000, mode="enabled"), {"type": "enabled", "budget_tokens": 5000}),
        (Reasoning("high", mode="adaptive"), {"type": "adaptive"}),
    ],
)
def test_reasoning_in_every_form_is_written(reasoning: Reasoning, thinking: dict[str, Any]) -> None:
    body = written(reasoning=reasoning).body
    assert body["thinking"] == thinking
    assert body.get("output_config") == ({"effort": "high"} if thinking["type"] == "adaptive" else None)


def test_a_thinking_model_gets_nothing_that_it_refuses() -> None:
    out = written(
        reasoning=Reasoning("low", summary="auto", extra={"x": 1}),
        temperature=0.2,
        top_p=0.5,
        top_k=4,
        tools=[WEATHER],
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
    )
    assert not {"temperature", "top_p", "top_k"} & out.body.keys()
    assert out.body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert out.dropped == ["reasoning.x", "reasoning.summary", "temperature", "top_p", "top_k", "tool_choice"]
    kept = written(reasoning=Reasoning("low"), temperature=1.0, top_p=0.95)
    assert (kept.body["temperature"], kept.body["top_p"], kept.dropped) == (1.0, 0.95, [])


def test_a_tool_loop_that_began_without_thinking_continues_without() -> None:
    messages = [HELLO, Message("assistant", [ToolCall("c", "f", "{}")]), Message("tool", [ToolResult("c", [Text("x")])])]
    out = written(*messages, reasoning=Reasoning("low"))
    assert "thinking" not in out.body
    assert out.dropped == ["reasoning"]
    messages[1].parts.insert(0, Thinking("t", "c2ln"))
    assert written(*messages, reasoning=Reasoning("low")).body["thinking"]["type"] == "enabled"


def test_settings_are_written_or_reported_as_dropped() -> None:
    out = written(
        max_tokens=5,
        temperature=1.7,
        stop=["\n", "END"],
        seed=0,
        frequency_penalty=0.0,
        presence_penalty=0.5,
        n=2,
        logprobs=True,
        top_logprobs=3,
        user="u",
        metadata={"k": "v"},
        service_tier="default",
        stream=True,
        extra={"logit_bias": {}, "store": None},
        output=OutputFormat("json"),
    )
    assert out.body["temperature"] == 1.0
    assert out.body["stop_sequences"] == ["END"]
    assert (out.body["metadata"], out.body["service_tier"], out.body["stream"]) == ({"user_id": "u"}, "standard_only", True)
    assert out.dropped == [
        "temperature>1",
        "stop",
        "response_format",
        "seed",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
        "metadata",
        "n",
        "logit_bias",
    ]
    assert written(service_tier="flex").dropped == ["service_tier"]


def test_a_schema_becomes_the_output_format_with_its_objects_closed() -> None:
    inner = {"type": ["object", "null"], "properties": {}}
    schema = {
        "type": "object",
        "properties": {"type": {"type": "string"}, "in": inner, "many": {"type": "array", "items": {"anyOf": [inner]}}},
    }
    body = written(output=OutputFormat("schema", schema, "name"), reasoning=Reasoning("low", mode="adaptive")).body
    made = body["output_config"]["format"]
    assert made["type"] == "json_schema"
    assert made["schema"]["additionalProperties"] is False
    assert made["schema"]["properties"]["in"]["additionalProperties"] is False
    assert made["schema"]["properties"]["many"]["items"]["anyOf"][0]["additionalProperties"] is False
    assert made["schema"]["properties"]["type"] == {"type": "string"}
    assert body["output_config"]["effort"] == "low"
    assert "additionalProperties" not in schema


@settings(max_examples=40)
@given(request=requests(Features(custom_tools=True, thinking=True, signatures=True, tool_errors=True, result_media=True)))
def test_any_request_keeps_the_rules_of_the_messages_api(request: ChatRequest) -> None:
    check_rules(MESSAGES.write_request(request, "claude-x").body)
