"""Rendered markdown as tall as its text, without HTML and without remote images; links open in the browser."""

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

# Without HTML: in a model's text it could hide words, or name files to load.
_FEATURES = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
_SCHEMES = frozenset({"http", "https", "mailto"})
_TEXT = 14
_PARAGRAPH = 8
_HEADING_SIZE = {1: 19, 2: 17, 3: 15}
"""Pixels; Qt's default headings are much larger."""


def open_link(url: QUrl) -> None:
    """Open a web or mail link with the system's default program; other schemes are ignored, since the text is a model's."""
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
        # QTextBrowser would follow any link by itself, whatever its scheme.
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
        # The colours are part of the document, so another palette means another document.
        theme.theme().changed.connect(self._render)

    def show_markdown(self, text: str) -> None:
        """Render `text`, if it has changed."""
        if text != self._markdown:
            self._markdown = text
            self._render()

    def markdown(self) -> str:
        """The shown text as markdown."""
        return self._markdown

    def _render(self) -> None:
        document = self.document()
        document.setMarkdown(self._markdown, _FEATURES)
        self._apply_style()
        self._fit()

    def _apply_style(self) -> None:
        """Set the app's own sizes and colours for headings, lines, inline code and tables."""
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()  # one layout pass for all changes
        block = self.document().begin()
        while block.isValid():
            self._style_block(block)
            block = block.next()
        cursor.endEditBlock()
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._style_table(frame)

    def _style_block(self, block: QTextBlock) -> None:
        cursor = QTextCursor(block)
        given = block.blockFormat()
        level = given.headingLevel()
        shape = QTextBlockFormat()
        shape.setLineHeight(140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        if cursor.currentTable() is None:
            shape.setTopMargin(8 if level else 0)
            # After the last block comes the spacing of the column itself.
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
            found.append((piece.position(), piece.length(), self._format_of(piece.charFormat(), level, ink)))
            pieces += 1
        return found

    def _format_of(self, given: QTextCharFormat, level: int, ink: str) -> QTextCharFormat:
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

    def _style_table(self, table: QTextTable) -> None:
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

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        return None  # a remote image would report to its server that, and from where, the text was read

    def sizeHint(self) -> QSize:
        return QSize(400, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # `_fit` sets the height, which is a resize too: only another width changes the lines.
        if event.oldSize().width() != event.size().width():
            self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # The view is as tall as its text: the wheel has to scroll the transcript around it.
        event.ignore()
