"""Requests adapted to the quirks of OpenAI-compatible vendors and of Claude, and what is reported as dropped."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers.catalog import CATALOG, bind

CHAT = "openai_chat"


def adapt(kind: str, body: dict[str, Any], translated: bool = True, dialect: str = CHAT) -> tuple[dict[str, Any], list[str]]:
    before = copy.deepcopy(body)
    shared = dict(body)
    base = None if CATALOG[kind].default_base_url else "https://h"
    dropped = bind(Provider(id="p", name="p", kind=kind, base_url=base)).adapt(
        str(body.get("model", "")), shared, dialect, translated
    )
    assert body == before, "the caller's own body was changed"
    return shared, dropped


FULL: dict[str, Any] = {
    "model": "m", "stream": True, "stream_options": {"include_usage": True}, "max_completion_tokens": 9, "temperature": 0.5,
    "seed": 3, "n": 2, "logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 1}, "user": "u", "stop": ["x"], "store": True,
    "messages": [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "u", "name": "ann"},
        {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [
            {"id": "toolu_01A", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "toolu_01A", "content": "t"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", ["openai", "azure", "openai-compatible"])
def test_a_passed_through_body_is_unchanged_at_the_dialects_owner_and_at_an_unknown_server(kind: str):
    assert adapt(kind, FULL, translated=False) == (FULL, [])


@pytest.mark.parametrize("kind", [name for name, kind in CATALOG.items() if CHAT in kind.borrowed])
def test_what_a_borrower_of_the_dialect_only_ignores_stays_in_a_passed_through_body(kind: str):
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "metadata": {"a": "b"},
        "prediction": {"type": "content"},
    }
    body = {name: value for name, value in body.items() if name not in CATALOG[kind].refused}
    assert adapt(kind, body, translated=False) == (body, [])


@pytest.mark.parametrize(
    ("kind", "model"), [("groq", "openai/gpt-oss-120b"), ("nvidia", "m"), ("fireworks", "m"), ("mistral", "m")]
)
def test_openrouters_reasoning_object_is_an_effort_elsewhere(kind: str, model: str):
    body, dropped = adapt(kind, {"model": model, "reasoning": {"effort": "high", "exclude": True}}, translated=False)
    assert (body, dropped) == ({"model": model, "reasoning_effort": "high"}, ["reasoning.exclude"])


def test_a_null_under_another_vendors_name_is_left_out():
    assert adapt("zai", {"model": "glm-4.6", "user": None}, translated=False) == ({"model": "glm-4.6"}, [])


def test_the_limit_gets_the_vendors_name():
    assert adapt("deepseek", FULL)[0]["max_tokens"] == 9
    assert "max_completion_tokens" not in adapt("deepseek", FULL)[0]
    assert adapt("openai", {"max_tokens": 9})[0] == {"max_completion_tokens": 9}


def test_of_two_limits_the_one_with_the_vendors_name_is_kept():
    assert adapt("deepseek", {"max_tokens": 1, "max_completion_tokens": 2})[0] == {"max_tokens": 1}


def test_the_role_developer_becomes_system_where_it_is_unknown():
    assert adapt("ollama", FULL)[0]["messages"][0]["role"] == "system"
    assert adapt("openai", FULL)[0]["messages"][0]["role"] == "developer"


def test_fields_that_a_vendor_ignores_are_reported_as_dropped():
    body, dropped = adapt("deepseek", FULL)
    assert {"seed", "n", "logit_bias", "user", "store"} <= set(dropped)
    assert not set(dropped) & body.keys()


def test_an_absent_field_is_not_reported_as_dropped():
    assert adapt("deepseek", {"model": "m", "seed": None})[1] == []


def test_a_reasoning_model_gets_no_sampling_parameters():
    body, dropped = adapt("openai", {"model": "o4-mini", "temperature": 0.2, "top_p": 0.9, "seed": 1})
    assert body == {"model": "o4-mini", "seed": 1}
    assert dropped == ["temperature", "top_p"]


@pytest.mark.parametrize(
    ("kind", "model"),
    [("github", "openai/gpt-5-mini"), ("github", "openai/o3"), ("openai-compatible", "gpt-5"),
     ("openai-compatible", "openai/o4-mini"),
     ("openai", "gpt-6")],
)  # fmt: skip
def test_openais_reasoning_models_are_the_same_behind_a_relay(kind: str, model: str):
    body, dropped = adapt(kind, {"model": model, "max_tokens": 9, "temperature": 0.2})
    assert body == {"model": model, "max_completion_tokens": 9}
    assert dropped == ["temperature"]


@pytest.mark.parametrize(
    ("kind", "model", "field"),
    [
        ("github", "openai/gpt-4o", "max_completion_tokens"),
        ("github", "openai/gpt-5-chat", "max_completion_tokens"),
        ("github", "openai/gpt-4o-mini", "max_tokens"),
        ("github", "meta/llama-3.3-70b-instruct", "max_tokens"),
        ("openai-compatible", "openai/gpt-oss-120b", "max_tokens"),
        ("openai-compatible", "llama", "max_tokens"),
    ],
)
def test_a_relays_other_models_keep_their_sampling(kind: str, model: str, field: str):
    assert adapt(kind, {"model": model, "max_tokens": 9, "temperature": 0.2}) == (
        {"model": model, field: 9, "temperature": 0.2},
        [],
    )


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-5-chat-latest"])
def test_openais_other_models_keep_their_sampling_parameters(model: str):
    assert adapt("openai", {"model": model, "temperature": 0.2}) == ({"model": model, "temperature": 0.2}, [])


def test_a_reasoning_model_with_effort_none_keeps_its_sampling_parameters():
    fields = {"model": "gpt-5.2", "temperature": 0.2, "reasoning_effort": "none"}
    assert adapt("openai", fields) == (fields, [])


@pytest.mark.parametrize(
    "model",
    ["o3-pro", "o1-pro-2025-03-19", "gpt-5-pro", "gpt-5.2-pro", "gpt-5.1-codex-max", "codex-mini-latest", "o3-deep-research"],
)
def test_some_of_openais_models_exist_in_the_responses_api_only(model: str):
    kinds = [bind(Provider(id="p", name="p", kind=kind, base_url="https://h")) for kind in ("openai", "azure")]
    assert {kind.dialects_for(model) for kind in kinds} == {("openai_responses",)}


@pytest.mark.parametrize("model", ["gpt-5.1", "gpt-4o", "o3", "o4-mini", "gpt-5-mini", "ft:gpt-4o:codex", "my-deployment"])
def test_openais_other_models_prefer_chat(model: str):
    assert bind(Provider(id="p", name="p", kind="openai")).dialects_for(model) == ("openai_chat", "openai_responses")


def test_azure_before_the_responses_api_gets_chat_requests():
    old = Provider(id="p", name="p", kind="azure", base_url="https://h", options={"api_version": "2024-10-21"})
    assert bind(old).dialects_for("o3-pro")[0] == CHAT


def test_a_reasoning_model_gets_no_sampling_parameters_from_the_responses_api_either():
    fields = {"model": "gpt-5-codex", "temperature": 0.5, "max_output_tokens": 90, "reasoning": {"effort": "low"}}
    body, dropped = adapt("openai", fields, dialect="openai_responses")
    assert dropped == ["temperature"]
    assert body == {
        "model": "gpt-5-codex",
        "max_output_tokens": 90,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
    }
    assert adapt("openai", fields, translated=False, dialect="openai_responses") == (fields, [])


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4"), ("zai", "glm-4.7"), ("groq", "llama-3.3-70b")])
@pytest.mark.parametrize("translated", [True, False])
def test_a_schema_goes_into_the_instructions_where_schemas_are_unsupported(kind: str, model: str, translated: bool):
    fields = {
        "model": model,
        "messages": [{"role": "system", "content": "You help."}, {"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "title": "T"}}},
    }
    body, dropped = adapt(kind, fields, translated)
    assert dropped == ["response_format.json_schema"]
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][0]["content"].startswith("You help.\n\n")
    assert '{"type":"object","title":"T"}' in body["messages"][0]["content"]
    assert body["messages"][1:] == fields["messages"][1:]
    assert adapt("openai-compatible", fields) == (fields, [])


def test_fields_that_groq_refuses_are_dropped_from_passed_through_requests_too():
    body, dropped = adapt("groq", FULL, translated=False)
    assert dropped == ["logprobs", "top_logprobs", "logit_bias", "store", "messages.reasoning_content", "messages.name", "n"]
    assert "name" not in body["messages"][1]
    assert body["seed"] == 3
    assert body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("translated", [True, False])
def test_perplexity_gets_json_mode_as_a_schema(translated: bool):
    body, dropped = adapt("perplexity", {"model": "sonar", "response_format": {"type": "json_object"}}, translated)
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    assert dropped == []


def test_groqs_models_that_think_between_tags_get_a_reasoning_format():
    assert adapt("groq", {"model": "qwen/qwen3-32b"}) == ({"model": "qwen/qwen3-32b", "reasoning_format": "parsed"}, [])
    for body, translated in (({"model": "openai/gpt-oss-20b"}, True), ({"model": "qwen/qwen3-32b"}, False)):
        assert adapt("groq", body, translated) == (body, [])


def test_fields_that_cerebras_refuses_are_dropped():
    body, dropped = adapt("cerebras", {**FULL, "presence_penalty": 1}, translated=False)
    assert dropped == ["presence_penalty", "logit_bias"]
    assert body["n"] == 2


def test_mistral_gets_its_field_names_in_passed_through_requests_too():
    body, dropped = adapt("mistral", FULL, translated=False)
    assert "stream_options" not in body
    assert "stream_options" not in dropped
    assert body["random_seed"] == 3
    assert body["max_tokens"] == 9


def test_every_function_for_mistral_has_parameters():
    bare, full = {"name": "f"}, {"name": "g", "parameters": {"type": "object", "properties": {"x": {}}}}
    fields = {"messages": [], "tools": [{"type": "function", "function": bare}, {"type": "function", "function": full}, "odd"]}
    body, dropped = adapt("mistral", fields, translated=False)
    assert body["tools"][0]["function"] == {"name": "f", "parameters": {"type": "object", "properties": {}}}
    assert body["tools"][1:] == fields["tools"][1:]
    assert dropped == []


@pytest.mark.parametrize(
    ("kind", "model", "effort", "wanted"),
    [
        ("openai", "gpt-4o-mini", "low", None),
        ("openai", "gpt-4.1", "high", None),
        ("openai", "gpt-5.1-chat-latest", "low", None),
        ("openai", "gpt-5.2", "low", "low"),
        ("openai", "o4-mini", "high", "high"),
        ("github", "openai/gpt-4.1", "low", None),
        ("github", "openai/gpt-5", "low", "low"),
        ("groq", "llama-3.3-70b-versatile", "low", None),
        ("cerebras", "zai-glm-4.7", "xhigh", "high"),
        ("cerebras", "zai-glm-4.7", "none", "none"),
        ("cerebras", "gpt-oss-120b", "none", "low"),
        ("ollama", "qwen3:8b", "minimal", "low"),
        ("ollama", "qwen3:8b", "max", "max"),
        ("xai", "grok-3-mini", "medium", "low"),
        ("xai", "grok-4", "high", None),
        ("xai", "grok-4-1-fast-non-reasoning", "high", None),
        ("xai", "grok-4.3", "none", "none"),
        ("xai", "grok-4.5", "none", "low"),
        ("xai", "grok-4.6", "max", "xhigh"),
        ("deepseek", "deepseek-v4-pro", "xhigh", "high"),
        ("groq", "qwen/qwen3-32b", "low", "default"),
        ("groq", "qwen/qwen3-32b", "none", "none"),
        ("groq", "openai/gpt-oss-120b", "xhigh", "high"),
        ("xai", "grok-3-mini", "high", "high"),
        ("xai", "grok-4-0709", "high", None),
        ("xai", "grok-4.3", "low", "low"),
        ("xai", "grok-4-1-fast-non-reasoning", "low", None),
        ("mistral", "mistral-large-latest", "high", None),
        ("mistral", "magistral-medium-latest", "high", "high"),
        ("mistral", "mistral-small-latest", "low", "high"),
        ("mistral", "mistral-medium-3-5", "minimal", "none"),
        ("mistral", "mistral-large-4-0", "medium", "medium"),
        ("mistral", "mistral-large-2512", "medium", None),
        ("perplexity", "sonar-pro", "high", None),
        ("perplexity", "sonar-deep-research", "high", "high"),
    ],
)
def test_an_effort_is_sent_only_to_models_that_accept_it(kind: str, model: str, effort: str, wanted: str | None):
    body, dropped = adapt(kind, {"model": model, "reasoning_effort": effort})
    assert body.get("reasoning_effort") == wanted
    # A model that always thinks does so as little as it can, and that is not what was asked for.
    assert dropped == (["reasoning_effort"] if wanted is None or (effort == "none" != wanted) else [])


def test_effort_none_is_no_loss_for_a_model_without_reasoning():
    assert adapt("openai", {"model": "gpt-4o", "reasoning_effort": "none"}) == ({"model": "gpt-4o"}, [])


@pytest.mark.parametrize(
    ("kind", "field"),
    [("openai", "max_completion_tokens"), ("xai", "max_tokens"), ("together", "max_tokens"), ("moonshot", "max_completion_tokens"),
     ("openrouter", "max_tokens"), ("cerebras", "max_completion_tokens"), ("minimax", "max_completion_tokens")],
)  # fmt: skip
def test_the_limit_has_the_name_that_the_vendor_documents(kind: str, field: str):
    assert adapt(kind, {"max_completion_tokens": 7})[0] == {field: 7}


ODD_SCHEMA = {
    "type": "object", "required": True, "anyOf": [{"required": ["a"]}], "enum": None,
    "properties": {"a": {"type": "string", "required": True}, "b": {"type": "array", "items": []}, "c": None, "d": "string"},
}  # fmt: skip


@pytest.mark.parametrize("kind", [name for name, kind in CATALOG.items() if CHAT in kind.borrowed])
def test_a_body_that_no_vendor_would_take_is_no_error_of_the_gateway(kind: str):
    function = {"name": "f", "parameters": ODD_SCHEMA, "strict": True}
    for fields in (
        {"tools": [{"type": "function", "function": function}], "tool_choice": 3, "stop": 1, "logprobs": "yes", "n": "two"},
        {"tools": {"a": 1}, "messages": {"role": "user"}, "response_format": "json", "reasoning_effort": 5, "metadata": []},
        {"tools": ["f", None], "messages": ["hi", None, {"role": 1, "content": 2, "tool_calls": 3}], "temperature": "hot"},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": ODD_SCHEMA, "strict": True}}},
        {"response_format": {"type": "json_schema", "json_schema": None}, "thinking": "on", "reasoning": "high", "top_p": None},
    ):
        adapt(kind, {"model": "m", **fields}, translated=False)
