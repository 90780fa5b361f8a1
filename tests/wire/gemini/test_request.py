"""Requests of Gemini's dialect: both spellings, calls without ids, results, settings; and faults by their path."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.chat import ChatRequest, Media, Opaque, Text, Thinking, ToolCall, ToolResult
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import dialect

GEMINI = dialect("gemini")
HELLO = {"role": "user", "parts": [{"text": "hello"}]}


def read(body: dict[str, Any]) -> ChatRequest:
    return GEMINI.read_request(copy.deepcopy(body), {"model": "gemini-x", "stream": True})


def unchanged(body: dict[str, Any]) -> ChatRequest:
    """Read, after it came out of the writer as it went in."""
    request = read(body)
    out = GEMINI.write_request(request, "gemini-x")
    assert out.body == body
    assert out.dropped == []
    return request


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **more}}


def result(name: str, response: Any, **more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response, **more}}


def test_the_model_and_the_stream_stand_in_the_path():
    request = unchanged({"contents": [HELLO]})
    assert (request.model, request.stream) == ("gemini-x", True)
    assert request.messages[0].plain


def test_both_spellings_mean_the_same_and_come_back_as_they_were():
    camel = unchanged({"contents": [HELLO], "generationConfig": {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"]}})
    snake = unchanged({"contents": [HELLO], "generation_config": {"max_output_tokens": 5, "top_p": 0.5, "stop_sequences": ["x"]}})
    for request in (camel, snake):
        assert (request.max_tokens, request.top_p, request.stop) == (5, 0.5, ["x"])


def test_keys_of_the_callers_own_are_not_respelled():
    args = {"first_name": "a", "lastName": None}
    part = {"function_call": {"id": "c", "name": "f", "args": args}}
    request = unchanged({"contents": [HELLO, {"role": "model", "parts": [part]}], "labels": {"my_label": "x"}})
    assert '"first_name"' in request.messages[1].parts[0].arguments  # type: ignore[union-attr]


def test_nulls_single_objects_and_numbers_as_text_come_back():
    unchanged(
        {
            "contents": {"parts": {"text": "hello"}},
            "system_instruction": {"parts": {"text": "be brief"}},
            "generationConfig": {"top_p": None, "temperature": 0.5},
            "cachedContent": None,
        }
    )
    assert read({"contents": [HELLO], "generationConfig": {"maxOutputTokens": "7", "topK": 40.0}}).max_tokens == 7
    unchanged({"contents": [HELLO], "generationConfig": {"topP": None}})
    unchanged({"contents": [HELLO], "generationConfig": {}, "toolConfig": {}})


@pytest.mark.parametrize("key", ["a|b", "a|null", "|", "a.b", "a.0", ".", "~1", "a~b", "a_b.c_d", "snake_case"])
@pytest.mark.parametrize("value", [None, {"inner": None}, {"max_tokens": 1}])
def test_a_field_whose_unknown_name_has_a_bar_a_dot_or_a_tilde_comes_back_unchanged(key: str, value: Any):
    unchanged({"contents": [HELLO], key: value})
    unchanged({"contents": [{**HELLO, key: value}], "generationConfig": {"topP": 0.5, key: value}})


def test_calls_without_ids_get_the_same_ones_each_time_and_results_find_them():
    contents = [
        HELLO,
        {"role": "model", "parts": [call("weather"), call("weather"), call("time")]},
        {"role": "user", "parts": [result("time", {"result": "noon"}), result("weather", {"a": 1}), result("weather", {"b": 2})]},
    ]
    first = unchanged({"contents": contents})
    calls = [part for part in first.messages[1].parts if isinstance(part, ToolCall)]
    results = [part for part in first.messages[2].parts if isinstance(part, ToolResult)]
    assert len({each.id for each in calls}) == 3
    assert [each.call_id for each in results] == [calls[2].id, calls[0].id, calls[1].id]
    longer = unchanged({"contents": [*contents, {"role": "model", "parts": [{"text": "ok"}]}, HELLO]})
    assert longer.messages[1] == first.messages[1]


def test_results_without_ids_find_the_calls_of_a_turn_in_several_contents():
    """google-genai keeps each chunk of a stream as a content, the empty last one too, and sends no ids with its results."""
    contents = [
        HELLO,
        {"role": "model", "parts": [call("weather")]},
        {"role": "model", "parts": [call("time")]},
        {"role": "model", "parts": [{"text": ""}]},
        {"role": "user", "parts": [result("weather", {"result": "sunny"}), result("time", {"result": "noon"})]},
        {"role": "model", "parts": [call("weather")]},
        {"role": "model", "parts": [{"text": ""}]},
        {"role": "user", "parts": [result("weather", {"result": "rain"})]},
    ]
    parts = [part for message in unchanged({"contents": contents}).messages for part in message.parts]
    calls = [part.id for part in parts if isinstance(part, ToolCall)]
    assert [part.call_id for part in parts if isinstance(part, ToolResult)] == calls
    assert len(set(calls)) == 3


def test_a_result_with_an_id_belongs_to_that_call():
    request = unchanged(
        {
            "contents": [
                {"role": "model", "parts": [call("f", id="one"), call("f", id="two")]},
                {"role": "function", "parts": [result("f", {"output": "2"}, id="two"), result("f", {"error": "no"})]},
            ]
        }
    )
    results = [part for part in request.messages[1].parts if isinstance(part, ToolResult)]
    assert [each.call_id for each in results] == ["two", "one"]
    assert [each.is_error for each in results] == [None, True]
    assert request.messages[1].role == "tool"


@pytest.mark.parametrize(
    ("response", "text"),
    [
        ({"result": "sunny"}, "sunny"),
        ({"output": "sunny"}, "sunny"),
        ({"temp": 3}, '{"temp":3}'),
        ({}, "{}"),
        ({"result": 3}, '{"result":3}'),
        ({"return_value": "sunny"}, "sunny"),
        ({"return_value": 3}, '{"return_value":3}'),
        ({"name": "f", "content": "sunny"}, "sunny"),
        ({"name": "Ada", "content": "sunny"}, '{"name":"Ada","content":"sunny"}'),
        ({"name": "f", "content": "sunny", "day": 1}, '{"name":"f","content":"sunny","day":1}'),
    ],
)
def test_a_function_result_with_one_string_is_text(response: dict[str, Any], text: str):
    request = unchanged({"contents": [{"parts": [result("f", response)]}]})
    (found,) = request.messages[0].parts
    assert isinstance(found, ToolResult)
    assert found.parts == [Text(text)]


def test_files_in_results_and_everywhere_else():
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "a.png"}}
    film = {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 1, "startOffset": "5s"}}
    stored = {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}}
    request = unchanged({"contents": [{"parts": [picture, film, stored, result("f", {"result": "x"}, id="c", parts=[picture])]}]})
    kinds = [(part.kind, bool(part.url), part.file_id) for part in request.messages[0].parts if isinstance(part, Media)]
    assert kinds == [("image", False, None), ("video", True, None), ("document", False, "gs://bucket/a.pdf")]
    found = request.messages[0].parts[3]
    assert isinstance(found, ToolResult)
    assert [type(part) for part in found.parts] == [Text, Media]


def test_thoughts_signatures_and_parts_of_googles_own():
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": "czE="},
        {"text": "so", "thoughtSignature": "czI="},
        {**call("f", id="c"), "thoughtSignature": "czM="},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thought_signature": "czQ="},
        {"thoughtSignature": "czU="},
        {},
    ]
    request = unchanged({"contents": [{"role": "model", "parts": parts}]})
    thought, text, called, code, *_ = request.messages[0].parts
    assert thought == Thinking("hm", "czE=", dialect="gemini")
    assert isinstance(text, Text)
    assert isinstance(called, ToolCall)
    assert called.signature == "czM="
    assert isinstance(code, Opaque)
    assert code.name == "executableCode"


def test_tools_keep_their_places():
    request = unchanged(
        {
            "contents": [HELLO],
            "tools": [
                {"googleSearch": {}},
                {
                    "functionDeclarations": [
                        {"name": "a", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "STRING", "nullable": True}}}}
                    ]
                },
                {
                    "function_declarations": [{"name": "b", "parameters_json_schema": {"type": "object"}, "behavior": "BLOCKING"}],
                    "code_execution": {},
                },
            ],
            "toolConfig": {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a"]},
                "retrievalConfig": {"languageCode": "de"},
            },
        }
    )
    assert [(tool.kind, tool.name) for tool in request.tools] == [
        ("hosted", "googleSearch"),
        ("function", "a"),
        ("function", "b"),
        ("hosted", "codeExecution"),
    ]
    assert request.tools[1].schema == {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}
    assert request.tool_choice is not None
    assert (request.tool_choice.mode, request.tool_choice.name) == ("tool", "a")


@pytest.mark.parametrize(
    ("mode", "neutral"), [("AUTO", "auto"), ("none", "none"), ("VALIDATED", "auto"), (2, "required"), ("any", "required")]
)
def test_every_way_to_choose_tools(mode: Any, neutral: str):
    request = unchanged({"contents": [HELLO], "toolConfig": {"functionCallingConfig": {"mode": mode}}})
    assert request.tool_choice is not None
    assert request.tool_choice.mode == neutral


@pytest.mark.parametrize(
    ("config", "mode", "budget", "effort"),
    [
        ({"thinkingBudget": 0}, "disabled", None, None),
        ({"thinkingBudget": -1, "includeThoughts": True}, "adaptive", None, None),
        ({"thinking_budget": 512, "include_thoughts": False}, "enabled", 512, None),
        ({"thinkingLevel": "HIGH"}, None, None, "high"),
        ({}, None, None, None),
    ],
)
def test_thinking_in_budgets_and_levels(config: dict[str, Any], mode: str | None, budget: int | None, effort: str | None):
    request = unchanged({"contents": [HELLO], "generationConfig": {"thinkingConfig": config}})
    assert request.reasoning is not None
    assert (request.reasoning.mode, request.reasoning.budget_tokens, request.reasoning.effort) == (mode, budget, effort)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"responseMimeType": "application/json"}, "json"),
        ({"responseMimeType": "text/plain"}, "text"),
        ({"response_mime_type": "application/json", "response_schema": {"type": "OBJECT"}}, "schema"),
        ({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}, "schema"),
        ({"responseSchema": {"type": 6, "properties": {"a": {"type": 1}}}}, "schema"),
        ({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}}, None),
    ],
)
def test_formats_of_the_answer(config: dict[str, Any], kind: str | None):
    request = unchanged({"contents": [HELLO], "generationConfig": config})
    assert (request.output.kind if request.output else None) == kind


def test_what_only_google_knows_is_kept_and_named_where_it_is_lost():
    body = {
        "contents": [HELLO],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/x",
        "generationConfig": {"responseModalities": ["TEXT"], "speechConfig": {"languageCode": "de"}, "candidateCount": 2},
    }
    request = unchanged(body)
    assert request.n == 2
    dropped = dialect("openai_chat").write_request(request, "gpt-x").dropped
    assert dropped == ["safetySettings", "cachedContent", "generationConfig.speechConfig"] or set(dropped) == {
        "safetySettings",
        "cachedContent",
        "generationConfig.speechConfig",
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": "hello"}, "contents"),
        ({"contents": [{"role": "robot", "parts": []}]}, "contents.0.role"),
        ({"contents": [{"parts": [{"text": 3}]}]}, "contents.0.parts.0.text"),
        ({"contents": [{"parts": [None]}]}, "contents.0.parts.0"),
        ({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}, "contents.0.parts.0.functionCall.name"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]},
            "contents.0.parts.0.functionResponse.response",
        ),
        ({"contents": [{"parts": [{"inlineData": {}}]}]}, "contents.0.parts.0.inlineData.data"),
        ({"contents": [HELLO], "generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"contents": [HELLO], "generationConfig": {"maxOutputTokens": "9" * 5000}}, "generationConfig.maxOutputTokens"),
        ({"contents": [HELLO], "generationConfig": {"stopSequences": "x"}}, "generationConfig.stopSequences"),
        ({"contents": [HELLO], "tools": [{"functionDeclarations": [{}]}]}, "tools.0.functionDeclarations.0.name"),
        (
            {"contents": [HELLO], "toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
    ],
)
def test_a_fault_is_named_by_its_path(body: dict[str, Any], param: str):
    with pytest.raises(BadRequest) as caught:
        read(body)
    assert caught.value.param == param


def test_overrides_go_where_gemini_has_them():
    body = GEMINI.passthrough_request(
        {"contents": [HELLO], "generation_config": {"max_output_tokens": 9, "top_p": 1}, "model": "x"}, "y"
    )
    for name, value in (("max_tokens", 5), ("top_p", None), ("safetySettings", []), ("temperature", 0.1)):
        GEMINI.override(body, name, value)  # type: ignore[attr-defined]
    assert body == {"contents": [HELLO], "generation_config": {"maxOutputTokens": 5, "temperature": 0.1}, "safetySettings": []}
