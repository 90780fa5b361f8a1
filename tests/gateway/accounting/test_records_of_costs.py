"""What a finished request's record says of its cost: breakdown, source, failed attempts, and when a cost is final."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.providers import Endpoint
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.raw_upstream import Ending, http_answer, raw_upstream

GOOD = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
}  # fmt: skip
GOOD_NANO = 100 * 1000 + 10 * 2000
CLAUDE = "anthropic-compatible"
OPENAI = "openai-compatible"
START = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None,
        "usage": {"input_tokens": 4000, "output_tokens": 1},
    },
}  # fmt: skip
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
STOP = {"type": "content_block_stop", "index": 0}
END = {"type": "message_stop"}


def delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def finish(**usage: int) -> dict[str, Any]:
    extra = {"usage": usage} if usage else {}
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, **extra}


def whole(value: Any, ending: Ending = "length") -> bytes:
    return http_answer(orjson.dumps(value), "application/json", ending)


def streamed(*events: dict[str, Any], ending: Ending = "chunked") -> bytes:
    frames = b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)
    return http_answer(frames, "text/event-stream", ending)


async def recorded(home: Home, *upstreams: tuple[str, bytes], stream: bool = False, prices: bool = True) -> RequestRecord:
    """The record of one call to an alias whose targets answer these bytes one after the other; each is (kind, answer)."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(home))
        targets = []
        for number, (kind, answer) in enumerate(upstreams):
            url = await stack.enter_async_context(raw_upstream(answer))
            await gateway.add_provider(f"p{number}", url if kind == CLAUDE else f"{url}/v1", kind=kind)
            targets.append(f"p{number}/m{number}")
        await gateway.add_alias("a", *targets, retries=0)
        if prices:
            await gateway.add_price("m*", 1, 2)
        await gateway.add_key()
        try:
            if stream:
                await gateway.stream("a", "word " * 50, client_dialect="anthropic_messages")
            else:
                await gateway.ask("a", "word " * 50)
        except GatewayError:
            pass
        return gateway.records[-1]


def check_sum(record: RequestRecord) -> None:
    assert sum(line["cost_nano"] for line in record.cost_breakdown) == record.cost_nano


async def test_a_record_holds_a_line_for_each_class_and_where_the_price_is_from(home: Home) -> None:
    record = await recorded(home, (OPENAI, whole(GOOD)))
    assert (record.cost_nano, record.cost_state, record.price_source) == (GOOD_NANO, "final", "override")
    assert record.cost_breakdown == [
        {"class": "input", "units": 100, "per": 1_000_000, "price_nano": 10**9, "cost_nano": 100_000},
        {"class": "output", "units": 10, "per": 1_000_000, "price_nano": 2 * 10**9, "cost_nano": 20_000},
    ]
    [attempt] = record.attempts
    assert (attempt.tokens, attempt.cost_nano) == ({"input": 100, "output": 10}, GOOD_NANO)


