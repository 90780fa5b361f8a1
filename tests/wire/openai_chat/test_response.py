"""OpenAI's answers, whole and streamed, written from neutral ones."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import ChatRequest, Citation, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import MalformedStream, ProviderFailed, UpstreamError
from conduit_desktop.core.events import (
    Cited,
    Finished,
    FinishReason,
    OpaqueBlock,
    Started,
    TextDelta,
    TextStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire import dialect
from conduit_desktop.wire.answer_ids import answer_id
from tests.wire.chat_frames import CHAT, DONE, REQUEST, payloads, read, stream_of
from tests.wire.strategies import Features, answers

SAYABLE = Features(
    thinking=True, refusals=True, citations=True, custom_tools=True, choices=2, audio_usage=True, cache_write=True,
    finish=("stop", "length", "tool_calls", "content_filter"),
)  # fmt: skip
SIGNED = replace(SAYABLE, signatures=True, redacted=True)
FOREIGN = Features(
    thinking=True, signatures=True, split_text=True, text_after_tools=True, citations=True, finish=("stop", "pause", "refusal")
)
ANSWER = Answer(Started("id-1", "gpt-x", 7), [Choice([Text("hi")], Finished("stop"))], Usage(input=3, output=2))


def settled(answer: Answer) -> Answer:
    """The answer without what only reading sets: the dialect of the thinking, and the finish reason of a refusal."""
    settled = copy.deepcopy(answer)
    settled.started.id = answer_id("chatcmpl-", settled.started.id)
    settled.started.dialect = ""
    if settled.usage is not None:
        settled.usage.extra = {}
    for choice in settled.choices:
        assert choice.finish is not None
        choice.finish.raw = None
        if choice.finish.reason == "stop" and any(isinstance(part, Refusal) for part in choice.parts):
            choice.finish.reason = "refusal"
        for part in choice.parts:
            if isinstance(part, Text):
                part.citations = [Citation(citation.url, citation.title) for citation in part.citations]
    return settled


def whole(answer: Answer) -> Answer:
    return collect(CHAT.read_response(orjson.loads(orjson.dumps(CHAT.write_response(answer, REQUEST)))))


@given(answers(SIGNED))
def test_any_answer_survives_being_written_and_read_again(answer: Answer) -> None:
    assert settled(whole(answer)) == settled(answer)
    assert settled(collect(read(stream_of(answer)))) == settled(answer)


@given(answers(SAYABLE))
def test_the_sdk_reads_whole_answers(answer: Answer) -> None:
    body = CHAT.write_response(answer, REQUEST)
    understood = ChatCompletion.model_validate(body)
    assert understood.choices[0].message.content == (answer.first.text or None)
    assert len(understood.choices[0].message.tool_calls or []) == len(answer.first.tool_calls)
    assert understood.usage is not None
    assert answer.usage is not None
    assert understood.usage.prompt_tokens == answer.usage.total_input


@given(answers(replace(SAYABLE, custom_tools=False)))  # the SDK knows no custom calls in chunks
def test_the_sdk_reads_chunks(answer: Answer) -> None:
    found = [ChatCompletionChunk.model_validate(chunk) for chunk in payloads(stream_of(answer))]
    assert found[0].choices[0].delta.role == "assistant"
    assert found[-1].choices == []
    assert found[-1].usage is not None
    texts = [choice.delta.content or "" for chunk in found for choice in chunk.choices if choice.index == 0]
    assert "".join(texts) == answer.first.text


@given(answers(FOREIGN))
def test_content_that_openai_cannot_express_does_not_change_the_text(answer: Answer) -> None:
    for again in (whole(answer), collect(read(stream_of(answer)))):
        assert again.first.text == answer.first.text
        assert again.first.thinking == answer.first.thinking
        assert again.first.tool_calls == answer.first.tool_calls
        assert again.usage is not None
        assert replace(again.usage, extra={}) == answer.usage


def test_a_stream_ends_with_finish_usage_and_done() -> None:
    data = stream_of(ANSWER)
    assert data.endswith(DONE)
    first, finish, usage = payloads(data)
    head = {"id": "chatcmpl-id-1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-x"}
    delta = {"role": "assistant", "content": "hi"}
    assert first == {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
    assert finish["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 5


def test_usage_is_written_only_if_the_client_requested_it() -> None:
    assert all("usage" not in chunk for chunk in payloads(stream_of(ANSWER, ChatRequest("openai_chat", "m"))))


def test_a_tool_call_has_its_name_once_and_then_arguments() -> None:
    answer = Answer(choices=[Choice([ToolCall("a", "f", "{}"), ToolCall("b", "sh", "ls", "custom")], Finished("tool_calls"))])
    deltas = [chunk["choices"][0]["delta"] for chunk in payloads(stream_of(answer))]
    assert [delta["tool_calls"][0] for delta in deltas[:4]] == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": "{}"}},
        {"index": 1, "id": "b", "type": "custom", "custom": {"name": "sh", "input": ""}},
        {"index": 1, "custom": {"input": "ls"}},
    ]


def test_a_hosted_call_is_not_written() -> None:
    writer = CHAT.writer(REQUEST)
    assert writer.write(ToolCallStarted("s", "web_search", "hosted")) == b""
    assert writer.write(ToolCallDelta("s", "{}")) == b""
    assert writer.write(TextStarted()) == b""


def test_an_answer_without_a_finish_gets_one_at_its_end() -> None:
    writer = CHAT.writer(REQUEST)
    assert writer.write(Started("x")) == b""
    data = writer.write(TextDelta("a")) + writer.end()
    assert collect(read(data)).first == Choice([Text("a")], Finished("stop", "stop"))
    assert collect(read(CHAT.writer(REQUEST).end())).first.finish == Finished("stop", "stop")


def test_a_failed_stream_has_no_done_and_is_read_as_an_error() -> None:
    writer = CHAT.writer(REQUEST)
    data = writer.write(TextDelta("a")) + writer.fail(ProviderFailed("it broke", code="provider_stream_broken"))
    assert b"[DONE]" not in data
    with pytest.raises(UpstreamError, match="it broke") as raised:
        read(data)
    assert raised.value.kind == "provider_stream_broken"


def test_a_ping_is_a_comment() -> None:
    writer = CHAT.writer(REQUEST)
    data = writer.ping() + writer.write(TextDelta("a")) + writer.ping() + writer.end()
    assert data.startswith(b": ")
    assert collect(read(data, 3)).first.text == "a"


REASONS: list[tuple[FinishReason, str]] = [
    ("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("content_filter", "content_filter"),
    ("refusal", "content_filter"), ("pause", "stop"), ("other", "stop"), ("error", "stop"),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "word"), REASONS)
def test_every_finish_has_a_finish_reason(reason: FinishReason, word: str) -> None:
    answer = Answer(choices=[Choice([Text("a")], Finished(reason, "end_turn"))])
    assert CHAT.write_response(answer, REQUEST)["choices"][0]["finish_reason"] == word
    assert payloads(stream_of(answer))[-1]["choices"][0]["finish_reason"] == word


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("SAFETY", "content_filter"),
        ("", "stop"),
        ("strange", "other"),
    ],
)
def test_vendors_finish_reasons_are_read(word: str, reason: str) -> None:
    body = {"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": word}]}
    answer = collect(CHAT.read_response(body))
    assert answer.first.finish is not None
    assert answer.first.finish.reason == reason


def test_signatures_are_written_as_openrouters_reasoning_details() -> None:
    answer = Answer(Started("x"), [Choice([Thinking("hm", "sig"), RedactedThinking("zzz"), Text("4")], Finished("stop"))])
    message = CHAT.write_response(answer, REQUEST)["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    assert [detail.get("signature") or detail["data"] for detail in message["reasoning_details"]] == ["sig", "zzz"]
    history = {"model": "m", "messages": [{"role": "user", "content": "q"}, message]}
    assert [type(part) for part in CHAT.read_request(history, {}).messages[1].parts] == [Thinking, RedactedThinking, Text]


def test_further_fields_are_written_only_if_the_answer_was_read_in_this_dialect() -> None:
    message = {"role": "assistant", "content": "a", "refusal": None, "audio": {"id": "au"}, "images": [{"type": "image_url"}]}
    ending = {"logprobs": {"content": [], "refusal": None}, "finish_reason": "eos", "native_finish_reason": "EOS"}
    head = {"id": "x", "object": "chat.completion", "created": 7, "model": "m", "provider": "P", "system_fingerprint": None}
    body = {**head, "choices": [{"index": 0, "message": message, **ending}]}
    answer = collect(CHAT.read_response(body))
    assert CHAT.write_response(answer, REQUEST) == body
    answer.started.dialect = "anthropic_messages"
    written = CHAT.write_response(answer, REQUEST)
    assert set(written) == {"id", "object", "created", "model", "choices"}
    assert set(written["choices"][0]["message"]) == {"role", "content", "refusal"}


def test_opaque_blocks_of_other_dialects_and_citations_without_a_url_are_left_out() -> None:
    writer = CHAT.writer(REQUEST)
    assert writer.write(OpaqueBlock(Opaque("anthropic_messages", "server_tool_use", {}))) == b""
    assert writer.write(Cited(Citation(quote="x", dialect="anthropic_messages", raw={}))) == b""


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [1]}, {"choices": None, "detail": None}])
def test_a_body_that_is_not_an_answer_is_malformed(body: dict[str, Any]) -> None:
    with pytest.raises(MalformedStream):
        CHAT.read_response(body)


def test_an_error_body_with_status_200_is_an_error() -> None:
    for body in (
        {"error": {"message": "busy", "code": 429}},
        {"choices": [{"error": {"message": "busy", "code": 429}}]},
    ):
        with pytest.raises(UpstreamError) as raised:
            CHAT.read_response(body)
        assert raised.value.reason == "rate_limit"


def counted(**usage: Any) -> Usage:
    body = {"choices": [{"message": {"content": "a"}}], "usage": usage}
    found = [event.usage for event in CHAT.read_response(body) if isinstance(event, UsageReported)]
    return found[0]


def prompt(**details: int) -> dict[str, Any]:
    return {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "prompt_tokens_details": details}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (prompt(cached_tokens=60, audio_tokens=30), Usage(input=10, cache_read=60, audio_in=30, output=10)),
        # More than the whole prompt can only be counted apart from it; but the total says otherwise.
        (prompt(cached_tokens=600), Usage(input=100, cache_read=600, output=10, unclear=("cached_tokens",))),
        # Azure's Grok: recorded traffic; at xAI itself the same `text_tokens` hold the cached ones.
        (prompt(cached_tokens=161, text_tokens=100, image_tokens=0, audio_tokens=0), Usage(input=100, cache_read=161, output=10)),
        (
            {**prompt(cached_tokens=60, text_tokens=100, image_tokens=0, audio_tokens=0), "audio_prompt_tokens": 0},
            Usage(input=100, cache_read=60, output=10),
        ),
        (
            {**prompt(cached_tokens=60, text_tokens=100, image_tokens=0, audio_tokens=0), "cost_in_usd_ticks": 0},
            Usage(input=100, cache_read=60, output=10),
        ),
        (
            {**prompt(cached_tokens=60, text_tokens=100, image_tokens=0, audio_tokens=0), "cost_in_usd_ticks": 1505000},
            Usage(input=40, cache_read=60, output=10, cost_nano=150500),
        ),
        (prompt(cached_tokens=60, text_tokens=100), Usage(input=40, cache_read=60, output=10)),
        ({**prompt(cached_tokens=60), "total_tokens": 170}, Usage(input=100, cache_read=60, output=10)),
        (
            {**prompt(cached_tokens=60), "total_tokens": 170, "completion_tokens_details": {"reasoning_tokens": 60}},
            Usage(input=40, cache_read=60, output=70, reasoning=60),
        ),
        (prompt(cached_tokens=60, cache_write_tokens=30), Usage(input=10, cache_read=60, cache_write_5m=30, output=10)),
        (prompt(cached_tokens=90, cache_write_tokens=90), Usage(input=10, cache_write_5m=90, output=10)),
        (prompt(cached_tokens=95, cache_write_tokens=90), Usage(input=5, cache_read=5, cache_write_5m=90, output=10)),
        (
            {"prompt_tokens": 100, "completion_tokens": 10, "prompt_cache_hit_tokens": 60, "prompt_cache_miss_tokens": 40},
            Usage(input=40, cache_read=60, output=10),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 1, "num_cached_tokens": 4}, Usage(input=5, cache_read=4, output=1)),
        ({"prompt_tokens": None, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(output=1)),
    ],
)
def test_input_is_counted_once(usage: dict[str, Any], expected: Usage) -> None:
    assert replace(counted(**usage), extra={}) == expected


def test_cached_tokens_that_azures_grok_counts_apart_are_read_apart_in_every_dialect() -> None:
    details = {"cached_tokens": 161, "audio_tokens": 0, "text_tokens": 7, "image_tokens": 0}
    usage = counted(prompt_tokens=7, completion_tokens=1, total_tokens=8, prompt_tokens_details=details)
    answer = Answer(Started("c", "grok", dialect="openai_chat"), [Choice([Text("ok")], Finished("stop"))], usage)
    written = dialect("anthropic_messages").write_response(answer, REQUEST)["usage"]
    assert (written["input_tokens"], written["cache_read_input_tokens"]) == (7, 161)
    # Written in OpenAI's convention, and read as the same again.
    own = CHAT.write_response(answer, REQUEST)["usage"]
    assert (own["prompt_tokens"], own["total_tokens"]) == (168, 169)
    assert replace(counted(**own), extra={}) == replace(usage, extra={})


@pytest.mark.parametrize(
    ("total", "details", "expected"),
    [
        (110, {"reasoning_tokens": 6}, Usage(input=100, output=10, reasoning=6)),
        (116, {"reasoning_tokens": 6}, Usage(input=100, output=16, reasoning=6)),
        # Only Google hides its thinking so: of another vendor it is paid for, and said to be unclear.
        (150, {}, Usage(input=100, output=50, reasoning=40, unclear=("hidden_tokens",))),
        # More than there is: the vendor contradicts itself.
        (
            110,
            {"audio_tokens": 4, "reasoning_tokens": 9},
            Usage(input=100, output=6, reasoning=6, audio_out=4, unclear=("reasoning_tokens",)),
        ),
    ],
)
def test_thinking_is_counted_inside_the_output_wherever_the_vendor_counts_it(total: int, details: Any, expected: Usage) -> None:
    assert counted(prompt_tokens=100, completion_tokens=10, total_tokens=total, completion_tokens_details=details) == expected


@pytest.mark.parametrize(
    ("model", "unclear"),
    [
        ("gemini-2.5-pro", ()),
        ("google/gemini-2.5-pro", ()),
        ("models/gemma-4", ()),
        ("gpt-x", ("hidden_tokens",)),
        (None, ("hidden_tokens",)),
    ],
)
def test_a_total_above_its_parts_is_thinking_at_google_and_a_contradiction_elsewhere(
    model: str | None, unclear: tuple[str, ...]
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 150}
    body = {"model": model, "choices": [{"message": {"content": "a"}}], "usage": usage}
    [found] = [event.usage for event in CHAT.read_response(body) if isinstance(event, UsageReported)]
    assert found == Usage(input=100, output=50, reasoning=40, unclear=unclear)
    chunks = [
        {"model": model, "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]},
        {"model": model, "choices": [], "usage": usage},
    ]
    reader = CHAT.reader()
    events = reader.feed(b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks) + b"data: [DONE]\n\n")
    assert [event.usage for event in events if isinstance(event, UsageReported)][-1] == found


def test_mistral_counts_audio_outside_the_prompt() -> None:
    usage = counted(prompt_tokens=9, completion_tokens=201, total_tokens=585, prompt_tokens_details={"audio_tokens": 375})
    assert usage == Usage(input=9, audio_in=375, output=201)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        ({"cost": 0.00085}, 850_000),
        ({"cost": 0}, 0),
        ({"cost": {"total_cost": 0.006}}, 6_000_000),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 21_000_000),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.001}}, 1_000_000),
        ({"cost_in_usd_ticks": 37_756_000}, 3_775_600),
        ({"cost_in_usd_ticks": 0}, None),
        ({}, None),
    ],
)
def test_reported_costs_in_every_currency_of_the_vendors(usage: dict[str, Any], nano: int | None) -> None:
    found = counted(prompt_tokens=1, completion_tokens=1, **usage)
    assert found.cost_nano == nano
    answer = Answer(Started("x", dialect="openai_chat"), [Choice([Text("a")], Finished("stop", "stop"))], found)
    assert whole(answer).usage == found


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("insufficient_system_resource", "error"), ("network_error", "error"), ("model_context_window_exceeded", "length")],
)
def test_a_vendors_name_of_an_answer_that_broke_off_is_no_success(raw: str, reason: str) -> None:
    body = {"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": raw}]}
    finish = collect(dialect("openai_chat").read_response(body)).first.finish
    assert finish is not None
    assert (finish.reason, finish.raw) == (reason, raw)
