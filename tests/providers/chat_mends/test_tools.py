"""Tools and their schemas in bodies of OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.chat_mends import tools
from tests.fakes.chat_bodies import SCHEMA, mended, tool


def test_too_many_tools_are_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="at most 2 tools, and the request has 3") as refused:
        mended(tools.at_most_tools(2), {"tools": [tool("a"), tool("b"), tool("c")]})
    assert refused.value.param == "tools"


def test_a_named_tool_is_the_only_one_offered_where_a_choice_is_a_word() -> None:
    named = {"type": "function", "function": {"name": "b"}}
    body, lost = mended(tools.named_tool_alone, {"tools": [tool("a"), tool("b")], "tool_choice": named})
    assert (body, lost) == ({"tools": [tool("b")], "tool_choice": "required"}, [])
    other = {"tools": [tool("a")], "tool_choice": named}
    assert mended(tools.named_tool_alone, other) == ({"tools": [tool("a")], "tool_choice": "auto"}, ["tool_choice"])


def test_a_type_next_to_alternatives_moves_into_them() -> None:
    schema = {
        "type": "object",
        "properties": {"x": {"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}, {"$ref": "#"}]}},
    }
    body, lost = mended(tools.moonshot_schemas, {"tools": [tool("a", schema)]})
    inner = body["tools"][0]["function"]["parameters"]["properties"]["x"]
    assert inner == {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}, {"$ref": "#"}]}
    assert lost == []


def test_tools_are_all_strict_or_none_is() -> None:
    mixed = {"tools": [tool("a", strict=True), tool("b")]}
    body, lost = mended(tools.strict_all_or_none, mixed)
    assert [one["function"]["strict"] for one in body["tools"]] == [False, False]
    assert lost == ["tools.strict"]
    alike = {"tools": [tool("a", strict=True), tool("b", strict=True)]}
    assert mended(tools.strict_all_or_none, alike) == (alike, [])


def test_a_schema_is_strict_only_where_it_fulfils_the_conditions() -> None:
    closed = {**SCHEMA, "additionalProperties": False}
    fields = {
        "tools": [tool("a", closed, strict=True), tool("b", SCHEMA, strict=True)],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": closed, "strict": True}},
    }
    body, lost = mended(tools.strict_where_it_can_be(required=False), fields)
    assert [one["function"]["strict"] for one in body["tools"]] == [True, False]
    assert body["response_format"] == fields["response_format"]
    assert lost == ["tools.strict"]
    assert mended(tools.strict_where_it_can_be(required=False, unknown=("title",)), fields)[1] == ["tools.strict"]
    assert mended(tools.strict_where_it_can_be(required=False, unknown=("type",)), fields)[1].count("tools.strict") == 2
    body, lost = mended(tools.strict_where_it_can_be(required=True), fields)
    assert body["response_format"]["json_schema"]["strict"] is False
    assert lost == ["tools.strict", "tools.strict", "response_format.strict"]


def test_a_stream_with_tools_has_no_log_probabilities_where_they_exclude_each_other() -> None:
    asked = {"tools": [tool("a")], "logprobs": True, "top_logprobs": 2}
    assert mended(tools.logprobs_or_streamed_tools, asked) == (asked, [])
    streamed = mended(tools.logprobs_or_streamed_tools, {**asked, "stream": True})
    assert streamed == ({"tools": [tool("a")], "stream": True}, ["logprobs", "top_logprobs"])
    alone = {"logprobs": True, "stream": True}
    assert mended(tools.logprobs_or_streamed_tools, alone) == (alone, [])


def test_schemas_are_written_for_grammars_in_tools_and_in_the_answers_format() -> None:
    schema = {"type": "object", "properties": {"x": True}}
    form = {"type": "json_schema", "json_schema": {"name": "o", "schema": schema}}
    body, lost = mended(tools.grammar_schemas, {"tools": [tool("a", schema)], "response_format": form})
    assert lost == []
    plain = {"type": "object", "properties": {"x": {}}}
    assert body["tools"] == [tool("a", plain)]
    assert body["response_format"]["json_schema"] == {"name": "o", "schema": plain}


def test_a_schema_is_written_in_moonshots_flavour() -> None:
    given = {
        "properties": {
            "pair": {"type": "array", "items": [{"type": "number"}]},
            "none": {"type": "array", "items": False},
            "ref": {"$ref": "#/$defs/A", "description": "mine", "title": "T"},
        },
        "required": ["pair", "undefined"],
        "$defs": {"A": {"type": "string", "description": "its own"}},
    }
    body, lost = mended(tools.moonshot_schemas, {"tools": [tool("a", given)]})
    assert lost == []
    assert body["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "pair": {"type": "array", "prefixItems": [{"type": "number"}]},
            "none": {"type": "array", "maxItems": 0},
            "ref": {"$ref": "#/$defs/A", "title": "T"},
        },
        "required": ["pair"],
        "$defs": {"A": {"type": "string", "description": "its own"}},
    }


def test_alternatives_at_the_root_of_a_schema_stand_side_by_side_for_moonshot() -> None:
    given = {"type": "object", "anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "string"}}}]}
    body, lost = mended(tools.moonshot_schemas, {"tools": [tool("a", given)]})
    assert (set(body["tools"][0]["function"]["parameters"]["properties"]), lost) == ({"a", "b"}, ["tools.parameters.anyOf"])


def test_a_choice_that_the_vendor_has_no_word_for_becomes_auto() -> None:
    mend = tools.only_chosen("none", "auto")
    assert mended(mend, {"tool_choice": "required"}) == ({"tool_choice": "auto"}, ["tool_choice"])
    assert mended(mend, {"tool_choice": "none"}) == ({"tool_choice": "none"}, [])
    assert mended(mend, {}) == ({}, [])
