"""Dialogs that are opened and awaited, never executed: a nested event loop would stall the server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.labels import PlainLabel


async def answer(dialog: QDialog) -> bool:
    """Open `dialog` and wait until it is closed; True if it was accepted. The dialog is deleted afterwards.

    Cancelling the waiting task closes the dialog.
    """
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    # After a cancelled wait, `close` below emits `finished` with the future already done.
    dialog.finished.connect(lambda result: None if done.done() else done.set_result(result))
    dialog.open()
    try:
        return await done == QDialog.DialogCode.Accepted
    finally:
        dialog.close()
        dialog.deleteLater()


class Dialog(QDialog):
    """A dialog with a title, content in `self.body`, and the buttons `cancel` and `primary`.

    `primary` calls `self.submit`, which accepts the dialog unless a subclass overrides it.
    """

    def __init__(self, parent: QWidget | None, title: str, accept: str = "Save", danger: bool = False, width: int = 460) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(True)
        theme.scaled(self, lambda it: it.setMinimumWidth(theme.px(width)))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.XL, theme.XL, theme.XL, theme.L)
        outer.setSpacing(theme.L)
        heading = PlainLabel(title, "dialogTitle")
        heading.setWordWrap(True)
        outer.addWidget(heading)
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.M)
        outer.addLayout(self.body, 1)
        self.footer = QHBoxLayout()
        self.footer.setSpacing(theme.S)
        self.cancel = button("Cancel", on_click=self.reject)
        self.primary = button(accept, "danger" if danger else "primary", on_click=self.submit)
        self.primary.setDefault(True)
        self.footer.addStretch(1)
        self.footer.addWidget(self.cancel)
        self.footer.addWidget(self.primary)
        outer.addLayout(self.footer)

    def submit(self) -> None:
        """The primary button was clicked."""
        self.accept()


async def confirm(
    parent: QWidget | None, title: str, text: str, *, accept: str = "Continue", danger: bool = True, cancel: str = "Cancel"
) -> bool:
    """Ask for confirmation; True if the user accepts. If `danger`, Cancel is the default button."""
    dialog = Dialog(parent, title, accept, danger, 420)
    message = PlainLabel(text, "muted")
    message.setWordWrap(True)
    message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    dialog.body.addWidget(message)
    dialog.cancel.setText(cancel)
    if danger:
        # Return, pressed out of habit, must not delete anything.
        dialog.primary.setDefault(False)
        dialog.cancel.setDefault(True)
        dialog.cancel.setFocus()
    return await answer(dialog)


async def choose_file(
    parent: QWidget | None, title: str, mode: Literal["open", "save"], pattern: str = "", suggested: str = ""
) -> Path | None:
    """Let the user choose a file; `pattern` is Qt's (`CSV (*.csv)`). None if the user cancels."""
    # Not the static functions of QFileDialog, which run an event loop of their own.
    dialog = QFileDialog(parent, title)
    saving = mode == "save"
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave if saving else QFileDialog.AcceptMode.AcceptOpen)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile if saving else QFileDialog.FileMode.ExistingFile)
    if pattern:
        dialog.setNameFilter(pattern)
    if suggested:
        dialog.selectFile(suggested)
        # A name typed without it would not be found again: the dialogs that open files filter by suffix.
        dialog.setDefaultSuffix(Path(suggested).suffix.lstrip("."))
    chosen: list[str] = []
    dialog.fileSelected.connect(chosen.append)
    accepted = await answer(dialog)
    return Path(chosen[0]) if accepted and chosen else None
