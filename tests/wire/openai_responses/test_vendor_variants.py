"""Odd values where the Responses API knows better ones: refused by name or carried along, never a crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import BadRequest, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import sse
from tests.wire.openai_responses.test_request import ITEMS, SETTINGS
from tests.wire.responses_frames import RESPONSES, response

OTHERS = [dialect("openai_chat"), dialect("anthropic_messages")]
ODD: list[Any] = [
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x",
    [],
    {},
    [1],
    ["x"],
    {"a": 1},
    {"type": "x"},
    [{}],
    [None],
    {"type": "input_text"},
]
BODIES = [{"model": "m", "input": ITEMS, **settings} for settings in SETTINGS]
OUTPUT = [
    {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "gAAA"},
    {"type": "message", "id": "m", "role": "assistant", "content": [
        {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "url": "https://a.example"}]},
        {"type": "refusal", "refusal": "no"},
    ]},
    {"type": "function_call", "id": "f", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "custom_tool_call", "id": "g", "call_id": "d", "name": "g", "input": "x"},
    {"type": "web_search_call", "id": "w", "status": "completed"},
]  # fmt: skip
ANSWER = response(
    "completed", output=OUTPUT, usage={"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}}
)
FRAMES = [
    {"type": "response.created", "response": response()},
    *({"type": "response.output_item.added", "output_index": index, "item": item} for index, item in enumerate(OUTPUT)),
    {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "a"},
    {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "a"},
    {"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0, "annotation": {"type": "file_path"}},
    {"type": "response.content_part.done", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": "a"}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": "{}"},
    *({"type": "response.output_item.done", "output_index": index, "item": item} for index, item in enumerate(OUTPUT)),
    {"type": "response.completed", "response": ANSWER},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))


@st.composite
def bent(draw: st.DrawFn, values: list[Any]) -> Any:
    """One of the values, with something in it replaced or left out."""
    value = copy.deepcopy(draw(st.sampled_from(values)))
    *way, last = draw(st.sampled_from(list(places(value))))
    owner = value
    for step in way:
        owner = owner[step]
    if draw(st.booleans()) and draw(st.booleans()):
        del owner[last]
    else:
        owner[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return value


def read_or_refusal(body: Any) -> ChatRequest | BadRequest:
    try:
        return RESPONSES.read_request(copy.deepcopy(body), {})
    except BadRequest as refusal:
        return refusal


@settings(max_examples=300)
@given(body=bent(BODIES))
def test_a_bent_request_is_refused_by_name_or_comes_out_as_it_went_in(body: Any) -> None:
    request = read_or_refusal(body)
    if isinstance(request, BadRequest):
        assert request.param, request.message
        return
    assert RESPONSES.write_request(request, body["model"]).body == body
    for to in OTHERS:
        orjson.dumps(to.write_request(request, "m").body)


@settings(max_examples=200)
@given(body=bent([ANSWER]))
def test_a_damaged_answer_is_malformed_or_can_be_written(body: Any) -> None:
    try:
        answer = collect(RESPONSES.read_response(body))
    except (MalformedStream, UpstreamError):
        return
    for to in (RESPONSES, *OTHERS):
        orjson.dumps(to.write_response(answer, ChatRequest(to.name, "m")))


@settings(max_examples=300)
@given(frames=bent([FRAMES]))
def test_a_bent_stream_is_malformed_or_can_be_read(frames: Any) -> None:
    reader = RESPONSES.reader()
    try:
        collect(reader.feed(b"".join(sse.write(orjson.dumps(frame)) for frame in frames)) + reader.close())
    except (MalformedStream, UpstreamError, StreamBroken):
        return
    assert reader.done
