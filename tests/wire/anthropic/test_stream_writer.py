"""Streams and bodies of Anthropic's Messages API, written for its clients."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from anthropic.types import Message as SdkMessage
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Citation, Opaque
from conduit_desktop.core.errors import ProviderFailed
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    Refused,
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
from conduit_desktop.wire.answer_ids import answer_id
from tests.wire.messages_frames import MESSAGES, REQUEST, answer_of, normalised, payloads, read, write
from tests.wire.strategies import Features, answers

NAME = "anthropic_messages"
STARTED = Started("chatcmpl-1", "gpt-x", 1, dialect="openai_chat")
DONE = Finished("stop", "stop")
SDK_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def blocks(*events: Event) -> list[dict[str, Any]]:
    """The content a client would put together from the stream of `events`."""
    found: list[dict[str, Any]] = []
    for each in payloads(write([STARTED, *events])):
        if each["type"] == "content_block_start":
            assert each["index"] == len(found)
            found.append({**each["content_block"], "json": ""})
        elif each["type"] == "content_block_delta":
            assert each["index"] == len(found) - 1
            at, delta = found[-1], each["delta"]
            for key, into in (("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "json")):
                if key in delta:
                    at[into] += delta[key]
    for at in found:
        text = at.pop("json")
        if text:
            at["input"] = orjson.loads(text)
    return found


def test_an_answer_of_another_vendor_is_a_complete_stream() -> None:
    usage = Usage(5, 2, 1, 3, 9, 4, audio_out=1, extra={"num_search_queries": 2})
    stream = payloads(write([STARTED, TextDelta("Hel"), TextDelta(""), TextDelta("lo"), DONE, UsageReported(usage)]))
    nothing = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    zeros = {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    assert stream == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "gpt-x",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {**zeros, "cache_creation": nothing},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 4,
                "cache_read_input_tokens": 2,
                "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 3},
                "output_tokens": 10,
                "output_tokens_details": {"thinking_tokens": 4},
            },
        },
        {"type": "message_stop"},
    ]


def test_usage_known_at_the_start_is_in_message_start() -> None:
    first = payloads(write([STARTED, UsageReported(Usage(input=5)), TextDelta("a"), DONE]))[0]
    assert first["message"]["usage"]["input_tokens"] == 5


def test_an_empty_answer_is_a_message_too() -> None:
    assert [each["type"] for each in payloads(write([STARTED, DONE]))] == ["message_start", "message_delta", "message_stop"]
    assert payloads(write([]))[0]["message"]["id"].startswith("msg_")
    assert MESSAGES.write_response(Answer(), REQUEST)["content"] == []


def test_calls_with_interleaved_arguments_are_never_merged() -> None:
    made = blocks(
        ToolCallStarted("a", "f"),
        ToolCallDelta("a", '{"x":'),
        ToolCallStarted("b", "g"),
        ToolCallDelta("b", '{"y"'),
        ToolCallDelta("a", "1"),
        ToolCallStarted("c", "h"),
        ToolCallDelta("b", ":2}"),
        ToolCallDelta("c", "{}"),
        ToolCallDelta("a", "}"),
        Finished("tool_calls"),
    )
    assert [(each["id"], each["input"]) for each in made] == [("a", {"x": 1}), ("b", {"y": 2}), ("c", {})]


def test_a_complete_call_does_not_hold_back_later_events() -> None:
    writer = MESSAGES.writer(REQUEST)
    for event in (STARTED, ToolCallStarted("a", "f"), ToolCallDelta("a", '{"x":1}')):
        writer.write(event)
    assert [each["type"] for each in payloads(writer.write(TextDelta("on")))] == [
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


def test_text_is_held_back_while_a_call_may_still_grow() -> None:
    writer = MESSAGES.writer(REQUEST)
    for event in (STARTED, ToolCallStarted("a", "f"), ToolCallDelta("a", '{"x":')):
        writer.write(event)
    assert writer.write(TextDelta("on")) == b""
    assert [each["type"] for each in payloads(writer.write(ToolCallDelta("a", "1}")))] == [
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
    ]


def test_whitespace_around_arguments_is_ignored() -> None:
    made = blocks(
        ToolCallStarted("a", "f"),
        ToolCallDelta("a", "\n"),
        ToolCallStarted("b", "g"),
        ToolCallDelta("b", " {}"),
        ToolCallStarted("c", "h"),
        ToolCallDelta("b", "\n"),
        Finished("tool_calls"),
    )
    assert [(each["id"], each["input"]) for each in made] == [("a", {}), ("b", {}), ("c", {})]


def test_arguments_without_a_call_are_an_error() -> None:
    writer = MESSAGES.writer(REQUEST)
    with pytest.raises(ValueError, match="not open"):
        writer.write(ToolCallDelta("a", "{}"))


@pytest.mark.parametrize("pieces", [[], ['say "hi"\n', "ü"]])
def test_free_text_becomes_the_input_of_a_tool(pieces: list[str]) -> None:
    deltas = [ToolCallDelta("a", piece) for piece in pieces]
    [made] = blocks(ToolCallStarted("a", "patch", "custom"), *deltas, Finished("tool_calls"))
    assert made["input"] == {"input": "".join(pieces)}


def test_thinking_keeps_its_blocks_and_signatures() -> None:
    made = blocks(
        ThinkingDelta("one"),
        ThinkingSigned("c2"),
        ThinkingSigned("ln"),
        ThinkingStarted(),
        ThinkingDelta("two"),
        ThinkingRedacted("eA=="),
        ThinkingSigned("eno="),
        TextDelta("a"),
        TextStarted(),
        TextDelta("b"),
        DONE,
    )
    assert made == [
        {"type": "thinking", "thinking": "one", "signature": "c2ln"},
        {"type": "thinking", "thinking": "two", "signature": "conduit.v1.openai_chat.signed."},
        {"type": "redacted_thinking", "data": "eA=="},
        {"type": "thinking", "thinking": "", "signature": "eno="},
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]


def test_a_refusal_is_text_with_the_stop_reason_refusal() -> None:
    stream = payloads(write([STARTED, TextDelta("Well. "), Refused("I "), Refused("won't."), DONE]))
    assert [each["delta"]["text"] for each in stream if each["type"] == "content_block_delta"] == ["Well. ", "I ", "won't."]
    assert stream[-2]["delta"]["stop_reason"] == "refusal"


def test_only_the_first_choice_is_written() -> None:
    assert blocks(TextDelta("a"), TextDelta("b", choice=1), Finished("length", choice=1), DONE) == [{"type": "text", "text": "a"}]


def test_blocks_of_other_dialects_are_left_out() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    made = blocks(
        OpaqueBlock(Opaque("gemini", "code", {})), OpaqueBlock(Opaque(NAME, "server_tool_use", use)), TextDelta("a"), DONE
    )
    assert made == [use, {"type": "text", "text": "a"}]


def test_citations_without_a_url_are_written_only_if_they_are_anthropics() -> None:
    raw = {"type": "char_location", "cited_text": "q", "document_index": 0, "start_char_index": 0, "end_char_index": 1}
    cited = [Cited(Citation(title="a file", dialect="cohere")), Cited(Citation(dialect=NAME, raw=raw))]
    deltas = [each["delta"] for each in payloads(write([STARTED, TextDelta("a"), *cited, DONE])) if "delta" in each]
    assert deltas[:2] == [{"type": "text_delta", "text": "a"}, {"type": "citations_delta", "citation": raw}]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        (Finished("stop", "stop"), "end_turn"),
        (Finished("stop", "stop", "END"), "stop_sequence"),
        (Finished("length", "MAX_TOKENS"), "max_tokens"),
        (Finished("length", "model_context_window_exceeded"), "model_context_window_exceeded"),
        (Finished("content_filter", "content_filter"), "refusal"),
        (Finished("refusal"), "refusal"),
        (Finished("pause"), "pause_turn"),
        (Finished("other", "weird"), "end_turn"),
    ],
)
def test_every_finish_has_an_anthropic_stop_reason(finish: Finished, reason: str) -> None:
    delta = payloads(write([STARTED, TextDelta("a"), finish]))[-2]["delta"]
    assert delta == {"stop_reason": reason, "stop_sequence": finish.stop_sequence}


def test_an_answer_with_tool_calls_has_tool_use_whatever_its_vendors_reason() -> None:
    events = [STARTED, ToolCallStarted("a", "f"), ToolCallDelta("a", "{}"), DONE]
    assert payloads(write(events))[-2]["delta"]["stop_reason"] == "tool_use"
    assert MESSAGES.write_response(collect(events), REQUEST)["stop_reason"] == "tool_use"


def test_an_error_never_looks_like_success() -> None:
    writer = MESSAGES.writer(REQUEST)
    sent = writer.ping() + writer.write(STARTED) + writer.write(TextDelta("a")) + writer.fail(ProviderFailed("gone"))
    stream = payloads(sent)
    assert stream[0] == {"type": "ping"}
    assert stream[-1] == {"type": "error", "error": {"type": "api_error", "message": "gone"}}
    assert b"message_stop" not in sent


def test_anthropics_further_fields_of_the_finish_are_written_again() -> None:
    own = Started("msg_1", "claude-x", extra={"container": {"id": "c"}}, dialect=NAME)
    end = Finished("refusal", "refusal", extra={"stop_details": {"type": "refusal"}, "context_management": {"applied_edits": []}})
    usage = UsageReported(Usage(1, extra={"service_tier": "standard"}))
    first, last, _ = payloads(write([own, end, usage]))
    assert first["message"]["container"] == {"id": "c"}
    assert last["delta"]["stop_details"] == {"type": "refusal"}
    assert last["context_management"] == {"applied_edits": []}
    assert last["usage"]["service_tier"] == "standard"


CARRIED = Features(
    thinking=True,
    signatures=True,
    redacted=True,
    text_after_tools=True,
    split_text=True,
    cache_write=True,
    finish=("stop", "length", "tool_calls", "pause"),
)


def without_origin(answer: Answer) -> Answer:
    """What both sides of a round trip share: not the time, not the word for the end, not where it came from."""
    answer.started = Started(answer_id("msg_", answer.started.id), answer.started.model)
    for choice in answer.choices:
        assert choice.finish is not None
        choice.finish = Finished(choice.finish.reason)
    return normalised(answer)


@settings(max_examples=60)
@given(answer=answers(CARRIED), split=st.integers(0, 50))
def test_any_answer_survives_a_stream(answer: Answer, split: int) -> None:
    again = collect(read(write(list(answer.events())), split))
    assert without_origin(again) == without_origin(answer)


@settings(max_examples=60)
@given(answer=answers(CARRIED))
def test_any_answer_survives_a_body(answer: Answer) -> None:
    again = collect(MESSAGES.read_response(orjson.loads(orjson.dumps(MESSAGES.write_response(answer, REQUEST)))))
    assert without_origin(again) == without_origin(answer)


@settings(max_examples=30)
@given(answer=answers(Features(thinking=True, redacted=True, refusals=True, custom_tools=True, split_text=True)))
def test_the_sdk_reads_what_is_written(answer: Answer) -> None:
    message = SdkMessage.model_validate(MESSAGES.write_response(answer, REQUEST), strict=True)
    for payload in payloads(write(list(answer.events()))):
        SDK_EVENT.validate_python(payload, strict=True)
    assert message.usage.output_tokens == (answer.usage.output if answer.usage else 0)
    assert [each.type for each in message.content] == [each["type"] for each in blocks(*list(answer.events())[1:])]


@settings(max_examples=40)
@given(data=st.data(), answer=answers(Features()))
def test_calls_are_complete_whatever_the_order_of_their_pieces(data: st.DataObject, answer: Answer) -> None:
    """Every interleaving of the pieces of several calls, each started in order, gives each call its own arguments."""
    calls = answer.first.tool_calls
    waiting: list[list[Event]] = []
    for call in calls:
        cut = data.draw(st.integers(0, len(call.arguments)))
        pieces = [piece for piece in (call.arguments[:cut], call.arguments[cut:]) if piece]
        waiting.append([ToolCallStarted(call.id, call.name), *(ToolCallDelta(call.id, piece) for piece in pieces)])
    events: list[Event] = [STARTED]
    events += [queue.pop(0) for queue in waiting]
    while any(waiting):
        queue = data.draw(st.sampled_from([queue for queue in waiting if queue]))
        events.append(queue.pop(0))
    made = answer_of(write([*events, Finished("tool_calls")])).first.tool_calls
    assert [(call.id, orjson.loads(call.arguments)) for call in made] == [(c.id, orjson.loads(c.arguments)) for c in calls]


def test_the_requested_model_is_written_if_the_answer_has_none() -> None:
    first = payloads(write([Started(), TextDelta("a"), DONE], ChatRequest(NAME, "my-alias")))[0]
    assert first["message"]["model"] == "my-alias"
