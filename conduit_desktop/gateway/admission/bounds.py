"""A bound of input tokens that no provider's count passes: one for each byte, and what vendors add to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conduit_desktop.core.chat import Json
from conduit_desktop.gateway.admission.body_content import CONVERSATIONS, TOOLS, content_of, json_bytes
from conduit_desktop.gateway.admission.learned_factors import LEARNED
from conduit_desktop.gateway.admission.media_sizes import pdf_content

if TYPE_CHECKING:
    from conduit_desktop.gateway.call import Call

# A tokenizer that works on bytes makes at most one token of each.
_BOUND_PER_MESSAGE = 32
_BOUND_PER_REQUEST, _BOUND_OF_TOOLS, _BOUND_OF_CITATIONS = 256, 1000, 1000
"""A template, the vendor's own instructions (Grok: 187 tokens), those for tools (Nova: 808), and for citations (Claude: 600)."""
_IMAGE_BOUND = 50_000
"""gpt-4o-mini: 2,833 + 5,667 for each of eight tiles."""
_UNSEEN_BOUND = 200_000
"""What a vendor adds that the body does not show: a stored conversation, a file, results of its own tools."""
_AUDIO_BYTES_PER_TOKEN = 20
"""Gemini counts 32 tokens for a second, which has at least 700 bytes."""
_SEARCHED = 4 * 1024 * 1024
"""Bytes of a body that is searched for citations: searching 100 MB would hold up every other request for 0.2 s."""
_LEAST_AUDIO, _LEAST_DOCUMENT, _BOUND_PER_PAGE = 400, 5000, 2700
"""Voxtral counts 30 seconds at least, which are 375 tokens; Nova 2,500 for a page, its text included."""

_UNSEEN = (
    "previous_response_id", "conversation", "cachedContent", "cached_content", "container", "thread", "thread_id",
    "plugins", "web_search_options", "search_parameters", "mcp_servers", "data_sources", "dataSources", "connectors",
    "enable_search",
)  # fmt: skip
"""Fields by which the vendor reads more than the body."""
ONLINE = ":online"
"""How OpenRouter's names of models end that search first: https://openrouter.ai/docs/features/web-search"""
_WITH_MORE = frozenset({*TOOLS, *_UNSEEN, "prompt"})
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


def _json_of(call: Call) -> bytes | bytearray:
    """The call's body as JSON: as it was received, where it was."""
    received = call.received
    return received[0] if received is not None and received[1] is call.body else json_bytes(call.body)


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
    written = _json_of(call)
    text, unseen, has_tools = len(written) + _BOUND_PER_REQUEST, 0, False
    for name in CONVERSATIONS:
        if type(conversation := body.get(name)) is list:
            text += _BOUND_PER_MESSAGE * len(conversation)
            break
    # Most requests have none of them.
    if not _WITH_MORE.isdisjoint(body):
        has_tools = any(map(body.get, TOOLS))
        if has_tools:
            text += _BOUND_OF_TOOLS
        searches = searches or adds_unseen(body)
    survey = call.survey
    # A megabyte takes half a millisecond to be searched.
    is_searched = survey is None or survey.is_heavy
    if text > _SEARCHED or (b'"citations"' in written if is_searched else survey is not None and survey.has_citations):
        text += _BOUND_OF_CITATIONS
    text += LEARNED.hidden(call.model, has_tools)
    if searches:
        unseen += _UNSEEN_BOUND
    if call.has_media:
        for kind, data in content_of(body).media:
            text -= len(data)
            unseen += _media_bound(kind, data)
    if call.media_request is not None and call.media_request.form is not None:
        unseen += max(_IMAGE_BOUND, call.media_request.form.files_size // _AUDIO_BYTES_PER_TOKEN)
    return text, unseen


def adds_unseen(body: dict[str, Json]) -> bool:
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
    return bool(tools) and _HOSTED.search(json_bytes(tools)) is not None


def _media_bound(kind: str, data: str) -> int:
    if not data:
        return _IMAGE_BOUND if kind == "image" else _UNSEEN_BOUND
    if kind == "image":
        return _IMAGE_BOUND
    if kind == "audio":
        return len(data) // _AUDIO_BYTES_PER_TOKEN + _LEAST_AUDIO
    # A document is read as text, which may be compressed, and each of its pages as a picture, too.
    pages, characters = pdf_content(data)
    return len(data) + _LEAST_DOCUMENT + pages * _BOUND_PER_PAGE + characters
