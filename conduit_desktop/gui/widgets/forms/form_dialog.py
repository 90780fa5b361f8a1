"""A dialog with a form that is saved by an action, whose errors are shown at their fields."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFrame, QHBoxLayout, QScrollArea, QWidget
from shiboken6 import isValid

from conduit_desktop.core.errors import ActionError
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form import Form, FormField
from conduit_desktop.gui.widgets.labels import PlainLabel, label

_INDEX = re.compile(r"\[(\d+)\]")


def errors_of(error: ActionError) -> dict[str, str]:
    """The error of an action by form path: `targets[0].model: is required` becomes `{"targets.0.model": "Is required"}`."""
    if error.field is None:
        return {"": error.message}
    text = error.message.removeprefix(f"{error.field}:").strip()
    return {_INDEX.sub(r".\1", error.field): text[:1].upper() + text[1:]}


def scroll_area(content: QWidget, height: int) -> QScrollArea:
    """`content` in a frameless area that scrolls when it is taller than `height`."""
    area = QScrollArea()
    area.setObjectName("dialogScroll")
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    theme.scaled(area, lambda it: it.setMinimumHeight(theme.tall(height)))
    content.setObjectName("scrollPage")
    content.setContentsMargins(0, 0, theme.M, 0)
    area.setWidget(content)
    return area


def section(text: str) -> PlainLabel:
    """A heading between fields."""
    return label(text, "overline")


def side_by_side(*fields: FormField) -> QWidget:
    """Fields of a form in one row."""
    row = QWidget()
    across = QHBoxLayout(row)
    across.setContentsMargins(0, 0, 0, 0)
    across.setSpacing(theme.L)
    for field in fields:
        across.addWidget(field, 1, Qt.AlignmentFlag.AlignTop)
    return row


def cancel_on_close(dialog: QDialog, task: asyncio.Task[Any]) -> None:
    """Cancel `task` when `dialog` is closed."""
    # Its result would be shown by widgets that are deleted.
    dialog.finished.connect(lambda _: task.cancel())


class FormDialog(Dialog):
    """Subclasses fill `self.form` and override `save`, which raises ActionError for invalid values."""

    def __init__(self, parent: QWidget | None, ui: Ui, title: str, accept: str = "Save", width: int = 520, height: int = 0) -> None:
        super().__init__(parent, title, accept, width=width)
        self.ui = ui
        self.form = Form()
        self.body.addWidget(scroll_area(self.form, height) if height else self.form)

    def submit(self) -> None:
        """Save in a task; the dialog closes once that succeeds."""
        # Submitting again while a save is running must not create a second object.
        if self.primary.isEnabled():
            self.primary.setEnabled(False)
            self.ui.run(self._submit())

    async def save(self) -> None:
        """Save the values of the form; raises ActionError for invalid ones."""

    async def _submit(self) -> None:
        self.form.clear_errors()
        failure: ActionError | None = None
        try:
            await self.save()
        except ActionError as error:
            failure = error
        finally:
            if isValid(self):  # the dialog may have been closed meanwhile; the save is completed all the same
                self.primary.setEnabled(True)
        if not isValid(self):
            return
        if failure is not None:
            self.form.show_errors(errors_of(failure))
        else:
            self.accept()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Not in `__init__`, after which subclasses add their fields.
        focused = self.focusWidget()
        if self.form.fields and (focused is None or not self.form.isAncestorOf(focused)):
            next(iter(self.form.fields.values())).editor.focus_target().setFocus()
