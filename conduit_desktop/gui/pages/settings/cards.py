"""The cards below the options: master key, backup and export, and the version."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QLineEdit

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.exports import write_export
from conduit_desktop.gui import formatting
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.settings.import_dialog import ImportedKeysDialog, ImportPreviewDialog, ImportVariablesDialog
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.card import Card, FactList
from conduit_desktop.gui.widgets.forms.dialogs import answer, choose_file, confirm
from conduit_desktop.gui.widgets.labels import label

HIDDEN = "•" * 24
ZIP, TOML = "Backup (*.zip)", "Configuration (*.toml)"


class MasterKeyCard(Card):
    """Shows, copies and rotates the master key of the admin API."""

    def __init__(self, client: AdminClient, ui: Ui) -> None:
        super().__init__("Master key")
        self.client, self.ui = client, ui
        self.body.addWidget(label("Gives full access to the admin API of this gateway. Keep it secret.", "fieldHelp", wrap=True))
        self.line = QLineEdit(HIDDEN)
        self.line.setReadOnly(True)
        theme.scaled(self.line, lambda it: it.setFont(theme.font(12, mono=True)))
        self.line.setAccessibleName("Master key")
        self.eye = icon_button("eye", "Show the master key", checkable=True)
        self.eye.toggled.connect(lambda shown: ui.run(self._show(shown)))
        self.copy = icon_button("copy", "Copy the master key", lambda: ui.run(self._copy()))
        self.rotate_button = button("Rotate", icon="arrow-clockwise", on_click=lambda: ui.run(self.rotate()))
        row = QHBoxLayout()
        row.setSpacing(theme.XS)
        row.addWidget(self.line, 1)
        for widget in (self.eye, self.copy, self.rotate_button):
            row.addWidget(widget)
        self.body.addLayout(row)
        # The master key can be read only where the gateway runs; rotating it elsewhere would lock this window out.
        if not client.is_local:
            self.hide()

    async def refresh(self) -> None:
        """Show the current key, if it is shown at all: another client may have rotated it."""
        if self.eye.isChecked():
            await self._show(True)

    async def _show(self, shown: bool) -> None:
        self.line.setText(await self.client.master_key() if shown else HIDDEN)

    async def _copy(self) -> None:
        # Read for each use: the window keeps no copy of the key.
        self.ui.copy(await self.client.master_key())

    async def rotate(self) -> None:
        """Replace the master key, after confirmation."""
        text = "The old key stops working immediately. Scripts and tools that use the admin API need the new key."
        if await confirm(self, "Rotate the master key?", text, accept="Rotate"):
            await self.client.rotate_master_key()
            await self._show(self.eye.isChecked())
            self.ui.notify("The master key was rotated")


class DataCard(Card):
    """Backup and restore of the databases, export and import of the configuration."""

    def __init__(self, client: AdminClient, ui: Ui) -> None:
        super().__init__("Data")
        self.client, self.ui = client, ui
        text = "A backup contains configuration and request log, an export the configuration as TOML. Neither contains secrets."
        self.body.addWidget(label(text, "fieldHelp", wrap=True))
        row = QHBoxLayout()
        row.setSpacing(theme.S)
        self.backup_button = button("Back up…", icon="archive-box", on_click=lambda: ui.run(self.back_up()))
        self.restore_button = button("Restore…", icon="clock-counter-clockwise", on_click=lambda: ui.run(self.restore()))
        self.export_button = button("Export…", icon="export", on_click=lambda: ui.run(self.export()))
        self.import_button = button("Import…", icon="download-simple", on_click=lambda: ui.run(self.import_file()))
        for widget in (self.backup_button, self.restore_button, self.export_button, self.import_button):
            row.addWidget(widget)
        row.addStretch(1)
        self.body.addLayout(row)
        if not client.is_local:  # a backup is restored while the gateway's databases are closed
            self.restore_button.hide()

    async def back_up(self) -> None:
        """Write a backup to a file of the user's choice; a gateway elsewhere writes it into its own backups folder."""
        path = None
        if self.client.is_local:
            path = await choose_file(self, "Back up", "save", ZIP, f"conduit-{datetime.now():%Y%m%d}.zip")
        if path is not None or not self.client.is_local:
            made = await self.client.backup(None if path is None else str(path))
            self.ui.notify(f"Backup saved: {made.path if path is None else Path(made.path).name}, {formatting.size(made.bytes)}")

    async def restore(self) -> None:
        """Restore a backup, after confirmation; the window is opened again on it."""
        path = await choose_file(self, "Restore a backup", "open", ZIP)
        text = "The backup replaces the configuration and the request log. The current files are kept as *.before-restore, -2, -3 …"
        if path is not None and await confirm(self, f"Restore {path.name}?", text, accept="Restore"):
            self.ui.restore(path)

    async def export(self) -> None:
        """Export the configuration as TOML."""
        path = await choose_file(self, "Export the configuration", "save", TOML, "conduit.toml")
        if path is not None:
            text = await self.client.export_config()
            # In a thread: the file may be on a slow disk or a network share.
            await asyncio.to_thread(write_export, path, text)
            self.ui.notify(f"Saved to {path.name}")

    async def import_file(self) -> None:
        """Import a configuration file: preview, then apply."""
        path = await choose_file(self, "Import a configuration", "open", TOML)
        if path is not None:
            await self.import_text(await asyncio.to_thread(path.read_text, "utf-8-sig"))

    async def import_text(self, text: str) -> None:
        """Preview the changes, apply them once confirmed, and show the keys that were created."""
        # The text itself is applied later, not the file again: the file could change after its preview.
        preview = await self.client.import_config(text)
        allowed = [one.name for one in preview.variables if one.needed]
        if allowed:
            if not await answer(ImportVariablesDialog(self, [one for one in preview.variables if one.needed])):
                return
            preview = await self.client.import_config(text, allow_env=allowed)
        if not await answer(ImportPreviewDialog(self, preview.changes)):
            return
        done = await self.client.import_config(text, apply=True, allow_env=allowed)
        self.ui.notify("Imported")
        if done.new_keys:
            # Only hashes of the new keys are stored: this is the only time to copy them.
            await answer(ImportedKeysDialog(self, self.ui, done.new_keys))


class AboutCard(Card):
    """Version, address and where the data is."""

    def __init__(self, client: AdminClient) -> None:
        super().__init__("About")
        self.client = client
        self.facts = FactList()
        self.body.addWidget(self.facts)
        self.body.addWidget(label("MIT licence. Built with Qt for Python (LGPL), aiohttp and SQLite.", "faint", wrap=True))

    async def refresh(self) -> None:
        """Show the current status."""
        now = await self.client.status()
        self.facts.show_facts(
            [
                ("Version", now.version),
                ("Address", now.address or now.state),
                ("Home folder", now.home),
                ("Secret store", now.secrets_backend),
                ("Databases", formatting.size(now.database_bytes)),
            ]
        )
