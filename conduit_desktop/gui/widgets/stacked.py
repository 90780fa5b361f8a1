"""Stacked bars by day, drawn by pyqtgraph in the theme's colours; imported when the first chart is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QToolTip, QVBoxLayout, QWidget

from conduit_desktop.gui import theme

OTHERS = "others"


@dataclass(frozen=True)
class Series:
    """One colour of the stack: a value for each day."""

    name: str
    values: tuple[float, ...]


class StackedBars(QFrame):
    """`show_series` draws; the legend below names the colours and their sums, hovering a day tells its parts."""

    def __init__(self) -> None:
        super().__init__()
        self._days: Sequence[str] = ()
        self._series: Sequence[Series] = ()
        self._words: Callable[[float], str] = str
        self._left = _Scale(orientation="left")
        self._bottom = pg.AxisItem(orientation="bottom")
        self.plot = pg.PlotWidget(axisItems={"left": self._left, "bottom": self._bottom})
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(False, False)
        self.plot.hideButtons()
        self.plot.setFrameShape(QFrame.Shape.NoFrame)
        self.plot.getPlotItem().getViewBox().setDefaultPadding(0.0)
        self.plot.scene().sigMouseMoved.connect(self._on_hover)
        self.legend = Legend()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.S)
        column.addWidget(self.plot, 1)
        column.addWidget(self.legend)
        theme.theme().changed.connect(self._draw)

    def show_series(self, days: Sequence[str], series: Sequence[Series], words: Callable[[float], str]) -> None:
        """`days` as short labels, `series` largest first, `words` to say a value."""
        self._days, self._series, self._words = days, series, words
        self._left.words = words
        self._draw()

    def _draw(self) -> None:
        self._dress()
        self.plot.clear()
        base = [0.0] * len(self._days)
        for place, series in enumerate(self._series):
            fill = theme.series_colour(place)
            bars = pg.BarGraphItem(
                x=list(range(len(base))), y0=list(base), height=list(series.values), width=0.66, brush=fill, pen=pg.mkPen(None)
            )
            self.plot.addItem(bars)
            base = [below + value for below, value in zip(base, series.values, strict=True)]
        top = max(base, default=0) or 1
        self.plot.setXRange(-0.6, len(self._days) - 0.4, padding=0)
        self.plot.setYRange(0, top * 1.08, padding=0)
        every = max(1, len(self._days) // 10)
        self._bottom.setTicks([[(at, day) for at, day in enumerate(self._days) if (len(self._days) - 1 - at) % every == 0]])
        self.legend.show_names([(one.name, self._words(sum(one.values))) for one in self._series])

    def _dress(self) -> None:
        self.plot.setBackground(theme.colour("raised"))
        self._left.setZValue(-10)
        for axis in (self._left, self._bottom):
            axis.setPen(pg.mkPen(None))
            axis.setTickPen(pg.mkPen(None))
            axis.setTextPen(theme.colour("text_faint"))
            axis.setTickFont(theme.font(11))
            axis.setStyle(tickLength=0, tickTextOffset=8)
        self._left.setWidth(64)
        self._left.line = theme.colour("border")
        self._left.setGrid(False)
        self.plot.getPlotItem().showGrid(x=False, y=False)

    def _on_hover(self, point: QPointF) -> None:
        at = round(self.plot.getPlotItem().getViewBox().mapSceneToView(point).x())
        if 0 <= at < len(self._days):
            QToolTip.showText(self.plot.mapToGlobal(self.plot.mapFromScene(point)), self.tip(at), self.plot)

    def tip(self, at: int) -> str:
        """What hovering the day number `at` says."""
        parts = [(series.name, series.values[at]) for series in self._series if series.values[at]]
        lines = [f"<b>{self._days[at]}</b> &nbsp; {self._words(sum(value for _, value in parts))}"]
        lines += [f"{_plain(name)} &nbsp; {self._words(value)}" for name, value in sorted(parts, key=lambda part: -part[1])]
        return "<br>".join(lines)


class _Scale(pg.AxisItem):  # type: ignore[misc]
    """The value axis, with hairlines across and the values in words."""

    words: Callable[[float], str] = str
    line: Any = None

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [self.words(value) for value in values]

    def generateDrawSpecs(self, painter: QPainter) -> Any:
        specs = super().generateDrawSpecs(painter)
        if specs is None or self.line is None:
            return specs
        _, _, texts = specs
        view = self.linkedView()
        width = view.width() if view is not None else 0
        ticks = []
        for rect, _, _ in texts:
            y = rect.center().y()
            ticks.append((pg.mkPen(self.line), QPointF(self.width(), y), QPointF(self.width() + width, y)))
        return (pg.mkPen(None), QPointF(0, 0), QPointF(0, 0)), ticks, texts


class Legend(QWidget):
    """Coloured squares with names and amounts, wrapped over as many lines as they need."""

    def __init__(self) -> None:
        super().__init__()
        self._names: list[tuple[str, str]] = []
        self._places: list[tuple[int, int]] = []
        self.setFixedHeight(20)

    def show_names(self, names: list[tuple[str, str]]) -> None:
        """`(name, amount in words)` in the order of the series."""
        self._names = names
        self._arrange()
        self.update()

    def _arrange(self) -> None:
        metrics, x, y = QFontMetrics(theme.font(12)), 0, 0
        self._places = []
        for name, amount in self._names:
            width = 22 + metrics.horizontalAdvance(f"{name}  {amount}") + 14
            if x and x + width > self.width():
                x, y = 0, y + 20
            self._places.append((x, y))
            x += width
        self.setFixedHeight(y + 20)

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
            painter.drawRoundedRect(x, y + 5, 10, 10, 3, 3)
            painter.setPen(theme.colour("text"))
            painter.drawText(x + 16, y + 14, name)
            painter.setPen(theme.colour("text_muted"))
            painter.drawText(x + 16 + metrics.horizontalAdvance(f"{name}  "), y + 14, amount)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
