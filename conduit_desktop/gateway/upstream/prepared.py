"""A chat request prepared for one target: what is sent, and how its answer comes back to the client."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

import orjson

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.events import Event, Finished, last_usage
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.upstream.frame_relays import PassthroughRelay, ReframedRelay, Relay, TranslatedRelay
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningRecorder
from conduit_desktop.wire import Dialect, ReframingWriter, StreamWriter, sliced_json
from conduit_desktop.wire.custom_tools import CustomCalls
from conduit_desktop.wire.tool_names import Names, with_own_names


@dataclass(slots=True)
class PreparedRequest:
    """One request prepared for one target. `upstream` is the target's dialect, `passthrough` whether it is the client's own."""

    call: Call
    upstream: Dialect
    passthrough: bool
    body: bytes | bytearray
    dropped: list[str] = field(default_factory=list)
    watch: ReasoningRecorder | None = None
    collected: bool = False
    """The client gets a whole answer, and the target is asked for a stream: it refuses to answer whole."""
    names: Names = field(default_factory=dict)
    """The client's own names of the tools that the target was sent other names of."""
    asked_whole: bool = False
    """The client gets a stream, and the target is asked for a whole answer: it refuses to stream this one."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that the translated body needs."""
    customs: frozenset[str] = frozenset()
    """The names of the client's custom tools where the target may have been sent functions in their place."""

    @property
    def streams(self) -> bool:
        """Whether the target is asked for a stream."""
        return (self.call.stream or self.collected) and not self.asked_whole

    @property
    def relays_answer(self) -> bool:
        """Whether the answer goes to the client as it comes: in the client's own dialect, with the client's names of its tools."""
        return self.passthrough and not self.names and not self.customs

    def relay(self, writer: StreamWriter) -> Relay:
        """The relay of the target's stream; `writer` is that of the client's dialect, for translated streams."""
        if self.relays_answer:
            # OpenAI's SDKs, aider, LangChain and the AI SDK do not ask for usage in streams: the gateway does, to know the cost.
            passthrough = PassthroughRelay(self.upstream, not self.upstream.asks_for_usage(self.call.body), self.watch)
            return ReframedRelay(passthrough, writer) if isinstance(writer, ReframingWriter) else passthrough
        return self.translated(writer)

    def translated(self, writer: StreamWriter) -> TranslatedRelay:
        """The relay that writes the target's events, whatever its dialect."""
        return TranslatedRelay(writer, self.watch, self.names, self.customs)

    def failed_answer(self, events: list[Event]) -> UpstreamError | None:
        """The error of a translated answer that the model failed to make; it is taken out of `events` with what follows.

        In passthrough the client knows its vendor's own reasons, and gets the answer as it is.
        """
        if self.passthrough:
            return None
        if Finished not in map(type, events):
            return None
        for at, event in enumerate(events):
            if type(event) is Finished and event.reason == "error":
                usage = last_usage(events)
                del events[at:]
                detail = f": {event.detail}" if event.detail else ""
                failure = UpstreamError(f"the model's answer failed ({event.raw or 'error'}){detail}", status=502, reason="server")
                # A reason of its own is the model's, which another request need not meet; a bare one may be the server's.
                failure.target_answered = (event.raw or "error").lower() != "error"
                failure.usage = usage
                return failure
        return None

    def write_answer(self, events: list[Event], body: bytes) -> bytes:
        """The whole answer in the client's dialect."""
        if self.watch is not None:
            self.watch.see(events)
        # A collected stream has no body to pass through.
        if self.relays_answer and not self.collected and body:
            return body
        return orjson.dumps(self._value_of(events))

    def heavy_answer(self, events: list[Event], body: bytes) -> bytes:
        """As `write_answer`, in slices between which others can have the interpreter's lock; `watch` has seen the events."""
        if self.relays_answer and not self.collected and body:
            return body
        return cast("bytes", sliced_json.run(sliced_json.write(self._value_of(events))))

    def _value_of(self, events: list[Event]) -> Json:
        if self.names:
            events = with_own_names(events, self.names)
        if self.customs:
            events = CustomCalls(self.customs).restored(events)
        return self.call.dialect.write_response(collect(events), self.call.neutral)

    def relayed_headers(self, target: BoundTarget) -> dict[str, str]:
        """The client's headers that are sent on: in passthrough, those that the provider kind lists; else those of the body."""
        # Only in passthrough: one vendor's beta header would change, or fail, a request that was translated for another.
        if not self.passthrough:
            return self.headers
        names = _relayed_names(target.bound.kind.relayed_headers)
        named = [(lower, value) for name, value in self.call.headers.items() if (lower := names[name])]
        relayed = dict(named)
        if len(relayed) == len(named) and "".join(relayed.values()).isascii():
            return relayed
        relayed = {}
        for lower, value in named:
            # aiohttp decodes bytes that are no text as surrogates, which it could not write again.
            if value.isascii() or _is_text(value):
                # A list header may be sent in several parts: `anthropic-beta` twice.
                relayed[lower] = f"{relayed[lower]}, {value}" if lower in relayed else value
        return relayed


_NEVER_RELAYED = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-", "x-conduit-", "connection", "keep-alive", "te",
    "trailer", "transfer-encoding", "upgrade", "host", "content-", "accept-encoding", "expect", "forwarded", "x-forwarded-",
)  # fmt: skip
"""Credentials, cookies, what belongs to one connection, and the gateway's own headers, whatever a kind lists."""


class _RelayedNames(dict[str, str]):
    """Headers' names in lower case where the header is relayed, else empty, by the name as it came.

    Kept, because a request has a dozen headers and the same names as the one before.
    """

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self._prefixes = prefixes

    def __missing__(self, name: str) -> str:
        # Clients choose the names.
        if len(self) >= 1000:
            self.clear()
        lower = name.lower()
        found = self[name] = lower if lower.startswith(self._prefixes) and not lower.startswith(_NEVER_RELAYED) else ""
        return found


@lru_cache(maxsize=64)
def _relayed_names(prefixes: tuple[str, ...]) -> _RelayedNames:
    return _RelayedNames(prefixes)


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
