"""Passthrough to another model than the client wrote for: a failover, or an override of the operator, ends in no refusal."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.events import Finished, ThinkingDelta, ThinkingSigned, ToolCallDelta, ToolCallStarted
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.strict.checks import Call as VendorCall
from tests.fakes.strict.checks import broken
from tests.fakes.vendor import Vendor

USER = {"role": "user", "content": "q"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
CALLED = [
    {"role": "user", "parts": [{"text": "q"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"ok": 1}}}]},
]
ASKED = [CALLED[0]]
FUNCTIONS = [{"functionDeclarations": [{"name": "f"}]}]


def prepared(
    caller: str, body: dict[str, Any], kind: str, model: str, written_for: str | None, **overrides: Any
) -> PreparedRequest:
    """`body`, which a client wrote for one model, prepared for another; the client's own stays as it is."""
    provider = Provider(id="p", name="p", kind=kind, base_url="https://r.openai.azure.com" if kind == "azure" else None)
    call = Call(dialect(caller), body, model, bool(body.get("stream")))
    before = copy.deepcopy(body)
    target = BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)
    made = prepare(call, target, overrides, ReasoningStore(), written_for)
    assert body == before
    return made


def refused(request: PreparedRequest, kind: str, model: str) -> list[str]:
    """The rules of the strict vendor that the request breaks."""
    call = VendorCall(kind, request.upstream.name, model, orjson.loads(request.body), {})
    return [rule["id"] for rule in broken(call)]


CHATS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("gpt-4o", "o3", {"max_tokens": 9, "temperature": 0.2, "stop": ["x"]}, {"max_completion_tokens": 9}),
    ("gpt-4o", "gpt-5", {"max_tokens": 9, "top_p": 0.5, "presence_penalty": 1}, {"max_completion_tokens": 9}),
    ("gpt-5", "gpt-4o", {"reasoning_effort": "minimal", "max_completion_tokens": 64_000}, {"max_completion_tokens": 16_384}),
    ("gpt-5", "o3", {"reasoning_effort": "minimal", "verbosity": "low"}, {"reasoning_effort": "low"}),
    ("gpt-5.1", "gpt-5", {"reasoning_effort": "none", "temperature": 0.3}, {"reasoning_effort": "minimal"}),
]


@pytest.mark.parametrize("kind", ["openai", "azure"])
@pytest.mark.parametrize(("first", "model", "fields", "left"), CHATS)
def test_a_chat_for_one_openai_model_is_fitted_to_another(
    kind: str, first: str, model: str, fields: dict[str, Any], left: dict[str, Any]
):
    body = {"model": "alias", "messages": [USER], "service_tier": "auto", **fields}
    request = prepared("openai_chat", body, kind, model, first)
    assert request.passthrough
    assert orjson.loads(request.body) == {"model": model, "messages": [USER], "service_tier": "auto", **left}
    assert refused(request, kind, model) == []
    lost = fields.keys() - left.keys() - {"max_tokens"}
    assert lost <= {*request.dropped}, "what was left out is named"


def test_the_model_that_the_client_wrote_for_gets_what_it_wrote():
    body = {"model": "alias", "messages": [USER], "max_completion_tokens": 9, "temperature": 0.2, "reasoning_effort": "none"}
    for written_for in (None, "o3"):
        request = prepared("openai_chat", body, "openai", "o3", written_for)
        assert orjson.loads(request.body) == {**body, "model": "o3"}
        assert request.dropped == []


@pytest.mark.parametrize(
    ("kind", "model"), [("openai", "gpt-5.4"), ("azure", "o3"), ("openai", "gpt-4o"), ("openai", "gpt-5-chat-latest")]
)
def test_a_limit_of_output_has_the_name_that_the_model_takes(kind: str, model: str):
    """OpenCode and Qwen Code know OpenAI's API, and not the model behind an alias."""
    body = {"model": "alias", "messages": [USER], "max_tokens": 9}
    request = prepared("openai_chat", body, kind, model, model)
    assert refused(request, kind, model) == []
    sent = orjson.loads(request.body)
    assert [sent[name] for name in ("max_tokens", "max_completion_tokens") if name in sent] == [9]
    assert ("max_tokens" in sent) is ("4o" in model or "chat" in model)
    assert request.dropped == []


def test_tools_for_a_model_that_has_them_in_the_responses_api_alone_are_translated():
    body = {"model": "alias", "messages": [USER], "tools": [TOOL], "temperature": 0.2}
    request = prepared("openai_chat", body, "openai", "gpt-5.6", "gpt-4o")
    assert (request.upstream.name, request.passthrough) == ("openai_responses", False)
    assert refused(request, "openai", "gpt-5.6") == []
    assert prepared("openai_chat", body, "openai", "gpt-5.6", "gpt-5.6").passthrough


