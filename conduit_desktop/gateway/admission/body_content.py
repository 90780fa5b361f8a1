"""What a model reads of a request's body in any dialect: texts, tools, schemas and media; whether it holds media at all."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.values import image_type, standard_base64

_LABELS = frozenset({
    "role", "type", "id", "tool_call_id", "tool_use_id", "call_id", "toolUseId", "status", "model", "detail",
    "media_type", "mime_type", "mimeType", "format", "cache_control",
})  # fmt: skip
SIGNED = frozenset({"signature", "thoughtSignature", "thought_signature", "encrypted_content"})
"""Names of what only the vendor can read; what it counts of them is not their length."""
_LONGEST_LABEL = 64
"""Labels are not part of what a model reads; a longer text under such a name is one."""
_OBJECTS = frozenset({
    "input", "args", "arguments", "response", "json", "schema", "parameters", "output", "response_format", "responseSchema",
    "responseJsonSchema", "response_schema", "format", "input_schema", "output_config", "text",
})  # fmt: skip
"""Names whose objects are read as JSON, with their keys."""
TOOLS = frozenset({"tools", "functions", "toolConfig", "tool_config"})
"""Fields of the tools that a model may call, by dialect."""
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_TOOL_SETTINGS = frozenset({"toolConfig", "tool_config"})
_FORMATS = frozenset({"response_format", "text", "output_config", "output_format", "outputConfig", "format"})
"""Where a JSON schema of the answer stands, by dialect."""
REASONING = frozenset({"reasoning_content", "reasoning", "thinking"})
"""Names of readable reasoning that is passed back."""
CONVERSATIONS = ("messages", "contents", "input")
"""Fields of the messages, by dialect."""
_PARTS_OF_TEXT = frozenset({"text", "input_text", "output_text"})
_LONGEST_SETTING = 256
"""Characters: a longer text at the top of a body is counted under whatever name."""
_CONTENT = frozenset({"input", "system", "instructions", "prompt", "suffix", "message", "query", "template", "content", "preamble"})
_SETTINGS = frozenset(
    {
        "generationConfig", "generation_config", "safetySettings", "options", "metadata", "stream_options", "thinking", "include",
        "tool_choice", "toolChoice", "guardrailConfig", "inferenceConfig", "reasoning", "context_management", "requestMetadata",
    }
)  # fmt: skip
"""What no vendor counts, but for the schema of the answer in Gemini's settings."""
_GEMINI_SETTINGS = frozenset({"generationConfig", "generation_config"})
_GEMINI_SCHEMAS = ("responseSchema", "responseJsonSchema", "response_schema", "response_json_schema")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{256}")
_LEAST_ENCODED = 256
_LINK = ("http://", "https://", "gs://", "s3://")
SHORT = 24
"""Characters: no encoded picture, sound or document is as short as that, not even with `data:` and its kind before it."""
LINK_NAMES = frozenset({"url", "image_url", "fileUri", "file_uri", "file_url", "uri", "document_url", "file_id"})
"""Names of links to media, and of files that the vendor stores."""
_DATA = frozenset({"data", "bytes"})
"""Names of encoded data, at Claude's, Gemini's and Bedrock's."""
FILE_NAMES = LINK_NAMES | _DATA
"""Of these two kinds of names, those under which a short text may be media."""
_NOT_TEXTS = _LABELS | SIGNED | FILE_NAMES | REASONING
_SYSTEM = frozenset({"system", "instructions", "systemInstruction", "system_instruction"})
"""Fields of the system prompt apart from the messages."""
_CALLS = frozenset({"function_call", "custom_tool_call", "tool_use", "function"})
"""Types of calls of tools: OpenAI's and Claude's."""
_CALL_FIELDS = frozenset({"functionCall", "function_call", "toolUse"})
"""Fields of such in Gemini's and Bedrock's messages."""
_FIELDS_WITH_MARKS = _CALL_FIELDS | {"document", "qualifiers"}
"""`qualifiers`: what Bedrock's guardrails are to take a text for, which the model does not read."""
_NUMBERS = frozenset({int, float, bool, type(None)})
_MEDIA_MARKS = (
    b"base64", b'"data"', b'"image', b'"file', b'"url"', b'"uri"', b'"bytes"', b'_url"', b'Uri"',
)  # fmt: skip


@dataclass(slots=True)
class BodyContent:
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
    systems: int = 0
    """System prompts in a field of their own."""
    calls: int = 0
    """Calls of tools, which have results."""
    documents: int = 0
    added_tools: int = 0
    """Items of the conversation that bring further tools."""
    compacted: int = 0
    """Characters of the summary that takes the place of earlier messages, encrypted."""
    media: list[tuple[str, str]] = field(default_factory=list)
    cites: bool = False
    """Whether a document is to be cited."""


