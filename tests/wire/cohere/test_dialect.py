"""Cohere's dialect: requests, plans, citations, streams, counts and errors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
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
from conduit_desktop.wire.framing import sse
from tests.wire.dialect_io import Recording, again, answer_of, client_request, read, recorded, write_stream
from tests.wire.strategies import Features, answers, requests

COHERE = dialect("cohere")
LEFT_OUT = {"type": "text", "text": "[A file was left out: the model does not take it]"}
OPENAI = dialect("openai_chat")
ANTHROPIC = dialect("anthropic_messages")


def frame(kind: str, index: int | None = None, **delta: Any) -> bytes:
    at = {} if index is None else {"index": index}
    return sse.write(orjson.dumps({"type": kind, **at, "delta": {"message": delta}}), kind)


def content(index: int, kind: str, *pieces: str) -> bytes:
    frames = [frame("content-start", index, content={"type": kind, kind: ""})]
    frames += [frame("content-delta", index, content={kind: word}) for word in pieces]
    return b"".join([*frames, frame("content-end", index)])


START = sse.write(orjson.dumps({"id": "x1", "type": "message-start", "delta": {"message": {"role": "assistant"}}}), "message-start")
COUNTS = {"billed_units": {"input_tokens": 3, "output_tokens": 5}, "tokens": {"input_tokens": 300, "output_tokens": 9}}


def end(reason: str = "COMPLETE", **more: Any) -> bytes:
    payload = {"type": "message-end", "delta": {"finish_reason": reason, "usage": COUNTS, **more}}
    return sse.write(orjson.dumps(payload), "message-end") + b"data: [DONE]\n\n"


FULL: dict[str, Any] = {
    "model": "command-a",
    "stream": True,
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "tool_plan": "I will ask.",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"id": "1", "data": "{}"}}]},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}],
            "citations": [{"start": 0, "end": 2, "text": "so", "sources": []}],
        },
        {"role": "user", "content": "go on"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}],
    "documents": [{"id": "d", "data": {"text": "x"}}, "plain"],
    "citation_options": {"mode": "FAST"},
    "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
    "safety_mode": "STRICT",
    "max_tokens": 5,
    "stop_sequences": ["END"],
    "temperature": 0,
    "p": 0.5,
    "k": 3,
    "seed": 1,
    "logprobs": True,
    "tool_choice": "REQUIRED",
    "strict_tools": True,
    "thinking": {"type": "enabled", "token_budget": 100},
    "priority": 0,
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stream": False, "response_format": {"type": "json_object", "schema": {"type": "object"}}},
        {"tool_choice": "NONE", "thinking": {"type": "disabled"}, "response_format": {"type": "text"}, "tools": [], "seed": None},
        {"messages": [{"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}, {"role": "user", "content": ""}]},
    ],
)
def test_a_request_comes_out_as_it_went_in(change: dict[str, Any]) -> None:
    body = {**FULL, **change}
    assert again(COHERE, body) == body


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"model": None}, "model"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "bard"}]}, "messages[0].role"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"thinking": {"type": "hard"}}, "thinking.type"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRequest) as raised:
        COHERE.read_request({**FULL, **change}, {})
    assert raised.value.param == where


def test_a_request_of_another_dialect_is_written_as_far_as_cohere_can() -> None:
    request = ChatRequest(
        "anthropic_messages",
        "claude",
        [
            Message("developer", [Text("be brief", cache="5m")], plain=True),
            Message("user", [Text("see"), Media("image", data="aGk=", media_type="image/png"), Media("document", data="aGk=")]),
            Message("assistant", [Thinking("hm", "signed")]),
            Message("user", [ToolResult("c1", [Text("no"), Media("image", data="aGk=")], is_error=True), Text("go on")]),
        ],
        tools=[Tool("f"), Tool("g", kind="custom")],
        tool_choice=ToolChoice("tool", "g"),
        max_tokens=9,
        top_k=3,
        top_p=0.5,
        stop=["x"],
        n=2,
        output=OutputFormat("schema", {"type": "object"}, "name"),
        reasoning=Reasoning(budget_tokens=50, mode="enabled"),
        service_tier="auto",
    )
    out = COHERE.write_request(request, "command-a")
    words = "Give the final answer as one JSON value that matches this JSON schema, and nothing else:"
    assert out.body["messages"] == [
        {"role": "system", "content": "be brief"},
        # Cohere refuses a format together with tools.
        {"role": "system", "content": f'{words}\n{{"type":"object"}}'},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                LEFT_OUT,
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: no"},
        {"role": "user", "content": [{"type": "text", "text": "go on"}]},
    ]
    assert [tool["function"]["name"] for tool in out.body["tools"]] == ["g"]
    assert out.body["tool_choice"] == "REQUIRED"
    assert out.body["thinking"] == {"type": "enabled", "token_budget": 50}
    assert (out.body["p"], out.body["k"], out.body["stop_sequences"], out.body["stream"]) == (0.5, 3, ["x"], False)
    lost = {
        "cache_control", "document.data", "thinking.signature", "tool_result.image", "n", "service_tier", "response_format",
    }  # fmt: skip
    assert set(out.dropped) == lost


SCHEMA = OutputFormat("schema", {"type": "object"}, "name")
ASKING = Message("user", [Text("hi")], plain=True)


def test_a_format_without_tools_is_sent() -> None:
    """And where no tool may be called, the tools are left out instead of the format."""
    plain = COHERE.write_request(ChatRequest("openai_chat", "m", [ASKING], output=SCHEMA), "command-a")
    none = ChatRequest("openai_chat", "m", [ASKING], tools=[Tool("f")], tool_choice=ToolChoice("none"), output=SCHEMA)
    for out in (plain, COHERE.write_request(none, "command-a")):
        assert out.body["response_format"] == {"type": "json_object", "json_schema": {"type": "object"}}
        assert not out.body.keys() & {"tools", "tool_choice"}
        assert out.dropped == []


def test_numbers_out_of_coheres_ranges_are_limited_and_named() -> None:
    request = ChatRequest(
        "openai_chat", "m", [ASKING], top_p=1, top_k=600, frequency_penalty=-0.5, presence_penalty=2, seed=-1, stop=list("abcdef")
    )
    out = COHERE.write_request(request, "command-a")
    assert {name: out.body[name] for name in ("p", "k", "frequency_penalty", "presence_penalty", "seed", "stop_sequences")} == {
        "p": 0.99, "k": 500, "frequency_penalty": 0, "presence_penalty": 1, "seed": 0, "stop_sequences": list("abcde"),
    }  # fmt: skip
    assert set(out.dropped) == {"top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop"}


def test_no_message_is_empty() -> None:
    messages = [
        Message("system", [Text("")], plain=True),
        Message("assistant", [], plain=True),
        Message("assistant", [ToolCall("c1", "f", "{}")]),
        Message("tool", [ToolResult("c1", [Text("")])]),
        Message("user", [Media("document", data="aGk=", media_type="application/pdf")]),
    ]
    out = COHERE.write_request(ChatRequest("openai_chat", "m", messages), "command-a")
    assert [(message["role"], message.get("content")) for message in out.body["messages"]] == [
        ("assistant", None),
        ("tool", "(no output)"),
        ("user", [LEFT_OUT]),
    ]
    assert out.dropped == ["document.application/pdf"]
    alone = COHERE.write_request(ChatRequest("openai_chat", "m", messages[:1]), "command-a")
    assert alone.body["messages"] == [{"role": "user", "content": "."}]


def test_hosted_tools_of_gemini_are_named_where_one_function_is_forced() -> None:
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "tools": [{"functionDeclarations": [{"name": "aa"}, {"name": "bb"}]}, {"googleSearch": {}}, {"codeExecution": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["aa"]}},
    }
    out = COHERE.write_request(dialect("gemini").read_request(body, {"model": "m"}), "command-a-03-2025")
    assert [tool["function"]["name"] for tool in out.body["tools"]] == ["aa"]
    assert out.dropped == ["tools[googleSearch]", "tools[codeExecution]"]


@settings(max_examples=40)
@given(request=requests(Features("openai_chat", documents=False)))
def test_any_request_of_an_openai_client_can_be_written_and_read_back(request: ChatRequest) -> None:
    parsed = OPENAI.read_request(OPENAI.write_request(request, "m").body, {})
    body = orjson.loads(orjson.dumps(COHERE.write_request(parsed, "command-a").body))
    assert again(COHERE, body) == body
    back = COHERE.read_request(body, {})
    calls = [[(p.id, p.name) for m in r.messages for p in m.parts if hasattr(p, "arguments")] for r in (back, parsed)]
    assert calls[0] == calls[1]


def test_a_stream_split_anywhere_makes_the_answer() -> None:
    document = {"title": "T", "url": "u", "snippet": "as said"}
    citation = {"start": 0, "end": 2, "text": "Hé", "sources": [{"type": "document", "document": document}]}
    data = START + content(0, "thinking", "h", "m") + content(1, "text", "Hé", "!") + frame("citation-start", 0, citations=citation)
    answer = answer_of(COHERE, data + end())
    assert (answer.first.thinking, answer.first.text) == ("hm", "Hé!")
    cited = answer.first.parts[1].citations[0]  # type: ignore[union-attr]
    assert (cited.url, cited.title, cited.quote, cited.start, cited.end, cited.raw) == ("u", "T", "as said", 0, 2, citation)
    assert answer.first.finish == Finished("stop", "COMPLETE")
    assert answer.usage == Usage(input=3, output=5, extra=COUNTS)


def test_a_plan_and_parallel_calls_arrive_whole() -> None:
    def call(index: int, *pieces: str) -> bytes:
        made = {"id": f"c{index}", "type": "function", "function": {"name": "f", "arguments": ""}}
        out = frame("tool-call-start", index, tool_calls=made)
        out += b"".join(frame("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}) for piece in pieces)
        return out + frame("tool-call-end", index)

    data = START + frame("tool-plan-delta", tool_plan="I ") + frame("tool-plan-delta", tool_plan="ask.")
    answer = answer_of(COHERE, data + call(0, '{"a"', ":1}") + call(1, "{}") + end("TOOL_CALL"))
    assert answer.first.thinking == "I ask."
    assert [(each.id, each.arguments) for each in answer.first.tool_calls] == [("c0", '{"a":1}'), ("c1", "{}")]
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "tool_calls"


def test_two_blocks_of_one_kind_stay_two() -> None:
    answer = answer_of(COHERE, START + content(0, "text", "a") + content(1, "text", "b") + end())
    assert [part.text for part in answer.first.parts if isinstance(part, Text)] == ["a", "b"]


def test_without_message_end_a_stream_is_broken() -> None:
    for data in (START, START + content(0, "text", "a"), START + content(0, "text", "a") + b"data: [DONE]\n\n"):
        reader = COHERE.reader()
        reader.feed(data)
        assert not reader.done
        with pytest.raises(StreamBroken):
            reader.close()


def test_a_stream_may_do_without_done() -> None:
    assert collect(read(COHERE, START + content(0, "text", "a") + end().removesuffix(b"data: [DONE]\n\n"))).first.text == "a"


@pytest.mark.parametrize(("word", "reason"), [("ERROR", "server"), ("TIMEOUT", "timeout")])
def test_an_answer_that_failed_is_an_error(word: str, reason: str) -> None:
    reader = COHERE.reader()
    reader.feed(START + content(0, "text", "a") + end(word, error="out of luck"))
    with pytest.raises(UpstreamError, match="out of luck") as raised:
        reader.feed(b"")
    assert raised.value.reason == reason
    with pytest.raises(UpstreamError):
        COHERE.read_response({"id": "x", "message": {"role": "assistant"}, "finish_reason": word})


def test_an_error_event_is_raised() -> None:
    with pytest.raises(UpstreamError, match="no") as raised:
        read(COHERE, b'event: error\ndata: {"message": "no"}\n\n')
    assert raised.value.dialect == "cohere"


@pytest.mark.parametrize("junk", [b"data: <html>\n\n", b"data: [1]\n\n", b'data: {"type":"content-delta"}\n\n'])
def test_what_is_no_frame_of_an_answer_is_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedStream):
        read(COHERE, junk)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            400,
            {"message": "too many tokens: size limit exceeded by 25836 tokens.", "error_type": "TOO_MANY_TOKENS"},
            "context_length",
        ),
        (401, {"message": "Incorrect API key provided"}, "auth"),
        (402, {"message": "Please add a payment method"}, "money"),
        (404, {"message": "model 'x' not found"}, "model_not_found"),
        (422, {"message": "invalid request: messages must not be empty"}, "bad_request"),
        (429, {"message": "You are using a Trial key, which is limited to 20 API calls / minute"}, "rate_limit"),
        (498, {"message": "the prompt contains a deny-listed token"}, "content_filter"),
        (500, {"message": "internal server error"}, "server"),
    ],
)
def test_errors_are_classified(status: int, body: dict[str, str], reason: str) -> None:
    error = COHERE.read_error(status, {}, orjson.dumps(body))
    assert (error.reason, error.dialect, error.message) == (reason, "cohere", body["message"])


def test_our_errors_are_a_message() -> None:
    assert COHERE.write_error(BudgetExceeded("spent")) == (402, {"message": "spent"})
    ending = COHERE.writer(client_request(COHERE)).fail(BudgetExceeded("spent"))
    assert b"[DONE]" not in ending
    # https://docs.cohere.com/v2/reference/chat-stream: the one event in which its SDKs show an error.
    event = {"type": "message-end", "delta": {"error": "spent", "finish_reason": "ERROR"}}
    assert orjson.loads(ending.partition(b"data: ")[2]) == event
    with pytest.raises(UpstreamError, match="spent"):
        read(COHERE, ending)


SAYABLE = Features("cohere", thinking=True, citations=True, split_text=True, custom_tools=False)


def plain(answer: Answer) -> tuple[Any, ...]:
    """What Cohere can say of an answer."""
    assert answer.usage is not None
    assert answer.first.finish is not None
    texts = [(part.text, [(c.url, c.title) for c in part.citations]) for part in answer.first.parts if isinstance(part, Text)]
    calls = [(call.id, call.name, orjson.loads(call.arguments or "{}")) for call in answer.first.tool_calls]
    counts = (answer.usage.total_input, answer.usage.total_output)
    return answer.started.id, texts, answer.first.thinking, calls, answer.first.finish.reason, counts


@settings(max_examples=40)
@given(answer=answers(SAYABLE))
def test_what_is_written_is_read_again(answer: Answer) -> None:
    assert plain(answer_of(COHERE, write_stream(COHERE, list(answer.events())))) == plain(answer)
    whole = collect(COHERE.read_response(orjson.loads(orjson.dumps(COHERE.write_response(answer, client_request(COHERE))))))
    # A whole body names no place of a citation but the first text.
    assert plain(whole)[2:] == plain(answer)[2:]
    assert whole.first.text == answer.first.text


def test_interleaved_and_free_text_calls_are_kept_apart() -> None:
    events = [
        Started("x"),
        ToolCallStarted("a", "f"),
        ToolCallStarted("b", "g", "custom"),
        ToolCallDelta("a", "{"),
        ToolCallDelta("b", "SELECT "),
        ToolCallDelta("a", "}"),
        ToolCallDelta("b", "1"),
        Finished("tool_calls"),
    ]
    answer = answer_of(COHERE, write_stream(COHERE, list(events)))
    assert [(call.id, call.arguments) for call in answer.first.tool_calls] == [("a", "{}"), ("b", '{"input":"SELECT 1"}')]


@pytest.fixture(scope="module")
def cassettes(recordings: Path) -> list[Recording]:
    found = recorded(recordings, "v2/chat")
    assert len(found) > 20
    return found


def bodies(cassettes: list[Recording]) -> Iterator[tuple[str, dict[str, Any]]]:
    return (
        (each["cassette"], orjson.loads(each["text"])) for each in cassettes if each["status"] == 200 and each["text"][:1] == "{"
    )


def streams(cassettes: list[Recording]) -> Iterator[tuple[str, bytes]]:
    return ((each["cassette"], each["text"].encode()) for each in cassettes if each["text"].startswith("event:"))


def test_every_recorded_request_comes_out_as_it_went_in(cassettes: list[Recording]) -> None:
    for each in cassettes:
        assert again(COHERE, each["req"]) == each["req"], each["cassette"]


def test_a_recorded_answer_is_written_as_it_came(cassettes: list[Recording]) -> None:
    for name, body in bodies(cassettes):
        answer = collect(COHERE.read_response(copy.deepcopy(body)))
        assert COHERE.write_response(answer, client_request(COHERE)) == body, name
        for part, block in zip(answer.first.parts, body["message"].get("content") or (), strict=False):
            assert part.text == block[block["type"]], name  # type: ignore[union-attr]
        assert answer.first.finish is not None
        assert answer.first.finish.raw == body["finish_reason"], name
        assert answer.usage is not None
        assert answer.usage.output == body["usage"]["billed_units"]["output_tokens"], name


def naive(data: bytes) -> dict[str, Any]:
    """A stream read line by line."""
    expected: dict[str, Any] = {"text": "", "thinking": "", "citations": []}
    for line in data.split(b"\n"):
        if line.startswith(b"data: {"):
            payload = orjson.loads(line[6:])
            message = payload.get("delta", {}).get("message", {})
            if payload["type"] == "content-delta":
                for key, value in message["content"].items():
                    expected[key] += value
            elif payload["type"] == "citation-start":
                expected["citations"].append(message["citations"])
            elif payload["type"] == "message-end":
                expected["usage"] = payload["delta"]["usage"]
    return expected


def test_a_recorded_stream_says_what_a_plain_reading_says(cassettes: list[Recording]) -> None:
    seen = 0
    for name, data in streams(cassettes):
        expected, answer = naive(data), answer_of(COHERE, data)
        assert (answer.first.text, answer.first.thinking) == (expected["text"], expected["thinking"]), name
        found = [citation.raw for part in answer.first.parts if isinstance(part, Text) for citation in part.citations]
        assert found == expected["citations"], name
        assert answer.usage is not None
        assert answer.usage.extra == expected["usage"], name
        assert answer_of(COHERE, write_stream(COHERE, read(COHERE, data))) == answer, name
        seen += 1
    assert seen >= 3


def test_recorded_errors_are_classified(cassettes: list[Recording]) -> None:
    reasons = {each["status"]: COHERE.read_error(each["status"], {}, each["text"].encode()).reason for each in cassettes}
    assert (reasons[400], reasons[401]) == ("context_length", "auth")


def test_recorded_answers_reach_other_dialects(cassettes: list[Recording]) -> None:
    for name, body in bodies(cassettes):
        answer = collect(COHERE.read_response(body))
        for other in (OPENAI, ANTHROPIC):
            crossed = collect(other.read_response(orjson.loads(orjson.dumps(other.write_response(answer, client_request(other))))))
            assert crossed.first.text == answer.first.text, name
            assert [call.id for call in crossed.first.tool_calls] == [call.id for call in answer.first.tool_calls], name


def test_the_vendors_own_types_take_what_is_written(cassettes: list[Recording]) -> None:
    response = pytest.importorskip("cohere", reason="Cohere's SDK is not installed").V2ChatResponse
    for name, data in streams(cassettes):
        written = write_stream(COHERE, read(COHERE, data))
        kinds = [each.event for each in sse.SseSplitter().feed(written) if each.event]
        assert kinds[0] == "message-start", name
        assert kinds[-1] == "message-end", name
    for _, body in bodies(cassettes):
        answer = collect(COHERE.read_response(body))
        response.model_validate(COHERE.write_response(answer, client_request(COHERE)))


def test_a_cut_answer_says_so() -> None:
    answer = answer_of(COHERE, write_stream(COHERE, [Started(), TextDelta("a"), Finished("length")]))
    assert answer.first.finish == Finished("length", "MAX_TOKENS")


def test_a_source_of_another_dialect_is_cited_with_the_text_it_covers() -> None:
    cited = Text("grün ist gut", citations=[Citation("https://a.example", "A", "as said", 0, 4, "gemini")])
    answer = Answer(Started("x", "m", dialect="gemini"), [Choice([cited], Finished("stop"))])
    body = COHERE.write_response(answer, ChatRequest("cohere", "m"))
    (whole,) = body["message"]["citations"]
    document = {"title": "A", "url": "https://a.example", "snippet": "as said"}
    source = {"type": "document", "id": "https://a.example", "document": document}
    assert whole == {"start": 0, "end": 4, "text": "grün", "sources": [source]}
    writer = COHERE.writer(ChatRequest("cohere", "m", stream=True))
    frames = b"".join([writer.write(event) for event in answer.events()])
    assert orjson.dumps(whole) in frames


def test_a_call_without_arguments_has_an_empty_object_as_coheres_own_have() -> None:
    answer = collect([Started("a"), ToolCallStarted("c", "f"), Finished("tool_calls")])
    body = COHERE.write_response(answer, client_request(COHERE))
    assert body["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert answer_of(COHERE, write_stream(COHERE, answer.events())).first.tool_calls == [ToolCall("c", "f", "{}")]
