"""How the families of models count a request: factors against OpenAI's tokenizer, what vendors add, and the sizes of pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal


def _tiles_512(base: int, tile: int) -> Callable[[int, int], float]:
    """OpenAI's older rule: https://platform.openai.com/docs/guides/images-vision#calculating-costs"""

    def tokens(width: int, height: int) -> float:
        scale = min(1.0, 2048 / max(width, height))
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        scale = min(1.0, 768 / min(width, height))
        return base + tile * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)

    return tokens


def _patches_32(factor: float) -> Callable[[int, int], float]:
    """OpenAI's rule for small models, from the same page: at most 1,536 patches of 32 x 32 pixels, each of `factor` tokens."""

    def tokens(width: int, height: int) -> float:
        scale = min(1.0, math.sqrt(1536 * 32 * 32 / (width * height)))
        return min(1536, math.ceil(width * scale / 32) * math.ceil(height * scale / 32)) * factor

    return tokens


def _claude_image(width: int, height: int) -> float:
    # https://platform.claude.com/docs/en/build-with-claude/vision#calculate-image-costs
    scale = min(1.0, 1568 / max(width, height), math.sqrt(1_200_000 / (width * height)))
    return width * scale * height * scale / 750


def _gemini_image(width: int, height: int) -> float:
    # https://ai.google.dev/gemini-api/docs/tokens: 258 for a small picture, or for each tile. A picture that fits into one of the
    # largest tiles (768 pixels a side) was reported as one, too.
    if max(width, height) <= 768:
        return 258
    unit = max(256, min(768, math.floor(min(width, height) / 1.5)))
    return 258 * math.ceil(width / unit) * math.ceil(height / unit)


def _rows_of_patches(side: int, longest: int) -> Callable[[int, int], float]:
    """Mistral's rule: https://docs.mistral.ai/capabilities/vision (a token for each patch, and one for the end of each row)."""

    def tokens(width: int, height: int) -> float:
        scale = min(1.0, longest / max(width, height))
        return math.ceil(height * scale / side) * (math.ceil(width * scale / side) + 1)

    return tokens


def _of_any_size(tokens: int) -> Callable[[int, int], float]:
    return lambda _width, _height: tokens


def _qwen_image(width: int, height: int) -> float:
    # https://github.com/QwenLM/Qwen2.5-VL: 28 x 28 pixels a token, at most 16,384 of them, and a mark at each end.
    return min(16_384, max(1, round(width / 28)) * max(1, round(height / 28))) + 2


def _llama4_image(width: int, height: int) -> float:
    # Tiles of 336 pixels with 144 tokens each, at most 16 of them, and the whole picture as one more.
    tiles = min(16, math.ceil(width / 336) * math.ceil(height / 336))
    return 144 * (tiles + (tiles > 1))


_TILES = _tiles_512(85, 170)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How a family of models counts: factors on the tokens of `text_tokens`, and what it adds in tokens."""

    text: float = 1.0
    digit: float = 0.0
    """For each digit on top, where the tokenizer makes a token of every one: OpenAI's makes one of up to three."""
    capital: float = 0.0
    """For each capital on top, where the tokenizer knows few words in capitals."""
    message: float = 4.0
    request: float = 3.0
    """What a request has on top: the start of a template, the vendor's own instructions."""
    schema: float = 1.1
    """Of the JSON of tools."""
    words: bool = False
    """Whether the names and descriptions of tools alone are counted, instead of their JSON."""
    tool: float = 0.0
    """For each tool: below zero where the vendor writes tools in less than JSON, without the frame of a function."""
    tools: float = 40.0
    """For a request with tools: the vendor's instructions how to call them."""
    forced: float | None = None
    """The same where the model has to call a tool; None: no different."""
    format: float = 0.7
    """Of the JSON schema of the answer."""
    formatted: float = 0.0
    """For a request with such a schema."""
    thinking: float = 0.0
    """For a request that switches reasoning on."""
    not_thinking: float = 0.0
    """For a request that switches it off."""
    citations: float = 0.0
    """For a request with citations of its documents."""
    think_tags: bool = True
    """Whether a `<think>` block at the start of an answer that is passed back counts."""
    unused_tools: bool = True
    """Whether tools count where the request lets the model call none."""
    reasoning: Literal["all", "turn", "none"] = "all"
    """Which texts of reasoning that are passed back are counted: all, those since the last question, or none."""
    signed: float = 0.0
    """For each character of reasoning that only the vendor can read, since the last question …"""
    signed_free: int = 0
    """… but for so many characters of each."""
    signed_snake: bool = True
    """Whether it counts under the name `thought_signature`, too."""
    signed_all: bool = False
    """Whether such reasoning from before the last question counts as well."""
    image: Callable[[int, int], float] = _TILES
    page: int = 1500
    """For a page of a document whose text is not at hand."""
    sound: float = 10.0
    """For a second."""


