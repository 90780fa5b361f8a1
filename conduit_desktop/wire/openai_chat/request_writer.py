"""Writes a chat request for OpenAI's Chat Completions, and names what that cannot express."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning, Tool, ToolChoice
from conduit_desktop.wire import WrittenRequest, custom_tools
from conduit_desktop.wire.function_schemas import function_schema
from conduit_desktop.wire.json_fields import restore_source_form
from conduit_desktop.wire.openai_chat.fields import NAME, has_functions
from conduit_desktop.wire.openai_chat.messages_writer import ChatMessagesWriter, write_cache
from conduit_desktop.wire.openai_chat.settings_writer import SettingsWriter
from conduit_desktop.wire.values import effort_for_budget

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
"""The values of `service_tier`."""


def write_request(request: ChatRequest, model: str, cache_marks: bool = False) -> WrittenRequest:
    """The body for `model`. A request that was read from this dialect is written as it was.

    `cache_marks`: the vendor takes Anthropic's cache marks.
    """
    messages = ChatMessagesWriter(request.dialect == NAME, request.source_form, cache_marks)
    body: dict[str, Json] = {"model": model, "messages": messages.write(request.messages)}
    out = _Settings(request, body, messages.own, messages.dropped)
    out.cache_marks = messages.cache_marks
    out.tools()
    out.sampling()
    out.format()
    out.reasoning()
    out.streaming()
    out.rest()
    return WrittenRequest(body, list(dict.fromkeys(messages.dropped)))


def effort_of(reasoning: Reasoning) -> str | None:
    """OpenAI's effort for a request with an effort, a budget or a mode; None leaves it to the model."""
    if reasoning.mode == "disabled":
        return "none"
    if reasoning.effort in _EFFORTS:
        return reasoning.effort
    return None if reasoning.budget_tokens is None else effort_for_budget(reasoning.budget_tokens)


