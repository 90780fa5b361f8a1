"""Aliases: targets, fallbacks, and what a change carries with it."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions import models
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, read
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from tests.actions.conftest import OPENAI, Do

TARGETS = [{"provider": "openai", "model": "m"}]


async def chain(do: Do, *aliases: tuple[str, list[str]]) -> None:
    await do("POST", "/providers", OPENAI)
    for alias, fallbacks in aliases:
        await do("POST", "/models", {"alias": alias, "targets": TARGETS, "fallbacks": fallbacks})


async def test_a_circle_of_fallbacks_is_refused_wherever_it_closes(do: Do) -> None:
    await chain(do, ("c", []), ("b", ["c"]), ("a", ["b"]))
    with pytest.raises(Invalid, match="leads back") as raised:
        await do("PATCH", "/models/c", {"fallbacks": ["A"]})
    assert raised.value.field == "fallbacks[0]"


async def test_a_renamed_alias_cannot_close_a_circle(do: Do) -> None:
    await chain(do, ("b", []), ("a", ["b"]))
    with pytest.raises(Invalid, match="leads back"):
        await do("PATCH", "/models/b", {"alias": "z", "fallbacks": ["a"]})


async def test_a_new_name_is_carried_into_the_fallbacks_of_others(do: Do) -> None:
    await chain(do, ("b", []), ("a", ["b"]))
    await do("PATCH", "/models/b", {"alias": "better"})
    assert (await do("GET", "/models/a"))["fallbacks"] == ["better"]


@pytest.mark.parametrize("field", ["context_fallbacks", "content_filter_fallbacks"])
async def test_fallbacks_by_cause_are_checked_and_follow_a_new_name(do: Do, field: str) -> None:
    await chain(do, ("b", []), ("a", []))
    for wrong, message in (("a", "leads back"), ("missing", "no model alias")):
        with pytest.raises(Invalid, match=message) as raised:
            await do("PATCH", "/models/a", {field: [wrong]})
        assert raised.value.field == f"{field}[0]"
    await do("PATCH", "/models/a", {field: ["B"]})
    await do("PATCH", "/models/b", {"alias": "better"})
    assert (await do("GET", "/models/a"))[field] == ["better"]


@pytest.mark.parametrize("field", ["context_fallbacks", "content_filter_fallbacks"])
async def test_fallbacks_by_cause_may_name_what_comes_later_in_a_file(do: Do, field: str) -> None:
    await chain(do, ("first", []))  # for its provider
    target = (await do("GET", "/models/first"))["targets"][0]
    named = f'targets = [{{provider = "{target["provider"]}", model = "{target["model"]}"}}]'
    toml = f'[[models]]\nalias = "a"\n{named}\n{field} = ["z"]\nsticky = "prefix"\ntrim = true\n[[models]]\nalias = "z"\n{named}\n'
    await do("POST", "/import", {"toml": toml, "apply": True})
    made = await do("GET", "/models/a")
    assert (made[field], made["sticky"], made["trim"]) == (["z"], "prefix", True)


async def test_timeouts_are_changed_one_by_one(do: Do) -> None:
    await chain(do, ("a", []))
    await do("PATCH", "/models/a", {"timeouts": {"idle_s": 5, "total_s": 60}})
    changed = await do("PATCH", "/models/a", {"timeouts": {"idle_s": None}})
    assert changed["timeouts"] == {"connect_s": None, "first_token_s": None, "idle_s": None, "total_s": 60}


@pytest.mark.parametrize(("field", "default"), [("retries", 1), ("overrides", {}), ("strategy", "priority"), ("enabled", True)])
async def test_null_goes_back_to_the_default(do: Do, field: str, default: Any) -> None:
    await chain(do, ("a", []))
    await do("PATCH", "/models/a", {"retries": 4, "overrides": {"top_p": None}, "strategy": "random", "enabled": False})
    assert (await do("PATCH", "/models/a", {field: None}))[field] == default


async def test_a_name_cannot_be_cleared(do: Do) -> None:
    await chain(do, ("a", []))
    with pytest.raises(Invalid) as raised:
        await do("PATCH", "/models/a", {"alias": None})
    assert raised.value.field == "alias"


async def test_explain_says_where_a_request_would_go(do: Do) -> None:
    await chain(do, ("a", []))
    rows = (await do("POST", "/models/a/explain", {}))["data"]
    assert [(row["provider"], row["model"], bool(row["reason"])) for row in rows] == [("openai", "m", True)]


async def test_a_new_name_that_another_alias_has_is_a_conflict_and_changes_no_fallback(do: Do) -> None:
    await chain(do, ("b", []), ("c", []), ("a", ["b"]))
    with pytest.raises(Conflict):
        await do("PATCH", "/models/b", {"alias": "C"})
    assert (await do("GET", "/models/a"))["fallbacks"] == ["b"]


async def test_targets_are_checked_in_a_change_too(do: Do) -> None:
    await chain(do, ("a", []))
    with pytest.raises(Invalid) as raised:
        await do("PATCH", "/models/a", {"targets": [TARGETS[0], {"provider": "missing", "model": "m"}]})
    assert raised.value.field == "targets[1].provider"
    await do("PATCH", "/models/a", {"targets": [{"provider": "OpenAI", "model": "m"}]})


@pytest.mark.parametrize("field", ["fallbacks", "context_fallbacks", "content_filter_fallbacks"])
async def test_a_new_alias_may_name_neither_itself_nor_what_is_missing_as_a_fallback(do: Do, field: str) -> None:
    await chain(do, ("b", []))
    for wrong, message in (("A", "leads back"), ("missing", "there is no model alias")):
        with pytest.raises(Invalid, match=message) as raised:
            await do("POST", "/models", {"alias": "a", "targets": TARGETS, field: ["b", wrong]})
        assert raised.value.field == f"{field}[1]"


async def test_an_alias_of_the_config_file_that_falls_back_on_another_locks_the_name_of_that_one(
    context: AppContext, do: Do
) -> None:
    await chain(do, ("b", []))
    new = read(NewModel, {"alias": "a", "targets": TARGETS, "fallbacks": ["b"]})
    await models.create(context, new, "file", "file")
    with pytest.raises(Conflict, match="config file"):
        await do("PATCH", "/models/b", {"alias": "c"})
    assert [row["alias"] for row in (await do("GET", "/models"))["data"]] == ["a", "b"]
    await do("PATCH", "/models/b", {"retries": 0})


async def test_a_removed_alias_is_not_found_by_any_verb(do: Do) -> None:
    await chain(do, ("a", []))
    await do("DELETE", "/models/A")
    for method, path, body in (("GET", "", None), ("PATCH", "", {}), ("DELETE", "", None), ("POST", "/explain", {})):
        with pytest.raises(NotFound):
            await do(method, f"/models/a{path}", body)


async def test_a_removed_alias_may_stay_named_as_a_fallback_and_can_be_taken_out(do: Do) -> None:
    await chain(do, ("b", []), ("a", ["b"]))
    await do("DELETE", "/models/b")
    assert (await do("GET", "/models/a"))["fallbacks"] == ["b"]
    assert (await do("PATCH", "/models/a", {"retries": 2}))["retries"] == 2
    assert (await do("PATCH", "/models/a", {"fallbacks": []}))["fallbacks"] == []
