"""The headers of an answer: what a provider says of itself is relayed in its own dialect, the key's limits come first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

LIMITED = "condt_" + "l" * 43
UPSTREAM_HEADERS = {
    "x-request-id": "req_up", "openai-processing-ms": "12", "x-ratelimit-remaining-requests": "41", "openai-organization": "org",
    "set-cookie": "a=b",
}  # fmt: skip


@pytest.fixture
async def gateway(home: Home) -> AsyncIterator[GatewayFixture]:
    async with Vendor() as vendor, open_gateway(home) as gateway:
        vendor.script(Step(headers=UPSTREAM_HEADERS))
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_key()
        await gateway.add_key("limited", LIMITED, rpm=9)
        yield gateway


async def test_the_providers_request_and_its_limits_are_named_in_its_own_dialect(gateway: GatewayFixture) -> None:
    headers = (await gateway.answer(call("oa/m"))).headers
    assert (headers["x-request-id"], headers["openai-processing-ms"]) == ("req_up", "12")
    assert headers["x-ratelimit-remaining-requests"] == "41"
    assert not {"openai-organization", "set-cookie"} & headers.keys()


async def test_the_keys_own_limits_come_first(gateway: GatewayFixture) -> None:
    headers = (await gateway.answer(call("oa/m", key=LIMITED))).headers
    assert (headers["x-ratelimit-remaining-requests"], headers["x-request-id"]) == ("8", "req_up")


async def test_a_translated_answer_says_nothing_of_another_dialects_headers(gateway: GatewayFixture) -> None:
    headers = (await gateway.answer(call("oa/m", client_dialect="anthropic_messages"))).headers
    assert not {"x-request-id", "x-ratelimit-remaining-requests"} & headers.keys()


async def test_what_was_dropped_is_recorded_where_the_headers_had_left_before_it_was_known(home: Home) -> None:
    async with Vendor() as vendor, open_gateway(home, keepalive_s=0.05) as gateway:
        vendor.script(Step(think_s=1))
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_key()
        assert b"ping" in await gateway.stream("an/m", seed=7)
        assert gateway.records[-1].dropped == ("seed",)
