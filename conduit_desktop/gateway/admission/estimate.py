"""Estimates of the tokens of texts, pictures and whole requests, before a provider has counted.

A real tokenizer would block the loop for milliseconds on the bodies that coding agents send. English, code and JSON are counted
by words instead (`word_tokens`), other texts by classes of bytes (`token_weights`), long ones by samples; what providers report
then corrects the estimate of each model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import mul
from typing import TYPE_CHECKING

from conduit_desktop.core.chat import Json
from conduit_desktop.gateway.admission.body_content import (
    CONVERSATIONS,
    REASONING,
    SIGNED,
    TOOLS,
    BodyContent,
    content_of,
)
from conduit_desktop.gateway.admission.bounds import adds_unseen
from conduit_desktop.gateway.admission.learned_factors import LEARNED
from conduit_desktop.gateway.admission.media_sizes import pdf_content, sound_seconds
from conduit_desktop.gateway.admission.token_families import Family, family_of
from conduit_desktop.gateway.admission.token_weights import ASCII_CLASSES, CLASS_OF_BYTE, CLASSES, is_of_words, pieces_of, script_of
from conduit_desktop.gateway.admission.word_tokens import word_tokens
from conduit_desktop.providers.image_limits import dimensions
from conduit_desktop.wire.values import standard_base64

if TYPE_CHECKING:
    from conduit_desktop.gateway.call import Call
    from conduit_desktop.gateway.routing.targets import BoundTarget

BYTES_PER_TOKEN = 4
"""Of English prose and of code; for a text whose bytes are not at hand."""
MEDIA_TOKENS = 1500
"""About what a full-size picture costs (OpenAI's high detail: 765 to 1,445; Claude's cap: about 1,600)."""
_SAMPLED_FROM = 16 * 1024
_SAMPLES, _SAMPLE = 16, 512
"""A text of more bytes is weighed by that many samples of that many bytes, spread evenly."""
_JOINED = 1024 * 1024
_PIECES, _PIECE = 256, 1024
"""Of more characters, so many pieces of so many are put together before that."""
_PAGE_BYTES = 40_000
_OFFICE_CHARACTERS = 100
"""Of base64, for a token of an Office file: it is compressed, and most of it are styles."""
_PDF_CHARACTERS = 3.9
"""Of a token of text in a PDF."""
_MOST_DECODED = 2 * 1024 * 1024
_PASSED_BACK = REASONING | SIGNED
_RESULTS = frozenset({"toolResult", "functionResponse", "function_response"})
"""Names of the results of tools in Bedrock's and Gemini's messages of a user."""
_DIGITS, _CAPITALS = b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text_tokens(text: bytes) -> int:
    """The tokens that a text in UTF-8 is expected to have, as OpenAI counts."""
    size = len(text)
    if not size:
        return 0
    if size > _SAMPLED_FROM:
        step = (size - _SAMPLE) // (_SAMPLES - 1)
        text = b"".join([text[at : at + _SAMPLE] for at in range(0, size, step)])[: _SAMPLES * _SAMPLE]
    mapped = text.translate(CLASS_OF_BYTE)
    is_ascii = text.isascii()
    script = "ascii" if is_ascii else script_of(mapped)
    tokens = word_tokens(text) if script == "ascii" else 0.0
    if script != "ascii" or not is_of_words(mapped):
        classes = bytes(filter(mapped.__contains__, ASCII_CLASSES if is_ascii else CLASSES))
        pieces, weights = pieces_of(classes, script)
        # Of what has no words, the tokens by word are a lower bound.
        tokens = max(tokens, 0.5 + sum(map(mul, map(mapped.count, pieces), weights)))
    # Never more than a token for each byte, and spaces are the longest tokens that there are.
    tokens = min(max(tokens, len(text) / 64), len(text))
    return max(1, round(tokens * size / len(text)))


def output_tokens(size: int, sample: bytes = b"") -> int:
    """The tokens of `size` bytes of an answer that began with `sample`."""
    if not sample:
        # Rounded up: the first byte already is a token.
        return -(-size // BYTES_PER_TOKEN)
    return max(1, math.ceil(text_tokens(sample) * size / len(sample))) if size else 0


def _sample_of(texts: list[str]) -> tuple[bytes, float]:
    """The texts as UTF-8 and 1; of a megabyte and more, pieces that are spread evenly, and how many times more text there is.

    Joining and encoding 100 MB would hold up every stream for a tenth of a second.
    """
    total = sum(map(len, texts)) + len(texts)
    if total <= _JOINED:
        return _utf8(texts), 1.0
    step = total // _PIECES
    pieces: list[str] = []
    begin, due = 0, 0
    """Where the text begins among all, and where the next piece does."""
    for text in texts:
        end = begin + len(text)
        while due < end:
            pieces.append(text[due - begin : due - begin + _PIECE])
            due += step
        begin = end
    sample = "".join(pieces)
    return sample.encode("utf-8", "replace"), total / max(1, len(sample))


def image_tokens(width: int, height: int, dialect: str, model: str = "") -> int:
    """The tokens of a picture of that size in pixels; (0, 0): of one whose size is not known."""
    return max(1, round(family_of(model, dialect).image(width, height))) if width and height else 1000


def input_tokens(body: Json, dialect: str = "", model: str = "", kind: str = "") -> int:
    """The tokens that a body of any dialect is expected to have: texts, tools and schemas, messages, pictures by their size.

    `dialect` and `model` are those of the target, by which the family of its tokenizer is found, and `kind` its provider's.
    """
    found = content_of(body)
    family = family_of(model, dialect, kind)
    tokens = 0.0
    if found.reasoning and family.reasoning == "all":
        found.texts += found.reasoning
    if (found.reasoning and family.reasoning == "turn") or (found.signed and family.signed):
        tokens += _passed_back(body, family, found)
    if not family.think_tags:
        found.texts = [text.rpartition("</think>")[2] if text.startswith("<think>") else text for text in found.texts]
    text, times = _sample_of(found.texts)
    if text:
        tokens += text_tokens(text) * times * family.text
    if family.digit or family.capital:
        tokens += (_count_of(_DIGITS, text) * family.digit + _count_of(_CAPITALS, text) * family.capital) * times
    if found.schemas and (family.unused_tools or not isinstance(body, dict) or body.get("tool_choice") != "none"):
        tokens += _tool_tokens(body, family, found)
    if found.formats and family.format:
        tokens += text_tokens(b" ".join(found.formats)) * family.format + family.formatted
    if found.media:
        tokens += sum(_media_tokens(kind, data, family) for kind, data in found.media)
    return max(1, round(tokens + _added_tokens(body, dialect, model, family, found)))


def _added_tokens(body: Json, dialect: str, model: str, family: Family, found: BodyContent) -> float:
    """What the vendor's template and instructions add to the texts of a request."""
    messages = found.messages or (dialect == "openai_responses" and type(body) is dict and type(body.get("input")) is str)
    tokens = (messages + found.systems) * family.message + family.request if messages else 0.0
    tokens += found.calls * family.call + found.documents * family.document + found.added_tools * family.added_tools
    if found.compacted:
        tokens += max(0, found.compacted - family.signed_free) * family.signed
    if family.thinking or family.not_thinking:
        tokens += {True: family.thinking, False: family.not_thinking, None: 0}[_thinks(body, model)]
    return tokens + family.citations if found.cites else tokens


