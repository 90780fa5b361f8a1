"""One question's way, with real stores and a scripted vendor at the end of it."""

import asyncio
import gc

import orjson
import pytest

from conduit_desktop.core.errors import (
    BudgetExceeded,
    Forbidden,
    GatewayError,
    Internal,
    ModelNotFound,
    NoHealthyTarget,
    Unauthorized,
)
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.gateway.call import StreamReply, WholeReply
from conduit_desktop.gateway.upstream.failover import FailoverRun
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.script import Step, Tokens
from tests.fakes.vendor import Vendor

DIALECTS = ("openai_chat", "anthropic_messages")


async def furnish(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
    await gateway.add_alias("to-openai", "oa/gpt-x")
    await gateway.add_alias("to-anthropic", "an/claude-x")
    await gateway.add_price("gpt-x", 1.0, 2.0)
    await gateway.add_price("claude-x", 3.0, 15.0)
    await gateway.add_key()


@pytest.mark.parametrize("client_dialect", DIALECTS)
@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic"])
async def test_every_pair_of_dialects_answers_whole(
    gateway: GatewayFixture, vendor: Vendor, client_dialect: str, alias: str
) -> None:
    await furnish(gateway, vendor)
    body = await gateway.ask(alias, client_dialect=client_dialect)
    text = body["choices"][0]["message"]["content"] if client_dialect == "openai_chat" else body["content"][0]["text"]
    assert text
    record = gateway.records[-1]
    assert (record.status, record.cost_state) == ("success", "final")
    assert record.cost_nano
    assert record.cost_nano > 0
    assert record.input > 0
    assert record.output > 0


@pytest.mark.parametrize("client_dialect", DIALECTS)
@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic"])
async def test_every_pair_of_dialects_streams_to_its_terminal_event(
    gateway: GatewayFixture, vendor: Vendor, client_dialect: str, alias: str
) -> None:
    await furnish(gateway, vendor)
    data = await gateway.stream(alias, client_dialect=client_dialect)
    terminal = b"data: [DONE]" if client_dialect == "openai_chat" else b"event: message_stop"
    assert data.rstrip().endswith(terminal) or terminal in data.split(b"\n\n")[-2]
    record = gateway.records[-1]
    assert (record.status, record.cost_state, record.streamed) == ("success", "final", True)
    assert record.first_token_ms is not None
    assert gateway.in_flight == 0


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic"])
async def test_a_request_that_is_over_leaves_no_circle_for_the_collector(
    gateway: GatewayFixture, vendor: Vendor, alias: str
) -> None:
    """It looks seldom: circles of a thousand requests, with their answers, would be megabytes."""
    await furnish(gateway, vendor)
    assert not gc.isenabled(), "see tests/conftest.py"
    gc.collect()
    await gateway.ask(alias)
    await gateway.stream(alias)
    left = [type(one) for one in gc.get_objects() if type(one) in (Meter, FailoverRun)]
    assert left == []


@pytest.mark.parametrize(("client_dialect", "status"), [("anthropic_messages", 529), ("openai_chat", 502)])
async def test_overloaded_has_status_529_only_in_the_dialect_that_has_it(
    gateway: GatewayFixture, vendor: Vendor, client_dialect: str, status: int
) -> None:
    await furnish(gateway, vendor)
    vendor.script(Step(status=529))
    with pytest.raises(GatewayError) as status_sent:
        await gateway.ask("to-anthropic", client_dialect=client_dialect)
    assert status_sent.value.status == status


async def test_usage_that_the_client_did_not_request_is_removed_from_the_stream(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    assert b'"choices":[]' not in (await gateway.stream("to-openai")).replace(b" ", b"")
    assert vendor.requests[-1].body["stream_options"] == {"include_usage": True}
    requested = await gateway.stream("to-openai", stream_options={"include_usage": True})
    assert b'"choices":[]' in requested.replace(b" ", b"")
    assert gateway.records[-2].input == gateway.records[-1].input > 0


async def test_a_record_is_durable_before_the_answer_is_out(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    reply = await gateway.answer(call("to-openai"))
    assert isinstance(reply, WholeReply)
    stored = await gateway.store.ledger.get(reply.headers["x-conduit-request-id"])
    assert stored is not None
    assert stored.cost_nano == gateway.records[-1].cost_nano


async def test_wrong_keys_models_and_names_are_refused_and_recorded(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    await gateway.add_key("narrow", "condt_" + "n" * 43, models=("to-open*",))
    for key, model, error in (
        ("condt_" + "x" * 43, "to-openai", Unauthorized),
        (None, "to-openai", Unauthorized),
        ("sk-somebody-elses", "to-openai", Unauthorized),
        ("condt_" + "n" * 43, "to-anthropic", Forbidden),
        ("condt_" + "n" * 43, "nonsense", ModelNotFound),
    ):
        with pytest.raises(error):
            await gateway.ask(model, key=key)
        assert gateway.records[-1].status == "refused"
        assert gateway.records[-1].cost_nano == 0
    assert not vendor.requests


async def test_a_models_name_leads_to_no_other_address_of_its_vendor(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("v", vendor.anthropic_url, kind="replicate")
    await gateway.add_alias("any/*", "v/*")
    await gateway.add_alias("in-*", "v/owner/*")
    await gateway.add_key()
    for model, error in (("v/../account", ModelNotFound), ("any/../../x", NoHealthyTarget), ("in-..", NoHealthyTarget)):
        with pytest.raises(error):
            await gateway.ask(model)
    assert not vendor.calls


async def test_200_calls_at_once_on_a_budget_for_3_let_3_through(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    # 1,000 output tokens at $2 a million are 2,000,000 nano-dollars; the few input tokens add a little to each.
    await gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=6_100_000)
    results = await asyncio.gather(
        *(gateway.ask("to-openai", key="condt_" + "p" * 43, max_tokens=1000) for _ in range(200)), return_exceptions=True
    )
    assert sum(isinstance(result, dict) for result in results) == 3
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 197
    assert gateway.account("key_poor").reserved_nano == 0


async def test_a_spent_budget_still_lets_free_models_through(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("local", vendor.openai_url, kind="ollama")
    await gateway.add_alias("free", "local/llama")
    await gateway.add_key(budget_nano=0)
    assert (await gateway.ask("free"))["choices"]
    assert gateway.records[-1].cost_nano == 0


@pytest.mark.parametrize("client_dialect", DIALECTS)
async def test_a_stream_closed_with_the_gateway_ends_in_an_error(
    gateway: GatewayFixture, vendor: Vendor, client_dialect: str
) -> None:
    await furnish(gateway, vendor)
    vendor.script(Step(text="one two three", stall_after=2))
    pending = asyncio.ensure_future(gateway.stream("to-openai", client_dialect=client_dialect))
    while not (gateway.state.streams and vendor.calls[-1].frames_sent == 2):
        await asyncio.sleep(0.005)
    gateway.state.close_streams()
    stream = await pending
    assert b"The gateway is closing" in stream
    assert b"[DONE]" not in stream
    assert b"message_stop" not in stream
    record = gateway.records[-1]
    assert (record.status, record.error_code, record.cost_state) == ("broken", "gateway_closing", "estimated")
    assert record.cost_nano
    assert not gateway.state.streams


@pytest.mark.parametrize("client_dialect", DIALECTS)
async def test_a_stream_uses_a_budget_to_its_end_and_no_further(
    gateway: GatewayFixture, vendor: Vendor, client_dialect: str
) -> None:
    await furnish(gateway, vendor)
    vendor.script(Step(text="word " * 2000))
    # 500 output tokens at $2 a million, of which 10 are reserved; some tokens of input are reserved as well.
    budget = 500 * 2_000 + 100 * 1_000
    await gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=budget)
    stream = await gateway.stream("to-openai", client_dialect=client_dialect, key="condt_" + "p" * 43, max_tokens=10)
    assert b"[DONE]" in stream or b"message_stop" in stream
    gateway.state.overrides["reserve_output_tokens"] = 10
    await gateway.refresh()
    stream = await gateway.stream("to-openai", client_dialect=client_dialect, key="condt_" + "p" * 43, max_tokens=9000)
    assert b"budget does not cover" in stream
    assert b"[DONE]" not in stream
    assert b"message_stop" not in stream
    account = gateway.account("key_poor")
    assert account.reserved_nano == 0
    assert budget - 10 * 2_000 <= account.spend_nano <= budget
    assert (gateway.records[-1].status, gateway.records[-1].error_code) == ("broken", "billing_hard_limit_reached")


async def test_a_stream_whose_text_becomes_denser_ends_where_the_budget_does(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    # Random digits have two to three times as many tokens for each byte as the prose before.
    digits = " ".join(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" for number in range(1, 400))
    vendor.script(Step(text="The fox goes home. " * 55 + digits))
    budget = 600 * 2_000
    await gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=budget)
    gateway.state.overrides["reserve_output_tokens"] = 10
    await gateway.refresh()
    stream = await gateway.stream("to-openai", key="condt_" + "p" * 43, max_tokens=9000)
    assert b"budget does not cover" in stream
    assert 0.9 * budget <= gateway.account("key_poor").spend_nano <= budget


async def test_an_answer_of_an_undated_dialect_is_dated(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    body = await gateway.ask("to-anthropic")
    assert body["created"] == gateway.records[-1].started_at // 1000


async def test_an_unknown_price_is_unknown_and_never_nothing(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("oa", vendor.openai_url)
    await gateway.add_alias("odd", "oa/no-such-model-anywhere")
    await gateway.add_key()
    reply = await gateway.answer(call("odd"))
    assert isinstance(reply, WholeReply)
    assert reply.headers["x-conduit-cost-usd"] == "unknown"
    assert gateway.records[-1].cost_nano is None


async def test_an_answer_that_could_not_be_relayed_is_charged(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await furnish(gateway, vendor)

    def fail(*_: object) -> bytes:
        raise RuntimeError("a fault of the gateway's own")

    monkeypatch.setattr(PreparedRequest, "write_answer", fail)
    with pytest.raises(Internal):
        await gateway.ask("to-openai")
    record = gateway.records[-1]
    assert (record.status, record.http_status, record.cost_state) == ("error", 500, "final")
    assert record.cost_nano == gateway.account("key_tester").spend_nano > 0


@pytest.mark.parametrize("stream", [False, True])
async def test_a_usage_of_zeros_is_none_and_makes_nothing_free(gateway: GatewayFixture, vendor: Vendor, stream: bool) -> None:
    await furnish(gateway, vendor)
    vendor.script(Step(tokens=Tokens(input=0, output=0)))
    await (gateway.stream("to-openai") if stream else gateway.ask("to-openai"))
    record = gateway.records[-1]
    assert (record.status, record.cost_state) == ("success", "estimated")
    assert record.input > 0 < record.output
    assert record.cost_nano


async def test_passthrough_relays_unknown_fields_and_the_answer_unchanged(gateway: GatewayFixture, vendor: Vendor) -> None:
    await furnish(gateway, vendor)
    reply = await gateway.answer(call("to-openai", some_new_field={"a": [1]}))
    assert isinstance(reply, WholeReply)
    assert vendor.requests[-1].body["some_new_field"] == {"a": [1]}
    assert vendor.requests[-1].body["model"] == "gpt-x"
    assert orjson.loads(reply.body)["model"] == "gpt-x"


async def test_spend_survives_a_restart_and_reservations_do_not(home, vendor: Vendor) -> None:
    async with open_gateway(home) as first:
        await furnish(first, vendor)
        await first.ask("to-openai")
        spent = first.account("key_tester").spend_nano
        assert spent > 0
    async with open_gateway(home) as second:
        account = second.account("key_tester")
        assert (account.spend_nano, account.reserved_nano) == (spent, 0)


async def test_a_stream_whose_end_is_called_off_is_settled_all_the_same(home: Home, vendor: Vendor) -> None:
    async with open_gateway(home, keepalive_s=0.05) as gateway:
        await furnish(gateway, vendor)
        vendor.script(Step(hang=True))
        reply = await gateway.answer(call("to-openai", stream=True))
        assert isinstance(reply, StreamReply)
        closing = asyncio.ensure_future(reply.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert gateway.in_flight == 0
        assert gateway.account("key_tester").reserved_nano == 0
        assert [record.status for record in gateway.records] == ["cancelled"]


async def test_a_caller_that_leaves_before_it_is_let_in_leaves_its_record(
    gateway: GatewayFixture, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await furnish(gateway, vendor)
    looking = asyncio.Event()

    async def forever(*_: object) -> None:
        looking.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(gateway.state.compiled_prices, "find", forever)
    pending = asyncio.ensure_future(gateway.ask("to-openai"))
    await looking.wait()
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending
    [record] = gateway.records
    assert (record.status, record.cost_nano, record.attempts) == ("cancelled", 0, [])
    assert not vendor.requests
    assert gateway.in_flight == 0
