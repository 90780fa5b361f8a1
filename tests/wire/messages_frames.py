"""Builds streams of Anthropic's Messages API, and reads them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import orjson

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.events import Event
from conduit_desktop.providers.claude import MESSAGES_RULES
from conduit_desktop.providers.request_rules import mend
from conduit_desktop.wire.anthropic.dialect import AnthropicMessages
from conduit_desktop.wire.framing import sse
from tests.wire import dialect_io

MESSAGES = AnthropicMessages()
REQUEST = ChatRequest("anthropic_messages", "claude-x")


def frame(payload: dict[str, Any]) -> bytes:
    """One event as Anthropic frames it."""
    return sse.write(orjson.dumps(payload), payload["type"])


def start(**usage: Any) -> bytes:
    """`message_start` with these counts."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    return frame({"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}})


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """A whole block: its start, its deltas, its stop."""
    frames = [frame({"type": "content_block_start", "index": index, "content_block": content_block})]
    frames += [frame({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas]
    return b"".join([*frames, frame({"type": "content_block_stop", "index": index})])


def text(index: int, *pieces: str) -> bytes:
    """A text block that comes in pieces."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": word} for word in pieces))


def stop(reason: str = "end_turn", usage: dict[str, Any] | None = None, **delta: Any) -> bytes:
    """`message_delta` and `message_stop`."""
    ending = {"stop_reason": reason, "stop_sequence": None, **delta}
    return frame({"type": "message_delta", "delta": ending, "usage": usage or {"output_tokens": 1}}) + frame(
        {"type": "message_stop"}
    )


def read(data: bytes, split: int = 0) -> list[Event]:
    """The events of a whole stream, fed in pieces of `split` bytes (0: at once)."""
    return dialect_io.read(MESSAGES, data, split)


def write(events: list[Event], request: ChatRequest = REQUEST) -> bytes:
    """The whole stream that is written for `events`."""
    writer = MESSAGES.writer(request)
    return b"".join([writer.write(event) for event in events]) + writer.end()


def payloads(data: bytes) -> list[dict[str, Any]]:
    """What a stream's frames hold; fails where the event's name is not its payload's type."""
    found = []
    for each in sse.SseSplitter().feed(data):
        payload = orjson.loads(each.data)
        assert each.event == payload["type"]
        found.append(payload)
    return found


def normalised(answer: Answer) -> Answer:
    """The answer with its arguments' JSON unspaced, and without the fields that only a stream or only a whole body has."""
    for choice in answer.choices:
        for call in choice.tool_calls:
            call.arguments = orjson.dumps(orjson.loads(call.arguments or "{}")).decode()
    answer.started.extra = {}
    return answer


def answer_of(data: bytes) -> Answer:
    """The answer a stream makes."""
    return normalised(collect(read(data)))


def as_sent(body: dict[str, Any], model: str = "claude-x") -> dict[str, Any]:
    """A written body as the provider kind sends it: with an output limit, and with what the model takes of the rest."""
    mend(MESSAGES_RULES, model, "anthropic", MESSAGES.name, body)
    return body


def check_rules(body: dict[str, Any]) -> None:
    """The body, as it is sent, holds nothing that Anthropic refuses with a 400."""
    assert body["max_tokens"] >= 1
    roles = [turn["role"] for turn in body["messages"]]
    assert roles
    assert all(a != b for a, b in pairwise(roles))
    open_calls: set[str] = set()
    for turn in body["messages"]:
        content = turn["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        assert blocks
        assert all(block["text"].strip() for block in blocks if block["type"] == "text")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert set(results) == open_calls
        assert [block["type"] for block in blocks[: len(results)]] == ["tool_result"] * len(results)
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", call) for call in open_calls)
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        assert 1024 <= thinking["budget_tokens"] < body["max_tokens"]
    assert 0 <= body.get("temperature", 1) <= 1
    assert all(stop.strip() for stop in body.get("stop_sequences", ["x"]))
    assert "tool_choice" not in body or body["tools"]
