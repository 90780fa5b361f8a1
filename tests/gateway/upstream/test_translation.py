"""A request as it is prepared for one target: its turns and its tools as that target takes them, and the way back."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.core.events import Event, Finished, Started, ToolCallDelta, ToolCallStarted
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect

LONG = "mcp__very_long_server_name_for_enterprise_tools__search_documents_by_semantic_similarity"


def prepared(caller: str, body: dict[str, Any], kind: str, model: str = "m") -> PreparedRequest:
    """`body` of a caller's dialect, prepared for a model of a provider kind; the caller's own stays as it is."""
    provider = Provider(id="p", name="p", kind=kind, base_url="http://localhost:1/v1" if kind.endswith("compatible") else None)
    call = Call(dialect(caller), body, model, bool(body.get("stream")))
    before = copy.deepcopy(body)
    made = prepare(call, BoundTarget.of(BoundProvider(provider, bind(provider), ()), model), {}, ReasoningStore())
    assert body == before
    return made


def sent(caller: str, body: dict[str, Any], kind: str, model: str = "m") -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(prepared(caller, body, kind, model).body)
    return value


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "alias", "messages": list(messages), **fields}


def said(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


CLAUDE_CODE = {
    "model": "m",
    "max_tokens": 5,
    "system": "S",
    "messages": [said("user", "hi"), said("assistant", "yo"), said("system", "reminder"), said("user", "go")],
}
CODEX = {
    "model": "m",
    "instructions": "S",
    "input": [said("developer", "D"), said("user", "hi"), said("developer", "late"), said("user", "go")],
}


@pytest.mark.parametrize("kind", ["llamacpp", "lmstudio", "ollama", "vllm"])
@pytest.mark.parametrize(("caller", "body"), [("anthropic_messages", CLAUDE_CODE), ("openai_responses", CODEX)])
def test_a_local_server_gets_one_system_message_the_first(caller: str, body: dict[str, Any], kind: str):
    messages = sent(caller, body, kind, "qwen3.5")["messages"]
    assert [each["role"] for each in messages].count("system") == 1
    assert messages[0]["role"] == "system"
    assert messages[0]["content"] == ("S" if caller == "anthropic_messages" else "S\n\nD")
    assert "go" in str(messages[-1]["content"])
    assert "reminder" in str(messages) or "late" in str(messages)


def test_a_long_tool_name_is_short_upstream_and_whole_in_the_answer():
    body = {
        "model": "m", "max_tokens": 9, "messages": [said("user", "q")], "tool_choice": {"type": "tool", "name": LONG},
        "tools": [{"name": LONG, "input_schema": {"type": "object", "properties": {}}}],
    }  # fmt: skip
    request = prepared("anthropic_messages", body, "openai", "gpt-4o")
    out = orjson.loads(request.body)
    short = out["tools"][0]["function"]["name"]
    assert len(short) <= 64
    assert out["tool_choice"]["function"]["name"] == short

    events: list[Event] = [
        Started("id", "gpt-4o"), ToolCallStarted("c", short), ToolCallDelta("c", "{}"), Finished("tool_calls"),
    ]  # fmt: skip
    whole = orjson.loads(request.write_answer(events, b""))
    assert whole["content"][0]["name"] == LONG
    streamed = request.relay(dialect("anthropic_messages").writer(ChatRequest("anthropic_messages", "m", stream=True)))
    assert LONG in streamed.feed(b"", events, faulty=False).decode()


@pytest.mark.parametrize(("kind", "name"), [("anthropic", LONG), ("openai", "third.tool")])
def test_names_are_changed_only_where_the_target_refuses_them(kind: str, name: str):
    body = {
        "model": "m",
        "contents": [{"role": "user", "parts": [{"text": "q"}]}],
        "tools": [{"functionDeclarations": [{"name": name}]}],
    }
    tool = sent("gemini", body, kind, "m")["tools"][0]
    assert (tool.get("name") or tool["function"]["name"]) == (LONG if kind == "anthropic" else "third_tool_5bb5c64e3692")


LEGACY = chat(
    said("user", "FIRST"),
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "RESULT"},
    said("user", "SECOND"),
    functions=[{"name": "f", "description": "does f", "parameters": {"type": "object", "properties": {}}}],
    function_call="auto",
)


def test_functions_and_their_calls_reach_other_dialects_as_tools_in_order():
    out = sent("openai_chat", LEGACY, "anthropic", "claude-sonnet-4-5")
    assert [tool["name"] for tool in out["tools"]] == ["f"]
    first, call, last = out["messages"]
    assert first["content"] == "FIRST"
    assert [block["type"] for block in call["content"]] == ["tool_use"]
    assert last["content"][0]["tool_use_id"] == call["content"][0]["id"]
    assert [block.get("text") or block["content"] for block in last["content"]] == ["RESULT", "SECOND"]
    assert prepared("openai_chat", LEGACY, "anthropic", "claude-sonnet-4-5").dropped == []
    assert sent("openai_chat", LEGACY, "openai", "gpt-4o")["functions"] == LEGACY["functions"]


def test_a_client_that_sent_functions_gets_a_function_call():
    request = prepared("openai_chat", {**LEGACY, "stream": True}, "anthropic", "claude-sonnet-4-5")
    events: list[Event] = [
        Started("id", "m", dialect="anthropic_messages"), ToolCallStarted("a", "f"), ToolCallDelta("a", '{"x":1}'),
        ToolCallStarted("b", "f"), ToolCallDelta("b", "{}"), Finished("tool_calls"),
    ]  # fmt: skip
    choice = orjson.loads(request.write_answer(events, b""))["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"x":1}'}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    relay = request.relay(dialect("openai_chat").writer(request.call.neutral))
    streamed = (relay.feed(b"", events, faulty=False) + relay.end()).decode()
    assert '"function_call":{"name":"f","arguments":""}' in streamed
    assert '"finish_reason":"function_call"' in streamed
    assert "tool_calls" not in streamed


def test_passthrough_at_the_owner_of_the_dialect_goes_as_it_came():
    odd = chat(said("user", "a"), said("user", "b"), said("system", "late"), said("assistant", ""), said("user", "c"))
    assert sent("openai_chat", odd, "openai", "gpt-4o")["messages"] == odd["messages"]
    assert sent("openai_chat", odd, "openai-compatible", "gpt-4o")["messages"] == odd["messages"]


def test_passthrough_to_a_vendor_that_borrows_the_dialect_is_arranged_and_keeps_its_unknown_fields():
    call = {"id": "call_12345678", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    odd = chat(
        said("system", "S"),
        said("user", "q"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_12345678", "content": "r"},
        said("user", "stop"),
        safe_prompt=True,
        stream=True,
    )
    request = prepared("openai_chat", odd, "mistral", "mistral-large-latest")
    out = orjson.loads(request.body)
    assert request.passthrough
    assert out["safe_prompt"] is True
    assert out["model"] == "mistral-large-latest"
    assert [each["role"] for each in out["messages"]] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert out["messages"][3]["tool_call_id"] == out["messages"][2]["tool_calls"][0]["id"] != "call_12345678"


@pytest.mark.parametrize("kind", ["mistral", "perplexity", "llamacpp", "minimax", "moonshot", "zai"])
def test_passthrough_of_a_conversation_in_order_goes_as_it_came(kind: str):
    fine = chat(said("system", "S"), said("user", "q"), said("assistant", "a"), said("user", [{"type": "text", "text": "again"}]))
    assert sent("openai_chat", fine, kind)["messages"] == fine["messages"]


def test_a_long_tool_name_is_short_in_passthrough_to_a_vendor_with_a_limit_and_whole_in_its_answer():
    tool = {"type": "function", "function": {"name": LONG, "parameters": {"type": "object", "properties": {}}}}
    body = chat(said("user", "q"), tools=[tool], stream=True, x_more=1)
    request = prepared("openai_chat", body, "groq")
    out = orjson.loads(request.body)
    assert len(out["tools"][0]["function"]["name"]) <= 64
    assert out["x_more"] == 1
    assert sent("openai_chat", body, "openai-compatible")["tools"] == body["tools"]
    events: list[Event] = [
        Started("id", "m", extra={"x_groq": 1}, dialect="openai_chat"),
        ToolCallStarted("c", out["tools"][0]["function"]["name"]),
        Finished("tool_calls"),
    ]
    relay = request.relay(dialect("openai_chat").writer(request.call.neutral))
    streamed = relay.feed(b"", events, faulty=False).decode()
    assert LONG in streamed
    assert "x_groq" in streamed
    assert LONG in request.write_answer(events, b"{}").decode()


def test_ids_that_mistral_accepts_stay_in_passthrough():
    call = {"id": "aB3dE6gH9", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    fine = chat(
        said("user", "q"),
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "aB3dE6gH9", "content": "x"},
    )
    assert sent("openai_chat", fine, "mistral")["messages"] == fine["messages"]


def test_perplexity_gets_turns_that_alternate_and_end_with_the_user():
    odd = chat(said("user", "a"), said("system", "late"), said("user", "b"), said("assistant", "So"))
    messages = sent("openai_chat", odd, "perplexity", "sonar")["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize("kind", ["vllm", "openai-compatible", "nvidia"])
def test_mistrals_template_is_obeyed_wherever_the_model_is_served(kind: str):
    odd = chat(said("user", "a"), said("user", "b"), said("system", "late"))
    messages = sent("openai_chat", odd, kind, "mistralai/Mistral-Small-3.2")["messages"]
    assert [each["role"] for each in messages] == ["user"]


@pytest.mark.parametrize(
    ("kind", "roles"), [("deepseek", ["user", "assistant", "user"]), ("anthropic", ["user", "assistant", "system", "user"])]
)
def test_only_anthropic_gets_a_system_message_among_the_messages(kind: str, roles: list[str]):
    out = sent("anthropic_messages", CLAUDE_CODE, kind, "m")
    assert [each["role"] for each in out["messages"]] == roles
    assert out["system"] == "S"


def test_a_body_that_the_gateway_cannot_read_is_the_vendors_to_judge():
    odd = chat({"role": "robot", "content": "x"})
    assert sent("openai_chat", odd, "llamacpp")["messages"] == odd["messages"]


def test_a_shell_that_the_client_runs_reaches_another_vendor_and_is_called_in_the_clients_form():
    body = {"model": "m", "input": "hi", "tools": [{"type": "shell"}]}
    request = prepared("openai_responses", body, "anthropic", "claude-opus-5")
    (tool,) = orjson.loads(request.body)["tools"]
    assert (tool["name"], tool["input_schema"]["required"]) == ("shell", ["commands"])
    assert request.dropped == []
    events: list[Event] = [
        Started("id", "m"), ToolCallStarted("c", "shell"), ToolCallDelta("c", '{"commands":["ls"]}'), Finished("tool_calls"),
    ]  # fmt: skip
    (item,) = orjson.loads(request.write_answer(events, b""))["output"]
    assert (item["type"], item["action"]) == ("shell_call", {"commands": ["ls"]})


@pytest.mark.parametrize(("kind", "model", "own"), [("xai", "grok-4.5", False), ("openai", "gpt-5.1", True)])
def test_a_compaction_is_asked_of_a_vendor_that_knows_it_and_made_here_for_all_others(kind: str, model: str, own: bool):
    items = [said("user", "hi"), said("assistant", "yo"), {"type": "compaction_trigger"}]
    request = prepared("openai_responses", {"model": "m", "input": items, "store": False}, kind, model)
    assert request.passthrough is own
    assert (b"compaction_trigger" in request.body) is own
    assert request.upstream.name == ("openai_responses" if own else "openai_chat")


@pytest.mark.parametrize(("caller", "field"), [("openai_chat", "messages"), ("openai_responses", "input")])
def test_more_pictures_than_the_vendor_takes_are_refused_by_the_clients_field(caller: str, field: str):
    url = "data:image/png;base64,AAAA"
    part = {"type": "image_url", "image_url": {"url": url}} if field == "messages" else {"type": "input_image", "image_url": url}
    body = {"model": "m", field: [said("user", [part] * 101)]}
    with pytest.raises(BadRequest, match="Anthropic takes at most 100 images in a request, and this one has 101") as refusal:
        prepared(caller, body, "anthropic", "claude-sonnet-4-5")
    assert refusal.value.param == field


CUSTOM = {"type": "custom", "custom": {"name": "patch", "description": "Edits a file."}}
CUSTOM_CALL = {"id": "call_1", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}


@pytest.mark.parametrize("kind", ["deepseek", "mistral", "groq", "xai", "moonshot", "vllm", "ollama", "openrouter"])
def test_a_vendor_that_borrows_openais_chats_gets_functions_for_custom_tools(kind: str):
    result = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
    begun = said("assistant", None, tool_calls=[CUSTOM_CALL])
    choice = {"type": "custom", "custom": {"name": "patch"}}
    body = chat(said("user", "q"), begun, result, said("user", "go"), tools=[CUSTOM], tool_choice=choice)
    request = prepared("openai_chat", body, kind, "m")
    out = orjson.loads(request.body)
    (tool,) = out["tools"]
    assert tool["type"] == "function"
    assert tool["function"]["parameters"]["required"] == ["input"]
    (call,) = next(each for each in out["messages"] if each.get("tool_calls"))["tool_calls"]
    assert (call["type"], orjson.loads(call["function"]["arguments"])) == ("function", {"input": "*** Begin"})
    assert "custom" not in str(out)
    assert "tools.custom" in request.dropped


def test_openai_gets_custom_tools_as_they_came():
    body = chat(said("user", "q"), said("assistant", None, tool_calls=[CUSTOM_CALL]), tools=[CUSTOM])
    request = prepared("openai_chat", body, "openai", "gpt-4.1")
    assert orjson.loads(request.body) == {**body, "model": "gpt-4.1"}
    assert request.relays_answer


CALLED: list[Event] = [
    Started("c", dialect="openai_chat"),
    ToolCallStarted("call_2", "patch"),
    ToolCallDelta("call_2", '{"input":"*** \\u0'),
    ToolCallDelta("call_2", '041"}'),
    Finished("tool_calls", "tool_calls"),
]


@pytest.mark.parametrize("kind", ["deepseek", "gemini", "anthropic"])
def test_a_call_of_such_a_function_comes_back_as_the_clients_custom_call(kind: str):
    request = prepared("openai_chat", chat(said("user", "q"), tools=[CUSTOM]), kind)
    whole = orjson.loads(request.write_answer(list(CALLED), b""))
    assert whole["choices"][0]["message"]["tool_calls"] == [
        {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** A"}}
    ]
    relay = request.relay(request.call.dialect.writer(request.call.neutral))
    streamed = b"".join(relay.feed(b"", [event], False) for event in CALLED) + relay.end()
    chunks = [orjson.loads(line[6:]) for line in streamed.splitlines() if line.startswith(b"data: {")]
    calls = [call for chunk in chunks for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]
    assert calls[0]["type"] == "custom"
    assert "".join(call["custom"].get("input", "") for call in calls) == "*** A"
    assert all("function" not in call for call in calls)


@pytest.mark.parametrize("content", ["", [{"type": "text", "text": ""}]])
@pytest.mark.parametrize("kind", ["mistral", "moonshot"])
def test_a_conversation_of_an_empty_message_alone_is_sent_with_a_message(kind: str, content: Any):
    out = sent("openai_chat", chat(said("user", content)), kind)
    assert [each["role"] for each in out["messages"]] == ["user"]
    assert out["messages"][0]["content"]


def test_a_whole_answer_to_a_streamed_request_has_the_clients_own_names_of_tools():
    tool = {"type": "function", "function": {"name": LONG, "parameters": {"type": "object", "properties": {}}}}
    request = prepared("openai_chat", chat(said("user", "q"), tools=[tool], stream=True), "mistral")
    short = orjson.loads(request.body)["tools"][0]["function"]["name"]
    assert short != LONG
    relay = request.translated(request.call.dialect.writer(request.call.neutral))
    assert LONG.encode() in relay.feed(b"", [Started("c"), ToolCallStarted("call_1", short)], False)


ANTHROPICS = {
    "type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.example"],
    "user_location": {"type": "approximate", "country": "US"},
}  # fmt: skip
OPENAIS = {
    "type": "web_search", "filters": {"allowed_domains": ["a.example"]}, "search_context_size": "low",
    "user_location": {"type": "approximate", "country": "US"},
}  # fmt: skip


def searching(caller: str) -> dict[str, Any]:
    """A request of `caller` with its vendor's web search."""
    match caller:
        case "anthropic_messages":
            return {"model": "m", "max_tokens": 99, "messages": [said("user", "q")], "tools": [ANTHROPICS]}
        case "openai_responses":
            return {"model": "m", "input": [said("user", "q")], "tools": [OPENAIS]}
        case "openai_chat":
            place = {"type": "approximate", "approximate": {"country": "US"}}
            return chat(said("user", "q"), web_search_options={"search_context_size": "low", "user_location": place})
        case _:
            return {"model": "m", "contents": [{"role": "user", "parts": [{"text": "q"}]}], "tools": [{"googleSearch": {}}]}


