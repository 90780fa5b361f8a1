"""Requests of other dialects, written as OpenAI's: what is written differently, and what is reported as dropped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from conduit_desktop.core.chat import (
    ChatRequest,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire import WrittenRequest
from tests.wire.chat_frames import CHAT
from tests.wire.dialect_io import translated
from tests.wire.strategies import Features, requests


def written(*messages: Message, **fields: Any) -> WrittenRequest:
    return CHAT.write_request(ChatRequest("anthropic_messages", "claude", list(messages), **fields), "gpt-x")


def arranged(*messages: Message, **fields: Any) -> WrittenRequest:
    """The request as it reaches OpenAI: its turns are arranged before it is written."""
    return translated(CHAT, ChatRequest("anthropic_messages", "claude", list(messages), **fields), "gpt-x")


def turns(*messages: Message) -> list[dict[str, Any]]:
    found = written(*messages).body["messages"]
    assert isinstance(found, list)
    return found


def test_tool_results_become_tool_messages_before_the_users_text() -> None:
    found = turns(Message("user", [Text("and now?"), ToolResult("a", [Text("1"), Text("2")]), ToolResult("b")]))
    assert found == [
        {"role": "tool", "tool_call_id": "a", "content": "1\n2"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "user", "content": "and now?"},
    ]


def test_images_in_tool_results_follow_in_a_user_message() -> None:
    picture = Media("image", data="QUJD", media_type="image/png")
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    label = {"type": "text", "text": "[From the result of the tool call a]"}
    calls = Message("assistant", [ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")])
    found = arranged(
        calls,
        Message("user", [ToolResult("a", [Text("see"), picture])]),
        Message("user", [ToolResult("b", [Text("no picture")])]),
        Message("user", [Text("well?")]),
    ).body["messages"]
    assert [turn["role"] for turn in found] == ["assistant", "tool", "tool", "user"]
    assert found[3]["content"] == [label, shown, {"type": "text", "text": "well?"}]
    call = Message("assistant", [ToolCall("a", "f", "{}")])
    alone = arranged(call, Message("tool", [ToolResult("a", [picture])]), Message("assistant", [Text("ok")])).body["messages"]
    assert alone[2:] == [{"role": "user", "content": [label, shown]}, {"role": "assistant", "content": "ok"}]


def test_a_failed_tool_keeps_its_text_and_the_failure_is_reported() -> None:
    out = written(Message("user", [ToolResult("a", [Text("boom")], is_error=True)]))
    assert out.body["messages"] == [{"role": "tool", "tool_call_id": "a", "content": "boom"}]
    assert out.dropped == ["tool_result.is_error"]


def test_thinking_is_reported_as_dropped() -> None:
    out = written(
        Message("assistant", [Thinking("hm", "sig"), RedactedThinking("x"), Text("4"), ToolCall("a", "f", "", signature="s")])
    )
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert out.body["messages"] == [{"role": "assistant", "content": "4", "tool_calls": [call]}]
    assert out.dropped == ["thinking", "redacted_thinking", "thought_signature"]


def test_cache_marks_top_k_and_foreign_fields_are_reported_as_dropped() -> None:
    out = arranged(
        Message(
            "user", [Text("a", cache="5m", extra={"x": 1}), Media("image", url="https://a.example", cache="1h")], extra={"y": 1}
        ),
        Message("assistant", [Opaque("anthropic_messages", "server_tool_use", {})]),
        top_k=3,
        tools=[Tool("f", cache="5m", extra={"z": 1}), Tool("web_search", kind="hosted", type="web_search_20250305")],
        extra={"container": "c"},
        service_tier="standard_only",
    )
    assert out.dropped == [
        "content[server_tool_use]", "content.x", "cache_control", "messages.y", "tools.z", "tools[web_search_20250305]", "top_k",
        "service_tier", "container",
    ]  # fmt: skip
    assert out.body["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert len(out.body["messages"]) == 1, "a message without content is left out: vendors refuse empty ones"


def test_system_text_stays_a_system_message() -> None:
    assert turns(Message("system", [Text("a"), Text("b")]), Message("user", [Text("c")])) == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "c"},
    ]


def test_documents_become_files_where_possible() -> None:
    out = written(
        Message(
            "user",
            [
                Media("document", data="QUJD", media_type="application/pdf"),
                Media("document", text="long", name="notes"),
                Media("document", url="https://a.example/b.pdf"),
                Media("document", file_id="file_1"),
                Media("image", file_id="file_2"),
                Media("audio", data="QUJD", media_type="audio/wav"),
                Media("audio", data="QUJD", media_type="audio/ogg"),
                Media("video", url="https://a.example/c.mp4"),
            ],
        )
    )
    assert out.body["messages"][0]["content"] == [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "document.pdf"}},
        {"type": "text", "text": "notes\n\nlong"},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    ]
    assert out.dropped == ["document.url", "document.file_id", "image.file_id", "audio.audio/ogg", "video.url"]


def test_refusals_and_split_answers() -> None:
    found = turns(Message("assistant", [Refusal("no")]), Message("assistant", [Text("a"), Text("b")]))
    assert found == [{"role": "assistant", "content": None, "refusal": "no"}, {"role": "assistant", "content": "ab"}]


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        (Reasoning("high"), "high"),
        (Reasoning("max"), "max"),
        (Reasoning(budget_tokens=1024, mode="enabled"), "low"),
        (Reasoning(budget_tokens=16_384, mode="enabled"), "medium"),
        (Reasoning(budget_tokens=32_000, mode="enabled"), "high"),
        (Reasoning(mode="disabled"), "none"),
        (Reasoning(mode="adaptive"), None),
        (Reasoning("unheard-of"), None),
    ],
)
def test_thinking_budgets_become_efforts(reasoning: Reasoning, effort: str | None) -> None:
    assert written(reasoning=reasoning).body.get("reasoning_effort") == effort


def test_a_whole_answer_is_not_asked_to_stream_its_usage() -> None:
    hello = Message("user", [Text("hello")])
    # Anthropic's, Gemini's and Ollama's readers set `include_usage`, since their answers always have usage.
    assert "stream_options" not in written(hello, include_usage=True).body
    assert written(hello, include_usage=True, stream=True).body["stream_options"] == {"include_usage": True}
    assert written(hello, stream=True).body["stream_options"] == {"include_usage": True}


def test_an_empty_list_of_stop_sequences_is_not_written() -> None:
    out = written(Message("user", [Text("hi")]), stop=[])
    assert ("stop" in out.body, out.dropped) == (False, [])


def test_the_number_of_log_probabilities_needs_log_probabilities() -> None:
    out = written(top_logprobs=3)
    assert ("top_logprobs" in out.body, out.dropped) == (False, ["top_logprobs"])
    assert written(logprobs=True, top_logprobs=3).body["top_logprobs"] == 3


def test_a_tool_without_arguments_gets_the_properties_that_openai_wants() -> None:
    out = written(tools=[Tool("Bash", schema={"type": "object"})])
    assert out.body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_a_name_that_openai_refuses_is_left_out() -> None:
    out = written(Message("user", [Text("a")], name="Ann Lee"), Message("user", [Text("b")], name="Ann"))
    assert out.body["messages"] == [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "name": "Ann"}]
    assert out.dropped == ["messages.name"]


@pytest.mark.parametrize("claimed", ["image/jpg", "application/octet-stream", None, "image/png"])
def test_a_picture_has_the_type_of_its_first_bytes(claimed: str | None) -> None:
    found = turns(Message("user", [Media("image", data="/9j/4AAQ", media_type=claimed)]))
    assert found[0]["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,/9j/4AAQ"


def test_settings_are_written_with_openais_names() -> None:
    out = written(
        Message("user", [Text("hi")]),
        max_tokens=9,
        stop=["a"],
        stream=True,
        tools=[Tool("f", schema={"type": "object"})],
        tool_choice=ToolChoice("tool", "f"),
        parallel_tool_calls=False,
        output=OutputFormat("schema", {"type": "object"}),
        user="u",
        metadata={"a": "b", "n": 1},
    )
    assert out.body == {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "hi"}],
        "max_completion_tokens": 9,
        "stop": ["a"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        "user": "u",
        "metadata": {"a": "b"},
    }
    assert out.dropped == ["metadata.n"]


def test_a_choice_without_tools_is_not_written() -> None:
    hosted = Tool("web_search", kind="hosted", type="web_search_20250305")
    out = written(tools=[hosted], tool_choice=ToolChoice("auto"), parallel_tool_calls=True)
    assert set(out.body) == {"model", "messages"}


FOREIGN = Features(
    "anthropic_messages",
    thinking=True,
    signatures=True,
    redacted=True,
    cache=True,
    results_in="user",
    tool_errors=True,
    result_media=True,
    top_k=True,
)


@given(requests(FOREIGN))
def test_every_call_is_followed_by_its_result(request: ChatRequest) -> None:
    open_calls: list[str] = []
    for turn in translated(CHAT, request, "gpt-x").body["messages"]:
        if turn["role"] == "tool":
            assert turn["tool_call_id"] == open_calls.pop(0)
        else:
            assert not open_calls
            open_calls = [call["id"] for call in turn.get("tool_calls", [])]
    assert not open_calls


@given(requests(FOREIGN))
def test_no_text_is_lost_and_the_written_request_can_be_read(request: ChatRequest) -> None:
    out = translated(CHAT, request, "gpt-x")
    again = CHAT.read_request(out.body, {})
    texts = [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]
    kept = "\n".join(part.text for message in again.messages for part in message.parts if isinstance(part, Text))
    assert all(text in kept for text in texts)
    thought = any(isinstance(part, Thinking) for message in request.messages for part in message.parts)
    assert ("thinking" in out.dropped) == thought
