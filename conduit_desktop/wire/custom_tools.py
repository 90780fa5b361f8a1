"""Custom tools (free text input) as functions with one string, `input`, for dialects and vendors that have only functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Message, Part, Tool, ToolCall
from conduit_desktop.core.events import Event, Finished, ToolCallDelta, ToolCallStarted


def schema() -> dict[str, Json]:
    """The JSON schema of the function's parameters."""
    return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def described(tool: Tool) -> str | None:
    """The tool's description and, for a custom tool, the grammar of its input, which a function has no field for."""
    custom = tool.extra.get("custom")
    form = tool.extra.get("format") or (custom.get("format") if isinstance(custom, dict) else None)
    form = form.get("grammar") or form if isinstance(form, dict) else {}
    if tool.kind != "custom" or not isinstance(form, dict) or not isinstance(form.get("definition"), str):
        return tool.description
    grammar = f"The input must follow this {form.get('syntax') or 'formal'} grammar:\n{form['definition']}"
    return f"{tool.description}\n\n{grammar}" if tool.description else grammar


def wrap(text: str) -> str:
    """Free text as the function's arguments, JSON text."""
    return orjson.dumps({"input": text}).decode()


def unwrap(arguments: str) -> str:
    """The text in the function's arguments; the arguments as they are where they hold other than one string."""
    try:
        value = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        # A model may write the bare text instead of the JSON that was asked of it.
        return arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        # A model may name the one argument otherwise; its text is what the tool takes all the same.
        texts = [value["input"]] if "input" in value else list(value.values())
        if len(texts) == 1 and isinstance(texts[0], str):
            return texts[0]
    return arguments


def without_custom_tools(request: ChatRequest) -> ChatRequest:
    """`request` with functions in place of its custom tools, in the history as well; for vendors that borrow OpenAI's chat API."""
    return replace(
        request, tools=[_function(tool) for tool in request.tools], messages=[_with_functions(one) for one in request.messages]
    )


def _function(tool: Tool) -> Tool:
    if tool.kind != "custom":
        return tool
    return Tool(tool.name, described(tool), schema(), type="function", cache=tool.cache)


def _with_functions(message: Message) -> Message:
    if not any(isinstance(part, ToolCall) and part.kind == "custom" for part in message.parts):
        return message
    return replace(message, parts=[_function_call(part) for part in message.parts])


def _function_call(part: Part) -> Part:
    if not isinstance(part, ToolCall) or part.kind != "custom":
        return part
    return replace(part, kind="function", arguments=wrap(part.arguments), extra={})


class CustomCalls:
    """Makes calls of custom tools of the calls of the functions that were sent in their place, in the events of one answer.

    `names` are those of the custom tools. The text of a call comes whole at the end of its answer: a piece of the arguments cannot
    be unwrapped, as it may end within an escape, and calls may be interleaved.
    """

    __slots__ = ("_names", "_open")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._open: dict[str, tuple[int, list[str]]] = {}
        """By the call's id, its choice and its arguments so far."""

    def restored(self, events: Iterable[Event]) -> list[Event]:
        """`events` with the client's custom calls; call it with the events of a stream as they come."""
        made: list[Event] = []
        for event in events:
            if isinstance(event, ToolCallDelta) and event.id in self._open:
                self._open[event.id][1].append(event.arguments)
                continue
            if self._open and isinstance(event, Finished):
                made += self._ended(event.choice)
            if isinstance(event, ToolCallStarted) and event.kind == "function" and event.name in self._names:
                self._open[event.id] = (event.choice, [])
                event = replace(event, kind="custom")
            made.append(event)
        return made

    def _ended(self, choice: int) -> list[Event]:
        ids = [call_id for call_id, (at, _) in self._open.items() if at == choice]
        pieces = {call_id: "".join(self._open.pop(call_id)[1]) for call_id in ids}
        return [ToolCallDelta(call_id, unwrap(text), choice) for call_id, text in pieces.items() if text]
