"""A letter on a coloured tile: tells one name from another at a glance, without anybody's logo."""

from __future__ import annotations

import zlib

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from conduit_desktop.gui.theme import theme


class Monogram(QWidget):
    """The first letter of `name`, in the series colour that this name always has."""

    def __init__(self, name: str = "", size: int = 36) -> None:
        super().__init__()
        self.setFixedSize(size, size)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.faded = False
        self.show_name(name)

    def show_name(self, name: str, faded: bool = False) -> None:
        """Show another name; `faded` for what is switched off."""
        self._letter = name[:1].upper()
        self._colour = zlib.crc32(name.casefold().encode()) % len(theme.theme().series)
        self.faded = faded
        self.update()

    # Qt's own

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = theme.colour("text_faint") if self.faded else theme.series_colour(self._colour)
        ground = type(ink)(ink)
        ground.setAlphaF(0.14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(self.rect(), self.width() / 4, self.width() / 4)
        painter.setPen(ink)
        painter.setFont(theme.font(self.width() // 2 - 2, bold=True))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._letter)
