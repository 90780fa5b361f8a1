"""What was failing is known after a restart, and failing targets are looked after."""

from __future__ import annotations

import asyncio

import pytest

from conduit_desktop.actions import health
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import NoHealthyTarget, ProviderFailed, RateLimited, Reason, UpstreamError
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway import background
from conduit_desktop.gateway.health import persistence
from conduit_desktop.gateway.health.circuit import COOLDOWN_MAX_S, OPEN_MAX_S, Health
from conduit_desktop.gateway.snapshot import BoundProvider, Credential, Snapshot
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from conduit_desktop.store.sqlite.store import SqliteStore
from tests.fakes.app_context import IdleServer
from tests.fakes.clock import Clock
from tests.fakes.gateway import DictSecrets, GatewayFixture, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.waiting import WITHIN_S


@pytest.fixture
def secrets() -> DictSecrets:
    return DictSecrets()


async def fail(gateway: GatewayFixture, vendor: Vendor) -> None:
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
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
        left = gateway.health.next_probe_s("a/one")
    requests_before = len(vendor.requests)
    async with open_gateway(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="alpha is on holiday"):
            await gateway.ask("m")
        assert len(vendor.requests) == requests_before
        again = gateway.health.next_probe_s("a/one")
        assert left is not None
        assert again is not None
        assert again <= left + 1


async def test_a_circuit_whose_time_is_over_is_tried_out_by_one_request_after_a_restart(
    home: Home, vendor: Vendor, secrets: DictSecrets
) -> None:
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
        gateway.health.target("a/one").open_until = 0
    vendor.script(Step(hang=True))
    requests_before = len(vendor.requests)
    async with open_gateway(home, secrets) as gateway:
        probe = asyncio.ensure_future(gateway.ask("m"))
        async with asyncio.timeout(WITHIN_S):
            while len(vendor.requests) == requests_before:
                await asyncio.sleep(0.005)
        for result in await asyncio.gather(*(gateway.ask("m") for _ in range(20)), return_exceptions=True):
            assert isinstance(result, NoHealthyTarget)
        assert len(vendor.requests) == requests_before + 1
        probe.cancel()
        await asyncio.wait({probe})
        vendor.script(Step())
        await gateway.ask("m")
        assert gateway.health.target("a/one").state == "closed"


async def kept(gateway: GatewayFixture, *texts: str) -> None:
    """Wait until these texts are in the database files that a killed process would leave."""
    async with asyncio.timeout(WITHIN_S):
        written = ""
        while not all(word in written for word in texts):
            await asyncio.sleep(0.01)
            written = str(await gateway.store.meta.get("health"))


async def test_an_open_circuit_and_a_disabled_credential_outlive_a_killed_process(
    home: Home, vendor: Vendor, secrets: DictSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "EVERY_S", 60.0)
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
        await gateway.add_provider("b", vendor.openai_url)
        await gateway.add_alias("n", "b/two")
        vendor.script(Step(status=401, message="not welcome"), model="two")
        with pytest.raises(ProviderFailed):
            await gateway.ask("n")
        await kept(gateway, "alpha is on holiday", "not welcome")


