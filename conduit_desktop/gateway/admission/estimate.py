"""Estimates of tokens before a provider has counted: what is expected, and a bound that no provider's count passes.

A real tokenizer would block the loop for milliseconds on the bodies that coding agents send. Texts are weighed by classes of
bytes instead (`token_weights`), long ones by samples; what providers report then corrects the estimate of each model.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import TYPE_CHECKING

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.admission.token_families import Family, family_of
from conduit_desktop.gateway.admission.token_weights import ASCII_CLASSES, CLASS_OF_BYTE, CLASSES, pieces_of, script_of
from conduit_desktop.providers.image_limits import dimensions
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.usage import requested_units
from conduit_desktop.wire.values import image_type, standard_base64

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


# The bound. A tokenizer that works on bytes makes at most one token of each.
_BOUND_PER_MESSAGE = 32
_BOUND_PER_REQUEST, _BOUND_OF_TOOLS = 128, 1000
"""A template, with the day and the like (gpt-oss: 60 tokens), and the vendor's own instructions for tools (Nova: 770)."""
_IMAGE_BOUND = 50_000
"""gpt-4o-mini: 2,833 + 5,667 for each of eight tiles."""
_UNSEEN_BOUND = 200_000
"""What a vendor adds that the body does not show: a stored conversation, a file, results of its own tools."""
_AUDIO_BYTES_PER_TOKEN = 20
"""Gemini counts 32 tokens for a second, which has at least 700 bytes."""
_PAGE_BYTES = 40_000
_PDF_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")
_MOST_DECODED = 2 * 1024 * 1024

_LABELS = frozenset({
    "role", "type", "id", "tool_call_id", "tool_use_id", "call_id", "toolUseId", "status", "model", "detail",
    "media_type", "mime_type", "mimeType", "format", "cache_control",
})  # fmt: skip
_SIGNED = frozenset({"signature", "thoughtSignature", "thought_signature", "encrypted_content"})
"""Names of what only the vendor can read; what it counts of them is not their length."""
_LONGEST_LABEL = 64
"""Labels are not part of what a model reads; a longer text under such a name is one."""
_OBJECTS = frozenset({
    "input", "args", "arguments", "response", "json", "schema", "parameters", "output", "response_format", "responseSchema",
    "responseJsonSchema", "response_schema", "format", "input_schema", "output_config", "text",
})  # fmt: skip
"""Names whose objects are read as JSON, with their keys."""
_TOOLS = frozenset({"tools", "functions", "toolConfig", "tool_config"})
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_TOOL_SETTINGS = frozenset({"toolConfig", "tool_config"})
_FORMATS = frozenset({"response_format", "text", "output_config", "output_format", "outputConfig", "format"})
"""Where a JSON schema of the answer stands, by dialect."""
_REASONING = frozenset({"reasoning_content", "reasoning", "thinking"})
_CONVERSATIONS = ("messages", "contents", "input")
_PARTS_OF_TEXT = frozenset({"text", "input_text", "output_text"})
_LONGEST_SETTING = 256
"""Characters: a longer text at the top of a body is counted under whatever name."""
_CONTENT = frozenset({"input", "system", "instructions", "prompt", "suffix", "message", "query", "template", "content", "preamble"})
_SETTINGS = frozenset(
    {"generationConfig", "generation_config", "safetySettings", "options", "metadata", "stream_options", "thinking", "include"}
)
"""What no vendor counts, but for the schema of the answer in Gemini's settings."""
_GEMINI_SETTINGS = frozenset({"generationConfig", "generation_config"})
_GEMINI_SCHEMAS = ("responseSchema", "responseJsonSchema", "response_schema", "response_json_schema")
_UNSEEN = (
    "previous_response_id", "conversation", "cachedContent", "cached_content", "container", "thread", "thread_id",
    "plugins", "web_search_options", "search_parameters", "mcp_servers", "data_sources", "dataSources", "connectors",
    "enable_search",
)  # fmt: skip
"""Fields by which the vendor reads more than the body."""
ONLINE = ":online"
"""How OpenRouter's names of models end that search first: https://openrouter.ai/docs/features/web-search"""
_WITH_MORE = frozenset({*_TOOLS, *_UNSEEN, "prompt"})
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{256}")
_LEAST_ENCODED = 256
_LINK = ("http://", "https://", "gs://", "s3://")
_LINK_NAMES = frozenset({"url", "image_url", "fileUri", "file_uri", "file_url", "uri", "document_url", "file_id"})
_PASSED_BACK = _REASONING | _SIGNED
_RESULTS = frozenset({"toolResult", "functionResponse", "function_response"})
"""Names of the results of tools in Bedrock's and Gemini's messages of a user."""
_NOT_TEXTS = _LABELS | _SIGNED | _LINK_NAMES | _REASONING
_NUMBERS = frozenset({int, float, bool, type(None)})
_MEDIA_MARKS = (
    b"base64", b'"data"', b'"image', b'"file', b'"url"', b'"uri"', b'"bytes"', b'_url"', b'Uri"',
)  # fmt: skip
# Tools that the vendor runs itself, whose results or instructions it counts as input: by type those of Claude, OpenAI, xAI, Groq,
# Mistral and OpenRouter, Z.ai's `retrieval` and Moonshot's `builtin_function`; by field those of Gemini, and Nova's.
_HOSTED = re.compile(
    rb'"type":\s*"[a-z_:]*(?:search|fetch|code_execution|code_interpreter|computer|mcp|advisor|bash|text_editor|memory|shell'
    rb"|image_generation|retrieval|builtin_function|document_library|connector|browser|visit_website|wolfram)"
)
_HOSTED_FIELDS = frozenset({
    "googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "urlContext", "url_context",
    "codeExecution", "code_execution", "fileSearch", "file_search", "googleMaps", "google_maps", "computerUse", "computer_use",
    "enterpriseWebSearch", "enterprise_web_search", "parallelAiSearch", "parallel_ai_search", "retrieval", "mcpServers",
    "mcp_servers", "systemTool",
})  # fmt: skip


