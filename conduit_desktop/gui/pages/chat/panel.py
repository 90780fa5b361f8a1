"""The chat's side panel: who asks, with which instructions and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtWidgets import QFrame, QVBoxLayout

from conduit_desktop.actions.schemas.views import KeyView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.editors import Combo
from conduit_desktop.gui.widgets.forms.form import Form

EFFORTS = [("As the model likes", None), ("Low", "low"), ("Medium", "medium"), ("High", "high")]


class ChatPanel(QFrame):
    """A form; `parameters` gives what `stream_chat` takes, and shows at the field what cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setFixedWidth(264)
        self.form = Form()
        self.form.add_combo(
            "key_id", "Ask as", [("Operator (no limits)", None)], "A virtual key's limits and budget hold, as for any app."
        )
        self.form.add_area("system", "System prompt", "", "You are…")
        self.form.add_number("temperature", "Temperature", decimals=2, placeholder="Default")
        self.form.add_number("max_tokens", "Most tokens to answer", placeholder="Default")
        self.form.add_combo("effort", "Thinking", EFFORTS)
        box = QVBoxLayout(self)
        box.setContentsMargins(theme.L, theme.L, theme.L, theme.L)
        box.addWidget(self.form)
        box.addStretch(1)

    def offer_keys(self, keys: Sequence[KeyView]) -> None:
        """Offer these keys beside the operator."""
        editor = self.form.fields["key_id"].editor
        if isinstance(editor, Combo):
            chosen = editor.value()
            editor.set_choices([("Operator (no limits)", None), *((key.name, key.id) for key in keys if key.enabled)])
            editor.set_value(chosen)

    def parameters(self) -> dict[str, Any] | None:
        """The values, or None where one does not fit; the field then says why."""
        values = self.form.values()
        errors: dict[str, str] = {}
        temperature, most = values["temperature"], values["max_tokens"]
        if temperature is not None and (isinstance(temperature, str) or not 0 <= temperature <= 2):
            errors["temperature"] = "A number from 0 to 2"
        if most is not None and (not isinstance(most, int) or most < 1):
            errors["max_tokens"] = "A whole number from 1"
        self.form.show_errors(errors)
        if errors:
            return None
        return {
            "system": values["system"].strip() or None,
            "temperature": None if temperature is None else float(temperature),
            "max_tokens": most,
            "key_id": values["key_id"],
            "effort": values["effort"],
        }
