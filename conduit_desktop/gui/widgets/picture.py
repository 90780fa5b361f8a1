"""A fixed-size drawing of an icon in its own colours, sharp on every screen."""

from __future__ import annotations

from PySide6.QtGui import QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget


class IconPicture(QWidget):
    """`icon`, `size` pixels square."""

    def __init__(self, icon: QIcon, size: int) -> None:
        super().__init__()
        self._icon = icon
        self.setFixedSize(size, size)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._icon.paint(QPainter(self), self.rect())
