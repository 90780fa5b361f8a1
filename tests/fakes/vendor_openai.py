"""The scripted vendor in OpenAI's words: chat completions."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.script import Step, Tokens
from tests.fakes.vendor_texts import CREATED, MODELS, Frames, Json, Speech, speech, thirds, words

FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls"}
MALFORMED = b'data: {"choices": [{"delta": oops\n\n'
TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}


def said(body: Json, step: Step) -> Speech:
    """Read the request and decide what to say."""
    text, images = "", 0
    for message in body.get("messages", []):
        content = message.get("content") or ""
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        images += sum(part.get("type") == "image_url" for part in parts)
        if message["role"] == "user":
            text = " ".join(part["text"] for part in parts if part.get("type") == "text")
    tools = [
        (tool["function"]["name"], tool["function"].get("parameters") or {}) for tool in body.get("tools", []) if "function" in tool
    ]
    if body.get("tool_choice") == "none":
        tools = []
    return speech(body, step, _results(body), text, images, tools)


def _results(body: Json) -> list[str]:
    """The tool results that end the conversation."""
    found: list[str] = []
    for message in reversed(body.get("messages", [])):
        if message["role"] != "tool":
            break
        content = message["content"]
        found.insert(0, content if isinstance(content, str) else "".join(part.get("text", "") for part in content))
    return found


def usage(tokens: Tokens) -> Json:
    """OpenAI counts cached tokens in the prompt's and reasoning in the completion's."""
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def whole(body: Json, step: Step) -> Json:
    """A chat completion."""
    what = said(body, step)
    message: Json = {"role": "assistant", "content": what.text or None, "refusal": None}
    if what.thinking:
        message["reasoning_content"] = what.thinking
    if what.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in what.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[what.finish]}
    answer: Json = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": what.model, "choices": [choice]}
    if step.tokens:
        answer["usage"] = usage(step.tokens)
    return answer


def stream(body: Json, step: Step) -> Frames:
    """A streamed chat completion; usage only where it was asked for."""
    what = said(body, step)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": what.model}

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        return _frame({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    content = [chunk({"reasoning_content": word}) for word in words(what.thinking)]
    content += [chunk({"content": word}) for word in words(what.text)]
    for index, call in enumerate(what.calls):
        function = {"name": call.name, "arguments": ""}
        content.append(chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}))
        content += [chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in thirds(call.arguments)]
    end = [chunk({}, FINISH[what.finish])]
    if step.tokens and (body.get("stream_options") or {}).get("include_usage"):
        end.append(_frame({**head, "choices": [], "usage": usage(step.tokens)}))
    return Frames([chunk({"role": "assistant", "content": ""})], content, [*end, b"data: [DONE]\n\n"])


def error(status: int, message: str, kind: str | None) -> Json:
    """The error body."""
    return {"error": {"message": message, "type": TYPES.get(status, "server_error"), "param": None, "code": kind}}


def error_frame(step: Step) -> bytes:
    """An error in the middle of a stream."""
    return _frame({"error": {"message": step.message, "type": step.error_type or "server_error", "code": 500}})


def models() -> Json:
    """The list of models."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": CREATED, "owned_by": "vendor"} for name in MODELS],
    }


def _frame(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
