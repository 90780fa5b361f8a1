"""A new home: the demo that it gets, when it gets none, and the commands that the program prints for the first call."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import new_home
from conduit_desktop.actions.onboarding.new_home import first_call, prepare_new_home
from tests.actions.conftest import OPENAI, Do

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the printed commands are those of a POSIX shell")


async def test_a_new_home_has_the_demo_and_its_alias_which_can_be_called_at_once(context: AppContext) -> None:
    assert await prepare_new_home(context)
    assert [(one.name, one.kind) for one in await providers.all_providers(context)] == [("demo", "demo")]
    assert [(one.alias, one.targets[0].provider) for one in await models.all_models(context)] == [("demo", "demo")]
    assert "demo" in context.gateway.snapshot.aliases
    assert not await prepare_new_home(context)


async def test_what_was_removed_does_not_come_back(context: AppContext) -> None:
    await prepare_new_home(context)
    await models.remove(context, "demo", "cli")
    await providers.remove(context, "demo", "cli")
    assert not await prepare_new_home(context)
    assert await providers.all_providers(context) == []


@pytest.mark.parametrize(("path", "body"), [("/providers", OPENAI), ("/keys", {"name": "a"})])
async def test_a_home_in_which_something_was_configured_is_not_new(
    context: AppContext, do: Do, path: str, body: dict[str, str]
) -> None:
    await do("POST", path, body)
    assert not await prepare_new_home(context)
    assert await models.all_models(context) == []


async def test_the_first_call_is_described_until_there_is_a_key(context: AppContext, do: Do) -> None:
    assert first_call(context) == "", "without the demo there is nothing to call"
    await prepare_new_home(context)
    said = first_call(context).splitlines()
    assert len(said) == 3
    assert f"keys create --name first --home {context.home.root}" in said[1]
    assert f"{context.server.address}/v1/chat/completions" in said[2]
    await do("POST", "/keys", {"name": "first"})
    assert first_call(context) == ""


async def test_the_address_of_a_server_on_every_address_is_one_that_can_be_called(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prepare_new_home(context)
    monkeypatch.setattr(context.server, "address", "https://0.0.0.0:5000")
    assert " -k --noproxy '*' https://127.0.0.1:5000/v1" in first_call(context)


@pytest.mark.parametrize(
    ("on_path", "installed", "frozen", "printed"),
    [
        (True, True, False, "conduit-desktop"),
        (False, True, False, "{folder}/conduit-desktop"),
        (False, False, False, "{folder}/python3 -m conduit_desktop"),
        (False, False, True, "{folder}/python3"),
    ],
)
def test_the_command_is_printed_as_it_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_path: bool, installed: bool, frozen: bool, printed: str
) -> None:
    monkeypatch.setattr(new_home.shutil, "which", lambda name: "/usr/bin/conduit-desktop" if on_path else None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    (tmp_path / "python3").touch()
    if installed:
        (tmp_path / "conduit-desktop").touch()
    assert new_home._program() == printed.format(folder=tmp_path)
