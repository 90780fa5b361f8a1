"""Writes a streamed answer as the events of the Responses API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Opaque
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    Refused,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.openai_chat.errors import error_body
from conduit_desktop.wire.openai_responses.errors import failure_code
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.output_items import CallItem, MessageItem, ReasoningItem, Said
from conduit_desktop.wire.openai_responses.response_object import ending, item_id, skeleton
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames
from conduit_desktop.wire.openai_responses.usage import write_usage
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark

MessageWrite = Callable[[MessageItem], Said]
ReasoningWrite = Callable[[ReasoningItem], Said]


class ResponsesWriter:
    """Writes one response. `final` is the whole of it once it has ended well.

    Messages and reasoning stand one after the other; a call stays open until its arguments are whole, for calls may come
    mixed.
    """

    def __init__(self, request: ChatRequest) -> None:
        self.final: dict[str, Json] | None = None
        self._request = request
        self._names = FlatToolNames(request.source_form)
        self._custom = {tool.name for tool in request.tools if tool.kind == "custom"}
        self._started = Started()
        self._body: dict[str, Json] = {}
        self._number = 0
        self._open: tuple[int, MessageItem | ReasoningItem] | None = None
        self._calls: dict[str, tuple[int, CallItem]] = {}
        self._known_calls: set[str] = set()
        self._refused = False
        self._usage: Usage | None = None
        self._finish = Finished("stop")

    @property
    def _own(self) -> bool:
        return self._started.dialect == NAME

    def write(self, event: Event) -> bytes:
        """The events that say `event`: none for other choices, and for what cannot be said here."""
        if isinstance(event, Started):
            self._started = event
            return self._begin()
        if isinstance(event, UsageReported):
            self._usage = event.usage
            return b""
        if event.choice != 0:
            return b""
        if isinstance(event, Finished):
            # Without words of its own a refusal has no part to stand in.
            filtered = event.reason == "refusal" and not self._refused
            self._finish = replace(event, reason="content_filter") if filtered else event
            return self._close_all()
        return self._say(event)

    def end(self) -> bytes:
        """Open items closed, and the whole response with its usage."""
        written = self._begin() + self._close_all()
        self._body |= ending(self._finish)
        if self._usage is not None or not self._own:  # OpenAI's own is null while it works in the background
            self._body["usage"] = write_usage(self._usage or Usage(), self._own)
        if self._own:
            self._body |= self._finish.extra.get("response", {})
        self.final = self._body
        kind = "incomplete" if self._body["status"] == "incomplete" else "completed"
        return written + self._frame(f"response.{kind}", {"response": self._body})

    def fail(self, error: GatewayError) -> bytes:
        """`error`, which the SDKs raise for, then `response.failed`, which other clients wait for; never a completed one."""
        told = error_body(error)["error"]
        written = self._frame("error", {**{name: told[name] for name in ("code", "message", "param")}, "error": told})
        body = self._body or skeleton(self._request, self._started)
        failure = {"code": failure_code(error), "message": error.message}
        return written + self._frame("response.failed", {"response": {**body, "status": "failed", "error": failure}})

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")

    def _begin(self) -> bytes:
        if self._body:
            return b""
        self._body = skeleton(self._request, self._started)
        return self._frame("response.created", {"response": self._body}) + self._frame(
            "response.in_progress", {"response": self._body}
        )

    def _frame(self, kind: str, fields: dict[str, Json]) -> bytes:
        data = orjson.dumps({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return sse.write(data, kind)

    def _say(
        self,
        event: TextStarted
        | TextDelta
        | ThinkingStarted
        | ThinkingDelta
        | ThinkingSigned
        | ThinkingRedacted
        | ToolCallStarted
        | ToolCallDelta
        | Refused
        | Cited
        | OpaqueBlock,
    ) -> bytes:
        match event:
            case TextDelta():
                return self._message(lambda message: message.write("output_text", event.text)) if event.text else b""
            case TextStarted():
                return self._message(lambda message: [*message.close_part(), *message.open("output_text")])
            case Refused():
                self._refused = True
                return self._message(lambda message: message.write("refusal", event.text)) if event.text else b""
            case Cited():
                return self._message(lambda message: message.cite(event.citation))
            case ThinkingDelta():
                return self._reasoning(lambda reasoning: reasoning.write(event.text)) if event.text else b""
            case ThinkingStarted():
                return self._close_open() + self._reasoning(lambda reasoning: [])
            case ThinkingSigned():
                return self._sign(event.signature)
            case ThinkingRedacted():
                return self._hidden(event.data)
            case ToolCallStarted():
                return self._call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case OpaqueBlock():
                return self._opaque(event.block)
            case _:
                assert_never(event)

    def _events(self, index: int, said: Said) -> bytes:
        return b"".join([self._frame(kind, {"output_index": index, **fields}) for kind, fields in said])

    def _add(self, item: dict[str, Json]) -> tuple[int, bytes]:
        index = len(self._body["output"])
        self._body["output"].append(item)
        return index, self._frame("response.output_item.added", {"output_index": index, "item": item})

    def _new_id(self, prefix: str) -> str:
        return item_id(prefix, self._body["id"], len(self._body["output"]))

    def _message(self, write: MessageWrite) -> bytes:
        out = self._begin()
        if self._open is None or not isinstance(self._open[1], MessageItem):
            out += self._close_before_next()
            message = MessageItem(self._new_id("msg"))
            index, added = self._add(message.item)
            self._open = (index, message)
            out += added
        index, item = self._open
        assert isinstance(item, MessageItem)
        return out + self._events(index, write(item))

    def _reasoning(self, write: ReasoningWrite) -> bytes:
        out = self._begin()
        if self._open is None or not isinstance(self._open[1], ReasoningItem):
            out += self._close_before_next()
            reasoning = ReasoningItem(self._new_id("rs"))
            index, added = self._add(reasoning.item)
            self._open = (index, reasoning)
            out += added
        index, item = self._open
        assert isinstance(item, ReasoningItem)
        return out + self._events(index, write(item))

    def _sign(self, signature: str) -> bytes:
        out = self._reasoning(lambda reasoning: [])
        assert self._open is not None
        item = self._open[1]
        assert isinstance(item, ReasoningItem)
        item.signature += signature
        return out

    def _proof(self, signature: str) -> dict[str, Json]:
        """A signature as an item's fields: OpenAI's own as it is, under its own id; another's under its provider's mark.

        Another's thoughts bear the mark without a signature too: OpenAI knows no item of their id.
        """
        if self._own and not signature:
            return {}
        sealed = unmark(signature)
        if sealed is not None and sealed.dialect == NAME:
            return {"encrypted_content": sealed.data, **({"id": sealed.id} if sealed.id else {})}
        return {"encrypted_content": mark(MarkedContent(self._started.dialect, signature))}

    def _hidden(self, data: str) -> bytes:
        out = self._close_open() + self._reasoning(lambda reasoning: [])
        assert self._open is not None
        index, item = self._open
        item.item["encrypted_content"] = mark(MarkedContent(self._started.dialect, data, "hidden"))
        self._open = None
        return out + self._done(index, item.item)

    def _call(self, event: ToolCallStarted) -> bytes:
        if event.kind == "hosted" or event.id in self._known_calls:
            return b""
        self._known_calls.add(event.id)
        out = self._begin() + self._close_before_next()
        declared = event.name in self._custom
        custom = declared or event.kind == "custom"
        name, namespace = self._names.restore(event.name)
        said = {"name": name, **namespace, **(event.extra if self._own else {})}
        call = CallItem(self._new_id("ctc" if custom else "fc"), event.id, said, custom, custom and event.kind == "function")
        index, added = self._add(call.item)
        self._calls[event.id] = (index, call)
        return out + added

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            if event.id in self._known_calls and event.arguments.strip():
                raise ValueError(f"arguments for a tool call that is over: {event.id!r}")
            return b""  # blanks after the end, or of a hosted tool's call, which was not written either
        index, call = self._calls[event.id]
        return self._events(index, call.write(event.arguments)) if event.arguments else b""

    def _opaque(self, block: Opaque) -> bytes:
        if block.dialect != NAME or not self._own:
            # Left out, but the text after it is another, and places are counted from its beginning.
            return self._message(MessageItem.close_part) if self._open and isinstance(self._open[1], MessageItem) else b""
        out = self._begin() + self._close_before_next()
        index, added = self._add(dict(block.value))
        return out + added + self._done(index, self._body["output"][index])

    def _done(self, index: int, item: dict[str, Json]) -> bytes:
        return self._frame("response.output_item.done", {"output_index": index, "item": item})

    def _close_open(self) -> bytes:
        """End the message or the thoughts under way."""
        if self._open is None:
            return b""
        index, item = self._open
        self._open = None
        if isinstance(item, MessageItem):
            said = item.close(self._finish.reason not in ("length", "content_filter"))
        else:
            said = item.close(self._proof(item.signature))
        return self._events(index, said) + self._done(index, item.item)

    def _close_before_next(self) -> bytes:
        """End what the next item comes after: a call only where nothing of it can follow."""
        return self._close_open() + self._close_calls([name for name, (_, call) in self._calls.items() if call.complete])

    def _close_all(self) -> bytes:
        return self._close_open() + self._close_calls(list(self._calls))

    def _close_calls(self, ids: list[str]) -> bytes:
        out = b""
        for call_id in ids:
            index, call = self._calls.pop(call_id)
            out += self._events(index, call.close()) + self._done(index, call.item)
        return out
