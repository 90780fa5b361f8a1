"""Prices: those that the operator set and those of the models in use, edited in a pane next to the table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QIcon
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSplitter

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import CatalogQuery, RequestQuery, UsageQuery
from conduit_desktop.actions.schemas.views import CatalogPricesView, PriceView
from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import ActionError
from conduit_desktop.core.exports import write_export
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.prices.dialogs import ImportFailedDialog, RepriceDialog, done_text
from conduit_desktop.gui.pages.prices.editor import WIDTH, PriceEditor
from conduit_desktop.gui.pages.prices.rows import (
    ORIGINS,
    PriceRow,
    UsedModel,
    other_rates,
    price_rows,
    spend_text,
    tells_price,
    used_models,
)
from conduit_desktop.gui.pages.table_page import TablePage
from conduit_desktop.gui.price_text import rate_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import answer, choose_file, confirm
from conduit_desktop.gui.widgets.labels import ElidedLabel
from conduit_desktop.gui.widgets.tables.model import Column, TableModel

DAYS = 30
"""Days of use that count."""
NEWEST = 200
"""Requests read at once to find the newest of each model; of models that are not among them, single ones are read."""
MOST_SINGLE = 40
"""Models whose newest request is read singly in one refresh; those without a cost first."""


def _icon(row: PriceRow) -> QIcon | None:
    return theme.icon("lock-simple") if row.locked else None


def _name_tip(row: PriceRow) -> str:
    lines = [row.pattern, f"By your price for {row.by_pattern}" if row.by_pattern else ""]
    lines.append("Defined in the config file" if row.locked else "")
    return "\n".join(line for line in lines if line)


def _origin_tip(row: PriceRow) -> str:
    unpriced = f"{row.unpriced:,} of {row.requests:,} requests have no cost." if row.unpriced else ""
    return "\n".join(line for line in (ORIGINS[row.origin][2], unpriced) if line)


def _usd_column(title: str, name: str) -> Column[PriceRow]:
    return Column(
        title, lambda row: rate_text(row.rates.get(name)), sort=lambda row: row.rates.get(name), align="right", width=84,
        hide_order=1,
        tooltip=lambda _: "US dollars per million tokens",
    )  # fmt: skip


COLUMNS: list[Column[PriceRow]] = [
    Column("Model or pattern", lambda row: row.pattern, bold=True, tooltip=_name_tip, icon=_icon),
    Column(
        "Source", lambda row: ORIGINS[row.origin][0], sort=lambda row: row.rank, width=118, pill=True,
        colour=lambda row: ORIGINS[row.origin][1], tooltip=_origin_tip,
    ),
    Column("Date", lambda row: row.date or "—", width=106, hide_order=4, colour=lambda _: "text_muted"),
    _usd_column("Input", "input"),
    _usd_column("Output", "output"),
    Column(
        "Other", lambda row: other_rates(row) or "—", width=170, hide_order=3, colour=lambda _: "text_muted", tooltip=other_rates,
    ),
    Column(
        "Requests", lambda row: f"{row.requests:,}" if row.requests else "—", sort=lambda row: row.requests, align="right",
        width=86, hide_order=2, tooltip=lambda _: f"In the last {DAYS} days",
    ),
    Column(
        "Spend", spend_text, sort=lambda row: row.spend_nano, align="right", width=92, hide_order=5,
        colour=lambda row: "warning" if row.unpriced else None,
        tooltip=lambda row: f"{row.unpriced:,} requests of unknown cost are not included" if row.unpriced else "",
    ),
]  # fmt: skip


class PricesPage(TablePage[PriceRow]):
    """The table, and the pane that edits one price."""

    title = "Prices"
    subtitle = "US dollars per million tokens"
    icon = "tag"
    topics = frozenset({"prices", "requests"})
    lockable = frozenset({"delete"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self._wanted: str | None = None
        self._newest: dict[tuple[str, str], tuple[int, RequestRecord | None]] = {}
        """The newest answered request of each model (None: there is none), with the number of requests that the model had then."""
        self._catalog: CatalogPricesView | None = None
        self._widened = False
        self.editor = PriceEditor(client, ui)
        self.editor.hide()
        empty = EmptyState(
            "tag",
            "No prices yet",
            "Models appear here once they were called, with where their price is from. You can set a price before that.",
        )
        self.add_action(button("Re-price…", icon="arrows-clockwise", on_click=self.on_reprice_all))
        self.add_action(button("Import CSV", icon="upload-simple", on_click=lambda: self.ui.run(self.import_csv())))
        self.add_action(button("Export CSV", icon="download-simple", on_click=lambda: self.ui.run(self.export_csv())))
        self.banner = Banner()
        self.body.addWidget(self.banner)
        self.show_table(
            TableModel(COLUMNS, key=lambda row: row.key),
            empty.add_button("Set a price", self.on_new, icon="plus"),
            button("New price", "primary", "plus", self.on_new),
            "Search models and patterns",
            self._buttons(),
        )
        self.view.table.setAccessibleName("Prices")
        self.view.sort_by(1)
        self.editor.closed.connect(lambda: self.ui.run(self._close_editor()))
        self.editor.saved.connect(self._on_saved)
        self._lay_out()

    def _lay_out(self) -> None:
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.M)
        # Also in the smallest window, the table and the pane fit next to each other.
        theme.scaled(self.view, lambda it: it.setMinimumWidth(theme.px(270)))
        self.splitter.addWidget(self.view)
        self.splitter.addWidget(self.editor)
        self.splitter.setStretchFactor(0, 1)
        self.body.addWidget(self.splitter, 1)
        self.catalog_text = ElidedLabel("", "faint")
        self.catalog_button = button("Download a newer catalog", "ghost", "cloud-arrow-down", self.on_refresh_catalog)
        foot = QHBoxLayout()
        foot.addWidget(self.catalog_text, 1)
        foot.addWidget(self.catalog_button)
        self.body.addLayout(foot)

    def _buttons(self) -> dict[str, QPushButton]:
        return {
            "edit": button("Edit", "ghost", "pencil-simple", self.on_edit),
            "reprice": button("Re-price", "ghost", "arrows-clockwise", self.on_reprice, "Compute the cost of its requests again"),
            "delete": button("Remove", "ghost", "trash", self.on_delete),
        }

    async def refresh(self) -> None:
        """Load the prices, what was used, and of each model the newest request, which says what it was charged by."""
        today = datetime.now(UTC).date()
        since = today - timedelta(days=DAYS - 1)
        if self._catalog is None:
            self._catalog = await self.client.catalog_prices(CatalogQuery(limit=1))
        prices = await self.client.prices()
        usage = await self.client.usage(UsageQuery(group_by="upstream_model,provider", since=since.isoformat()))
        used = used_models(usage)
        await self._find_newest(used, since)
        newest = {key: record for key, (_, record) in self._newest.items() if record is not None}
        self.show_rows(await asyncio.to_thread(price_rows, prices, list(used.values()), newest, datetime.now(UTC)))
        self._show_notes()
        if self._wanted is not None:
            self._open(self._wanted)
            self._wanted = None

    async def _find_newest(self, used: dict[tuple[str, str], UsedModel], since: date) -> None:
        found, _ = await self.client.records(RequestQuery(limit=NEWEST))
        known: dict[tuple[str, str], tuple[int, RequestRecord | None]] = {}
        for record in found:
            key = (record.provider, record.upstream_model)
            if key in used and key not in known and tells_price(record):
                known[key] = used[key].requests, record
        for key, (count, kept) in self._newest.items():
            # As long as the model had no further request, the one that was found before is still the newest.
            if key in used and key not in known and used[key].requests == count:
                known[key] = count, kept
        missing = sorted(
            (model for key, model in used.items() if key not in known), key=lambda one: (not one.unpriced, -one.requests)
        )
        if missing:
            days = await self._last_days(since)
            for model in missing[:MOST_SINGLE]:
                newest = await self._newest_of(model, days[model.key]) if model.key in days else None
                known[model.key] = model.requests, newest
        self._newest = known

    async def _last_days(self, since: date) -> dict[tuple[str, str], str]:
        """The last day of use of each model."""
        days: dict[tuple[str, str], str] = {}
        query = UsageQuery(group_by="day,upstream_model,provider", since=since.isoformat())
        for row in await self.client.usage(query):
            key = row.provider or "", row.upstream_model or ""
            days[key] = max(days.get(key, ""), row.day or "")
        return days

    async def _newest_of(self, model: UsedModel, last_day: str) -> RequestRecord | None:
        # Of its last day alone: without bounds, a rare model would be looked for in the whole log.
        day = date.fromisoformat(last_day)
        query = RequestQuery(
            limit=5, provider=model.provider, upstream_model=model.model, since=day.isoformat(),
            until=(day + timedelta(days=1)).isoformat(),
        )  # fmt: skip
        found, _ = await self.client.records(query)
        return next((record for record in found if tells_price(record)), None)

    def on_changes(self, changes: Sequence[Change]) -> None:
        """Forget what was read before a change of costs or of the catalog."""
        for change in changes:
            if change.topic == "prices":
                self._catalog = None
            elif change.topic == "requests" and not isinstance(change.payload, RequestRecord):
                self._newest = {}
        super().on_changes(changes)

    def _show_notes(self) -> None:
        without = [row for row in self.model.rows if row.origin == "unknown"]
        late = sum(row.unpriced for row in self.model.rows if row.origin != "unknown")
        if without:
            names = f"{len(without)} models were" if len(without) > 1 else f"{without[0].pattern} was"
            text = f"{names} used without a known price: the cost is unknown, and where a budget holds, such calls are refused."
            self.banner.show_text(text, "warning", ("Set a price", "plain", lambda: self._open(without[0].pattern)))
        elif late:
            count = f"{late:,} requests of the last {DAYS} days have" if late > 1 else f"1 request of the last {DAYS} days has"
            text = f"{count} no cost, although a price is known now."
            self.banner.show_text(text, "info", ("Re-price…", "plain", self.on_reprice_all))
        else:
            self.banner.hide()
        if self._catalog is not None:
            where = "Built-in price catalog" if self._catalog.is_built_in else "Price catalog"
            self.catalog_text.setText(
                f"{where} of {self._catalog.date}: {self._catalog.models:,} models, from {self._catalog.source}"
            )

    def hidden_for(self, row: PriceRow) -> frozenset[str]:
        """What is not a price of the operator's cannot be removed."""
        return frozenset() if row.price is not None else frozenset({"delete"})

    def show_current(self, row: PriceRow | None) -> None:
        """Name the button after what it does; the open pane follows the selection unless something was typed."""
        if row is not None:
            self.bar.rename("edit", "Set price" if row.price is None else "View" if row.locked else "Edit")
        if self.editor.isHidden():
            return
        editing = self.editor.row
        if row is not None and not self.editor.dirty and (editing is None or row.key != editing.key):
            self.editor.edit(row)
        elif editing is not None:
            self.editor.follow(self.model.row(editing.key))

    def show_context(self, **context: Any) -> None:
        """`new=True` opens the form; `price` opens the price of a pattern or of `provider/model`."""
        if context.get("new"):
            self.on_new()
        if context.get("price"):
            self._wanted = context["price"]  # it may not be loaded yet
            self.request_refresh()

    def on_new(self) -> None:
        """Set a price for a model or a pattern."""
        self.ui.run(self._edit_in_pane(None))

    def on_edit(self) -> None:
        """Edit the price of the selected row."""
        self._with_current(self._edit_in_pane)

    def on_reprice(self) -> None:
        """Compute the costs of the selected model again."""
        self._with_current(lambda row: self._reprice("" if "*" in row.pattern else row.pattern))

    def on_reprice_all(self) -> None:
        """Compute costs of past requests again."""
        self.ui.run(self._reprice(""))

    def on_delete(self) -> None:
        """Remove the selected price."""
        self._with_current(self._remove)

    def on_refresh_catalog(self) -> None:
        """Take a newer price catalog from the address in the settings."""
        self.ui.run(self._refresh_catalog())

    def _open(self, pattern: str) -> None:
        """Open the row of a pattern or model; without one, a new price for it."""
        self.bar.filter.clear()
        row = next((row for row in self.model.rows if row.pattern.lower() == pattern.lower()), None)
        if row is not None:
            self.view.select(row.key)
        self.ui.run(self._edit_in_pane(row or PriceRow(pattern, None, "unknown")))

    async def _edit_in_pane(self, row: PriceRow | None) -> None:
        if self.editor.isVisible() and self.editor.dirty and not await self._discard():
            return
        await self.editor.prepare()
        self.editor.show()
        if not self._widened:
            # Only the first time: afterwards the user may have moved the splitter.
            self._widened = True
            wide = min(WIDTH, self.splitter.width() * 5 // 9)
            self.splitter.setSizes([self.splitter.width() - wide, wide])
        self.editor.edit(row)

    async def _discard(self) -> bool:
        text = "What you typed is not saved."
        return await confirm(self, "Discard the changes?", text, accept="Discard", cancel="Keep editing")

    async def _close_editor(self) -> None:
        if not self.editor.dirty or await self._discard():
            self.editor.dirty = False
            self.editor.hide()
            self.view.table.setFocus()

    def _on_saved(self, price: PriceView) -> None:
        self.editor.hide()
        self.view.table.setFocus()
        self.ui.notify(f"The price of {price.pattern} is set")
        # The change is on its way; the row may be a new one.
        self.request_refresh()

    async def _remove(self, row: PriceRow) -> None:
        versions = sum(one.price is not None and one.pattern.lower() == row.pattern.lower() for one in self.model.rows)
        text = "The price of the catalog or of the provider's list is used again, where there is one. Costs of the past stay."
        if versions > 1:
            text = f"All {versions} prices of this pattern, of every date, are removed. {text}"
        if await confirm(self, f"Remove the price of {row.pattern}?", text, accept="Remove price"):
            await self.client.remove_price(row.pattern)

    async def _reprice(self, model: str) -> None:
        dialog = RepriceDialog(self, self.client, self.ui, model)
        if await answer(dialog) and dialog.done_view is not None:
            self.ui.notify(done_text(dialog.done_view))

    async def _refresh_catalog(self) -> None:
        made = await self.client.refresh_catalog()
        self.ui.notify(f"The price catalog of {made.date} is used from now on")

    async def export_csv(self) -> None:
        """Write every price of the operator to a CSV file."""
        path = await choose_file(self, "Export prices", "save", "CSV (*.csv)", "conduit-prices.csv")
        if path is not None:
            text = await self.client.prices_csv()
            await asyncio.to_thread(write_export, path, text)
            self.ui.notify(f"Saved to {path.name}")

    async def import_csv(self) -> None:
        """Set every price of a CSV file, all or none."""
        path = await choose_file(self, "Import prices", "open", "CSV (*.csv)")
        if path is None:
            return
        try:
            text = await asyncio.to_thread(path.read_text, "utf-8")
            count = await self.client.import_prices(text)
        except UnicodeDecodeError:
            await answer(ImportFailedDialog(self, path.name, "The file is not UTF-8 text."))
        except ActionError as error:
            await answer(ImportFailedDialog(self, path.name, error.message))
        else:
            self.ui.notify(f"{count:,} price set" if count == 1 else f"{count:,} prices set")

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # What changes while the page is hidden is not seen one by one.
        self._catalog, self._newest = None, {}
