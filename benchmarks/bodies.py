"""Request bodies of a given size: the history of a coding agent with its tools, as a client of each dialect sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import count

import orjson

SIZES = {"1 KB": 1_000, "200 KB": 200_000, "1 MB": 1_000_000}

Turn = tuple[str, str, Mapping[str, object], str]
"""What the assistant says, the tool it calls, the arguments, and the result."""

SYSTEM = (
    "You are a coding agent. Work in small steps, read a file before you change it, and run the tests after a change.\n"
    "# Rules\n- Do not change files outside the project.\n- Say in one sentence what you do next.\n"
)
TASK = "The test of the parser fails on an empty line. Find the cause, mend it, and add a test that shows it."
LINE = '    {at:>4}\tif line.strip() == "" and not self._open:  # an empty line ends the block, caf\u00e9 \u2713\n'
EDIT = '        if not line.strip():\n            return self._close("{at}")\n'
TOOLS: dict[str, tuple[str, dict[str, str]]] = {
    "read_file": ("Reads a part of a text file.", {"path": "string", "offset": "integer", "limit": "integer"}),
    "edit_file": ("Replaces a text in a file, once.", {"path": "string", "old": "string", "new": "string"}),
    "run": ("Runs a command in the project's folder.", {"command": "string", "timeout_s": "number"}),
    "search": ("Searches all files for a regular expression.", {"pattern": "string", "path": "string", "all": "boolean"}),
    "list_files": ("Lists the files of a folder.", {"path": "string", "depth": "integer"}),
    "fetch": ("Reads a web page as text.", {"url": "string", "question": "string"}),
    "plan": ("Writes down the steps that are left.", {"steps": "string", "done": "integer"}),
    "ask": ("Asks the user a question.", {"question": "string", "choices": "string"}),
}


def _turns() -> Iterator[Turn]:
    """The turns of an agent, without end: it reads, searches, edits and runs."""
    for at in count():
        path = f"src/parser/block_{at % 17}.py"
        lines = "".join(LINE.format(at=at * 40 + line) for line in range(40 + at * 7 % 80))
        yield f"I read {path}, where the block is closed.", "read_file", {"path": path, "offset": at * 40, "limit": 120}, lines
        found = "".join(f"src/parser/block_{file}.py:{file * 31 + at}: self._open = None\n" for file in range(at % 13))
        yield "Who else sets the mark?", "search", {"pattern": r"self\._open\s*=", "path": "src", "all": True}, found or "nothing"
        edit = {"path": path, "old": EDIT.format(at=at), "new": EDIT.format(at=at + 1) * (1 + at % 3)}
        yield "The empty line has to close it.", "edit_file", edit, "1 place changed."
        ran = "".join(f"tests/test_block_{test}.py {'.' * (test % 9)}  [{test * 4}%]\n" for test in range(6 + at % 19))
        yield "Now the tests.", "run", {"command": "pytest -q tests", "timeout_s": 120}, ran + "1 failed, 212 passed in 3.41s\n"


@cache
def body(dialect: str, size: int, model: str) -> bytes:
    """A request of `dialect` (`chat`, `messages`, `responses`) of `size` bytes, at most 1 % or 100 bytes more or less."""
    write, tools = _WRITERS[dialect], dict(list(TOOLS.items())[: 8 if size > 10_000 else 1])
    turns: list[Turn] = []
    length = len(orjson.dumps(write(model, turns, TASK, tools)))
    for turn in _turns():
        # The turns of a dialect take the same bytes wherever they stand.
        more = len(orjson.dumps(write(model, [turn], TASK, {}))) - len(orjson.dumps(write(model, [], TASK, {}))) + 1
        if length + more > size:
            break
        turns.append(turn)
        length += more
    # The rest is the user's text.
    padding = " Take your time." * (max(0, size - length) // 16)
    return orjson.dumps(write(model, turns, TASK + padding, tools))


def _schema(fields: Mapping[str, str]) -> dict[str, object]:
    properties = {name: {"type": kind, "description": f"The {name} of the call."} for name, kind in fields.items()}
    return {"type": "object", "properties": properties, "required": list(fields)[:1], "additionalProperties": False}


def _arguments(turn: Turn) -> str:
    return orjson.dumps(turn[2]).decode()


def _chat(model: str, turns: list[Turn], task: str, tools: Mapping[str, tuple[str, dict[str, str]]]) -> dict[str, object]:
    messages: list[object] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": task}]
    for at, turn in enumerate(turns):
        function = {"name": turn[1], "arguments": _arguments(turn)}
        call = {"id": f"call_{at:08}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": turn[0], "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": turn[3]})
    functions = [
        {"type": "function", "function": {"name": name, "description": about, "parameters": _schema(fields)}}
        for name, (about, fields) in tools.items()
    ]
    return {"model": model, "messages": messages, "tools": functions, "max_tokens": 4096, "temperature": 0.2}


def _messages(model: str, turns: list[Turn], task: str, tools: Mapping[str, tuple[str, dict[str, str]]]) -> dict[str, object]:
    messages: list[object] = [{"role": "user", "content": [{"type": "text", "text": task}]}]
    for at, turn in enumerate(turns):
        call = {"type": "tool_use", "id": f"toolu_{at:08}", "name": turn[1], "input": turn[2]}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": [{"type": "text", "text": turn[3]}]}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": turn[0]}, call]})
        messages.append({"role": "user", "content": [result]})
    functions = [{"name": name, "description": about, "input_schema": _schema(fields)} for name, (about, fields) in tools.items()]
    system = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    return {"model": model, "system": system, "messages": messages, "tools": functions, "max_tokens": 4096, "temperature": 0.2}


def _responses(model: str, turns: list[Turn], task: str, tools: Mapping[str, tuple[str, dict[str, str]]]) -> dict[str, object]:
    items: list[object] = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": task}]}]
    for at, turn in enumerate(turns):
        called = f"call_{at:08}"
        items.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": turn[0]}]})
        items.append({"type": "function_call", "call_id": called, "name": turn[1], "arguments": _arguments(turn)})
        items.append({"type": "function_call_output", "call_id": called, "output": turn[3]})
    functions = [
        {"type": "function", "name": name, "description": about, "parameters": _schema(fields)}
        for name, (about, fields) in tools.items()
    ]
    return {
        "model": model, "instructions": SYSTEM, "input": items, "tools": functions, "max_output_tokens": 4096, "store": False,
    }  # fmt: skip


_WRITERS: dict[str, Callable[[str, list[Turn], str, Mapping[str, tuple[str, dict[str, str]]]], dict[str, object]]] = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
}
