"""A start without the config file: what it defined becomes the user's, and nothing else changes."""

from __future__ import annotations

from conduit_desktop.actions.config_file import transfer
from conduit_desktop.actions.config_file.document import parse
from conduit_desktop.actions.config_file.release import release_file
from conduit_desktop.actions.context import AppContext
from tests.actions.conftest import Do

FILE = """
[[providers]]
name = "demo"
kind = "demo"
[[models]]
alias = "a"
targets = [{ provider = "demo", model = "demo-chat" }]
[[keys]]
name = "k"
[[prices]]
pattern = "x"
input = 1
output = 2
"""


async def test_each_kind_of_entity_is_released_and_audited_once(context: AppContext, do: Do) -> None:
    await transfer.sync_file(context, parse(FILE))
    assert await release_file(context) == 4
    for path in ("/providers", "/models", "/keys", "/prices"):
        assert [row["locked"] for row in (await do("GET", path))["data"]] == [False], path
    entry = (await do("GET", "/audit"))["data"][0]
    assert (entry["actor"], entry["action"], entry["changes"]) == ("file", "config-file.release", {"released": 4})


async def test_without_anything_of_a_file_nothing_is_audited(context: AppContext, do: Do) -> None:
    await do("POST", "/keys", {"name": "mine"})
    assert await release_file(context) == 0
    assert [row["action"] for row in (await do("GET", "/audit"))["data"]] == ["key.create"]
