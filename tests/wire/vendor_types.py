"""Answers as the vendors' own SDKs describe them, made from the JSON schema of each response type.

What the types allow is made: any block, null or field. Only what an answer could not do without is held to: ids differ,
arguments are JSON, counts add up.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.wire.vendor_shapes import cohere, converse

Fields = dict[str, Any]
Draw = st.DrawFn

DEEPEST = 7
COMMON = frozenset({
    "text", "tool_use", "thinking", "message", "function_call", "reasoning", "custom_tool_call", "output_text", "function",
})  # fmt: skip
"""The kinds that are made most of the time; every other is made now and then."""
WANTED = COMMON | frozenset({
    "status", "tool_calls", "reasoning_content", "content", "parts", "candidates", "finishReason", "functionCall", "summary",
    "stop_reason", "tool_plan", "usage", "usageMetadata", "type", "toolUse", "name",
})  # fmt: skip
"""The optional fields that most answers have."""
NAMED = frozenset({"id", "name", "call_id", "item_id", "tool_use_id"})

texts = st.text(alphabet=st.sampled_from('ab "\\\n{}:é\u2028😀<>'), max_size=6)
names = st.from_regex(r"[a-z]{2}[0-9]{4}", fullmatch=True)
counts = st.integers(0, 500)
objects = st.dictionaries(
    st.sampled_from(["a", "é"]), st.none() | st.booleans() | st.integers(0, 9) | texts | st.lists(texts, max_size=2), max_size=2
)
arguments = objects.map(lambda value: orjson.dumps(value).decode())


def pick(draw: Draw, ways: Sequence[Any]) -> Any:
    """One of `ways`: the same as `sampled_from`, which takes its time where the list is another at each place."""
    return ways[draw(st.integers(0, len(ways) - 1))] if len(ways) > 1 else ways[0]


@dataclass
class Walk:
    """One walk over a schema; `given` holds what fields of a name are made of."""

    definitions: Fields
    given: dict[str, st.SearchStrategy[Any]]

    def value(self, draw: Draw, schema: Fields, name: str = "", depth: int = 0) -> Any:
        """A value that the schema takes."""
        if name in self.given:
            return draw(self.given[name])
        schema = self.resolved(schema)
        for way in ("anyOf", "oneOf"):
            if way in schema:
                return self.value(draw, pick(draw, self.weighed(schema[way], depth)), name, depth)
        if "const" in schema or "enum" in schema:
            return pick(draw, schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "null":
                return None
            case "string":
                return self.text(draw, schema, name)
            case "boolean":
                return draw(st.booleans())
            case "integer" | "number" as kind:
                return draw(counts) if kind == "integer" else pick(draw, [0, 0.5, 3, 12.25])
            case "array":
                size = 0 if depth >= DEEPEST else pick(draw, [0, 1, 1, 2, 3])
                return [self.value(draw, schema.get("items", {}), "", depth + 1) for _ in range(size)]
            case _:
                return self.object(draw, schema, depth)

    def resolved(self, schema: Fields) -> Fields:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def weighed(self, ways: list[Fields], depth: int) -> list[Fields]:
        """The ways a value may be, the common ones several times; deep down the plain ones alone."""
        plain = [way for way in ways if self.resolved(way).get("type") in ("null", "string", "integer", "number", "boolean")]
        return [way for way in (plain if plain and depth >= DEEPEST else ways) for _ in range(self.weight(self.resolved(way)))]

    def weight(self, way: Fields) -> int:
        kind = way.get("properties", {}).get("type", {}).get("const")
        return 1 if way.get("type") == "null" else 12 if kind in COMMON or not COMMON.isdisjoint(way.get("required", ())) else 3

    def text(self, draw: Draw, schema: Fields, name: str) -> str:
        match schema.get("format"):
            case "date-time":
                return "2026-01-02T03:04:05Z"
            case "binary" | "base64" | "base64url":
                return base64.b64encode(draw(st.binary(max_size=4))).decode()
            case _:
                return draw(names if name in NAMED else texts)

    def object(self, draw: Draw, schema: Fields, depth: int) -> Fields:
        if "properties" not in schema:
            return draw(objects)
        fields = schema["properties"]
        some, more = (draw(st.integers(0, 2 ** len(fields) - 1)) for _ in range(2))
        wanted, rare = some | more, some & more
        chosen = {name for place, name in enumerate(fields) if (wanted if name in WANTED else rare) >> place & 1}
        chosen.update(schema.get("required", ()))
        return {name: self.value(draw, inner, name, depth + 1) for name, inner in fields.items() if name in chosen}


@dataclass(frozen=True)
class Vendor:
    """Who answers: `schema` of its answers, what fields are made of, and what makes an answer one that could be sent."""

    name: str
    dialect: str
    schema: Callable[[], Fields]
    tidy: Callable[[Fields], None]
    given: dict[str, st.SearchStrategy[Any]] = field(default_factory=dict)

    @property
    def bodies(self) -> st.SearchStrategy[Fields]:
        """Whole answers."""
        return _bodies(self)

    def __repr__(self) -> str:
        return self.name


@st.composite
def _bodies(draw: Draw, vendor: Vendor) -> Fields:
    schema = vendor.schema()
    body: Fields = Walk(schema.get("$defs", {}), vendor.given).value(draw, schema)
    vendor.tidy(body)
    return body


def _of(module: str, name: str) -> Callable[[], Fields]:
    @cache
    def schema() -> Fields:
        answer = getattr(__import__(module, fromlist=[name]), name)
        return TypeAdapter(answer).json_schema(by_alias=True)

    return schema


def _chat(body: Fields) -> None:
    body["choices"] = body["choices"] or [{"finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}]
    for index, choice in enumerate(body["choices"]):
        choice["index"] = index
        calls = choice["message"].get("tool_calls") or []
        if calls:
            choice["message"].pop("function_call", None)
        for place, call in enumerate(calls):
            call["id"] = f"call_{place}"


def _messages(body: Fields) -> None:
    body["stop_reason"] = body.get("stop_reason") or "end_turn"
    for place, block in enumerate(body["content"]):
        if block["type"] == "tool_use":
            block["id"] = f"toolu_{place}"


def _responses(body: Fields) -> None:
    body["status"] = body.get("status") or "completed"
    if body["status"] != "incomplete":
        body["incomplete_details"] = None
    for place, item in enumerate(body["output"]):
        item["id"] = f"item_{place}"
        if item.get("content") and item["type"] == "reasoning":
            item["summary"] = []  # which would say the same
        if "call_id" in item:
            item["call_id"] = f"call_{place}"


_ONE_OF = ("text", "functionCall", "functionResponse", "inlineData", "fileData", "executableCode", "codeExecutionResult")


def _gemini(body: Fields) -> None:
    body["candidates"] = body.get("candidates") or [{"content": {"parts": [{"text": "a"}], "role": "model"}}]
    body.pop("promptFeedback", None)
    body["responseId"] = "response"
    for index, candidate in enumerate(body["candidates"]):
        candidate |= {"index": index, "finishReason": candidate.get("finishReason") or "STOP"}
        for part in (candidate.get("content") or {}).get("parts") or ():
            present = [name for name in _ONE_OF if part.get(name) is not None]
            for name in [name for name in part if part[name] is None or name in present[1:]]:
                del part[name]
            if "functionCall" in part:
                part["functionCall"] = {"name": "weather", "args": part["functionCall"].get("args")}


def _bedrock(body: Fields) -> None:
    content = body["output"]["message"]["content"]
    content[:] = [block for block in content if "guardContent" not in block]  # only in requests, never in answers
    for place, block in enumerate(content):
        if "toolUse" in block:
            block["toolUse"] = {**block["toolUse"], "toolUseId": f"tool_{place}"}


def _cohere(body: Fields) -> None:
    for place, call in enumerate(body["message"].get("tool_calls") or ()):
        call["id"] = f"call_{place}"


def _ollama(body: Fields) -> None:
    body |= {"done": True, "done_reason": "stop"}


@st.composite
def _chat_usage(draw: Draw, input_name: str = "prompt_tokens", output_name: str = "completion_tokens") -> Fields:
    input_count, output_count = draw(counts), draw(counts)
    inner = {
        f"{input_name}_details": {"cached_tokens": input_count // 2},
        f"{output_name}_details": {"reasoning_tokens": output_count // 2},
    }
    more: Fields = draw(st.sampled_from([{}, dict.fromkeys(inner), inner]))
    return {input_name: input_count, output_name: output_count, "total_tokens": input_count + output_count, **more}


@st.composite
def _gemini_usage(draw: Draw) -> Fields:
    input_count, output_count, thought = draw(counts), draw(counts), draw(counts)
    total = {"totalTokenCount": input_count + output_count + thought, "cachedContentTokenCount": input_count // 2}
    return {"promptTokenCount": input_count, "candidatesTokenCount": output_count, "thoughtsTokenCount": thought, **total}


_nothing = st.none()
_claude = {"input": objects, "cache_creation": _nothing}
VENDORS = [
    Vendor("openai", "openai_chat", _of("openai.types.chat", "ChatCompletion"), _chat,
           {"arguments": arguments, "usage": _chat_usage()}),
    Vendor("responses", "openai_responses", _of("openai.types.responses", "Response"), _responses, {
        "arguments": arguments, "usage": _chat_usage("input_tokens", "output_tokens"), "error": _nothing,
        "instructions": _nothing, "tools": st.just([]), "status": st.sampled_from(["completed", "completed", "incomplete"]),
        "incomplete_details": st.sampled_from([{"reason": "max_output_tokens"}, {"reason": "content_filter"}]),
    }),
    Vendor("anthropic", "anthropic_messages", _of("anthropic.types", "Message"), _messages, _claude),
    Vendor("anthropic-beta", "anthropic_messages", _of("anthropic.types.beta", "BetaMessage"), _messages, _claude),
    Vendor("gemini", "gemini", _of("google.genai.types", "GenerateContentResponse"), _gemini, {
        "args": objects, "usageMetadata": _gemini_usage(), "parsed": _nothing, "sdkHttpResponse": _nothing,
        "automaticFunctionCallingHistory": _nothing, "thought": st.sampled_from([None, False, True]),
        "thoughtSignature": st.sampled_from([None, "c2ln"]),
    }),
    Vendor("bedrock", "bedrock", converse, _bedrock, {"input": objects, "cacheDetails": st.just([])}),
    Vendor("cohere", "cohere", cohere, _cohere, {"arguments": arguments}),
    Vendor("ollama", "ollama", _of("ollama", "ChatResponse"), _ollama, {"arguments": objects}),
]  # fmt: skip
