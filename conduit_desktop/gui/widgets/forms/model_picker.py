"""A searchable combo box of models: aliases first, then the models of every provider."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCompleter, QWidget

from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.forms.editors import ComboBox


class ModelPicker(ComboBox):
    """`wanted` is emitted once, when the user first opens the list or types: providers are queried only then."""

    wanted = Signal()
    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__()
        self.setParent(parent)
        self.setEditable(True)
        # A name that was only typed is not a model of any provider, and does not belong in the list.
        self.setInsertPolicy(ComboBox.InsertPolicy.NoInsert)
        theme.scaled(self, lambda it: it.setMinimumWidth(theme.px(300)))
        self.setAccessibleName("Model")
        self._emitted = False
        self._aliases: list[str] = []
        self._direct: list[str] = []
        line = self.lineEdit()
        if line is not None:
            line.setPlaceholderText("Choose a model…")
            line.textEdited.connect(lambda _: self._want())
            line.editingFinished.connect(lambda: self.picked.emit(self.model_name()))
        if (completer := self.completer()) is not None:
            completer.setFilterMode(Qt.MatchFlag.MatchContains)
            completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
            # Inline completion, the default of a combo box, can complete beginnings only, and `MatchContains` finds more.
            completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.activated.connect(lambda _: self.picked.emit(self.model_name()))

    def model_name(self) -> str:
        """The typed or chosen name."""
        return self.currentText().strip()

    def pick(self, model: str) -> None:
        """Set the model, whether it is in the list or not."""
        self.setEditText(model)

    def offer(self, aliases: Sequence[str], direct: Sequence[str] | None = None) -> None:
        """Offer these models and keep the current text. Without `direct`, the providers' models are kept."""
        self._aliases = list(aliases)
        self._direct = self._direct if direct is None else list(direct)
        kept = self.model_name()
        self.clear()
        self.addItems(self._aliases)
        if self._aliases and self._direct:
            self.insertSeparator(self.count())
        self.addItems(self._direct)
        # Last, since `clear` and `addItems` change the text.
        self.setEditText(kept or (self._aliases[0] if self._aliases else ""))

    def _want(self) -> None:
        if not self._emitted:
            self._emitted = True
            self.wanted.emit()

    def showPopup(self) -> None:
        self._want()
        super().showPopup()
