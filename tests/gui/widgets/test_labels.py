"""Labels: long texts are elided, and names are shown literally."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QApplication, QLabel

from conduit_desktop.gui.widgets.labels import ElidedLabel, PlainLabel, label, plain_tooltip


def test_a_long_text_is_elided_and_needs_no_width(qapp: QApplication):
    right = Qt.AlignmentFlag.AlignRight
    long, cut = ElidedLabel("a cause " * 30, alignment=right), ElidedLabel("a cause a cause a cause", alignment=right)
    assert long.minimumSizeHint().width() == 0
    assert long.toolTip() == long.text()
    for one in (long, cut):
        one.setFixedSize(60, 20)
    # Elided where the label ends: the rest of the text changes nothing of what is drawn.
    assert long.grab().toImage() == cut.grab().toImage()


def test_a_name_with_markup_is_shown_as_it_is(qapp: QApplication):
    """QLabel would draw it bold by default, and fetch an image that it names."""
    name = "<b>prod</b>"
    plain, guessing = PlainLabel(name), QLabel(name)
    assert plain.sizeHint().width() > guessing.sizeHint().width()
    assert label(name, wrap=True).textFormat() is Qt.TextFormat.PlainText
    assert ElidedLabel(name).textFormat() is Qt.TextFormat.PlainText


def test_a_tooltip_with_markup_is_escaped():
    assert plain_tooltip("a < b\nc") == "a < b\nc"
    shown = QTextDocument()
    shown.setHtml(plain_tooltip("<b>prod</b>\n<img src=x>"))
    assert shown.toPlainText().split() == ["<b>prod</b>", "<img", "src=x>"]
