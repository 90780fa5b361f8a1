"""A target as a card: its state, its latest latencies, what failed of late, its credentials, and the operator's hand."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import CredentialHealthView, TargetHealthView, TargetState
from conduit_desktop.gui import formatting as moments
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Dot, Pill, clear, label
from conduit_desktop.gui.widgets.charts.sparkline import Sparkline
from conduit_desktop.gui.widgets.elided import Elided

TONES: dict[TargetState, str] = {
    "answering": "success",
    "unused": "text_muted",
    "failing": "danger",
    "probing": "warning",
    "paused": "warning",
    "unready": "danger",
    "disabled": "text_muted",
}


class HealthCard(QFrame):
    """Shows what it is given; every wish is a signal."""

    pause_asked = Signal()
    resume_asked = Signal()
    release_asked = Signal(str)
    """The label of a credential."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.dot = Dot()
        self.name, self.pill = Elided("", "cardTitle", snug=True), Pill()
        self.facts, self.trouble = label("", "fieldHelp", wrap=True), label("", "fieldError", wrap=True)
        self.spark = Sparkline()
        self.latency, self.speed = label("", "muted"), label("", "figureNote")
        self.switch = button("Pause", "plain", "pause", self._on_switch)
        self.switch.setMinimumWidth(104)
        self.credentials = QVBoxLayout()
        self.credentials.setSpacing(theme.XS)
        self.rows: list[CredentialRow] = []
        self._lay_out()

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.setSpacing(theme.S)
        title.addWidget(self.dot)
        title.addWidget(self.name)
        title.addWidget(self.pill)
        title.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(theme.XS)
        words.addLayout(title)
        words.addWidget(self.facts)
        words.addWidget(self.trouble)
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        row.addLayout(words, 1)
        row.addWidget(self.spark)
        row.addWidget(self._measured())
        row.addWidget(self.switch)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(theme.L, theme.M, theme.M, theme.M)
        whole.setSpacing(theme.XS)
        whole.addLayout(row)
        whole.addLayout(self.credentials)

    def _measured(self) -> QWidget:
        """Until the first content, and how fast after it; as wide on every card."""
        holder = QWidget()
        holder.setFixedWidth(96)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addStretch(1)
        column.addWidget(self.latency)
        column.addWidget(self.speed)
        column.addStretch(1)
        return holder

    def show_target(self, target: TargetHealthView, keyless: bool = False) -> None:
        """Show this target as it is now; of a `keyless` provider's credential one hears only when it is refused or limited."""
        self.target = target
        self.dot.set_tone(TONES[target.state])
        self.name.setText(target.name)
        self.pill.show_text(_condition(target), TONES[target.state])
        self.facts.setText(" · ".join(_facts(target, keyless)))
        text = target.text if target.state in ("failing", "probing", "unready", "disabled") else ""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        self.spark.show_values(target.latencies_ms)
        self.latency.setText(moments.duration(target.latency_ms) if target.latency_ms is not None else "")
        self.speed.setText(f"{target.tokens_per_s:,.0f} tokens/s" if target.tokens_per_s else "")
        self.speed.setVisible(bool(target.tokens_per_s))
        paused = target.state == "paused"
        media_request = "Resume" if paused else "Pause"
        if (
            self.switch.accessibleName() != f"{media_request} {target.name}"
        ):  # an icon, even the same, has the whole page laid out anew
            self.switch.setText(f" {media_request}")
            self.switch.setIcon(theme.icon("play" if paused else "pause"))
            self.switch.setAccessibleName(f"{media_request} {target.name}")
        self._show_credentials([one for one in target.credentials if one.state != "ready"])

    def _show_credentials(self, troubled: list[CredentialHealthView]) -> None:
        """A row stays the same widget while its wait runs down: else a button would be gone before it is let go."""
        if [one.label for one in troubled] != [row.label for row in self.rows]:
            clear(self.credentials)
            self.rows = [CredentialRow(one.label) for one in troubled]
            for row in self.rows:
                row.release_asked.connect(self.release_asked)
                self.credentials.addWidget(row)
        for row, one in zip(self.rows, troubled, strict=True):
            row.show_credential(one)

    def _on_switch(self) -> None:
        (self.resume_asked if self.target.state == "paused" else self.pause_asked).emit()


class CredentialRow(QWidget):
    """A credential that is not used now, why, and the way to use it again."""

    release_asked = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.label = name
        self.pill, self.why = Pill(), label("", "fieldHelp", wrap=True)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.S)
        line.addWidget(label(_key(name, "Key"), "muted"))
        line.addWidget(self.pill)
        line.addWidget(self.why, 1)
        line.addWidget(button("Use again", "ghost", on_click=lambda: self.release_asked.emit(name)))

    def show_credential(self, one: CredentialHealthView) -> None:
        """Show it as it is now."""
        self.pill.show_text(one.state, "danger" if one.state == "parked" else "warning")
        self.why.setText(f"{one.reason}, {one.wait_s:,.0f} s more" if one.wait_s else one.reason)


def _condition(target: TargetHealthView) -> str:
    """The state in a word or two: a target can fail before its circuit opens."""
    if target.state == "probing":
        return "circuit half open"
    return "circuit open" if target.state == "failing" and target.next_probe_s is not None else target.state


def _facts(target: TargetHealthView, keyless: bool) -> list[str]:
    facts = [f"in {', '.join(target.aliases[:3])}" if target.aliases else "in no alias"]
    if len(target.aliases) > 3:
        facts[0] += f" and {len(target.aliases) - 3} more"
    if target.credentials and not keyless:
        facts.append(_ready(target.credentials))
    if target.state == "unused":
        facts.append("not called since the start")
    if target.in_flight:
        facts.append(f"{target.in_flight} in flight")
    if target.errors:
        counted = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(target.errors.items()))
        facts.append(f"last hour: {counted}")
    if target.turns:
        last = target.turns[-1]
        facts.append(f"circuit {'opened' if last.state == 'open' else 'closed'} {moments.ago(last.at)}")
    if target.rest_s:
        facts.append(f"asked to be left alone for {target.rest_s:,.0f} s")
    if target.state == "probing":
        facts.append("one request tries it out" if target.in_flight else "next request tries it out")
    elif target.next_probe_s is not None and target.state == "failing":
        facts.append(f"next probe in {target.next_probe_s:,.0f} s" if target.next_probe_s else "next request tries it out")
    return facts


def _ready(credentials: list[CredentialHealthView]) -> str:
    """How many of its keys can be used."""
    ready = [one.label for one in credentials if one.state == "ready"]
    if len(credentials) == 1:
        return f"{_key(credentials[0].label)} {credentials[0].state}"
    return f"{len(ready)} of {len(credentials)} keys ready" + (f" ({', '.join(ready)})" if 0 < len(ready) <= 3 else "")


def _key(name: str, word: str = "key") -> str:
    """A key by its label; the one that nobody gave a label is just the key."""
    return word if name == "default" else f"{word} {name}"
