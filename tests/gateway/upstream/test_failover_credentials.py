"""Credentials that a provider refuses or limits: disabled or in cooldown, and reported; the others are used first."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from conduit_desktop.core.entities import CredentialRef
from conduit_desktop.core.paths import Home
from conduit_desktop.providers import OutboundRequest, UpstreamResponse
from tests.fakes.gateway import KEY
from tests.fakes.scenario import LONG, RequestVariant, Scenario, open_scenario
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY
from tests.fakes.waiting import settled

SECOND = "sk-vendor-second"


async def give_a(scenario: Scenario, *keys: str, weights: tuple[int, ...] = ()) -> None:
    """Let the provider A have these credentials."""
    provider = await scenario.gateway.store.providers.get("a")
    assert provider is not None
    made = []
    for index, key in enumerate(keys):
        scenario.gateway.secrets.set(f"provider/a/{index}", key)
        weight = weights[index] if weights else 1
        made.append(CredentialRef(label=str(index), secret=f"provider/a/{index}", hint="…", weight=weight))
    changed = provider.model_copy(update={"credentials": tuple(made), "updated_at": provider.updated_at + 1})
    await scenario.gateway.store.providers.replace(changed)
    await scenario.gateway.refresh()


async def notes(scenario: Scenario) -> list[str]:
    """The notifications of the operator."""
    await settled(scenario.gateway)
    found, _ = await scenario.gateway.store.notifications.list()
    return [f"{note.severity} {note.title}: {note.text}" for note in found]


@pytest.mark.parametrize("status", [401, 403, 402])
async def test_s19_a_refused_credential_is_disabled_reported_and_used_again_once_changed(scenario: Scenario, status: int) -> None:
    await scenario.configure()
    kind = "billing_error" if status == 402 else None  # Anthropic's error; OpenAI's is recognised, too
    scenario.a.script(Step(status=status, message="This key is not welcome", error_type=kind))
    for _ in range(3):
        response = await scenario.ask()
        assert response.by == "b"
        assert LONG in response.text
    assert len(scenario.a.requests) == 1, "called again"
    notices = await notes(scenario)
    assert len(notices) == 1
    assert notices[0].startswith("error a")
    assert "This key is not welcome" in notices[0]
    scenario.a.script(Step(), key=SECOND)
    await give_a(scenario, SECOND)
    assert (await scenario.ask()).by == "a"


async def test_s19_a_late_refusal_of_the_old_credential_does_not_disable_the_new_one(
    wholes: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wholes.configure()
    wholes.a.script(Step(status=401))
    wholes.a.script(Step(), key=SECOND)
    send, was_sent, changed = wholes.gateway.state.upstream.send, asyncio.Event(), asyncio.Event()

    async def late(outbound: OutboundRequest, connect_s: float) -> UpstreamResponse:
        response = await send(outbound, connect_s)
        was_sent.set()
        await changed.wait()
        return response

    monkeypatch.setattr(wholes.gateway.state.upstream, "send", late)
    pending = asyncio.ensure_future(wholes.ask())
    await was_sent.wait()
    await give_a(wholes, SECOND)
    changed.set()
    assert (await pending).by == "b"
    assert await notes(wholes) == []
    assert (await wholes.ask()).by == "a"


async def test_s19_the_only_target_refusing_its_credential_is_502_and_then_503(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=401, message="This key is not welcome"))
    first, second = await scenario.ask("a"), await scenario.ask("a")
    assert (first.status, second.status) == (502, 503)
    for response in (first, second):
        assert "a/alpha" in response.message
        assert "This key is not welcome" in response.message
    assert len(scenario.a.requests) == 1


async def test_s19_other_credentials_of_the_same_target_are_tried_first(scenario: Scenario) -> None:
    await scenario.configure()
    await give_a(scenario, API_KEY, SECOND, weights=(10**9, 1))
    scenario.a.script(Step(status=401), key=API_KEY)
    scenario.a.script(Step(), key=SECOND)
    for _ in range(3):
        assert (await scenario.ask()).by == "a"
    assert [call.key for call in scenario.a.requests] == [API_KEY, SECOND, SECOND, SECOND]
    assert [(attempt.credential, attempt.outcome) for attempt in scenario.gateway.records[0].attempts] == [
        ("0", "auth"),
        ("1", "ok"),
    ]


async def test_s19_a_model_that_is_forbidden_does_not_park_the_credential_for_others(scenario: Scenario) -> None:
    await scenario.configure()
    await scenario.gateway.add_alias("sister", "a/sister")
    scenario.a.script(Step(status=403, message="no access to this model"), model="alpha")
    assert (await scenario.ask()).by == "b"
    assert (await scenario.ask("sister")).by == "a"
    assert (await scenario.ask()).by == "b"
    assert [call.body["model"] for call in scenario.a.requests] == ["alpha", "sister"]


async def test_s02_a_rate_limited_credential_is_in_cooldown_while_others_work(scenario: Scenario) -> None:
    await scenario.configure()
    await give_a(scenario, API_KEY, SECOND, weights=(10**9, 1))
    scenario.a.script(Step(status=429, headers={"retry-after": "60"}), key=API_KEY)
    scenario.a.script(Step(), key=SECOND)
    for _ in range(3):
        assert (await scenario.ask()).by == "a"
    assert [call.key for call in scenario.a.requests] == [API_KEY, SECOND, SECOND, SECOND]


async def test_s01_a_short_cooldown_of_the_whole_pool_is_waited_for(wholes: Scenario) -> None:
    await wholes.configure()
    await give_a(wholes, API_KEY, SECOND)
    wholes.a.script(Step(status=429, headers={"retry-after-ms": "900"}), Step(), key=API_KEY)
    wholes.a.script(Step(status=429, headers={"retry-after-ms": "300"}), Step(), key=SECOND)
    response = await wholes.ask()
    assert response.by == "a"
    assert 0.3 <= response.times[-1] < 0.8
    assert wholes.a.requests[-1].key == SECOND


async def test_credentials_are_used_by_their_weights(home: Home, short_backoff: None) -> None:
    async with open_scenario(RequestVariant("openai", passthrough=True, streamed=False), home) as scenario:
        await scenario.configure()
        scenario.a.script(Step(), key=SECOND)
        await give_a(scenario, API_KEY, SECOND, weights=(3, 1))
        for _ in range(300):
            await scenario.ask()
        used = Counter(call.key for call in scenario.a.requests)
    assert 190 <= used[API_KEY] <= 260, used  # 225 expected, more than four standard deviations either way


async def test_a_clients_own_key_is_shown_to_one_provider_and_its_refusal_is_the_clients(scenario: Scenario) -> None:
    await scenario.configure()
    for name in ("a", "b"):
        provider = await scenario.gateway.store.providers.get(name)
        assert provider is not None
        await scenario.gateway.store.providers.replace(provider.model_copy(update={"accept_client_keys": True}))
    await scenario.gateway.refresh()
    scenario.a.script(Step(status=401, message="who are you?"), key="sk-somebody-elses")
    path = "/v1/chat/completions" if scenario.variant.dialect == "openai" else "/v1/messages"
    async with scenario.session.post(
        scenario.url + path, json=scenario.body("ab", LONG), headers={"x-api-key": "sk-somebody-elses", "anthropic-version": "1"}
    ) as response:
        assert response.status == 401
        assert b"who are you?" in await response.read()
    assert [call.key for call in scenario.a.requests] == ["sk-somebody-elses"]
    assert not scenario.b.requests
    assert (await scenario.ask()).by == "a", "the operator's own credential is none the worse"
    assert await notes(scenario) == []


async def test_the_callers_virtual_key_never_goes_upstream(scenario: Scenario) -> None:
    await scenario.configure()
    await scenario.ask()
    call = scenario.a.requests[0]
    assert call.key == API_KEY
    assert KEY not in str(call.headers)
    assert KEY.encode() not in call.raw