FAILED: dict[str, tuple[str, bytes, int]] = {
    "no choices": (OPENAI, whole({**GOOD, "choices": []}), GOOD_NANO),
    "an error next to the usage": (OPENAI, whole({"error": {"message": "no"}, "usage": GOOD["usage"]}), GOOD_NANO),
    "a status of failure": (
        OPENAI, whole({"error": {"message": "no"}, "usage": GOOD["usage"]}).replace(b"200 OK", b"500 No"), GOOD_NANO,
    ),
    "no content": (
        CLAUDE,
        whole({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
               "usage": {"input_tokens": 100, "output_tokens": 10}}),
        GOOD_NANO,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILED)
async def test_a_failed_attempt_that_reported_usage_is_paid_for_in_addition_to_the_answer(home: Home, name: str) -> None:
    kind, answer, nano = FAILED[name]
    record = await recorded(home, (kind, answer), (OPENAI, whole(GOOD)))
    assert (record.attempts_nano, record.cost_nano, record.cost_state) == (nano, nano + GOOD_NANO, "final")
    assert [attempt.cost_nano for attempt in record.attempts] == [nano, GOOD_NANO]
    assert record.attempts[0].tokens == {"input": 100, "output": 10}
    assert record.cost_breakdown[-1] == {"class": "failed_attempts", "units": 1, "per": 1, "price_nano": nano, "cost_nano": nano}
    check_sum(record)


@pytest.mark.parametrize("name", FAILED)
async def test_a_request_of_failed_attempts_alone_costs_what_they_reported(home: Home, name: str) -> None:
    kind, answer, nano = FAILED[name]
    record = await recorded(home, (kind, answer))
    assert record.status == "error"
    assert (record.attempts_nano, record.cost_nano, record.cost_state, record.price_source) == (nano, nano, "final", "override")
    check_sum(record)


async def test_a_failed_attempt_without_usage_costs_nothing(home: Home) -> None:
    record = await recorded(home, (OPENAI, whole({"error": {"message": "no"}})), (OPENAI, whole(GOOD)))
    assert (record.attempts_nano, record.cost_nano, record.cost_state) == (0, GOOD_NANO, "final")
    assert [attempt.cost_nano for attempt in record.attempts] == [None, GOOD_NANO]


STALLED, CLOSED, LATE = "no answer in time", "a connection closed before the answer", "a proxy's time-out"
REFUSED = "no connection"


@asynccontextmanager
async def unanswering(home: Home, fault: str, **price: float) -> AsyncIterator[GatewayFixture]:
    """A gateway whose alias `a` has two targets: the first, `p/m`, has that fault, the second answers."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(home))
        if fault == REFUSED:
            url = "http://127.0.0.1:9"
        else:
            answer = http_answer(b"late", "text/plain", "length").replace(b"200 OK", b"504 Late") if fault == LATE else b""
            url = await stack.enter_async_context(raw_upstream(answer, stalls=fault == STALLED))
        good = await stack.enter_async_context(raw_upstream(whole(GOOD)))
        await gateway.add_provider("p", f"{url}/v1")
        await gateway.add_provider("q", f"{good}/v1")
        short = {"first_token_s": 0.3}
        await gateway.add_alias("a", "p/m", "q/m", retries=0, timeouts=short)
        await gateway.add_alias("alone", "p/m", retries=0, timeouts=short)
        await gateway.add_price("*m", price.get("input", 1), price.get("output", 2))
        await gateway.add_key()
        yield gateway


@pytest.mark.parametrize("fault", [STALLED, CLOSED, LATE])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_attempt_that_was_sent_and_not_answered_has_no_known_cost(home: Home, fault: str, stream: bool) -> None:
    async with unanswering(home, fault) as gateway:
        if not stream:
            await gateway.ask("a")
            record = gateway.records[-1]
            assert [attempt.cost_nano for attempt in record.attempts] == [None, GOOD_NANO]
            # Nothing is charged for it, and nothing is said to be the whole cost.
            assert (record.cost_nano, record.cost_state, record.attempts_nano) == (GOOD_NANO, "estimated", 0)
            assert record.units["unanswered"] == 1
            check_sum(record)
        with pytest.raises(GatewayError):
            await (gateway.stream("alone") if stream else gateway.ask("alone"))
        record = gateway.records[-1]
    assert (record.status, record.cost_nano, record.cost_state, record.attempts_nano) == ("error", None, "unknown", 0)


async def test_an_attempt_that_never_had_a_connection_costs_nothing(home: Home) -> None:
    async with unanswering(home, REFUSED) as gateway:
        await gateway.ask("a")
        record = gateway.records[-1]
        assert (record.cost_nano, record.cost_state) == (GOOD_NANO, "final")
        assert "unanswered" not in record.units
        with pytest.raises(GatewayError):
            await gateway.ask("alone")
        record = gateway.records[-1]
    assert (record.status, record.cost_nano, record.cost_state) == ("error", 0, "final")


async def test_a_free_model_that_does_not_answer_costs_nothing(home: Home) -> None:
    async with unanswering(home, STALLED, input=0, output=0) as gateway:
        with pytest.raises(GatewayError):
            await gateway.ask("alone")
        record = gateway.records[-1]
    assert (record.cost_nano, record.cost_state) == (0, "final")


async def test_a_body_that_was_not_sent_whole_is_not_billed(home: Home) -> None:
    """A body of several megabytes to a server that reads nothing: the gateway's time is over while it is being sent."""
    # Never accepted: the system takes what fits into its buffers, and no more.
    with socket.create_server(("127.0.0.1", 0)) as unread:
        async with open_gateway(home) as gateway:
            await gateway.add_provider("p", f"http://127.0.0.1:{unread.getsockname()[1]}/v1")
            await gateway.add_alias("a", "p/m", retries=0, timeouts={"first_token_s": 0.3})
            await gateway.add_price("m", 1, 2)
            await gateway.add_key()
            with pytest.raises(GatewayError):
                await gateway.ask("a", "x" * 32 * 2**20)
            record = gateway.records[-1]
    assert (record.attempts[0].outcome, record.cost_nano, record.cost_state) == ("timeout", 0, "final")


async def test_a_stream_that_breaks_off_after_its_start_is_paid_for_as_the_start_reports(home: Home) -> None:
    whole_stream = streamed(START, BLOCK, delta("hi"), STOP, finish(output_tokens=10), END)
    record = await recorded(home, (CLAUDE, streamed(START, ending="chunked-cut")), (CLAUDE, whole_stream), stream=True)
    assert record.status == "success"
    assert record.attempts[0].cost_nano == record.attempts_nano == 4000 * 1000 + 2000
    assert record.cost_nano == record.attempts_nano + 4000 * 1000 + 10 * 2000
    # What the start reports is not the whole of what the attempt used.
    assert record.cost_state == "estimated"
    check_sum(record)


CHUNK = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{}}]}\n\n'
CUT: dict[str, tuple[str, bytes]] = {
    "a stream after its usage": (CLAUDE, streamed(START, ending="chunked-cut")),
    "a stream before its first event": (CLAUDE, streamed(ending="chunked-cut")),
    "a stream before its first content": (OPENAI, http_answer(CHUNK, "text/event-stream", "chunked-cut")),
    "a whole answer": (OPENAI, http_answer(orjson.dumps(GOOD)[:40], "application/json", "length-cut")),
}


