"""Files that the user has written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from conduit_desktop.core.exports import write_export


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
def test_exports_are_private_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        path = tmp_path / "conduit.toml"
        write_export(path, "a\r\nb\n")
        assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o600, b"a\r\nb\n")
        path.chmod(0o666)
        write_export(path, "c\n")
        assert (path.stat().st_mode & 0o777, path.read_text()) == (0o600, "c\n")
        assert [one.name for one in tmp_path.iterdir()] == ["conduit.toml"]
        write_export(Path("/dev/null"), "d\n")
        assert Path("/dev/null").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)
