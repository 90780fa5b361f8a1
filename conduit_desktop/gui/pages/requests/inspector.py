"""The pane that explains one request: route, timing, tokens, cost, and the stored bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import AttemptView, RequestDetailView
from conduit_desktop.core import shown_text
from conduit_desktop.core.exports import write_export
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.tokens import CLASSES
from conduit_desktop.gui import formatting
from conduit_desktop.gui.pages.base import Ui
from conduit_desktop.gui.pages.requests.attempts import AttemptRow
from conduit_desktop.gui.pages.requests.cost import CostLines, cost_facts, cost_lines, target
from conduit_desktop.gui.pages.requests.curl import as_curl
from conduit_desktop.gui.pages.requests.exports import as_har
from conduit_desktop.gui.pages.requests.replay import why_not
from conduit_desktop.gui.pages.requests.sdk_code import as_javascript, as_python
from conduit_desktop.gui.request_rows import DIALECT_LABELS, STATUS_LABELS, TONES
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.banner import Banner
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.card import FactList
from conduit_desktop.gui.widgets.charts.painted import SegmentBar
from conduit_desktop.gui.widgets.charts.timeline import Piece, StreamTimeline, longest_gap
from conduit_desktop.gui.widgets.forms.dialogs import choose_file
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import clear, scrolled
from conduit_desktop.gui.widgets.menus import Entry, pop_up
from conduit_desktop.gui.widgets.pills import Pill

WIDTH = 430
# Laying out megabytes of text would hold the loop, and with it every stream.
LONGEST = 200_000
"""Characters of a body that are shown; the log has all of it."""


class Inspector(QFrame):
    """`show_request` fills it; `closed` is emitted when the user closes it."""

    closed = Signal()
    replay_requested = Signal()

    def __init__(self, ui: Ui) -> None:
        super().__init__()
        self.setObjectName("card")
        theme.scaled(self, lambda it: it.setMinimumWidth(theme.px(320)))
        self.ui = ui
        self.request_id: str | None = None
        self.detail: RequestDetailView | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, theme.M, 1, theme.S)
        outer.addLayout(self._head())
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(theme.L, theme.XS, theme.L, theme.M)
        self._column.setSpacing(theme.S)
        self._parts()
        outer.addWidget(scrolled(content), 1)

    def _head(self) -> QHBoxLayout:
        head = QHBoxLayout()
        head.setContentsMargins(theme.L, 0, theme.S, 0)
        head.setSpacing(theme.XS)
        self.pill = Pill()
        self.title = ElidedLabel("", "cardTitle", snug=True)
        head.addWidget(self.title)
        head.addWidget(self.pill)
        head.addStretch(1)
        self.replay = icon_button("arrow-counter-clockwise", "Replay…", self.replay_requested.emit)
        head.addWidget(self.replay)
        self.copy_as = icon_button("terminal-window", "Copy as code, or export", self._show_copies)
        head.addWidget(self.copy_as)
        cross = icon_button("x", "Close  (Esc)", self.closed.emit)
        cross.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        head.addWidget(cross)
        return head

    def _parts(self) -> None:
        self.error = Banner()
        self._column.addWidget(self.error)
        self.facts = self._section("", FactList())
        self.bar = SegmentBar()
        self.times = self._section("Timing", self.bar, FactList())
        self.stream = StreamTimeline()
        self._column.addWidget(self.stream)
        self.stream_facts = FactList()
        self._column.addWidget(self.stream_facts)
        self.route = QVBoxLayout()
        self.route.setSpacing(0)
        self._column.addWidget(_heading("Route"))
        self._column.addLayout(self.route)
        self.tokens = self._section("Tokens", FactList())
        self.cost_lines = CostLines()
        self.cost = self._section("Cost", self.cost_lines, FactList())
        self.set_price = button("Set a price", icon="tag", on_click=self.on_set_price)
        self._column.addWidget(self.set_price, 0, Qt.AlignmentFlag.AlignLeft)
        self.request_body = self._payload("Request")
        self.response_body = self._payload("Response")
        self.no_payload = label("", "faint", wrap=True)
        self._column.addWidget(self.no_payload)
        self.open_logging = button("Open settings", "ghost", "gear-six", lambda: self.ui.navigate("settings"))
        self._column.addWidget(self.open_logging, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addStretch(1)

    def _section(self, title: str, *widgets: QWidget) -> Any:
        if title:
            self._column.addWidget(_heading(title))
        for widget in widgets:
            self._column.addWidget(widget)
        return widgets[-1]

    def _payload(self, title: str) -> PayloadView:
        made = PayloadView(title, self.ui)
        self._column.addWidget(made)
        return made

    def show_request(self, detail: RequestDetailView) -> None:
        """Show everything about this request."""
        self.request_id, self.detail = detail.id, detail
        self.title.setText(detail.model or detail.endpoint)
        self.pill.show_text(STATUS_LABELS[detail.status], TONES[detail.status])
        if detail.error_text or detail.error_code:
            code = f" ({detail.http_status} {detail.error_code})" if detail.error_code else ""
            self.error.show_text(f"{detail.error_text or detail.error_code}{code}", "danger")
        else:
            self.error.hide()
        reason = why_not(detail)
        self.replay.setEnabled(not reason)
        self.open_logging.setVisible(detail.request_payload is None)
        self.replay.setToolTip(reason or "Ask this request again, edited or of another model…")
        self.facts.show_facts(_facts(detail))
        self._show_times(detail)
        self._show_stream(detail)
        self._show_route(detail)
        self.tokens.show_facts(_tokens(detail))
        self.cost_lines.show_lines(cost_lines(detail.cost_breakdown))
        self.cost.show_facts(cost_facts(detail))
        self.set_price.setVisible(detail.cost_state == "unknown" and bool(detail.attempts) and "unanswered" not in detail.units)
        kept = detail.request_payload is not None or detail.response_payload is not None
        self.request_body.show_body(detail.request_payload)
        self.response_body.show_body(detail.response_payload)
        self.no_payload.setText(
            ""
            if kept
            else "The request and response bodies were not stored. Turn this on for a key, or for all keys in Settings > Logging."
        )

    def _show_times(self, detail: RequestDetailView) -> None:
        first = detail.first_token_ms if detail.first_token_ms is not None else detail.duration_ms
        before = max(0.0, first - detail.upstream_ms) if detail.upstream_ms is not None else 0.0
        generation = max(0.0, detail.duration_ms - first)
        self.bar.show_parts([(before, "warning"), (first - before, "info"), (generation, "accent")])
        # Below 50 ms the response arrived in one piece, and a speed would mean nothing.
        speed = detail.output / (generation / 1000) if generation > 50 and detail.output else 0
        self.times.show_facts(
            [
                ("First token", formatting.duration(detail.first_token_ms) if detail.first_token_ms is not None else ""),
                ("Generation", formatting.duration(generation) if detail.first_token_ms is not None else ""),
                ("Total", formatting.duration(detail.duration_ms)),
                ("Speed", f"{speed:,.0f} tokens/s" if speed else ""),
            ]
        )

    def _show_stream(self, detail: RequestDetailView) -> None:
        pieces = [Piece(one.at_ms, one.kind, one.characters, one.tool) for one in detail.timeline]
        self.stream.setVisible(bool(pieces))
        self.stream_facts.setVisible(bool(pieces))
        self.stream.show_pieces(pieces)
        gap = longest_gap(pieces)
        self.stream_facts.show_facts(
            [
                ("Pieces", f"{len(pieces):,}"),
                ("Longest gap", f"{formatting.duration(gap[1])} at {formatting.duration(gap[0])}" if gap else ""),
                ("Tool calls", ", ".join(piece.tool for piece in pieces if piece.tool)),
            ]
        )

    def _show_route(self, detail: RequestDetailView) -> None:
        clear(self.route)
        for place, attempt in enumerate(detail.attempts):
            last = place == len(detail.attempts) - 1
            before = detail.attempts[place - 1] if place else None
            self.route.addWidget(AttemptRow(attempt, _step(before, attempt), last, disconnected=detail.status == "cancelled"))
        if not detail.attempts:
            self.route.addWidget(label("No provider was called.", "muted"))

    def on_set_price(self) -> None:
        """Open the price of the request's target."""
        if self.detail is not None and self.detail.attempts:
            self.ui.navigate("prices", price=target(self.detail))

    def _show_copies(self) -> None:
        entries: list[Entry] = [
            ("Copy as cURL", "terminal-window", self.copy_curl),
            ("Copy as Python", "code", lambda: self._copy_code(as_python)),
            ("Copy as JavaScript", "code", lambda: self._copy_code(as_javascript)),
            None,
            ("Export as HAR…", "download-simple", lambda: self.ui.run(self.export_har())),
        ]
        pop_up(self.copy_as, entries)

    def _copy_code(self, write: Callable[[RequestDetailView, str], str]) -> None:
        if self.detail is not None:
            self.ui.copy(write(self.detail, self.ui.address))

    async def export_har(self) -> None:
        """Write the request to a HAR file that the user chooses."""
        if (detail := self.detail) is None:
            return
        path = await choose_file(self, "Export the request", "save", "HAR (*.har)", f"{detail.id}.har")
        if path is not None:
            await for_operator(lambda: write_export(path, as_har(detail, self.ui.address)))
            self.ui.notify(f"Saved to {path.name}")

    def copy_curl(self) -> None:
        """Copy the request as a curl command with a placeholder for the key."""
        if self.detail is not None:
            self.ui.copy(as_curl(self.detail, self.ui.address))


