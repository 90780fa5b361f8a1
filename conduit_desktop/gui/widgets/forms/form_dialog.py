"""A dialog around a form that saves with an action and shows what the action refuses beside the field."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QLabel, QScrollArea, QWidget
from shiboken6 import isValid

from conduit_desktop.core.errors import ActionError
from conduit_desktop.gui.pages import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form import Form, FormField

_INDEX = re.compile(r"\[(\d+)\]")


def errors_of(error: ActionError) -> dict[str, str]:
    """An action's complaint as a form shows it: `targets[0].model: …` becomes `targets.0.model`, without its own name."""
    if error.field is None:
        return {"": error.message}
    text = error.message.removeprefix(f"{error.field}:").strip()
    return {_INDEX.sub(r".\1", error.field): text[:1].upper() + text[1:]}


def framed(content: QWidget, height: int) -> QScrollArea:
    """`content` in a frameless area that scrolls when it is taller than `height`."""
    area = QScrollArea()
    area.setObjectName("dialogScroll")
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumHeight(height)
    content.setObjectName("scrollPage")
    content.setContentsMargins(0, 0, theme.M, 0)
    area.setWidget(content)
    return area


def section(text: str) -> QLabel:
    """A heading between fields."""
    label = QLabel(text)
    label.setObjectName("overline")
    return label


def side_by_side(*fields: FormField) -> QWidget:
    """Fields of a form in one row."""
    row = QWidget()
    across = QHBoxLayout(row)
    across.setContentsMargins(0, 0, 0, 0)
    across.setSpacing(theme.L)
    for field in fields:
        across.addWidget(field, 1, Qt.AlignmentFlag.AlignTop)
    return row


def tied(dialog: QDialog, task: asyncio.Task[Any]) -> None:
    """Let `task` end with `dialog`: it would have nothing left to show its result in."""
    dialog.finished.connect(lambda _: task.cancel())


class FormDialog(Dialog):
    """Subclasses fill `self.form` and override `save`, which raises ActionError for what does not fit."""

    def __init__(self, parent: QWidget | None, ui: Ui, title: str, accept: str = "Save", width: int = 520, height: int = 0) -> None:
        super().__init__(parent, title, accept, width=width)
        self.ui = ui
        self.form = Form()
        self.body.addWidget(framed(self.form, height) if height else self.form)

    def submit(self) -> None:
        """Save without stalling anything; close once it is saved."""
        if self.primary.isEnabled():
            self.primary.setEnabled(False)
            self.ui.run(self._submit())

    async def save(self) -> None:
        """Do what the form says."""

    async def _submit(self) -> None:
        self.form.clear_errors()
        refused: ActionError | None = None
        try:
            await self.save()
        except ActionError as error:
            refused = error
        finally:
            if isValid(self):  # it may have been closed meanwhile; what was asked for is done all the same
                self.primary.setEnabled(True)
        if not isValid(self):
            return
        if refused is not None:
            self.form.show_errors(errors_of(refused))
        else:
            self.accept()

    # Qt's own

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        focused = self.focusWidget()
        if self.form.fields and (focused is None or not self.form.isAncestorOf(focused)):
            next(iter(self.form.fields.values())).editor.focus_target().setFocus()
