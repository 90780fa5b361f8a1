"""What an import and a followed config file change: which fields, which secrets, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.context import AppContext
from tests.actions.conftest import Do
from tests.fakes.app_context import DictSecrets

KEY = "condt_" + "a" * 43
OTHER = "condt_" + "b" * 43
ALLOWED = {"allow_env": ["Y", "B", "NOW_SET"]}
"""The variables that the tests set."""
BASE = """
[[providers]]
name = "a"
kind = "openai"
api_keys = [{ label = "x", api_key = "sk-0123456789abcdefWXYZ" }, { label = "y", api_key = "env:Y", weight = 2 }]
headers = { X-A = "header-0123456789", X-B = "env:B" }
base_url = "https://x.example/v1"
options = { organization = "org" }
[[models]]
alias = "m"
targets = [{ provider = "a", model = "m" }]
overrides = { top_p = 1 }
remove_parameters = ["logprobs"]
[[keys]]
name = "k"
key = "KEY"
budget_usd = 1
expires_at = 2030-01-01T00:00:00Z
models = ["m"]
[[prices]]
pattern = "p"
input = 1
output = 2
tiers = [{ above = 10, rates = { input = 2 } }]
""".replace("KEY", KEY)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Y", "sk-y")
    monkeypatch.setenv("B", "b")


async def preview(do: Do, text: str) -> list[tuple[str, str, list[str]]]:
    rows = (await do("POST", "/import", {"toml": text, **ALLOWED}))["changes"]
    return [(row["change"], row["name"], row["fields"]) for row in rows if row["change"] != "same"]


@pytest.mark.parametrize(
    ("old", "new", "name", "fields"),
    [
        ("https://x.example/v1", "https://y.example/v1", "a", ["base_url"]),
        ('organization = "org"', 'organization = "other"', "a", ["options"]),
        ('base_url = "https', 'enabled = false\nbase_url = "https', "a", ["enabled"]),
        ('base_url = "https', 'accept_client_keys = true\nbase_url = "https', "a", ["accept_client_keys"]),
        ("sk-0123456789abcdefWXYZ", "sk-1123456789abcdefWXYZ", "a", ["api_keys"]),
        ("weight = 2", "weight = 3", "a", ["api_keys"]),
        ('label = "y"', 'label = "z"', "a", ["api_keys"]),
        ('api_key = "env:Y"', 'api_key = "env:B"', "a", ["api_keys"]),
        (', { label = "y", api_key = "env:Y", weight = 2 }', "", "a", ["api_keys"]),
        ("header-0123456789", "header-1123456789", "a", ["headers"]),
        (', X-B = "env:B"', "", "a", ["headers"]),
        (', X-B = "env:B"', ', X-B = "env:Y"', "a", ["headers"]),
        (', X-B = "env:B"', ', X-B = "env:B", X-C = "c"', "a", ["headers"]),
        ('model = "m"', 'model = "n"', "m", ["targets"]),
        ('["logprobs"]', '["seed"]', "m", ["overrides"]),
        ("top_p = 1", "top_p = 0", "m", ["overrides"]),
        ("budget_usd = 1", "budget_usd = 2", "k", ["budget_usd"]),
        ("budget_usd = 1", "", "k", ["budget_usd"]),
        ("2030-01-01", "2031-01-01", "k", ["expires_at"]),
        ('models = ["m"]', "", "k", ["models"]),
        (KEY, OTHER, "k", ["key"]),
        ("input = 1", "input = 3", "p", ["input"]),
        ("above = 10", "above = 11", "p", ["tiers"]),
    ],
)
async def test_a_change_in_the_file_is_shown_by_its_field_and_taken(
    do: Do, old: str, new: str, name: str, fields: list[str]
) -> None:
    assert BASE.count(old) >= 1
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    assert await preview(do, BASE) == []
    changed = BASE.replace(old, new, 1)
    assert await preview(do, changed) == [("change", name, fields)]
    await do("POST", "/import", {"toml": changed, "apply": True, **ALLOWED})
    assert await preview(do, changed) == []


async def test_a_change_of_kind_is_shown_and_taken(do: Do) -> None:
    text = '[[providers]]\nname = "a"\nkind = "{}"\nbase_url = "https://x.example/v1"\n'
    await do("POST", "/import", {"toml": text.format("openai"), "apply": True, **ALLOWED})
    assert await preview(do, text.format("groq")) == [("change", "a", ["kind"])]
    await do("POST", "/import", {"toml": text.format("groq"), "apply": True, **ALLOWED})
    assert (await do("GET", "/providers/a"))["kind"] == "groq"


async def test_a_preview_changes_nothing_and_holds_no_key(context: AppContext, do: Do) -> None:
    answer = await do("POST", "/import", {"toml": BASE + '[[keys]]\nname = "made"\n'})
    assert (answer["applied"], answer["new_keys"]) == (False, {})
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}
    assert KEY not in str(answer)


async def test_a_key_that_an_import_makes_is_given_once_and_one_that_the_file_gives_is_not(do: Do) -> None:
    answer = await do("POST", "/import", {"toml": BASE + '[[keys]]\nname = "made"\n', "apply": True, **ALLOWED})
    assert list(answer["new_keys"]) == ["made"]
    assert KEY not in str(answer)
    again = await do("POST", "/import", {"toml": BASE + '[[keys]]\nname = "made"\n', "apply": True, **ALLOWED})
    assert again["new_keys"] == {}


async def test_what_an_import_does_not_name_stays(do: Do) -> None:
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    await do("POST", "/import", {"toml": '[[keys]]\nname = "other"\n', "apply": True, **ALLOWED})
    for path, count in (("/providers", 1), ("/models", 1), ("/keys", 2), ("/prices", 1)):
        assert len((await do("GET", path))["data"]) == count


async def test_an_import_keeps_a_secret_whose_variable_is_not_set_and_a_followed_file_does_not(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    assert isinstance(context.secrets, DictSecrets)
    before = dict(context.secrets.kept)
    assert len(before) == 2
    unset = BASE.replace("sk-0123456789abcdefWXYZ", "env:UNSET").replace("header-0123456789", "env:UNSET")
    assert await preview(do, unset) == []
    await do("POST", "/import", {"toml": unset, "apply": True, **ALLOWED})
    assert context.secrets.kept == before
    await transfer.sync_file(context, parse(unset))
    assert context.secrets.kept == {}
    shown = await do("GET", "/providers/a")
    assert ([one["hint"] for one in shown["keys"]], shown["headers"]["X-A"]) == (["env:UNSET", "env:Y"], "env:UNSET")


async def test_an_import_takes_a_variable_that_is_set_in_the_place_of_a_secret(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    monkeypatch.setenv("NOW_SET", "sk-z")
    text = BASE.replace("sk-0123456789abcdefWXYZ", "env:NOW_SET").replace("header-0123456789", "env:NOW_SET")
    await do("POST", "/import", {"toml": text, "apply": True, **ALLOWED})
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}


async def test_a_key_of_an_import_whose_variable_is_not_set_keeps_the_digest_it_has(context: AppContext, do: Do) -> None:
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    [before] = await context.store.keys.all()
    await do(
        "POST",
        "/import",
        {"toml": BASE.replace(KEY, "env:UNSET").replace("budget_usd = 1", "budget_usd = 2"), "apply": True, **ALLOWED},
    )
    [after] = await context.store.keys.all()
    assert (after.digest, after.budget_nano) == (before.digest, 2_000_000_000)


@pytest.mark.parametrize(("path", "name"), [("/providers", "a"), ("/models", "m"), ("/keys", "k"), ("/prices", "p")])
async def test_an_import_leaves_what_a_followed_file_defines_as_it_is(context: AppContext, do: Do, path: str, name: str) -> None:
    await transfer.sync_file(context, parse(BASE))
    before = await do("GET", path)
    changed = (
        BASE.replace('kind = "openai"', 'kind = "openai"\nenabled = false').replace("top_p = 1", "top_p = 0")
        .replace("budget_usd = 1", "budget_usd = 2").replace("input = 1", "input = 3")
    )  # fmt: skip
    rows: list[Any] = (await do("POST", "/import", {"toml": changed, "apply": True, **ALLOWED}))["changes"]
    assert {row["name"]: row["change"] for row in rows}[name] == "locked"
    assert await do("GET", path) == before


async def test_a_followed_file_puts_back_what_it_does_not_mention(context: AppContext, do: Do) -> None:
    await do("POST", "/import", {"toml": BASE, "apply": True, **ALLOWED})
    least = '[[providers]]\nname = "a"\nkind = "openai"\nbase_url = "https://x.example/v1"\n[[keys]]\nname = "k"\n'
    await transfer.sync_file(context, parse(least))
    provider, key = await do("GET", "/providers/a"), await do("GET", "/keys/k")
    assert (provider["keys"], provider["headers"], provider["options"]) == ([], {}, {})
    assert (key["budget_usd"], key["expires_at"], key["models"]) == (None, None, [])
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}


async def test_a_key_whose_text_the_file_gives_is_not_rotated_here(context: AppContext, do: Do) -> None:
    await transfer.sync_file(context, parse(BASE))
    assert context.keys_in_file == {"k"}
    await transfer.sync_file(context, parse(BASE.replace(f'key = "{KEY}"', "")))
    assert context.keys_in_file == frozenset()
    await do("POST", "/keys/k/rotate")
