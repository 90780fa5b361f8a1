"""A target as a card: state, latency, recent errors, provider keys, and buttons to pause it or to enable a key."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.reports import CredentialHealthView, CredentialState, TargetHealthView, TargetState
from conduit_desktop.gui import formatting
from conduit_desktop.gui.request_rows import reason_label
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button
from conduit_desktop.gui.widgets.charts.sparkline import Sparkline
from conduit_desktop.gui.widgets.labels import ElidedLabel, label
from conduit_desktop.gui.widgets.layouts import clear
from conduit_desktop.gui.widgets.pills import Dot, Pill

TONES: dict[TargetState, str] = {
    "answering": "success",
    "unused": "text_muted",
    "failing": "danger",
    "probing": "warning",
    "paused": "warning",
    "unready": "danger",
    "disabled": "text_muted",
}


STATE_LABELS: dict[TargetState, str] = {
    "answering": "Healthy",
    "unused": "No requests yet",
    "failing": "Failing",
    "probing": "Circuit half-open",
    "paused": "Paused",
    "unready": "Not ready",
    "disabled": "Disabled",
}
KEY_STATE_LABELS: dict[CredentialState, str] = {"ready": "Ready", "cooldown": "Cooldown", "disabled": "Disabled"}


class HealthCard(QFrame):
    """Shows the target it is given; its buttons emit signals."""

    pause_requested = Signal()
    resume_requested = Signal()
    release_requested = Signal(str)
    """The label of a credential."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.dot = Dot()
        self.name, self.pill = ElidedLabel("", "cardTitle", snug=True), Pill()
        self.facts, self.error = label("", "fieldHelp", wrap=True), label("", "fieldError", wrap=True)
        self.spark = Sparkline()
        self.latency, self.speed = label("", "muted"), label("", "figureNote")
        self.switch = button("Pause", "plain", "pause", self._on_switch)
        # As wide for "Pause" as for "Resume", so that the columns of all cards line up.
        theme.scaled(self.switch, lambda it: it.setMinimumWidth(theme.px(104)))
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
        texts = QVBoxLayout()
        texts.setSpacing(theme.XS)
        texts.addLayout(title)
        texts.addWidget(self.facts)
        texts.addWidget(self.error)
        row = QHBoxLayout()
        row.setSpacing(theme.M)
        row.addLayout(texts, 1)
        row.addWidget(self.spark)
        row.addWidget(self._measured())
        row.addWidget(self.switch)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(theme.L, theme.M, theme.M, theme.M)
        outer.setSpacing(theme.XS)
        outer.addLayout(row)
        outer.addLayout(self.credentials)

    def _measured(self) -> QWidget:
        """Time to first token and output speed, in a column of the same width on every card."""
        holder = QWidget()
        theme.scaled(holder, lambda it: it.setFixedWidth(theme.px(96)))
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addStretch(1)
        column.addWidget(self.latency)
        column.addWidget(self.speed)
        column.addStretch(1)
        return holder

    def show_target(self, target: TargetHealthView, keyless: bool = False) -> None:
        """Show the current state of a target. The key of a `keyless` provider is shown only while it is disabled or in cooldown."""
        self.target = target
        self.dot.set_tone(TONES[target.state])
        self.name.setText(target.name)
        self.pill.show_text(_state_label(target), TONES[target.state])
        self.facts.setText(" · ".join(_facts(target, keyless)))
        text = target.text if target.state in ("failing", "probing", "unready", "disabled") else ""
        self.error.setText(text)
        self.error.setVisible(bool(text))
        self.spark.show_values(target.latencies_ms)
        self.latency.setText(formatting.duration(target.latency_ms) if target.latency_ms is not None else "")
        self.speed.setText(f"{target.tokens_per_s:,.0f} tokens/s" if target.tokens_per_s else "")
        self.speed.setVisible(bool(target.tokens_per_s))
        paused = target.state == "paused"
        action = "Resume" if paused else "Pause"
        if self.switch.accessibleName() != f"{action} {target.name}":  # setting an icon, even the same one, lays out the whole page
            self.switch.setText(f" {action}")
            self.switch.setIcon(theme.icon("play" if paused else "pause"))
            self.switch.setAccessibleName(f"{action} {target.name}")
        self._show_credentials([one for one in target.credentials if one.state != "ready"])

    def _show_credentials(self, unavailable: list[CredentialHealthView]) -> None:
        """Rows keep their widgets while a cooldown counts down: a button replaced between press and release loses the click."""
        if [one.label for one in unavailable] != [row.label for row in self.rows]:
            clear(self.credentials)
            self.rows = [CredentialRow(one.label) for one in unavailable]
            for row in self.rows:
                row.release_requested.connect(self.release_requested)
                self.credentials.addWidget(row)
        for row, one in zip(self.rows, unavailable, strict=True):
            row.show_credential(one)

    def _on_switch(self) -> None:
        (self.resume_requested if self.target.state == "paused" else self.pause_requested).emit()