def test_thoughts_stay_away_from_a_model_that_does_not_reason():
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAstrict"}
    body = {
        "model": "alias", "input": [{"role": "user", "content": "q"}, thought, {"role": "assistant", "content": "a"}],
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"], "reasoning": {"effort": "low"},
        "text": {"verbosity": "low"}, "store": False, "max_output_tokens": 99_000,
    }  # fmt: skip
    request = prepared("openai_responses", body, "openai", "gpt-4o", "gpt-5")
    assert orjson.loads(request.body) == {
        "model": "gpt-4o", "input": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
        "include": ["message.output_text.logprobs"], "store": False, "max_output_tokens": 16_384,
    }  # fmt: skip
    assert {"reasoning", "reasoning.effort", "verbosity"} & {*request.dropped} >= {"reasoning", "verbosity"}
    kept = prepared("openai_responses", body, "openai", "gpt-5.1", "gpt-5")
    assert orjson.loads(kept.body)["input"] == body["input"], "a model that reasons gets them"


GEMINI: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("gemini-2.5-flash", "gemini-3-pro", {"thinkingConfig": {"thinkingBudget": 1024}},
     {"thinkingConfig": {"thinkingLevel": "low"}}),
    ("gemini-3-pro", "gemini-2.5-flash", {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True}},
     {"thinkingConfig": {"thinkingBudget": 24_576, "includeThoughts": True}}),
    ("gemini-3-pro", "gemini-2.0-flash", {"thinkingConfig": {"thinkingLevel": "low"}, "maxOutputTokens": 60_000},
     {"maxOutputTokens": 8192}),
    ("gemini-2.5-pro", "gemini-3-pro", {"presence_penalty": 1, "thinking_config": {"thinking_budget": 30_000}},
     {"thinkingConfig": {"thinkingLevel": "high"}}),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
@pytest.mark.parametrize(("first", "model", "config", "left"), GEMINI)
def test_a_request_for_one_gemini_generation_is_fitted_to_another(
    kind: str, first: str, model: str, config: dict[str, Any], left: dict[str, Any]
):
    key = "generation_config" if any("_" in name for name in config) else "generationConfig"
    body = {"contents": ASKED, key: config, "labels": {"a": "b"}}
    request = prepared("gemini", body, kind, model, first)
    assert orjson.loads(request.body) == {"contents": ASKED, "generationConfig": left, "labels": {"a": "b"}}
    assert refused(request, kind, model) == []
    assert orjson.loads(prepared("gemini", body, kind, model, model).body) == body


@pytest.mark.parametrize("kind", ["gemini", "vertex"])
def test_calls_of_an_older_gemini_are_signed_for_a_newer_one(kind: str):
    body = {"contents": CALLED, "tools": FUNCTIONS}
    assert refused(prepared("gemini", body, kind, "gemini-3-pro", "gemini-3-pro"), kind, "gemini-3-pro"), "the vendor's own refusal"
    request = prepared("gemini", body, kind, "gemini-3-pro", "gemini-2.5-pro")
    assert refused(request, kind, "gemini-3-pro") == []
    part = orjson.loads(request.body)["contents"][1]["parts"][0]
    assert part == {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"}


@pytest.mark.parametrize("kind", ["anthropic", "vertex"])
def test_a_request_for_one_claude_is_fitted_to_another(kind: str):
    body = {
        "model": "alias", "max_tokens": 64_000, "messages": [USER], "temperature": 1, "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 9_000},
    }  # fmt: skip
    newer = orjson.loads(prepared("anthropic_messages", body, kind, "claude-opus-4-7", "claude-opus-4-5").body)
    assert newer["thinking"] == {"type": "adaptive"}
    assert newer["output_config"]["effort"] in ("medium", "high")
    assert newer["metadata"] == {"user_id": "u"}
    older = {**body, "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    back = orjson.loads(prepared("anthropic_messages", older, kind, "claude-opus-4-1", "claude-opus-4-7").body)
    assert back["thinking"]["type"] == "enabled"
    assert back["max_tokens"] == 32_000
    assert "output_config" not in back


@pytest.mark.parametrize("kind", ["anthropic", "gemini", "openai"])
def test_a_body_that_no_rule_can_read_is_the_vendors_to_judge(kind: str):
    caller, model = {
        "anthropic": ("anthropic_messages", "claude-opus-4-7"), "gemini": ("gemini", "gemini-3-pro"),
        "openai": ("openai_chat", "o3"),
    }[kind]  # fmt: skip
    body = {
        "model": "alias", "messages": "no list", "contents": 5, "thinking": "on", "tools": 7, "output_config": 3, "stop": 4,
        "generationConfig": {"thinkingConfig": {"thinkingLevel": 5}},
    }  # fmt: skip
    request = prepared(caller, body, kind, model, "another-model")
    assert orjson.loads(request.body)["tools"] == 7


@pytest.mark.parametrize(("first", "lost"), [("o3", ["temperature"]), ("gpt-4o", [])])
def test_an_override_is_fitted_to_the_model(first: str, lost: list[str]):
    body = {"model": "alias", "messages": [USER], "max_completion_tokens": 50}
    request = prepared("openai_chat", body, "openai", first, first, temperature=0.1, max_tokens=7)
    sent = orjson.loads(request.body)
    assert sent["max_completion_tokens"] == 7, "the operator's limit, in the one name that every model takes"
    assert "max_tokens" not in sent
    assert ("temperature" in sent) is not bool(lost)
    assert request.dropped == lost


def test_an_override_of_a_translated_request_keeps_the_vendors_limits():
    body = {"model": "alias", "max_tokens": 9, "messages": [USER]}
    request = prepared("anthropic_messages", body, "openai", "o3", "o3", temperature=0.1, reasoning_effort="minimal", top_p=None)
    sent = orjson.loads(request.body)
    assert sent["reasoning_effort"] == "low"
    assert "temperature" not in sent
    assert refused(request, "openai", "o3") == []


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
LOOP = [
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": [THOUGHT, {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r"}]},
]
CLAUDE_TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]


