"""Built-in tools that the client itself runs (a shell, an editor, a computer), as functions for targets of other dialects.

Their vendor's models know them by their type alone; every other model needs the parameters, which are those of the vendor's
documentation. Anthropic's and Gemini's calls are calls of functions already. OpenAI's are items of their own: `CallForm` makes a
call's item out of the arguments, and the arguments out of an item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, Opaque, Part, Text, Tool, ToolCall, ToolChoice, ToolResult

Fields = dict[str, Json]
_ANTHROPIC, _RESPONSES, _GEMINI = "anthropic_messages", "openai_responses", "gemini"


def _object(required: tuple[str, ...], **properties: Json) -> Fields:
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def _text(description: str) -> Fields:
    return {"type": "string", "description": description}


def _texts(description: str) -> Fields:
    return {"type": "array", "items": {"type": "string"}, "description": description}


def _one_of(*words: str) -> Fields:
    return {"type": "string", "enum": list(words)}


_NUMBER: Fields = {"type": "integer"}
_FLAG: Fields = {"type": "boolean"}
_POINT: Fields = {"type": "array", "items": _NUMBER, "description": "[x, y] in pixels"}


# ---- Anthropic: https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#client-tools


def _bash(tool: Tool, version: int) -> Tool:
    schema = _object((), command=_text("The command to run."), restart={**_FLAG, "description": "Start the shell anew."})
    return replace(tool, description="Runs a command in a bash session that is kept between the calls.", schema=schema)


def _editor(tool: Tool, version: int) -> Tool:
    commands = ["view", "create", "str_replace", "insert", *(["undo_edit"] if version < 20250429 else [])]
    inserted = "insert_text" if version >= 20250728 else "new_str"
    properties: Fields = {
        "command": _one_of(*commands),
        "path": _text("The path of a file or directory."),
        "view_range": {"type": "array", "items": _NUMBER, "description": "For `view`: the first and the last line; -1: the end."},
        "file_text": _text("For `create`: the content of the file."),
        "old_str": _text("For `str_replace`: the text to replace, which must occur once."),
        "new_str": _text("For `str_replace`: the new text."),
        "insert_line": {**_NUMBER, "description": "For `insert`: the number of the line to insert after; 0: the beginning."},
    }
    properties[inserted] = _text(
        "For `insert`: the text." if inserted == "insert_text" else "For `str_replace`, `insert`: the new text."
    )
    schema = _object(("command", "path"), **properties)
    extra = {name: value for name, value in tool.extra.items() if name != "max_characters"}
    return replace(tool, description="Views, creates and edits text files.", schema=schema, extra=extra)


_ACTIONS = (
    "key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click", "double_click", "screenshot",
    "cursor_position",
)  # fmt: skip
_ACTIONS_2025 = ("left_mouse_down", "left_mouse_up", "scroll", "hold_key", "wait", "triple_click")


def _computer(tool: Tool, version: int) -> Tool:
    extra = dict(tool.extra)
    width, height = extra.pop("display_width_px", None), extra.pop("display_height_px", None)
    extra.pop("display_number", None)
    zoom = ("zoom",) if extra.pop("enable_zoom", False) else ()
    actions = (*_ACTIONS, *(_ACTIONS_2025 if version >= 20250124 else ()), *zoom)
    properties: Fields = {
        "action": _one_of(*actions),
        "coordinate": _POINT,
        "text": _text("For `type`: the text; for `key` and `hold_key`: the keys, as `ctrl+s`; for clicks: the keys held down."),
    }
    if version >= 20250124:
        properties |= {
            "start_coordinate": _POINT,
            "scroll_direction": _one_of("up", "down", "left", "right"),
            "scroll_amount": _NUMBER,
            "duration": {"type": "number", "description": "Seconds, for `hold_key` and `wait`."},
        }
    if zoom:
        properties["region"] = {"type": "array", "items": _NUMBER, "description": "For `zoom`: [x0, y0, x1, y1]."}
    text = f"Controls a computer with a display of {width} x {height} pixels; `screenshot` shows it."
    return replace(tool, description=text, schema=_object(("action",), **properties), extra=extra)


def _memory(tool: Tool, version: int) -> Tool:
    schema = _object(
        ("command",),
        command=_one_of("view", "create", "str_replace", "insert", "delete", "rename"),
        path=_text("A path below /memories."),
        view_range={"type": "array", "items": _NUMBER},
        file_text=_text("For `create`: the content."),
        old_str=_text("For `str_replace`."),
        new_str=_text("For `str_replace`."),
        insert_line=_NUMBER,
        insert_text=_text("For `insert`."),
        old_path=_text("For `rename`."),
        new_path=_text("For `rename`."),
    )
    text = "Keeps files below /memories between conversations. Look there for earlier progress first, and note what matters later."
    return replace(tool, description=text, schema=schema)


_BY_TYPE: tuple[tuple[re.Pattern[str], str, Callable[[Tool, int], Tool]], ...] = (
    (re.compile(r"bash_(\d{8})"), "bash", _bash),
    (re.compile(r"text_editor_(\d{8})"), "str_replace_based_edit_tool", _editor),
    (re.compile(r"computer_(\d{8})"), "computer", _computer),
    (re.compile(r"memory_(\d{8})"), "memory", _memory),
)


def _of_anthropic(tool: Tool) -> list[Tool]:
    for pattern, name, build in _BY_TYPE:
        if (found := pattern.fullmatch(tool.type or "")) is not None:
            built = build(replace(tool, name=tool.name or name), int(found[1]))
            return [replace(built, kind="function", type=None)]
    return []


# ---- Gemini: https://ai.google.dev/gemini-api/docs/computer-use. Coordinates are thousandths of the screen.

_AT: Fields = {"x": _NUMBER, "y": _NUMBER}
_DIRECTION = _one_of("up", "down", "left", "right")
_BROWSER: Mapping[str, Fields] = {
    "open_web_browser": _object(()),
    "wait_5_seconds": _object(()),
    "go_back": _object(()),
    "go_forward": _object(()),
    "search": _object(()),
    "navigate": _object(("url",), url=_text("The address.")),
    "click_at": _object(("x", "y"), **_AT),
    "hover_at": _object(("x", "y"), **_AT),
    "type_text_at": _object(("x", "y", "text"), **_AT, text=_text(""), press_enter=_FLAG, clear_before_typing=_FLAG),
    "key_combination": _object(("keys",), keys=_text("As `control+c`.")),
    "scroll_document": _object(("direction",), direction=_DIRECTION),
    "scroll_at": _object(("x", "y", "direction"), **_AT, direction=_DIRECTION, magnitude=_NUMBER),
    "drag_and_drop": _object(
        ("x", "y", "destination_x", "destination_y"), **_AT, destination_x=_NUMBER, destination_y=_NUMBER
    ),
}  # fmt: skip


def _of_gemini(tool: Tool) -> list[Tool]:
    if tool.type != "computerUse":
        return []
    excluded = tool.extra.get("excludedPredefinedFunctions") or ()
    text = "Browser: {}. Coordinates are integers from 0 to 999 across the screen."
    return [Tool(name, text.format(name), schema) for name, schema in _BROWSER.items() if name not in excluded]


# ---- OpenAI: https://platform.openai.com/docs/guides/tools-local-shell, tools-shell, tools-apply-patch, tools-computer-use


@dataclass(frozen=True, slots=True)
class CallForm:
    """One of OpenAI's tools: a call is an `item`, its result an `<item>_output`, and the arguments are in the item's `holder`."""

    item: str
    holder: str
    description: str
    schema: Fields
    empty: Fields
    """The holder of a call whose arguments have not come yet."""
    fixed: Fields
    """What the holder has besides the arguments."""
    more: Fields
    """What the item has besides the holder."""

    def holder_of(self, arguments: str) -> Json:
        """The holder's value from a call's arguments (JSON text); raises ValueError for arguments that are no object."""
        value = orjson.loads(arguments or "{}")
        if not isinstance(value, dict):
            raise ValueError("the arguments are no object")
        if self.holder == "actions":
            return value.get("actions") or []
        return {**self.empty, **self.fixed, **value}

    def arguments_of(self, item: Mapping[str, Json]) -> str:
        """A call's arguments from its item."""
        held = item.get(self.holder)
        if self.holder == "actions":
            return orjson.dumps({"actions": held or []}).decode()
        fields = held if isinstance(held, dict) else {}
        return orjson.dumps(
            {name: value for name, value in fields.items() if name not in self.fixed and value is not None}
        ).decode()


