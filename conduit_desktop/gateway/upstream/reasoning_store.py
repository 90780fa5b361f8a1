"""Reasoning that its vendor wants returned and a client cannot carry: kept in memory from one answer for the next request.

Gemini signs its tool calls, Anthropic its thinking blocks and OpenAI its reasoning items; DeepSeek, Kimi and others want the plain
reasoning of a tool loop back. A client of another dialect, or one that does not know the field, returns its tool calls without
it; it is looked up by the id of the tool call, or by the text of the thinking block or of the answer. What is lost (a restart, a
full store) costs the model its thinking, never the request.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from conduit_desktop.core.chat import ChatRequest, Json, Message, Part, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.events import (
    Event,
    Finished,
    OpaqueBlock,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallStarted,
)
from conduit_desktop.wire.anthropic import provenance as anthropic
from conduit_desktop.wire.gemini.reasoning import OF_ANOTHER_MODEL
from conduit_desktop.wire.openai_chat.reasoning import ReasoningGatherer, with_reasoning
from conduit_desktop.wire.openai_responses import provenance as responses
from conduit_desktop.wire.provenance import unmark

# Both bounds, because clients choose how many calls there are and how long the thinking is.
MAX_ENTRIES = 4096
MAX_BYTES = 32 * 1024 * 1024

Thought = Thinking | RedactedThinking

_OWN: dict[str, Callable[[dict[str, Json], Callable[[str], bool]], dict[str, Json]]] = {
    "anthropic_messages": anthropic.without_foreign,
    "openai_responses": responses.without_foreign,
}
"""Removes from a body of the dialect what another provider signed."""
_HEAL: dict[str, Callable[[dict[str, Json], Callable[[str], Iterable[Part]]], dict[str, Json]]] = {
    "openai_chat": with_reasoning,
    "anthropic_messages": anthropic.with_thinking,
}
"""Puts the reasoning that its client left out into a body of the dialect."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What belongs to a tool call or a text: its own signature, the thoughts before it, and the origin that made them."""

    signature: str | None = None
    thoughts: tuple[Thought, ...] = ()
    origin: str = ""

    @property
    def size(self) -> int:
        """Its approximate size in bytes."""
        # A thought that is kept as its vendor sent it holds its text twice.
        texts = [(t.data if isinstance(t, RedactedThinking) else t.text * 2 + (t.signature or "")) for t in self.thoughts]
        return 200 + len(self.signature or "") + sum(len(text) for text in texts)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One caller at one target.

    `scope` belongs to the caller: guessing ids reveals nothing of another caller's conversation. `origin` names the providers
    that accept each other's reasoning. `wanted`: the vendor wants its unsigned reasoning back, too. `verifies`: it refuses
    signatures of another origin.
    """

    scope: str
    origin: str
    dialect: str
    wanted: bool = False
    verifies: bool = False


class ReasoningStore:
    """The store, bounded in entries and bytes; the least recently used entry is dropped first."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, scope: str, origin: str, what: str, kept: Kept) -> None:
        """Keep what belongs to `what` (a tool call's id, a thinking block's text, an answer's text) of an answer of `origin`."""
        # It would push out every other entry, and then itself.
        if kept.size > self._max_bytes:
            return
        key = _key(scope, origin, what)
        before = self._kept.pop(key, None)
        self.size += kept.size - (before.size if before is not None else 0)
        self._kept[key] = kept
        while len(self._kept) > self._max_entries or self.size > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size -= oldest.size

    def find(self, scope: str, origin: str, what: str) -> Kept | None:
        """What was kept for `what`."""
        key = _key(scope, origin, what)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep_maker(self, scope: str, signature: str, origin: str) -> None:
        """Remember which origin made `signature`."""
        self.keep(scope, _MAKERS, signature, Kept(origin=origin))

    def is_foreign(self, to: Recipient, signature: str) -> bool:
        """Whether another origin than the recipient's is known to have made `signature`."""
        maker = self.find(to.scope, _MAKERS, signature)
        return maker is not None and maker.origin != to.origin

    def watch(self, to: Recipient) -> ReasoningRecorder:
        """A recorder that reads an answer's events and keeps its reasoning."""
        return ReasoningRecorder(self, to)

    def restored(self, to: Recipient, request: ChatRequest) -> ChatRequest:
        """`request` with what was kept for the recipient put back; the same object where nothing was."""
        messages = [self._message(to, message) if message.role == "assistant" else message for message in request.messages]
        if all(new is old for new, old in zip(messages, request.messages, strict=True)):
            return request
        return replace(request, messages=messages)

    def own_only(self, to: Recipient, body: dict[str, Json]) -> dict[str, Json]:
        """A passed-through `body` without what another origin signed; the same object where there is nothing of the kind."""
        without_foreign = _OWN.get(to.dialect) if to.verifies and self._kept else None
        return body if without_foreign is None else without_foreign(body, lambda signature: self.is_foreign(to, signature))

    def healed(self, to: Recipient, body: dict[str, Json]) -> dict[str, Json]:
        """A passed-through `body` with the reasoning that its client left out; the same object where there is none."""
        heal = _HEAL.get(to.dialect) if to.wanted and self._kept else None
        return body if heal is None else heal(body, lambda what: self._thoughts(to, what))

    def _thoughts(self, to: Recipient, what: str) -> tuple[Thought, ...]:
        kept = self.find(to.scope, to.origin, what)
        return kept.thoughts if kept is not None else ()

    def _message(self, to: Recipient, message: Message) -> Message:
        parts: list[Part] = []
        thoughts: tuple[Thought, ...] = ()
        for part in message.parts:
            if isinstance(part, ToolCall):
                # Of the first call that has them: parallel calls share the thinking before them, which must not be sent twice.
                thoughts = thoughts or self._thoughts(to, part.id)
                part = self._call(to, part)
            elif isinstance(part, Thinking):
                if to.verifies and part.signature and self.is_foreign(to, _bare(part.signature)):
                    continue
                # By its text, for clients that return the thinking but have no field for its signature.
                if part.text and (kept := self.find(to.scope, to.origin, part.text)) is not None and kept.signature is not None:
                    part = replace(part, signature=kept.signature, dialect=to.dialect)
            parts.append(part)
        if to.wanted and not thoughts and not any(isinstance(part, ToolCall) for part in parts):
            thoughts = self._thoughts(to, "".join(part.text for part in parts if isinstance(part, Text)))
        if thoughts:
            # The provider's own blocks replace what the client sent of them.
            parts = [*thoughts, *(part for part in parts if not isinstance(part, Thinking | RedactedThinking))]
        if len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True)):
            return message
        return replace(message, parts=parts)

    def _call(self, to: Recipient, call: ToolCall) -> ToolCall:
        if call.signature == OF_ANOTHER_MODEL:
            call = replace(call, signature=None)  # this gateway's own note for Gemini, which is nothing to be lost
        kept = self.find(to.scope, to.origin, call.id) if call.signature is None else None
        return call if kept is None or kept.signature is None else replace(call, signature=kept.signature)


