"""Small parts of layouts: a separator line, a scroll area, rows that wrap, and emptying a layout."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLayout, QLayoutItem, QScrollArea, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme


def hairline() -> QFrame:
    """A thin horizontal line."""
    line = QFrame()
    line.setObjectName("hairline")
    line.setFixedHeight(1)
    return line


def scrolled(widget: QWidget) -> QScrollArea:
    """`widget` in a vertical scroll area without a frame."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(widget)
    return area


def clear(layout: QVBoxLayout | QHBoxLayout) -> None:
    """Remove all widgets of a layout; they are deleted later by Qt."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            # Deletion waits for the event loop; until then the widget would be painted over what replaces it.
            widget.hide()
            widget.deleteLater()


class FlowLayout(QLayout):
    """Widgets next to each other, in as many rows as they need. Those with an expanding size policy fill their row."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(theme.XS)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _place(self, rect: QRect, move: bool) -> int:
        """Lay the widgets out from the left; the height that they take."""
        y = rect.y()
        for row in self._rows(rect.width()):
            sizes = [item.sizeHint() for item in row]
            height = max(size.height() for size in sizes)
            growing = [item for item in row if item.expandingDirections() & Qt.Orientation.Horizontal]
            free = rect.width() - sum(size.width() for size in sizes) - self.spacing() * (len(row) - 1)
            x = rect.x()
            for item, size in zip(row, sizes, strict=True):
                width = min(rect.width(), size.width()) + (max(0, free) // len(growing) if item in growing else 0)
                if move:
                    item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), QSize(width, size.height())))
                x += width + self.spacing()
            y += height + self.spacing()
        return max(0, y - self.spacing() - rect.y())

    def _rows(self, width: int) -> list[list[QLayoutItem]]:
        rows: list[list[QLayoutItem]] = []
        x = 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint().width()
            if not rows or x + size > width:
                rows.append([])
                x = 0
            rows[-1].append(item)
            x += size + self.spacing()
        return rows
