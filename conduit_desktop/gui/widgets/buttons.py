"""Text buttons and icon buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QPushButton, QToolButton

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import plain_tooltip

Kind = Literal["plain", "primary", "danger", "ghost"]
_ICON_TOKENS: dict[str, str] = {"primary": "on_accent", "danger": "danger"}


def button(
    text: str, kind: Kind = "plain", icon: str = "", on_click: Callable[[], Any] | None = None, tip: str = ""
) -> QPushButton:
    """A button with text. At most one `primary` per view; `ghost` has no frame until the pointer is over it."""
    made = QPushButton(f" {text}" if icon else text)
    made.setProperty("kind", kind)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setAutoDefault(False)  # in a dialog, Enter in a field would click the first auto-default button
    if icon:
        token = _ICON_TOKENS.get(kind, "text_muted")
        made.setIcon(theme.icon(icon, token, token))
        theme.scaled(made, lambda it: it.setIconSize(QSize(theme.px(16), theme.px(16))))
    if tip:
        made.setToolTip(plain_tooltip(tip))
    if on_click is not None:
        # Without the argument of `clicked`, the checked state, which callbacks do not take.
        made.clicked.connect(lambda: on_click())
    return made


def icon_button(icon: str, tip: str, on_click: Callable[[], Any] | None = None, checkable: bool = False) -> QToolButton:
    """A square button with only an icon; `tip` is also its accessible name."""
    made = QToolButton()
    made.setIcon(theme.icon(icon, "text_muted", "accent_text"))
    theme.scaled(made, lambda it: it.setIconSize(QSize(theme.px(18), theme.px(18))))
    made.setToolTip(plain_tooltip(tip))
    made.setAccessibleName(tip)
    made.setCheckable(checkable)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    if on_click is not None:
        made.clicked.connect(lambda: on_click())
    return made
