"""JSON mode and schemas of answers in bodies of OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.providers.chat_mends import answer_format
from tests.fakes.chat_bodies import SCHEMA, SWITCH, USER, mended, tool


def test_json_mode_brings_the_word_json_where_no_message_has_it() -> None:
    mode = {"response_format": {"type": "json_object"}}
    body, lost = mended(answer_format.mention_json, {**mode, "messages": [USER]})
    assert lost == []
    assert body["messages"] == [{"role": "system", "content": "Answer in JSON."}, USER]
    said = {**mode, "messages": [{"role": "user", "content": [{"type": "text", "text": "as JSON, please"}]}]}
    assert mended(answer_format.mention_json, said) == (said, [])
    assert mended(answer_format.mention_json, {"messages": [USER]}) == ({"messages": [USER]}, [])


def test_instructions_that_are_parts_get_a_part() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "You help."}]}
    body, _ = mended(answer_format.mention_json, {"response_format": {"type": "json_object"}, "messages": [system, USER]})
    assert body["messages"][0]["content"] == [*system["content"], {"type": "text", "text": "Answer in JSON."}]


def test_with_tools_a_schema_becomes_an_instruction() -> None:
    fields = {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}
    body, lost = mended(answer_format.tools_or_format, {**fields, "tools": [tool("f")]})
    assert lost == ["response_format"]
    assert "response_format" not in body
    assert '{"type":"object","properties":{"a":{"type":"string"}}}' in body["messages"][0]["content"]
    assert mended(answer_format.tools_or_format, fields) == (fields, [])


def test_json_mode_as_a_schema_of_any_object_loses_nothing() -> None:
    body, lost = mended(answer_format.any_object_as_schema, {"response_format": {"type": "json_object"}})
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert lost == []


@pytest.mark.parametrize(
    ("asked", "kept", "lost"),
    [
        ({"model": "qwen3-max"}, {}, []),
        ({"model": "qwen3-max", "enable_thinking": True}, {"enable_thinking": False}, ["reasoning_effort"]),
        ({"model": "qwen3-max", "reasoning_effort": "high"}, {"enable_thinking": False}, ["reasoning_effort"]),
        ({"model": "qwen3-32b"}, {"enable_thinking": False}, []),
        ({"model": "qwen3-32b", "enable_thinking": False}, {"enable_thinking": False}, []),
    ],
)
def test_json_mode_switches_thinking_off(asked: dict[str, Any], kept: dict[str, Any], lost: list[str]) -> None:
    mode = {"response_format": {"type": "json_object"}, "messages": [USER]}
    mend = answer_format.json_without_thinking(SWITCH, by_default="qwen3-32b")
    assert mended(mend, {**mode, **asked}) == ({**mode, "model": asked["model"], **kept}, lost)


def test_a_model_that_always_thinks_is_asked_for_json_in_words() -> None:
    body = {"model": "qwq", "response_format": {"type": "json_object"}, "messages": [USER]}
    mend = answer_format.json_without_thinking(SWITCH, by_default="qwen3-32b")
    sent, lost = mended(mend, body)
    assert lost == ["response_format"]
    assert sent["messages"][0]["content"] == "Give the final answer as one JSON object, and nothing else."


def test_a_format_gives_way_to_the_assistants_begun_answer_where_they_exclude_each_other() -> None:
    begun = {"messages": [USER, {"role": "assistant", "content": "{"}], "response_format": {"type": "json_object"}}
    body, lost = mended(answer_format.format_or_prefill, begun)
    assert lost == ["response_format"]
    assert "response_format" not in body
    assert body["messages"][0]["role"] == "system"
    asked = {"messages": [USER], "response_format": {"type": "json_object"}}
    assert mended(answer_format.format_or_prefill, asked) == (asked, [])