_ACTION = _object(
    ("type",),
    type=_one_of("click", "double_click", "drag", "keypress", "move", "screenshot", "scroll", "type", "wait"),
    x=_NUMBER,
    y=_NUMBER,
    button=_one_of("left", "right", "wheel", "back", "forward"),
    path={"type": "array", "items": _object(("x", "y"), x=_NUMBER, y=_NUMBER), "description": "For `drag`."},
    keys=_texts("For `keypress`."),
    scroll_x=_NUMBER,
    scroll_y=_NUMBER,
    text=_text("For `type`."),
)
_SEES = "Controls a computer; its result is a picture of the screen."
FORMS: Mapping[str, CallForm] = {
    "local_shell": CallForm(
        "local_shell_call", "action", "Runs a command on the user's machine.",
        _object(
            ("command",), command=_texts("The program and its arguments."), working_directory=_text("Where it runs."),
            timeout_ms=_NUMBER, env={"type": "object", "additionalProperties": {"type": "string"}},
        ),
        {"command": [], "env": {}}, {"type": "exec"}, {},
    ),
    "shell": CallForm(
        "shell_call", "action", "Runs shell commands on the user's machine.",
        _object(
            ("commands",), commands=_texts("Commands, run in order."), timeout_ms=_NUMBER,
            max_output_length={**_NUMBER, "description": "The most characters of output that are wanted."},
        ),
        {"commands": []}, {}, {},
    ),
    "apply_patch": CallForm(
        "apply_patch_call", "operation",
        "Changes one file. `diff` is a V4A diff: lines of context begin with a blank, removed ones with -, added ones with +, and "
        "@@ names the class or function that they are in. A new file has added lines alone.",
        _object(
            ("type", "path"), type=_one_of("create_file", "update_file", "delete_file"), path=_text("The file."),
            diff=_text("Not for `delete_file`."),
        ),
        {"type": "update_file", "path": "", "diff": ""}, {}, {},
    ),
    "computer_use_preview": CallForm(
        "computer_call", "action", _SEES, _ACTION, {"type": "screenshot"}, {}, {"pending_safety_checks": []}
    ),
    "computer": CallForm(
        "computer_call", "actions", _SEES,
        _object(("actions",), actions={"type": "array", "items": _ACTION, "description": "Actions, done in order."}),
        {}, {}, {"pending_safety_checks": []},
    ),
}  # fmt: skip
"""By the type of the tool, which is the name of its function as well."""
_SETTINGS = frozenset({"environment", "allowed_callers", "display_width", "display_height"})
"""Settings of these tools that say nothing to another model, or are in the description."""


