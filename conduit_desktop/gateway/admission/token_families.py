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


def _nova_image(width: int, height: int) -> float:
    # https://docs.aws.amazon.com/nova/latest/userguide/modalities-image.html: scaled to some 900 pixels at the shorter side, at the
    # longer one from 2:1 on; its table has 800 tokens for 900 x 450, 1,300 for 900 x 900 and 2,600 for 1,300 x 1,300.
    shorter, longer = sorted((width, height))
    scale = max(1.0, 900 / (longer if longer >= 2 * shorter else shorter))
    return 350 + min(width * height * scale * scale, 2_500_000) * 0.0012


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
    """For each message, and for a system prompt in a field of its own."""
    request: float = 3.0
    """What a request has on top: the start of a template, the vendor's own instructions."""
    call: float = 8.0
    """For each call of a tool in the conversation and its result, on top of their messages."""
    schema: float = 1.1
    """Of the JSON of tools, or of their `words`."""
    words: bool = False
    """Whether the names and descriptions of tools alone are counted, instead of their JSON."""
    tool: float = 0.0
    """For each tool: below zero where the vendor writes tools in less than JSON, without the frame of a function."""
    property: float = 0.0
    """For each parameter of a tool, besides its words."""
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
    added_tools: float = 80.0
    """For each item of the conversation that brings further tools, as OpenAI's Responses have."""
    document: float = 0.0
    """For each document, whatever it holds."""
    think_tags: bool = True
    """Whether a `<think>` block at the start of an answer that is passed back counts."""
    unused_tools: bool = True
    """Whether tools count where the request lets the model call none."""
    reasoning: Literal["all", "turn", "none"] = "all"
    """Which texts of reasoning that are passed back are counted: all, those since the last question, or none."""
    signed: float = 0.0
    """Tokens of each character of reasoning that only the vendor can read."""
    signed_free: int = 0
    """Characters around such reasoning that count for nothing."""
    signed_all: bool = False
    """Whether that of earlier turns counts as well."""
    signed_snake: bool = True
    """Whether it counts under a name in snake case."""
    image: Callable[[int, int], float] = _TILES
    """The tokens of a picture of this width and height in pixels."""
    picture: float = 0.0
    """For each picture on top, whatever its size."""
    page: float = 1000.0
    """For each page of a document: its picture."""
    page_text: float = 0.0
    """Of the text of a document, where it counts besides."""
    sound: float = 10.0
    """For a second."""
    chunk: float = 0.0
    """Seconds to which a sound is filled up."""


_OPENAI = Family(
    message=4, request=3, call=8, schema=1.0, words=True, tool=8, property=5.5, tools=14, format=1.1, formatted=-25,
    reasoning="none", signed=0.16, signed_free=1100, page=210, page_text=1.0,
)  # fmt: skip
_GPT5 = replace(_OPENAI, request=2, call=12)
_CLAUDE = Family(
    text=1.07, capital=0.06, message=2.4, request=4.6, call=48, schema=1.3, tools=497, forced=593, format=1.2, formatted=113,
    thinking=28.5, citations=558, document=40, reasoning="turn", image=_claude_image, picture=8, page=1650, page_text=1.2,
)  # fmt: skip
_GEMINI = Family(
    digit=0.35, message=0, request=0.8, call=20, schema=1.0, words=True, tool=17, property=13.5, tools=0, format=0,
    image=_gemini_image, page=258, sound=32,
)  # fmt: skip
_GEMINI3 = replace(
    _GEMINI, digit=0, request=1, call=6, tool=17, property=14, signed=0.2, image=_of_any_size(1120), page=560, sound=25
)
_MISTRAL = Family(
    text=1.05, message=2.5, request=1, call=0, schema=1.4, tools=4, format=0, image=_rows_of_patches(28, 1540), page=10,
    page_text=1.2, sound=12.5, chunk=30,
)  # fmt: skip
_NOVA = Family(text=0.92, message=0, request=0, call=40, schema=1.25, tools=390, image=_nova_image, page=2500)
_DEEPSEEK = Family(message=1, request=2.6, call=36, schema=1.45, tools=202)
_QWEN = Family(message=5.5, request=3, call=4, not_thinking=4, schema=1.5, tools=96, format=0, reasoning="none", image=_qwen_image)
_LLAMA = Family(message=4, request=5, call=16, schema=0.85, tools=110)
_GROK = Family(message=5, request=-5, call=24, schema=1.0, tools=142, format=1.2)
_OTHER = Family()

