"""Markdown that may still be arriving: words are gathered and drawn ten times a second, never one by one."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.chat.markdown_blocks import Block, CodeChunk, Cutter
from conduit_desktop.gui.widgets.chat.prose import ProseView

REPAINT_MS = 100


class MarkdownView(QWidget):
    """A column of prose and code. `grew` is emitted after each repaint."""

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
        self._cutter = Cutter()
        self._drawn = 0
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(REPAINT_MS)
        self._clock.timeout.connect(self.flush)

    def append(self, text: str) -> None:
        """Take more of the text; it is drawn within REPAINT_MS."""
        self._pending.append(text)
        if not self._clock.isActive():
            self._clock.start()

    def set_markdown(self, text: str) -> None:
        """Show a whole text at once."""
        self.clear()
        self.append(text)
        self.finish()

    def markdown(self) -> str:
        """All the text taken so far, drawn or not."""
        return "".join(self._pieces) + "".join(self._pending)

    def flush(self) -> None:
        """Draw what came since the last time."""
        self._clock.stop()
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        self._pieces.append(text)
        self._cutter.feed(text)
        self._draw(self._cutter.open_block())

    def finish(self) -> None:
        """The text is over: draw all of it."""
        self.flush()
        self._cutter.close()
        self._draw(None)

    def clear(self) -> None:
        """Forget everything."""
        self._clock.stop()
        self._pending.clear()
        self._pieces.clear()
        self._cutter = Cutter()
        self._drawn = 0
        self._drop_from(0)

    def _draw(self, unsettled: Block | None) -> None:
        for index in range(self._drawn, len(self._cutter.settled)):
            self._put(index, self._cutter.settled[index])
        self._drawn = len(self._cutter.settled)
        if unsettled is not None:
            self._put(self._drawn, unsettled)
        self._drop_from(self._drawn + (unsettled is not None))
        self.grew.emit()

    def _put(self, index: int, block: Block) -> None:
        kind: type[QWidget] = CodeBlock if isinstance(block, CodeChunk) else ProseView
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
