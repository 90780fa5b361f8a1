"""The second row of filters: time, provider, client, session and least cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from conduit_desktop.core.money import to_nano
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.forms.editors import ComboBox
from conduit_desktop.gui.widgets.layouts import FlowLayout

PERIODS: tuple[tuple[str, int | None], ...] = (
    ("Any time", None), ("Last hour", 3600), ("Last 24 hours", 86_400), ("Last 7 days", 7 * 86_400), ("Last 30 days", 30 * 86_400),
)  # fmt: skip
"""Names with seconds."""
TEXTS = {"client": "Client", "session": "Session", "min_cost_usd": "Cost from (USD)"}


class MoreFilters(QWidget):
    """`changed` is emitted once the user has chosen or typed. Texts are compared whole, as the log is searched by them."""

    changed = Signal()

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now = now
        self._since: str | None = None
        self._applied: dict[str, str] = {}
        self.period, self.provider = ComboBox(), ComboBox()
        for text, seconds in PERIODS:
            self.period.addItem(text, seconds)
        self.provider.addItem("All providers", None)
        row = FlowLayout(self)
        row.setSpacing(theme.S)
        for combo, name in ((self.period, "Time"), (self.provider, "Provider")):
            combo.setAccessibleName(name)
            theme.scaled(combo, lambda it: it.setFixedWidth(theme.px(140)))
            combo.activated.connect(lambda _: self._on_changed())
            row.addWidget(combo)
        self.lines: dict[str, QLineEdit] = {}
        for field, name in TEXTS.items():
            line = self.lines[field] = QLineEdit()
            line.setPlaceholderText(name)
            line.setAccessibleName(name)
            line.setClearButtonEnabled(True)
            line.editingFinished.connect(self._on_typed)
            row.addWidget(line)
        self.clear_button = button("Clear", "ghost", "x", self.clear, "Show the requests of any time, provider, client and cost")
        row.addWidget(self.clear_button)

    def query(self) -> dict[str, Any]:
        """The fields of a `RequestQuery` that are set."""
        found: dict[str, Any] = {"since": self._since, "provider": self.provider.currentData()}
        found |= {name: line.text().strip() for name, line in self.lines.items()}
        found["min_cost_usd"] = self._least_cost()
        return {name: value for name, value in found.items() if value not in (None, "")}

    def matches(self, record: RequestRecord) -> bool:
        """Whether a new request is one of those that are shown; it is of now, so its time is."""
        wanted = self.query()
        least = wanted.pop("min_cost_usd", None)
        wanted.pop("since", None)
        if least is not None and (record.cost_nano is None or record.cost_nano < to_nano(least)):
            return False
        return all(getattr(record, name) == value for name, value in wanted.items())

    def offer(self, providers: list[str]) -> None:
        """The providers that can be chosen; the choice is kept."""
        chosen = self.provider.currentData()
        while self.provider.count() > 1:
            self.provider.removeItem(1)
        for name in sorted({*providers, *([chosen] if chosen else [])}):
            self.provider.addItem(name, name)
        self.provider.setCurrentIndex(max(0, self.provider.findData(chosen)))

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Set `provider`, `client`, `session` or `min_cost_usd`, as another page asks for it."""
        if values.get("provider"):
            self.offer([values["provider"]])
            self.provider.setCurrentIndex(self.provider.findData(values["provider"]))
        for name, line in self.lines.items():
            if name in values:
                line.setText(str(values[name]))
        self._applied = self._texts()

    def active(self) -> list[tuple[str, str, Callable[[], None]]]:
        """The filters that are set: name, value, and what removes each."""
        found: list[tuple[str, str, Callable[[], None]]] = []
        for name, combo in (("Time", self.period), ("Provider", self.provider)):
            if combo.currentData() is not None:
                found.append((name, combo.currentText(), partial(self._remove, partial(combo.setCurrentIndex, 0))))
        wanted = self.query()
        for field, line in self.lines.items():
            if field in wanted:
                found.append((TEXTS[field], line.text().strip(), partial(self._remove, line.clear)))
        return found

    def _remove(self, remove: Callable[[], None]) -> None:
        remove()
        self._on_changed()

    def clear(self) -> None:
        """Filter by none of them."""
        self.period.setCurrentIndex(0)
        self.provider.setCurrentIndex(0)
        for line in self.lines.values():
            line.clear()
        self._on_changed()

    def _texts(self) -> dict[str, str]:
        return {name: line.text().strip() for name, line in self.lines.items()}

    def _on_typed(self) -> None:
        # Also emitted when the field loses the focus, with nothing typed.
        if self._texts() != self._applied:
            self._on_changed()

    def _on_changed(self) -> None:
        seconds = self.period.currentData()
        # Fixed when it is chosen: a limit that moves with the clock would be another query each time.
        since = datetime.fromtimestamp(self._now() - seconds, UTC) if seconds is not None else None
        self._since = since.strftime("%Y-%m-%dT%H:%M:%SZ") if since else None
        self._applied = self._texts()
        theme.set_style_property(self.lines["min_cost_usd"], "invalid", self._is_wrong_number())
        self.changed.emit()

    def _least_cost(self) -> float | None:
        text = self.lines["min_cost_usd"].text().strip().lstrip("$").replace(",", "")
        try:
            number = float(text)
        except ValueError:
            return None
        return number if 0 <= number <= 1e9 else None

    def _is_wrong_number(self) -> bool:
        return bool(self.lines["min_cost_usd"].text().strip()) and self._least_cost() is None