async def test_a_pause_outlives_a_killed_process_and_is_lifted_for_good(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one")
        await gateway.add_key()
        context = AppContext(home, gateway.store, secrets, gateway, gateway.bus, IdleServer())  # type: ignore[arg-type]
        await health.pause(context, "a/one", "cli")
        assert (await gateway.store.meta.get("health"))["paused"] == ["a/one"], "no later than the operator's notification"
    async with open_gateway(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="the operator paused it"):
            await gateway.ask("m")
        context = AppContext(home, gateway.store, secrets, gateway, gateway.bus, IdleServer())  # type: ignore[arg-type]
        await health.resume(context, "a/one", "cli")
        assert (await gateway.store.meta.get("health"))["paused"] == []
        await gateway.ask("m")
    assert len(vendor.requests) == 1


async def test_a_pause_follows_its_providers_name_and_goes_with_it(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
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


async def test_a_credentials_cooldown_survives_a_restart(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one", retries=0)
        await gateway.add_key()
        vendor.script(Step(status=429, headers={"retry-after": "600"}), Step())
        with pytest.raises(RateLimited):
            await gateway.ask("m")
    async with open_gateway(home, secrets) as gateway:
        with pytest.raises(RateLimited) as caught:
            await gateway.ask("m")
        assert caught.value.retry_after is not None
        assert 590 < caught.value.retry_after <= 600
    assert len(vendor.requests) == 1


async def test_a_targets_cooldown_survives_a_restart(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one", retries=0)
        await gateway.add_key()
        vendor.script(Step(status=503, message="closed for lunch", headers={"retry-after": "600"}), Step())
        with pytest.raises(ProviderFailed):
            await gateway.ask("m")
    async with open_gateway(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="closed for lunch") as caught:
            await gateway.ask("m")
        assert caught.value.retry_after is not None
        assert 590 < caught.value.retry_after <= 600
        assert gateway.health.target("a/one").state == "closed"
    assert len(vendor.requests) == 1


async def test_a_disabled_credential_stays_disabled_until_it_is_changed(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await gateway.add_provider("a", vendor.openai_url)
        await gateway.add_alias("m", "a/one")
        await gateway.add_key()
        vendor.script(Step(status=401, message="not welcome"))
        with pytest.raises(ProviderFailed):
            await gateway.ask("m")
    vendor.script(Step())
    async with open_gateway(home, secrets) as gateway:
        with pytest.raises(NoHealthyTarget, match="not welcome"):
            await gateway.ask("m")
        stored = await gateway.store.meta.get("health")
        assert API_KEY not in str(stored)
    assert len(vendor.requests) == 1
    vendor.script(Step(), key="sk-other")
    secrets.set("provider/a/0", "sk-other")  # changed while nothing ran
    async with open_gateway(home, secrets) as gateway:
        await gateway.ask("m")


async def test_a_provider_changed_meanwhile_begins_anew(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
    store = SqliteStore.open(home)
    provider = await store.providers.get("a")
    assert provider is not None
    await store.providers.replace(provider.model_copy(update={"updated_at": 7}))
    await store.close()
    async with open_gateway(home, secrets) as gateway:
        assert gateway.health.target("a/one").state == "closed"


@pytest.mark.parametrize("kept", [None, 7, [], {"salt": 1}, {"salt": "s", "targets": [{"name": "x"}]}])
def test_what_cannot_be_understood_is_forgotten(kept: object) -> None:
    fresh = Health()
    persistence.restore(fresh, GatewayFixture.__new__(GatewayFixture), kept, 0)  # type: ignore[arg-type]
    assert not fresh.targets
    assert not fresh.credentials


async def until_half_open(gateway: GatewayFixture) -> None:
    async with asyncio.timeout(WITHIN_S):
        while gateway.health.target("a/one").state != "half_open":
            await asyncio.sleep(0.01)


async def test_a_health_check_lets_a_probe_through_early(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets, health_check_s=0.05) as gateway:
        await fail(gateway, vendor)
        vendor.script(Step())
        await until_half_open(gateway)
        await gateway.ask("m")
        assert gateway.health.target("a/one").state == "closed"


async def test_a_health_check_that_fails_changes_nothing(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
        await vendor.stop()
        await gateway.state.health_monitor.check()
        assert gateway.health.target("a/one").state == "open"


async def test_without_the_setting_no_provider_is_looked_at(home: Home, vendor: Vendor, secrets: DictSecrets) -> None:
    async with open_gateway(home, secrets) as gateway:
        await fail(gateway, vendor)
        assert not [call for call in vendor.calls if call.method == "GET"]
        await gateway.state.health_monitor.check()
        assert [call.path for call in vendor.calls if call.method == "GET"] == ["/v1/models"]


# What survives a restart, at its edges. The clock before and after is the same wall clock; the monotonic one begins anew.

SALT = "s" * 32
NOW_MS = 1_790_000_000_000


def configured(key: str = "sk-1", changed_at: int = 1, name: str = "a", label: str = "0") -> Snapshot:
    """One provider with one credential."""
    provider = Provider(id="prov_a", name=name, kind="openai-compatible", base_url="http://127.0.0.1:1/v1", updated_at=changed_at)
    return Snapshot(providers={name: BoundProvider(provider, bind(provider), (Credential(label, Secrets(key)),))})


def restarted(before: Health, snapshot: Snapshot | None = None, later_s: float = 0.0) -> tuple[Health, Clock]:
    """What another process knows `later_s` seconds later, its own clock being another."""
    kept = persistence.remembered(before, configured(), SALT, NOW_MS).model_dump(mode="json", by_alias=True)
    clock = Clock(monotonic=5.0)
    after = Health(clock)
    persistence.restore(after, snapshot or configured(), kept, NOW_MS + int(later_s * 1000))
    return after, clock


def opened(for_s: float = 60.0, openings: int = 3) -> Health:
    before = Health(Clock())
    before.reopen("a/m", for_s, openings, "was down")
    return before


def test_what_is_left_of_an_open_circuits_pause_is_waited_for_after_a_restart() -> None:
    after, clock = restarted(opened(), later_s=20)
    assert after.next_probe_s("a/m") == 40.0
    assert (after.target("a/m").openings, after.target("a/m").last_error) == (3, "was down")
    clock.advance(39.5)
    assert not after.may_try("a/m")
    clock.advance(0.5)
    assert after.may_try("a/m")


@pytest.mark.parametrize("later_s", [60, 61, 1e6])
def test_an_open_circuit_whose_pause_ended_while_nothing_ran_admits_one_probe(later_s: float) -> None:
    after, _ = restarted(opened(), later_s=later_s)
    assert after.may_try("a/m")
    assert after.begin("a/m") is not None
    assert not after.may_try("a/m")


def test_a_half_open_circuit_admits_one_probe_after_a_restart() -> None:
    before = opened(0.0)
    assert before.may_try("a/m")
    before.begin("a/m")
    after, _ = restarted(before)
    assert after.target("a/m").state == "open"
    assert after.may_try("a/m"), "the probe ended with its process"


def test_a_closed_circuit_with_failures_is_not_kept() -> None:
    before = Health(Clock())
    for _ in range(4):
        before.failed("a/m", "prov_a", "0", UpstreamError("down", status=500, reason="server"))
    assert not persistence.remembered(before, configured(), SALT, NOW_MS).targets


@pytest.mark.parametrize("back_s", [3600, 10_000_000])
def test_a_wall_clock_set_back_prolongs_no_wait_beyond_the_longest_there_is(back_s: float) -> None:
    before = opened(300.0)
    before.cool_down("a/n", 86_400, "busy")
    before.failed("a/m", "prov_a", "0", UpstreamError("slow", status=429, reason="rate_limit", retry_after=86_400))
    after, _ = restarted(before, later_s=-back_s)
    assert after.next_probe_s("a/m") == OPEN_MAX_S * 1.2 == 360
    assert after.target_cooldown_s("a/n") == COOLDOWN_MAX_S
    assert after.credential_cooldown_s("prov_a", "0", "m") == COOLDOWN_MAX_S


def test_a_wait_that_a_target_named_is_kept_until_its_end_and_no_longer() -> None:
    before = Health(Clock())
    before.cool_down("a/m", 600, "busy")
    after, _ = restarted(before, later_s=100)
    assert (after.target_cooldown_s("a/m"), after.target("a/m").state, after.target("a/m").last_error) == (500.0, "closed", "busy")
    assert not restarted(before, later_s=600)[0].targets
    before.now.advance(600)  # type: ignore[attr-defined]
    assert not persistence.remembered(before, configured(), SALT, NOW_MS).targets


def limited(retry_after: float | None = 600.0) -> Health:
    before = Health(Clock())
    for _ in range(3):
        before.failed("a/m", "prov_a", "0", UpstreamError("slow", status=429, reason="rate_limit", retry_after=retry_after))
    return before


def test_a_credentials_cooldown_is_kept_until_its_end_with_the_count_that_doubles_it() -> None:
    after, clock = restarted(limited(), later_s=100)
    assert after.credential_cooldown_s("prov_a", "0", "m") == 500.0
    assert after.may_use("prov_a", "0", "other")
    assert after.credentials["prov_a", "0"].cooldowns["m"].strikes == 3
    clock.advance(500)
    assert after.may_use("prov_a", "0", "m")
    assert restarted(limited(), later_s=600)[0].may_use("prov_a", "0", "m")
    assert not restarted(limited(), later_s=600)[0].credentials["prov_a", "0"].cooldowns


def test_a_cooldown_that_is_over_is_not_kept() -> None:
    assert not persistence.remembered(limited(0.0), configured(), SALT, NOW_MS).credentials


@pytest.mark.parametrize("reason", ["auth", "money", "permission"])
def test_a_disabled_credential_is_kept_for_the_models_it_is_disabled_for(reason: Reason) -> None:
    before = Health(Clock())
    before.failed("a/m", "prov_a", "0", UpstreamError("no", status=403, reason=reason))
    after, _ = restarted(before, later_s=1e9)
    assert after.disabled_reason("prov_a", "0", "m") == "no"
    assert after.disabled_reason("prov_a", "0", "other") == ("" if reason == "permission" else "no")


@pytest.mark.parametrize(
    "snapshot",
    [configured("sk-2"), configured(changed_at=2), configured(label="1"), Snapshot()],
    ids=["another key", "its provider changed", "another label", "its provider is gone"],
)
def test_nothing_is_held_against_a_credential_that_is_another(snapshot: Snapshot) -> None:
    before = limited()
    before.failed("a/m", "prov_a", "0", UpstreamError("no", status=401, reason="auth"))
    assert not restarted(before, snapshot)[0].credentials


@pytest.mark.parametrize("snapshot", [configured(changed_at=2), configured(name="b"), Snapshot()])
def test_nothing_is_held_against_a_target_whose_provider_is_another(snapshot: Snapshot) -> None:
    before = opened()
    before.cool_down("a/m", 600, "busy")
    assert not restarted(before, snapshot)[0].targets


def test_the_stored_form_is_that_of_the_first_release() -> None:
    before = limited()
    before.failed("a/m", "prov_a", "0", UpstreamError("no", status=403, reason="permission"))
    before.cool_down("a/n", 60, "busy")
    saved = persistence.remembered(before, configured(), SALT, NOW_MS)
    value = saved.model_dump(mode="json", by_alias=True)
    (target,) = value["targets"]
    assert set(target) == {"name", "changed_at", "until_ms", "openings", "error", "rest_ms"}
    assert target["rest_ms"] > NOW_MS
    (credential,) = value["credentials"]
    assert set(credential) == {"provider_id", "changed_at", "label", "mark", "parked", "models", "rests"}
    assert (credential["parked"], credential["models"], set(credential["rests"])) == ("", {"m": "no"}, {"m"})
    assert persistence.SavedHealth.model_validate(value) == saved


def test_health_saved_by_the_first_release_is_restored() -> None:
    mark = persistence.remembered(limited(), configured(), SALT, NOW_MS).credentials[0].mark
    saved = {
        "salt": SALT,
        "targets": [
            {"name": "a/m", "changed_at": 1, "until_ms": None, "openings": 0, "error": "busy", "rest_ms": NOW_MS + 60_000},
        ],
        "credentials": [
            {
                "provider_id": "prov_a", "changed_at": 1, "label": "0", "mark": mark, "parked": "no such key",
                "models": {"n": "not permitted"}, "rests": {"m": {"until_ms": NOW_MS + 90_000, "strikes": 2}},
            },
        ],
        "paused": ["a/n"],
    }  # fmt: skip
    health = Health(Clock())
    persistence.restore(health, configured(), saved, NOW_MS)
    assert health.target_cooldown_s("a/m") == 60
    assert health.paused == {"a/n"}
    credential = health.credentials["prov_a", "0"]
    assert (credential.disabled, credential.disabled_models) == ("no such key", {"n": "not permitted"})
    assert credential.cooldowns["m"].strikes == 2
    assert health.credential_cooldown_s("prov_a", "0", "m") == 90


def test_a_pause_is_kept_while_its_provider_is_there_changed_or_not() -> None:
    before = Health(Clock())
    before.paused |= {"A/m", "gone/m"}
    assert persistence.remembered(before, configured(), SALT, NOW_MS).paused == ["A/m"]
    assert restarted(before, configured(changed_at=2))[0].paused == {"A/m"}
    assert restarted(before, configured(name="b"))[0].paused == set()


def test_what_is_kept_holds_no_key_and_no_two_salts_give_one_mark() -> None:
    before = limited()
    kept = [persistence.remembered(before, configured("sk-secret"), salt, NOW_MS) for salt in ("x" * 32, "y" * 32)]
    assert "sk-secret" not in str(kept)
    assert kept[0].credentials[0].mark != kept[1].credentials[0].mark
    assert len(kept[0].credentials[0].mark) == 8
    assert persistence.new_salt() != persistence.new_salt()
