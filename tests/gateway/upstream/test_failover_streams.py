"""Faults after the first content, and clients that hang up or read slowly: none is recorded as a success, no upstream goes on."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any

import pytest

from tests.fakes.scenario import LONG, ClientResponse, Scenario
from tests.fakes.script import Step, Tokens
from tests.fakes.vendor import API_KEY
from tests.fakes.waiting import WITHIN_S, until

THREE = "one two"
"""The text that at least arrived with three content frames."""

AT_ONCE_S = 5.0
"""A hang-up is passed on without any wait: that is milliseconds, and on a busy machine less than this. The vendors of these tests
would go on for longer."""


async def hang_up(request: asyncio.Future[Any]) -> None:
    """The client hangs up."""
    request.cancel()
    await asyncio.wait({request})


def broken(scenario: Scenario, response: ClientResponse, code: str = "provider_stream_broken") -> None:
    """The stream ended in the gateway's own error event, and the record has the same error."""
    assert response.error is not None
    assert "a/alpha" in response.message
    if scenario.variant.dialect == "openai":
        assert response.error["code"] == code
    else:
        # The scripted error event of Anthropic is `overloaded_error`, at which clients wait and try again.
        overloaded = scenario.variant.upstream == "anthropic" and scenario.outcomes[-1][1] == "overloaded"
        kind = "overloaded_error" if overloaded else "api_error"
        assert response.error["type"] == ("timeout_error" if code == "provider_timeout" else kind)
        assert b"event: error" in response.raw
    recorded_as_broken(scenario, response, code)


def recorded_as_broken(scenario: Scenario, response: ClientResponse, code: str = "provider_stream_broken") -> None:
    """It is recorded as broken, not as a success."""
    assert response.status == 200
    assert not response.ended_well
    record = scenario.record
    assert (record.status, record.error_code, record.cost_state) == ("broken", code, "estimated")
    assert record.cost_nano
    assert record.output > 0
    assert len(record.attempts) == 1
    assert record.attempts[0].outcome not in ("ok", "cancelled")
    assert not scenario.b.requests


async def test_s08_a_cut_stream_ends_in_an_error_event(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(text=LONG, cut_after=4, frame_s=0.01))
    response = await streams.ask()
    broken(streams, response)
    assert response.text.startswith(THREE)
    assert streams.outcomes == [("a", "broken")]


async def test_s08_a_provider_that_reports_an_error_in_its_stream_is_quoted(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(text=LONG, error_after=4, message="the machine caught fire"))
    response = await streams.ask()
    if streams.variant.passthrough:
        recorded_as_broken(streams, response)
        assert response.message == "the machine caught fire", "in the provider's own frame"
    else:
        broken(streams, response)
        assert "the machine caught fire" in response.message
    assert response.raw.count(b"the machine caught fire") == 1
    assert "the machine caught fire" in streams.record.error_text


async def test_s08_a_credential_quoted_in_the_middle_of_a_stream_is_redacted(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(text=LONG, error_after=4, message=f"the key {API_KEY} was withdrawn"))
    response = await streams.ask()
    broken(streams, response)
    assert "the key [credential] was withdrawn" in response.message
    assert API_KEY.encode() not in response.raw


async def test_s08_a_cut_whole_answer_is_requested_again(wholes: Scenario) -> None:
    await wholes.configure()
    wholes.a.script(Step(cut_after=1))
    response = await wholes.ask()
    assert response.by == "b"
    assert response.ended_well
    assert wholes.outcomes[0] == ("a", "broken")


async def test_s09_a_stalled_stream_ends_in_an_error_event(streams: Scenario) -> None:
    await streams.configure(timeouts={"idle_s": 0.4})
    streams.a.script(Step(text=LONG, stall_after=4))
    response = await streams.ask()
    broken(streams, response, "provider_timeout")
    assert response.text.startswith(THREE)
    assert 0.4 <= response.times[-1] < 5, "not the 30 s that the whole request may take"
    async with asyncio.timeout(WITHIN_S):
        await streams.a.requests[0].ended.wait()
    assert streams.a.requests[0].outcome == "hung up"


