"""The cards of a conversation: a message of the user, a response, and an error."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.chat.answer import AnswerBody
from conduit_desktop.gui.widgets.chat.attachments import AttachedImage, Thumbnails
from conduit_desktop.gui.widgets.chat.code import copy_button
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import ElidedLabel, PlainLabel, label

_LINE = 560
"""The maximum width of the user's text, in pixels."""


class QuestionCard(QFrame):
    """A message of the user; `edit_requested` is emitted to edit it in the composer."""

    edit_requested = Signal()

    def __init__(self, text: str, pictures: list[AttachedImage]) -> None:
        super().__init__()
        self.text = text
        self.pictures = pictures
        across = QHBoxLayout(self)
        across.setContentsMargins(80, 0, 0, 0)
        across.setSpacing(theme.XS)
        across.addStretch(1)
        self.edit_button = icon_button("pencil-simple", "Edit and send again", self.edit_requested.emit)
        across.addWidget(self.edit_button, 0, Qt.AlignmentFlag.AlignTop)
        across.addWidget(self._bubble())

    def _bubble(self) -> QFrame:
        bubble = QFrame()
        bubble.setObjectName("questionBubble")
        box = QVBoxLayout(bubble)
        box.setContentsMargins(14, 10, 14, 10)
        box.setSpacing(theme.S)
        if self.pictures:
            thumbnails = Thumbnails(removable=False)
            thumbnails.add(self.pictures)
            box.addWidget(thumbnails)
        if self.text:
            box.addWidget(_Wrapped(self.text))
        return bubble


class _Wrapped(PlainLabel):
    """Text as wide as its longest line, up to _LINE, and narrower in a narrow window."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        theme.scaled(self, lambda it: it.setFont(theme.font(14)))
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def sizeHint(self) -> QSize:
        longest = max(self.fontMetrics().horizontalAdvance(line) for line in self.text().split("\n"))
        width = min(longest + 4, _LINE)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())  # one long address must not widen the whole conversation


class ErrorCard(QFrame):
    """An error with advice and, if a page can fix it, a button."""

    def __init__(self, title: str, text: str, advice: str, action: tuple[str, Callable[[], None]] | None = None) -> None:
        super().__init__()
        self.setObjectName("errorCard")
        self.title = _wrapped_label(title, "cardTitle")
        self.text = _wrapped_label(text, "muted")
        self.advice = _wrapped_label(advice, "")
        if not advice:
            self.advice.hide()
        box = QVBoxLayout()
        box.setSpacing(theme.XS)
        for part in (self.title, self.text, self.advice):
            box.addWidget(part)
        if action is not None:
            box.addSpacing(theme.XS)
            box.addWidget(button(action[0], on_click=action[1]), 0, Qt.AlignmentFlag.AlignLeft)
        across = QHBoxLayout(self)
        across.setContentsMargins(14, 12, 14, 12)
        across.setSpacing(theme.M)
        across.addWidget(IconLabel("warning-circle", 18, "danger"), 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(box, 1)


class AnswerCard(QWidget):
    """A response: the model, the body, and a footer with figures and buttons."""

    regenerate_requested = Signal()
    request_requested = Signal(str)
    """The id of the request to show."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.request_id = ""
        self.name = ElidedLabel(model, "fieldHelp", snug=True)
        self.state = _wrapped_label("Waiting for the first token…", "fieldHelp")
        self.body = AnswerBody()
        self.figures = _wrapped_label("", "fieldHelp")
        # The method, not its result: the text has not arrived yet.
        self.copy_button = copy_button(self.body.markdown)
        self.regenerate_button = button("Regenerate", "ghost", "arrow-clockwise", self.regenerate_requested.emit)
        self.request_button = button("Request", "ghost", "list-bullets", self._show_request, "Show in Requests")
        self._lay_out()
        self.body.content_arrived.connect(self.state.hide)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme.S)
        head.addWidget(IconLabel("sparkle", 16, "accent_text"))
        head.addWidget(self.name)
        head.addStretch(1)
        self.foot = QWidget()
        self.foot.setObjectName("answerFoot")
        foot = QHBoxLayout(self.foot)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(theme.XS)
        self.figures.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        foot.addWidget(self.figures, 1)
        for made in (self.copy_button, self.regenerate_button, self.request_button):
            foot.addWidget(made)
        self.foot.hide()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(theme.S + 2)
        box.addLayout(head)
        box.addWidget(self.state)
        box.addWidget(self.body)
        self._errors = QVBoxLayout()
        box.addLayout(self._errors)
        box.addWidget(self.foot)

    def finish(self, model: str, figures: str, request_id: str) -> None:
        """The response has ended: show the target that answered, the figures and the buttons."""
        self.body.finish()
        self.state.hide()
        self.name.setText(model)
        self.figures.setText(figures)
        self.request_id = request_id
        self.request_button.setVisible(bool(request_id))
        # A response of tool calls alone, or an error, has no text to copy.
        self.copy_button.setVisible(bool(self.body.markdown()))
        self.foot.show()

    def show_error_card(self, card: ErrorCard) -> None:
        """Show an error below the body."""
        self._errors.addWidget(card)

    def _show_request(self) -> None:
        self.request_requested.emit(self.request_id)


def _wrapped_label(text: str, name: str) -> PlainLabel:
    made = label(text, name, wrap=True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
