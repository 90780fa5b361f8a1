"""The parts shared by the stream writers of dialects whose answers have one choice."""

from __future__ import annotations

from typing import ClassVar, Literal

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.events import BlockEvent, Event, Finished, Started, ToolCallDelta, ToolCallStarted, Usage, UsageReported
from conduit_desktop.wire import custom_tools


class SingleChoiceWriter:
    """Writes choice 0 of a streamed answer; events of other choices are ignored.

    `Started`, the usage and the finish are kept for the frames that carry them. A dialect's writer implements
    `_write_content`, and `_message_start` if its streams begin with a frame of their own.
    """

    dialect: ClassVar[str]

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._started = Started()
        self._usage: Usage | None = None
        self._finish: Finished | None = None
        self._begun = False

    @property
    def _own(self) -> bool:
        """Whether the answer was read in this dialect: only then can its `extra` fields be written."""
        return self._started.dialect == self.dialect

    def write(self, event: Event) -> bytes:
        """The frames of `event`; empty if they come later, or if this dialect cannot express it."""
        match event:
            case Started():
                self._started = event
                return self._on_started()
            case UsageReported():
                self._usage = event.usage
                return b""
            # Such a dialect has one answer only: a second choice would be mixed into its text.
            case _ if event.choice != 0:
                return b""
            case Finished():
                self._finish = event
                return self._on_finished()
            case _:
                return self._write_content(event)

    def _write_content(self, event: BlockEvent) -> bytes:
        """The frames of an event of choice 0."""
        raise NotImplementedError

    def _on_started(self) -> bytes:
        """The frames to write as soon as the answer has begun."""
        return b""

    def _on_finished(self) -> bytes:
        """The frames to write as soon as the choice is complete; usage may still follow."""
        return b""

    def _begin(self) -> bytes:
        """The first frame of the stream, written once."""
        if self._begun:
            return b""
        self._begun = True
        return self._message_start()

    def _message_start(self) -> bytes:
        return b""


class BlockWriter(SingleChoiceWriter):
    """Writes text and thinking as numbered blocks, one after the other, and tool calls as blocks that may be interleaved.

    The free text of a custom tool is written at the end, wrapped into the JSON object that a function takes.
    """

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._index = -1
        self._open: Literal["", "text", "thinking"] = ""
        self._calls: dict[str, int] = {}
        """Call id to the index it is written under."""
        self._custom_inputs: dict[str, list[str]] = {}

    def _open_block(self, kind: Literal["text", "thinking"]) -> bytes:
        """The frames before a delta of this kind: none if such a block is open."""
        if self._open == kind:
            return b""
        out = self._begin() + self._close_block()
        self._index += 1
        self._open = kind
        return out + self._block_start(kind)

    def _close_block(self, kind: Literal["text", "thinking"] | None = None) -> bytes:
        """The end of the open block, if there is one (of this `kind`)."""
        if not self._open or (kind is not None and self._open != kind):
            return b""
        self._open = ""
        return self._block_stop(self._index)

    def _start_call(self, event: ToolCallStarted) -> bytes:
        # A hosted call was run by its vendor already; the client would run it again.
        if event.kind == "hosted" or event.id in self._calls:
            return b""
        out = self._begin() + self._close_block()
        index = self._calls[event.id] = self._next_call_index()
        if event.kind == "custom":
            self._custom_inputs[event.id] = []
        return out + self._call_start(index, event)

    def _continue_call(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            return b""  # a hosted call, which is not written
        if event.id in self._custom_inputs:
            self._custom_inputs[event.id].append(event.arguments)
            return b""
        return self._call_delta(self._calls[event.id], event.arguments)

    def _end_calls(self) -> bytes:
        """The inputs of custom tools, then the end of every call."""
        inputs = [
            self._call_delta(self._calls[call_id], custom_tools.wrap("".join(pieces)))
            for call_id, pieces in self._custom_inputs.items()
        ]
        # Calls end together: their arguments may be interleaved, so no earlier event shows that one is complete.
        return b"".join([*inputs, *(self._call_stop(index) for index in self._calls.values())])

    def _block_start(self, kind: Literal["text", "thinking"]) -> bytes:
        return b""

    def _block_stop(self, index: int) -> bytes:
        raise NotImplementedError

    def _next_call_index(self) -> int:
        raise NotImplementedError

    def _call_start(self, index: int, event: ToolCallStarted) -> bytes:
        raise NotImplementedError

    def _call_delta(self, index: int, arguments: str) -> bytes:
        raise NotImplementedError

    def _call_stop(self, index: int) -> bytes:
        raise NotImplementedError