# ---- what a body holds -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Content:
    """What a model reads of a body: texts, schemas of tools and of the answer, messages, and media as (kind, base64 or empty)."""

    texts: list[str] = field(default_factory=list)
    schemas: list[bytes] = field(default_factory=list)
    tools: int = 0
    formats: list[bytes] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    """Texts of reasoning that are passed back, which some vendors drop."""
    signed: bool = False
    """Whether there is reasoning that only the vendor can read."""
    messages: int = 0
    media: list[tuple[str, str]] = field(default_factory=list)
    cites: bool = False
    """Whether a document is to be cited."""


def _content_of(body: Json) -> _Content:
    found = _Content()
    if not isinstance(body, dict):
        _walk(body, "", found)
        return found
    for name, value in body.items():
        if type(value) is str:
            if name in _CONTENT or len(value) > _LONGEST_SETTING:
                _take_text(name, value, found)
        elif type(value) in _NUMBERS:
            continue
        elif name in _TOOLS or (name in _FORMATS and type(value) is dict):
            _take_schema(name, value, found)
        elif name in _SETTINGS:
            if name in _GEMINI_SETTINGS and isinstance(value, dict):
                found.formats += [_dumps(value[schema]) for schema in _GEMINI_SCHEMAS if value.get(schema)]
            continue
        elif isinstance(value, (dict, list)) and value:
            if name in _CONVERSATIONS and isinstance(value, list):
                found.messages += len(value)
            # A vendor may read any of it: objects that nobody here knows count as their texts.
            _walk(value, name, found)
    return found


def _take_schema(name: str, value: Json, found: _Content) -> None:
    """Take tools, or what may hold the schema of the answer."""
    written = _dumps(value)
    if name in _TOOLS:
        # Gemini's settings for tools hold no tools, those of Bedrock do.
        if value and (name not in _TOOL_SETTINGS or b'"tools":' in written):
            found.schemas.append(written)
            found.tools += _count_tools(value)
    elif b"chema" in written or b'"properties":' in written:
        found.formats.append(written)
    else:
        _walk(value, name, found)


