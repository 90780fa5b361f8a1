"""The built-in demo provider: no network, no key, no cost; deterministic answers, and models that fail on purpose."""

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
    OfferedModel("demo-error-429", "Demo: answers 429, too many requests"),
    OfferedModel("demo-error-500", "Demo: fails"),
    OfferedModel("demo-error-timeout", "Demo: never answers"),
    OfferedModel("demo-error-broken", "Demo: breaks off in the middle"),
    OfferedModel("demo-error-malformed", "Demo: answers what is no JSON"),
)
_REFUSALS = {
    "demo-error-401": (401, "invalid_request_error", "invalid_api_key", "The demo refuses this key on purpose."),
    "demo-error-429": (429, "rate_limit_error", "rate_limit_exceeded", "The demo answers 429 on purpose."),
    "demo-error-500": (500, "server_error", "internal_error", "The demo failed on purpose."),
}
_PACE_MS = 30.0
_SLOWNESS = 8
# Far longer than the gateway's default timeouts, so that they end the call, as they do where a vendor hangs.
_FOREVER_S = 24 * 3600.0
_PIECES = re.compile(r"\s*\S+\s*")


class TimedFrame(NamedTuple):
    """The bytes of a frame, and the seconds to wait before it is sent."""

    delay_s: float
    data: bytes


class Demo(ProviderKind):
    """Answers in this process, in the wire format of OpenAI's chat dialect."""

    kind = "demo"
    label = "Demo (built in)"
    docs = "https://platform.openai.com/docs/api-reference/chat"
    fields = (KindField("pace_ms", "Pace", placeholder="30", help="Milliseconds between the pieces of a streamed answer."),)
    own_server = True
    local = True

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.pace_s = float(config.options.get("pace_ms", _PACE_MS)) / 1000

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """Empty: nothing is sent."""
        return {}

    def known_models(self) -> list[OfferedModel]:
        """One model for each thing that the demo can show."""
        return list(MODELS)

    def answer(self, endpoint: Endpoint, body: dict[str, Any], stream: bool) -> LocalAnswer:
        """The answer to a chat request; an unknown model or another endpoint gets OpenAI's 404."""
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
        """Seconds before frame `index`: varied between 2/3 and 4/3 of the pace, and the same in every answer."""
        pace = self.pace_s * (_SLOWNESS if model == "demo-slow" else 1)
        return pace * (2 + index * 5 % 7 / 3) / 3


async def _paced(pieces: Iterator[TimedFrame]) -> AsyncIterator[bytes]:
    for delay_s, data in pieces:
        await asyncio.sleep(delay_s)
        if data:
            yield data


def _finished(model: str, body: dict[str, Any]) -> tuple[DemoReply, str, dict[str, Json]]:
    """The answer cut to the request's stop texts and token limit, its finish reason and its usage."""
    reply = reply_to(model, body)
    finish = "tool_calls" if reply.tool else "stop"
    # Stop texts before the limit: an answer that one of them cuts short may no longer be over the limit.
    for stop in _stops(body.get("stop")):
        reply.text = reply.text.split(stop, 1)[0]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and limit > 0 and tokens(reply.thinking) + tokens(reply.text) > limit:
        finish = "length"
        # `tokens` counts four characters as one token.
        reply.thinking = reply.thinking[: limit * 4]
        reply.text = reply.text[: max(0, limit - tokens(reply.thinking)) * 4]
    prompt, thinking = prompt_tokens(body), tokens(reply.thinking)
    completion = thinking + tokens(reply.text) + tokens(reply.tool + reply.arguments)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thinking},
    }
    return reply, finish, usage


def _stops(stop: Json) -> list[str]:
    return [text for text in ([stop] if isinstance(stop, str) else as_list(stop)) if isinstance(text, str) and text]


def _tool_call(reply: DemoReply, body: dict[str, Any]) -> dict[str, Json]:
    identity = call_id(reply.tool, reply.arguments, len(as_list(body.get("messages"))))
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
        # As OpenAI does: usage comes in a chunk of its own, whose list of choices is empty.
        yield sse.write(orjson.dumps({**head, "choices": [], "usage": usage}))
    yield sse.write(b"[DONE]")


def _tool_deltas(call: dict[str, Any]) -> Iterator[dict[str, Json]]:
    arguments = call["function"]["arguments"]
    yield {"index": 0, **call, "function": {"name": call["function"]["name"], "arguments": ""}}
    # In pieces, as real vendors stream them: a client has to join them before it parses the JSON.
    for start in range(0, len(arguments), 12):
        yield {"index": 0, "function": {"arguments": arguments[start : start + 12]}}
