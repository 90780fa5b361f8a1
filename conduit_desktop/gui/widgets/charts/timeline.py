"""A stream drawn over time: a mark for each piece, by what was in it, and the names of the tools that were called."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from conduit_desktop.gui import formatting
from conduit_desktop.gui.theme import theme

Kind = Literal["text", "thinking", "tool_call", "end", "other"]
NAMES: dict[Kind, str] = {"text": "text", "thinking": "thinking", "tool_call": "tool call", "end": "end", "other": "other data"}
TONES: dict[Kind, str] = {"text": "accent", "thinking": "info", "tool_call": "warning", "end": "text_muted", "other": "border"}
# Heights tell the kinds apart as well: colours alone would not for everybody.
_HEIGHTS: dict[Kind, float] = {"text": 0.62, "thinking": 0.4, "tool_call": 0.85, "end": 1.0, "other": 0.22}
_NEAR = 4.0
"""Pixels from a mark within which the pointer is on it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a stream: when it came, in ms, what was in it, and the tool whose call begins in it."""

    at_ms: float
    kind: Kind
    characters: int = 0
    tool: str = ""


class StreamTimeline(QWidget):
    """`show_pieces` fills it. The arrow keys go from piece to piece; a tooltip and the accessible description name it."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[Piece] = []
        self._times: list[float] = []
        self._end_ms = 1.0
        self._current = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Timeline of the stream")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_pieces(self, pieces: Sequence[Piece]) -> None:
        """The pieces in order; the scale goes from the request's arrival to the last one."""
        self._pieces = list(pieces)
        self._times = [piece.at_ms for piece in pieces]
        self._end_ms = max(self._times, default=1.0) or 1.0
        self._current = -1
        self.setAccessibleDescription(summary(self._pieces))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(220, 34 + 2 * metrics.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def _x(self, at_ms: float) -> float:
        return 1 + (self.width() - 3) * at_ms / self._end_ms

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(11))
        line = painter.fontMetrics().height()
        top, base = float(line + 2), float(self.height() - line - 4)
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.drawLine(0, int(base), self.width(), int(base))
        painter.setPen(Qt.PenStyle.NoPen)
        for place, piece in enumerate(self._pieces):
            height = (base - top) * _HEIGHTS[piece.kind]
            wide = 3.0 if place == self._current else 2.0
            painter.fillRect(QRectF(self._x(piece.at_ms), base - height, wide, height), theme.colour(TONES[piece.kind]))
        self._paint_texts(painter, line, base)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("accent"), 1, Qt.PenStyle.DotLine))
            painter.drawRect(0, 0, self.width() - 1, self.height() - 1)

    def _paint_texts(self, painter: QPainter, line: int, base: float) -> None:
        painter.setPen(theme.colour("text_faint"))
        scale = QRectF(0, base + 3, self.width(), line)
        painter.drawText(scale, int(Qt.AlignmentFlag.AlignLeft), "0")
        painter.drawText(scale, int(Qt.AlignmentFlag.AlignRight), formatting.duration(self._end_ms))
        painter.setPen(theme.colour("text_muted"))
        free_from = 0.0
        for piece in self._pieces:
            if not piece.tool:
                continue
            width = min(float(painter.fontMetrics().horizontalAdvance(piece.tool)), 140.0)
            x = min(max(self._x(piece.at_ms) - 2, 0.0), max(0.0, self.width() - width))
            if x < free_from:
                continue  # it would cover the name before it; the tooltip has it
            elided = painter.fontMetrics().elidedText(piece.tool, Qt.TextElideMode.ElideRight, int(width) + 1)
            painter.drawText(QRectF(x, 0, width + 1, line), int(Qt.AlignmentFlag.AlignLeft), elided)
            free_from = x + width + 8

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        found = self._nearest(event.position().x())
        self._show_piece(found)
        if found >= 0:
            QToolTip.showText(event.globalPosition().toPoint(), self._text_of(found), self)

    def leaveEvent(self, event: object) -> None:
        self._show_piece(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._pieces) - 1
        steps = {
            Qt.Key.Key_Right: self._current + 1,
            Qt.Key.Key_Left: self._current - 1 if self._current >= 0 else last,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        wanted = steps.get(Qt.Key(event.key()))
        if wanted is None or last < 0:
            super().keyPressEvent(event)
            return
        self._show_piece(max(0, min(last, wanted)))
        corner = self.mapToGlobal(self.rect().topLeft())
        corner.setX(corner.x() + int(self._x(self._times[self._current])))
        QToolTip.showText(corner, self._text_of(self._current), self)

    def _nearest(self, x: float) -> int:
        """The place of the piece at `x` pixels, or -1."""
        if not self._pieces:
            return -1
        after = bisect_left(self._times, (x - 1) * self._end_ms / max(1, self.width() - 3))
        near = min((max(0, after - 1), min(after, len(self._times) - 1)), key=lambda place: abs(self._x(self._times[place]) - x))
        return near if abs(self._x(self._times[near]) - x) <= _NEAR else -1

    def _show_piece(self, place: int) -> None:
        if place == self._current:
            return
        self._current = place
        self.setAccessibleDescription(self._text_of(place) if place >= 0 else summary(self._pieces))
        self.update()

    def _text_of(self, place: int) -> str:
        piece = self._pieces[place]
        before = self._times[place - 1] if place else 0.0
        what = f"{NAMES[piece.kind]} {piece.tool}".rstrip()
        size = f", {piece.characters:,} characters" if piece.characters else ""
        return (
            f"{formatting.duration(piece.at_ms)}: {what}{size} ({formatting.duration(piece.at_ms - before)} after the one before)"
        )


def summary(pieces: Sequence[Piece]) -> str:
    """The stream in a sentence: how many pieces, the first content, the longest gap after it, the tools called."""
    if not pieces:
        return ""
    parts = [f"{len(pieces):,} pieces in {formatting.duration(pieces[-1].at_ms)}"]
    first = next((piece for piece in pieces if piece.characters or piece.tool), None)
    if first is not None:
        parts.append(f"first content after {formatting.duration(first.at_ms)}")
    gap = longest_gap(pieces)
    if gap is not None:
        parts.append(f"longest gap {formatting.duration(gap[1])}, {formatting.duration(gap[0])} after the start")
    tools = [piece.tool for piece in pieces if piece.tool]
    if tools:
        parts.append(f"tool calls: {', '.join(tools)}")
    return "; ".join(parts)


def longest_gap(pieces: Sequence[Piece]) -> tuple[float, float] | None:
    """Where the longest gap between two pieces begins, and how long it is, in ms; None for fewer than two pieces."""
    gaps = [(before.at_ms, after.at_ms - before.at_ms) for before, after in pairwise(pieces)]
    return max(gaps, key=lambda gap: gap[1], default=None)