def _tool_tokens(body: Json, family: Family, found: BodyContent) -> float:
    """The tokens of the tools in a body, with the instructions how to call them."""
    properties = 0
    schemas = b" ".join(found.schemas)
    if family.words:
        schemas, properties = _words_of(body)
    tokens = text_tokens(schemas) * family.schema + _count_of(_DIGITS, schemas) * family.digit + found.tools * family.tool
    tokens += properties * family.property
    return max(0.0, tokens) + (family.tools if family.forced is None or not _is_forced(body) else family.forced)


def input_estimate(call: Call, targets: Sequence[BoundTarget] = ()) -> int:
    """The tokens that the call's input is expected to have: as the model of its `targets` counts them where all are of one family,
    else as a model of the requested name would. What was counted before anything was learned goes to `counted_tokens`.
    """
    dialect, model, kind = call.dialect.name, call.model, ""
    known = [(target.model, target.bound.provider.kind) for target in targets]
    if known and len({family_of(name, dialect, of_kind) for name, of_kind in known}) == 1:
        model, kind = known[0]
    call.counted_tokens = input_tokens(call.body, dialect, model, kind)
    return LEARNED.expected(call.model, call.counted_tokens, _has_tools(call.body))


def learn_input(call: Call, reported: int) -> None:
    """Learn from the input that the provider reported; not where it counts what the body does not show, nor by media."""
    if call.counted_tokens and not call.has_media and not adds_unseen(call.body):
        LEARNED.learn(call.model, call.counted_tokens, reported, _has_tools(call.body))


def _has_tools(body: dict[str, Json]) -> bool:
    return not TOOLS.isdisjoint(body) and any(map(body.get, TOOLS))


def _utf8(texts: Iterable[str]) -> bytes:
    return " ".join(texts).encode("utf-8", "replace")


