"""What the families of models on Bedrock take of a Converse request."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers.bedrock import Bedrock

OLD, NEW = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-opus-4-8"
NOVA, NOVA_2, LLAMA = "us.amazon.nova-pro-v1:0", "us.amazon.nova-2-lite-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}
TOOL: dict[str, Any] = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}
HELLO: dict[str, Any] = {"role": "user", "content": [{"text": "hi"}]}


def adapted(model: str, **body: Any) -> tuple[dict[str, Any], list[str]]:
    """What changes of a body with one message, and the names of what was lost."""
    sent = {"messages": [copy.deepcopy(HELLO)], **copy.deepcopy(body)}
    lost = Bedrock(Provider(id="p", name="p", kind="bedrock")).adapt(model, sent, "bedrock", translated=True)
    if sent["messages"] == [HELLO]:
        del sent["messages"]
    return sent, lost


def fields(**values: Any) -> dict[str, Any]:
    return {"additionalModelRequestFields": values}


def test_claude_thinks_on_bedrock_as_at_anthropic() -> None:
    asked = fields(thinking={"type": "adaptive"}, output_config={"effort": "high"})
    assert adapted(NEW, **asked, inferenceConfig={"maxTokens": 2000}) == ({**asked, "inferenceConfig": {"maxTokens": 2000}}, [])
    old, _ = adapted(OLD, **asked, inferenceConfig={"maxTokens": 2000})
    assert old == {**fields(thinking={"type": "enabled", "budget_tokens": 1024}), "inferenceConfig": {"maxTokens": 2000}}
    haiku = "anthropic.claude-3-5-haiku-20241022-v1:0"
    assert adapted(haiku, **asked) == ({}, ["reasoning"])


def test_a_forced_tool_wins_over_thinking() -> None:
    config = {"tools": [TOOL], "toolChoice": {"any": {}}}
    asked = fields(thinking={"type": "adaptive"}, output_config={"effort": "high"})
    assert adapted(OLD, toolConfig=config, **asked) == ({"toolConfig": config}, ["reasoning"])


def test_a_tool_loop_that_began_without_a_thought_gets_no_budget() -> None:
    call = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]}
    result = {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "r"}]}}]}
    sent, lost = adapted(OLD, messages=[HELLO, call, result], **fields(thinking={"type": "adaptive"}))
    assert ("additionalModelRequestFields" in sent, lost) == (False, ["reasoning"])


def test_sampling_follows_the_generation() -> None:
    both = {"temperature": 0.5, "topP": 0.9}
    assert adapted(OLD, inferenceConfig=both) == ({"inferenceConfig": {"temperature": 0.5}}, ["top_p"])
    assert adapted(NEW, inferenceConfig=both, **fields(top_k=3)) == ({}, ["temperature", "top_p", "top_k"])
    assert adapted(NOVA, inferenceConfig=both) == ({"inferenceConfig": both}, [])


def test_a_blank_stop_is_refused_by_claude_only() -> None:
    assert adapted(OLD, inferenceConfig={"stopSequences": ["\n", "x"]}) == ({"inferenceConfig": {"stopSequences": ["x"]}}, ["stop"])
    assert adapted(OLD, inferenceConfig={"stopSequences": ["\n"]}) == ({}, ["stop"])
    assert adapted(NOVA, inferenceConfig={"stopSequences": ["\n"]})[1] == []


def test_gpt_oss_takes_no_stops_and_always_reasons() -> None:
    assert adapted(GPT_OSS, inferenceConfig={"stopSequences": ["x"]}) == ({}, ["stop"])
    assert adapted(GPT_OSS, **fields(reasoning_effort="xhigh")) == (fields(reasoning_effort="high"), [])
    assert adapted(GPT_OSS, **fields(reasoning_effort="none")) == (fields(reasoning_effort="low"), ["reasoning"])


@pytest.mark.parametrize(("asked", "sent"), [("minimal", "low"), ("medium", "medium"), ("max", "high")])
def test_nova_2_takes_three_efforts(asked: str, sent: str) -> None:
    config = {"type": "enabled", "maxReasoningEffort": asked}
    assert adapted(NOVA_2, **fields(reasoningConfig=config)) == (fields(reasoningConfig={**config, "maxReasoningEffort": sent}), [])


def test_nova_2_with_a_limit_thinks_with_medium_effort_at_most() -> None:
    config = {"type": "enabled", "maxReasoningEffort": "high"}
    sent, lost = adapted(NOVA_2, inferenceConfig={"maxTokens": 100}, **fields(reasoningConfig=config))
    assert sent["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"] == "medium"
    assert (sent["inferenceConfig"], lost) == ({"maxTokens": 100}, ["reasoning.effort"])
    free, lost = adapted(NOVA_2, inferenceConfig={"temperature": 0.5}, **fields(reasoningConfig=config))
    assert (free, lost) == (fields(reasoningConfig=config), ["temperature"])


def test_the_first_nova_does_not_reason() -> None:
    assert adapted(NOVA, **fields(reasoningConfig={"type": "enabled", "maxReasoningEffort": "low"})) == ({}, ["reasoning"])
    assert adapted(NOVA, **fields(reasoningConfig={"type": "disabled"})) == ({}, [])


def test_llama_cannot_be_forced_to_call_a_tool() -> None:
    for choice in ({"any": {}}, {"tool": {"name": "f"}}):
        sent, lost = adapted(LLAMA, toolConfig={"tools": [TOOL], "toolChoice": choice})
        assert (sent["toolConfig"]["toolChoice"], lost) == ({"auto": {}}, ["tool_choice"])
        assert adapted(NOVA, toolConfig={"tools": [TOOL], "toolChoice": choice})[1] == []


def test_a_model_without_a_prompt_cache_gets_no_cache_points() -> None:
    body = {"system": [{"text": "s"}, POINT], "toolConfig": {"tools": [TOOL, POINT]}}
    message = {"role": "user", "content": [{"text": "hi"}, POINT]}
    sent, lost = adapted(LLAMA, messages=[message], **body)
    assert sent == {"system": [{"text": "s"}], "toolConfig": {"tools": [TOOL]}}
    assert lost == ["cache_control"]
    kept, lost = adapted(OLD, messages=[message], **body)
    assert (kept, lost) == ({"messages": [message], **body}, [])


def test_nova_caches_no_tools_and_for_five_minutes() -> None:
    sent, lost = adapted(NOVA, system=[{"text": "s"}, HOUR], toolConfig={"tools": [TOOL, POINT]})
    assert sent == {"system": [{"text": "s"}, POINT], "toolConfig": {"tools": [TOOL]}}
    assert lost == ["cache_control", "cache_control.ttl"]


def test_nova_takes_little_at_the_root_of_a_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"title": "A"}}, "required": ["a"]}
    tool = {
        "toolSpec": {"name": "f", "inputSchema": {"json": {**schema, "$schema": "x", "title": "F", "additionalProperties": False}}}
    }
    sent, _ = adapted(NOVA, toolConfig={"tools": [tool]})
    assert sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == schema


def test_a_model_that_sees_no_images_gets_none() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "AA=="}}}
    result = {"toolResult": {"toolUseId": "t", "content": [image]}}
    sent, lost = adapted(LLAMA, messages=[{"role": "user", "content": [result, {"text": "x"}, image]}])
    assert sent["messages"][0]["content"] == [{"toolResult": {"toolUseId": "t", "content": [{"text": "."}]}}, {"text": "x"}]
    assert lost == ["image"]
    assert adapted(NOVA, messages=[{"role": "user", "content": [image]}])[1] == []


def test_a_model_without_structured_outputs_gets_the_schema_as_an_instruction() -> None:
    output = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n"}}}}
    strict = {"toolSpec": {**TOOL["toolSpec"], "strict": True}}
    sent, lost = adapted(NOVA, outputConfig=output, system=[{"text": "s"}], toolConfig={"tools": [strict]})
    assert '{"type":"object"}' in sent["system"][1]["text"]
    assert ("outputConfig" in sent, sent["toolConfig"]["tools"]) == (False, [TOOL])
    assert lost == ["tools.strict", "response_format"]
    assert adapted(OLD, outputConfig=output) == ({"outputConfig": output}, [])


@pytest.mark.parametrize(
    ("model", "streams"),
    [
        (LLAMA, False), ("us.meta.llama4-maverick-17b-instruct-v1:0", False), ("mistral.pixtral-large-2502-v1:0", False),
        ("writer.palmyra-x5-v1:0", False), ("ai21.jamba-1-5-large-v1:0", False), (NOVA, True), (NEW, True), (GPT_OSS, True),
        ("mistral.mistral-large-3-675b-instruct", True), ("us.deepseek.r1-v1:0", False),
    ],
)  # fmt: skip
def test_answers_with_tools_are_streamed_where_converse_streams_them(model: str, streams: bool) -> None:
    kind = Bedrock(Provider(id="p", name="p", kind="bedrock"))
    assert kind.stream_needs_whole(model, {"toolConfig": {"tools": [TOOL]}}, "bedrock") is not streams
    assert not kind.stream_needs_whole(model, {}, "bedrock")


def test_a_model_without_tools_gets_their_calls_as_text() -> None:
    call = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {"q": 1}}}]}
    result = {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "r"}, {"json": {"a": 2}}]}}]}
    sent, lost = adapted("us.meta.llama3-2-3b-instruct-v1:0", messages=[HELLO, call, result], toolConfig={"tools": [TOOL]})
    assert (sent.keys(), lost) == ({"messages"}, ["tools"])
    assert [block["text"] for message in sent["messages"] for block in message["content"]] == [
        "hi", '[f: {"q":1}]', "r", '{"a":2}',
    ]  # fmt: skip


def test_instructions_stand_in_the_first_message_of_a_model_without_any() -> None:
    sent, lost = adapted("mistral.mistral-7b-instruct-v0:2", system=[{"text": "S"}])
    assert (sent, lost) == ({"messages": [{"role": "user", "content": [{"text": "S"}, {"text": "hi"}]}]}, [])
