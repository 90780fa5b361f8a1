"""One question and its answer: the cards that show them, and the messages they become in the next question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shiboken6 import isValid

from conduit_desktop.actions.chat import ChatStream, stream_chat
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.chat import Media, Message, Reasoning, Text
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import Finished, TextDelta, ThinkingDelta, ToolCallStarted, Usage, UsageReported
from conduit_desktop.gui.pages.chat.texts import ChatError, answered_by, counted, figures, trouble
from conduit_desktop.gui.widgets.chat.attachments import AttachedImage
from conduit_desktop.gui.widgets.chat.cards import AnswerCard, ErrorCard, QuestionCard


@dataclass(slots=True)
class Turn:
    """What was asked and, once there is one, the answer's card."""

    text: str
    pictures: list[AttachedImage]
    question: QuestionCard = field(init=False)
    answer: AnswerCard | None = None

    def __post_init__(self) -> None:
        self.question = QuestionCard(self.text, self.pictures)

    def asked(self) -> Message:
        """The question as a message."""
        pictures = [Media("image", data=one.data, media_type=one.media_type, name=one.name) for one in self.pictures]
        return Message("user", [*pictures, *([Text(self.text)] if self.text else [])], plain=not pictures)

    def messages(self) -> list[Message]:
        """Question and answer as messages; tool calls stay out, since nobody here ran them."""
        words = self.answer.body.markdown() if self.answer is not None else ""
        return [self.asked(), *([Message("assistant", [Text(words)], plain=True)] if words else [])]


def history(turns: Sequence[Turn], last: Turn) -> list[Message]:
    """All that was said before `last`, and its question."""
    before = [message for turn in turns[: turns.index(last)] for message in turn.messages()]
    return [*before, last.asked()]


async def ask(
    context: AppContext,
    model: str,
    messages: list[Message],
    parameters: dict[str, Any],
    card: AnswerCard,
    mend: Callable[[str], None],
) -> None:
    """Stream an answer into `card`. Cancelling stops the upstream; the card is finished in every case.

    `mend` is called with the page on which a trouble can be mended.
    """
    effort = parameters.pop("effort", None)
    reasoning = Reasoning(effort=effort) if effort else None
    stream = stream_chat(context, model, messages, reasoning=reasoning, **parameters)
    seen = StreamSummary()
    try:
        await _follow(stream, card, seen)
    except GatewayError as error:
        card.show_trouble(_card(trouble(error, seen.begun), mend))
    finally:
        # Closing first: the record of a stopped answer is written by it.
        await stream.aclose()
        if isValid(card):  # a new chat takes the card away while its answer is being stopped
            _finish(card, stream, seen, model)
    if seen.cut:
        card.show_trouble(_card(seen.cut, mend))


def _finish(card: AnswerCard, stream: ChatStream, seen: StreamSummary, model: str) -> None:
    record = stream.record
    told = figures(record) if record is not None else counted(seen.usage)
    card.finish(answered_by(record, model), told or "Stopped", stream.id if record is not None else "")


@dataclass(slots=True)
class StreamSummary:
    """What went by in a stream."""

    usage: Usage | None = None
    cut: ChatError | None = None
    begun: bool = False


async def _follow(stream: ChatStream, card: AnswerCard, seen: StreamSummary) -> None:
    async for event in stream:
        card.body.take(event)
        seen.begun = seen.begun or isinstance(event, TextDelta | ThinkingDelta | ToolCallStarted)
        match event:
            case UsageReported():
                seen.usage = event.usage
            case Finished(reason="length"):
                advice = "Raise the most tokens to answer, or ask it to go on."
                seen.cut = ChatError("Cut short", "The answer reached the most tokens it was allowed.", advice)
            case Finished(reason="content_filter"):
                seen.cut = ChatError("Filtered", "The provider's content filter ended the answer.", "Put the question another way.")


def _card(told: ChatError, mend: Callable[[str], None]) -> ErrorCard:
    way_on = (f"Open {told.label}", lambda: mend(told.page)) if told.page else None
    return ErrorCard(told.title, told.text, told.advice, way_on)
