"""Readers return valid events whatever a vendor sends, or raise MalformedStream."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.errors import MalformedStream, UpstreamError
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import aws_eventstream, sse
from conduit_desktop.wire.media.endpoints import MediaRequest, media_format
from tests.wire.dialect_io import client_request, read, write_stream


def sse_of(*payloads: dict[str, Any]) -> bytes:
    return b"".join(sse.write(orjson.dumps(payload)) for payload in payloads)


def lines_of(*payloads: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(payload) + b"\n" for payload in payloads)


def frames_of(*payloads: tuple[str, dict[str, Any]]) -> bytes:
    headers = {":content-type": "application/json", ":message-type": "event"}
    return b"".join(aws_eventstream.write(orjson.dumps(payload), {":event-type": kind, **headers}) for kind, payload in payloads)


def message(*events: dict[str, Any]) -> bytes:
    return sse_of({"type": "message_start", "message": {"id": "msg_1", "model": "m"}}, *events)


TOOL = {"type": "tool_use", "id": "same", "name": "f", "input": {}}
STREAMS_WITHOUT_TEXT = {
    "anthropic_messages": message(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ["no", "text"]}},
    ),
    "bedrock": frames_of(
        ("messageStart", {"role": "assistant"}), ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": {"no": "text"}}})
    ),
    "cohere": sse_of({"type": "content-delta", "delta": {"message": {"content": {"text": 7}}}}),
    "ollama": lines_of({"model": "m", "message": {"content": ["no", "text"]}, "done": False}),
    "gemini": sse_of({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "index": -1}]}),
}


@pytest.mark.parametrize("name", STREAMS_WITHOUT_TEXT)
def test_a_stream_whose_text_is_not_a_string_is_malformed(name: str) -> None:
    with pytest.raises(MalformedStream):
        read(dialect(name), STREAMS_WITHOUT_TEXT[name])


def test_events_before_an_invalid_event_are_returned_first() -> None:
    reader = dialect("ollama").reader()
    data = lines_of({"model": "m", "message": {"content": "good"}}, {"message": {"content": {"no": "text"}}})
    assert [event for event in reader.feed(data) if isinstance(event, TextDelta)] == [TextDelta("good")]
    with pytest.raises(MalformedStream):
        reader.feed(b"")


WHOLE_AND_WRONG: list[tuple[str, dict[str, Any]]] = [
    ("anthropic_messages", {"content": [{"type": "text", "text": "hi", "citations": 7}]}),
    ("anthropic_messages", {"content": [{"type": "text", "text": "hi"}], "stop_reason": {"no": "word"}}),
    ("bedrock", {"output": {"message": {"content": ["text"]}}}),
    ("bedrock", {"output": {"message": {"content": [{"citationsContent": {"content": 2}}]}}}),
    ("cohere", {"message": {"content": [{"type": "text", "text": {"no": "text"}}]}}),
    ("ollama", {"message": {"content": "", "tool_calls": [{"function": {"name": None}}]}}),
    ("gemini", {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "index": 10**9}]}),
    ("gemini", {"candidates": [{"content": {"parts": [{"text": "hi"}]}, "index": "first"}]}),
]


@pytest.mark.parametrize(("name", "body"), WHOLE_AND_WRONG)
def test_a_whole_answer_that_cannot_be_read_is_malformed(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(MalformedStream):
        dialect(name).read_response(body)


WHOLE_WITH_ODD_COUNTS: list[tuple[str, dict[str, Any]]] = [
    ("anthropic_messages", {"content": [], "usage": {"input_tokens": "12", "output_tokens": {}, "cache_creation": 3}}),
    ("bedrock", {"output": {"message": {"content": []}}, "usage": {"inputTokens": "12", "outputTokens": -4}}),
    ("cohere", {"message": {"content": []}, "usage": {"tokens": {"input_tokens": "12", "output_tokens": "many"}}}),
    ("gemini", {"candidates": [], "usageMetadata": {"promptTokenCount": "12", "candidatesTokenCount": "9" * 5000}}),
    ("ollama", {"message": {"content": "hi"}, "done": True, "prompt_eval_count": "12", "eval_count": []}),
    ("openai_chat", {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 12, "completion_tokens": 1e300}}),
    ("replicate", {"status": "succeeded", "metrics": {"input_token_count": 12, "output_token_count": "x"}}),
]


@pytest.mark.parametrize(("name", "body"), WHOLE_WITH_ODD_COUNTS)
def test_invalid_counts_are_zero(name: str, body: dict[str, Any]) -> None:
    """They must not break an answer, nor reach a budget or the database."""
    found = [event.usage for event in dialect(name).read_response(body) if isinstance(event, UsageReported)]
    assert [(usage.input, usage.output) for usage in found] == [(12, 0)]


@pytest.mark.parametrize("cost", [{"cost": 1e300}, {"cost": {"total_cost": -1}}, {"cost_in_usd_ticks": 10**30}])
def test_an_impossible_cost_is_none(cost: dict[str, Any]) -> None:
    body = {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 1, **cost}}
    found = [event.usage for event in dialect("openai_chat").read_response(body) if isinstance(event, UsageReported)]
    assert [usage.cost_nano for usage in found] == [None]


def test_optional_fields_of_a_wrong_type_are_left_out() -> None:
    body = {"id": 7, "model": ["m"], "content": [], "stop_reason": 3, "stop_sequence": {}}
    answer = collect(dialect("anthropic_messages").read_response(body))
    assert answer.started == Started(dialect="anthropic_messages")
    assert answer.first.finish == Finished("other")


def test_a_time_beyond_the_calendar_is_none() -> None:
    body = {"created": 10**14, "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    events = dialect("openai_chat").read_response(body)
    assert collect(events).started.created is None
    assert dialect("ollama").write_response(collect(events), client_request(dialect("ollama")))["created_at"]


def test_a_citation_with_an_invalid_span_has_none() -> None:
    raw = {"start": "here", "end": 4, "text": "hi", "sources": [{"document": {"title": 7, "url": "https://a.example"}}]}
    body = {"message": {"content": [{"type": "text", "text": "hi"}], "citations": [raw]}}
    cited = [event.citation for event in dialect("cohere").read_response(body) if isinstance(event, Cited)]
    assert [(one.url, one.title, one.start, one.end) for one in cited] == [("https://a.example", None, None, None)]


def called(events: list[Event]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in collect(events).first.tool_calls]


def test_interleaved_calls_with_one_id_stay_apart() -> None:
    """Callers know calls by their ids alone."""
    start = [{"type": "content_block_start", "index": at, "content_block": {**TOOL, "name": f"f{at}"}} for at in (0, 1)]
    piece = [
        {"type": "content_block_delta", "index": at, "delta": {"type": "input_json_delta", "partial_json": text}}
        for at, text in ((0, '{"a"'), (1, '{"b"'), (0, ":1}"), (1, ":2}"))
    ]
    events = read(dialect("anthropic_messages"), message(*start, *piece, {"type": "message_stop"}))
    assert called(events) == [("f0", '{"a":1}'), ("f1", '{"b":2}')]
    assert len({call.id for call in collect(events).first.tool_calls}) == 2


def test_complete_calls_with_one_id_stay_apart() -> None:
    calls = [{"id": "call_0", "function": {"name": name, "arguments": {"of": name}}} for name in ("f", "g")]
    body = {"model": "m", "message": {"content": "", "tool_calls": calls}, "done": True}
    events = dialect("ollama").read_response(body)
    assert called(events) == [("f", '{"of":"f"}'), ("g", '{"of":"g"}')]
    for to in ("anthropic_messages", "openai_responses", "openai_chat", "bedrock", "cohere", "gemini"):
        assert called(read(dialect(to), write_stream(dialect(to), events))) == [("f", '{"of":"f"}'), ("g", '{"of":"g"}')], to


def test_a_call_that_the_server_left_open_ends_before_the_finish() -> None:
    data = message(
        {"type": "content_block_start", "index": 0, "content_block": TOOL},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    kinds = [type(event) for event in read(dialect("anthropic_messages"), data)]
    assert kinds == [Started, ToolCallStarted, ToolCallDelta, Finished]


def test_whitespace_after_a_complete_call_is_ignored() -> None:
    events = [
        Started(),
        ToolCallStarted("a", "f"),
        ToolCallDelta("a", "{}"),
        TextDelta("and"),
        ToolCallDelta("a", " "),
        Finished("stop"),
    ]
    gemini = dialect("gemini")
    assert called(read(gemini, write_stream(gemini, [*events, UsageReported(Usage())]))) == [("f", "{}")]


@pytest.mark.parametrize(
    ("name", "form_name", "answer"),
    [
        ("embeddings", "cohere", {"embeddings": [[1.0]], "meta": {"billed_units": {"input_tokens": -7}}}),
        ("embeddings", "gemini", {"embeddings": [{"values": [1.0]}], "usageMetadata": {"promptTokenCount": 1e300}}),
        ("embeddings", "bedrock_titan", {"embedding": [1.0], "inputTextTokenCount": -7}),
    ],
)
def test_invalid_counts_of_media_endpoints_are_zero_and_are_named(name: str, form_name: str, answer: dict[str, Any]) -> None:
    result = media_format(name, form_name).read([answer], b"", MediaRequest(name, {"model": "m", "input": "hi"}), "m")
    assert result.usage == Usage(unclear=("input_tokens",))


@pytest.mark.parametrize("code", ["²²²", "9" * 5000, "4٣٠0"])
def test_an_error_in_a_stream_with_an_invalid_status_is_an_error(code: str) -> None:
    with pytest.raises(UpstreamError, match="went wrong"):
        read(dialect("openai_chat"), sse_of({"error": {"message": "it went wrong", "code": code}}))


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_messages", "gemini", "bedrock", "cohere", "ollama", "replicate"])
@pytest.mark.parametrize("word", ["model", "violat", "<script", "\\n", "try again in 1d"])
def test_an_error_that_quotes_a_long_prompt_is_read_fast(name: str, word: str) -> None:
    """Vendors quote the prompt: a client could send one that takes minutes to search, on the loop of all requests."""
    message = word * (1_000_000 // len(word))
    for body in (orjson.dumps({"error": {"message": message}, "message": message}), message.encode()):
        began = time.process_time()
        dialect(name).read_error(400, {}, body)
        assert time.process_time() - began < 2
