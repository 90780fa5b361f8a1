"""Bedrock's dialect against recorded traffic."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import pytest
from botocore.eventstream import EventStreamBuffer

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import (
    Opaque,
)
from conduit_desktop.core.events import Usage
from conduit_desktop.wire import dialect
from tests.wire.dialect_io import Recording, again, answer_of, client_request, read, recorded, write_stream

BEDROCK = dialect("bedrock")
OPENAI = dialect("openai_chat")
ANTHROPIC = dialect("anthropic_messages")


@pytest.fixture(scope="module")
def cassettes(recordings: Path) -> list[Recording]:
    found = recorded(recordings, "converse", "converse-stream")
    assert len(found) > 50
    return found


def model_of(each: Recording) -> str:
    return unquote(urlsplit(each["uri"]).path.split("/")[2])


def streams(cassettes: list[Recording]) -> Iterator[tuple[str, bytes]]:
    return ((each["cassette"], base64.b64decode(each["b64"])) for each in cassettes if "b64" in each)


def bodies(cassettes: list[Recording]) -> Iterator[tuple[str, dict[str, Any]]]:
    good = (each for each in cassettes if each["status"] == 200 and "text" in each)
    return ((each["cassette"], orjson.loads(each["text"])) for each in good)


def test_every_recorded_request_is_written_as_it_was_read(cassettes: list[Recording]) -> None:
    for each in cassettes:
        assert again(BEDROCK, each["req"], path={"model": model_of(each)}) == each["req"], each["cassette"]


def test_a_recorded_answer_is_written_as_it_was_read(cassettes: list[Recording]) -> None:
    for name, body in bodies(cassettes):
        answer = collect(BEDROCK.read_response(copy.deepcopy(body)))
        assert BEDROCK.write_response(answer, client_request(BEDROCK)) == body, name
        texts = [block.get("text") or "" for block in body["output"]["message"]["content"]]
        cited = [block["citationsContent"] for block in body["output"]["message"]["content"] if "citationsContent" in block]
        texts += [part["text"] for content in cited for part in content.get("content", ())]
        assert sorted(answer.first.text) == sorted("".join(texts)), name
        assert answer.usage is not None
        assert (answer.usage.input, answer.usage.output) == (body["usage"]["inputTokens"], body["usage"]["outputTokens"]), name
        assert answer_of(BEDROCK, write_stream(BEDROCK, BEDROCK.read_response(body))).first.text == answer.first.text, name


def naive(data: bytes) -> dict[str, Any]:
    """A stream as botocore cuts it, read in the plainest way."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    expected: dict[str, Any] = {"text": "", "thinking": "", "calls": {}}
    for message in buffer:
        payload = orjson.loads(message.payload)
        kind = message.headers[":event-type"]
        if kind == "contentBlockStart" and payload["start"].get("toolUse", {}).get("type") in (None, "tool_use"):
            if "toolUse" in payload["start"]:
                expected["calls"][payload["contentBlockIndex"]] = [payload["start"]["toolUse"]["toolUseId"], ""]
        elif kind == "contentBlockDelta":
            part = payload["delta"]
            expected["text"] += part.get("text", "")
            expected["thinking"] += part.get("reasoningContent", {}).get("text", "")
            if "toolUse" in part and payload["contentBlockIndex"] in expected["calls"]:
                expected["calls"][payload["contentBlockIndex"]][1] += part["toolUse"]["input"]
        elif kind in ("messageStop", "metadata"):
            expected |= payload
    return expected


def test_a_recorded_stream_agrees_with_a_plain_reading(cassettes: list[Recording]) -> None:
    seen = 0
    for name, data in streams(cassettes):
        expected, answer = naive(data), answer_of(BEDROCK, data)
        assert (answer.first.text, answer.first.thinking) == (expected["text"], expected["thinking"]), name
        assert [[call.id, call.arguments] for call in answer.first.tool_calls] == list(expected["calls"].values()), name
        assert answer.first.finish is not None
        assert answer.first.finish.raw == expected["stopReason"], name
        assert answer.usage is not None
        assert (answer.usage.input, answer.usage.output) == (expected["usage"]["inputTokens"], expected["usage"]["outputTokens"]), (
            name
        )
        reader = BEDROCK.reader()
        reader.feed(data)
        assert reader.done, name
        seen += 1
    assert seen >= 8


def test_a_recorded_stream_survives_being_written(cassettes: list[Recording]) -> None:
    for name, data in streams(cassettes):
        answer = answer_of(BEDROCK, data)
        if not any(isinstance(part, Opaque) for part in answer.first.parts):
            assert answer_of(BEDROCK, write_stream(BEDROCK, read(BEDROCK, data))) == answer, name


def test_recorded_errors_are_classified(cassettes: list[Recording]) -> None:
    refused = [each for each in cassettes if each["status"] >= 400]
    assert refused
    for each in refused:
        headers = {name.lower(): value for name, value in each["headers"]}
        error = BEDROCK.read_error(each["status"], headers, each["text"].encode())
        expected = (
            "model_not_found" if "identifier" in each["text"] else "context_length" if "Exceeded" in each["text"] else "bad_request"
        )
        assert error.reason == expected, each["text"]


def test_recorded_answers_reach_other_dialects(cassettes: list[Recording]) -> None:
    for name, body in bodies(cassettes):
        answer = collect(BEDROCK.read_response(body))
        for other in (OPENAI, ANTHROPIC):
            crossed = collect(other.read_response(orjson.loads(orjson.dumps(other.write_response(answer, client_request(other))))))
            assert crossed.first.text == answer.first.text, name
            assert [call.id for call in crossed.first.tool_calls] == [call.id for call in answer.first.tool_calls], name
            assert crossed.usage is not None
            assert crossed.usage.output == (answer.usage or Usage()).output, name
