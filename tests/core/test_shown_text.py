"""What strangers write is shown without what a terminal obeys."""

from __future__ import annotations

import json

import pytest

from conduit_desktop.core import shown_text

ATTACKS = {
    "colour": "\x1b[31mred",
    "window title (OSC)": "\x1b]0;owned\x07",
    "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJm\x9c",
    "C1 control sequence": "\x9b31m",
    "C1 string terminator": "\x9d0;owned\x9c",
    "delete": "abc\x7f\x7f",
    "backspace": "abc\b\b",
    "carriage return": "safe\rowned",
    "right to left override": "user\u202etxt.exe",
    "isolate": "\u2066a\u2069",
    "Arabic letter mark": "\u061c",
    "zero width": "pay\u200bpal",
    "line separator": "a\u2028b",
    "tag characters": "a\U000e0041b",
    "lone surrogate": "a\udc9bb",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_character_that_a_terminal_obeys_is_left(text: str) -> None:
    for shown in (shown_text.one_line(text), shown_text.lines(text)):
        assert shown.isprintable()
        shown.encode()
        assert json.loads(f'"{shown}"') == text, "the escape says what it was"


def test_line_breaks_and_tabs_are_kept_in_lines_only() -> None:
    assert shown_text.lines("a\n\tb\r\nc\rd") == "a\n\tb\r\nc\\u000dd"
    assert shown_text.one_line("a\n\tb") == "a\\u000a\\u0009b"


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Müller – 模型 👩‍👩‍👧 [bold]"
    assert shown_text.one_line(text) is text
