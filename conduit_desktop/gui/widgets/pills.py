"""Small rounded labels and thin bars, painted: one, as many as there is room for, a share of a whole."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from conduit_desktop.gui.theme import theme

_PADDING, _GAP = 16, theme.XS + 2
_LEAST = 90
"""Pixels in which an elided pill still says something."""


def paint_pill(painter: QPainter, rect: QRect, text: str, tone: str) -> None:
    """A small rounded label at the left of `rect`, in the colour of `tone` on its tint; what does not fit is elided."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setFont(theme.font(11, medium=True))
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0, rect.width() - _PADDING + 1))
    width = min(rect.width(), metrics.horizontalAdvance(shown) + _PADDING)
    if shown and width > _PADDING:
        box = QRectF(rect.left(), rect.center().y() - 9.5, width, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(f"{tone}_tint" if f"{tone}_tint" in theme.theme().palette else "sunken"))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(theme.colour(tone))
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), shown)
    painter.restore()


def fitting(names: Sequence[str], width: int) -> list[str]:
    """The first of `names` as pills within `width`, the first one always; what is left out is counted: `+3`."""
    metrics = QFontMetrics(theme.font(11, medium=True))
    shown: list[str] = []
    for at, name in enumerate(names):
        more = f"+{len(names) - at}"
        reserve = _wide(metrics, more) + _GAP if at < len(names) - 1 else 0
        if shown and _wide(metrics, name) + reserve > width:
            return [*shown, more]
        shown.append(name)
        width -= _wide(metrics, name) + _GAP
    return shown


def paint_chips(painter: QPainter, rect: QRect, names: Sequence[str]) -> None:
    """Pills side by side in `rect`. Where the first has too little room, it is elided; where it has none, nothing is shown."""
    metrics = QFontMetrics(theme.font(11, medium=True))
    shown = fitting(names, rect.width())
    if sum(_wide(metrics, name) + _GAP for name in shown) - _GAP > rect.width() < _LEAST:
        return
    place = QRect(rect)
    for at, name in enumerate(shown):
        after = sum(_wide(metrics, other) + _GAP for other in shown[at + 1 :])
        room = QRect(place)
        room.setWidth(max(0, place.width() - after))
        paint_pill(painter, room, name, "text_muted")
        place.setLeft(place.left() + min(room.width(), _wide(metrics, name)) + _GAP)


def paint_bar(painter: QPainter, rect: QRect, share: float) -> None:
    """A thin track below `rect`, filled by `share`, in the colour that says how near the end is."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    track = QRectF(rect.left(), rect.bottom() + 1, rect.width(), 4)
    painter.setBrush(theme.colour("border"))
    painter.drawRoundedRect(track, 2, 2)
    painter.setBrush(theme.colour("danger" if share >= 1 else "warning" if share >= 0.8 else "accent"))
    if share > 0:
        painter.drawRoundedRect(QRectF(track.left(), track.top(), max(4.0, track.width() * min(share, 1.0)), 4), 2, 2)
    painter.restore()


def _wide(metrics: QFontMetrics, text: str) -> int:
    return metrics.horizontalAdvance(text) + _PADDING


class Chips(QWidget):
    """Names as pills in one row, as many as there is room for; all of them in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def show_names(self, names: Sequence[str]) -> None:
        """Show these."""
        if tuple(names) != self.names:
            self.names = tuple(names)
            self.setToolTip("\n".join(names))
            self.setAccessibleName(", ".join(names))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(theme.font(11, medium=True))
        return QSize(sum(_wide(metrics, name) + _GAP for name in self.names), 22)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_chips(QPainter(self), self.rect(), self.names)
