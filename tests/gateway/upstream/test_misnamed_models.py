"""Answers under another content type than theirs, or none: the first bytes decide."""

from __future__ import annotations

import orjson
import pytest

from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
CHUNKS = [
    {**HEAD, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}]},
    {**HEAD, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
]
STREAM = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in CHUNKS) + b"data: [DONE]\n\n"
WHOLE = {
    **HEAD, "object": "chat.completion", "usage": CHUNKS[1]["usage"],
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
}  # fmt: skip


@pytest.fixture
async def context(gateway: GatewayFixture, vendor: Vendor) -> GatewayFixture:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_key()
    return gateway


@pytest.mark.parametrize("called", ["application/octet-stream", "text/plain", "application/json"])
async def test_a_stream_is_one_whatever_it_is_called(context: GatewayFixture, vendor: Vendor, called: str) -> None:
    vendor.script(Step(body=STREAM, content_type=called))
    assert await context.stream("oa/m", stream_options={"include_usage": True}) == STREAM
    assert (context.records[-1].status, context.records[-1].output) == ("success", 2)


@pytest.mark.parametrize("called", ["application/octet-stream", "text/plain", "application/json"])
async def test_a_whole_answer_to_a_streamed_request_is_streamed(context: GatewayFixture, vendor: Vendor, called: str) -> None:
    vendor.script(Step(body=WHOLE, content_type=called))
    stream = await context.stream("oa/m")
    assert b'"content":"hi"' in stream
    assert stream.endswith(b"data: [DONE]\n\n")
    assert (context.records[-1].status, context.records[-1].output) == ("success", 2)


@pytest.mark.parametrize("called", ["application/octet-stream", "text/plain"])
async def test_a_web_page_is_no_answer(context: GatewayFixture, vendor: Vendor, called: str) -> None:
    vendor.script(Step(body=b"<html>Sign in</html>", content_type=called))
    with pytest.raises(Exception, match="web page"):
        await context.stream("oa/m")
