"""Small painted charts that repaint cheaply: requests per minute, shares, and a segmented bar."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from conduit_desktop.gui.theme import theme

_AXIS = 20
_SCALE = 38


class MinuteBars(QWidget):
    """Requests per minute, failed ones stacked on the others; a tooltip shows the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._minutes: list[tuple[int, int]] = []
        self._hover = -1
        self.setMouseTracking(True)
        theme.scaled(self, lambda it: it.setMinimumHeight(theme.px(150)))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_minutes(self, minutes: list[tuple[int, int]]) -> None:
        """`(not failed, failed)` per minute, the current minute last; repaints only if a number changed."""
        # The dashboard calls this twice a second, and mostly nothing has changed.
        if minutes != self._minutes:
            self._minutes = minutes
            self.update()

    def _top(self) -> int:
        """The end of the scale: 4 times 1, 2 or 5 times a power of ten."""
        most = max((sum(pair) for pair in self._minutes), default=0)
        step = 1
        while True:
            for factor in (1, 2, 5):
                # Four lines above zero, each at a whole number: there are no half requests.
                if most <= 4 * factor * step:
                    return 4 * factor * step
            step *= 10

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(11))
        axis_height, scale_width = theme.px(_AXIS), theme.px(_SCALE)
        top, height = self._top(), self.height() - axis_height - 6
        for line in range(5):
            y = 6 + height * line / 4
            painter.setPen(QPen(theme.colour("border"), 1))
            painter.drawLine(0, int(y), self.width() - scale_width, int(y))
            painter.setPen(theme.colour("text_faint"))
            scale = QRectF(self.width() - scale_width, y - theme.px(8), scale_width, theme.px(16))
            painter.drawText(scale, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{top * (4 - line) // 4:,}")
        self._paint_bars(painter, height / top, 6 + height)
        painter.setPen(theme.colour("text_faint"))
        axis = QRectF(0, self.height() - axis_height + 4, self.width() - scale_width, axis_height - 4)
        painter.drawText(axis, int(Qt.AlignmentFlag.AlignLeft), f"{len(self._minutes)} min ago")
        painter.drawText(axis, int(Qt.AlignmentFlag.AlignRight), "now")

    def _paint_bars(self, painter: QPainter, scale: float, base: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        accent, danger, faint = theme.colour("accent"), theme.colour("danger"), theme.colour("hover")
        width = self._step()
        for place, (succeeded, failed) in enumerate(self._minutes):
            x = place * width
            if place == self._hover:
                painter.fillRect(QRectF(x, 6, width, base - 6), faint)
            for value, below, tone in ((succeeded, 0, accent), (failed, succeeded, danger)):
                if value:
                    box = QRectF(x + width * 0.14, base - (below + value) * scale, width * 0.72, value * scale)
                    painter.setBrush(tone)
                    painter.drawRoundedRect(box, min(2.5, box.height() / 2), min(2.5, box.height() / 2))

    def _step(self) -> float:
        return (self.width() - theme.px(_SCALE) - 8) / max(1, len(self._minutes))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = int(event.position().x() / self._step())
        self._hover = place if 0 <= place < len(self._minutes) else -1
        self.update()
        if self._hover >= 0:
            succeeded, failed = self._minutes[self._hover]
            back = len(self._minutes) - 1 - self._hover
            when = "This minute" if back == 0 else f"{back} min ago"
            tail = f", {failed:,} failed" if failed else ""
            QToolTip.showText(event.globalPosition().toPoint(), f"{when}: {succeeded + failed:,} requests{tail}", self)

    def leaveEvent(self, event: object) -> None:
        self._hover = -1
        self.update()


class Shares(QWidget):
    """Names with their amounts, each with a bar relative to the largest."""

    ROW = 34

    def __init__(self, most: int = 6) -> None:
        super().__init__()
        self._rows: list[tuple[str, float, str]] = []
        self._most = most
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_rows(self, rows: Sequence[tuple[str, float, str]]) -> None:
        """`(name, amount, amount as text)`, largest first; only the first `most` are shown."""
        shown = list(rows)[: self._most]
        if shown != self._rows:
            self._rows = shown
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(220), max(1, len(self._rows)) * theme.px(self.ROW))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(160), max(1, len(self._rows)) * theme.px(self.ROW))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        largest = max((amount for _, amount, _ in self._rows), default=0) or 1
        for place, (name, amount, text) in enumerate(self._rows):
            y = place * theme.px(self.ROW)
            painter.setFont(theme.font(13))
            painter.setPen(theme.colour("text"))
            width = self.width() - painter.fontMetrics().horizontalAdvance(text) - 12
            painter.drawText(
                QRectF(0, y, width, theme.px(18)),
                0,
                painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(width)),
            )
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(QRectF(0, y, self.width(), theme.px(18)), int(Qt.AlignmentFlag.AlignRight), text)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("sunken"))
            painter.drawRoundedRect(QRectF(0, y + theme.px(21), self.width(), 5), 2.5, 2.5)
            painter.setBrush(theme.series_colour(place))
            painter.drawRoundedRect(QRectF(0, y + theme.px(21), max(5.0, self.width() * amount / largest), 5), 2.5, 2.5)


class SegmentBar(QWidget):
    """One bar divided into parts, such as the phases of a request."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[tuple[float, str]] = []
        theme.scaled(self, lambda it: it.setFixedHeight(theme.px(10)))

    def show_parts(self, parts: Sequence[tuple[float, str]]) -> None:
        """`(amount, colour token)` in order."""
        self._parts = [(amount, tone) for amount, tone in parts if amount > 0]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        total = sum(amount for amount, _ in self._parts) or 1
        x, gap = 0.0, 2.0
        space = self.width() - gap * max(0, len(self._parts) - 1)
        for amount, tone in self._parts:
            # At least three pixels: a short phase is still a phase.
            width = max(3.0, space * amount / total)
            painter.setBrush(theme.colour(tone))
            painter.drawRoundedRect(QRectF(x, 0, width, self.height()), 3, 3)
            x += width + gap
