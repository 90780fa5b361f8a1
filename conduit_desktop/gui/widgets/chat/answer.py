"""The body of a response: reasoning, text and tool calls in the order they arrive."""

from __future__ import annotations

import time
from typing import TypeVar

import orjson
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from conduit_desktop.core.events import (
    Event,
    Refused,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
)
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.chat.code import CodeText
from conduit_desktop.gui.widgets.chat.markdown import REPAINT_MS, MarkdownView
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import PlainLabel


class ThinkingBlock(QFrame):
    """The reasoning of the model: open while it arrives, folded once the text starts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("thinking")
        self._started = time.monotonic()
        self.toggle = QToolButton()
        self.toggle.setObjectName("fold")
        self.toggle.setCheckable(True)
        self.toggle.setChecked(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow)
        self.toggle.setText("Thinking…")
        self.toggle.setAccessibleName("Show or hide the reasoning")
        self.toggle.toggled.connect(self.on_toggled)
        self.view = MarkdownView(size=13, ink="text_muted")
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 6, 12, 8)
        box.setSpacing(6)
        box.addWidget(self.toggle)
        box.addWidget(self.view)

    def finish(self) -> None:
        """The reasoning is complete: fold it."""
        self.view.finish()
        self.toggle.setText(f"Thought for {time.monotonic() - self._started:.1f} s")
        self.toggle.setChecked(False)

    def on_toggled(self, open_: bool) -> None:
        """Show or hide the reasoning."""
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        self.view.setVisible(open_)


def pretty(arguments: str) -> str:
    """JSON indented; any other text as it is."""
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return arguments


class ToolCard(QFrame):
    """A tool call with its arguments."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolCard")
        self.arguments = ""
        title = PlainLabel(name, "cardTitle")
        head = QHBoxLayout()
        head.setSpacing(theme.S)
        head.addWidget(IconLabel("wrench", 16))
        head.addWidget(title)
        head.addStretch(1)
        self.body = CodeText()
        self.body.highlighter.set_language("json")
        self.body.setAccessibleName(f"Arguments of {name}")
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 8, 12, 4)
        box.setSpacing(2)
        box.addLayout(head)
        box.addWidget(self.body)
        self._repaint_timer = QTimer(self)
        self._repaint_timer.setSingleShot(True)
        self._repaint_timer.setInterval(REPAINT_MS)
        self._repaint_timer.timeout.connect(lambda: self.body.show_code(self.arguments))

    def append(self, arguments: str) -> None:
        """Append a fragment of the arguments."""
        self.arguments += arguments
        # Not restarted by each fragment: a steady stream would otherwise postpone the painting to its end.
        if not self._repaint_timer.isActive():
            self._repaint_timer.start()

    def finish(self) -> None:
        """The arguments are complete: show them indented."""
        self._repaint_timer.stop()
        # Only at the end: a part of a JSON document cannot be indented.
        self.body.show_code(pretty(self.arguments or "{}"))


B = TypeVar("B", MarkdownView, ThinkingBlock)


class AnswerBody(QWidget):
    """Shows the events of a response."""

    content_arrived = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        self._open: MarkdownView | ThinkingBlock | None = None
        self._texts: list[MarkdownView] = []
        self.thinking: list[ThinkingBlock] = []
        self.tools: dict[str, ToolCard] = {}

    def take(self, event: Event) -> None:
        """Show one event; events without content are ignored."""
        match event:
            # A refusal is shown as text: it is all there is of the response.
            case TextDelta() | Refused():
                self._open_block(MarkdownView, self._texts).append(event.text)
            case TextStarted():
                self._close()
            case ThinkingStarted():
                self._close()
            case ThinkingDelta():
                self._open_block(ThinkingBlock, self.thinking).view.append(event.text)
            case ToolCallStarted():
                self._close()
                self.tools[event.id] = card = ToolCard(event.name)
                self._column.addWidget(card)
            case ToolCallDelta() if event.id in self.tools:
                self.tools[event.id].append(event.arguments)
            case _:
                return
        self.content_arrived.emit()

    def finish(self) -> None:
        """The response has ended, completely or not."""
        self._close()
        for card in self.tools.values():
            card.finish()

    def markdown(self) -> str:
        """The text of the response, without reasoning and tool calls."""
        return "\n\n".join(view.markdown() for view in self._texts)

    def _open_block(self, kind: type[B], blocks: list[B]) -> B:
        """The open block if it is of `kind`, else a new one, also in `blocks`."""
        if isinstance(self._open, kind):
            return self._open
        self._close()
        self._open = block = kind()
        blocks.append(block)
        self._column.addWidget(block)
        return block

    def _close(self) -> None:
        if self._open is not None:
            self._open.finish()
            self._open = None
