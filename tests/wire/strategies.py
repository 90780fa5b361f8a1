"""Hypothesis strategies for neutral requests and answers, restricted to what a dialect can carry.

`Features` says what may occur. A dialect's tests take the features that it can say without loss, so that a round trip
through its writer and reader must give back an equal value.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, AnswerPart, Choice
from conduit_desktop.core.chat import (
    ChatRequest,
    Citation,
    Media,
    Message,
    OutputFormat,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.core.events import Finished, FinishReason, Started, Usage


@dataclass(frozen=True, slots=True)
class Features:
    """What a request or an answer may hold. `results_in`: the role of the message that carries tool results."""

    dialect: str = "openai_chat"
    system: bool = True
    images: bool = True
    documents: bool = True
    thinking: bool = False
    signatures: bool = False
    redacted: bool = False
    refusals: bool = False
    citations: bool = False
    custom_tools: bool = False
    cache: bool = False
    results_in: Literal["tool", "user"] = "tool"
    tool_errors: bool = False
    """Tool results may say `is_error`."""
    result_media: bool = False
    """Tool results may hold images."""
    text_after_tools: bool = False
    """Answers may hold text and thinking in any order; otherwise thinking, then text, then tool calls."""
    split_text: bool = False
    """Answers may hold text right after text."""
    choices: int = 1
    output_formats: bool = True
    top_k: bool = False
    penalties: bool = True
    audio_usage: bool = False
    cache_write: bool = False
    finish: tuple[FinishReason, ...] = ("stop", "length", "tool_calls")


EVERYWHERE = Features(documents=False, penalties=False, output_formats=False)
"""What every dialect can say."""

short_texts = st.text(min_size=1, max_size=30)
names = st.from_regex(r"[a-z][a-z0-9_]{0,15}", fullmatch=True)
ids = st.from_regex(r"call_[A-Za-z0-9]{6,12}", fullmatch=True)
json_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10)
json_objects = st.dictionaries(
    st.text(max_size=8), st.recursive(json_scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4), max_size=3
)
arguments = json_objects.map(lambda value: orjson.dumps(value).decode())
schemas = st.dictionaries(names, st.sampled_from(["string", "number", "boolean"]), max_size=3).map(
    lambda fields: {"type": "object", "properties": {name: {"type": kind} for name, kind in fields.items()}}
)
_base64 = st.binary(min_size=1, max_size=24).map(lambda raw: base64.b64encode(raw).decode())


def _cache(features: Features) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, "5m", "1h"]) if features.cache else st.none()


def texts(features: Features) -> st.SearchStrategy[Text]:
    """A text part of a request."""
    return st.builds(Text, text=short_texts, cache=_cache(features))


def media(features: Features) -> st.SearchStrategy[Media]:
    """An image by URL or data, and a PDF where documents are allowed."""
    kinds = [
        st.builds(Media, kind=st.just("image"), url=names.map(lambda name: f"https://example.com/{name}.png")),
        st.builds(
            Media, kind=st.just("image"), data=_base64, media_type=st.sampled_from(["image/png", "image/jpeg", "image/webp"])
        ),
    ]
    if features.documents:
        kinds.append(
            st.builds(
                Media,
                kind=st.just("document"),
                data=_base64,
                media_type=st.just("application/pdf"),
                name=names.map(lambda name: f"{name}.pdf"),
            )
        )
    return st.one_of(kinds)


def tool_calls(features: Features) -> st.SearchStrategy[ToolCall]:
    """A call of a function, or of a custom tool where those are allowed; ids may repeat (see `_unique`)."""
    functions = st.builds(ToolCall, id=ids, name=names, arguments=arguments)
    if not features.custom_tools:
        return functions
    return functions | st.builds(ToolCall, id=ids, name=names, arguments=short_texts, kind=st.just("custom"))


def _unique(calls: list[ToolCall]) -> list[ToolCall]:
    for number, call in enumerate(calls):
        call.id = f"{call.id}{number}"
    return calls


@st.composite
def _thoughts(draw: st.DrawFn, features: Features) -> list[Thinking | RedactedThinking]:
    found: list[Thinking | RedactedThinking] = []
    if features.thinking and draw(st.booleans()):
        signature = draw(_base64) if features.signatures else None
        found.append(Thinking(draw(short_texts), signature))
    if features.redacted and draw(st.booleans()):
        found.append(RedactedThinking(draw(_base64)))
    return found


@st.composite
def results(draw: st.DrawFn, features: Features, call: ToolCall) -> ToolResult:
    """The result of `call`."""
    plain = draw(st.booleans())
    count = 1 if plain else draw(st.integers(1, 3))
    parts: list[Part] = [draw(st.builds(Text, text=short_texts)) for _ in range(count)]
    if features.result_media and not plain and draw(st.booleans()):
        parts.append(draw(media(Features(documents=False))))
    is_error = draw(st.sampled_from([None, True])) if features.tool_errors else None
    return ToolResult(call.id, parts, is_error=is_error, plain=plain)


@st.composite
def _turn(draw: st.DrawFn, features: Features) -> list[Message]:
    plain = draw(st.booleans())
    user_parts: list[Part] = (
        [Text(draw(short_texts))] if plain else draw(st.lists(texts(features) | media(features), min_size=1, max_size=3))
    )
    turn = [Message("user", user_parts, plain=plain)]
    assistant_parts: list[Part] = list(draw(_thoughts(features)))
    calls = _unique(draw(st.lists(tool_calls(features), max_size=2)))
    if not calls or draw(st.booleans()):
        assistant_parts.append(Text(draw(short_texts)))
    turn.append(Message("assistant", [*assistant_parts, *calls], plain=True))
    found: list[Part] = [draw(results(features, call)) for call in calls]
    if found and features.results_in == "user":
        turn.append(Message("user", found))
    else:
        turn += [Message("tool", [result]) for result in found]
    return turn


@st.composite
def _tools(draw: st.DrawFn, features: Features) -> list[Tool]:
    offered = draw(st.lists(names, max_size=3, unique=True))
    tools = [
        Tool(
            name,
            draw(st.none() | short_texts),
            draw(schemas),
            type="function" if features.dialect == "openai_chat" else None,
            cache=draw(_cache(features)),
        )
        for name in offered
    ]
    if features.custom_tools and draw(st.booleans()):
        tools.append(Tool(f"custom_{draw(names)}", draw(st.none() | short_texts), kind="custom", type="custom"))
    return tools


@st.composite
def requests(draw: st.DrawFn, features: Features = EVERYWHERE) -> ChatRequest:
    """A whole conversation with its tools and settings."""
    request = ChatRequest(features.dialect, draw(names), max_tokens=draw(st.integers(1, 100_000)))
    if features.system and draw(st.booleans()):
        request.messages.append(Message("system", [Text(draw(short_texts))], plain=True))
    for _ in range(draw(st.integers(1, 3))):
        request.messages += draw(_turn(features))
    request.tools = draw(_tools(features))
    if request.tools and draw(st.booleans()):
        mode = draw(st.sampled_from(["auto", "none", "required", "tool"]))
        request.tool_choice = ToolChoice(mode, request.tools[0].name if mode == "tool" else None)
    request.temperature = draw(st.none() | st.sampled_from([0.0, 0.5, 1.0]))
    request.top_p = draw(st.none() | st.sampled_from([0.1, 1.0]))
    request.stop = draw(st.none() | st.lists(short_texts, min_size=1, max_size=3))
    request.stream = draw(st.booleans())
    if features.top_k:
        request.top_k = draw(st.none() | st.integers(1, 100))
    if features.penalties:
        request.frequency_penalty = draw(st.none() | st.sampled_from([-1.0, 0.5]))
        request.seed = draw(st.none() | st.integers(0, 1000))
    if features.output_formats and draw(st.booleans()):
        request.output = draw(st.sampled_from([OutputFormat("json"), OutputFormat("schema", {"type": "object"}, "answer")]))
    return request


def _citations(features: Features) -> st.SearchStrategy[list[Citation]]:
    one = st.builds(Citation, url=names.map(lambda name: f"https://example.com/{name}"), title=short_texts)
    return st.lists(one, max_size=2) if features.citations else st.just([])


@st.composite
def _answer_parts(draw: st.DrawFn, features: Features) -> list[AnswerPart]:
    text = st.builds(Text, text=short_texts, citations=_citations(features))
    parts: list[AnswerPart] = list(draw(_thoughts(features)))
    if features.refusals and draw(st.integers(0, 4)) == 0:
        return [*parts, Refusal(draw(short_texts))]
    calls = _unique(draw(st.lists(tool_calls(features), max_size=3)))
    parts += draw(st.lists(text, min_size=0 if calls else 1, max_size=2 if features.split_text else 1))
    parts += calls
    if features.text_after_tools and calls and draw(st.booleans()):
        parts.append(draw(text))
    return parts


@st.composite
def usages(draw: st.DrawFn, features: Features = EVERYWHERE) -> Usage:
    """Token counts; the thought part never exceeds the output."""
    count = st.integers(0, 100_000)
    usage = Usage(input=draw(count), cache_read=draw(count), output=draw(count))
    usage.reasoning = draw(st.integers(0, usage.output)) if features.thinking else 0
    if features.cache_write:
        usage.cache_write_5m = draw(count)
    if features.audio_usage:
        usage.audio_in, usage.audio_out = draw(count), draw(count)
    return usage


@st.composite
def answers(draw: st.DrawFn, features: Features = EVERYWHERE) -> Answer:
    """A whole answer of one choice or, where `features.choices` allows, more."""
    answer = Answer(Started(draw(ids), draw(names), draw(st.integers(1, 2**31))))
    for index in range(draw(st.integers(1, features.choices))):
        parts = draw(_answer_parts(features))
        called = any(isinstance(part, ToolCall) for part in parts)
        reason = "tool_calls" if called else draw(st.sampled_from([r for r in features.finish if r != "tool_calls"]))
        answer.choices.append(Choice(parts, Finished(reason, choice=index)))
    answer.usage = draw(usages(features))
    return answer
