"""Writes a request for OpenAI's Responses API, and names what that cannot express."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, Message, OutputFormat, Text, Tool, ToolChoice
from conduit_desktop.wire import WrittenRequest
from conduit_desktop.wire.function_schemas import function_schema
from conduit_desktop.wire.hosted_search import for_responses, is_search
from conduit_desktop.wire.json_fields import restore_source_form
from conduit_desktop.wire.openai_chat.fields import NAME as CHAT
from conduit_desktop.wire.openai_chat.request_writer import TIERS, effort_of, schema_fields, write_metadata
from conduit_desktop.wire.openai_chat.settings_writer import SettingsWriter
from conduit_desktop.wire.openai_responses.fields import is_own, noted_json
from conduit_desktop.wire.openai_responses.messages_writer import ItemsWriter
from conduit_desktop.wire.openai_responses.tool_names import FlatToolNames

_SHARED_WITH_CHAT = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier")
_UNSUPPORTED = ("stop", "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_k")


def write_request(request: ChatRequest, model: str) -> WrittenRequest:
    """The body for `model`. A request that was read from this dialect is written as it was."""
    items = ItemsWriter(is_own(request), request.source_form)
    body: dict[str, Json] = {"model": model}
    messages = request.messages
    if items.own and request.source_form.get("instructions") == "top":
        body["instructions"] = items.instructions(messages[:1])
        messages = messages[1:]
    # Instructions at the start have a field of their own; later ones keep their place in the conversation.
    elif not items.own:
        leading = _leading_instructions(messages)
        if leading:
            body["instructions"] = items.instructions(messages[:leading])
            messages = messages[leading:]
    written = items.write(messages)
    input_form = request.source_form.get("input") if items.own else None
    if input_form == "string":
        body["input"] = written[0]["content"]
    elif input_form != "absent":
        body["input"] = None if input_form == "null" else written
    settings, dropped = write_settings(request)
    body |= settings
    if items.own:
        restore_source_form(body, request.source_form)
    return WrittenRequest(body, list(dict.fromkeys([*items.dropped, *dropped])))


def _leading_instructions(messages: list[Message]) -> int:
    """The number of messages at the beginning that are instructions of text only."""
    for index, message in enumerate(messages):
        if message.role not in ("system", "developer") or not all(isinstance(part, Text) for part in message.parts):
            return index
    return len(messages)


def write_settings(request: ChatRequest) -> tuple[dict[str, Json], list[str]]:
    """Everything of a request but its model and conversation, and the names of what was dropped."""
    out = _Settings(request)
    out.tools()
    out.sampling()
    out.text()
    out.reasoning()
    out.rest()
    return out.body, out.dropped


class _Settings(SettingsWriter):
    """Writes everything but the model and the conversation."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__(request, {}, is_own(request), [])
        self._names = FlatToolNames(request.source_form)

    def tools(self) -> None:
        written: list[Json] = []
        remaining = list(self.request.tools)
        while True:
            namespace = noted_json(self.request.source_form, f"tools[{len(written)}]") if self.own else {}
            if namespace:
                inner, remaining = remaining[: namespace["count"]], remaining[namespace["count"] :]
                written.append({**namespace["namespace"], "tools": [self._tool(tool) for tool in inner]})
            elif remaining:
                made = self._tool(remaining.pop(0))
                if made is not None:
                    written.append(made)
            else:
                break
        self.put_tools(written, self._choice)

    def _tool(self, tool: Tool) -> dict[str, Json] | None:
        if is_search(tool) and not self.own:
            return for_responses(tool, self.dropped)
        if tool.kind == "hosted":
            return self.hosted_tool(tool)
        fields: dict[str, Json] = {"type": tool.kind, "name": self._names.restore(tool.name)[0]}
        for name, value in (("description", tool.description), ("parameters", tool.schema), ("strict", tool.strict)):
            if value is not None:
                fields[name] = value
        if self.own:
            return {**fields, **tool.extra}
        if tool.kind == "function":
            fields["parameters"] = function_schema(tool.schema)
            # The default of the Responses API is true, that of all other dialects is false.
            # https://platform.openai.com/docs/guides/migrate-to-responses
            fields.setdefault("strict", False)
        self.dropped += [f"tools.{name}" for name in tool.extra] + (["cache_control"] if tool.cache else [])
        return fields

    def _choice(self, choice: ToolChoice) -> Json:
        if choice.mode == "tool":
            kind = self.chosen_kind(choice)
            if kind is None:
                return None
            name, namespace = self._names.restore(choice.name or "")
            choice_type = "custom" if kind == "custom" else "function"
            if self.own:
                choice_type = self.request.source_form.get("tool_choice.type", choice_type)
            return {"type": choice_type, "name": name, **namespace, **(choice.extra if self.own else {})}
        if self.own and choice.extra:
            return choice.extra if "type" in choice.extra else {"type": "allowed_tools", "mode": choice.mode, **choice.extra}
        self.dropped += [f"tool_choice.{name}" for name in choice.extra]
        return choice.mode

    def sampling(self) -> None:
        request = self.request
        self.put("max_output_tokens", request.max_tokens)
        for name in ("temperature", "top_p", "user", "top_logprobs"):
            self.put(name, getattr(request, name))
        self.dropped += [name for name in _UNSUPPORTED if getattr(request, name) not in (None, False)]
        if request.n is not None and request.n > 1:
            self.dropped.append("n")
        if request.service_tier is not None and not self.own and request.service_tier not in TIERS:
            self.dropped.append("service_tier")
        else:
            self.put("service_tier", request.service_tier)
        self.put("metadata", write_metadata(request.metadata, self.own, self.dropped))
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
        fields = {name: value for name, value in (("effort", effort), ("summary", reasoning.summary)) if value is not None}
        if self.own:
            self.body["reasoning"] = {**fields, **reasoning.extra}
            return
        self.dropped += [f"reasoning.{name}" for name in reasoning.extra]
        if reasoning.effort is not None and effort is None:
            self.dropped.append("reasoning.effort")  # not one of OpenAI's efforts
        if fields:
            self.body["reasoning"] = fields
        if effort != "none":
            self.body["include"] = ["reasoning.encrypted_content"]  # the caller hands it back in its next request

    def rest(self) -> None:
        if not self.own:
            known = self._from_chat() if self.request.dialect == CHAT else ()
            self.dropped += [name for name, value in self.request.extra.items() if value is not None and name not in known]
            self.body["store"] = False  # no other dialect stores conversations at the provider
            return
        for name, value in self.request.extra.items():
            if not name.startswith("text."):
                self.body.setdefault(name, value)
        for name, value in noted_json(self.request.source_form, "applied_here").items():
            self.body.setdefault(name, value)

    def _from_chat(self) -> tuple[str, ...]:
        """Write the fields that OpenAI's two dialects share, for its models that are served in this one alone."""
        extra = self.request.extra
        for name in _SHARED_WITH_CHAT:
            self.put(name, extra.get(name))
        if isinstance(verbosity := extra.get("verbosity"), str):
            self.body["text"] = {**self.body.get("text", {}), "verbosity": verbosity}
        return *_SHARED_WITH_CHAT, "verbosity"


def _format(output: OutputFormat, own: bool) -> dict[str, Json]:
    extra = output.extra if own else {}
    if output.kind == "text":
        return {"type": "text", **extra}
    if output.kind == "json" or (output.schema is None and not own):
        return {"type": "json_object", **extra}
    return {"type": "json_schema", **schema_fields(output, own), **extra}
