"""Translation between Gemini and other dialects: requests of OpenAI's and Anthropic's callers, and answers to them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from google.genai import types
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.core.events import Finished, Started, Usage
from conduit_desktop.wire import Dialect, dialect
from conduit_desktop.wire.gemini.schema import for_gemini, to_json_schema
from tests.wire.dialect_io import translated
from tests.wire.strategies import Features, answers, requests

GEMINI = dialect("gemini")
OPENAI = dialect("openai_chat")
ANTHROPIC = dialect("anthropic_messages")
HELLO = Message("user", [Text("hello")], plain=True)


def check_rules(body: dict[str, Any]) -> None:
    """Google's own types take it, turns alternate, and a turn with calls is followed by as many results."""
    config = body.get("generationConfig", {})
    types.GenerationConfig.model_validate(config)
    for content in body["contents"]:
        types.Content.model_validate(content)
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    assert all(a["role"] != b["role"] for a, b in pairwise(body["contents"]))
    assert all(content["parts"] for content in body["contents"])
    for turn, after in pairwise(body["contents"]):
        calls = [part["functionCall"]["id"] for part in turn["parts"] if "functionCall" in part]
        results = [part["functionResponse"]["id"] for part in after["parts"] if "functionResponse" in part]
        assert sorted(calls) == sorted(results)
        assert ["functionResponse" in part for part in after["parts"][: len(results)]] == [True] * len(results)
    assert len(config.get("stopSequences", ())) <= 5


@settings(max_examples=30)
@given(request=requests(Features(custom_tools=True)))
def test_any_openai_request_is_valid_for_gemini(request: ChatRequest) -> None:
    parsed = OPENAI.read_request(OPENAI.write_request(request, "gpt-x").body, {})
    body = orjson.loads(orjson.dumps(translated(GEMINI, parsed, "gemini-x").body))
    check_rules(body)
    again = GEMINI.read_request(body, {"model": "gemini-x"})
    assert called(again) == called(parsed)
    assert texts_by_role(again) == texts_by_role(parsed)


CLAUDES = Features(
    "anthropic_messages", documents=True, results_in="user", tool_errors=True, penalties=False, top_k=True, output_formats=False
)


@settings(max_examples=30)
@given(request=requests(CLAUDES))
def test_any_anthropic_request_is_valid_for_gemini(request: ChatRequest) -> None:
    parsed = ANTHROPIC.read_request(ANTHROPIC.write_request(request, "claude-x").body, {})
    body = orjson.loads(orjson.dumps(translated(GEMINI, parsed, "gemini-x").body))
    check_rules(body)
    again = GEMINI.read_request(body, {"model": "gemini-x"})
    assert called(again) == called(parsed)
    assert (again.max_tokens, again.top_k, again.temperature) == (parsed.max_tokens, parsed.top_k, parsed.temperature)


def texts_by_role(request: ChatRequest) -> dict[str, str]:
    """The texts of each role, joined together."""
    texts: dict[str, str] = {}
    for message in request.messages:
        text = "".join(part.text for part in message.parts if isinstance(part, Text))
        texts[message.role] = texts.get(message.role, "") + text
    return {role: text for role, text in texts.items() if text and role not in ("tool", "function")}


def called(request: ChatRequest) -> list[tuple[str, str]]:
    # Without the number that a repeated id gets.
    found: list[tuple[str, str]] = []
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                found.append((part.id.split("_")[1], part.name))
            elif isinstance(part, ToolResult):
                found.append((part.call_id.split("_")[1], "result"))
    return sorted(found)


@settings(max_examples=30)
@given(
    answer=answers(
        Features(thinking=True, signatures=True, citations=True, finish=("stop", "length", "tool_calls", "content_filter"))
    )
)
@pytest.mark.parametrize("to", [OPENAI, ANTHROPIC], ids=lambda to: to.name)
def test_an_answer_survives_translation_to_gemini_and_back(to: Dialect, answer: Answer) -> None:
    request = ChatRequest(to.name, "alias", [HELLO], stream=True, include_usage=True)
    body = GEMINI.write_response(answer, ChatRequest("gemini", "gemini-x"))
    types.GenerateContentResponse.model_validate(body)
    back = collect(GEMINI.read_response(orjson.loads(orjson.dumps(body))))
    assert kept(back) == kept(answer)
    writer = GEMINI.writer(ChatRequest("gemini", "gemini-x"))
    data = b"".join([writer.write(event) for event in answer.events()]) + writer.end()
    reader = GEMINI.reader()
    streamed = collect(reader.feed(data) + reader.close(clean=True))
    if not answer.first.tool_calls:  # sources come last, when a call has closed the text already
        assert kept(streamed)["sources"] == kept(answer)["sources"]
    assert {**kept(streamed), "sources": []} == {**kept(answer), "sources": []}
    other = collect(to.read_response(to.write_response(back, request)))
    assert [(call.id, call.name) for call in other.first.tool_calls] == [(call.id, call.name) for call in answer.first.tool_calls]
    assert other.first.text == answer.first.text