async def test_s09_a_stalled_whole_answer_is_stood_in_for(wholes: Scenario) -> None:
    await wholes.configure(timeouts={"first_token_s": 1.0})  # within which the other target has to answer
    wholes.a.script(Step(stall_after=1))
    response = await wholes.ask()
    assert response.by == "b"
    assert response.ended_well


@pytest.mark.parametrize("frame_s", [0.0, 0.01], ids=["in-one-piece", "frame-by-frame"])
async def test_s10_a_malformed_frame_after_content_ends_in_an_error_event(streams: Scenario, frame_s: float) -> None:
    await streams.configure()
    streams.a.script(Step(text=LONG, malformed_after=4, frame_s=frame_s))
    response = await streams.ask()
    broken(streams, response)
    assert response.text.startswith(THREE)
    assert b"oops" not in response.raw
    assert streams.outcomes == [("a", "malformed")]


async def test_s11_an_end_without_the_terminal_event_is_no_success(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(no_end=True))
    response = await streams.ask()
    broken(streams, response)
    assert LONG in response.text


async def test_s11_nothing_but_a_beginning_is_stood_in_for(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(cut_after=0))
    response = await streams.ask()
    assert response.by == "b"
    assert response.ended_well


SHORT = {"short-of-its-length": Step(cut_after=1), "without-its-last-chunk": Step(no_end=True)}


@pytest.mark.parametrize("step", SHORT.values(), ids=SHORT)
async def test_s11_a_whole_answer_without_its_end_is_no_success(wholes: Scenario, step: Step) -> None:
    await wholes.configure(retries=0)
    wholes.a.script(step)
    assert (await wholes.ask()).by == "b"
    assert wholes.outcomes == [("a", "broken"), ("b", "ok")]
    alone = await wholes.ask("a")
    assert alone.status == 502
    assert not alone.text
    assert "a/alpha: broken" in alone.message
    # What the cut answer had used is not known, and not free.
    assert (wholes.record.status, wholes.record.cost_state) == ("error", "estimated")
    assert wholes.record.cost_nano


async def test_s17_a_hang_up_in_a_stream_stops_the_upstream_and_is_billed_as_an_estimate(streams: Scenario) -> None:
    await streams.configure()
    streams.a.script(Step(text=LONG, frame_s=0.05))
    loop = asyncio.get_running_loop()
    async with streams.post() as response:
        received = b""
        while b"two" not in received:
            received += await response.content.readany()
        left = loop.time()
        response.close()
    call = streams.a.requests[0]
    async with asyncio.timeout(WITHIN_S):
        await call.ended.wait()
    assert call.outcome == "hung up"
    assert call.ended_at - left < AT_ONCE_S
    assert call.frames_sent < 9
    await streams.settled()
    record = streams.record
    assert (record.status, record.cost_state) == ("cancelled", "estimated")
    assert record.cost_nano
    assert record.input > 0
    assert record.output > 0
    assert not streams.b.requests


@pytest.mark.parametrize("keepalive_s", [10.0, 0.1], ids=["before-the-headers", "between-pings"])
async def test_s17_a_hang_up_before_the_first_token_stops_the_upstream(streams: Scenario, keepalive_s: float) -> None:
    await streams.configure(keepalive_s=keepalive_s)
    streams.a.script(Step(think_s=60))
    pings: list[bytes] = []

    async def listen() -> None:
        async with streams.post() as response:
            async for piece in response.content.iter_any():
                pings.append(piece)

    listening = asyncio.ensure_future(listen())
    await until(lambda: streams.a.requests and (pings or keepalive_s > 1))
    await hang_up(listening)
    left = asyncio.get_running_loop().time()
    call = streams.a.requests[0]
    async with asyncio.timeout(WITHIN_S):
        await call.ended.wait()
    assert call.outcome == "hung up"
    assert call.ended_at - left < AT_ONCE_S
    await streams.settled()
    assert (streams.record.status, streams.record.cost_state) == ("cancelled", "estimated")
    assert streams.outcomes == [("a", "cancelled")]
    stored = await streams.gateway.store.ledger.get(streams.record.id)
    assert stored is not None
    assert [attempt.outcome for attempt in stored.attempts] == ["cancelled"], "the stored record is the whole one"


