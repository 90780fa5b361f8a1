"""What the operator sees of targets and credentials, and what pause, resume and release do to the next request."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import health, models, providers
from conduit_desktop.actions.house import House
from conduit_desktop.actions.inputs import NewModel, NewProvider, read
from conduit_desktop.actions.operations import call
from conduit_desktop.core.errors import NotFound, UpstreamError

A, B = "one/alpha", "two/beta"


@pytest.fixture
async def furnished(house: House) -> House:
    for name in ("one", "two"):
        await providers.create(house, read(NewProvider, {"name": name, "kind": "demo"}), "gui")
    targets = [{"provider": "one", "model": "alpha"}, {"provider": "two", "model": "beta"}]
    await models.create(house, read(NewModel, {"alias": "both", "targets": targets}), "gui")
    return house


def _one(house: House, name: str):
    return next(one for one in health.targets(house) if one.name == name)


async def test_a_target_that_was_never_called_is_listed_with_its_aliases(furnished: House):
    one = _one(furnished, A)
    assert (one.state, one.aliases, one.in_flight, one.next_probe_s) == ("unused", ["both"], 0, None)


async def test_answers_and_failures_are_told_by_class(furnished: House):
    known, owner = furnished.gateway.health, furnished.gateway.snapshot.providers["one"].provider.id
    known.succeeded(A, owner, "default", 120.0)
    known.succeeded(A, owner, "default", 80.0)
    known.failed(A, owner, None, UpstreamError("slow", status=504, reason="timeout"))
    one = _one(furnished, A)
    assert (one.state, one.latencies_ms, one.errors, one.last_error) == ("answering", [120.0, 80.0], {"timeout": 1}, "slow")


async def test_an_open_breaker_says_when_it_is_probed(furnished: House):
    known, owner = furnished.gateway.health, furnished.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("down", status=503, reason="server"))
    one = _one(furnished, A)
    assert (one.state, one.text) == ("failing", "down")
    assert one.next_probe_s is not None
    assert 3 < one.next_probe_s < 7


async def test_a_circuits_turns_and_the_speed_are_told(furnished: House):
    known, owner = furnished.gateway.health, furnished.gateway.snapshot.providers["one"].provider.id
    for _ in range(5):
        known.failed(A, owner, None, UpstreamError("down", status=503, reason="server"))
    known.half_open(A)
    known.succeeded(A, owner, "default", 100.0, known.begin(A))
    known.target(A).finished(100.0, 500.0, 100)
    one = _one(furnished, A)
    assert [turn.state for turn in one.turns] == ["open", "closed"]
    assert one.turns[0].at <= one.turns[1].at
    assert one.tokens_per_s == pytest.approx(200)


async def test_a_paused_target_is_passed_over_until_it_is_resumed(furnished: House):
    await call(furnished, "POST", f"/health/{A}/pause")
    assert not furnished.gateway.health.may_ask(A)
    assert furnished.gateway.health.may_ask(B)
    assert _one(furnished, A).state == "paused"
    await call(furnished, "POST", f"/health/{A}/resume")
    assert furnished.gateway.health.may_ask(A)
    assert _one(furnished, A).state == "unused"


async def test_explaining_an_alias_says_that_a_target_is_paused(furnished: House):
    await health.pause(furnished, A, "gui")
    first, second = await models.explain(furnished, "both", {"messages": []})
    reasons = {one.provider: (one.usable, one.reason) for one in (first, second)}
    assert reasons["one"] == (False, "the operator paused it")
    assert reasons["two"][0]


async def test_a_parked_credential_is_released(furnished: House):
    bound = furnished.gateway.snapshot.providers["one"]
    label = bound.doors[0].label
    furnished.gateway.health.failed(A, bound.provider.id, label, UpstreamError("no such key", status=401, reason="auth"))
    [credential] = _one(furnished, A).credentials
    assert (credential.state, credential.reason, credential.wait_s) == ("parked", "no such key", None)
    await call(furnished, "POST", f"/health/one/credentials/{label}/release")
    [credential] = _one(furnished, A).credentials
    assert (credential.state, credential.wait_s) == ("ready", 0.0)


async def test_what_does_not_exist_is_not_found(furnished: House):
    for path in ("/health/nobody/x/pause", "/health/nobody/x/resume", "/health/one/credentials/nothing/release"):
        with pytest.raises(NotFound):
            await call(furnished, "POST", path)
