"""Gemini's dialect against recorded traffic of the Gemini API and of Vertex AI: nothing is lost, however bytes are split."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.genai import types

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import StreamBroken
from conduit_desktop.core.events import Event
from conduit_desktop.wire import dialect
from tests.fakes.replay import interactions

GEMINI = dialect("gemini")
REQUEST = ChatRequest("gemini", "gemini-x")
Recording = dict[str, Any]


@pytest.fixture(scope="module")
def recorded(recordings: Path) -> list[Recording]:
    """Every recorded call of `generateContent` and `streamGenerateContent`."""
    found = [each for each in interactions(recordings) if each["provider"] in ("gemini", "vertex")]
    return [each for each in found if each["kind"] in ("generateContent", "streamGenerateContent")]


def good(recorded: list[Recording], kind: str) -> list[tuple[str, str]]:
    return [(each["cassette"], each["text"]) for each in recorded if each["kind"] == kind and each["status"] == 200]


def read(data: bytes, split: int = 0) -> list[Event]:
    reader = GEMINI.reader()
    step = split or len(data)
    events: list[Event] = []
    for at in range(0, len(data), step):
        events += reader.feed(data[at : at + step])
    return events + reader.close(clean=True)


def chunks(text: str) -> list[dict[str, Any]]:
    """The chunks of a stream, read naively."""
    if text.lstrip().startswith("["):
        return list(orjson.loads(text))
    return [orjson.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]


def summary_of_candidates(candidates: list[dict[str, Any]]) -> dict[str, Any]:
    """What pieces of one candidate say, put together naively."""
    parts = [part for each in candidates for part in (each.get("content") or {}).get("parts", ())]
    return {
        "text": "".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
        "thinking": "".join(part["text"] for part in parts if part.get("thought")),
        "calls": [(part["functionCall"]["name"], part["functionCall"].get("args", {})) for part in parts if "functionCall" in part],
        "signatures": [part["thoughtSignature"] for part in parts if "thoughtSignature" in part],
    }


def summary_of_answer(answer: Answer) -> dict[str, Any]:
    """The same of an answer of ours."""
    first = answer.first
    signatures = [
        getattr(part, "signature", None) or (getattr(part, "value", None) or {}).get("thoughtSignature") for part in first.parts
    ]
    return {
        "text": first.text,
        "thinking": first.thinking,
        "calls": [(call.name, orjson.loads(call.arguments)) for call in first.tool_calls],
        "signatures": [signature for signature in signatures if signature],
    }


def test_there_are_recordings(recorded: list[Recording]) -> None:
    assert len(good(recorded, "generateContent")) > 100
    assert len(good(recorded, "streamGenerateContent")) > 15


def test_a_request_is_written_as_it_was_read(recorded: list[Recording]) -> None:
    for each in recorded:
        request = GEMINI.read_request(copy.deepcopy(each["req"]), {"model": "gemini-x", "stream": False})
        out = GEMINI.write_request(request, "gemini-x")
        assert (out.body, out.dropped) == (each["req"], []), each["cassette"]


def test_streams_are_the_same_in_any_split(recorded: list[Recording]) -> None:
    for name, text in good(recorded, "streamGenerateContent"):
        whole = read(text.encode())
        for split in (1, 7, 100):
            assert read(text.encode(), split) == whole, name


def test_streams_agree_with_a_plain_reading(recorded: list[Recording]) -> None:
    for name, text in good(recorded, "streamGenerateContent"):
        found = chunks(text)
        answer = collect(read(text.encode()))
        assert summary_of_answer(answer) == summary_of_candidates(
            [candidate for chunk in found for candidate in chunk.get("candidates", ())]
        ), name
        check_usage(answer, found[-1]["usageMetadata"])
        assert answer.started.id == found[0]["responseId"]


def check_usage(answer: Answer, raw: dict[str, Any]) -> None:
    usage = answer.usage
    assert usage is not None
    assert usage.total_input == raw.get("promptTokenCount", 0) + raw.get("toolUsePromptTokenCount", 0)
    assert usage.cache_read == raw.get("cachedContentTokenCount", 0)
    assert usage.reasoning == raw.get("thoughtsTokenCount", 0)
    assert usage.total_output == raw.get("candidatesTokenCount", 0) + usage.reasoning


def test_answers_agree_with_their_json(recorded: list[Recording]) -> None:
    for name, text in good(recorded, "generateContent"):
        body = orjson.loads(text)
        answer = collect(GEMINI.read_response(copy.deepcopy(body)))
        assert summary_of_answer(answer) == summary_of_candidates(body.get("candidates", [])), name
        check_usage(answer, body["usageMetadata"])
        assert answer.first.finish is not None, name
        called = answer.first.finish.reason == "tool_calls"
        assert called is bool(answer.first.tool_calls), name


def test_a_written_answer_is_the_body_it_was_read_from(recorded: list[Recording]) -> None:
    for name, text in good(recorded, "generateContent"):
        body = orjson.loads(text)
        written = GEMINI.write_response(collect(GEMINI.read_response(copy.deepcopy(body))), REQUEST)
        for candidate in body.get("candidates", ()):
            if candidate["finishReason"] == 1:  # requested with enums as numbers
                candidate["finishReason"] = "STOP"
        assert written == body, name


@pytest.mark.parametrize("framing", ["gemini", "gemini_array"])
def test_a_written_stream_has_the_same_answer_and_validates_against_googles_types(recorded: list[Recording], framing: str) -> None:
    for name, text in good(recorded, "streamGenerateContent"):
        events = read(text.encode())
        writer = dialect(framing).writer(REQUEST)
        data = b"".join([writer.write(event) for event in events]) + writer.end()
        for chunk in chunks(data.decode()):
            types.GenerateContentResponse.model_validate({**chunk, "usageMetadata": None}, extra="ignore")
        again = collect(read(data, 5))
        assert summary_of_answer(again) == summary_of_answer(collect(events)), name
        assert again.usage == collect(events).usage, name


def test_a_stream_cut_before_its_end_is_broken(recorded: list[Recording]) -> None:
    for _, text in good(recorded, "streamGenerateContent"):
        data = text.encode()
        for keep in (len(data) // 3, data.rfind(b"finishReason")):
            reader = GEMINI.reader()
            reader.feed(data[:keep])
            with pytest.raises(StreamBroken, match="ended"):
                reader.close(clean=True)


def test_recorded_errors_are_classified(recorded: list[Recording]) -> None:
    found = {
        each["text"]: GEMINI.read_error(each["status"], {}, each["text"].encode()).reason
        for each in recorded
        if each["status"] != 200
    }
    assert found
    for text, reason in found.items():
        assert reason == ("model_not_found" if "NOT_FOUND" in text else "auth" if "API_KEY_INVALID" in text else "bad_request"), (
            text
        )
