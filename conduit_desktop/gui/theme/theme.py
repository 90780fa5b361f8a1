"""The theme: palette in use, fonts, spacing, style sheet, and icons that follow the palette."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeVar
from weakref import WeakKeyDictionary

import orjson
from PySide6.QtCore import QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from conduit_desktop.core.paths import resource
from conduit_desktop.gui.theme.palettes import DARK, LIGHT, SERIES_DARK, SERIES_LIGHT, Palette

Mode = Literal["system", "light", "dark"]

XS, S, M, L, XL, XXL = 4, 8, 12, 16, 24, 32
"""The spacing scale, in pixels."""

_FAMILIES = ("Inter", "Segoe UI Variable Text", "Segoe UI", "Ubuntu", "Cantarell", "Noto Sans", "Nimbus Sans", "DejaVu Sans")
_MONO_FAMILIES = (
    "JetBrains Mono",
    "SF Mono",
    "Cascadia Mono",
    "Consolas",
    "Menlo",
    "Ubuntu Mono",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
)


W = TypeVar("W", bound=QWidget)
_USUAL_POINTS = {"darwin": (12.0, 13.0, 14.0)}
"""By platform, the smallest, the usual and the largest size of the system's font that stands for the sizes of the design."""
_USUAL_ELSEWHERE = (8.5, 10.0, 11.0)
ZOOMS = (75, 80, 90, 100, 110, 125, 150, 175, 200)
"""Percent."""


class Theme(QObject):
    """The palette and the scale in use. `changed` is emitted after a new style sheet was set; icons repaint on their own."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.mode: Mode = "system"
        self.dark = False
        self.zoom = 100
        """Percent; see `ZOOMS`."""
        self.system_scale = 1.0
        """How much larger than usual the system's font is."""
        self._scaled: WeakKeyDictionary[QWidget, list[Callable[[Any], object]]] = WeakKeyDictionary()

    @property
    def scale(self) -> float:
        """Pixels on the screen for one of the design, besides what Qt scales for the screen."""
        return self.zoom / 100 * self.system_scale

    @property
    def palette(self) -> Palette:
        """The tokens in use."""
        return DARK if self.dark else LIGHT

    @property
    def series(self) -> tuple[str, ...]:
        """The colours of chart series, in order; they repeat."""
        return SERIES_DARK if self.dark else SERIES_LIGHT

    def start(self, mode: Mode) -> None:
        """Set style, font and palette of the application; in mode `system`, follow the system's colour scheme."""
        # Native styles apply only parts of a style sheet; Fusion looks the same on every system.
        QApplication.setStyle("Fusion")
        # Before the application's own font replaces the system's.
        self.system_scale = system_scale(QApplication.font().pointSizeF(), QGuiApplication.primaryScreen().logicalDotsPerInch())
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)
        self.set_mode(mode)

    def set_mode(self, mode: Mode) -> None:
        """Switch the palette at once."""
        self.mode = mode
        system_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        self.dark = mode == "dark" or (mode == "system" and system_dark)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setPalette(_qt_palette(self.palette))
            app.setFont(font(13))
            app.setStyleSheet(style_sheet(self.palette))
        self.changed.emit()

    def set_zoom(self, percent: int) -> None:
        """Make everything larger or smaller at once."""
        if percent == self.zoom:
            return
        self.zoom = percent
        for widget, applied in list(self._scaled.items()):
            if isValid(widget):
                for apply in applied:
                    apply(widget)
        self.set_mode(self.mode)

    def add_scaled(self, widget: W, apply: Callable[[W], object]) -> None:
        """Call `apply` now and after each change of the scale, for as long as there is the widget."""
        self._scaled.setdefault(widget, []).append(apply)
        apply(widget)

    def _on_system_changed(self) -> None:
        if self.mode == "system":
            self.set_mode("system")


@cache
def theme() -> Theme:
    """The one theme of the process: a style sheet belongs to the whole application."""
    return Theme()


def px(pixels: float) -> int:
    """Pixels of the design as those of the screen."""
    return round(pixels * theme().scale)


