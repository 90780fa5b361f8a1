"""From one dialect to the other: what both can say arrives, and what is written is accepted."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Media, Message, RedactedThinking, Refusal, Text, Thinking, ToolResult
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.events import Event, Started
from conduit_desktop.wire import Dialect, StreamWriter, dialect
from tests.wire.dialect_io import translated
from tests.wire.messages_frames import as_sent, block, check_rules, start, stop, text
from tests.wire.strategies import Features, answers, requests

OPENAI = dialect("openai_chat")
ANTHROPIC = dialect("anthropic_messages")
BOTH = [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)]
NAMES = ["from OpenAI to Anthropic", "from Anthropic to OpenAI"]


def request_in(to: Dialect) -> ChatRequest:
    """A caller who wants everything there is, with usage in the stream."""
    return ChatRequest(to.name, "alias", [Message("user", [Text("hello")], plain=True)], stream=True, include_usage=True)


def read(source: Dialect, data: bytes) -> list[Event]:
    reader = source.reader()
    return reader.feed(data) + reader.close(clean=True)


def write(writer: StreamWriter, events: list[Event]) -> bytes:
    return b"".join([writer.write(event) for event in events]) + writer.end()


def recorded(recordings: Path, tail: str) -> list[dict[str, Any]]:
    """The recorded calls of a path."""
    with gzip.open(recordings / "recordings.jsonl.gz") as lines:
        found = [orjson.loads(line) for line in lines]
    return [each for each in found if urlsplit(each["uri"]).path.endswith(tail) and each["status"] == 200 and "text" in each]


def kept(answer: Answer) -> dict[str, Any]:
    """What must survive any crossing."""
    usage = answer.usage
    assert usage is not None
    assert answer.first.finish is not None
    return {
        "text": answer.first.text,
        "calls": [(call.id, call.name, orjson.loads(call.arguments or "{}")) for call in answer.first.tool_calls],
        "finish": answer.first.finish.reason,
        "input": usage.total_input,
        "cache_read": usage.cache_read,
        "output": usage.total_output,
        "reasoning": usage.reasoning,
    }


@settings(max_examples=40)
@given(request=requests(Features(custom_tools=True)))
def test_whatever_openai_callers_ask_anthropic_takes(request: ChatRequest) -> None:
    body = OPENAI.write_request(request, "gpt-x").body
    out = translated(ANTHROPIC, OPENAI.read_request(body, {}), "claude-x")
    check_rules(as_sent(out.body))
    ANTHROPIC.read_request(orjson.loads(orjson.dumps(out.body)), {})


CALLER = Features(
    "anthropic_messages", documents=False, results_in="user", tool_errors=True, penalties=False, output_formats=False, top_k=True
)


@settings(max_examples=40)
@given(request=requests(CALLER))
def test_whatever_anthropic_callers_ask_reaches_openai_whole(request: ChatRequest) -> None:
    parsed = ANTHROPIC.read_request(ANTHROPIC.write_request(request, "claude-x").body, {})
    got = OPENAI.read_request(orjson.loads(orjson.dumps(translated(OPENAI, parsed, "gpt-x").body)), {})
    assert texts_by_role(got) == texts_by_role(parsed)
    assert calls_and_results(got) == calls_and_results(parsed)
    assert [(tool.name, tool.description) for tool in got.tools] == [(tool.name, tool.description) for tool in parsed.tools]
    assert (got.max_tokens, got.temperature, got.stop, got.stream) == (
        parsed.max_tokens,
        parsed.temperature,
        parsed.stop,
        parsed.stream,
    )


def texts_by_role(request: ChatRequest) -> list[tuple[str, str]]:
    """(role, text) of each side, adjacent ones joined; a text document counts, because for OpenAI it is text."""
    texts: list[tuple[str, str]] = []
    for message in request.messages:
        text = "".join(part.text or "" for part in message.parts if isinstance(part, Text | Media))
        if text and texts and texts[-1][0] == message.role:
            texts[-1] = (message.role, texts[-1][1] + text)
        elif text:
            texts.append((message.role, text))
    return texts


def calls_and_results(request: ChatRequest) -> list[tuple[str, str]]:
    # Without the number that a repeated id gets.
    found: list[tuple[str, str]] = []
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, ToolResult):
                found.append(
                    (part.call_id.split("_")[1], "".join(p.text for p in part.parts if isinstance(p, Text)).replace("\n", ""))
                )
            elif hasattr(part, "arguments"):
                found.append((part.id.split("_")[1], part.arguments))
    return found


@pytest.mark.parametrize(("source", "to"), BOTH, ids=NAMES)
@settings(max_examples=30)
@given(answer=answers(Features(thinking=True)))
def test_answers_cross_in_streams(source: Dialect, to: Dialect, answer: Answer) -> None:
    answer.started = Started(answer.started.id, answer.started.model, 1)
    upstream = write(source.writer(request_in(source)), list(answer.events()))
    crossed = collect(read(to, write(to.writer(request_in(to)), read(source, upstream))))
    assert kept(crossed) == kept(answer)
    assert crossed.first.thinking == answer.first.thinking


@pytest.mark.parametrize(("source", "to"), BOTH, ids=NAMES)
@settings(max_examples=30)
@given(answer=answers(Features(thinking=True)))
def test_answers_cross_whole(source: Dialect, to: Dialect, answer: Answer) -> None:
    upstream = source.write_response(answer, request_in(source))
    mine = to.write_response(collect(source.read_response(orjson.loads(orjson.dumps(upstream)))), request_in(to))
    crossed = collect(to.read_response(orjson.loads(orjson.dumps(mine))))
    assert kept(crossed) == kept(answer)
    assert crossed.first.thinking == answer.first.thinking


def test_signed_and_hidden_thinking_survive_the_way_there_and_back() -> None:
    """A caller of the other dialect that keeps what it got can hand Anthropic's proofs back."""
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "c2ln"}]
    hidden = {"type": "redacted_thinking", "data": "eA=="}
    stream = start(input_tokens=1) + block(0, thinking, *deltas) + block(1, hidden) + text(2, "a") + stop()
    crossed = collect(read(OPENAI, write(OPENAI.writer(request_in(OPENAI)), read(ANTHROPIC, stream))))
    assert crossed.first.parts == [Thinking("hm", "c2ln"), RedactedThinking("eA=="), Text("a")]


