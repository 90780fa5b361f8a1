"""A config file and the database: settings over settings, what has left the file, and what the user made."""

from __future__ import annotations

import logging

import pytest

from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConfigFileBroken, Invalid
from tests.actions.conftest import Do
from tests.fakes.app_context import DictSecrets, published

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
output = 2
"""


async def test_what_has_left_the_file_goes_and_what_the_user_made_stays(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "mine", "kind": "demo"})
    await do("POST", "/models", {"alias": "mine", "targets": [{"provider": "mine", "model": "demo-chat"}]})
    await do("POST", "/keys", {"name": "mine"})
    await do("PUT", "/prices/mine", {"input": 1, "output": 2})
    await transfer.sync_file(context, parse(ALL))
    gone = await transfer.sync_file(context, parse(""))
    assert sorted((one.change, one.kind, one.name) for one in gone) == [
        ("remove", "key", "Ci"), ("remove", "model", "Fast"), ("remove", "price", "Gpt"), ("remove", "provider", "Demo"),
    ]  # fmt: skip
    for path, field in (("/providers", "name"), ("/models", "alias"), ("/keys", "name"), ("/prices", "pattern")):
        assert [row[field] for row in (await do("GET", path))["data"]] == ["mine"]


async def test_a_name_in_another_case_is_the_same_entity(context: AppContext, do: Do) -> None:
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
    wrong = '[settings]\nport = 3\n[[models]]\nalias = "a"\ntargets = [{ provider = "missing", model = "m" }]\n'
    with pytest.raises(ConfigFileBroken):
        await transfer.sync_file(context, parse(wrong))
    assert context.gateway.snapshot.settings.port == 2


async def test_a_file_waits_for_a_change_in_progress_and_is_published(context: AppContext) -> None:
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


GOOD = """
[[providers]]
name = "good"
kind = "openai"
api_key = "sk-good-0123456789abcdef"
headers = { X-A = "header-0123456789" }
[[keys]]
name = "ci"
"""
"""A part of the file without faults, which comes first: eight lines, with secrets to write."""
MISFITS = [
    (
        '[[providers]]\nname = "b"\nkind = "openai"\napi_key = "sk-b"\noptions = { regoin = "x" }\n',
        13, "providers[1].options.regoin",
    ),
    ('[[providers]]\nname = "b"\nkind = "openai"\n', 9, "providers[1].api_key"),
    (
        '[[providers]]\nname = "b"\nkind = "openai"\napi_key = "sk-b"\napi_keys = [{ label = "x", api_key = "sk-c" }]\n',
        12, "providers[1].api_key",
    ),
    (
        '[[providers]]\nname = "b"\nkind = "openai"\n'
        'api_keys = [{ label = "x", api_key = "sk-b" }, { label = "x", api_key = "sk-c" }]\n',
        12, "providers[1].api_keys[1].label",
    ),
    ('[[providers]]\nname = "b"\nkind = "openai"\napi_keys = [{ label = "x" }]\n', 12, "providers[1].api_keys[0].api_key"),
    ('[[prices]]\npattern = "p"\ncache_read = 1\n', 9, "prices[0].input"),
    ('[settings]\ndefault_alias = "missing"\n', 10, "default_alias"),
    ('[settings]\nanonymous_key = "missing"\n', 10, "anonymous_key"),
]  # fmt: skip


def stored(context: AppContext) -> dict[str, str]:
    assert isinstance(context.secrets, DictSecrets)
    return context.secrets.kept


@pytest.mark.parametrize(("part", "line", "field"), MISFITS)
async def test_a_followed_file_that_does_not_fit_changes_nothing_and_is_named_by_line(
    context: AppContext, do: Do, part: str, line: int, field: str
) -> None:
    with pytest.raises(ConfigFileBroken) as raised:
        await transfer.sync_file(context, parse(GOOD + part, "here.toml"))
    assert str(raised.value).startswith(f"here.toml, line {line}: {field}: ")
    assert stored(context) == {}
    for path in ("/providers", "/keys", "/prices", "/audit"):
        assert (await do("GET", path))["data"] == [], path


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize(("part", "line", "field"), MISFITS)
async def test_an_import_that_does_not_fit_is_refused_as_a_preview_too_and_changes_nothing(
    context: AppContext, do: Do, part: str, line: int, field: str, apply: bool
) -> None:
    with pytest.raises(Invalid) as raised:
        await do("POST", "/import", {"toml": GOOD + part, "apply": apply})
    assert raised.value.field == "toml"
    assert raised.value.message.startswith(f"import, line {line}: {field}: ")
    assert stored(context) == {}
    for path in ("/providers", "/keys", "/prices", "/audit"):
        assert (await do("GET", path))["data"] == [], path


@pytest.mark.parametrize(("part", "line", "field"), MISFITS[:5])
async def test_a_provider_of_the_file_that_no_longer_fits_keeps_what_it_had(
    context: AppContext, part: str, line: int, field: str
) -> None:
    before_text = GOOD + '[[providers]]\nname = "b"\nkind = "openai"\napi_key = "sk-before-0123456789"\n'
    await transfer.sync_file(context, parse(before_text))
    before, secrets = await context.store.providers.all(), dict(stored(context))
    with pytest.raises(ConfigFileBroken, match=f"line {line}: "):
        await transfer.sync_file(context, parse(GOOD + part))
    assert (await context.store.providers.all(), stored(context)) == (before, secrets)


async def test_a_fault_that_only_the_store_finds_changes_nothing_and_is_named_by_line(context: AppContext) -> None:
    key = "condt_" + "a" * 43
    text = GOOD + f'key = "{key}"\n[[keys]]\nname = "same text"\nkey = "{key}"\n'
    with pytest.raises(ConfigFileBroken, match=r"^here\.toml, line 10: keys\[1\]"):
        await transfer.sync_file(context, parse(text, "here.toml"))
    assert (await context.store.providers.all(), stored(context)) == ([], {})


async def test_a_setting_and_a_target_cannot_name_what_this_file_no_longer_defines(context: AppContext) -> None:
    await transfer.sync_file(context, parse(ALL))
    with pytest.raises(ConfigFileBroken, match="there is no model alias 'fast'"):
        await transfer.sync_file(context, parse('[settings]\ndefault_alias = "fast"\n'))
    model = '[[models]]\nalias = "Fast"\ntargets = [{ provider = "demo", model = "demo-chat" }]\n'
    with pytest.raises(ConfigFileBroken, match="there is no provider 'demo'"):
        await transfer.sync_file(context, parse(model))
    assert [one.alias for one in await context.store.models.all()] == ["Fast"]


async def test_a_default_alias_may_be_one_of_the_user_in_any_case(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "mine", "kind": "demo"})
    await do("POST", "/models", {"alias": "Mine", "targets": [{"provider": "mine", "model": "demo-chat"}]})
    await transfer.sync_file(context, parse('[settings]\ndefault_alias = "mine"\n'))
    assert context.gateway.snapshot.settings.default_alias == "mine"


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


async def test_an_import_must_not_allow_a_secret_of_the_gateway_itself(do: Do) -> None:
    with pytest.raises(Invalid, match="secret of the gateway itself") as raised:
        await do("POST", "/import", {"toml": "", "allow_env": ["A", "CONDUIT_MASTER_KEY"]})
    assert raised.value.field == "allow_env[1]"
