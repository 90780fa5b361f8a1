"""What a test of a provider concludes from each answer, and when its list of models is asked for again."""

from __future__ import annotations

import pytest

from conduit_desktop.core.errors import Invalid
from conduit_desktop.gateway import probe
from tests.fakes.furnished import Furnished
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor


def lists_asked(vendor: Vendor) -> int:
    return len([call for call in vendor.calls if call.method == "GET"])


async def test_a_list_of_models_is_asked_for_once_and_again_on_demand_or_after_a_change(gateway: Furnished, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    first = await probe.offered_models(gateway, "oa")
    assert await probe.offered_models(gateway, "OA") is first
    assert lists_asked(vendor) == 1
    await probe.offered_models(gateway, "oa", refresh=True)
    assert lists_asked(vendor) == 2
    provider = await gateway.store.providers.get("oa")
    assert provider is not None
    await gateway.store.providers.replace(provider.model_copy(update={"updated_at": 7}))
    await gateway.refresh()
    await probe.offered_models(gateway, "oa")
    assert lists_asked(vendor) == 3


async def test_a_provider_that_is_not_known_is_refused_by_name(gateway: Furnished) -> None:
    with pytest.raises(Invalid, match="'none' is not known"):
        await probe.offered_models(gateway, "none")
    with pytest.raises(Invalid, match="'none' is not known"):
        await probe.test_provider(gateway, "none")


async def test_a_provider_whose_secret_is_missing_is_not_asked(gateway: Furnished, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    gateway.secrets.delete("provider/oa/0")
    await gateway.refresh()
    with pytest.raises(Invalid, match="secret store"):
        await probe.offered_models(gateway, "oa")
    assert not vendor.calls


async def test_a_refused_list_says_why_and_does_not_quote_the_key(gateway: Furnished, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url, keys=["sk-wrong-key-of-mine"])
    with pytest.raises(Invalid, match="did not list its models") as caught:
        await probe.offered_models(gateway, "oa")
    assert "sk-wrong-key-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "able"), [(200, True), (400, False), (422, False), (500, None), (429, None)], ids=lambda value: str(value)
)
async def test_a_feature_is_there_or_refused_or_not_known(
    gateway: Furnished, vendor: Vendor, short_backoff: None, status: int, able: bool | None
) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(status=status, message="no"))
    assert await probe._accepts(gateway, "oa/gpt-x", probe._QUESTIONS["json"]) is able


async def test_a_stream_that_does_not_come_in_time_is_no_success(
    gateway: Furnished, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_S", 0.05)
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(hang=True))
    tested = await probe.test_provider(gateway, "oa")
    assert (tested.ok, tested.error) == (False, "No answer within 0.05 s.")
    assert len(vendor.asked) == 1, "neither another model nor a feature is asked for"


async def test_a_failed_test_claims_no_feature(gateway: Furnished, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    vendor.script(Step(status=401, message="bad key"))
    assert set((await probe.test_provider(gateway, "oa")).features.values()) == {None}


@pytest.mark.parametrize("model", ["text-embedding-3-small", "Whisper-1", "tts-1", "omni-moderation", "gpt-image-1", "sora-2"])
def test_a_model_whose_name_is_of_another_trade_is_not_asked_to_chat(model: str) -> None:
    assert not probe._may_chat(model)
    assert probe._may_chat("gpt-x")


async def test_a_test_needs_no_virtual_key_and_uses_the_providers_own(gateway: Furnished, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("m", "oa/gpt-x")
    assert (await probe.test_provider(gateway, "oa")).ok
    assert {call.headers["authorization"] for call in vendor.asked} == {f"Bearer {API_KEY}"}
