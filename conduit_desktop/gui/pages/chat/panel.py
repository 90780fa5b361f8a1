"""The side panel of the chat: key, system prompt and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QFrame, QVBoxLayout

from conduit_desktop.actions.schemas.views import KeyView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.editors import Combo
from conduit_desktop.gui.widgets.forms.form import Form

EFFORTS = [("Default", None), ("Low", "low"), ("Medium", "medium"), ("High", "high")]
NO_KEY = ("None (operator, no limits)", None)


class ChatPanel(QFrame):
    """A form; `parameters` returns the keyword arguments of `AdminClient.chat`, and `effort`."""

    def __init__(self, offers_keys: bool = True) -> None:
        """`offers_keys`: the chat can be sent with any key; with a gateway elsewhere, its client has the only one."""
        super().__init__()
        self.setObjectName("card")
        theme.scaled(self, lambda it: it.setFixedWidth(theme.px(264)))
        self.form = Form()
        self.form.add_combo("key_id", "Virtual key", [NO_KEY], "The limits and the budget of the key apply.")
        if not offers_keys:
            self.form.fields["key_id"].hide()
        self.form.add_area("system", "System prompt", "", "You are…")
        self.form.add_number("temperature", "Temperature", decimals=2, placeholder="Default")
        self.form.add_number("max_tokens", "Max output tokens", placeholder="Default")
        self.form.add_combo("effort", "Reasoning effort", EFFORTS)
        box = QVBoxLayout(self)
        box.setContentsMargins(theme.L, theme.L, theme.L, theme.L)
        box.addWidget(self.form)
        box.addStretch(1)

    def offer_keys(self, keys: Sequence[KeyView]) -> None:
        """Offer the enabled keys, and keep the current choice."""
        editor = self.form.fields["key_id"].editor
        if isinstance(editor, Combo):
            # Kept over the new list: this is called whenever any key changes.
            chosen = editor.value()
            editor.set_choices([NO_KEY, *((key.name, key.id) for key in keys if key.enabled)])
            editor.set_value(chosen)

    def parameters(self) -> dict[str, Any] | None:
        """The values, or None if one is invalid; its field then shows the error."""
        values = self.form.values()
        errors: dict[str, str] = {}
        temperature, max_tokens = values["temperature"], values["max_tokens"]
        if temperature is not None and (isinstance(temperature, str) or not 0 <= temperature <= 2):
            errors["temperature"] = "A number from 0 to 2"
        # A Number returns what is not a number as text, and a fraction as a float.
        if max_tokens is not None and (not isinstance(max_tokens, int) or max_tokens < 1):
            errors["max_tokens"] = "A whole number, at least 1"
        self.form.show_errors(errors)
        if errors:
            return None
        return {
            "system": values["system"].strip() or None,
            "temperature": None if temperature is None else float(temperature),
            "max_tokens": max_tokens,
            "key_id": values["key_id"],
            "effort": values["effort"],
        }
