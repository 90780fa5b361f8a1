"""Mends for what vendors refuse in a body of OpenAI's chat dialect: each takes away or rewrites one thing, and names what is lost.

All work in place on the top level of a body and copy what they change below it (see `request_rules.Mend`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import Mend
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.wire.function_schemas import mapped
from conduit_desktop.wire.json_instruction import json_instruction

Body = dict[str, Json]
_SAMPLING_DEFAULTS: dict[str, Json] = {"temperature": 1, "top_p": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}}
_PENALTY_DEFAULTS: dict[str, Json] = {"presence_penalty": 0, "frequency_penalty": 0}


def without_orphans(body: Body, facts: ModelFacts) -> list[str]:
    """Remove fields that mean nothing without another: vendors answer 400 to them, and some to empty lists."""
    if not body.get("stream"):
        body.pop("stream_options", None)
    if body.get("stop") == []:
        del body["stop"]
    if not body.get("logprobs") and body.get("top_logprobs") is not None:
        return [*_pop(body, "top_logprobs"), *without_tool_settings(body)]
    return without_tool_settings(body)


def without_tool_settings(body: Body) -> list[str]:
    """Remove what belongs to tools from a request without any; only a choice that demands a call is a loss."""
    if body.get("tools"):
        return []
    choice = body.get("tool_choice")
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        body.pop(name, None)
    return [] if choice in (None, "auto", "none") else ["tool_choice"]


def unknown_tools(body: Body, facts: ModelFacts) -> list[str]:
    """For models that are known to have no tools."""
    if facts.tools is not False or not body.get("tools"):
        return []
    del body["tools"]
    return ["tools", *without_tool_settings(body)]


def _pop(body: Body, name: str) -> list[str]:
    return [name] if body.pop(name, None) is not None else []


def dropping(*names: str) -> Mend:
    """Drop these fields."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        return [name for name in names if name in body and _pop(body, name)]

    return mend


def dropping_unless(value: Json, *names: str) -> Mend:
    """Drop these fields where they have another value, which is the only one that the vendor takes."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        refused = [name for name in names if body.get(name, value) != value]
        # A null asks for nothing.
        return [name for name in refused if body.pop(name) is not None]

    return mend


def only_fields(known: Collection[str]) -> Mend:
    """Drop every field that the vendor does not know."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        unknown = [name for name in body if name not in known]
        return [name for name in unknown if _pop(body, name)]

    return mend


def within(name: str, low: float, high: float) -> Mend:
    """Move a number into the vendor's range."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        value = body.get(name)
        if not isinstance(value, (int, float)) or low <= value <= high:
            return []
        body[name] = min(max(value, low), high)
        return [name]

    return mend


def at_most_stops(count: int) -> Mend:
    """Keep the first stop sequences, as many as the vendor takes, or fewer where the model is known to take fewer."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        stops = body.get("stop")
        most = count if facts.stops is None else min(count, facts.stops)
        if stops is None or (isinstance(stops, str) and most) or (isinstance(stops, list) and len(stops) <= most):
            return []
        body["stop"] = stops[:most]
        if not most:
            del body["stop"]
        return ["stop"]

    return mend


def at_most_tools(count: int) -> Mend:
    """Refuse a request with more tools: which of them could be left out only the client knows."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        tools = body.get("tools")
        if isinstance(tools, list) and len(tools) > count:
            text = f"This model takes at most {count} tools, and the request has {len(tools)}."
            raise BadRequest(text, code="invalid_parameter", param="tools")
        return []

    return mend


def short_id(name: str, longest: int, shortest: int = 1) -> Mend:
    """Replace an identifier of the user that the vendor finds too long or too short by a hash, always the same for the same one."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        value = body.get(name)
        if isinstance(value, str) and not shortest <= len(value) <= longest:
            # The vendor only compares it: the hash serves it as well, so nothing is lost.
            body[name] = hashlib.sha256(value.encode()).hexdigest()[:longest]
        return []

    return mend


# ---- JSON answers


def mention_json(body: Body, facts: ModelFacts) -> list[str]:
    """JSON mode is refused where no message says JSON: a word to the instructions."""
    if _format_of(body) == "json_object" and b"json" not in orjson.dumps(body.get("messages")).lower():
        instruct(body, "Answer in JSON.")
    return []


