"""Which key, address and model a call may use."""

from __future__ import annotations

import ipaddress
from types import SimpleNamespace
from typing import Any

import pytest
from multidict import CIMultiDict

from conduit_desktop.core import clock as clock_module
from conduit_desktop.core.entities import IpRule, Provider, VirtualKey
from conduit_desktop.core.errors import Forbidden, Unauthorized
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.admission.access import Caller, check_address, check_model, digest, identify, may_call
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import Route, timeouts_for
from conduit_desktop.gateway.snapshot import BoundProvider, Rule, Snapshot
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect
from tests.fakes.clock import Clock
from tests.fakes.gateway import GatewayFixture

SECRET = "condt_" + "a" * 43
OTHER_SECRET = "condt_" + "b" * 43
REMOTE = "203.0.113.7"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(time=clock.wall))
    return clock


def key(name: str = "app", secret: str = SECRET, **fields: Any) -> VirtualKey:
    return VirtualKey(id=f"key_{name}", name=name, digest=digest(secret), hint="", **fields)


def snapshot(*keys: VirtualKey, rules: tuple[IpRule, ...] = (), providers: tuple[Provider, ...] = (), **settings: Any) -> Snapshot:
    return Snapshot(
        settings=Settings(**settings),
        providers={one.name: BoundProvider(one, bind(one), ()) for one in providers},
        keys={one.id: one for one in keys},
        keys_by_digest={one.digest: one for one in keys},
        keys_by_name={one.name.lower(): one for one in keys},
        rules=tuple(Rule(rule.action == "allow", ipaddress.ip_network(rule.network, strict=False)) for rule in rules),
    )


def rules(*texts: str) -> Snapshot:
    """A snapshot with IP rules given as `allow 10.0.0.0/8`."""
    parts = [text.split() for text in texts]
    return snapshot(
        rules=tuple(
            IpRule(id=f"ip_{index}", action="allow" if action == "allow" else "deny", network=network)
            for index, (action, network) in enumerate(parts)
        )
    )


def provider(**fields: Any) -> Provider:
    return Provider(id="prov_oa", name="oa", kind="openai-compatible", base_url="http://127.0.0.1:1", **fields)


def route(name: str, is_default: bool = False) -> Route:
    return Route(name, None, (), timeouts_for(None, Settings()), is_default=is_default)


def call(credential: str | None = SECRET, client_ip: str = "127.0.0.1", **fields: Any) -> Call:
    return Call(dialect("openai_chat"), {}, "m", credential=credential, client_ip=client_ip, **fields)


def admits(rules: Snapshot, address: str) -> bool:
    try:
        check_address(address, rules)
    except Forbidden:
        return False
    return True


# Keys


def test_a_known_key_is_the_caller() -> None:
    app, other = key(), key("other", OTHER_SECRET)
    assert identify(call(), snapshot(app, other)).key is app
    assert identify(call(OTHER_SECRET), snapshot(app, other)).id == "key_other"


def test_an_unknown_key_is_refused_without_a_reason() -> None:
    with pytest.raises(Unauthorized, match=r"^The API key is not valid\.$"):
        identify(call(OTHER_SECRET), snapshot(key()))


def test_a_key_is_found_by_its_digest_and_not_by_its_name_or_id() -> None:
    named = VirtualKey(id=OTHER_SECRET, name=OTHER_SECRET, digest=digest(SECRET), hint="")
    with pytest.raises(Unauthorized):
        identify(call(OTHER_SECRET), snapshot(named))
    with pytest.raises(Unauthorized):
        identify(call(digest(SECRET)), snapshot(named))


def test_a_disabled_key_is_refused() -> None:
    with pytest.raises(Unauthorized, match="disabled"):
        identify(call(), snapshot(key(enabled=False)))


@pytest.mark.parametrize(("milliseconds_left", "admitted"), [(1, True), (0, False), (-1, False)])
def test_a_key_expires_at_the_exact_millisecond(clock: Clock, milliseconds_left: int, admitted: bool) -> None:
    known = snapshot(key(expires_at=clock.millis() + milliseconds_left))
    if admitted:
        assert identify(call(), known).id == "key_app"
        return
    with pytest.raises(Unauthorized, match="expired"):
        identify(call(), known)


def test_an_expiry_at_the_epoch_is_an_expiry() -> None:
    with pytest.raises(Unauthorized, match="expired"):
        identify(call(), snapshot(key(expires_at=0)))