_MAKERS = "makers of signatures"


def _bare(signature: str) -> str:
    marked = unmark(signature)
    return signature if marked is None else marked.data


def _key(scope: str, origin: str, what: str) -> bytes:
    # A digest, so that the size of a key does not grow with the thinking block it stands for.
    text = "\0".join((scope, origin, what))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_SEEN = (ThinkingStarted, ThinkingDelta, ThinkingSigned, ThinkingRedacted, OpaqueBlock, ToolCallStarted, TextDelta, Finished)


@dataclass(slots=True)
class ReasoningRecorder:
    """Follows the first choice of one answer."""

    store: ReasoningStore
    to: Recipient
    _texts: list[str] = field(default_factory=list)
    _signature: str = ""
    _thoughts: list[Thought] = field(default_factory=list)
    _gatherer: ReasoningGatherer | None = None
    _answer: list[str] = field(default_factory=list)
    _called: bool = False

    def see(self, events: Iterable[Event]) -> None:
        """Read the next events of the answer."""
        for event in events:
            if type(event) is TextDelta and not self._texts and not self._signature:
                # Nearly all events. The text is the key of an answer without calls, and only needed where there was reasoning.
                if self._gatherer is not None and event.choice == 0:
                    self._answer.append(event.text)
                continue
            # With several choices it is unknown which one the client continues.
            if isinstance(event, _SEEN) and event.choice == 0:
                self._see(event)

    def _see(self, event: Event) -> None:
        if self.to.wanted and isinstance(event, ThinkingDelta | ThinkingSigned | ThinkingRedacted | OpaqueBlock):
            self._gatherer = self._gatherer or ReasoningGatherer()
            self._gatherer.add(event)
        match event:
            case ThinkingDelta():
                # A signature ends its block: a delta after it belongs to the next one.
                if self._signature:
                    self._seal()
                self._texts.append(event.text)
            case ThinkingSigned():
                self._signature += event.signature
            case ThinkingRedacted():
                self._seal()
                self._thoughts.append(RedactedThinking(event.data))
            case ToolCallStarted():
                self._seal()
                self._called = True
                self._keep(event.id, event.signature)
            case Finished():
                self._seal()
                if self.to.wanted and not self._called and self._answer:
                    self._keep("".join(self._answer), None)
            case TextDelta():
                self._seal()
                self._answer.append(event.text)
            case OpaqueBlock():
                pass
            case _:
                self._seal()

    def _keep(self, what: str, signature: str | None) -> None:
        thoughts: tuple[Thought, ...] = tuple(self._thoughts)
        # In this dialect the reasoning goes back in the fields that it came in; in the others it is in blocks.
        if self.to.dialect == "openai_chat" and self._gatherer is not None:
            thoughts = self._gatherer.thoughts()
        if signature is not None or thoughts:
            self.store.keep(self.to.scope, self.to.origin, what, Kept(signature, thoughts))

    def _seal(self) -> None:
        """A thinking block has ended: keep it if it is signed, or wanted without a signature, too."""
        text = "".join(self._texts)
        if self._signature:
            self._thoughts.append(Thinking(text, self._signature, dialect=self.to.dialect))
            self.store.keep_maker(self.to.scope, _bare(self._signature), self.to.origin)
            if text:
                self.store.keep(self.to.scope, self.to.origin, text, Kept(self._signature))
        elif text and self.to.wanted:
            self._thoughts.append(Thinking(text, dialect=self.to.dialect))
        self._texts, self._signature = [], ""
