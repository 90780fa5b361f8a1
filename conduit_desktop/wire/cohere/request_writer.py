"""Writes a chat request for Cohere's v2 API, and names what that cannot express."""

from __future__ import annotations

from typing import assert_never

import orjson

from conduit_desktop.core.chat import (
    ChatRequest,
    Json,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Part,
    Reasoning,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.cohere.request_reader import NAME, PLAN
from conduit_desktop.wire.function_tools import BaseRequestWriter
from conduit_desktop.wire.json_instruction import json_instruction
from conduit_desktop.wire.values import as_object, decoded_text, left_out, named_text, standard_media

_SAMPLING = {
    "max_tokens": "max_tokens", "temperature": "temperature", "top_p": "p", "top_k": "k", "seed": "seed",
    "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty", "logprobs": "logprobs",
    "stop": "stop_sequences",
}  # fmt: skip
_RANGES: dict[str, tuple[float, float]] = {
    "p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0, 1), "presence_penalty": (0, 1), "seed": (0, 2**63 - 1),
}  # fmt: skip
"""The least and the most of a number. https://docs.cohere.com/reference/chat"""
_MAX_STOPS = 5
_NOTHING = "."
"""The user's text in a conversation without any, because Cohere wants a message, and none that is empty."""
_NO_OUTPUT = "(no output)"


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """The body for `model`. A request that was read from this dialect is written as it was."""
    writer = _Writer(request, request.dialect == NAME)
    body: dict[str, Json] = {"model": model, "messages": writer.messages()}
    writer.tools(body)
    writer.settings(body)
    writer.rest(body, request.extra)
    return WrittenRequest(body, list(writer.dropped))


class _Writer(BaseRequestWriter):
    unsupported = ("user", "metadata", "service_tier", "top_logprobs")

    def messages(self) -> list[Json]:
        """All messages; a tool result is a message of its own."""
        written: list[Json] = []
        for message in self.request.messages:
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            for result in results:
                written.append(self.with_extra({"role": "tool", **self._result(result)}, message.extra, "messages"))
            if len(results) < len(message.parts) or not results:
                one = self._message(message, message.parts)
                if self.own or one.get("content") or one.get("tool_calls"):
                    written.append(one)
        return written or [{"role": "user", "content": _NOTHING}]

    def _message(self, message: Message, parts: list[Part]) -> dict[str, Json]:
        # Results of a tool are messages of their own by now: what else its message held can only be the user's.
        role = {"developer": "system", "tool": "user"}.get(message.role, message.role)
        written: dict[str, Json] = {"role": role}
        if message.name is not None:
            self.drop("messages.name")
        parts = [part for part in parts if self.own or self._fits(part, role)]
        calls = [part for part in parts if isinstance(part, ToolCall) and self._is_supported(part)]
        plan = "".join(part.text for part in parts if isinstance(part, Thinking) and _is_plan(part))
        content = [block for part in parts if (block := self._block(part)) is not None]
        plain = message.plain and all(block["type"] == "text" for block in content)
        if plain and content:
            written["content"] = "".join(block["text"] for block in content)
        elif content:
            written["content"] = content
        if plan:
            written["tool_plan"] = plan
        if calls:
            written["tool_calls"] = [self._call(call) for call in calls]
        return self.with_extra(written, message.extra, "messages")

    def _fits(self, part: Part, role: str) -> bool:
        """Whether a message of `role` may hold a part: only the user has files, only the assistant thoughts and calls."""
        if isinstance(part, Media) and part.text is None and role != "user":
            self.drop(f"{role}.{part.kind}")
            return False
        if isinstance(part, Thinking | ToolCall) and role != "assistant":
            self.drop("thinking" if isinstance(part, Thinking) else "tool_calls")
            return False
        return True

    def _block(self, part: Part) -> dict[str, Json] | None:
        match part:
            case Text():
                return self._text(part)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text or self.own else None
            case Thinking():
                return self._thought(part)
            case Media():
                return self._media(part)
            case Opaque():
                return self._opaque(part)
            case RedactedThinking():
                self.drop("redacted_thinking")
                return None
            case ToolCall() | ToolResult():
                return None
            case _:
                assert_never(part)

    def _text(self, part: Text) -> dict[str, Json] | None:
        if not part.text and not self.own:
            return None
        self.drop(*(name for name, value in (("cache_control", part.cache), ("citations", part.citations)) if value))
        return self.with_extra({"type": "text", "text": part.text}, part.extra, "content")

    def _thought(self, part: Thinking) -> dict[str, Json] | None:
        if _is_plan(part):
            return None
        if part.signature is not None:
            self.drop("thinking.signature")
        return self.with_extra({"type": "thinking", "thinking": part.text}, part.extra, "content")

    def _opaque(self, part: Opaque) -> dict[str, Json] | None:
        if part.dialect == NAME and isinstance(part.value, dict):
            return part.value
        self.drop(f"content[{part.name}]")
        return None

    def _media(self, part: Media) -> dict[str, Json] | None:
        if part.cache:
            self.drop("cache_control")
        text = part.text if part.text is not None or self.own else decoded_text(part)
        if text is not None:
            return self.with_extra({"type": "text", "text": named_text(part.name, text)}, part.extra, "content")
        part = part if self.own else standard_media(part)
        url = part.url if part.data is None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
        if part.kind != "image" or url is None:
            self.drop(f"{part.kind}.{part.media_type or ('data' if part.data else 'url' if part.url else 'file_id')}")
            return self.with_extra({"type": "text", "text": left_out(part)}, part.extra, "content")
        inner = {"url": url, **({} if part.detail is None else {"detail": part.detail})}
        extra = dict(part.extra)
        if self.own:
            inner |= extra.pop("image_url", {})
        return self.with_extra({"type": "image_url", "image_url": inner}, extra, "content")

    def _is_supported(self, call: ToolCall) -> bool:
        if call.kind == "hosted":
            self.drop(f"tool_calls[{call.name}]")
        return call.kind != "hosted"

    def _call(self, call: ToolCall) -> Json:
        if self.own:
            extra = dict(call.extra)
            inner = {"name": call.name, "arguments": call.arguments, **extra.pop("function", {})}
            return {"id": call.id, "type": "function", "function": inner, **extra}
        value, lossless = as_object(call)
        if not lossless:
            self.drop("tool_calls.arguments")
        if call.signature is not None:
            self.drop("thought_signature")
        self.drop(*(f"tool_calls.{name}" for name in call.extra))
        # Valid arguments are sent as the model wrote them: writing them again would change their white space.
        unchanged = lossless and call.kind == "function" and call.arguments.strip()
        arguments = call.arguments if unchanged else orjson.dumps(value).decode()
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}

    def _result(self, result: ToolResult) -> dict[str, Json]:
        content: list[dict[str, Json]] = []
        for part in result.parts:
            if (self.own or self._fits(part, "tool_result")) and (block := self._block(part)) is not None:
                content.append(block)
        # Cohere has no flag for a failed tool.
        if result.is_error and not self.own:
            content.insert(0, {"type": "text", "text": "Error: "})
        self.drop(*(f"tool_result.{name}" for name in result.extra))
        plain = all(block["type"] == "text" for block in content) and (result.plain or not self.own)
        body: Json = "".join(block["text"] for block in content) if plain else content
        if not self.own:
            body = body or _NO_OUTPUT
        return {"tool_call_id": result.call_id, **({"content": body} if content or not self.own else {})}

    def tools(self, body: dict[str, Json]) -> None:
        """Adds the tools. Cohere cannot force a named tool, so then it is the only one that is sent."""
        choice = self.request.tool_choice
        # A demand for a tool that was dropped could only be refused.
        if choice is not None and not self.own and choice.demands and not _is_offered(choice, self.request.tools):
            self.drop("tool_choice")
            choice = None
        if choice is not None and not self.own:
            self.drop(*(f"tool_choice.{name}" for name in choice.extra))
        only = choice.name if choice is not None and choice.mode == "tool" else None
        # Tools that are left out by the choice are not lost, while those that run at another vendor are.
        offered = [tool for tool in self.request.tools if only in (None, tool.name) or tool.kind == "hosted"]
        written = [made for tool in offered if (made := self.tool(tool)) is not None]
        if written:
            body["tools"] = written
        # `auto` is what the absent field means.
        if choice is not None and choice.mode != "auto" and (written or self.own):
            body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"
        if self.request.parallel_tool_calls is False:
            self.drop("parallel_tool_calls")

    def settings(self, body: dict[str, Json]) -> None:
        """Adds sampling, output format, thinking and `stream`."""
        request = self.request
        for field, name in _SAMPLING.items():
            if (value := getattr(request, field)) is not None:
                body[name] = value if self.own else self._limited(field, name, value)
        if request.output is not None:
            self._output(body, request.output)
        if request.reasoning is not None and (thinking := self._thinking(request.reasoning)) is not None:
            body["thinking"] = thinking
        if request.stream or not self.own or request.source_form.get("stream") == "present":
            body["stream"] = request.stream  # required by the API reference

    def _limited(self, field: str, name: str, value: Json) -> Json:
        """`value` as Cohere takes it; dropped where that is another one."""
        if name == "stop_sequences":
            limited = value[:_MAX_STOPS]
        else:
            least, most = _RANGES.get(name, (value, value))
            limited = max(least, min(most, value))
        if limited != value:
            self.drop(field)
        return limited

    def _output(self, body: dict[str, Json], output: OutputFormat) -> None:
        """Adds the format. Cohere refuses one together with tools, so there the instructions ask for it."""
        format_ = self._format(output)
        if self.own or output.kind == "text" or "tools" not in body:
            body["response_format"] = format_
        elif body.get("tool_choice") == "NONE":
            del body["tools"], body["tool_choice"]
            body["response_format"] = format_
        else:
            self.drop("response_format")
            messages = body["messages"]
            after = next((at for at, message in enumerate(messages) if message["role"] != "system"), len(messages))
            messages.insert(after, {"role": "system", "content": json_instruction(output.schema, output.description)})

    def _format(self, output: OutputFormat) -> Json:
        name = self.request.source_form.get("response_format.json_schema", "json_schema")
        schema = {} if output.schema is None else {name: output.schema}
        if output.description is not None:
            self.drop("response_format.description")
        fields = {"type": "text" if output.kind == "text" else "json_object", **schema}
        return self.with_extra(fields, output.extra, "response_format")

    def _thinking(self, reasoning: Reasoning) -> Json:
        if reasoning.summary is not None:
            self.drop("reasoning.summary")
        if reasoning.mode == "disabled" or reasoning.effort == "none" or (reasoning.budget_tokens == 0 and not self.own):
            fields: dict[str, Json] = {"type": "disabled"}
        else:
            fields = {"type": "enabled"}
            # Cohere has a budget but no levels; with a budget the level adds nothing.
            if reasoning.effort is not None and reasoning.budget_tokens is None:
                self.drop("reasoning.effort")
        if reasoning.budget_tokens is not None and (self.own or fields["type"] == "enabled"):
            fields["token_budget"] = reasoning.budget_tokens
        return self.with_extra(fields, reasoning.extra, "reasoning")


def _is_offered(choice: ToolChoice, tools: list[Tool]) -> bool:
    return any(choice.name in (None, tool.name) for tool in tools if tool.kind != "hosted")


def _is_plan(part: Part) -> bool:
    return isinstance(part, Thinking) and part.dialect == NAME and part.raw == PLAN
