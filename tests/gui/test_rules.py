"""Rules for the code of the window: no nested loops, no SQL, no HTTP, no QApplication in pages, no labels that guess HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUI = Path(__file__).resolve().parents[2] / "conduit_desktop" / "gui"
FILES = sorted(GUI.rglob("*.py"))
NESTING = re.compile(
    r"\.exec_?\(|QMessageBox|QInputDialog|QFileDialog\.get\w+|QColorDialog\.getColor|QFontDialog\.getFont|asyncSlot|asyncWrap|processEvents"
)
LABELS = re.compile(r"\bQLabel\(|setTextFormat\(")


def _name(path: Path) -> str:
    return str(path.relative_to(GUI))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_code_nests_an_event_loop(path: Path):
    """The loop of a dialog, started inside a task, stalls every stream."""
    assert NESTING.findall(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", sorted((GUI / "pages").rglob("*.py")), ids=_name)
def test_a_page_has_no_sql_and_no_http(path: Path):
    text = path.read_text("utf-8")
    for word in ("QApplication.instance", "import sqlite3", "import aiohttp", "from aiohttp", "SELECT ", ".store."):
        assert word not in text, word


@pytest.mark.parametrize("path", [path for path in FILES if path.name != "labels.py"], ids=_name)
def test_every_label_is_a_plain_one(path: Path):
    """A QLabel guesses whether its text is HTML; the name or an error text of a provider must not decide that."""
    assert LABELS.findall(path.read_text("utf-8")) == []
