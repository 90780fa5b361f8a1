"""`conduit.toml`: read whole or not at all, named by line, followed, exported and imported."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from conduit_desktop.actions import operations
from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import FileKey, line_of, load, parse, secret_of
from conduit_desktop.actions.config_file.release import release_file
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConfigFileBroken, Conflict, Invalid
from tests.actions.conftest import OPENAI, Do
from tests.fakes.app_context import DictSecrets

KEY = "condt_" + "a" * 43
FILE = """
[settings]
port = 5055
default_alias = "fast"

[[providers]]
name = "openai"
kind = "openai"
api_key = "env:OPENAI_API_KEY"
headers = { X-Org = "env:ORG" }

[[providers]]
name = "demo"
kind = "demo"

[[models]]
alias = "fast"
targets = [{ provider = "openai", model = "gpt-4o-mini", weight = 2 }]
fallbacks = ["safe"]
remove_parameters = ["logprobs"]

[[models]]
alias = "safe"
targets = [{ provider = "demo", model = "demo-chat" }]

[[keys]]
name = "ci"
key = "env:CI_KEY"
budget_usd = 5
budget_period = "monthly"
expires_at = 2030-01-01T00:00:00Z

[[prices]]
pattern = "openai/gpt-4o-mini"
input = 0.15
output = 0.6
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_KEY", KEY)


async def sync(context: AppContext, text: str) -> list[tuple[str, str, str]]:
    return [(one.change, one.kind, one.name) for one in await transfer.sync_file(context, parse(text))]


async def test_the_store_has_what_the_file_defines(context: AppContext, do: Do) -> None:
    await sync(context, FILE)
    fast = await do("GET", "/models/fast")
    assert (fast["locked"], fast["fallbacks"], fast["overrides"]) == (True, ["safe"], {"logprobs": None})
    assert (await do("GET", "/providers/openai"))["keys"][0]["hint"] == "env:OPENAI_API_KEY"
    key = await do("GET", "/keys/ci")
    assert (key["budget_usd"], key["expires_at"], key["hint"]) == (5, "2030-01-01T00:00:00Z", "condt_…aaaa")
    assert context.gateway.snapshot.settings.port == 5055
    assert len(context.gateway.snapshot.keys_by_digest) == 1
    settings = {row["name"]: row for row in (await do("GET", "/settings"))["data"]}
    assert (settings["port"]["locked"], settings["theme"]["locked"]) == (True, False)


async def test_applying_the_same_file_again_changes_nothing(context: AppContext) -> None:
    assert len(await sync(context, FILE)) == 6
    entries = len((await context.store.audit.list(500))[0])
    assert await sync(context, FILE) == []
    assert len((await context.store.audit.list(500))[0]) == entries


async def test_what_has_left_the_file_is_removed(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {**OPENAI, "name": "mine"})
    await sync(context, FILE)
    gone = await sync(context, '[[providers]]\nname = "demo"\nkind = "demo"\n')
    assert sorted(gone) == sorted([
        ("remove", "model", "fast"), ("remove", "model", "safe"), ("remove", "provider", "openai"), ("remove", "key", "ci"),
        ("remove", "price", "openai/gpt-4o-mini"),
    ])  # fmt: skip
    assert [row["name"] for row in (await do("GET", "/providers"))["data"]] == ["demo", "mine"]
    assert context.gateway.snapshot.settings.port == 5000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/providers/openai", {"enabled": False}), ("DELETE", "/providers/openai", None),
        ("PATCH", "/models/fast", {"retries": 0}), ("DELETE", "/models/fast", None),
        ("PATCH", "/keys/ci", {"rpm": 1}), ("DELETE", "/keys/ci", None), ("POST", "/keys/ci/rotate", None),
        ("PUT", "/prices/openai/gpt-4o-mini", {"input": 1, "output": 2}), ("DELETE", "/prices/openai/gpt-4o-mini", None),
        ("PATCH", "/settings", {"port": 1}),
    ],
)  # fmt: skip
async def test_what_the_file_defines_is_locked(context: AppContext, do: Do, method: str, path: str, body: Any) -> None:
    await sync(context, FILE)
    with pytest.raises(Conflict, match="config file"):
        await do(method, path, body)


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("[[providers]\n", 1, "TOML"),
        (FILE.replace('kind = "demo"', 'kind = "demon"'), 14, "providers[1].kind"),
        (FILE.replace("weight = 2", "wieght = 2"), 18, "models[0].targets[0].wieght"),
        (FILE.replace("budget_usd = 5", "budget_usd = -5"), 29, "keys[0].budget_usd"),
        (FILE.replace("port = 5055", "prot = 5055"), 3, "prot"),
        (FILE.replace('provider = "demo"', 'provider = "missing"'), 24, "models[1].targets[0].provider"),
        (FILE.replace('fallbacks = ["safe"]', 'fallbacks = ["none"]'), 19, "models[0].fallbacks[0]"),
        (FILE.replace('alias = "safe"', 'alias = "FAST"'), 23, "models[1].alias"),
        (FILE.replace('key = "env:CI_KEY"', 'key = "env:NOT_SET"'), 28, "NOT_SET"),
        (FILE.replace('key = "env:CI_KEY"', 'key = "sk-mine"'), 28, "keys[0].key"),
        (FILE + '\n[[model]]\nalias = "x"\n', None, "model"),
    ],
)
async def test_a_broken_file_is_named_by_line_and_changes_nothing(
    context: AppContext, do: Do, text: str, line: int | None, field: str
) -> None:
    with pytest.raises(ConfigFileBroken) as raised:
        await transfer.sync_file(context, parse(text, "here.toml"))
    message = str(raised.value)
    assert message.startswith("here.toml")
    assert field in message
    if line is not None:
        assert f"line {line}" in message
    assert (await do("GET", "/providers"))["data"] == []
    assert (await do("GET", "/audit"))["data"] == []


