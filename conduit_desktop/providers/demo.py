"""The provider of the house: no network, no key, no cost; answers the same question the same way, and fails on request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, KindField, LocalAnswer, ProviderKind, Secrets
from conduit_desktop.providers.demo_script import DemoReply, as_dict, as_list, call_id, prompt_tokens, reply_to, tokens
from conduit_desktop.wire.framing import sse

MODELS = (
    OfferedModel("demo-chat", "Demo: chat", 32_768, 4096, 0.0, 0.0, ("vision", "json")),
    OfferedModel("demo-tools", "Demo: calls the first tool offered", 32_768, 4096, 0.0, 0.0, ("tools",)),
    OfferedModel("demo-thinking", "Demo: thinks first", 32_768, 4096, 0.0, 0.0, ("thinking",)),
    OfferedModel("demo-slow", "Demo: takes its time", 32_768, 4096, 0.0, 0.0),
    OfferedModel("demo-error-401", "Demo: refuses the key"),
    OfferedModel("demo-error-429", "Demo: says there were too many requests"),
    OfferedModel("demo-error-500", "Demo: fails"),
    OfferedModel("demo-error-timeout", "Demo: never answers"),
    OfferedModel("demo-error-broken", "Demo: breaks off in the middle"),
    OfferedModel("demo-error-malformed", "Demo: answers what is no JSON"),
)
_REFUSALS = {
    "demo-error-401": (401, "invalid_request_error", "invalid_api_key", "The demo refuses this key, as it was asked to."),
    "demo-error-429": (429, "rate_limit_error", "rate_limit_exceeded", "The demo has had too many requests, as it was asked to."),
    "demo-error-500": (500, "server_error", "internal_error", "The demo failed, as it was asked to."),
}
_PACE_MS = 30.0
_SLOWNESS = 8
_FOREVER_S = 24 * 3600.0
_PIECES = re.compile(r"\s*\S+\s*")


class TimedFrame(NamedTuple):
    """A frame's bytes and the seconds to wait before it."""

    delay_s: float
    data: bytes


