"""Has a model summarize a conversation, and writes its summary as the compaction item that the client asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json, Message, Opaque, Text, ToolChoice
from conduit_desktop.core.errors import ProviderFailed
from conduit_desktop.core.events import BlockEvent, TextDelta
from conduit_desktop.wire.openai_responses.compaction import COMPACTION, TRIGGER, write_item
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.stream_writer import ResponsesWriter

_TASK = (
    "Write a summary of this conversation that replaces it. Whoever continues sees the summary alone, so it must hold: what the"
    " user wants, with all constraints; what was done and found, with the names, paths, values and decisions that matter; what is"
    " left to do, and the next step. Write only the summary."
)
_NO_SUMMARY = "the model wrote no summary of the conversation"


def summarising(request: ChatRequest) -> ChatRequest:
    """The request that has a model write the summary: the conversation, and the task in place of the trigger.

    The tools stay, since the conversation holds calls of them; none may be called.
    """
    messages = [replace(message, parts=[part for part in message.parts if not _is_trigger(part)]) for message in request.messages]
    kept = [message for message in messages if message.parts]
    return replace(
        request,
        messages=[*kept, Message("user", [Text(_TASK)])],
        tool_choice=ToolChoice("none") if request.tools else None,
        output=None,
    )


def _is_trigger(part: object) -> bool:
    return isinstance(part, Opaque) and part.dialect == NAME and part.name == TRIGGER


class CompactionWriter(ResponsesWriter):
    """Writes a model's summary as the one compaction item of a response."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self._summary: list[str] = []
        self._written = False

    def _write_content(self, event: BlockEvent) -> bytes:
        # Clients expect exactly one item: what the model thought, or a call that it made all the same, is left out.
        if isinstance(event, TextDelta):
            self._summary.append(event.text)
        return b""

    def end(self) -> bytes:
        """The item, and the end of the response."""
        out = self._begin()
        summary = "".join(self._summary).strip()
        if not summary:
            # An empty item would pass for the conversation, and all of it would be lost.
            return out + self.fail(ProviderFailed(_NO_SUMMARY))
        if not self._written:
            self._written = True
            item = write_item(self._new_id("cmp"), summary)
            index, added = self._add(item)
            out += added + self._done(index, item)
        return out + super().end()


def write_compaction(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The whole response with its one compaction item; raises ProviderFailed where the model wrote no summary."""
    writer = CompactionWriter(request)
    for event in answer.events():
        writer.write(event)
    writer.end()
    if writer.final is None:
        raise ProviderFailed(_NO_SUMMARY)
    return writer.final


def compacted(response: dict[str, Any], items: list[Json]) -> dict[str, Json]:
    """The answer of `/responses/compact`: the user's own messages, which stay as they are, and the compaction item.

    `response` is the response to the trigger, `items` the conversation that was compacted.
    """
    messages = [item for item in items if isinstance(item, dict) and item.get("role") == "user" and "content" in item]
    return {
        "id": response["id"],
        "object": "response.compaction",
        "created_at": response["created_at"],
        "output": [*messages, *(item for item in response["output"] if item.get("type") == COMPACTION)],
        "usage": response.get("usage"),
    }
