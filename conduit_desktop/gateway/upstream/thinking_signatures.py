"""Thinking signatures that the client's dialect cannot carry: kept in memory from one answer for the next request.

Gemini signs its tool calls and Anthropic its thinking blocks, and both expect the signatures back in the next request of a tool
loop. A client of another dialect returns its tool calls without them; they are looked up by the id of the tool call, or by the
text of the thinking block. A lost signature (a restart, a full store) costs the model its thinking, never the request.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from conduit_desktop.core.chat import ChatRequest, Message, Part, RedactedThinking, Thinking, ToolCall
from conduit_desktop.core.events import (
    Event,
    Finished,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallStarted,
)

# Both bounds, because clients choose how many calls there are and how long the thinking is.
MAX_ENTRIES = 4096
MAX_BYTES = 8 * 1024 * 1024

Thought = Thinking | RedactedThinking


@dataclass(frozen=True, slots=True)
class Proof:
    """What belongs to a tool call: its own signature, and the signed thinking blocks before it."""

    signature: str | None = None
    thoughts: tuple[Thought, ...] = ()

    @property
    def size(self) -> int:
        """Its approximate size in bytes."""
        texts = [(t.data if isinstance(t, RedactedThinking) else t.text + (t.signature or "")) for t in self.thoughts]
        return 200 + len(self.signature or "") + sum(len(text) for text in texts)


class ThinkingSignatures:
    """The store, bounded in entries and bytes; the least recently used entry is dropped first.

    A `scope` belongs to one caller: guessing ids reveals nothing of another caller's conversation.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Proof] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, scope: str, dialect: str, what: str, proof: Proof) -> None:
        """Keep `proof` for `what` (a tool call's id, or a thinking block's text) of an answer in `dialect`."""
        # It would push out every other entry, and then itself.
        if proof.size > self._max_bytes:
            return
        key = _key(scope, dialect, what)
        before = self._kept.pop(key, None)
        self.size += proof.size - (before.size if before is not None else 0)
        self._kept[key] = proof
        while len(self._kept) > self._max_entries or self.size > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size -= oldest.size

    def find(self, scope: str, dialect: str, what: str) -> Proof | None:
        """What was kept for `what`."""
        key = _key(scope, dialect, what)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def watch(self, scope: str, dialect: str) -> SignatureRecorder:
        """A recorder that reads an answer's events and keeps its signatures."""
        return SignatureRecorder(self, scope, dialect)

    def restored(self, scope: str, dialect: str, request: ChatRequest) -> ChatRequest:
        """`request` with what was kept for an upstream of `dialect` put back; the same object where nothing was."""
        if not self._kept:
            return request
        messages = [
            self._message(scope, dialect, message) if message.role == "assistant" else message for message in request.messages
        ]
        if all(new is old for new, old in zip(messages, request.messages, strict=True)):
            return request
        return replace(request, messages=messages)

    def _message(self, scope: str, dialect: str, message: Message) -> Message:
        parts: list[Part] = []
        thoughts: tuple[Thought, ...] = ()
        for part in message.parts:
            if isinstance(part, ToolCall):
                proof = self.find(scope, dialect, part.id)
                # Of the first call that has them: parallel calls share the thinking before them, which must not be sent twice.
                thoughts = thoughts or (proof.thoughts if proof is not None else ())
                if proof is not None and proof.signature is not None and part.signature is None:
                    part = replace(part, signature=proof.signature)
            elif isinstance(part, Thinking) and part.text and (proof := self.find(scope, dialect, part.text)) is not None:
                # By its text, for clients that return the thinking but have no field for its signature.
                part = replace(part, signature=proof.signature, dialect=dialect)
            parts.append(part)
        if thoughts:
            # The provider's own signed blocks replace what the client sent of them.
            parts = [*thoughts, *(part for part in parts if not isinstance(part, Thinking | RedactedThinking))]
        if len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True)):
            return message
        return replace(message, parts=parts)


def _key(scope: str, dialect: str, what: str) -> bytes:
    # A digest, so that the size of a key does not grow with the thinking block it stands for.
    text = "\0".join((scope, dialect, what))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_SEEN = (ThinkingStarted, ThinkingDelta, ThinkingSigned, ThinkingRedacted, ToolCallStarted, TextDelta, Finished)


@dataclass(slots=True)
class SignatureRecorder:
    """Follows the first choice of one answer."""

    store: ThinkingSignatures
    scope: str
    dialect: str
    _texts: list[str] = field(default_factory=list)
    _signature: str = ""
    _thoughts: list[Thought] = field(default_factory=list)

    def see(self, events: Iterable[Event]) -> None:
        """Read the next events of the answer."""
        for event in events:
            if type(event) is TextDelta and not self._texts:
                continue  # nearly all events
            # With several choices it is unknown which one the client continues.
            if isinstance(event, _SEEN) and event.choice == 0:
                self._see(event)

    def _see(self, event: Event) -> None:
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
                if event.signature is not None or self._thoughts:
                    proof = Proof(event.signature, tuple(self._thoughts))
                    self.store.keep(self.scope, self.dialect, event.id, proof)
            case _:
                self._seal()

    def _seal(self) -> None:
        """A thinking block has ended: keep it if it is signed."""
        text = "".join(self._texts)
        if self._signature:
            self._thoughts.append(Thinking(text, self._signature, dialect=self.dialect))
            if text:
                self.store.keep(self.scope, self.dialect, text, Proof(self._signature))
        self._texts, self._signature = [], ""
