"""Short messages in a corner of the window that disappear after a few seconds."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QGraphicsDropShadowEffect, QHBoxLayout, QWidget

from conduit_desktop.core.entities import Severity
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label

_LOOKS: dict[str, tuple[str, str, int]] = {
    "info": ("check-circle", "success", 3500),
    "warning": ("warning", "warning", 6000),
    "error": ("warning-circle", "danger", 9000),
}
"""Icon, colour token and duration in milliseconds, by severity."""

MOST = 4


class Toaster(QObject):
    """Stacks toasts in the lower right corner of `parent`; at most MOST, the oldest are removed first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.toasts: list[Toast] = []
        parent.installEventFilter(self)

    def show_text(self, text: str, severity: Severity = "info") -> None:
        """Show a message; the same text again replaces the message that is shown."""
        for toast in [one for one in self.toasts if one.text == text]:
            self._drop(toast)
        toast = Toast(self._parent, text, severity)
        toast.timer.timeout.connect(lambda: self._drop(toast))
        toast.dismissed = lambda: self._drop(toast)
        self.toasts.append(toast)
        for old in self.toasts[:-MOST]:
            self._drop(old)
        toast.show()
        toast.raise_()
        self._place()

    def _drop(self, toast: Toast) -> None:
        # A click, the timer and a newer message may all remove the same toast.
        if toast in self.toasts:
            self.toasts.remove(toast)
            toast.hide()
            toast.deleteLater()
            self._place()

    def _place(self) -> None:
        bottom = self._parent.height() - theme.XL
        for toast in reversed(self.toasts):
            toast.adjustSize()
            bottom -= toast.height()
            toast.move(self._parent.width() - toast.width() - theme.XL, bottom)
            bottom -= theme.S

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._place()
        return False


class Toast(QFrame):
    """One message; a click closes it."""

    def __init__(self, parent: QWidget, text: str, severity: Severity) -> None:
        super().__init__(parent)
        self.setObjectName("toast")
        self.text = text
        self.dismissed = self.hide
        icon, tone, stay_ms = _LOOKS[severity]
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.M + 2, theme.M, theme.L, theme.M)
        row.setSpacing(theme.S + 2)
        content = label(text, wrap=len(text) > 48)
        theme.scaled(content, lambda it: it.setMaximumWidth(theme.px(380)))
        if len(text) > 48:
            # A wrapped label asks for little width by itself, and would become a tall column.
            theme.scaled(content, lambda it: it.setMinimumWidth(theme.px(340)))
        row.addWidget(IconLabel(icon, 18, tone))
        row.addWidget(content, 1)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(24)
        shadow.setOffset(0, 4)
        shadow.setColor(theme.colour("shadow"))
        self.setGraphicsEffect(shadow)
        self.timer = QTimer(self)
        self.timer.setSingleShot(True)
        self.timer.start(stay_ms)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.dismissed()
