"""Whatever a caller or a vendor sends where something else belongs: the dialect answers with its own errors only."""

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
from conduit_desktop.wire.framing import sse
from tests.wire.chat_frames import CHAT, DONE, REQUEST, read, stream_of

CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {}}}
VARIANTS = {
    "role": "assistant",
    "content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}],
    "refusal": "no",
    "reasoning": "c",
    "reasoning_details": [{"type": "reasoning.text", "text": "d", "signature": "s", "format": "anthropic-claude-v1", "index": 0}],
    "annotations": [
        {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "t", "start_index": 0, "end_index": 1}}
    ],
    "tool_calls": [CALL],
    "function_call": {"name": "g", "arguments": "{}"},
    "audio": {"id": "x", "data": "QQ=="},
}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0.1, "is_byok": True,
    "cost_details": {"upstream_inference_cost": 0.2}, "prompt_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}  # fmt: skip
HEAD = {"id": "x", "object": "o", "created": 1, "model": "m", "x_groq": {"usage": USAGE}, "usage": USAGE}
CHUNK = {**HEAD, "choices": [{"index": 0, "delta": VARIANTS, "logprobs": {"content": []}, "finish_reason": "stop"}]}
BODY = {**HEAD, "choices": [{"index": 0, "message": VARIANTS, "logprobs": {"content": []}, "finish_reason": "stop"}]}
ERROR = {
    "error": {
        "message": "m",
        "type": "t",
        "code": "c",
        "param": "p",
        "metadata": {"raw": "r"},
        "detail": [{"loc": ["a"], "msg": "m"}],
    }
}
PICTURE = {"type": "image_url", "image_url": {"url": "u"}}
VENDOR_REQUEST = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [PICTURE, {"type": "file", "file": {"file_id": "f"}}], "name": "n"},
        {**VARIANTS, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "ok"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}}, "cache_control": {"type": "ephemeral", "ttl": "5m"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "stream": True,
    "stream_options": {"include_usage": True},
    "reasoning": {"effort": "low"},
    "metadata": {"a": "b"},
    "stop": ["x"],
}
ODD: list[Any] = [None, 1, -1, 1.5, True, "", "x", [], {}, [1], ["x"], [None], {"a": 1}, [[]], [{}], 10**15]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, but for the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def damaged(value: Any) -> st.SearchStrategy[Any]:
    """The value with something odd, or nothing, in one of its places."""

    def spoil(path: tuple[Any, ...], odd: Any) -> Any:
        changed = copy.deepcopy(value)
        owner = changed
        for step in path[:-1]:
            owner = owner[step]
        if odd is places:
            del owner[path[-1]]
        else:
            owner[path[-1]] = copy.deepcopy(odd)
        return changed

    return st.builds(spoil, st.sampled_from(list(places(value))), st.sampled_from([*ODD, places]))


def _parsed(body: dict[str, Any]) -> tuple[ChatRequest | None, str | None]:
    """The request, or the field for which it was refused."""
    try:
        return CHAT.read_request(body, {}), None
    except BadRequest as refused:
        return None, refused.param


@settings(max_examples=200)
@given(damaged(VENDOR_REQUEST), st.sampled_from(["openai_chat", "anthropic_messages"]))
def test_odd_requests(body: dict[str, Any], dialect: str) -> None:
    request, refused = _parsed(body)
    if request is None:
        assert refused
        return
    request.dialect = dialect
    out = CHAT.write_request(request, "m")
    assert out.body["messages"]
    if dialect == "openai_chat" and "model" in body:
        assert {**out.body, "model": body["model"]} == body


@settings(max_examples=200)
@given(damaged(CHUNK))
def test_odd_chunks(chunk: dict[str, Any]) -> None:
    try:
        answer = collect(read(sse.write(orjson.dumps(chunk)) + DONE))
    except (MalformedStream, UpstreamError, StreamBroken):
        return
    assert collect(read(stream_of(answer))).first.text == answer.first.text


@settings(max_examples=200)
@given(damaged(BODY))
def test_odd_bodies(body: dict[str, Any]) -> None:
    try:
        answer = collect(CHAT.read_response(body))
    except (MalformedStream, UpstreamError):
        return
    assert orjson.loads(orjson.dumps(CHAT.write_response(answer, ChatRequest("openai_chat", "m"))))["choices"]
    assert CHAT.writer(REQUEST).end().endswith(DONE)


@settings(max_examples=100)
@given(damaged(ERROR), st.sampled_from([400, 429, 500]))
def test_odd_errors(body: Any, status: int) -> None:
    found = CHAT.read_error(status, {}, orjson.dumps(body))
    assert found.message
    assert found.status == status
