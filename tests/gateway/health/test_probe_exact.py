"""What a test of a provider sends, and what it reports, also of providers without chats."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace

import pytest

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.gateway.health import probe
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor


def offers(gateway: GatewayFixture, name: str, *models: str) -> None:
    """Let the provider's list of models be known already."""
    bound = gateway.snapshot.providers[name]
    gateway.state.offered[name] = (bound.provider.updated_at, [OfferedModel(id=model) for model in models])


async def test_each_request_of_a_test_is_small_and_has_one_message(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    offers(gateway, "oa", "gpt-x")
    tested = await probe.test_provider(gateway, "oa")
    assert tested.ok
    assert tested.error is None
    assert tested.features == dict.fromkeys(("stream", "tools", "vision", "json", "usage_in_stream"), True)
    assert len(vendor.requests) == 4
    assert {call.body.get("max_completion_tokens", call.body.get("max_tokens")) for call in vendor.requests} == {64}
    streamed = vendor.requests[0].body
    assert streamed["messages"] == [{"role": "user", "content": "Reply with the word ok."}]
    seen = next(call.body for call in vendor.requests if isinstance(call.body["messages"][0]["content"], list))
    assert [part["type"] for part in seen["messages"][0]["content"]] == ["text", "image_url"]


async def test_the_time_to_the_first_frame_is_reported_in_milliseconds(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    bound = gateway.snapshot.providers["oa"]
    # Each look at the clock is two seconds after the one before: of all frames, the first counts.
    ticks = itertools.count(100, 2)
    monkeypatch.setattr(probe, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    tested, _ = await probe._test_stream(gateway, bound, "gpt-x")
    assert tested.latency_ms == 2000


async def test_a_test_that_ended_leaves_nothing_in_flight(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    offers(gateway, "oa", "gpt-x")
    vendor.script(Step(hang=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "PROBE_S", 0.2)
        assert not (await probe.test_provider(gateway, "oa")).ok
    await asyncio.sleep(0)
    assert gateway.state.health.target("oa/gpt-x").in_flight == 0


async def test_a_model_that_another_providers_alias_uses_is_not_tested(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_provider("other", vendor.openai_url)
    await gateway.add_alias("a", "other/gpt-other")
    await gateway.add_alias("b", "OA/gpt-used")
    offers(gateway, "oa", "gpt-listed")
    assert (await probe.test_provider(gateway, "oa")).ok
    assert {call.body["model"] for call in vendor.requests} == {"gpt-used"}


async def test_a_provider_without_chats_embeds_one_word(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("vo", vendor.openai_url, kind="voyage")
    tested = await probe.test_provider(gateway, "vo")
    assert (tested.ok, tested.error) == (True, None)
    assert tested.latency_ms is not None
    assert 0 < tested.latency_ms < 60_000
    assert set(tested.features.values()) == {None}
    [sent] = vendor.requests
    assert sent.path.endswith("/embeddings")
    assert sent.body["input"] in ("hello", ["hello"])


async def test_the_time_of_an_embedding_begins_after_the_list_of_models(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.add_provider("vo", vendor.openai_url, kind="voyage")
    ticks = itertools.count(100, 2)
    monkeypatch.setattr(probe, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    assert (await probe.test_provider(gateway, "vo")).latency_ms == 2000


async def test_a_provider_without_chats_that_refuses_is_no_success(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("vo", vendor.openai_url, kind="voyage")
    vendor.script(Step(status=401, message="bad key"))
    tested = await probe.test_provider(gateway, "vo")
    assert not tested.ok
    assert "bad key" in str(tested.error)


async def test_a_provider_without_chats_that_does_not_answer_is_no_success(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.add_provider("vo", vendor.openai_url, kind="voyage")
    vendor.script(Step(hang=True))
    monkeypatch.setattr(probe, "PROBE_S", 0.2)
    tested = await probe.test_provider(gateway, "vo")
    assert (tested.ok, tested.error) == (False, "no answer within 0.2 s")
