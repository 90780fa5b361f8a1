"""What the strict vendors answer: the tools to call round by round, then a text; `lookup` for a request without a script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.strict.checks import Call, as_dict, as_list, blocks, g_parts, parts, tools

ToolCalls = Mapping[str, Mapping[str, Any]]
"""Tool name -> arguments. Of several names the first that the request offers is called."""
_SAMPLES = {"string": "Bern", "integer": 3, "number": 1.5, "boolean": True, "array": [], "object": {}}
_RESULTS = ("function_call_output", "custom_tool_call_output")


@dataclass(frozen=True, slots=True)
class Reply:
    """What one answer holds: calls (name and arguments of each), or the text."""

    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    text: str = "ok"
    thinking: str = "why"


def _of_those(round_: Sequence[ToolCalls], offered: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    named = [[(name, one[name]) for name in one if name in offered][:1] for one in round_]
    return [each for found in named for each in found]


def lookups(count: int, thinking: str = "why") -> Reply:
    """An answer with that many calls of `lookup`; a text without any."""
    return Reply([("lookup", {"q": "x"})] * count, thinking=thinking)


@dataclass(slots=True)
class Script:
    """The answers of one model. Each round is the calls of one answer; once all have results, the text says them.

    `rounds` is None: one call of the first tool that is offered. `texts`: the answers without tools, one after the other, the
    last one again and again.
    """

    rounds: Sequence[Sequence[ToolCalls]] | None = None
    texts: list[str] | None = None
    thinking: str = "why"
    by_request: bool = False
    """For clients that send results as texts: each request gets the next round; after the last comes the first."""

    def reply(self, call: Call) -> Reply:
        """The answer to this request."""
        found = results(call)
        if self.texts:
            return Reply(text=self.texts.pop(0) if len(self.texts) > 1 else self.texts[0], thinking=self.thinking)
        calls = self._next_calls(call, len(found))
        text = f"The tool said: {' / '.join(found)}" if found else f"You said: {question(call)}"
        return Reply(calls, text, self.thinking)

    def _next_calls(self, call: Call, done: int) -> list[tuple[str, Mapping[str, Any]]]:
        offered = _offered(call)
        if self.rounds is None:
            return [(name, _arguments(schema)) for name, schema in list(offered.items())[:1]] if not done else []
        if self.by_request:
            self.rounds = [*self.rounds[1:], self.rounds[0]]
            return _of_those(self.rounds[-1], offered)
        for round_ in self.rounds:
            if done <= 0:
                return _of_those(round_, offered)
            done -= len(round_)
        return []


def unscripted(call: Call) -> Reply:
    """Calls `lookup` where it is offered, twice where the last message says "both"; a text once the history ends in results."""
    if "lookup" not in [name for name, *_ in tools(call)]:
        return lookups(0)
    seen = _history(call)
    last = json.dumps(seen[-1:])
    done = seen and (
        seen[-1].get("role") == "tool"
        or seen[-1].get("type") == "function_call_output"
        or any(kind in last for kind in ('"tool_result"', '"functionResponse"', '"toolResult"'))
    )
    return lookups(0 if done else 2 if "both" in last else 1)


def results(call: Call) -> list[str]:
    """The texts of all tool results in the history."""
    match call.dialect:
        case "openai_responses":
            return [_text(item.get("output")) for item in _history(call) if item.get("type") in _RESULTS]
        case "anthropic_messages":
            return [_text(block.get("content")) for block in blocks(call, "tool_result")]
        case "gemini":
            return [_of_gemini(as_dict(found.get("response"))) for found in g_parts(call, "functionResponse")]
        case _:
            return [_text(message.get("content")) for message in call.messages if message.get("role") == "tool"]


def question(call: Call) -> str:
    """The text of the last message of the user, and how many pictures the history has."""
    texts, images = [""], 0
    for message in _history(call):
        found = parts(message)
        images += sum(part.get("type") in ("image", "image_url", "input_image") or "inlineData" in part for part in found)
        if message.get("role", "user") == "user":
            texts.append(_text(message.get("content") if "content" in message else found))
    return texts[-1] + (f" ({images} images)" if images else "")


def _offered(call: Call) -> dict[str, Mapping[str, Any]]:
    """Name -> schema of the functions."""
    if call.dialect != "gemini":
        return {str(name): as_dict(schema) for name, schema, *_ in tools(call)}
    listed = [one for tool in as_list(call.body.get("tools")) for one in as_list(as_dict(tool).get("functionDeclarations"))]
    return {str(one.get("name")): as_dict(one.get("parametersJsonSchema") or one.get("parameters")) for one in listed}


def _history(call: Call) -> list[dict[str, Any]]:
    if call.dialect != "openai_responses":
        return call.messages
    given = call.body.get("input")
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else [{"content": given}]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(as_dict(part).get("text", "")) for part in as_list(content))


def _of_gemini(response: Mapping[str, Any]) -> str:
    for name in ("output", "result", "content"):
        if isinstance(response.get(name), str):
            return str(response[name])
    return json.dumps(response)


def _arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that fit the schema's required properties."""
    properties = as_dict(schema.get("properties"))
    wanted = as_list(schema.get("required")) or list(properties)
    return {name: _SAMPLES.get(str(as_dict(properties.get(name)).get("type", "string")).lower()) for name in wanted}
