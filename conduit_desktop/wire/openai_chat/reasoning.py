"""The thinking fields of OpenAI-compatible vendors, read into neutral events and written.

DeepSeek, xAI and most others use `reasoning_content`; Groq, vLLM, Ollama and OpenRouter `reasoning`. OpenRouter adds
`reasoning_details`, a list with signatures and encrypted blocks, which repeats the text of `reasoning`.
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conduit_desktop.core.answer import AnswerPart
from conduit_desktop.core.chat import Json, Opaque, RedactedThinking, Thinking
from conduit_desktop.core.events import Event, OpaqueBlock, ThinkingDelta, ThinkingRedacted, ThinkingSigned, ThinkingStarted
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.provenance import CLAUDE_DIALECTS, mark_foreign, unmark

FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
CLAUDE = "anthropic-claude-v1"
"""OpenRouter's name for Anthropic's signatures and redacted blocks, which are valid in every dialect with Claude."""


class ThinkingReader:
    """Reads the thinking of one choice, in a whole message or in deltas."""

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
        # The details repeat the text of the plain field, which is read only where they hold none.
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
        # Only Claude's blocks are valid at another provider too; other formats mean something to OpenRouter alone.
        elif kind == "reasoning.encrypted" and detail.get("format") == CLAUDE and isinstance(detail.get("data"), str):
            events.append(ThinkingRedacted(detail["data"], self.choice))
        else:
            events.append(OpaqueBlock(Opaque(NAME, "reasoning_details", detail), self.choice))

    def _text(self, text: str) -> list[Event]:
        # A signature closes its block: text after it belongs to the next one.
        opened: list[Event] = [ThinkingStarted(self.choice)] if self.signed else []
        self.signed = False
        return [*opened, ThinkingDelta(text, self.choice)]


def signature_detail(signature: str, index: int, dialect: str, text: str | None = None) -> dict[str, Json]:
    """A signed block of a provider of `dialect` as an entry of `reasoning_details`."""
    fields = {} if text is None else {"text": text}
    signature = mark_foreign(signature, dialect, CLAUDE_DIALECTS)
    # A marked signature is another provider's and must not pass for Claude's.
    origin = "unknown" if unmark(signature) else CLAUDE
    return {"type": "reasoning.text", **fields, "signature": signature, "format": origin, "index": index}


def redacted_detail(data: str, index: int) -> dict[str, Json]:
    """A redacted block as an entry of `reasoning_details`."""
    return {"type": "reasoning.encrypted", "data": data, "format": CLAUDE, "index": index}


def thinking_fields(parts: Iterable[AnswerPart], dialect: str = NAME) -> dict[str, Json]:
    """The thinking fields of a message, for the parts of an answer from a provider of `dialect`; empty without thinking."""
    text: list[str] = []
    details: list[dict[str, Json]] = []
    needs_details = False
    for part in parts:
        if isinstance(part, Thinking):
            text.append(part.text)
            if part.signature:
                details.append(signature_detail(part.signature, len(details), dialect, part.text))
                needs_details = True
            elif part.text:
                details.append({"type": "reasoning.text", "text": part.text, "index": len(details)})
        elif isinstance(part, RedactedThinking):
            details.append(redacted_detail(part.data, len(details)))
            needs_details = True
        elif isinstance(part, Opaque) and part.dialect == NAME and part.name == "reasoning_details":
            details.append(part.value)
            needs_details = True
    # Details repeat the text: they are written only where the plain field would lose a signature or a hidden block.
    fields: dict[str, Json] = {"reasoning_content": "".join(text)} if any(text) else {}
    return {**fields, "reasoning_details": details} if needs_details else fields


def without_foreign(body: dict[str, Json]) -> dict[str, Json]:
    """`body` without marked signatures, which the vendor cannot verify; the same object where there are none."""
    messages = body.get("messages")
    # Looked for first, as nearly every request has none and need not be copied.
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