async def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "http://10.0.0.1:8000/v1")
    text = '[[providers]]\nname = "gpu"\nkind = "vllm"\nbase_url = "env:WHERE"\napi_key = "env:K"\n'
    provider = parse(text).providers[0]
    assert (provider.base_url, provider.api_key) == ("http://10.0.0.1:8000/v1", "env:K")


async def test_export_names_variables_in_place_of_secrets_and_can_be_read_again(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {**OPENAI, "headers": {"X-Org": "organization-0123456789"}})
    await do(
        "POST",
        "/models",
        {"alias": "a b", "targets": [{"provider": "openai", "model": 'x"y'}], "overrides": {"top_p": None, "n": 1}},
    )
    new_key = {"name": "lap top", "budget_usd": 0.5, "expires_at": "2030-01-01T00:00:00Z", "metadata": {"a.b": [1, True, "é\n"]}}
    made = await do("POST", "/keys", new_key)
    await do("PATCH", "/settings", {"request_days": 30})
    text = (await do("GET", "/export"))["toml"]
    assert made["key"] not in text
    assert OPENAI["api_key"] not in text
    read = tomllib.loads(text)
    assert read["providers"][0]["api_key"] == "env:OPENAI_API_KEY"
    assert read["keys"][0]["key"] == "env:CONDUIT_KEY_LAP_TOP"
    assert read["keys"][0]["expires_at"] == "2030-01-01T00:00:00Z"
    assert read["settings"] == {"request_days": 30}
    preview = await do("POST", "/import", {"toml": text})
    assert {row["change"] for row in preview["changes"]} == {"same"}, preview


async def test_export_says_the_settings_of_the_config_file_too(context: AppContext, do: Do) -> None:
    context.fixed_settings["port"] = 0
    await do("PATCH", "/settings", {"request_days": 30, "payload_days": 3})
    await transfer.sync_file(context, parse("[settings]\nport = 5001\npayload_days = 4\n"))
    assert tomllib.loads((await do("GET", "/export"))["toml"])["settings"] == {"request_days": 30, "payload_days": 4}


