"""Built-in tools that the client runs reach targets of other dialects as functions, and their calls come back in their own form."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest, Media, Text, Tool, ToolCall, ToolResult
from conduit_desktop.core.events import Event, Finished, Started, ToolCallDelta, ToolCallStarted
from conduit_desktop.wire import dialect
from conduit_desktop.wire.client_tools import FORMS, as_functions
from conduit_desktop.wire.expressed import expressed
from tests.wire.responses_frames import payloads

STREAM: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USER = {"role": "user", "content": "hi"}


def messages(tools: list[dict[str, Any]], *history: dict[str, Any]) -> ChatRequest:
    body = {"model": "m", "max_tokens": 9, "messages": [USER, *history], "tools": tools}
    return dialect("anthropic_messages").read_request(body, {})


def responses(tools: list[dict[str, Any]], *items: dict[str, Any], **fields: Any) -> ChatRequest:
    return dialect("openai_responses").read_request({"model": "m", "input": [USER, *items], "tools": tools, **fields}, {})


def functions(request: ChatRequest) -> dict[str, Tool]:
    return {tool.name: tool for tool in as_functions(request).tools if tool.kind == "function"}


@pytest.mark.parametrize(
    ("tool", "name", "properties", "lacks"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", {"command", "restart"}, set()),
        ({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9},
         "str_replace_based_edit_tool", {"command", "path", "old_str", "new_str", "insert_text", "insert_line"}, set()),
        ({"type": "text_editor_20250124", "name": "str_replace_editor"},
         "str_replace_editor", {"command", "new_str"}, {"insert_text"}),
        ({"type": "computer_20250124", "name": "computer", "display_width_px": 1024, "display_height_px": 768},
         "computer", {"action", "coordinate", "scroll_amount"}, {"region"}),
        ({"type": "computer_20251124", "name": "computer", "display_width_px": 1, "display_height_px": 2, "enable_zoom": True},
         "computer", {"region"}, set()),
        ({"type": "memory_20250818", "name": "memory"}, "memory", {"command", "path", "insert_text", "new_path"}, set()),
    ],
)  # fmt: skip
def test_anthropics_client_tools_are_functions_with_their_documented_parameters(
    tool: dict[str, Any], name: str, properties: set[str], lacks: set[str]
):
    found = functions(messages([tool]))[name]
    assert found.schema is not None
    assert properties <= found.schema["properties"].keys()
    assert not lacks & found.schema["properties"].keys()
    assert (found.type, found.extra) == (None, {})
    if name == "computer":
        assert f"{tool['display_width_px']} x {tool['display_height_px']}" in str(found.description)


def test_a_tool_that_runs_at_its_vendor_stays_hosted():
    request = messages([{"type": "web_search_20250305", "name": "web_search"}])
    assert as_functions(request) is request
    container = responses([{"type": "shell", "environment": {"type": "container_auto"}}, {"type": "web_search"}])
    assert as_functions(container) is container


def test_a_function_of_the_clients_own_keeps_its_name():
    request = responses([{"type": "shell"}, {"type": "function", "name": "shell", "parameters": {"type": "object"}}])
    assert [(tool.name, tool.kind) for tool in as_functions(request).tools] == [("shell", "hosted"), ("shell", "function")]


@pytest.mark.parametrize("target", ["openai_chat", "anthropic_messages", "gemini", "ollama", "cohere", "bedrock"])
@pytest.mark.parametrize("kind", list(FORMS))
def test_openais_client_tools_reach_every_dialect(target: str, kind: str):
    written = dialect(target).write_request(as_functions(responses([{"type": kind}])), "m")
    assert f'"{kind}"' in orjson.dumps(written.body).decode()
    assert [name for name in written.dropped if name.startswith("tools")] == []


def test_geminis_browser_is_functions_without_the_excluded_ones():
    body = {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"computerUse": {"environment": "ENVIRONMENT_BROWSER", "excludedPredefinedFunctions": ["drag_and_drop"]}}],
    }
    found = functions(dialect("gemini").read_request(body, {"model": "m"}))
    assert {"click_at", "navigate", "type_text_at"} <= found.keys()
    assert "drag_and_drop" not in found


HISTORY: list[tuple[dict[str, Any], dict[str, Any], str, Any, Any]] = [
    ({"type": "local_shell_call", "id": "lsh_1", "call_id": "c1", "status": "completed",
      "action": {"type": "exec", "command": ["ls", "-l"], "env": {}, "user": None}},
     {"type": "local_shell_call_output", "id": "lsh_1", "output": "total 0"},
     "local_shell", {"command": ["ls", "-l"], "env": {}}, [Text("total 0")]),
    ({"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"], "timeout_ms": 5}},
     {"type": "shell_call_output", "call_id": "c1",
      "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}},
                 {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}}]},
     "shell", {"commands": ["ls"], "timeout_ms": 5}, [Text("a\nexit code 1"), Text("timeout")]),
    ({"type": "apply_patch_call", "call_id": "c1", "operation": {"type": "delete_file", "path": "a"}},
     {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed", "output": "no such file"},
     "apply_patch", {"type": "delete_file", "path": "a"}, [Text("no such file")]),
    ({"type": "computer_call", "id": "cu_1", "call_id": "c1", "action": {"type": "click", "x": 1, "y": 2, "button": "left"}},
     {"type": "computer_call_output", "call_id": "c1",
      "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AAAA"}},
     "computer_use_preview", {"type": "click", "x": 1, "y": 2, "button": "left"},
     [Media("image", data="AAAA", media_type="image/png")]),
    ({"type": "computer_call", "call_id": "c1", "actions": [{"type": "wait"}]},
     {"type": "computer_call_output", "call_id": "c1", "output": {"type": "computer_screenshot", "image_url": "https://h/p"}},
     "computer", {"actions": [{"type": "wait"}]}, [Media("image", url="https://h/p")]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "output", "name", "arguments", "parts"), HISTORY, ids=[each[2] for each in HISTORY])
def test_calls_and_results_in_the_history_of_the_responses_api_are_calls_and_results(
    call: dict[str, Any], output: dict[str, Any], name: str, arguments: Any, parts: list[Any]
):
    _, said, answered = as_functions(responses([{"type": name}], call, output)).messages
    (called,) = said.parts
    assert isinstance(called, ToolCall)
    assert (said.role, called.id, called.name, orjson.loads(called.arguments)) == ("assistant", "c1", name, arguments)
    (result,) = answered.parts
    assert isinstance(result, ToolResult)
    assert (answered.role, result.call_id, result.parts) == ("tool", "c1", parts)
    assert bool(result.is_error) is (output.get("status") == "failed")


ARGUMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "local_shell": ({"command": ["ls"]}, {"action": {"type": "exec", "command": ["ls"], "env": {}}}),
    "shell": ({"commands": ["ls"], "timeout_ms": 7}, {"action": {"commands": ["ls"], "timeout_ms": 7}}),
    "apply_patch": (
        {"type": "update_file", "path": "a", "diff": "+x"}, {"operation": {"type": "update_file", "path": "a", "diff": "+x"}}
    ),
    "computer_use_preview": ({"type": "move", "x": 1, "y": 2}, {"action": {"type": "move", "x": 1, "y": 2}}),
    "computer": ({"actions": [{"type": "screenshot"}]}, {"actions": [{"type": "screenshot"}]}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ARGUMENTS))
def test_a_call_is_an_item_of_the_clients_own_tool_streamed_and_whole(name: str):
    given, held = ARGUMENTS[name]
    size = {"environment": "linux", "display_width": 9, "display_height": 9} if name == "computer_use_preview" else {}
    request = responses([{"type": name, **size}])
    text = orjson.dumps(given).decode()
    writer = dialect("openai_responses").writer(request)
    events: list[Event] = [
        Started("id", "m"), ToolCallStarted("c1", name), ToolCallDelta("c1", text[:5]), ToolCallDelta("c1", text[5:]),
        Finished("tool_calls"),
    ]  # fmt: skip
    frames = payloads(b"".join(writer.write(event) for event in events) + writer.end())
    for frame in frames:
        STREAM.validate_python(frame)
    (item,) = frames[-1]["response"]["output"]
    assert (item["type"], item["call_id"], item["status"]) == (FORMS[name].item, "c1", "completed")
    assert {key: item[key] for key in held} == held
    assert next(frame for frame in frames if frame["type"] == "response.output_item.done")["item"] == item
    whole = dialect("openai_responses").write_response(collect(events), request)
    Response.model_validate(whole)
    assert {key: whole["output"][0][key] for key in held} == held


def test_a_call_that_was_cut_off_is_incomplete():
    writer = dialect("openai_responses").writer(responses([{"type": "shell"}]))
    events: list[Event] = [
        Started("id", "m"), ToolCallStarted("c1", "shell"), ToolCallDelta("c1", '{"commands": ["l'), Finished("length")
    ]  # fmt: skip
    frames = payloads(b"".join(writer.write(event) for event in events) + writer.end())
    (item,) = frames[-1]["response"]["output"]
    assert (item["status"], item["action"]) == ("incomplete", {"commands": []})


def test_the_choice_of_a_built_in_tool_is_that_of_its_function():
    request = as_functions(responses([{"type": "shell"}], tool_choice={"type": "shell"}))
    assert request.tool_choice is not None
    assert (request.tool_choice.mode, request.tool_choice.name) == ("tool", "shell")


def test_what_anthropics_hosted_tools_found_is_text_for_others():
    found = {
        "type": "web_search_tool_result", "tool_use_id": "s1",
        "content": [{"type": "web_search_result", "url": "https://h", "title": "T", "encrypted_content": "x"}],
    }  # fmt: skip
    page = {
        "type": "web_fetch_tool_result", "tool_use_id": "s2",
        "content": {"type": "web_fetch_result", "url": "https://p",
                    "content": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "PAGE"}}},
    }  # fmt: skip
    ran = {
        "type": "bash_code_execution_tool_result", "tool_use_id": "s3",
        "content": {"type": "bash_code_execution_result", "stdout": "OUT", "stderr": "ERR", "return_code": 1},
    }  # fmt: skip
    call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
    history = {"role": "assistant", "content": [call, found, page, ran, {"type": "text", "text": "So."}]}
    request, _ = expressed(messages([], history, USER))
    texts = [part.text for part in request.messages[1].parts if isinstance(part, Text)]
    assert texts == ["Found on the web:\n- T (https://h)\n\n", "https://p:\nPAGE\n\n", "OUT\nERR\n\n", "So."]
    written = dialect("openai_chat").write_request(request, "m")
    assert any("server_tool_use" in name for name in written.dropped), "what is left out is named"
