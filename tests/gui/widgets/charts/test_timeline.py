"""A stream drawn over time."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from conduit_desktop.gui.widgets.charts.timeline import Piece, StreamTimeline, longest_gap, summary

PIECES = [
    Piece(120.0, "other"),
    Piece(200.0, "thinking", 40),
    Piece(900.0, "text", 12),
    Piece(1000.0, "tool_call", 0, "read_file"),
    Piece(1010.0, "end"),
]


def test_a_summary_names_the_first_content_the_longest_gap_and_the_tools() -> None:
    text = summary(PIECES)
    assert text.startswith("5 pieces in 1.0 s; first content after 200 ms; longest gap 700 ms, 200 ms after the start")
    assert text.endswith("tool calls: read_file")
    assert summary([]) == ""


def test_the_longest_gap_lies_between_two_pieces() -> None:
    assert longest_gap(PIECES) == (200.0, 700.0)
    assert longest_gap(PIECES[:1]) is None


def test_arrow_keys_go_from_piece_to_piece_and_say_what_it_is(qtbot: QtBot) -> None:
    chart = StreamTimeline()
    qtbot.addWidget(chart)
    chart.show_pieces(PIECES)
    assert chart.accessibleDescription() == summary(PIECES)
    qtbot.keyClick(chart, Qt.Key.Key_Right)
    assert chart.accessibleDescription().startswith("120 ms: other data")
    qtbot.keyClick(chart, Qt.Key.Key_End)
    qtbot.keyClick(chart, Qt.Key.Key_Left)
    assert "tool call read_file (100 ms after the one before)" in chart.accessibleDescription()
    qtbot.keyClick(chart, Qt.Key.Key_Home)
    assert chart.accessibleDescription().startswith("120 ms")


def test_the_pointer_finds_a_piece_and_nothing_in_a_gap(qtbot: QtBot) -> None:
    chart = StreamTimeline()
    qtbot.addWidget(chart)
    chart.resize(500, chart.sizeHint().height())
    chart.show_pieces(PIECES)
    chart.show()
    qtbot.mouseMove(chart, QPoint(int(chart._x(900.0)), 20))
    qtbot.waitUntil(lambda: "text, 12 characters" in chart.accessibleDescription())
    qtbot.mouseMove(chart, QPoint(int(chart._x(550.0)), 20))
    qtbot.waitUntil(lambda: chart.accessibleDescription() == summary(PIECES))


def test_an_empty_stream_and_one_at_once_can_be_drawn(qtbot: QtBot) -> None:
    for pieces in ([], [Piece(0.0, "text", 1)], [Piece(0.0, "text", 1), Piece(0.0, "end")]):
        chart = StreamTimeline()
        qtbot.addWidget(chart)
        chart.show_pieces(pieces)
        assert not chart.grab().isNull()
        qtbot.keyClick(chart, Qt.Key.Key_Right)
