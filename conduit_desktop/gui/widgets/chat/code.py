"""A block of code with its language and a copy button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QResizeEvent, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.chat.highlight import Highlighter
from conduit_desktop.gui.widgets.labels import PlainLabel

_TALLEST = 520
"""The maximum height of a block in pixels; longer code scrolls."""

_NEVER = Qt.ScrollBarPolicy.ScrollBarAlwaysOff


def copy_button(text: Callable[[], str]) -> QPushButton:
    """A button that copies the result of `text` and shows “Copied” for a moment."""
    made = button("Copy", "ghost", "copy")

    def copy() -> None:
        QGuiApplication.clipboard().setText(text())
        made.setText(" Copied")
        # With the button as context: the timer is dropped if the button is deleted first.
        QTimer.singleShot(1400, made, lambda: made.setText(" Copy"))

    made.clicked.connect(copy)
    return made


class CodeText(QPlainTextEdit):
    """Read-only code, as tall as its text up to _TALLEST."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("codeText")
        self.setReadOnly(True)
        # Nothing can be undone here, and the undo stack would keep each fragment of a stream.
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        theme.scaled(self, lambda it: it.setFont(theme.font(12, mono=True)))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.document().setDocumentMargin(10)
        # Else Tab would not leave the block, and the keyboard could not reach what follows.
        self.setTabChangesFocus(True)
        self.highlighter = Highlighter(self.document())
        self.shown = ""

    def show_code(self, text: str) -> None:
        """Show `text`. If it continues the shown text, only the new part is laid out."""
        if text == self.shown:
            return
        # A streaming block grows ten times a second: only the new part is laid out and coloured.
        if self.shown and text.startswith(self.shown):
            cursor = QTextCursor(self.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(text[len(self.shown) :])
        else:
            self.setPlainText(text)
        self.shown = text
        self._fit()

    def _fit(self) -> None:
        margins = 2 * int(self.document().documentMargin()) + 4
        # Counted, not laid out: without wrapping, each block is one line.
        lines = self.document().blockCount() * self.fontMetrics().lineSpacing() + margins
        self.setVerticalScrollBarPolicy(_NEVER if lines <= _TALLEST else Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        bar = self.horizontalScrollBar().sizeHint().height() if self.horizontalScrollBar().maximum() > 0 else 0
        self.setFixedHeight(min(_TALLEST, lines) + bar)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # `_fit` sets the height, which is a resize too: only another width can add or remove the scroll bar.
        if event.oldSize().width() != event.size().width():
            self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        sideways = abs(event.angleDelta().x()) > abs(event.angleDelta().y())
        # Without the focus, the wheel scrolls the conversation, and a long block under the pointer does not stop it.
        if sideways or (self.verticalScrollBar().maximum() > 0 and self.hasFocus()):
            super().wheelEvent(event)
        else:
            event.ignore()


class CodeBlock(QFrame):
    """Code with a header: the language and a copy button."""

    def __init__(self, text: str = "", language: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("codeBlock")
        self._language = PlainLabel(language or "text", "fieldHelp")
        self.copy_button = copy_button(lambda: self.body.shown)
        self.body = CodeText()
        head = QHBoxLayout()
        head.setContentsMargins(12, 4, 6, 0)
        head.addWidget(self._language)
        head.addStretch(1)
        head.addWidget(self.copy_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 2)
        box.setSpacing(0)
        box.addLayout(head)
        box.addWidget(self.body)
        self.show_code(text, language)

    def show_code(self, text: str, language: str = "") -> None:
        """Show `text` as `language`."""
        self._language.setText(language or "text")
        self.body.setAccessibleName(f"{language or 'text'} code")
        self.body.highlighter.set_language(language)
        self.body.show_code(text)
