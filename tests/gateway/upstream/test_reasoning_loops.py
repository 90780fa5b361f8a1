"""Tool loops of every client's dialect at every vendor that wants its reasoning returned: each request has all of it.

The vendors are the strict ones, asked without a network; each turn has another reasoning.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect
from tests.fakes.strict import checks
from tests.fakes.strict.answers import ANSWER
from tests.fakes.strict.scripts import lookups
from tests.strict.tool_loop import following

Body = dict[str, Any]

VENDORS = (
    ("deepseek", "deepseek-v4-pro"), ("deepseek", "deepseek-reasoner"), ("moonshot", "kimi-k2.6"), ("moonshot", "kimi-k2-thinking"),
    ("zai", "glm-4.7"), ("minimax", "MiniMax-M2.7"), ("openrouter", "deepseek/deepseek-v3.2"), ("groq", "openai/gpt-oss-120b"),
    ("cerebras", "gpt-oss-120b"), ("vllm", "Qwen/Qwen3-8B"), ("llamacpp", "qwen3.5-9b"), ("ollama", "qwen3:8b"),
    ("lmstudio", "qwen3-8b"), ("anthropic", "claude-sonnet-4-5"), ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("gemini", "gemini-3-pro-preview"), ("vertex", "gemini-3-pro-preview"), ("openai", "gpt-5.1-codex"),
)  # fmt: skip
CLIENTS = {
    "chat": "openai_chat", "responses": "openai_responses", "messages": "anthropic_messages", "gemini": "gemini",
    "ollama": "ollama",
}  # fmt: skip
OWNERS = {
    ("anthropic", "messages"), ("gemini", "gemini"), ("vertex", "gemini"), ("openai", "responses"), ("ollama", "ollama"),
}  # fmt: skip
"""Vendors that get a client's request as it came: what the client leaves out there is its own affair."""
REASONING = re.compile("reasoning-(missing|unsaved|without)|message-reasoning|details|signature|thinking-block|encrypted_content")
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
FIRST: dict[str, Body] = {
    "chat": {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}],
        "reasoning_effort": "high",
    },
    "responses": {
        "input": [{"role": "user", "content": "hi"}], "reasoning": {"effort": "high"},
        "tools": [{"type": "function", "name": "lookup", "parameters": SCHEMA, "strict": False}],
        "store": False, "include": ["reasoning.encrypted_content"],
    },
    "messages": {
        "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4000, "tools": [{"name": "lookup", "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    },
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "lookup", "parametersJsonSchema": SCHEMA}]}],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"}},
    },
    "ollama": {
        "messages": [{"role": "user", "content": "hi"}], "think": True,
        "tools": [{"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}],
    },
}  # fmt: skip


def target_of(vendor: str, model: str) -> BoundTarget:
    options = {"project": "p", "location": "global"} if vendor == "vertex" else {"region": "us-east-1"}
    url = "https://relay.example.org" if vendor in ("anthropic-compatible", "azure") else None
    provider = Provider(id=f"prov_{vendor}", name=vendor, kind=vendor, options=options, base_url=url)
    return BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)


def asked(client: str, body: Body, target: BoundTarget, store: ReasoningStore, streamed: bool) -> PreparedRequest:
    call = Call(dialect(CLIENTS[client]), copy.deepcopy(body), target.model, streamed, credential="condt_me")
    return prepare(call, target, {}, store)


def answer_of(vendor: str, model: str, made: PreparedRequest, streamed: bool, turn: int, calls: int) -> bytes:
    """The vendor's answer, with a reasoning and a call of its own for each turn."""
    upstream = made.upstream.name
    streamed = streamed or made.collected
    strict = checks.Call(_strict_name(vendor, upstream), upstream, model, orjson.loads(made.body), {}, streamed)
    answer = ANSWER[upstream](strict, lookups(calls, f"why{turn}"))
    if isinstance(answer, bytes):
        return answer  # AWS's frames have checksums
    text = json.dumps(answer) if isinstance(answer, dict) else answer
    for fixed, own in (("functions.lookup:0", f"functions.lookup:{turn}"), ('"r1"', f'"r{turn}"')):
        text = text.replace(fixed, own)
    return text.encode()