_OPENAI = Family(schema=1.0, tool=-31, tools=18, reasoning="none", signed=0.16, signed_free=1100, page=800)
_GPT5 = replace(_OPENAI, schema=1.3, words=True, tool=4)
_CLAUDE = Family(
    text=1.01, capital=0.11, message=8, request=0, schema=1.41, tool=7, tools=496, forced=588, format=0.86, formatted=125,
    thinking=29, citations=590, reasoning="turn", image=_claude_image, page=2600,
)  # fmt: skip
_GEMINI = Family(
    digit=0.3, message=0.5, request=1, schema=0.94, tool=-6, tools=0, format=0, signed=0.05, image=_gemini_image, page=258, sound=32
)
_MISTRAL = Family(text=1.08, message=8, request=6, schema=1.2, tools=0, format=0, image=_rows_of_patches(28, 1540), page=900)
_NOVA = Family(text=0.78, message=3, request=0, tools=390, page=2500)
_DEEPSEEK = Family(message=1, schema=1.4, tools=215)
_QWEN = Family(message=3, request=9, schema=1.46, tools=93, format=0, reasoning="none", image=_qwen_image)
_OTHER = Family()

# Fitted to some seven hundred recorded answers, large families to one half and checked on the other (the tests' `input_accuracy`
# reports how near they come). The first whose pattern is found in the name of the model counts.
#
# OpenAI writes tools and schemas as TypeScript: without the frame of each function, and after a heading. Chat Completions of
# GPT-5 add instructions for tools. What it encrypts is a text of reasoning with some 1,100 characters around it.
#
# The tokenizers of Gemini and Cohere make a token of each digit. Claude's makes half as many tokens again of words in capitals;
# with citations, it gets instructions for them (https://platform.claude.com/docs/en/build-with-claude/citations).
#
# Claude gets a system prompt with tools, by model (https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens; that of 4.5
# and later is what is reported), another with a schema of the answer, and drops the reasoning of earlier turns.
#
# Gemini counts a thought signature with the reasoning in it. Its older models, and OpenRouter, count names, types and descriptions
# of tools alone. Grok 4.3, DeepSeek V4 (unless its reasoning is off) and Nova 2 have instructions in each request; Llama 4, Nova,
# Grok, DeepSeek and Qwen where there are tools, and the coders of Qwen 3 twice as long ones.
_FAMILIES: tuple[tuple[re.Pattern[str], Family], ...] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"claude-3-haiku|claude-3[-.]5-haiku", replace(_CLAUDE, tools=264, forced=340)),
        (r"claude-3-opus", replace(_CLAUDE, tools=530, forced=281)),
        (r"claude-3-sonnet", replace(_CLAUDE, tools=159, forced=235)),
        (r"claude-(?:3|(?:opus|sonnet)-4(?:[-.][01]\b|-2025|@|:|$))", replace(_CLAUDE, tools=346, forced=313)),
        (r"claude", _CLAUDE),
        (r"gemini-[12]\.[0-4]|google/gemini", replace(_GEMINI, message=0, schema=0.94, words=True, tool=2)),
        (r"gemini-(?:[3-9]|(?:pro|flash)-(?:lite-)?latest)", replace(
            _GEMINI, text=1.03, digit=0, message=3, schema=1.05, tool=-20, signed=0.2, image=_of_any_size(1120), page=560
        )),
        (r"gemini", _GEMINI),
        (r"gemma", Family(request=4, schema=0.75, tools=0, image=_of_any_size(258))),
        (r"nova-2", replace(_NOVA, message=10, request=40, tools=800, thinking=48)),
        (r"nova", _NOVA),
        (r"grok-4\.[2-9]|grok-[5-9]", Family(
            message=6.5, request=187, schema=0.64, tools=50, format=0.9, reasoning="none", signed=0.15, signed_all=True
        )),
        (r"grok", Family(message=6, request=0, schema=0.78, tools=160)),
        (r"deepseek-v[4-9]", replace(_DEEPSEEK, request=83, not_thinking=-79)),
        (r"deepseek", _DEEPSEEK),
        (r"gpt-oss", Family(text=0.95, message=7, request=60, schema=0.8, tools=0)),
        (r"pixtral-12b", replace(_MISTRAL, image=_rows_of_patches(16, 1024))),
        (r"stral", _MISTRAL),
        (r"llama-?4", Family(message=3, request=8, schema=0.6, tools=640, image=_llama4_image)),
        (r"llama", Family(message=1, request=14, schema=0.85, tools=110)),
        (r"glm", Family(text=0.95, message=6, request=0, schema=1.95, tools=36)),
        (r"qwen-?3-coder", replace(_QWEN, tools=195)),
        (r"qwen", _QWEN),
        (r"command", Family(digit=0.3, message=0, request=3, schema=0.84, tool=-13, tools=0, format=0, reasoning="none")),
        (r"gpt-4o-mini", replace(_OPENAI, image=_tiles_512(2833, 5667))),
        (r"gpt-5[\d.]*-mini", replace(_GPT5, image=_patches_32(1.2))),
        (r"gpt-5[\d.]*-nano", replace(_GPT5, image=_patches_32(1.5))),
        (r"gpt-4\.1-mini", replace(_OPENAI, image=_patches_32(1.62))),
        (r"gpt-4\.1-nano", replace(_OPENAI, image=_patches_32(2.46))),
        (r"o4-mini", replace(_OPENAI, image=_patches_32(1.72))),
        (r"gpt-5", replace(_GPT5, image=_tiles_512(70, 140))),
        (r"\bo[13]\b", replace(_OPENAI, image=_tiles_512(75, 150))),
        (r"gpt|\bo\d\b|codex|davinci", _OPENAI),
        (r"^$", replace(_OPENAI, tool=-15, signed=0)),
    )
)  # fmt: skip