def thoughts_of(request: PreparedRequest) -> list[dict[str, Any]]:
    """The thoughts that reach the target."""
    messages = orjson.loads(request.body)["messages"]
    return [
        block for one in messages if isinstance(one["content"], list) for block in one["content"] if block["type"] == "thinking"
    ]


def test_the_thoughts_of_another_claude_are_left_out_for_one_that_does_not_think():
    body = {"model": "alias", "max_tokens": 9, "messages": LOOP, "tools": CLAUDE_TOOLS}
    older = prepared("anthropic_messages", body, "anthropic", "claude-3-5-haiku-latest", "claude-sonnet-4-5")
    assert (thoughts_of(older), older.dropped) == ([], ["reasoning"])
    assert thoughts_of(prepared("anthropic_messages", body, "anthropic", "claude-opus-4-7", "claude-sonnet-4-5")) == [THOUGHT]


@pytest.mark.parametrize(("model", "kept"), [("claude-opus-5-5", []), ("claude-opus-5", [THOUGHT]), ("claude-fable-5-1", [])])
def test_thoughts_that_are_bound_to_a_conversation_are_left_out_of_a_trimmed_one(model: str, kept: list[dict[str, Any]]):
    provider = Provider(id="p", name="p", kind="anthropic")
    target = BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)
    call = Call(dialect("anthropic_messages"), {"model": "m", "max_tokens": 9, "messages": LOOP, "tools": CLAUDE_TOOLS}, "m")
    assert thoughts_of(prepare(call, target, {}, ReasoningStore())) == [THOUGHT]
    call.trimmed = 2
    assert thoughts_of(prepare(call, target, {}, ReasoningStore())) == kept


@pytest.mark.parametrize(("model", "bound"), [("claude-opus-5-5", True), ("claude-opus-5", False)])
def test_a_thought_that_the_gateway_puts_back_is_dropped_and_not_refused_where_the_client_edited_its_history(
    model: str, bound: bool
):
    provider = Provider(id="p", name="p", kind="anthropic")
    target = BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)
    store = ReasoningStore()
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = {
        "model": "m", "tools": [TOOL],
        "messages": [USER, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "r"}],
    }  # fmt: skip
    first = prepare(Call(dialect("openai_chat"), body, "m"), target, {}, store)
    assert first.watch is not None
    assert first.relayed_headers(target) == {}, "without a thought in the history nothing is asked for"
    thought = [ThinkingDelta("hm"), ThinkingSigned("s")]
    first.watch.see([*thought, ToolCallStarted("c1", "f"), ToolCallDelta("c1", "{}"), Finished("tool_calls")])
    request = prepare(Call(dialect("openai_chat"), body, "m"), target, {}, store)
    assert len(thoughts_of(request)) == 1
    sent = orjson.loads(request.body)
    assert (sent.get("thinking", {}).get("block_binding") == {"prefix_mismatch_behavior": "drop_block"}) is bound
    assert request.relayed_headers(target) == ({"anthropic-beta": "thinking-binding-controls-2026-08-01"} if bound else {})


