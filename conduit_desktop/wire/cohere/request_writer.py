"""A chat request as Cohere's v2 API says it, and the names of what it cannot say."""

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
from conduit_desktop.wire.base64_values import standard
from conduit_desktop.wire.cohere.request_reader import NAME, PLAN
from conduit_desktop.wire.function_tools import FunctionToolsWriter
from conduit_desktop.wire.values import as_object

_SAMPLING = {
    "max_tokens": "max_tokens", "temperature": "temperature", "top_p": "p", "top_k": "k", "seed": "seed",
    "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty", "logprobs": "logprobs",
    "stop": "stop_sequences",
}  # fmt: skip


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """The body for `model`. A request that was read from this dialect is given back as it came."""
    writer = _Writer(request, request.dialect == NAME)
    body: dict[str, Json] = {"model": model, "messages": writer.messages()}
    writer.tools(body)
    writer.settings(body)
    writer.rest(body, request.extra)
    return WrittenRequest(body, list(writer.dropped))


class _Writer(FunctionToolsWriter):
    unsayable = ("user", "metadata", "service_tier", "top_logprobs")

    def messages(self) -> list[Json]:
        """Every turn; tool results are turns of their own here."""
        written: list[Json] = []
        for message in self.request.messages:
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            for result in results:
                written.append(self.with_extra({"role": "tool", **self._result(result)}, message.extra, "messages"))
            if len(results) < len(message.parts) or not results:
                written.append(self._turn(message, message.parts))
        return written

    def _turn(self, message: Message, parts: list[Part]) -> dict[str, Json]:
        role = {"developer": "system", "tool": "user"}.get(message.role, message.role)
        said: dict[str, Json] = {"role": role}
        if message.name is not None:
            self.drop("messages.name")
        parts = [part for part in parts if self.own or self._fits(part, role)]
        calls = [part for part in parts if isinstance(part, ToolCall) and self._known(part)]
        plan = "".join(part.text for part in parts if isinstance(part, Thinking) and _is_plan(part))
        content = [block for part in parts if (block := self._block(part)) is not None]
        plain = message.plain and all(block["type"] == "text" for block in content)
        if plain and content:
            said["content"] = "".join(block["text"] for block in content)
        elif content:
            said["content"] = content
        elif not self.own and not calls:
            said["content"] = ""
        if plan:
            said["tool_plan"] = plan
        if calls:
            said["tool_calls"] = [self._call(call) for call in calls]
        return self.with_extra(said, message.extra, "messages")

    def _fits(self, part: Part, role: str) -> bool:
        """Whether a part may stand in a turn of `role`: only a user shows files, only an assistant thinks and calls."""
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
                return {"type": "text", "text": part.text}
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

    def _text(self, part: Text) -> dict[str, Json]:
        self.drop(*(name for name, there in (("cache_control", part.cache), ("citations", part.citations)) if there))
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
        if part.text is not None:
            return {"type": "text", "text": f"{part.name}\n\n{part.text}" if part.name else part.text}
        part = part if self.own else standard(part)
        url = part.url if part.data is None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
        if part.kind != "image" or url is None:
            self.drop(f"{part.kind}.{part.media_type or ('data' if part.data else 'url' if part.url else 'file_id')}")
            return None
        inner = {"url": url, **({} if part.detail is None else {"detail": part.detail})}
        extra = dict(part.extra)
        if self.own:
            inner |= extra.pop("image_url", {})
        return self.with_extra({"type": "image_url", "image_url": inner}, extra, "content")

    def _known(self, call: ToolCall) -> bool:
        if call.kind == "hosted":
            self.drop(f"tool_calls[{call.name}]")
        return call.kind != "hosted"

    def _call(self, call: ToolCall) -> Json:
        if self.own:
            extra = dict(call.extra)
            inner = {"name": call.name, "arguments": call.arguments, **extra.pop("function", {})}
            return {"id": call.id, "type": "function", "function": inner, **extra}
        value, whole = as_object(call)
        if not whole:
            self.drop("tool_calls.arguments")
        if call.signature is not None:
            self.drop("thought_signature")
        self.drop(*(f"tool_calls.{name}" for name in call.extra))
        arguments = call.arguments if whole and call.kind == "function" and call.arguments.strip() else orjson.dumps(value).decode()
        return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}

    def _result(self, result: ToolResult) -> dict[str, Json]:
        content: list[dict[str, Json]] = []
        for part in result.parts:
            if (self.own or self._fits(part, "tool_result")) and (block := self._block(part)) is not None:
                content.append(block)
        if result.is_error and not self.own:
            content.insert(0, {"type": "text", "text": "Error: "})
        self.drop(*(f"tool_result.{name}" for name in result.extra))
        plain = all(block["type"] == "text" for block in content) and (result.plain or not self.own)
        said: Json = "".join(block["text"] for block in content) if plain else content
        return {"tool_call_id": result.call_id, **({"content": said} if content or not self.own else {})}

    def tools(self, body: dict[str, Json]) -> None:
        """The tools. One of them alone can only be demanded by offering no other."""
        choice = self.request.tool_choice
        if choice is not None and not self.own and choice.demands and not _possible(choice, self.request.tools):
            self.drop("tool_choice")
            choice = None
        if choice is not None and not self.own:
            self.drop(*(f"tool_choice.{name}" for name in choice.extra))
        only = choice.name if choice is not None and choice.mode == "tool" else None
        written = [said for tool in self.request.tools if only in (None, tool.name) and (said := self.tool(tool)) is not None]
        if written:
            body["tools"] = written
        if choice is not None and choice.mode != "auto" and (written or self.own):
            body["tool_choice"] = "NONE" if choice.mode == "none" else "REQUIRED"
        if self.request.parallel_tool_calls is False:
            self.drop("parallel_tool_calls")

    def settings(self, body: dict[str, Json]) -> None:
        """Sampling, format, thinking, and whether to stream."""
        request = self.request
        body.update({name: value for field, name in _SAMPLING.items() if (value := getattr(request, field)) is not None})
        if request.output is not None:
            body["response_format"] = self._format(request.output)
        if request.reasoning is not None and (thinking := self._thinking(request.reasoning)) is not None:
            body["thinking"] = thinking
        if request.stream or not self.own or request.source_form.get("stream") == "present":
            body["stream"] = request.stream  # the API reference: required

    def _format(self, output: OutputFormat) -> Json:
        name = self.request.source_form.get("response_format.json_schema", "json_schema")
        schema = {} if output.schema is None else {name: output.schema}
        if output.description is not None:
            self.drop("response_format.description")
        said = {"type": "text" if output.kind == "text" else "json_object", **schema}
        return self.with_extra(said, output.extra, "response_format")

    def _thinking(self, reasoning: Reasoning) -> Json:
        if reasoning.summary is not None:
            self.drop("reasoning.summary")
        if reasoning.mode == "disabled" or reasoning.effort == "none" or (reasoning.budget_tokens == 0 and not self.own):
            said: dict[str, Json] = {"type": "disabled"}
        else:
            said = {"type": "enabled"}
            if reasoning.effort is not None and reasoning.budget_tokens is None:
                self.drop("reasoning.effort")
        if reasoning.budget_tokens is not None and (self.own or said["type"] == "enabled"):
            said["token_budget"] = reasoning.budget_tokens
        return self.with_extra(said, reasoning.extra, "reasoning")


def _possible(choice: ToolChoice, tools: list[Tool]) -> bool:
    return any(choice.name in (None, tool.name) for tool in tools if tool.kind != "hosted")


def _is_plan(part: Part) -> bool:
    return isinstance(part, Thinking) and part.dialect == NAME and part.raw == PLAN
