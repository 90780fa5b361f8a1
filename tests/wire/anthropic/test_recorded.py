"""Anthropic's dialect against recorded traffic."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import Opaque, RedactedThinking, Text, Thinking, ToolCall
from tests.fakes.replay import interactions
from tests.wire.messages_frames import MESSAGES, REQUEST, answer_of, normalised, payloads, read, write

Recording = dict[str, Any]


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> list[Recording]:
    kept = [each for each in interactions(recordings) if urlsplit(each["uri"]).path.endswith("/v1/messages") and "text" in each]
    assert len(kept) > 50
    return kept


def streams(recorded: list[Recording]) -> Iterator[tuple[str, bytes]]:
    """Every recorded stream."""
    return ((each["cassette"], each["text"].encode()) for each in recorded if each["text"].startswith("event:"))


def bodies(recorded: list[Recording]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded whole answer."""
    for each in recorded:
        if each["status"] == 200 and each["text"].startswith("{"):
            yield each["cassette"], orjson.loads(each["text"])


def test_every_request_is_written_as_it_was_read(recorded: list[Recording]) -> None:
    for each in recorded:
        sent = each["req"]
        out = MESSAGES.write_request(MESSAGES.read_request(copy.deepcopy(sent), {}), sent["model"])
        assert out.body == sent, each["cassette"]
        assert out.dropped == [], each["cassette"]


def test_any_split_of_a_stream_gives_the_same_events(recorded: list[Recording]) -> None:
    for name, data in streams(recorded):
        whole = read(data)
        for split in (1, 7, 64):
            assert read(data, split) == whole, (name, split)


@settings(max_examples=15)
@given(data=st.data())
def test_a_stream_may_be_cut_anywhere(recorded: list[Recording], data: st.DataObject) -> None:
    _, stream = data.draw(st.sampled_from(list(streams(recorded))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    reader = MESSAGES.reader()
    events = [e for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) for e in reader.feed(stream[a:b])]
    assert events + reader.close() == read(stream)


def naive_stream(data: bytes) -> dict[str, Any]:
    """A stream read in the plainest way: line by line, block by block."""
    blocks: dict[int, dict[str, Any]] = {}
    message: dict[str, Any] = {}
    for payload in (orjson.loads(line[5:]) for line in data.splitlines() if line.startswith(b"data:")):
        match payload["type"]:
            case "message_start":
                message.update(payload["message"])
                usage = dict(payload["message"]["usage"])
            case "content_block_start":
                blocks[payload["index"]] = {**payload["content_block"], "json": ""}
            case "content_block_delta":
                at = blocks[payload["index"]]
                for key, value in payload["delta"].items():
                    if key == "partial_json":
                        at["json"] += value
                    elif key == "citation":
                        at.setdefault("citations", []).append(value)
                    elif key != "type":
                        at[key] = at.get(key, "") + value
            case "message_delta":
                message.update(payload["delta"])
                usage.update(payload["usage"])
    for at in blocks.values():
        text = at.pop("json")
        if text:
            at["input"] = orjson.loads(text)
    return {**message, "content": [blocks[index] for index in sorted(blocks)], "usage": usage}


def same(answer: Answer, body: dict[str, Any]) -> None:
    """The answer says what `body`, a message, says."""
    assert (answer.started.id, answer.started.model) == (body["id"], body["model"])
    assert len(answer.first.parts) == len(body["content"])
    for part, block in zip(answer.first.parts, body["content"], strict=True):
        match part:
            case Text():
                assert part.text == block["text"]
                assert [c.raw for c in part.citations] == (block.get("citations") or [])
            case Thinking():
                assert (part.text, part.signature) == (block["thinking"], block["signature"])
            case RedactedThinking():
                assert part.data == block["data"]
            case ToolCall():
                assert (part.id, part.name, orjson.loads(part.arguments)) == (block["id"], block["name"], block["input"])
            case Opaque():
                assert part.value == block
            case _:
                raise AssertionError(part)
    assert answer.first.finish is not None
    assert (answer.first.finish.raw, answer.first.finish.stop_sequence) == (body["stop_reason"], body["stop_sequence"])
    usage = answer.usage
    assert usage is not None
    assert usage.input == body["usage"]["input_tokens"]
    assert usage.output == body["usage"]["output_tokens"]
    assert usage.cache_read == body["usage"].get("cache_read_input_tokens", 0)
    assert usage.cache_write_5m + usage.cache_write_1h == body["usage"].get("cache_creation_input_tokens", 0)


def test_streams_agree_with_a_plain_reading(recorded: list[Recording]) -> None:
    for _, data in streams(recorded):
        same(collect(read(data)), naive_stream(data))


def test_answers_agree_with_their_json(recorded: list[Recording]) -> None:
    for _, body in bodies(recorded):
        same(collect(MESSAGES.read_response(body)), body)


def test_a_written_answer_is_the_body_it_was_read_from(recorded: list[Recording]) -> None:
    for name, body in bodies(recorded):
        answer = collect(MESSAGES.read_response(copy.deepcopy(body)))
        written = MESSAGES.write_response(answer, REQUEST)
        assert {**written, "usage": None} == {**body, "usage": None}, name
        assert collect(MESSAGES.read_response(written)) == answer, name


def test_streams_and_whole_bodies_carry_the_same_answer(recorded: list[Recording]) -> None:
    for name, data in streams(recorded):
        answer = answer_of(data)
        assert answer_of(write(read(data))) == answer, name
        assert normalised(collect(MESSAGES.read_response(MESSAGES.write_response(answer, REQUEST)))) == answer, name
    for name, body in bodies(recorded):
        answer = collect(MESSAGES.read_response(body))
        assert answer_of(write(list(answer.events()))) == normalised(answer), name


def test_written_streams_have_contiguous_blocks(recorded: list[Recording]) -> None:
    for name, data in streams(recorded):
        written = payloads(write(read(data)))
        starts = [each["index"] for each in written if each["type"] == "content_block_start"]
        stops = [each["index"] for each in written if each["type"] == "content_block_stop"]
        assert starts == stops == list(range(len(starts))), name
        assert [each["type"] for each in written][-2:] == ["message_delta", "message_stop"], name


def test_recorded_errors_are_classified(recorded: list[Recording]) -> None:
    reasons = {
        each["text"][:400]: MESSAGES.read_error(each["status"], {}, each["text"].encode()).reason
        for each in recorded
        if each["status"] != 200
    }
    assert reasons
    for text, reason in reasons.items():
        expected = "context_length" if "too long" in text else "auth" if "authentication_error" in text else "bad_request"
        assert reason == expected, text
