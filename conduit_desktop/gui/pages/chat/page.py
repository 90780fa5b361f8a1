"""The chat tester: one conversation with any model, through the gateway like any app's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout

from conduit_desktop.actions import keys, models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import ActionError, GatewayError
from conduit_desktop.gui.pages import Page, Ui
from conduit_desktop.gui.pages.chat.panel import ChatPanel
from conduit_desktop.gui.pages.chat.turn import Turn, ask, history
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.chat.attachments import SUFFIXES, AttachedImage, Unreadable, from_file, pictures_in
from conduit_desktop.gui.widgets.chat.cards import AnswerCard
from conduit_desktop.gui.widgets.chat.composer import Composer
from conduit_desktop.gui.widgets.chat.transcript import WIDEST, Transcript
from conduit_desktop.gui.widgets.empty import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import choose_file
from conduit_desktop.gui.widgets.forms.model_picker import ModelPicker


class ChatPage(Page):
    """Transcript and composer, with the parameters at the side."""

    title = "Chat"
    icon = "chat-circle"
    topics = frozenset({"models", "keys", "providers"})

    def __init__(self, context: AppContext, ui: Ui) -> None:
        super().__init__(context, ui)
        self.turns: list[Turn] = []
        self._asking: asyncio.Task[Any] | None = None
        self.picker = ModelPicker()
        self.picker.wanted.connect(lambda: self.ui.run(self._offer_direct()))
        self.new_button = button("New chat", icon="note-pencil", on_click=self.on_new)
        self.panel_button = icon_button("sliders-horizontal", "Parameters", checkable=True)
        for widget in (self.picker, self.new_button, self.panel_button):
            self.add_action(widget)
        self.transcript = Transcript()
        self.empty = EmptyState(
            "chat-circle",
            "Ask a model something",
            "It goes through the gateway like any app's call: routed, limited, priced and recorded.",
        )
        self.no_models = EmptyState(
            "cube", "No model to talk to yet", "Add a provider and publish a model, or try the demo: it needs no key."
        )
        self.no_models.add_button("Add a provider", lambda: ui.navigate("providers", new=True), icon="plus")
        self.composer = Composer()
        self.panel = ChatPanel()
        self.panel.hide()
        self.panel_button.toggled.connect(self.panel.setVisible)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self._layers = QStackedWidget()
        middle = QHBoxLayout()
        self.composer.setMaximumWidth(WIDEST)
        middle.addWidget(self.composer)
        column = QVBoxLayout()
        column.setSpacing(theme.S)
        column.addWidget(self._layers, 1)
        column.addLayout(middle)
        across = QHBoxLayout()
        across.setSpacing(theme.L)
        across.addLayout(column, 1)
        across.addWidget(self.panel)
        self.body.addLayout(across, 1)
        # After the layout has its place: a stack shows its first layer at once, and without a parent that is a window.
        for layer in (self.empty, self.no_models, self.transcript):
            self._layers.addWidget(layer)

    def _connect(self) -> None:
        self.composer.sent.connect(self.on_sent)
        self.composer.stopped.connect(self.on_stopped)
        self.composer.attach_clicked.connect(lambda: self.ui.run(self._attach()))
        self.composer.pictures_offered.connect(self.on_pictures_offered)

    async def refresh(self) -> None:
        """Load what can be picked."""
        aliases = [row.alias for row in await models.all_models(self.context) if row.enabled and "*" not in row.alias]
        self.picker.offer(aliases)
        self.panel.offer_keys(await keys.all_keys(self.context))
        self._has_models = bool(aliases) or bool(await providers.all_providers(self.context))
        self._show_layer()

    def show_context(self, **context: Any) -> None:
        """`model` picks a model, `text` is put into the composer."""
        if context.get("model"):
            self.picker.pick(context["model"])
        if context.get("text"):
            self.composer.put(context["text"], [])
        self.composer.edit.setFocus()

    def on_sent(self, text: str, pictures: Sequence[AttachedImage]) -> None:
        """A question was written."""
        turn = Turn(text, list(pictures))
        turn.question.edit_asked.connect(lambda: self.on_edit(turn))
        self.turns.append(turn)
        self.transcript.add(turn.question)
        self._ask(turn)

    def on_stopped(self) -> None:
        """Stop the answer under way; the upstream stops too."""
        if self._asking is not None:
            self._asking.cancel()

    def on_new(self) -> None:
        """Forget the conversation."""
        self.on_stopped()
        self.turns.clear()
        self.transcript.clear()
        self._show_layer()
        self.composer.edit.setFocus()

    def on_edit(self, turn: Turn) -> None:
        """Take `turn` and all after it back, and put its question into the composer."""
        self.on_stopped()
        self._drop_from(turn)
        self.composer.put(turn.text, turn.pictures)

    def on_regenerate(self, turn: Turn) -> None:
        """Ask the same again; what came after it is dropped."""
        self.on_stopped()
        at = self.turns.index(turn)
        if at + 1 < len(self.turns):
            self._drop_from(self.turns[at + 1])
        if turn.answer is not None:
            self.transcript.drop_from(turn.answer)
        self._ask(turn)

    def on_pictures_offered(self, mime: QMimeData) -> None:
        """Pictures were pasted or dropped; the data is copied, for it is gone when the event is over."""
        kept = QMimeData()
        kept.setUrls(mime.urls())
        if mime.hasImage():
            kept.setImageData(mime.imageData())
        self.ui.run(self._add(pictures_in(kept)))

    def _ask(self, turn: Turn) -> None:
        parameters = self.panel.parameters()
        model = self.picker.model_name()
        if parameters is None:
            self.panel_button.setChecked(True)
            self.on_edit(turn)
            return
        turn.answer = card = AnswerCard(model or "no model")
        card.regenerate_asked.connect(lambda: self.on_regenerate(turn))
        card.request_asked.connect(lambda request_id: self.ui.navigate("requests", request=request_id))
        self.transcript.add(card)
        self._show_layer()
        self.transcript.follow()
        self.composer.set_busy(True)
        work = ask(self.context, model, history(self.turns, turn), parameters, card, self.ui.navigate)
        self._asking = task = self.ui.run(work)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        if task is self._asking:
            self._asking = None
            self.composer.set_busy(False)

    def _drop_from(self, turn: Turn) -> None:
        self.transcript.drop_from(turn.question)
        del self.turns[self.turns.index(turn) :]
        self._show_layer()

    async def _attach(self) -> None:
        pattern = f"Pictures ({' '.join(f'*{suffix}' for suffix in SUFFIXES)})"
        path = await choose_file(self, "Attach a picture", "open", pattern)
        if path is not None:
            await self._add(_one(path))

    async def _add(self, reading: Coroutine[Any, Any, list[AttachedImage]]) -> None:
        try:
            self.composer.thumbnails.add(await reading)
        except Unreadable as error:
            self.ui.notify(str(error), "warning")

    async def _offer_direct(self) -> None:
        found: list[str] = []
        for provider in await providers.all_providers(self.context):
            if provider.enabled:
                found += [f"{provider.name}/{name}" for name in await self._offered(provider.name)]
        aliases = [row.alias for row in await models.all_models(self.context) if row.enabled and "*" not in row.alias]
        self.picker.offer(aliases, found)

    async def _offered(self, provider: str) -> list[str]:
        try:
            return [one.id for one in await providers.offered(self.context, provider)]
        except (ActionError, GatewayError):
            return []  # its own page says what is wrong; a model can be written as well

    def _show_layer(self) -> None:
        empty = self.empty if getattr(self, "_has_models", True) else self.no_models
        self._layers.setCurrentWidget(self.transcript if self.turns else empty)

    # Qt's own

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.composer.edit.setFocus()


async def _one(path: Path) -> list[AttachedImage]:
    return [await from_file(path)]
