"""What a request holds of its key's budget, from its admission to its end."""

from __future__ import annotations

import pytest

from conduit_desktop.core.entities import Price, VirtualKey
from conduit_desktop.core.errors import BudgetExceeded
from conduit_desktop.gateway.budgets import Budgets
from conduit_desktop.gateway.limits import GROWTH_TOKENS, Expectation, Gate, Reservation
from conduit_desktop.gateway.tariff import compile_price

A_TOKEN = 1_000_000
"""Nano-dollars, at $1,000 a million tokens."""
TARIFF = compile_price(Price(pattern="*", input=1000, output=1000))


def key(budget_tokens: int | None) -> VirtualKey:
    budget = None if budget_tokens is None else budget_tokens * A_TOKEN
    return VirtualKey(id="key_1", name="app", digest="", hint="", budget_nano=budget)


def admitted(gate: Gate, budget_tokens: int | None, inputs: int = 0, outputs: int = 10) -> Reservation:
    return gate.admit(key(budget_tokens), Expectation.of(inputs, outputs, [TARIFF]))


def test_a_stream_goes_on_for_as_long_as_the_budget_bears_it() -> None:
    gate = Gate(Budgets())
    held = admitted(gate, 100)
    assert [made for made in range(1, 200) if held.covers(made)] == list(range(1, 101))
    assert gate.budgets.account("key_1").reserved_nano == 100 * A_TOKEN
    held.settle(100 * A_TOKEN, 100)
    assert (gate.budgets.account("key_1").reserved_nano, gate.budgets.account("key_1").spend_nano) == (0, 100 * A_TOKEN)


def test_a_reservation_grows_in_steps_where_there_is_room() -> None:
    gate = Gate(Budgets())
    held = admitted(gate, 10 + GROWTH_TOKENS + 5)
    assert held.covers(11)
    assert gate.budgets.account("key_1").reserved_nano == (10 + GROWTH_TOKENS) * A_TOKEN


def test_growth_takes_no_room_that_another_request_holds() -> None:
    gate = Gate(Budgets())
    first, second = admitted(gate, 30), admitted(gate, 30)
    assert first.covers(20)
    assert not first.covers(21)
    assert second.covers(10)
    with pytest.raises(BudgetExceeded):
        admitted(gate, 30, outputs=1)
    first.settle(0, 0)
    assert second.covers(30)


def test_a_key_without_a_budget_never_runs_out() -> None:
    assert admitted(Gate(Budgets()), None).covers(10**6)
