"""What the preview of an import shows, and the environment variables that it asks for."""

from __future__ import annotations

import os
from typing import Any

import pytest

from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ConfigFileBroken, Invalid
from conduit_desktop.store.secrets.store import resolve
from tests.actions.conftest import Do
from tests.fakes.app_context import DictSecrets

SECRET = "sk-proj-0123456789abcdefWXYZ"
FILE = f"""
[settings]
idle_s = 30
[[providers]]
name = "a"
kind = "openai"
base_url = "https://user:hunter2@gateway.example:8443/v1"
api_key = "{SECRET}"
headers = {{ X-Team = "team-0123456789-abcd" }}
[[providers]]
name = "b"
kind = "openai"
[[models]]
alias = "m"
targets = [{{ provider = "a", model = "gpt-x" }}]
[[keys]]
name = "k"
budget_usd = 5
"""


def values(row: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {one["field"]: (one["before"], one["after"]) for one in row["values"]}


async def rows(do: Do, text: str, **more: Any) -> dict[str, dict[str, Any]]:
    answer = await do("POST", "/import", {"toml": text, **more})
    return {row["name"]: row for row in answer["changes"]}


async def test_a_preview_shows_values_and_hosts_and_of_secrets_only_hints(do: Do) -> None:
    text = FILE.replace("user:hunter2@", "").replace('kind = "openai"\n[[models]]', 'kind = "openai"\napi_key = "sk-x"\n[[models]]')
    found = await rows(do, text)
    assert found["a"]["host"] == "gateway.example:8443"
    assert found["b"]["host"] == "api.openai.com"
    assert values(found["a"])["base_url"] == (None, "https://gateway.example:8443/v1")
    assert values(found["a"])["api_keys"] == (None, "default: sk-…WXYZ")
    assert "X-Team" in str(values(found["a"])["headers"])
    assert "gpt-x" in str(values(found["m"])["targets"])
    assert values(found["k"]) == {"budget_usd": (None, "5.0"), "key": (None, "a new one")}
    assert values(found["idle_s"]) == {"idle_s": ("60.0", "30.0")}
    assert SECRET not in str(found)
    assert "team-0123456789" not in str(found)


async def test_a_preview_of_a_change_shows_the_value_there_is_too(do: Do) -> None:
    text = FILE.replace("user:hunter2@", "").replace('kind = "openai"\n[[models]]', 'kind = "demo"\n[[models]]')
    await do("POST", "/import", {"toml": text, "apply": True})
    changed = text.replace("gateway.example", "other.example").replace("budget_usd = 5", "budget_usd = 6").replace("WXYZ", "ABCD")
    found = await rows(do, changed)
    assert found["a"]["host"] == "other.example:8443"
    assert values(found["a"]) == {
        "api_keys": ("default: sk-…WXYZ", "default: sk-…ABCD"),
        "base_url": ("https://gateway.example:8443/v1", "https://other.example:8443/v1"),
    }
    assert values(found["k"]) == {"budget_usd": ("5.0", "6.0")}
    assert found["m"]["values"] == []


TAKES = """
[[providers]]
name = "a"
kind = "openai"
base_url = "{base_url}"
api_key = "{api_key}"
"""


async def test_a_variable_that_nobody_allowed_is_neither_read_nor_referred_to(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("WHERE", "https://evil.example/v1")
    for text, name, hosts in (
        (TAKES.format(base_url="https://evil.example", api_key="env:DEPLOY_TOKEN"), "DEPLOY_TOKEN", ["evil.example"]),
        # Not set: a later start may have it.
        (TAKES.format(base_url="https://evil.example", api_key="env:NOT_YET"), "NOT_YET", ["evil.example"]),
    ):
        answer = await do("POST", "/import", {"toml": text})
        assert answer["variables"] == [
            {
                "name": name, "used_in": ["providers[0].api_key"], "hosts": hosts, "is_set": name in os.environ, "allowed": False,
                "needed": True,
            }
        ]  # fmt: skip
        assert "hunter2" not in str(answer)
        with pytest.raises(Invalid, match=name) as raised:
            await do("POST", "/import", {"toml": text, "apply": True, "allow_env": ["OTHER"]})
        assert raised.value.field == "allow_env"
        assert (await do("GET", "/providers"))["data"] == []
    # A value: what the file says is known only with it.
    text = TAKES.format(base_url="env:WHERE", api_key="sk-1")
    answer = await do("POST", "/import", {"toml": text})
    assert (answer["changes"], [one["name"] for one in answer["variables"]]) == ([], ["WHERE"])
    assert "evil.example" not in str(answer)
    with pytest.raises(Invalid, match="WHERE"):
        await do("POST", "/import", {"toml": text, "apply": True})
    [row] = (await do("POST", "/import", {"toml": text, "allow_env": ["WHERE"]}))["changes"]
    assert row["host"] == "evil.example"
    await do("POST", "/import", {"toml": text, "apply": True, "allow_env": ["WHERE"]})
    assert (await do("GET", "/providers/a"))["base_url"] == "https://evil.example/v1"


async def test_a_variable_that_is_not_set_and_takes_no_effect_needs_no_permission(context: AppContext, do: Do) -> None:
    await do(
        "POST", "/import", {"toml": FILE.replace("user:hunter2@", "").partition('[[providers]]\nname = "b"')[0], "apply": True}
    )
    assert isinstance(context.secrets, DictSecrets)
    before = dict(context.secrets.kept)
    exported = (await do("GET", "/export"))["toml"]
    assert "env:" in exported
    answer = await do("POST", "/import", {"toml": exported, "apply": True})
    assert not any(one["needed"] for one in answer["variables"])
    assert context.secrets.kept == before


@pytest.mark.parametrize("name", ["CONDUIT_MASTER_KEY", "CONDUIT_VAULT_KEY", "conduit_vault_key", "CONDUIT_DATABASE_URL"])
async def test_the_gateways_own_secrets_are_for_no_file_and_no_provider(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "hunter2-hunter2")
    for text in (
        TAKES.format(base_url="https://evil.example", api_key=f"env:{name}"),
        TAKES.format(base_url=f"env:{name}", api_key="sk-1"),
        f'[[providers]]\nname = "a"\nkind = "openai"\napi_key = "sk-1"\nheaders = {{ X-A = "env:{name}" }}\n',
        f'[[keys]]\nname = "k"\ndescription = "env:{name}"\n',
    ):
        for more in ({}, {"apply": True}, {"apply": True, "allow_env": [name]}):
            with pytest.raises(Invalid, match=name) as raised:
                await do("POST", "/import", {"toml": text, **more})
            assert "hunter2" not in str(raised.value)
        with pytest.raises(ConfigFileBroken, match=name):
            parse(text)
    with pytest.raises(Invalid, match=name):
        await do("POST", "/providers", {"name": "a", "kind": "openai", "api_key": f"env:{name}"})
    with pytest.raises(Invalid, match=name):
        await do("PUT", "/webhook", {"url": f"env:{name}"})
    assert resolve(context.secrets, f"env:{name}") is None
