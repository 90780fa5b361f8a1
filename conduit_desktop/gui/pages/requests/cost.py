"""The cost of a request: a line for each class, where its price is from, and why it is estimated or unknown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from conduit_desktop.actions.schemas.reports import CostLineView, RequestDetailView
from conduit_desktop.gui import formatting
from conduit_desktop.gui.price_text import RATE_LABELS, rate_text
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.labels import PlainLabel, label

_UNITS = {
    "images": ("Images", "", "each"),
    "seconds": ("Audio", " s", "per minute"),
    "characters": ("Characters", "", "per 1,000"),
    "searches": ("Searches", "", "each"),
    "requests": ("Fee per request", "", "each"),
}
"""By class: its label, its unit, and what its price is for. Other classes are tokens, priced per million."""
_WHOLE = {"provider_reported": "Reported by the provider", "failed_attempts": "Failed attempts"}
SOURCES = {
    "override": "Your price",
    "provider_reported": "Cost reported by the provider",
    "provider_list": "The provider's list of models",
    "catalog": "Price catalog",
}


class CostLines(QWidget):
    """For each class its cost, and below its name the units and the rate."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.L)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        self._labels: list[PlainLabel] = []

    def show_lines(self, lines: Sequence[tuple[str, str, str]]) -> None:
        """`(class, units and rate, cost)` for each line; hidden without any."""
        while len(self._labels) < 3 * len(lines):
            self._add_labels()
        for at, made in enumerate(self._labels):
            line, part = divmod(at, 3)
            text = lines[line][part] if line < len(lines) else ""
            made.setText(text)
            made.setVisible(bool(text))
        self.setVisible(bool(lines))

    def texts(self) -> list[str]:
        """What is shown, for tests."""
        return [made.text() for made in self._labels if not made.isHidden()]

    def _add_labels(self) -> None:
        row = 2 * (len(self._labels) // 3)
        name, detail = label("", "", wrap=True), label("", "faint", wrap=True)
        cost = label("")
        for made in (name, cost):
            made.setContentsMargins(0, 4 if row else 0, 0, 0)
        cost.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._labels += [name, detail, cost]
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(cost, row, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(detail, row + 1, 0, 1, 2)


def cost_lines(lines: Sequence[CostLineView]) -> list[tuple[str, str, str]]:
    """The lines of a breakdown: `("Input", "2,511 tokens at $3.00 per million", "$0.0075")`."""
    return [_line(one) for one in lines]


def _line(one: CostLineView) -> tuple[str, str, str]:
    cost = formatting.cost(one.cost_usd)
    if one.class_ in _WHOLE:
        count = f"{one.units:,.0f} with a known cost" if one.class_ == "failed_attempts" else ""
        return _WHOLE[one.class_], count, cost
    number = f"{one.units:,.0f}" if float(one.units).is_integer() else f"{one.units:,.1f}"
    if one.class_ in _UNITS:
        name, unit, per = _UNITS[one.class_]
        return name, f"{number}{unit} at {rate_text(one.price_usd)} {per}", cost
    name = RATE_LABELS.get(one.class_, one.class_.replace("_", " ").capitalize())
    return name, f"{number} tokens at {rate_text(one.price_usd)} per million", cost


def cost_facts(detail: RequestDetailView) -> list[tuple[str, str]]:
    """The sum, where its price is from, what changes it, and why it is not final."""
    total = formatting.cost(detail.cost_usd)
    price = SOURCES.get(detail.price_source, "")
    if price and detail.price_date:
        price += f" of {detail.price_date}"
    if not price and detail.cost_usd == 0 and detail.attempts and detail.status in ("success", "cancelled", "broken"):
        price = "Nothing is charged for this model"
    return [
        ("Total", f"{total} (estimated)" if detail.cost_state == "estimated" else total),
        ("Price", price),
        ("Service tier", detail.service_tier),
        ("Surcharges", ", ".join(str(one) for one in detail.units.get("surcharges", ()))),
        ("Failed attempts", _failed(detail)),
        ("Reason", reason(detail)),
        *(("Corrected", _correction(detail, at)) for at in range(len(detail.corrections))),
    ]


def reason(detail: RequestDetailView) -> str:
    """Why the cost is estimated, unknown or nothing; empty for a final cost that a provider was paid."""
    if not detail.attempts:
        return "No provider was called."
    unclear = ", ".join(str(one) for one in detail.units.get("unclear", ()))
    unanswered = _unanswered(detail.units.get("unanswered", 0))
    if detail.cost_state == "unknown" and unanswered and detail.status == "error":
        return unanswered
    if detail.cost_state == "unknown":
        text = f"No price is known for what was used of {target(detail)}."
        return f"{text} Its usage is unclear: {unclear}." if unclear else text
    if detail.cost_state == "final":
        return ""
    reasons = []
    if detail.units.get("estimated"):
        ended = "ended before the provider reported its usage" if detail.status in ("cancelled", "broken") else "has no whole usage"
        reasons.append(f"The response {ended}: what was received was counted.")
    if unclear:
        reasons.append(f"The reported usage has parts without a price, or contradicts itself: {unclear}.")
    if unanswered:
        reasons.append(unanswered)
    return " ".join(reasons) or "The price lacks a rate for a part of what was used, or another rate was taken in its place."


def _unanswered(count: int) -> str:
    if not count:
        return ""
    attempts = "One attempt was" if count == 1 else f"{count} attempts were"
    return f"{attempts} sent and not answered: nothing is charged for that here, but the provider may bill it."


def target(detail: RequestDetailView) -> str:
    """The last target as prices name it: `provider/model`."""
    last = detail.attempts[-1]
    return f"{last.provider}/{last.model}"


def _failed(detail: RequestDetailView) -> str:
    """What attempts cost that failed before the answer."""
    failed = [line.cost_usd for line in detail.cost_breakdown if line.class_ == "failed_attempts"]
    return f"{formatting.cost(sum(failed))}, included" if failed else ""


def _correction(detail: RequestDetailView, at: int) -> str:
    """When a cost was corrected, by whom, and what it was before."""
    one = detail.corrections[at]
    moment = formatting.parse(one.at)
    when = f"{moment:%Y-%m-%d %H:%M}" if moment else ""
    return f"{when} by {one.actor}; before: {formatting.cost(one.cost_usd)}"
