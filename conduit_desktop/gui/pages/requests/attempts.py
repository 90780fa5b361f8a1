"""The route of one request: its attempts on a vertical line, each with its outcome."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import AttemptView
from conduit_desktop.core.tokens import INPUT_CLASSES, OUTPUT_CLASSES
from conduit_desktop.gui import formatting
from conduit_desktop.gui.request_rows import reason_label
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.pills import Pill

_TOP = 20.0


class AttemptRow(QWidget):
    """One attempt at one target. `step` is the reason for the attempt: first, retry or failover.

    `disconnected`: the client closed the connection before the response ended.
    """

    def __init__(self, attempt: AttemptView, step: str, last: bool, disconnected: bool = False) -> None:
        super().__init__()
        self.outcome, tone = _outcome(attempt, disconnected)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.S)
        row.addWidget(AttemptLine(tone, first=step == "first", last=last))
        well = QFrame()
        well.setObjectName("well")
        column = QVBoxLayout(well)
        column.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.addWidget(label(f"{attempt.provider}/{attempt.model}", "", wrap=True), 1)
        head.addWidget(Pill(self.outcome, tone), 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(head)
        column.addWidget(label(" · ".join(_facts(attempt, step)), "faint", wrap=True))
        if attempt.detail:
            column.addWidget(label(attempt.detail, "muted", wrap=True))
        holder = QVBoxLayout()
        holder.setContentsMargins(0, 0, 0, 0 if last else theme.S)
        holder.addWidget(well)
        row.addLayout(holder, 1)


def _outcome(attempt: AttemptView, disconnected: bool) -> tuple[str, str]:
    """A short label and its colour token."""
    if attempt.outcome != "ok":
        reason = reason_label(attempt.outcome)
        return reason[:1].upper() + reason[1:], "danger"
    return ("Client disconnected", "text_muted") if disconnected else ("Success", "success")


def _facts(attempt: AttemptView, step: str) -> list[str]:
    facts = [] if step == "first" else [step]
    if attempt.status:
        facts.append(f"HTTP {attempt.status}")
    facts.append(formatting.duration(attempt.duration_ms))
    if attempt.credential and attempt.credential != "default":
        facts.append(f"key {attempt.credential}")
    # Of the answered attempt, both are the request's own.
    if attempt.outcome != "ok" and (tokens := sum(attempt.tokens.get(name, 0) for name in (*INPUT_CLASSES, *OUTPUT_CLASSES))):
        facts.append(f"{tokens:,} tokens, {formatting.cost(attempt.cost_usd)}")
    return facts


class AttemptLine(QWidget):
    """A dot on the line that connects the attempts."""

    def __init__(self, tone: str, first: bool, last: bool) -> None:
        super().__init__()
        self._tone, self._first, self._last = tone, first, last
        theme.scaled(self, lambda it: it.setFixedWidth(theme.px(14)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() / 2
        painter.setPen(QPen(theme.colour("border_strong"), 2))
        if not self._first:
            painter.drawLine(QPointF(middle, 0), QPointF(middle, _TOP))
        if not self._last:
            painter.drawLine(QPointF(middle, _TOP), QPointF(middle, self.height()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(self._tone))
        painter.drawEllipse(QPointF(middle, _TOP), 5, 5)
