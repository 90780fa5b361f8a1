"""A test of a provider looks for what its kind can do, and for nothing else."""

from __future__ import annotations

from conduit_desktop.gateway.health import probe
from tests.fakes.gateway import GatewayFixture
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replicate import ReplicateVendor


async def test_what_a_kind_cannot_do_is_not_probed(gateway: GatewayFixture) -> None:
    async with ReplicateVendor(["ok"]) as vendor:
        await gateway.add_provider("rep", vendor.url, kind="replicate")
        await gateway.add_alias("r", "rep/meta/llama")
        tested = await probe.test_provider(gateway, "rep")
        assert tested.ok
        assert tested.features == {"stream": True, "tools": False, "vision": True, "json": False, "usage_in_stream": True}
        assert len(vendor.inputs) == 2


async def test_everything_else_is_probed(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    tested = await probe.test_provider(gateway, "oa")
    assert tested.features == dict.fromkeys(("stream", "tools", "vision", "json", "usage_in_stream"), True)
    assert len(vendor.requests) == 4


async def test_tools_are_probed_where_the_model_takes_them(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url, kind="openai")
    await gateway.add_alias("m", "oa/gpt-5.6-sol")
    await probe.test_provider(gateway, "oa")
    asked = {call.path: call.body for call in vendor.requests if "tools" in call.body}
    assert list(asked) == ["/v1/responses"], "chat refuses the tools of this model"


async def test_the_test_of_json_mode_says_json(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    await probe.test_provider(gateway, "oa")
    asked = next(call.body for call in vendor.requests if "response_format" in call.body)
    assert "JSON" in str(asked["messages"])
