"""The vendors' own SDK types: what they make of our answers, and whether they would send our requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tools.conformance import frames

Fields = dict[str, Any]


def read_whole(caller: str, body: Fields) -> Fields:
    """An answer as the SDK's type holds it; raises ValueError where it does not fit."""
    return _dumped(_answer_type(caller), body)


def read_stream(caller: str, data: bytes) -> Iterator[Fields]:
    """The events of a stream as the SDK's types hold them; raises ValueError where one does not fit."""
    for event in frames.events(caller, data):
        if frames.is_error(event):
            yield event
        elif event.get("type") != "ping":
            yield _dumped(_event_type(caller), event)


def _dumped(adapter: TypeAdapter[Any], value: Fields) -> Fields:
    held = adapter.validate_python(value)
    dumped: Fields = adapter.dump_python(held, mode="json", by_alias=True, exclude_unset=True, warnings=False)
    return dumped


@cache
def _answer_type(caller: str) -> TypeAdapter[Any]:
    if caller == "gemini":
        from google.genai.types import GenerateContentResponse

        return TypeAdapter(GenerateContentResponse)
    if caller == "anthropic_messages":
        from anthropic.types import Message

        return TypeAdapter(Message)
    from openai.types.chat import ChatCompletion
    from openai.types.responses import Response

    return TypeAdapter(ChatCompletion if caller == "openai_chat" else Response)


@cache
def _event_type(caller: str) -> TypeAdapter[Any]:
    if caller == "gemini":
        return _answer_type(caller)
    if caller == "anthropic_messages":
        from anthropic.types import RawMessageStreamEvent

        return TypeAdapter(RawMessageStreamEvent)
    from openai.types.chat import ChatCompletionChunk
    from openai.types.responses import ResponseStreamEvent

    return TypeAdapter(ChatCompletionChunk if caller == "openai_chat" else ResponseStreamEvent)


def invalid_request(upstream: str, body: Fields) -> list[str]:
    """Where the vendor's own request type does not take `body`; empty where it does."""
    if upstream == "bedrock":
        return _invalid_for_bedrock(body)
    adapter = _request_type(upstream)
    if adapter is None:
        return []
    try:
        adapter.validate_python(_as_arguments(upstream, body))
    except ValidationError as error:
        return _best_fit(error, _as_arguments(upstream, body))
    return []


def _best_fit(error: ValidationError, body: Fields) -> list[str]:
    """The faults; where a value may be of several types, those of the type that it comes nearest to."""
    variants: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for fault in error.errors():
        place, variant, rest = _split(fault["loc"], body)
        variants[place][variant].append(f"{place}{variant and ' as ' + variant}: {rest} {fault['type']}".replace(":  ", ": "))
    texts = {text for found in variants.values() for text in min(found.values(), key=_misfit)}
    # A list of which one entry is at fault is no text either.
    return sorted(text for text in texts if len(texts) == 1 or " as str: " not in text)


def _misfit(faults: list[str]) -> tuple[bool, int]:
    """How far a type is from the value: another kind of thing is farther than one with faults."""
    return any(": type " in fault or ": role " in fault or fault.endswith("_type") for fault in faults), len(faults)


def _split(location: tuple[int | str, ...], value: Any) -> tuple[str, str, str]:
    """A fault's place in the body, the type that was tried there, and where in that type it lies."""
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


@cache
def _request_type(upstream: str) -> TypeAdapter[Any] | None:
    if upstream == "openai_chat":
        from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

        return TypeAdapter(CompletionCreateParamsNonStreaming)
    if upstream == "openai_responses":
        from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

        return TypeAdapter(ResponseCreateParamsNonStreaming)
    if upstream == "anthropic_messages":
        from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

        return TypeAdapter(MessageCreateParamsNonStreaming)
    if upstream == "gemini":
        return TypeAdapter(_gemini_request())
    if upstream == "cohere":
        if find_spec("cohere") is None:  # large, and no part of the test set: `pip install cohere` checks its types too
            return None
        from cohere.types import ChatMessageV2, ToolV2
        from typing_extensions import TypedDict

        return TypeAdapter(TypedDict("CohereChat", {"messages": list[ChatMessageV2], "tools": list[ToolV2]}, total=False))  # type: ignore[operator]
    if upstream == "ollama":
        from ollama._types import ChatRequest

        return TypeAdapter(ChatRequest)
    return None


def _gemini_request() -> Any:
    from google.genai.types import Content, GenerateContentConfig
    from typing_extensions import TypedDict

    return TypedDict("GeminiRequest", {"contents": list[Content], "config": GenerateContentConfig}, total=False)  # type: ignore[operator]


def _as_arguments(upstream: str, body: Fields) -> Fields:
    """The body as the SDK's arguments: Google's takes everything but the contents in one configuration."""
    if upstream == "gemini":
        beside = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
        return {"contents": body["contents"], "config": {**body.get("generationConfig", {}), **beside}}
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