def schema_in_instructions(then: str | None) -> Mend:
    """The schema goes into the instructions; `then` is the type of format that the vendor takes in its place, None: none."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if _format_of(body) != "json_schema":
            return []
        _instruct_format(body)
        if then is None:
            del body["response_format"]
        else:
            body["response_format"] = {"type": then}
        return ["response_format.json_schema"]

    return mend


def format_in_instructions(body: Body, facts: ModelFacts) -> list[str]:
    """A format for JSON becomes a sentence in the instructions."""
    if _format_of(body) not in ("json_object", "json_schema"):
        return []
    _instruct_format(body)
    del body["response_format"]
    return ["response_format"]


def tools_or_format(body: Body, facts: ModelFacts) -> list[str]:
    """With tools, a format for JSON becomes a sentence in the instructions."""
    return format_in_instructions(body, facts) if body.get("tools") else []


def any_object_as_schema(body: Body, facts: ModelFacts) -> list[str]:
    """JSON mode as the schema of any object, which means the same."""
    if _format_of(body) == "json_object":
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    return []


def _format_of(body: Body) -> str | None:
    wanted = body.get("response_format")
    return wanted.get("type") if isinstance(wanted, dict) else None


def _instruct_format(body: Body) -> None:
    inner = body["response_format"].get("json_schema")
    instruct(body, json_instruction(inner.get("schema") if isinstance(inner, dict) else None))


def instruct(body: Body, text: str) -> None:
    """Add a sentence to the instructions at the beginning of the conversation."""
    messages = list(body.get("messages") or ())
    first = messages[0] if messages and isinstance(messages[0], dict) else {}
    content = first.get("content")
    if first.get("role") not in ("system", "developer") or not isinstance(content, (str, list)):
        messages.insert(0, {"role": "system", "content": text})
    elif isinstance(content, str):
        messages[0] = {**first, "content": f"{content}\n\n{text}" if content else text}
    else:
        messages[0] = {**first, "content": [*content, {"type": "text", "text": text}]}
    body["messages"] = messages


def json_without_thinking(switch: ThinkingSwitch, by_default: str) -> Mend:
    """JSON mode and thinking exclude each other: the format is kept, and thinking is switched off where that can be done.

    `by_default`: the models that think unless they are told not to.
    """

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        model = str(body.get("model", ""))
        if _format_of(body) not in ("json_object", "json_schema") or switch.is_off(body):
            return []
        if re.match(switch.always_on, model):
            return format_in_instructions(body, facts)
        asked = not body.keys().isdisjoint(("reasoning_effort", *switch.on))
        if not asked and not re.match(by_default, model):
            return []
        body.pop("reasoning_effort", None)
        body.update(switch.off)
        return ["reasoning_effort"] if asked else []

    return mend


# ---- reasoning


def fit_effort(body: Body, facts: ModelFacts) -> list[str]:
    """The effort of a request becomes the nearest one that the model takes."""
    nested = isinstance(body.get("reasoning"), dict)
    holder = dict(body["reasoning"]) if nested else body
    name = "effort" if nested else "reasoning_effort"
    effort = holder.get(name)
    if not isinstance(effort, str) or facts.efforts is None:
        return []
    fitted = fitted_effort(effort, facts.efforts)
    if fitted is None:
        del holder[name]
    else:
        holder[name] = fitted
    if nested:
        body["reasoning"] = holder
        if not holder:
            del body["reasoning"]
    # A model that cannot reason already does what `none` asks for; one that always reasons does not.
    return ["reasoning_effort"] if (fitted is None) == (effort != "none") and fitted != effort else []


def effort_of(body: dict[str, Json]) -> str | None:
    """The effort that a body asks for, in either of OpenAI's dialects."""
    reasoning = body.get("reasoning")
    found = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return found if isinstance(found, str) else None


def thinks(body: dict[str, Json], facts: ModelFacts) -> bool:
    """Whether the model will think about this request, as far as is known."""
    effort = effort_of(body)
    return bool(facts.thinks) if effort is None else effort != "none"


