"""The scripted vendor in Gemini's dialect: generateContent. It refuses its own tool calls without their thought signature."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.script import Step, Tokens
from tests.fakes.vendor_answers import MODELS, Answer, Frames, Json, make_answer, split_text

FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP"}
MALFORMED = b'data: {"candidates": [oops\r\n\r\n'
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB2ZW5kb3I="
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


def path_fields(path: str) -> Json:
    """The fields that are in Gemini's path, in other vendors in the body: model and stream. Empty for other vendors' paths."""
    target, colon, method = path.rpartition(":")
    if not colon or "/models/" not in target:
        return {}
    return {"model": target.rpartition("/models/")[2], "stream": method.startswith("stream"), "method": method}


def answer_to(body: Json, step: Step) -> Answer:
    """The answer to a request."""
    text, images = "", 0
    results: list[str] = []
    for content in body.get("contents", []):
        parts = content["parts"]
        images += sum("inlineData" in part or "fileData" in part for part in parts)
        results = [_result(part["functionResponse"]["response"]) for part in parts if "functionResponse" in part]
        if content.get("role") != "model" and not results:
            text = " ".join(part["text"] for part in parts if part.get("text"))
    declared = [each for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]
    tools = [(each["name"], _schema(each)) for each in declared]
    if (body.get("toolConfig") or {}).get("functionCallingConfig", {}).get("mode") == "NONE":
        tools = []
    limit = (body.get("generationConfig") or {}).get("maxOutputTokens")
    return make_answer({**body, "max_tokens": limit}, step, results, text, images, tools)


def _schema(declared: Json) -> Json:
    """Google accepts camelCase and snake_case; its SDK for Python sends the second."""
    plain = declared.get("parametersJsonSchema") or declared.get("parameters_json_schema")
    return plain or _lower(declared.get("parameters") or {})


def _lower(schema: Json) -> Json:
    """Google's `STRING` as `string`."""
    fields = {name: {**field, "type": str(field.get("type")).lower()} for name, field in schema.get("properties", {}).items()}
    return {**schema, "properties": fields}


def _result(response: Json) -> str:
    return str(response.get("output") or response.get("result") or orjson.dumps(response).decode())


def call_without_signature(body: Json) -> str | None:
    """The name of the first function call in the history that has no thought signature; None where all have one."""
    for content in body.get("contents", []):
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None and "thoughtSignature" not in first:
            return str(first["functionCall"]["name"])
    return None


def usage(tokens: Tokens | None) -> Json:
    """Gemini's prompt count includes the cached part; its candidates' count does not include the thoughts."""
    if tokens is None:
        return {}
    prompt = tokens.input + tokens.cache_read + tokens.cache_write
    counts = {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": tokens.cache_read,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "thoughtsTokenCount": tokens.reasoning,
        "totalTokenCount": prompt + tokens.output,
    }
    return {"usageMetadata": {name: count for name, count in counts.items() if count}}


def _parts(answer: Answer) -> list[Json]:
    parts: list[Json] = [{"text": answer.thinking, "thought": True}] if answer.thinking else []
    if answer.text:
        parts.append({"text": answer.text})
    for number, call in enumerate(answer.calls):
        part: Json = {"functionCall": {"name": call.name, "args": orjson.loads(call.arguments)}}
        parts.append(part if number else {**part, "thoughtSignature": SIGNATURE})
    return parts


def _about(answer: Answer) -> Json:
    return {"modelVersion": answer.model, "responseId": "resp-1"}


def whole(body: Json, step: Step) -> Json:
    """An answer, or a count of tokens."""
    if body.get("method") == "countTokens":
        return {"totalTokens": step.tokens.input if step.tokens else 0}
    if body.get("method") == "batchEmbedContents":
        return {"embeddings": [{"values": [0.25, 0.5]} for _ in body["requests"]]}
    answer = answer_to(body, step)
    candidate = {"content": {"parts": _parts(answer), "role": "model"}, "finishReason": FINISH[answer.finish], "index": 0}
    return {"candidates": [candidate], **usage(step.tokens), **_about(answer)}


def stream(body: Json, step: Step) -> Frames:
    """A streamed answer: one chunk per word, calls in one piece, the end in a chunk with an empty text."""
    answer = answer_to(body, step)
    pieces: list[Json] = []
    for part in _parts(answer):
        pieces += [{**part, "text": word} for word in split_text(part["text"])] if "text" in part else [part]
    content = [_chunk(answer, piece) for piece in pieces]
    return Frames([], content, [_chunk(answer, {"text": ""}, finishReason=FINISH[answer.finish], usage=usage(step.tokens))])


def _chunk(answer: Answer, part: Json, usage: Json | None = None, **more: Any) -> bytes:
    candidate = {"content": {"parts": [part], "role": "model"}, **more, "index": 0}
    return b"data: " + orjson.dumps({"candidates": [candidate], **(usage or {}), **_about(answer)}) + b"\r\n\r\n"


def error(status: int, message: str, kind: str | None) -> Json:
    """The error body."""
    return {"error": {"code": status, "message": message, "status": kind or STATUSES.get(status, "INTERNAL")}}


def error_frame(step: Step) -> bytes:
    """An error in the middle of a stream."""
    return b"data: " + orjson.dumps(error(503, step.message, step.error_type)) + b"\r\n\r\n"


def models() -> Json:
    """The list of models."""
    return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]} for name in MODELS]}
