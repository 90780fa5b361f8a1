"""What is saved of health, to the second, and what of it counts in the next process."""

from __future__ import annotations

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.health import persistence
from conduit_desktop.gateway.health.circuit import Health
from conduit_desktop.gateway.snapshot import BoundProvider, Credential, Snapshot
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from tests.fakes.clock import Clock

SALT = "s" * 32
NOW_MS = 1_790_000_000_700


def configured(*labels: str, key: str = "sk-1") -> Snapshot:
    provider = Provider(id="prov_a", name="A", kind="openai-compatible", base_url="http://127.0.0.1:1/v1", updated_at=1)
    credentials = tuple(Credential(label, Secrets(key)) for label in labels or ("0",))
    return Snapshot(providers={"a": BoundProvider(provider, bind(provider), credentials)})


def saved(before: Health, snapshot: Snapshot | None = None) -> persistence.SavedHealth:
    return persistence.remembered(before, snapshot or configured(), SALT, NOW_MS)


def refused(health: Health, reason: str, wait: float | None = None, label: str = "0", target: str = "a/m") -> None:
    health.failed(target, "prov_a", label, UpstreamError("no", status=429, reason=reason, retry_after=wait))  # type: ignore[arg-type]


def test_times_are_saved_in_whole_seconds_and_zero_is_now() -> None:
    before = Health(Clock())
    before.reopen("a/open", 60.5, 3, "down")
    before.reopen("a/now", 0, 1, "down")
    before.reopen("a/long", 10**6, 1, "down")
    before.cool_down("a/slow", 30, "busy")
    targets = {target.name: target for target in saved(before).targets}
    ends = {name: (target.until_ms, target.cooldown_ms) for name, target in targets.items()}
    assert ends == {
        "a/open": (1_790_000_061_000, 0), "a/now": (0, 0), "a/long": (1_790_000_360_000, 0), "a/slow": (None, 1_790_000_030_000),
    }  # fmt: skip
    assert (targets["a/open"].openings, targets["a/open"].error, targets["a/open"].changed_at) == (3, "down", 1)


def test_a_target_with_nothing_to_wait_for_or_of_an_unknown_provider_is_not_saved() -> None:
    before = Health(Clock())
    before.target("a/m")
    before.reopen("b/m", 60, 1, "down")
    before.paused = {"b/m", "a/z", "A/x", "/a"}
    kept = saved(before)
    assert kept.targets == []
    assert kept.paused == ["A/x", "a/z"]


def test_each_credential_is_saved_for_what_it_waits_for() -> None:
    before = Health(Clock())
    refused(before, "rate_limit", 60, "limited")
    refused(before, "auth", label="refused")
    refused(before, "permission", label="forbidden")
    before.credentials["prov_a", "fine"] = type(before.credentials["prov_a", "limited"])()
    kept = saved(before, configured("limited", "refused", "forbidden", "fine", "new"))
    found = {one.label: (one.disabled, one.disabled_models, {*one.cooldowns}) for one in kept.credentials}
    assert found == {"limited": ("", {}, {"m"}), "refused": ("no", {}, set()), "forbidden": ("", {"m": "no"}, set())}
    cooldown = kept.credentials[0].cooldowns["m"]
    assert (cooldown.until_ms, cooldown.strikes) == (1_790_000_060_000, 1)
    assert {(one.provider_id, one.changed_at, len(one.mark)) for one in kept.credentials} == {("prov_a", 1, 8)}


def restored(value: object, snapshot: Snapshot | None = None, now_ms: int = NOW_MS) -> Health:
    after = Health(Clock(monotonic=5.0))
    persistence.restore(after, snapshot or configured(), value, now_ms)
    return after


@pytest.mark.parametrize(("later_ms", "left_s"), [(0, 59.3), (1, 59.299), (59_300, 0.0), (10**9, 0.0), (-(10**9), 360.0)])
def test_an_open_circuit_waits_for_what_is_left_of_its_time(later_ms: int, left_s: float) -> None:
    target = {"name": "a/m", "changed_at": 1, "until_ms": 1_790_000_060_000, "openings": 2, "error": "down"}
    after = restored({"salt": SALT, "targets": [target]}, now_ms=NOW_MS + later_ms)
    assert after.next_probe_s("a/m") == pytest.approx(left_s, abs=1e-6)
    assert after.target_cooldown_s("a/m") == 0
    assert (after.target("a/m").openings, after.target("a/m").last_error) == (2, "down")


def test_one_target_or_credential_that_is_void_leaves_the_others() -> None:
    before = Health(Clock())
    for label in ("0", "1", "2"):
        refused(before, "rate_limit", 60, label)
    value = saved(before, configured("0", "1", "2")).model_dump(mode="json", by_alias=True)
    value["credentials"][0]["changed_at"] = 2
    value["credentials"][1]["mark"] = "0" * 8
    other = {"name": "a/m", "changed_at": 1, "until_ms": None, "openings": 0, "error": "", "rest_ms": NOW_MS + 9000}
    value["targets"] = [other | {"changed_at": 2, "name": "a/x"}, other | {"name": "b/m"}, other]
    value["paused"] = ["b/m", "a/m"]
    after = restored(value, configured("0", "1", "2"))
    assert {*after.credentials} == {("prov_a", "2")}
    assert after.credential_cooldown_s("prov_a", "2", "m") == pytest.approx(59.3)
    assert {*after.targets} == {"a/m"}
    assert after.target_cooldown_s("a/m") == 9
    assert after.next_probe_s("a/m") is None
    assert after.paused == {"a/m"}
    value["credentials"][2]["provider_id"] = "prov_b"
    assert restored(value, configured("0", "1", "2")).credentials == {}


def test_the_mark_of_a_credential_is_its_own_and_changes_with_its_key() -> None:
    before = Health(Clock())
    refused(before, "auth", label="1")
    value = saved(before, configured("0", "1")).model_dump(mode="json", by_alias=True)
    assert {*restored(value, configured("0", "1")).credentials} == {("prov_a", "1")}
    assert restored(value, configured("0", "1", key="sk-2")).credentials == {}
    assert restored(value, configured("0")).credentials == {}


def test_a_salt_has_thirty_two_digits_and_is_never_the_same() -> None:
    salts = {persistence.new_salt() for _ in range(50)}
    assert len(salts) == 50
    assert {len(bytes.fromhex(salt)) for salt in salts} == {16}
