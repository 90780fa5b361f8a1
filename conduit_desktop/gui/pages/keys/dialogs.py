"""Dialogs of virtual keys: make or change one, and show a new one once, ready to be used."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QListWidget, QVBoxLayout, QWidget

from conduit_desktop.actions import keys
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding.snippets import snippets
from conduit_desktop.actions.schemas.inputs import KeyPatch, NewKey, read
from conduit_desktop.actions.schemas.views import KeyView, NewKeyView
from conduit_desktop.gui.pages import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.empty import IconLabel
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, section, side_by_side

PERIODS = [("In total", "total"), ("Each day", "daily"), ("Each week", "weekly"), ("Each month", "monthly")]
UNPRICED = [("Allow them", "allow"), ("Block them", "block")]

_MIDNIGHT = re.compile(r"T00:00:00(\.0+)?Z$")


class KeyDialog(FormDialog):
    """Makes a key, or changes one. `made` is the new key after it was accepted."""

    def __init__(self, parent: QWidget | None, context: AppContext, ui: Ui, key: KeyView | None = None) -> None:
        title = "New virtual key" if key is None else f"Edit {key.name}"
        super().__init__(parent, ui, title, "Create key" if key is None else "Save", 560, 460)
        self.context = context
        self.key = key
        self.made: NewKeyView | None = None
        self._build()
        self.form.set_values({"budget_period": "monthly", "unpriced": "allow"} if key is None else _values(key))

    def _build(self) -> None:
        form = self.form
        form.add_text("name", "Name", "What it is for: an app, a person, a machine.", "my-app", required=True)
        form.add_text("description", "Description")
        form.add_list("models", "Models", "Aliases or patterns, one a line. Empty: every model.", "gpt-*")
        form.add_widget(section("Budget"))
        budget = form.add_number("budget_usd", "Spend at most", decimals=6, unit="USD", placeholder="No limit")
        form.add_widget(side_by_side(budget, form.add_combo("budget_period", "Counted", PERIODS)))
        form.add_combo(
            "unpriced", "Models without a price", UNPRICED, "What such calls cost is unknown; a budget cannot hold them."
        )
        form.add_widget(section("Limits"))
        rpm = form.add_number("rpm", "Requests a minute", placeholder="No limit")
        form.add_widget(side_by_side(rpm, form.add_number("rpd", "Requests a day", placeholder="No limit")))
        tpm = form.add_number("tpm", "Tokens a minute", placeholder="No limit")
        form.add_widget(side_by_side(tpm, form.add_number("max_parallel", "At the same time", placeholder="No limit")))
        form.add_widget(section("Safety"))
        form.add_text("expires_at", "Expires", "A date such as 2027-01-31 (midnight UTC). Empty: never.", "Never")
        form.add_list("allowed_ips", "Allowed addresses", "IP addresses or CIDR blocks, one a line. Empty: from anywhere.")
        form.add_toggle("log_payloads", "Keep prompts and answers", "They are stored on this computer, bounded in age and size.")

    async def save(self) -> None:
        """Create or edit."""
        values: dict[str, Any] = {**self.form.values(), "expires_at": self.form.value("expires_at") or None}
        if self.key is None:
            self.made = await keys.create(self.context, read(NewKey, values), "gui")
        else:
            await keys.edit(self.context, self.key.id, read(KeyPatch, values), "gui")


def _values(key: KeyView) -> dict[str, Any]:
    return {**key.model_dump(), "expires_at": _MIDNIGHT.sub("", key.expires_at or "")}


class KeyShownOnce(Dialog):
    """The new key, its only appearance, and snippets that already hold it."""

    def __init__(self, parent: QWidget | None, ui: Ui, context: AppContext, key: NewKeyView, model: str) -> None:
        super().__init__(parent, f"{key.name} is ready", "Done", width=760)
        self.cancel.hide()
        self.line = QLineEdit(key.key)
        self.line.setReadOnly(True)
        self.line.setFont(theme.font(13, mono=True))
        self.line.setAccessibleName("The new key")
        self.line.setCursorPosition(0)
        self.copy_button = button("Copy key", "primary", "copy", lambda: ui.copy(key.key))
        row = QHBoxLayout()
        row.setSpacing(theme.S)
        row.addWidget(self.line, 1)
        row.addWidget(self.copy_button)
        self.primary.setProperty("kind", "plain")
        self.body.addWidget(_notice("Copy it now. Only its fingerprint is kept, so it cannot be shown again."))
        self.body.addLayout(row)
        self.body.addWidget(section("Use it"))
        self.snippets = Snippets(context, key.key, model)
        self.body.addWidget(self.snippets)


class SetUpDialog(Dialog):
    """Snippets for a key that is there already; its place is held by a placeholder."""

    def __init__(self, parent: QWidget | None, context: AppContext, key: KeyView, model: str) -> None:
        super().__init__(parent, f"Set up a client with {key.name}", "Done", width=760)
        self.cancel.hide()
        note = QLabel(f"Put the key {key.hint} in the marked place. If nobody kept it, rotate it.")
        note.setObjectName("muted")
        self.body.addWidget(note)
        self.body.addWidget(Snippets(context, None, model))


class Snippets(QWidget):
    """Clients at the left, ready text for the chosen one at the right, built from the address the server really has."""

    def __init__(self, context: AppContext, key: str | None, model: str) -> None:
        super().__init__()
        self.rows = snippets(address_of(context), key, model)
        self.clients = QListWidget()
        self.clients.setObjectName("choices")
        self.clients.setAccessibleName("Client")
        self.clients.setFixedWidth(150)
        self.clients.addItems([row.label for row in self.rows])
        self.note = QLabel()
        self.note.setObjectName("fieldHelp")
        self.note.setWordWrap(True)
        self.code = CodeBlock()
        column = QVBoxLayout()
        column.setSpacing(theme.S)
        column.addWidget(self.note)
        column.addWidget(self.code)
        column.addStretch(1)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(theme.L)
        across.addWidget(self.clients)
        across.addLayout(column, 1)
        self.setMinimumHeight(330)
        self.clients.currentRowChanged.connect(self.on_chosen)
        self.clients.setCurrentRow(0)

    def on_chosen(self, at: int) -> None:
        """Show the snippet of another client."""
        self.note.setText(self.rows[at].note)
        self.code.show_code(self.rows[at].text.rstrip(), self.rows[at].language)


def address_of(context: AppContext) -> str:
    """Where the server listens; where it would, while it does not."""
    return context.server.address or f"http://127.0.0.1:{context.gateway.snapshot.settings.port}"


def _notice(text: str) -> QFrame:
    frame = QFrame()
    frame.setObjectName("banner")
    frame.setProperty("tone", "warning")
    row = QHBoxLayout(frame)
    row.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
    row.setSpacing(theme.S)
    row.addWidget(IconLabel("eye", 16, "warning"))
    words = QLabel(text)
    words.setWordWrap(True)
    row.addWidget(words, 1)
    return frame
