"""Pills, chips, status dots and thin progress bars, as paint functions for table cells and as widgets."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import plain_tooltip

_PADDING, _GAP = 16, theme.XS + 2
_MIN_WIDTH = 90
"""Pixels below which an elided pill is not readable."""


def paint_pill(painter: QPainter, rect: QRect, text: str, tone: str, elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
    """A small rounded label at the left of `rect`, in the colour of `tone` on its tint; what does not fit is elided."""
    # A table paints its next cell with the same painter.
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(11, medium=True))
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, elide, max(0, rect.width() - _PADDING + 1))
    width = min(rect.width(), metrics.horizontalAdvance(shown) + _PADDING)
    if shown and width > _PADDING:
        height = theme.px(20)
        box = QRectF(rect.left(), rect.center().y() - height / 2 + 0.5, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(f"{tone}_tint" if f"{tone}_tint" in theme.theme().palette else "sunken"))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(theme.colour(tone))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), shown)
    painter.restore()


def fitting(names: Sequence[str], width: int) -> list[str]:
    """The first of `names` that fit as pills into `width` pixels, at least one; the number of the others comes last: `+3`."""
    metrics = QFontMetrics(theme.font(11, medium=True))
    shown: list[str] = []
    for at, name in enumerate(names):
        more = f"+{len(names) - at}"
        # Space for the count is kept free first, so that it is never cut.
        reserve = _width(metrics, more) + _GAP if at < len(names) - 1 else 0
        if shown and _width(metrics, name) + reserve > width:
            return [*shown, more]
        shown.append(name)
        width -= _width(metrics, name) + _GAP
    return shown


def paint_chips(
    painter: QPainter, rect: QRect, names: Sequence[str], elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight
) -> None:
    """Pills next to each other in `rect`. A first pill that does not fit is elided, or left out below _MIN_WIDTH pixels."""
    metrics = QFontMetrics(theme.font(11, medium=True))
    shown = fitting(names, rect.width())
    if sum(_width(metrics, name) + _GAP for name in shown) - _GAP > rect.width() < _MIN_WIDTH:
        return
    rest = QRect(rect)
    for at, name in enumerate(shown):
        after = sum(_width(metrics, other) + _GAP for other in shown[at + 1 :])
        space = QRect(rest)
        space.setWidth(max(0, rest.width() - after))
        paint_pill(painter, space, name, "text_muted", elide)
        rest.setLeft(rest.left() + min(space.width(), _width(metrics, name)) + _GAP)


def share_tone(share: float, marks: Sequence[float] = ()) -> str:
    """The colour token of a share of a limit: accent, warning from the first of `marks` (without any, 0.8), danger from 1."""
    # Without marks, warning from the share at which the operator is notified (`actions.background.alerts.ALMOST`).
    return "danger" if share >= 1 else "warning" if share >= min(marks, default=0.8) else "accent"


def paint_bar(painter: QPainter, rect: QRect, share: float, marks: Sequence[float] = (), height: int = 4) -> None:
    """A thin bar below `rect`, filled to `share`, with a tick at each of `marks` (shares); see `share_tone` for its colour.

    It ends at 1, or at the largest mark above 1.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    track = QRectF(rect.left(), rect.bottom() + 1, rect.width(), height)
    end = max((1.0, *marks))
    painter.setBrush(theme.colour("border"))
    painter.drawRoundedRect(track, height / 2, height / 2)
    painter.setBrush(theme.colour(share_tone(share, marks)))
    if share > 0:
        filled = max(float(height), track.width() * min(share / end, 1.0))
        painter.drawRoundedRect(QRectF(track.left(), track.top(), filled, height), height / 2, height / 2)
    painter.setBrush(theme.colour("text_muted"))
    for mark in marks:
        if mark < end:  # a mark at the end would only be drawn over the corner
            painter.drawRect(QRectF(track.left() + track.width() * mark / end - 0.75, track.top() - 1, 1.5, height + 2))
    painter.restore()


def _width(metrics: QFontMetrics, text: str) -> int:
    return metrics.horizontalAdvance(text) + _PADDING


class Chips(QWidget):
    """Names as pills in one row, as many as fit; all of them in the tooltip."""

    def __init__(self, elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        """`elide`: which part of the first name is left out where it does not fit."""
        super().__init__()
        self._elide = elide
        self.names: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def show_names(self, names: Sequence[str]) -> None:
        """Show these names."""
        if tuple(names) != self.names:
            self.names = tuple(names)
            self.setToolTip(plain_tooltip("\n".join(names)))
            self.setAccessibleName(", ".join(names))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(theme.font(11, medium=True))
        return QSize(sum(_width(metrics, name) + _GAP for name in self.names), theme.px(22))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, theme.px(22))

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_chips(QPainter(self), self.rect(), self.names, self._elide)


class Pill(QWidget):
    """A small coloured label: a status, a kind."""

    def __init__(self, text: str = "", tone: str = "text_muted") -> None:
        super().__init__()
        theme.scaled(self, lambda it: it.setFixedHeight(theme.px(20)))
        self.text, self._tone = "", ""
        self.show_text(text, tone)

    def show_text(self, text: str, tone: str) -> None:
        """Show a text in the colour of a palette token."""
        if (text, tone) != (self.text, self._tone):
            self.text, self._tone = text, tone
            self.setAccessibleName(text)
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(QFontMetrics(theme.font(11, medium=True)).horizontalAdvance(self.text) + 18, theme.px(20))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_pill(QPainter(self), self.rect(), self.text, self._tone)


class Dot(QWidget):
    """A coloured status dot."""

    def __init__(self, tone: str = "text_faint") -> None:
        super().__init__()
        theme.scaled(self, lambda it: it.setFixedSize(theme.px(10), theme.px(10)))
        self._tone = tone

    def set_tone(self, tone: str) -> None:
        """Change the colour to a token of the palette."""
        self._tone = tone
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(self._tone))
        painter.drawEllipse(1, 1, 8, 8)
