"""What was failing is known after a restart, and failing targets are looked after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from conduit_desktop.actions import health
from conduit_desktop.actions.house import House
from conduit_desktop.core.bus import Bus
from conduit_desktop.core.errors import NoHealthyTarget, ProviderFailed, RateLimited
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway import health_memory, tending
from conduit_desktop.gateway.health import Health
from conduit_desktop.store import Store
from tests.fakes.furnished import DictSecrets, Furnished
from tests.fakes.house import StillServer
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor


@asynccontextmanager
async def process(home: Home, secrets: DictSecrets, **settings: float) -> AsyncIterator[Furnished]:
    """A gateway from its start to its end; the home and the secrets outlive it."""
    store = Store.open(home)
    gateway = Furnished(store, secrets, Bus(), settings)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop(1)
        await store.close()


@pytest.fixture
def secrets() -> DictSecrets:
    return DictSecrets()


async def fail(gateway: Furnished, vendor: Vendor) -> None:
    """Open A's circuit."""
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_alias("m", "a/one", retries=0)
    await gateway.add_key()
    vendor.script(Step(status=503, message="alpha is on holiday"))
    for _ in range(5):
        with pytest.raises(ProviderFailed):
            await gateway.ask("m")
    assert gateway.health.target("a/one").state == "open"


