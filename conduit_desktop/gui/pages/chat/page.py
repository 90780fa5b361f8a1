"""The chat page: one conversation with any model, sent through the gateway like a client's requests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.errors import ConduitError
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.order import oldest_first
from conduit_desktop.gui.pages.base import Page, Ui
from conduit_desktop.gui.pages.chat.conversation import Turn, history, stream_answer
from conduit_desktop.gui.pages.chat.panel import ChatPanel
from conduit_desktop.gui.theme import theme
from conduit_desktop.gui.widgets.buttons import button, icon_button
from conduit_desktop.gui.widgets.chat.attachments import SUFFIXES, AttachedImage, UnreadableImage, from_file, images_from
from conduit_desktop.gui.widgets.chat.cards import AnswerCard
from conduit_desktop.gui.widgets.chat.composer import Composer
from conduit_desktop.gui.widgets.chat.transcript import WIDEST, Transcript
from conduit_desktop.gui.widgets.empty_state import EmptyState
from conduit_desktop.gui.widgets.forms.dialogs import choose_file
from conduit_desktop.gui.widgets.forms.model_picker import ModelPicker


class ChatPage(Page):
    """The transcript, the composer, and a side panel with the parameters."""

    title = "Chat"
    icon = "chat-circle"
    topics = frozenset({"models", "keys", "providers"})

    def __init__(self, client: AdminClient, feed: Feed, ui: Ui) -> None:
        super().__init__(client, feed, ui)
        self.turns: list[Turn] = []
        self._task: asyncio.Task[Any] | None = None
        self.picker = ModelPicker()
        # Only when they are asked for: every provider is queried over the network.
        self.picker.wanted.connect(lambda: self.ui.run(self._load_provider_models()))
        self.new_button = button("New chat", icon="note-pencil", on_click=self.on_new)
        self.panel_button = icon_button("sliders-horizontal", "Parameters", checkable=True)
        for widget in (self.picker, self.new_button, self.panel_button):
            self.add_action(widget)
        self.transcript = Transcript()
        self.empty = EmptyState(
            "chat-circle",
            "Start a conversation",
            "Messages go through the gateway like any client's request: routed, limited, priced and logged.",
        )
        self.no_models = EmptyState(
            "cube", "No models yet", "Add a provider and publish one of its models. The demo provider needs no key."
        )
        self.no_models.add_button("Add a provider", lambda: ui.navigate("providers", new=True), icon="plus")
        self.composer = Composer()
        self.panel = ChatPanel(offers_keys=client.is_local)
        self.panel.hide()
        self.panel_button.toggled.connect(self.panel.setVisible)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self._layers = QStackedWidget()
        middle = QHBoxLayout()
        theme.scaled(self.composer, lambda it: it.setMaximumWidth(theme.px(WIDEST)))
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
        # Added last: a stack shows its first widget at once, which without a parent would be a window of its own.
        for layer in (self.empty, self.no_models, self.transcript):
            self._layers.addWidget(layer)

    def _connect(self) -> None:
        self.composer.sent.connect(self.on_sent)
        self.composer.stopped.connect(self.on_stopped)
        self.composer.attach_clicked.connect(lambda: self.ui.run(self._attach()))
        self.composer.pictures_offered.connect(self.on_pictures_offered)

    async def refresh(self) -> None:
        """Load the aliases and keys to choose from."""
        aliases = await self._aliases()
        self.picker.offer(aliases)
        self.panel.offer_keys(await self.client.keys())
        self._has_models = bool(aliases) or bool(await self.client.providers())
        self._show_layer()

    def show_context(self, **context: Any) -> None:
        """`model` selects a model, `text` fills the composer."""
        if context.get("model"):
            self.picker.pick(context["model"])
        if context.get("text"):
            self.composer.put(context["text"], [])
        self.composer.edit.setFocus()

    def on_sent(self, text: str, pictures: Sequence[AttachedImage]) -> None:
        """Send a message."""
        turn = Turn(text, list(pictures))
        turn.question.edit_requested.connect(lambda: self.on_edit(turn))
        self.turns.append(turn)
        self.transcript.add(turn.question)
        self._send(turn)

    def on_stopped(self) -> None:
        """Stop the current response; the upstream request is cancelled too."""
        if self._task is not None:
            self._task.cancel()

    def on_new(self) -> None:
        """Start a new conversation."""
        # Stopped, not only hidden: an upstream that nobody reads goes on generating, and billing.
        self.on_stopped()
        self.turns.clear()
        self.transcript.clear()
        self._show_layer()
        # After the base class, which gives the focus to the page itself.
        self.composer.edit.setFocus()

    def on_edit(self, turn: Turn) -> None:
        """Remove `turn` and all after it, and put its message into the composer."""
        self.on_stopped()
        self._drop_from(turn)
        self.composer.put(turn.text, turn.pictures)

    def on_regenerate(self, turn: Turn) -> None:
        """Send the message of `turn` again; the turns after it are removed."""
        self.on_stopped()
        at = self.turns.index(turn)
        if at + 1 < len(self.turns):
            self._drop_from(self.turns[at + 1])
        if turn.answer is not None:
            self.transcript.drop_from(turn.answer)
        self._send(turn)

    def on_pictures_offered(self, mime: QMimeData) -> None:
        """Attach pasted or dropped images. The data is copied: Qt deletes it after the event."""
        kept = QMimeData()
        kept.setUrls(mime.urls())
        if mime.hasImage():
            kept.setImageData(mime.imageData())
        self.ui.run(self._add(images_from(kept)))

    def _send(self, turn: Turn) -> None:
        parameters = self.panel.parameters()
        model = self.picker.model_name()
        # The message goes back into the editor, so that it is not lost while the parameters are corrected.
        if parameters is None:
            self.panel_button.setChecked(True)
            self.on_edit(turn)
            return
        turn.answer = card = AnswerCard(model or "no model")
        card.regenerate_requested.connect(lambda: self.on_regenerate(turn))
        card.request_requested.connect(lambda request_id: self.ui.navigate("requests", request=request_id))
        self.transcript.add(card)
        self._show_layer()
        self.transcript.follow()
        self.composer.set_busy(True)
        work = stream_answer(self.client, model, history(self.turns, turn), parameters, card, self.ui.navigate)
        self._task = task = self.ui.run(work)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        # A response that was stopped ends after the next one has started, which must stay stoppable.
        if task is self._task:
            self._task = None
            self.composer.set_busy(False)

    def _drop_from(self, turn: Turn) -> None:
        self.transcript.drop_from(turn.question)
        del self.turns[self.turns.index(turn) :]
        self._show_layer()

    async def _attach(self) -> None:
        pattern = f"Images ({' '.join(f'*{suffix}' for suffix in SUFFIXES)})"
        path = await choose_file(self, "Attach an image", "open", pattern)
        if path is not None:
            await self._add(_one(path))

    async def _add(self, reading: Coroutine[Any, Any, list[AttachedImage]]) -> None:
        try:
            self.composer.thumbnails.add(await reading)
        except UnreadableImage as error:
            self.ui.notify(str(error), "warning")

    async def _load_provider_models(self) -> None:
        found: list[str] = []
        for provider in oldest_first(await self.client.providers()):
            if provider.enabled:
                # With the provider's name: these models have no alias, and this is how they are called directly.
                found += [f"{provider.name}/{name}" for name in await self._offered(provider.name)]
        self.picker.offer(await self._aliases(), found)

    async def _aliases(self) -> list[str]:
        # A pattern such as `gpt-*` is not a name that can be sent.
        return [row.alias for row in oldest_first(await self.client.models()) if row.enabled and "*" not in row.alias]

    async def _offered(self, provider: str) -> list[str]:
        try:
            return [one.id for one in await self.client.offered_models(provider)]
        except ConduitError:
            return []  # the Providers page shows the error; a model name can be typed as well

    def _show_layer(self) -> None:
        # True before the first load, so that "No models yet" does not flash up at the start.
        empty = self.empty if getattr(self, "_has_models", True) else self.no_models
        self._layers.setCurrentWidget(self.transcript if self.turns else empty)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.composer.edit.setFocus()


async def _one(path: Path) -> list[AttachedImage]:
    return [await from_file(path)]