def _count_tools(value: Json) -> int:
    tools = value.get("tools") if isinstance(value, dict) else value
    if not isinstance(tools, list):
        return 0
    # Gemini's functions stand in lists of their own.
    lists = [functions for tool in tools[:8] if isinstance(tool, dict) for name in _DECLARATIONS if (functions := tool.get(name))]
    return sum(len(functions) for functions in lists if isinstance(functions, list)) if lists else len(tools)


def _walk(top: Json, top_name: str, found: _Content) -> None:
    # A stack, not recursion: clients choose how deep a body is nested.
    stack: list[tuple[str, Json]] = [(top_name, top)]
    while stack:
        name, item = stack.pop()
        if type(item) is str:
            _take_text(name, item, found)
        elif type(item) is dict:
            if not (name in _OBJECTS and _take_object(item, found)):
                _take_fields(item, found, stack)
        elif type(item) is list:
            if item and type(item[0]) in (int, float):
                found.texts.append("0 " * len(item))  # token ids
            else:
                # Reversed, so that texts stay in their order.
                stack += [("", part) for part in reversed(item)]
        elif item is not None:
            found.texts.append("0")


def _take_fields(item: dict[str, Json], found: _Content, stack: list[tuple[str, Json]]) -> None:
    """Take the short texts of an object; everything else goes to the stack."""
    for key, part in item.items():
        if type(part) is str:
            size = len(part)
            if size < _LEAST_ENCODED and key not in _NOT_TEXTS:
                found.texts.append(part)
                continue
            if (key in _LABELS and size <= _LONGEST_LABEL) or key in _SIGNED:
                found.signed = found.signed or key in _SIGNED
                continue
            if key in _REASONING:
                found.reasoning.append(part)
                continue
            if size < _LEAST_ENCODED and key not in _LINK_NAMES:
                found.texts.append(part)
                continue
        elif key == "citations" and type(part) is dict:
            found.cites = found.cites or part.get("enabled") is True
            continue
        elif key == "summary" and item.get("type") == "reasoning":
            found.reasoning.append(_dumps(part).decode())
            continue
        stack.append((key, part))


def _take_object(item: dict[str, Json], found: _Content) -> bool:
    """Take an object that is read as JSON; False for a part of a message, and for one with pictures, which are read as such."""
    kind = item.get("type")
    if type(kind) is str and kind in _PARTS_OF_TEXT:
        return False
    written = _dumps(item)
    if any(map(written.__contains__, _MEDIA_MARKS)):
        return False
    found.texts.append(written.decode("utf-8", "replace"))
    return True


def _take_text(name: str, text: str, found: _Content) -> None:
    if text.startswith("data:"):
        head, _, data = text.partition(",")
        found.media.append((_media_kind(head, data), data))
    elif name in _LINK_NAMES and len(text) < 4096 and (text.startswith(_LINK) or name == "file_id"):
        found.media.append(("image" if "image" in name or name == "url" else "document", ""))
    elif len(text) >= _LEAST_ENCODED and name != "text" and _ENCODED.match(text) is not None and _is_known_format(text):
        found.media.append((_media_kind("", text), text))
    else:
        found.texts.append(text)


_SMALL = 1024
_OF_MEDIA = (b"data:", b'url"', b'uri"', b'Uri"', b'file_id"', b"\\u")
"""What stands in the JSON of every body with links or encoded data: the ends of `_LINK_NAMES`, or escapes that may hide them."""
_ENCODED_BYTES = re.compile(_ENCODED.pattern.encode())


def may_have_media(text: bytes) -> bool:
    """False where a small body holds no media for certain, by its JSON alone: most chats are small, and this is a quarter."""
    return (
        len(text) > _SMALL
        or any(map(text.__contains__, _OF_MEDIA))
        or (len(text) > _LEAST_ENCODED and _ENCODED_BYTES.search(text) is not None)
    )