async def test_an_open_circuit_is_open_after_a_restart(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
        left = gateway.health.next_probe_s("a/one")
    asked = len(vendor.asked)
    async with process(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="alpha is on holiday"):
            await gateway.ask("m")
        assert len(vendor.asked) == asked
        again = gateway.health.next_probe_s("a/one")
        assert left is not None
        assert again is not None
        assert again <= left + 1


async def test_a_circuit_whose_time_is_over_is_tried_out_by_one_request_after_a_restart(
    home: Home, vendor: Vendor, secrets: DictSecrets
) -> None:
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
        gateway.health.target("a/one").open_until = 0
    vendor.script(Step(hang=True))
    asked = len(vendor.asked)
    async with process(home, secrets) as gateway:
        probe = asyncio.ensure_future(gateway.ask("m"))
        async with asyncio.timeout(5):
            while len(vendor.asked) == asked:
                await asyncio.sleep(0.005)
        for result in await asyncio.gather(*(gateway.ask("m") for _ in range(20)), return_exceptions=True):
            assert isinstance(result, NoHealthyTarget)
        assert len(vendor.asked) == asked + 1
        probe.cancel()
        await asyncio.wait({probe})
        vendor.script(Step())
        await gateway.ask("m")
        assert gateway.health.target("a/one").state == "closed"


async def kept(gateway: Furnished, *words: str) -> None:
    """Wait until these words are in what a killed process would leave behind."""
    async with asyncio.timeout(2):
        written = ""
        while not all(word in written for word in words):
            await asyncio.sleep(0.01)
            written = str(await gateway.store.meta.get("health"))


async def test_an_open_circuit_and_a_parked_credential_outlive_a_killed_process(
    home: Home, vendor: Vendor, secrets: DictSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "EVERY_S", 60.0)
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
        await gateway.add_provider("b", vendor.openai_url)
        await gateway.add_alias("n", "b/two")
        vendor.script(Step(status=401, message="not welcome"), model="two")
        with pytest.raises(ProviderFailed):
            await gateway.ask("n")
        await kept(gateway, "alpha is on holiday", "not welcome")


async def test_a_pause_outlives_a_killed_process_and_is_lifted_for_good(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one")
        await gateway.add_key()
        house = House(home, gateway.store, secrets, gateway, gateway.bus, StillServer())  # type: ignore[arg-type]
        await health.pause(house, "a/one", "cli")
        assert (await gateway.store.meta.get("health"))["paused"] == ["a/one"], "no later than the operator is told"
    async with process(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="the operator paused it"):
            await gateway.ask("m")
        house = House(home, gateway.store, secrets, gateway, gateway.bus, StillServer())  # type: ignore[arg-type]
        await health.resume(house, "a/one", "cli")
        assert (await gateway.store.meta.get("health"))["paused"] == []
        await gateway.ask("m")
    assert len(vendor.asked) == 1


async def test_a_pause_follows_its_providers_name_and_goes_with_it(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        gateway.health.paused.add("a/one")
        provider = await gateway.store.providers.get("a")
        assert provider is not None
        await gateway.store.providers.replace(provider.model_copy(update={"name": "b"}))
        await gateway.refresh()
        assert gateway.health.paused == {"b/one"}
        await gateway.store.providers.delete("b")
        await gateway.refresh()
        assert not gateway.health.paused


async def test_a_credential_that_was_told_to_wait_waits_after_a_restart(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one", retries=0)
        await gateway.add_key()
        vendor.script(Step(status=429, headers={"retry-after": "600"}), Step())
        with pytest.raises(RateLimited):
            await gateway.ask("m")
    async with process(home, secrets) as gateway:
        with pytest.raises(RateLimited) as caught:
            await gateway.ask("m")
        assert caught.value.retry_after is not None
        assert 590 < caught.value.retry_after <= 600
    assert len(vendor.asked) == 1


async def test_a_target_that_was_told_to_wait_waits_after_a_restart(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one", retries=0)
        await gateway.add_key()
        vendor.script(Step(status=503, message="closed for lunch", headers={"retry-after": "600"}), Step())
        with pytest.raises(ProviderFailed):
            await gateway.ask("m")
    async with process(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="closed for lunch") as caught:
            await gateway.ask("m")
        assert caught.value.retry_after is not None
        assert 590 < caught.value.retry_after <= 600
        assert gateway.health.target("a/one").state == "closed"
    assert len(vendor.asked) == 1


async def test_a_parked_credential_stays_parked_until_it_is_another(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one")
        await gateway.add_key()
        vendor.script(Step(status=401, message="not welcome"))
        with pytest.raises(ProviderFailed):
            await gateway.ask("m")
    vendor.script(Step())
    async with process(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="not welcome"):
            await gateway.ask("m")
        stored = await gateway.store.meta.get("health")
        assert API_KEY not in str(stored)
    assert len(vendor.asked) == 1
    vendor.script(Step(), key="sk-other")
    secrets.set("provider/a/0", "sk-other")  # changed while nothing ran
    async with process(home, secrets) as gateway:
        await gateway.ask("m")


async def test_a_provider_changed_meanwhile_begins_anew(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
    store = Store.open(home)
    provider = await store.providers.get("a")
    assert provider is not None
    await store.providers.replace(provider.model_copy(update={"updated_at": 7}))
    await store.close()
    async with process(home, secrets) as gateway:
        assert gateway.health.target("a/one").state == "closed"


@pytest.mark.parametrize("kept", [None, 7, [], {"salt": 1}, {"salt": "s", "targets": [{"name": "x"}]}])
def test_what_cannot_be_understood_is_forgotten(kept: object) -> None:
    fresh = Health()
    health_memory.restore(fresh, Furnished.__new__(Furnished), kept, 0)  # type: ignore[arg-type]
    assert not fresh.targets
    assert not fresh.doors


async def until_half_open(gateway: Furnished) -> None:
    async with asyncio.timeout(3):
        while gateway.health.target("a/one").state != "half_open":
            await asyncio.sleep(0.01)


async def test_a_health_check_lets_a_probe_through_early(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets, health_check_s=0.05) as gateway:
        await fail(gateway, vendor)
        vendor.script(Step())
        await until_half_open(gateway)
        await gateway.ask("m")
        assert gateway.health.target("a/one").state == "closed"


async def test_a_health_check_that_fails_changes_nothing(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
        await vendor.stop()
        await gateway.tending.check()
        assert gateway.health.target("a/one").state == "open"


async def test_without_the_setting_no_provider_is_looked_at(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with process(home, secrets) as gateway:
        await fail(gateway, vendor)
        assert not [call for call in vendor.calls if call.method == "GET"]
        await gateway.tending.check()
        assert [call.path for call in vendor.calls if call.method == "GET"] == ["/v1/models"]
