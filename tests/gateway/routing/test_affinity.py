"""What belongs together goes to one target, while that is well."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import ModelAlias
from conduit_desktop.gateway.call import WholeReply
from conduit_desktop.gateway.routing import affinity
from conduit_desktop.gateway.routing.affinity import SessionAffinity, key_of
from tests.fakes.gateway import GatewayFixture, call
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor


@pytest.fixture
async def many(gateway: GatewayFixture, vendor: Vendor, other: Vendor, short_backoff: None) -> GatewayFixture:
    """The aliases `session`, `prefix` and `plain`, each round-robin over two targets."""
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_provider("b", other.openai_url)
    for kind in ("session", "prefix", None):
        await gateway.add_alias(kind or "plain", "a/one", "b/one", strategy="round_robin", sticky=kind)
    await gateway.add_key()
    return gateway


async def target_of(gateway: GatewayFixture, alias: str, headers: dict[str, str] | None = None, **fields: Any) -> str:
    made = call(alias, **fields)
    made.headers = headers or {}
    exchange = await gateway.answer(made)
    assert isinstance(exchange, WholeReply)
    return exchange.headers["x-conduit-provider"]


@pytest.mark.parametrize("header", affinity.SESSION_HEADERS)
async def test_a_session_stays_where_it_was_answered(many: GatewayFixture, header: str) -> None:
    homes = {name: await target_of(many, "session", {header: name}) for name in ("first", "second")}
    assert len(set(homes.values())) == 2, "another session takes its turn"
    for name in ("first", "first", "second", "first", "second"):
        assert await target_of(many, "session", {header: name}) == homes[name]


@pytest.mark.parametrize("fields", [{"user": "me"}, {"metadata": {"user_id": "me"}}, {"prompt_cache_key": "me"}])
async def test_a_session_can_be_named_in_the_body(many: GatewayFixture, fields: dict[str, Any]) -> None:
    assert len({await target_of(many, "session", **fields) for _ in range(4)}) == 1


async def test_without_a_session_and_without_the_option_the_strategy_decides(many: GatewayFixture) -> None:
    assert len({await target_of(many, "session") for _ in range(2)}) == 2
    assert len({await target_of(many, "plain", {"x-session-id": "s"}) for _ in range(2)}) == 2


async def test_prompts_that_begin_alike_stay_together(many: GatewayFixture) -> None:
    def turns(first: str, count: int) -> list[dict[str, str]]:
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": first}]
        return messages + [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}] * count

    assert len({await target_of(many, "prefix", messages=turns("one", count)) for count in range(4)}) == 1
    assert len({await target_of(many, "prefix", messages=turns(str(n), 0)) for n in range(2)}) == 2


async def test_a_session_moves_when_its_target_fails_and_stays_where_it_went(
    many: GatewayFixture, vendor: Vendor, other: Vendor
) -> None:
    home = await target_of(many, "session", {"x-session-id": "s"})
    (vendor if home == "a" else other).script(Step(status=503))
    away = {await target_of(many, "session", {"x-session-id": "s"}) for _ in range(4)}
    assert away == {"b" if home == "a" else "a"}
    (vendor if home == "a" else other).script(Step())
    assert await target_of(many, "session", {"x-session-id": "s"}) in away, "its new target knows the prompt now"


async def test_a_target_with_an_open_circuit_is_not_insisted_on(many: GatewayFixture) -> None:
    home = await target_of(many, "session", {"x-session-id": "s"})
    health = many.health.target(f"{home}/one")
    health.state, health.open_until = "open", float("inf")
    assert await target_of(many, "session", {"x-session-id": "s"}) != home


def test_callers_do_not_share_a_session() -> None:
    alias = ModelAlias(id="m", alias="m", sticky="session")
    one, two = call("m", user="me", key="one"), call("m", user="me", key="two")
    assert key_of(alias, one) != key_of(alias, two)
    assert key_of(alias, one) == key_of(alias, call("m", "other words", user="me", key="one"))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(affinity, "MAX_REMEMBERED", 3)
    kept = SessionAffinity()
    for number in range(10):
        kept.answered(b"%d" % number, "a/one")
    assert len(kept) == 3