# Fitted to some seven hundred recorded answers, large families to one half and checked on the other (the tests' `input_accuracy`
# reports how near they come, and lists the others with the reason). The first whose pattern is found in the model's name counts.
#
# OpenAI writes tools as TypeScript: names, types and descriptions without the frame of JSON Schema. Chat Completions of GPT-5 add
# instructions for tools. What it encrypts is a text of reasoning with some 1,100 characters around it. Of a PDF it reads the text,
# and Chat Completions a picture of each page as well: https://platform.openai.com/docs/guides/pdf-files
#
# The tokenizers of Gemini and Cohere make a token of each digit. Claude's makes half as many tokens again of words in capitals;
# with citations, it gets instructions for them (https://platform.claude.com/docs/en/build-with-claude/citations).
#
# Claude gets a system prompt with tools, by model (https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens; that of 4.5
# and later is what is reported), another with a schema of the answer, and drops the reasoning of earlier turns. Of a PDF it reads
# text and picture: https://platform.claude.com/docs/en/build-with-claude/pdf-support
#
# Gemini counts a thought signature with the reasoning in it; 3.6 those of earlier turns, too. Its older models, and OpenRouter,
# count names, types and descriptions of tools alone. A second of sound has 32 tokens, and 25 from Gemini 3 on.
#
# Grok 4.3, DeepSeek V4 (unless its reasoning is off), Nova 2 and Mistral Small have instructions in each request; Llama 4, Nova,
# Grok, DeepSeek and Qwen where there are tools, and the coders of Qwen 3 twice as long ones. Llama 3.1 to 3.3 begin with two dates
# (https://www.llama.com/docs/model-cards-and-prompt-formats/llama3_3/). GLM 5 has a line with the effort of reasoning. Kimi's tools
# are JSON without instructions. Perplexity counts the texts alone. Voxtral fills a sound up to 30 seconds of 80 ms a token.
_FAMILIES: tuple[tuple[re.Pattern[str], Family], ...] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"claude-3-haiku|claude-3[-.]5-haiku", replace(_CLAUDE, tools=264, forced=340)),
        (r"claude-3[-.]5-sonnet(?:-20240620|-v1|@20240620)", replace(_CLAUDE, tools=294, forced=261)),
        (r"claude-3-opus", replace(_CLAUDE, tools=530, forced=281)),
        (r"claude-3-sonnet", replace(_CLAUDE, tools=159, forced=235)),
        (r"claude-(?:3|(?:opus|sonnet)-4(?:[-.][01]\b|-2025|@|:|$))", replace(_CLAUDE, tools=346, forced=313)),
        (r"claude", _CLAUDE),
        (r"gemini-[12]\.[0-4]|google/gemini", replace(_GEMINI, request=0.3, call=2, tool=2, property=0)),
        (r"gemini-3\.[6-9]", replace(_GEMINI3, signed_all=True)),
        (r"gemini-(?:[3-9]|(?:pro|flash)-(?:lite-)?latest)", _GEMINI3),
        (r"gemini", _GEMINI),
        (r"gemma", Family(request=4, schema=0.75, tools=0, image=_of_any_size(258))),
        (r"nova-2", replace(_NOVA, text=0.98, request=45, tools=808, thinking=49)),
        (r"nova", _NOVA),
        (r"grok-4\.[2-9]|grok-[5-9]", Family(
            message=6.5, request=186, call=12, schema=0.64, tools=50, format=1.0, reasoning="none", signed=0.15, signed_all=True
        )),
        (r"grok", _GROK),
        (r"deepseek-v[4-9]", replace(_DEEPSEEK, request=83, not_thinking=-79)),
        (r"deepseek-r1", replace(_DEEPSEEK, message=0, request=3)),
        (r"deepseek", _DEEPSEEK),
        (r"gpt-oss", Family(text=0.95, message=7, request=60, call=0, schema=0.8, tools=0)),
        (r"pixtral-12b", replace(_MISTRAL, image=_rows_of_patches(16, 1024))),
        (r"mistral-small", replace(_MISTRAL, message=4.5, request=11)),
        (r"[sx]tral", _MISTRAL),
        (r"llama-?4", Family(message=3, request=8, call=30, schema=0.6, tools=640, image=_llama4_image)),
        (r"llama-?3[.-][1-3]", replace(_LLAMA, request=31)),
        (r"llama", _LLAMA),
        (r"glm-?5", Family(message=3, request=9, call=4, schema=2.0, tools=41, format=0)),
        (r"glm", Family(message=3, request=2, call=4, schema=2.0, tools=41, format=0)),
        (r"qwen-?3-coder", replace(_QWEN, tools=195)),
        (r"qwen", _QWEN),
        (r"kimi", Family(message=4, request=2, call=12, schema=1.0, tools=0)),
        (r"sonar", Family(message=0, request=0, format=0)),
        (r"command", Family(
            digit=0.05, message=0, request=0, call=-4, schema=1.1, tool=-18, tools=0, format=0, reasoning="none"
        )),
        (r"gpt-4o-mini", replace(_OPENAI, image=_tiles_512(2833, 5667))),
        (r"gpt-5[\d.]*-mini", replace(_GPT5, image=_patches_32(1.2))),
        (r"gpt-5[\d.]*-nano", replace(_GPT5, image=_patches_32(1.5))),
        (r"gpt-4\.1-mini", replace(_OPENAI, image=_patches_32(1.62))),
        (r"gpt-4\.1-nano", replace(_OPENAI, image=_patches_32(2.46))),
        (r"o4-mini", replace(_OPENAI, image=_patches_32(1.72))),
        (r"gpt-5", replace(_GPT5, image=_tiles_512(70, 140))),
        (r"\bo[13]\b", replace(_OPENAI, image=_tiles_512(75, 150))),
        (r"davinci|instruct", replace(_OPENAI, message=0, request=0)),
        (r"gpt|\bo\d\b|codex", _OPENAI),
        (r"^$", replace(_OPENAI, signed=0)),
    )
)  # fmt: skip


def _on_vertex(family: Family) -> Family:
    # The same request was reported with 103 tokens by the Gemini API, and with 70 by Vertex AI: of tools it counts names and
    # descriptions alone. Of signatures it counts those in camel case, and a schema of the answer as it stands in the prompt.
    return replace(
        family,
        digit=0.35,
        request=0,
        call=0,
        tool=2,
        property=5,
        format=1.2,
        formatted=23,
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
    if kind == "bedrock" and "qwen" in model:
        # It does not reason there: the answer begins with an empty block of reasoning.
        return replace(found, request=found.request + found.not_thinking, not_thinking=0)
    if "gpt-5" in model:
        return replace(found, tools=96) if dialect == "openai_chat" else replace(found, page=10)
    return found
