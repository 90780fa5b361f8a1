"""Icons and letter tiles as widgets, sharp on dense screens."""

from __future__ import annotations

import zlib

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from conduit_desktop.gui.theme import theme


class IconLabel(QWidget):
    """One icon of a fixed size that follows the theme, on an optional tinted background."""

    def __init__(self, name: str, size: int = 16, tone: str = "text_muted", ground: str = "") -> None:
        super().__init__()
        self._size, self._ground = size, ground
        self.set_icon(name, tone)
        outer = size + (24 if ground else 0)
        theme.scaled(self, lambda it: it.setFixedSize(theme.px(outer), theme.px(outer)))

    def set_icon(self, name: str, tone: str) -> None:
        """Show another icon, or the same in another colour."""
        self._icon = theme.icon(name, tone, tone)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._ground:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(self._ground))
            painter.drawRoundedRect(self.rect(), theme.px(12), theme.px(12))
        inset = (self.width() - theme.px(self._size)) // 2
        self._icon.paint(painter, self.rect().adjusted(inset, inset, -inset, -inset))


class IconPicture(QWidget):
    """An icon in its own colours, `size` pixels square."""

    def __init__(self, icon: QIcon, size: int) -> None:
        super().__init__()
        self._icon = icon
        theme.scaled(self, lambda it: it.setFixedSize(theme.px(size), theme.px(size)))

    def paintEvent(self, event: QPaintEvent) -> None:
        self._icon.paint(QPainter(self), self.rect())


class Monogram(QWidget):
    """The first letter of `name` on a tile, in a colour derived from the name."""

    def __init__(self, name: str = "", size: int = 36) -> None:
        super().__init__()
        theme.scaled(self, lambda it: it.setFixedSize(theme.px(size), theme.px(size)))
        # It may lie on a button, which must get the click.
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.faded = False
        self.show_name(name)

    def show_name(self, name: str, faded: bool = False) -> None:
        """Show another name; `faded` for a disabled item."""
        self._letter = name[:1].upper()
        # Not `hash`, which differs from one start to the next, and the colour with it.
        self._colour = zlib.crc32(name.casefold().encode()) % len(theme.theme().series)
        self.faded = faded
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = theme.colour("text_faint") if self.faded else theme.series_colour(self._colour)
        # A copy: the colour itself is used for the letter, without transparency.
        ground = type(ink)(ink)
        ground.setAlphaF(0.14)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(self.rect(), self.width() / 4, self.width() / 4)
        painter.setPen(ink)
        painter.setFont(theme.font(self.width() // 2 - 2, bold=True))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._letter)
