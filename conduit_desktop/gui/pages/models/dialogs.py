"""Dialogs of model aliases: the editor, and the explanation of a route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel, read
from conduit_desktop.actions.schemas.views import ExplainedView, ModelView
from conduit_desktop.core.errors import ConduitError, Invalid
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, cancel_on_close, scroll_area, section, side_by_side
from conduit_desktop.gui.widgets.forms.targets import TargetList
from conduit_desktop.gui.widgets.icons import IconLabel
from conduit_desktop.gui.widgets.labels import label
from conduit_desktop.gui.widgets.tables.view import ROW_HEIGHT

STRATEGIES = {
    "priority": ("Priority", "The first available target; the next one if it fails."),
    "round_robin": ("Round robin", "Every target in rotation."),
    "weighted": ("Weighted", "A random target, in proportion to the weights."),
    "random": ("Random", "A random target."),
    "least_busy": ("Least busy", "The target with the fewest requests in flight."),
    "fastest": ("Lowest latency", "The target with the lowest recent latency, from first token and tokens per second."),
    "cheapest": ("Lowest cost", "The target with the lowest price."),
}
AFFINITY: tuple[tuple[str, str | None], ...] = (
    ("Off", None),
    ("By session", "session"),
    ("By prompt prefix", "prefix"),
)
TIMEOUTS = (
    ("connect_s", "Connect timeout (s)"),
    ("first_token_s", "First token timeout (s)"),
    ("idle_s", "Idle timeout (s)"),
    ("total_s", "Total timeout (s)"),
)
SAMPLE = '{\n  "messages": [{"role": "user", "content": "Hello"}]\n}'


def as_object(text: str, path: str) -> dict[str, Any]:
    """The JSON object in `text`; empty text is an empty object. Raises Invalid, naming `path`, for anything else."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Ours, not orjson's: the dialog shows errors of this kind at their field.
        raise Invalid(f"{path}: invalid JSON: {error.msg} in line {error.lineno}", path) from None
    if not isinstance(value, dict):
        raise Invalid(f'{path}: must be an object such as {{"temperature": 0}}', path)
    return value


class ModelDialog(FormDialog):
    """Creates or edits an alias."""

    def __init__(
        self, parent: QWidget | None, client: AdminClient, ui: Ui, known: Sequence[str], aliases: Sequence[str],
        alias: ModelView | None = None, targets: Sequence[dict[str, Any]] = (),
    ) -> None:  # fmt: skip
        title = "New model alias" if alias is None else f"Edit {alias.alias}"
        super().__init__(parent, ui, title, "Create alias" if alias is None else "Save", 640, 480)
        self.client = client
        self.alias = alias
        self.targets = TargetList(known)
        # Without a dialog to fill, the answer of a slow provider is of no use.
        self.targets.models_wanted.connect(lambda name: cancel_on_close(self, self.ui.run(self._offer(name))))
        # An alias cannot be its own fallback.
        self._build([name for name in aliases if alias is None or name != alias.alias])
        if alias is None:
            first = list(targets) or [{"provider": known[0] if known else None, "model": ""}]
            self.form.set_values({"strategy": "priority", "retries": 1, "enabled": True, "targets": first})
        else:
            self.form.set_values(_values(alias))
        self._show_strategy_help()
        self.form.changed.connect(lambda _: self._show_strategy_help())

    def _build(self, others: Sequence[str]) -> None:
        form = self.form
        form.add_text("alias", "Alias", "The model name that clients use. * matches any text.", "smart", required=True)
        form.add("targets", "Targets", self.targets, required=True)
        # The help is a space at first: a field without help has no label for `_show_strategy_help` to fill.
        form.add_combo("strategy", "Strategy", [(title, name) for name, (title, _) in STRATEGIES.items()], " ")
        form.add_combo(
            "sticky", "Session affinity", AFFINITY, "Send related requests to the same target, to reuse its prompt cache."
        )
        form.add_list("fallbacks", "Fallbacks", f"Aliases to try if every target fails. {_among(others)}")
        too_long = form.add_list("context_fallbacks", "Context window fallbacks", "Used if the prompt is too long.")
        filtered = form.add_list("content_filter_fallbacks", "Content filter fallbacks", "Used if the content was filtered.")
        form.add_widget(side_by_side(too_long, filtered))
        form.add_widget(section("Limits and timeouts"))
        retries = form.add_number("retries", "Retries on the same target", optional=False)
        context = form.add_number("max_context_tokens", "Context window", unit="tokens", placeholder="No limit")
        form.add_widget(side_by_side(retries, context))
        form.add_toggle(
            "trim", "Trim long conversations", "Remove the oldest messages of a prompt that exceeds the context window."
        )
        times = [form.add_number(f"timeouts.{name}", title, decimals=3, placeholder="Default") for name, title in TIMEOUTS]
        form.add_widget(side_by_side(*times[:2]))
        form.add_widget(side_by_side(*times[2:]))
        form.add_widget(section("Request parameters"))
        help = 'Parameters set in every request, as JSON. null removes one: {"temperature": 0, "top_k": null}'
        form.add_area("overrides", "Overrides", help, "{ }", mono=True)
        form.add_toggle("enabled", "Enabled")

    async def save(self) -> None:
        """Create or edit the alias."""
        values = self.form.values()
        values["overrides"] = as_object(values["overrides"], "overrides")
        # All of them, also the empty ones: an empty field restores the default.
        values["timeouts"] = {name: values.pop(f"timeouts.{name}") for name, _ in TIMEOUTS}
        if self.alias is None:
            await self.client.create_model(read(NewModel, values))
        else:
            await self.client.edit_model(self.alias.alias, read(ModelPatch, values))

    async def _offer(self, provider: str) -> None:
        try:
            offered = await self.client.offered_models(provider)
        except ConduitError:
            return  # a model name can be typed as well; the provider's page shows the error
        self.targets.offer(provider, [one.id for one in offered])

    def _show_strategy_help(self) -> None:
        field = self.form.fields["strategy"]
        field.help.setText(STRATEGIES[self.form.value("strategy")][1])


