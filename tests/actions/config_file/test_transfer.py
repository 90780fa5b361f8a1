"""A config file and the database: settings over settings, what has left the file, and what the user made."""

from __future__ import annotations

import logging

import pytest

from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConfigFileBroken, Invalid
from tests.actions.conftest import Do
from tests.fakes.app_context import published

ALL = """
[[providers]]
name = "Demo"
kind = "demo"
[[models]]
alias = "Fast"
targets = [{ provider = "demo", model = "demo-chat" }]
[[keys]]
name = "Ci"
[[prices]]
pattern = "Gpt"
input = 1
"""


async def test_what_has_left_the_file_goes_and_what_the_user_made_stays(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "mine", "kind": "demo"})
    await do("POST", "/models", {"alias": "mine", "targets": [{"provider": "mine", "model": "demo-chat"}]})
    await do("POST", "/keys", {"name": "mine"})
    await do("PUT", "/prices/mine", {"input": 1})
    await transfer.sync_file(context, parse(ALL))
    gone = await transfer.sync_file(context, parse(""))
    assert sorted((one.change, one.kind, one.name) for one in gone) == [
        ("remove", "key", "Ci"), ("remove", "model", "Fast"), ("remove", "price", "Gpt"), ("remove", "provider", "Demo"),
    ]  # fmt: skip
    for path, field in (("/providers", "name"), ("/models", "alias"), ("/keys", "name"), ("/prices", "pattern")):
        assert [row[field] for row in (await do("GET", path))["data"]] == ["mine"]


async def test_a_name_in_another_case_is_the_same_thing(context: AppContext, do: Do) -> None:
    await transfer.sync_file(context, parse(ALL))
    changes = await transfer.sync_file(context, parse(ALL.lower()))
    assert [one for one in changes if one.change == "remove"] == []
    for path in ("/providers", "/models", "/keys", "/prices"):
        assert len((await do("GET", path))["data"]) == 1, path


async def test_the_file_is_over_the_database_and_the_command_line_is_over_both(context: AppContext, do: Do) -> None:
    await do("PATCH", "/settings", {"port": 1, "payload_days": 1, "request_days": 1})
    context.fixed_settings["port"] = 3
    await transfer.sync_file(context, parse("[settings]\nport = 2\npayload_days = 2\n"))
    now = context.gateway.snapshot.settings
    assert (now.port, now.payload_days, now.request_days) == (3, 2, 1)
    await transfer.sync_file(context, parse(""))
    now = context.gateway.snapshot.settings
    assert (now.port, now.payload_days) == (3, 1)


async def test_a_file_that_does_not_fit_keeps_the_settings_of_the_one_before(context: AppContext) -> None:
    await transfer.sync_file(context, parse("[settings]\nport = 2\n"))
    wrong = '[settings]\nport = 3\n[[models]]\nalias = "a"\ntargets = [{ provider = "nobody", model = "m" }]\n'
    with pytest.raises(ConfigFileBroken):
        await transfer.sync_file(context, parse(wrong))
    assert context.gateway.snapshot.settings.port == 2


async def test_a_file_waits_for_a_change_under_way_and_is_published(context: AppContext) -> None:
    changes = published(context)
    await transfer.sync_file(context, parse("[settings]\nport = 2\n"))
    assert [one.topic for one in changes] == ["settings"]
    assert not context.write_lock.locked()


async def test_a_key_that_the_file_leaves_to_rotation_is_logged_by_name_alone(
    context: AppContext, caplog: pytest.LogCaptureFixture
) -> None:
    await transfer.sync_file(context, parse(ALL))
    assert [(one.levelno, "'Ci'" in one.message, "condt_" in one.message) for one in caplog.records] == [
        (logging.WARNING, True, False)
    ]


async def test_an_import_that_names_a_missing_default_model_is_refused(do: Do) -> None:
    with pytest.raises(Invalid) as raised:
        await do("POST", "/import", {"toml": '[settings]\ndefault_alias = "nothing"\n', "apply": True})
    assert raised.value.field == "default_alias"


async def test_an_import_changes_only_the_settings_that_differ_and_are_not_fixed(context: AppContext, do: Do) -> None:
    context.gateway.state.overrides = {"port": 1}
    text = '[settings]\nport = 2\ntheme = "system"\npayload_days = 3\n'
    answer = await do("POST", "/import", {"toml": text, "apply": True})
    assert [(row["name"], row["change"]) for row in answer["changes"]] == [
        ("port", "locked"), ("theme", "same"), ("payload_days", "change"),
    ]  # fmt: skip
    assert await context.store.settings.all() == {"payload_days": 3}
    assert "Import" in repr(transfer.ImportView(applied=True, changes=[], new_keys={"a": "condt_private"}))
    assert "private" not in repr(transfer.ImportView(applied=True, changes=[], new_keys={"a": "condt_private"}))