@pytest.mark.parametrize("name", CUT)
async def test_an_answer_cut_off_before_its_content_is_an_estimate_and_never_free(home: Home, name: str) -> None:
    record = await recorded(home, CUT[name], stream=name.startswith("a stream"))
    assert (record.status, record.cost_state) == ("error", "estimated")
    assert record.cost_nano
    assert record.cost_nano == record.attempts_nano == record.attempts[0].cost_nano
    check_sum(record)


async def test_an_answer_cut_off_before_its_content_is_unknown_without_a_price(home: Home) -> None:
    record = await recorded(home, CUT["a stream before its first event"], stream=True, prices=False)
    assert (record.cost_nano, record.cost_state) == (None, "unknown")


@pytest.mark.parametrize("endpoint", ["images", "embeddings"])
async def test_pictures_and_embeddings_cut_off_are_an_estimate_of_what_was_requested(home: Home, endpoint: Endpoint) -> None:
    body = {"model": "a", "prompt": "a cat", "n": 3} if endpoint == "images" else {"model": "a", "input": "some words"}
    cut = http_answer(b'{"data": [', "application/json", "length-cut")
    async with raw_upstream(cut) as url, open_gateway(home) as gateway:
        await gateway.add_provider("p", f"{url}/v1")
        await gateway.add_alias("a", "p/m", retries=0)
        await gateway.add_price("m", 1, 2, per_image=0.04)
        await gateway.add_key()
        call = Call(dialect("openai_chat"), body, "a", credential=KEY)
        call.endpoint, call.media_request = endpoint, MediaRequest(endpoint, body)
        with pytest.raises(GatewayError):
            await gateway.answer(call)
        record = gateway.records[-1]
    expected = 3 * 40_000_000 if endpoint == "images" else call.input_tokens * 1000
    assert (record.status, record.cost_state, record.cost_nano) == ("error", "estimated", expected)
    check_sum(record)


async def test_attempts_without_a_known_price_leave_the_cost_unknown(home: Home) -> None:
    record = await recorded(home, FAILED["no choices"][:2], prices=False)
    assert (record.cost_nano, record.cost_state, record.attempts_nano) == (None, "unknown", 0)


async def test_a_failed_response_of_the_responses_api_is_paid_for(home: Home) -> None:
    failed = {
        "id": "r", "object": "response", "status": "failed", "model": "m", "output": [],
        "error": {"code": "server_error", "message": "no"},
        "usage": {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500},
    }  # fmt: skip
    async with raw_upstream(whole(failed)) as url, open_gateway(home) as gateway:
        await gateway.add_provider("p", f"{url}/v1", kind="openai")
        await gateway.add_alias("a", "p/m", retries=0)
        await gateway.add_price("m", 1, 2)
        await gateway.add_key()
        call = Call(dialect("openai_responses"), {"model": "a", "input": "hi"}, "a", credential=KEY)
        with pytest.raises(GatewayError):
            await gateway.answer(call)
        record = gateway.records[-1]
    assert (record.cost_nano, record.cost_state) == (1000 * 1000 + 500 * 2000, "final")


