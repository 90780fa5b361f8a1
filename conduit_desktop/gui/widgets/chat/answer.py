"""One answer in the transcript: thinking, words and tool calls in the order they come, and what it took below."""

from __future__ import annotations

import time

import orjson
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

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


class ThinkingBlock(QFrame):
    """What the model thought: muted, open while it thinks, folded once it speaks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("thinking")
        self._began = time.monotonic()
        self.toggle = QToolButton()
        self.toggle.setObjectName("fold")
        self.toggle.setCheckable(True)
        self.toggle.setChecked(True)
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggle.setArrowType(Qt.ArrowType.DownArrow)
        self.toggle.setText("Thinking…")
        self.toggle.setAccessibleName("Show or hide what the model thought")
        self.toggle.toggled.connect(self.on_toggled)
        self.view = MarkdownView(size=13, ink="text_muted")
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 6, 12, 8)
        box.setSpacing(6)
        box.addWidget(self.toggle)
        box.addWidget(self.view)

    def finish(self) -> None:
        """Thinking is over: fold."""
        self.view.finish()
        self.toggle.setText(f"Thought for {time.monotonic() - self._began:.1f} s")
        self.toggle.setChecked(False)

    def on_toggled(self, open_: bool) -> None:
        """Show or hide the thoughts."""
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        self.view.setVisible(open_)


def pretty(arguments: str) -> str:
    """JSON with indents; anything else as it is."""
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return arguments


class ToolCard(QFrame):
    """A tool the model calls, with its arguments."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolCard")
        self.arguments = ""
        title = QLabel(name)
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setObjectName("cardTitle")
        mark = QLabel()
        mark.setPixmap(theme.pixmap("wrench", 16))
        head = QHBoxLayout()
        head.setSpacing(theme.S)
        head.addWidget(mark)
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
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(REPAINT_MS)
        self._clock.timeout.connect(lambda: self.body.show_code(self.arguments))

    def append(self, arguments: str) -> None:
        """More of the arguments."""
        self.arguments += arguments
        if not self._clock.isActive():
            self._clock.start()

    def finish(self) -> None:
        """The arguments are whole: lay them out."""
        self._clock.stop()
        self.body.show_code(pretty(self.arguments or "{}"))


class AnswerBody(QWidget):
    """Takes an answer's events and shows them."""

    first_words = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        self._open: MarkdownView | ThinkingBlock | None = None
        self._words: list[MarkdownView] = []
        self.thoughts: list[ThinkingBlock] = []
        self.tools: dict[str, ToolCard] = {}

    def take(self, event: Event) -> None:
        """Show one event; those that say nothing to a reader are passed over."""
        match event:
            case TextDelta() | Refused():
                self._speak().append(event.text)
            case TextStarted():
                self._close()
            case ThinkingStarted():
                self._close()
            case ThinkingDelta():
                self._think().view.append(event.text)
            case ToolCallStarted():
                self._close()
                self.tools[event.id] = card = ToolCard(event.name)
                self._column.addWidget(card)
            case ToolCallDelta() if event.id in self.tools:
                self.tools[event.id].append(event.arguments)
            case _:
                return
        self.first_words.emit()

    def finish(self) -> None:
        """The answer is over, well or not."""
        self._close()
        for card in self.tools.values():
            card.finish()

    def markdown(self) -> str:
        """The words of the answer."""
        return "\n\n".join(view.markdown() for view in self._words)

    def _speak(self) -> MarkdownView:
        if not isinstance(self._open, MarkdownView):
            self._close()
            self._open = MarkdownView()
            self._words.append(self._open)
            self._column.addWidget(self._open)
        return self._open

    def _think(self) -> ThinkingBlock:
        if not isinstance(self._open, ThinkingBlock):
            self._close()
            self._open = ThinkingBlock()
            self.thoughts.append(self._open)
            self._column.addWidget(self._open)
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._open.finish()
            self._open = None