async def test_after_a_rotation_the_old_key_is_refused_and_the_new_one_admitted(gateway: GatewayFixture) -> None:
    await gateway.add_key("app", SECRET)
    assert identify(call(), gateway.snapshot).id == "key_app"
    stored = gateway.snapshot.keys["key_app"]
    await gateway.store.keys.replace(stored.model_copy(update={"digest": digest(OTHER_SECRET)}))
    await gateway.refresh()
    assert identify(call(OTHER_SECRET), gateway.snapshot).id == "key_app"
    with pytest.raises(Unauthorized):
        identify(call(SECRET), gateway.snapshot)


async def test_a_deleted_key_is_refused(gateway: GatewayFixture) -> None:
    await gateway.add_key("app", SECRET)
    assert identify(call(), gateway.snapshot).id == "key_app"
    await gateway.store.keys.delete("key_app")
    await gateway.refresh()
    with pytest.raises(Unauthorized):
        identify(call(), gateway.snapshot)


def test_the_stored_digest_is_the_sha_256_of_the_key() -> None:
    assert digest("condt_abc") == "567e564d165a8ec18e231d193466e57ce05683a268f0072e383827bae84ce2da"


# Clients with a provider's own key


def test_a_providers_own_key_is_refused_where_no_provider_accepts_it() -> None:
    for known in (snapshot(key()), snapshot(key(), providers=(provider(),))):
        with pytest.raises(Unauthorized, match="not a key of this gateway"):
            identify(call("sk-client"), known)


def test_a_providers_own_key_is_refused_where_the_provider_that_accepts_it_is_disabled() -> None:
    with pytest.raises(Unauthorized, match="not a key of this gateway"):
        identify(call("sk-client"), snapshot(providers=(provider(accept_client_keys=True, enabled=False),)))


def test_a_providers_own_key_is_passed_on_where_a_provider_accepts_it() -> None:
    caller = identify(call("sk-client"), snapshot(providers=(provider(accept_client_keys=True),)))
    assert (caller.key, caller.own_key, caller.id) == (None, "sk-client", "")


def test_a_providers_own_key_is_not_printed_with_its_caller() -> None:
    assert "sk-client" not in repr(Caller(own_key="sk-client"))


def test_an_unknown_virtual_key_is_never_passed_on_as_a_providers_own_key() -> None:
    with pytest.raises(Unauthorized):
        identify(call(OTHER_SECRET), snapshot(providers=(provider(accept_client_keys=True),)))


# Calls without a key


def test_a_call_without_a_key_is_refused_where_no_anonymous_key_is_set() -> None:
    for credential in (None, ""):
        with pytest.raises(Unauthorized) as refused:
            identify(call(credential), snapshot(key()))
        assert refused.value.code == "missing_api_key"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_the_anonymous_key_is_used_by_a_loopback_call_without_a_key(address: str) -> None:
    assert identify(call(None, address), snapshot(key("App"), anonymous_key="aPP")).id == "key_App"


@pytest.mark.parametrize("address", [REMOTE, "192.168.0.2", "2001:db8::1", "::ffff:192.168.0.2", "not an address", ""])
def test_the_anonymous_key_is_not_used_from_another_machine(address: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        identify(call(None, address), snapshot(key(), anonymous_key="app"))
    assert refused.value.code == "missing_api_key"


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "Via", "X-Real-IP"])
def test_the_anonymous_key_is_not_used_by_what_a_proxy_on_this_computer_passes_on(header: str) -> None:
    passed_on = call(None, headers=CIMultiDict({header: "203.0.113.7"}))
    with pytest.raises(Unauthorized) as refused:
        identify(passed_on, snapshot(key(), anonymous_key="app"))
    assert refused.value.code == "missing_api_key"


def test_the_anonymous_key_is_not_used_by_a_page_of_a_foreign_origin() -> None:
    with pytest.raises(Unauthorized) as refused:
        identify(call(None, foreign_page=True), snapshot(key(), anonymous_key="app"))
    assert refused.value.code == "missing_api_key"


def test_a_page_of_a_foreign_origin_may_use_a_key_that_it_sends() -> None:
    assert identify(call(SECRET, foreign_page=True), snapshot(key(), anonymous_key="app")).id == "key_app"


