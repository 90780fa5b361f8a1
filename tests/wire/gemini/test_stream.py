"""Streams and answers of Gemini, by hand: both framings, pieces of calls, errors, and the end of an answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Opaque, Text
from conduit_desktop.core.errors import MalformedStream, ProviderFailed, RateLimited, StreamBroken, UpstreamError
from conduit_desktop.core.events import Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted, Usage, UsageReported
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing.json_array import ArraySplitter

GEMINI = dialect("gemini")
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}


def chunk(*parts: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, **({"finishReason": finish} if finish else {}), **more}
    return {"candidates": [candidate], **({"usageMetadata": usage} if usage else {}), "modelVersion": "m", "responseId": "r"}


def events(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + orjson.dumps(each) + b"\r\n\r\n" for each in chunks)


def read(data: bytes, split: int = 0) -> Answer:
    reader = GEMINI.reader()
    found = []
    for at in range(0, len(data), split or len(data)):
        found += reader.feed(data[at : at + (split or len(data))])
    return collect(found + reader.close(clean=True))


WHOLE = [chunk({"text": "o"}), chunk({"text": 'k{["\\"'}), chunk({"text": ""}, finish="STOP", usage=USAGE)]


@pytest.mark.parametrize("split", [0, 1, 2, 3, 11])
@pytest.mark.parametrize("form", ["pretty", "tight", "events"])
def test_an_array_is_read_like_events(form: str, split: int):
    pretty = b"[" + b"\n,\r\n".join(orjson.dumps(each, option=orjson.OPT_INDENT_2) for each in WHOLE) + b"\n]"
    data = {"pretty": pretty, "tight": orjson.dumps(WHOLE), "events": events(*WHOLE)}[form]
    answer = read(data, split)
    assert answer.first.text == 'ok{["\\"'
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (3, 2)


@settings(max_examples=50)
@given(
    values=st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.lists(st.integers(0, 9), max_size=2), max_size=3), max_size=4
    ),
    split=st.integers(1, 9),
)
def test_arrays_are_cut_into_their_elements(values: list[Any], split: int):
    data = orjson.dumps(values, option=orjson.OPT_INDENT_2)
    splitter = ArraySplitter()
    frames = [frame for at in range(0, len(data), split) for frame in splitter.feed(data[at : at + split])]
    assert [orjson.loads(frame.data) for frame in frames] == values
    assert not splitter.rest


def test_a_finish_without_usage_completes_the_answer_when_the_body_ends_cleanly():
    reader = GEMINI.reader()
    found = reader.feed(events(chunk({"text": "ok"}, finish="STOP")))
    assert not reader.done
    assert collect(found + reader.close(clean=True)).first.finish == Finished("stop", "STOP")


def test_what_comes_after_the_finish_and_the_usage_is_read_until_the_body_ends():
    reader = GEMINI.reader()
    reader.feed(events(chunk({"text": "ok"}, finish="STOP", usage=USAGE)))
    # Google has no last event: only the clean end of the body shows that nothing follows.
    assert not reader.done
    late = reader.feed(events({"usageMetadata": {**USAGE, "candidatesTokenCount": 9}, "responseId": "r"}))
    assert [event.usage.output for event in late if isinstance(event, UsageReported)] == [9 + USAGE.get("thoughtsTokenCount", 0)]
    assert reader.close(clean=True) == []


def test_a_connection_that_is_cut_after_the_finish_is_broken():
    reader = GEMINI.reader()
    reader.feed(events(chunk({"text": "ok"}, finish="STOP", usage=USAGE)))
    with pytest.raises(StreamBroken):
        reader.close(clean=False)


FAILURES = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
            "MALFORMED_RESPONSE")  # fmt: skip
WITHOUT_CONTENT = ("OTHER", "NO_IMAGE", "IMAGE_OTHER", "LANGUAGE", "OF_NEXT_YEAR", "FINISH_REASON_UNSPECIFIED")


@pytest.mark.parametrize("reason", FAILURES + WITHOUT_CONTENT)
@pytest.mark.parametrize("parts", [(), ({"text": "hm", "thought": True},), ({"text": ""},)], ids=["nothing", "thought", "empty"])
def test_a_failure_without_content_is_an_error(reason: str, parts: tuple[dict[str, Any], ...]) -> None:
    candidate = chunk(*parts, finish=reason)
    candidate["candidates"][0]["finishMessage"] = "bad call"
    for finish in (read(events(candidate)).first.finish, collect(GEMINI.read_response(candidate)).first.finish):
        assert finish is not None
        assert (finish.reason, finish.raw, finish.detail) == ("error", reason, "bad call")


@pytest.mark.parametrize("reason", WITHOUT_CONTENT)
@pytest.mark.parametrize("part", [{"text": "ok"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}], ids=["text", "image"])
def test_such_a_reason_after_content_ends_an_answer(reason: str, part: dict[str, Any]) -> None:
    finish = read(events(chunk(part, finish=reason))).first.finish
    assert finish is not None
    assert finish.reason == "other"


@pytest.mark.parametrize(
    "data", [events(WHOLE[0]), orjson.dumps(WHOLE[:2]), orjson.dumps(WHOLE)[:-30], events(*WHOLE)[:-50], b"", b" \n"]
)
def test_a_stream_without_its_finish_reason_is_broken(data: bytes):
    reader = GEMINI.reader()
    reader.feed(data)
    with pytest.raises(StreamBroken):
        reader.close(clean=True)


def test_every_candidate_needs_a_finish():
    first = {
        "candidates": [
            {"index": 0, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"},
            {"index": 1, "content": {"parts": [{"text": "b"}]}},
        ]
    }
    reader = GEMINI.reader()
    one_open = GEMINI.reader()
    one_open.feed(events({**first, "usageMetadata": USAGE}))
    with pytest.raises(StreamBroken):
        one_open.close(clean=True)
    found = reader.feed(events({**first, "usageMetadata": USAGE}))
    found += reader.feed(events({"candidates": [{"index": 1, "finishReason": "MAX_TOKENS"}], "usageMetadata": USAGE}))
    found += reader.close(clean=True)
    answer = collect(found)
    assert [choice.text for choice in answer.choices] == ["a", "b"]
    assert [choice.finish.reason for choice in answer.choices if choice.finish] == ["stop", "length"]


@pytest.mark.parametrize(
    "data",
    [
        events(WHOLE[0]) + b'data: {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}\n\n',
        events(WHOLE[0]) + b'{"error": {"code": 503,\n "message": "overloaded", "status": "UNAVAILABLE"}}\n\n',
        b"[" + orjson.dumps(WHOLE[0]) + b',{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}]',
    ],
    ids=["event", "bare", "array"],
)
def test_events_before_an_error_are_returned_first(data: bytes):
    reader = GEMINI.reader()
    assert TextDelta("o") in reader.feed(data)
    with pytest.raises(UpstreamError) as caught:
        reader.feed(b"")
    assert (caught.value.reason, caught.value.status) == ("overloaded", 503)


@pytest.mark.parametrize("data", [b"data: {oops\n\n", b"data: 3\n\n", b'data: {"candidates": [3]}\n\n', b"[{oops}]"])
def test_anything_but_an_answer_is_malformed(data: bytes):
    reader = GEMINI.reader()
    with pytest.raises(MalformedStream):
        _ = reader.feed(data) and reader.feed(b"")


def test_a_blocked_prompt_is_an_answer_with_a_finish():
    body = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 4},
        "modelVersion": "m",
        "responseId": "r",
    }
    answer = collect(GEMINI.read_response(body))
    assert answer.first.finish is not None
    assert (answer.first.finish.reason, answer.first.finish.raw) == ("content_filter", "PROHIBITED_CONTENT")
    assert GEMINI.write_response(answer, ChatRequest("gemini", "m")) == body
    assert read(events(body)) == answer


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("CONTINUATION", "pause"),
        ("LANGUAGE", "other"),
        ("SOMETHING_NEW", "other"),
        (2, "length"),
    ],
)
def test_every_finish_reason_is_read(raw: Any, reason: str):
    answer = read(events(chunk({"text": "x"}, finish=raw, usage=USAGE)))
    assert answer.first.finish is not None
    assert answer.first.finish.reason == reason


def test_calls_without_ids_get_different_ids():
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    body = chunk({**call, "thoughtSignature": "czE="}, call, {"functionCall": {"name": "g"}}, finish="STOP", usage=USAGE)
    answer = collect(GEMINI.read_response(body))
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "tool_calls"
    assert len({one.id for one in answer.first.tool_calls}) == 3
    assert [one.signature for one in answer.first.tool_calls] == ["czE=", None, None]
    assert read(events(body)) == answer
    assert GEMINI.write_response(answer, ChatRequest("gemini", "m")) == body
    assert [one.id for one in collect(GEMINI.read_response({**body, "responseId": "r2"})).first.tool_calls] != [
        one.id for one in answer.first.tool_calls
    ]


def test_a_call_in_pieces_is_one_call():
    pieces = [
        {"name": "f", "id": "c", "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.city", "stringValue": "Be", "willContinue": True}], "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.city", "stringValue": "rn"}], "willContinue": True},
        {
            "partialArgs": [{"jsonPath": "$.days[0].n", "numberValue": 2}, {"jsonPath": "$.now", "boolValue": True}],
            "willContinue": True,
        },
        {},
    ]
    chunks = [chunk({"functionCall": piece}) for piece in pieces]
    answer = read(events(*chunks, chunk({"text": ""}, finish="STOP", usage=USAGE)))
    (call,) = answer.first.tool_calls
    assert orjson.loads(call.arguments) == {"city": "Bern", "days": [{"n": 2}], "now": True}


def test_the_signature_of_a_text_is_kept_and_citations_belong_to_the_text():
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [{"segment": {"endIndex": 6, "text": "für"}, "groundingChunkIndices": [0]}],
    }
    answer = read(
        events(
            chunk({"text": "für"}),
            chunk({"text": " x", "thoughtSignature": "czE="}),
            chunk({"text": ""}, finish="STOP", usage=USAGE, groundingMetadata=grounding),
        )
    )
    text, signature = answer.first.parts
    assert isinstance(text, Text)
    assert [(c.url, c.start, c.end) for c in text.citations] == [("https://a.example", 0, 5)]
    assert isinstance(signature, Opaque)
    assert GEMINI.write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]["content"]["parts"] == [
        {"text": "für x", "thoughtSignature": "czE="}
    ]


def test_audio_and_hosted_tools_are_counted_separately():
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 30,
        "thoughtsTokenCount": 5,
        "totalTokenCount": 142,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 10}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
    }
    body = chunk({"text": "x"}, finish="STOP", usage=usage)
    answer = collect(GEMINI.read_response(body))
    found = answer.usage
    assert found is not None
    assert (found.input, found.cache_read, found.audio_in, found.output, found.reasoning, found.audio_out) == (
        27,
        40,
        40,
        15,
        5,
        20,
    )
    assert found.total_input + found.total_output == 142
    assert GEMINI.write_response(answer, ChatRequest("gemini", "m")) == body


@pytest.mark.parametrize("framing", ["gemini", "gemini_array"])
def test_a_broken_stream_ends_with_an_error_and_no_finish_reason(framing: str):
    writer = dialect(framing).writer(ChatRequest("gemini", "m"))
    data = writer.ping() + writer.write(Started("r", "m")) + writer.write(TextDelta("hi")) + writer.ping()
    data += writer.fail(ProviderFailed("it broke", code="provider_stream_broken"))
    assert b"finishReason" not in data
    reader = GEMINI.reader()
    assert TextDelta("hi") in reader.feed(data)
    with pytest.raises(UpstreamError, match="it broke"):
        reader.feed(b"")
    if framing == "gemini_array":
        assert orjson.loads(data)[-1]["error"]["code"] == 502


def test_an_array_that_fails_at_once_is_json():
    assert orjson.loads(dialect("gemini_array").writer(ChatRequest("gemini", "m")).fail(RateLimited("slow down", retry_after=3)))


def test_calls_are_written_when_complete_and_usage_comes_last():
    writer = GEMINI.writer(ChatRequest("gemini", "alias"))
    assert writer.write(ToolCallStarted("a", "f")) == b""
    assert writer.write(ToolCallDelta("a", '{"x"')) == b""
    assert writer.write(ToolCallStarted("b", "g")) == b""
    assert writer.write(ToolCallDelta("a", ":1}")) == b""
    written = writer.write(TextDelta("done"))
    assert written.index(b'"name":"f"') < written.index(b"done")
    rest = writer.write(Finished("tool_calls")) + writer.write(UsageReported(Usage(3, output=2))) + writer.end()
    answer = read(written + rest)
    assert [(call.id, call.name, call.arguments) for call in answer.first.tool_calls] == [("a", "f", '{"x":1}'), ("b", "g", "{}")]
    assert answer.usage is not None
    assert answer.usage.total_output == 2
    assert answer.started.model == "alias"
