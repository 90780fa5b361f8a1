"""The pane that edits one price next to the table, with the errors at their fields."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget
from shiboken6 import isValid

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import NewPrice, read
from conduit_desktop.actions.schemas.views import PriceView
from conduit_desktop.core.errors import ActionError, Invalid
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.prices.rows import PriceRow
from conduit_desktop.gui.price_text import rate_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.forms.editors import Number
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.form_dialog import errors_of, section, side_by_side
from conduit_desktop.gui.widgets.forms.row_editor import RowField
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import scrolled

WIDTH = 400
_TOKENS = (
    (("input", "Input"), ("output", "Output")),
    (("cache_read", "Cache read"), ("cache_write", "Cache write")),
    (("cache_write_1h", "Cache write, 1 hour"), ("reasoning", "Reasoning")),
    (("image_in", "Image in"), ("image_out", "Image out")),
    (("audio_in", "Audio in"), ("audio_out", "Audio out")),
)
_UNITS = (
    (("per_minute", "Per minute of audio"), ("min_seconds", "Least seconds billed")),
    (("per_1k_chars", "Per 1,000 characters"), ("per_search", "Per search")),
)
_IMAGE = (
    RowField("size", "Size", placeholder="1024x1024"),
    RowField("quality", "Quality", placeholder="high"),
    RowField("usd", "USD", "number"),
)
_TIER = (
    RowField("above_input_tokens", "Above (tokens)", "number"),
    RowField("input", "Input", "number"),
    RowField("output", "Output", "number"),
    RowField("cache_read", "Cache read", "number"),
)
_FACTOR = (RowField("name", "Tier", placeholder="flex"), RowField("factor", "Factor", "number", placeholder="0.5"))


class PriceEditor(QFrame):
    """After `prepare`, `edit` shows a row or a new price. `saved` carries the price; `closed` is emitted to close the pane."""

    saved = Signal(object)
    closed = Signal()

    def __init__(self, client: AdminClient, ui: Ui) -> None:
        super().__init__()
        self.client, self.ui = client, ui
        self.setObjectName("card")
        theme.scaled(self, lambda it: it.setMinimumWidth(theme.px(300)))
        self.row: PriceRow | None = None
        self.dirty = False
        self._shown: PriceView | None = None
        self.title = ElidedLabel("", "cardTitle")
        cross = icon_button("x", "Close  (Esc)", self.closed.emit)
        cross.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        head = QHBoxLayout()
        head.setContentsMargins(theme.L, 0, theme.S, 0)
        head.addWidget(self.title, 1)
        head.addWidget(cross)
        self.note = Banner()
        self.form = Form()
        self._groups: deque[Callable[[], None]] = deque(
            [
                self._add_pattern,
                *(partial(self._add_pair, pair) for pair in _TOKENS),
                self._add_images,
                *(partial(self._add_pair, pair) for pair in _UNITS),
                self._add_fee,
                self._add_tiers,
                self._add_start,
            ]
        )
        """What is not built yet: see `prepare`."""
        self.form.setContentsMargins(theme.L, 0, theme.L, theme.S)
        self.form.changed.connect(lambda _: self._on_edited())
        notes = QHBoxLayout()
        notes.setContentsMargins(theme.L, 0, theme.L, 0)
        notes.addWidget(self.note)
        self.revert = button("Revert", on_click=self.reload)
        self.save_button = button("Save price", "primary", on_click=self.save, tip="Ctrl+S")
        self.save_button.setShortcut(QKeySequence.StandardKey.Save)
        foot = QHBoxLayout()
        foot.setContentsMargins(theme.L, 0, theme.L, theme.XS)
        foot.setSpacing(theme.S)
        foot.addStretch(1)
        foot.addWidget(self.revert)
        foot.addWidget(self.save_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, theme.M, 1, theme.S)
        outer.addLayout(head)
        outer.addLayout(notes)
        outer.addWidget(scrolled(self.form), 1)
        outer.addLayout(foot)

    async def prepare(self) -> None:
        """Add the fields, at the first opening, with pauses for the streams: all of them at once would delay these."""
        while self._groups:
            self._groups.popleft()()
            # Qt applies the style sheet when a field is first shown, which takes longer than making it.
            for made in self.form.findChildren(QWidget):
                if not made.testAttribute(Qt.WidgetAttribute.WA_WState_Polished):
                    made.ensurePolished()
            await asyncio.sleep(0.001)

    def _add_pattern(self) -> None:
        help_text = "provider/model or the model's own name; * stands for anything."
        self.form.add_text("pattern", "Model or pattern", help_text, "openai/gpt-*", True)
        self.form.add_widget(section("Tokens, USD per million"))

    def _add_pair(self, pair: Sequence[tuple[str, str]]) -> None:
        self.form.add_widget(side_by_side(*(self.form.add_number(name, title, decimals=9) for name, title in pair)))

    def _add_images(self) -> None:
        text = "A token price needs input and output; 0 is free. An empty class is charged as input or output."
        self.form.add_widget(label(text, "faint", wrap=True))
        self.form.add_widget(section("Units, USD"))
        help_text = "A price without size and quality is for every other image."
        self.form.add_rows("per_image", "Images", _IMAGE, help_text, "Add an image price")

    def _add_fee(self) -> None:
        self.form.add_number("per_request", "Per request", decimals=9)
        self.form.add_widget(section("Conditions"))

    def _add_tiers(self) -> None:
        help_text = "Rates of a request with more input tokens than that."
        self.form.add_rows("tiers", "By context length", _TIER, help_text, "Add a tier")
        help_text = "Factors on every rate, by the name that the provider reports."
        self.form.add_rows("service_tiers", "By service tier", _FACTOR, help_text, "Add a factor")

    def _add_start(self) -> None:
        help_text = "A date such as 2027-01-31 (midnight UTC). Empty: always. Earlier requests keep their price."
        self.form.add_text("valid_from", "Valid from", help_text, "Always")

    def edit(self, row: PriceRow | None) -> None:
        """Show a row, or None for a new price; what was typed before is dropped."""
        self.row = row
        self._show(row.price if row is not None else None)
        self.focus_first()

    def focus_first(self) -> None:
        """Focus the first field that can be typed into."""
        self.form.fields["pattern" if self.row is None else "input"].editor.focus_target().setFocus()

    def follow(self, row: PriceRow | None) -> None:
        """The table was loaded again: `row` is what is being edited, as it is now (None: it is gone)."""
        if self.row is None:
            return
        price = row.price if row is not None else None
        changed = (price and price.updated_at, price and price.valid_from) != (
            self._shown and self._shown.updated_at,
            self._shown and self._shown.valid_from,
        )
        if row is not None:
            self.row = row
        if not changed:
            return
        if self.dirty:
            self.note.show_text("This price was changed elsewhere.", "warning", ("Show it", "plain", self.reload))
        elif row is None:
            self.closed.emit()
        else:
            self._show(price)

    def reload(self) -> None:
        """Drop what was typed, and show the price as it is."""
        self._show(self.row.price if self.row is not None else None)

    def _show(self, price: PriceView | None) -> None:
        self._shown, self.dirty = price, False
        self.form.clear_errors()
        self.note.hide()
        row = self.row
        pattern = row.pattern if row is not None else ""
        self.title.setText(pattern or "New price")
        self.form.set_values(dict.fromkeys(self.form.fields) | {"pattern": pattern} | (_values(price) if price else {}))
        self._show_placeholders(row)
        locked = row is not None and row.locked
        for path, field in self.form.fields.items():
            field.editor.set_locked(locked or (path == "pattern" and row is not None))
        self.save_button.setVisible(not locked)
        if locked:
            self.note.show_text("Defined in the config file: change it there.", "info")
        self._show_buttons()

    def _show_placeholders(self, row: PriceRow | None) -> None:
        """In the empty fields of a model without a price of its own: what it is charged now."""
        charged = row.rates if row is not None and row.price is None else {}
        for path, field in self.form.fields.items():
            if isinstance(field.editor, Number):
                field.editor.line.setPlaceholderText(f"now {rate_text(charged[path])}" if path in charged else "")

    def _on_edited(self) -> None:
        self.dirty = True
        self._show_buttons()

    def _show_buttons(self) -> None:
        self.revert.setVisible(self.dirty)
        self.save_button.setEnabled(self.dirty)

    def save(self) -> None:
        """Save in a task; the pane closes once that succeeds."""
        if self.save_button.isEnabled():
            self.save_button.setEnabled(False)
            self.ui.run(self._save())

    async def _save(self) -> None:
        self.form.clear_errors()
        try:
            values = _body(self.form.values())
            made = await self.client.put_price(values["pattern"], read(NewPrice, values))
        except ActionError as error:
            if isValid(self):
                self.form.show_errors(errors_of(error))
                self.save_button.setEnabled(True)
            return
        if isValid(self):
            self.dirty = False
            self.saved.emit(made)


def _values(price: PriceView) -> dict[str, Any]:
    """A price as the form shows it."""
    values = price.model_dump()
    images = values["per_image"]
    if not isinstance(images, list):
        values["per_image"] = [] if images is None else [{"usd": images}]
    values["service_tiers"] = [{"name": name, "factor": factor} for name, factor in price.service_tiers.items()]
    values["valid_from"] = (price.valid_from or "").removesuffix("T00:00:00Z")
    return values


def _body(form: Mapping[str, Any]) -> dict[str, Any]:
    """The form as the body of a price; raises Invalid."""
    values = {name: value for name, value in form.items() if value not in (None, "", [])}
    images = values.get("per_image", [])
    if len(images) == 1 and not images[0].get("size") and not images[0].get("quality"):
        values["per_image"] = images[0]["usd"]
    values["tiers"] = [{name: value for name, value in tier.items() if value is not None} for tier in values.get("tiers", [])]
    factors: dict[str, Any] = {}
    for row in values.get("service_tiers", []):
        if not row["name"] or row["factor"] is None:
            raise Invalid("service_tiers: each needs a name and a factor", "service_tiers")
        if row["name"] in factors:
            raise Invalid(f"service_tiers: {row['name']!r} is there twice", "service_tiers")
        factors[row["name"]] = row["factor"]
    return {**values, "service_tiers": factors, "pattern": form["pattern"]}