def _of_openai(tool: Tool) -> list[Tool]:
    form = FORMS.get(tool.type or "")
    environment = tool.extra.get("environment")
    # A container of OpenAI's runs the commands there: that is a hosted tool.
    if form is None or (isinstance(environment, dict) and environment.get("type") != "local"):
        return []
    width, height = tool.extra.get("display_width"), tool.extra.get("display_height")
    size = f" The display has {width} x {height} pixels." if width and height else ""
    extra = {name: value for name, value in tool.extra.items() if name not in _SETTINGS}
    return [Tool(str(tool.type), form.description + size, form.schema, extra=extra)]


_OF: Mapping[str, Callable[[Tool], list[Tool]]] = {_ANTHROPIC: _of_anthropic, _GEMINI: _of_gemini, _RESPONSES: _of_openai}


def own_forms(request: ChatRequest) -> dict[str, CallForm]:
    """By the name of their function, OpenAI's tools of a request of the Responses API that are called in items of their own."""
    if request.dialect != _RESPONSES:
        return {}
    taken = {tool.name for tool in request.tools if tool.kind != "hosted"}
    return {
        name: FORMS[name]
        for tool in request.tools
        if tool.kind == "hosted" and (name := tool.type or "") not in taken and _of_openai(tool)
    }


def as_functions(request: ChatRequest) -> ChatRequest:
    """`request` with the client's built-in tools, their calls and results as functions; the same object where there are none.

    A tool whose name a function of the client's own has already stays hosted, as does one that runs at its vendor.
    """
    build = _OF.get(request.dialect)
    if build is None or (not request.tools and request.dialect != _RESPONSES):
        return request
    taken = {tool.name for tool in request.tools if tool.kind != "hosted"}
    tools: list[Tool] = []
    for tool in request.tools:
        made = [one for one in build(tool) if one.name not in taken] if tool.kind == "hosted" else []
        tools += made or [tool]
    messages = _called(request.messages) if request.dialect == _RESPONSES else request.messages
    same = len(tools) == len(request.tools) and all(new is old for new, old in zip(tools, request.tools, strict=True))
    if same and messages is request.messages:
        return request
    choice = request.tool_choice
    if choice is not None and choice.mode == "auto" and choice.extra.get("type") in FORMS and request.dialect == _RESPONSES:
        choice = ToolChoice("tool", choice.extra["type"])
    return replace(request, tools=tools, messages=messages, tool_choice=choice)


