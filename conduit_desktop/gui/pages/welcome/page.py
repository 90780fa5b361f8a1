"""The page of the first start: add what was found on this computer, or try the demo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.views import FoundKeyView, FoundServerView
from conduit_desktop.core.paths import resource
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.icons import IconLabel, IconPicture
from conduit_desktop.gui.widgets.labels import label

WIDTH = 620
PITCH = (
    "One address on this computer for every model you use. Point your apps at it, give each its own key, and see what they cost."
)
Found = FoundKeyView | FoundServerView


class FoundRow(QFrame):
    """An API key or a model server that was found, with a check box."""

    def __init__(self, found: Found) -> None:
        super().__init__()
        self.setObjectName("card")
        self.found = found
        self.box = QCheckBox()
        self.box.setChecked(not found.used)
        self.box.setEnabled(not found.used)
        self.box.setAccessibleName(f"Add {found.label}")
        server = isinstance(found, FoundServerView)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.M, theme.S + 2, theme.L, theme.S + 2)
        row.setSpacing(theme.M)
        row.addWidget(self.box)
        row.addWidget(IconLabel("desktop-tower" if server else "key", 18))
        texts = QVBoxLayout()
        texts.setSpacing(1)
        texts.addWidget(label(found.label, "cardTitle", wrap=True))
        texts.addWidget(label(described(found), "fieldHelp", wrap=True))
        row.addLayout(texts, 1)
        if found.used:
            row.addWidget(label("Already added", "faint", wrap=True))


class WelcomePage(Page):
    """Add what was found, try the demo, add another provider, or skip."""

    title = "Welcome"
    icon = "hand-waving"
    topics = frozenset({"providers"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.heading.hide()
        self.rows: list[FoundRow] = []
        self.note = label("Searching for API keys and local model servers…", "muted", wrap=True)
        self.add_button = button("Add selected", "primary", on_click=lambda: self.ui.run(self._add()))
        self.add_button.hide()
        self.demo_button = button("Try the demo", "primary", "flask", lambda: self.ui.run(self._demo()))
        self.other_button = button("Add a provider", icon="plus", on_click=lambda: self.ui.run(self._other()))
        self.skip_button = button("Skip for now", "ghost", on_click=lambda: self.ui.run(self._skip()))
        middle = QWidget()
        theme.scaled(middle, lambda it: it.setMaximumWidth(theme.px(WIDTH)))
        self._column = QVBoxLayout(middle)
        self._column.setSpacing(theme.S + 2)
        self._fill()
        page = QWidget()
        across = QHBoxLayout(page)
        across.addWidget(middle)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(page)
        self.body.addWidget(area)

    def _fill(self) -> None:
        column = self._column
        column.addStretch(1)
        column.addWidget(IconPicture(QIcon(resource("icons", "conduit.svg").as_posix()), 56))
        column.addSpacing(theme.S)
        column.addWidget(label("Welcome to Conduit", "pageTitle", wrap=True))
        column.addWidget(label(PITCH, "muted", wrap=True))
        column.addSpacing(theme.L)
        column.addWidget(label(f"Found on {self._computer()}", "overline", wrap=True))
        column.addWidget(self.note)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.S)
        column.addLayout(self._list)
        column.addSpacing(theme.M)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.S)
        for made in (self.add_button, self.demo_button, self.other_button):
            buttons.addWidget(made)
        buttons.addStretch(1)
        buttons.addWidget(self.skip_button)
        column.addLayout(buttons)
        column.addStretch(2)

    def _computer(self) -> str:
        return "this computer" if self.client.is_local else "the gateway's computer"

    async def refresh(self) -> None:
        """Search the environment and local ports. Of a key, only the variable and a hint are shown."""
        discovery = await self.client.discovery()
        found: list[Found] = [*discovery.keys, *discovery.servers]
        for row in self.rows:
            self._list.removeWidget(row)
            row.deleteLater()
        self.rows = [FoundRow(one) for one in found]
        for row in self.rows:
            row.box.toggled.connect(self._update)
            self._list.addWidget(row)
        self.note.setText("No provider API keys in the environment and no local model servers found." if not found else "")
        self.note.setVisible(not found)
        self._update()

    def selected(self) -> Sequence[Found]:
        """The checked entries."""
        return [row.found for row in self.rows if row.box.isChecked() and not row.found.used]

    def _update(self, _on: bool = False) -> None:
        count = len(self.selected())
        addable = any(not row.found.used for row in self.rows)
        self.add_button.setVisible(addable)
        self.add_button.setEnabled(count > 0)
        self.add_button.setText(f"Add {count} {'provider' if count == 1 else 'providers'}")
        theme.set_style_property(self.demo_button, "kind", "plain" if addable else "primary")
        self.demo_button.setIcon(theme.icon("flask", *("text_muted",) * 2 if addable else ("on_accent",) * 2))

    async def _add(self) -> None:
        chosen = self.selected()
        variables = [one.variable for one in chosen if isinstance(one, FoundKeyView)]
        servers = [one.base_url for one in chosen if isinstance(one, FoundServerView)]
        # All in one call: the gateway adds all of them or none.
        made = await self.client.add_discovered(variables, servers)
        await self._leave("providers")
        self.ui.notify(f"Added {', '.join(made)}")

    async def _demo(self) -> None:
        await self._leave("chat", model=await self.client.add_demo(), text="What can you do?")

    async def _other(self) -> None:
        await self._leave("providers", new=True)

    async def _skip(self) -> None:
        await self._leave("dashboard")

    async def _leave(self, page: str, **context: Any) -> None:
        # Not saved twice: every change of a setting leaves an entry in the audit log.
        if not any(one.name == "welcome_done" and one.value for one in await self.client.settings()):
            await self.client.change_settings({"welcome_done": True})
        self.ui.navigate(page, **context)


def described(found: Found) -> str:
    """Where it was found: the variable with a hint of the key, or the address with the number of models."""
    if isinstance(found, FoundKeyView):
        return f"{found.variable} · {found.hint}"
    count = len(found.models)
    return f"{found.base_url.split('://')[-1]} · {count} {'model' if count == 1 else 'models'}"
