"""OpenAI's requests, read and given back."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter

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
from tests.wire.chat_frames import CHAT
from tests.wire.strategies import Features, requests

USER = {"role": "user", "content": "hi"}
FULL = Features(documents=True, refusals=True, custom_tools=True, cache=True)


def body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages or (USER,)), **fields}


def parsed(given: dict[str, Any]) -> ChatRequest:
    """The request as read; and it is given back as it came."""
    request = CHAT.read_request(copy.deepcopy(given), {})
    out = CHAT.write_request(request, given["model"])
    assert out.body == given
    assert out.dropped == []
    return request


def parts(content: Any, role: str = "user") -> list[Any]:
    return parsed(body({"role": role, "content": content})).messages[0].parts


def test_roles_names_and_texts() -> None:
    request = parsed(
        body({"role": "system", "content": "be"}, {"role": "developer", "content": [{"type": "text", "text": "x"}], "name": "d"})
    )
    assert request.messages == [
        Message("system", [Text("be")], plain=True),
        Message("developer", [Text("x")], name="d"),
    ]


def test_pictures_by_address_and_by_data() -> None:
    found = parts(
        [
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
            {"type": "image_url", "image_url": "https://a.example/c.png"},
            {"type": "video_url", "video_url": {"url": "https://a.example/d.mp4"}},
        ]
    )
    assert found == [
        Media("image", url="https://a.example/b.png", detail="low"),
        Media("image", data="QUJD", media_type="image/png"),
        Media("image", url="https://a.example/c.png"),
        Media("video", url="https://a.example/d.mp4"),
    ]


def test_files_and_sound() -> None:
    found = parts(
        [
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "file", "file": {"file_data": "https://a.example/b.pdf", "filename": "b.pdf"}},
            {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        ]
    )
    assert found == [
        Media("document", data="QUJD", media_type="application/pdf", name="a.pdf"),
        Media("document", file_id="file-1"),
        Media("document", url="https://a.example/b.pdf", name="b.pdf"),
        Media("audio", data="QUJD", media_type="audio/mpeg"),
    ]


def test_parts_of_unknown_kinds_are_kept_whole() -> None:
    link = {"type": "document_url", "document_url": "https://a.example"}
    assert parts([link]) == [Opaque("openai_chat", "document_url", link)]
    assert parts([{"type": "text", "text": "a", "image_url": None}])[0].extra == {"image_url": None}


@pytest.mark.parametrize("ttl", [{}, {"ttl": "5m"}, {"ttl": "1h"}])
def test_cache_marks_are_understood(ttl: dict[str, str]) -> None:
    (part,) = parts([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", **ttl}}])
    assert (part.cache, part.extra) == (ttl.get("ttl", "5m"), {})
    mark = {"type": "ephemeral", **ttl}
    request = parsed(body(tools=[{"type": "function", "function": {"name": "f"}, "cache_control": mark}]))
    assert request.tools[0].cache == ttl.get("ttl", "5m")


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("content", [{"content": None}, {"content": ""}, {"content": []}, {}, {"content": "x"}])
def test_an_assistants_calls_with_any_sort_of_content(content: dict[str, Any]) -> None:
    custom = {"id": "b", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    bare = {"id": "c", "function": {"name": "f", "arguments": "{}"}, "index": 0}
    parts = parsed(body(USER, {"role": "assistant", **content, "tool_calls": [CALL, custom, bare]})).messages[1].parts
    parts = [part for part in parts if isinstance(part, ToolCall)]
    assert parts == [ToolCall("a", "f", "{}"), ToolCall("b", "sh", "ls", "custom"), ToolCall("c", "f", "{}", extra={"index": 0})]


def test_tool_results_plain_and_in_parts() -> None:
    request = parsed(
        body(
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "ok", "name": "f"},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "ok"}]},
            {"role": "tool", "tool_call_id": "a", "content": ""},
        )
    )
    assert request.messages[2] == Message("tool", [ToolResult("a", [Text("ok")], "f", plain=True)])
    assert request.messages[3] == Message("tool", [ToolResult("a", [Text("ok")])])
    assert request.messages[4] == Message("tool", [ToolResult("a", plain=True)])


def test_refusals_in_their_field_and_in_parts() -> None:
    request = parsed(
        body(
            {"role": "assistant", "content": None, "refusal": "no"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        )
    )
    assert [message.parts for message in request.messages] == [[Refusal("no")], [Refusal("no")]]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_goes_back_by_the_field_it_came_in(field: str) -> None:
    (message,) = parsed(body({"role": "assistant", "content": "4", field: "2+2"})).messages
    thought = message.parts[0]
    assert isinstance(thought, Thinking)
    assert (thought.text, thought.dialect) == ("2+2", "openai_chat")


def test_reasoning_details_go_back_as_they_came() -> None:
    signed = {"type": "reasoning.text", "text": "2+2", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    hidden = {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1", "index": 1}
    foreign = {"type": "reasoning.encrypted", "data": "y", "format": "google-gemini-v1", "id": "1", "index": 0}
    (message,) = parsed(
        body({"role": "assistant", "content": "4", "reasoning": "2+2", "reasoning_details": [signed, hidden]})
    ).messages
    assert [type(part) for part in message.parts] == [Thinking, RedactedThinking, Text]
    assert isinstance(message.parts[0], Thinking)
    assert message.parts[0].signature == "s"
    (message,) = parsed(body({"role": "assistant", "content": "4", "reasoning": None, "reasoning_details": [foreign]})).messages
    assert [type(part) for part in message.parts] == [Opaque, Text]


def test_mistrals_thinking_parts_go_back_in_their_place() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}], "closed": True}
    found = parts([thought, {"type": "text", "text": "4"}], "assistant")
    assert (found[0].text, found[1]) == ("2+2", Text("4"))


def test_tools_of_every_kind() -> None:
    schema = {"type": "object", "properties": {}}
    request = parsed(
        body(
            tools=[
                {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": True, "x": 1}},
                {"function": {"name": "g", "description": None}},
                {"type": "custom", "custom": {"name": "sh", "format": {"type": "text"}}},
                {"type": "openrouter:web_search", "parameters": {"max_uses": 1}},
            ]
        )
    )
    assert request.tools == [
        Tool("f", "d", schema, type="function", strict=True, extra={"function": {"x": 1}}),
        Tool("g"),
        Tool("sh", kind="custom", type="custom", extra={"custom": {"format": {"type": "text"}}}),
        Tool(
            "openrouter:web_search",
            kind="hosted",
            type="openrouter:web_search",
            extra={"parameters": {"max_uses": 1}},
        ),
    ]


ALLOWED = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("tool", "f")),
        ({"function": {"name": "f"}}, ToolChoice("tool", "f")),
        ({"type": "custom", "custom": {"name": "sh"}}, ToolChoice("tool", "sh")),
        (ALLOWED, ToolChoice("required", extra=ALLOWED)),
    ],
)
def test_tool_choices(value: Any, expected: ToolChoice) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "sh"}}]
    assert parsed(body(tools=tools, tool_choice=value, parallel_tool_calls=False)).tool_choice == expected


def test_settings() -> None:
    settings = {
        "temperature": 0, "top_p": 0.5, "top_k": 3, "seed": 1, "frequency_penalty": 0.1, "presence_penalty": -0.1, "n": 2,
        "logprobs": True, "top_logprobs": 3, "user": "u", "service_tier": "flex", "metadata": {"a": "b"},
    }  # fmt: skip
    request = parsed(body(**settings, verbosity="low", safety_identifier="s"))
    assert {name: getattr(request, name) for name in settings} == settings
    assert request.extra == {"verbosity": "low", "safety_identifier": "s"}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_both_spellings_of_max_tokens(name: str) -> None:
    assert parsed(body(**{name: 5})).max_tokens == 5
    assert parsed(body(max_tokens=4, max_completion_tokens=5)).max_tokens == 5


def test_stop_as_one_and_as_many() -> None:
    assert parsed(body(stop="a")).stop == ["a"]
    assert parsed(body(stop=["a"])).stop == ["a"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"type": "text"}, OutputFormat("text")),
        ({"type": "json_object"}, OutputFormat("json")),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
            OutputFormat("schema", {"type": "object"}, "n", strict=True),
        ),
        ({"type": "grammar", "grammar": "x"}, None),
    ],
)
def test_response_formats(value: Any, expected: OutputFormat | None) -> None:
    assert parsed(body(response_format=value)).output == expected


def test_reasoning_in_both_spellings() -> None:
    assert parsed(body(reasoning_effort="low")).reasoning == Reasoning("low")
    assert parsed(body(reasoning={"max_tokens": 9, "exclude": True})).reasoning == Reasoning(
        budget_tokens=9, extra={"exclude": True}
    )
    assert parsed(body(reasoning={"enabled": False})).reasoning == Reasoning(mode="disabled")


@pytest.mark.parametrize(
    ("options", "wanted"), [({}, False), ({"include_usage": True}, True), ({"include_usage": False, "x": 1}, False), (None, False)]
)
def test_streaming_and_its_options(options: Any, wanted: bool) -> None:
    given = body(stream=True, stream_options=options)
    request = parsed(given)
    assert (request.stream, request.include_usage, CHAT.asks_for_usage(given)) == (True, wanted, wanted)


def test_nulls_and_legacy_fields_come_back() -> None:
    nulls = dict.fromkeys(
        ["temperature", "tools", "tool_choice", "stop", "max_tokens", "response_format", "user", "metadata", "stream"]
    )
    parsed(body({"role": "user", "content": "x", "name": None}, **nulls, stream_options=None))
    parsed(body(stream=False, tools=[]))
    legacy = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    request = parsed(
        body(legacy, {"role": "function", "name": "f", "content": "ok"}, functions=[{"name": "f"}], function_call="auto")
    )
    assert request.extra == {}
    assert (request.tools, request.tool_choice) == ([Tool("f")], ToolChoice("auto"))


def test_functions_and_their_calls_are_read_as_tools_with_an_id_for_each_call() -> None:
    call = {"name": "f", "arguments": "{}"}
    request = parsed(
        body(
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", "name": "f", "content": "one"},
            {"role": "assistant", "content": None, "function_call": {**call, "x_more": 1}},
            {"role": "function", "name": "f", "content": "two"},
            {"role": "function", "name": "f", "content": "of no call"},
            functions=[{"name": "f", "description": "does f", "parameters": {"type": "object", "properties": {}}, "x": 1}],
            function_call={"name": "f"},
        )
    )
    assert request.tools == [Tool("f", "does f", {"type": "object", "properties": {}}, extra={"x": 1})]
    assert request.tool_choice == ToolChoice("tool", "f")
    calls = [part for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    assert len({call.id for call in calls}) == 2
    assert [result.call_id for result in results] == [calls[0].id, calls[1].id, ""]


def test_functions_besides_tools_stay_an_unknown_field() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    both = {"role": "assistant", "content": None, "tool_calls": [call], "function_call": {"name": "f", "arguments": "{}"}}
    request = parsed(body(both, tools=[{"type": "function", "function": {"name": "f"}}], functions=[{"name": "g"}]))
    assert request.extra == {"functions": [{"name": "g"}]}
    parsed(body(functions=[{"name": "f"}], function_call="sometimes"))
    parsed(body(functions=[]))


def message(**fields: Any) -> dict[str, Any]:
    return body({"role": "user", "content": [fields]})


def calling(**fields: Any) -> dict[str, Any]:
    return body({"role": "assistant", "tool_calls": [fields]})


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"messages": [USER]}, "model", "missing_parameter"),
        ({"model": 1, "messages": [USER]}, "model", "invalid_parameter"),
        ({"model": "m"}, "messages", "missing_parameter"),
        ({"model": "m", "messages": []}, "messages", "invalid_parameter"),
        ({"model": "m", "messages": "hi"}, "messages", "invalid_parameter"),
        (body(USER, 1), "messages[1]", "invalid_parameter"),
        (body({"content": "x"}), "messages[0].role", "missing_parameter"),
        (body({"role": "bot", "content": "x"}), "messages[0].role", "invalid_parameter"),
        (body({"role": "user"}), "messages[0].content", "missing_parameter"),
        (body({"role": "user", "content": 3}), "messages[0].content", "invalid_parameter"),
        (body({"role": "tool", "content": "x"}), "messages[0].tool_call_id", "missing_parameter"),
        (message(text="x"), "messages[0].content[0].type", "missing_parameter"),
        (message(type=3), "messages[0].content[0].type", "invalid_parameter"),
        (message(type="text"), "messages[0].content[0].text", "missing_parameter"),
        (message(type="image_url"), "messages[0].content[0].image_url", "missing_parameter"),
        (message(type="image_url", image_url={}), "messages[0].content[0].image_url.url", "missing_parameter"),
        (message(type="file", file={}), "messages[0].content[0].file.file_data", "missing_parameter"),
        (message(type="input_audio", input_audio={}), "messages[0].content[0].input_audio.data", "missing_parameter"),
        (calling(id="a", function={}), "messages[0].tool_calls[0].function.name", "missing_parameter"),
        (calling(id="a", type="x"), "messages[0].tool_calls[0].type", "invalid_parameter"),
        (calling(function={"name": "f"}), "messages[0].tool_calls[0].id", "missing_parameter"),
        (body(tools=[{"type": "function"}]), "tools[0].function", "missing_parameter"),
        (body(tools=[{"type": "function", "function": {"name": 1}}]), "tools[0].function.name", "invalid_parameter"),
        (body(tools={}), "tools", "invalid_parameter"),
        (body(tool_choice="maybe"), "tool_choice", "invalid_parameter"),
        (body(tool_choice={"type": "function"}), "tool_choice.function.name", "invalid_parameter"),
        (body(temperature="hot"), "temperature", "invalid_parameter"),
        (body(temperature=True), "temperature", "invalid_parameter"),
        (body(max_tokens=1.5), "max_tokens", "invalid_parameter"),
        (body(stream="yes"), "stream", "invalid_parameter"),
        (body(stream=True, stream_options=[]), "stream_options", "invalid_parameter"),
        (body(stop=["a", 1]), "stop[1]", "invalid_parameter"),
        (body(response_format={"type": "json_schema"}), "response_format.json_schema", "missing_parameter"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(given: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadRequest) as raised:
        CHAT.read_request(given, {})
    assert (raised.value.param, raised.value.code) == (param, code)
    assert param in raised.value.message


@given(requests(FULL))
def test_any_request_survives_being_written_and_read_again(request: ChatRequest) -> None:
    out = CHAT.write_request(request, request.model)
    assert out.dropped == []
    again = CHAT.read_request(orjson.loads(orjson.dumps(out.body)), {})
    again.source_form = {}
    assert again == request


ACCEPTED: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParamsNonStreaming)


@given(requests(Features(documents=True, custom_tools=True)))
def test_what_is_written_is_what_the_sdk_would_send(request: ChatRequest) -> None:
    out = CHAT.write_request(request, "gpt-x")
    ACCEPTED.validate_python({name: value for name, value in out.body.items() if name != "stream"})


def test_passthrough_requests_usage_and_does_not_change_the_clients_body() -> None:
    given = body(stream=True, stream_options={"include_obfuscation": False}, unknown=1)
    before = copy.deepcopy(given)
    sent = CHAT.passthrough_request(given, "real")
    assert sent == {**before, "model": "real", "stream_options": {"include_obfuscation": False, "include_usage": True}}
    assert given == before
    assert CHAT.passthrough_request(body(), "real") == {**body(), "model": "real"}