def content_of(body: Json) -> BodyContent:
    """What a model reads of a body of any dialect; an unknown field counts as its texts."""
    found = BodyContent()
    if not isinstance(body, dict):
        _walk(body, "", found)
        return found
    for name, value in body.items():
        found.systems += name in _SYSTEM and bool(value)
        if type(value) is str:
            if name in _CONTENT or len(value) > _LONGEST_SETTING:
                _take_text(name, value, found)
        elif type(value) in _NUMBERS:
            continue
        elif name in TOOLS or (name in _FORMATS and type(value) is dict):
            _take_schema(name, value, found)
        elif name in _SETTINGS:
            if name in _GEMINI_SETTINGS and isinstance(value, dict):
                found.formats += [json_bytes(value[schema]) for schema in _GEMINI_SCHEMAS if value.get(schema)]
            continue
        elif isinstance(value, (dict, list)) and value:
            _take_part(name, value, found)
    return found


def _take_part(name: str, value: dict[str, Json] | list[Json], found: BodyContent) -> None:
    """Take a conversation; and anything else, since a vendor may read it: objects that nobody here knows count as their texts."""
    if name in CONVERSATIONS and isinstance(value, list):
        if name == "input":
            value = _since_compaction(value, found)
        found.messages += len(value)
    _walk(value, name, found)


def _since_compaction(items: list[Json], found: BodyContent) -> list[Json]:
    """The items after the last compaction, which stands for those before: https://platform.openai.com/docs/guides/compaction"""
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if isinstance(item, dict) and item.get("type") == "compaction":
            summary = item.get("encrypted_content")
            found.compacted = len(summary) if isinstance(summary, str) else 0
            return items[index + 1 :]
    return items


def _take_schema(name: str, value: Json, found: BodyContent) -> None:
    """Take tools, or what may hold the schema of the answer."""
    written = json_bytes(value)
    if b'"defer_loading":true' in written and isinstance(value, list):
        # https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool: not read before they are found.
        value = [tool for tool in value if not (isinstance(tool, dict) and tool.get("defer_loading") is True)]
        written = json_bytes(value)
    if name in TOOLS:
        # Gemini's settings for tools hold no tools, those of Bedrock do.
        if value and (name not in _TOOL_SETTINGS or b'"tools":' in written):
            found.schemas.append(written)
            found.tools += _count_tools(value)
    elif b"chema" in written or b'"properties":' in written:
        found.formats.append(_bedrock_schema(value) or written)
    elif len(written) > _LONGEST_SETTING:
        _walk(value, name, found)


def _bedrock_schema(value: Json) -> bytes:
    """The schema of the answer in Bedrock's `outputConfig`, which is a string of JSON there; empty for any other."""
    for name in ("textFormat", "structure", "jsonSchema", "schema"):
        value = value.get(name) if isinstance(value, dict) else None
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _count_tools(value: Json) -> int:
    tools = value.get("tools") if isinstance(value, dict) else value
    if not isinstance(tools, list):
        return 0
    # Gemini's functions stand in lists of their own.
    lists = [functions for tool in tools[:8] if isinstance(tool, dict) for name in _DECLARATIONS if (functions := tool.get(name))]
    return sum(len(functions) for functions in lists if isinstance(functions, list)) if lists else len(tools)


def _walk(top: Json, top_name: str, found: BodyContent) -> None:
    # A stack, not recursion: clients choose how deep a body is nested.
    stack: list[tuple[str, Json]] = [(top_name, top)]
    while stack:
        name, item = stack.pop()
        if type(item) is str:
            _take_text(name, item, found)
        elif type(item) is dict:
            if not (name in _OBJECTS and "qualifiers" not in item and _take_object(item, found)):
                _take_fields(item, found, stack)
        elif type(item) is list:
            if item and type(item[0]) in (int, float):
                found.texts.append("0 " * len(item))  # token ids
            else:
                # Reversed, so that texts stay in their order.
                stack += [("", part) for part in reversed(item)]
        elif item is not None:
            found.texts.append("0")


def _take_fields(item: dict[str, Json], found: BodyContent, stack: list[tuple[str, Json]]) -> None:
    """Take the short texts of an object; everything else goes to the stack."""
    for key, part in item.items():
        if type(part) is str:
            size = len(part)
            if size < _LEAST_ENCODED and key not in _NOT_TEXTS:
                found.texts.append(part)
                continue
            if (key in _LABELS and size <= _LONGEST_LABEL) or key in SIGNED:
                _count_label(part, found)
                found.signed = found.signed or key in SIGNED
                continue
            if size < _LEAST_ENCODED and key in _DATA and image_type(_standard(part)) is not None:
                found.media.append(("image", part))
                continue
            if key in REASONING:
                found.reasoning.append(part)
                continue
            if size < _LEAST_ENCODED and key not in LINK_NAMES:
                found.texts.append(part)
                continue
        elif key == "citations" and type(part) is dict:
            found.cites = found.cites or part.get("enabled") is True
            continue
        elif key in _FIELDS_WITH_MARKS:
            found.calls += key in _CALL_FIELDS
            found.documents += key == "document"
            if key == "qualifiers":
                continue
        elif key == "summary" and item.get("type") == "reasoning":
            found.reasoning.append(json_bytes(part).decode())
            continue
        stack.append((key, part))


