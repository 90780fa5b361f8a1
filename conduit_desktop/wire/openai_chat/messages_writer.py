"""Writes neutral messages as OpenAI's.

The order is that of the request (see `wire/turns.py`); only what else a message holds besides results becomes a message after them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import assert_never, cast

from conduit_desktop.core.chat import (
    CacheTtl,
    Json,
    Media,
    Message,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire import custom_tools
from conduit_desktop.wire.openai_chat.fields import NAME, is_legacy
from conduit_desktop.wire.openai_chat.media_writer import write_media
from conduit_desktop.wire.openai_chat.reasoning import thinking_fields
from conduit_desktop.wire.openai_chat.tool_calls import signature_field

# OpenAI answers 400 to any other name of a message.
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")


def write_cache(cache: CacheTtl | None, path: str, source_form: Mapping[str, str]) -> dict[str, Json]:
    """A cache mark as it was read; five minutes are the default and mostly omitted. `path` is that of the marked object."""
    if cache is None:
        return {}
    ttl = {"ttl": cache} if cache == "1h" or source_form.get(f"{path}.cache_control") == "5m" else {}
    return {"cache_control": {"type": "ephemeral", **ttl}}


class ChatMessagesWriter:
    """Writes the messages of one request. `own`: they were read from this dialect. `dropped` names what was dropped.

    `cache_marks`: the vendor takes Anthropic's cache marks.
    """

    def __init__(self, own: bool, source_form: Mapping[str, str], cache_marks: bool = False) -> None:
        self.own = own
        self.cache_marks = own or cache_marks
        self.source_form = source_form
        self.dropped: list[str] = []
        self._written: list[dict[str, Json]] = []

    def write(self, messages: list[Message]) -> list[dict[str, Json]]:
        """All messages, in order; the results of a message become messages of their own before it."""
        for message in messages:
            if not self.own and (usual := _usual_message(message)) is not None:
                self._written.append(usual)
                continue
            results = [part for part in message.parts if type(part) is ToolResult]
            for result in results:
                self._tool(message, result)
            rest = [part for part in message.parts if type(part) is not ToolResult] if results else message.parts
            if rest or not results:
                self._message(message, rest)
        return self._written

    def _message(self, message: Message, parts: list[Part]) -> None:
        path = f"messages[{len(self._written)}]"
        if message.role == "assistant":
            body = self._assistant(message, parts, path)
        elif message.role == "tool":
            # Results are messages of their own by now: what else a tool's message held can only be the user's.
            body = {"role": "user", "content": self._content(message, parts, path)}
        else:
            body = {"role": message.role, "content": self._content(message, parts, path)}
        if message.name is not None and (self.own or _NAME.fullmatch(message.name)):
            body["name"] = message.name
        elif message.name is not None:
            self.dropped.append("messages.name")
        self._extra(message, body)
        self._written.append(body)

    def _extra(self, message: Message, body: dict[str, Json]) -> None:
        if self.own:
            body.update(message.extra)
        else:
            self.dropped += [f"messages.{name}" for name in message.extra]

    def _tool(self, message: Message, result: ToolResult) -> None:
        legacy = self.own and is_legacy(self.source_form, result.call_id)
        body: dict[str, Json] = {"role": "function"} if legacy else {"role": "tool", "tool_call_id": result.call_id}
        if result.name is not None and (self.own or legacy):
            body["name"] = result.name
        if self.own:
            path = f"messages[{len(self._written)}]"
            content = self._parts(result.parts, path)
            body["content"] = _plain(content) if result.plain else content
            if not content and self.source_form.get(f"{path}.content") in ("null", "absent"):
                body["content"] = None
        else:
            self._foreign_result(result, body)
        # Once for the whole message, which may become several tool messages.
        if isinstance(message.parts[0], ToolResult) and result is message.parts[0]:
            self._extra(message, body)
        self._written.append(body)

    def _foreign_result(self, result: ToolResult, body: dict[str, Json]) -> None:
        # OpenAI's tool messages have no flag for a failed call.
        if result.is_error:
            self.dropped.append("tool_result.is_error")
        self.dropped += [f"tool_result.{name}" for name in result.extra]
        if result.cache is None and (plain := _bare_texts(result.parts)) is not None:
            body["content"] = "\n".join(plain)
            return
        texts: list[str] = []
        mark: dict[str, Json] = self._mark(result.cache, "")
        for part in self._parts(result.parts, ""):
            if part.get("type") == "text":
                texts.append(part["text"])
                mark = {name: part[name] for name in ("cache_control",) if name in part} or mark
        body["content"] = [{"type": "text", "text": "\n".join(texts), **mark}] if mark else "\n".join(texts)

    def _assistant(self, message: Message, parts: list[Part], path: str) -> dict[str, Json]:
        body: dict[str, Json] = {"role": "assistant", "content": None}
        # Only a client that wrote parts had its refusal among them; otherwise it has a field.
        if message.plain or not self.own:
            for part in parts:
                if isinstance(part, Refusal):
                    body["refusal"] = body.get("refusal", "") + part.text
            parts = [part for part in parts if not isinstance(part, Refusal)]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        content = self._assistant_content([part for part in parts if not isinstance(part, ToolCall)], body, path)
        if content:
            # Mistral's reasoning is a part of the content, and would be lost in a plain text like a mark.
            plain = message.plain or (not self.own and not _is_marked(content))
            thinks = any(part.get("type") == "thinking" for part in content)
            body["content"] = _plain(content) if plain and not thinks else content
        # Null content is accepted only with calls or a refusal.
        elif not self.own and not calls and "refusal" not in body:
            body["content"] = ""
        if self.own:
            for call in [call for call in calls if is_legacy(self.source_form, call.id)]:
                body["function_call"] = {"name": call.name, "arguments": call.arguments, **call.extra.get("function_call", {})}
                calls.remove(call)
        written = [made for call in calls if (made := self._call(call)) is not None]
        if written:
            body["tool_calls"] = written
        return body

    def _assistant_content(self, parts: list[Part], body: dict[str, Json], path: str) -> list[dict[str, Json]]:
        """The parts of `content`. Thinking that was read from this dialect goes into its own fields of `body`."""
        if not self.own:
            for part in parts:
                # OpenAI takes no media from the assistant.
                if isinstance(part, Media):
                    self.dropped.append(f"assistant.{part.kind}")
                elif isinstance(part, Thinking) and part.dialect == NAME and part.raw:
                    body.update(part.raw.get("message", {}))  # the vendor's own reasoning, which it wants returned
            return self._parts([part for part in parts if not isinstance(part, Media)], path)
        # What the vendor sent goes back as it came; fields made anew could miss some that it checks.
        raw: list[Json] = [part.raw for part in parts if isinstance(part, Thinking) and part.dialect == NAME and part.raw]
        raw += [{"message": part.value} for part in parts if isinstance(part, Opaque) and part.name == "reasoning"]
        for fields in raw:
            body.update(fields.get("message", {}))
        if not raw:
            body.update(thinking_fields([part for part in parts if isinstance(part, (Thinking, RedactedThinking))]))
        return self._parts([part for part in parts if not isinstance(part, RedactedThinking)], path)

    def _call(self, call: ToolCall) -> dict[str, Json] | None:
        if call.kind == "hosted":
            self.dropped.append(f"tool_calls[{call.name}]")
            return None
        if not self.own:
            return self._foreign_call(call)
        fields = {"name": call.name, "input" if call.kind == "custom" else "arguments": call.arguments}
        extra = dict(call.extra)
        body: dict[str, Json] = {"id": call.id, "type": call.kind, call.kind: {**fields, **extra.pop("function", {})}}
        return {**body, **extra, **(signature_field(call.signature) if call.signature else {})}

    def _foreign_call(self, call: ToolCall) -> dict[str, Json]:
        """A call as that of a function, because compatible vendors have no custom tools."""
        self.dropped += [f"tool_calls.{name}" for name in call.extra]
        self.dropped += [name for name, value in (("cache_control", call.cache), ("thought_signature", call.signature)) if value]
        # Free text is no JSON object, which the arguments of a function must be.
        arguments = custom_tools.wrap(call.arguments) if call.kind == "custom" else call.arguments or "{}"
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}

    def _content(self, message: Message, parts: list[Part], path: str) -> Json:
        content = self._parts(parts, path)
        if self.own:
            return _plain(content) if message.plain else content
        if message.role in ("system", "developer"):
            # OpenAI takes images in messages of the user only.
            self.dropped += ["system.media"] * any(part.get("type") != "text" for part in content)
            if _is_marked(content):
                return [part for part in content if part.get("type") == "text"]
            return "\n\n".join(part["text"] for part in content if part.get("type") == "text")
        text_only = not content or (len(content) == 1 and content[0].get("type") == "text" and not _is_marked(content))
        return _plain(content) if text_only else content

    def _parts(self, parts: list[Part], path: str) -> list[dict[str, Json]]:
        written: list[dict[str, Json]] = []
        for part in parts:
            if type(part) is Text and not (self.own or part.cache or part.citations or part.extra):
                written.append({"type": "text", "text": part.text})
                continue
            made = self._part(part, f"{path}.content[{len(written)}]")
            if made is not None:
                written.append(made)
        return written

    def _part(self, part: Part, path: str) -> dict[str, Json] | None:
        match part:
            case Text():
                return self._text(part, path)
            case Media():
                media, dropped = write_media(part, self.own, self.source_form.get(f"{path}.{part.kind}_url") == "string")
                self.dropped += dropped
                if media is not None:
                    media.update(self._mark(part.cache, path))
                return media
            case Refusal():
                return {"type": "refusal", "refusal": part.text}
            case Thinking():
                if part.dialect == NAME and part.raw:
                    return cast("dict[str, Json] | None", part.raw.get("part"))
                self.dropped += [] if self.own else ["thinking"]
                return None
            case RedactedThinking():
                self.dropped.append("redacted_thinking")
                return None
            case Opaque():
                if part.dialect == NAME:
                    return part.value if part.name != "reasoning" else None
                self.dropped.append(f"content[{part.name}]")
                return None
            case ToolCall() | ToolResult():
                self.dropped.append("tool_calls" if isinstance(part, ToolCall) else "tool_result")
                return None
            case _:
                assert_never(part)

    def _text(self, part: Text, path: str) -> dict[str, Json]:
        block: dict[str, Json] = {"type": "text", "text": part.text}
        if self.own:
            return block | self._mark(part.cache, path) | part.extra
        self.dropped += [f"content.{name}" for name in part.extra]
        block |= self._mark(part.cache, path)
        self.dropped += ["citations"] if part.citations else []
        return block

    def _mark(self, cache: CacheTtl | None, path: str) -> dict[str, Json]:
        """The cache mark of the object at `path`, where the vendor takes it."""
        if cache is not None and not self.cache_marks:
            self.dropped.append("cache_control")
            return {}
        return write_cache(cache, path, self.source_form)


def _bare_texts(parts: list[Part]) -> list[str] | None:
    """The texts of parts that are all texts without marks, sources and further fields; None for any other parts."""
    texts: list[str] = []
    for part in parts:
        if type(part) is not Text or part.cache is not None or part.citations or part.extra:
            return None
        texts.append(part.text)
    return texts


def _usual_message(message: Message) -> dict[str, Json] | None:
    """A message of another dialect in its usual form, of which nothing is lost, as `ChatMessagesWriter` writes it; else None.

    Nearly all messages of a long history are such, and most of its time would go into them.
    """
    if message.name is not None or message.extra:
        return None
    role, parts = message.role, message.parts
    if role == "assistant":
        return _usual_assistant(parts)
    if len(parts) != 1:
        return None
    part = parts[0]
    if role == "tool":
        if type(part) is not ToolResult or part.is_error or part.extra or part.cache is not None:
            return None
        texts = _bare_texts(part.parts)
        return None if texts is None else {"role": "tool", "tool_call_id": part.call_id, "content": "\n".join(texts)}
    if type(part) is Text and not (part.cache or part.citations or part.extra):
        return {"role": role, "content": part.text}
    return None


def _usual_assistant(parts: list[Part]) -> dict[str, Json] | None:
    """The assistant's message of bare texts and functions' calls of another dialect; None for any other parts."""
    texts: list[str] = []
    calls: list[Json] = []
    for part in parts:
        if type(part) is Text and not (part.cache or part.citations or part.extra):
            texts.append(part.text)
        elif type(part) is ToolCall and part.kind == "function" and not (part.extra or part.cache or part.signature):
            function = {"name": part.name, "arguments": part.arguments or "{}"}
            calls.append({"id": part.id, "type": "function", "function": function})
        else:
            return None
    if not calls:
        return {"role": "assistant", "content": "".join(texts)}
    return {"role": "assistant", "content": "".join(texts) if texts else None, "tool_calls": calls}


def _is_marked(content: list[dict[str, Json]]) -> bool:
    return any("cache_control" in part for part in content)


def _plain(content: list[dict[str, Json]]) -> str:
    return "".join(part["text"] for part in content if part.get("type") == "text")
