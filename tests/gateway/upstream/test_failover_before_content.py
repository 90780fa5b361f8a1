"""Faults before the first content: the client gets an answer of another target, or an error that names the causes."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from email.utils import formatdate
from itertools import pairwise

import orjson
import pytest

from conduit_desktop.gateway.health import circuit
from conduit_desktop.gateway.upstream import failover, responses
from conduit_desktop.gateway.upstream.answer_json import check_size
from tests.fakes.scenario import LONG, Scenario
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY
from tests.fakes.waiting import WITHIN_S, settled

RATE_LIMITED = Step(status=429, message="Too many requests")

SHORT_S = 1.0
"""A time-out that one target is to run into, and within which the other has to answer, on a busy machine, too."""


def good(response: object) -> None:
    assert response.status == 200, response.raw
    assert response.error is None
    assert LONG in response.text
    assert response.ended_well


async def test_s01_retry_after_is_waited_for_and_not_a_moment_less(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=429, headers={"retry-after": "1"}), Step())
    good(await scenario.ask())
    first, second = scenario.a.requests
    assert second.at - first.at >= 1.0
    assert not scenario.b.requests
    assert scenario.outcomes == [("a", "rate_limit"), ("a", "ok")]


async def test_s01_a_wait_over_the_retry_budget_is_not_waited_for(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=429, headers={"retry-after": "30"}), Step())
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    assert response.times[-1] < 1.0
    good(await scenario.ask())
    assert len(scenario.a.requests) == 1, "called early"


WAITS = {
    "openai": [
        ({"retry-after": "DATE"}, 1.0),
        ({"retry-after-ms": "300"}, 0.3),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}, 0.3),
    ],
    "anthropic": [
        ({"retry-after": "DATE"}, 1.0),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "RFC3339"}, 1.0),
    ],
}


async def test_s01_every_way_to_name_a_wait_is_understood(wholes: Scenario) -> None:
    await wholes.configure()
    waits = WAITS[wholes.variant.upstream]
    for number in range(len(waits)):
        await wholes.gateway.add_alias(f"waits-{number}", f"a/waits-{number}")
    moment = time.time() + 2
    given = {"DATE": formatdate(moment, usegmt=True), "RFC3339": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))}

    async def understood(model: str, headers: dict[str, str], least: float) -> None:
        sent_headers = {key: given.get(value, value) for key, value in headers.items()}
        wholes.a.script(Step(status=429, headers=sent_headers), Step(), model=model)
        good(await wholes.ask(model))
        first, second = (call for call in wholes.a.requests if call.body["model"] == model)
        assert second.at - first.at >= least, headers

    await asyncio.gather(*(understood(f"waits-{number}", *one) for number, one in enumerate(waits)))


async def test_s02_a_rate_limited_target_cools_down_and_is_left_alone(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(RATE_LIMITED)
    for _ in range(6):
        good(await scenario.ask())
    assert len(scenario.a.requests) == 1
    assert len(scenario.b.requests) == 6


async def test_s02_the_cooldown_is_the_models_and_not_the_whole_providers(scenario: Scenario) -> None:
    await scenario.configure()
    await scenario.gateway.add_alias("sister", "a/sister")
    scenario.a.script(RATE_LIMITED, model="alpha")
    assert (await scenario.ask()).by == "b"
    assert (await scenario.ask("sister")).by == "a"


async def test_s02_every_target_rate_limited_is_429_with_the_shortest_wait(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=429, headers={"retry-after": "70"}))
    scenario.b.script(Step(status=429, headers={"retry-after": "40"}))
    for _ in range(2):  # first after a request to each target, then without one
        response = await scenario.ask()
        assert response.status == 429
        assert 38 <= int(response.headers["retry-after"]) <= 40
        assert "a/alpha" in response.message
        assert "b/beta" in response.message
        assert response.error is not None
        assert response.error["type"] == "rate_limit_error"
    assert (len(scenario.a.requests), len(scenario.b.requests)) == (1, 1)


async def test_s03_one_failure_is_retried_once(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=500), Step())
    good(await scenario.ask())
    assert len(scenario.a.requests) <= 2
    assert len(scenario.a.requests) + len(scenario.b.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 529])
async def test_s04_a_target_that_is_down_for_good_is_stood_in_for(scenario: Scenario, status: int) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=status))
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    assert response.headers["x-conduit-attempts"] == "3"
    assert len(scenario.a.requests) == 2


async def test_s04_a_target_that_says_when_it_is_back_is_left_alone_until_then(scenario: Scenario) -> None:
    await scenario.configure(retries=0)
    scenario.a.script(Step(status=503, headers={"retry-after": "60"}), Step())
    for _ in range(3):
        assert (await scenario.ask()).by == "b"
    assert len(scenario.a.requests) == 1
    alone = await scenario.ask("a")
    assert alone.status == 503
    assert 50 <= int(alone.headers["retry-after"]) <= 60
    assert "asked for a pause of" in alone.message
    assert len(scenario.a.requests) == 1
    scenario.gateway.health.target("a/alpha").cooldown_until -= 60
    assert (await scenario.ask()).by == "a"


async def test_s04_the_only_target_that_is_back_shortly_is_waited_for(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=503, headers={"retry-after-ms": "400"}), Step())
    good(await scenario.ask("a"))
    first, second = scenario.a.requests
    assert 0.4 <= second.at - first.at < 5


async def test_s05_a_reset_before_any_byte_is_stood_in_for(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(reset=True))
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    assert scenario.outcomes[-1] == ("b", "ok")
    assert {outcome for provider, outcome in scenario.outcomes if provider == "a"} == {"connect"}


async def test_s06_a_target_that_never_answers_costs_one_first_token_time_out(scenario: Scenario) -> None:
    await scenario.configure(timeouts={"first_token_s": SHORT_S})
    scenario.a.script(Step(hang=True))
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    assert response.times[-1] >= SHORT_S
    assert scenario.outcomes == [("a", "timeout"), ("b", "ok")], "one time-out, however long the rest took"
    await scenario.settled()
    assert scenario.a.requests[0].outcome == "hung up"


async def test_s06_the_only_target_that_never_answers_is_504(scenario: Scenario) -> None:
    await scenario.configure(timeouts={"first_token_s": 0.2})
    scenario.a.script(Step(hang=True))
    response = await scenario.ask("a")
    assert response.status == 504
    assert "a/alpha" in response.message
    assert response.error is not None
    assert response.error.get("code", "provider_timeout") == "provider_timeout"
    assert response.error["type"] == ("api_error" if scenario.variant.dialect == "openai" else "timeout_error")


async def test_s06_a_silent_target_leaves_time_for_the_other_where_no_first_token_time_out_is_named(wholes: Scenario) -> None:
    await wholes.configure(timeouts={"total_s": 2 * SHORT_S})
    await wholes.gateway.store.models.delete("ab")
    await wholes.gateway.add_alias("ab", "a/alpha", "b/beta", timeouts={"total_s": 2 * SHORT_S})
    wholes.a.script(Step(hang=True))
    response = await wholes.ask()
    good(response)
    assert response.by == "b"


async def test_s07_a_late_first_token_is_not_waited_for_and_stopped_upstream(scenario: Scenario) -> None:
    await scenario.configure(timeouts={"first_token_s": SHORT_S})
    scenario.a.script(Step(think_s=60))
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    async with asyncio.timeout(WITHIN_S):
        await scenario.a.requests[0].ended.wait()
    assert scenario.a.requests[0].outcome == "hung up"


async def test_s10_a_malformed_beginning_is_stood_in_for(scenario: Scenario) -> None:
    await scenario.configure()
    malformed = (
        Step(malformed_after=0) if scenario.variant.streamed else Step(body='{"choices": [{"mess', content_type="application/json")
    )
    scenario.a.script(malformed)
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    assert scenario.outcomes[0] == ("a", "malformed")
    assert b"oops" not in response.raw


CONTEXT = {
    "openai": Step(status=400, message="This model's maximum context length is 8192 tokens.", error_type="context_length_exceeded"),
    "anthropic": Step(status=400, message="prompt is too long: 250000 tokens > 200000 maximum"),
}
# A client of another dialect gets its own vendor's words: Claude Code shortens the conversation at those alone.
CONTEXT_IN_OTHER_WORDS = {
    "openai": "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens.",
    "anthropic": "prompt is too long: the maximum is 8192 tokens",
}
FILTERED = {
    "openai": Step(status=400, message="The response was filtered by the content policy.", error_type="content_filter"),
    "anthropic": Step(status=400, message="Output blocked by content filtering policy"),
}


async def test_s12_a_context_too_long_is_relayed_and_not_retried(scenario: Scenario) -> None:
    await scenario.configure()
    step = CONTEXT[scenario.variant.upstream]
    scenario.a.script(step)
    response = await scenario.ask()
    assert response.status == 400
    assert response.error is not None
    assert response.error["type"] == "invalid_request_error"
    variant = scenario.variant
    assert (step.message if variant.passthrough else CONTEXT_IN_OTHER_WORDS[variant.dialect]) in response.message
    assert (len(scenario.a.requests), len(scenario.b.requests)) == (1, 0)
    assert (scenario.record.status, scenario.record.cost_nano) == ("error", 0)


@pytest.mark.parametrize("steps", [CONTEXT, FILTERED], ids=["context", "filter"])
async def test_s12_s13_a_fallback_takes_what_the_target_refuses(scenario: Scenario, steps: dict[str, Step]) -> None:
    await scenario.configure()
    await scenario.gateway.add_alias("large", "b/beta")
    await scenario.gateway.add_alias("small", "a/alpha", fallbacks=("large",))
    scenario.a.script(steps[scenario.variant.upstream])
    response = await scenario.ask("small")
    good(response)
    assert response.by == "b"
    assert len(scenario.a.requests) == 1


async def test_s13_a_content_filter_is_relayed_and_not_retried(scenario: Scenario) -> None:
    await scenario.configure()
    step = FILTERED[scenario.variant.upstream]
    scenario.a.script(step)
    response = await scenario.ask()
    assert response.status == 400
    assert step.message in response.message
    assert response.error is not None
    assert response.error["type"] == "invalid_request_error"
    assert (len(scenario.a.requests), len(scenario.b.requests)) == (1, 0)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_error_of_the_clients_own_request_is_relayed_unchanged_in_passthrough(scenario: Scenario, status: int) -> None:
    await scenario.configure()
    body = b'{"type": "error",  "error": {"type": "invalid_request_error", "message": "max_tokens: too \\u0068igh"}, "odd": 1}'
    scenario.a.script(Step(status=status, body=body))
    response = await scenario.ask()
    assert response.status == status
    assert "max_tokens: too high" in response.message
    assert not scenario.b.requests
    if scenario.variant.passthrough:
        assert response.raw == body


async def test_s14_a_stand_ins_refusal_names_the_first_cause(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=503, message="alpha is on holiday"))
    scenario.b.script(Step(status=400, message="prefill is not supported"))
    for _ in range(4):  # at last, A's circuit is open and only B is called
        response = await scenario.ask()
        assert response.status == 400
        assert "prefill is not supported" in response.message
        assert "alpha is on holiday" in response.message
        assert not response.ended_well
    assert len(scenario.a.requests) < 8


async def test_s14_a_fallback_that_cannot_be_used_does_not_hide_the_first_cause(scenario: Scenario) -> None:
    await scenario.configure()
    other = "anthropic" if scenario.variant.dialect == "openai" else "openai"
    own_dialect = "openai" if other == "anthropic" else "anthropic"
    for name, kind in (("first", own_dialect), ("second", other)):
        url = scenario.a.openai_url if kind == "openai" else scenario.a.anthropic_url
        await scenario.gateway.add_provider(name, url, kind=f"{kind}-compatible")
    await scenario.gateway.add_alias("both", "first/alpha", "second/beta")
    await scenario.gateway.add_alias("second-alone", "second/beta")
    odd = {"messages": [{"role": "user", "content": [{"type": 7}]}]}
    alone = await scenario.ask("second-alone", **odd)
    assert alone.status == 400
    scenario.a.script(Step(status=500, message="alpha fell over"), model="alpha")
    response = await scenario.ask("both", **odd)
    assert response.status == 502
    assert "first/alpha: server, alpha fell over" in response.message
    assert "second/beta: " in response.message
    assert {call.body["model"] for call in scenario.a.requests} == {"alpha"}


async def test_s15_the_breaker_opens_lets_one_probe_through_and_closes(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit, "OPEN_BASE_S", 1000)
    await scenario.configure(retries=0)
    scenario.a.script(Step(status=500), Step(), cycle=True)
    for _ in range(9):
        good(await scenario.ask())
    assert scenario.gateway.health.target("a/alpha").state == "open"
    before = len(scenario.a.requests)
    for response in await asyncio.gather(*(scenario.ask() for _ in range(5))):
        good(response)
        assert response.by == "b"
    assert len(scenario.a.requests) == before
    scenario.gateway.health.target("a/alpha").open_until = 0
    scenario.a.script(Step(delay_s=1))  # so that all others come while the probe is under way
    for response in await asyncio.gather(*(scenario.ask() for _ in range(20))):
        good(response)
    assert len(scenario.a.requests) == before + 1, "one probe"
    assert scenario.gateway.health.target("a/alpha").state == "closed"
    assert (await scenario.ask()).by == "a"


async def test_s16_the_stand_in_is_billed_at_its_own_price_and_limits_are_counted_once(scenario: Scenario) -> None:
    await scenario.configure()
    await scenario.gateway.store.keys.delete("key_tester")
    await scenario.gateway.add_key(budget_nano=10**12, rpm=10, tpm=100_000)
    scenario.a.script(Step(status=529))
    good(await scenario.ask())
    record = scenario.record
    assert scenario.outcomes == [("a", "overloaded"), ("a", "overloaded"), ("b", "ok")]
    assert (record.provider, record.upstream_model, record.model) == ("b", "beta", "ab")
    assert (record.input, record.output) == (20, 7)
    assert (record.cost_nano, record.cost_state) == (20 * 3_000 + 7 * 15_000, "final")
    key = scenario.gateway.snapshot.keys["key_tester"]
    assert scenario.gateway.state.limiter.headers(key)["requests"][1] == 9
    assert scenario.gateway.state.limiter.headers(key)["tokens"][1] == 100_000 - 27


@pytest.mark.parametrize(
    "step",
    [
        Step(body="<html><body>Bad gateway</body></html>"),
        Step(body="<html><body>Bad gateway</body></html>", content_type="text/event-stream"),
        Step(body={"error": {"message": "the model crashed", "type": "server_error"}}),
        Step(body={"error": "out of memory"}),
        Step(
            body={"type": "error", "error": {"type": "api_error", "message": "the model crashed"}}, content_type="text/event-stream"
        ),
        Step(body={"detail": "no such thing"}),
        Step(body="", content_type="application/json"),
        Step(body="", content_type="text/event-stream"),
        Step(body="[]"),
    ],
    ids=["html", "html-as-stream", "json", "text", "json-as-stream", "detail", "nothing", "nothing-as-stream", "list"],
)
async def test_s20_an_error_that_says_200_is_an_error(scenario: Scenario, step: Step) -> None:
    await scenario.configure()
    scenario.a.script(step)
    response = await scenario.ask()
    good(response)
    assert response.by == "b"
    alone = await scenario.ask("a")
    assert alone.status >= 500
    assert alone.error is not None
    assert "<html" not in alone.message


async def test_s21_a_name_that_does_not_resolve_is_stood_in_for_and_named(scenario: Scenario) -> None:
    await scenario.configure()
    provider = await scenario.gateway.store.providers.get("a")
    assert provider is not None
    await scenario.gateway.store.providers.replace(provider.model_copy(update={"base_url": "http://nowhere.invalid/v1"}))
    await scenario.gateway.refresh()
    good(await scenario.ask())
    response = await scenario.ask("a")
    assert response.status == 502
    assert "nowhere.invalid cannot be resolved" in response.message


async def test_s21_a_host_name_that_is_not_resolved_fails_over_after_the_connect_timeout(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    await scenario.configure(timeouts={"connect_s": SHORT_S})
    provider = await scenario.gateway.store.providers.get("a")
    assert provider is not None
    await scenario.gateway.store.providers.replace(provider.model_copy(update={"base_url": "http://slow.example/v1"}))
    await scenario.gateway.refresh()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silence)
    response = await scenario.ask()
    assert response.by == "b"
    assert scenario.outcomes == [("a", "timeout"), ("b", "ok")]
    assert 0.95 * SHORT_S < scenario.record.attempts[0].duration_ms / 1000 < 8, "not the 10 s of the first token"


async def test_s21_a_broken_tls_is_stood_in_for_and_named(scenario: Scenario) -> None:
    await scenario.configure()
    provider = await scenario.gateway.store.providers.get("a")
    assert provider is not None
    url = scenario.base_url(scenario.a).replace("http:", "https:")
    await scenario.gateway.store.providers.replace(provider.model_copy(update={"base_url": url}))
    await scenario.gateway.refresh()
    good(await scenario.ask())
    response = await scenario.ask("a")
    assert response.status == 502
    assert "TLS failed" in response.message


async def test_s21_a_refused_connection_fails_over_and_is_named(scenario: Scenario) -> None:
    await scenario.configure()
    await scenario.a.stop()
    good(await scenario.ask())
    response = await scenario.ask("a")
    assert response.status == 502
    assert re.search(r"cannot connect to 127\.0\.0\.1:\d+: connection refused", response.message)


async def test_s22_every_target_down_names_each_and_why(scenario: Scenario) -> None:
    await scenario.configure()
    scenario.a.script(Step(status=500, message="alpha fell over"))
    scenario.b.script(Step(reset=True))
    response = await scenario.ask()
    assert response.status == 502
    assert "a/alpha: server, alpha fell over" in response.message
    assert "b/beta: connect" in response.message
    assert response.error is not None
    assert response.error["type"] == "api_error"
    assert response.error.get("code", "provider_error") == "provider_error"
    assert [provider for provider, _ in scenario.outcomes] == ["a", "a", "b", "b"]
    for _ in range(4):
        response = await scenario.ask()
    assert response.status == 503, "both circuits are open by now"
    assert "alpha fell over" in response.message
    assert len(scenario.a.requests) <= 6


async def test_s22_the_total_deadline_bounds_everything(scenario: Scenario) -> None:
    times = {"connect_s": 10.0, "first_token_s": 0.5, "idle_s": 10.0, "total_s": 0.8}
    await scenario.configure()
    others = [f"{provider}/model-{number}" for number in range(5) for provider in "ab"]
    await scenario.gateway.add_alias("many", "a/alpha", "b/beta", *others, timeouts=times)
    scenario.a.script(Step(hang=True))
    scenario.b.script(Step(hang=True))
    response = await scenario.ask("many")
    assert response.status == 504
    assert response.times[-1] < 4, "12 first-token time-outs are 6 s"
    assert "a/alpha" in response.message
    assert "b/beta" in response.message


async def test_s22_a_target_that_time_left_none_for_is_not_blamed(scenario: Scenario) -> None:
    await scenario.configure(timeouts={"first_token_s": 0.5, "total_s": 0.3})
    scenario.a.script(Step(hang=True))
    response = await scenario.ask()
    assert response.status == 504
    assert not scenario.b.requests
    assert "the time for this request is over" in response.message
    assert scenario.outcomes == [("a", "timeout")]


async def test_disabled_targets_are_503(scenario: Scenario) -> None:
    await scenario.configure()
    for name in ("a", "b"):
        provider = await scenario.gateway.store.providers.get(name)
        assert provider is not None
        await scenario.gateway.store.providers.replace(provider.model_copy(update={"enabled": False}))
    await scenario.gateway.refresh()
    response = await scenario.ask()
    assert response.status == 503
    assert "a: disabled" in response.message
    assert "b: disabled" in response.message


@pytest.mark.timeout(60)
async def test_s23_200_parallel_calls_while_a_dies_are_all_answered_by_b(scenario: Scenario) -> None:
    await scenario.configure()
    good(await scenario.ask())
    scenario.a.script(Step(reset=True))
    response = await asyncio.gather(*(scenario.ask(text=f"{LONG} {n}") for n in range(200)))
    for n, one in enumerate(response):
        assert one.status == 200
        assert one.text.rstrip().endswith(f"ten {n}"), one.text
        assert one.by == "b"
    # Those that were sent before the first failure; hardly any is sent again.
    assert len(scenario.a.requests) - 1 <= 210
    before = len(scenario.a.requests)
    await asyncio.gather(*(scenario.ask() for _ in range(50)))
    assert len(scenario.a.requests) - before <= 1


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "in-json"])
async def test_a_credential_that_a_provider_quotes_is_redacted(scenario: Scenario, escaped: bool) -> None:
    key = 'sk-"odd"-\\0123456789' if escaped else API_KEY
    await scenario.configure()
    scenario.gateway.secrets.set("provider/a/0", key)
    for vendor in (scenario.a, scenario.b):
        vendor.keys = None
    await scenario.gateway.refresh()
    quoted = orjson.dumps(key).decode()[1:-1]
    for status, client_status in ((500, 502), (400, 400), (401, 502)):
        scenario.a.script(Step(status=status, message=f"What you sent, {key}, is odd."))
        response = await scenario.ask("a")
        assert response.status == client_status
        assert "What you sent, [credential], is odd." in response.message
        assert key not in response.message
        assert quoted.encode() not in response.raw
    records = b"".join(orjson.dumps(record) for record in scenario.gateway.records)
    assert quoted.encode() not in records
    await settled(scenario.gateway)
    notes, _ = await scenario.gateway.store.notifications.list()
    assert notes
    assert all(key not in note.text + note.title for note in notes)


def test_s03_pauses_are_drawn_from_a_span_that_doubles_and_each_is_longer_than_the_one_before() -> None:
    ways = []
    for _ in range(500):
        way = [0.0]
        for tries in range(7):
            way.append(failover.backoff(tries, way[-1]))
        ways.append(way[1:])
    for place in range(7):
        span = min(failover.BACKOFF_S * 2**place, failover.BACKOFF_MAX_S)
        assert all(way[place] <= span for way in ways)
    firsts = sorted(way[0] / failover.BACKOFF_S for way in ways)
    assert firsts[25] < 0.15, "callers that failed together come back apart"
    assert firsts[-25] > 0.85
    assert all(earlier < later or later == failover.BACKOFF_MAX_S for way in ways for earlier, later in pairwise(way))


async def test_s20_a_whole_answer_without_end_is_given_up(wholes: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "WHOLE_LIMIT", 1024 * 1024)
    await wholes.configure(retries=0)
    wholes.a.script(Step(body="[" * (2 * 1024 * 1024)))
    assert (await wholes.ask()).by == "b"
    assert wholes.outcomes == [("a", "malformed"), ("b", "ok")]
    assert wholes.record.attempts[0].detail == "the answer is longer than 1 MiB"


async def test_s20_an_answer_that_unpacks_to_a_hundred_times_its_size_is_given_up(wholes: Scenario) -> None:
    await wholes.configure(retries=0)
    bomb = gzip.compress(b'{"choices":"' + b"a" * (16 * 1024 * 1024))
    wholes.a.script(Step(body=bomb, headers={"Content-Encoding": "gzip"}))
    assert (await wholes.ask()).by == "b"
    assert wholes.record.attempts[0].detail == "the answer unpacks to more than 100 times its size"


async def test_s20_the_log_probabilities_of_a_long_answer_are_not_too_many_values() -> None:
    alternative = {"token": "a", "logprob": -1.5, "bytes": [97]}
    token = {**alternative, "top_logprobs": [alternative] * 20}
    await check_size(orjson.dumps({"choices": [{"index": 0, "logprobs": {"content": [token] * 8000}}]}))


async def test_s20_a_large_answer_of_too_many_values_is_given_up_without_being_parsed(wholes: Scenario) -> None:
    await wholes.configure(retries=0)
    wholes.a.script(Step(body='{"choices":[' + "[]," * 1_100_000 + "1]}"))
    assert (await wholes.ask()).by == "b"
    assert "more than 1,000,000 objects" in wholes.record.attempts[0].detail


async def test_s20_of_an_error_without_end_the_beginning_is_enough(scenario: Scenario) -> None:
    await scenario.configure(retries=0)
    scenario.a.script(Step(status=503, body="down for the night " * 400_000, content_type="text/plain"))
    assert (await scenario.ask()).by == "b"
    assert scenario.outcomes == [("a", "overloaded"), ("b", "ok")]
    assert len(scenario.record.attempts[0].detail) <= 500
    async with asyncio.timeout(WITHIN_S):
        await scenario.a.requests[0].ended.wait()
