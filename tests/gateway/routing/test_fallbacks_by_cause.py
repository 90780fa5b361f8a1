"""What is too long goes to one place, what was filtered to another, and what just fails to the usual fallbacks."""

from __future__ import annotations

import pytest

from conduit_desktop.core.errors import UpstreamError
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

TOO_LONG = Step(status=400, message="This model's maximum context length is 8192 tokens.", error_type="context_length_exceeded")
FILTERED = Step(status=400, message="The response was filtered by the content policy.", error_type="content_filter")
DOWN = Step(status=503)


@pytest.fixture
async def three(gateway: GatewayFixture, vendor: Vendor, other: Vendor, short_backoff: None) -> GatewayFixture:
    """`small` goes to A; B stands behind `large`, `lax` and `spare`, each by a model of its own."""
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_provider("b", other.openai_url)
    for name in ("large", "lax", "spare"):
        await gateway.add_alias(name, f"b/{name}")
    by_cause = {"context_fallbacks": ("large",), "content_filter_fallbacks": ("lax",)}
    await gateway.add_alias("small", "a/small", fallbacks=("spare",), **by_cause)
    await gateway.add_alias("tight", "a/small", fallbacks=("spare",), max_context_tokens=50, **by_cause)
    await gateway.add_key()
    return gateway


@pytest.mark.parametrize(("step", "model"), [(TOO_LONG, "large"), (FILTERED, "lax"), (DOWN, "spare")])
async def test_each_cause_has_its_own_fallback(
    three: GatewayFixture, vendor: Vendor, other: Vendor, step: Step, model: str
) -> None:
    vendor.script(step)
    await three.ask("small")
    assert [call.body["model"] for call in other.requests] == [model]
    assert three.records[-1].upstream_model == model


async def test_a_request_over_the_alias_own_limit_goes_there_without_an_attempt(
    three: GatewayFixture, vendor: Vendor, other: Vendor
) -> None:
    await three.ask("tight", "word " * 100)
    assert [call.body["model"] for call in other.requests] == ["large"]
    assert not vendor.requests


async def test_what_refuses_for_the_same_cause_again_ends_it(three: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    vendor.script(TOO_LONG)
    other.script(TOO_LONG)
    with pytest.raises(UpstreamError, match="maximum context length"):
        await three.ask("small")
    assert len(other.requests) == 1
