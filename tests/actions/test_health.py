"""What the operator sees of targets and credentials, and what pause, resume and release do to the next request."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import health, models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.operations import call
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, ProviderPatch, read
from conduit_desktop.core.errors import NotFound, UpstreamError
from tests.fakes.app_context import published

A, B = "one/alpha", "two/beta"


@pytest.fixture
async def open_gateway(context: AppContext) -> AppContext:
    for name in ("one", "two"):
        await providers.create(context, read(NewProvider, {"name": name, "kind": "demo"}), "gui")
    targets = [{"provider": "one", "model": "alpha"}, {"provider": "two", "model": "beta"}]
    await models.create(context, read(NewModel, {"alias": "both", "targets": targets}), "gui")
    return context


def _one(context: AppContext, name: str):
    return next(one for one in health.targets(context) if one.name == name)


async def test_a_target_that_was_never_called_is_listed_with_its_aliases(open_gateway: AppContext):
    one = _one(open_gateway, A)
    assert (one.state, one.aliases, one.in_flight, one.next_probe_s) == ("unused", ["both"], 0, None)


async def test_a_called_target_without_an_alias_is_listed_while_its_provider_exists(open_gateway: AppContext):
    open_gateway.gateway.health.succeeded("one/direct", "prov", "default", 100.0)
    open_gateway.gateway.health.succeeded("gone/model", "prov", "default", 100.0)
    assert [(one.name, one.aliases) for one in health.targets(open_gateway)] == [(A, ["both"]), ("one/direct", []), (B, ["both"])]


async def test_successes_and_failures_are_counted_by_class(open_gateway: AppContext):
    known, owner = open_gateway.gateway.health, open_gateway.gateway.snapshot.providers["one"].provider.id
    known.succeeded(A, owner, "default", 120.0)
    known.succeeded(A, owner, "default", 80.0)
    known.failed(A, owner, None, UpstreamError("slow", status=504, reason="timeout"))
    one = _one(open_gateway, A)
    assert (one.state, one.latencies_ms, one.errors, one.last_error) == ("answering", [120.0, 80.0], {"timeout": 1}, "slow")


async def test_an_open_breaker_says_when_it_is_probed(open_gateway: AppContext):
    known, owner = open_gateway.gateway.health, open_gateway.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("down", status=503, reason="server"))
    one = _one(open_gateway, A)
    assert (one.state, one.text) == ("failing", "down")
    assert one.next_probe_s is not None
    assert 3 < one.next_probe_s < 7


async def test_the_transitions_of_a_circuit_and_the_speed_are_shown(open_gateway: AppContext):
    known, owner = open_gateway.gateway.health, open_gateway.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("down", status=503, reason="server"))
    known.half_open(A)
    known.succeeded(A, owner, "default", 100.0, known.begin(A))
    known.target(A).finished(100.0, 500.0, 100)
    one = _one(open_gateway, A)
    assert [transition.state for transition in one.transitions] == ["open", "closed"]
    assert one.transitions[0].at <= one.transitions[1].at
    assert one.tokens_per_s == pytest.approx(200)


async def test_a_paused_target_is_passed_over_until_it_is_resumed(open_gateway: AppContext):
    await call(open_gateway, "POST", f"/health/{A}/pause")
    assert not open_gateway.gateway.health.may_try(A)
    assert open_gateway.gateway.health.may_try(B)
    assert _one(open_gateway, A).state == "paused"
    await call(open_gateway, "POST", f"/health/{A}/resume")
    assert open_gateway.gateway.health.may_try(A)
    assert _one(open_gateway, A).state == "unused"


async def test_explaining_an_alias_says_that_a_target_is_paused(open_gateway: AppContext):
    await health.pause(open_gateway, A, "gui")
    first, second = await models.explain(open_gateway, "both", {"messages": []})
    reasons = {one.provider: (one.usable, one.reason) for one in (first, second)}
    assert reasons["one"] == (False, "the operator paused it")
    assert reasons["two"][0]


async def test_a_disabled_credential_is_released(open_gateway: AppContext):
    bound = open_gateway.gateway.snapshot.providers["one"]
    label = bound.credentials[0].label
    open_gateway.gateway.health.failed(A, bound.provider.id, label, UpstreamError("no such key", status=401, reason="auth"))
    [credential] = _one(open_gateway, A).credentials
    assert (credential.state, credential.reason, credential.wait_s) == ("disabled", "no such key", None)
    await call(open_gateway, "POST", f"/health/one/credentials/{label}/release")
    [credential] = _one(open_gateway, A).credentials
    assert (credential.state, credential.wait_s) == ("ready", 0.0)


async def test_what_does_not_exist_is_not_found(open_gateway: AppContext):
    for path in ("/health/missing/x/pause", "/health/missing/x/resume", "/health/one/credentials/nothing/release"):
        with pytest.raises(NotFound):
            await call(open_gateway, "POST", path)


async def test_pausing_and_resuming_are_written_audited_and_published(open_gateway: AppContext):
    changes = published(open_gateway)
    for verb, paused in (("pause", {A}), ("resume", set[str]())):
        await call(open_gateway, "POST", f"/health/{A}/{verb}", actor="gui")
        assert open_gateway.gateway.health.paused == paused
        [entry] = (await open_gateway.store.audit.list(1))[0]
        assert (entry.actor, entry.action, entry.subject) == ("gui", f"target.{verb}", A)
    assert [(one.topic, one.payload) for one in changes] == [("health", A), ("audit", A)] * 2


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_target_that_no_alias_names_and_no_request_reached_cannot_be_paused(open_gateway: AppContext, verb: str):
    with pytest.raises(NotFound):
        await call(open_gateway, "POST", f"/health/one/other/{verb}")
    assert open_gateway.gateway.health.paused == set()


async def test_a_target_of_a_disabled_or_unready_provider_says_so_unless_it_is_paused(open_gateway: AppContext):
    await providers.edit(open_gateway, "one", read(ProviderPatch, {"enabled": False}), "gui")
    assert _one(open_gateway, A).state == "disabled"
    await health.pause(open_gateway, A, "gui")
    assert _one(open_gateway, A).state == "paused"
    new = {"name": "three", "kind": "openai", "api_key": "env:NOT_SET"}
    await providers.create(open_gateway, read(NewProvider, new), "gui")
    target = {"provider": "three", "model": "m"}
    await models.create(open_gateway, read(NewModel, {"alias": "c", "targets": [target]}), "gui")
    assert _one(open_gateway, "three/m").state == "unready"


async def test_targets_of_a_removed_provider_and_patterns_are_not_listed(open_gateway: AppContext):
    target = {"provider": "one", "model": "*"}
    await models.create(open_gateway, read(NewModel, {"alias": "x-*", "targets": [target]}), "gui")
    assert [one.name for one in health.targets(open_gateway)] == [A, B]
    await health.pause(open_gateway, A, "gui")
    await providers.remove(open_gateway, "one", "gui")
    assert [one.name for one in health.targets(open_gateway)] == [B]


async def test_a_failure_without_any_answer_is_failing_and_a_half_open_circuit_is_probing(open_gateway: AppContext):
    known, owner = open_gateway.gateway.health, open_gateway.gateway.snapshot.providers["one"].provider.id
    down = UpstreamError("down", status=503, reason="server")
    known.failed(A, owner, None, down)
    assert (_one(open_gateway, A).state, _one(open_gateway, A).text) == ("failing", "down")
    for _ in range(5):
        known.failed(A, owner, None, down)
    known.half_open(A)
    assert _one(open_gateway, A).state == "probing"


async def test_a_credential_after_a_rate_limit_is_in_cooldown_until_it_is_released(open_gateway: AppContext):
    bound = open_gateway.gateway.snapshot.providers["one"]
    label = bound.credentials[0].label
    limited = UpstreamError("slow down", status=429, reason="rate_limit", retry_after=60.0)
    open_gateway.gateway.health.failed(A, bound.provider.id, label, limited)
    [credential] = _one(open_gateway, A).credentials
    assert credential.state == "cooldown"
    assert credential.wait_s is not None
    assert 0 < credential.wait_s <= 60
    for path in (f"/health/two/credentials/{label}x/release", "/health/missing/credentials/default/release"):
        with pytest.raises(NotFound):
            await call(open_gateway, "POST", path)
    await call(open_gateway, "POST", f"/health/ONE/credentials/{label}/release")
    [credential] = _one(open_gateway, A).credentials
    assert credential.state == "ready"
    [entry] = (await open_gateway.store.audit.list(1))[0]
    assert (entry.action, entry.subject) == ("credential.release", f"one ({label})")