def _values(alias: ModelView) -> dict[str, Any]:
    values = alias.model_dump()
    values |= {f"timeouts.{name}": values["timeouts"][name] for name, _ in TIMEOUTS}
    values["overrides"] = orjson.dumps(alias.overrides, option=orjson.OPT_INDENT_2).decode() if alias.overrides else ""
    return values


def _among(others: Sequence[str]) -> str:
    return f"Available: {', '.join(others[:6])}{' …' if len(others) > 6 else ''}." if others else "There are no other aliases yet."


class ExplainDialog(Dialog):
    """The targets that a sample request would use now, in order, with the reason for each."""

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui, alias: str) -> None:
        super().__init__(parent, f"Route of {alias}", "Run again", width=620)
        self.client, self.ui, self.alias = client, ui, alias
        self.cancel.setText("Close")
        self.form = Form()
        self.form.add_area("body", "Sample request", "", mono=True)
        self.form.set_values({"body": SAMPLE})
        self.body.addWidget(self.form)
        self.body.addWidget(section("Targets in order"))
        page = QWidget()
        self._rows = QVBoxLayout(page)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(theme.S)
        self._rows.addStretch(1)
        self.body.addWidget(scroll_area(page, 5 * ROW_HEIGHT))
        self.shown: list[ExplainedView] = []
        self.submit()

    def submit(self) -> None:
        """Resolve the route of the sample request."""
        cancel_on_close(self, self.ui.run(self.explain()))

    async def explain(self) -> None:
        """Show the resolved targets, or the error at the request."""
        self.form.clear_errors()
        try:
            self.shown = await self.client.explain_model(self.alias, as_object(self.form.value("body"), "body"))
        except ConduitError as error:
            self.form.show_errors({"body": str(error).removeprefix("body: ")})
            return
        # The last item is the stretch that keeps the rows at the top.
        while self._rows.count() > 1:
            item = self._rows.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.deleteLater()
        for at, row in enumerate(self.shown):
            self._rows.insertWidget(at, _explained(at + 1, row))


def _explained(place: int, row: ExplainedView) -> QFrame:
    frame = QFrame()
    frame.setObjectName("well")
    across = QHBoxLayout(frame)
    across.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
    across.setSpacing(theme.M)
    across.addWidget(IconLabel("check-circle" if row.usable else "x-circle", 18, "success" if row.usable else "text_faint"))
    texts = QVBoxLayout()
    texts.setSpacing(2)
    for text, name in ((f"{place}. {row.provider}/{row.model}", "cardTitle"), (row.reason, "fieldHelp")):
        texts.addWidget(label(text, name, wrap=True))
    across.addLayout(texts, 1)
    return frame
