"""The cards of a conversation: a question, its answer with what it took, or the reason there is none."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.chat.answer import AnswerBody
from conduit_desktop.gui.widgets.chat.attachments import AttachedImage, Thumbnails
from conduit_desktop.gui.widgets.chat.code import copy_button
from conduit_desktop.gui.widgets.elided import Elided
from conduit_desktop.gui.widgets.empty import IconLabel

_LINE = 560
"""Pixels of a question's line."""


class QuestionCard(QFrame):
    """What was asked; `edit_asked` hands it back to the composer."""

    edit_asked = Signal()

    def __init__(self, text: str, pictures: list[AttachedImage]) -> None:
        super().__init__()
        self.text = text
        self.pictures = pictures
        across = QHBoxLayout(self)
        across.setContentsMargins(80, 0, 0, 0)
        across.setSpacing(theme.XS)
        across.addStretch(1)
        self.edit_button = icon_button("pencil-simple", "Edit and send again", self.edit_asked.emit)
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


class _Wrapped(QLabel):
    """Words as wide as they are, up to a comfortable line, and narrower where there is no room."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(theme.font(14))
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def sizeHint(self) -> QSize:
        longest = max(self.fontMetrics().horizontalAdvance(line) for line in self.text().split("\n"))
        width = min(longest + 4, _LINE)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())  # one long address must not widen the whole conversation


class ErrorCard(QFrame):
    """Why there is no (whole) answer, and what to do about it."""

    def __init__(self, title: str, text: str, advice: str, way_on: tuple[str, Callable[[], None]] | None = None) -> None:
        super().__init__()
        self.setObjectName("errorCard")
        self.title = _words(title, "cardTitle")
        self.text = _words(text, "muted")
        self.advice = _words(advice, "")
        if not advice:
            self.advice.hide()
        box = QVBoxLayout()
        box.setSpacing(theme.XS)
        for label in (self.title, self.text, self.advice):
            box.addWidget(label)
        if way_on is not None:
            box.addSpacing(theme.XS)
            box.addWidget(button(way_on[0], on_click=way_on[1]), 0, Qt.AlignmentFlag.AlignLeft)
        across = QHBoxLayout(self)
        across.setContentsMargins(14, 12, 14, 12)
        across.setSpacing(theme.M)
        across.addWidget(IconLabel("warning-circle", 18, "danger"), 0, Qt.AlignmentFlag.AlignTop)
        across.addLayout(box, 1)


class AnswerCard(QWidget):
    """An answer on its way, or whole: who answers, the body, and the foot with figures and buttons."""

    regenerate_asked = Signal()
    request_asked = Signal(str)
    """The id of the request to be shown."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.request_id = ""
        self.name = Elided(model, "fieldHelp", snug=True)
        self.state = _words("Waiting for the first token…", "fieldHelp")
        self.body = AnswerBody()
        self.figures = _words("", "fieldHelp")
        self.copy_button = copy_button(self.body.markdown)
        self.regenerate_button = button("Regenerate", "ghost", "arrow-clockwise", self.regenerate_asked.emit)
        self.request_button = button("Request", "ghost", "list-bullets", self._ask_request, "Show in Requests")
        self._lay_out()
        self.body.first_words.connect(self.state.hide)

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
        self._trouble = QVBoxLayout()
        box.addLayout(self._trouble)
        box.addWidget(self.foot)

    def finish(self, model: str, figures: str, request_id: str) -> None:
        """The answer is over: say who answered and what it took."""
        self.body.finish()
        self.state.hide()
        self.name.setText(model)
        self.figures.setText(figures)
        self.request_id = request_id
        self.request_button.setVisible(bool(request_id))
        self.copy_button.setVisible(bool(self.body.markdown()))
        self.foot.show()

    def show_trouble(self, card: ErrorCard) -> None:
        """Put an error below what came."""
        self._trouble.addWidget(card)

    def _ask_request(self) -> None:
        self.request_asked.emit(self.request_id)


def _words(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if name:
        label.setObjectName(name)
    return label
