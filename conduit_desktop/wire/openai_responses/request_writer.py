"""Writes a request as the Responses API says it; names what could not be said."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Text, Tool, ToolChoice
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.json_fields import restore_source_form
from conduit_desktop.wire.openai_chat.request_writer import effort_of
from conduit_desktop.wire.openai_responses.fields import is_own, noted_json
from conduit_desktop.wire.openai_responses.messages_writer import ItemsWriter
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames

LEAST_OUTPUT_TOKENS = 16
"""OpenAI refuses fewer."""

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_UNKNOWN = ("stop", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_k")


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """The body for `model`. A request that was read from this dialect is given back as it came."""
    items = ItemsWriter(is_own(request), request.source_form)
    body: dict[str, Json] = {"model": model}
    messages = request.messages
    if items.own and request.source_form.get("instructions") == "top":
        body["instructions"] = items.words(messages[:1])
        messages = messages[1:]
    elif not items.own:
        ahead = _leading_instructions(messages)
        if ahead:
            body["instructions"] = items.words(messages[:ahead])
            messages = messages[ahead:]
    said = items.write(messages)
    how = request.source_form.get("input") if items.own else None
    if how == "string":
        body["input"] = said[0]["content"]
    elif how != "absent":
        body["input"] = None if how == "null" else said
    settings, dropped = write_settings(request)
    body |= settings
    if items.own:
        restore_source_form(body, request.source_form)
    return WrittenRequest(body, list(dict.fromkeys([*items.dropped, *dropped])))


def _leading_instructions(messages: list[Message]) -> int:
    """How many messages at the beginning are instructions in words alone."""
    for index, message in enumerate(messages):
        if message.role not in ("system", "developer") or not all(isinstance(part, Text) for part in message.parts):
            return index
    return len(messages)


def write_settings(request: ChatRequest) -> tuple[dict[str, Json], list[str]]:
    """Everything of a request but its model and conversation, and the names of what was lost."""
    out = _Settings(request)
    out.tools()
    out.sampling()
    out.text()
    out.reasoning()
    out.rest()
    return out.body, out.dropped


class _Settings:
    """`own`: the request was read from this dialect."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.body: dict[str, Json] = {}
        self.own = is_own(request)
        self.dropped: list[str] = []
        self._names = FlatToolNames(request.source_form)

    def put(self, name: str, value: Json) -> None:
        if value is not None:
            self.body[name] = value

    def tools(self) -> None:
        written: list[Json] = []
        waiting = list(self.request.tools)
        while True:
            place = noted_json(self.request.source_form, f"tools[{len(written)}]") if self.own else {}
            if place:
                inner, waiting = waiting[: place["count"]], waiting[place["count"] :]
                written.append({**place["namespace"], "tools": [self._tool(tool) for tool in inner]})
            elif waiting:
                said = self._tool(waiting.pop(0))
                if said is not None:
                    written.append(said)
            else:
                break
        if written:
            self.body["tools"] = written
        choice = self.request.tool_choice
        if choice is not None and (written or self.own):
            self.put("tool_choice", self._choice(choice))
        elif choice is not None and choice.demands:
            self.dropped.append("tool_choice")
        if written or self.own:
            self.put("parallel_tool_calls", self.request.parallel_tool_calls)

    def _tool(self, tool: Tool) -> dict[str, Json] | None:
        if tool.kind == "hosted":
            if self.own:
                return {"type": tool.type, **tool.extra}
            self.dropped.append(f"tools[{tool.type or tool.name}]")
            return None
        said: dict[str, Json] = {"type": tool.kind, "name": self._names.restore(tool.name)[0]}
        for name, value in (("description", tool.description), ("parameters", tool.schema), ("strict", tool.strict)):
            if value is not None:
                said[name] = value
        if self.own:
            return {**said, **tool.extra}
        if tool.kind == "function":
            said.setdefault("parameters", {"type": "object", "properties": {}})
            said.setdefault("strict", False)  # what chat and Anthropic mean by saying nothing; here it would mean strict
        self.dropped += [f"tools.{name}" for name in tool.extra] + (["cache_control"] if tool.cache else [])
        return said

    def _choice(self, choice: ToolChoice) -> Json:
        if choice.mode == "tool":
            kind = next((tool.kind for tool in self.request.tools if tool.name == choice.name), "function")
            if kind == "hosted" and not self.own:
                self.dropped.append("tool_choice")
                return None
            name, namespace = self._names.restore(choice.name or "")
            said = "custom" if kind == "custom" else "function"
            if self.own:
                said = self.request.source_form.get("tool_choice.type", said)
            return {"type": said, "name": name, **namespace, **(choice.extra if self.own else {})}
        if self.own and choice.extra:
            return choice.extra if "type" in choice.extra else {"type": "allowed_tools", "mode": choice.mode, **choice.extra}
        self.dropped += [f"tool_choice.{name}" for name in choice.extra]
        return choice.mode

    def sampling(self) -> None:
        request = self.request
        limit = request.max_tokens
        if limit is not None and limit < LEAST_OUTPUT_TOKENS and not self.own:
            limit = LEAST_OUTPUT_TOKENS
            self.dropped.append(f"max_tokens<{LEAST_OUTPUT_TOKENS}")
        self.put("max_output_tokens", limit)
        for name in ("temperature", "top_p", "user", "top_logprobs"):
            self.put(name, getattr(request, name))
        self.dropped += [name for name in _UNKNOWN if getattr(request, name) not in (None, False)]
        if request.n is not None and request.n > 1:
            self.dropped.append("n")
        if request.service_tier is not None and not self.own and request.service_tier not in _TIERS:
            self.dropped.append("service_tier")
        else:
            self.put("service_tier", request.service_tier)
        metadata = request.metadata
        if metadata is not None:
            said = {name: value for name, value in metadata.items() if self.own or isinstance(value, str)}
            self.dropped += [f"metadata.{name}" for name in metadata if name not in said]
            if said or self.own:
                self.body["metadata"] = said
        if request.stream:
            self.body["stream"] = True

    def text(self) -> None:
        output, text = self.request.output, {}
        if output is not None:
            text["format"] = _format(output, self.own)
            if not self.own:
                self.dropped += [f"response_format.{name}" for name in output.extra]
        if self.own:
            text |= {name[5:]: value for name, value in self.request.extra.items() if name.startswith("text.")}
        if text or (self.own and self.request.source_form.get("text") == "object"):
            self.body["text"] = text

    def reasoning(self) -> None:
        reasoning = self.request.reasoning
        if reasoning is None:
            return
        effort = reasoning.effort if self.own else effort_of(reasoning)
        said = {name: value for name, value in (("effort", effort), ("summary", reasoning.summary)) if value is not None}
        if self.own:
            self.body["reasoning"] = {**said, **reasoning.extra}
            return
        self.dropped += [f"reasoning.{name}" for name in reasoning.extra]
        if reasoning.effort is not None and effort is None:
            self.dropped.append("reasoning.effort")  # a word that is not OpenAI's
        if said:
            self.body["reasoning"] = said
        if effort != "none":
            self.body["include"] = ["reasoning.encrypted_content"]  # so that the caller can hand its thoughts back

    def rest(self) -> None:
        if not self.own:
            self.dropped += [name for name, value in self.request.extra.items() if value is not None]
            self.body["store"] = False  # what other dialects ask for is kept nowhere
            return
        for name, value in self.request.extra.items():
            if not name.startswith("text."):
                self.body.setdefault(name, value)
        for name, value in noted_json(self.request.source_form, "applied_here").items():
            self.body.setdefault(name, value)


def _format(output: OutputFormat, own: bool) -> dict[str, Json]:
    extra = output.extra if own else {}
    if output.kind == "text":
        return {"type": "text", **extra}
    if output.kind == "json" or (output.schema is None and not own):
        return {"type": "json_object", **extra}
    name = output.name if own else output.name or "answer"
    fields = {"name": name, "schema": output.schema, "description": output.description, "strict": output.strict}
    return {"type": "json_schema", **{name: value for name, value in fields.items() if value is not None}, **extra}
