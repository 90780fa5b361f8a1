"""Requests of every kind, and what each family of models is estimated to count for them: `exact_estimates.json`.

python -m tests.gateway.admission.exact_estimates    writes the file anew, after a change of weights or families that is meant
"""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.gateway.admission.estimate import image_tokens, input_tokens, text_tokens
from tests.gateway.admission.sample_calls import SAMPLES

FILE = Path(__file__).parent / "exact_estimates.json"
Body = dict[str, Any]

FAMILIES: tuple[tuple[str, str, str], ...] = (
    ("claude-3-haiku-20240307", "anthropic_messages", "anthropic"), ("claude-3.5-haiku", "openai_chat", "openrouter"),
    ("claude-3-opus-latest", "anthropic_messages", "anthropic"), ("claude-3-sonnet", "anthropic_messages", "anthropic"),
    ("claude-3-7-sonnet", "anthropic_messages", "anthropic"), ("claude-opus-4-1", "anthropic_messages", "anthropic"),
    ("claude-sonnet-4-5", "anthropic_messages", "anthropic"), ("us.anthropic.claude-haiku-4-5", "bedrock", "bedrock"),
    ("gemini-2.0-flash", "gemini", "gemini"), ("google/gemini-2.5-pro", "openai_chat", "openrouter"),
    ("gemini-3-pro-preview", "gemini", "gemini"), ("gemini-flash-latest", "gemini", "gemini"),
    ("gemini-2.5-pro", "gemini", "gemini"),
    ("gemini-2.5-pro", "gemini", "vertex"), ("gemini-3-pro-preview", "gemini", "vertex"), ("gemma-3", "gemini", "gemini"),
    ("amazon.nova-2-lite", "bedrock", "bedrock"), ("amazon.nova-pro", "bedrock", "bedrock"), ("grok-4.3", "openai_chat", "xai"),
    ("grok-3", "openai_chat", "xai"), ("deepseek-v4-flash", "openai_chat", "deepseek"),
    ("deepseek-chat", "openai_chat", "deepseek"),
    ("gpt-oss-120b", "openai_chat", "groq"), ("pixtral-12b", "openai_chat", "mistral"), ("mistral-large", "openai_chat", "mistral"),
    ("llama-4-scout", "openai_chat", "groq"), ("llama-3.3-70b", "openai_chat", "together"), ("glm-4.6", "openai_chat", "zai"),
    ("qwen3-coder", "openai_chat", "alibaba"), ("qwen3-32b", "openai_chat", "groq"), ("command-a", "cohere", "cohere"),
    ("gpt-4o-mini", "openai_chat", "openai"), ("gpt-5-mini", "openai_responses", "openai"), ("gpt-5-nano", "openai_chat", "openai"),
    ("gpt-4.1-mini", "openai_chat", "openai"), ("gpt-4.1-nano", "openai_chat", "openai"), ("o4-mini", "openai_chat", "openai"),
    ("gpt-5.1", "openai_responses", "openai"), ("gpt-5.1", "openai_chat", "openai"), ("o3", "openai_chat", "openai"),
    ("gpt-4o", "openai_chat", "openai"), ("o9", "openai_chat", "openai"), ("", "openai_chat", ""), ("", "gemini", ""),
    ("", "anthropic_messages", ""), ("a model of tomorrow", "openai_chat", "openai"), ("a model of tomorrow", "gemini", "gemini"),
    ("a model of tomorrow", "openai_chat", "groq"), ("claude-3-5-sonnet-20240620", "anthropic_messages", "anthropic"),
    ("anthropic/claude-3.7-sonnet:thinking", "openai_chat", "openrouter"), ("gemini-3.6-flash", "gemini", "gemini"),
    ("deepseek-r1", "openai_chat", "huggingface"), ("mistral-small-latest", "openai_chat", "mistral"),
    ("voxtral-small", "openai_chat", "mistral"), ("llama-2-70b", "openai_chat", "together"), ("glm-5.3", "openai_chat", "zai"),
    ("kimi-k2", "openai_chat", "moonshot"), ("sonar", "openai_chat", "perplexity"), ("qwen3-32b", "bedrock", "bedrock"),
    ("gpt-3.5-turbo-instruct", "openai_completions", "openai"),
)  # fmt: skip
"""Name of the model, dialect, kind of the provider: at least one for each rule of `family_of`."""

