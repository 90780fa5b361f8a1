"""What streams cost that break off, stall, fail, are given up by the client, or report a usage that cannot be.

A cost is `final` only where the provider reported all of it; else it is what was reported so far, with the output as counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson
import pytest

from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import CostState, RequestStatus
from conduit_desktop.gateway.admission.estimate import output_tokens
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.store.interface import Spending
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import aws_eventstream, sse
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.waiting import settled
from tests.gateway.accounting.reported_answers import (
    TEXT,
    Answer,
    Fields,
    chat,
    cohere_answer,
    converse,
    gemini_answer,
    messages,
    responses,
)

FIRST, ALL = (output_tokens(len(text), text.encode()) for text in (TEXT[0], "".join(TEXT)))
"""Tokens of the first piece of text, and of all of it, as the gateway counts them."""
Ending = Literal["whole", "cut", "stall", "hang-up"]


@dataclass(frozen=True)
class Broken:
    """A stream of a kind of provider, and how its request settles.

    `input` None: as estimated. `failed`: the tokens are those of the failed attempt, and the record's own are 0.
    """

    kind: str
    answer: Answer
    frames: tuple[bytes, ...]
    ending: Ending
    status: RequestStatus
    state: CostState
    input: int | None
    output: int
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    failed: bool = False


GIVEN = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
CHAT = chat(GIVEN, "m")
CLAUDE = messages({"input_tokens": 1000, "output_tokens": 500}, "m")
RESPONSES = responses({"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}, "m")
GEMINI = gemini_answer({"promptTokenCount": 1000, "candidatesTokenCount": 500, "totalTokenCount": 1500}, "m")
BEDROCK = converse({"inputTokens": 1000, "outputTokens": 500, "totalTokens": 1500})
COHERE = cohere_answer({"billed_units": {"input_tokens": 1000, "output_tokens": 500}})


def case(
    kind: str, answer: Answer, frames: tuple[bytes, ...], ending: Ending, status: RequestStatus, state: CostState, **tokens: Any
) -> Broken:
    return Broken(kind, answer, frames, ending, status, state, **{"input": None, "output": 0, **tokens})


def with_usage(usage: Fields) -> Broken:
    """A whole stream of Chat Completions with that report."""
    answer = chat(usage, "m")
    return case("openai-compatible", answer, answer.frames, "whole", "success", "estimated")


def data(value: Fields, event: str | None = None) -> bytes:
    return sse.write(orjson.dumps(value), event)


def reports(usage: Fields) -> bytes:
    return data({"id": "chatcmpl-1", "model": "m", "choices": [], "usage": usage})


ERROR = data({"error": {"message": "overloaded", "type": "server_error", "code": 503}})
CLAUDE_ERROR = data({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")
CHAT_KIND, CLAUDE_KIND = "openai-compatible", "anthropic-compatible"
CACHED = messages(
    {"input_tokens": 1000, "output_tokens": 500},
    "m",
    {
        "input_tokens": 1000, "output_tokens": 1, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 250,
        "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 200},
    },
)  # fmt: skip


def failed_response(usage: Fields | None) -> bytes:
    failure = {"code": "server_error", "message": "no"}
    response = {
        "id": "resp_1",
        "object": "response",
        "status": "failed",
        "model": "m",
        "output": [],
        "error": failure,
        "usage": usage,
    }
    return data({"type": "response.failed", "response": response}, "response.failed")


def ended_response(status: str, usage: Fields | None, **more: Any) -> bytes:
    return data({"type": f"response.{status}", "response": {**RESPONSES.whole, "status": status, "usage": usage, **more}})


def claude_delta(usage: Fields | None) -> bytes:
    event = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    return data({**event, **({"usage": usage} if usage is not None else {})}, "message_delta")


def bedrock_frame(kind: str, value: Fields, message_type: str = "event") -> bytes:
    name = ":event-type" if message_type == "event" else ":exception-type"
    return aws_eventstream.write(orjson.dumps(value), {name: kind, ":message-type": message_type})


CASES: dict[str, Broken] = {
    # Chat Completions: role, two pieces, finish, usage, [DONE]
    "chat: cut after the role": case(CHAT_KIND, CHAT, CHAT.frames[:1], "cut", "error", "estimated", failed=True),
    "chat: cut after a piece": case(CHAT_KIND, CHAT, CHAT.frames[:2], "cut", "broken", "estimated", output=FIRST),
    "chat: cut after all of the text": case(CHAT_KIND, CHAT, CHAT.frames[:3], "cut", "broken", "estimated", output=ALL),
    "chat: cut after the finish": case(CHAT_KIND, CHAT, CHAT.frames[:4], "cut", "broken", "estimated", output=ALL),
    "chat: cut after the usage": case(CHAT_KIND, CHAT, CHAT.frames[:5], "cut", "broken", "estimated", input=1000, output=500),
    "chat: an error after a piece": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:2], ERROR), "whole", "broken", "estimated", output=FIRST,
    ),
    "chat: an error after the usage": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:3], CHAT.frames[4], ERROR), "whole", "broken", "estimated", input=1000, output=500,
    ),
    "chat: an error that reports usage": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:2], data({"error": {"message": "no", "code": 500}, "usage": GIVEN})), "whole", "broken",
        "final", input=1000, output=500,
    ),
    "chat: an error that reports usage before any text": case(
        CHAT_KIND, CHAT, (data({"error": {"message": "no", "code": 500}, "usage": GIVEN}),), "whole", "error", "final",
        input=1000, output=500, failed=True,
    ),
    "chat: a stall after a piece": case(CHAT_KIND, CHAT, CHAT.frames[:2], "stall", "broken", "estimated", output=FIRST),
    "chat: the client hangs up": case(CHAT_KIND, CHAT, CHAT.frames[:3], "hang-up", "cancelled", "estimated", output=ALL),
    "chat: no usage at all": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:4], CHAT.frames[5]), "whole", "success", "estimated", output=ALL,
    ),
    "chat: usage alone, without choices": case(
        CHAT_KIND, CHAT, (reports(GIVEN), CHAT.frames[5]), "whole", "error", "estimated", input=1000, output=500, failed=True,
    ),
    "chat: usage in the middle, then cut": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:2], reports({**GIVEN, "completion_tokens": 3, "total_tokens": 1003}), CHAT.frames[2]),
        "cut", "broken", "estimated", input=1000, output=ALL,
    ),
    "chat: usage in the middle, and no other": case(
        CHAT_KIND, CHAT,
        (*CHAT.frames[:2], reports({**GIVEN, "completion_tokens": 3, "total_tokens": 1003}), *CHAT.frames[2:4], CHAT.frames[5]),
        "whole", "success", "estimated", input=1000, output=ALL,
    ),
    "chat: usage twice, the last one counts": case(
        CHAT_KIND, CHAT,
        (*CHAT.frames[:2], reports({**GIVEN, "completion_tokens": 3, "total_tokens": 1003}), *CHAT.frames[2:]),
        "whole", "success", "final", input=1000, output=500,
    ),
    "chat: usage twice, the last one empty": case(
        CHAT_KIND, CHAT, (*CHAT.frames[:5], reports({"prompt_tokens": 0, "completion_tokens": 0}), CHAT.frames[5]),
        "whole", "success", "estimated", output=ALL,
    ),
    "chat: zeros": replace(with_usage({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}), output=ALL),
    "chat: text without a token": replace(
        with_usage({"prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000}), input=1000, output=ALL,
    ),
    "chat: a negative prompt": replace(with_usage({"prompt_tokens": -1000, "completion_tokens": 500}), output=500),
    "chat: a negative completion": replace(
        with_usage({"prompt_tokens": 1000, "completion_tokens": -500}), input=1000, output=ALL,
    ),
    "chat: more cached than there was": replace(
        with_usage({**GIVEN, "prompt_tokens_details": {"cached_tokens": 4000}}), input=1000, output=500, cache_read=4000,
    ),
    "chat: more thought than written": replace(
        with_usage({**GIVEN, "completion_tokens_details": {"reasoning_tokens": 900}}), input=1000, output=500,
    ),
    "chat: a total alone": replace(with_usage({"total_tokens": 1500}), input=1500, output=ALL),
    "chat: a total that is too small": replace(with_usage({**GIVEN, "total_tokens": 700}), input=1000, output=500),
    "chat: the words of another dialect": replace(
        with_usage({"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500}), input=1000, output=500,
    ),
    "chat: a count that is a word": replace(
        with_usage({"prompt_tokens": "lots", "completion_tokens": 500}), output=500,
    ),
    "chat: a prompt alone": replace(with_usage({"prompt_tokens": 1000}), input=1000, output=ALL),
    # Messages: start, block, two pieces, end of the block, delta, stop
    "messages: the start alone": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:1], "cut", "error", "estimated", input=1000, output=1, failed=True,
    ),
    "messages: a stall after the start": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:1], "stall", "error", "estimated", input=1000, output=1, failed=True,
    ),
    "messages: cut after the block's start": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:2], "cut", "error", "estimated", input=1000, output=1, failed=True,
    ),
    "messages: cut after a piece": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:3], "cut", "broken", "estimated", input=1000, output=FIRST,
    ),
    "messages: cut after the block": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:5], "cut", "broken", "estimated", input=1000, output=ALL,
    ),
    "messages: cut after the delta": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:6], "cut", "broken", "final", input=1000, output=500,
    ),
    "messages: an error after a piece": case(
        CLAUDE_KIND, CLAUDE, (*CLAUDE.frames[:3], CLAUDE_ERROR), "whole", "broken", "estimated", input=1000, output=FIRST,
    ),
    "messages: an error after the start": case(
        CLAUDE_KIND, CLAUDE, (CLAUDE.frames[0], CLAUDE_ERROR), "whole", "error", "estimated", input=1000, output=1, failed=True,
    ),
    "messages: a stall after a piece": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:3], "stall", "broken", "estimated", input=1000, output=FIRST,
    ),
    "messages: the client hangs up": case(
        CLAUDE_KIND, CLAUDE, CLAUDE.frames[:4], "hang-up", "cancelled", "estimated", input=1000, output=ALL,
    ),
    "messages: a delta without usage": case(
        CLAUDE_KIND, CLAUDE, (*CLAUDE.frames[:5], claude_delta(None), CLAUDE.frames[6]), "whole", "success", "estimated",
        input=1000, output=ALL,
    ),
    "messages: a delta with the input alone": case(
        CLAUDE_KIND, CLAUDE, (*CLAUDE.frames[:5], claude_delta({"input_tokens": 1000}), CLAUDE.frames[6]), "whole", "success",
        "estimated", input=1000, output=ALL,
    ),
    "messages: a delta whose output is zero": case(
        CLAUDE_KIND, CLAUDE, (*CLAUDE.frames[:5], claude_delta({"output_tokens": 0}), CLAUDE.frames[6]), "whole", "success",
        "estimated", input=1000, output=ALL,
    ),
    "messages: the last of two deltas has no output": case(
        CLAUDE_KIND, CLAUDE, (*CLAUDE.frames[:6], claude_delta({"output_tokens": 0}), CLAUDE.frames[6]), "whole", "success",
        "final", input=1000, output=500,
    ),
    "messages: the cache as the start reports it, then cut": case(
        CLAUDE_KIND, CACHED, CACHED.frames[:3], "cut", "broken", "estimated", input=1000, output=FIRST, cache_read=300,
        cache_write=50, cache_write_1h=200,
    ),
    "messages: the cache as the start reports it, to the end": case(
        CLAUDE_KIND, CACHED, CACHED.frames, "whole", "success", "final", input=1000, output=500, cache_read=300, cache_write=50,
        cache_write_1h=200,
    ),
    # Responses: created, item, part, two pieces, end of the text, end of the item, completed
    "responses: cut after its creation": case("openai", RESPONSES, RESPONSES.frames[:1], "cut", "error", "estimated", failed=True),
    "responses: cut after a piece": case("openai", RESPONSES, RESPONSES.frames[:4], "cut", "broken", "estimated", output=FIRST),
    "responses: cut after the item": case("openai", RESPONSES, RESPONSES.frames[:7], "cut", "broken", "estimated", output=ALL),
    "responses: failed with usage": case(
        "openai", RESPONSES, (*RESPONSES.frames[:5], failed_response({"input_tokens": 1000, "output_tokens": 500})), "whole",
        "broken", "final", input=1000, output=500,
    ),
    "responses: failed without usage": case(
        "openai", RESPONSES, (*RESPONSES.frames[:5], failed_response(None)), "whole", "broken", "estimated", output=ALL,
    ),
    "responses: failed before any text": case(
        "openai", RESPONSES, (RESPONSES.frames[0], failed_response({"input_tokens": 1000, "output_tokens": 500})), "whole", "error",
        "final", input=1000, output=500, failed=True,
    ),
    "responses: incomplete": case(
        "openai", RESPONSES,
        (*RESPONSES.frames[:7], ended_response("incomplete", {"input_tokens": 1000, "output_tokens": 500},
                                               incomplete_details={"reason": "max_output_tokens"})),
        "whole", "success", "final", input=1000, output=500,
    ),
    "responses: completed without usage": case(
        "openai", RESPONSES, (*RESPONSES.frames[:7], ended_response("completed", None)), "whole", "success", "estimated",
        output=ALL,
    ),
    "responses: an error after a piece": case(
        "openai", RESPONSES, (*RESPONSES.frames[:4], data({"type": "error", "code": "server_error", "message": "no"}, "error")),
        "whole", "broken", "estimated", output=FIRST,
    ),
    "responses: a stall": case("openai", RESPONSES, RESPONSES.frames[:5], "stall", "broken", "estimated", output=ALL),
    "responses: the client hangs up": case(
        "openai", RESPONSES, RESPONSES.frames[:5], "hang-up", "cancelled", "estimated", output=ALL,
    ),
    # Gemini: a piece with the prompt's count, the rest with all counts
    "gemini: cut after a piece": case(
        "gemini", GEMINI, GEMINI.frames[:1], "cut", "broken", "estimated", input=1000, output=FIRST,
    ),
    "gemini: a stall": case("gemini", GEMINI, GEMINI.frames[:1], "stall", "broken", "estimated", input=1000, output=FIRST),
    "gemini: the client hangs up": case(
        "gemini", GEMINI, GEMINI.frames[:1], "hang-up", "cancelled", "estimated", input=1000, output=FIRST,
    ),
    "gemini: an error after a piece": case(
        "gemini", GEMINI, (GEMINI.frames[0], data({"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}})), "whole",
        "broken", "estimated", input=1000, output=FIRST,
    ),
    "gemini: no usage at the end": case(
        "gemini", GEMINI,
        (
            GEMINI.frames[0],
            data({"candidates": [{"content": {"parts": [{"text": TEXT[1]}], "role": "model"}, "finishReason": "STOP"}]}),
        ),
        "whole", "success", "estimated", input=1000, output=ALL,
    ),
    "gemini: a refused prompt": case(
        "gemini", GEMINI, (data({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 1000}}),),
        "whole", "success", "final", input=1000,
    ),
    # Converse: start, two pieces, end of the block, stop, metadata
    "bedrock: cut after a piece": case("bedrock", BEDROCK, BEDROCK.frames[:2], "cut", "broken", "estimated", output=FIRST),
    "bedrock: cut before the metadata": case("bedrock", BEDROCK, BEDROCK.frames[:5], "cut", "success", "estimated", output=ALL),
    "bedrock: an exception after a piece": case(
        "bedrock", BEDROCK, (*BEDROCK.frames[:2], bedrock_frame("throttlingException", {"message": "slow"}, "exception")), "whole",
        "broken", "estimated", output=FIRST,
    ),
    "bedrock: a negative count": case(
        "bedrock", BEDROCK,
        (*BEDROCK.frames[:5], bedrock_frame("metadata", {"usage": {"inputTokens": -4, "outputTokens": 500, "totalTokens": 496}})),
        "whole", "success", "estimated", output=500,
    ),
    "bedrock: whole": case("bedrock", BEDROCK, BEDROCK.frames, "whole", "success", "final", input=1000, output=500),
    # Cohere: start, block, two pieces, end of the block, end with usage, [DONE]
    "cohere: cut after a piece": case("cohere", COHERE, COHERE.frames[:3], "cut", "broken", "estimated", output=FIRST),
    "cohere: an end without usage": case(
        "cohere", COHERE,
        (
            *COHERE.frames[:5], data({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}, "message-end"),
            COHERE.frames[6],
        ),
        "whole", "success", "estimated", output=ALL,
    ),
    "cohere: a failure at the end, with usage": case(
        "cohere", COHERE,
        (*COHERE.frames[:5], data({"type": "message-end", "delta": {
            "finish_reason": "ERROR", "usage": {"billed_units": {"input_tokens": 1000, "output_tokens": 500}}}}, "message-end")),
        "whole", "broken", "final", input=1000, output=500,
    ),
}  # fmt: skip

BODIES: dict[str, Callable[[], Fields]] = {
    "openai_chat": lambda: {"model": "a", "messages": [{"role": "user", "content": "hello"}], "stream": True},
    "anthropic_messages": lambda: {
        "model": "a", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 900, "stream": True,
    },
    "openai_responses": lambda: {"model": "a", "input": "hello", "stream": True},
    "gemini": lambda: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
}  # fmt: skip
RATES = {"cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2.0}


@pytest.mark.parametrize("name", CASES)
async def test_a_broken_stream_settles(home: Home, name: str) -> None:
    one = CASES[name]
    client = one.answer.dialect if one.answer.dialect in BODIES else "openai_chat"
    sent = http_answer(b"".join(one.frames), one.answer.content_type, "chunked" if one.ending == "whole" else "chunked-cut")
    async with raw_upstream(sent, stalls=one.ending in ("stall", "hang-up")) as url, open_gateway(home) as gateway:
        await gateway.add_provider("p", url if one.kind in (CLAUDE_KIND, "gemini", "bedrock", "cohere") else f"{url}/v1", one.kind)
        limits = {"idle_s": 0.4, "first_token_s": 0.4} if one.ending == "stall" else {}
        await gateway.add_alias("a", "p/m", retries=0, timeouts=limits)
        await gateway.add_price("m", 1, 2, **RATES)
        key = await gateway.add_key(budget_nano=10**9)
        path = {"model": "a"} if client == "gemini" else {}
        call = Call(dialect(client), BODIES[client](), "a", stream=True, credential=KEY, path=path)
        try:
            reply = await gateway.answer(call)
            assert isinstance(reply, StreamReply)
            if one.ending == "hang-up":
                await _read_until(reply, TEXT[1] if one.answer is not GEMINI else TEXT[0])
            else:
                assert [each async for each in reply.frames]
            await reply.close()
        except GatewayError:
            assert one.status == "error"
        await settled(gateway)
        record = gateway.records[-1]
        spent = await gateway.store.ledger.spent([Spending("key", key)])
    assert (record.status, record.cost_state) == (one.status, one.state)
    assert sum(line["cost_nano"] for line in record.cost_breakdown) == record.cost_nano
    assert spent == [record.cost_nano]
    tokens: dict[str, int] = {name: getattr(record, name) for name in ("input", "output", "cache_read", "cache_write")}
    written_1h = record.units.get("cache_write_1h", 0)
    if one.failed:
        assert tokens["input"] == 0
        assert record.attempts_nano == record.cost_nano
        tokens = {**tokens, **record.attempts[-1].tokens}
    if one.input is None:
        assert 0 < tokens["input"] < 100
    else:
        assert tokens["input"] == one.input
    assert tokens["output"] == one.output
    assert (tokens["cache_read"], tokens["cache_write"], written_1h) == (
        one.cache_read, one.cache_write + one.cache_write_1h, one.cache_write_1h,
    )  # fmt: skip
    by_rates = tokens["input"] * 1000 + one.output * 2000
    by_rates += one.cache_read * 100 + one.cache_write * 1250 + one.cache_write_1h * 2000
    assert record.cost_nano == by_rates
    if record.attempts:
        assert record.attempts[-1].cost_nano in (by_rates, None)


async def _read_until(reply: StreamReply, text: str) -> None:
    """Read the stream until its client has that piece of the text."""
    got = b""
    async for each in reply.frames:
        got += each
        if text.encode() in got:
            return
    raise AssertionError(f"the stream ended without {text!r}")


def test_there_are_enough_broken_streams() -> None:
    assert len(CASES) >= 40
    assert {one.answer.dialect for one in CASES.values()} == {
        "openai_chat", "anthropic_messages", "openai_responses", "gemini", "bedrock", "cohere",
    }  # fmt: skip
