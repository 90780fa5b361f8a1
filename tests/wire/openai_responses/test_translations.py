"""From the Responses API to chat and Anthropic and back: what both can say arrives, and proofs find their way home."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Message, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.events import Event, Started
from conduit_desktop.wire import Dialect, StreamWriter, dialect
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.wire.dialect_io import translated
from tests.wire.messages_frames import as_sent, check_rules
from tests.wire.responses_frames import RESPONSES, payloads
from tests.wire.strategies import Features, answers, requests

CHAT, MESSAGES = dialect("openai_chat"), dialect("anthropic_messages")
OTHERS = [CHAT, MESSAGES]
NAMES = ["chat", "Anthropic"]

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin"'}
REQUEST: dict[str, Any] = {
    "model": "alias",
    "instructions": "You are a coding agent.",
    "input": [
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "fix it"}, {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
        ]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
        {"type": "function_call", "call_id": "c1", "name": "find", "namespace": "crm", "arguments": '{"id":1}'},
        {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** Begin"},
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}]},
    ],
    "tools": [
        {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "namespace", "name": "crm", "description": "d", "tools": [
            {"type": "function", "name": "find", "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}}},
        ]},
        {"type": "custom", "name": "patch", "description": "Patch files.", "format": GRAMMAR},
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto", "parallel_tool_calls": False, "reasoning": {"effort": "medium", "summary": "auto"}, "store": False,
    "stream": True, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k",
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object", "properties": {}}, "strict": True}},
}  # fmt: skip


def streamed(writer: StreamWriter, events: list[Event]) -> bytes:
    return b"".join([writer.write(event) for event in events]) + writer.end()


def read(source: Dialect, data: bytes) -> list[Event]:
    reader = source.reader()
    return reader.feed(data) + reader.close()


def request_in(to: Dialect) -> ChatRequest:
    return ChatRequest(to.name, "alias", [Message("user", [Text("hello")], plain=True)], stream=True, include_usage=True)


def test_a_coding_agents_request_reaches_chat_vendors_as_functions() -> None:
    out = CHAT.write_request(RESPONSES.read_request(REQUEST, {}), "m")
    assert [message["role"] for message in out.body["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["function"] for call in out.body["messages"][2]["tool_calls"]] == [
        {"name": "crm__find", "arguments": '{"id":1}'},
        {"name": "patch", "arguments": '{"input":"*** Begin"}'},
    ]
    assert [(tool["type"], tool["function"]["name"]) for tool in out.body["tools"]] == [
        ("function", "shell"),
        ("function", "crm__find"),
        ("function", "patch"),
    ]
    patch = out.body["tools"][2]["function"]
    assert list(patch["parameters"]["properties"]) == ["input"]
    assert GRAMMAR["definition"] in patch["description"]
    assert out.body["reasoning_effort"] == "medium"
    assert out.body["response_format"]["json_schema"]["name"] == "n"
    assert set(out.dropped) == {
        "thinking", "content[web_search_call]", "tools.format", "tools.custom", "tools[web_search]", "reasoning.summary",
        "prompt_cache_key",
    }  # fmt: skip


def test_a_coding_agents_request_reaches_anthropic() -> None:
    out = translated(MESSAGES, RESPONSES.read_request(REQUEST, {}), "claude-x")
    check_rules(as_sent(out.body))
    assert out.body["system"] == "You are a coding agent."
    assert [block["type"] for block in out.body["messages"][0]["content"]] == ["text", "image"]
    assert [(block["name"], block["input"]) for block in out.body["messages"][1]["content"]] == [
        ("crm__find", {"id": 1}),
        ("patch", {"input": "*** Begin"}),
    ]
    assert [tool["name"] for tool in out.body["tools"]] == ["shell", "crm__find", "patch", "web_search"]
    assert GRAMMAR["definition"] in out.body["tools"][2]["description"]
    assert "tools[web_search]" not in out.dropped
    assert not {"store", "include"} & set(out.dropped), "the gateway applies these itself"


@pytest.mark.parametrize("name", ["bedrock", "cohere", "gemini", "ollama"])
def test_the_grammar_of_a_custom_tool_is_in_its_description_where_tools_are_functions(name: str) -> None:
    """Without it a model could only guess the form."""
    out = dialect(name).write_request(RESPONSES.read_request(REQUEST, {}), "m")
    assert any(GRAMMAR["definition"] in text for text in tool_texts(out.body))


def tool_texts(value: Any) -> list[str]:
    """Every description within a value."""
    if isinstance(value, list):
        return [found for each in value for found in tool_texts(each)]
    if not isinstance(value, dict):
        return []
    own = [value["description"]] if isinstance(value.get("description"), str) else []
    return own + [found for each in value.values() for found in tool_texts(each)]


@pytest.mark.parametrize("source", OTHERS, ids=NAMES)
@settings(max_examples=30)
@given(answer=answers(Features(thinking=True)))
def test_answers_of_others_become_responses(source: Dialect, answer: Answer) -> None:
    answer.started = Started("x", answer.started.model, 1)
    upstream = streamed(source.writer(request_in(source)), list(answer.events()))
    events = read(source, upstream)
    crossed = collect(read(RESPONSES, streamed(RESPONSES.writer(request_in(RESPONSES)), events)))
    whole = collect(RESPONSES.read_response(RESPONSES.write_response(collect(events), request_in(RESPONSES))))
    for got in (crossed, whole):
        assert (got.first.text, got.first.thinking) == (answer.first.text, answer.first.thinking)
        assert [(call.id, call.name, orjson.loads(call.arguments)) for call in got.first.tool_calls] == [
            (call.id, call.name, orjson.loads(call.arguments or "{}")) for call in answer.first.tool_calls
        ]
        assert got.first.finish is not None
        assert answer.first.finish is not None
        assert got.first.finish.reason == answer.first.finish.reason
        assert got.usage is not None
        assert answer.usage is not None
        assert (got.usage.total_input, got.usage.output) == (answer.usage.total_input, answer.usage.output)


@pytest.mark.parametrize("to", OTHERS, ids=NAMES)
@settings(max_examples=30)
@given(answer=answers(Features("openai_responses", thinking=True)))
def test_responses_become_answers_of_others(to: Dialect, answer: Answer) -> None:
    upstream = streamed(RESPONSES.writer(request_in(RESPONSES)), list(answer.events()))
    crossed = collect(read(to, streamed(to.writer(request_in(to)), read(RESPONSES, upstream))))
    assert (crossed.first.text, crossed.first.thinking) == (answer.first.text, answer.first.thinking)
    assert [(call.id, call.name) for call in crossed.first.tool_calls] == [(call.id, call.name) for call in answer.first.tool_calls]


@settings(max_examples=30)
@given(request=requests(Features(documents=False, penalties=False, custom_tools=True)))
def test_chat_requests_become_requests_here(request: ChatRequest) -> None:
    check_request(CHAT, request)


CALLER = Features(
    "anthropic_messages", documents=False, results_in="user", tool_errors=True, penalties=False, output_formats=False, top_k=True
)


@settings(max_examples=30)
@given(request=requests(CALLER))
def test_anthropic_requests_become_requests_here(request: ChatRequest) -> None:
    check_request(MESSAGES, request)


def check_request(source: Dialect, request: ChatRequest) -> None:
    parsed = source.read_request(orjson.loads(orjson.dumps(source.write_request(request, "m").body)), {})
    got = RESPONSES.read_request(orjson.loads(orjson.dumps(RESPONSES.write_request(parsed, "gpt-x").body)), {})
    assert "".join(texts_of(got)) == "".join(texts_of(parsed))
    assert [tool.name for tool in got.tools] == [tool.name for tool in parsed.tools]
    assert (got.temperature, got.stream) == (parsed.temperature, parsed.stream)


def texts_of(request: ChatRequest) -> list[str]:
    return [part.text for message in request.messages for part in message.parts if isinstance(part, Text)]


def test_claudes_thoughts_find_their_way_home_through_a_responses_client() -> None:
    """In a tool loop Anthropic wants its signed and hidden thoughts back; the client hands on what it got."""
    stream = Answer(Started("msg_1", "claude-x", dialect="anthropic_messages"))
    body = MESSAGES.read_response(
        {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
         "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
             {"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "redacted_thinking", "data": "aGk="},
             {"type": "tool_use", "id": "t1", "name": "shell", "input": {}}]}
    )  # fmt: skip
    stream = collect(body)
    output = RESPONSES.write_response(stream, request_in(RESPONSES))["output"]
    again = {"model": "alias", "input": [
        {"role": "user", "content": "go"}, *output, {"type": "function_call_output", "call_id": "t1", "output": "ok"},
    ]}  # fmt: skip
    out = MESSAGES.write_request(RESPONSES.read_request(again, {}), "claude-x")
    assert out.body["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "aGk="},
    ]
    assert out.dropped == []
    assert CHAT.write_request(RESPONSES.read_request(again, {}), "m").dropped == ["thinking", "redacted_thinking"]


def test_openais_thoughts_find_their_way_home_through_an_anthropic_client() -> None:
    made = collect(RESPONSES.read_response({"id": "resp_1", "status": "completed", "model": "gpt-x", "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
        {"type": "function_call", "call_id": "t1", "name": "f", "arguments": "{}"},
    ]}))  # fmt: skip
    content = MESSAGES.write_response(made, request_in(MESSAGES))["content"]
    again = {"model": "alias", "max_tokens": 50, "messages": [
        {"role": "user", "content": "go"}, {"role": "assistant", "content": content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]},
    ]}  # fmt: skip
    out = RESPONSES.write_request(MESSAGES.read_request(again, {}), "gpt-x")
    assert out.body["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gAAA",
    }
    assert out.dropped == []


def test_a_signature_without_a_known_id_is_sent_back_without_one() -> None:
    """OpenAI takes a proof without an id, and refuses one under another's."""
    kept = Thinking("hm", mark(MarkedContent("openai_responses", "gAAA", id="no id of OpenAI's.")))
    out = RESPONSES.write_request(ChatRequest("anthropic_messages", "m", [Message("assistant", [kept, Text("so")])]), "gpt-x")
    assert out.body["input"][0] == {
        "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"
    }  # fmt: skip


