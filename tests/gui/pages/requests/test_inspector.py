"""The route in the inspector: the reason of each attempt and its outcome."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.schemas.reports import AttemptView
from conduit_desktop.core.errors import Reason
from conduit_desktop.gui.pages.requests.attempts import AttemptRow
from conduit_desktop.gui.pages.requests.inspector import _step
from conduit_desktop.gui.request_rows import REASON_LABELS, reason_label


def _attempt(provider: str, credential: str = "default", outcome: str = "ok") -> AttemptView:
    return AttemptView(
        provider=provider, model="m", credential=credential, outcome=outcome, status=429, detail="", started_at=None, duration_ms=3
    )


def test_the_reason_of_each_attempt_is_shown():
    first, again, other_key, other = _attempt("a"), _attempt("a"), _attempt("a", "spare"), _attempt("b")
    steps = [_step(None, first), _step(first, again), _step(again, other_key), _step(other_key, other)]
    assert steps == ["first", "retry", "failover to another key", "failover to the next target"]


def test_the_outcome_of_each_attempt_is_shown(qtbot: QtBot):
    rows = [
        AttemptRow(_attempt("a", outcome="rate_limit"), "first", last=False),
        AttemptRow(_attempt("a"), "first", last=True),
        AttemptRow(_attempt("a"), "first", last=True, disconnected=True),
    ]
    for row in rows:
        qtbot.addWidget(row)
    assert [row.outcome for row in rows] == ["Rate limit", "Success", "Client disconnected"]


@pytest.mark.parametrize("reason", Reason.__args__)  # type: ignore[attr-defined]
def test_every_reason_of_a_failure_has_a_label(reason: str):
    """Else its code would be shown."""
    assert "_" not in reason_label(reason)
    assert reason in REASON_LABELS


def test_a_label_follows_the_count():
    assert (reason_label("server", 1), reason_label("server", 7), reason_label("new_code", 2)) == (
        "server error",
        "server errors",
        "new code",
    )