_CITY = {"type": "object", "properties": {"city": {"type": "string", "description": "A CITY of 100,000"}}, "required": ["city"]}
_TOOLS = [
    {"name": "get_weather", "description": "Gets the WEATHER of 7 days", "input_schema": _CITY},
    {"name": "unit", "description": "Sets the unit", "input_schema": {"properties": {"unit": {"enum": ["C", "F", 300]}}}},
]
_ASKED = [{"role": "user", "content": "What is the weather in PARIS on the 24th of December 2031?"}]
_SIGNED = "Ab1/" * 2000


def _pictures(*sizes: tuple[int, int]) -> Body:
    heads = (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4) + height.to_bytes(4) for width, height in sizes)
    return {"messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "data": base64.b64encode(head + bytes(300)).decode()}} for head in heads
    ]}]}  # fmt: skip


def _pdf(pages: int, characters: int) -> str:
    drawing = zlib.compress(b"BT (" + b"x" * characters + b") Tj ET")
    page = b"1 0 obj <</Type /Page>> endobj 2 0 obj <<>> stream\n" + drawing + b"\nendstream endobj\n"
    return base64.b64encode(b"%PDF-1.4\n" + page * pages + bytes(300)).decode()


BODIES: dict[str, Callable[[], Body]] = {
    "a text": lambda: {"messages": _ASKED},
    "a text that is no list of messages": lambda: {"input": "What is the weather in PARIS?"},
    "tools": lambda: {"messages": _ASKED, "tools": _TOOLS},
    "tools, one of which must be called": lambda: {"messages": _ASKED, "tools": _TOOLS, "tool_choice": {"type": "any"}},
    "tools, none of which may be called": lambda: {"messages": _ASKED, "tools": _TOOLS, "tool_choice": "none"},
    "a schema of the answer": lambda: {"messages": _ASKED, "output_config": {"format": {"schema": _CITY, "type": "json_schema"}}},
    "reasoning switched on": lambda: {"messages": _ASKED, "thinking": {"type": "enabled"}},
    "reasoning switched off": lambda: {"messages": _ASKED, "thinking": {"type": "disabled"}},
    "reasoning of an earlier answer": lambda: {"messages": [
        *_ASKED, {"role": "assistant", "reasoning_content": "First the city, then the day. " * 20, "content": "Cold."}, *_ASKED,
    ]},
    "reasoning since the last question": lambda: {"messages": [
        *_ASKED, {"role": "assistant", "content": "Cold."}, *_ASKED,
        {"role": "assistant", "reasoning_content": "First the city, then the day. " * 20, "content": "Cold."},
    ]},
    "signed reasoning of an earlier answer": lambda: {"messages": [
        *_ASKED, {"role": "assistant", "content": [{"text": "Cold.", "signature": _SIGNED}]}, *_ASKED,
    ]},
    "signed reasoning since the last question": lambda: {"messages": [
        *_ASKED, {"role": "assistant", "content": "Cold."}, *_ASKED,
        {"role": "assistant", "content": [{"text": "Cold.", "thoughtSignature": _SIGNED}]},
    ]},
    "the same in another spelling": lambda: {"messages": [
        *_ASKED, {"role": "assistant", "content": "Cold."}, *_ASKED,
        {"role": "assistant", "content": [{"text": "Cold.", "thought_signature": _SIGNED}]},
    ]},
    "reasoning in tags": lambda: {"messages": [*_ASKED, {"role": "assistant", "content": "<think>A day.</think>Cold."}, *_ASKED]},
    "citations": lambda: {"messages": [{"role": "user", "content": [{"text": "Who?", "citations": {"enabled": True}}]}]},
    "pictures": lambda: _pictures((100, 100), (768, 769), (1030, 2050)),
    "a document": lambda: {"messages": [{"content": [{"data": "JVBERi0x" + "A" * 200_000}]}]},
    "a document with text": lambda: {"messages": [{"content": [{"type": "document", "data": _pdf(3, 500)}]}]},
    "calls of tools": lambda: {"messages": [
        *_ASKED,
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "unit", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "C"},
        {"role": "model", "parts": [{"functionCall": {"name": "unit", "args": {}}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "d", "name": "unit", "input": {}}]},
    ]},
    "a system prompt in a field of its own": lambda: {"messages": _ASKED, "system": "You know the weather."},
    "a compaction": lambda: {"input": [*_ASKED, {"type": "compaction", "encrypted_content": _SIGNED}, *_ASKED]},
    "further tools": lambda: {"input": [*_ASKED, {"type": "additional_tools", "role": "developer", "tools": _TOOLS}]},
    "sound": lambda: {"messages": [{"content": [{"data": "SUQz" + "A" * 2_000_000}]}]},
}  # fmt: skip