async def test_a_stream_whose_last_report_came_before_its_content_is_an_estimate_of_what_was_counted(home: Home) -> None:
    answer = streamed(START, BLOCK, delta("word " * 400), STOP, finish(), END)
    record = await recorded(home, (CLAUDE, answer), stream=True)
    assert (record.status, record.cost_state) == ("success", "estimated")
    assert record.output > 300
    assert record.input == 4000


async def test_a_stream_that_reports_its_usage_at_its_end_is_final(home: Home) -> None:
    answer = streamed(START, BLOCK, delta("word " * 400), STOP, finish(output_tokens=401), END)
    record = await recorded(home, (CLAUDE, answer), stream=True)
    assert (record.cost_state, record.cost_nano) == ("final", 4000 * 1000 + 401 * 2000)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 100},
        {"prompt_tokens": 0, "completion_tokens": 10, "total_tokens": 10},
        {"prompt_tokens": 100},
        {"prompt_tokens": -100, "completion_tokens": 10},
        {"completion_tokens": 10},
    ],
    ids=str,
)
async def test_usage_that_the_answer_contradicts_is_never_final(home: Home, usage: dict[str, int]) -> None:
    record = await recorded(home, (OPENAI, whole({**GOOD, "usage": usage})))
    assert record.cost_state == "estimated"
    assert record.input > 0
    assert record.output > 0


async def test_a_cancelled_request_without_any_usage_is_an_estimate(home: Home) -> None:
    answer = streamed(START, BLOCK, *(delta("word ") for _ in range(50)), ending="chunked-cut")
    async with raw_upstream(answer) as url, open_gateway(home) as gateway:
        await gateway.add_provider("p", url, kind=CLAUDE)
        await gateway.add_alias("a", "p/m")
        await gateway.add_price("m", 1, 2)
        await gateway.add_key()
        body = {"model": "a", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 500}
        reply = await gateway.answer(Call(dialect("anthropic_messages"), body, "a", stream=True, credential=KEY))
        assert isinstance(reply, StreamReply)
        await anext(reply.frames)
        await reply.close()
        record = gateway.records[-1]
    assert (record.status, record.cost_state, record.input) == ("cancelled", "estimated", 4000)
    assert record.attempts[-1].cost_nano == record.cost_nano


async def ask(gateway: GatewayFixture, headers: dict[str, str], **fields: Any) -> RequestRecord:
    body = {"model": "a", "messages": [{"role": "user", "content": "hi"}], **fields}
    with pytest.raises(GatewayError):
        await gateway.answer(Call(dialect("openai_chat"), body, "a", credential=KEY, headers=headers))
    return gateway.records[-1]


@pytest.mark.parametrize(
    ("headers", "fields", "session", "user"),
    [
        ({"x-session-id": "s1"}, {"user": "u1"}, "s1", "u1"),
        ({"x-claude-code-session-id": "s2"}, {"metadata": {"user_id": "u2"}}, "s2", "u2"),
        ({"session_id": "s3"}, {"safety_identifier": "u3"}, "s3", "u3"),
        ({"session-id": "s4"}, {}, "s4", ""),
        ({}, {"prompt_cache_key": "s5"}, "s5", ""),
        ({"x-session-id": "s6"}, {"prompt_cache_key": "other"}, "s6", ""),
        ({"x-session-id": "  "}, {"prompt_cache_key": "s7", "user": 7, "metadata": [1]}, "s7", ""),
        ({"x-session-id": "a\x1b[31mb" + "c" * 500}, {}, "a[31mb" + "c" * 193, ""),
    ],
)
async def test_a_record_names_the_clients_session_and_user(
    home: Home, headers: dict[str, str], fields: dict[str, Any], session: str, user: str
) -> None:
    async with open_gateway(home) as gateway:
        await gateway.add_key(team="red", tags=("nightly",))
        record = await ask(gateway, headers, **fields)
    assert (record.session, record.user, record.team, record.tags) == (session, user, "red", ("nightly",))


async def test_a_record_has_the_keys_tags_and_those_of_the_request_once(home: Home) -> None:
    async with open_gateway(home) as gateway:
        await gateway.add_key(tags=("nightly",))
        record = await ask(gateway, {"x-conduit-tags": " ci, nightly,,x\x07y " + ",".join(f"t{n}" for n in range(50))})
        await asyncio.sleep(0)
    assert record.tags[:3] == ("nightly", "ci", "xy t0")
    assert len(record.tags) == 20
