"""What a test of a provider concludes from each answer, and when its list of models is read again."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import Invalid
from conduit_desktop.gateway.health import probe
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.vendor_openai import MODELS


def list_requests(vendor: Vendor) -> int:
    return len([call for call in vendor.calls if call.method == "GET"])


async def test_a_list_of_models_is_requested_once_and_again_on_demand_or_after_a_change(
    gateway: GatewayFixture, vendor: Vendor
) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    first = await probe.offered_models(gateway, "oa")
    assert await probe.offered_models(gateway, "OA") is first
    assert list_requests(vendor) == 1
    await probe.offered_models(gateway, "oa", refresh=True)
    assert list_requests(vendor) == 2
    provider = await gateway.store.providers.get("oa")
    assert provider is not None
    await gateway.store.providers.replace(provider.model_copy(update={"updated_at": 7}))
    await gateway.refresh()
    await probe.offered_models(gateway, "oa")
    assert list_requests(vendor) == 3


async def test_a_provider_that_is_not_known_is_refused_by_name(gateway: GatewayFixture) -> None:
    with pytest.raises(Invalid, match="'none' is not known"):
        await probe.offered_models(gateway, "none")
    with pytest.raises(Invalid, match="'none' is not known"):
        await probe.test_provider(gateway, "none")


async def test_a_provider_whose_secret_is_missing_gets_no_request(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    gateway.secrets.delete("provider/oa/0")
    await gateway.refresh()
    with pytest.raises(Invalid, match="secret store"):
        await probe.offered_models(gateway, "oa")
    assert not vendor.calls


async def test_a_refused_list_says_why_and_does_not_quote_the_key(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url, keys=["sk-wrong-key-of-mine"])
    with pytest.raises(Invalid, match="did not list its models") as caught:
        await probe.offered_models(gateway, "oa")
    assert "sk-wrong-key-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "able"),
    [(200, True), (400, False), (422, False), (404, None), (500, None), (429, None)],
    ids=lambda value: str(value),
)
async def test_a_feature_is_there_or_refused_or_not_known(
    gateway: GatewayFixture, vendor: Vendor, short_backoff: None, status: int, able: bool | None
) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(status=status, message="no"))
    assert await probe._accepts(gateway, gateway.snapshot.providers["oa"], "gpt-x", probe._TEST_FIELDS["json"]) is able


async def test_a_stream_that_does_not_come_in_time_is_no_success(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_S", 0.5)
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(hang=True))
    tested = await probe.test_provider(gateway, "oa")
    assert (tested.ok, tested.error) == (False, "No answer within 0.5 s.")
    assert len(vendor.requests) == 1, "neither another model nor a feature is probed"


async def test_a_failed_test_claims_no_feature(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(status=401, message="bad key"))
    assert set((await probe.test_provider(gateway, "oa")).features.values()) == {None}


@pytest.mark.parametrize("model", ["text-embedding-3-small", "Whisper-1", "tts-1", "omni-moderation", "gpt-image-1", "sora-2"])
def test_a_model_whose_name_is_not_of_a_chat_model_is_not_probed_with_chat(model: str) -> None:
    assert not probe._may_chat(model)
    assert probe._may_chat("gpt-x")


async def test_a_test_needs_no_virtual_key_and_uses_the_providers_own(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    assert (await probe.test_provider(gateway, "oa")).ok
    assert {call.headers["authorization"] for call in vendor.requests} == {f"Bearer {API_KEY}"}


def offers(gateway: GatewayFixture, *models: OfferedModel) -> None:
    """Let `oa`'s list of models be known already."""
    bound = gateway.snapshot.providers["oa"]
    gateway.state.offered["oa"] = (bound.provider.updated_at, list(models))


async def test_a_list_from_before_the_providers_last_change_is_not_used(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    gateway.state.offered["oa"] = (gateway.snapshot.providers["oa"].provider.updated_at - 1, [])
    assert [model.id for model in await probe.offered_models(gateway, "oa")] == list(MODELS)


async def test_a_refused_list_that_quotes_the_key_is_shown_without_it(gateway: GatewayFixture) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": f"bad: {request.headers['Authorization']}"}}, status=401)

    app = web.Application()
    app.router.add_get("/v1/models", refuse)
    async with TestServer(app, host="127.0.0.1") as server:
        await gateway.add_provider("oa", str(server.make_url("/v1")), keys=["sk-wrong-key-of-mine"])
        with pytest.raises(Invalid, match="bad: Bearer") as caught:
            await probe.offered_models(gateway, "oa")
    assert "sk-wrong-key-of-mine" not in str(caught.value)


async def test_a_failure_that_is_not_the_models_ends_the_test(gateway: GatewayFixture, vendor: Vendor, short_backoff: None) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    vendor.script(Step(status=500, message="down"), model=MODELS[0])
    tested = await probe.test_provider(gateway, "oa")
    assert not tested.ok
    assert {call.body["model"] for call in vendor.requests} == {MODELS[0]}


async def test_the_error_of_a_test_is_that_of_the_first_model(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    offers(gateway, OfferedModel(id="one"), OfferedModel(id="two"))
    vendor.script(Step(status=404, message="first"), model="one")
    vendor.script(Step(status=404, message="second"), model="two")
    tested = await probe.test_provider(gateway, "oa")
    assert "first" in str(tested.error)
    assert [call.body["model"] for call in vendor.requests] == ["one", "two"]


async def test_at_most_three_models_are_tried(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    offers(gateway, *(OfferedModel(id=str(number)) for number in range(5)))
    vendor.script(Step(status=404, message="none"))
    assert not (await probe.test_provider(gateway, "oa")).ok
    assert [call.body["model"] for call in vendor.requests] == ["0", "1", "2"]


async def test_a_pattern_is_not_requested_as_a_model(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("any", "oa/*")
    offers(gateway, OfferedModel(id="gpt-x"))
    assert (await probe.test_provider(gateway, "oa")).ok
    assert {call.body["model"] for call in vendor.requests} == {"gpt-x"}


@pytest.mark.parametrize("feature", ["embeddings", "images"])
async def test_a_model_that_is_listed_for_another_endpoint_is_not_probed_with_chat(
    gateway: GatewayFixture, vendor: Vendor, feature: str
) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    offers(gateway, OfferedModel(id="other", features=(feature,)))
    tested = await probe.test_provider(gateway, "oa")
    assert (tested.ok, tested.error) == (False, "oa offers no chat model to test.")
    assert not vendor.requests


async def test_a_feature_that_the_providers_list_denies_is_absent_and_not_probed(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    offers(gateway, OfferedModel(id="gpt-x", lacks=("vision",)))
    assert await probe._accepts(gateway, gateway.snapshot.providers["oa"], "gpt-x", probe._TEST_FIELDS["vision"]) is False
    assert not vendor.requests
