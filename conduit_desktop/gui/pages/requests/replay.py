"""Asking a kept request again, as it was, edited, or of another model, and both answers side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QGridLayout, QPlainTextEdit, QVBoxLayout, QWidget

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.schemas.reports import ComparedAnswerView, ComparisonView, DifferenceView, RequestDetailView
from conduit_desktop.core import shown_text
from conduit_desktop.core.errors import ActionError
from conduit_desktop.core.tokens import total_input, total_output
from conduit_desktop.gui import formatting
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.request_rows import STATUS_LABELS
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.forms.dialogs import Dialog, answer
from conduit_desktop.gui.widgets.forms.model_picker import ModelPicker
from conduit_desktop.gui.widgets.labels import PlainLabel, label

_MARKS = {"removed": "danger", "added": "success"}
_LONGEST = 100_000
"""Characters of a difference that are shown."""


def why_not(detail: RequestDetailView) -> str:
    """Why a request cannot be asked again; empty where it can."""
    if detail.endpoint != "chat":
        return "Only chats can be replayed."
    if not isinstance(detail.request_payload, dict):
        return "Its body was not kept whole. Turn on payload logging for the key, or in Settings > Logging."
    return ""


def cost_text(usd: float | None, state: str) -> str:
    """A cost, with what is uncertain about it."""
    if usd is None:
        return "unknown"
    return f"${usd:.6f}".rstrip("0").rstrip(".") + (" (estimated)" if state == "estimated" else "")


class ReplayDialog(Dialog):
    """Sends the request; `made` is the new one once the dialog was accepted."""

    def __init__(self, parent: QWidget | None, client: AdminClient, ui: Ui, detail: RequestDetailView) -> None:
        super().__init__(parent, "Replay the request", "Send request", width=680)
        self.client, self.ui, self.detail = client, ui, detail
        self.made: RequestDetailView | None = None
        self._body: dict[str, Any] = detail.request_payload
        cost = cost_text(detail.cost_usd, detail.cost_state)
        text = f"This asks the provider again, and is billed like any request. The first time it cost {cost}."
        self.body.addWidget(label(text, "muted", wrap=True))
        self.picker = ModelPicker()
        self.picker.pick(detail.model)
        self.body.addWidget(label("Model", "overline"))
        self.body.addWidget(self.picker)
        self.body.addWidget(label("Request", "overline"))
        self.editor = QPlainTextEdit()
        self.editor.setAccessibleName("Request body as JSON")
        self.editor.setTabChangesFocus(True)
        theme.scaled(self.editor, lambda it: it.setFont(theme.font(12, mono=True)))
        theme.scaled(self.editor, lambda it: it.setMinimumHeight(theme.tall(300)))
        self.editor.setPlainText(orjson.dumps(self._body, option=orjson.OPT_INDENT_2).decode())
        self.body.addWidget(self.editor, 1)
        self.error = PlainLabel("", "fieldError")
        self.error.setWordWrap(True)
        self.error.hide()
        self.body.addWidget(self.error)
        self.ui.run(self._offer())

    async def _offer(self) -> None:
        aliases = oldest_first(await self.client.models())
        self.picker.offer([alias.alias for alias in aliases if alias.enabled and "*" not in alias.alias])

    def submit(self) -> None:
        """Send; the dialog closes once there is an answer, and stays where the request could not be sent."""
        if self.primary.isEnabled():
            self.ui.run(self._submit())

    async def _submit(self) -> None:
        try:
            edited = orjson.loads(self.editor.toPlainText())
        except orjson.JSONDecodeError as error:
            self._fail(f"This is not JSON: {error}")
            return
        if not isinstance(edited, dict):
            self._fail("The request must be a JSON object.")
            return
        self.error.hide()
        self.primary.setEnabled(False)
        self.primary.setText("Waiting for the answer…")
        try:
            target = self.picker.model_name() or None
            self.made = await self.client.replay(self.detail.id, target, overrides_of(self._body, edited))
        except ActionError as error:
            self._fail(error.message)
            return
        finally:
            self.primary.setEnabled(True)
            self.primary.setText("Send request")
        self.accept()

    def _fail(self, text: str) -> None:
        self.error.setText(text)
        self.error.show()


def overrides_of(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The fields that make `after` of `before`; None for one that is gone. The model is chosen apart."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return {name: value for name, value in (changed | dict.fromkeys(before.keys() - after.keys())).items() if name != "model"}


class CompareDialog(Dialog):
    """Both answers: what was asked of whom, tokens, cost and times, and the texts with their differences."""

    def __init__(self, parent: QWidget | None, ui: Ui, comparison: ComparisonView) -> None:
        super().__init__(parent, "Compare two answers", "Close", width=820)
        self.cancel.hide()
        self.comparison = comparison
        self.footer.insertWidget(0, button("Open the second request", "ghost", "activity", lambda: self._open(ui)))
        self.facts = QGridLayout()
        self.facts.setHorizontalSpacing(theme.L)
        self.facts.setColumnStretch(1, 1)
        self.facts.setColumnStretch(2, 1)
        for row, texts in enumerate(facts_of(comparison)):
            for column, text in enumerate(texts):
                made = label(text, "overline" if row == 0 else "muted" if column == 0 else "", wrap=column > 0)
                self.facts.addWidget(made, row, column)
        self.body.addLayout(self.facts)
        self.legend = label("", "faint", wrap=True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Differences of the two answers")
        theme.scaled(self.text, lambda it: it.setMinimumHeight(theme.tall(260)))
        box = QVBoxLayout()
        box.setSpacing(theme.XS)
        box.addWidget(label("Answer", "overline"))
        box.addWidget(self.legend)
        box.addWidget(self.text, 1)
        self.body.addLayout(box, 1)
        self._show_text()

    def _show_text(self) -> None:
        left, right = self.comparison.left, self.comparison.right
        if left.text is None or right.text is None:
            self.legend.setText("An answer was not kept, or is an error.")
        elif left.text == right.text:
            self.legend.setText("Both answers have the same text.")
        else:
            self.legend.setText("Only in the first: struck through. Only in the second: underlined.")
        if left.text is None or right.text is None:
            self.text.setPlainText(shown_text.lines(right.text or left.text or ""))
        else:
            show_differences(self.text, self.comparison.differences)

    def _open(self, ui: Ui) -> None:
        self.accept()
        ui.navigate("requests", request=self.comparison.right.request.id)


def show_differences(editor: QPlainTextEdit, differences: Sequence[DifferenceView]) -> None:
    """Write the pieces one after the other, marked by line and colour."""
    editor.clear()
    cursor = QTextCursor(editor.document())
    left = _LONGEST
    for part in differences:
        style = QTextCharFormat()
        if part.kind != "equal":
            style.setForeground(theme.colour(_MARKS[part.kind]))
            style.setFontStrikeOut(part.kind == "removed")
            style.setFontUnderline(part.kind == "added")
        cursor.insertText(shown_text.lines(part.text[:left]), style)
        left -= len(part.text)
        if left <= 0:
            cursor.insertText("\n…", QTextCharFormat())
            break


def facts_of(comparison: ComparisonView) -> list[tuple[str, str, str]]:
    """Rows of a name and both sides."""

    def row(name: str, show: Any) -> tuple[str, str, str]:
        return (name, show(comparison.left), show(comparison.right))

    def duration(ms: float | None) -> str:
        return formatting.duration(ms) if ms is not None else "—"

    rows = [
        ("", "First", "Second"),
        row("Model", lambda one: one.request.model),
        row("Target", lambda one: "/".join(part for part in (one.request.provider, one.request.upstream_model) if part) or "—"),
        row("Status", lambda one: STATUS_LABELS[one.request.status]),
        row("Tokens", lambda one: f"{total_input(one.request):,} in, {total_output(one.request):,} out"),
        row("Cost", lambda one: cost_text(one.request.cost_usd, one.request.cost_state)),
        row("First token", lambda one: duration(one.request.first_token_ms)),
        row("Duration", lambda one: duration(one.request.duration_ms)),
        row("Tool calls", _calls),
    ]
    if comparison.fields:
        rows.append(("Changed fields", "", ", ".join(field.name for field in comparison.fields)))
    return rows


def _calls(one: ComparedAnswerView) -> str:
    return ", ".join(call.name for call in one.tool_calls) or "—"


async def replay(page: QWidget, client: AdminClient, ui: Ui, detail: RequestDetailView) -> None:
    """Ask again in a dialog, then show both answers."""
    dialog = ReplayDialog(page, client, ui, detail)
    if await answer(dialog) and dialog.made is not None:
        await answer(CompareDialog(page, ui, await client.compare(detail.id, dialog.made.id)))
