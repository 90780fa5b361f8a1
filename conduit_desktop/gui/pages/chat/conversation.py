"""One conversation: its turns, the messages they become, and streaming a response into its card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shiboken6 import isValid

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.chat import ChatAnswer
from conduit_desktop.actions.transport import GatewayUnreachable
from conduit_desktop.core.chat import Media, Message, Reasoning, Text
from conduit_desktop.core.errors import BudgetExceeded, ConduitError, Conflict, GatewayError
from conduit_desktop.core.events import Finished, TextDelta, ThinkingDelta, ToolCallStarted, Usage, UsageReported
from conduit_desktop.core.money import show_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.tokens import total_input, total_output
from conduit_desktop.gui.widgets.chat.attachments import AttachedImage
from conduit_desktop.gui.widgets.chat.cards import AnswerCard, ErrorCard, QuestionCard


@dataclass(slots=True)
class Turn:
    """A message of the user and, once it was sent, the card of its response."""

    text: str
    pictures: list[AttachedImage]
    question: QuestionCard = field(init=False)
    answer: AnswerCard | None = None

    def __post_init__(self) -> None:
        self.question = QuestionCard(self.text, self.pictures)

    def user_message(self) -> Message:
        """The user's text and images as a message."""
        images = [Media("image", data=one.data, media_type=one.media_type, name=one.name) for one in self.pictures]
        return Message("user", [*images, *([Text(self.text)] if self.text else [])], plain=not images)

    def messages(self) -> list[Message]:
        """The user's message and the text of the response. Tool calls are left out: the chat does not run tools."""
        text = self.answer.body.markdown() if self.answer is not None else ""
        return [self.user_message(), *([Message("assistant", [Text(text)], plain=True)] if text else [])]


def history(turns: Sequence[Turn], last: Turn) -> list[Message]:
    """The messages of all turns before `last`, then the user message of `last`."""
    # The chat endpoint keeps no state, so each request carries the whole conversation.
    earlier = [message for turn in turns[: turns.index(last)] for message in turn.messages()]
    return [*earlier, last.user_message()]


@dataclass(slots=True)
class StreamSummary:
    """What a stream has reported so far; `incomplete` is set when it ended early."""

    usage: Usage | None = None
    incomplete: ChatError | None = None
    started: bool = False


async def stream_answer(
    client: AdminClient,
    model: str,
    messages: list[Message],
    parameters: dict[str, Any],
    card: AnswerCard,
    open_page: Callable[[str], None],
) -> None:
    """Stream a response into `card`. Cancelling stops the upstream request; the card is finished in every case.

    `open_page` is called with a page's name when the user presses the button of an error.
    """
    effort = parameters.pop("effort", None)
    reasoning = Reasoning(effort=effort) if effort else None
    stream: ChatAnswer | None = None
    summary = StreamSummary()
    try:
        stream = client.chat(model, messages, reasoning=reasoning, **parameters)
        await _read_stream(stream, card, summary)
    except (GatewayError, GatewayUnreachable, Conflict) as error:
        card.show_error_card(_error_card(describe_error(error, summary.started), open_page))
    finally:
        # Closed before the record is read: closing a stopped stream writes its record.
        if stream is not None:
            await stream.aclose()
        if isValid(card):  # "New chat" deletes the card while its response is being stopped
            _finish(card, stream, summary, model)
    if summary.incomplete:
        card.show_error_card(_error_card(summary.incomplete, open_page))


async def _read_stream(stream: ChatAnswer, card: AnswerCard, summary: StreamSummary) -> None:
    async for event in stream:
        card.body.take(event)
        # Content alone counts: an error after mere usage or headers has its own status and advice.
        summary.started = summary.started or isinstance(event, TextDelta | ThinkingDelta | ToolCallStarted)
        match event:
            case UsageReported():
                summary.usage = event.usage
            case Finished(reason="length"):
                summary.incomplete = ChatError(
                    "Response truncated",
                    "The response reached the maximum number of output tokens.",
                    "Raise “Max output tokens”, or ask the model to continue.",
                )
            case Finished(reason="content_filter"):
                summary.incomplete = ChatError(
                    "Content filtered", "The provider's content filter stopped the response.", "Rephrase the message and try again."
                )


def _finish(card: AnswerCard, stream: ChatAnswer | None, summary: StreamSummary, model: str) -> None:
    record = stream.record if stream is not None else None
    # A remote stream that was stopped has no record here: then only the counts of the stream itself are known.
    text = figures(record) if record is not None else token_counts(summary.usage)
    card.finish(answered_by(record, model), text or "Stopped", record.id if record is not None else "")