SIZES = (
    (1, 1), (28, 42), (42, 28), (512, 512), (513, 512), (512, 513), (768, 768), (768, 769), (769, 768), (1024, 1024), (1025, 1536),
    (1540, 1541), (1568, 1568), (1569, 900), (2048, 768), (2049, 769), (4000, 1), (1, 4000), (1000, 3000), (3000, 1000), (16, 1024),
    (17, 1025), (336, 336), (337, 336), (336, 1009), (1680, 1345), (4000, 4000), (1152, 1152), (384, 385), (1254, 957),
    (400, 200), (200, 400), (401, 200),
)  # fmt: skip
"""Of pictures, in pixels: at the borders of the vendors' tiles and patches, and just over them."""


@cache
def mixed_text(size: int, seed: int = 1) -> str:
    """So many characters of lines from all kinds of text, in an order by chance."""
    lines = [line for kind in SAMPLES.values() for line in kind["text"].splitlines(keepends=True)]
    chosen = random.Random(seed)
    made, left = [], size
    while left > 0:
        made.append(chosen.choice(lines)[:300])
        left -= len(made[-1])
    return "".join(made)[:size]


def of_family(name: str, dialect: str, kind: str) -> list[int]:
    """The estimates of all BODIES."""
    return [input_tokens(make(), dialect, name, kind) for make in BODIES.values()]


def of_pictures(name: str, dialect: str) -> list[int]:
    """The tokens of pictures of all SIZES."""
    return [image_tokens(width, height, dialect, name) for width, height in SIZES]


def of_text(kind: str) -> list[int]:
    """The tokens of a sample, of parts of it, and of a long text of it."""
    text = SAMPLES[kind]["text"].encode()
    return [text_tokens(part) for part in (text, text[: len(text) // 2], text[:64], text[:9], text * (40_000 // len(text)))]


LONG: dict[str, Callable[[], Body]] = {
    "as much as is joined": lambda: {"input": [mixed_text(1024 * 1024 - 1)]},
    "one character more": lambda: {"input": [mixed_text(1024 * 1024)]},
    "many texts": lambda: {"input": [mixed_text(size, size) for size in range(2000, 42_000, 700)]},
    "a long text between short ones": lambda: {"input": [mixed_text(900), mixed_text(1_500_000, 2), mixed_text(77_000, 3)]},
}
SAMPLED = (16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 20_000, 123_457)
"""Characters of ASCII around the length from which a text is weighed by samples."""


def of_ascii(size: int) -> int:
    """The tokens of so many bytes of ASCII."""
    return text_tokens(mixed_text(200_000, 5).encode("ascii", "ignore")[:size])


def of_long_texts() -> dict[str, int]:
    """The tokens of the texts that are weighed by pieces of them."""
    found = {name: input_tokens(make()) for name, make in LONG.items()}
    return found | {f"{size} bytes": of_ascii(size) for size in SAMPLED}


def every() -> dict[str, Any]:
    """All of the file."""
    return {
        "families": {" ".join(family): of_family(*family) for family in FAMILIES},
        "pictures": {" ".join(family): of_pictures(*family[:2]) for family in FAMILIES},
        "texts": {kind: of_text(kind) for kind in SAMPLES},
        "long": of_long_texts(),
    }


if __name__ == "__main__":
    parts = [
        f'"{part}": {{\n' + ",\n".join(f"{orjson.dumps(name).decode()}: {orjson.dumps(row).decode()}" for name, row in rows.items())
        + "\n}"
        for part, rows in every().items()
    ]  # fmt: skip
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