def kept(answer: Answer) -> dict[str, Any]:
    usage, finish = answer.usage, answer.first.finish
    assert usage is not None
    assert finish is not None
    return {
        "id": answer.started.id,
        "text": answer.first.text,
        "thinking": answer.first.thinking,
        "calls": [(call.id, call.name, orjson.loads(call.arguments)) for call in answer.first.tool_calls],
        "finish": finish.reason,
        "counts": (usage.total_input, usage.cache_read, usage.total_output, usage.reasoning),
        "sources": sorted({c.url or "" for part in answer.first.parts if isinstance(part, Text) for c in part.citations}),
    }


def test_a_conversation_with_tools_images_and_a_format():
    request = ChatRequest(
        "openai_chat",
        "alias",
        [
            Message("system", [Text("be brief")], plain=True),
            Message("user", [Text("look"), Media("image", url="https://example.com/a.webp"), Media("image", file_id="file-1")]),
            Message("assistant", [Thinking("hm"), ToolCall("c1", "see", '{"a":1}', signature="czE=")]),
            Message("tool", [ToolResult("c1", [Text('{"seen":true}'), Media("image", data="aGk=", media_type="image/png")])]),
            Message("developer", [Text("be kind")], plain=True),
            HELLO,
        ],
        tools=[Tool("see", "Sees.", {"type": "object", "$schema": "x", "properties": {"a": {"const": 1}}}, strict=True)],
        tool_choice=ToolChoice("tool", "see"),
        output=OutputFormat("schema", {"type": "object"}, "answer"),
        reasoning=Reasoning("xhigh"),
        stop=list("abcdef"),
        user="me",
        parallel_tool_calls=False,
    )
    out = translated(GEMINI, request, "gemini-x")
    check_rules(out.body)
    assert out.body["systemInstruction"] == {"parts": [{"text": "be brief"}, {"text": "be kind"}]}
    _, call, result = out.body["contents"]
    assert call["parts"] == [{"functionCall": {"id": "c1", "name": "see", "args": {"a": 1}}, "thoughtSignature": "czE="}]
    assert result["parts"][0]["functionResponse"]["response"] == {"seen": True}
    assert result["parts"][0]["functionResponse"]["name"] == "see"
    (declared,) = out.body["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == {"type": "object", "properties": {"a": {"enum": [1], "type": "integer"}}}
    assert out.body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["see"]}}
    assert out.body["generationConfig"] == {
        "stopSequences": list("abcde"),
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"},
    }
    assert set(out.dropped) == {"file_id", "thinking", "system.position", "tools.strict", "stop", "user", "parallel_tool_calls"}


def test_a_conversation_of_instructions_only_gets_a_user_turn():
    body = translated(GEMINI, ChatRequest("openai_chat", "m", [Message("system", [Text("hi")], plain=True)]), "m").body
    assert body["contents"] == [{"role": "user", "parts": [{"text": "."}]}]


def test_geminis_schema_becomes_json_schema():
    schema = {
        "type": "OBJECT",
        "propertyOrdering": ["b", "a"],
        "properties": {
            "a": {"type": "STRING", "nullable": True, "enum": ["x"]},
            "b": {"type": 5, "items": {"anyOf": [{"type": "INTEGER"}, {"type": 2}]}, "minItems": "1"},
        },
    }
    assert to_json_schema(schema) == {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "b": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "number"}]}, "minItems": 1},
        },
    }


def test_schema_references_are_resolved_unless_they_are_recursive():
    schema = {
        "$defs": {
            "Name": {"type": "string", "minLength": 1},
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "name": {"$ref": "#/$defs/Name"}}},
        },
        "type": "object",
        "properties": {"name": {"$ref": "#/$defs/Name", "description": "x"}, "node": {"$ref": "#/$defs/Node"}},
        "unevaluatedProperties": False,
        "allOf": [{"properties": {"c": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["c"]}],
    }
    made = for_gemini(schema)
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/Node"}, "name": {"type": "string", "minLength": 1}},
    }
    assert made == {
        "type": "object",
        "properties": {
            "c": {"type": "integer", "minimum": 1},
            "name": {"type": "string", "minLength": 1, "description": "x"},
            "node": node,
        },
        "required": ["c"],
        "$defs": {"Node": node},
    }


def test_citations_of_others_become_grounding():
    cited = Text("grün ist gut", citations=[Citation("https://a.example", "A", start=0, end=4), Citation("https://b.example")])
    answer = Answer(Started("x", "m"), [Choice([cited], Finished("stop"))], Usage(1, output=2))
    candidate = GEMINI.write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]
    support = candidate["groundingMetadata"]["groundingSupports"][0]
    assert support["segment"] == {"startIndex": 0, "endIndex": 5, "text": "grün"}
    back = collect(GEMINI.read_response({"candidates": [candidate]}))
    (part,) = back.first.parts
    assert isinstance(part, Text)
    assert [(c.url, c.start, c.end) for c in part.citations] == [("https://a.example", 0, 4), ("https://b.example", None, None)]


