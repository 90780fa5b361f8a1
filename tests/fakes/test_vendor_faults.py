"""Every fault of the scripted vendor, as it looks on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.waiting import WITHIN_S, until

Ask = Callable[..., Awaitable[tuple[int, str, bytes]]]
FRAMES = 5


@pytest.fixture
async def vendor():
    async with Vendor() as running:
        yield running


@pytest.fixture(params=["openai", "anthropic"])
async def ask(request, vendor):
    """Make one request; gives status, content type and the bytes received (also where an error cut the response off)."""
    headers = {"authorization": f"Bearer {API_KEY}"}
    url = f"{vendor.openai_url}/chat/completions"
    if request.param == "anthropic":
        headers["anthropic-version"] = "2026-10-21"
        url = f"{vendor.anthropic_url}/v1/messages"
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=WITHIN_S)) as session:

        async def once(stream: bool = True, leave: Callable[[bytes], object] | None = None) -> tuple[int, str, bytes]:
            """`leave` is called repeatedly with the bytes received so far; where it is true, the client disconnects."""
            body: dict[str, Any] = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "one two three"}]}
            status, kind, received = 0, "", b""

            async def read() -> None:
                nonlocal status, kind, received
                async with session.post(url, json=body) as answer:
                    status, kind = answer.status, answer.content_type
                    with suppress(aiohttp.ClientPayloadError):
                        async for data, _ in answer.content.iter_chunks():
                            received += data

            reading = asyncio.ensure_future(read())
            await until(lambda: reading.done() or (leave is not None and leave(received)))
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
                return status, kind, received
            await reading
            return status, kind, received

        yield once


def ended(received: bytes) -> bool:
    return b"[DONE]" in received or b"message_stop" in received


async def test_without_a_fault_the_stream_has_its_terminal_event(vendor, ask):
    status, kind, received = await ask()
    assert (status, kind, ended(received)) == (200, "text/event-stream", True)
    assert vendor.requests[0].frames_sent >= FRAMES


async def test_a_status_comes_with_its_headers_and_the_dialects_error(vendor, ask):
    vendor.script(Step(status=429, headers={"retry-after": "1"}, message="slow down"))
    status, kind, received = await ask()
    assert (status, kind) == (429, "application/json")
    assert b"slow down" in received


async def test_a_reset_comes_before_any_byte(vendor, ask):
    vendor.script(Step(reset=True))
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask()
    assert vendor.requests[0].outcome == "cut"


async def test_it_can_accept_a_call_and_never_answer(vendor, ask):
    vendor.script(Step(hang=True))
    status, _, _ = await ask(leave=lambda _: vendor.requests)
    assert status == 0
    await asyncio.wait_for(vendor.requests[0].ended.wait(), WITHIN_S)
    assert vendor.requests[0].outcome == "hung up"


@pytest.mark.parametrize("where", ["delay_s", "think_s", "frame_s"])
async def test_it_delays_where_the_step_says(vendor, ask, where):
    vendor.script(Step(**{where: 0.05}))
    begun = asyncio.get_running_loop().time()
    _, _, received = await ask()
    assert asyncio.get_running_loop().time() - begun >= 0.05
    assert ended(received)


async def test_it_cuts_a_stream_after_so_many_frames(vendor, ask):
    vendor.script(Step(cut_after=3))
    _, _, received = await ask()
    assert not ended(received)
    assert (vendor.requests[0].frames_sent, vendor.requests[0].outcome) == (3, "cut")


async def test_it_stalls_after_so_many_frames(vendor, ask):
    vendor.script(Step(stall_after=3))
    _, _, received = await ask(leave=lambda _: vendor.requests and vendor.requests[0].frames_sent >= 3)
    await asyncio.wait_for(vendor.requests[0].ended.wait(), WITHIN_S)
    assert not ended(received)
    assert (vendor.requests[0].frames_sent, vendor.requests[0].outcome) == (3, "hung up")


@pytest.mark.parametrize("fault", ["cut_after", "stall_after"])
async def test_a_whole_answer_breaks_off_in_the_middle(vendor, ask, fault):
    vendor.script(Step(**{fault: 0}))
    _, kind, received = await ask(stream=False, leave=bool)
    assert kind == "application/json"
    assert received.startswith(b"{")
    assert not received.endswith(b"}")


async def test_a_malformed_frame_comes_between_good_ones(vendor, ask):
    vendor.script(Step(malformed_after=2))
    _, _, received = await ask()
    assert b" oops\n\n" in received
    assert ended(received)


async def test_an_error_can_come_in_the_stream(vendor, ask):
    vendor.script(Step(error_after=2, message="too busy"))
    _, _, received = await ask()
    assert b"too busy" in received
    assert not ended(received)


async def test_the_terminal_event_can_be_missing(vendor, ask):
    vendor.script(Step(no_end=True))
    _, _, received = await ask()
    assert b"three" in received
    assert not ended(received)


async def test_a_success_can_be_a_web_page(vendor, ask):
    vendor.script(Step(body="<html>Sign in</html>"))
    assert await ask() == (200, "text/html", b"<html>Sign in</html>")


async def test_split_bytes_are_the_same_bytes(vendor, ask):
    _, _, smooth = await ask()
    vendor.script(Step(split_bytes=3))
    assert (await ask())[2] == smooth


async def test_a_big_answer_is_big(vendor, ask):
    vendor.script(Step(text="x" * 3_000_000))
    assert len((await ask(stream=False))[2]) > 3_000_000


async def test_a_client_that_disconnects_in_a_stream_is_noticed_at_once(vendor, ask):
    vendor.script(Step(stall_after=1))
    await ask(leave=bool)
    left = asyncio.get_running_loop().time()
    await asyncio.wait_for(vendor.requests[0].ended.wait(), WITHIN_S)
    assert vendor.requests[0].outcome == "hung up"
    assert vendor.requests[0].ended_at - left < 5, "without the disconnect it would stall for ever"


async def test_a_stopped_vendor_can_be_started_again(vendor, ask):
    port = vendor.port
    await vendor.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask()
    await vendor.start(port)
    assert (await ask())[0] == 200
