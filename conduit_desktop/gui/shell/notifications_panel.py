"""The popup with the latest notifications, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import NotificationView
from conduit_desktop.gui.formatting import ago
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import ICONS
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.layouts import clear, hairline, scrolled

_TONES = {"info": "info", "warning": "warning", "error": "danger"}


class NotificationPanel(QFrame):
    """A popup with the latest notifications; `read_all` and `read` (with an id) are emitted to mark them as read."""

    read_all = Signal()
    read = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("toast")
        theme.scaled(self, lambda it: it.setFixedSize(theme.px(380), theme.px(440)))
        column = QVBoxLayout(self)
        column.setContentsMargins(1, theme.M, 1, theme.S)
        head = QHBoxLayout()
        head.setContentsMargins(theme.L, 0, theme.M, 0)
        self._all = button("Mark all as read", "ghost", on_click=self.read_all.emit)
        head.addWidget(label("Notifications", "sectionTitle"))
        head.addStretch(1)
        head.addWidget(self._all)
        column.addLayout(head)
        inner = QWidget()
        self._list = QVBoxLayout(inner)
        self._list.setContentsMargins(theme.L, 0, theme.L, theme.S)
        self._list.setSpacing(theme.S)
        column.addWidget(scrolled(inner), 1)

    def show_notes(self, notes: Sequence[NotificationView]) -> None:
        """Show these notifications."""
        clear(self._list)
        self._all.setEnabled(any(not note.read for note in notes))
        for note in notes:
            self._list.addWidget(_Note(note, self))
            self._list.addWidget(hairline())
        if not notes:
            self._list.addWidget(
                EmptyState("bell", "No notifications", "Budget warnings, expiring keys and provider failures appear here.")
            )
        self._list.addStretch(1)

    def open_at(self, anchor: QWidget) -> None:
        """Open the popup below `anchor`."""
        self.move(anchor.mapToGlobal(QPoint(0, anchor.height() + 6)))
        self.show()


class _Note(QWidget):
    def __init__(self, note: NotificationView, panel: NotificationPanel) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, theme.S, 0, theme.S)
        row.setSpacing(theme.S + 2)
        tone = _TONES[note.severity]
        row.addWidget(IconLabel(ICONS[tone], 18, "text_faint" if note.read else tone), 0, Qt.AlignmentFlag.AlignTop)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(note.title, "muted" if note.read else "cardTitle", wrap=True))
        if note.text:
            texts.addWidget(label(note.text, "muted", wrap=True))
        texts.addWidget(label(ago(note.created_at), "faint"))
        row.addLayout(texts, 1)
        if not note.read:
            row.addWidget(
                button("Read", "ghost", on_click=lambda: panel.read.emit(note.id), tip="Mark as read"), 0, Qt.AlignmentFlag.AlignTop
            )