def has_media(body: dict[str, Json]) -> bool:
    """Whether a body holds what `_take_text` takes for media: pictures, sound, documents, and links to them."""
    # Walked, not searched: a search takes four times as long, and tools have parameters by the names of links.
    stack: list[Json] = [{name: value for name, value in body.items() if name not in _TOOLS}]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            if not _LINK_NAMES.isdisjoint(item) and any(_is_link(name, item.get(name)) for name in _LINK_NAMES):
                return True
            parts: Iterable[Json] = item.values()
        else:
            parts = item
        for part in parts:
            kind = type(part)
            if kind is str:
                if part.startswith("data:") or (len(part) >= _LEAST_ENCODED and _ENCODED.match(part) is not None):
                    return True
            elif kind is dict or kind is list:
                stack.append(part)
    return False


def _is_link(name: str, value: Json) -> bool:
    return type(value) is str and (name == "file_id" or value.startswith(_LINK))


def _is_known_format(data: str) -> bool:
    data = _standard(data)
    # PDF, WAV and Ogg, MP3 and its tags, MP4 and ZIP (Office), FLAC.
    return image_type(data) is not None or data.startswith(("JVBERi", "UklGR", "T2dnU", "SUQz", "//", "AAAA", "UEsDB", "ZkxhQ"))


def _standard(data: str) -> str:
    """The first characters in the standard alphabet: Google's clients write the URL-safe one."""
    return data[:32].replace("_", "/").replace("-", "+")


def _wav_rate(data: str) -> int:
    """The bytes of a second of sound in a WAV file, as its head states; 0 for anything else."""
    if not data.startswith("UklGR"):
        return 0
    try:
        head = base64.b64decode(standard_base64(data[:48]))
    except ValueError:
        return 0
    return int.from_bytes(head[28:32], "little") if head[8:12] == b"WAVE" else 0


def _media_kind(head: str, data: str) -> str:
    # WAV and WebP begin alike.
    is_wav = _wav_rate(data) > 0
    data = _standard(data)
    if head.startswith("data:image") or (image_type(data) is not None and not is_wav):
        return "image"
    return "audio" if head.startswith(("data:audio", "data:video")) or not data.startswith(("JVBERi", "UEsDB")) else "document"


def _dumps(value: Json) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # nested deeper than orjson writes, or half of a surrogate pair
        return _flat(value)


def _flat(value: Json) -> bytes:
    """All names and values, one after the other: as long as the JSON but for its marks, which are counted as well."""
    stack, pieces = [value], []
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += item.values()
            pieces += [f'"{name}":,' for name in item]
        elif isinstance(item, list):
            stack += item
            pieces.append("[,]" + "," * len(item))
        else:
            pieces.append(f'"{item}"')
    return "".join(pieces).encode("utf-8", "replace")


# ---- tokens of texts ---------------------------------------------------------------------------------------------------


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
    classes = bytes(filter(mapped.__contains__, ASCII_CLASSES if is_ascii else CLASSES))
    pieces, weights = pieces_of(classes, "ascii" if is_ascii else script_of(mapped))
    tokens: float = 0.5 + sum(map(mul, map(mapped.count, pieces), weights))
    # Never more than a token for each byte, and spaces are the longest tokens that there are.
    tokens = min(max(tokens, len(text) / 64), len(text))
    return max(1, round(tokens * size / len(text)))


def _utf8(texts: Iterable[str]) -> bytes:
    return " ".join(texts).encode("utf-8", "replace")


def image_tokens(width: int, height: int, dialect: str, model: str = "") -> int:
    """The tokens of a picture of that size in pixels; (0, 0): of one whose size is not known."""
    return max(1, round(family_of(model, dialect).image(width, height))) if width and height else 1000