def _on_vertex(family: Family) -> Family:
    # The same request was reported with 103 tokens by the Gemini API, and with 70 by Vertex AI: of tools it counts names and
    # descriptions alone. Of signatures it counts those in camel case, and a schema of the answer as it stands in the prompt.
    return replace(
        family,
        text=0.91,
        digit=0.3,
        schema=1.2,
        words=True,
        tool=0,
        tools=0,
        format=1.0,
        formatted=27,
        signed=0.2,
        signed_free=110,
        signed_snake=False,
    )


_OF_DIALECT = {"anthropic_messages": _CLAUDE, "gemini": _GEMINI}


@lru_cache(maxsize=256)
def family_of(model: str, dialect: str, kind: str = "") -> Family:
    """The family of a model by its name; by the dialect where the name tells none. `kind`: that of the provider, if known."""
    model = model.lower()
    own = _OF_DIALECT.get(dialect)
    found = next((family for pattern, family in _FAMILIES if pattern.search(model)), own or _OTHER)
    if own is not None and not model:
        return own
    if kind == "vertex" and "gemini" in model:
        return _on_vertex(found)
    if kind == "groq":
        # It takes reasoning in tags out of what is passed back, and sends no tools on where `tool_choice` is none.
        return replace(found, think_tags=False, unused_tools=False)
    if "gpt-5" in model and dialect == "openai_chat":
        return replace(found, schema=1.0, tool=8, tools=95)
    return found
