"""A request goes only where it can be served, as far as that is known."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway import call as call_module
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing import capabilities, explain
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.wire import dialect
from tests.fakes.gateway import GatewayFixture
from tests.fakes.vendor import Vendor

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {"type": "function", "function": {"name": "say", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
NEEDED: dict[str, dict[str, Any]] = {
    "vision": {"messages": [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, PICTURE]}]},
    "tools": {"tools": [TOOL]},
    "json": {"response_format": SCHEMA},
}


@pytest.fixture
async def two(gateway: GatewayFixture, vendor: Vendor, other: Vendor) -> GatewayFixture:
    """The alias `both`: a/small, of which something is known, then b/large, of which nothing is."""
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_provider("b", other.openai_url)
    await gateway.add_alias("both", "a/small", "b/large")
    await gateway.add_alias("alone", "a/small")
    await gateway.add_key()
    return gateway


def known(gateway: GatewayFixture, **facts: Any) -> None:
    gateway.state.offered["a"] = (0, [OfferedModel("small", **facts)])


@pytest.mark.parametrize("need", NEEDED)
async def test_a_target_that_lacks_what_is_needed_is_passed_over(
    two: GatewayFixture, vendor: Vendor, other: Vendor, need: str
) -> None:
    known(two, lacks=(need,))
    await two.ask("both", **NEEDED[need])
    assert (len(vendor.requests), len(other.requests)) == (0, 1)
    await two.ask("both")
    assert len(vendor.requests) == 1, "what it can serve goes to it"


async def test_a_changed_providers_models_are_not_known_any_more(two: GatewayFixture, vendor: Vendor) -> None:
    provider = await two.store.providers.get("a")
    assert provider is not None
    for kind in ("replicate", "openai-compatible"):  # the first one's models call no tools
        known(two, lacks=("tools",))
        await two.store.providers.replace(provider.model_copy(update={"kind": kind}))
        await two.refresh()
        if kind == "replicate":
            with pytest.raises(BadRequest, match="does not take tools"):
                await two.ask("alone", **NEEDED["tools"])
    await two.ask("alone", **NEEDED["tools"])
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("need", NEEDED)
async def test_where_no_target_can_serve_a_request_the_error_names_why(two: GatewayFixture, vendor: Vendor, need: str) -> None:
    known(two, lacks=(need,))
    with pytest.raises(BadRequest, match="does not take") as caught:
        await two.ask("alone", **NEEDED[need])
    assert (caught.value.status, caught.value.code) == (400, "unsupported_parameter")
    assert not vendor.requests
    assert two.records[-1].status == "error"


@pytest.mark.parametrize("need", NEEDED)
async def test_an_unknown_model_may_serve_anything(two: GatewayFixture, vendor: Vendor, need: str) -> None:
    known(two, features=("embeddings",))
    await two.ask("both", **NEEDED[need])
    assert len(vendor.requests) == 1


async def test_a_small_window_is_passed_over_for_a_long_request(two: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    known(two, context_tokens=1000)
    await two.ask("both", "word " * 4000)
    assert (len(vendor.requests), len(other.requests)) == (0, 1)
    with pytest.raises(BadRequest, match=r"about 4,\d\d\d tokens") as caught:
        await two.ask("alone", "word " * 4000)
    assert caught.value.code == "context_length_exceeded"


async def test_an_estimate_just_over_the_window_is_left_to_the_model(two: GatewayFixture, vendor: Vendor) -> None:
    known(two, context_tokens=1000)
    await two.ask("both", "word " * 1000)
    assert len(vendor.requests) == 1


async def test_the_alias_own_limit_sends_a_long_request_to_its_fallback(two: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    await two.add_alias("wide", "b/large")
    await two.add_alias("narrow", "a/small", max_context_tokens=500, fallbacks=("wide",))
    await two.ask("narrow", "word " * 1000)
    assert (len(vendor.requests), len(other.requests)) == (0, 1)
    await two.ask("narrow")
    assert len(vendor.requests) == 1


async def test_targets_that_cannot_for_different_reasons_are_all_named(two: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    known(two, lacks=("tools",))
    two.state.offered["b"] = (0, [OfferedModel("large", context_tokens=10)])
    with pytest.raises(BadRequest) as caught:
        await two.ask("both", "word " * 100, **NEEDED["tools"])
    assert "a/small: the model does not take tools" in caught.value.message
    assert "b/large: the request has about" in caught.value.message
    assert not vendor.requests
    assert not other.requests


async def test_explain_names_the_target_that_cannot(two: GatewayFixture) -> None:
    known(two, lacks=("tools",))
    body = {"messages": [{"role": "user", "content": "hello"}], **NEEDED["tools"]}
    able, unable = await explain.explain(two.state, "both", body)
    assert (able.provider, able.usable) == ("b", True)
    assert (unable.provider, unable.usable) == ("a", False)
    assert "does not take tools" in unable.reason
    assert all(row.usable for row in await explain.explain(two.state, "both", {"messages": body["messages"]}))


async def test_explain_shows_where_what_is_too_long_goes(two: GatewayFixture) -> None:
    await two.add_alias("wide", "b/large")
    await two.add_alias("narrow", "a/small", max_context_tokens=500, context_fallbacks=("wide",))
    long, wide = await explain.explain(two.state, "narrow", {"messages": [{"role": "user", "content": "word " * 1000}]})
    assert (long.provider, long.usable) == ("a", False)
    assert (wide.provider, wide.usable) == ("b", True)
    assert wide.reason.startswith("fallback for requests that are too long wide: ")


async def test_explain_counts_what_is_left_after_trimming(two: GatewayFixture) -> None:
    await two.add_alias("trimmed", "a/small", max_context_tokens=500, trim=True)
    turns = [{"role": role, "content": "word " * 300} for _ in range(5) for role in ("user", "assistant")]
    [row] = await explain.explain(two.state, "trimmed", {"messages": [*turns, {"role": "user", "content": "and now?"}]})
    assert row.usable, row.reason


async def test_what_is_learnt_later_holds_from_then_on(two: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    await two.ask("both", **NEEDED["tools"])
    known(two, lacks=("tools",))
    await two.ask("both", **NEEDED["tools"])
    known(two)
    await two.ask("both", **NEEDED["tools"])
    assert (len(vendor.requests), len(other.requests)) == (2, 1)


async def two_sizes(gateway: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    """The alias `both`: GPT-4 with 8,192 tokens, then GPT-4.1 with a million, by the table of models alone."""
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_provider("b", other.openai_url)
    await gateway.add_alias("both", "a/gpt-4-0613", "b/gpt-4.1")
    await gateway.add_alias("small", "a/gpt-4-0613", "b/gpt-4")
    await gateway.add_alias("alone", "a/gpt-4-0613")
    await gateway.add_key()


async def test_a_target_that_is_too_small_by_the_table_is_passed_over_for_a_larger_one(
    gateway: GatewayFixture, vendor: Vendor, other: Vendor
) -> None:
    await two_sizes(gateway, vendor, other)
    await gateway.ask("both", "word " * 20_000)
    assert (len(vendor.requests), len(other.requests)) == (0, 1)
    await gateway.ask("both", "word " * 6000)
    assert (len(vendor.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize("alias", ["alone", "small"])
async def test_where_all_targets_are_too_small_by_the_table_the_vendor_decides(
    gateway: GatewayFixture, vendor: Vendor, other: Vendor, alias: str
) -> None:
    await two_sizes(gateway, vendor, other)
    await gateway.ask(alias, "word " * 20_000)
    assert len(vendor.requests) == 1


async def test_the_providers_list_wins_over_the_table(gateway: GatewayFixture, vendor: Vendor, other: Vendor) -> None:
    await two_sizes(gateway, vendor, other)
    gateway.state.offered["a"] = (0, [OfferedModel("gpt-4-0613", context_tokens=1_000_000)])
    await gateway.ask("both", "word " * 20_000)
    assert (len(vendor.requests), len(other.requests)) == (1, 0)


async def test_no_request_is_measured_for_the_table_where_there_is_no_choice(
    gateway: GatewayFixture, vendor: Vendor, other: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_sizes(gateway, vendor, other)
    measured = []
    monkeypatch.setattr(capabilities, "_why_not", lambda call, facts, route: measured.append(facts))
    await gateway.ask("alone")
    assert measured == []
    await gateway.ask("both")
    assert len(measured) == 2


async def test_a_short_text_is_not_measured(
    gateway: GatewayFixture, vendor: Vendor, other: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_sizes(gateway, vendor, other)
    route = resolve_model("both", gateway.state.snapshot, endpoint=None)
    measured = []
    monkeypatch.setattr(call_module, "input_estimate", lambda call, _targets: measured.append(call) or 10**9)
    for size, times in ((12_000, 0), (13_000, 1)):  # 8,192 tokens and a half
        body = {"model": "both", "messages": [{"role": "user", "content": "x"}]}
        call = Call(dialect("openai_chat"), body, "both", received=(b"x" * size, body))
        assert len(gateway.state.capabilities.unfit(call, route)) == times
        assert len(measured) == times