def _strict_name(vendor: str, upstream: str) -> str:
    return "openai_responses" if upstream == "openai_responses" else vendor


def relayed(made: PreparedRequest, answer: bytes, streamed: bool) -> str:
    if not streamed:
        return made.write_answer(made.upstream.read_response(orjson.loads(answer)), answer).decode()
    relay = made.relay(made.call.dialect.writer(made.call.neutral))
    reader = made.upstream.reader()
    data = relay.feed(answer, reader.feed(answer), False)
    events = reader.close(True) if not reader.done else []
    return (data + relay.feed(b"", events, False) + relay.end()).decode()


def without_reasoning(client: str, body: Body) -> Body:
    """What a client returns that knows nothing of reasoning."""
    body = copy.deepcopy(body)
    for message in body.get("messages", ()):
        for name in ("reasoning_content", "reasoning", "reasoning_details", "thinking"):
            message.pop(name, None)
        for call in message.get("tool_calls") or ():
            call.pop("extra_content", None)
        if isinstance(message["content"], list):
            message["content"] = [part for part in message["content"] if part["type"] not in ("thinking", "redacted_thinking")]
    if client == "responses":
        body["input"] = [item for item in body["input"] if item.get("type") != "reasoning"]
    for content in body.get("contents", ()):
        content["parts"] = [part for part in content["parts"] if not part.get("thought")]
        for part in content["parts"]:
            part.pop("thoughtSignature", None)
    return body


def returned(upstream: str, body: Body) -> list[str]:
    """For each turn of the model that called a tool, the reasoning in it."""
    match upstream:
        case "openai_chat":
            return [_fields(message) for message in body["messages"] if message.get("tool_calls")]
        case "ollama":
            return [message.get("thinking", "") for message in body["messages"] if message.get("tool_calls")]
        case "anthropic_messages":
            turns = [message["content"] for message in body["messages"] if "tool_use" in str(message["content"])]
            return [content[0].get("thinking", "") for content in turns if content[-1]["type"] == "tool_use"]
        case "bedrock":
            turns = [message["content"] for message in body["messages"] if "toolUse" in message["content"][-1]]
            return [content[0].get("reasoningContent", {}).get("reasoningText", {}).get("text", "") for content in turns]
        case "gemini":
            parts = [part for content in body["contents"] for part in content["parts"] if "functionCall" in part]
            return [part.get("thoughtSignature", "") for part in parts]
    items = body["input"]
    at = [index for index, item in enumerate(items) if item.get("type") == "function_call"]
    return [items[index - 1].get("encrypted_content", "")[: len(checks.ENC)] for index in at]


def _fields(message: Body) -> str:
    details = message.get("reasoning_details")
    return "".join(one["text"] for one in details) if details else message.get("reasoning_content") or message.get("reasoning", "")


def expected(upstream: str, turns: int) -> list[str]:
    fixed = {"gemini": checks.GSIG, "openai_responses": checks.ENC}.get(upstream)
    return [fixed or f"why{turn}" for turn in range(turns)]


