"""One tool: where it is, what setting it up would change, and whether its first request has come."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.inputs import ClientSetup, read
from conduit_desktop.actions.schemas.views import ClientView
from conduit_desktop.core.errors import ActionError
from conduit_desktop.gui import formatting
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import FactList
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.forms.dialogs import confirm
from conduit_desktop.gui.widgets.forms.editors import Combo
from conduit_desktop.gui.widgets.forms.form import Form
from conduit_desktop.gui.widgets.forms.form_dialog import errors_of, side_by_side
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import scrolled
from conduit_desktop.gui.widgets.pills import Pill

PERIODS: list[str | tuple[str, str]] = [
    ("per month", "monthly"),
    ("per week", "weekly"),
    ("per day", "daily"),
    ("in total", "total"),
]


def state_of(client: ClientView) -> tuple[str, str]:
    """The state of a tool in words, and its colour."""
    if not client.can_set:
        return ("By hand", "text_muted")
    match client.state:
        case "not_installed":
            return ("Not found", "text_muted")
        case "not_set":
            return ("Not set up", "info")
        case "changed_elsewhere":
            return ("Changed elsewhere", "warning")
        case "set":
            return ("In use", "success") if client.first_seen else ("Waiting", "accent")


def moment(value: str | None) -> str:
    """A time in the viewer's zone; empty for None."""
    at = formatting.parse(value)
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