class CredentialRow(QWidget):
    """A provider key that is disabled or in cooldown, the reason, and a button to enable it."""

    release_requested = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.label = name
        self.pill, self.reason = Pill(), label("", "fieldHelp", wrap=True)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.S)
        line.addWidget(label("API key" if name == "default" else f"Key {name}", "muted"))
        line.addWidget(self.pill)
        line.addWidget(self.reason, 1)
        line.addWidget(button("Enable now", "ghost", on_click=lambda: self.release_requested.emit(name)))

    def show_credential(self, one: CredentialHealthView) -> None:
        """Show the current state of the key."""
        self.pill.show_text(KEY_STATE_LABELS[one.state], "danger" if one.state == "disabled" else "warning")
        self.reason.setText(f"Rate limited, {one.wait_s:,.0f} s left" if one.wait_s else one.reason)


def _state_label(target: TargetHealthView) -> str:
    """The state of a target. A target can be failing before its circuit opens."""
    circuit_open = target.state == "failing" and target.next_probe_s is not None
    return "Circuit open" if circuit_open else STATE_LABELS[target.state]


def _facts(target: TargetHealthView, keyless: bool) -> list[str]:
    facts = [_aliases(target.aliases)]
    if target.credentials and not keyless:
        facts.append(_key_summary(target.credentials))
    if target.in_flight:
        facts.append(f"{target.in_flight} in flight")
    if target.errors:
        counts = ", ".join(f"{count} {reason_label(reason, count)}" for reason, count in sorted(target.errors.items()))
        facts.append(f"last hour: {counts}")
    if target.transitions:
        last = target.transitions[-1]
        facts.append(f"circuit {'opened' if last.state == 'open' else 'closed'} {formatting.ago(last.at)}")
    if target.cooldown_s:
        facts.append(f"cooldown, {target.cooldown_s:,.0f} s left")
    if target.state == "probing":
        facts.append("probe in progress" if target.in_flight else "the next request is the probe")
    elif target.next_probe_s is not None and target.state == "failing":
        facts.append(f"next probe in {target.next_probe_s:,.0f} s" if target.next_probe_s else "the next request is the probe")
    return facts


def _aliases(names: list[str]) -> str:
    if not names:
        return "Not used by an alias"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'Alias' if len(names) == 1 else 'Aliases'}: {', '.join(names[:3])}{more}"


def _key_summary(keys: list[CredentialHealthView]) -> str:
    """How many of the provider's keys are ready."""
    ready = [one.label for one in keys if one.state == "ready"]
    if len(keys) == 1:
        name = "API key" if keys[0].label == "default" else f"key {keys[0].label}"
        return f"{name} {KEY_STATE_LABELS[keys[0].state].lower()}"
    return f"{len(ready)} of {len(keys)} keys ready" + (f" ({', '.join(ready)})" if 0 < len(ready) <= 3 else "")
