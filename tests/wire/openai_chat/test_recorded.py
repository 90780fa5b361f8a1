"""The Chat Completions dialect against recorded traffic of OpenAI and its compatible vendors."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.errors import Reason, UpstreamError
from tests.fakes.replay import interactions
from tests.wire.chat_frames import CHAT, read, stream_of

Recording = dict[str, Any]


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> list[Recording]:
    kept = [
        each for each in interactions(recordings) if urlsplit(each["uri"]).path.endswith("/chat/completions") and "text" in each
    ]
    assert len(kept) > 250
    return kept


def streams(recorded: list[Recording]) -> Iterator[tuple[str, bytes]]:
    """Every recorded stream that ended well."""
    for each in recorded:
        if each["text"].startswith(("data:", ":")) and "event: error" not in each["text"]:
            yield each["cassette"], each["text"].encode()


def bodies(recorded: list[Recording]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded whole answer."""
    for each in recorded:
        if each["status"] == 200 and each["text"].lstrip().startswith("{"):
            yield each["cassette"], orjson.loads(each["text"])


def answers(recorded: list[Recording]) -> Iterator[tuple[str, Answer]]:
    for name, data in streams(recorded):
        yield name, collect(read(data))
    for name, body in bodies(recorded):
        yield name, collect(CHAT.read_response(body))


def settled(answer: Answer) -> Answer:
    """The answer but for what the two forms say differently: an unsaid finish, and where late fields of chunks stand."""
    settled = copy.deepcopy(answer)
    for choice in settled.choices:
        assert choice.finish is not None
        choice.finish.raw = choice.finish.raw or choice.finish.reason
        settled.started.extra.update(choice.finish.extra.pop("response", {}))
    return settled


def test_every_request_is_written_as_it_was_read(recorded: list[Recording]) -> None:
    for each in recorded:
        sent = each["req"]
        out = CHAT.write_request(CHAT.read_request(copy.deepcopy(sent), {}), sent["model"])
        assert out.body == sent, each["cassette"]
        assert out.dropped == [], each["cassette"]


def test_any_split_of_a_stream_gives_the_same_events(recorded: list[Recording]) -> None:
    for name, data in streams(recorded):
        whole = read(data)
        for split in (1, 7, 64) if len(data) < 20_000 else (7, 64):
            assert read(data, split) == whole, (name, split)


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 100_000), max_size=30), which=st.integers(0, 1_000))
def test_the_places_of_the_cuts_do_not_matter(recorded: list[Recording], cuts: list[int], which: int) -> None:
    found = list(streams(recorded))
    _, data = found[which % len(found)]
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    reader = CHAT.reader()
    events = [event for start, stop in pairwise(places) for event in reader.feed(data[start:stop])]
    assert events + reader.close() == read(data)


def test_a_stream_agrees_with_its_chunks(recorded: list[Recording]) -> None:
    """Against a reading that knows nothing of events."""
    for name, data in streams(recorded):
        text, calls, finish, usage = "", {}, None, None
        for line in data.split(b"\n"):
            if not line.startswith(b"data: {"):
                continue
            chunk = orjson.loads(line[6:])
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                content = choice["delta"].get("content")
                if isinstance(content, list):
                    content = "".join(part.get("text", "") for part in content)
                text += content or ""
                finish = finish or choice.get("finish_reason")
                for call in choice["delta"].get("tool_calls") or []:
                    known = calls.setdefault(call.get("index", call.get("id")), ["", "", ""])
                    known[0] += call.get("id") or ""
                    known[1] += call["function"].get("name") or ""
                    known[2] += call["function"].get("arguments") or ""
        answer = collect(read(data))
        assert answer.first.text == text, name
        assert [[call.id, call.name, call.arguments] for call in answer.first.tool_calls] == list(calls.values()), name
        assert answer.first.finish is not None
        assert answer.first.finish.raw == finish, name
        _same_usage(name, answer, usage)


def _same_usage(name: str, answer: Answer, usage: dict[str, Any] | None) -> None:
    assert (answer.usage is None) == (not usage), name
    if answer.usage is None or not usage:
        return
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    assert answer.usage.cache_read == cached, name
    # Azure's Grok counts the cached tokens apart.
    apart = "azure_grok" in name
    assert answer.usage.input == usage["prompt_tokens"] - (0 if apart else cached), name
    assert answer.usage.output == usage["completion_tokens"], name


def test_a_whole_answer_agrees_with_its_body(recorded: list[Recording]) -> None:
    for name, body in bodies(recorded):
        answer = collect(CHAT.read_response(body))
        for choice, raw in zip(answer.choices, body["choices"], strict=True):
            message = raw["message"]
            content = message.get("content") or ""
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            assert choice.text == content, name
            ids = [call["id"] for call in message.get("tool_calls") or []]
            assert [call.id for call in choice.tool_calls if not call.extra.get("function_call")] == ids, name
            thought = message.get("reasoning_content") or message.get("reasoning")
            assert choice.thinking == thought or not thought, name
        assert answer.usage is not None
        assert answer.usage.total_input + answer.usage.total_output >= body["usage"]["total_tokens"], name


def test_an_answer_survives_being_written_and_read_again(recorded: list[Recording]) -> None:
    for name, answer in answers(recorded):
        body = orjson.loads(orjson.dumps(CHAT.write_response(answer, CHAT_REQUEST)))
        assert settled(collect(CHAT.read_response(body))) == settled(answer), name
        assert settled(collect(read(stream_of(answer)))) == settled(answer), name


CHAT_REQUEST = CHAT.read_request({"model": "m", "messages": [{"role": "user", "content": "hi"}]}, {})

REASONS: dict[tuple[str, int, str], Reason] = {
    ("azure", 404, "DeploymentNotFound"): "model_not_found",
    ("openai", 400, "invalid_image_url"): "bad_request",
    ("openai", 404, "model_not_found"): "model_not_found",
    ("openai", 400, "invalid_value"): "bad_request",
    ("openai", 400, "invalid_request_error"): "bad_request",
    ("groq", 404, "model_not_found"): "model_not_found",
    ("groq", 400, "tool_use_failed"): "bad_request",
    ("perplexity", 401, "invalid_api_key"): "auth",
    ("deepseek", 400, "invalid_request_error"): "context_length",
}


def test_recorded_errors_are_classified(recorded: list[Recording]) -> None:
    refused = [each for each in recorded if each["status"] >= 400]
    assert refused
    for each in refused:
        error = CHAT.read_error(each["status"], dict(each["headers"]), each["text"].encode())
        expected = REASONS.get((each["provider"], each["status"], error.kind or ""))
        assert expected is None or error.reason == expected, each["cassette"]
        assert error.message in each["text"].replace('\\"', '"'), each["cassette"]


def test_a_recorded_error_inside_a_stream_is_raised(recorded: list[Recording]) -> None:
    broken = [each["text"].encode() for each in recorded if "event: error" in each["text"]]
    for data in broken:
        with pytest.raises(UpstreamError) as raised:
            read(data, 64)
        assert (raised.value.reason, raised.value.kind) == ("bad_request", "tool_use_failed")
