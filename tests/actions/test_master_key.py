"""The master key: who it lets in, where it comes from, and when it can be replaced."""

from __future__ import annotations

import pytest

from conduit_desktop.actions import master_key
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict
from tests.actions.conftest import Do
from tests.fakes.app_context import DictSecrets


@pytest.mark.parametrize("presented", ["", "condm_", "wrong", "env:CONDUIT_MASTER_KEY", "None"])
async def test_a_wrong_or_empty_key_is_refused(context: AppContext, presented: str) -> None:
    await master_key.current(context)
    assert await master_key.authenticate(context, presented) is None


async def test_the_beginning_of_a_key_is_refused(context: AppContext) -> None:
    key = await master_key.current(context)
    assert await master_key.authenticate(context, key[:-1]) is None
    assert await master_key.authenticate(context, context.local_token[:-1]) is None


async def test_the_key_of_the_environment_replaces_the_stored_one_and_its_spaces_do_not_count(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await master_key.current(context)
    monkeypatch.setenv("CONDUIT_MASTER_KEY", " mine\n")
    assert await master_key.authenticate(context, "mine") == "admin"
    assert await master_key.authenticate(context, stored) is None
    assert await master_key.authenticate(context, context.local_token) == "cli"


async def test_an_empty_variable_does_not_open_the_api_to_an_empty_key(
    context: AppContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await master_key.current(context)
    monkeypatch.setenv("CONDUIT_MASTER_KEY", "  ")
    assert await master_key.authenticate(context, "") is None
    assert await master_key.authenticate(context, "  ") is None
    assert await master_key.authenticate(context, stored) == "admin"


async def test_a_stored_key_is_used_again_and_not_made_anew(context: AppContext) -> None:
    context.secrets.set("master-key", "condm_stored")
    assert await master_key.current(context) == "condm_stored"


async def test_a_rotated_key_is_stored_for_the_next_start(context: AppContext, do: Do) -> None:
    made = (await do("POST", "/master-key/rotate"))["master_key"]
    assert master_key.get_or_create(context.secrets) == made
    assert made.startswith("condm_")
    assert len(made) == len("condm_") + 43
    assert (await do("GET", "/audit"))["data"][0]["action"] == "master-key.rotate"


async def test_a_key_of_the_environment_is_not_rotated_and_nothing_is_stored(
    context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDUIT_MASTER_KEY", "mine")
    with pytest.raises(Conflict, match="CONDUIT_MASTER_KEY"):
        await do("POST", "/master-key/rotate")
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {}


async def test_a_secret_store_that_fails_leaves_the_old_key_in_force(context: AppContext, do: Do) -> None:
    old = await master_key.current(context)
    assert isinstance(context.secrets, DictSecrets)
    context.secrets.broken = True
    with pytest.raises(OSError, match="locked"):
        await do("POST", "/master-key/rotate")
    assert await master_key.authenticate(context, old) == "admin"
