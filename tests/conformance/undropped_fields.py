"""Finds request fields that have no effect on the upstream request and are not reported as dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import WrittenRequest

Fields = dict[str, Any]

_NEEDED = frozenset({"model", "messages", "input", "contents", "max_tokens", "system", "systemInstruction"})
"""Required fields, and the conversation, whose parts are reported one by one."""
_NESTED = ("generationConfig", "options")
"""Objects with fields that are at the top level in other dialects."""
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "candidateCount": (1,),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto",),
    "truncation": ("disabled",),
    "store": (True,),
    "think": (True,),
    "thinking": ({"type": "adaptive"},),
    "response_format": ({"type": "text"},),
    "responseMimeType": ("text/plain",),
    "text": ({"format": {"type": "text"}},),
}
"""Values that are the default, or that the gateway itself implements."""
_TOOLS = ("toolConfig", "parallel_tool_calls", "tools")


def undropped_fields(body: Fields, out: WrittenRequest, write: Callable[[Fields], WrittenRequest]) -> list[str]:
    """The fields without which `write` gives the same as `out`, and which `out` does not report as dropped."""
    named = {name.replace("[", ".").partition(".")[0] for name in out.dropped} | set(out.dropped)
    found = []
    for name, less in _without_each_field(body):
        try:
            same = named.isdisjoint({name, name.partition(".")[0]}) and write(less) == out
        except BadRequest:
            continue
        found += [name] * same
    return found


def _without_each_field(body: Fields) -> Iterator[tuple[str, Fields]]:
    """Each field that should have an effect, and the request without it."""
    for name, value in body.items():
        if name in _NESTED:
            for inner, held in value.items() if isinstance(value, dict) else ():
                if _has_effect(inner, held, value):
                    yield f"{name}.{inner}", {**body, name: _without(value, inner)}
        elif _has_effect(name, value, body):
            yield name, _without(body, name)


def _without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _has_effect(name: str, value: Any, among: Fields) -> bool:
    meaning = _meaning(value)
    if meaning is None or name in _NEEDED or meaning in _DEFAULTS.get(name, ()):
        return False
    if name in ("tool_choice", "function_call"):  # the second is the form before tools
        return _mode(value) not in ("auto", "none")
    if name in _TOOLS and not (among.get("tools") and _mode(among.get("tool_choice")) != "none"):
        return False
    if name == "functions" and "none" in (_mode(among.get("tool_choice")), _mode(among.get("function_call"))):
        return False  # as of tools: what must not be called may be left out
    if name == "tools" and all(set(tool.get("function") or tool) <= {"name", "type"} for tool in value):
        return False  # Converse requires a definition of every tool that the history calls
    if name in ("thinking", "output_config"):
        return not (among.get("thinking") and among.get("output_config"))  # either may express the same effort
    return not (name == "include" and set(meaning) == {"reasoning.encrypted_content"}) and name != "stream_options"


def _mode(choice: Any) -> Any:
    return choice.get("type") if isinstance(choice, dict) else choice


def _meaning(value: Any) -> Any:
    """A value without its empty, blank and false parts; None where nothing is left."""
    if isinstance(value, dict):
        held = {name: meaning for name, inner in value.items() if (meaning := _meaning(inner)) is not None}
        blank = any(_meaning(value[name]) is None for name in ("text", "tools") if name in value)
        return None if blank or not held else held
    if isinstance(value, list):
        return [meaning for inner in value if (meaning := _meaning(inner)) is not None] or None
    if isinstance(value, str):
        return value if value.strip() else None
    return value or None