def test_every_recorded_openai_request_is_one_anthropic_takes(recordings: Path) -> None:
    for each in recorded(recordings, "/chat/completions"):
        if isinstance(each["req"], dict) and "messages" in each["req"]:
            parsed = OPENAI.read_request(each["req"], {})
            check_rules(as_sent(translated(ANTHROPIC, parsed, "claude-x").body))


def test_every_recorded_anthropic_request_is_one_openai_reads(recordings: Path) -> None:
    for each in recorded(recordings, "/v1/messages"):
        parsed = ANTHROPIC.read_request(each["req"], {})
        got = OPENAI.read_request(translated(OPENAI, parsed, "gpt-x").body, {})
        joined = "".join(text for _, text in texts_by_role(got))
        at = 0
        for message in parsed.messages:
            for part in message.parts:
                if isinstance(part, Text | Media) and part.text:
                    at = joined.find(part.text, at)
                    assert at >= 0, (each["cassette"], part.text)


def text_of(answer: Answer) -> str:
    """The text of an answer; a refusal is text in Anthropic's dialect."""
    return "".join(part.text for part in answer.first.parts if isinstance(part, Text | Refusal))


@pytest.mark.parametrize(
    ("source", "to", "tail"), [(OPENAI, ANTHROPIC, "/chat/completions"), (ANTHROPIC, OPENAI, "/v1/messages")], ids=NAMES
)
def test_every_recorded_answer_crosses(recordings: Path, source: Dialect, to: Dialect, tail: str) -> None:
    seen = 0
    for each in recorded(recordings, tail):
        raw = each["text"]
        streamed = raw.lstrip().startswith(("data:", "event:", ":"))
        try:
            answer = collect(read(source, raw.encode()) if streamed else source.read_response(orjson.loads(raw)))
        except UpstreamError:
            continue  # some recordings end in an error
        if answer.usage is None or answer.first.finish is None:
            continue
        crossed = collect(read(to, write(to.writer(request_in(to)), list(answer.events()))))
        assert text_of(crossed) == text_of(answer), each["cassette"]
        assert kept(crossed)["calls"] == kept(answer)["calls"], each["cassette"]
        assert kept(crossed)["output"] == kept(answer)["output"], each["cassette"]
        seen += 1
    assert seen > 20
