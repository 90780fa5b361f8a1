"""Ollama's dialect: requests, lines, calls without ids, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ollama
import orjson
import pytest
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import (
    ChatRequest,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.core.errors import BadRequest, BudgetExceeded, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted, Usage
from conduit_desktop.wire import dialect
from tests.wire.dialect_io import again, answer_of, client_request, read, recorded, write_stream
from tests.wire.strategies import Features, answers, requests

CHAT = dialect("ollama")
GENERATE = dialect("ollama_generate")
OPENAI = dialect("openai_chat")

HEAD = {"model": "qwen3", "created_at": "2026-08-07T06:08:09.335586123Z"}
LAST = {"done_reason": "stop", "total_duration": 5, "prompt_eval_count": 11, "eval_count": 7, "eval_duration": 3}


def line(message: dict[str, Any] | None = None, **more: Any) -> bytes:
    body = {**HEAD, **({} if message is None else {"message": {"role": "assistant", "content": "", **message}}), **more}
    return orjson.dumps({"done": False, **body}) + b"\n"


def end(**more: Any) -> bytes:
    return line({}, done=True, **{**LAST, **more})


FULL: dict[str, Any] = {
    "model": "qwen3",
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "look", "images": ["aGk="]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [{"function": {"name": "a", "arguments": {"x": 1}}}, {"function": {"name": "b", "arguments": {}}}],
        },
        {"role": "tool", "content": "two", "tool_name": "b"},
        {"role": "tool", "content": "", "tool_name": "a"},
        {"role": "assistant", "tool_calls": [{"id": "call_9", "function": {"index": 0, "name": "a", "arguments": {}}}]},
        {"role": "tool", "content": "x", "tool_call_id": "call_9", "name": "a"},
    ],
    "tools": [{"type": "function", "function": {"name": "a", "description": "d", "parameters": {"type": "object"}}}],
    "format": {"type": "object"},
    "options": {"num_predict": 5, "temperature": 0, "num_ctx": 8192, "stop": ["END"], "seed": 1, "top_k": 3},
    "think": "low",
    "stream": False,
    "keep_alive": "5m",
    "logprobs": True,
    "top_logprobs": 2,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stream": True},
        {"think": True, "format": "json"},
        {"think": False, "format": "", "options": {}},
        {"think": None, "format": None, "tools": [], "options": {"num_predict": -1, "temperature": "hot", "stop": "x"}},
        {"messages": [{"role": "user", "content": "hi", "images": []}, {"role": "assistant", "content": None, "tool_calls": []}]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}]},
    ],
)
def test_a_request_comes_out_as_it_went_in(change: dict[str, Any]) -> None:
    body = {**FULL, **change}
    assert again(CHAT, body) == body


def test_a_request_that_says_nothing_of_streams_wants_one() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert CHAT.read_request(body, {}).stream is True
    assert again(CHAT, body) == body
    assert again(CHAT, body, path={"stream": False})["stream"] is False


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "prompt": "why", "system": "be brief", "images": ["aGk="], "suffix": "x", "raw": True, "context": [1, 2]},
        {"model": "m", "prompt": "", "system": "", "stream": False},
        {"model": "m"},
    ],
)
def test_a_prompt_comes_out_as_it_went_in(body: dict[str, Any]) -> None:
    assert again(GENERATE, body) == body


def test_results_meet_their_calls_by_name_and_then_in_order() -> None:
    request = CHAT.read_request(FULL, {})
    calls = [part for message in request.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part for message in request.messages for part in message.parts if isinstance(part, ToolResult)]
    assert [call.id for call in calls] == ["call_0", "call_1", "call_9"]
    assert [result.call_id for result in results] == ["call_1", "call_0", "call_9"]
    nameless = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]
    request = CHAT.read_request({**FULL, "messages": [*FULL["messages"][:3], *nameless]}, {})
    assert [message.parts[0].call_id for message in request.messages[-2:]] == ["call_0", "call_1"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "bard", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        ({"format": 5}, "format"),
        ({"think": 5}, "think"),
        ({"options": []}, "options"),
        ({"stream": "yes"}, "stream"),
        ({"model": None}, "model"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRequest) as raised:
        CHAT.read_request({**FULL, **change}, {})
    assert raised.value.param == where


def test_a_request_of_another_dialect_is_written_as_far_as_ollama_can() -> None:
    request = ChatRequest(
        "openai_chat",
        "gpt",
        [
            Message("developer", [Text("be brief")]),
            Message("user", [Text("see"), Media("image", data="aGk="), Media("image", url="https://example.com/a.png")]),
            Message("assistant", [Thinking("hm"), ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "oops", "custom")]),
            Message("user", [ToolResult("c1", [Text("no")], is_error=True), Text("go on")]),
        ],
        tools=[Tool("f", schema={"type": "object"}), Tool("g", kind="custom"), Tool("web", kind="hosted", type="web_search")],
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        max_tokens=9,
        user="u",
        n=2,
        output=OutputFormat("schema", {"type": "object"}),
        reasoning=Reasoning(effort="minimal"),
        extra={"store": True},
    )
    out = CHAT.write_request(request, "gpt-oss:20b")
    assert out.body == {
        "model": "gpt-oss:20b",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "see", "images": ["aGk="]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "hm",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}},
                    {"id": "c2", "function": {"name": "g", "arguments": {"input": "oops"}}},
                ],
            },
            {"role": "tool", "content": "Error: no", "tool_name": "f", "tool_call_id": "c1"},
            {"role": "user", "content": "go on"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
            {
                "type": "function",
                "function": {
                    "name": "g",
                    "parameters": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]},
                },
            },
        ],
        "options": {"num_predict": 9},
        "stream": False,
        "format": {"type": "object"},
        "think": "low",
    }
    assert set(out.dropped) == {"image.url", "tools[web_search]", "tool_choice", "parallel_tool_calls", "user", "n", "store"}
    assert CHAT.write_request(request, "qwen3").body["think"] is True
    request.reasoning, request.tool_choice = Reasoning(effort="none"), ToolChoice("none")
    out = CHAT.write_request(request, "qwen3")
    assert out.body["think"] is False
    assert "tools" not in out.body


def test_the_prompt_is_the_last_user_message() -> None:
    request = CHAT.read_request(FULL, {})
    out = GENERATE.write_request(request, "m")
    assert (out.body["prompt"], out.body["system"], out.body["images"]) == ("look", "be brief", ["aGk="])
    assert {"messages", "tools"} <= set(out.dropped)


@settings(max_examples=40)
@given(request=requests(Features("openai_chat", documents=False)))
def test_whatever_openai_callers_ask_ollamas_own_client_takes(request: ChatRequest) -> None:
    read_back = OPENAI.read_request(OPENAI.write_request(request, "m").body, {})
    body = orjson.loads(orjson.dumps(CHAT.write_request(read_back, "m").body))
    ollama._types.ChatRequest.model_validate(body)
    assert again(CHAT, body) == body


def test_lines_split_anywhere_make_the_answer() -> None:
    data = line({"thinking": "h"}) + line({"thinking": "m"}) + line({"content": "Hé"}) + line({"content": "!"}) + end()
    answer = answer_of(CHAT, data)
    assert (answer.first.thinking, answer.first.text) == ("hm", "Hé!")
    assert answer.first.finish == Finished("stop", "stop", extra={"total_duration": 5, "eval_duration": 3})
    assert answer.usage == Usage(input=11, output=7)
    assert answer.started.created == 1786082889
    assert answer.started.model == "qwen3"


def test_calls_without_ids_get_the_same_ones_every_time() -> None:
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}, {"function": {"name": "f", "arguments": {}}}]
    answer = answer_of(CHAT, line({"tool_calls": calls[:1]}) + line({"tool_calls": calls[1:]}) + end())
    ids = [call.id for call in answer.first.tool_calls]
    assert len(set(ids)) == 2
    assert [call.arguments for call in answer.first.tool_calls] == ['{"a":1}', "{}"]
    assert answer.first.finish is not None
    assert (answer.first.finish.reason, answer.first.finish.raw) == ("tool_calls", "stop")
    given = answer_of(CHAT, line({"tool_calls": [{"id": "call_x", "function": {"name": "f", "arguments": "{}"}}]}) + end())
    assert given.first.tool_calls == [ToolCall("call_x", "f", "{}")]


def test_logprobs_of_all_lines_come_with_the_end() -> None:
    answer = answer_of(
        CHAT, line({"content": "a"}, logprobs=[{"token": "a"}]) + line({}, done=True, logprobs=[{"token": "b"}], **LAST)
    )
    assert answer.first.finish is not None
    assert answer.first.finish.extra["logprobs"] == [{"token": "a"}, {"token": "b"}]


def test_an_answer_that_ends_early_is_broken() -> None:
    reader = CHAT.reader()
    reader.feed(line({"content": "a"}))
    assert not reader.done
    with pytest.raises(StreamBroken):
        reader.close()
    reader = CHAT.reader()
    reader.feed(line({"content": "a"}) + b'{"mod')
    with pytest.raises(StreamBroken):
        reader.close()


def test_a_last_line_without_a_line_break_counts() -> None:
    data = line({"content": "a"}) + end().rstrip()
    assert collect(read(CHAT, data)).first.finish is not None


def test_an_error_in_a_line_is_raised_after_what_stands_before_it() -> None:
    reader = CHAT.reader()
    assert reader.feed(line({"content": "a"}) + b'{"error":"the model crashed"}\n')[-1] == TextDelta("a")
    with pytest.raises(UpstreamError, match="the model crashed") as raised:
        reader.feed(b"")
    assert (raised.value.reason, raised.value.dialect) == ("server", "ollama")


@pytest.mark.parametrize("junk", [b"<html>\n", b"[1]\n", b'{"message":{"tool_calls":[{}]}}\n'])
def test_what_is_no_line_of_an_answer_is_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedStream):
        read(CHAT, junk)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b'{"error":"model \\"x\\" not found, try pulling it first"}', "model_not_found"),
        (400, b'{"error":"\\"gemma\\" does not support tools"}', "bad_request"),
        (503, b'{"error":"server busy, please try again.  maximum pending requests exceeded"}', "overloaded"),
        (500, b'{"error":"model requires more system memory"}', "server"),
        (401, b'{"error":"unauthorized"}', "auth"),
        (502, b"<html>", "server"),
    ],
)
def test_errors_are_classified(status: int, body: bytes, reason: str) -> None:
    error = CHAT.read_error(status, {}, body)
    assert (error.reason, error.status, error.dialect) == (reason, status, "ollama")
    assert GENERATE.read_error(status, {}, body).dialect == "ollama_generate"


def test_our_errors_are_one_text() -> None:
    assert CHAT.write_error(BudgetExceeded("spent")) == (402, {"error": "spent"})
    assert CHAT.writer(client_request(CHAT)).fail(BudgetExceeded("spent")) == b'{"error":"spent"}\n'


def test_a_sign_of_life_is_a_line_that_says_nothing() -> None:
    for own_dialect in (CHAT, GENERATE):
        ping = own_dialect.writer(client_request(own_dialect)).ping()
        assert orjson.loads(ping)["done"] is False
        assert answer_of(own_dialect, ping + end()).first.text == ""


ANSWERS = Features("ollama", thinking=True)


def plain(answer: Answer) -> tuple[Any, ...]:
    """What Ollama can say of an answer."""
    assert answer.usage is not None
    calls = [(call.name, orjson.loads(call.arguments or "{}")) for call in answer.first.tool_calls]
    assert answer.first.finish is not None
    counts = (answer.usage.total_input, answer.usage.total_output)
    return answer.first.text, answer.first.thinking, calls, answer.first.finish.reason, counts


@settings(max_examples=40)
@given(answer=answers(ANSWERS))
@pytest.mark.parametrize("own_dialect", [CHAT, GENERATE])
def test_what_is_written_is_read_again(own_dialect: Any, answer: Answer) -> None:
    whole = orjson.loads(orjson.dumps(own_dialect.write_response(answer, client_request(own_dialect))))
    assert plain(collect(own_dialect.read_response(whole))) == plain(answer)
    data = write_stream(own_dialect, list(answer.events()))
    assert plain(answer_of(own_dialect, data)) == plain(answer)
    for each in data.splitlines():
        kind = ollama.ChatResponse if own_dialect is CHAT else ollama.GenerateResponse
        kind.model_validate(orjson.loads(each))
    assert orjson.loads(data.splitlines()[-1])["done"] is True


def test_interleaved_calls_are_written_whole() -> None:
    events = [
        Started(),
        ToolCallStarted("a", "f"),
        ToolCallStarted("b", "g"),
        ToolCallDelta("a", '{"x"'),
        ToolCallDelta("b", "{}"),
        ToolCallDelta("a", ":1}"),
        Finished("tool_calls"),
    ]
    answer = answer_of(CHAT, write_stream(CHAT, list(events)))
    assert [(call.id, call.arguments) for call in answer.first.tool_calls] == [("a", '{"x":1}'), ("b", "{}")]


def test_the_recorded_call_survives_every_way(recordings: Path) -> None:
    for each in recorded(recordings, "api/chat"):
        assert again(CHAT, each["req"]) == each["req"]
        body = orjson.loads(each["text"])
        events = CHAT.read_response(body)
        assert CHAT.write_response(collect(events), client_request(CHAT)) == body
        streamed = answer_of(CHAT, each["text"].encode() + b"\n")
        assert streamed == collect(events)
        assert collect(read(CHAT, write_stream(CHAT, events))) == streamed


def test_a_tool_that_is_translated_in_full_is_not_named_as_dropped() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [tool]}
    written = OPENAI.write_request(CHAT.read_request(body, {}), "m")
    assert (written.body["tools"], written.dropped) == ([tool], [])