def tall(pixels: float) -> int:
    """The height of what fills a dialog: `px`, but at most six tenths of the screen, so that its buttons stay on it."""
    return min(px(pixels), QGuiApplication.primaryScreen().availableSize().height() * 6 // 10)


def scaled(widget: W, apply: Callable[[W], object]) -> None:
    """See `Theme.add_scaled`. `apply` must not hold the widget, which it gets: `scaled(x, lambda it: it.setFixedWidth(px(9)))`."""
    theme().add_scaled(widget, apply)


def system_scale(points: float, dots_per_inch: float) -> float:
    """How much larger than usual a system's font of that size is on a screen of that density; 1.0 for the usual ones.

    Systems differ by a point or two in what is usual; beyond that, the user has chosen. A larger text is a larger density on X11.
    """
    smallest, usual, largest = _USUAL_POINTS.get(sys.platform, _USUAL_ELSEWHERE)
    chosen = 1.0 if points <= 0 or smallest <= points <= largest else points / usual
    density = dots_per_inch / (72.0 if sys.platform == "darwin" else 96.0)
    return min(3.0, max(0.7, chosen * max(1.0, density)))


def colour(name: str) -> QColor:
    """The colour of a token in the palette in use, such as `colour("accent")`."""
    return QColor(theme().palette[name])


def series_colour(index: int) -> QColor:
    """The colour of a chart's series; they repeat after the last."""
    series = theme().series
    return QColor(series[index % len(series)])


@cache
def _family(mono: bool) -> str:
    wanted = _MONO_FAMILIES if mono else _FAMILIES
    kind = QFontDatabase.SystemFont.FixedFont if mono else QFontDatabase.SystemFont.GeneralFont
    system = QFontDatabase.systemFont(kind).family()
    # On Linux the system font can be an alias or a font that is not installed, which Qt would replace by any other.
    if system.lower() not in ("sans serif", "monospace", "sans") and QFontInfo(QFont(system)).exactMatch():
        return system
    known = set(QFontDatabase.families())
    return next((family for family in wanted if family in known), system)


def font(size: int = 13, *, bold: bool = False, medium: bool = False, mono: bool = False) -> QFont:
    """The font in `size` pixels of the design, with tabular digits."""
    made = QFont(_family(mono))
    made.setPixelSize(max(1, px(size)))
    made.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Medium if medium else QFont.Weight.Normal)
    if not mono:  # tabular digits, so that numbers that change do not move the text next to them
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def style_sheet(palette: Palette) -> str:
    """The one style, with `@token` replaced by the palette's colours; raises KeyError for an unknown token."""
    text = resource("style.qss").read_text("utf-8")
    places = {"icons": resource("icons").as_posix(), "mono": f'"{_family(True)}"'}
    variant = "dark" if palette is DARK else "light"
    if theme().scale != 1.0:
        # Lines of one or two pixels stay as thin as they are.
        text = re.sub(r"(\d+)px", lambda match: f"{px(int(match[1])) if int(match[1]) > 2 else match[1]}px", text)
    # An unknown token fails here, at the start, and not as a colour that is missing somewhere.
    return re.sub(r"@([a-z_]+)", lambda match: {**palette, **places, "variant": variant}[match[1]], text)


def set_style_property(widget: QWidget, name: str, value: str | bool) -> None:
    """Set a property that selectors of the style sheet use, and draw the widget accordingly."""
    widget.setProperty(name, value)
    # Qt does not apply a style sheet again when a property that its selectors use changes.
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def icon(name: str, tone: str = "text_muted", selected: str = "text") -> QIcon:
    """A Phosphor icon such as `plugs` that follows the theme; `selected` is its colour when on or selected."""
    return QIcon(_ThemedGlyph(_glyph(name), tone, selected))


def pixmap(name: str, size: int, tone: str = "text_muted") -> QPixmap:
    """One icon drawn in the colour of `tone`, `size` pixels wide, sharp on dense screens."""
    ratio = QGuiApplication.primaryScreen().devicePixelRatio() if QGuiApplication.primaryScreen() else 1.0
    return icon(name, tone, tone).pixmap(QSize(size, size), ratio)


@cache
def _icon_font() -> tuple[str, dict[str, str]]:
    """The family and the glyphs of the icon font, Phosphor, from the files that qtawesome ships.

    Importing qtawesome would load eleven more fonts, qtpy and more of Qt: 0.1 s and 20 MB.
    """
    folder = resource("fonts")  # the bundle contains these two files instead of qtawesome
    if not folder.is_dir():
        found = find_spec("qtawesome")
        if found is None or found.origin is None:
            raise ImportError("qtawesome, which brings the icons, is not installed")
        folder = Path(found.origin).parent / "fonts"
    glyphs, outlines = next(folder.glob("phosphor-charmap-*.json")), next(folder.glob("phosphor-[0-9]*.ttf"))
    loaded = QFontDatabase.addApplicationFont(str(outlines))
    names: dict[str, str] = orjson.loads(glyphs.read_bytes())
    return QFontDatabase.applicationFontFamilies(loaded)[0], {name: chr(int(code, 16)) for name, code in names.items()}


def _glyph(name: str) -> str:
    return _icon_font()[1][name]


class _ThemedGlyph(QIconEngine):
    """A glyph that looks up its colour each time it is drawn, so that icons follow the theme."""

    def __init__(self, glyph: str, token: str, selected: str) -> None:
        super().__init__()
        self._glyph, self._token, self._selected = glyph, token, selected

    def clone(self) -> QIconEngine:
        return _ThemedGlyph(self._glyph, self._token, self._selected)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        chosen = state == QIcon.State.On or mode == QIcon.Mode.Selected
        token = "text_faint" if mode == QIcon.Mode.Disabled else self._selected if chosen else self._token
        # The painter belongs to the caller, who goes on with it.
        painter.save()
        painter.setPen(colour(token))
        drawn = QFont(_icon_font()[0])
        drawn.setPixelSize(max(1, rect.height()))
        # Hinting serves text: it would distort icons of few pixels.
        drawn.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        painter.setFont(drawn)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._glyph)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        if size.isEmpty():  # a button without space requests an empty pixmap
            return QPixmap()
        image = QPixmap(size)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return image


def _qt_palette(tokens: Palette) -> QPalette:
    """The QPalette, for what the style sheet does not cover: placeholder text, links, selections, native parts."""
    made = QPalette()
    role = QPalette.ColorRole
    for name, token in (
        (role.Window, "window"), (role.Base, "surface"), (role.AlternateBase, "sunken"), (role.Button, "raised"),
        (role.WindowText, "text"), (role.Text, "text"), (role.ButtonText, "text"), (role.PlaceholderText, "text_faint"),
        (role.Highlight, "accent"), (role.HighlightedText, "on_accent"), (role.Link, "accent_text"), (role.Accent, "accent"),
        (role.ToolTipBase, "raised"), (role.ToolTipText, "text"), (role.Mid, "border"), (role.Dark, "border_strong"),
    ):  # fmt: skip
        made.setColor(name, QColor(tokens[token]))
    for name in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, name, QColor(tokens["text_faint"]))
    return made
