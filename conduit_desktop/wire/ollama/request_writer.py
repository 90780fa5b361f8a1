"""Writes a chat request for Ollama's own API, and names what that cannot express."""

from __future__ import annotations

from typing import assert_never

import orjson

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.function_tools import BaseRequestWriter
from conduit_desktop.wire.ollama.request_reader import OPTIONS
from conduit_desktop.wire.values import (
    as_object,
    decoded_text,
    disables_reasoning,
    effort_for_budget,
    named_text,
    standard_base64,
)

_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""OpenAI's efforts in Ollama's levels, which gpt-oss alone accepts. https://docs.ollama.com/capabilities/thinking"""


def write_chat(request: ChatRequest, model: str, own: bool) -> WrittenRequest:
    """The body of `/api/chat`. `own`: the request was read from it, and is written as it was."""
    writer = _Writer(request, own)
    body: dict[str, Json] = {"model": model, "messages": writer.messages()}
    writer.tools(body)
    return writer.finish(body)


def write_generate(request: ChatRequest, model: str, own: bool) -> WrittenRequest:
    """The body of `/api/generate`: the last user message and the system texts; all other messages are dropped."""
    writer = _Writer(request, own)
    questions = [message for message in request.messages if message.role == "user"]
    system = "\n\n".join(_text(m.parts) for m in request.messages if m.role in ("system", "developer"))
    body: dict[str, Json] = {"model": model}
    if questions:
        last = writer.message(questions[-1], "messages[0]")
        if not own or any(isinstance(part, Text) for part in questions[-1].parts):
            body["prompt"] = last.get("content", "")
        if last.get("images"):
            body["images"] = last["images"]
    if system or (own and any(message.role == "system" for message in request.messages)):
        body["system"] = system
    # `/api/generate` has one prompt and no history.
    if len(questions) > 1 or any(message.role in ("assistant", "tool") for message in request.messages):
        writer.drop("messages")
    if request.tools:
        writer.drop("tools")
    return writer.finish(body)


def _text(parts: list[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text | Refusal))