def fit_sampling(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out what a reasoning model refuses, always or while it thinks; a default value is no loss."""
    thinking = thinks(body, facts)
    refused = dict(_PENALTY_DEFAULTS) if facts.penalties is False else {}
    if facts.sampling == "refused" or (facts.sampling == "not_while_thinking" and thinking):
        refused |= _SAMPLING_DEFAULTS | {"stop": []}
    lost = [name for name, default in refused.items() if body.get(name) not in (None, default)]
    for name in refused:
        body.pop(name, None)
    return lost


def effort_or_budget(body: Body, facts: ModelFacts) -> list[str]:
    """Of an effort and a budget in tokens the effort is kept."""
    reasoning = body.get("reasoning")
    if not isinstance(reasoning, dict) or reasoning.get("effort") is None or reasoning.get("max_tokens") is None:
        return []
    body["reasoning"] = {name: value for name, value in reasoning.items() if name != "max_tokens"}
    return ["reasoning.max_tokens"]


def while_thinking(switch: ThinkingSwitch, mend: Mend) -> Mend:
    """The mend, unless thinking is switched off."""

    def conditional(body: Body, facts: ModelFacts) -> list[str]:
        return [] if switch.is_off(body) else mend(body, facts)

    return conditional


def one_switch(switch: ThinkingSwitch) -> Mend:
    """Of an effort and the vendor's own switch the effort is kept: models that take one refuse the other."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if body.get("reasoning_effort") is None:
            return []
        off = switch.is_off(body)
        for name in switch.on:
            body.pop(name, None)
        return list(switch.on) if off else []

    return mend


def parsed_reasoning(body: Body, facts: ModelFacts) -> list[str]:
    """Reasoning in the text excludes JSON mode and tools; in a field of its own it does not."""
    if body.get("reasoning_format") == "raw" and (body.get("tools") or body.get("response_format")):
        body["reasoning_format"] = "parsed"
    return []


# ---- tools


def named_tool_alone(body: Body, facts: ModelFacts) -> list[str]:
    """A choice of one tool for vendors that take only words: that tool is the only one offered, and a call is required."""
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        return []
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    chosen = [tool for tool in body.get("tools") or () if _name_of(tool) == name]
    if name is None or not chosen:
        body["tool_choice"] = "auto"
        return ["tool_choice"]
    body |= {"tools": chosen, "tool_choice": "required"}
    return []


def offered_tools_only(body: Body, facts: ModelFacts) -> list[str]:
    """For vendors that know the choice `auto` alone: `none` is expressed by sending no tools."""
    choice = body.pop("tool_choice", None)
    if choice == "none":
        body.pop("tools", None)
    return [] if choice in (None, "auto", "none") else ["tool_choice"]


def _name_of(tool: Any) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def with_functions(change: Callable[[dict[str, Json]], dict[str, Json]]) -> Mend:
    """Change every function; `change` returns its argument or a copy. For changes without loss."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if isinstance(tools := body.get("tools"), list):
            made = [_changed(tool, change) for tool in tools]
            if any(new is not old for new, old in zip(made, tools, strict=True)):
                body["tools"] = made
        return []

    return mend


def _changed(tool: Any, change: Callable[[dict[str, Json]], dict[str, Json]]) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or (made := change(function)) is function:
        return tool
    return {**tool, "function": made}


def with_parameters(function: dict[str, Json]) -> dict[str, Json]:
    """A function without a schema takes no arguments."""
    if isinstance(function.get("parameters"), dict):
        return function
    return {**function, "parameters": {"type": "object", "properties": {}}}


def type_in_branches(function: dict[str, Json]) -> dict[str, Json]:
    """In its schema, a `type` next to `anyOf` moves into the alternatives that have none."""
    schema = function.get("parameters")
    moved = mapped(schema, _moved_type) if isinstance(schema, dict) else schema
    return function if moved is schema else {**function, "parameters": moved}


def _moved_type(schema: dict[str, Json]) -> dict[str, Json]:
    branches = schema.get("anyOf")
    if "type" not in schema or not isinstance(branches, list):
        return schema
    kind = {"type": schema["type"]}
    moved = [{**kind, **one} if isinstance(one, dict) and "$ref" not in one else one for one in branches]
    return {**{name: value for name, value in schema.items() if name != "type"}, "anyOf": moved}


def strict_all_or_none(body: Body, facts: ModelFacts) -> list[str]:
    """Tools are all strict or none is."""
    functions = [tool["function"] for tool in body.get("tools") or () if isinstance(tool, dict) and "function" in tool]
    kinds = {bool(function.get("strict")) for function in functions if isinstance(function, dict)}
    if len(kinds) < 2:
        return []
    body["tools"] = [_changed(tool, lambda function: {**function, "strict": False}) for tool in body["tools"]]
    return ["tools.strict"]


def strict_where_it_can_be(required: bool, unknown: Collection[str] = ()) -> Mend:
    """Schemas that do not fulfil the vendor's conditions for `strict` are sent without it.

    Every object needs `additionalProperties: false`; with `required`, also each property in `required`; `unknown` keywords are
    refused.
    """

    def unfit(schema: Any) -> bool:
        found: list[bool] = []

        def look(one: dict[str, Json]) -> dict[str, Json]:
            properties = one.get("properties")
            found.extend(name in one for name in unknown)
            if one.get("type") == "object" or isinstance(properties, dict):
                found.append(one.get("additionalProperties") is not False)
                found.append(required and set(properties or ()) != set(one.get("required") or ()))
            return one

        mapped(schema, look)
        return any(found)

    def relaxed(holder: Any, key: str) -> Any:
        if not isinstance(holder, dict) or not holder.get("strict") or not isinstance(holder.get(key), dict):
            return holder
        return {**holder, "strict": False} if unfit(holder[key]) else holder

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []
        for at, tool in enumerate(tools := list(body.get("tools") or ())):
            function = tool.get("function") if isinstance(tool, dict) else None
            if (made := relaxed(function, "parameters")) is not function:
                tools[at] = {**tool, "function": made}
                body["tools"] = tools
                lost.append("tools.strict")
        inner = body["response_format"].get("json_schema") if _format_of(body) == "json_schema" else None
        if (made := relaxed(inner, "schema")) is not inner:
            body["response_format"] = {**body["response_format"], "json_schema": made}
            lost.append("response_format.strict")
        return lost

    return mend


# ---- messages


def with_messages(body: Body, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change messages; `change` returns its argument or a copy."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return
    made = [change(message) if isinstance(message, dict) else message for message in messages]
    if any(new is not old for new, old in zip(made, messages, strict=True)):
        body["messages"] = made


def _with_parts(body: Body, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the parts of messages; `change` returns its argument or another part."""

    def of_message(message: dict[str, Any]) -> dict[str, Any]:
        content = message.get("content")
        if not isinstance(content, list):
            return message
        made = [change(part) if isinstance(part, dict) else part for part in content]
        if all(new is old for new, old in zip(made, content, strict=True)):
            return message
        texts = [part.get("text") for part in made if isinstance(part, dict) and part.get("type") == "text"]
        # Text alone as a string: that is what vendors without other parts take everywhere.
        return {**message, "content": "\n".join(map(str, texts)) if len(texts) == len(made) else made}

    with_messages(body, of_message)


def known_message_fields(*known: str) -> Mend:
    """Drop fields of messages that the vendor does not know."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []

        def change(message: dict[str, Any]) -> dict[str, Any]:
            unknown = [name for name in message if name not in known]
            lost.extend(f"messages.{name}" for name in unknown if message[name] is not None)
            return {name: value for name, value in message.items() if name in known} if unknown else message

        with_messages(body, change)
        return lost

    return mend


def with_content(body: Body, facts: ModelFacts) -> list[str]:
    """A message without content and calls gets an empty text."""

    def change(message: dict[str, Any]) -> dict[str, Any]:
        return message if "content" in message or message.get("tool_calls") else {**message, "content": ""}

    with_messages(body, change)
    return []


def json_arguments(body: Body, facts: ModelFacts) -> list[str]:
    """Arguments of replayed calls become the JSON text of an object, which templates and validators parse."""

    def of_call(call: Any) -> Any:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return call
        given = function.get("arguments")
        made = given if isinstance(given, str) else orjson.dumps(given or {}).decode()
        try:
            parsed = orjson.loads(made or "{}")
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            # The model's own mistake: its text is kept where it can be read, as a value.
            made = orjson.dumps({"arguments": made}).decode()
        made = made or "{}"
        return call if made == given else {**call, "function": {**function, "arguments": made}}

    def change(message: dict[str, Any]) -> dict[str, Any]:
        calls = message.get("tool_calls")
        if not isinstance(calls, list):
            return message
        made = [of_call(call) for call in calls]
        return {**message, "tool_calls": made} if any(new is not old for new, old in zip(made, calls, strict=True)) else message

    with_messages(body, change)
    return []


MediaTest = Callable[[str, str], bool]
"""Whether the vendor takes a part, by its type and, for images, its address."""


def unread_parts(reads: MediaTest, why: str) -> Mend:
    """A sentence in place of each part that the vendor would refuse the request for.

    A refusal would end the conversation: the part comes back with every later request. The sentence lets the model say why it
    cannot answer.
    """

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []

        def change(part: dict[str, Any]) -> dict[str, Any]:
            kind = part.get("type")
            if not isinstance(kind, str) or reads(kind, _address(part)):
                return part
            lost.append(f"content.{kind}")
            return {"type": "text", "text": f"[{_LABELS.get(kind, kind)} was left out: {why}]"}

        _with_parts(body, change)
        return lost

    return mend


_LABELS = {"image_url": "An image", "file": "A file", "input_audio": "A recording", "video_url": "A video"}
_MEDIA = frozenset(_LABELS)


def _address(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def without_parts(*kinds: str) -> Mend:
    """Parts of these types are not taken."""
    return unread_parts(lambda kind, _: kind not in kinds, "the model does not take it")


_text_only = without_parts(*_MEDIA)


def unread_images(body: Body, facts: ModelFacts) -> list[str]:
    """For models that are known to read text only."""
    return _text_only(body, facts) if facts.images is False else []


without_remote_images = unread_parts(
    lambda kind, url: kind != "image_url" or not url.startswith(("http:", "https:")),
    "the provider takes images as data, and not by their address",
)


def images_of(*types: str) -> Mend:
    """Image data of other types is not taken."""
    taken = re.compile(rf"(?!data:)|data:image/({'|'.join(types)});")
    return unread_parts(
        lambda kind, url: kind != "image_url" or taken.match(url) is not None, f"the provider takes {' and '.join(types)}"
    )


def last_images(count: int) -> Mend:
    """Of too many images the last are kept."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        left = -count
        for message in body.get("messages") or ():
            content = message.get("content") if isinstance(message, dict) else None
            if isinstance(content, list):
                left += sum(isinstance(part, dict) and part.get("type") == "image_url" for part in content)

        def reads(kind: str, _: str) -> bool:
            nonlocal left
            if kind != "image_url":
                return True
            left -= 1
            return left < 0

        return unread_parts(reads, f"the provider takes {count} images")(body, facts) if left > 0 else []

    return mend


def at_most_cache_marks(count: int) -> Mend:
    """Of too many cache marks the last are kept: a later mark covers what an earlier one does."""

    def marked(one: Any) -> bool:
        return isinstance(one, dict) and "cache_control" in one

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        over = -count + sum(marked(tool) for tool in body.get("tools") or ())
        for message in body.get("messages") or ():
            content = message.get("content") if isinstance(message, dict) else None
            over += marked(message) + sum(marked(part) for part in content) if isinstance(content, list) else marked(message)
        if over <= 0:
            return []

        def unmarked(one: dict[str, Any]) -> dict[str, Any]:
            nonlocal over
            if over <= 0 or not marked(one):
                return one
            over -= 1
            return {name: value for name, value in one.items() if name != "cache_control"}

        body["tools"] = [unmarked(tool) for tool in body.get("tools") or ()]
        if not body["tools"]:
            del body["tools"]

        def of_message(message: dict[str, Any]) -> dict[str, Any]:
            message, content = unmarked(message), message.get("content")
            return {**message, "content": [unmarked(part) for part in content]} if isinstance(content, list) else message

        with_messages(body, of_message)
        return ["cache_control"]

    return mend
