"""Names of tools and ids of their calls as a target takes them: which it accepts, and how the others are shortened and put back.

A name that does not fit becomes a short one, the same in every request, in the tools, the tool choice and the calls of the
history; the answer's calls get their own names back. An id needs no way back: the target only compares a result's with its call's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from conduit_desktop.core.chat import ChatRequest, Message, Part, Tool, ToolCall, ToolResult
from conduit_desktop.core.events import Event, ToolCallStarted

WORD = r"[a-zA-Z0-9_-]"

_Named = TypeVar("_Named", Tool, ToolCall, ToolResult)


@dataclass(frozen=True, slots=True)
class Fitting:
    """The texts that a target accepts: `first` and `other` match one character (the first, any other); `exact`: only that length.

    `default` stands for a text of which nothing can be kept. `reserved`: texts that the target keeps for itself.
    """

    max_length: int
    other: str = WORD
    first: str = ""
    exact: bool = False
    default: str = "tool"
    reserved: tuple[str, ...] = ()

    def fits(self, text: str) -> bool:
        """Whether the target accepts `text`."""
        return _pattern(self).fullmatch(text) is not None and text not in self.reserved

    def fit_all(self, texts: Iterable[str]) -> bool:
        """Whether the target accepts each of `texts`."""
        match, reserved = _pattern(self).fullmatch, self.reserved
        return all(match(text) is not None and text not in reserved for text in texts)

    def fit(self, text: str) -> str:
        """`text` where it fits, else the same short text for it in every request."""
        return text if self.fits(text) else _shortened(self, text)


@lru_cache(maxsize=64)
def _pattern(fitting: Fitting) -> re.Pattern[str]:
    first = fitting.first or fitting.other
    rest = f"{{{fitting.max_length - 1}}}" if fitting.exact else f"{{0,{fitting.max_length - 1}}}"
    return re.compile(f"{first}{fitting.other}{rest}", re.ASCII)


def _shortened(fitting: Fitting, text: str) -> str:
    # Cutting and replacing characters can make two texts equal; the digest keeps them apart.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if fitting.exact:
        return digest[: fitting.max_length]
    allowed = re.compile(fitting.other, re.ASCII)
    clean = "".join(letter if allowed.match(letter) else "_" for letter in text)
    if fitting.first and clean and not re.match(fitting.first, clean, re.ASCII):
        clean = f"_{clean}" if re.match(fitting.first, "_") else f"{fitting.default}_{clean}"
    return f"{clean[: fitting.max_length - 13] or fitting.default}_{digest[:12]}"


OPENAI_NAME = Fitting(64)
"""Also the default for vendors that state no limit: every known limit is at least as wide."""
LONG_NAME = Fitting(128)
"""Anthropic and the Responses API."""
GEMINI_NAME = Fitting(64, r"[a-zA-Z0-9_.-]", r"[a-zA-Z_]")
"""AI Studio takes colons and newer models 128 characters, Vertex AI neither. https://ai.google.dev/api/caching#FunctionDeclaration"""

CHAT_ID = Fitting(40, r"[\x21-\x7e]", default="call")
"""OpenAI: "string too long. Expected a string with maximum length 40"."""
RESPONSES_ID = Fitting(64, r"[\x21-\x7e]", default="call")
ANTHROPIC_ID = Fitting(256, default="toolu")
"""No length is documented. https://platform.claude.com/docs/en/build-with-claude/tool-use"""
BEDROCK_ID = Fitting(64, r"[a-zA-Z0-9_.:-]", default="tooluse")
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolUseBlock.html"""
MISTRAL_ID = Fitting(9, "[a-zA-Z0-9]", exact=True)
"""mistral-common: "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9"."""
ANY_ID = Fitting(1024, r"[\s\S]")

Names = Mapping[str, str]
"""The name that the target was sent to the client's own; empty where all fit."""


def with_fitting_names(request: ChatRequest, fitting: Fitting) -> tuple[ChatRequest, Names]:
    """`request` with names that fit, and the way back; the same object where all fit."""
    sent = {name: fitting.fit(name) for name in _names_of(request) if not fitting.fits(name)}
    if not sent:
        return request, {}

    def renamed(one: _Named) -> _Named:
        return replace(one, name=sent[one.name]) if one.name in sent and getattr(one, "kind", "") != "hosted" else one

    def part(one: Part) -> Part:
        if isinstance(one, ToolCall):
            return renamed(one)
        return renamed(one) if isinstance(one, ToolResult) else one

    def message(one: Message) -> Message:
        return replace(one, parts=[part(each) for each in one.parts])

    choice = request.tool_choice
    if choice is not None and choice.name in sent:
        choice = replace(choice, name=sent[choice.name])
    made = replace(
        request,
        messages=[message(one) for one in request.messages],
        tools=[renamed(tool) for tool in request.tools],
        tool_choice=choice,
    )
    return made, {short: name for name, short in sent.items()}


def _names_of(request: ChatRequest) -> set[str]:
    """The names of the tools and calls that the client runs; a hosted tool's belongs to its vendor."""
    names = {tool.name for tool in request.tools if tool.kind != "hosted"}
    for message in request.messages:
        for part in message.parts:
            if (isinstance(part, ToolCall) and part.kind != "hosted") or (isinstance(part, ToolResult) and part.name is not None):
                names.add(part.name or "")
    return names


def with_own_names(events: Iterable[Event], names: Names) -> list[Event]:
    """`events` of an answer with the client's own names of the tools."""
    return [
        replace(event, name=names[event.name]) if isinstance(event, ToolCallStarted) and event.name in names else event
        for event in events
    ]


def without_repeated_tools(tools: list[Tool]) -> tuple[list[Tool], list[str]]:
    """`tools` with one tool for each name, the first; and the names of those lost, but for equal ones. The same list where none is.

    Anthropic ("Tool names must be unique") and Gemini refuse a name that stands twice.
    """
    first: dict[str, Tool] = {}
    lost: list[str] = []
    kept: list[Tool] = []
    for tool in tools:
        before = first.setdefault(tool.name, tool) if tool.kind != "hosted" else tool
        if before is tool:
            kept.append(tool)
        elif before != tool:
            lost.append(f"tools[{tool.name}]")
    return (tools if len(kept) == len(tools) else kept), lost
