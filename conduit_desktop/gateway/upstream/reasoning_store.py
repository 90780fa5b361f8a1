"""Reasoning that its vendor wants returned and a client cannot carry: kept in memory from one answer for the next request.

Gemini signs its tool calls, Anthropic its thinking blocks and OpenAI its reasoning items; DeepSeek, Kimi and others want the plain
reasoning of a tool loop back. A client of another dialect, or one that does not know the field, returns its tool calls without
it; it is looked up by the tool call, or by the text of the thinking block or of the answer. What is lost (a restart, a full store)
costs the model its thinking, never the request.

A call is known by its id and its arguments: Kimi's ids (`functions.lookup:0`) repeat in every conversation. Where a client has
written the arguments anew the id alone will do, unless it is ambiguous; where it returns no ids (Ollama's) the call itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Message, Part, RedactedThinking, Text, Thinking, ToolCall, with_messages
from conduit_desktop.core.events import (
    Event,
    Finished,
    OpaqueBlock,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
)
from conduit_desktop.wire.anthropic import provenance as anthropic
from conduit_desktop.wire.gemini.reasoning import OF_ANOTHER_MODEL
from conduit_desktop.wire.openai_chat.reasoning import Find, ReasoningGatherer, with_reasoning
from conduit_desktop.wire.provenance import unmark

# Both bounds, because clients choose how many calls there are and how long the thinking is.
MAX_ENTRIES = 4096
MAX_BYTES = 32 * 1024 * 1024

Thought = Thinking | RedactedThinking


def _responses_without_foreign(body: dict[str, Json], is_foreign: Callable[[str], bool]) -> dict[str, Json]:
    # Imported late: a dialect is loaded at its first request.
    from conduit_desktop.wire.openai_responses.provenance import without_foreign

    return without_foreign(body, is_foreign)


_OWN: dict[str, Callable[[dict[str, Json], Callable[[str], bool]], dict[str, Json]]] = {
    "anthropic_messages": anthropic.without_foreign,
    "openai_responses": _responses_without_foreign,
}
"""Removes from a body of the dialect what another provider signed."""
_HEAL: dict[str, Callable[[dict[str, Json], Find], dict[str, Json]]] = {
    "openai_chat": with_reasoning,
    "anthropic_messages": anthropic.with_thinking,
}
"""Puts the reasoning that its client left out into a body of the dialect."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What belongs to a tool call or a text: its own signature, the thoughts before it, and the origin that made them.

    `under`: the key of the entry that holds them, for another name of it; empty: the name is that of several entries.
    """

    signature: str | None = None
    thoughts: tuple[Thought, ...] = ()
    origin: str = ""
    under: bytes | None = None

    @property
    def size(self) -> int:
        """Its approximate size in bytes."""
        # A thought that is kept as its vendor sent it holds its text twice.
        texts = [(t.data if isinstance(t, RedactedThinking) else t.text * 2 + (t.signature or "")) for t in self.thoughts]
        return 200 + len(self.signature or "") + sum(len(text) for text in texts)


class Recipient(NamedTuple):
    """One caller at one target.

    `scope` belongs to the caller: guessing ids reveals nothing of another caller's conversation. `origin` names the providers
    that accept each other's reasoning. `wanted`: the vendor wants its unsigned reasoning back, too. `verifies`: it refuses
    signatures of another origin. `fit`: a call's id as the target takes it, under which a later request has it.
    """

    scope: str
    origin: str
    dialect: str
    wanted: bool = False
    verifies: bool = False
    fit: Callable[[str], str] = str


class ReasoningStore:
    """The store, bounded in entries and bytes; the least recently used entry is dropped first."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._origins: set[str] = set()
        """Those of which anything was ever kept: requests to all others are not searched."""
        self.size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, scope: str, origin: str, what: str, kept: Kept) -> None:
        """Keep what belongs to `what` (a tool call's id, a thinking block's text, an answer's text) of an answer of `origin`."""
        # It would push out every other entry, and then itself.
        if kept.size > self._max_bytes:
            return
        self._origins.add(origin)
        key = _key(scope, origin, what)
        before = self._kept.pop(key, None)
        self.size += kept.size - (before.size if before is not None else 0)
        self._kept[key] = kept
        while len(self._kept) > self._max_entries or self.size > self._max_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.size -= oldest.size

    def find(self, scope: str, origin: str, what: str) -> Kept | None:
        """What was kept for `what`."""
        if origin not in self._origins:
            return None
        key = _key(scope, origin, what)
        found = self._kept.get(key)
        if found is None:
            return None
        with suppress(KeyError):  # large requests are prepared in a thread: it may be dropped in this moment
            self._kept.move_to_end(key)
        return found if found.under is None else self._kept.get(found.under)

    def keep_call(self, to: Recipient, call: ToolCall, kept: Kept) -> None:
        """Keep what belongs to a tool call of an answer."""
        call.id = to.fit(call.id)
        exact = _exact(call)
        self.keep(to.scope, to.origin, exact, kept)
        under = _key(to.scope, to.origin, exact)
        known = self._kept.get(_key(to.scope, to.origin, call.id))
        self.keep(to.scope, to.origin, call.id, Kept(under=under if known is None or known.under == under else b""))
        self.keep(to.scope, to.origin, _content(call), Kept(under=under))

    def find_call(self, to: Recipient, call: ToolCall) -> Kept | None:
        """What was kept for a tool call that a client returns."""
        if to.origin not in self._origins:
            return None
        fitted = replace(call, id=to.fit(call.id))
        # The id first: where it is unknown, and it mostly is, the arguments need not be read.
        if _key(to.scope, to.origin, fitted.id) in self._kept:
            return self.find(to.scope, to.origin, _exact(fitted)) or self.find(to.scope, to.origin, fitted.id)
        return self.find(to.scope, to.origin, _content(call)) if _MADE_ID.fullmatch(call.id) else None

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
        # Nearly every request: nothing was kept for it, and nothing is known of the signatures in it.
        if to.origin not in self._origins and _MAKERS not in self._origins and not _is_noted(request.messages):
            return request
        used: set[int] = set()
        messages = [self._message(to, message, used) if message.role == "assistant" else message for message in request.messages]
        if all(new is old for new, old in zip(messages, request.messages, strict=True)):
            return request
        return with_messages(request, messages)

    def own_only(self, to: Recipient, body: dict[str, Json]) -> dict[str, Json]:
        """A passed-through `body` without what another origin signed; the same object where there is nothing of the kind."""
        without_foreign = _OWN.get(to.dialect) if to.verifies and self._kept else None
        return body if without_foreign is None else without_foreign(body, lambda signature: self.is_foreign(to, signature))

    def healed(self, to: Recipient, body: dict[str, Json]) -> dict[str, Json]:
        """A passed-through `body` with the reasoning that its client left out; the same object where there is none."""
        heal = _HEAL.get(to.dialect) if to.wanted and self._kept else None
        used: set[int] = set()
        return body if heal is None else heal(body, lambda part: self._thoughts(to, part, used))

    def _thoughts(self, to: Recipient, part: ToolCall | Text, used: set[int]) -> tuple[Thought, ...]:
        """The thoughts before a call or a text. `used`: the signed ones that the request has already; they must not repeat."""
        kept = self.find_call(to, part) if isinstance(part, ToolCall) else self.find(to.scope, to.origin, part.text)
        if kept is None or id(kept) in used:
            return ()
        signed = any(isinstance(thought, RedactedThinking) or thought.signature for thought in kept.thoughts)
        if signed:
            used.add(id(kept))
        # Another model of the vendor may not take what this one sent.
        return kept.thoughts if signed or to.wanted else ()

    def _message(self, to: Recipient, message: Message, used: set[int]) -> Message:
        parts: list[Part] = []
        thoughts: tuple[Thought, ...] = ()
        for part in message.parts:
            if isinstance(part, ToolCall):
                # Of the first call that has them: parallel calls share the thinking before them, which must not be sent twice.
                thoughts = thoughts or self._thoughts(to, part, used)
                part = self._call(to, part)
            elif isinstance(part, Thinking):
                if to.verifies and part.signature and self.is_foreign(to, _bare(part.signature)):
                    continue
                # By its text, for clients that return the thinking but have no field for its signature.
                if part.text and (kept := self.find(to.scope, to.origin, part.text)) is not None and kept.signature is not None:
                    part = replace(part, signature=kept.signature, dialect=to.dialect)
            parts.append(part)
        if to.wanted and not thoughts and not any(isinstance(part, ToolCall) for part in parts):
            thoughts = self._thoughts(to, Text("".join(part.text for part in parts if isinstance(part, Text))), used)
        if thoughts:
            # The provider's own blocks replace what the client sent of them.
            parts = [*thoughts, *(part for part in parts if not isinstance(part, Thinking | RedactedThinking))]
        if len(parts) == len(message.parts) and all(new is old for new, old in zip(parts, message.parts, strict=True)):
            return message
        return replace(message, parts=parts)

    def _call(self, to: Recipient, call: ToolCall) -> ToolCall:
        if call.signature == OF_ANOTHER_MODEL:
            call = replace(call, signature=None)  # this gateway's own note for Gemini, which is nothing to be lost
        kept = self.find_call(to, call) if call.signature is None else None
        return call if kept is None or kept.signature is None else replace(call, signature=kept.signature)


