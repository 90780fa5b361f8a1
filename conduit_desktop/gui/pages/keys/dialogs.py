"""Dialogs of virtual keys: create or edit one, show a new one once, and client setup."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QListWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.onboarding.snippets import PLACEHOLDER, snippets
from conduit_desktop.actions.schemas.inputs import KeyPatch, NewKey, read
from conduit_desktop.actions.schemas.views import KeyView, NewKeyView
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, section, side_by_side
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label

PERIODS = [("Never", "total"), ("Daily", "daily"), ("Weekly", "weekly"), ("Monthly", "monthly")]
UNPRICED: list[str | tuple[str, Any]] = [("Block where a budget holds", None), ("Allow", "allow"), ("Block", "block")]

# A date without a time is stored as midnight UTC, and is shown again as it was typed.
_MIDNIGHT = re.compile(r"T00:00:00(\.0+)?Z$")


class KeyDialog(FormDialog):
    """Creates or edits a key. `made` is the new key once the dialog was accepted."""

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui, key: KeyView | None = None) -> None:
        title = "New virtual key" if key is None else f"Edit {key.name}"
        super().__init__(parent, ui, title, "Create key" if key is None else "Save", 560, 460)
        self.client = client
        self.key = key
        self.made: NewKeyView | None = None
        self._build()
        self.form.set_values({"budget_period": "monthly"} if key is None else _values(key))

    def _build(self) -> None:
        form = self.form
        form.add_text("name", "Name", "The app, person or machine that uses the key.", "my-app", required=True)
        form.add_text("description", "Description")
        form.add_text("team", "Team", "Keys of a team can share a budget. Usage can be grouped by team.")
        form.add_list("tags", "Tags", "One per line. Every request of the key has them; usage can be grouped by tag.")
        form.add_list("models", "Models", "Aliases or patterns, one per line. Empty: all models.", "gpt-*")
        form.add_widget(section("Budget"))
        budget = form.add_number("budget_usd", "Budget", decimals=6, unit="USD", placeholder="No limit")
        form.add_widget(side_by_side(budget, form.add_combo("budget_period", "Resets", PERIODS)))
        form.add_combo("unpriced", "Models without a price", UNPRICED, "Their cost is unknown, so that a budget cannot limit them.")
        form.add_widget(section("Limits"))
        rpm = form.add_number("rpm", "Requests per minute", placeholder="No limit")
        form.add_widget(side_by_side(rpm, form.add_number("rpd", "Requests per day", placeholder="No limit")))
        tpm = form.add_number("tpm", "Tokens per minute", placeholder="No limit")
        form.add_widget(side_by_side(tpm, form.add_number("max_parallel", "Parallel requests", placeholder="No limit")))
        form.add_widget(section("Access"))
        form.add_text("expires_at", "Expires", "A date such as 2027-01-31 (midnight UTC). Empty: never.", "Never")
        form.add_list("allowed_ips", "Allowed IP addresses", "IP addresses or CIDR ranges, one per line. Empty: any address.")
        form.add_toggle(
            "log_payloads",
            "Store request and response bodies",
            "Kept on this computer, up to the age and size set in Settings > Logging.",
        )

    async def save(self) -> None:
        """Create or edit the key."""
        values: dict[str, Any] = {**self.form.values(), "expires_at": self.form.value("expires_at") or None}
        values["team"] = values["team"] or None
        if self.key is None:
            self.made = await self.client.create_key(read(NewKey, values))
        else:
            await self.client.edit_key(self.key.id, read(KeyPatch, values))


def _values(key: KeyView) -> dict[str, Any]:
    unpriced = None if key.unpriced_is_default else key.unpriced
    return {**key.model_dump(), "expires_at": _MIDNIGHT.sub("", key.expires_at or ""), "unpriced": unpriced}


class NewKeyDialog(Dialog):
    """Shows a new key, which cannot be shown again, with client snippets that contain it."""

    def __init__(self, parent: QWidget | None, ui: Ui, key: NewKeyView, model: str) -> None:
        super().__init__(parent, f"Key {key.name} created", "Done", width=760)
        # There is nothing to cancel: the key exists already.
        self.cancel.hide()
        self.line = QLineEdit(key.key)
        # A field and not a label: its text can be selected and copied with the keyboard.
        self.line.setReadOnly(True)
        theme.scaled(self.line, lambda it: it.setFont(theme.font(13, mono=True)))
        self.line.setAccessibleName("The new key")
        self.line.setCursorPosition(0)
        self.copy_button = button("Copy key", "primary", "copy", lambda: ui.copy(key.key))
        row = QHBoxLayout()
        row.setSpacing(theme.S)
        row.addWidget(self.line, 1)
        row.addWidget(self.copy_button)
        # Copying the key comes first here, and a dialog has one primary button.
        self.primary.setProperty("kind", "plain")
        self.body.addWidget(_notice("Copy the key now. Only a hash of it is stored, so it cannot be shown again."))
        self.body.addLayout(row)
        self.body.addWidget(section("Client setup"))
        self.snippets = Snippets(ui.address, key.key, model)
        self.body.addWidget(self.snippets)


class ClientSetupDialog(Dialog):
    """Client snippets for an existing key, with a placeholder for the key itself."""

    def __init__(self, parent: QWidget | None, ui: Ui, key: KeyView, model: str) -> None:
        super().__init__(parent, f"Client setup for key {key.name}", "Done", width=760)
        self.cancel.hide()
        note = label(f"Replace {PLACEHOLDER} by the key {key.hint}. If you no longer have the key, rotate it.", "muted", wrap=True)
        self.body.addWidget(note)
        # Without the key: only its hash is stored, so it cannot be filled in.
        self.body.addWidget(Snippets(ui.address, None, model))


class Snippets(QWidget):
    """A list of clients, and the configuration of the selected one, made with the gateway's address."""

    def __init__(self, address: str, key: str | None, model: str) -> None:
        super().__init__()
        self.rows = snippets(address, key, model)
        self.clients = QListWidget()
        self.clients.setObjectName("choices")
        self.clients.setAccessibleName("Client")
        theme.scaled(self.clients, lambda it: it.setFixedWidth(theme.px(150)))
        self.clients.addItems([row.label for row in self.rows])
        self.note = label("", "fieldHelp", wrap=True)
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
        theme.scaled(self, lambda it: it.setMinimumHeight(theme.tall(330)))
        self.clients.currentRowChanged.connect(self.on_chosen)
        self.clients.setCurrentRow(0)

    def on_chosen(self, at: int) -> None:
        """Show the snippet of the client in this row."""
        self.note.setText(self.rows[at].note)
        self.code.show_code(self.rows[at].text.rstrip(), self.rows[at].language)


def _notice(text: str) -> QFrame:
    frame = QFrame()
    frame.setObjectName("banner")
    frame.setProperty("tone", "warning")
    row = QHBoxLayout(frame)
    row.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
    row.setSpacing(theme.S)
    row.addWidget(IconLabel("eye", 16, "warning"))
    row.addWidget(label(text, wrap=True), 1)
    return frame