_BY_ITEM = {form.item: (name, form) for name, form in reversed(list(FORMS.items()))}


def _called(messages: list[Message]) -> list[Message]:
    """The messages with the items of calls and results as calls and results; the same list where there are none."""
    calls: dict[str, str] = {}
    made = [_with_calls(message, calls) if Opaque in map(type, message.parts) else message for message in messages]
    return messages if all(new is old for new, old in zip(made, messages, strict=True)) else made


def _with_calls(message: Message, calls: dict[str, str]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Opaque) and part.dialect == _RESPONSES and isinstance(part.value, dict):
            call = _call(part.value, calls) or _result(part.value, calls)
            parts.append(part if call is None else call)
        else:
            parts.append(part)
    if all(new is old for new, old in zip(parts, message.parts, strict=True)):
        return message
    # A result is an item of its own.
    return replace(message, parts=parts, role="tool" if isinstance(parts[0], ToolResult) else message.role)


def _call(item: Mapping[str, Any], calls: dict[str, str]) -> ToolCall | None:
    known = _BY_ITEM.get(str(item.get("type")))
    call_id = item.get("call_id") or item.get("id")
    if known is None or not isinstance(call_id, str):
        return None
    name, form = known
    if form.item == "computer_call" and "actions" in item:
        name, form = "computer", FORMS["computer"]
    # The result of a local shell names the item of its call.
    calls[str(item.get("id"))] = call_id
    return ToolCall(call_id, name, form.arguments_of(item))


def _result(item: Mapping[str, Any], calls: dict[str, str]) -> ToolResult | None:
    kind = str(item.get("type"))
    if not kind.endswith("_output") or kind.removesuffix("_output") not in _BY_ITEM:
        return None
    call_id = item.get("call_id") or item.get("id")
    if not isinstance(call_id, str):
        return None
    failed = True if item.get("status") == "failed" else None
    return ToolResult(calls.get(call_id, call_id), _output(item.get("output")), is_error=failed)


def _output(output: Json) -> list[Part]:
    if isinstance(output, str):
        return [Text(output)] if output else []
    if isinstance(output, dict):
        url, file_id = output.get("image_url"), output.get("file_id")
        data = re.fullmatch(r"data:([\w/+.-]+);base64,(.+)", url, re.DOTALL) if isinstance(url, str) else None
        if data is not None:
            return [Media("image", data=data[2], media_type=data[1])]
        if isinstance(url, str):
            return [Media("image", url=url)]
        return [Media("image", file_id=file_id)] if isinstance(file_id, str) else []
    commands = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
    return [Text(text) for one in commands if (text := _command_output(one))]


def _command_output(one: Mapping[str, Any]) -> str:
    outcome = one.get("outcome")
    ended = outcome if isinstance(outcome, dict) else {}
    end = "timeout" if ended.get("type") == "timeout" else f"exit code {ended['exit_code']}" if "exit_code" in ended else ""
    return "\n".join(text for text in (one.get("stdout"), one.get("stderr"), end) if text)
