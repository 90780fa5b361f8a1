"""Vendors that promise an answer and then say why there is none: LM Studio, OpenRouter, Qwen in its streams."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import UpstreamError
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

TOO_LONG = {"error": "The number of tokens to keep from the initial prompt is greater than the context length"}
FILTERED = {"error": {"message": "Output data may contain inappropriate content.", "code": "data_inspection_failed"}}
LIMITED = {"error": {"message": "Provider returned error", "code": 429, "metadata": {"raw": "slow down"}}}
CRASHED = {"error": {"message": "the model crashed"}}


def answer_step(body: dict[str, Any], stream: bool) -> Step:
    return Step(body=b"data: " + orjson.dumps(body) + b"\n\n", content_type="text/event-stream") if stream else Step(body=body)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("body", "reason"), [(TOO_LONG, "context_length"), (FILTERED, "content_filter")])
async def test_an_error_of_the_clients_request_has_status_400(
    gateway: GatewayFixture, vendor: Vendor, body: dict[str, Any], reason: str, stream: bool
) -> None:
    await gateway.add_provider("v", vendor.openai_url)
    await gateway.add_key()
    vendor.script(answer_step(body, stream))
    with pytest.raises(UpstreamError) as refused:
        await (gateway.stream if stream else gateway.ask)("v/m")
    assert (refused.value.status, refused.value.reason) == (400, reason)
    assert len(vendor.requests) == 1, "it is not called again"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("body", "reason"), [(LIMITED, "rate_limit"), (CRASHED, "server")])
async def test_what_is_not_goes_on_to_the_next_target(
    gateway: GatewayFixture, vendor: Vendor, body: dict[str, Any], reason: str, stream: bool
) -> None:
    await gateway.add_provider("v", vendor.openai_url)
    await gateway.add_alias("m", "v/first", "v/second", retries=0)
    await gateway.add_key()
    vendor.script(answer_step(body, stream), model="first")
    answer = await (gateway.stream if stream else gateway.ask)("m")
    assert answer
    assert [attempt.outcome for attempt in gateway.records[-1].attempts] == [reason, "ok"]
