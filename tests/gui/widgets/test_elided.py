"""A text that is too long for its place."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from conduit_desktop.gui.widgets.elided import Elided


def test_a_long_text_keeps_its_beginning_and_asks_for_no_room(qapp: QApplication):
    right = Qt.AlignmentFlag.AlignRight
    long, cut = Elided("a cause " * 30, alignment=right), Elided("a cause a cause a cause", alignment=right)
    assert long.minimumSizeHint().width() == 0
    assert long.toolTip() == long.text()
    for one in (long, cut):
        one.setFixedSize(60, 20)
    # Cut where the room ends: what follows changes nothing of what is drawn.
    assert long.grab().toImage() == cut.grab().toImage()
