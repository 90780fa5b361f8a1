"""Validates requests against the vendors' own SDK types: each field known, each value of its type.

The SDKs themselves check little: their typed dictionaries allow unknown fields, and iterables are not validated. So the types are
made strict here: unknown fields are faults, iterables are lists, and nothing is converted.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from typing import Any, get_type_hints

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator
from typing_extensions import TypedDict

Fields = dict[str, Any]

PACKAGES = {
    "openai_chat": "openai", "openai_responses": "openai", "anthropic_messages": "anthropic", "gemini": "google.genai",
    "ollama": "ollama", "bedrock": "botocore", "cohere": "cohere", "mistral": "mistralai",
}  # fmt: skip
"""The package with the request types, by dialect or vendor."""


def is_known(upstream: str) -> bool:
    """Whether there is a type to check by, and its package is installed."""
    package = PACKAGES.get(upstream)
    return package is not None and find_spec(package.partition(".")[0]) is not None and find_spec(package) is not None


def invalid_request(upstream: str, body: Fields) -> list[str]:
    """The faults of `body` against the type of `upstream`; empty where there is none, or the type is not known."""
    if not is_known(upstream):
        return []
    if upstream == "bedrock":
        return _invalid_for_bedrock(body)
    arguments = _as_arguments(upstream, body)
    try:
        _validator(upstream).validate_json(orjson.dumps(arguments), strict=upstream not in _NOT_STRICT)
    except ValidationError as error:
        return _best_fit(error, arguments)
    return []


_NOT_STRICT = ("ollama", "gemini")
"""SDKs whose own models convert: an image from text, a schema from a dictionary."""


@cache
def _validator(upstream: str) -> SchemaValidator:
    return SchemaValidator(closed(core_schema(upstream)), _use_prebuilt=False)


def core_schema(upstream: str) -> Any:
    """The type of a request as pydantic understands it."""
    return TypeAdapter(request_type(upstream)).core_schema


def request_type(upstream: str) -> Any:
    """The SDK's type of a request that is not streamed."""
    match upstream:
        case "openai_chat":
            from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

            return CompletionCreateParamsNonStreaming
        case "openai_responses":
            from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

            return ResponseCreateParamsNonStreaming
        case "anthropic_messages":
            from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

            # The SDK has removed these because the newest models refuse them; the API version that we request has them.
            sampling = {"temperature": float, "top_p": float, "top_k": int}
            hints = get_type_hints(MessageCreateParamsNonStreaming, include_extras=True)
            return TypedDict("AnthropicRequest", {**hints, **sampling}, total=False)
        case "gemini":
            from google.genai.types import Content, GenerateContentConfig

            return TypedDict("GeminiRequest", {"contents": list[Content], "config": GenerateContentConfig}, total=False)
        case "cohere":
            from cohere.v2.client import V2Client

            hints = get_type_hints(V2Client.chat)
            named = {name: hints[name] for name in inspect.signature(V2Client.chat).parameters if name in hints}
            del named["request_options"]
            return TypedDict("CohereRequest", named, total=False)
        case "mistral":
            from mistralai.client.models import ChatCompletionRequest

            return ChatCompletionRequest
        case "ollama":
            return _ollama_request()
    raise KeyError(upstream)


def _ollama_request() -> Any:
    from ollama._types import ChatRequest, Message, Options

    class Call(Message.ToolCall):
        id: str | None = None

    class ExtendedMessage(Message):
        tool_calls: list[Call] | None = None
        tool_call_id: str | None = None

    # The SDK accepts any mapping for these and sends it unchanged; the server also knows ids of tool calls.
    narrowed = {"messages": list[ExtendedMessage], "options": Options}
    return TypedDict("OllamaRequest", {**get_type_hints(ChatRequest, include_extras=True), **narrowed}, total=False)


_SCHEMAS = ("Tool.Function.Parameters",)
"""SDK models of JSON schemas, which have only some of the JSON Schema keywords."""


def closed(schema: Any) -> Any:
    """A core schema that forbids unknown fields and requires lists for iterables."""
    if isinstance(schema, list | tuple):
        return type(schema)(closed(inner) for inner in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "model" and schema["cls"].__qualname__ in _SCHEMAS:
        return {"type": "dict"}
    made = {key: inner if key in ("metadata", "cls") else closed(inner) for key, inner in schema.items()}
    match made.get("type"):
        case "generator":
            made["type"] = "list"
        case "typed-dict" | "model-fields":
            made["extra_behavior"] = "forbid"
            made.pop("extras_schema", None)
    return made


def _best_fit(error: ValidationError, body: Fields) -> list[str]:
    """The faults; where a value may be of several types, those of the closest type."""
    variants: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in error.errors():
        location, variant, rest = _split(fault["loc"], body)
        variants[location][variant].append(f"{location}{variant and ' as ' + variant}: {rest} {fault['type']}".replace(":  ", ": "))
    texts = {text for found in variants.values() for text in min(found.values(), key=_distance)}
    # A list of which one entry is at fault is no text either.
    return sorted(text for text in texts if len(texts) == 1 or " as str: " not in text)


def _distance(faults: list[str]) -> tuple[bool, int]:
    """How far a type is from the value: a wrong `type` or `role` counts more than any number of faults."""
    return any(": type " in fault or ": role " in fault or fault.endswith("_type") for fault in faults), len(faults)


def _split(location: tuple[int | str, ...], value: Any) -> tuple[str, str, str]:
    """A fault's location in the body, the type that was tried there, and where in that type it lies."""
    names: list[str] = []
    for index, part in enumerate(location):
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
        elif isinstance(part, str) and part.startswith(("list[", "union[", "iterable", "function-")):
            continue
        else:
            kind = f"({value.get('type') or value.get('role')})" if isinstance(value, dict) else ""
            return ".".join(names) + kind, str(part), ".".join(map(str, location[index + 1 :]))
        names.append("n" if isinstance(part, int) else str(part))
    return ".".join(names), "", ""


def _as_arguments(upstream: str, body: Fields) -> Fields:
    """The body as the SDK's arguments: Google's takes everything but the contents in one configuration."""
    if upstream == "gemini":
        other_fields = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
        return {"contents": body["contents"], "config": {**body.get("generationConfig", {}), **other_fields}}
    if upstream == "ollama":
        messages = [{**each, "images": [{"value": image} for image in each["images"]]} if each.get("images") else each
                    for each in body["messages"]]  # fmt: skip
        return {**body, "messages": messages}
    return {name: value for name, value in body.items() if name != "stream"}


@cache
def _converse() -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape


def _invalid_for_bedrock(body: Fields) -> list[str]:
    from botocore.validate import ParamValidator

    report = ParamValidator().validate({**_with_bytes(body), "modelId": "model"}, _converse())
    return report.generate_report().splitlines() if report.has_errors() else []


def _with_bytes(value: Any) -> Any:
    """JSON holds base64 where botocore wants bytes."""
    if isinstance(value, dict):
        return {name: inner.encode() if name in ("bytes", "redactedContent") and isinstance(inner, str) else _with_bytes(inner)
                for name, inner in value.items()}  # fmt: skip
    return [_with_bytes(inner) for inner in value] if isinstance(value, list) else value