def written(**fields: Any) -> tuple[dict[str, Any], list[str]]:
    """The request of a chat client, written for Gemini, and what was dropped."""
    out = GEMINI.write_request(ChatRequest("openai_chat", "m", **{"messages": [HELLO], **fields}), "gemini-x")
    return out.body, out.dropped


def test_numbers_out_of_geminis_ranges_are_limited_and_named() -> None:
    body, dropped = written(temperature=2.5, top_p=1.5, n=20, logprobs=True, top_logprobs=30, seed=2**40 + 5, top_k=0)
    assert body["generationConfig"] == {
        "temperature": 2, "topP": 1, "candidateCount": 8, "responseLogprobs": True, "logprobs": 20, "seed": 5, "topK": 1,
    }  # fmt: skip
    assert set(dropped) == {"temperature", "top_p", "n", "top_logprobs", "top_k"}
    body, dropped = written(temperature=0, top_p=1, seed=7)
    assert (body["generationConfig"], dropped) == ({"temperature": 0, "topP": 1, "seed": 7}, [])


def test_a_conversation_that_begins_with_the_model_gets_a_user_turn() -> None:
    """Google refuses function calls in the first turn, and clients cut off the oldest turns of a long conversation."""
    call = Message("assistant", [ToolCall("c1", "f", "{}")])
    request = ChatRequest("openai_chat", "m", [call, Message("tool", [ToolResult("c1", [Text("x")])])])
    body = translated(GEMINI, request, "gemini-x").body
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]


def test_a_function_is_declared_without_empty_parameters() -> None:
    for schema in ({}, {"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}):
        body, dropped = written(tools=[Tool("f", schema=schema), Tool("g", schema={"type": "object", "properties": {"a": {}}})])
        declared = body["tools"][0]["functionDeclarations"]
        assert [(each["name"], "parametersJsonSchema" in each) for each in declared] == [("f", False), ("g", True)]
        assert dropped == []


def test_a_schema_requires_only_its_properties_and_has_no_empty_word() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "enum": ["", "x"]}, "b": {"type": "string", "enum": [""]}},
        "required": ["a", "z"],
    }
    assert for_gemini(schema) == {
        "type": "object",
        "properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"type": "string"}},
        "required": ["a"],
    }
    assert for_gemini({"type": "object", "required": ["z"]}) == {"type": "object"}


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize("given", [None, "image/jpg", "application/octet-stream", "image/png"])
def test_an_image_has_the_type_of_its_bytes(given: str | None) -> None:
    body, dropped = written(messages=[Message("user", [Media("image", data=PNG, media_type=given)])])
    assert body["contents"][0]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": PNG}}]
    assert dropped == []


def test_an_image_of_an_ollama_client_has_the_type_of_its_bytes() -> None:
    asked = {"model": "m", "stream": False, "messages": [{"role": "user", "content": "what is this", "images": [PNG]}]}
    body = GEMINI.write_request(dialect("ollama").read_request(asked, {}), "gemini-2.5-flash").body
    assert body["contents"][0]["parts"] == [{"text": "what is this"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]


def test_files_are_text_where_they_can_be_and_named_where_google_cannot_read_them() -> None:
    files = [
        Media("document", data="eyJhIjoxfQ==", media_type="application/json", name="a.json"),
        Media("document", data="aGk=", media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        Media("image", data="R0lGODlhAQABAAAAACw=", media_type="image/gif"),
        Media("document", data="/w==", media_type="text/csv"),
        Media("document", data="aGk=", media_type="application/pdf"),
    ]
    body, dropped = written(messages=[Message("user", list(files))])
    assert body["contents"][0]["parts"] == [
        {"text": 'a.json\n\n{"a":1}'},
        {"text": "[A file was left out: the model does not take it]"},
        {"text": "[An image was left out: the model does not take it]"},
        {"text": "[A file was left out: the model does not take it]"},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
    ]
    word = "document.application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert dropped == [word, "image.image/gif", "document.text/csv"]


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview", "web_search_20250305"])
def test_a_hosted_web_search_becomes_googles_unless_there_are_functions(kind: str) -> None:
    search = Tool("web_search", kind="hosted", type=kind, extra={"max_uses": 3})
    body, dropped = written(tools=[search])
    assert body["tools"] == [{"googleSearch": {}}]
    assert dropped == [f"tools[{kind}].max_uses"]
    body, dropped = written(tools=[search, Tool("f")])
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}]
    assert dropped == [f"tools[{kind}]"]
