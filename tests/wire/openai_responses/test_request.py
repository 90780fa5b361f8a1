"""Requests of the Responses API: every form comes out as it went in, and becomes what others can say."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

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
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.wire.chat_frames import CHAT
from tests.wire.responses_frames import RESPONSES
from tests.wire.strategies import Features, requests

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
SIGNED = mark(MarkedContent("anthropic_messages", "c2ln"))
HIDDEN = mark(MarkedContent("anthropic_messages", "aGlkZGVu", "hidden"))

ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "easy"},
    {"role": "user", "content": ""},
    {"role": "user", "content": []},
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
    {"role": "system", "content": "more rules"},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "low"},
            {"type": "input_image", "image_url": "https://example.com/a.png", "file_id": None},
            {"type": "input_image", "file_id": "file_1", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            {"type": "input_file", "file_id": "file_2"},
            {"type": "input_file", "file_data": "aGk="},
            {"type": "input_file", "file_data": "data:text/plain;charset=utf-8;base64,aGk="},
            {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
            {"type": "input_hologram", "depth": 3},
        ],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA", "status": None},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
    {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "c"}]},
    {"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "claude"}], "encrypted_content": SIGNED},
    {"type": "reasoning", "summary": [], "encrypted_content": HIDDEN},
    {"role": "assistant", "content": "said"},
    {"role": "assistant", "content": []},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "text": "cited", "logprobs": [], "annotations": [{"type": "file_citation", "index": 1}]},
            {"type": "output_text", "text": "bare"},
            {"type": "output_text", "text": "empty", "annotations": []},
            {"type": "input_text", "text": "odd"},
            {"type": "refusal", "refusal": "no"},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
    {"type": "function_call", "call_id": "c2", "name": "f", "namespace": "crm", "arguments": "", "caller": {"type": "direct"}},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c3", "name": "patch", "input": "*** Begin"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
    {"type": "mcp_list_tools", "id": "m1", "server_label": "s", "tools": []},
    {"type": "computer_call", "id": "cu", "call_id": "c4", "action": {}, "status": "completed", "pending_safety_checks": []},
    {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    {
        "type": "function_call_output",
        "id": "fco",
        "call_id": "c2",
        "output": [{"type": "input_text", "text": "a"}],
        "status": "completed",
    },
    {"type": "function_call_output", "call_id": "c5", "output": ""},
    {"type": "custom_tool_call_output", "call_id": "c3", "output": "done", "id": None},
    {"type": "computer_call_output", "call_id": "c4", "output": {"type": "computer_screenshot"}},
    {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
    {"type": "additional_tools", "role": "developer", "tools": []},
    {"id": "msg_9"},
    {"type": "item_reference", "id": "msg_8"},
    {"type": "something_of_next_year", "x": 1},
]

SETTINGS: list[dict[str, Any]] = [
    {"instructions": "be brief"},
    {"instructions": ""},
    {"instructions": None},
    {"instructions": [{"role": "system", "content": "x"}]},
    {"max_output_tokens": 5, "temperature": 0, "top_p": 1, "top_logprobs": 2, "stream": True, "user": "u"},
    {"stream": False, "metadata": {"a": "b"}, "service_tier": "flex", "parallel_tool_calls": False},
    {"text": {}},
    {"text": None},
    {"text": {"verbosity": "low", "format": {"type": "text"}}},
    {"text": {"format": {"type": "json_object"}}},
    {"text": {"format": None, "verbosity": None}},
    {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": None, "description": "d"}}},
    {"text": {"format": {"type": "grammar", "syntax": "lark"}}},
    {"reasoning": {}},
    {"reasoning": {"effort": "high", "summary": "auto", "generate_summary": None, "context": "all_turns"}},
    {"store": True, "include": ["reasoning.encrypted_content"], "background": False, "truncation": "disabled"},
    {"store": None, "include": ["web_search_call.results"], "background": True, "truncation": "auto", "new_field": {"a": [1]}},
    {"stream_options": {"include_obfuscation": False}, "prompt_cache_key": "k", "safety_identifier": "s", "max_tool_calls": 3},
    {"tools": []},
    {"tools": None, "tool_choice": None},
    {
        "tools": [
            {"type": "function", "name": "f", "description": None, "parameters": SCHEMA, "strict": True, "defer_loading": True},
            {"type": "namespace", "name": "crm", "description": "d", "tools": [
                {"type": "function", "name": "f", "parameters": None, "strict": False},
                {"type": "custom", "name": "free"},
            ]},
            {"type": "namespace", "name": "nothing", "tools": []},
            {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}},
            {"type": "web_search", "search_context_size": "low"},
            {"type": "file_search", "vector_store_ids": ["v"]},
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "mcp", "server_label": "s", "server_url": "https://example.com", "headers": {"a": "b"}},
            {"type": "computer_use_preview", "display_width": 1},
            {"type": "image_generation"},
            {"type": "local_shell"},
        ],
        "tool_choice": {"type": "function", "name": "f", "namespace": "crm"},
    },
    {"tool_choice": "none"},
    {"tool_choice": {"type": "custom", "name": "patch"}},
    {"tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}},
    {"tool_choice": {"type": "mcp", "server_label": "s"}},
]  # fmt: skip


def again(body: dict[str, Any]) -> dict[str, Any]:
    out = RESPONSES.write_request(RESPONSES.read_request(copy.deepcopy(body), {}), body["model"])
    assert out.dropped == []
    return out.body


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.get('type')}-{item.get('role')}")
def test_every_kind_of_item_comes_out_as_it_went_in(item: dict[str, Any]) -> None:
    body = {"model": "m", "input": [item]}
    assert again(body) == body
    between = {"model": "m", "input": [{"role": "user", "content": "a"}, item, item, {"role": "assistant", "content": "b"}]}
    assert again(between) == between


def test_a_whole_conversation_comes_out_as_it_went_in() -> None:
    for body in ({"model": "m", "input": ITEMS}, {"model": "m", "input": ITEMS[::-1], "instructions": "x"}):
        assert again(body) == body


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: ",".join(settings))
def test_every_setting_comes_out_as_it_went_in(settings: dict[str, Any]) -> None:
    body = {"model": "m", "input": "hello", **settings}
    assert again(body) == body


@pytest.mark.parametrize(
    "instead", [{"previous_response_id": "resp_1"}, {"prompt": {"id": "p"}, "input": None}, {"conversation": "c"}]
)
def test_input_may_be_missing_where_something_stands_for_it(instead: dict[str, Any]) -> None:
    assert again({"model": "m", **instead}) == {"model": "m", **instead}


PLAIN = Features(
    "openai_responses", custom_tools=True, refusals=True, result_media=True, penalties=False, documents=True, cache=False
)


@settings(max_examples=60)
@given(request=requests(PLAIN))
def test_a_written_request_is_read_back_equal(request: ChatRequest) -> None:
    request.stop = None
    out = RESPONSES.write_request(request, request.model)
    assert out.dropped == []
    got = RESPONSES.read_request(orjson.loads(orjson.dumps(out.body)), {})
    for message in (*got.messages, *request.messages):
        message.plain = True
    assert replace(got, source_form={}) == request


def test_thinking_text_and_calls_between_two_user_messages_are_one_message() -> None:
    request = RESPONSES.read_request(
        {"model": "m", "input": ITEMS[:1] + ITEMS[6:8] + ITEMS[11:12] + ITEMS[14:17] + ITEMS[20:21]}, {}
    )
    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    kinds = [type(part) for part in request.messages[1].parts]
    assert kinds == [Thinking, Thinking, Text, ToolCall, ToolCall, ToolCall]
    assert [part.name for part in request.messages[1].parts[3:]] == ["f", "crm__f", "patch"]


def test_parts_are_what_they_say() -> None:
    request = RESPONSES.read_request({"model": "m", "input": [ITEMS[5], *ITEMS[9:11], ITEMS[13]]}, {})
    user_parts = request.messages[0].parts
    assert user_parts[1] == Media("image", data="aGk=", media_type="image/png", detail="low")
    assert user_parts[4] == Media("document", data="aGk=", media_type="application/pdf", name="a.pdf")
    assert user_parts[9] == Media("audio", data="aGk=", media_type="audio/mpeg")
    assert isinstance(user_parts[10], Opaque)
    assistant_parts = request.messages[1].parts
    assert assistant_parts[:2] == [Thinking("claude", "c2ln", dialect="anthropic_messages"), RedactedThinking("aGlkZGVu")]
    assert assistant_parts[-1] == Refusal("no")


def test_settings_are_neutral() -> None:
    request = RESPONSES.read_request(
        {
            "model": "m", "input": "hi", "instructions": "brief", "max_output_tokens": 9,
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
            "tools": [*SETTINGS[20]["tools"]], "tool_choice": "required", "store": True,
        },
        {},
    )  # fmt: skip
    assert request.messages == [Message("system", [Text("brief")], plain=True), Message("user", [Text("hi")], plain=True)]
    assert (request.max_tokens, request.reasoning) == (9, Reasoning("low", summary="auto"))
    assert request.output == OutputFormat("schema", SCHEMA, "n")
    assert request.tool_choice == ToolChoice("required")
    assert [tool.name for tool in request.tools[:4]] == ["f", "crm__f", "crm__free", "patch"]
    assert [tool.type for tool in request.tools if tool.kind == "hosted"] == [
        "web_search", "file_search", "code_interpreter", "mcp", "computer_use_preview", "image_generation", "local_shell",
    ]  # fmt: skip
    assert request.extra == {"text.verbosity": "low"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": 3}, "input"),
        ({"model": "m", "input": ["x"]}, "input[0]"),
        ({"model": "m", "input": [{}]}, "input[0].type"),
        ({"model": "m", "input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"model": "m", "input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
        ({"model": "m", "input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"model": "m", "input": "x", "tools": [{"type": "function"}]}, "tools[0].name"),
        ({"model": "m", "input": "x", "tool_choice": "perhaps"}, "tool_choice"),
        ({"model": "m", "input": "x", "max_output_tokens": "9"}, "max_output_tokens"),
        ({"model": "m", "input": "x", "text": {"format": {}}}, "text.format.type"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as raised:
        RESPONSES.read_request(body, {})
    assert raised.value.param == param


def test_requests_of_other_dialects_can_be_written() -> None:
    own = mark(MarkedContent("openai_responses", "gAAA"))
    request = ChatRequest(
        "openai_chat",
        "alias",
        [
            Message("system", [Text("rules")], plain=True),
            Message("developer", [Text("more")], plain=True),
            Message("user", [Text("look"), Media("image", url="https://example.com/a.png"), Media("video", url="https://v.example")]),
            Message("assistant", [Thinking("mine", own), Thinking("theirs", "c2ln"), RedactedThinking("x"), Text("ok"),
                                  ToolCall("c1", "f", ""), ToolCall("c2", "patch", "free", "custom")]),
            Message("tool", [ToolResult("c1", [Text("a"), Text("b")], is_error=True)]),
            Message("tool", [ToolResult("c2", [Text("a"), Media("image", data="aGk=", media_type="image/png")])]),
            Message("system", [Text("late")], plain=True),
        ],
        tools=[Tool("f", "d", SCHEMA), Tool("patch", kind="custom"), Tool("search", kind="hosted", type="web_search_20250305")],
        tool_choice=ToolChoice("tool", "patch"),
        max_tokens=3,
        stop=["x"],
        seed=1,
        reasoning=Reasoning("high"),
        output=OutputFormat("json"),
        extra={"logit_bias": {}},
    )  # fmt: skip
    out = RESPONSES.write_request(request, "gpt-x")
    assert out.body["instructions"] == "rules\n\nmore"
    assert [item.get("type") or item["role"] for item in out.body["input"]] == [
        "user", "reasoning", "assistant", "function_call", "custom_tool_call", "function_call_output",
        "custom_tool_call_output", "system",
    ]  # fmt: skip
    assert out.body["input"][1]["encrypted_content"] == "gAAA"
    assert out.body["input"][3]["arguments"] == "{}"
    assert out.body["input"][5]["output"] == "a\nb"
    assert [part["type"] for part in out.body["input"][6]["output"]] == ["input_text", "input_image"]
    assert out.body["tools"][1:] == [{"type": "custom", "name": "patch"}, {"type": "web_search"}]
    assert out.body["tool_choice"] == {"type": "custom", "name": "patch"}
    assert (out.body["max_output_tokens"], out.body["store"], out.body["text"]) == (3, False, {"format": {"type": "json_object"}})
    assert set(out.dropped) == {
        "video.url", "thinking", "redacted_thinking", "tool_result.is_error", "stop", "seed", "logit_bias",
    }  # fmt: skip
    assert b"c2ln" not in orjson.dumps(out.body), "another provider's proof is nothing for this one"


def test_a_picture_of_a_type_that_openai_refuses_is_named() -> None:
    request = ChatRequest("gemini", "g", [Message("user", [Text("see"), Media("image", data="AAAA", media_type="image/heic")])])
    out = RESPONSES.write_request(request, "gpt-x")
    assert (out.body["input"], out.dropped) == ([{"role": "user", "content": "see"}], ["image.image/heic"])


def test_fields_that_chat_shares_are_kept_for_models_that_chat_does_not_serve() -> None:
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "verbosity": "low",
        "prompt_cache_key": "k",
        "prediction": {},
    }
    out = RESPONSES.write_request(CHAT.read_request(body, {}), "gpt-5-codex")
    assert (out.body["text"], out.body["prompt_cache_key"], out.dropped) == ({"verbosity": "low"}, "k", ["prediction"])
    assert "verbosity" not in out.body


def test_passthrough_removes_the_thinking_of_other_providers() -> None:
    body = {"model": "alias", "input": [ITEMS[0], ITEMS[6], ITEMS[9], ITEMS[10]], "x": 1}
    assert RESPONSES.passthrough_request(body, "gpt-x") == {"model": "gpt-x", "input": [ITEMS[0], ITEMS[6]], "x": 1}
    untouched = {"model": "alias", "input": [ITEMS[0], ITEMS[6]]}
    assert RESPONSES.passthrough_request(untouched, "m")["input"] is untouched["input"]
    assert RESPONSES.asks_for_usage(body)
    assert not RESPONSES.is_usage_only(b'{"usage": {}}')
