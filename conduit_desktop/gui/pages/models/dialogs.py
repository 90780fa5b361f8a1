"""Dialogs of model aliases: the editor, and the explanation of where a request would go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from conduit_desktop.actions import models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import ModelPatch, NewModel, read
from conduit_desktop.actions.schemas.views import ExplainedView, ModelView
from conduit_desktop.core.errors import ActionError, GatewayError, Invalid
from conduit_desktop.gui.pages import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.empty import IconLabel
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, framed, section, side_by_side, tied
from conduit_desktop.gui.widgets.forms.targets import TargetList
from conduit_desktop.gui.widgets.tables.view import ROW_HEIGHT

STRATEGIES = {
    "priority": ("In order", "The first target that works; the next when it fails."),
    "round_robin": ("Take turns", "Each target in its turn."),
    "weighted": ("By weight", "Random, but as often as its weight says."),
    "random": ("Random", "Any target."),
    "least_busy": ("Least busy", "The target with the fewest requests in flight."),
    "fastest": ("Fastest", "The target whose answers of usual length came soonest of late: first token and tokens a second."),
    "cheapest": ("Cheapest", "The target with the lowest price."),
}
STICKY: tuple[tuple[str, str | None], ...] = (
    ("No, each request for itself", None),
    ("Requests of one session", "session"),
    ("Prompts that begin alike", "prefix"),
)
TIMEOUTS = (("connect_s", "Connect"), ("first_token_s", "First token"), ("idle_s", "Silence"), ("total_s", "In total"))
SAMPLE = '{\n  "messages": [{"role": "user", "content": "Hello"}]\n}'


def as_object(text: str, path: str) -> dict[str, Any]:
    """A JSON object the user wrote; empty text is an empty one. Raises Invalid, in words, for anything else."""
    if not text.strip():
        return {}
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{path}: no valid JSON: {error.msg} in line {error.lineno}", path) from None
    if not isinstance(value, dict):
        raise Invalid(f'{path}: must be an object such as {{"temperature": 0}}', path)
    return value


class ModelDialog(FormDialog):
    """Makes an alias, or changes one."""

    def __init__(
        self, parent: QWidget | None, context: AppContext, ui: Ui, known: Sequence[str], aliases: Sequence[str],
        alias: ModelView | None = None, targets: Sequence[dict[str, Any]] = (),
    ) -> None:  # fmt: skip
        title = "New model alias" if alias is None else f"Edit {alias.alias}"
        super().__init__(parent, ui, title, "Create alias" if alias is None else "Save", 640, 480)
        self.context = context
        self.alias = alias
        self.targets = TargetList(known)
        self.targets.models_wanted.connect(lambda name: tied(self, self.ui.run(self._offer(name))))
        self._build([name for name in aliases if alias is None or name != alias.alias])
        if alias is None:
            first = list(targets) or [{"provider": known[0] if known else None, "model": ""}]
            self.form.set_values({"strategy": "priority", "retries": 1, "enabled": True, "targets": first})
        else:
            self.form.set_values(_values(alias))
        self._say_strategy()
        self.form.changed.connect(lambda _: self._say_strategy())

    def _build(self, others: Sequence[str]) -> None:
        form = self.form
        form.add_text("alias", "Alias", "The name callers use. A * stands for any text.", "smart", required=True)
        form.add("targets", "Targets", self.targets, required=True)
        form.add_combo("strategy", "Which target first", [(words, name) for name, (words, _) in STRATEGIES.items()], " ")
        form.add_combo("sticky", "Keep together", STICKY, "At the target that answered before, whose prompt cache knows them.")
        form.add_list("fallbacks", "Fallbacks", f"Aliases to try when all targets fail. {_among(others)}")
        too_long = form.add_list("context_fallbacks", "For what is too long", "Instead of the fallbacks above.")
        filtered = form.add_list("content_filter_fallbacks", "For what was filtered", "Instead of the fallbacks above.")
        form.add_widget(side_by_side(too_long, filtered))
        form.add_widget(section("Patience"))
        retries = form.add_number("retries", "Retries on the same target", optional=False)
        context = form.add_number("max_context_tokens", "Longest prompt", unit="tokens", placeholder="No limit")
        form.add_widget(side_by_side(retries, context))
        form.add_toggle("trim", "Trim long conversations", "Take out the oldest turns of what is over the longest prompt.")
        times = [form.add_number(f"timeouts.{name}", f"{label} (s)", decimals=3, placeholder="Default") for name, label in TIMEOUTS]
        form.add_widget(side_by_side(*times))
        form.add_widget(section("Parameters"))
        words = 'Parameters to set in every request, as JSON; null removes one: {"temperature": 0, "top_k": null}'
        form.add_area("overrides", "Overrides", words, "{ }", mono=True)
        form.add_toggle("enabled", "Enabled")

    async def save(self) -> None:
        """Create or edit."""
        values = self.form.values()
        values["overrides"] = as_object(values["overrides"], "overrides")
        values["timeouts"] = {name: values.pop(f"timeouts.{name}") for name, _ in TIMEOUTS}
        if self.alias is None:
            await models.create(self.context, read(NewModel, values), "gui")
        else:
            await models.edit(self.context, self.alias.alias, read(ModelPatch, values), "gui")

    async def _offer(self, provider: str) -> None:
        try:
            offered = await providers.offered(self.context, provider)
        except (ActionError, GatewayError):
            return  # the model's name can be written as well; the provider's page says what is wrong
        self.targets.offer(provider, [one.id for one in offered])

    def _say_strategy(self) -> None:
        field = self.form.fields["strategy"]
        field.help.setText(STRATEGIES[self.form.value("strategy")][1])


def _values(alias: ModelView) -> dict[str, Any]:
    values = alias.model_dump()
    values |= {f"timeouts.{name}": values["timeouts"][name] for name, _ in TIMEOUTS}
    values["overrides"] = orjson.dumps(alias.overrides, option=orjson.OPT_INDENT_2).decode() if alias.overrides else ""
    return values


def _among(others: Sequence[str]) -> str:
    return f"There are {', '.join(others[:6])}{' …' if len(others) > 6 else ''}." if others else "There is no other alias yet."


class ExplainDialog(Dialog):
    """Where a sample request would go now, in order, and why."""

    def __init__(self, parent: QWidget | None, context: AppContext, ui: Ui, alias: str) -> None:
        super().__init__(parent, f"Where {alias} goes", "Ask again", width=620)
        self.context, self.ui, self.alias = context, ui, alias
        self.cancel.setText("Close")
        self.form = Form()
        self.form.add_area("body", "Sample request", "", mono=True)
        self.form.set_values({"body": SAMPLE})
        self.body.addWidget(self.form)
        self.body.addWidget(section("In this order"))
        page = QWidget()
        self._rows = QVBoxLayout(page)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(theme.S)
        self._rows.addStretch(1)
        self.body.addWidget(framed(page, 5 * ROW_HEIGHT))
        self.shown: list[ExplainedView] = []
        self.submit()

    def submit(self) -> None:
        """Ask the router."""
        tied(self, self.ui.run(self.ask()))

    async def ask(self) -> None:
        """Show what the router says."""
        self.form.clear_errors()
        try:
            self.shown = await models.explain(self.context, self.alias, as_object(self.form.value("body"), "body"))
        except (ActionError, GatewayError) as error:
            self.form.show_errors({"body": error.message.removeprefix("body: ")})
            return
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
    words = QVBoxLayout()
    words.setSpacing(2)
    for text, name in ((f"{place}. {row.provider}/{row.model}", "cardTitle"), (row.reason, "fieldHelp")):
        label = QLabel(text)
        label.setObjectName(name)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        words.addWidget(label)
    across.addLayout(words, 1)
    return frame
