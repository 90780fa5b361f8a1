"""Dialogs are awaited while other tasks run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from conduit_desktop.gui.widgets.forms.dialogs import Dialog, answer, choose_file, confirm
from tests.fakes.waiting import until


def opened() -> Dialog:
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, Dialog)
    return dialog


async def test_other_tasks_go_on_while_a_dialog_is_open(qtbot: QtBot):
    ticks: list[int] = []

    async def tick() -> None:
        while True:
            ticks.append(1)
            await asyncio.sleep(0.001)

    ticker = asyncio.create_task(tick())
    asking = asyncio.create_task(confirm(None, "Delete it?", "It is gone then."))
    await until(lambda: len(ticks) > 20 and QApplication.activeModalWidget() is not None)
    qtbot.mouseClick(opened().primary, Qt.MouseButton.LeftButton)
    assert await asking is True
    ticker.cancel()


async def test_escape_rejects_the_dialog(qtbot: QtBot):
    asking = asyncio.create_task(confirm(None, "Delete it?", "It is gone then."))
    await until(lambda: QApplication.activeModalWidget() is not None)
    qtbot.keyClick(opened(), Qt.Key.Key_Escape)
    assert await asking is False


async def test_return_cancels_a_dangerous_action(qtbot: QtBot):
    asking = asyncio.create_task(confirm(None, "Delete it?", "It is gone then.", danger=True))
    await until(lambda: QApplication.activeModalWidget() is not None)
    qtbot.keyClick(opened(), Qt.Key.Key_Return)
    assert await asking is False


async def test_cancelling_the_waiting_task_closes_the_dialog():
    dialog = Dialog(None, "Wait")
    asking = asyncio.create_task(answer(dialog))
    await until(dialog.isVisible)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not (isValid(dialog) and dialog.isVisible())  # it may be gone already


async def test_a_file_is_chosen_without_a_nested_loop(tmp_path: Path):
    asking = asyncio.create_task(choose_file(None, "Export", "save", "CSV (*.csv)", str(tmp_path / "usage.csv")))
    await until(lambda: isinstance(QApplication.activeModalWidget(), QFileDialog))
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QFileDialog)
    dialog.accept()
    assert await asking == tmp_path / "usage.csv"


async def test_cancelling_a_file_dialog_returns_none():
    asking = asyncio.create_task(choose_file(None, "Import", "open"))
    await until(lambda: isinstance(QApplication.activeModalWidget(), QFileDialog))
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QFileDialog)
    dialog.reject()
    assert await asking is None