def _is_noted(messages: Iterable[Message]) -> bool:
    """Whether a call has this gateway's own note for Gemini in place of a signature."""
    for message in messages:
        for part in message.parts:
            if type(part) is ToolCall and part.signature == OF_ANOTHER_MODEL:
                return True
    return False


_MAKERS = "makers of signatures"
_MADE_ID = re.compile(r"call_(\d+|[0-9a-f]{20})")
"""Ids that the readers of Ollama's and Gemini's requests make for calls without one."""


def _exact(call: ToolCall) -> str:
    return f"{call.id}\0{_arguments(call)}"


def _content(call: ToolCall) -> str:
    return f"\0{call.name}\0{_arguments(call)}"


def _arguments(call: ToolCall) -> str:
    """The arguments in one form: clients parse them and write them again."""
    try:
        return orjson.dumps(orjson.loads(call.arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return call.arguments


def _bare(signature: str) -> str:
    marked = unmark(signature)
    return signature if marked is None else marked.data


def _key(scope: str, origin: str, what: str) -> bytes:
    # A digest, so that the size of a key does not grow with the thinking block it stands for.
    text = "\0".join((scope, origin, what))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_SEEN = (
    ThinkingStarted, ThinkingDelta, ThinkingSigned, ThinkingRedacted, OpaqueBlock, ToolCallStarted, ToolCallDelta, TextDelta,
    Finished,
)  # fmt: skip


_KEPT = frozenset(_SEEN) - {TextDelta, Finished}


@dataclass(slots=True)
class ReasoningRecorder:
    """Follows the first choice of one answer."""

    store: ReasoningStore
    to: Recipient
    _texts: list[str] = field(default_factory=list)
    _signature: str = ""
    _thoughts: list[Thought] = field(default_factory=list)
    _begun: bool = False
    """Something came that may have to be kept."""
    _gatherer: ReasoningGatherer | None = None
    _answer: list[str] = field(default_factory=list)
    _calls: dict[str, tuple[ToolCall, Kept]] = field(default_factory=dict)
    _arguments: dict[str, list[str]] = field(default_factory=dict)

    def see(self, events: Sequence[Event]) -> None:
        """Read the next events of the answer."""
        # Most answers are texts alone.
        if not self._begun and _KEPT.isdisjoint(map(type, events)):
            return
        self._begun = True
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
                self._calls[event.id] = ToolCall(event.id, event.name, ""), Kept(event.signature, self._before())
            case ToolCallDelta():
                self._arguments.setdefault(event.id, []).append(event.arguments)
            case Finished():
                self._seal()
                self._finish()
            case TextDelta():
                self._seal()
                self._answer.append(event.text)
            case OpaqueBlock():
                pass
            case _:
                self._seal()

    def _before(self) -> tuple[Thought, ...]:
        """The thoughts so far: in chats in the fields that they came in, in the other dialects in blocks."""
        in_fields = self.to.dialect == "openai_chat" and self._gatherer is not None
        return self._gatherer.thoughts() if in_fields and self._gatherer is not None else tuple(self._thoughts)

    def _finish(self) -> None:
        for call, kept in self._calls.values():
            if kept.signature is not None or kept.thoughts:
                call.arguments = "".join(self._arguments.get(call.id, ()))
                self.store.keep_call(self.to, call, kept)
        if self.to.wanted and self._answer and not self._calls and (thoughts := self._before()):
            self.store.keep(self.to.scope, self.to.origin, "".join(self._answer), Kept(thoughts=thoughts))

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
