"""The thinking fields of OpenAI-compatible vendors, read into neutral events and written.

DeepSeek, xAI and most others use `reasoning_content`; Groq, vLLM, Ollama and OpenRouter `reasoning`. OpenRouter adds
`reasoning_details`, a list with signatures and encrypted blocks, which repeats the text of `reasoning`.
https://openrouter.ai/docs/guides/best-practices/reasoning-tokens
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

from conduit_desktop.core.answer import AnswerPart
from conduit_desktop.core.chat import ChatRequest, Json, Message, Opaque, Part, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.events import Event, OpaqueBlock, ThinkingDelta, ThinkingRedacted, ThinkingSigned, ThinkingStarted
from conduit_desktop.wire.changed_items import with_items
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.provenance import CLAUDE_DIALECTS, mark_foreign, unmark

FIELDS = ("reasoning_content", "reasoning", "reasoning_details")
PART = "content"
"""The place of Mistral's thinking: a part of the content."""
ReasoningField = Literal["reasoning_content", "reasoning", "reasoning_details", "content", "as_sent"]
"""Where a vendor wants its reasoning returned. `as_sent`: in the fields that it sent, and only while those are known."""
CLAUDE = "anthropic-claude-v1"
"""OpenRouter's name for Anthropic's signatures and redacted blocks, which are valid in every dialect with Claude."""


_SPOKEN = frozenset({"text", "summary", "signature"})
"""What the events say of an entry of `reasoning_details`."""
_PLAIN = (NAME, "ollama")


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
            name = "reasoning_content" if fields.get("reasoning_content") else "reasoning"
            text = fields.get(name)
            if isinstance(text, str) and text:
                events[:0] = self._text(text, name)
        return events

    def _detail(self, detail: dict[str, Json], events: list[Event]) -> None:
        kind = detail.get("type")
        if kind in ("reasoning.text", "reasoning.summary"):
            text = detail.get("text") or detail.get("summary")
            if isinstance(text, str) and text:
                events += self._text(text, {name: value for name, value in detail.items() if name not in _SPOKEN})
            signature = detail.get("signature")
            if isinstance(signature, str) and signature:
                events.append(ThinkingSigned(signature, self.choice))
                self.signed = True
        # Only Claude's blocks are valid at another provider too; other formats mean something to OpenRouter alone.
        elif kind == "reasoning.encrypted" and detail.get("format") == CLAUDE and isinstance(detail.get("data"), str):
            events.append(ThinkingRedacted(detail["data"], self.choice))
        else:
            events.append(OpaqueBlock(Opaque(NAME, "reasoning_details", detail), self.choice))

    def _text(self, text: str, raw: Json) -> list[Event]:
        # A signature closes its block: text after it belongs to the next one.
        opened: list[Event] = [ThinkingStarted(self.choice)] if self.signed else []
        self.signed = False
        return [*opened, ThinkingDelta(text, self.choice, raw)]


class ReasoningGatherer:
    """Gathers the reasoning of one answer in the fields that the vendor sent it in, to be returned unmodified.

    `raw` of a delta is the name of its field, or an entry of `reasoning_details` without its text.
    """

    __slots__ = ("_details", "_texts")

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._details: list[dict[str, Json]] = []

    def add(self, event: ThinkingDelta | ThinkingSigned | ThinkingRedacted | OpaqueBlock) -> None:
        """Add one event; only those of this dialect that hold reasoning count."""
        match event:
            case ThinkingDelta(raw=dict() as detail):
                self._detail(detail, event.text)
            case ThinkingDelta():
                self._texts.setdefault(event.raw or "reasoning_content", []).append(event.text)
            case ThinkingSigned():
                # The signature of a stream may come in an entry of its own, after the text that it covers.
                if not self._details or self._details[-1].get("type") != "reasoning.text":
                    self._details.append({"type": "reasoning.text", "index": len(self._details)})
                self._details[-1]["signature"] = self._details[-1].get("signature", "") + event.signature
            case ThinkingRedacted():
                self._details.append(redacted_detail(event.data, len(self._details)))
            case OpaqueBlock() if event.block.dialect == NAME and event.block.name == "reasoning_details":
                self._details.append(dict(event.block.value))

    def _detail(self, detail: dict[str, Json], text: str) -> None:
        name = "summary" if detail.get("type") == "reasoning.summary" else "text"
        last = self._details[-1] if self._details else {}
        # A stream brings an entry in pieces; its signature closes it.
        if "signature" not in last and all(last.get(key) == detail.get(key) for key in ("type", "index", "id")):
            last[name] = last.get(name, "") + text
            return
        self._details.append({**detail, name: text})

    def thoughts(self) -> tuple[Thinking, ...]:
        """The reasoning as parts that `messages_writer` writes as they came; empty without any."""
        parts: list[Thinking] = []
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        in_content = texts.pop(PART, "")
        if texts or self._details:
            fields: dict[str, Json] = {**texts, **({"reasoning_details": self._details} if self._details else {})}
            parts.append(Thinking(_text_of(fields), dialect=NAME, raw={"message": fields}))
        if in_content:
            parts.append(_in_content(in_content))
        return tuple(parts)


