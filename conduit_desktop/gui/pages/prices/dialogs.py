"""Re-pricing with its preview, and what went wrong with an import."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import RepriceRequest, read
from conduit_desktop.actions.schemas.views import RepricedView
from conduit_desktop.core.errors import ActionError
from conduit_desktop.core.money import show_usd, to_nano
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, errors_of, side_by_side
from conduit_desktop.gui.widgets.labels import label

MODES: list[str | tuple[str, Any]] = [("Requests of unknown cost", "unknown"), ("Known costs too", "all")]


class RepriceDialog(FormDialog):
    """Computes costs of past requests anew; nothing can be changed without a preview of the same choice.

    `done` is the result once the dialog was accepted.
    """

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui, model: str = "") -> None:
        super().__init__(parent, ui, "Compute costs again", "Re-price", 540)
        self.client = client
        self.done_view: RepricedView | None = None
        self._previewed: RepriceRequest | None = None
        form = self.form
        form.add_widget(
            label(
                "Each request gets the price that held at its time. Estimates stay estimates, and what a provider reported itself"
                " stays as it is. Every former cost is kept with the request.",
                "muted",
                wrap=True,
            )
        )
        form.add_combo("mode", "Which requests", MODES)
        form.add_text("model", "Model", "An alias, a model of a provider, or provider/model. Empty: all.", "All models")
        since = form.add_text("since", "From", "A date, or a time such as 2026-11-01T12:00:00Z (UTC).", "The beginning")
        form.add_widget(side_by_side(since, form.add_text("until", "Before", placeholder="Now")))
        form.set_values({"mode": "unknown", "model": model})
        self.result_text = Banner()
        self.body.addWidget(self.result_text)
        self.preview = button("Preview", "primary", "eye", self.on_preview)
        self.footer.insertWidget(self.footer.indexOf(self.primary), self.preview)
        form.changed.connect(lambda _: self._forget())
        self._forget()

    def _forget(self) -> None:
        """The choice was changed: what was previewed is not what would be done."""
        self._previewed = None
        self.result_text.hide()
        self._show_step()

    def _show_step(self) -> None:
        ready = self._previewed is not None
        self.primary.setVisible(ready)
        self.preview.setVisible(not ready)
        self.preview.setEnabled(True)
        # Enter does the next step.
        self.preview.setDefault(not ready)
        self.primary.setDefault(ready)

    def _request(self, preview: bool) -> RepriceRequest:
        values = {name: value or None for name, value in self.form.values().items()}
        return read(RepriceRequest, {**values, "preview": preview})

    def on_preview(self) -> None:
        """Compute what would change."""
        self.preview.setEnabled(False)
        self.ui.run(self._preview())

    async def _preview(self) -> None:
        self.form.clear_errors()
        try:
            request = self._request(preview=True)
            found = await self.client.reprice(request)
        except ActionError as error:
            if isValid(self):
                self.form.show_errors(errors_of(error))
                self.preview.setEnabled(True)
            return
        if not isValid(self):
            return
        self.preview.setEnabled(True)
        if request != self._request(preview=True):  # edited meanwhile
            return
        self.result_text.show_text(preview_text(found), "info" if found.repriced else "success")
        if found.repriced:
            self._previewed = request
            self._show_step()

    async def save(self) -> None:
        """Do what was previewed."""
        if self._previewed is not None:
            self.done_view = await self.client.reprice(self._previewed.model_copy(update={"preview": False}))


def preview_text(found: RepricedView) -> str:
    """How many costs would change, and their totals."""
    if not found.repriced:
        return "Nothing would change: every request in question has the cost that follows from its price, or no price is known."
    new = found.repriced - found.changed
    parts = [f"{new:,} without a cost until now"] if new else []
    parts += [f"{found.changed:,} with another cost"] if found.changed else []
    before, after = show_usd(to_nano(found.before_usd)), show_usd(to_nano(found.after_usd))
    change = f"The total of their costs would go from {before} to {after}."
    return f"{_requests(found.repriced)} would change ({', '.join(parts)}). {change}"


def done_text(done: RepricedView) -> str:
    """What was changed."""
    before, after = show_usd(to_nano(done.before_usd)), show_usd(to_nano(done.after_usd))
    return f"{_requests(done.repriced)} re-priced: {before} before, {after} now"


def _requests(count: int) -> str:
    return f"{count:,} request" if count == 1 else f"{count:,} requests"


class ImportFailedDialog(Dialog):
    """A CSV file that was not imported, with the line and the column of its error."""

    def __init__(self, parent: QWidget | None, file: str, error: str) -> None:
        super().__init__(parent, f"{file} was not imported", "Close", width=480)
        self.cancel.hide()
        self.body.addWidget(Banner("danger", error[:1].upper() + error[1:]))
        self.body.addWidget(label("No price was changed. Correct the line and import the file again.", "muted", wrap=True))
