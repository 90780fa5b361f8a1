"""Streams of OpenAI-compatible vendors and their oddities, each by hand."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Citation, Opaque, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Finished, Started, TextDelta
from tests.wire.chat_frames import CHAT, DONE, answer_of, call, chunk, read


def calls(*frames: bytes) -> list[ToolCall]:
    return answer_of(*frames).first.tool_calls


def pairs(*frames: bytes) -> list[tuple[str, str]]:
    return [(each.name, each.arguments) for each in calls(*frames)]


def test_text_comes_in_order() -> None:
    answer = answer_of(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")
    )
    assert answer.first.parts == [Text("Hello")]
    assert answer.first.finish == Finished("stop", "stop")


def test_a_tool_call_split_over_frames_is_one_call() -> None:
    found = calls(
        call(index=0, id="call_1", type="function", function={"name": "weather", "arguments": ""}),
        call(index=0, function={"arguments": '{"ci'}),
        call(index=0, function={"arguments": 'ty":"Bern"}'}),
    )
    assert found == [ToolCall("call_1", "weather", '{"city":"Bern"}')]


def test_parallel_calls_with_interleaved_deltas_stay_apart() -> None:
    found = pairs(
        call(index=0, id="a", function={"name": "one", "arguments": ""}),
        call(index=1, id="b", function={"name": "two", "arguments": ""}),
        call(index=0, function={"arguments": "{}"}),
        call(index=1, function={"arguments": "[]"}),
    )
    assert found == [("one", "{}"), ("two", "[]")]


@pytest.mark.parametrize("later", [{}, {"id": "a"}, {"id": ""}, {"id": None}, {"id": "a", "type": "function"}])
def test_later_deltas_may_omit_blank_or_repeat_the_id(later: dict[str, Any]) -> None:
    for index in ({"index": 0}, {}):
        found = calls(
            call(**index, id="a", function={"name": "f", "arguments": '{"x":'}),
            call(**index, **later, function={"arguments": "1}"}),
        )
        assert found == [ToolCall("a", "f", '{"x":1}')]


def test_two_complete_calls_under_one_index_are_two() -> None:
    found = calls(
        call(index=0, id="a", function={"name": "f", "arguments": "{}"}),
        call(index=0, id="b", function={"name": "f", "arguments": "{}"}),
        call(index=0, function={"arguments": " "}),
    )
    assert found == [ToolCall("a", "f", "{}"), ToolCall("b", "f", "{} ")]


@pytest.mark.parametrize("numbered", [{}, {"index": 0}])
def test_complete_calls_without_ids_get_different_ids(numbered: dict[str, int]) -> None:
    same = {"name": "f", "arguments": '{"x":1}'}
    found = calls(
        call(**numbered, id="", function=same), call(**numbered, id=None, function=same), call(**numbered, function={"name": "g"})
    )
    assert [each.id for each in found] == ["call_0_abc12345", "call_1_abc12345", "call_2_abc12345"]
    assert [(each.name, each.arguments) for each in found] == [("f", '{"x":1}'), ("f", '{"x":1}'), ("g", "")]


def test_a_name_repeated_on_each_delta_is_one_call() -> None:
    found = calls(
        call(index=0, id="a", function={"name": "f", "arguments": '{"x"'}),
        call(index=0, id="a", function={"name": "f", "arguments": ":1}"}),
    )
    assert found == [ToolCall("a", "f", '{"x":1}')]


def test_the_same_id_at_two_indexes_is_two_calls() -> None:
    found = calls(
        call(index=0, id="0", function={"name": "f", "arguments": "{}"}),
        call(index=1, id="0", function={"name": "g", "arguments": "{}"}),
    )
    assert [(each.id, each.name) for each in found] == [("0", "f"), ("call_0_abc12345", "g")]


def test_several_calls_in_one_delta_and_arguments_as_an_object() -> None:
    both = [
        {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
        {"id": "b", "function": {"name": "g", "arguments": None}},
    ]
    assert calls(chunk({"tool_calls": both})) == [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "")]


def test_a_name_that_comes_late_still_begins_the_call() -> None:
    assert pairs(
        call(index=0, id="a", function={"arguments": "{"}),
        call(index=0, function={"name": "f"}),
        call(index=0, function={"arguments": "}"}),
    ) == [("f", "{}")]


def test_arguments_of_no_call_are_malformed() -> None:
    with pytest.raises(MalformedStream, match="never began"):
        read(call(function={"arguments": "{}"}) + DONE)


def test_a_custom_tools_call_is_free_text() -> None:
    found = calls(
        call(index=0, id="a", type="custom", custom={"name": "sh", "input": "l"}),
        call(index=0, type="custom", custom={"input": "s"}),
    )
    assert found == [ToolCall("a", "sh", "ls", "custom")]


def test_an_empty_custom_next_to_a_function_is_ignored() -> None:
    snowflake = {"id": "a", "type": "function", "custom": {"input": "", "name": ""}, "function": {"name": "f", "arguments": "{}"}}
    assert calls(call(**snowflake)) == [ToolCall("a", "f", "{}")]


def test_a_legacy_function_call_is_a_call() -> None:
    answer = answer_of(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk({}, "function_call"),
    )
    assert [(each.name, each.arguments) for each in answer.first.tool_calls] == [("f", "{}")]
    assert answer.first.finish == Finished("tool_calls", "function_call")


def test_a_thought_signature_on_a_call_is_kept() -> None:
    signed = {"google": {"thought_signature": "c2ln"}}
    (found,) = calls(call(index=0, id="a", function={"name": "f", "arguments": "{}"}, extra_content=signed))
    assert (found.signature, found.extra) == ("c2ln", {})


def test_the_reason_stop_with_a_tool_call_means_tool_calls() -> None:
    answer = answer_of(call(index=0, id="a", function={"name": "f", "arguments": "{}"}), chunk({}, "stop"))
    assert answer.first.finish == Finished("tool_calls", "stop")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_is_read_from_either_field(field: str) -> None:
    answer = answer_of(
        chunk({field: "Let me "}), chunk({field: "see.", "content": None}), chunk({"content": "4"}), chunk({}, "stop")
    )
    assert answer.first.parts == [Thinking("Let me see."), Text("4")]


def test_openrouters_details_are_not_read_twice_and_keep_the_signature() -> None:
    detail = {"type": "reasoning.text", "text": "Hm.", "format": "anthropic-claude-v1", "index": 0}
    signed = {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
    hidden = {"type": "reasoning.encrypted", "data": "xyz", "format": "anthropic-claude-v1", "index": 1}
    foreign = {"type": "reasoning.encrypted", "data": "abc", "format": "openai-responses-v1", "id": "rs_1", "index": 2}
    answer = answer_of(
        chunk({"reasoning": "Hm.", "reasoning_details": [detail]}),
        chunk({"reasoning": None, "reasoning_details": [signed, hidden, foreign]}),
        chunk({"content": "4"}, "stop"),
    )
    assert answer.first.parts == [
        Thinking("Hm.", "sig"),
        RedactedThinking("xyz"),
        Opaque("openai_chat", "reasoning_details", foreign),
        Text("4"),
    ]


def test_mistrals_content_lists_hold_thinking_and_text() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}], "closed": True}
    reference = {"type": "reference", "reference_ids": [1]}
    answer = answer_of(chunk({"content": [thought, {"type": "text", "text": "4"}, reference]}), chunk({"content": "."}, "stop"))
    assert answer.first.parts == [Thinking("2+2"), Text("4"), Opaque("openai_chat", "content", reference), Text(".")]


def test_choices_are_kept_apart() -> None:
    answer = answer_of(
        chunk({"content": "a"}),
        chunk({"content": "b"}, index=1),
        chunk({"content": "c"}),
        chunk({}, "stop"),
        chunk({}, "length", index=1),
    )
    assert [choice.text for choice in answer.choices] == ["ac", "b"]
    assert [choice.finish and choice.finish.reason for choice in answer.choices] == ["stop", "length"]


def test_citations_before_the_text_belong_to_the_text() -> None:
    annotation = {
        "type": "url_citation",
        "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2},
    }
    answer = answer_of(
        chunk({"content": "", "annotations": [annotation]}), chunk({"reasoning": "Hm"}), chunk({"content": "ok"}, "stop")
    )
    source = Citation("https://a.example", "A", None, 0, 2, "openai_chat", annotation)
    assert answer.first.parts == [Thinking("Hm"), Text("ok", citations=[source])]


def test_fields_without_a_neutral_event_are_in_the_finish() -> None:
    answer = answer_of(
        chunk({"content": "a", "audio": {"id": "x", "data": "QQ=="}, "images": [1]}, native_finish_reason=None),
        chunk({"audio": {"data": "Qg==", "transcript": "hi"}, "images": [2]}),
        chunk({}, "stop", citations=["https://a.example"]),
    )
    assert answer.first.finish is not None
    message = {"audio": {"id": "x", "data": "QQ==Qg==", "transcript": "hi"}, "images": [1, 2]}
    assert answer.first.finish.extra == {"message": message, "response": {"citations": ["https://a.example"]}}


def test_log_probabilities_are_joined() -> None:
    def probable(token: str) -> dict[str, Any]:
        return {"index": 0, "delta": {"content": token}, "logprobs": {"content": [{"token": token}], "refusal": None}}

    answer = answer_of(chunk(None, choices=[probable("a")]), chunk(None, choices=[probable("b")]), chunk({}, "stop"))
    assert answer.first.finish is not None
    assert answer.first.finish.extra == {"logprobs": {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}}


def test_azures_first_chunk_without_id_is_joined_with_the_next() -> None:
    first = chunk(None, id="", model="", created=0, prompt_filter_results=[{"prompt_index": 0}])
    events = read(first + chunk({"content": "a"}, system_fingerprint="fp") + chunk({}, "stop") + DONE)
    extra = {"prompt_filter_results": [{"prompt_index": 0}], "system_fingerprint": "fp"}
    assert events[0] == Started("chatcmpl-abc12345", "gpt-x", 7, extra, "openai_chat")


@pytest.mark.parametrize("usage", [{"choices": []}, {}])
def test_usage_is_read_with_the_last_choice_and_alone(usage: dict[str, Any]) -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    answer = answer_of(chunk({"content": "a"}, usage=None), chunk({}, "stop", **usage, usage=counts), chunk({}, "stop"))
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (3, 2)


def test_groqs_usage_is_read_from_x_groq() -> None:
    answer = answer_of(
        chunk({"content": "a"}), chunk({}, "stop", x_groq={"id": "r", "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    )
    assert answer.usage is not None
    assert answer.usage.total_input == 3


def test_a_stream_with_a_finish_and_without_done_is_whole_where_the_body_ends_cleanly() -> None:
    data = chunk({"content": "a"}) + chunk({}, "stop")
    assert collect(read(data)).first.finish == Finished("stop", "stop")
    for rest in (b"", b": ping", b"\n"):
        reader = CHAT.reader()
        reader.feed(data + rest)
        assert reader.close(clean=True) == [Finished("stop", "stop")]
        assert reader.missing_end == b"data: [DONE]\n\n"


def test_a_connection_that_is_cut_after_the_finish_is_broken() -> None:
    reader = CHAT.reader()
    reader.feed(chunk({"content": "a"}) + chunk({}, "stop"))
    with pytest.raises(StreamBroken):
        reader.close(clean=False)


@pytest.mark.parametrize("rest", [b"da", b"data: {", b"event: x", chunk({}, "stop", 0)[:-9]])
def test_a_frame_that_is_cut_off_after_the_finish_is_broken(rest: bytes) -> None:
    reader = CHAT.reader()
    reader.feed(chunk({"content": "a"}) + chunk({}, "stop") + rest)
    with pytest.raises(StreamBroken):
        reader.close(clean=True)


def test_every_choice_needs_its_finish_reason_where_done_does_not_come() -> None:
    reader = CHAT.reader()
    reader.feed(chunk({"content": "a"}) + chunk({"content": "b"}, index=1) + chunk({}, "stop"))
    with pytest.raises(StreamBroken):
        reader.close(clean=True)


def test_perplexitys_last_chunk_is_the_end_whatever_the_connection_does() -> None:
    last = chunk({"content": ""}, "stop", object="chat.completion.done", usage={"prompt_tokens": 3, "completion_tokens": 2})
    reader = CHAT.reader()
    events = reader.feed(chunk({"content": "one two"}) + last)
    answer = collect(events + reader.close(clean=False))
    assert (answer.first.text, answer.first.finish) == ("one two", Finished("stop", "stop"))
    assert reader.missing_end == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    "data", [b"", chunk({"content": "a"}), chunk({"content": "a"}) + chunk({}, "stop", 1), chunk({}, "stop")[:-9]]
)
def test_a_stream_that_just_ends_is_broken(data: bytes) -> None:
    with pytest.raises(StreamBroken):
        read(data)


def test_done_without_a_finish_is_the_end() -> None:
    reader = CHAT.reader()
    events = reader.feed(chunk({"content": "a"}) + b"data: [DONE]\r\n\r\n" + chunk({"content": "b"}))
    assert reader.done
    assert events[1:] == [TextDelta("a"), Finished("stop")]
    assert reader.feed(b"anything") == reader.close() == []


def test_done_without_an_answer_is_malformed() -> None:
    with pytest.raises(MalformedStream):
        read(b": hello\n\n" + DONE)


@pytest.mark.parametrize(
    ("data", "reason", "kind"),
    [
        (
            b'data: {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}\n\n',
            "rate_limit",
            "rate_limit_exceeded",
        ),
        (b'event: error\ndata: {"message": "overloaded", "status_code": 503}\n\n', "overloaded", None),
        (b"event: error\ndata: upstream died\n\n", "server", None),
        (b'data: {"error": "model is overloaded"}\n\n', "overloaded", None),
        (b'data: {"object": "error", "message": "too long: maximum context length is 5", "code": 400}\n\n', "context_length", None),
        (chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"}), "server", None),
        (chunk(None, choices=[{"index": 0, "delta": {}, "error": {"code": 429, "message": "slow down"}}]), "rate_limit", None),
        (chunk({}, "error"), "server", None),
    ],
)
def test_an_error_in_the_stream_is_raised_and_classified(data: bytes, reason: str, kind: str | None) -> None:
    with pytest.raises(UpstreamError) as raised:
        read(data)
    assert (raised.value.reason, raised.value.kind, raised.value.dialect) == (reason, kind, "openai_chat")


def test_events_before_an_error_in_the_same_bytes_are_not_lost() -> None:
    reader = CHAT.reader()
    events = reader.feed(chunk({"content": "a"}) + b'data: {"error": {"message": "no"}}\n\n' + DONE)
    assert events[-1] == TextDelta("a")
    for _ in range(2):
        with pytest.raises(UpstreamError, match="no"):
            reader.feed(b"")
    with pytest.raises(UpstreamError, match="no"):
        reader.close()


@pytest.mark.parametrize(
    "data",
    [b"data: {nonsense\n\n", b"data: []\n\n", chunk(None, choices={"index": 0}), chunk(None, choices=[1]), chunk({}, index=-1)],
)
def test_garbage_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedStream):
        read(data)


def test_a_page_where_a_stream_was_expected_is_never_quoted() -> None:
    with pytest.raises(MalformedStream) as raised:
        read(b"\n\n <!doctype html>\n\n<html>secret</html>", 5)
    assert "secret" not in str(raised.value)


def test_a_body_where_a_stream_was_expected_is_an_error() -> None:
    with pytest.raises(UpstreamError) as raised:
        read(b'{\n\n"error": {"message": "Invalid key", "code": "invalid_api_key"}}', 3)
    assert raised.value.reason == "auth"
    with pytest.raises(MalformedStream):
        read(orjson.dumps({"object": "chat.completion", "choices": [{"message": {"content": "a"}}]}))


@pytest.mark.parametrize(
    "error",
    [
        b'{"detail":"Internal error"}',
        b'{"code":"InternalError","message":"Internal error","request_id":"r"}',
        b'{"success":false,"errors":[{"message":"Internal error","code":5}]}',
    ],
)
def test_an_error_in_any_shared_form_is_no_end_of_an_answer(error: bytes) -> None:
    reader = CHAT.reader()
    reader.feed(chunk({"content": "a"}))
    with pytest.raises(UpstreamError, match="Internal error"):
        reader.feed(b"data: " + error + b"\n\n" + DONE)
