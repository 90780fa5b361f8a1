"""The kinds of provider as a searchable grid, in four groups."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from conduit_desktop.actions.schemas.views import KindView
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.icons import Monogram
from conduit_desktop.gui.widgets.labels import ElidedLabel, label

COLUMNS = 3
GROUPS = ("Cloud", "Local", "Compatible", "Demo")


def group_of(kind: KindView) -> str:
    """The group of a kind: built in, on this computer, at a base URL of the user, or at a vendor."""
    if kind.local:
        return "Demo"
    if kind.free:
        return "Local"
    return "Cloud" if kind.base_url else "Compatible"


class KindTile(QPushButton):
    """The button of one kind."""

    def __init__(self, kind: KindView) -> None:
        super().__init__()
        self.kind = kind
        self.setObjectName("tile")
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(kind.label)
        theme.scaled(self, lambda it: it.setFixedHeight(theme.px(56)))
        self.setAutoDefault(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.M, theme.S, theme.M, theme.S)
        row.setSpacing(theme.M)
        row.addWidget(Monogram(kind.label, 30))
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(_passive(label(kind.label, "cardTitle")))
        names.addWidget(ElidedLabel(_address(kind), "fieldHelp"))
        row.addLayout(names, 1)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(190), theme.px(56))


class CatalogGrid(QWidget):
    """A search field and tiles; `chosen` carries a KindView. Enter chooses the focused tile, or else the first match."""

    chosen = Signal(object)

    def __init__(self, kinds: Sequence[KindView]) -> None:
        super().__init__()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search providers…")
        self.search.setAccessibleName("Search providers")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show)
        self.tiles = [KindTile(kind) for kind in kinds]
        for tile in self.tiles:
            # As a default value: a closure would see the last tile of the loop.
            tile.clicked.connect(lambda _=False, kind=tile.kind: self.chosen.emit(kind))
        self._headings: dict[str, QLabel] = {}
        self._grids: dict[str, QGridLayout] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(theme.M)
        box.addWidget(self.search)
        box.addWidget(self._scroll(), 1)
        self._show("")

    def _scroll(self) -> QScrollArea:
        page = QWidget()
        page.setObjectName("scrollPage")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, theme.S, 0)
        column.setSpacing(theme.S)
        for name in GROUPS:
            self._headings[name] = label(name, "overline")
            self._grids[name] = QGridLayout()
            self._grids[name].setSpacing(theme.S)
            for at in range(COLUMNS):
                self._grids[name].setColumnStretch(at, 1)
            column.addWidget(self._headings[name])
            column.addLayout(self._grids[name])
        self._none = EmptyState(
            "magnifying-glass", "No matching provider", "Many providers have an OpenAI-compatible API: search for “compatible”."
        )
        column.addWidget(self._none)
        column.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setWidget(page)
        return area

    def matches(self) -> list[KindTile]:
        """The tiles that contain every word of the search, in the order shown."""
        words = self.search.text().casefold().split()
        found = [tile for tile in self.tiles if all(word in _search_text(tile.kind) for word in words)]
        return sorted(found, key=lambda tile: GROUPS.index(group_of(tile.kind)))

    def _show(self, _text: str = "") -> None:
        shown = self.matches()
        for tile in self.tiles:
            # All of them first: a grid keeps a widget in its old cell, over the one that is placed there now.
            tile.setVisible(False)
        for name, grid in self._grids.items():
            members = [tile for tile in shown if group_of(tile.kind) == name]
            self._headings[name].setVisible(bool(members))
            for at, tile in enumerate(members):
                grid.addWidget(tile, at // COLUMNS, at % COLUMNS)
                tile.setVisible(True)
        self._none.setVisible(not shown)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            # Kept from the dialog, for which Enter means to submit.
            focused = self.focusWidget()
            wanted = [focused] if isinstance(focused, KindTile) else self.matches()
            if wanted:
                self.chosen.emit(wanted[0].kind)
            return
        super().keyPressEvent(event)


def _address(kind: KindView) -> str:
    match group_of(kind):
        case "Demo":
            return "No key, no network"
        case "Local":
            return "On this computer"
        case "Compatible":
            return "Your own base URL"
        case _:
            return kind.base_url.split("://")[-1].split("/")[0]


def _search_text(kind: KindView) -> str:
    return f"{kind.kind} {kind.label} {group_of(kind)} {kind.base_url} {kind.dialect}".casefold()


def _passive(made: QLabel) -> QLabel:
    """A label on a button that leaves mouse events to the button."""
    made.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return made