async def test_import_shows_first_and_then_does_it(context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI_KEY")
    preview = await do("POST", "/import", {"toml": FILE})
    assert [(row["change"], row["name"]) for row in preview["changes"]] == [
        ("add", "openai"), ("add", "demo"), ("add", "fast"), ("add", "safe"), ("add", "ci"), ("add", "openai/gpt-4o-mini"),
        ("change", "port"), ("change", "default_alias"),
    ]  # fmt: skip
    assert (await do("GET", "/providers"))["data"] == []
    done = await do("POST", "/import", {"toml": FILE, "apply": True, "allow_env": ["OPENAI_API_KEY", "ORG"]})
    assert list(done["new_keys"]) == ["ci"]  # its variable is not set, so it was made
    assert (await do("GET", "/models/fast"))["locked"] is False
    assert context.gateway.snapshot.settings.default_alias == "fast"
    again = await do("POST", "/import", {"toml": FILE})
    assert {row["change"] for row in again["changes"]} == {"same"}


async def test_import_does_not_trade_a_kept_key_for_an_unset_variable(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("POST", "/import", {"toml": FILE, "apply": True, "allow_env": ["OPENAI_API_KEY", "ORG", "CI_KEY"]})
    assert isinstance(context.secrets, DictSecrets)
    assert OPENAI["api_key"] in context.secrets.kept.values()


async def test_import_leaves_alone_what_the_config_file_holds(context: AppContext, do: Do) -> None:
    await sync(context, FILE)
    text = '[settings]\nport = 1\n[[providers]]\nname = "demo"\nkind = "demo"\nenabled = false\n'
    answer = await do("POST", "/import", {"toml": text, "apply": True})
    assert {row["change"] for row in answer["changes"]} == {"locked"}
    assert (await do("GET", "/providers/demo"))["enabled"] is True


async def test_a_broken_import_is_refused_with_its_line(do: Do) -> None:
    with pytest.raises(Invalid, match="line 2"):
        await do("POST", "/import", {"toml": '[[models]]\nalias = ""\ntargets = []\n'})


async def test_the_file_takes_over_what_the_user_had_made(context: AppContext, do: Do) -> None:
    made = await do("POST", "/providers", OPENAI)
    status, _ = await operations.call(context, "PATCH", "/providers/openai", {}, {"enabled": False}, "gui")
    assert status == 200
    await sync(context, FILE)
    now = await do("GET", "/providers/openai")
    assert (now["id"], now["locked"], now["enabled"]) == (made["id"], True, True)
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}


async def test_a_start_without_the_file_unlocks_what_it_defined(context: AppContext, do: Do) -> None:
    await sync(context, FILE)
    assert await release_file(context) == 6
    assert await release_file(context) == 0
    assert (await do("PATCH", "/models/fast", {"retries": 0}))["locked"] is False


async def test_a_key_of_the_file_may_leave_the_key_itself_to_rotation(context: AppContext, do: Do) -> None:
    text = '[[keys]]\nname = "app"\nbudget_usd = 2\n'
    await sync(context, text)
    made = await do("GET", "/keys/app")
    assert (made["locked"], made["budget_usd"]) == (True, 2)
    rotated = await do("POST", "/keys/app/rotate")
    assert rotated["key"].startswith("condt_")
    await sync(context, text)
    assert (await do("GET", "/keys/app"))["hint"] == rotated["hint"]
    with pytest.raises(Conflict, match="config file"):
        await do("PATCH", "/keys/app", {"rpm": 1})


PROVIDER = '[[providers]]\nname = "a"\nkind = "demo"\n'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[setings]\nport = 1\n", "setings"),
        (PROVIDER + "nmae = 1\n", "providers[0].nmae"),
        (PROVIDER + 'api_keys = [{ label = "x", key = "y" }]\n', "providers[0].api_keys[0].key"),
        ('[[models]]\nalias = "a"\ntargets = []\nmodle = 1\n', "models[0].modle"),
        ('[[models]]\nalias = "a"\ntargets = []\ntimeouts = { idle = 1 }\n', "models[0].timeouts.idle"),
        ('[[keys]]\nname = "a"\nbugdet_usd = 1\n', "keys[0].bugdet_usd"),
        ('[[prices]]\npattern = "a"\ninptu = 1\n', "prices[0].inptu"),
        (
            '[[prices]]\npattern = "a"\ninput = 1\ntiers = [{ above_input_tokens = 1, in = 1 }]\n',
            "prices[0].tiers[0].in",
        ),
    ],
)
def test_an_unknown_field_is_refused_with_its_path(text: str, path: str) -> None:
    with pytest.raises(ConfigFileBroken) as raised:
        parse(text)
    assert f"{path}: there is no such field" in str(raised.value)


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ('[[providers]]\nname = "{}"\nkind = "demo"\n', "providers[1].name"),
        ('[[models]]\nalias = "{}"\ntargets = [{{ provider = "p", model = "m" }}]\n', "models[1].alias"),
        ('[[keys]]\nname = "{}"\n', "keys[1].name"),
        ('[[prices]]\npattern = "{}"\ninput = 1\noutput = 2\n', "prices[1].pattern"),
    ],
)
def test_a_name_that_is_there_twice_is_refused_whatever_its_case(table: str, path: str) -> None:
    parse(table.format("a") + table.format("b"))
    with pytest.raises(ConfigFileBroken, match="is there twice") as raised:
        parse(table.format("a") + table.format("A"))
    assert path in str(raised.value)