def test_thoughts_of_others_never_reach_openai_under_an_id_it_does_not_know() -> None:
    """Signed or not: they bear their maker's mark, by which they are known when the caller hands them back."""
    made = collect(CHAT.read_response({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "hello", "reasoning_content": "hm",
    }}]}))  # fmt: skip
    output = RESPONSES.write_response(made, request_in(RESPONSES))["output"]
    again = {"model": "alias", "input": [*output, {"role": "user", "content": "go on"}]}
    assert [item["type"] for item in output] == ["reasoning", "message"]
    assert RESPONSES.passthrough_request(again, "gpt-x")["input"] == again["input"][1:]
    parsed = RESPONSES.read_request(again, {})
    assert parsed.messages[0].parts[0] == Thinking("hm", dialect="openai_chat")


def test_unsigned_thinking_is_named_as_dropped() -> None:
    request = ChatRequest(
        "anthropic_messages", "m", [Message("assistant", [Thinking("a", "c2ln"), RedactedThinking("x"), Text("b")])]
    )
    out = RESPONSES.write_request(request, "gpt-x")
    assert out.dropped == ["thinking", "redacted_thinking"]


def test_calls_of_flattened_tools_come_back_in_the_callers_own_terms() -> None:
    parsed = RESPONSES.read_request(REQUEST, {})
    chunks = [
        {"tool_calls": [{"index": 0, "id": "c8", "type": "function", "function": {"name": "crm__find", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 1, "id": "c9", "type": "function", "function": {"name": "patch", "arguments": '{"input":'}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": '"*** Begin"}'}}]},
    ]
    data = b"".join(b"data: " + orjson.dumps({"id": "x", "choices": [{"index": 0, "delta": one}]}) + b"\n\n" for one in chunks)
    end = b'data: {"id":"x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\ndata: [DONE]\n\n'
    output = payloads(streamed(RESPONSES.writer(parsed), read(CHAT, data + end)))[-1]["response"]["output"]
    assert [(item["type"], item["name"], item.get("namespace"), item.get("input")) for item in output] == [
        ("function_call", "find", "crm", None),
        ("custom_tool_call", "patch", None, "*** Begin"),
    ]


def test_assistant_messages_of_other_dialects_need_no_id_and_images_have_a_detail() -> None:
    """The API's own type for an assistant message in parts requires an id and a status, which other dialects lack."""
    assistant_message = {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [picture]}, assistant_message, {"role": "user", "content": "go on"}],
    }
    out = dialect("openai_responses").write_request(dialect("openai_chat").read_request(body, {}), "m").body
    assert out["input"][0]["content"] == [{"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}]
    assert out["input"][1] == {"role": "assistant", "content": "ab"}


def test_reasoning_without_the_item_it_belongs_to_is_left_out():
    """Seen with a hosted call, which cannot be written: "'reasoning' was provided without its required following item"."""
    thought = Thinking("t", mark(MarkedContent("openai_responses", "enc", id="rs_1")), dialect="openai_responses")
    for after, kept in (([ToolCall("c", "search", "", "hosted")], 0), ([ToolCall("c", "f", "{}")], 1), ([Text("ok")], 1)):
        request = ChatRequest("openai_chat", "m", [Message("assistant", [thought, *after]), Message("user", [Text("go on")])])
        written = dialect("openai_responses").write_request(request, "gpt-5.2")
        assert [item.get("type") for item in written.body["input"]].count("reasoning") == kept
        assert ("thinking" in written.dropped) == (kept == 0)
