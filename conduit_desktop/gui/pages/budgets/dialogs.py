"""The form of a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import BudgetPatch, NewBudget, read
from conduit_desktop.actions.schemas.views import BudgetView
from conduit_desktop.core.entities import BudgetScope
from conduit_desktop.core.errors import Invalid
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.budgets.rows import share_text
from conduit_desktop.gui.widgets.forms.editors import Combo
from conduit_desktop.gui.widgets.forms.form_dialog import FormDialog, section, side_by_side
from conduit_desktop.gui.widgets.labels import label

SCOPE_CHOICES: list[str | tuple[str, Any]] = [
    ("All requests", "global"), ("A provider", "provider"), ("A model alias", "alias"), ("A virtual key", "key"),
    ("A team", "team"),
]  # fmt: skip
PERIODS: list[str | tuple[str, Any]] = [("Monthly", "monthly"), ("Weekly", "weekly"), ("Daily", "daily"), ("Never", "total")]
ACTIONS: list[str | tuple[str, Any]] = [("Refuse further requests", "block"), ("Only notify", "warn")]
_NAMES: Mapping[BudgetScope, tuple[str, str]] = {
    "global": ("", ""),
    "provider": ("Provider", ""),
    "alias": ("Alias", "Requests that name this alias. A direct call of its target does not count."),
    "key": ("Key", "One more limit, besides the budget that the key may have of its own."),
    "team": ("Team", "Every key with this team counts, also those that join later."),
}


@dataclass(frozen=True)
class BudgetTargets:
    """What budgets can be on: providers, aliases and teams by name, keys as `(name, id)`."""

    providers: Sequence[str] = ()
    aliases: Sequence[str] = ()
    keys: Sequence[tuple[str, str]] = ()
    teams: Sequence[str] = ()

    def choices(self, scope: BudgetScope) -> Sequence[str | tuple[str, Any]]:
        """The targets that a scope can have."""
        match scope:
            case "provider":
                return self.providers
            case "alias":
                return self.aliases
            case "key":
                return self.keys
            case "team":
                return self.teams
            case "global":
                return ()


class BudgetDialog(FormDialog):
    """Creates or edits a budget. `made` is the budget once the dialog was accepted."""

    def __init__(
        self, parent: QWidget | None, client: AdminClient, ui: Ui, targets: BudgetTargets, budget: BudgetView | None = None
    ) -> None:
        title = "New budget" if budget is None else f"Edit {budget.name}"
        super().__init__(parent, ui, title, "Create budget" if budget is None else "Save", 520, 430)
        self.client = client
        self.targets = targets
        self.budget = budget
        self.made: BudgetView | None = None
        self._build()
        self.form.set_values({"scope": "global", "period": "monthly", "action": "block", "thresholds": "75, 90, 100"})
        if budget is not None:
            self._show_scope(budget.scope)
            shown = ", ".join(share_text(one).removesuffix(" %") for one in budget.thresholds)
            self.form.set_values({**budget.model_dump(), "thresholds": shown})
        else:
            self._show_scope("global")
        self.form.changed.connect(self._on_changed)

    def _build(self) -> None:
        form = self.form
        form.add_combo("scope", "Applies to", SCOPE_CHOICES)
        # Editable: of many, the one that is typed is found sooner, and a team may be named before its first key.
        form.add_combo("target", "Target", (), "-", editable=True)
        limit = form.add_number("limit_usd", "Limit", decimals=6, unit="USD", optional=False)
        form.add_widget(side_by_side(limit, form.add_combo("period", "Resets", PERIODS)))
        form.add_widget(label("Periods begin at midnight UTC, weeks on Monday.", "faint"))
        form.add_widget(section("At the limit"))
        form.add_combo("action", "When the limit is reached", ACTIONS)
        form.add_text("thresholds", "Notify at", "Percent of the limit, separated by commas.", "75, 90, 100")
        form.add_text("name", "Name", "Empty: made from the rest.")

    def _on_changed(self, path: str) -> None:
        if path == "scope":
            self.form.fields["target"].editor.set_value("")
            self._show_scope(self.form.value("scope"))

    def _show_scope(self, scope: BudgetScope) -> None:
        """Offer the targets of a scope; `global` has none."""
        target = self.form.fields["target"]
        title, help_text = _NAMES[scope]
        target.label.setText(f"{title} *")
        target.editor.focus_target().setAccessibleName(title)
        target.help.setText(help_text)
        target.help.setVisible(bool(help_text))
        target.setVisible(scope != "global")
        target.show_error("")
        editor = target.editor
        assert isinstance(editor, Combo)
        editor.set_choices(self.targets.choices(scope))
        editor.set_value("")

    async def save(self) -> None:
        """Create or edit the budget."""
        form = self.form.values()
        values = {**form, "thresholds": _fractions(form["thresholds"])}
        if not values["name"] and self.budget is None:
            del values["name"]  # the action makes one
        if form["scope"] == "global":
            values["target"] = None
        if self.budget is None:
            self.made = await self.client.create_budget(read(NewBudget, values))
        else:
            self.made = await self.client.edit_budget(self.budget.id, read(BudgetPatch, values))


def _fractions(text: str) -> list[float]:
    """`75, 90` or `75 %, 90 %` as fractions; raises Invalid."""
    found = []
    for part in text.replace(";", ",").split(","):
        number = part.strip().removesuffix("%").strip()
        if not number:
            continue
        try:
            # Rounded: 55 / 100 and 0.55 are the same number, but 0.07 * 100 / 100 would not be.
            found.append(round(float(number) / 100, 6))
        except ValueError:
            raise Invalid(f"thresholds: {part.strip()!r} is not a number of percent", "thresholds") from None
    return found