async def test_s18_a_hang_up_while_waiting_for_a_whole_answer_stops_the_upstream(wholes: Scenario) -> None:
    await wholes.configure()
    wholes.a.script(Step(think_s=60))
    pending = asyncio.ensure_future(wholes.ask())
    await until(lambda: wholes.a.requests)
    await hang_up(pending)
    left = asyncio.get_running_loop().time()
    call = wholes.a.requests[0]
    async with asyncio.timeout(WITHIN_S):
        await call.ended.wait()
    assert call.outcome == "hung up"
    assert call.ended_at - left < AT_ONCE_S
    await wholes.settled()
    assert (wholes.record.status, wholes.record.cost_state) == ("cancelled", "estimated")
    assert wholes.record.cost_nano
    assert wholes.outcomes == [("a", "cancelled")]
    assert not wholes.b.requests


async def test_s18_a_hang_up_between_two_attempts_ends_the_search(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=429, headers={"retry-after": "15"}))
    pending = asyncio.ensure_future(scenario.ask("a"))
    credentials = scenario.gateway.health.credentials
    await until(lambda: any(credential.cooldowns for credential in credentials.values()))  # the gateway has read the 429, and waits
    await hang_up(pending)
    await scenario.settled()
    assert scenario.record.status == "cancelled"
    assert (scenario.record.cost_nano, scenario.record.cost_state) == (0, "final")
    assert len(scenario.a.requests) == 1


async def test_s27_pings_come_from_the_first_second_on_and_before_the_first_token(streams: Scenario) -> None:
    await streams.configure(keepalive_s=0.1)
    streams.a.script(Step(think_s=1.2))
    response = await streams.ask()
    assert response.ended_well
    assert LONG in response.text
    assert response.pings >= 4
    pauses = [later - earlier for earlier, later in zip([0.0, *response.times], response.times, strict=False)]
    # The median: a busy machine delays a ping now and then, a wrong schedule delays each.
    assert median(pauses) < 0.35
    first = response.raw.index(b"ping")
    assert first < response.raw.index(b"one")


async def test_s27_pings_go_on_while_one_target_after_the_other_fails(streams: Scenario) -> None:
    await streams.configure(keepalive_s=0.1, timeouts={"first_token_s": 1})
    streams.a.script(Step(hang=True))
    streams.b.script(Step(status=500, message="beta fell over"))
    response = await streams.ask()
    assert response.status == 200, "the headers were sent with the first ping"
    assert response.pings >= 3
    assert not response.ended_well
    assert "b/beta: server, beta fell over" in response.message
    # The first target had the request and may bill it; the second one's error is free.
    assert (streams.record.status, streams.record.cost_nano, streams.record.cost_state) == ("error", None, "unknown")


async def test_s27_pings_come_in_the_middle_of_an_answer(streams: Scenario) -> None:
    await streams.configure(keepalive_s=0.1)
    streams.a.script(Step(text="one two three", frame_s=0.6))
    response = await streams.ask()
    assert response.ended_well
    assert response.text == "one two three"
    assert response.pings >= 4


async def test_a_slow_reader_slows_the_upstream_down(streams: Scenario) -> None:
    await streams.configure(timeouts={"idle_s": 0.3})
    streams.a.script(Step(text=" ".join(["x" * 100_000] * 400), tokens=Tokens(output=10_000_000)))  # 40 MB
    async with streams.post("a") as response:
        await response.content.readany()
        sent = -1
        async with asyncio.timeout(WITHIN_S):
            while sent != streams.a.requests[0].frames_sent:  # until all buffers on the path are full
                sent = streams.a.requests[0].frames_sent
                await asyncio.sleep(0.7)  # more than the idle time-out: it is not the upstream that is idle
        assert sent < 250, "the rest waits at the vendor"
        size = 0
        last = b""
        async for piece in response.content.iter_any():
            size += len(piece)
            last = (last + piece)[-200:]
    assert size > 39_000_000  # the first bytes were read before
    assert (b"[DONE]" if streams.variant.dialect == "openai" else b"message_stop") in last
    await streams.settled()
    assert streams.record.status == "success"
