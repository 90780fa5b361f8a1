"""Markdown that may still be arriving: it is drawn at most ten times a second, never once per token."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.chat.markdown_blocks import Block, CodeChunk, MarkdownSplitter
from conduit_desktop.gui.widgets.chat.prose import ProseView

REPAINT_MS = 100


class MarkdownView(QWidget):
    """A column of prose and code blocks. `grew` is emitted after each repaint."""

    grew = Signal()

    def __init__(self, parent: QWidget | None = None, *, size: int = 14, ink: str = "text") -> None:
        super().__init__(parent)
        self._size = size
        self._ink = ink
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)
        self._views: list[ProseView | CodeBlock] = []
        self._pieces: list[str] = []
        self._pending: list[str] = []
        self._splitter = MarkdownSplitter()
        self._drawn = 0
        self._repaint_timer = QTimer(self)
        self._repaint_timer.setSingleShot(True)
        self._repaint_timer.setInterval(REPAINT_MS)
        self._repaint_timer.timeout.connect(self.flush)

    def append(self, text: str) -> None:
        """Append text; it is drawn within REPAINT_MS."""
        self._pending.append(text)
        # Not restarted by each fragment: a steady stream would otherwise postpone the painting to its end.
        if not self._repaint_timer.isActive():
            self._repaint_timer.start()

    def set_markdown(self, text: str) -> None:
        """Show a complete text."""
        self.clear()
        self.append(text)
        self.finish()

    def markdown(self) -> str:
        """The text so far, drawn or not."""
        return "".join(self._pieces) + "".join(self._pending)

    def flush(self) -> None:
        """Draw the text that was appended since the last time."""
        self._repaint_timer.stop()
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        self._pieces.append(text)
        self._splitter.feed(text)
        self._draw(self._splitter.open_block())

    def finish(self) -> None:
        """The text is complete: draw all of it."""
        self.flush()
        self._splitter.close()
        self._draw(None)

    def clear(self) -> None:
        """Remove the text."""
        self._repaint_timer.stop()
        self._pending.clear()
        self._pieces.clear()
        self._splitter = MarkdownSplitter()
        self._drawn = 0
        self._drop_from(0)

    def _draw(self, unsettled: Block | None) -> None:
        # Settled blocks never change, so those drawn before are left alone: a long answer stays cheap to the end.
        for index in range(self._drawn, len(self._splitter.settled)):
            self._put(index, self._splitter.settled[index])
        self._drawn = len(self._splitter.settled)
        if unsettled is not None:
            self._put(self._drawn, unsettled)
        self._drop_from(self._drawn + (unsettled is not None))
        self.grew.emit()

    def _put(self, index: int, block: Block) -> None:
        kind: type[QWidget] = CodeBlock if isinstance(block, CodeChunk) else ProseView
        # The unfinished block was drawn as prose and has become code, or the reverse.
        if index < len(self._views) and not isinstance(self._views[index], kind):
            self._drop_from(index)
        if index == len(self._views):
            view: ProseView | CodeBlock
            view = CodeBlock() if isinstance(block, CodeChunk) else ProseView(size=self._size, ink=self._ink)
            self._views.append(view)
            self._column.addWidget(view)
        view = self._views[index]
        if isinstance(view, CodeBlock) and isinstance(block, CodeChunk):
            view.show_code(block.text, block.language)
        elif isinstance(view, ProseView):
            view.show_markdown(block.text)

    def _drop_from(self, index: int) -> None:
        for view in self._views[index:]:
            self._column.removeWidget(view)
            view.hide()
            view.deleteLater()
        del self._views[index:]
