"""The Responses dialect against recorded traffic of OpenAI, Azure, DeepSeek and xAI."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Thinking
from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.wire import dialect
from tests.fakes.replay import interactions
from tests.wire.dialect_io import translated
from tests.wire.messages_frames import as_sent, check_rules
from tests.wire.responses_frames import REQUEST, RESPONSES, read, stream_of

Recording = dict[str, Any]
CHAT, MESSAGES = dialect("openai_chat"), dialect("anthropic_messages")


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> list[Recording]:
    kept = [each for each in interactions(recordings) if each["kind"] == "responses" and "text" in each]
    assert len(kept) >= 150
    return kept


def streams(recorded: list[Recording]) -> Iterator[tuple[str, bytes]]:
    for each in recorded:
        if each["text"].startswith(("event:", "data:")):
            yield each["cassette"], each["text"].encode()


def bodies(recorded: list[Recording]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in recorded:
        if each["status"] == 200 and each["text"].startswith("{"):
            yield each["cassette"], orjson.loads(each["text"])


def answers(recorded: list[Recording]) -> Iterator[tuple[str, Answer]]:
    for name, data in streams(recorded):
        yield name, collect(read(data))
    for name, body in bodies(recorded):
        yield name, collect(RESPONSES.read_response(body))


def settled(answer: Answer) -> Answer:
    """The answer, with the fields of its last event added to those of its first."""
    settled = copy.deepcopy(answer)
    for choice in settled.choices:
        assert choice.finish is not None
        settled.started.extra.update(choice.finish.extra.pop("response", {}))
    return settled


def test_every_request_is_written_as_it_was_read(recorded: list[Recording]) -> None:
    for each in recorded:
        out = RESPONSES.write_request(RESPONSES.read_request(copy.deepcopy(each["req"]), {}), each["req"]["model"])
        assert out.body == each["req"], each["cassette"]
        assert out.dropped == [], each["cassette"]


def test_every_request_can_be_written_in_other_dialects(recorded: list[Recording]) -> None:
    for each in recorded:
        request = RESPONSES.read_request(copy.deepcopy(each["req"]), {})
        chat = translated(CHAT, request, "gpt-x").body
        if any(message["role"] == "user" for message in chat["messages"]):
            CHAT.read_request(orjson.loads(orjson.dumps(chat)), {})
        assert all(tool["type"] == "function" for tool in chat.get("tools", []))
        if each["status"] == 200:  # a temperature of -1 is refused everywhere
            check_rules(as_sent(translated(MESSAGES, request, "claude-x").body))


def test_any_split_of_a_stream_gives_the_same_events(recorded: list[Recording]) -> None:
    for name, data in streams(recorded):
        whole = read(data)
        for split in (1, 7, 64) if len(data) < 50_000 else (7, 64):
            assert read(data, split) == whole, (name, split)


def test_a_stream_agrees_with_its_last_event(recorded: list[Recording]) -> None:
    """The response at the end holds everything once more."""
    seen = 0
    for name, data in streams(recorded):
        last = [orjson.loads(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: {")][-1]
        answer = collect(read(data))
        whole = collect(RESPONSES.read_response(last["response"]))
        for part in (*answer.first.parts, *whole.first.parts):
            if isinstance(part, Thinking):
                part.signature = "a proof" if part.signature else None  # encrypted anew for each event
        assert answer.first.parts == whole.first.parts, name
        assert settled(answer).usage == whole.usage, name
        seen += 1
    assert seen > 10


def test_a_whole_answer_agrees_with_its_body(recorded: list[Recording]) -> None:
    """Against a reading that knows nothing of events."""
    for name, body in bodies(recorded):
        answer = collect(RESPONSES.read_response(body))
        messages = [item for item in body["output"] if item["type"] == "message"]
        assert answer.first.text == "".join(part["text"] for item in messages for part in item["content"]), name
        calls = [(item["call_id"], item["name"], item["arguments"]) for item in body["output"] if item["type"] == "function_call"]
        assert [(call.id, call.name, call.arguments) for call in answer.first.tool_calls] == calls, name
        assert answer.first.finish is not None
        if body["usage"]:
            assert answer.usage is not None
            cached = body["usage"]["input_tokens_details"]["cached_tokens"]
            counted = (answer.usage.total_input, answer.usage.cache_read, answer.usage.output, answer.usage.reasoning)
            thought = body["usage"]["output_tokens_details"]["reasoning_tokens"]
            assert counted == (body["usage"]["input_tokens"], cached, body["usage"]["output_tokens"], thought), name


def test_the_cost_reported_by_xai_is_read(recorded: list[Recording]) -> None:
    costs = [body["usage"].get("cost_in_usd_ticks") for _, body in bodies(recorded) if body["usage"]]
    read_costs = [collect(RESPONSES.read_response(body)).usage for _, body in bodies(recorded) if body["usage"]]
    assert any(costs)
    assert [cost // 10 if cost else None for cost in costs] == [usage.cost_nano if usage else None for usage in read_costs]


def test_an_answer_survives_being_written_and_read_again(recorded: list[Recording]) -> None:
    for name, answer in answers(recorded):
        body = orjson.loads(orjson.dumps(RESPONSES.write_response(answer, REQUEST)))
        assert settled(collect(RESPONSES.read_response(body))) == settled(answer), name
        assert settled(collect(read(stream_of(answer)))) == settled(answer), name


def test_every_answer_can_be_written_in_other_dialects(recorded: list[Recording]) -> None:
    for name, answer in answers(recorded):
        for to in (CHAT, MESSAGES):
            body = orjson.loads(orjson.dumps(to.write_response(answer, ChatRequest(to.name, "alias"))))
            crossed = collect(to.read_response(body))
            assert crossed.first.text == answer.first.text, name
            assert [(call.id, call.name) for call in crossed.first.tool_calls] == [
                (call.id, call.name) for call in answer.first.tool_calls
            ], name


REASONS: dict[tuple[str, str | None], Reason] = {
    ("openai", "invalid_value"): "bad_request",
    ("openai", "decimal_below_min_value"): "bad_request",
    ("openai", "model_not_found"): "model_not_found",
    ("xai", "invalid-argument"): "auth",
}


def test_recorded_errors_are_classified(recorded: list[Recording]) -> None:
    refused = [each for each in recorded if each["status"] >= 400]
    assert refused
    for each in refused:
        error = RESPONSES.read_error(each["status"], dict(each["headers"]), each["text"].encode())
        assert isinstance(error, UpstreamError)
        assert error.dialect == "openai_responses"
        assert error.reason == REASONS.get((each["provider"], error.kind), error.reason), each["cassette"]
        assert error.message in each["text"].replace('\\"', '"'), each["cassette"]
