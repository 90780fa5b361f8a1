"""A stretch of rendered markdown as tall as its text: no HTML, no fetched images, links open outside."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QWidget

from conduit_desktop.gui.theme import theme

_FEATURES = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
_SCHEMES = frozenset({"http", "https", "mailto"})
_TEXT = 14
_PARAGRAPH = 8
_HEADING_SIZE = {1: 19, 2: 17, 3: 15}
"""Pixels; Qt's own headings shout."""


def open_link(url: QUrl) -> None:
    """Open a web or mail link in the system's own program; anything else a model may have written is ignored."""
    if url.scheme().lower() in _SCHEMES:
        QDesktopServices.openUrl(url)


class ProseView(QTextBrowser):
    """Selectable rendered markdown that scrolls with its parent."""

    def __init__(self, parent: QWidget | None = None, *, size: int = _TEXT, ink: str = "text") -> None:
        super().__init__(parent)
        self.setObjectName("prose")
        self._size = size
        self._ink = ink
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.anchorClicked.connect(open_link)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(1)
        self.document().setUndoRedoEnabled(False)
        self.document().setDefaultFont(theme.font(size))
        self._markdown = ""
        theme.theme().changed.connect(self._render)

    def show_markdown(self, text: str) -> None:
        """Render `text`, unless it is shown already."""
        if text != self._markdown:
            self._markdown = text
            self._render()

    def markdown(self) -> str:
        """What is shown, as it was given."""
        return self._markdown

    def _render(self) -> None:
        document = self.document()
        document.setMarkdown(self._markdown, _FEATURES)
        self._dress()
        self._fit()

    def _dress(self) -> None:
        """Headings, line height, inline code and tables the way the house wears them."""
        whole = QTextCursor(self.document())
        whole.beginEditBlock()  # one layout for all, not one for each change
        block = self.document().begin()
        while block.isValid():
            self._dress_block(block)
            block = block.next()
        whole.endEditBlock()
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._dress_table(frame)

    def _dress_block(self, block: QTextBlock) -> None:
        cursor = QTextCursor(block)
        given = block.blockFormat()
        level = given.headingLevel()
        shape = QTextBlockFormat()
        shape.setLineHeight(140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        if cursor.currentTable() is None:
            shape.setTopMargin(8 if level else 0)
            last = not block.next().isValid()
            shape.setBottomMargin(0 if last else 2 if block.textList() else _PARAGRAPH)
        cursor.mergeBlockFormat(shape)
        quoted = given.intProperty(QTextFormat.Property.BlockQuoteLevel) > 0
        for start, length, shown in self._fragments(block, level, "text_muted" if quoted else self._ink):
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(shown)

    def _fragments(self, block: QTextBlock, level: int, ink: str) -> list[tuple[int, int, QTextCharFormat]]:
        found = []
        pieces = block.begin()
        while not pieces.atEnd():
            piece = pieces.fragment()
            found.append((piece.position(), piece.length(), self._worn(piece.charFormat(), level, ink)))
            pieces += 1
        return found

    def _worn(self, given: QTextCharFormat, level: int, ink: str) -> QTextCharFormat:
        shown = QTextCharFormat()
        if level:
            shown.setProperty(QTextFormat.Property.FontSizeAdjustment, 0)
            shown.setProperty(QTextFormat.Property.FontPixelSize, _HEADING_SIZE.get(level, self._size))
        if given.fontFixedPitch():
            shown.setFontFamilies([theme.font(mono=True).family()])
            shown.setProperty(QTextFormat.Property.FontPixelSize, self._size - 1)
            shown.setBackground(theme.colour("sunken"))
        shown.setForeground(theme.colour("accent_text" if given.isAnchor() else ink))
        return shown

    def _dress_table(self, table: QTextTable) -> None:
        shape = table.format()
        shape.setBorderCollapse(True)
        shape.setBorder(1)
        shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        shape.setBorderBrush(theme.colour("border_strong"))
        shape.setCellPadding(6)
        shape.setCellSpacing(0)
        shape.setWidth(QTextLength(QTextLength.Type.VariableLength, 0))
        shape.setTopMargin(6)
        shape.setBottomMargin(6)
        table.setFormat(shape)

    def _fit(self) -> None:
        self.document().setTextWidth(self.viewport().width())
        self.setFixedHeight(max(1, int(self.document().size().height()) + 2))

    # Qt's own

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        return None  # an image in an answer would tell its author who reads it

    def sizeHint(self) -> QSize:
        return QSize(400, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