def test_a_pattern_may_have_a_price_for_each_start() -> None:
    price = '[[prices]]\npattern = "a"\ninput = 1\noutput = 2\nvalid_from = 2030-01-0{}T00:00:00Z\n'
    assert len(parse(price.format(1) + price.format(2)).prices) == 2
    with pytest.raises(ConfigFileBroken, match="is there twice"):
        parse(price.format(1) + price.format(1))


@pytest.mark.parametrize(
    ("pattern", "path"), [("", "prices[0].pattern"), (" ", "prices[0].pattern"), ("a\\nb", "prices[0].pattern")]
)
def test_a_price_needs_a_printable_pattern(pattern: str, path: str) -> None:
    with pytest.raises(ConfigFileBroken) as raised:
        parse(f'[[prices]]\npattern = "{pattern}"\ninput = 1\noutput = 2\n')
    assert path in str(raised.value)


def test_a_reference_stays_one_for_keys_and_headers_and_is_replaced_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "value")
    config = parse(
        '[[providers]]\nname = "env:V"\nkind = "demo"\napi_key = "env:V"\nheaders = { X-A = "env:V" }\n'
        'options = { pace_ms = "env:V" }\n'
        '[[providers]]\nname = "b"\nkind = "demo"\napi_keys = [{ label = "env:V", api_key = "env:V" }]\n'
        '[[models]]\nalias = "a"\ntargets = [{ provider = "env:V", model = "env:V" }]\noverrides = { stop = ["env:V"] }\n'
        '[[keys]]\nname = "env:V"\nkey = "env:V"\n'
    )
    first, second = config.providers
    assert (first.name, first.api_key, first.headers, first.options) == ("value", "env:V", {"X-A": "env:V"}, {"pace_ms": "value"})
    assert second.api_keys is not None
    assert (second.api_keys[0].label, second.api_keys[0].api_key) == ("value", "env:V")
    assert (config.models[0].targets[0].provider, config.models[0].overrides) == ("value", {"stop": ["value"]})
    assert (config.keys[0].name, config.keys[0].key) == ("value", "env:V")


@pytest.mark.parametrize("text", ['[settings]\nhost = "env:UNSET"\n', PROVIDER + 'base_url = "env:UNSET"\n'])
def test_a_reference_to_a_variable_that_is_not_set_is_refused(text: str) -> None:
    with pytest.raises(ConfigFileBroken, match="the environment variable UNSET is not set"):
        parse(text)


@pytest.mark.parametrize("text", ["xenv:V", "env:V x", "env:1", "env:"])
def test_only_a_whole_value_is_a_reference(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("V", "value")
    assert parse(f'[settings]\nhost = "{text}"\n').settings == {"host": text}


@pytest.mark.parametrize(("given", "secret"), [(None, None), (KEY, KEY), ("env:CI_KEY", KEY)])
def test_the_key_of_a_virtual_key_is_given_in_full_or_by_the_environment(given: str | None, secret: str | None) -> None:
    assert secret_of(FileKey(name="a", key=given), "keys[0].key", os.environ) == secret


@pytest.mark.parametrize(
    ("given", "value", "message"),
    [
        ("condt_" + "a" * 42, "", "43"), ("condt_" + "a" * 44, "", "43"), ("sk-" + "a" * 43, "", "43"), ("", "", "43"),
        ("condt_" + "a" * 42 + "!", "", "43"), ("env:OWN", "", "OWN is not set"), ("env:OWN", "  ", "OWN is not set"),
        ("env:OWN", "sk-private", "43"),
    ],
)  # fmt: skip
def test_a_virtual_key_of_another_form_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, given: str, value: str, message: str
) -> None:
    monkeypatch.setenv("OWN", value)
    with pytest.raises(Invalid, match=message) as raised:
        secret_of(FileKey(name="a", key=given), "keys[0].key", os.environ)
    assert raised.value.field == "keys[0].key"
    assert "private" not in str(raised.value)
    assert given == "" or given.startswith("env:") or given not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileBroken, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigFileBroken, match="it is not UTF-8"):
        load(tmp_path / "latin.toml")
    (tmp_path / "good.toml").write_text(PROVIDER)
    assert [one.name for one in load(tmp_path / "good.toml").providers] == ["a"]