@pytest.mark.parametrize("forgetful", [False, True], ids=["", "forgetful"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("vendor", "model"), VENDORS)
def test_each_request_of_a_tool_loop_returns_the_reasoning_of_every_turn(
    vendor: str, model: str, client: str, streamed: bool, forgetful: bool
) -> None:
    if forgetful and (vendor, client) in OWNERS:
        return
    target, store = target_of(vendor, model), ReasoningStore()
    body: Body = {**copy.deepcopy(FIRST[client]), "model": model, "stream": streamed}
    for turn in range(3):
        made = asked(client, body, target, store, streamed)
        sent = orjson.loads(made.body)
        assert returned(made.upstream.name, sent) == expected(made.upstream.name, turn)
        name = _strict_name(vendor, made.upstream.name)
        broken = checks.broken(checks.Call(name, made.upstream.name, model, sent, {}, streamed), also_silent=True)
        assert not [rule["id"] for rule in broken if REASONING.search(rule["id"])]
        assert "thinking" not in made.dropped
        answered = relayed(made, answer_of(vendor, model, made, streamed, turn, 1), streamed)
        after = following(client, body, answered, streamed)
        assert after is not None
        body = without_reasoning(client, after) if forgetful else after


MOVES = (
    ("deepseek", "deepseek-v4-pro"), ("moonshot", "kimi-k2.6"), ("moonshot", "kimi-k2-thinking"), ("zai", "glm-4.7"),
    ("openrouter", "anthropic/claude-sonnet-4.5"), ("groq", "openai/gpt-oss-120b"), ("cerebras", "gpt-oss-120b"),
    ("mistral", "magistral-medium-latest"), ("anthropic", "claude-sonnet-4-5"), ("anthropic-compatible", "glm-4.7"),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), ("gemini", "gemini-3-pro-preview"), ("openai", "gpt-5.1-codex"),
    ("azure", "gpt-5.1-codex"),
)  # fmt: skip


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(("vendor", "model"), MOVES)
def test_a_tool_loop_that_moves_to_another_vendor_is_accepted_there_and_back_at_the_first(
    vendor: str, model: str, client: str
) -> None:
    """A failover within a loop: the second vendor refuses the reasoning of the first, or misses its own."""
    first = target_of(vendor, model)
    for index, other in enumerate(MOVES):
        streamed = index % 2 == 0
        targets, store = [first, target_of(*other), first], ReasoningStore()
        body: Body = {**copy.deepcopy(FIRST[client]), "model": model, "stream": streamed}
        for turn, target in enumerate(targets):
            made = asked(client, body, target, store, streamed)
            sent = orjson.loads(made.body)
            name = _strict_name(target.bound.kind.kind, made.upstream.name)
            broken = checks.broken(checks.Call(name, made.upstream.name, target.model, sent, {}, streamed))
            assert not [rule["id"] for rule in broken if REASONING.search(rule["id"])], (other, turn, json.dumps(sent))
            answered = relayed(made, answer_of(target.bound.kind.kind, target.model, made, streamed, turn, 1), streamed)
            after = following(client, body, answered, streamed)
            assert after is not None
            body = after


def test_mistrals_reasoning_goes_back_as_a_part_of_the_content() -> None:
    target, store = target_of("mistral", "magistral-medium-latest"), ReasoningStore()
    body: Body = {**copy.deepcopy(FIRST["messages"]), "model": "m", "stream": False}
    made = asked("messages", body, target, store, False)
    part = {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]}
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    message = {"role": "assistant", "content": [part, {"type": "text", "text": "so"}], "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answered = relayed(made, orjson.dumps({"id": "x", "model": "m", "choices": [choice]}), False)
    after = following("messages", body, answered, False)
    assert after is not None
    for returned_body in (after, without_reasoning("messages", after)):
        sent = orjson.loads(asked("messages", returned_body, target, store, False).body)
        assert sent["messages"][1] == message
    # A model that does not reason takes text alone.
    plain = asked("messages", after, target_of("mistral", "mistral-large-latest"), store, False)
    assert orjson.loads(plain.body)["messages"][1]["content"] == "so"
    assert "thinking" in plain.dropped


def test_reasoning_goes_back_to_an_unknown_server_in_the_field_that_it_sent_and_to_no_other_server() -> None:
    kinds = [Provider(id=name, name=name, kind="openai-compatible", base_url="http://localhost:1") for name in "ab"]
    one, other = (BoundTarget.of(BoundProvider(provider, bind(provider), ()), "m") for provider in kinds)
    store = ReasoningStore()
    body: Body = {**copy.deepcopy(FIRST["responses"]), "model": "m", "stream": False}
    made = asked("responses", body, one, store, False)
    call = {"id": "c", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "reasoning": "why", "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answered = relayed(made, orjson.dumps({"id": "x", "model": "m", "choices": [choice]}), False)
    after = following("responses", body, answered, False)
    assert after is not None
    assert orjson.loads(asked("responses", after, one, store, False).body)["messages"][1] == message
    elsewhere = asked("responses", after, other, store, False)
    assert "reasoning" not in orjson.loads(elsewhere.body)["messages"][1]
    assert "thinking" in elsewhere.dropped
