"""Replicate's predictions, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Media, Message, OutputFormat, Text, Tool, ToolCall, ToolResult
from conduit_desktop.core.errors import BadRequest, ProviderFailed, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event, Finished, Started, TextDelta, Usage, UsageReported
from conduit_desktop.wire import dialect
from conduit_desktop.wire.replicate.response import read_usage
from conduit_desktop.wire.replicate.stream_reader import ReplicateReader

REPLICATE = dialect("replicate")
STREAM = (
    b": hi\n\nevent: output\nid: 1:0\ndata: Hel\n\nevent: logs\ndata: loading\n\n"
    b"event: output\ndata: lo\ndata: \ndata: w\xc3\xb6rld\n\n"
    b"event: done\ndata: {}\n\n"
    b'event: prediction\ndata: {"status":"succeeded","metrics":{"input_token_count":3,"output_token_count":4,"predict_time":1}}\n\n'
)


def request(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest("openai_chat", "m", list(messages), **fields)


def user(text: str) -> Message:
    return Message("user", [Text(text)], plain=True)


def read(data: bytes, split: int) -> list[Event]:
    reader = ReplicateReader()
    events = [event for at in range(0, len(data), split) for event in reader.feed(data[at : at + split])]
    return events + reader.close()


@pytest.mark.parametrize("split", [1, 2, 7, 1000])
def test_a_stream_in_any_split_is_the_same_answer(split: int) -> None:
    answer = collect(read(STREAM, split))
    assert answer.first.text == "Hello\n\nwörld"
    assert answer.usage == Usage(input=3, output=4, extra={"predict_time": 1})
    assert answer.first.finish == Finished("stop", "succeeded")


def test_a_stream_is_complete_without_metrics() -> None:
    answer = collect(read(STREAM.partition(b"event: prediction")[0], 5))
    assert answer.first.text == "Hello\n\nwörld"
    assert answer.usage is None


def test_a_stream_without_done_is_broken() -> None:
    with pytest.raises(StreamBroken):
        read(STREAM.partition(b"event: done")[0], 50)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (b'event: error\ndata: {"detail":"Prediction failed: out of memory"}\n\n', "out of memory"),
        (b"event: error\ndata: it broke\n\n", "it broke"),
        (b'event: done\ndata: {"reason":"canceled"}\n\n', "canceled"),
        (b'event: done\ndata: {"reason":"error"}\n\n', "error"),
        (b'event: done\ndata: {}\n\nevent: prediction\ndata: {"status":"failed","error":"boom"}\n\n', "boom"),
    ],
)
def test_a_failed_prediction_is_an_error(end: bytes, message: str) -> None:
    with pytest.raises(UpstreamError, match=message) as caught:
        read(b"event: output\ndata: x\n\n" + end, 1000)
    assert caught.value.dialect == "replicate"
    assert caught.value.status == 500


def test_one_question_goes_as_it_is_and_a_conversation_as_a_transcript() -> None:
    plain = REPLICATE.write_request(request(Message("system", [Text("Be brief.")]), user("Hi")), "meta/llama")
    assert plain.body == {"input": {"prompt": "Hi", "system_prompt": "Be brief."}}
    call, result = ToolCall("c1", "look", '{"a":1}'), ToolResult("c1", [Text("seen")])
    turns = [user("Hi"), Message("assistant", [Text("Yes?"), call]), Message("tool", [result]), user("Go on")]
    talk = REPLICATE.write_request(request(*turns, stream=True), "meta/llama")
    assert talk.body["input"]["prompt"] == (
        'User: Hi\n\nAssistant: Yes?\n[called look with {"a":1}]\n\nTool: seen\n\nUser: Go on\n\nAssistant:'
    )
    assert talk.body["stream"] is True


@pytest.mark.parametrize(
    ("model", "inputs", "dropped"),
    [
        ("meta/llama", {"prompt": "Hi", "max_tokens": 5, "temperature": 0.5, "seed": 1, "stop_sequences": "a,b"}, []),
        ("openai/gpt-5", {"prompt": "Hi", "max_completion_tokens": 5, "temperature": 0.5}, ["stop", "seed"]),
        ("anthropic/claude-4-sonnet", {"prompt": "Hi", "max_tokens": 5}, ["stop", "temperature", "seed"]),
        ("google/gemini-2.5-flash", {"prompt": "Hi", "max_output_tokens": 5, "temperature": 0.5}, ["stop", "seed"]),
    ],
)
def test_inputs_are_named_as_the_family_names_them(model: str, inputs: dict[str, Any], dropped: list[str]) -> None:
    out = REPLICATE.write_request(request(user("Hi"), max_tokens=5, temperature=0.5, seed=1, stop=["a", "b"]), model)
    assert out.body["input"] == inputs
    assert out.dropped == dropped


def test_fields_that_a_prediction_cannot_have_are_reported_as_dropped() -> None:
    audio = Message("user", [Text("Hi"), Media("audio", data="AAAA"), Media("image", file_id="f")])
    out = REPLICATE.write_request(request(audio, tools=[Tool("t")], output=OutputFormat("json"), n=2), "meta/llama")
    assert out.dropped == ["messages.audio", "messages.image", "tools", "n", "response_format"]


def test_images_are_inputs_of_their_own() -> None:
    seen = Message(
        "user", [Text("What?"), Media("image", data="AAAA", media_type="image/png"), Media("image", url="https://h/b.png")]
    )
    several = REPLICATE.write_request(request(seen), "openai/gpt-4o")
    assert several.body["input"]["image_input"] == ["data:image/png;base64,AAAA", "https://h/b.png"]
    one = REPLICATE.write_request(request(seen), "yorickvp/llava-13b")
    assert one.body["input"]["image"] == "https://h/b.png"
    assert one.dropped == ["messages.image"]


@pytest.mark.parametrize("model", ["meta/llama", "openai/gpt-4o", "google/gemini-2.5-flash"])
def test_a_request_is_written_as_it_was_read(model: str) -> None:
    written = REPLICATE.write_request(
        request(Message("system", [Text("s")]), Message("user", [Text("Hi"), Media("image", url="https://h/a.png")]), max_tokens=3),
        model,
    ).body
    written["input"]["verbosity"] = "low"
    again = REPLICATE.write_request(REPLICATE.read_request(written, {"model": model}), model)
    assert again.body == written
    assert again.dropped == []


def test_an_input_without_a_prompt_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        REPLICATE.read_request({"input": {"text": "x"}}, {"model": "a/b"})
    assert caught.value.param == "input.prompt"


@pytest.mark.parametrize("output", ["Hello", ["Hel", "lo"]])
def test_a_whole_prediction_is_read_and_written(output: Any) -> None:
    body = {"id": "p", "model": "a/b", "status": "succeeded", "output": output, "created_at": "2026-11-22T00:00:00Z",
            "metrics": {"input_token_count": 1, "output_token_count": 2}}  # fmt: skip
    answer = collect(REPLICATE.read_response(body))
    assert (answer.first.text, answer.started.id, answer.usage) == ("Hello", "p", Usage(input=1, output=2))
    assert collect(REPLICATE.read_response(REPLICATE.write_response(answer, request()))).first.text == "Hello"


@pytest.mark.parametrize("status", ["failed", "canceled", "processing"])
def test_a_prediction_that_did_not_succeed(status: str) -> None:
    with pytest.raises(UpstreamError):
        REPLICATE.read_response({"id": "p", "status": status, "output": None, "error": None})


def test_the_reader_reads_the_writers_stream() -> None:
    events: list[Event] = [
        Started("p", "a/b"),
        TextDelta("two\n\nlines"),
        UsageReported(Usage(input=5, output=6)),
        Finished("stop"),
    ]
    writer = REPLICATE.writer(request())
    data = writer.ping() + b"".join(writer.write(event) for event in events) + writer.end()
    answer: Answer = collect(read(data, 3))
    assert answer.first.text == "two\n\nlines"
    assert answer.usage == Usage(input=5, output=6)
    failed = REPLICATE.writer(request()).fail(ProviderFailed("it broke"))
    with pytest.raises(UpstreamError, match="it broke"):
        read(failed, 1000)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, b'{"title":"Unauthenticated","detail":"You did not pass a valid authentication token","status":401}', "auth"),
        (402, b'{"title":"Insufficient credit","detail":"You have insufficient credit to run this model","status":402}', "money"),
        (404, b'{"detail":"The requested resource could not be found.","status":404}', "model_not_found"),
        (422, b'{"title":"Input validation failed","detail":"- input: prompt is required\\n","status":422}', "bad_request"),
        (429, b'{"detail":"Request was throttled. Your rate limit resets in ~5s.","status":429}', "rate_limit"),
        (200, b'{"id":"p","status":"failed","error":"CUDA error"}', "server"),
    ],
)
def test_errors_are_classified(status: int, body: bytes, reason: str) -> None:
    error = REPLICATE.read_error(status, {}, body)
    assert (error.reason, error.dialect) == (reason, "replicate")


def test_our_errors_have_replicates_shape() -> None:
    assert REPLICATE.write_error(ProviderFailed("no")) == (502, {"title": "api_error", "detail": "no", "status": 502})
    body: dict[str, Any] = {"input": {"prompt": "x", "top_k": 3}}
    REPLICATE.override(body, "top_k", None)  # type: ignore[attr-defined]
    REPLICATE.override(body, "seed", 4)  # type: ignore[attr-defined]
    assert body == {"input": {"prompt": "x", "seed": 4}}


def test_what_a_prediction_counts_besides_tokens_and_times_is_named() -> None:
    usage = read_usage({"input_token_count": 3, "output_token_count": -2, "predict_time": 1.5, "image_count": 2})
    assert usage is not None
    assert (usage.input, usage.output, usage.unclear) == (3, 0, ("output_token_count", "image_count"))
