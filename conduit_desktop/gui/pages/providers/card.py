"""A provider as a card: how it is doing, where it lives, which keys it has, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from conduit_desktop.actions.provider_states import ProviderState, ProviderStateView
from conduit_desktop.actions.schemas.views import KindView, ProviderView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.elided import Elided
from conduit_desktop.gui.widgets.empty import IconLabel
from conduit_desktop.gui.widgets.forms.switch import Switch
from conduit_desktop.gui.widgets.monogram import Monogram
from conduit_desktop.gui.widgets.pills import Chips

TONES: dict[ProviderState, str] = {
    "disabled": "text_faint",
    "unready": "danger",
    "troubled": "danger",
    "answering": "success",
    "unused": "text_faint",
}


class ProviderCard(QFrame):
    """Shows what it is given; every wish is a signal."""

    toggled = Signal(bool)
    models_asked = Signal()
    edit_asked = Signal()
    delete_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.dot = IconLabel("circle-fill", 10)
        self.name = Elided("", "cardTitle", snug=True)
        self.lock = IconLabel("lock-simple", 14)
        self.lock.setFixedWidth(14)
        self.kind = Elided("", "muted")
        self.state = Elided("", "fieldHelp", snug=True)
        self.keys = Chips()
        self.switch = Switch()
        self.switch.clicked.connect(self.toggled)
        self.models_button = button("Models", icon="cube", on_click=self.models_asked.emit, tip="Test it and choose its models")
        self.edit_button = icon_button("pencil-simple", "Edit", self.edit_asked.emit)
        self.delete_button = icon_button("trash", "Delete", self.delete_asked.emit)
        self._lay_out()

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.setSpacing(theme.S)
        title.addWidget(self.name)
        title.addWidget(self.lock)
        title.addWidget(self.kind, 1)
        below = QHBoxLayout()
        below.setSpacing(theme.S)
        below.addWidget(self.dot)
        below.addWidget(self.state)
        below.addWidget(self.keys)
        below.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(theme.XS)
        words.addLayout(title)
        words.addLayout(below)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.L, theme.M, theme.M, theme.M)
        row.setSpacing(theme.S)
        self.mark = Monogram()
        row.addWidget(self.mark)
        row.addSpacing(theme.S)
        row.addLayout(words, 1)
        for made in (self.models_button, self.edit_button, self.delete_button):
            row.addWidget(made)
        row.addSpacing(theme.XS)
        row.addWidget(self.switch)

    def show_provider(self, provider: ProviderView, kind: KindView | None, state: ProviderStateView | None) -> None:
        """Show this provider as it is now."""
        self.provider = provider
        self.name.setText(provider.name)
        label = kind.label if kind is not None else provider.kind
        place = provider.base_url or (kind.base_url if kind is not None else "")
        self.kind.setText(" · ".join(part for part in (label, place.split("://")[-1]) if part and part != provider.name))
        self.mark.show_name(label, faded=not provider.enabled)
        self._show_state(state)
        self.keys.show_names([f"{one.label} {one.hint}".strip().removeprefix("default ") for one in provider.keys])
        self.switch.setChecked(provider.enabled)
        self.switch.setAccessibleName(f"{provider.name} enabled")
        for made in (self.switch, self.edit_button, self.delete_button):
            made.setEnabled(not provider.locked)
        self.lock.setVisible(provider.locked)
        self.setToolTip("Defined in the config file" if provider.locked else "")

    def _show_state(self, state: ProviderStateView | None) -> None:
        tone = TONES[state.state] if state is not None else "text_faint"
        self.dot.set_icon("circle-fill", tone)
        count = len(state.aliases) if state is not None else 0
        used = f" · in {count} {'alias' if count == 1 else 'aliases'}" if count else " · in no alias"
        self.state.setText((state.text if state is not None else "Not loaded") + used)
