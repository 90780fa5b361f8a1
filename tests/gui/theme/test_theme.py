"""The light and the dark palette, and the style sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QColor, QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QWidget

from conduit_desktop.core.paths import resource
from conduit_desktop.gui.theme.palettes import DARK, LIGHT, SERIES_DARK, SERIES_LIGHT
from conduit_desktop.gui.theme.theme import colour, font, icon, px, scaled, style_sheet, system_scale, tall, theme


@pytest.fixture(autouse=True)
def _light_again() -> Iterator[None]:
    yield
    theme().set_mode("light")


def test_both_palettes_have_the_same_tokens():
    assert LIGHT.keys() == DARK.keys()
    assert len(SERIES_LIGHT) == len(SERIES_DARK)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_style_sheet_has_no_placeholder_left_and_every_image_exists(palette: dict[str, str]):
    text = style_sheet(palette)
    assert "@" not in text
    for path in re.findall(r'url\("([^"]+)"\)', text):
        assert resource("icons", path.rpartition("/")[2]).is_file(), path


def _luminance(name: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    tone = QColor(name)
    return 0.2126 * linear(tone.redF()) + 0.7152 * linear(tone.greenF()) + 0.0722 * linear(tone.blueF())


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


READABLE = 4.5
"""The contrast ratio that WCAG AA requires for text."""


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("words", ["text", "text_muted", "text_faint", "success", "warning", "danger", "info", "accent_text"])
@pytest.mark.parametrize("ground", ["window", "surface", "raised", "sunken"])
def test_text_has_enough_contrast_on_every_background(palette: dict[str, str], words: str, ground: str):
    assert _contrast(palette[words], palette[ground]) >= READABLE


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_enough_contrast_on_coloured_backgrounds(palette: dict[str, str]):
    """Pills and banners on their tints, primary buttons, and the badge of unread notifications."""
    pairs = [(tone, f"{tone}_tint") for tone in ("success", "warning", "danger", "info")]
    for words, ground in (*pairs, ("text", "selected"), ("on_accent", "accent"), ("surface", "danger")):
        assert _contrast(palette[words], palette[ground]) >= READABLE, (words, ground)


def test_changing_the_mode_changes_colours_style_and_icons(qapp: QApplication):
    bell = icon("bell", "text")
    before = bell.pixmap(QSize(32, 32)).toImage()
    changes: list[int] = []
    theme().changed.connect(lambda: changes.append(1))
    theme().set_mode("dark")
    assert changes == [1]
    assert colour("text") == QColor(DARK["text"])
    assert DARK["surface"] in qapp.styleSheet()
    assert bell.pixmap(QSize(32, 32)).toImage() != before


def test_an_icon_is_drawn_and_an_unknown_one_is_an_error():
    image = icon("bell").pixmap(QSize(24, 24), QIcon.Mode.Normal).toImage()
    assert any(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24))
    with pytest.raises(KeyError):
        icon("no-such-icon")


def test_digits_have_equal_width():
    from PySide6.QtGui import QFontMetrics

    metrics = QFontMetrics(font(13))
    assert len({metrics.horizontalAdvance(digit * 10) for digit in "0123456789"}) == 1


@pytest.fixture
def zoomed() -> Iterator[None]:
    theme().set_zoom(150)
    yield
    theme().set_zoom(100)


@pytest.mark.usefixtures("zoomed")
def test_zoom_makes_fonts_and_the_style_sheet_larger_and_leaves_thin_lines():
    assert font(13).pixelSize() == round(13 * 1.5)
    text = style_sheet(LIGHT)
    assert "QWidget { color: #" in text
    assert "font-size: 20px; }" in text, "13 px of the design"
    assert "border: 1px solid" in text


def test_zoom_resizes_what_is_there_and_forgets_what_is_gone(qapp: QApplication):
    kept, gone = QWidget(), QWidget()
    for widget in (kept, gone):
        scaled(widget, lambda it: it.setFixedWidth(px(100)))
    assert kept.width() == 100
    gone.deleteLater()
    QApplication.sendPostedEvents(gone, QEvent.Type.DeferredDelete)
    theme().set_zoom(200)
    try:
        assert kept.width() == 200
    finally:
        theme().set_zoom(100)
    assert kept.width() == 100


@pytest.mark.parametrize(
    ("points", "dots", "factor"),
    [(9.0, 96.0, 1.0), (10.0, 96.0, 1.0), (11.0, 96.0, 1.0), (-1.0, 96.0, 1.0), (15.0, 96.0, 1.5), (8.0, 96.0, 0.8),
     (10.0, 144.0, 1.5), (12.0, 120.0, 1.5), (40.0, 192.0, 3.0), (2.0, 96.0, 0.7), (10.0, 72.0, 1.0)],
)  # fmt: skip
def test_the_font_that_the_user_chose_in_the_system_sets_the_scale(
    monkeypatch: pytest.MonkeyPatch, points: float, dots: float, factor: float
):
    monkeypatch.setattr("sys.platform", "linux")
    assert system_scale(points, dots) == pytest.approx(factor)


@pytest.mark.parametrize(("points", "factor"), [(13.0, 1.0), (19.5, 1.5)])
def test_points_are_larger_on_macos(monkeypatch: pytest.MonkeyPatch, points: float, factor: float):
    monkeypatch.setattr("sys.platform", "darwin")
    assert system_scale(points, 72.0) == pytest.approx(factor)


def test_what_fills_a_dialog_leaves_room_for_its_buttons_on_a_small_screen():
    screen = QGuiApplication.primaryScreen().availableSize().height()
    assert tall(100) == 100
    assert tall(10_000) == screen * 6 // 10
