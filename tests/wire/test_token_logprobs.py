"""The log probabilities of tokens: asked of a target of another dialect, they are in the client's answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.events import Finished, Started
from conduit_desktop.wire import dialect
from conduit_desktop.wire.generated_media import lost_in_answer
from conduit_desktop.wire.token_logprobs import from_cohere, from_gemini, to_cohere, to_gemini, to_openai
from tests.wire.dialect_io import client_request, read, write_stream

TOKENS = [{"token": "h", "logprob": -0.1, "bytes": [104], "top_logprobs": [{"token": "h", "logprob": -0.1, "bytes": [104]}]}]
GEMINI = {
    "chosenCandidates": [{"token": "h", "tokenId": 7, "logProbability": -0.1}],
    "topCandidates": [{"candidates": [{"token": "h", "tokenId": 7, "logProbability": -0.1}]}],
}
COHERE = [{"text": "h", "token_ids": [7], "logprobs": [-0.1]}]
CHAT = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "h"}, "finish_reason": "stop", "logprobs": {"content": TOKENS}}
    ],
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "openai_chat": CHAT,
    "gemini": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "h"}]}, "finishReason": "STOP", "index": 0, "logprobsResult": GEMINI}
        ]
    },
    "ollama": {
        "model": "m", "message": {"role": "assistant", "content": "h"}, "done": True, "done_reason": "stop", "logprobs": TOKENS,
    },
    "cohere": {
        "id": "c", "finish_reason": "COMPLETE", "logprobs": COHERE,
        "message": {"role": "assistant", "content": [{"type": "text", "text": "h"}]},
    },
}  # fmt: skip


def tokens_in(caller: str, body: dict[str, Any]) -> list[tuple[str, float]]:
    """The tokens and their log probabilities, from their place in an answer of `caller`."""
    match caller:
        case "openai_chat":
            return [(one["token"], one["logprob"]) for one in body["choices"][0]["logprobs"]["content"]]
        case "gemini":
            chosen = body["candidates"][0]["logprobsResult"]["chosenCandidates"]
            return [(one["token"], one["logProbability"]) for one in chosen]
        case "ollama":
            return [(one["token"], one["logprob"]) for one in body["logprobs"]]
        case _:
            return [(one["text"], one["logprobs"][0]) for one in body["logprobs"]]


@pytest.mark.parametrize("caller", ANSWERS)
@pytest.mark.parametrize("source", ANSWERS)
def test_log_probabilities_are_in_the_answer_of_every_dialect_that_has_them(source: str, caller: str) -> None:
    events = list(dialect(source).read_response(ANSWERS[source]))
    whole = dialect(caller).write_response(collect(events), client_request(dialect(caller)))
    assert tokens_in(caller, whole) == [("h", -0.1)]
    assert lost_in_answer(events, caller) == []


@pytest.mark.parametrize("caller", ["openai_chat", "gemini", "ollama"])
@pytest.mark.parametrize("source", ["openai_chat", "gemini", "ollama"])
def test_log_probabilities_are_in_the_streams_of_every_dialect_that_has_them(source: str, caller: str) -> None:
    streamed = write_stream(dialect(source), list(dialect(source).read_response(ANSWERS[source])))
    again = read(dialect(caller), write_stream(dialect(caller), read(dialect(source), streamed)))
    (finished,) = [event for event in again if isinstance(event, Finished)]
    assert [(one["token"], one["logprob"]) for one in finished.logprobs or []] == [("h", -0.1)]


def test_the_log_probabilities_of_coheres_stream_come_with_its_text() -> None:
    frames: list[dict[str, Any]] = [
        {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "h"}}}, "logprobs": COHERE[0]},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ]
    data = b"".join(b"event: %b\ndata: %b\n\n" % (each["type"].encode(), orjson.dumps(each)) for each in frames)
    (finished,) = [event for event in read(dialect("cohere"), data) if isinstance(event, Finished)]
    assert [(one["token"], one["logprob"]) for one in finished.logprobs or []] == [("h", -0.1)]


def test_geminis_log_probabilities_of_several_chunks_are_all_kept() -> None:
    chunk = {"candidates": [{"content": {"parts": [{"text": "h"}]}, "index": 0, "logprobsResult": GEMINI}]}
    last = {"candidates": [{"finishReason": "STOP", "index": 0, "logprobsResult": GEMINI}]}
    data = b"".join(b"data: %b\n\n" % orjson.dumps(each) for each in (chunk, last))
    (finished,) = [event for event in read(dialect("gemini"), data) if isinstance(event, Finished)]
    assert [one["token"] for one in finished.logprobs or []] == ["h", "h"]


@pytest.mark.parametrize("caller", ["anthropic_messages", "openai_responses", "bedrock"])
def test_log_probabilities_are_named_where_the_client_cannot_get_them(caller: str) -> None:
    assert lost_in_answer([Started(), Finished("stop", logprobs=list(TOKENS))], caller) == ["answer.logprobs"]


@pytest.mark.parametrize("value", [None, {}, [], "x", [None], [{}], {"chosenCandidates": [None, {}]}])
def test_anything_else_has_no_log_probabilities_that_could_break_an_answer(value: Any) -> None:
    for tokens in (from_gemini(value), from_cohere(value)):
        assert isinstance(to_gemini(tokens), dict)
        assert isinstance(to_cohere(tokens), dict)
        assert to_openai(tokens) is None or tokens


def test_gemini_is_asked_for_the_likeliest_tokens_with_their_log_probabilities_alone() -> None:
    request = client_request(dialect("openai_responses"))
    request.top_logprobs = 3
    written = dialect("gemini").write_request(request, "m")
    assert "logprobs" not in written.body.get("generationConfig", {})
    assert "top_logprobs" in written.dropped
