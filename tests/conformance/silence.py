"""What a caller asked for that has no effect on what is sent, and is not named as dropped either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import WrittenRequest

Fields = dict[str, Any]

_NEEDED = frozenset({"model", "messages", "input", "contents", "max_tokens", "system", "systemInstruction"})
"""What cannot be left out, and the conversation, whose parts are named one by one."""
_NESTED = ("generationConfig", "options")
"""Fields that hold what stands at the top elsewhere."""
_GRANTED: dict[str, tuple[Any, ...]] = {
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
"""What asks for nothing that is not so anyway, or that the house itself sees to."""
_TOOLS = ("toolConfig", "parallel_tool_calls", "tools")


def lost(body: Fields, out: WrittenRequest, write: Callable[[Fields], WrittenRequest]) -> list[str]:
    """The fields without which `write` sends the same as `out`, which does not name them."""
    named = {name.replace("[", ".").partition(".")[0] for name in out.dropped} | set(out.dropped)
    found = []
    for name, less in _lesser(body):
        try:
            same = named.isdisjoint({name, name.partition(".")[0]}) and write(less) == out
        except BadRequest:
            continue
        found += [name] * same
    return found


def _lesser(body: Fields) -> Iterator[tuple[str, Fields]]:
    """Each field that asks for something, and the request without it."""
    for name, value in body.items():
        if name in _NESTED:
            for inner, held in value.items() if isinstance(value, dict) else ():
                if _asks(inner, held, value):
                    yield f"{name}.{inner}", {**body, name: _without(value, inner)}
        elif _asks(name, value, body):
            yield name, _without(body, name)


def _without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name}


def _asks(name: str, value: Any, among: Fields) -> bool:
    core = _core(value)
    if core is None or name in _NEEDED or core in _GRANTED.get(name, ()):
        return False
    if name == "tool_choice":
        return _mode(value) not in ("auto", "none")
    if name in _TOOLS and not (among.get("tools") and _mode(among.get("tool_choice")) != "none"):
        return False
    if name == "tools" and all(set(tool.get("function") or tool) <= {"name", "type"} for tool in value):
        return False  # Converse is told of every tool that was called
    if name in ("thinking", "output_config"):
        return not (among.get("thinking") and among.get("output_config"))  # the one may say the same as the other
    return not (name == "include" and set(core) == {"reasoning.encrypted_content"}) and name != "stream_options"


def _mode(choice: Any) -> Any:
    return choice.get("type") if isinstance(choice, dict) else choice


def _core(value: Any) -> Any:
    """What a value says, without what is empty, blank or false; None where nothing is left."""
    if isinstance(value, dict):
        held = {name: core for name, inner in value.items() if (core := _core(inner)) is not None}
        blank = any(_core(value[name]) is None for name in ("text", "tools") if name in value)
        return None if blank or not held else held
    if isinstance(value, list):
        return [core for inner in value if (core := _core(inner)) is not None] or None
    if isinstance(value, str):
        return value if value.strip() else None
    return value or None
