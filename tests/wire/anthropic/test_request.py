"""Requests of Anthropic's Messages API: read into the neutral form, and written back unchanged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.chat import Media, Opaque, RedactedThinking, Text, Thinking, ToolCall, ToolResult
from conduit_desktop.core.errors import BadRequest
from tests.wire.messages_frames import MESSAGES

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def request_with(*content: Any, role: str = "user", **rest: Any) -> dict[str, Any]:
    """A request of one message."""
    text_or_blocks = content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)
    return {"model": "claude-x", "max_tokens": 64, "messages": [{"role": role, "content": text_or_blocks}], **rest}


def again(body: dict[str, Any]) -> dict[str, Any]:
    """The body, read into the neutral form and written back."""
    out = MESSAGES.write_request(MESSAGES.read_request(copy.deepcopy(body), {}), body["model"])
    assert out.dropped == []
    return out.body


EVERYTHING = {
    "text": request_with("hello"),
    "blocks": request_with({"type": "text", "text": "hello", "cache_control": MARK}, IMAGE),
    "empty content": request_with(role="assistant"),
    "empty text": request_with({"type": "text", "text": ""}),
    "system text": request_with("x", system="Be brief."),
    "system blocks": request_with(
        "x", system=[{"type": "text", "text": "Be", "cache_control": HOUR}, {"type": "text", "text": "brief"}]
    ),
    "system in the middle": request_with("x")
    | {"messages": [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}]},
    "system that sets but says nothing": request_with("x") | {"messages": [{"role": "system", "output_config": {"effort": "low"}}]},
    "both systems": request_with("x", role="system", system="top"),
    "image by url": request_with({"type": "image", "source": {"type": "url", "url": "https://x/y.png"}, "cache_control": MARK}),
    "image file": request_with({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    "unknown image source": request_with({"type": "image", "source": {"type": "hologram", "beam": 1}}),
    "documents": request_with(
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, "title": "A"},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}, "context": "c", "citations": {"enabled": True}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "title": None},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "words"}, IMAGE]}},
        {"type": "document", "source": {"type": "content", "content": "words"}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ),
    "tool calls": request_with(
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.5}, "caller": {"type": "direct"}}, role="assistant"
    ),
    "tool results": request_with(
        {"type": "tool_result", "tool_use_id": "t1"},
        {"type": "tool_result", "tool_use_id": "t2", "content": ""},
        {"type": "tool_result", "tool_use_id": "t3", "content": [], "is_error": False},
        {"type": "tool_result", "tool_use_id": "t4", "content": "no", "is_error": True, "cache_control": MARK},
        {
            "type": "tool_result",
            "tool_use_id": "t5",
            "content": [{"type": "text", "text": "see"}, IMAGE, {"type": "search_result"}],
        },
    ),
    "thinking": request_with(
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "thinking", "thinking": "hm"},
        {"type": "redacted_thinking", "data": "eHg="},
        role="assistant",
    ),
    "blocks of Anthropic alone": request_with(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "container_upload", "file_id": "f"},
        {"type": "compaction", "content": None},
        {"type": "from_the_future", "x": [1]},
        role="assistant",
    ),
    "cache marks": request_with(
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "5m"}}, cache_control=HOUR
    ),
    "a scoped cache mark": request_with({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "scope": "global"}}),
    "nulls": request_with(
        {"type": "text", "text": "a", "cache_control": None, "citations": None}, temperature=None, tools=None, thinking=None
    ),
    "no citations": request_with({"type": "text", "text": "a", "citations": []}),
    "citations": request_with(
        {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "b"}]}, role="assistant"
    ),
    "tools": request_with(
        "x",
        tools=[
            {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, "cache_control": MARK},
            {"type": "custom", "name": "g", "input_schema": {}, "strict": False, "eager_input_streaming": True},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "cache_control": HOUR},
            {"type": "computer_20250124", "name": "computer", "display_width_px": 10},
            {"type": "mcp_toolset", "mcp_server_name": "m"},
        ],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    ),
    "no tools": request_with("x", tools=[]),
    "auto": request_with("x", tool_choice={"type": "auto", "disable_parallel_tool_use": False}),
    "none": request_with("x", tool_choice={"type": "none"}),
    "one tool": request_with("x", tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True}),
    "sampling": request_with("x", temperature=0, top_p=0.9, top_k=5, stop_sequences=["a"], stream=False, service_tier="auto"),
    "no stops": request_with("x", stop_sequences=[], stream=True, max_tokens=0),
    "budget": request_with("x", thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"}),
    "adaptive": request_with("x", thinking={"type": "adaptive"}, output_config={"effort": "xhigh"}),
    "disabled": request_with("x", thinking={"type": "disabled"}),
    "between tools": request_with("x", thinking={"type": "between_tools"}),
    "format": request_with("x", output_config={"format": {"type": "json_schema", "schema": SCHEMA}, "task_budget": {"total": 9}}),
    "older format": request_with("x", output_format={"type": "json_schema", "schema": SCHEMA}, output_config={}),
    "user": request_with("x", metadata={"user_id": "u"}),
    "more metadata": request_with("x", metadata={"user_id": "u", "more": 1}),
    "no user": request_with("x", metadata={"user_id": None}),
    "no metadata": request_with("x", metadata={}),
    "unknown fields": request_with("x", container="c", mcp_servers=[{"name": "m"}], context_management={"edits": []}, speed="fast"),
    "unknown message field": request_with("x") | {"messages": [{"role": "user", "content": "x", "clear_at": "later"}]},
}


@pytest.mark.parametrize("body", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_a_request_comes_out_as_it_went_in(body: dict[str, Any]) -> None:
    assert again(body) == body


def test_blocks_become_neutral_parts() -> None:
    body = EVERYTHING["documents"]
    parts = MESSAGES.read_request(body, {}).messages[0].parts
    pdf, url, words, content, bare, file = [part for part in parts if isinstance(part, Media)]
    assert (pdf.kind, pdf.data, pdf.media_type, pdf.name) == ("document", "JVBE", "application/pdf", "A")
    assert url.url == "https://x/y.pdf"
    assert url.extra == {"context": "c", "citations": {"enabled": True}}
    assert (words.text, content.text, bare.text, file.file_id) == ("words", "words", "words", "file_1")


def test_thinking_keeps_its_signature_and_hidden_thinking_its_data() -> None:
    parts = MESSAGES.read_request(EVERYTHING["thinking"], {}).messages[0].parts
    assert parts == [Thinking("hm", "c2ln"), Thinking("hm"), RedactedThinking("eHg=")]


def test_tools_and_results_are_read() -> None:
    call = MESSAGES.read_request(EVERYTHING["tool calls"], {}).messages[0].parts[0]
    assert call == ToolCall("t1", "f", '{"a":1.5}', extra={"caller": {"type": "direct"}})
    failed = MESSAGES.read_request(EVERYTHING["tool results"], {}).messages[0].parts[3]
    assert failed == ToolResult("t4", [Text("no")], is_error=True, plain=True, cache="5m")


def test_blocks_only_anthropic_knows_stay_whole() -> None:
    parts = MESSAGES.read_request(EVERYTHING["blocks of Anthropic alone"], {}).messages[0].parts
    assert all(isinstance(part, Opaque) and part.dialect == "anthropic_messages" for part in parts)
    assert parts[-1] == Opaque("anthropic_messages", "from_the_future", {"type": "from_the_future", "x": [1]})


def test_tools_of_anthropics_own_are_hosted() -> None:
    request = MESSAGES.read_request(EVERYTHING["tools"], {})
    assert [tool.kind for tool in request.tools] == ["function", "function", "hosted", "hosted", "hosted"]
    assert (request.tools[2].type, request.tools[2].cache) == ("web_search_20250305", "1h")
    assert request.tool_choice is not None
    assert (request.tool_choice.mode, request.parallel_tool_calls) == ("required", False)


def test_settings_are_read() -> None:
    request = MESSAGES.read_request(EVERYTHING["adaptive"] | {"metadata": {"user_id": "u"}, "stream": True}, {})
    assert request.reasoning is not None
    assert (request.reasoning.mode, request.reasoning.effort) == ("adaptive", "xhigh")
    assert (request.user, request.stream, request.include_usage, request.max_tokens) == ("u", True, True, 64)
    schema = MESSAGES.read_request(EVERYTHING["format"], {}).output
    assert schema is not None
    assert (schema.kind, schema.schema) == ("schema", SCHEMA)


def test_nulls_leave_nothing_behind_that_another_dialect_would_name() -> None:
    request = MESSAGES.read_request(EVERYTHING["nulls"], {})
    assert request.extra == {}
    assert request.messages[0].parts == [Text("a")]


def test_the_model_may_stand_in_the_path() -> None:
    body = request_with("x")
    del body["model"]
    request = MESSAGES.read_request(body, {"model": "claude-y", "stream": True})
    assert (request.model, request.stream) == ("claude-y", True)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_parameter"),
        ({"model": 7}, "model", "invalid_parameter"),
        ({"messages": None}, "messages", "missing_parameter"),
        ({"messages": []}, "messages", "invalid_parameter"),
        ({"messages": ["x"]}, "messages.0", "invalid_parameter"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role", "invalid_parameter"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "missing_parameter"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content", "invalid_parameter"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content.0", "invalid_parameter"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages.0.content.0.type", "missing_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text", "missing_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source", "missing_parameter"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "base64", "data": "aaaa", "media_type": ["image/png"]}},
                        ],
                    }
                ]
            },
            "messages.0.content.0.source.media_type",
            "invalid_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": 7}]}]},
            "messages.0.content.0.signature",
            "invalid_parameter",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": "x"}]}]},
            "messages.0.content.0.input",
            "invalid_parameter",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": 1}]}]}]},
            "messages.0.content.0.content.0.type",
            "invalid_parameter",
        ),
        ({"max_tokens": None}, "max_tokens", "missing_parameter"),
        ({"max_tokens": True}, "max_tokens", "invalid_parameter"),
        ({"max_tokens": "64"}, "max_tokens", "invalid_parameter"),
        ({"system": [IMAGE]}, "system.0.type", "invalid_parameter"),
        ({"temperature": "hot"}, "temperature", "invalid_parameter"),
        ({"stop_sequences": ["a", 1]}, "stop_sequences.1", "invalid_parameter"),
        ({"tools": {}}, "tools", "invalid_parameter"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema", "missing_parameter"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name", "missing_parameter"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "missing_parameter"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type", "invalid_parameter"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "missing_parameter"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema", "missing_parameter"),
        ({"stream": "yes"}, "stream", "invalid_parameter"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        MESSAGES.read_request(request_with("x") | change, {})
    assert (caught.value.param, caught.value.code, caught.value.status) == (param, code, 400)
    assert param in caught.value.message


def test_passthrough_shares_everything_but_the_model() -> None:
    body = request_with(
        "x", system=[{"type": "text", "text": "s"}], tools=[{"name": "f", "input_schema": {}}], metadata={"user_id": "u"}
    )
    before = copy.deepcopy(body)
    out = MESSAGES.passthrough_request(body, "claude-y")
    assert body == before
    assert out["model"] == "claude-y"
    assert all(out[key] is body[key] for key in body if key != "model")
    assert MESSAGES.asks_for_usage(body)
