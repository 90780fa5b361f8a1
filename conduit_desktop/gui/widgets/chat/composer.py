"""The message editor: Enter sends, Shift+Enter adds a line, images are attached by paste, drop or button."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.chat.attachments import AttachedImage, Thumbnails, has_images
from conduit_desktop.gui.widgets.labels import ElidedLabel

_LINES = (2, 9)
"""The fewest and the most lines shown before the text scrolls."""


class MessageEdit(QPlainTextEdit):
    """A text field that grows with its text."""

    submitted = Signal()
    pictures_offered = Signal(QMimeData)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("question")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setPlaceholderText("Type a message…")
        self.setAccessibleName("Message")
        # Tab leaves the field, as in every form: few people indent a message, and the keyboard must reach the buttons.
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        fewest, most = _LINES
        lines = int(self.document().documentLayout().documentSize().height())  # in lines, for a plain text layout
        margins = 2 * int(self.document().documentMargin()) + 4
        self.setFixedHeight(min(max(lines, fewest), most) * self.fontMetrics().lineSpacing() + margins)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.submitted.emit()
            return
        super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return has_images(source) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        # A program that copies text may add a picture of it: then the text is what is meant.
        if has_images(source) and (source.hasUrls() or not source.hasText()):
            self.pictures_offered.emit(source)
        else:
            self.insertPlainText(source.text())


class Composer(QFrame):
    """Text, images, and one button that sends, or stops the current response.

    The page loads the images (`pictures_offered`, `attach_clicked`), off the loop.
    """

    sent = Signal(str, list)
    stopped = Signal()
    attach_clicked = Signal()
    pictures_offered = Signal(QMimeData)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAcceptDrops(True)
        self._busy = False
        self.edit = MessageEdit()
        self.edit.submitted.connect(self.send)
        self.edit.textChanged.connect(self._update)
        self.edit.pictures_offered.connect(self.pictures_offered)
        self.thumbnails = Thumbnails()
        self.thumbnails.changed.connect(self._update)
        self.attach_button = button("Attach image", "ghost", "image")
        self.attach_button.clicked.connect(self.attach_clicked)
        self.hint = ElidedLabel("", "fieldHelp", snug=True)
        self.send_button = button("Send", "primary", "paper-plane-right")
        self.send_button.clicked.connect(self.send)
        self.stop_button = button("Stop", icon="stop")
        self.stop_button.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        self.stop_button.clicked.connect(self.stopped)
        self._lay_out()
        self._update()

    def _lay_out(self) -> None:
        foot = QHBoxLayout()
        foot.addWidget(self.attach_button)
        foot.addStretch(1)
        foot.addWidget(self.hint)
        foot.addSpacing(8)
        foot.addWidget(self.stop_button)
        foot.addWidget(self.send_button)
        box = QVBoxLayout(self)
        box.setContentsMargins(14, 12, 10, 10)
        box.setSpacing(8)
        box.addWidget(self.thumbnails)
        box.addWidget(self.edit)
        box.addLayout(foot)

    def set_busy(self, busy: bool) -> None:
        """While a response arrives, Stop replaces Send; the text can still be edited."""
        self._busy = busy
        self._update()

    def send(self) -> None:
        """Emit `sent`, unless the message is empty or a response is arriving."""
        text = self.edit.toPlainText().strip()
        if self._busy or not (text or self.thumbnails.pictures):
            return
        # Emptied before the signal: where the parameters are invalid, its handler puts the message back.
        pictures = self.thumbnails.take()
        self.edit.clear()
        self.sent.emit(text, pictures)

    def put(self, text: str, pictures: list[AttachedImage]) -> None:
        """Fill the editor, so that the message can be changed and sent again."""
        self.thumbnails.take()
        self.edit.setPlainText(text)
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)
        self.thumbnails.add(pictures)
        self.edit.setFocus()

    def _update(self) -> None:
        self.hint.setText("Esc to stop" if self._busy else "Enter to send · Shift+Enter for a new line")
        self.send_button.setVisible(not self._busy)
        self.stop_button.setVisible(self._busy)
        self.send_button.setEnabled(bool(self.edit.toPlainText().strip() or self.thumbnails.pictures))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if has_images(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if has_images(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if has_images(event.mimeData()):
            self.pictures_offered.emit(event.mimeData())
            event.acceptProposedAction()
