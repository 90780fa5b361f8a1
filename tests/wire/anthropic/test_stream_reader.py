"""Streams of Anthropic's Messages API, read: one quirk a test."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Citation, Opaque
from conduit_desktop.core.errors import MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import (
    Cited,
    Finished,
    OpaqueBlock,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from tests.wire.messages_frames import MESSAGES, block, frame, read, start, stop, text

NAME = "anthropic_messages"
TOOL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


def content(*blocks: bytes) -> list[Any]:
    """The events between the start and the end."""
    events = read(start(input_tokens=3, output_tokens=1) + b"".join(blocks) + stop())
    return events[2:-2]


def json_delta(part: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": part}


def test_a_plain_answer_comes_in_order() -> None:
    assert read(start(input_tokens=3, output_tokens=1) + text(0, "Hel", "lo") + stop(usage={"output_tokens": 7})) == [
        Started("msg_1", "claude-x", dialect=NAME),
        UsageReported(Usage(input=3, output=1)),
        TextDelta("Hel"),
        TextDelta("lo"),
        Finished("stop", "end_turn"),
        UsageReported(Usage(input=3, output=7)),
    ]


def test_a_tool_call_split_over_frames_is_one_call() -> None:
    events = content(block(0, TOOL, json_delta(""), json_delta('{"a"'), json_delta(": 1}")))
    assert events == [ToolCallStarted("t1", "f"), ToolCallDelta("t1", '{"a"'), ToolCallDelta("t1", ": 1}")]


@pytest.mark.parametrize(("given", "arguments"), [({}, "{}"), ({"a": 1}, '{"a":1}')])
def test_input_in_the_block_start_is_not_lost(given: dict[str, Any], arguments: str) -> None:
    events = content(block(0, {**TOOL, "input": given, "caller": {"type": "direct"}}))
    assert events == [ToolCallStarted("t1", "f", extra={"caller": {"type": "direct"}}), ToolCallDelta("t1", arguments)]


def test_input_deltas_replace_the_input_in_the_block_start() -> None:
    events = content(block(0, {**TOOL, "input": {"a": 1}}, json_delta('{"a":2}')))
    assert events[1:] == [ToolCallDelta("t1", '{"a":2}')]


def test_blocks_of_one_kind_stay_apart() -> None:
    thought = [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "c2ln"}]
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    assert content(block(0, thinking, *thought), block(1, thinking, *thought), text(2, "a"), text(3, "b")) == [
        ThinkingDelta("hm"),
        ThinkingSigned("c2ln"),
        ThinkingStarted(),
        ThinkingDelta("hm"),
        ThinkingSigned("c2ln"),
        TextDelta("a"),
        TextStarted(),
        TextDelta("b"),
    ]


def test_a_tool_call_between_two_texts_needs_no_text_start() -> None:
    assert TextStarted() not in content(text(0, "a"), block(1, TOOL), text(2, "b"))


def test_empty_blocks_are_kept() -> None:
    answer = collect(content(text(0), block(1, {"type": "thinking", "thinking": ""}), text(2, "a"), text(3)))
    assert [type(part).__name__ for part in answer.first.parts] == ["Text", "Thinking", "Text", "Text"]


def test_text_in_the_block_start_is_not_lost() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert content(block(0, thinking), block(1, {"type": "text", "text": "a"}, {"type": "text_delta", "text": "b"})) == [
        ThinkingDelta("hm"),
        ThinkingSigned("c2ln"),
        TextDelta("a"),
        TextDelta("b"),
    ]


def test_redacted_thinking_is_one_event() -> None:
    assert content(block(0, {"type": "redacted_thinking", "data": "eA=="})) == [ThinkingRedacted("eA==")]


def test_citations_keep_their_original_fields() -> None:
    raw = {"type": "web_search_result_location", "url": "https://x", "title": "X", "cited_text": "q", "encrypted_index": "e"}
    events = content(block(0, {"type": "text", "text": "", "citations": []}, {"type": "citations_delta", "citation": raw}))
    assert events == [Cited(Citation("https://x", "X", "q", dialect=NAME, raw=raw))]


def test_a_server_tool_is_one_block_with_its_complete_input() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]}
    assert content(block(0, use, json_delta('{"query"'), json_delta(':"x"}')), block(1, result)) == [
        OpaqueBlock(Opaque(NAME, "server_tool_use", {**use, "input": {"query": "x"}})),
        OpaqueBlock(Opaque(NAME, "web_search_tool_result", result)),
    ]


def test_a_server_tools_input_cut_by_the_limit_does_not_break_the_stream() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    assert content(block(0, use, json_delta('{"que'))) == [OpaqueBlock(Opaque(NAME, "server_tool_use", use))]


def test_blocks_of_unknown_kinds_grow_by_their_deltas() -> None:
    deltas = [{"type": "compaction_delta", "content": "so"}, {"type": "compaction_delta", "content": " far", "encrypted": "e"}]
    [event] = content(block(0, {"type": "compaction", "content": None}, *deltas))
    assert event.block.value == {"type": "compaction", "content": "so far", "encrypted": "e"}


def test_usage_adds_up_over_the_stream() -> None:
    first = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 1,
        "service_tier": "standard",
    }
    last = {
        "input_tokens": 0,
        "cache_creation_input_tokens": 33,
        "cache_read_input_tokens": None,
        "output_tokens": 90,
        "output_tokens_details": {"thinking_tokens": 40},
        "server_tool_use": {"web_search_requests": 2},
    }
    reports = [e.usage for e in read(start(**first) + stop(usage=last)) if isinstance(e, UsageReported)]
    extra = {"service_tier": "standard"}
    assert reports[0] == Usage(5, 7, 10, 20, 1, service_tier="standard", extra=extra)
    # The total has grown beyond the split: the rest is taken for the dearer lifetime, and is named.
    assert reports[1] == Usage(
        5, 7, 10, 23, 90, 40, searches=2, service_tier="standard", unclear=("cache_creation",),
        extra={**extra, "server_tool_use": {"web_search_requests": 2}},
    )  # fmt: skip


def test_cache_writes_without_the_split_count_as_five_minutes() -> None:
    usage = collect(read(start(cache_creation_input_tokens=9) + stop())).usage
    assert usage is not None
    assert (usage.cache_write_5m, usage.cache_write_1h) == (9, 0)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("from_the_future", "other"),
    ],
)
def test_the_stop_reason_is_read_and_kept_in_its_original_form(raw: str, reason: str) -> None:
    finish = collect(read(start() + stop(raw))).first.finish
    assert finish is not None
    assert (finish.reason, finish.raw) == (reason, raw)


def test_the_stop_sequence_is_read() -> None:
    events = read(start() + stop("stop_sequence", stop_sequence="END", stop_details={"type": "refusal"}))
    assert Finished("stop", "stop_sequence", "END", extra={"stop_details": {"type": "refusal"}}) in events


def test_pings_and_unknown_events_are_ignored() -> None:
    noise = frame({"type": "ping"}) + b": comment\n\n" + frame({"type": "from_the_future"}) + b"data: [DONE]\n\n"
    assert content(noise, text(0, "a"), noise) == [TextDelta("a")]


def test_line_ends_of_any_kind_are_read() -> None:
    stream = start() + text(0, "a\u2028b") + stop()
    for end in (b"\r\n", b"\r"):
        assert read(stream.replace(b"\n", end), 3) == read(stream)


def test_a_delta_whose_block_never_began_is_read() -> None:
    text_delta = frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}})
    assert content(text_delta, text_delta) == [TextDelta("a"), TextDelta("a")]


def test_the_type_may_be_in_the_event_name_alone() -> None:
    reader = MESSAGES.reader()
    data = b'event: content_block_delta\ndata: {"index":0,"delta":{"type":"text_delta","text":"a"}}\n\n'
    assert reader.feed(data) == [TextDelta("a")]


def test_a_stream_without_its_end_is_broken() -> None:
    reader = MESSAGES.reader()
    reader.feed(start() + text(0, "all of it") + stop().split(b"event: message_stop")[0])
    with pytest.raises(StreamBroken):
        reader.close()


def test_a_stream_without_message_stop_is_whole_where_the_body_ends_cleanly() -> None:
    reader = MESSAGES.reader()
    reader.feed(start() + text(0, "all of it") + stop().split(b"event: message_stop")[0])
    assert reader.close(clean=True) == []
    assert reader.missing_end == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    reader = MESSAGES.reader()
    reader.feed(start() + text(0, "all of it") + stop())
    reader.close(clean=True)
    assert reader.missing_end == b""


def test_a_stream_cut_in_a_frame_is_broken_too() -> None:
    reader = MESSAGES.reader()
    reader.feed((start() + text(0, "a"))[:-9])
    with pytest.raises(StreamBroken):
        reader.close()


def test_a_last_frame_without_its_blank_line_counts() -> None:
    assert read((start() + text(0, "a") + stop())[:-1])[-2] == Finished("stop", "end_turn")


@pytest.mark.parametrize("data", [b"data: {nonsense\n\n", b"data: 7\n\n", b'data: {"type":"content_block_delta"}\n\n'])
def test_unreadable_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedStream):
        MESSAGES.reader().feed(data)


@pytest.mark.parametrize(
    ("kind", "reason", "status"),
    [
        ("overloaded_error", "overloaded", 529),
        ("rate_limit_error", "rate_limit", 429),
        ("api_error", "server", 500),
        (None, "server", 500),
    ],
)
def test_an_error_in_the_stream_is_classified(kind: str | None, reason: str, status: int) -> None:
    with pytest.raises(UpstreamError) as caught:
        MESSAGES.reader().feed(frame({"type": "error", "error": {"type": kind, "message": "Sorry"}}))
    assert (caught.value.reason, caught.value.status, caught.value.message) == (reason, status, "Sorry")


@pytest.mark.parametrize(
    "data",
    [
        b'event: error\ndata: {"type":"overloaded_error","message":"Full"}\n\n',
        b'event: error\ndata: {"error":{"type":"overloaded_error","message":"Full"}}\n\n',
        b'data: {"error":{"type":"overloaded_error","message":"Full"}}\n\n',
    ],
)
def test_errors_of_compatible_servers_are_read_in_every_shape(data: bytes) -> None:
    with pytest.raises(UpstreamError, match="Full") as caught:
        MESSAGES.reader().feed(data)
    assert caught.value.reason == "overloaded"


def test_events_before_an_error_are_returned_first() -> None:
    reader = MESSAGES.reader()
    failed = frame({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert reader.feed(start() + text(0, "a") + failed)[-1] == TextDelta("a")
    with pytest.raises(UpstreamError):
        reader.close()
