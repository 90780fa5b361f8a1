"""Requests of other dialects, written for Anthropic's Messages API."""

from __future__ import annotations

import base64
import json
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
    Part,
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
from conduit_desktop.wire.anthropic.messages_writer import NO_MESSAGE
from tests.wire.dialect_io import translated
from tests.wire.messages_frames import MESSAGES, as_sent, check_rules
from tests.wire.strategies import Features, requests

HELLO = Message("user", [Text("hello")], plain=True)
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = Tool("weather", "d", {"type": "object"})


def text_message(role: Role, text: str) -> Message:
    return Message(role, [Text(text)], plain=True)


def written(*messages: Message, **settings: Any) -> WrittenRequest:
    """The request as another dialect's caller made it."""
    return MESSAGES.write_request(ChatRequest("openai_chat", "alias", list(messages) or [HELLO], **settings), "claude-x")


def arranged(*messages: Message) -> WrittenRequest:
    """The request as it reaches Anthropic: its turns are arranged before it is written."""
    return translated(MESSAGES, ChatRequest("openai_chat", "alias", list(messages)), "claude-x")


def turns(*messages: Message) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(*messages).body["messages"]
    return found


def test_a_request_without_a_limit_leaves_it_to_the_provider_kind() -> None:
    out = written()
    assert out.body == {"model": "claude-x", "messages": [{"role": "user", "content": "hello"}]}
    assert out.dropped == []


def test_system_and_developer_messages_move_to_the_top() -> None:
    out = written(text_message("system", "a"), HELLO)
    assert out.body["system"] == "a"
    out = written(text_message("system", "a"), text_message("developer", "b"), HELLO)
    assert out.body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert out.dropped == []


def test_a_system_message_in_the_middle_joins_them_and_is_reported() -> None:
    out = arranged(text_message("system", "a"), HELLO, text_message("system", "b"), text_message("user", "more"))
    assert [block["text"] for block in out.body["system"]] == ["a", "b"]
    assert out.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": t} for t in ("hello", "more")]}]
    assert out.dropped == ["system.position"]


def test_a_conversation_of_instructions_only_gets_a_user_message() -> None:
    assert arranged(text_message("system", "a")).body["messages"] == [{"role": "user", "content": FILLER}]


def test_results_come_first_in_the_turn_after_their_calls() -> None:
    calls = [ToolCall("call_1", "f", '{"a":1}'), ToolCall("call_2", "g", "")]
    found = arranged(
        HELLO,
        Message("assistant", [Text("let me see"), *calls]),
        text_message("user", "hurry"),
        Message("tool", [ToolResult("call_1", [Text("one")], plain=True)]),
        Message("tool", [ToolResult("call_2", [Text("")], plain=True, is_error=True)]),
    ).body["messages"]
    assert [turn["role"] for turn in found] == ["user", "assistant", "user"]
    assert found[1]["content"][1:] == [
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
    ]
    assert found[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "call_2", "is_error": True, "content": NO_MESSAGE},
        {"type": "text", "text": "hurry"},
    ]


def test_blank_text_is_removed_and_adjacent_messages_become_one_turn() -> None:
    found = arranged(
        text_message("user", "a"),
        text_message("assistant", " \n"),
        Message("assistant", []),
        Message("user", [Text(""), Text("b")]),
    ).body["messages"]
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
    found = arranged(
        HELLO,
        Message("assistant", [ToolCall("a:1", "f", ""), ToolCall("a.1", "f", ""), ToolCall("", "f", "")]),
        Message("tool", [ToolResult("a:1", [Text("x")]), ToolResult("a.1", [Text("y")]), ToolResult("", [Text("z")])]),
    ).body["messages"]
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


