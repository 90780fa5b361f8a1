"""The scripted vendor in OpenAI's dialect: chat completions."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.script import Step, Tokens
from tests.fakes.vendor_answers import CREATED, MODELS, Answer, Frames, Json, make_answer, split_in_three, split_text

FINISH = {"stop": "stop", "length": "length", "tools": "tool_calls"}
MALFORMED = b'data: {"choices": [{"delta": oops\n\n'
TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "rate_limit_error"}


def answer_to(body: Json, step: Step) -> Answer:
    """The answer to a request."""
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
    return make_answer(body, step, _results(body), text, images, tools)


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
    """OpenAI's prompt_tokens include cached tokens, its completion_tokens include reasoning."""
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
    answer = answer_to(body, step)
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[answer.finish]}
    completion: Json = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": answer.model, "choices": [choice],
    }  # fmt: skip
    if step.tokens:
        completion["usage"] = usage(step.tokens)
    return completion


def stream(body: Json, step: Step) -> Frames:
    """A streamed chat completion; usage only where the request includes `stream_options.include_usage`."""
    answer = answer_to(body, step)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": answer.model}

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        return _frame({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    content = [chunk({"reasoning_content": word}) for word in split_text(answer.thinking)]
    content += [chunk({"content": word}) for word in split_text(answer.text)]
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        content.append(chunk({"tool_calls": [{"index": index, "id": call.id, "type": "function", "function": function}]}))
        content += [
            chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in split_in_three(call.arguments)
        ]
    end = [chunk({}, FINISH[answer.finish])]
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
