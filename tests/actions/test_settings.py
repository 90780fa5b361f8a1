"""Settings: the range of every option, unknown names, null, and what may not be changed here."""

from __future__ import annotations

import math
from typing import Any

import pytest

from conduit_desktop.actions import settings
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.settings import Settings
from tests.actions.conftest import OPENAI, Do

AT_LEAST = {
    "port": 0, "max_body_mb": 1, "keepalive_s": 0.05, "health_check_s": 0.0, "reserve_output_tokens": 1, "payload_days": 1,
    "payload_mb": 1, "response_days": 1, "response_mb": 1, "request_days": 1, "request_rows": 1000,
    "budget_wait_s": 0.0, "zoom": 75,
}  # fmt: skip
AT_MOST = {
    "port": 65535, "max_body_mb": 4096, "keepalive_s": 60.0, "payload_days": 3650, "response_days": 3650, "request_days": 3650,
    "zoom": 200,
}  # fmt: skip
ABOVE = {"connect_s": 0.0, "first_token_s": 0.0, "idle_s": 0.0, "total_s": 0.0}


def refused(name: str, value: Any) -> None:
    with pytest.raises(Invalid) as raised:
        settings.check({name: value})
    assert (raised.value.field or "").partition("[")[0] == name


@pytest.mark.parametrize(("name", "bound"), AT_LEAST.items())
def test_a_setting_is_accepted_at_its_lower_bound_and_refused_below(name: str, bound: float) -> None:
    assert settings.check({name: bound}) == {name: bound}
    refused(name, bound - 1 if isinstance(bound, int) else bound - 0.01)


@pytest.mark.parametrize(("name", "bound"), AT_MOST.items())
def test_a_setting_is_accepted_at_its_upper_bound_and_refused_above(name: str, bound: float) -> None:
    assert settings.check({name: bound}) == {name: bound}
    refused(name, bound + 1 if isinstance(bound, int) else bound + 0.01)


@pytest.mark.parametrize(("name", "bound"), ABOVE.items())
def test_a_timeout_is_more_than_zero(name: str, bound: float) -> None:
    assert settings.check({name: bound + 0.01}) == {name: bound + 0.01}
    refused(name, bound)


def test_every_numeric_setting_has_a_range_that_is_tested() -> None:
    numeric = {name for name, info in Settings.model_fields.items() if info.annotation in (int, float)}
    assert numeric == {*AT_LEAST, *ABOVE}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "5000"), ("port", 1.5), ("port", True), ("start_server", 1), ("start_server", "true"), ("host", 1),
        ("cors_origins", "http://a"), ("cors_origins", [1]), ("theme", "blue"), ("record_policy", "wait"), ("idle_s", math.nan),
        ("default_alias", 1),
    ],
)  # fmt: skip
def test_a_setting_of_the_wrong_type_or_choice_is_refused(name: str, value: Any) -> None:
    refused(name, value)


@pytest.mark.parametrize("value", [1, None])
def test_an_unknown_setting_is_refused_even_as_null(value: Any) -> None:
    with pytest.raises(Invalid, match="no such field") as raised:
        settings.check({"prot": value})
    assert raised.value.field == "prot"


def test_null_stands_for_the_default() -> None:
    assert settings.check({"port": None, "theme": "dark"}) == {"port": None, "theme": "dark"}


async def test_one_wrong_setting_changes_none(context: AppContext, do: Do) -> None:
    with pytest.raises(Invalid):
        await do("PATCH", "/settings", {"theme": "dark", "port": -1})
    with pytest.raises(Invalid):
        await do("PATCH", "/settings", {"theme": "dark", "default_alias": "nothing"})
    assert context.gateway.snapshot.settings.theme == "system"
    assert (await context.store.audit.list())[0] == []


async def test_one_setting_that_is_fixed_elsewhere_changes_none_and_is_named(context: AppContext, do: Do) -> None:
    context.gateway.state.overrides = {"port": 5001}
    for value in (5002, 5001, None):
        with pytest.raises(Conflict) as raised:
            await do("PATCH", "/settings", {"theme": "dark", "port": value})
        assert raised.value.field == "port"
    assert context.gateway.snapshot.settings.theme == "system"
    rows = {row["name"]: row["locked"] for row in (await do("GET", "/settings"))["data"]}
    assert {name for name, locked in rows.items() if locked} == {"port"}


async def test_the_key_for_keyless_calls_and_the_default_model_must_exist(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "openai", "model": "m"}]})
    await do("POST", "/keys", {"name": "guest"})
    await do("PATCH", "/settings", {"anonymous_key": "GUEST", "default_alias": "FAST"})
    now = context.gateway.snapshot.settings
    assert (now.anonymous_key, now.default_alias) == ("GUEST", "FAST")
    for name in ("anonymous_key", "default_alias"):
        with pytest.raises(Invalid, match="there is no") as raised:
            await do("PATCH", "/settings", {name: "nothing"})
        assert raised.value.field == name
        await do("PATCH", "/settings", {name: None})


async def test_an_option_is_shown_with_its_type_bounds_and_choices(do: Do) -> None:
    rows = {row["name"]: row for row in (await do("GET", "/settings", limit="500"))["data"]}
    assert list(rows) == list(Settings.model_fields)
    wanted = {
        "port": ("integer", 0, 65535, None), "idle_s": ("number", 0, None, None), "start_server": ("boolean", None, None, None),
        "cors_origins": ("array", None, None, None), "theme": ("string", None, None, ["system", "light", "dark"]),
        "default_alias": ("string", None, None, None),
    }  # fmt: skip
    for name, (kind, low, high, choices) in wanted.items():
        row = rows[name]
        assert (row["type"], row["minimum"], row["maximum"], row["choices"]) == (kind, low, high, choices), name
