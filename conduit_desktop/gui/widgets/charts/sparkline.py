"""A sparkline of thin bars, for the latest latencies of a target."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from conduit_desktop.gui.theme import theme

_BAR, _GAP = 3.0, 1.0


class Sparkline(QWidget):
    """The newest value is at the right; heights are relative to the largest."""

    def __init__(self) -> None:
        super().__init__()
        self._values: list[float] = []
        theme.scaled(self, lambda it: it.setFixedSize(it.sizeHint()))

    def show_values(self, values: Sequence[float]) -> None:
        """Show values in ms; of too many, the latest."""
        most = int(self.width() / (_BAR + _GAP))
        shown = list(values[-most:])
        if shown != self._values:
            self._values = shown
            self.setToolTip(f"{len(values)} requests, {min(values):,.0f} to {max(values):,.0f} ms" if values else "")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(132), theme.px(30))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("border"))
        painter.drawRect(QRectF(0, self.height() - 1, self.width(), 1))
        painter.setBrush(theme.colour("accent"))
        largest = max(self._values, default=1.0) or 1.0
        left = self.width() - len(self._values) * (_BAR + _GAP)
        for place, value in enumerate(self._values):
            height = max(2.0, (self.height() - 3) * value / largest)
            painter.drawRoundedRect(QRectF(left + place * (_BAR + _GAP), self.height() - 1 - height, _BAR, height), 1, 1)