class PayloadView(QWidget):
    """A stored body with a button to copy it; hidden if there is none."""

    def __init__(self, title: str, ui: Ui) -> None:
        super().__init__()
        self.body = QPlainTextEdit()
        self.body.setReadOnly(True)
        theme.scaled(self.body, lambda it: it.setFont(theme.font(12, mono=True)))
        theme.scaled(self.body, lambda it: it.setMinimumHeight(theme.px(150)))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        head = QHBoxLayout()
        head.addWidget(_heading(title))
        head.addStretch(1)
        head.addWidget(button("Copy", "ghost", on_click=lambda: ui.copy(self.body.toPlainText())), 0, Qt.AlignmentFlag.AlignBottom)
        column.addLayout(head)
        column.addWidget(self.body)

    def show_body(self, body: Any) -> None:
        """Show JSON indented and text as it is; None hides the view."""
        self.setVisible(body is not None)
        if body is not None:
            text = body if isinstance(body, str) else orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
            text = shown_text.lines(text)
            self.body.setPlainText(text if len(text) <= LONGEST else f"{text[:LONGEST]}\n…")


def _step(before: AttemptView | None, attempt: AttemptView) -> str:
    """Why this attempt was made."""
    if before is None:
        return "first"
    same = (before.provider, before.model) == (attempt.provider, attempt.model)
    if not same:
        return "failover to the next target"
    return "retry" if before.credential == attempt.credential else "failover to another key"


