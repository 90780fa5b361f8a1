"""A check box in the form of a switch."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton

from conduit_desktop.gui.theme import theme


class Switch(QAbstractButton):
    """On or off; Space toggles it."""

    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.scaled(self, lambda it: it.setFixedSize(it.sizeHint()))

    def sizeHint(self) -> QSize:
        return QSize(theme.px(34), theme.px(20))

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.isEnabled():
            painter.setOpacity(0.5)
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(theme.colour("accent"), 1.5) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent" if self.isChecked() else "border_strong"))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(Qt.GlobalColor.white)
        x = box.right() - box.height() / 2 if self.isChecked() else box.left() + box.height() / 2
        painter.drawEllipse(QPointF(x, box.center().y()), *(2 * (box.height() / 2 - 2.5,)))
