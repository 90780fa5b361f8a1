"""Backups: where they may be written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Invalid
from tests.actions.conftest import Do


@pytest.mark.parametrize("path", ["copy.zip", "./copy.zip", "../copy.zip"])
async def test_a_relative_path_is_refused(do: Do, path: str) -> None:
    with pytest.raises(Invalid, match="absolute path") as raised:
        await do("POST", "/backup", {"path": path})
    assert raised.value.field == "path"


async def test_a_path_in_a_folder_that_is_missing_or_a_file_is_refused(do: Do, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("missing", "file"):
        with pytest.raises(Invalid, match="there is no folder"):
            await do("POST", "/backup", {"path": str(tmp_path / folder / "copy.zip")})
    assert (await do("GET", "/audit"))["data"] == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
async def test_the_folder_of_backups_is_the_users_alone_and_a_second_backup_has_a_name_of_its_own(
    context: AppContext, do: Do
) -> None:
    first, second = await do("POST", "/backup"), await do("POST", "/backup")
    assert first["path"] != second["path"]
    assert stat.S_IMODE((context.home.root / "backups").stat().st_mode) == 0o700
    assert [row["subject"] for row in (await do("GET", "/audit"))["data"]] == [second["path"], first["path"]]
