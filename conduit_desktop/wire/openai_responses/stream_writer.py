"""Writes the streams of OpenAI's Responses API. https://platform.openai.com/docs/api-reference/responses-streaming"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, assert_never

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Media, Opaque
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.core.events import (
    BlockEvent,
    Cited,
    Finished,
    OpaqueBlock,
    Refused,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from conduit_desktop.wire.client_tools import own_forms
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.openai_chat.errors import write_error_body
from conduit_desktop.wire.openai_responses.errors import failure_code
from conduit_desktop.wire.openai_responses.fields import NAME
from conduit_desktop.wire.openai_responses.output_items import BuiltInCallItem, CallItem, ItemEvents, MessageItem, ReasoningItem
from conduit_desktop.wire.openai_responses.response_object import initial_response, item_id, write_status
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames
from conduit_desktop.wire.openai_responses.usage import write_usage
from conduit_desktop.wire.provenance import MarkedContent, mark, unmark
from conduit_desktop.wire.single_choice_writer import SingleChoiceWriter

IMAGE_CALL = "image_generation_call"
"""The item of a generated picture: https://platform.openai.com/docs/guides/tools-image-generation"""
_Item = TypeVar("_Item", MessageItem, ReasoningItem)


class ResponsesWriter(SingleChoiceWriter):
    """Writes one response. `final` is the whole response after `end`.

    Messages and reasoning items follow each other. A call stays open until its arguments are complete, because the events of
    several calls may be interleaved.
    """

    dialect = NAME

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request)
        self.final: dict[str, Json] | None = None
        self._names = FlatToolNames(request.source_form)
        self._custom = {tool.name for tool in request.tools if tool.kind == "custom"}
        self._built_in = own_forms(request)
        self._body: dict[str, Json] = {}
        self._number = 0
        self._open: tuple[int, MessageItem | ReasoningItem] | None = None
        self._calls: dict[str, tuple[int, CallItem | BuiltInCallItem]] = {}
        self._known_calls: set[str] = set()
        self._refused = False

    def _on_started(self) -> bytes:
        return self._begin()

    def _on_finished(self) -> bytes:
        # A refusal without text has no `refusal` part: only `content_filter` can express it.
        if self._finish is not None and self._finish.reason == "refusal" and not self._refused:
            self._finish = replace(self._finish, reason="content_filter")
        return self._close_all()

    def end(self) -> bytes:
        """The end of every open item, and the whole response with its usage."""
        written = self._begin() + self._close_all()
        finish = self._finish or Finished("stop")
        self._body |= write_status(finish)
        if self._usage is not None or not self._own:  # null while a response of OpenAI runs in the background
            self._body["usage"] = write_usage(self._usage or Usage(), self._own)
        if self._own:
            self._body |= finish.extra.get("response", {})
        self.final = self._body
        kind = "incomplete" if self._body["status"] == "incomplete" else "completed"
        return written + self._frame(f"response.{kind}", {"response": self._body})

    def fail(self, error: GatewayError) -> bytes:
        """`error`, for which the SDKs raise, then `response.failed`, for which other clients wait."""
        fields = write_error_body(error, "input")["error"]
        # OpenAI's reference has the fields on the top level, its SDKs read `error`.
        written = self._frame("error", {**{name: fields[name] for name in ("code", "message", "param")}, "error": fields})
        # A failure may come before the first event, and the SDKs require a whole response in it.
        body = self._body or initial_response(self._request, self._started)
        failure = {"code": failure_code(error), "message": fields["message"]}
        return written + self._frame("response.failed", {"response": {**body, "status": "failed", "error": failure}})

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")

    def _message_start(self) -> bytes:
        self._body = initial_response(self._request, self._started)
        return self._frame("response.created", {"response": self._body}) + self._frame(
            "response.in_progress", {"response": self._body}
        )

    def _frame(self, kind: str, fields: dict[str, Json]) -> bytes:
        data = orjson.dumps({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return sse.write(data, kind)

    def _write_content(self, event: BlockEvent) -> bytes:
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
                return self._redacted(event.data)
            case ToolCallStarted():
                return self._start_call(event)
            case ToolCallDelta():
                return self._arguments(event)
            case OpaqueBlock():
                return self._opaque(event.block)
            case _:
                assert_never(event)

    def _events(self, index: int, events: ItemEvents) -> bytes:
        return b"".join([self._frame(kind, {"output_index": index, **fields}) for kind, fields in events])

    def _add(self, item: dict[str, Json]) -> tuple[int, bytes]:
        index = len(self._body["output"])
        self._body["output"].append(item)
        return index, self._frame("response.output_item.added", {"output_index": index, "item": item})

    def _new_id(self, prefix: str) -> str:
        return item_id(prefix, self._body["id"], len(self._body["output"]))

    def _message(self, write: Callable[[MessageItem], ItemEvents]) -> bytes:
        index, message, opened = self._open_item(MessageItem, "msg")
        return opened + self._events(index, write(message))

    def _reasoning(self, write: Callable[[ReasoningItem], ItemEvents]) -> bytes:
        index, reasoning, opened = self._open_item(ReasoningItem, "rs")
        return opened + self._events(index, write(reasoning))

    def _sign(self, signature: str) -> bytes:
        _, reasoning, opened = self._open_item(ReasoningItem, "rs")
        reasoning.signature += signature
        return opened

    def _open_item(self, kind: type[_Item], id_prefix: str) -> tuple[int, _Item, bytes]:
        """The open item of this kind with its index, or a new one with the frames that open it."""
        if self._open is not None and isinstance(self._open[1], kind):
            return self._open[0], self._open[1], b""
        out = self._begin() + self._close_before_next()
        item = kind(self._new_id(id_prefix))
        if not self._own and isinstance(item, ReasoningItem):
            # OpenAI leaves it out; xAI's clients require it.
            item.item["status"] = "in_progress"
        index, added = self._add(item.item)
        self._open = (index, item)
        return index, item, out + added

    def _encrypted(self, signature: str) -> dict[str, Json]:
        """The fields of a thinking signature: OpenAI's own as it is, under the id of its item; any other one marked.

        Thinking of other providers is marked even without a signature: OpenAI refuses items with an id that it does not know.
        """
        if self._own and not signature:
            return {}
        marked = unmark(signature)
        if marked is not None and marked.dialect == NAME:
            return {"encrypted_content": marked.data, **({"id": marked.id} if marked.id else {})}
        return {"encrypted_content": mark(MarkedContent(self._started.dialect, signature))}

    def _redacted(self, data: str) -> bytes:
        # An item has one encrypted content only, so a hidden thought is an item of its own.
        closed = self._close_open()
        index, reasoning, opened = self._open_item(ReasoningItem, "rs")
        events = reasoning.close({"encrypted_content": mark(MarkedContent(self._started.dialect, data, "hidden"))})
        self._open = None
        return closed + opened + self._events(index, events) + self._done(index, reasoning.item)

    def _start_call(self, event: ToolCallStarted) -> bytes:
        # Clients would run a hosted call, which its vendor has run already.
        if event.kind == "hosted" or event.id in self._known_calls:
            return b""
        self._known_calls.add(event.id)
        out = self._begin() + self._close_before_next()
        # Vendors without custom tools call them as functions; the client waits for the kind that it declared.
        declared = event.name in self._custom
        custom = declared or event.kind == "custom"
        name, namespace = self._names.restore(event.name)
        fields = {"name": name, **namespace, **(event.extra if self._own else {})}
        call: CallItem | BuiltInCallItem
        if (form := self._built_in.get(event.name)) is not None and not self._own:
            call = BuiltInCallItem(self._new_id("call"), event.id, form)
        else:
            call = CallItem(self._new_id("ctc" if custom else "fc"), event.id, fields, custom, custom and event.kind == "function")
        index, added = self._add(call.item)
        self._calls[event.id] = (index, call)
        return out + added

    def _arguments(self, event: ToolCallDelta) -> bytes:
        if event.id not in self._calls:
            # More arguments after the end are a fault in the order of events, and would be lost in silence.
            if event.id in self._known_calls and event.arguments.strip():
                raise ValueError(f"arguments for a tool call that has ended: {event.id!r}")
            return b""  # whitespace after the end, or the arguments of a hosted call, which is not written
        index, call = self._calls[event.id]
        return self._events(index, call.write(event.arguments)) if event.arguments else b""

    def _opaque(self, block: Opaque) -> bytes:
        if (block.dialect != NAME or not self._own) and block.media is not None:
            return self._media(block.media)
        if block.dialect != NAME or not self._own:
            # Not written, but the text after it is a new part: citation offsets count from its beginning.
            return self._message(MessageItem.close_part) if self._open and isinstance(self._open[1], MessageItem) else b""
        out = self._begin() + self._close_before_next()
        index, added = self._add(dict(block.value))
        return out + added + self._done(index, self._body["output"][index])

    def _media(self, media: Media) -> bytes:
        """A picture as the item that OpenAI's own image tool makes; the text of a sound as text."""
        if media.kind == "audio" and media.text:
            return self._write_content(TextDelta(media.text))
        if media.kind != "image" or media.data is None:
            return b""
        out = self._begin() + self._close_before_next()
        kind = (media.media_type or "image/png").rpartition("/")[2]
        item = {"id": self._new_id("ig"), "type": IMAGE_CALL, "status": "completed", "result": media.data, "output_format": kind}
        index, added = self._add(item)
        return out + added + self._done(index, self._body["output"][index])

    def _done(self, index: int, item: dict[str, Json]) -> bytes:
        return self._frame("response.output_item.done", {"output_index": index, "item": item})

    def _close_open(self) -> bytes:
        """Close the open message or reasoning item."""
        if self._open is None:
            return b""
        index, item = self._open
        self._open = None
        if isinstance(item, MessageItem):
            cut_off = self._finish is not None and self._finish.reason in ("length", "content_filter")
            events = item.close(complete=not cut_off)
        else:
            events = item.close(self._encrypted(item.signature))
        return self._events(index, events) + self._done(index, item.item)

    def _close_before_next(self) -> bytes:
        """Close what must end before the next item: calls only if they are complete."""
        return self._close_open() + self._close_calls([name for name, (_, call) in self._calls.items() if call.complete])

    def _close_all(self) -> bytes:
        return self._close_open() + self._close_calls(list(self._calls))

    def _close_calls(self, ids: list[str]) -> bytes:
        out = b""
        for call_id in ids:
            index, call = self._calls.pop(call_id)
            out += self._events(index, call.close()) + self._done(index, call.item)
        return out