def _count_label(label: str, found: BodyContent) -> None:
    if label in _CALLS:
        found.calls += 1
    elif label == "document":
        found.documents += 1
    elif label == "additional_tools":
        found.added_tools += 1


def _take_object(item: dict[str, Json], found: BodyContent) -> bool:
    """Take an object that is read as JSON; False for a part of a message, and for one with pictures, which are read as such."""
    kind = item.get("type")
    if type(kind) is str and kind in _PARTS_OF_TEXT:
        return False
    written = json_bytes(item)
    if any(map(written.__contains__, _MEDIA_MARKS)):
        return False
    found.texts.append(written.decode("utf-8", "replace"))
    return True


def _take_text(name: str, text: str, found: BodyContent) -> None:
    if text.startswith("data:"):
        head, _, data = text.partition(",")
        found.media.append((_media_kind(head, data), data))
    elif name in LINK_NAMES and len(text) < 4096 and (text.startswith(_LINK) or name == "file_id"):
        found.media.append(("image" if "image" in name or name == "url" else "document", ""))
    elif len(text) >= _LEAST_ENCODED and name != "text" and _ENCODED.match(text) is not None and _is_known_format(text):
        found.media.append((_media_kind("", text), text))
    else:
        found.texts.append(text)


_SMALL = 1024
_OF_MEDIA = (b"data:", b'url"', b'uri"', b'Uri"', b'file_id"', b'data"', b'bytes"', b"\\u")
"""What stands in the JSON of every body with links or encoded data: the ends of `LINK_NAMES`, or escapes that may hide them."""
_ENCODED_BYTES = re.compile(_ENCODED.pattern.encode())


def may_have_media(text: bytes | bytearray) -> bool:
    """False where a small body holds no media for certain, by its JSON alone: most chats are small, and this is a quarter."""
    return (
        len(text) > _SMALL
        or any(map(text.__contains__, _OF_MEDIA))
        or (len(text) > _LEAST_ENCODED and _ENCODED_BYTES.search(text) is not None)
    )


def has_media(body: dict[str, Json]) -> bool:
    """Whether a body holds what `_take_text` takes for media: pictures, sound, documents, and links to them."""
    # Walked, not searched: a search takes four times as long, and tools have parameters by the names of links.
    stack: list[Json] = [{name: value for name, value in body.items() if name not in TOOLS}]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            if holds_link(item):
                return True
            parts: Iterable[Json] = item.values()
        else:
            parts = item
        for part in parts:
            kind = type(part)
            if kind is str:
                if len(part) > SHORT and is_data(part):
                    return True
            elif kind is dict or kind is list:
                stack.append(part)
    return False


_DATA_TEXT = re.compile(f"data:|{_ENCODED.pattern}")


def is_data(text: str) -> bool:
    """Whether a text is encoded data, or looks like it."""
    return _DATA_TEXT.match(text) is not None


def holds_link(item: dict[str, Json]) -> bool:
    """Whether one of an object's fields links to media, names a file that the vendor stores, or holds a picture, however small."""
    return not FILE_NAMES.isdisjoint(item) and any(_is_link(name, item.get(name)) for name in FILE_NAMES)


def _is_link(name: str, value: Json) -> bool:
    if type(value) is not str:
        return False
    return image_type(_standard(value)) is not None if name in _DATA else name == "file_id" or value.startswith(_LINK)


def _is_known_format(data: str) -> bool:
    data = _standard(data)
    # PDF, WAV and Ogg, MP3 and its tags, MP4 and ZIP (Office), FLAC.
    return image_type(data) is not None or data.startswith(("JVBERi", "UklGR", "T2dnU", "SUQz", "//", "AAAA", "UEsDB", "ZkxhQ"))


def _standard(data: str) -> str:
    """The first characters in the standard alphabet: Google's clients write the URL-safe one."""
    return data[:32].replace("_", "/").replace("-", "+")


def wav_rate(data: str) -> int:
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
    is_wav = wav_rate(data) > 0
    data = _standard(data)
    if head.startswith("data:image") or (image_type(data) is not None and not is_wav):
        return "image"
    return "audio" if head.startswith(("data:audio", "data:video")) or not data.startswith(("JVBERi", "UEsDB")) else "document"


def json_bytes(value: Json) -> bytes:
    """A value as JSON; one that orjson cannot write, as its names and values in about that length."""
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
