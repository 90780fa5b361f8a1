"""Cards and the small things on them: titles, figures, pills, hairlines, rows of facts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.elided import Elided
from conduit_desktop.gui.widgets.pills import paint_pill


class Card(QFrame):
    """A rounded surface with a hairline border; content goes to `self.body`, buttons of its title to `add_action`."""

    def __init__(self, title: str = "", note: str = "") -> None:
        super().__init__()
        self.setObjectName("card")
        outer = self._outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.L, theme.L - 2, theme.L, theme.L)
        outer.setSpacing(theme.M)
        self._head = QHBoxLayout()
        self._head.setSpacing(theme.S)
        self.title = label(title, "cardTitle")
        self.note = label(note, "muted")
        self._head.addWidget(self.title)
        self._head.addWidget(self.note)
        self._head.addStretch(1)
        if title:
            outer.addLayout(self._head)
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.S)
        outer.addLayout(self.body, 1)

    def add_action(self, widget: QWidget) -> None:
        """Put something small at the right of the title."""
        self._head.addWidget(widget)

    def let_table_fill(self) -> None:
        """A table reaches the card's edges; the title keeps its distance."""
        self._outer.setContentsMargins(0, theme.S, 0, 0)
        self._head.setContentsMargins(theme.L, 0, theme.S, 0)


class Figure(QFrame):
    """One number with its name above and a remark below."""

    def __init__(self, name: str, tip: str = "") -> None:
        super().__init__()
        self.setObjectName("card")
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.M + 2, theme.M, theme.M, theme.M)
        column.setSpacing(2)
        self._value = label("–", "figure")
        self._note = Elided("", "figureNote")
        column.addWidget(label(name, "figureName"))
        column.addWidget(self._value)
        column.addWidget(self._note)
        self.setToolTip(tip)

    def show_value(self, value: str, note: str = "", tone: str = "") -> None:
        """Show a number as text; `tone` colours the remark (danger, warning, success)."""
        if self._value.text() != value:
            self._value.setText(value)
        if self._note.text() != note:
            self._note.setText(note)
        if self._note.property("tone") != tone:
            self._note.setProperty("tone", tone)
            self._note.style().unpolish(self._note)
            self._note.style().polish(self._note)

    @property
    def value(self) -> str:
        """What is shown."""
        return self._value.text()


class Pill(QWidget):
    """A small coloured label: a status, a kind."""

    def __init__(self, text: str = "", tone: str = "text_muted") -> None:
        super().__init__()
        self.setFixedHeight(20)
        self.text, self._tone = "", ""
        self.show_text(text, tone)

    def show_text(self, text: str, tone: str) -> None:
        """Show another text in the colour of a token."""
        if (text, tone) != (self.text, self._tone):
            self.text, self._tone = text, tone
            self.setAccessibleName(text)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(QFontMetrics(theme.font(11, medium=True)).horizontalAdvance(self.text) + 18, 20)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_pill(QPainter(self), self.rect(), self.text, self._tone)


class Dot(QWidget):
    """A state as a coloured dot."""

    def __init__(self, tone: str = "text_faint") -> None:
        super().__init__()
        self.setFixedSize(10, 10)
        self._tone = tone

    def set_tone(self, tone: str) -> None:
        """Another colour, by token."""
        self._tone = tone
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(self._tone))
        painter.drawEllipse(1, 1, 8, 8)


class FactList(QWidget):
    """Names and values below each other, values selectable."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.L)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._labels: list[QLabel] = []

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these; a fact with an empty value is left out."""
        shown = [text for fact in facts if fact[1] for text in fact]
        while len(self._labels) < len(shown):
            self._add_label()
        for at, made in enumerate(self._labels):
            made.setVisible(at < len(shown))
            if at < len(shown):
                made.setText(shown[at])

    def _add_label(self) -> None:
        at = len(self._labels)
        made = label("", "muted" if at % 2 == 0 else "", wrap=at % 2 == 1)
        if at % 2:
            made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._labels.append(made)
        self._grid.addWidget(made, at // 2, at % 2, Qt.AlignmentFlag.AlignTop)


def label(text: str, name: str = "", wrap: bool = False) -> QLabel:
    """A text in one of the style's voices: muted, faint, cardTitle, sectionTitle, mono …"""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setObjectName(name)
    made.setWordWrap(wrap)
    if wrap:
        made.setMinimumWidth(1)  # else one long word makes everything around it as wide as itself
    return made


def hairline() -> QFrame:
    """A thin line across."""
    line = QFrame()
    line.setObjectName("hairline")
    line.setFixedHeight(1)
    return line


def scrolled(widget: QWidget) -> QScrollArea:
    """`widget` in a vertical scroll area without a frame."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area


def clear(layout: QVBoxLayout | QHBoxLayout) -> None:
    """Take everything out of a layout and delete it later."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