@pytest.mark.parametrize("caller", ["anthropic_messages", "openai_responses", "openai_chat", "gemini"])
@pytest.mark.parametrize(("kind", "model"), [("openai", "gpt-4o"), ("openai", "gpt-5.2"), ("anthropic", "claude-sonnet-4-5")])
def test_a_web_search_reaches_the_vendors_that_have_one(caller: str, kind: str, model: str):
    request = prepared(caller, searching(caller), kind, model)
    if request.passthrough:
        pytest.skip("goes as it came")
    (tool,) = orjson.loads(request.body)["tools"]
    assert tool["type"] == ("web_search" if kind == "openai" else "web_search_20250305")
    assert request.upstream.name == ("openai_responses" if kind == "openai" else "anthropic_messages")
    if caller != "gemini":
        assert tool["user_location"] == {"type": "approximate", "country": "US"}
    if caller in ("anthropic_messages", "openai_responses"):
        assert (tool.get("filters") or tool)["allowed_domains"] == ["a.example"]
    lost = {"anthropic_messages": ["max_uses"], "gemini": []}.get(caller, ["search_context_size"] if kind == "anthropic" else [])
    assert [name.rpartition(".")[2] for name in request.dropped if name.startswith("tools")] == lost


def test_domains_that_a_search_leaves_out_are_sent_or_named():
    tool = {**ANTHROPICS, "allowed_domains": [], "blocked_domains": ["b.example"]}
    request = prepared("anthropic_messages", {**searching("anthropic_messages"), "tools": [tool]}, "openai", "gpt-5")
    assert "tools[web_search_20250305].blocked_domains" in request.dropped
    tool = {"type": "web_search", "filters": {"blocked_domains": ["b.example"]}}
    (made,) = sent("openai_responses", {**searching("openai_responses"), "tools": [tool]}, "anthropic", "claude-opus-4-8")["tools"]
    assert made == {"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["b.example"]}


@pytest.mark.parametrize(
    ("kind", "model"), [("openai", "gpt-4.1-nano"), ("openai", "o3-mini"), ("openai", "gpt-5.1-codex"), ("azure", "gpt-5.1-codex")]
)
def test_a_web_search_is_named_where_the_model_has_none(kind: str, model: str):
    request = prepared("anthropic_messages", searching("anthropic_messages"), kind, model)
    assert "tools" not in orjson.loads(request.body)
    assert any(name.startswith("tools[web_search") for name in request.dropped)


THINKING = {
    "anthropic_messages": {"model": "m", "max_tokens": 9000, "messages": [said("user", "q")], "thinking": {"type": "adaptive"}},
    "ollama": {"model": "m", "messages": [said("user", "q")], "think": True},
    "gemini": {
        "model": "m",
        "contents": [{"role": "user", "parts": [{"text": "q"}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": -1}},
    },
    "cohere": {"model": "m", "messages": [said("user", "q")], "thinking": {"type": "enabled"}},
}


@pytest.mark.parametrize("caller", THINKING)
@pytest.mark.parametrize(
    ("kind", "model", "effort"),
    [
        ("openai", "gpt-5.2", "medium"),
        ("azure", "gpt-5.1", "medium"),
        ("openrouter", "anthropic/claude-sonnet-4.5", "medium"),
        ("openrouter", "openai/gpt-5.4", "medium"),
        ("openai", "gpt-5", None),  # thinks without being asked
        ("openai", "gpt-4o", None),
    ],
)
def test_thinking_without_a_level_is_asked_of_a_model_that_would_not_think(caller: str, kind: str, model: str, effort: str | None):
    assert sent(caller, THINKING[caller], kind, model).get("reasoning_effort") == effort


@pytest.mark.parametrize("effort", ["low", "high"])
@pytest.mark.parametrize("model", ["anthropic/claude-3.7-sonnet", "anthropic/claude-haiku-4.5", "anthropic/claude-opus-4.1"])
def test_openrouter_takes_an_effort_for_every_claude_that_thinks(model: str, effort: str):
    request = prepared("openai_responses", {"model": "m", "input": "q", "reasoning": {"effort": effort}}, "openrouter", model)
    assert orjson.loads(request.body)["reasoning_effort"] == effort
    assert request.dropped == []


FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


@pytest.mark.parametrize(
    "tool",
    [{"type": "custom", "name": "patch"}, {"type": "namespace", "name": "ns", "description": "d", "tools": [FUNCTION]}],
)
def test_tools_of_codex_that_xai_does_not_have_go_to_its_chats_as_functions(tool: dict[str, Any]):
    body = {"model": "m", "input": [said("user", "q")], "tools": [FUNCTION, tool], "store": False}
    request = prepared("openai_responses", body, "xai", "grok-4.3")
    out = orjson.loads(request.body)
    assert (request.upstream.name, request.passthrough) == ("openai_chat", False)
    assert {each["type"] for each in out["tools"]} == {"function"}
    name = out["tools"][1]["function"]["name"]
    events: list[Event] = [Started("c"), ToolCallStarted("c1", name), ToolCallDelta("c1", '{"input":"x"}'), Finished("tool_calls")]
    (item,) = orjson.loads(request.write_answer(events, b""))["output"]
    if tool["type"] == "custom":
        assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "patch", "x")
    else:
        assert (item["type"], item["name"], item["namespace"]) == ("function_call", "f", "ns")


def test_a_request_of_codex_that_xai_takes_is_passed_through_without_what_it_refuses():
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "x"}
    union = {"type": "object", "oneOf": [{"properties": {"a": {"type": "string"}}}]}
    search = {"type": "web_search", "external_web_access": True}
    tools = [{**FUNCTION, "parameters": union}, search]
    body = {"model": "m", "input": [said("user", "q"), thought, said("user", "r")], "tools": tools}
    request = prepared("openai_responses", body, "xai", "grok-4.3")
    out = orjson.loads(request.body)
    assert request.passthrough
    assert out["tools"][1] == {"type": "web_search"}
    assert out["tools"][0]["parameters"] == {"type": "object", "properties": {"a": {"type": "string"}}}
    assert all(item.get("content", "") is not None for item in out["input"])
    assert request.dropped == ["tools.parameters.oneOf"]


def test_a_schema_with_alternatives_at_its_root_is_flattened_for_xais_chats():
    union = {"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}}]}
    tool = {"type": "function", "function": {"name": "f", "parameters": union}}
    out = sent("openai_chat", chat(said("user", "q"), tools=[tool]), "xai", "grok-4.3")
    assert "anyOf" not in out["tools"][0]["function"]["parameters"]


@pytest.mark.parametrize("kind", ["moonshot", "vllm", "deepseek", "mistral", "groq", "llamacpp"])
def test_functions_in_the_form_before_tools_reach_others_than_openai_as_tools(kind: str):
    body = sent("openai_chat", {**LEGACY, "function_call": {"name": "f"}}, kind, "x")
    assert not {"functions", "function_call"} & set(body)
    assert [(tool["type"], tool["function"]["name"]) for tool in body["tools"]] == [("function", "f")]
    assert body["tool_choice"] in ({"type": "function", "function": {"name": "f"}}, "required", "any")
    _, call, result, *_ = body["messages"]
    assert "function_call" not in call
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert result["role"] == "tool"


def test_openai_gets_the_form_before_tools_as_it_came():
    assert sent("openai_chat", LEGACY, "openai", "gpt-4o") == {**LEGACY, "model": "gpt-4o"}


@pytest.mark.parametrize("kind", ["xai", "groq", "cerebras", "fireworks", "vllm", "openai-compatible"])
def test_a_long_user_id_is_hashed_where_no_limit_of_the_vendor_is_known(kind: str):
    body = {"model": "m", "max_tokens": 5, "messages": [said("user", "hi")], "metadata": {"user_id": "u" * 170}}
    assert len(sent("anthropic_messages", body, kind).get("user", "")) in (0, 64)
    assert sent("openai_chat", chat(said("user", "hi"), user="u" * 170), kind).get("user") in (None, "u" * 170)


@pytest.mark.parametrize(
    ("caller", "name", "kind", "model", "refused"),
    [
        ("anthropic_messages", "container", "moonshot", "kimi-k2", True),
        ("anthropic_messages", "container", "zai", "glm-4.6", True),
        ("openai_responses", "conversation", "xai", "grok-4", True), ("openai_responses", "prompt", "groq", "m", True),
        ("anthropic_messages", "container", "anthropic", "claude-sonnet-4-5", False),
        ("openai_responses", "conversation", "openai", "gpt-5", False),
        ("openai_responses", "previous_response_id", "xai", "grok-4", False),
    ],
)  # fmt: skip
def test_an_object_that_another_provider_holds_is_refused_by_name_where_the_dialect_is_borrowed(
    caller: str, name: str, kind: str, model: str, refused: bool
):
    body = {"model": "m", "max_tokens": 5, ("input" if "responses" in caller else "messages"): [said("user", "hi")], name: "id_1"}
    call = Call(dialect(caller), body, model, stream=False, untranslatable=BadRequest("held elsewhere", param=name))
    bound = BoundProvider(provider := Provider(id="p", name="p", kind=kind), bind(provider), ())
    if refused:
        with pytest.raises(BadRequest, match="held elsewhere"):
            prepare(call, BoundTarget.of(bound, model), {}, ReasoningStore())
    else:
        assert prepare(call, BoundTarget.of(bound, model), {}, ReasoningStore()).passthrough


DOCUMENT = {
    "type": "document", "title": "My Title", "context": "C",
    "source": {"type": "text", "media_type": "text/plain", "data": "the text"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "model"),
    [("gemini", "gemini-2.5-flash"), ("cohere", "command-a-03-2025"), ("ollama", "qwen3"), ("openai", "gpt-4o"), ("mistral", "m")],
)
def test_a_document_of_text_keeps_its_title_and_its_context_is_named(kind: str, model: str):
    body = {"model": "m", "max_tokens": 5, "messages": [said("user", [DOCUMENT])]}
    made = prepared("anthropic_messages", body, kind, model)
    assert b"My Title" in made.body
    assert b"the text" in made.body
    assert "content.context" in made.dropped


@pytest.mark.parametrize(("kind", "model"), [("ollama", "qwen3"), ("cohere", "command-a-03-2025"), ("gemini", "gemini-2.5-flash")])
def test_a_file_of_text_goes_as_its_text_where_files_are_not_taken(kind: str, model: str):
    file = {"filename": "a.csv", "file_data": "data:text/csv;base64,aSxq"}
    made = prepared("openai_chat", chat(said("user", [{"type": "file", "file": file}])), kind, model)
    assert b"a.csv" in made.body
    assert b"i,j" in made.body
    assert made.dropped == []


@pytest.mark.parametrize("model", ["amazon.nova-pro-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"])
def test_the_detail_of_an_image_is_named_where_converse_has_none(model: str):
    url = {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}
    made = prepared("openai_chat", chat(said("user", [{"type": "image_url", "image_url": url}])), "bedrock", model)
    assert "image.detail" in made.dropped