def _error_card(error: ChatError, open_page: Callable[[str], None]) -> ErrorCard:
    action = (f"Open {error.label}", lambda: open_page(error.page)) if error.page else None
    return ErrorCard(error.title, error.text, error.advice, action)


@dataclass(frozen=True, slots=True)
class ChatError:
    """An error as the chat shows it. `page` is where it can be fixed and `label` its button; both are empty if there is none."""

    title: str
    text: str
    advice: str
    label: str = ""
    page: str = ""


_ADVICE: dict[int, tuple[str, str, str, str]] = {
    400: ("Invalid request", "Change the message or the parameters and send it again.", "", ""),
    401: ("Key rejected", "Choose another key, or check that this key is enabled and not expired.", "Virtual Keys", "keys"),
    402: ("Budget exceeded", "Raise the key's budget, reset its spend, or choose another key.", "Virtual Keys", "keys"),
    403: ("Not allowed", "Allow the model for this key, or choose another key or model.", "Virtual Keys", "keys"),
    404: ("Model not found", "Choose a model from the list, or create an alias with this name.", "Models", "models"),
    413: ("Request too large", "Send smaller images, or raise the maximum request size in Settings.", "Settings", "settings"),
    429: ("Too many requests", "Wait a moment and regenerate, or add another key or target.", "", ""),
    502: (
        "All providers failed",
        "Check the API key, the base URL and the account of the providers above.",
        "Providers",
        "providers",
    ),
    503: ("No target available", "Every target of this model is disabled, paused or in cooldown.", "Health", "health"),
    504: ("Provider timeout", "Regenerate, or raise the first token timeout of this model.", "Models", "models"),
}
"""Title, advice, button and page by HTTP status."""


def describe_error(error: ConduitError, started: bool = False) -> ChatError:
    """An error with what to do about it. `started`: part of the response had arrived, so that its status was a success."""
    if not isinstance(error, GatewayError):  # only from a gateway elsewhere
        title = "Gateway unreachable" if isinstance(error, GatewayUnreachable) else "Chat is not available"
        return ChatError(title, str(error), "")
    # A budget can run out in the middle of a response: then its own advice helps more than to try again.
    if started and error.code != BudgetExceeded.code:
        return ChatError("Response interrupted", error.message, "The response is incomplete. Regenerate to try again.")
    # By its code: in the middle of a stream, the HTTP status was a success long before.
    status = BudgetExceeded.status if error.code == BudgetExceeded.code else error.status
    title, advice, label, page = _ADVICE.get(status, ("Unexpected error", "Try again. The log has details.", "", ""))
    if error.retry_after:
        advice = f"Retry in {error.retry_after:,.0f} s. {advice}"
    return ChatError(f"{status} · {title}", error.message, advice, label, page)


def figures(record: RequestRecord) -> str:
    """Tokens, cost, time to first token and speed: `1,204 in · 356 out · $0.0031 · first token 412 ms · 64 tokens/s`."""
    tokens_in = total_input(record)
    tokens_out = total_output(record)
    parts = [f"{tokens_in:,} in", f"{tokens_out:,} out", _cost(record)]
    if record.first_token_ms is not None:
        parts.append(f"first token {record.first_token_ms:,.0f} ms")
        generation_s = (record.duration_ms - record.first_token_ms) / 1000
        # A response that arrived in one piece has no generation time, and its speed would mean nothing.
        if tokens_out and generation_s > 0.001:
            parts.append(f"{tokens_out / generation_s:,.0f} tokens/s")
    if record.status == "cancelled":
        parts.insert(0, "Stopped")
    return " · ".join(parts)


def token_counts(usage: Usage | None) -> str:
    """The token counts alone, for a response without a record."""
    return "" if usage is None else f"{usage.total_input:,} in · {usage.total_output:,} out"


def _cost(record: RequestRecord) -> str:
    if record.cost_nano is None:
        return "cost unknown"
    return ("~" if record.cost_state == "estimated" else "") + show_usd(record.cost_nano)


def answered_by(record: RequestRecord | None, model: str) -> str:
    """`smart → openai/gpt-4o`, or the model alone where no alias was resolved."""
    if record is None or not record.provider:
        return model
    target = f"{record.provider}/{record.upstream_model}"
    return target if target == model else f"{model} → {target}"
