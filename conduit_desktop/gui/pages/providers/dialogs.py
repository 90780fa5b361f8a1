"""The dialog that adds or edits a provider: the catalog of kinds, then the form of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape

from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NewProvider, ProviderPatch, read
from conduit_desktop.actions.schemas.views import KindView, ProviderView
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.providers.catalog import CatalogGrid
from conduit_desktop.gui.pages.providers.form import ProviderForm
from conduit_desktop.gui.request_rows import DIALECT_LABELS
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, scroll_area
from conduit_desktop.gui.widgets.labels import PlainLabel, link_label


class ProviderDialog(FormDialog):
    """Without a provider: the catalog, then the form of the chosen kind. `made` is the provider that was added or edited."""

    def __init__(
        self, parent: QWidget | None, client: AdminClient, ui: Ui, kinds: Sequence[KindView], taken: Sequence[str],
        provider: ProviderView | None = None, kind: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent, ui, "Add a provider" if provider is None else f"Edit {provider.name}", "Add provider", 720)
        self.client = client
        self.taken = taken
        self.provider = provider
        self.made: ProviderView | None = None
        # The form of the base class is not used: each kind has a form of its own.
        self.form.hide()
        self.kinds = {one.kind: one for one in kinds}
        self._shown: QWidget | None = None
        self.stack = QStackedWidget()
        theme.scaled(self.stack, lambda it: it.setMinimumHeight(theme.tall(470)))
        self.body.addWidget(self.stack, 1)
        self.back = button("Back", "ghost", "arrow-left", self.on_back)
        self.footer.insertWidget(0, self.back)
        wanted = self.kinds.get(provider.kind if provider is not None else kind or "")
        if wanted is not None:
            self.choose(wanted)
        else:
            self.on_back()

    @cached_property
    def grid(self) -> CatalogGrid:
        """The catalog of kinds, built on first use: its many tiles are slow to create, and editing does not need them."""
        made = CatalogGrid(list(self.kinds.values()))
        made.chosen.connect(self.choose)
        self.stack.addWidget(made)
        return made

    def choose(self, kind: KindView) -> None:
        """Show the form of `kind`."""
        self.form = ProviderForm(kind, self.taken, self.provider)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(_about(kind))
        column.addWidget(self.form)
        column.addStretch(1)
        if self._shown is not None:
            self.stack.removeWidget(self._shown)
            self._shown.deleteLater()
        self._shown = scroll_area(page, 0)
        self.stack.addWidget(self._shown)
        self.stack.setCurrentWidget(self._shown)
        self.primary.setText("Save" if self.provider is not None else f"Add {kind.label}")
        self.primary.show()
        self.back.setVisible(self.provider is None)
        self.form.fields[
            # The first field to be filled in; the name of a new provider already has a suggestion.
            "api_key" if self.provider is None and "api_key" in self.form.fields else "name"
        ].editor.focus_target().setFocus()

    def on_back(self) -> None:
        """Go back to the catalog."""
        self.stack.setCurrentWidget(self.grid)
        self.primary.hide()
        self.back.hide()
        self.grid.search.setFocus()

    def submit(self) -> None:
        """Save, if a kind was chosen."""
        if isinstance(self.form, ProviderForm):
            # Enter reaches this in the catalog too, where there is nothing to save yet.
            super().submit()

    async def save(self) -> None:
        """Create or edit the provider."""
        assert isinstance(self.form, ProviderForm)
        values = self.form.collect()
        if self.provider is None:
            values |= {"kind": self.form.kind.kind}
            self.made = await self.client.create_provider(read(NewProvider, values))
        else:
            self.made = await self.client.edit_provider(self.provider.name, read(ProviderPatch, values))


def _about(kind: KindView) -> PlainLabel:
    apis = ", ".join(DIALECT_LABELS.get(name, name) for name in kind.dialects)
    link = f' · <a href="{escape(kind.docs)}">Documentation</a>' if kind.docs else ""
    # Escaped, since this label draws HTML, unlike all others.
    made = link_label(f"<b>{escape(kind.label)}</b> · API: {escape(apis)}{link}", "muted")
    made.setContentsMargins(0, 0, 0, 12)
    return made