def _heading(text: str) -> QWidget:
    made = label(text, "overline")
    made.setContentsMargins(0, theme.S, 0, 0)
    return made


def _facts(detail: RequestDetailView) -> list[tuple[str, str]]:
    moment = formatting.parse(detail.started_at)
    return [
        ("Time", f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""),
        ("Key", detail.key_name),
        ("Team", detail.team),
        ("Tags", ", ".join(detail.tags)),
        ("Session", detail.session),
        ("User", detail.user),
        ("Endpoint", detail.endpoint.replace("_", " ")),
        ("API", DIALECT_LABELS.get(detail.dialect, detail.dialect) + (", streaming" if detail.streamed else "")),
        ("Client", " ".join(part for part in (detail.client, detail.client_ip) if part)),
        ("Finish reason", detail.finish),
        ("Dropped parameters", ", ".join(detail.dropped)),
        ("Request ID", detail.id),
    ]


def _tokens(detail: RequestDetailView) -> list[tuple[str, str]]:
    # Input before output; the sort is stable, so that a class and its parts stay together.
    classes = sorted(CLASSES, key=lambda one: one.side == "output")
    counts = [(f"of which {one.label.lower()}" if one.part_of else one.label, getattr(detail, one.name)) for one in classes]
    return [(name, f"{number:,}") for name, number in counts if number] or [("Input", "0"), ("Output", "0")]