def _text_of(fields: dict[str, Json]) -> str:
    details = fields.get("reasoning_details") or ()
    texts = [value for name, value in fields.items() if name != "reasoning_details"]
    return "".join(texts or [str(detail.get("text") or detail.get("summary") or "") for detail in details])


def _in_content(text: str) -> Thinking:
    part = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
    return Thinking(text, dialect=NAME, raw={"part": part})


def give_back(request: ChatRequest, field: ReasoningField | None, claude: bool) -> ChatRequest:
    """`request` with the reasoning that its client carried itself, in the field that the vendor wants.

    Only plain text counts, of vendors of this dialect and of Ollama, which nobody signs or checks; for `reasoning_details` of a
    Claude (`claude`) also thoughts that Claude signed. The rest stays as it is, and the writer drops it by name.
    """
    if field in (None, "as_sent"):
        return request
    messages = [_given_back(message, field, claude) if message.role == "assistant" else message for message in request.messages]
    if all(new is old for new, old in zip(messages, request.messages, strict=True)):
        return request
    return replace(request, messages=messages)


def _given_back(message: Message, field: ReasoningField | None, claude: bool) -> Message:
    signed = field == "reasoning_details" and claude
    carried = [part for part in message.parts if isinstance(part, Thinking | RedactedThinking) and _is_carried(part, signed)]
    if not carried:
        return message
    text = "".join(part.text for part in carried if isinstance(part, Thinking))
    made: Part
    if field == PART:
        made = _in_content(text)
    elif field == "reasoning_details":
        fields = thinking_fields(carried)
        fields.setdefault("reasoning_details", [{"type": "reasoning.text", "text": text, "index": 0}])
        made = Thinking(text, dialect=NAME, raw={"message": {"reasoning_details": fields["reasoning_details"]}})
    else:
        made = Thinking(text, dialect=NAME, raw={"message": {str(field): text}})
    return replace(message, parts=[made, *(part for part in message.parts if not any(part is each for each in carried))])


def _is_carried(part: Thinking | RedactedThinking, signed: bool) -> bool:
    if isinstance(part, RedactedThinking):
        return signed
    if part.raw is not None or not part.text:
        return False  # what the vendor sent is there already
    return part.dialect in _PLAIN or (signed and part.signature is not None and part.dialect in CLAUDE_DIALECTS)


Find = Callable[[ToolCall | Text], Iterable[Part]]
"""The thoughts kept for a tool call, or for the text of an answer without calls; empty where there are none."""


def with_reasoning(body: dict[str, Json], find: Find) -> dict[str, Json]:
    """`body` with the reasoning that its client left out of its assistant messages; the same object where nothing is found."""
    return with_items(body, "messages", partial(_with_reasoning, find=find))


def _with_reasoning(message: Json, find: Find) -> Json:
    if not isinstance(message, dict) or message.get("role") != "assistant" or message.get("reasoning_details"):
        return message
    carried = message.get("reasoning") or message.get("reasoning_content")
    calls, content = message.get("tool_calls"), message.get("content")
    parts: list[ToolCall | Text] = [_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    if not parts and isinstance(content, str) and content:
        parts = [Text(content)]
    thoughts = next((found for part in parts if (found := [*find(part)])), [])
    for part in thoughts:
        if isinstance(part, Thinking) and part.raw and "message" in part.raw:
            kept = part.raw["message"]
            if carried and not ("reasoning_details" in kept and str(carried).strip() == part.text.strip()):
                continue
            # The details hold the text as well, and the signatures that no client keeps with a plain text.
            message = {**{name: value for name, value in message.items() if not carried or name not in FIELDS}, **kept}
        elif carried:
            continue
        elif isinstance(part, Thinking) and part.raw and isinstance(content, str | None):
            texts = [{"type": "text", "text": content}] if content else []
            message = {**message, "content": [part.raw["part"], *texts]}
    return message


def _call(call: dict[str, Json]) -> ToolCall:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    return ToolCall(str(call.get("id")), str(function.get("name")), str(function.get("arguments") or ""))


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
    if not isinstance(messages, list):
        return body
    # Without a call for each message: a long history has thousands.
    having = [message for message in messages if type(message) is dict and "reasoning_details" in message]
    if not having or not any(_is_foreign(detail) for message in having for detail in _details(message)):
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
