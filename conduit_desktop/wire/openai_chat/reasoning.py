"""How OpenAI-compatible vendors say what a model thought, read into neutral events and written back.

DeepSeek, xAI and most others: `reasoning_content`. Groq, vLLM, Ollama, OpenRouter: `reasoning`. OpenRouter besides:
`reasoning_details`, a list with signatures and encrypted blocks, which repeats the text of `reasoning`.
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conduit_desktop.core.answer import AnswerPart
from conduit_desktop.core.chat import Json, Opaque, RedactedThinking, Thinking
from conduit_desktop.core.events import Event, OpaqueBlock, ThinkingDelta, ThinkingRedacted, ThinkingSigned, ThinkingStarted
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.provenance import CLAUDES, marked, unmark

FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
CLAUDE = "anthropic-claude-v1"
"""The format whose signatures and hidden blocks are Anthropic's own, so that any dialect may carry them."""


class ThinkingReader:
    """Reads the thinking of one choice, whole or in deltas."""

    __slots__ = ("choice", "signed")

    def __init__(self, choice: int = 0) -> None:
        self.choice = choice
        self.signed = False

    def read(self, fields: Mapping[str, Json]) -> list[Event]:
        """The events in the thinking fields of a message or a delta."""
        events: list[Event] = []
        details = fields.get("reasoning_details")
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                self._detail(detail, events)
        if not any(isinstance(event, ThinkingDelta) for event in events):
            text = fields.get("reasoning_content") or fields.get("reasoning")
            if isinstance(text, str) and text:
                events[:0] = self._text(text)
        return events

    def _detail(self, detail: dict[str, Json], events: list[Event]) -> None:
        kind = detail.get("type")
        if kind in ("reasoning.text", "reasoning.summary"):
            text = detail.get("text") or detail.get("summary")
            if isinstance(text, str) and text:
                events += self._text(text)
            signature = detail.get("signature")
            if isinstance(signature, str) and signature:
                events.append(ThinkingSigned(signature, self.choice))
                self.signed = True
        elif kind == "reasoning.encrypted" and detail.get("format") == CLAUDE and isinstance(detail.get("data"), str):
            events.append(ThinkingRedacted(detail["data"], self.choice))
        else:
            events.append(OpaqueBlock(Opaque(NAME, "reasoning_details", detail), self.choice))

    def _text(self, text: str) -> list[Event]:
        # A signature closes its block: what is thought after it belongs to the next one.
        opened: list[Event] = [ThinkingStarted(self.choice)] if self.signed else []
        self.signed = False
        return [*opened, ThinkingDelta(text, self.choice)]


def signature_detail(signature: str, index: int, said_in: str, text: str | None = None) -> dict[str, Json]:
    """A signed block of the dialect `said_in` as an entry of `reasoning_details`."""
    said = {} if text is None else {"text": text}
    proof = marked(signature, said_in, CLAUDES)
    return {"type": "reasoning.text", **said, "signature": proof, "format": "unknown" if unmark(proof) else CLAUDE, "index": index}


def redacted_detail(data: str, index: int) -> dict[str, Json]:
    """A hidden block as an entry of `reasoning_details`."""
    return {"type": "reasoning.encrypted", "data": data, "format": CLAUDE, "index": index}


def thinking_fields(parts: Iterable[AnswerPart], said_in: str = NAME) -> dict[str, Json]:
    """What a message says of the thinking in `parts` of an answer in the dialect `said_in`; empty where there is none."""
    text: list[str] = []
    details: list[dict[str, Json]] = []
    proved = False
    for part in parts:
        if isinstance(part, Thinking):
            text.append(part.text)
            if part.signature:
                details.append(signature_detail(part.signature, len(details), said_in, part.text))
                proved = True
            elif part.text:
                details.append({"type": "reasoning.text", "text": part.text, "index": len(details)})
        elif isinstance(part, RedactedThinking):
            details.append(redacted_detail(part.data, len(details)))
            proved = True
        elif isinstance(part, Opaque) and part.dialect == NAME and part.name == "reasoning_details":
            details.append(part.value)
            proved = True
    said: dict[str, Json] = {"reasoning_content": "".join(text)} if any(text) else {}
    return {**said, "reasoning_details": details} if proved else said


def without_foreign(body: dict[str, Json]) -> dict[str, Json]:
    """`body` without the signatures of others, which no vendor can check; the very same where there are none."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not any(_is_foreign(detail) for message in messages for detail in _details(message)):
        return body
    return {**body, "messages": [_own(message) for message in messages]}


def _details(message: Json) -> list[Json]:
    details = message.get("reasoning_details") if isinstance(message, dict) else None
    return details if isinstance(details, list) else []


def _is_foreign(detail: Json) -> bool:
    return isinstance(detail, dict) and unmark(detail.get("signature")) is not None


def _own(message: Json) -> Json:
    details = _details(message)
    kept = [detail for detail in details if not _is_foreign(detail)]
    if len(kept) == len(details):
        return message
    rest = {name: value for name, value in message.items() if name != "reasoning_details"}
    return {**rest, "reasoning_details": kept} if kept else rest
