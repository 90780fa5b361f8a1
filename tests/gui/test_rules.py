"""What the room promised: no nested loops, no SQL, no HTTP, no hand on the application from a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[2] / "conduit_desktop" / "gui"
FILES = sorted(ROOM.rglob("*.py"))
NESTING = re.compile(
    r"\.exec_?\(|QMessageBox|QInputDialog|QFileDialog\.get\w+|QColorDialog\.getColor|QFontDialog\.getFont|asyncSlot|asyncWrap|processEvents"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_nothing_nests_an_event_loop(path: Path):
    """A dialog's own loop, inside a task, stalls every stream for good."""
    assert NESTING.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", sorted((ROOM / "pages").glob("*.py")), ids=lambda path: path.name)
def test_a_page_draws_and_asks_and_knows_nothing(path: Path):
    text = path.read_text("utf-8")
    for word in ("QApplication.instance", "import sqlite3", "import aiohttp", "from aiohttp", "SELECT ", ".store."):
        assert word not in text, word
