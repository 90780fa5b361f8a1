"""The scripted vendor in Anthropic's dialect: Messages."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.script import Step, Tokens
from tests.fakes.vendor_answers import MODELS, Answer, Frames, Json, make_answer, split_in_three, split_text

FINISH = {"stop": "end_turn", "length": "max_tokens", "tools": "tool_use"}
MALFORMED = b'event: content_block_delta\ndata: {"type": "content_block_delta", oops\n\n'
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB2ZW5kb3I="
TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip


def answer_to(body: Json, step: Step) -> Answer:
    """The answer to a request."""
    text, images = "", 0
    results: list[str] = []
    for message in body.get("messages", []):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        images += sum(part["type"] == "image" for part in parts)
        results = [_text(part.get("content", "")) for part in parts if part["type"] == "tool_result"]
        if message["role"] == "user" and not results:
            text = _text(parts)
    tools = [(tool["name"], tool["input_schema"]) for tool in body.get("tools", []) if "input_schema" in tool]
    if (body.get("tool_choice") or {}).get("type") == "none":
        tools = []
    return make_answer(body, step, results, text, images, tools)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part.get("type") == "text")


def usage(tokens: Tokens | None) -> Json:
    """Anthropic counts every class separately. A message always has usage: without `tokens`, zeros."""
    tokens = tokens or Tokens(0, 0, 0, 0)
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
    }


def _blocks(answer: Answer) -> list[Json]:
    blocks: list[Json] = [{"type": "thinking", "thinking": answer.thinking, "signature": SIGNATURE}] if answer.thinking else []
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": orjson.loads(call.arguments)} for call in answer.calls
    ]


def _message(answer: Answer, step: Step) -> Json:
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": answer.model, "content": _blocks(answer),
        "stop_reason": FINISH[answer.finish], "stop_sequence": None, "usage": usage(step.tokens),
    }  # fmt: skip


def whole(body: Json, step: Step) -> Json:
    """A message."""
    return _message(answer_to(body, step), step)


def stream(body: Json, step: Step) -> Frames:
    """A streamed message, with a ping after the first block opened."""
    answer = answer_to(body, step)
    counted = usage(step.tokens)
    start = {**_message(answer, step), "content": [], "stop_reason": None, "usage": {**counted, "output_tokens": 1}}
    content: list[bytes] = []
    for index, block in enumerate(_blocks(answer)):
        opened, deltas = _pieces(block)
        content.append(_frame("content_block_start", index=index, content_block=opened))
        content += [_frame("content_block_delta", index=index, delta=delta) for delta in deltas]
        content.append(_frame("content_block_stop", index=index))
    content.insert(1, _frame("ping"))
    delta = {"stop_reason": FINISH[answer.finish], "stop_sequence": None}
    end = [_frame("message_delta", delta=delta, usage=counted), _frame("message_stop")]
    return Frames([_frame("message_start", message=start)], content, end)


def _pieces(block: Json) -> tuple[Json, list[Json]]:
    """A block as it opens, and the deltas that fill it."""
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in split_text(block["text"])]
        case "thinking":
            deltas: list[Json] = [{"type": "thinking_delta", "thinking": word} for word in split_text(block["thinking"])]
            return {"type": "thinking", "thinking": "", "signature": ""}, [
                *deltas,
                {"type": "signature_delta", "signature": SIGNATURE},
            ]
        case _:
            arguments = orjson.dumps(block["input"]).decode()
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in split_in_three(arguments)
            ]


def error(status: int, message: str, kind: str | None) -> Json:
    """The error body."""
    return {"type": "error", "error": {"type": kind or TYPES.get(status, "api_error"), "message": message}, "request_id": "req_1"}


def error_frame(step: Step) -> bytes:
    """An error in the middle of a stream."""
    return _frame("error", error={"type": step.error_type or "overloaded_error", "message": step.message})


def models() -> Json:
    """The list of models."""
    data = [{"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-09-01T00:00:00Z"} for name in MODELS]
    return {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}


def _frame(kind: str, **fields: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"