class _Settings(SettingsWriter):
    """Writes everything but the messages."""

    cache_marks = False

    def tools(self) -> None:
        if self.own and has_functions(self.request):
            self._functions()
            return
        tools: list[Json] = [written for tool in self.request.tools if (written := self._tool(tool)) is not None]
        self.put_tools(tools, self._choice)

    def _functions(self) -> None:
        """The tools in the form before `tools`, as they were read."""
        request = self.request
        fields = [{"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in request.tools]
        written = [{name: value for name, value in one.items() if value is not None} for one in fields]
        self.body["functions"] = [{**one, **tool.extra} for one, tool in zip(written, request.tools, strict=True)]
        choice = request.tool_choice
        if choice is not None:
            self.body["function_call"] = {"name": choice.name} if choice.mode == "tool" else choice.mode
        self.put("parallel_tool_calls", request.parallel_tool_calls)

    def _tool(self, tool: Tool) -> dict[str, Json] | None:
        if tool.kind == "hosted":
            return self.hosted_tool(tool)
        inner: dict[str, Json] = {"name": tool.name}
        flattened = tool.kind == "custom" and not self.own  # no compatible vendor has OpenAI's custom tools
        description = custom_tools.described(tool) if flattened else tool.description
        schema = custom_tools.schema() if flattened else tool.schema
        if schema is not None and not self.own:
            schema = function_schema(schema)
        for name, value in (("description", description), ("parameters", schema), ("strict", tool.strict)):
            if value is not None:
                inner[name] = value
        if not self.own:
            self.dropped += [f"tools.{name}" for name in tool.extra] + (["tools.custom"] if flattened else [])
            self.dropped += ["cache_control"] if tool.cache and not self.cache_marks else []
            return {"type": "function", "function": inner, **(write_cache(tool.cache, "", {}) if self.cache_marks else {})}
        extra = dict(tool.extra)
        inner |= extra.pop(tool.kind, {})
        kind = {"type": tool.type} if tool.type else {}
        index = self.request.tools.index(tool)
        return {**kind, tool.kind: inner, **write_cache(tool.cache, f"tools[{index}]", self.request.source_form), **extra}

    def _choice(self, choice: ToolChoice) -> Json:
        # The whole choice as the client wrote it; its mode is only for other dialects.
        if choice.extra and self.own:
            return choice.extra
        self.dropped += [f"tool_choice.{name}" for name in choice.extra]
        if choice.mode == "tool":
            kind = self.chosen_kind(choice)
            if kind is None:
                return None
            # Must agree with `_tool`, which writes a foreign custom tool as a function.
            kind = "custom" if kind == "custom" and self.own else "function"
            return {"type": kind, kind: {"name": choice.name}}
        return self.request.source_form.get("tool_choice", choice.mode)

    def sampling(self) -> None:
        request, source_form = self.request, self.request.source_form
        # The client's own spelling is kept, since a compatible vendor may know only one of the two.
        self.put(source_form.get("max_tokens", "max_completion_tokens"), request.max_tokens)
        for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty", "seed", "n", "logprobs", "user"):
            self.put(name, getattr(request, name))
        # Refused without `logprobs`, also by vLLM and llama.cpp. The Responses API has no `logprobs`.
        self._put_if(self.own or bool(request.logprobs), "top_logprobs", request.top_logprobs)
        # An empty list is refused: https://github.com/langtail/langtail-node/issues/42
        if request.stop or (request.stop is not None and self.own):
            self.body["stop"] = request.stop[0] if source_form.get("stop") == "string" and len(request.stop) == 1 else request.stop
        # OpenAI has no `top_k`, but compatible vendors do: only their own clients can rely on it.
        self._put_if(self.own, "top_k", request.top_k)
        self._put_if(self.own or request.service_tier in TIERS, "service_tier", request.service_tier)
        self.put("metadata", write_metadata(request.metadata, self.own, self.dropped))

    def _put_if(self, supported: bool, name: str, value: Json) -> None:
        if value is None:
            return
        if supported:
            self.body[name] = value
        else:
            self.dropped.append(name)

    def format(self) -> None:
        output = self.request.output
        if output is None:
            return
        extra = dict(output.extra) if self.own else {}
        if not self.own:
            self.dropped += [f"response_format.{name}" for name in output.extra]
        match output.kind:
            case "text":
                self.body["response_format"] = {"type": "text", **extra}
            case "json":
                self.body["response_format"] = {"type": "json_object", **extra}
            case "schema":
                inner = schema_fields(output, self.own) | extra.pop("json_schema", {})
                self.body["response_format"] = {"type": "json_schema", "json_schema": inner, **extra}

    def reasoning(self) -> None:
        reasoning = self.request.reasoning
        if reasoning is None:
            return
        # OpenRouter's object has fields that `reasoning_effort` cannot hold.
        if self.own and self.request.source_form.get("reasoning") == "object":
            self.body["reasoning"] = _reasoning_object(reasoning)
            return
        effort = reasoning.effort if self.own else effort_of(reasoning)
        self.put("reasoning_effort", effort)
        if reasoning.effort is not None and effort is None:
            self.dropped.append("reasoning.effort")  # not one of OpenAI's efforts
        if reasoning.summary is not None:
            self.dropped.append("reasoning.summary")
        self.dropped += [f"reasoning.{name}" for name in reasoning.extra]

    def streaming(self) -> None:
        """A translated stream is always made to report usage, because the gateway accounts for it."""
        request = self.request
        options = dict(request.extra.get("stream_options") or {}) if self.own else {}
        # OpenAI and vLLM answer 400 to `stream_options` without `stream`, and a whole answer reports its usage anyhow.
        if request.include_usage if self.own else request.stream:
            options["include_usage"] = True
        if request.stream:
            self.body["stream"] = True
        if options or (self.own and "stream_options" in request.extra):
            self.body["stream_options"] = options

    def rest(self) -> None:
        if not self.own:
            self.dropped += self.request.extra
            return
        for name, value in self.request.extra.items():
            self.body.setdefault(name, value)
        restore_source_form(self.body, self.request.source_form)


def write_metadata(metadata: dict[str, Json] | None, own: bool, dropped: list[str]) -> dict[str, Json] | None:
    """`metadata` without values that are not strings, which OpenAI refuses; None where nothing is to be written."""
    if metadata is None:
        return None
    accepted = {name: value for name, value in metadata.items() if own or isinstance(value, str)}
    dropped += [f"metadata.{name}" for name in metadata if name not in accepted]
    return accepted if accepted or own else None


def schema_fields(output: OutputFormat, own: bool) -> dict[str, Json]:
    """The fields of a JSON schema format. OpenAI requires a name; other dialects have none."""
    name = output.name if own else output.name or "answer"
    fields = {"name": name, "description": output.description, "schema": output.schema, "strict": output.strict}
    return {name: value for name, value in fields.items() if value is not None}


def _reasoning_object(reasoning: Reasoning) -> dict[str, Json]:
    enabled = None if reasoning.mode is None else reasoning.mode != "disabled"
    fields = {
        "effort": reasoning.effort,
        "max_tokens": reasoning.budget_tokens,
        "summary": reasoning.summary,
        "enabled": enabled,
    }
    return {**{name: value for name, value in fields.items() if value is not None}, **reasoning.extra}
