"""Labels and tooltips that show text literally, never as HTML."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtGui import Qt as QtText
from PySide6.QtWidgets import QLabel, QSizePolicy

from conduit_desktop.core import shown_text


class PlainLabel(QLabel):
    """A QLabel that shows its text as it is.

    A QLabel guesses by default (Qt.AutoText): a provider named `<b>x</b>` would be drawn bold, and one named `<img src=…>`
    would load a file. Every label of the window is made from this class; a test looks for others.
    """

    def __init__(self, text: str = "", name: str = "") -> None:
        super().__init__(shown_text.lines(text))
        self.setTextFormat(Qt.TextFormat.PlainText)
        if name:
            self.setObjectName(name)

    def setText(self, text: str) -> None:
        # A name with a directional character would turn around what stands after it.
        super().setText(shown_text.lines(text))


class ElidedLabel(PlainLabel):
    """One line of text that ends in an ellipsis where the space ends; the full text is its tooltip.

    A `snug` label is never wider than its text; any other takes the space it is given.
    """

    def __init__(
        self, text: str, name: str = "", alignment: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft, snug: bool = False
    ) -> None:
        super().__init__(text, name)
        self.setToolTip(plain_tooltip(text))
        self.setAlignment(alignment | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Maximum if snug else QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        # Cards set their texts at every refresh, and even the same text would lay the row out again.
        text = shown_text.lines(text)
        if text != self.text():
            super().setText(text)
            self.setToolTip(plain_tooltip(text))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().windowText().color())
        rect = self.contentsRect()
        shown = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, int(self.alignment()), shown)


def label(text: str, name: str = "", wrap: bool = False) -> PlainLabel:
    """A label with an object name of the style sheet: muted, faint, cardTitle, sectionTitle, mono …"""
    made = PlainLabel(text, name)
    made.setWordWrap(wrap)
    if wrap:
        made.setMinimumWidth(1)  # else one long word makes everything around it as wide as itself
    return made


def plain_tooltip(text: str) -> str:
    """`text` for setToolTip, which has no text format: what Qt would take for HTML is escaped, with its line breaks kept."""
    text = shown_text.lines(text)
    # Qt's own test, which is a heuristic, decides here as it does in the tooltip (https://doc.qt.io/qt-6.8/qt-sub-qtgui.html).
    return QtText.convertFromPlainText(text) if QtText.mightBeRichText(text) else text


def link_label(html: str, name: str = "") -> PlainLabel:
    """A label with links, which open in the browser. The one label that takes HTML: its caller escapes every text in it."""
    made = PlainLabel("", name)
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setText(html)
    made.setOpenExternalLinks(True)
    return made
