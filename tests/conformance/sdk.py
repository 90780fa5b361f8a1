"""Reads the gateway's answers with the types of the vendors' own SDKs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from tests.conformance import frames

Fields = dict[str, Any]


def read_whole(caller: str, body: Fields) -> Fields:
    """An answer, parsed by the SDK's type; raises ValueError where it does not fit."""
    return _dumped(_answer_type(caller), body)


def read_stream(caller: str, data: bytes) -> Iterator[Fields]:
    """The events of a stream, parsed by the SDK's types; raises ValueError where one does not fit."""
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