class ClientDetail(QFrame):
    """`show_client` fills it. What the user has typed stays while the same tool is shown."""

    def __init__(self, client: AdminClient, ui: Ui, page: QWidget) -> None:
        super().__init__()
        self.setObjectName("card")
        self.client, self.ui, self._page = client, ui, page
        self.shown: ClientView | None = None
        self._loads = 0
        self._is_chosen = False
        """Whether the user has chosen models: then the difference is that for them, whatever is read meanwhile."""
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(theme.L, theme.M, theme.L, theme.M)
        self._column.setSpacing(theme.M)
        self._build()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.addWidget(scrolled(content))

    def _build(self) -> None:
        head = QHBoxLayout()
        self.title = ElidedLabel("", "sectionTitle", snug=True)
        self.pill = Pill()
        head.addWidget(self.title)
        head.addWidget(self.pill)
        head.addStretch(1)
        self._column.addLayout(head)
        self.banner = Banner()
        self.note = label("", "muted", wrap=True)
        self.facts = FactList()
        self.form = self._form()
        self.diff_title = label("Changes to its files", "overline")
        self.diff = CodeBlock()
        self.set_up = button("Set up", "primary", on_click=self.on_set)
        self.undo = button("Undo", "plain", "arrow-counter-clockwise", self.on_undo, "Give its files back what they had")
        self.first = button("Open the first request", "ghost", "activity", self.on_first)
        buttons = QHBoxLayout()
        for made in (self.set_up, self.undo, self.first):
            buttons.addWidget(made)
        buttons.addStretch(1)
        for widget in (self.banner, self.note, self.facts, self.form, self.diff_title, self.diff):
            self._column.addWidget(widget)
        self._column.addLayout(buttons)
        self._column.addStretch(1)

    def _form(self) -> Form:
        form = Form()
        model = form.add_combo("model", "Model", (), "The alias that the tool asks for.", editable=True)
        small = form.add_combo("small_model", "Small model", (), "For its background work; empty: the same.", editable=True)
        form.add_widget(side_by_side(model, small))
        budget = form.add_number("budget_usd", "Budget of its key", decimals=2, unit="USD", placeholder="none")
        form.add_widget(side_by_side(budget, form.add_combo("budget_period", "Resets", PERIODS)))
        form.set_values({"budget_period": "monthly"})
        form.changed.connect(self._on_changed)
        return form

    def offer(self, aliases: Sequence[str]) -> None:
        """The aliases that can be chosen."""
        for name in ("model", "small_model"):
            editor = self.form.fields[name].editor
            assert isinstance(editor, Combo)
            editor.set_choices(["", *aliases] if name == "small_model" else aliases)

    def show_client(self, client: ClientView) -> None:
        """Show a tool as it is now."""
        is_other = self.shown is None or self.shown.name != client.name
        self.shown = client
        self.title.setText(client.label)
        self.pill.show_text(*state_of(client))
        self._show_banner(client)
        self.note.setText("\n".join(text for text in (client.reason, client.note) if text))
        self.note.setVisible(bool(self.note.text()))
        self.facts.show_facts(_facts(client))
        self.form.setVisible(client.can_set)
        if is_other:
            self._is_chosen = False
            self.form.clear_errors()
            self.form.set_values({"model": client.model or "", "small_model": client.small_model or ""})
        if self._is_chosen:
            self.ui.run(self._load_diff())
        else:
            self._show_diff(client)
        self.set_up.setVisible(client.can_set)
        self.set_up.setText("Set up" if client.state in ("not_set", "not_installed") else "Set up again")
        self.undo.setVisible(client.state in ("set", "changed_elsewhere"))
        self.first.setVisible(bool(client.first_request))

    def _show_banner(self, client: ClientView) -> None:
        if client.problem:
            self.banner.show_text(client.problem, "warning")
        elif client.state == "changed_elsewhere":
            text = "Another program, or you, changed what was written. Set it up again, or undo what is left of it."
            self.banner.show_text(text, "warning")
        elif client.state == "set" and client.first_seen is None:
            start = f" Start it with `{client.run}`" if client.run and "`" not in client.run else " Start it"
            self.banner.show_text(f"Waiting for its first request.{start.replace('`', '')}, and ask it something.", "info")
        elif client.state == "set":
            self.banner.show_text(f"Seen: its first request came at {moment(client.first_seen)}.", "success")
        else:
            self.banner.hide()

    def _show_diff(self, client: ClientView) -> None:
        text = client.diff if client.can_set else client.snippet
        self.diff_title.setText("Changes to its files" if client.can_set else "Set it up by hand")
        self.diff_title.setVisible(bool(text))
        self.diff.setVisible(bool(text))
        if text:
            self.diff.show_code(text.rstrip("\n"), "diff" if client.can_set else client.language)

    def _on_changed(self, path: str) -> None:
        if path in ("model", "small_model"):
            self._is_chosen = True
            self.ui.run(self._load_diff())

    async def _load_diff(self) -> None:
        """The difference for the models in the form; of several loads the last one counts."""
        if (shown := self.shown) is None:
            return
        self._loads += 1
        load = self._loads
        model, small = self.form.value("model") or None, self.form.value("small_model") or None
        try:
            found = await self.client.client(shown.name, model, small)
        except ActionError as error:
            self.form.show_errors(errors_of(error))
            return
        if load == self._loads and self.shown is not None and self.shown.name == found.name:
            self.form.clear_errors()
            self.shown = found
            self._show_diff(found)

    def on_set(self) -> None:
        """Write the tool's files."""
        if self.shown is not None and self.set_up.isEnabled():
            self.ui.run(self._set(self.shown))

    def on_undo(self) -> None:
        """Take the set-up back."""
        if self.shown is not None:
            self.ui.run(self._undo(self.shown))

    def on_first(self) -> None:
        """Open the first request in the log."""
        if self.shown is not None and self.shown.first_request:
            self.ui.navigate("requests", request=self.shown.first_request)

    async def _set(self, client: ClientView) -> None:
        anyway = client.installed is None
        if anyway:
            text = f"{client.label} was not found on this computer. Its files are written where it would look for them."
            if not await confirm(self._page, f"Set up {client.label} anyway?", text, accept="Set up", danger=False):
                return
        self.set_up.setEnabled(False)
        try:
            values = {name: value for name, value in self.form.values().items() if value not in (None, "")}
            if "budget_usd" not in values:
                values.pop("budget_period", None)
            setup = read(ClientSetup, {**values, "anyway": anyway, "revision": client.revision})
            made = await self.client.set_client(client.name, setup)
        except ActionError as error:
            self.form.show_errors(errors_of(error))
            if error.field not in self.form.fields:
                raise
            return
        finally:
            self.set_up.setEnabled(True)
        self.form.clear_errors()
        self._is_chosen = False
        if self.shown is not None and self.shown.name == made.name:
            self.show_client(made)

    async def _undo(self, client: ClientView) -> None:
        text = "Its files get back what they had before; what was changed in them since stays. Its key stops working."
        if await confirm(self._page, f"Undo the set-up of {client.label}?", text, accept="Undo"):
            made = await self.client.undo_client(client.name)
            if self.shown is not None and self.shown.name == made.name:
                self.show_client(made)


def _facts(client: ClientView) -> list[tuple[str, str]]:
    found = client.installed
    return [
        ("Found", " ".join(part for part in (found.path, found.version or "") if part) if found else "Not on this computer"),
        ("Config files", "\n".join(file.path + ("" if file.exists else " (will be made)") for file in client.files)),
        ("Address", client.address or ""),
        ("Key", " ".join(part for part in (client.key_name, client.key_hint) if part)),
        ("Set up", moment(client.set_at)),
        ("First request", moment(client.first_seen)),
        ("Start it with", client.run),
        ("Documentation", client.docs),
    ]
