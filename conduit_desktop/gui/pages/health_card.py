"""A target as a card: its state, its latest latencies, what failed of late, its credentials, and the operator's hand."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from conduit_desktop.actions.views import CredentialHealthView, TargetHealthView, TargetState
from conduit_desktop.gui import moments, theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.card import Dot, Pill, clear, label
from conduit_desktop.gui.widgets.elided import Elided
from conduit_desktop.gui.widgets.sparkline import Sparkline

TONES: dict[TargetState, str] = {
    "answering": "success",
    "unused": "text_muted",
    "failing": "danger",
    "probing": "warning",
    "paused": "warning",
    "unready": "danger",
    "disabled": "text_muted",
}
CIRCUITS: dict[TargetState, str] = {"failing": "circuit open", "probing": "circuit half open"}


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
        self.name, self.pill = Elided("", "cardTitle"), Pill()
        self.name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.facts, self.trouble = label("", "fieldHelp", wrap=True), label("", "fieldError", wrap=True)
        self.spark = Sparkline()
        self.latency, self.speed = label("", "muted"), label("", "figureNote")
        self.switch = button("Pause", "plain", "pause", self._on_switch)
        self.switch.setMinimumWidth(104)
        self.credentials = QVBoxLayout()
        self.credentials.setSpacing(theme.XS)
        self._shown: list[CredentialHealthView] = []
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

    def show_target(self, target: TargetHealthView) -> None:
        """Show this target as it is now."""
        self.target = target
        self.dot.set_tone(TONES[target.state])
        self.name.setText(target.name)
        self.pill.show_text(CIRCUITS.get(target.state, target.state), TONES[target.state])
        self.facts.setText(" · ".join(_facts(target)))
        text = target.text if target.state in ("failing", "probing", "unready", "disabled") else ""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        self.spark.show_values(target.latencies_ms)
        self.latency.setText(moments.duration(target.latency_ms) if target.latency_ms is not None else "")
        self.speed.setText(f"{target.tokens_per_s:,.0f} tokens/s" if target.tokens_per_s else "")
        self.speed.setVisible(bool(target.tokens_per_s))
        paused = target.state == "paused"
        self.switch.setText("Resume" if paused else "Pause")
        self.switch.setIcon(theme.icon("play" if paused else "pause"))
        self.switch.setAccessibleName(f"{'Resume' if paused else 'Pause'} {target.name}")
        self._show_credentials([one for one in target.credentials if one.state != "ready"])

    def _show_credentials(self, troubled: list[CredentialHealthView]) -> None:
        if troubled == self._shown:
            return
        self._shown = troubled
        clear(self.credentials)
        for one in troubled:
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(theme.S)
            line.addWidget(label(f"Key {one.label}", "muted"))
            line.addWidget(Pill(one.state, "danger" if one.state == "parked" else "warning"))
            wait = f", {one.wait_s:,.0f} s more" if one.wait_s else ""
            line.addWidget(label(f"{one.reason}{wait}", "fieldHelp", wrap=True), 1)
            line.addWidget(button("Use again", "ghost", on_click=partial(self.release_asked.emit, one.label)))
            self.credentials.addWidget(row)

    def _on_switch(self) -> None:
        (self.resume_asked if self.target.state == "paused" else self.pause_asked).emit()


def _facts(target: TargetHealthView) -> list[str]:
    facts = [f"in {', '.join(target.aliases[:3])}" if target.aliases else "in no alias"]
    if len(target.aliases) > 3:
        facts[0] += f" and {len(target.aliases) - 3} more"
    if target.credentials:
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
        return f"key {credentials[0].label} {credentials[0].state}"
    return f"{len(ready)} of {len(credentials)} keys ready" + (f" ({', '.join(ready)})" if 0 < len(ready) <= 3 else "")