class _Writer(BaseRequestWriter):
    unsupported = ("user", "metadata", "service_tier")

    def __init__(self, request: ChatRequest, own: bool) -> None:
        super().__init__(request, own)
        # Ollama's results name the function, while results of other dialects have the call's id alone.
        self._names = {part.id: part.name for m in request.messages for part in m.parts if isinstance(part, ToolCall)}

    def messages(self) -> list[Json]:
        """All messages; the tool results of a message become messages of their own."""
        written: list[Json] = []
        for message in self.request.messages:
            path = f"messages[{len(written)}]"
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            written += [self._result(result, path, message.extra) for result in results]
            if len(results) < len(message.parts) or not results:
                written.append(self.message(message, path))
        return written

    def message(self, message: Message, path: str) -> dict[str, Json]:
        """One message without its tool results. `path` is where it will stand in the body."""
        written: dict[str, Json] = {"role": "system" if message.role == "developer" and not self.own else message.role}
        if message.name is not None:
            self.drop("messages.name")
        content: list[str] = []
        images: list[str] = []
        calls: list[Json] = []
        for part in message.parts:
            match part:
                case Text():
                    content.append(part.text)
                    self._drop_fields(part)
                case Refusal():
                    content.append(part.text)
                case Media():
                    self._media(part, content, images)
                case Thinking():
                    # Thoughts of any vendor: here they are plain text, which nobody signs or checks.
                    written["thinking"] = written.get("thinking", "") + part.text
                case ToolCall():
                    calls.append(self._call(part, f"{path}.tool_calls[{len(calls)}]"))
                case RedactedThinking() | Opaque():
                    self.drop("redacted_thinking" if isinstance(part, RedactedThinking) else f"content[{part.name}]")
                case ToolResult():
                    continue
                case _:
                    assert_never(part)
        if content or not self.own:
            written["content"] = "".join(content)
        written |= {name: value for name, value in (("images", images), ("tool_calls", calls)) if value}
        return self.with_extra(written, message.extra, "messages")

    def _drop_fields(self, part: Text | Media) -> None:
        if self.own:
            return
        if part.cache:
            self.drop("cache_control")
        if isinstance(part, Text) and part.citations:
            self.drop("citations")
        self.drop(*(f"content.{name}" for name in part.extra))

    def _media(self, part: Media, content: list[str], images: list[str]) -> None:
        self._drop_fields(part)
        # Images are bare base64, without media type: https://docs.ollama.com/capabilities/vision
        if part.kind == "image" and part.data is not None:
            images.append(part.data if self.own else standard_base64(part.data))
        elif (text := part.text if part.text is not None else decoded_text(part)) is not None:
            content.append(named_text(part.name, text))
        else:
            # Ollama fetches no addresses: it takes the bytes of an image only. ollama/ollama#6753
            self.drop(f"{part.kind}.url" if part.url else f"{part.kind}.file_id" if part.file_id else part.kind)

    def _call(self, call: ToolCall, path: str) -> Json:
        arguments, lossless = as_object(call)
        source_form = self.request.source_form
        if self.own and source_form.get(f"{path}.function.arguments") == "text":
            inner: dict[str, Json] = {"name": call.name, "arguments": call.arguments}
        else:
            inner = {"name": call.name, "arguments": arguments}
            if not lossless:
                self.drop("tool_calls.arguments")
        if not self.own:
            self.drop(*(f"tool_calls.{name}" for name in call.extra))
            return {"id": call.id, "function": inner}
        extra = dict(call.extra)
        inner |= extra.pop("function", {})
        # `made`: the reader made the id up, because Ollama's older clients send none.
        identity = {} if source_form.get(f"{path}.id") == "made" else {"id": call.id}
        return {**identity, "function": inner, **extra}

    def _result(self, result: ToolResult, path: str, extra: dict[str, Json]) -> Json:
        content: list[str] = []
        images: list[str] = []
        for part in result.parts:
            if isinstance(part, Text):
                content.append(part.text)
                self._drop_fields(part)
            elif isinstance(part, Media):
                self._media(part, content, images)
            else:
                self.drop("tool_result")
        # Ollama has no flag for a failed tool.
        if result.is_error and not self.own:
            content.insert(0, "Error: ")
        written: dict[str, Json] = {"role": "tool"}
        if content or not self.own:
            written["content"] = "".join(content)
        if images:
            written["images"] = images
        name = result.name if self.own else result.name or self._names.get(result.call_id)
        if name is not None:
            written["tool_name"] = name
        if not (self.own and self.request.source_form.get(f"{path}.tool_call_id") == "made"):
            written["tool_call_id"] = result.call_id
        return self.with_extra(written, extra, "messages")

    def tools(self, body: dict[str, Json]) -> None:
        """Adds the tools. Ollama has no tool choice: a forced one is dropped, and for `none` no tools are sent."""
        choice = self.request.tool_choice
        written = [made for tool in self.request.tools if (made := self.tool(tool)) is not None]
        # Leaving the tools out is the one way to keep the model from calling them.
        if written and not (choice is not None and choice.mode == "none"):
            body["tools"] = written
        if choice is not None and choice.demands:
            self.drop("tool_choice")
        if self.request.parallel_tool_calls is False:
            self.drop("parallel_tool_calls")

    def finish(self, body: dict[str, Json]) -> WrittenRequest:
        """Adds everything but the conversation."""
        request = self.request
        options = {name: value for name, (field, _) in OPTIONS.items() if (value := getattr(request, field)) is not None}
        if request.stop is not None:
            options["stop"] = request.stop
        if self.own:
            options |= request.extra.get("options", {})
        if options or (self.own and "options" in request.extra):
            body["options"] = options
        if not self.own or not request.stream or request.source_form.get("stream") == "present":
            body["stream"] = request.stream  # without the field Ollama streams
        if request.output is not None and request.output.kind != "text":
            body["format"] = request.output.schema or "json"
        if request.reasoning is not None and (think := self._think(request.reasoning, str(body["model"]))) is not None:
            body["think"] = think
        for name in ("logprobs", "top_logprobs"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        self.rest(body, {name: value for name, value in request.extra.items() if name != "options"})
        return WrittenRequest(body, list(self.dropped))

    def _think(self, reasoning: Reasoning, model: str) -> Json:
        if disables_reasoning(reasoning):
            return False if not (self.own and reasoning.effort == "none") else "none"
        if self.own:
            return reasoning.effort or True
        level = _LEVELS.get(reasoning.effort or "")
        if level is None and reasoning.budget_tokens:
            level = effort_for_budget(reasoning.budget_tokens)
        return level if level is not None and "gpt-oss" in model else True  # other models refuse a level


def arguments_text(value: Json) -> str:
    """Tool-call arguments as JSON text, whether they came as text or as an object."""
    return value if isinstance(value, str) else orjson.dumps({} if value is None else value).decode()