def _media_tokens(kind: str, data: str, family: Family) -> int:
    if kind == "image":
        width, height = dimensions(standard_base64(data[:_MOST_DECODED])) if data else (0, 0)
        return max(1, round(family.image(width, height))) if width and height else 1000
    size = len(data) * 3 // 4
    if kind == "audio":
        return max(10, round(size / (_wav_rate(data) or _SOUND_BYTES_S) * family.sound))
    return (_pages(data) or max(1, -(-size // _PAGE_BYTES))) * family.page


def _pages(data: str) -> int:
    """The pages of a PDF in base64, where its first megabytes list them uncompressed; else 0."""
    try:
        head = base64.b64decode(standard_base64(data[:_MOST_DECODED]))
    except ValueError:
        return 0
    return len(_PDF_PAGE.findall(head))


# ---- the estimates of a request ----------------------------------------------------------------------------------------


def input_tokens(body: Json, dialect: str = "", model: str = "", kind: str = "") -> int:
    """The tokens that a body of any dialect is expected to have: texts, tools and schemas, messages, pictures by their size.

    `dialect` and `model` are those of the target, by which the family of its tokenizer is found, and `kind` its provider's.
    """
    found = _content_of(body)
    family = family_of(model, dialect, kind)
    tokens = 0.0
    if found.reasoning and family.reasoning == "all":
        found.texts += found.reasoning
    if (found.reasoning and family.reasoning == "turn") or (found.signed and family.signed):
        tokens += _passed_back(body, family, found)
    if not family.think_tags:
        found.texts = [text.rpartition("</think>")[2] if text.startswith("<think>") else text for text in found.texts]
    text = _utf8(found.texts)
    tokens += text_tokens(text) * family.text
    if family.digit or family.capital:
        tokens += _count_of(_DIGITS, text) * family.digit + _count_of(_CAPITALS, text) * family.capital
    if found.schemas and (family.unused_tools or not isinstance(body, dict) or body.get("tool_choice") != "none"):
        schemas = _words_of(body) if family.words else b" ".join(found.schemas)
        tokens += max(
            0.0, text_tokens(schemas) * family.schema + _count_of(_DIGITS, schemas) * family.digit + found.tools * family.tool
        )
        tokens += family.tools if family.forced is None or not _is_forced(body) else family.forced
    if found.formats and family.format:
        tokens += text_tokens(b" ".join(found.formats)) * family.format + family.formatted
    messages = found.messages or (dialect == "openai_responses" and type(body) is dict and type(body.get("input")) is str)
    if messages:
        tokens += messages * family.message + family.request
    if family.thinking or family.not_thinking:
        tokens += {True: family.thinking, False: family.not_thinking, None: 0}[_thinks(body)]
    if found.cites:
        tokens += family.citations
    if found.media:
        tokens += sum(_media_tokens(kind, data, family) for kind, data in found.media)
    return max(1, round(tokens))


_DIGITS, _CAPITALS = b"0123456789", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _count_of(characters: bytes, text: bytes) -> int:
    return len(text) - len(text.translate(None, characters))


def _words_of(body: Json) -> bytes:
    """The names, descriptions and values of the tools in a body, without the frame of their JSON."""
    words: list[str] = []
    stack: list[Json] = [body.get(name) for name in _TOOLS] if isinstance(body, dict) else []
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            for name, value in item.items():
                if name == "properties" and isinstance(value, dict):
                    words += value
                    stack += value.values()
                elif name == "enum" and isinstance(value, list):
                    words += map(str, value)
                elif name in ("name", "description") and isinstance(value, str):
                    words.append(value)
                elif name != "required":
                    stack.append(value)
    return _utf8(words)


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


def _thinks(body: Json) -> bool | None:
    """Whether the request switches reasoning on or off, as Claude, DeepSeek and Nova read it; None where it does neither."""
    if not isinstance(body, dict):
        return None
    more = body.get("additionalModelRequestFields")
    more = more if isinstance(more, dict) else {}
    for setting in (body.get("thinking"), body.get("reasoning"), more.get("thinking"), more.get("reasoningConfig")):
        if isinstance(setting, dict) and setting:
            return setting.get("type") != "disabled" and setting.get("enabled") is not False and setting.get("effort") != "none"
    effort = body.get("reasoning_effort")
    return None if effort is None else effort != "none"


def _passed_back(body: Json, family: Family, found: _Content) -> float:
    """The tokens of reasoning that only the vendor can read, as the family counts it; readable reasoning goes to `found.texts`."""
    if not isinstance(body, dict):
        return 0
    conversation: list[Json] = next((body[name] for name in _CONVERSATIONS if isinstance(body.get(name), list)), [])
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
                    if name in _SIGNED:
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


def json_of(call: Call) -> bytes:
    """The call's body as JSON: as it was received, where it was."""
    received = call.received
    return received[0] if received is not None and received[1] is call.body else _dumps(call.body)


def input_estimate(call: Call, targets: Sequence[BoundTarget] = ()) -> int:
    """The tokens that the call's input is expected to have: as the model of its `targets` counts them where all are of one family,
    else as a model of the requested name would.
    """
    dialect, model, kind = call.dialect.name, call.model, ""
    known = [(target.model, target.bound.provider.kind) for target in targets]
    if known and len({family_of(name, dialect, of_kind) for name, of_kind in known}) == 1:
        model, kind = known[0]
    tokens = input_tokens(call.body, dialect, model, kind)
    return max(1, round(tokens * LEARNED.factor(call.model)))


def input_bound(call: Call, searches: bool = False) -> int:
    """More tokens than any provider counts for the call's input: one for each byte, and what vendors add to it.

    `searches`: a target may search first, whatever is asked.
    """
    text, unseen = _bounds(call, searches)
    return text + unseen


def input_bounds(call: Call, searches: bool = False) -> tuple[int, int]:
    """`input_bound`, and tokens that the input passes by little at most.

    The second is what is expected, and the bound of what cannot be estimated: pictures, stored conversations, and what a vendor's
    own tools find.
    """
    text, unseen = _bounds(call, searches)
    return text + unseen, min(text, call.input_tokens) + unseen


def _bounds(call: Call, searches: bool) -> tuple[int, int]:
    """The bound of what is written in the body, and that of media and of what the vendor adds from elsewhere."""
    body = call.body
    text, unseen = len(json_of(call)) + _BOUND_PER_REQUEST, 0
    for name in _CONVERSATIONS:
        if type(conversation := body.get(name)) is list:
            text += _BOUND_PER_MESSAGE * len(conversation)
            break
    # Most requests have none of them.
    if not _WITH_MORE.isdisjoint(body):
        if any(map(body.get, _TOOLS)):
            text += _BOUND_OF_TOOLS
        searches = searches or _adds_unseen(body)
    if searches:
        unseen += _UNSEEN_BOUND
    if call.has_media:
        for kind, data in _content_of(body).media:
            text -= len(data)
            unseen += _media_bound(kind, data)
    if call.media_request is not None and call.media_request.form is not None:
        unseen += max(_IMAGE_BOUND, call.media_request.form.files_size // _AUDIO_BYTES_PER_TOKEN)
    return text, unseen


def _adds_unseen(body: dict[str, Json]) -> bool:
    """Whether the vendor reads more than the body: a stored conversation, or what its own tools and plugins find."""
    if any(map(body.get, _UNSEEN)):
        return True
    if type(body.get("prompt")) is dict:
        return True  # a stored prompt of OpenAI's
    tools = body.get("tools")
    if not tools and type(settings := body.get("toolConfig")) is dict:
        tools = settings.get("tools")  # Bedrock's
    listed = tools if isinstance(tools, list) else ()
    if any(isinstance(tool, dict) and not _HOSTED_FIELDS.isdisjoint(tool) for tool in listed):
        return True
    return bool(tools) and _HOSTED.search(_dumps(tools)) is not None


def _media_bound(kind: str, data: str) -> int:
    if not data:
        return _IMAGE_BOUND if kind == "image" else _UNSEEN_BOUND
    if kind == "image":
        return _IMAGE_BOUND
    # A document is read as text, and each of its pages as a picture, too.
    return len(data) // _AUDIO_BYTES_PER_TOKEN + 100 if kind == "audio" else len(data) + 5000


def output_tokens(size: int, sample: bytes = b"") -> int:
    """The tokens of `size` bytes of an answer that began with `sample`."""
    if not sample:
        # Rounded up: the first byte already is a token.
        return -(-size // BYTES_PER_TOKEN)
    return max(1, math.ceil(text_tokens(sample) * size / len(sample))) if size else 0


# ---- what a model may answer -------------------------------------------------------------------------------------------

_Paths = tuple[tuple[str, ...], ...]


def _paths(*paths: str) -> _Paths:
    return tuple(tuple(path.split(".")) for path in paths)


_CAPS: dict[str, tuple[_Paths, _Paths]] = {
    "openai_chat": (_paths("max_completion_tokens", "max_tokens"), _paths("n")),
    "openrouter_chat": (_paths("max_completion_tokens", "max_tokens"), _paths("n")),
    "openai_completions": (_paths("max_tokens"), _paths("n", "best_of")),
    "openai_responses": (_paths("max_output_tokens"), ()),
    "anthropic_messages": (_paths("max_tokens"), ()),
    "gemini": (
        _paths("generationConfig.maxOutputTokens", "generationConfig.max_output_tokens", "generation_config.maxOutputTokens",
               "generation_config.max_output_tokens"),
        _paths("generationConfig.candidateCount", "generationConfig.candidate_count", "generation_config.candidate_count"),
    ),
    "bedrock": (_paths("inferenceConfig.maxTokens"), ()),
    "cohere": (_paths("max_tokens"), ()),
    "ollama": (_paths("options.num_predict"), ()),
    "ollama_generate": (_paths("options.num_predict"), ()),
}  # fmt: skip
"""The fields for the maximum of output tokens and for the number of answers, by dialect."""
_NO_CAPS: tuple[_Paths, _Paths] = ((), ())
_MOST_CHOICES = 10**6


def output_cap(body: dict[str, Json], dialect: str, answers: int = 0) -> int | None:
    """The most output tokens that a request in `dialect` allows over all its answers; None where it sets no limit.

    `answers` are its `choices`, where they are known. Fields of other dialects count for nothing: the target does not read
    them. Of two names for one limit the higher counts, as servers differ in which they read.
    """
    found = 0
    for path in _CAPS.get(dialect, _NO_CAPS)[0]:
        if path[0] in body and (cap := _cap(_at(body, path), dialect)) > found:
            found = cap
    return found * (answers or choices(body, dialect)) if found else None


def choices(body: dict[str, Json], dialect: str) -> int:
    """How many answers the request asks for at once, each as long as the limit."""
    asked = 1
    for path in _CAPS.get(dialect, _NO_CAPS)[1]:
        if path[0] in body and (count := min(_count(_at(body, path)), _MOST_CHOICES)) > asked:
            asked = count
    return asked


def _at(body: Json, path: tuple[str, ...]) -> Json:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _cap(value: Json, dialect: str) -> int:
    """A limit that every server reads: a whole number. In another spelling some take it for none; Google's JSON has texts."""
    if type(value) is int:
        return value if 0 < value < 2**53 else 0
    return _count(value) if type(value) is str and dialect == "gemini" else 0


def _count(value: Json) -> int:
    """A count in any spelling that a vendor may take: 100, 100.0, "100"; 0 for anything else. `True` is no number."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**53:
        return 0
    return math.ceil(value)


UNBOUNDED = 2**31


def max_output_tokens(body: dict[str, Json], dialect: str = "openai_chat", answers: int = 0) -> int:
    """The most output tokens that a request in `dialect` allows; UNBOUNDED where it sets no limit.

    `answers` are its `choices`, where they are known.
    """
    cap = output_cap(body, dialect, answers)
    return UNBOUNDED if cap is None else cap


# ---- media endpoints ---------------------------------------------------------------------------------------------------


def expected_units(media_request: MediaRequest) -> Units:
    """What a media request may use. A sound file's length is not stated: 128 kilobits a second are assumed."""
    units = requested_units(media_request.endpoint, media_request.body)
    return Units(seconds=media_request.form.files_size / _SOUND_BYTES_S) if units.seconds is None and media_request.form else units


def worst_units(media_request: MediaRequest) -> Units:
    """The most that a media request can use: speech of 8 kilobits a second is the densest that providers take."""
    units = requested_units(media_request.endpoint, media_request.body)
    return Units(seconds=media_request.form.files_size / 1000) if units.seconds is None and media_request.form else units


_SOUND_BYTES_S = 16_000

# https://platform.openai.com/docs/guides/image-generation#cost-and-latency
_PICTURE_TOKENS = {"low": (272, 408), "medium": (1056, 1584), "high": (4160, 6240)}
"""Output tokens of one picture, square and not, by its quality; GPT Image makes more of them than other models."""
# https://platform.openai.com/docs/guides/realtime-costs: a token for 100 ms of sound. Speech has some 200 tokens of text a minute.
_HEARD_TOKENS_S, _WRITTEN_TOKENS_S = 10, 4
MOST_HEARD_TOKENS_S = 32
"""Of a second of sound, at Gemini: https://ai.google.dev/gemini-api/docs/audio"""


def media_usage(endpoint: str, units: Units, input_tokens: int) -> Usage | None:
    """The tokens of a media answer that reported none, estimated by its units; None where they do not show them."""
    if units.images:
        square, other = _PICTURE_TOKENS.get(units.image_quality.lower(), _PICTURE_TOKENS["high"])
        width, _, height = units.image_size.partition("x")
        output = units.images * (square if width and width == height else other)
        return Usage(input=input_tokens, output=output, image_out=output, source="estimated")
    if endpoint in ("transcriptions", "translations") and units.seconds:
        heard, written = (math.ceil(units.seconds * rate) for rate in (_HEARD_TOKENS_S, _WRITTEN_TOKENS_S))
        return Usage(audio_in=heard, output=written, source="estimated")
    return None


def reports_tokens(endpoint: str, body: dict[str, Json]) -> bool:
    """Whether an answer of a media endpoint can report tokens: sound and subtitles come as bytes, which do not."""
    if endpoint == "speech":
        # Only as events do they end with the tokens.
        return body.get("stream_format") == "sse"
    if endpoint in ("transcriptions", "translations"):
        return body.get("response_format") not in ("text", "srt", "vtt") or body.get("stream") in (True, "true")
    return True


# ---- what providers report ---------------------------------------------------------------------------------------------


class LearnedFactors:
    """By how much each model's reported input differs from the estimate: in memory, by the requested name, within bounds.

    A tokenizer that is not known here makes up to twice as many tokens, or half as many; a larger difference has other reasons.
    """

    LEAST, MOST = 0.5, 2.0
    MODELS = 1000
    _WEIGHT = 0.1
    """Of a single report."""
    _LEAST_TOKENS = 100
    """Below, what a vendor adds to each request counts for more than its tokenizer."""
    _EVERY = 16

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}
        self._reports = 0

    def wants(self, reported: int) -> bool:
        """Whether a report on a request that was not weighed is learned from: every sixteenth of those that are long enough."""
        if reported < self._LEAST_TOKENS:
            return False
        self._reports += 1
        return self._reports % self._EVERY == 0

    def factor(self, model: str) -> float:
        """What the estimate of a request to the model is multiplied with."""
        return self._factors.get(model, 1.0)

    def learn(self, model: str, estimated: int, reported: int) -> None:
        """Take a report; `estimated` is the estimate that the factor was applied to."""
        if estimated < self._LEAST_TOKENS or reported < self._LEAST_TOKENS:
            return
        before = self._factors.pop(model, 1.0)
        seen = min(max(before * reported / estimated, self.LEAST), self.MOST)
        # Put in anew, so that the first entry is the one that was not used for longest.
        self._factors[model] = before + (seen - before) * self._WEIGHT
        if len(self._factors) > self.MODELS:
            del self._factors[next(iter(self._factors))]


LEARNED = LearnedFactors()
