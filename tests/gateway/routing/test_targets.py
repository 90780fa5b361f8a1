"""The time-outs of a request: what the alias and the operator say, and the patience that local servers need."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import ModelAlias, Provider, Target, TimeoutOverrides
from conduit_desktop.core.errors import ProviderTimeout
from conduit_desktop.core.paths import Home
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.routing.resolve import resolve_model
from conduit_desktop.gateway.routing.targets import Route
from conduit_desktop.gateway.snapshot import BoundProvider, Credential, Snapshot
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from tests.fakes.gateway import open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

LOCAL = ("ollama", "lmstudio", "llamacpp", "vllm", "localai", "jan")


def route(*kinds: str, timeouts: dict[str, float] | None = None, **settings: Any) -> Route:
    """The route of an alias with one target of each kind."""
    providers = {}
    for kind in kinds:
        provider = Provider(id=f"p_{kind}", name=kind, kind=kind)
        providers[kind] = BoundProvider(provider, bind(provider), (Credential("0", Secrets()),))
    targets = tuple(Target(provider=kind, model="m") for kind in kinds)
    alias = ModelAlias(id="mod_x", alias="x", targets=targets, timeouts=TimeoutOverrides(**(timeouts or {})))
    return resolve_model("x", Snapshot(settings=Settings(**settings), providers=providers, aliases={"x": alias}))


def begins_within(made: Route, kind: str, stream: bool = True) -> float:
    target = next(target for target in made.targets if target.bound.name == kind)
    return made.timeouts.begins_within_s(target.bound.kind, stream)


@pytest.mark.parametrize("kind", LOCAL)
def test_a_local_server_gets_15_minutes_for_its_first_token_and_its_whole_answer(kind: str) -> None:
    made = route(kind)
    assert (begins_within(made, kind), begins_within(made, kind, stream=False)) == (900, 900)
    assert made.timeouts.total_s == 600 + 900


def test_a_vendor_gets_the_settings_default_next_to_a_local_server() -> None:
    made = route("llamacpp", "openai")
    assert (begins_within(made, "openai"), begins_within(made, "llamacpp")) == (120, 900)
    assert route("openai").timeouts.total_s == 600


def test_what_the_operator_or_the_alias_sets_holds_for_local_servers_too() -> None:
    assert begins_within(route("ollama", first_token_s=30.0), "ollama") == 30
    assert begins_within(route("ollama", timeouts={"first_token_s": 40.0}), "ollama") == 40
    assert route("ollama", total_s=700.0).timeouts.total_s == 700
    assert route("ollama", timeouts={"total_s": 800.0}).timeouts.total_s == 800


@pytest.mark.parametrize(("kind", "attempts"), [("llamacpp", 1), ("openai-compatible", 2)])
async def test_a_local_server_is_not_asked_again_after_a_time_out(home: Home, kind: str, attempts: int) -> None:
    async with Vendor() as vendor, open_gateway(home) as gateway:
        await gateway.add_provider("slow", vendor.openai_url, kind=kind)
        await gateway.add_alias("alias", "slow/m", timeouts={"first_token_s": 0.1, "total_s": 20.0})
        await gateway.add_key()
        vendor.script(Step(hang=True))
        with pytest.raises(ProviderTimeout):
            await gateway.stream("alias")
        assert len(vendor.requests) == attempts


async def test_a_caller_gets_pings_while_a_local_server_reads_the_prompt(home: Home) -> None:
    async with Vendor() as vendor, open_gateway(home, keepalive_s=0.05) as gateway:
        await gateway.add_provider("slow", vendor.openai_url, kind="llamacpp")
        await gateway.add_alias("alias", "slow/m")
        await gateway.add_key()
        vendor.script(Step(delay_s=0.5))
        stream = await gateway.stream("alias")
        begin, _, rest = stream.partition(b"data:")
        assert begin.count(b"\n\n") >= 2, "comments, before the first event"
        assert b"[DONE]" in rest
