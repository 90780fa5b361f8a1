"""The editor of an alias's targets: provider, model and weight in each row, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import icon_button
from conduit_desktop.gui.widgets.forms.editors import Combo, Number
from conduit_desktop.gui.widgets.forms.row_editor import Row, RowList
from conduit_desktop.gui.widgets.labels import PlainLabel


class TargetRow(Row):
    """One target. `provider_chosen` is emitted so that the models of the provider can be loaded."""

    provider_chosen = Signal(str)
    moved = Signal(int)

    def __init__(self, providers: Sequence[str], target: dict[str, Any]) -> None:
        super().__init__()
        self.provider = Combo(list(providers))
        self.model = Combo(editable=True)
        self.weight = Number(placeholder="1")
        theme.scaled(self.weight.line, lambda it: it.setFixedWidth(theme.px(56)))
        self.place = PlainLabel("", "faint")
        theme.scaled(self.place, lambda it: it.setFixedWidth(theme.px(16)))
        self._fill(target)
        self._lay_out()
        self._connect()

    def _fill(self, target: dict[str, Any]) -> None:
        name = target.get("provider")
        # The provider may have been deleted: without an entry for it, saving would move the target to another provider.
        if name and self.provider.combo.findData(name) < 0:
            self.provider.combo.addItem(f"{name} (deleted)", name)
        self.provider.set_value(name or self.provider.value())
        self.model.set_value(target.get("model", ""))
        self.weight.set_value(target.get("weight", 1))
        for editor, label in ((self.provider, "Provider"), (self.model, "Model"), (self.weight, "Weight")):
            editor.focus_target().setAccessibleName(label)
            editor.focus_target().setToolTip(label)
        line = self.model.combo.lineEdit()
        if line is not None:
            line.setPlaceholderText("Model")
        completer = self.model.combo.completer()
        if completer is not None:
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)

    def _lay_out(self) -> None:
        column = QVBoxLayout()
        column.setSpacing(2)
        self.line = QWidget()
        across = QHBoxLayout(self.line)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(theme.XS + 2)
        across.addWidget(self.place)
        across.addWidget(self.provider, 2)
        across.addWidget(self.model, 3)
        across.addWidget(self.weight)
        self.up = icon_button("arrow-up", "Move up", lambda: self.moved.emit(-1))
        self.down = icon_button("arrow-down", "Move down", lambda: self.moved.emit(1))
        for made in (self.up, self.down, icon_button("x", "Remove", self.removed.emit)):
            across.addWidget(made)
        column.addWidget(self.line)
        column.addWidget(self.error)
        self.row.addLayout(column)

    def _connect(self) -> None:
        for editor in (self.provider, self.model, self.weight):
            editor.edited.connect(self.edited)
        self.provider.edited.connect(lambda: self.provider_chosen.emit(self.provider.value()))

    def value(self) -> Any:
        return {"provider": self.provider.value() or "", "model": self.model.value() or "", "weight": self.weight.value() or 1}

    def focus_target(self) -> QWidget:
        return self.model.combo


class TargetList(RowList[TargetRow]):
    """The rows; `models_wanted` carries a provider whose models are to be passed to `offer`."""

    models_wanted = Signal(str)

    def __init__(self, providers: Sequence[str]) -> None:
        super().__init__("Add target")
        self._providers = list(providers)
        self._offers: dict[str, list[str]] = {}

    def new_row(self, values: dict[str, Any]) -> TargetRow:
        row = TargetRow(self._providers, values)
        row.moved.connect(lambda step: self._move(row, step))
        row.provider_chosen.connect(self._on_provider_chosen)
        return row

    def add_row(self, values: dict[str, Any]) -> TargetRow:
        row = super().add_row(values)
        self._on_provider_chosen(row.provider.value() or "")
        return row

    def on_rows_changed(self) -> None:
        for at, row in enumerate(self.rows):
            row.place.setText(str(at + 1))
            row.up.setEnabled(at > 0)
            row.down.setEnabled(at < len(self.rows) - 1)

    def offer(self, provider: str, models: Sequence[str]) -> None:
        """Offer these models in every row of `provider`."""
        self._offers[provider] = list(models)
        for row in self.rows:
            if row.provider.value() == provider:
                # The name may have been typed before the models arrived.
                kept = row.model.value()
                row.model.set_choices(list(models))
                row.model.set_value(kept)

    def on_add(self) -> None:
        """Add a row with the provider of the last one."""
        last = self.rows[-1].provider.value() if self.rows else None
        self.add_row({"provider": last, "model": ""}).focus_target().setFocus()
        self.edited.emit()

    def focus_target(self) -> QWidget:
        return self.rows[0].focus_target() if self.rows else self.add_button

    def _on_provider_chosen(self, provider: str) -> None:
        # Asked for once: a second row of a provider must not query it again.
        if provider in self._offers:
            self.offer(provider, self._offers[provider])
        elif provider:
            self.models_wanted.emit(provider)

    def _move(self, row: TargetRow, step: int) -> None:
        at = self.rows.index(row)
        to = max(0, min(len(self.rows) - 1, at + step))
        self.rows.insert(to, self.rows.pop(at))
        self._list.removeWidget(row)
        self._list.insertWidget(to, row)
        self.on_rows_changed()
        self.edited.emit()
