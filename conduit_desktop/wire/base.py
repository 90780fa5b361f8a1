"""Protocols of stream readers and writers, the defaults of a dialect, and the record of what a writer drops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from conduit_desktop.core.chat import Json, OutputFormat
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import Event


@dataclass(slots=True)
class WrittenRequest:
    """A request body in one dialect, and the names of the fields that it could not express."""

    body: dict[str, Json]
    dropped: list[str] = field(default_factory=list)


class StreamReader(Protocol):
    """Reads one streamed answer."""

    @property
    def done(self) -> bool:
        """Whether the terminal event has been read: the answer is complete even if the connection stays open."""
        ...

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes, split anywhere; return the events that they complete.

        Raises MalformedStream for bytes that cannot be read, UpstreamError for an error that the provider sent in the
        stream. Events before the fault in the same bytes are returned; the next call (with b"" too) then raises.
        """
        ...

    def close(self, clean: bool = False) -> list[Event]:
        """The body has ended: return held-back events; raises StreamBroken where the answer is not whole.

        It is whole with the terminal event, and without one where every choice has its finish reason and the end is `clean`:
        the body ended where its length or its last chunk says, and the connection was not cut.
        """
        ...

    @property
    def missing_end(self) -> bytes:
        """The terminal frame that a whole answer lacked, for the client; empty where it came or the dialect has none."""
        ...

    @property
    def unread(self) -> int:
        """The frames of the last bytes that were not read because of a fault, the faulty one included; 0 without a fault."""
        ...


class StreamWriter(Protocol):
    """Writes one streamed answer."""

    def write(self, event: Event) -> bytes:
        """The bytes of `event`; may be empty if it is written later or cannot be expressed."""
        ...

    def end(self) -> bytes:
        """The bytes that end a successful answer: open blocks closed, usage, the terminal frame."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The dialect's error event, and nothing that clients could take for success."""
        ...

    def ping(self) -> bytes:
        """A frame or comment that keeps the connection alive. Valid before the first event too."""
        ...


@runtime_checkable
class ReframingWriter(StreamWriter, Protocol):
    """Writes a dialect's frames in another framing, so that passthrough streams are reframed too."""

    def frame(self, chunk: bytes) -> bytes:
        """The frame that holds `chunk`."""
        ...

    def close(self) -> bytes:
        """The bytes after the last frame of a successful answer."""
        ...


class BaseDialect:
    """The usual case: usage is in every stream, and passthrough changes only the model."""

    def passthrough_request(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """A copy of `body` for `model`."""
        return {**body, "model": model}

    def asks_for_usage(self, body: dict[str, Json]) -> bool:
        """Always: every stream has usage."""
        return True

    def is_usage_only(self, data: bytes) -> bool:
        """Never: usage is in frames that have other content too."""
        return False


class DroppingWriter:
    """A writer that records what its dialect cannot express.

    `own`: what it writes was read from the same dialect, and is written exactly as it was.
    """

    def __init__(self, own: bool) -> None:
        self.own = own
        # A dict for its order: the names are shown to the caller, each once.
        self.dropped: dict[str, None] = {}
        """Names of what was dropped, in order and without repetition."""

    def drop(self, *names: str) -> None:
        """Record dropped fields or parts."""
        self.dropped.update(dict.fromkeys(names))

    def with_schema(self, output: OutputFormat | None) -> OutputFormat | None:
        """`output` if it has a schema, for a dialect that cannot request JSON without one, which is dropped; None for text."""
        if output is None or output.kind == "text":
            return None
        if output.kind == "json" or output.schema is None:
            self.drop("response_format")
            return None
        return output

    def with_extra(self, fields: dict[str, Json], extra: dict[str, Json], path: str) -> dict[str, Json]:
        """`fields` with those that only the caller's dialect has; from another dialect they are dropped as `path.name`."""
        if not extra:
            return fields
        if self.own:
            return {**fields, **extra}
        # A null asks for nothing, so its loss is none.
        self.drop(*(f"{path}.{name}" for name, value in extra.items() if value is not None))
        return fields
