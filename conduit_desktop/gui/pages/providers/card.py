"""A provider as a card: state, address, keys, and buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from conduit_desktop.actions.schemas.views import KindView, ProviderState, ProviderStateView, ProviderView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.forms.switch import Switch
from conduit_desktop.gui.widgets.icons import IconLabel, Monogram
from conduit_desktop.gui.widgets.labels import ElidedLabel
from conduit_desktop.gui.widgets.pills import Chips

TONES: dict[ProviderState, str] = {
    "disabled": "text_faint",
    "unready": "danger",
    "troubled": "danger",
    "answering": "success",
    "unused": "text_faint",
}


class ProviderCard(QFrame):
    """Shows the provider it is given; its buttons emit signals."""

    toggled = Signal(bool)
    models_requested = Signal()
    edit_requested = Signal()
    delete_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.dot = IconLabel("circle-fill", 10)
        self.name = ElidedLabel("", "cardTitle", snug=True)
        self.lock = IconLabel("lock-simple", 14)
        theme.scaled(self.lock, lambda it: it.setFixedWidth(theme.px(14)))
        self.kind = ElidedLabel("", "muted")
        self.state = ElidedLabel("", "fieldHelp", snug=True)
        # A hint is known by its end.
        self.keys = Chips(Qt.TextElideMode.ElideMiddle)
        self.switch = Switch()
        # Not its `toggled`: showing a provider sets the switch, which must not look like a click.
        self.switch.clicked.connect(self.toggled)
        self.models_button = button(
            "Models", icon="cube", on_click=self.models_requested.emit, tip="Test the connection and publish models"
        )
        self.edit_button = icon_button("pencil-simple", "Edit", self.edit_requested.emit)
        self.delete_button = icon_button("trash", "Delete", self.delete_requested.emit)
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
        texts = QVBoxLayout()
        texts.setSpacing(theme.XS)
        texts.addLayout(title)
        texts.addLayout(below)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.L, theme.M, theme.M, theme.M)
        row.setSpacing(theme.S)
        self.mark = Monogram()
        row.addWidget(self.mark)
        row.addSpacing(theme.S)
        row.addLayout(texts, 1)
        for made in (self.models_button, self.edit_button, self.delete_button):
            row.addWidget(made)
        row.addSpacing(theme.XS)
        row.addWidget(self.switch)

    def show_provider(self, provider: ProviderView, kind: KindView | None, state: ProviderStateView | None) -> None:
        """Show the current state of a provider."""
        self.provider = provider
        self.name.setText(provider.name)
        label = kind.label if kind is not None else provider.kind
        address = provider.base_url or (kind.base_url if kind is not None else "")
        self.kind.setText(" · ".join(part for part in (label, address.split("://")[-1]) if part and part != provider.name))
        self.mark.show_name(label, faded=not provider.enabled)
        self._show_state(state)
        self.keys.show_names([f"{one.label} {one.hint}".strip().removeprefix("default ") for one in provider.keys])
        self.switch.setChecked(provider.enabled)
        self.switch.setAccessibleName(f"{provider.name} enabled")
        for made in (self.switch, self.edit_button, self.delete_button):
            # "Models" stays enabled: to test a provider and to publish its models changes nothing that the file defines.
            made.setEnabled(not provider.locked)
        self.lock.setVisible(provider.locked)
        self.setToolTip("Defined in the config file" if provider.locked else "")

    def _show_state(self, state: ProviderStateView | None) -> None:
        tone = TONES[state.state] if state is not None else "text_faint"
        self.dot.set_icon("circle-fill", tone)
        count = len(state.aliases) if state is not None else 0
        used = f" · {count} {'alias' if count == 1 else 'aliases'}" if count else " · no aliases"
        self.state.setText((state.text if state is not None else "Unknown") + used)
