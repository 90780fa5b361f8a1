"""Stacked bars by day with a scale, a legend, and a tooltip for each day."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme

OTHER = "Other"
_SCALE, _AXIS, _TOP = 64, 24, 10
"""Pixels for the scale at the left, the days below, and the space above."""

_LINES = 4


@dataclass(frozen=True)
class Series:
    """One series of the stack: a value for each day."""

    name: str
    values: tuple[float, ...]


class StackedBars(QWidget):
    """The chart with a legend of the series and their totals."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = Bars()
        self.legend = Legend()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.S)
        column.addWidget(self.bars, 1)
        column.addWidget(self.legend)

    def show_series(self, days: Sequence[str], series: Sequence[Series], show: Callable[[float], str]) -> None:
        """`days` as short labels, `series` largest first, `show` formats a value."""
        self.bars.show_series(days, series, show)
        self.legend.show_names([(one.name, show(sum(one.values))) for one in series])


class Bars(QWidget):
    """The chart without its legend."""

    def __init__(self) -> None:
        super().__init__()
        self.days: Sequence[str] = ()
        self.series: Sequence[Series] = ()
        self._show_value: Callable[[float], str] = str
        self.limit: float | None = None
        self._hover = -1
        self.setMouseTracking(True)
        theme.scaled(self, lambda it: it.setMinimumHeight(theme.px(120)))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_series(
        self, days: Sequence[str], series: Sequence[Series], show: Callable[[float], str], limit: float | None = None
    ) -> None:
        """Draw these series, and a dashed line at `limit`; see `StackedBars.show_series`."""
        self.days, self.series, self._show_value, self.limit = days, series, show, limit
        self.update()

    def tip(self, at: int) -> str:
        """The tooltip of a day, by index, as HTML."""
        parts = [(series.name, series.values[at]) for series in self.series if series.values[at]]
        lines = [f"<b>{self.days[at]}</b> &nbsp; {self._show_value(sum(value for _, value in parts))}"]
        # Escaped: model names come from clients, and tooltips draw HTML.
        lines += [f"{escape(name)} &nbsp; {self._show_value(value)}" for name, value in sorted(parts, key=lambda part: -part[1])]
        return "<br>".join(lines)

    def day_at(self, x: float) -> int:
        """The index of the day at a horizontal position in pixels; -1 outside the chart."""
        at = math.floor((x - theme.px(_SCALE)) / self._step())
        return at if 0 <= at < len(self.days) else -1

    def _step(self) -> float:
        return max(1.0, self.width() - theme.px(_SCALE)) / max(1, len(self.days))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(11))
        height = self.height() - theme.px(_AXIS) - theme.px(_TOP)
        most = max((sum(column) for column in zip(*(one.values for one in self.series), strict=True)), default=0)
        top = nice_top(max(most, self.limit or 0))
        self._paint_scale(painter, height, top)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_bars(painter, theme.px(_TOP) + height, height / top)
        if self.limit is not None:
            painter.setPen(QPen(theme.colour("danger"), 1.2, Qt.PenStyle.DashLine))
            y = theme.px(_TOP) + height * (1 - self.limit / top)
            painter.drawLine(QPointF(theme.px(_SCALE), y), QPointF(self.width(), y))
        self._paint_days(painter)

    def _paint_scale(self, painter: QPainter, height: float, top: float) -> None:
        for line in range(_LINES + 1):
            y = theme.px(_TOP) + height * line / _LINES
            painter.setPen(QPen(theme.colour("border"), 1))
            # On whole pixels: a thin line between two would be blurred over both.
            painter.drawLine(theme.px(_SCALE), round(y), self.width(), round(y))
            painter.setPen(theme.colour("text_faint"))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(
                QRectF(0, y - theme.px(8), theme.px(_SCALE) - 10, theme.px(16)),
                int(right),
                self._show_value(top * (_LINES - line) / _LINES),
            )

    def _paint_bars(self, painter: QPainter, base: float, scale: float) -> None:
        step = self._step()
        painter.setPen(Qt.PenStyle.NoPen)
        if self._hover >= 0:
            painter.fillRect(
                QRectF(theme.px(_SCALE) + self._hover * step, theme.px(_TOP), step, base - theme.px(_TOP)), theme.colour("hover")
            )
        width = min(step * 0.68, 46)
        below = [0.0] * len(self.days)
        for place, series in enumerate(self.series):
            painter.setBrush(theme.series_colour(place))
            for at, value in enumerate(series.values):
                if value:
                    x = theme.px(_SCALE) + (at + 0.5) * step - width / 2
                    # Without rounded corners, which would leave gaps between the parts of a stack.
                    painter.drawRect(QRectF(x, base - (below[at] + value) * scale, width, value * scale))
                    below[at] += value

    def _paint_days(self, painter: QPainter) -> None:
        painter.setPen(theme.colour("text_faint"))
        last, every = len(self.days) - 1, max(1, math.ceil(theme.px(56) / self._step()))
        for at, day in enumerate(self.days):
            # Counted from the last day, so that the current day always has its label.
            if (last - at) % every == 0:
                # The last label must not reach over the edge of the widget.
                middle = min(theme.px(_SCALE) + (at + 0.5) * self._step(), self.width() - theme.px(24))
                painter.drawText(
                    QRectF(middle - theme.px(40), self.height() - theme.px(_AXIS) + 6, theme.px(80), theme.px(16)),
                    int(Qt.AlignmentFlag.AlignHCenter),
                    day,
                )

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self.day_at(event.position().x())
        if at != self._hover:
            self._hover = at
            self.update()
        if at >= 0:
            QToolTip.showText(event.globalPosition().toPoint(), self.tip(at), self)

    def leaveEvent(self, event: Any) -> None:
        self._hover = -1
        self.update()


def nice_top(most: float) -> float:
    """The end of a scale for values up to `most` with round quarters: 1, 2, 4 or 8 times a power of ten."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next((power * factor for factor in (1, 2, 4, 8) if most <= power * factor), power * 10)


class Legend(QWidget):
    """Coloured squares with names and amounts, on as many lines as needed."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[tuple[str, str]] = []
        self._places: list[tuple[int, int]] = []
        theme.scaled(self, lambda it: it.setFixedHeight(theme.px(20)))

    def show_names(self, names: list[tuple[str, str]]) -> None:
        """`(name, amount as text)` in the order of the series."""
        self._names = names
        self._arrange()
        self.update()

    def _arrange(self) -> None:
        metrics, x, y = QFontMetrics(theme.font(12)), 0, 0
        self._places = []
        for name, amount in self._names:
            width = theme.px(22) + metrics.horizontalAdvance(f"{name}  {amount}") + theme.px(14)
            if x and x + width > self.width():
                x, y = 0, y + theme.px(20)
            self._places.append((x, y))
            x += width
        self.setFixedHeight(y + theme.px(20))

    def resizeEvent(self, event: Any) -> None:
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(12))
        metrics = painter.fontMetrics()
        for place, ((name, amount), (x, y)) in enumerate(zip(self._names, self._places, strict=True)):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.series_colour(place))
            painter.drawRoundedRect(x, y + theme.px(5), theme.px(10), theme.px(10), 3, 3)
            painter.setPen(theme.colour("text"))
            painter.drawText(x + theme.px(16), y + theme.px(14), name)
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(x + theme.px(16) + metrics.horizontalAdvance(f"{name}  "), y + theme.px(14), amount)
