"""Small parts of layouts: a separator line, a scroll area, and emptying a layout."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget


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
