"""Mends of bodies in OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers import chat_mends
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Mend
from conduit_desktop.providers.thinking_switch import ThinkingSwitch

NOTHING_KNOWN = ModelFacts()
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
SWITCH = ThinkingSwitch({"enable_thinking": True}, {"enable_thinking": False}, always_on="qwq")


def mended(mend: Mend, body: dict[str, Any], facts: ModelFacts = NOTHING_KNOWN) -> tuple[dict[str, Any], list[str]]:
    before, shared = copy.deepcopy(body), dict(body)
    lost = mend(shared, facts)
    assert body == before, "the caller's own body was changed"
    return shared, lost


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def tool(name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema or SCHEMA, **more}}


@pytest.mark.parametrize(
    ("body", "kept", "lost"),
    [
        ({"stream_options": {"include_usage": True}}, {}, []),
        ({"stream": True, "stream_options": {}}, {"stream": True, "stream_options": {}}, []),
        ({"stop": []}, {}, []),
        ({"stop": ["a"]}, {"stop": ["a"]}, []),
        ({"top_logprobs": 2}, {}, ["top_logprobs"]),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, []),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}, []),
        ({"tool_choice": "required"}, {}, ["tool_choice"]),
    ],
)
def test_what_means_nothing_alone_is_removed(body: dict[str, Any], kept: dict[str, Any], lost: list[str]) -> None:
    assert mended(chat_mends.without_orphans, body) == (kept, lost)


def test_of_too_many_stop_sequences_the_first_are_kept() -> None:
    assert mended(chat_mends.at_most_stops(2), {"stop": ["a", "b", "c"]}) == ({"stop": ["a", "b"]}, ["stop"])
    assert mended(chat_mends.at_most_stops(2), {"stop": "a"}) == ({"stop": "a"}, [])


def test_too_many_tools_are_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="at most 2 tools, and the request has 3") as refused:
        mended(chat_mends.at_most_tools(2), {"tools": [tool("a"), tool("b"), tool("c")]})
    assert refused.value.param == "tools"


def test_a_number_moves_into_the_vendors_range() -> None:
    mend = chat_mends.within("temperature", 0.01, 1)
    assert mended(mend, {"temperature": 0}) == ({"temperature": 0.01}, ["temperature"])
    assert mended(mend, {"temperature": 1.7}) == ({"temperature": 1}, ["temperature"])
    assert mended(mend, {"temperature": 0.7}) == ({"temperature": 0.7}, [])


def test_an_identifier_of_the_wrong_length_becomes_a_hash_that_is_always_the_same() -> None:
    mend = chat_mends.short_id("user", 128, 6)
    long, short = mended(mend, {"user": "u" * 150})[0]["user"], mended(mend, {"user": "u"})[0]["user"]
    assert len({long, short, mended(mend, {"user": "u" * 151})[0]["user"]}) == 3
    assert mended(mend, {"user": "u" * 150}) == ({"user": long}, [])
    assert 6 <= len(long) <= 128
    assert mended(mend, {"user": "alice-1"}) == ({"user": "alice-1"}, [])


def test_json_mode_brings_the_word_json_where_no_message_has_it() -> None:
    mode = {"response_format": {"type": "json_object"}}
    body, lost = mended(chat_mends.mention_json, {**mode, "messages": [USER]})
    assert lost == []
    assert body["messages"] == [{"role": "system", "content": "Answer in JSON."}, USER]
    said = {**mode, "messages": [{"role": "user", "content": [{"type": "text", "text": "as JSON, please"}]}]}
    assert mended(chat_mends.mention_json, said) == (said, [])
    assert mended(chat_mends.mention_json, {"messages": [USER]}) == ({"messages": [USER]}, [])


def test_instructions_that_are_parts_get_a_part() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "You help."}]}
    body, _ = mended(chat_mends.mention_json, {"response_format": {"type": "json_object"}, "messages": [system, USER]})
    assert body["messages"][0]["content"] == [*system["content"], {"type": "text", "text": "Answer in JSON."}]


def test_beside_tools_a_schema_is_asked_for_in_words() -> None:
    fields = {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}
    body, lost = mended(chat_mends.tools_or_format, {**fields, "tools": [tool("f")]})
    assert lost == ["response_format"]
    assert "response_format" not in body
    assert '{"type":"object","properties":{"a":{"type":"string"}}}' in body["messages"][0]["content"]
    assert mended(chat_mends.tools_or_format, fields) == (fields, [])


def test_json_mode_as_a_schema_of_any_object_loses_nothing() -> None:
    body, lost = mended(chat_mends.any_object_as_schema, {"response_format": {"type": "json_object"}})
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
    mend = chat_mends.json_without_thinking(SWITCH, by_default="qwen3-32b")
    assert mended(mend, {**mode, **asked}) == ({**mode, "model": asked["model"], **kept}, lost)


def test_a_model_that_always_thinks_is_asked_for_json_in_words() -> None:
    body = {"model": "qwq", "response_format": {"type": "json_object"}, "messages": [USER]}
    mend = chat_mends.json_without_thinking(SWITCH, by_default="qwen3-32b")
    sent, lost = mended(mend, body)
    assert lost == ["response_format"]
    assert sent["messages"][0]["content"] == "Give the final answer as one JSON object, and nothing else."


def test_of_an_effort_and_a_budget_the_effort_is_kept() -> None:
    both = {"reasoning": {"effort": "low", "max_tokens": 9, "exclude": True}}
    assert mended(chat_mends.effort_or_budget, both) == (
        {"reasoning": {"effort": "low", "exclude": True}},
        ["reasoning.max_tokens"],
    )
    assert mended(chat_mends.effort_or_budget, {"reasoning": {"max_tokens": 9}}) == ({"reasoning": {"max_tokens": 9}}, [])


def test_of_an_effort_and_a_switch_the_effort_is_kept() -> None:
    mend = chat_mends.one_switch(SWITCH)
    assert mended(mend, {"reasoning_effort": "low", "enable_thinking": True}) == ({"reasoning_effort": "low"}, [])
    assert mended(mend, {"enable_thinking": True}) == ({"enable_thinking": True}, [])


def test_sampling_stays_where_thinking_is_switched_off() -> None:
    mend = chat_mends.while_thinking(SWITCH, chat_mends.dropping("temperature"))
    assert mended(mend, {"temperature": 0.1}) == ({}, ["temperature"])
    off = {"temperature": 0.1, "enable_thinking": False}
    assert mended(mend, off) == (off, [])


def test_a_named_tool_is_the_only_one_offered_where_a_choice_is_a_word() -> None:
    named = {"type": "function", "function": {"name": "b"}}
    body, lost = mended(chat_mends.named_tool_alone, {"tools": [tool("a"), tool("b")], "tool_choice": named})
    assert (body, lost) == ({"tools": [tool("b")], "tool_choice": "required"}, [])
    other = {"tools": [tool("a")], "tool_choice": named}
    assert mended(chat_mends.named_tool_alone, other) == ({"tools": [tool("a")], "tool_choice": "auto"}, ["tool_choice"])


def test_a_type_beside_alternatives_moves_into_them() -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}, {"$ref": "#"}]}},
    }
    body, lost = mended(chat_mends.with_functions(chat_mends.type_in_branches), {"tools": [tool("a", schema)]})
    inner = body["tools"][0]["function"]["parameters"]["properties"]["x"]
    assert inner == {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}, {"$ref": "#"}]}
    assert lost == []


def test_tools_are_all_strict_or_none_is() -> None:
    mixed = {"tools": [tool("a", strict=True), tool("b")]}
    body, lost = mended(chat_mends.strict_all_or_none, mixed)
    assert [one["function"]["strict"] for one in body["tools"]] == [False, False]
    assert lost == ["tools.strict"]
    alike = {"tools": [tool("a", strict=True), tool("b", strict=True)]}
    assert mended(chat_mends.strict_all_or_none, alike) == (alike, [])


def test_a_schema_is_strict_only_where_it_fulfils_the_conditions() -> None:
    closed = {**SCHEMA, "additionalProperties": False}
    fields = {
        "tools": [tool("a", closed, strict=True), tool("b", SCHEMA, strict=True)],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": closed, "strict": True}},
    }
    body, lost = mended(chat_mends.strict_where_it_can_be(required=False), fields)
    assert [one["function"]["strict"] for one in body["tools"]] == [True, False]
    assert body["response_format"] == fields["response_format"]
    assert lost == ["tools.strict"]
    assert mended(chat_mends.strict_where_it_can_be(required=False, unknown=("title",)), fields)[1] == ["tools.strict"]
    assert mended(chat_mends.strict_where_it_can_be(required=False, unknown=("type",)), fields)[1].count("tools.strict") == 2
    body, lost = mended(chat_mends.strict_where_it_can_be(required=True), fields)
    assert body["response_format"]["json_schema"]["strict"] is False
    assert lost == ["tools.strict", "tools.strict", "response_format.strict"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"a":1}', '{"a":1}'),
        ("", "{}"),
        ({"a": 1}, '{"a":1}'),
        (None, "{}"),
        ("{", '{"arguments":"{"}'),
        ("[1]", '{"arguments":"[1]"}'),
    ],
)
def test_arguments_of_replayed_calls_are_the_text_of_an_object(given: Any, sent: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": given}}
    body, lost = mended(chat_mends.json_arguments, {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]})
    assert body["messages"][0]["tool_calls"][0]["function"] == {"name": "f", "arguments": sent}
    assert lost == []


def test_unknown_fields_of_messages_are_dropped_and_named_once() -> None:
    message = {"role": "assistant", "content": "x", "audio": None, "reasoning": "r"}
    body, lost = mended(chat_mends.known_message_fields("role", "content"), {"messages": [message, USER]})
    assert body["messages"] == [{"role": "assistant", "content": "x"}, USER]
    assert lost == ["messages.reasoning"]


def test_a_picture_that_the_model_cannot_read_is_replaced_by_a_sentence() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, image("data:image/png;base64,AA")]}, USER]}
    sent, lost = mended(chat_mends.unread_images, body, ModelFacts(images=False))
    # As one string: vendors that read text only often take no list of parts.
    assert sent["messages"] == [{"role": "user", "content": "see\n[An image was left out: the model does not take it]"}, USER]
    assert lost == ["content.image_url"]
    assert mended(chat_mends.unread_images, body) == (body, [])


def test_only_parts_of_the_types_that_a_vendor_refuses_are_replaced() -> None:
    picture, file = image("data:image/png;base64,AA"), {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}
    sent, lost = mended(chat_mends.without_parts("file"), {"messages": [{"role": "user", "content": [picture, file]}]})
    assert sent["messages"][0]["content"][0] == picture
    assert sent["messages"][0]["content"][1]["type"] == "text"
    assert lost == ["content.file"]


@pytest.mark.parametrize(
    ("mend", "url", "taken"),
    [
        (chat_mends.without_remote_images, "https://x/a.png", False),
        (chat_mends.without_remote_images, "data:image/png;base64,AA", True),
        (chat_mends.without_remote_images, "ms://file-1", True),
        (chat_mends.images_of("png", "jpe?g"), "data:image/jpeg;base64,AA", True),
        (chat_mends.images_of("png", "jpe?g"), "data:image/webp;base64,AA", False),
        (chat_mends.images_of("png", "jpe?g"), "https://x/a.webp", True),
    ],
)
def test_pictures_are_taken_by_their_address(mend: Mend, url: str, taken: bool) -> None:
    body = {"messages": [{"role": "user", "content": [image(url)]}]}
    sent, lost = mended(mend, body)
    assert (sent == body) is taken
    assert lost == ([] if taken else ["content.image_url"])


def test_of_too_many_pictures_the_last_are_kept() -> None:
    urls = [f"data:image/png;base64,{name}" for name in ("AA", "BB", "CC")]
    messages = [{"role": "user", "content": [image(urls[0]), image(urls[1])]}, {"role": "user", "content": [image(urls[2])]}]
    sent, lost = mended(chat_mends.last_images(2), {"messages": messages})
    assert [part["type"] for message in sent["messages"] for part in message["content"]] == ["text", "image_url", "image_url"]
    assert lost == ["content.image_url"]
    assert mended(chat_mends.last_images(3), {"messages": messages}) == ({"messages": messages}, [])


def test_of_too_many_cache_marks_the_last_are_kept() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{"type": "text", "text": str(number), **mark} for number in range(3)]
    body = {"tools": [{**tool("a"), **mark}], "messages": [{"role": "user", "content": parts}, {**USER, **mark}]}
    sent, lost = mended(chat_mends.at_most_cache_marks(3), body)
    assert "cache_control" not in sent["tools"][0]
    assert ["cache_control" in part for part in sent["messages"][0]["content"]] == [False, True, True]
    assert "cache_control" in sent["messages"][1]
    assert lost == ["cache_control"]
    assert mended(chat_mends.at_most_cache_marks(5), body) == (body, [])