def test_the_name_of_a_deleted_anonymous_key_admits_no_client() -> None:
    with pytest.raises(Unauthorized):
        identify(call(None), snapshot(key(), anonymous_key="gone"))


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"enabled": False}, Unauthorized), ({"expires_at": 1}, Unauthorized), ({"allowed_ips": ("10.0.0.0/8",)}, Forbidden)],
)
def test_the_anonymous_key_is_checked_like_any_other(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        identify(call(None), snapshot(key(**fields), anonymous_key="app"))


# The operator


def test_the_operator_needs_no_key() -> None:
    assert identify(call(None, operator=True), snapshot()) == Caller()


def test_the_operator_can_call_as_a_key_even_where_it_is_disabled() -> None:
    app = key(enabled=False)
    assert identify(call(None, operator=True, path={"key_id": "key_app"}), snapshot(app)).key is app


def test_a_client_cannot_call_as_another_key_by_its_id() -> None:
    known = snapshot(key(), key("other", OTHER_SECRET))
    assert identify(call(path={"key_id": "key_other"}), known).id == "key_app"
    with pytest.raises(Unauthorized):
        identify(call(None, path={"key_id": "key_other"}), known)


# Addresses of a key


@pytest.mark.parametrize(
    ("allowed", "address", "admitted"),
    [
        (("203.0.113.7",), REMOTE, True),
        (("203.0.113.7",), "203.0.113.8", False),
        (("203.0.113.0/29",), REMOTE, True),
        (("203.0.113.0/29",), "203.0.113.8", False),
        (("203.0.113.5/29",), "203.0.113.0", True),  # host bits are ignored
        (("2001:db8::/32",), "2001:db8:ffff::1", True),
        (("2001:db8::/32",), "2001:db9::1", False),
        (("2001:db8::1",), "2001:0db8:0:0::1", True),
        (("10.0.0.0/8", "203.0.113.7"), REMOTE, True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("::/0",), REMOTE, False),
        (("127.0.0.1",), "", False),
        (("10.0.0.0/8",), "", False),
        (("203.0.113.0/24",), f"::ffff:{REMOTE}", True),  # how a dual-stack socket reports IPv4 clients
        (("203.0.113.0/24",), "::ffff:203.0.114.7", False),
        (("::/0",), f"::ffff:{REMOTE}", False),
        (("0.0.0.0/0",), "not an address", False),
        ((), REMOTE, True),
    ],
)
def test_a_key_is_admitted_from_its_allowed_addresses_alone(allowed: tuple[str, ...], address: str, admitted: bool) -> None:
    known = snapshot(key(allowed_ips=allowed))
    if admitted:
        assert identify(call(client_ip=address), known).id == "key_app"
        return
    with pytest.raises(Forbidden) as refused:
        identify(call(client_ip=address), known)
    assert refused.value.code == "ip_not_allowed"


# IP rules of the gateway


def test_without_rules_every_address_is_admitted() -> None:
    assert admits(rules(), REMOTE)
    assert admits(rules(), "not an address")


def test_allow_rules_alone_keep_all_other_addresses_out() -> None:
    known = rules("allow 203.0.113.0/24", "allow 10.0.0.1")
    assert [admits(known, address) for address in (REMOTE, "10.0.0.1", "10.0.0.2", "8.8.8.8")] == [True, True, False, False]


def test_deny_rules_alone_let_all_other_addresses_in() -> None:
    known = rules("deny 203.0.113.0/24")
    assert [admits(known, address) for address in (REMOTE, "203.0.113.255", "203.0.114.0", "::1")] == [False, False, True, True]


@pytest.mark.parametrize("texts", [("allow 203.0.113.0/24", "deny 203.0.113.7"), ("deny 203.0.113.7", "allow 203.0.113.0/24")])
def test_a_deny_rule_wins_over_an_allow_rule_in_any_order(texts: tuple[str, ...]) -> None:
    known = rules(*texts)
    assert [admits(known, address) for address in (REMOTE, "203.0.113.8", "8.8.8.8")] == [False, True, False]


def test_a_deny_rule_wins_over_a_narrower_allow_rule() -> None:
    assert not admits(rules("allow 203.0.113.7", "deny 203.0.113.0/24"), REMOTE)


def test_a_rule_of_one_address_family_matches_no_address_of_the_other() -> None:
    assert not admits(rules("allow 0.0.0.0/0"), "2001:db8::1")
    assert not admits(rules("allow ::/0"), REMOTE)
    assert admits(rules("deny 0.0.0.0/0"), "2001:db8::1")
    assert admits(rules("deny ::/0"), REMOTE)
    assert admits(rules("allow ::/0"), "2001:db8::1")
    assert not admits(rules("deny ::/0"), "2001:db8::1")


def test_an_address_that_cannot_be_parsed_is_refused_where_there_are_rules() -> None:
    assert not admits(rules("allow 0.0.0.0/0"), "not an address")
    assert not admits(rules("deny 203.0.113.7"), "not an address")


def test_an_ipv4_address_in_ipv6_form_is_checked_as_ipv4() -> None:
    assert not admits(rules("deny 203.0.113.0/24"), f"::ffff:{REMOTE}")
    assert admits(rules("allow 203.0.113.0/24"), f"::ffff:{REMOTE}")
    assert not admits(rules("allow ::/0"), f"::ffff:{REMOTE}")
    assert admits(rules("deny 203.0.113.0/24"), "2001:db8::1")


def test_an_address_that_is_not_known_is_refused_where_there_are_rules() -> None:
    assert not admits(rules("allow 127.0.0.0/8"), "")
    assert not admits(rules("deny 203.0.113.7"), "")


@pytest.mark.parametrize(
    "made", [call(client_ip=REMOTE), call("sk-client", REMOTE), call(None, REMOTE), call(None, REMOTE, operator=True)]
)
def test_the_rules_are_checked_before_the_key_of_any_caller(made: Call) -> None:
    denying = rules("deny 203.0.113.7")
    known = snapshot(key(), providers=(provider(accept_client_keys=True),), anonymous_key="app")
    with pytest.raises(Forbidden) as refused:
        identify(made, Snapshot(known.settings, known.providers, keys_by_digest=known.keys_by_digest, rules=denying.rules))
    assert refused.value.code == "ip_not_allowed"


# Models


@pytest.mark.parametrize(
    ("models", "model", "admitted"),
    [
        ((), "anything", True),
        (("gpt-4",), "gpt-4", True),
        (("gpt-4",), "GPT-4", True),
        (("GPT-4*",), "gpt-4o", True),
        (("gpt-4",), "gpt-4o", False),
        (("gpt-4",), "a-gpt-4", False),
        (("gpt-*",), "gpt-", True),
        (("gpt-*",), "claude", False),
        (("gpt-?",), "gpt-4", True),
        (("gpt-?",), "gpt-4o", False),
        (("gpt-[45]",), "gpt-5", True),
        (("gpt-[45]",), "gpt-6", False),
        (("gpt-[45]",), "gpt-[45]", True),  # a name that only looks like a pattern
        (("oa/*",), "oa/org/model", True),
        (("claude", "gpt-*"), "gpt-4", True),
        (("*",), "anything", True),
    ],
)
def test_a_key_may_call_the_models_of_its_allow_list_alone(models: tuple[str, ...], model: str, admitted: bool) -> None:
    assert may_call(key(models=models), model) is admitted


def test_a_call_without_a_virtual_key_may_call_every_model() -> None:
    assert may_call(None, "anything")
    check_model(None, "anything", route("anything"))


def test_a_model_is_allowed_by_the_requested_name_or_by_the_name_it_resolves_to() -> None:
    narrow = key(models=("fast",))
    check_model(narrow, "fast", route("gpt-4"))
    check_model(narrow, "gpt-4", route("fast"))
    with pytest.raises(Forbidden) as refused:
        check_model(narrow, "gpt-4", route("claude"))
    assert refused.value.param == "model"


def test_the_default_alias_is_allowed_by_its_own_name_alone() -> None:
    check_model(key(models=("claude",)), "gpt-unknown", route("claude", is_default=True))
    with pytest.raises(Forbidden):
        check_model(key(models=("gpt-*",)), "gpt-unknown", route("claude", is_default=True))


def test_what_is_kept_for_a_caller_is_owned_by_its_key_and_else_by_the_digest_of_its_own_key() -> None:
    assert Caller(key("app")).owner == Caller(key("app"), own_key="sk-1").owner == key("app").id != ""
    assert Caller(own_key="sk-1").owner == f"client:{digest('sk-1')}"
    assert Caller().owner == Caller(own_key="").owner == ""
