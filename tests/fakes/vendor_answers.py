"""The scripted vendor's answers before they are written in a dialect: text, tool calls, embeddings.

Deterministic: the same request gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.fakes.script import Step

Json = dict[str, Any]
MODELS = ("demo-large", "demo-small", "demo-embed")
CREATED = 1_790_000_000


@dataclass(slots=True)
class Frames:
    """A stream's frames: those before the content, the content, those after it."""

    before: list[bytes] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    end: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnswerToolCall:
    """A tool call in the vendor's answer; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in no particular dialect. `finish` is `stop`, `length` or `tools`."""

    model: str
    thinking: str
    text: str
    calls: tuple[AnswerToolCall, ...]
    finish: str


def make_answer(body: Json, step: Step, results: list[str], question: str, images: int, tools: list[tuple[str, Json]]) -> Answer:
    """Call tools where the request offers some and has no result yet; else echo the question."""
    model = str(body.get("model"))
    wanted = _wanted(step, tools)
    if wanted and not results and step.text is None:
        calls = tuple(
            AnswerToolCall(f"call_{n}", name, orjson.dumps(arguments).decode()) for n, (name, arguments) in enumerate(wanted, 1)
        )
        return Answer(model, step.thinking, "", calls, "tools")
    text = step.text
    if text is None:
        text = (
            f"The tool said: {' / '.join(results)}"
            if results
            else f"You said: {question}" + (f" ({images} images)" if images else "")
        )
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    cut = " ".join(text.split(" ")[:limit]) if limit else text
    return Answer(model, step.thinking, cut, (), "length" if cut != text else "stop")


def _wanted(step: Step, tools: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
    """The tools to call, each with its arguments."""
    if step.calls is None:
        return [(name, _arguments(schema)) for name, schema in tools[: step.tools]]
    offered = {name for name, _ in tools}
    return [(name, dict(arguments)) for name, arguments in step.calls.items() if name in offered][:1]


def split_text(text: str) -> list[str]:
    """Pieces that join to `text`, one per word."""
    first, *rest = text.split(" ")
    return [first, *(" " + word for word in rest)] if text else []


def split_in_three(text: str) -> Iterator[str]:
    """`text` in up to three pieces, cut anywhere."""
    size = max(1, -(-len(text) // 3))
    for at in range(0, len(text), size):
        yield text[at : at + size]


def _arguments(schema: Json) -> Json:
    """Arguments that fit the schema's required properties."""
    samples: Json = {"string": "Bern", "integer": 3, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None}
    properties = schema.get("properties", {})
    required: list[str] = schema.get("required") or list(properties)
    return {name: samples.get(properties.get(name, {}).get("type", "string")) for name in required}


def embeddings(body: Json) -> Json:
    """OpenAI's response: 8 numbers per input, made from its hash; base64 on request (openai-node requests it)."""
    given: Any = body.get("input")
    is_one = not isinstance(given, list) or isinstance(given[0], int)  # a text, or a text as token ids
    inputs: list[Any] = [given] if is_one else given

    def vector(value: Any) -> Any:
        floats = [byte / 128 - 1 for byte in hashlib.sha256(orjson.dumps(value)).digest()[:8]]
        return base64.b64encode(struct.pack("<8f", *floats)).decode() if body.get("encoding_format") == "base64" else floats

    data = [{"object": "embedding", "index": n, "embedding": vector(value)} for n, value in enumerate(inputs)]
    return {
        "object": "list",
        "data": data,
        "model": body.get("model"),
        "usage": {"prompt_tokens": len(data), "total_tokens": len(data)},
    }