class Demo(ProviderKind):
    """Answers inside the house, in the wire format of OpenAI's chat dialect."""

    kind = "demo"
    label = "Demo (built in)"
    docs = "https://platform.openai.com/docs/api-reference/chat"
    fields = (KindField("pace_ms", "Pace", placeholder="30", help="Milliseconds between the pieces of a streamed answer."),)
    free = True
    local = True

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.pace_s = float(config.options.get("pace_ms", _PACE_MS)) / 1000

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """None: nothing is sent."""
        return {}

    def known_models(self) -> list[OfferedModel]:
        """What the demo can do, one model each."""
        return list(MODELS)

    def answer(self, endpoint: Endpoint, body: dict[str, Any], stream: bool) -> LocalAnswer:
        """The answer to a chat request. An unknown model and other endpoints get OpenAI's 404."""
        model = str(body.get("model", ""))
        if model in _REFUSALS:
            status, kind, code, text = _REFUSALS[model]
            return self._refusal(status, kind, code, text, {"retry-after": "1"} if status == 429 else {})
        if endpoint != "chat" or model not in {offered.id for offered in MODELS}:
            text = f"The demo has no model {model!r} for {endpoint}."
            return self._refusal(404, "invalid_request_error", "model_not_found", text, {})
        pieces = self._stream(model, body) if stream else self._whole(model, body)
        return LocalAnswer(200, "text/event-stream" if stream else "application/json", _paced(pieces))

    def _refusal(self, status: int, kind: str, code: str, text: str, headers: dict[str, str]) -> LocalAnswer:
        error = {"error": {"message": text, "type": kind, "param": None, "code": code}}
        return LocalAnswer(status, "application/json", _paced(iter([TimedFrame(0.0, orjson.dumps(error))])), headers)

    def _whole(self, model: str, body: dict[str, Any]) -> Iterator[TimedFrame]:
        if model == "demo-error-timeout":
            yield TimedFrame(_FOREVER_S, b"")
            return
        data = orjson.dumps(_whole_answer(model, body))
        if model == "demo-error-broken":
            data = data[: len(data) // 2]
        elif model == "demo-error-malformed":
            data = b"<html>This is not JSON.</html>"
        yield TimedFrame(self._delay(model, 0), data)

    def _stream(self, model: str, body: dict[str, Any]) -> Iterator[TimedFrame]:
        if model == "demo-error-timeout":
            yield TimedFrame(_FOREVER_S, b"")
            return
        frames = list(_stream_frames(model, body))
        if model == "demo-error-broken":
            frames = frames[: min(8, len(frames) // 2)]
        elif model == "demo-error-malformed":
            frames = [*frames[:3], b'data: {"choices": [this is not JSON\n\n']
        for index, data in enumerate(frames):
            yield TimedFrame(self._delay(model, index), data)

    def _delay(self, model: str, index: int) -> float:
        """Two thirds to four thirds of the pace, never twice the same in a row and always the same for an index."""
        pace = self.pace_s * (_SLOWNESS if model == "demo-slow" else 1)
        return pace * (2 + index * 5 % 7 / 3) / 3


async def _paced(pieces: Iterator[TimedFrame]) -> AsyncIterator[bytes]:
    for delay_s, data in pieces:
        await asyncio.sleep(delay_s)
        if data:
            yield data


def _finished(model: str, body: dict[str, Any]) -> tuple[DemoReply, str, dict[str, Json]]:
    """The answer within the request's limits, why it ended, and what it took."""
    reply = reply_to(model, body)
    finish = "tool_calls" if reply.tool else "stop"
    for stop in _stops(body.get("stop")):
        reply.text = reply.text.split(stop, 1)[0]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and limit > 0 and tokens(reply.thinking) + tokens(reply.text) > limit:
        finish = "length"
        reply.thinking = reply.thinking[: limit * 4]
        reply.text = reply.text[: max(0, limit - tokens(reply.thinking)) * 4]
    asked, thought = prompt_tokens(body), tokens(reply.thinking)
    said = thought + tokens(reply.text) + tokens(reply.tool + reply.arguments)
    usage = {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }
    return reply, finish, usage


def _stops(stop: Json) -> list[str]:
    return [text for text in ([stop] if isinstance(stop, str) else as_list(stop)) if isinstance(text, str) and text]


def _tool_call(reply: DemoReply, body: dict[str, Any]) -> dict[str, Json]:
    turn = len(as_list(body.get("messages")))
    identity = call_id(reply.tool, reply.arguments, turn)
    return {"id": identity, "type": "function", "function": {"name": reply.tool, "arguments": reply.arguments}}


def _identity(body: dict[str, Any]) -> str:
    return "chatcmpl-demo-" + call_id("", orjson.dumps(body.get("messages"), option=orjson.OPT_SORT_KEYS).decode(), 0)[5:]


def _whole_answer(model: str, body: dict[str, Any]) -> dict[str, Json]:
    reply, finish, usage = _finished(model, body)
    message: dict[str, Json] = {"role": "assistant", "content": None if reply.tool else reply.text, "refusal": None}
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.tool:
        message["tool_calls"] = [_tool_call(reply, body)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": _identity(body), "object": "chat.completion", "created": int(time.time()), "model": model}
    return {**head, "choices": [choice], "usage": usage}


def _stream_frames(model: str, body: dict[str, Any]) -> Iterator[bytes]:
    reply, finish, usage = _finished(model, body)
    head = {"id": _identity(body), "object": "chat.completion.chunk", "created": int(time.time()), "model": model}

    def chunk(delta: dict[str, Json], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse.write(orjson.dumps({**head, "choices": [choice]}))

    yield chunk({"role": "assistant", "content": None if reply.tool else ""})
    for piece in _PIECES.findall(reply.thinking):
        yield chunk({"reasoning_content": piece})
    for piece in _PIECES.findall(reply.text):
        yield chunk({"content": piece})
    if reply.tool:
        for delta in _tool_deltas(_tool_call(reply, body)):
            yield chunk({"tool_calls": [delta]})
    yield chunk({}, finish)
    if as_dict(body.get("stream_options")).get("include_usage"):
        yield sse.write(orjson.dumps({**head, "choices": [], "usage": usage}))
    yield sse.write(b"[DONE]")


def _tool_deltas(call: dict[str, Any]) -> Iterator[dict[str, Json]]:
    arguments = call["function"]["arguments"]
    yield {"index": 0, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
    for start in range(0, len(arguments), 12):
        yield {"index": 0, "function": {"arguments": arguments[start : start + 12]}}