def test_a_file_does_not_print_its_values() -> None:
    config = parse('[[providers]]\nname = "a"\nkind = "openai"\napi_key = "sk-private"\n')
    assert "private" not in repr(config) + str(config) + repr(config.providers)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('kind = "openaii"\n', "providers[0].kind"), ('kind = "demo"\nbase_url = "ftp://x"\n', "providers[0].base_url"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("apply", [False, True])
async def test_a_provider_that_does_not_fit_is_refused_before_anything_is_written(
    context: AppContext, do: Do, body: str, path: str, apply: bool
) -> None:
    text = f'[[keys]]\nname = "k"\n[[providers]]\nname = "a"\n{body}'
    with pytest.raises(ConfigFileBroken, match=re.escape(path)):
        await sync(context, text)
    with pytest.raises(Invalid, match=re.escape(path)) as raised:
        await do("POST", "/import", {"toml": text, "apply": apply})
    assert raised.value.field == "toml"
    assert (await do("GET", "/keys"))["data"] == []


@pytest.mark.parametrize("field", ["fallbacks", "context_fallbacks", "content_filter_fallbacks"])
@pytest.mark.parametrize(("name", "message"), [("a", "leads back"), ("missing", "there is no model alias")])
async def test_a_fallback_of_the_file_that_is_missing_or_leads_back_is_refused(
    context: AppContext, field: str, name: str, message: str
) -> None:
    model = f'[[models]]\nalias = "a"\ntargets = [{{ provider = "a", model = "m" }}]\n{field} = ["{name}"]\n'
    with pytest.raises(ConfigFileBroken, match=message) as raised:
        await sync(context, PROVIDER + model)
    assert f"models[0].{field}[0]" in str(raised.value)
    assert await context.store.providers.all() == []


async def test_a_circle_of_fallbacks_over_file_and_database_is_refused(context: AppContext, do: Do) -> None:
    await sync(context, PROVIDER)
    target = {"provider": "a", "model": "m"}
    await do("POST", "/models", {"alias": "y", "targets": [target]})
    await do("POST", "/models", {"alias": "x", "targets": [target], "fallbacks": ["y"]})
    text = '[[models]]\nalias = "y"\ntargets = [{ provider = "a", model = "m" }]\nfallbacks = ["x"]\n'
    with pytest.raises(Invalid, match="leads back"):
        await do("POST", "/import", {"toml": text, "apply": True})


def test_a_whole_number_of_more_than_64_bits_is_a_fault_of_the_file() -> None:
    with pytest.raises(ConfigFileBroken, match=r"^here\.toml: "):
        parse(f"[settings]\nport = {2**70}\n", "here.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    # PowerShell's Set-Content and Notepad write the one, the redirection of Windows PowerShell the other.
    path = tmp_path / "conduit.toml"
    path.write_bytes("[settings]\nport = 7810 # größer\n".encode(encoding))
    assert load(path).settings == {"port": 7810}


def test_a_text_that_was_pasted_with_a_byte_order_mark_is_read() -> None:
    assert parse("\ufeff[settings]\nport = 7810\n").settings == {"port": 7810}


TABLES = """[settings]
port = 5055

[[providers]]
name = "a"
[providers.headers]
x = "1"

[[providers]]
name = "b"
base_url = "http://127.0.0.1:9"

[[models]]
alias = "fast"
name = "c"
base_url = "d"
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("settings.port", 2),
        ("settings.theme", 1),
        ("settings", 1),
        ("providers[0].name", 5),
        ("providers[0].kind", 4),
        ("providers[0].base_url", 4),
        ("providers[0].headers.x", 4),
        ("providers[1].name", 10),
        ("providers[1].base_url", 11),
        ("providers[1].alias", 9),
        ("providers[1]", 9),
        ("providers", 9),
        ("models[0].base_url", 16),
        ("models[1].alias", None),
        ("prices[0].pattern", None),
        ("", None),
    ],
)
def test_a_field_is_found_in_its_own_table_or_else_the_table_is(field: str, line: int | None) -> None:
    assert line_of(TABLES, field) == line