async def test_a_failover_to_another_model_of_the_dialects_owner_is_accepted(
    gateway: GatewayFixture, vendor: Vendor, other: Vendor
) -> None:
    await gateway.add_provider("a", vendor.openai_url, kind="openai")
    await gateway.add_provider("b", other.openai_url, kind="openai")
    await gateway.add_alias("ab", "a/gpt-4o", "b/o3", retries=0)
    await gateway.add_key()
    vendor.script(Step(status=503))
    await gateway.ask("ab", max_tokens=5, temperature=0.5)
    first, second = vendor.requests[-1].body, other.requests[-1].body
    assert (first["max_tokens"], first["temperature"]) == (5, 0.5)
    assert (second["max_completion_tokens"], "temperature" in second, "max_tokens" in second) == (5, False, False)
    assert gateway.records[-1].dropped == ("temperature",)


NAMED: list[tuple[str, str, str, str, dict[str, Any], str]] = [
    ("openai_chat", "openai", "gpt-5", "gpt-4o", {"reasoning_effort": "high", "verbosity": "low"}, "reasoning_effort"),
    ("openai_chat", "azure", "gpt-4o", "o3", {"temperature": 0.2, "max_tokens": 9}, "temperature"),
    ("openai_responses", "openai", "gpt-5.2", "gpt-4o", {"reasoning": {"effort": "xhigh"}}, "reasoning_effort"),
    (
        "anthropic_messages", "anthropic", "claude-opus-4-8", "claude-haiku-4-5",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "max_tokens": 9000}, "",
    ),
    (
        "gemini", "gemini", "gemini-3-pro-preview", "gemini-2.5-flash",
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "high"}}}, "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("caller", "kind", "alias", "model", "fields", "lost"), NAMED)
def test_an_alias_with_the_name_of_another_model_is_fitted_to_the_one_that_answers(
    caller: str, kind: str, alias: str, model: str, fields: dict[str, Any], lost: str
):
    asked: dict[str, Any] = {
        "openai_responses": {"model": alias, "input": [USER]}, "gemini": {"contents": ASKED},
    }.get(caller, {"model": alias, "messages": [USER]})  # fmt: skip
    provider = Provider(id="p", name="p", kind=kind, base_url="https://r.openai.azure.com" if kind == "azure" else None)
    target = BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)
    request = prepare(Call(dialect(caller), {**asked, **fields}, alias), target, {}, ReasoningStore(), model)
    assert request.passthrough
    assert set(refused(request, kind, model)) <= {"anthropic-version-header"}
    assert not lost or lost in request.dropped
    for own_name in ("smart", model, f"{kind}/{model}"):
        same = prepare(Call(dialect(caller), {**asked, **fields}, own_name), target, {}, ReasoningStore(), model)
        assert same.dropped == [], "an operator's own name says nothing of a model, and its own name means itself"


def turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


MID = [turn("user", "a"), turn("assistant", "b"), turn("system", "note"), turn("user", "c")]
BEGUN = [turn("user", "a"), turn("assistant", "So")]


@pytest.mark.parametrize("kind", ["anthropic", "vertex"])
@pytest.mark.parametrize(
    ("messages", "written_for", "model", "roles", "lost"),
    [
        (MID, "claude-opus-4-8", "claude-sonnet-4-5", ["user", "assistant", "user"], "system.role"),
        (MID, "claude-opus-5-5", "claude-opus-4-6", ["user", "assistant", "user"], "system.role"),
        (MID, "claude-opus-5-5", "claude-opus-4-8", ["user", "assistant", "system", "user"], ""),
        (BEGUN, "claude-sonnet-4-5", "claude-sonnet-5", ["user", "assistant", "user"], "messages.prefill"),
        (BEGUN, "claude-sonnet-5", "claude-sonnet-4-5", ["user", "assistant"], ""),
    ],
)
def test_a_conversation_for_one_claude_is_arranged_for_another(
    kind: str, messages: list[dict[str, str]], written_for: str, model: str, roles: list[str], lost: str
):
    body = {"model": "alias", "max_tokens": 5, "messages": messages}
    request = prepared("anthropic_messages", body, kind, model, written_for)
    sent = orjson.loads(request.body)["messages"]
    assert [message["role"] for message in sent] == roles
    assert not {"anthropic-system-role-in-messages", "anthropic-prefill-refused"} & {*refused(request, "anthropic", model)}
    assert request.passthrough
    assert lost in [*request.dropped, ""]
    own = prepared("anthropic_messages", body, kind, model, model)
    assert orjson.loads(own.body)["messages"] == messages, "a client that wrote for this model is left to its vendor"
