"""Streams and answers of the Responses API, read."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Citation, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Finished, TextDelta, Usage
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.wire.responses_frames import (
    CREATED,
    REQUEST,
    RESPONSES,
    USAGE,
    added,
    answer_of,
    completed,
    delta,
    done,
    event,
    read,
    response,
)

URL = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}


def part(text: str, annotations: list[Any] | None = None) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations or [], "logprobs": []}


def test_text_comes_in_deltas_and_the_usage_with_the_end() -> None:
    answer = answer_of(
        event("in_progress", response=response()),
        added(0, "message", role="assistant", content=[]),
        event("content_part.added", output_index=0, item_id="i0", content_index=0, part=part("")),
        delta("output_text", "Hel"),
        delta("output_text", "lo ☃"),
        event("output_text.done", output_index=0, item_id="i0", content_index=0, text="Hello ☃"),
        event("content_part.done", output_index=0, item_id="i0", content_index=0, part=part("Hello ☃")),
        done(0, "message", role="assistant", content=[part("Hello ☃")]),
    )
    assert (answer.started.id, answer.started.model, answer.started.created) == ("resp_1", "gpt-x", 7)
    assert answer.first.parts == [Text("Hello ☃")]
    assert answer.first.finish == Finished("stop", "completed")
    assert answer.usage == Usage(input=5, cache_read=4, output=5, reasoning=2)


def test_items_and_parts_are_blocks_of_their_own() -> None:
    answer = answer_of(
        added(0, "message"), delta("output_text", "a"), delta("output_text", "b", at=1), done(0, "message"),
        added(1, "message"), delta("output_text", "c", 1), done(1, "message"),
    )  # fmt: skip
    assert answer.first.parts == [Text("a"), Text("b"), Text("c")]


def test_interleaved_calls_stay_apart() -> None:
    family = "function_call_arguments"
    answer = answer_of(
        added(0, "function_call", call_id="c0", name="f", arguments=""),
        added(1, "function_call", call_id="c1", name="f", arguments="", namespace="crm"),
        delta(family, '{"a"', 0),
        delta(family, "{}", 1),
        delta(family, ":1}", 0),
        event(f"{family}.done", output_index=0, item_id="i0", arguments='{"a":1}'),
        done(0, "function_call", call_id="c0", name="f", arguments='{"a":1}'),
        done(1, "function_call", call_id="c1", name="f", arguments="{}"),
        added(2, "custom_tool_call", call_id="c2", name="patch", input=""),
        delta("custom_tool_call_input", "*** Begin", 2),
        event("custom_tool_call_input.done", output_index=2, item_id="i2", input="*** Begin"),
    )
    assert answer.first.parts == [
        ToolCall("c0", "f", '{"a":1}'),
        ToolCall("c1", "f", "{}", extra={"namespace": "crm"}),
        ToolCall("c2", "patch", "*** Begin", "custom"),
    ]
    assert answer.first.finish == Finished("tool_calls", "completed")


@pytest.mark.parametrize("late", ["done event", "item", "response"])
def test_content_without_deltas_is_not_lost(late: str) -> None:
    """xAI sends arguments without pieces; others leave out more."""
    call = {"call_id": "c0", "name": "f", "arguments": '{"a":1}'}
    message = {"role": "assistant", "content": [part("hi", [URL])]}
    if late == "done event":
        answer = answer_of(
            added(0, "function_call", call_id="c0", name="f", arguments=""),
            event("function_call_arguments.done", output_index=0, item_id="i0", arguments='{"a":1}'),
            added(1, "message"),
            event("output_text.done", output_index=1, item_id="i1", content_index=0, text="hi"),
            event("content_part.done", output_index=1, item_id="i1", content_index=0, part=part("hi", [URL])),
        )
    elif late == "item":
        answer = answer_of(added(0, "function_call", **call), done(0, "function_call", **call), done(1, "message", **message))
    else:
        output = [{"type": "function_call", **call}, {"type": "message", **message}]
        end = response("completed", usage=USAGE) | {"output": output}
        answer = collect(read(CREATED + event("completed", response=end)))
    assert answer.first.tool_calls == [ToolCall("c0", "f", '{"a":1}')]
    assert [(text.text, [citation.url for citation in text.citations]) for text in answer.first.parts[1:]] == [
        ("hi", ["https://a.example"])
    ]  # type: ignore[union-attr]


def test_citations_belong_to_their_text_part() -> None:
    answer = answer_of(
        added(0, "message"),
        delta("output_text", "ab"),
        event("output_text.annotation.added", output_index=0, item_id="i0", content_index=0, annotation_index=0, annotation=URL),
        event("content_part.done", output_index=0, item_id="i0", content_index=0, part=part("ab", [URL])),
        done(0, "message", content=[part("ab", [URL])]),
    )
    cited = Citation("https://a.example", "A", start=0, end=2, dialect="openai_responses", raw=URL)
    assert answer.first.parts == [Text("ab", citations=[cited])]


def test_a_refusal_is_read() -> None:
    answer = answer_of(added(0, "message"), delta("refusal", "I "), delta("refusal", "can't"), done(0, "message", content=[]))
    assert answer.first.parts == [Refusal("I can't")]
    assert answer.first.finish == Finished("refusal", "completed")


def test_summaries_are_thinking_and_encrypted_content_is_marked() -> None:
    family = "reasoning_summary_text"
    answer = answer_of(
        added(0, "reasoning", summary=[]),
        event(
            "reasoning_summary_part.added", output_index=0, item_id="i0", summary_index=0, part={"type": "summary_text", "text": ""}
        ),
        delta(family, "a"),
        delta(family, "b"),
        event(f"{family}.done", output_index=0, item_id="i0", summary_index=0, text="ab"),
        delta(family, "c", at=1),
        done(0, "reasoning", summary=[], encrypted_content="gAAA"),
        added(1, "reasoning", summary=[]),
        done(1, "reasoning", summary=[{"type": "summary_text", "text": "late"}]),
        added(2, "reasoning", summary=[]),
        done(2, "reasoning", summary=[], encrypted_content=mark(MarkedContent("anthropic_messages", "x", "hidden"))),
        added(3, "reasoning", summary=[]),
        done(3, "reasoning", summary=[]),
    )
    assert answer.first.parts == [
        Thinking("ab\n\nc", mark(MarkedContent("openai_responses", "gAAA", id="i0"))),
        Thinking("late"),
        RedactedThinking("x"),
    ]


def test_thinking_that_comes_raw_and_as_a_summary_is_read_once() -> None:
    answer = answer_of(
        added(0, "reasoning"),
        delta("reasoning_text", "raw"),
        delta("reasoning_summary_text", "short"),
        done(0, "reasoning", summary=[]),
    )
    assert answer.first.parts == [Thinking("raw")]


def test_hosted_tools_are_opaque_blocks() -> None:
    search = {"id": "i0", "type": "web_search_call", "status": "completed", "action": {"query": "x"}}
    answer = answer_of(
        added(0, "web_search_call", status="in_progress"),
        event("web_search_call.searching", output_index=0, item_id="i0"),
        event("output_item.done", output_index=0, item=search),
        event("an_event_of_next_year", x=1),
    )
    assert answer.first.parts == [Opaque("openai_responses", "web_search_call", search)]


@pytest.mark.parametrize(
    ("why", "reason"),
    # A reason without a neutral one is no success: the answer was cut short.
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("steered", "length"), ("of_next_year", "length")],
)
def test_an_incomplete_response_has_its_reason(why: str, reason: str) -> None:
    end = event("incomplete", response=response("incomplete", incomplete_details={"reason": why}, usage=USAGE))
    answer = collect(read(CREATED + added(0, "message") + delta("output_text", "a") + end))
    assert answer.first.finish == Finished(reason, why)  # type: ignore[arg-type]
    assert answer.usage is not None
    again = RESPONSES.write_response(answer, REQUEST)
    assert again["status"] == "incomplete"
    assert again["incomplete_details"]["reason"] == (why if why != "of_next_year" else "max_output_tokens")
    incomplete = event("incomplete", response=response("incomplete"), incomplete_details={"reason": why})
    assert collect(read(CREATED + incomplete)).first.finish == Finished(reason, why)  # type: ignore[arg-type]


def failed(response_fields: dict[str, Any], **fields: Any) -> bytes:
    return event("failed", response=response("failed", **response_fields), **fields)


@pytest.mark.parametrize(
    ("data", "reason", "text"),
    [
        (failed({"error": None}, error={"code": "rate_limit_exceeded", "message": "slow down"}), "rate_limit", "slow down"),
        (failed({}, code="context_length_exceeded", message="too long"), "context_length", "too long"),
        (failed({}, error="out of memory"), "server", "out of memory"),
        (failed({"status_details": {"reason": "content_filter"}}), "content_filter", "content_filter"),
        (failed({"incomplete_details": {"reason": "content_filter"}}), "content_filter", "content_filter"),
        (event("failed", error={"code": "server_error", "message": "no response at all"}), "server", "no response at all"),
        (failed({}), "server", "without a message"),
        (
            b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"slow","sequence_number":3}\n\n',
            "rate_limit",
            "slow",
        ),
    ],
)
def test_the_reason_of_a_failure_is_read_wherever_it_stands(data: bytes, reason: str, text: str) -> None:
    with pytest.raises(UpstreamError, match=text) as raised:
        read(data)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("frame", "reason", "text"),
    [
        (event("failed", response=response("failed", error={"code": "server_error", "message": "oops"})), "server", "oops"),
        (
            event("failed", response=response("failed", error={"code": "rate_limit_exceeded", "message": "slow"})),
            "rate_limit",
            "slow",
        ),
        (event("failed", response=response("failed", error={"code": "invalid_prompt", "message": "no"})), "bad_request", "no"),
        (event("failed", response=response("failed", error=None)), "server", "without a message"),
        (b'event: error\ndata: {"type":"error","code":"server_error","message":"oops","param":null}\n\n', "server", "oops"),
        (
            b'data: {"type":"error","error":{"type":"insufficient_quota","code":"insufficient_quota","message":"pay"}}\n\n',
            "money",
            "pay",
        ),
        (b'data: {"error":{"message":"bare"}}\n\n', "server", "bare"),
    ],
)
def test_events_before_a_failure_are_returned_first(frame: bytes, reason: str, text: str) -> None:
    reader = RESPONSES.reader()
    assert TextDelta("a") in reader.feed(CREATED + added(0, "message") + delta("output_text", "a") + frame)
    with pytest.raises(UpstreamError, match=text) as raised:
        reader.feed(b"")
    assert (raised.value.reason, raised.value.dialect) == (reason, "openai_responses")
    with pytest.raises(UpstreamError):
        reader.close()
    assert not reader.done


def test_a_stream_without_its_terminal_event_is_broken() -> None:
    whole = CREATED + added(0, "message") + delta("output_text", "a") + completed()
    read(whole.rstrip())  # only the last blank line is missing
    for cut in range(len(CREATED), len(whole) - 3, 37):
        with pytest.raises(StreamBroken):
            read(whole[:cut])


@pytest.mark.parametrize(
    "data",
    [b"data: {oops\n\n", b"data: [1]\n\n", b'data: {"type":"response.created"}\n\n', b"<html>no</html>",
     b'data: {"type":"response.function_call_arguments.delta","output_index":4,"delta":"x"}\n\n',
     added(0, "message") + delta("function_call_arguments", "x"), b'data: {"type":"response.output_text.delta","delta":1}\n\n',
     added(0, "function_call", call_id="c"), event("output_item.done", output_index=0, item={})],
)  # fmt: skip
def test_unreadable_frames_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedStream):
        read(data)


def test_a_body_in_place_of_a_stream_is_read_as_its_error() -> None:
    with pytest.raises(UpstreamError, match="no such model"):
        read(b'{"error": {"message": "no such model", "code": "model_not_found"}}')


def test_events_after_the_end_are_ignored() -> None:
    reader = RESPONSES.reader()
    reader.feed(CREATED + completed() + b"data: [DONE]\n\n")
    assert reader.done
    assert reader.feed(delta("output_text", "late")) == []
    assert reader.close() == []


def test_a_response_in_the_background_has_not_ended() -> None:
    answer = collect(RESPONSES.read_response(response("queued", background=True)))
    assert answer.first.finish == Finished("other", "queued")
    assert answer.started.extra == {"background": True}


@pytest.mark.parametrize("body", [{}, {"output": "x"}, {"output": [1]}, {"output": [{"type": "function_call"}]}])
def test_a_body_that_is_not_a_response_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedStream):
        RESPONSES.read_response(body)


def test_a_failed_response_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="oops"):
        RESPONSES.read_response(response("failed", error={"code": "server_error", "message": "oops"}))
    with pytest.raises(UpstreamError, match="bad key"):
        RESPONSES.read_response({"error": {"message": "bad key"}})