def test_tools_and_the_web_search_are_written_and_other_hosted_ones_reported_as_dropped() -> None:
    out = written(
        tools=[
            Tool("f", "d", {"properties": {}}, type="function", strict=True, cache="1h", extra={"x": 1}),
            Tool("g", strict=False),
            Tool("patch", "p", kind="custom", type="custom", extra={"format": {"type": "grammar"}}),
            Tool("", kind="hosted", type="web_search_preview"),
            Tool("", kind="hosted", type="code_interpreter"),
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
            "input_schema": {"properties": {}, "type": "object", "additionalProperties": False},
            "strict": True,
            "cache_control": hour,
        },
        {"name": "g", "input_schema": {"type": "object"}},
        {"name": "patch", "description": "p", "input_schema": free_text},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    assert out.body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert out.dropped == ["tools.x", "tools.custom", "tools.format", "tools[code_interpreter]"]


def test_a_choice_without_its_tool_is_dropped() -> None:
    out = written(tools=[Tool("s", kind="hosted", type="search")], tool_choice=ToolChoice("tool", "s"))
    assert "tool_choice" not in out.body
    assert out.dropped == ["tools[search]", "tool_choice"]
    assert written(tools=[WEATHER], parallel_tool_calls=True).body.get("tool_choice") is None
    assert written(tools=[WEATHER], tool_choice=ToolChoice("none"), parallel_tool_calls=False).body["tool_choice"] == {
        "type": "none"
    }


@pytest.mark.parametrize(
    ("reasoning", "fields"),
    [
        (Reasoning("none"), {"thinking": {"type": "disabled"}}),
        (Reasoning(mode="disabled"), {"thinking": {"type": "disabled"}}),
        (Reasoning(budget_tokens=0), {"thinking": {"type": "disabled"}}),
        (Reasoning(mode="enabled"), {"thinking": {"type": "adaptive"}}),
        (Reasoning("high"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (Reasoning("minimal"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "minimal"}}),
        (Reasoning(budget_tokens=5000, mode="enabled"), {"thinking": {"type": "enabled", "budget_tokens": 5000}}),
    ],
)
def test_reasoning_is_written_as_the_request_names_it(reasoning: Reasoning, fields: dict[str, Any]) -> None:
    body = written(reasoning=reasoning, max_tokens=2000).body
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == fields
    assert body["max_tokens"] == 2000


def test_fields_of_other_vendors_reasoning_are_reported_as_dropped() -> None:
    out = written(reasoning=Reasoning("low", summary="auto", extra={"x": 1}))
    assert out.dropped == ["reasoning.x"]


def test_a_summary_of_the_thoughts_is_asked_for() -> None:
    assert written(reasoning=Reasoning("low", summary="auto")).body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert written(reasoning=Reasoning("none", summary="auto")).body["thinking"] == {"type": "disabled"}


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
    for model in ("claude-sonnet-4-5", "claude-opus-4-8"):
        check_rules(as_sent(translated(MESSAGES, request, model).body, model))


def result(*parts: Part, **fields: Any) -> list[dict[str, Any]]:
    """The blocks of the turn that answers a tool call."""
    call = Message("assistant", [ToolCall("c1", "get", "{}")])
    found: list[dict[str, Any]] = written(HELLO, call, Message("tool", [ToolResult("c1", list(parts), **fields)])).body["messages"][
        -1
    ]["content"]
    return found


def test_a_cache_mark_inside_of_a_result_moves_to_the_result() -> None:
    # "cache_control may not be specified within tool_result.content"
    assert result(Text("res", cache="5m")) == [
        {
            "type": "tool_result",
            "tool_use_id": "c1",
            "content": [{"type": "text", "text": "res"}],
            "cache_control": {"type": "ephemeral"},
        }
    ]


def test_a_failed_result_holds_text_only_and_never_nothing() -> None:
    block = {"type": "tool_result", "tool_use_id": "c1", "is_error": True}
    assert result(is_error=True) == [{**block, "content": NO_MESSAGE}]
    assert result(Text(""), plain=True, is_error=True) == [{**block, "content": NO_MESSAGE}]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    made = result(Text("no"), Media("image", data=PNG, media_type="image/png"), is_error=True)
    assert made == [{**block, "content": [{"type": "text", "text": "no"}]}, image]


@pytest.mark.parametrize("named", ["image/jpg", "image/jpeg", "application/octet-stream", None])
def test_an_image_has_the_type_of_its_bytes(named: str | None) -> None:
    source = turns(Message("user", [Media("image", data=PNG, media_type=named), Text("x")]))[0]["content"][0]["source"]
    assert source["media_type"] == "image/png"


def test_an_image_of_a_format_that_claude_does_not_read_is_reported() -> None:
    out = written(Message("user", [Media("image", data="Qk0=", media_type="image/bmp"), Text("x")]))
    assert (out.body["messages"], out.dropped) == ([{"role": "user", "content": "x"}], ["image.image/bmp"])


def test_of_many_cache_marks_the_first_and_the_last_three_stay() -> None:
    marked = [Text(text, cache="5m") for text in "abcdef"]
    out = written(Message("user", list(marked)))
    assert ["cache_control" in block for block in out.body["messages"][0]["content"]] == [True, False, False, True, True, True]
    assert out.dropped == ["cache_control"]


def test_a_long_lifetime_after_a_short_one_is_shortened() -> None:
    out = written(Message("system", [Text("s", cache="5m")]), Message("user", [Text("u", cache="1h")]))
    assert out.body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert out.dropped == ["cache_control.ttl"]
    kept = written(Message("system", [Text("s", cache="1h")]), Message("user", [Text("u", cache="5m")]))
    assert kept.body["system"][0]["cache_control"]["ttl"] == "1h"
    assert kept.dropped == []


def test_a_history_with_calls_has_tools_though_the_request_has_none() -> None:
    # "Requests which contain `tool_use` or `tool_result` blocks must define tools"
    call = Message("assistant", [ToolCall("c1", "get", "{}")])
    body = written(HELLO, call, Message("tool", [ToolResult("c1", [Text("x")])])).body
    assert body["tools"] == [{"name": "get", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "none"}


def test_a_user_that_anthropic_refuses_becomes_a_digest() -> None:
    for user in ("ann@example.com", "+49 170 1234567", "u" * 257):
        made = written(user=user).body["metadata"]["user_id"]
        assert re.fullmatch("[0-9a-f]{64}", made)
    assert written(user="u" * 256).body["metadata"]["user_id"] == "u" * 256


def test_a_union_at_the_root_of_a_schema_is_described_instead() -> None:
    union = [{"type": "object", "properties": {name: {"type": "string"}}, "required": [name]} for name in "ab"]
    schema = written(tools=[Tool("f", None, {"anyOf": union})]).body["tools"][0]["input_schema"]
    assert schema.pop("description") == json.dumps({"anyOf": union}, separators=(",", ":"))
    assert schema == {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}


def test_a_property_key_that_claude_refuses_is_described_instead() -> None:
    schema = {"type": "object", "properties": {"a b": {"type": "string"}, "c": {}}, "required": ["a b", "c"]}
    made = written(tools=[Tool("f", None, schema)]).body["tools"][0]["input_schema"]
    assert (made["properties"], made["required"]) == ({"c": {}}, ["c"])
    assert '"a b"' in made["description"]


def test_keywords_that_structured_outputs_refuse_move_into_descriptions() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1, "description": "how many"}},
        "required": ["n"],
    }
    number = {"type": "integer", "description": 'how many\n\n{"minimum":1}'}
    made = {"type": "object", "properties": {"n": number}, "required": ["n"], "additionalProperties": False}
    assert written(output=OutputFormat("schema", schema)).body["output_config"]["format"]["schema"] == made
    assert written(tools=[Tool("f", None, schema, strict=True)]).body["tools"][0]["input_schema"] == made
    assert written(tools=[Tool("f", None, schema)]).body["tools"][0]["input_schema"] == schema


def test_json_without_a_schema_becomes_an_instruction() -> None:
    out = written(output=OutputFormat("json"))
    assert "JSON" in out.body["system"]
    assert out.dropped == ["response_format"]


def test_a_recursive_schema_becomes_an_instruction() -> None:
    schema = {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}}
    out = written(Message("system", [Text("s", cache="5m")]), HELLO, output=OutputFormat("schema", schema))
    assert '"$ref":"#/$defs/N"' in out.body["system"][1]["text"]
    assert "output_config" not in out.body
    assert out.dropped == ["response_format"]
    strict = written(tools=[Tool("f", None, {"type": "object", **schema}, strict=True)])
    assert "strict" not in strict.body["tools"][0]
    assert strict.dropped == ["tools.strict"]