def _media_tokens(kind: str, data: str, family: Family) -> int:
    if kind == "image":
        width, height = dimensions(standard_base64(data[:_MOST_DECODED])) if data else (0, 0)
        return max(1, round(family.image(width, height) + family.picture)) if width and height else 1000
    size = len(data) * 3 // 4
    if kind == "audio":
        seconds = sound_seconds(data)
        return max(
            5,
            round(
                max(1, math.ceil(seconds / family.chunk)) * family.chunk * family.sound if family.chunk else seconds * family.sound
            ),
        )
    if data.startswith("UEsDB"):
        return len(data) // _OFFICE_CHARACTERS
    pages, characters = pdf_content(data)
    pages = pages or max(1, -(-size // _PAGE_BYTES))
    return round(pages * family.page + characters / _PDF_CHARACTERS * family.page_text)


def _count_of(characters: bytes, text: bytes) -> int:
    return len(text) - len(text.translate(None, characters))


def _words_of(body: Json) -> tuple[bytes, int]:
    """The names, descriptions and values of the tools in a body, without the frame of their JSON, and how many parameters."""
    words: list[str] = []
    properties = 0
    stack: list[Json] = [body.get(name) for name in TOOLS] if isinstance(body, dict) else []
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            for name, value in item.items():
                if name == "properties" and isinstance(value, dict):
                    words += value
                    properties += len(value)
                    stack += value.values()
                elif name == "enum" and isinstance(value, list):
                    words += map(str, value)
                elif name in ("name", "description") and isinstance(value, str):
                    words.append(value)
                elif name != "required":
                    stack.append(value)
    return _utf8(words), properties


def _is_forced(body: Json) -> bool:
    """Whether the request makes the model call a tool, in any dialect that Claude is reached by."""
    if not isinstance(body, dict):
        return False
    choice, settings = body.get("tool_choice"), body.get("toolConfig")
    if isinstance(settings, dict):
        choice = settings.get("toolChoice")
    if isinstance(choice, dict):
        return choice.get("type") in ("any", "tool", "function") or "any" in choice or "tool" in choice
    return choice == "required"


def _thinks(body: Json, model: str) -> bool | None:
    """Whether the request switches reasoning on or off, as Claude, DeepSeek and Nova read it; None where it does neither."""
    if model.endswith(":thinking"):
        return True  # OpenRouter's names of such variants
    if not isinstance(body, dict):
        return None
    more = body.get("additionalModelRequestFields")
    more = more if isinstance(more, dict) else {}
    for setting in (body.get("thinking"), body.get("reasoning"), more.get("thinking"), more.get("reasoningConfig")):
        if isinstance(setting, dict) and setting:
            return setting.get("type") != "disabled" and setting.get("enabled") is not False and setting.get("effort") != "none"
    effort = body.get("reasoning_effort")
    return None if effort is None else effort != "none"


def _passed_back(body: Json, family: Family, found: BodyContent) -> float:
    """The tokens of reasoning that only the vendor can read, as the family counts it; readable reasoning goes to `found.texts`."""
    if not isinstance(body, dict):
        return 0
    conversation: list[Json] = next((body[name] for name in CONVERSATIONS if isinstance(body.get(name), list)), [])
    begin = 0 if family.signed_all else _last_question(conversation)
    if begin == 0 and not family.signed:
        # A single task, however long: all of it counts.
        found.texts += found.reasoning if family.reasoning == "turn" else ()
        return 0
    tokens = 0.0
    for message in conversation[begin:]:
        if not isinstance(message, dict):
            continue
        parts = message.get("content") or message.get("parts")
        for part in (message, *parts) if isinstance(parts, list) else (message,):
            if not isinstance(part, dict) or _PASSED_BACK.isdisjoint(part):
                continue
            for name, value in part.items():
                if name in _PASSED_BACK and isinstance(value, str):
                    if name in SIGNED:
                        if name == "thought_signature" and not family.signed_snake:
                            continue
                        tokens += max(0, len(value) - family.signed_free) * family.signed
                    elif family.reasoning == "turn":
                        found.texts.append(value)
    return tokens


def _last_question(conversation: list[Json]) -> int:
    """The index of the last message of the user's that is not a result of a tool; 0 where there is none."""
    for index in range(len(conversation) - 1, 0, -1):
        message = conversation[index]
        if isinstance(message, dict) and message.get("role") == "user" and not _has_results(message):
            return index
    return 0


def _has_results(message: dict[str, Json]) -> bool:
    """Whether a message of the user's holds results of tools, as Claude's, Bedrock's and Gemini's do."""
    parts = message.get("content") or message.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and (part.get("type") == "tool_result" or not _RESULTS.isdisjoint(part)):
            return True
    return False
