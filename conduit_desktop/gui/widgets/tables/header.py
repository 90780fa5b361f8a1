"""The header of a table, with a small arrow next to the name of the sorted column."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QHeaderView

from conduit_desktop.gui.theme import theme

HEIGHT = 34


class Header(QHeaderView):
    """Painted here, because the sort arrow of Qt's style covers the name of a narrow column."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setHighlightSections(False)
        self.setSectionsClickable(True)
        theme.scaled(self, lambda it: it.setFixedHeight(theme.px(HEIGHT)))
        self.setMinimumSectionSize(40)
        # Else the arrow would be at the first column before anything is sorted.
        self.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)

    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        model = self.model()
        text = str(model.headerData(logicalIndex, Qt.Orientation.Horizontal) or "")
        align = model.headerData(logicalIndex, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
        sorts = self.isSortIndicatorShown() and self.sortIndicatorSection() == logicalIndex
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(12, medium=True))
        painter.setPen(theme.colour("border"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.setPen(theme.colour("text" if sorts else "text_muted"))
        space = rect.adjusted(theme.M, 0, -theme.M, 0)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, space.width())
        painter.drawText(space, int(align), shown)
        if sorts:
            width = painter.fontMetrics().horizontalAdvance(shown)
            x = space.right() - width - 9 if align & Qt.AlignmentFlag.AlignRight else space.left() + width + 9
            self._paint_arrow(painter, QPointF(x, space.center().y() + 1))
        painter.restore()

    def _paint_arrow(self, painter: QPainter, at: QPointF) -> None:
        up = self.sortIndicatorOrder() == Qt.SortOrder.AscendingOrder
        tip = -1.8 if up else 1.8
        painter.setPen(
            QPen(theme.colour("text_muted"), 1.4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        )
        painter.drawPolyline(
            [QPointF(at.x() - 3.2, at.y() - tip), QPointF(at.x(), at.y() + tip), QPointF(at.x() + 3.2, at.y() - tip)]
        )
