"""The scripted vendor in Gemini's words: generateContent. From its tool calls on it wants its signatures back."""

from __future__ import annotations

from typing import Any

import orjson

from tests.fakes.script import Step, Tokens
from tests.fakes.vendor_texts import MODELS, Frames, Json, Speech, speech, words

FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP"}
MALFORMED = b'data: {"candidates": [oops\r\n\r\n'
SIGNATURE = "c2lnbmVkIGJ5IHRoZSB2ZW5kb3I="
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


def in_the_path(path: str) -> Json:
    """What a path says and other vendors' bodies do: the model, and whether to stream. Empty for their paths."""
    target, colon, method = path.rpartition(":")
    if not colon or "/models/" not in target:
        return {}
    return {"model": target.rpartition("/models/")[2], "stream": method.startswith("stream"), "method": method}


def said(body: Json, step: Step) -> Speech:
    """Read the request and decide what to say."""
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
    return speech({**body, "max_tokens": limit}, step, results, text, images, tools)


def _schema(declared: Json) -> Json:
    """Google takes both spellings; its SDK for Python sends the second."""
    plain = declared.get("parametersJsonSchema") or declared.get("parameters_json_schema")
    return plain or _lower(declared.get("parameters") or {})


def _lower(schema: Json) -> Json:
    """Google's `STRING` as `string`."""
    fields = {name: {**field, "type": str(field.get("type")).lower()} for name, field in schema.get("properties", {}).items()}
    return {**schema, "properties": fields}


def _result(response: Json) -> str:
    return str(response.get("output") or response.get("result") or orjson.dumps(response).decode())


def unsigned(body: Json) -> str | None:
    """The name of a call of the history that came back without a signature."""
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


def _parts(what: Speech) -> list[Json]:
    parts: list[Json] = [{"text": what.thinking, "thought": True}] if what.thinking else []
    if what.text:
        parts.append({"text": what.text})
    for number, call in enumerate(what.calls):
        part: Json = {"functionCall": {"name": call.name, "args": orjson.loads(call.arguments)}}
        parts.append(part if number else {**part, "thoughtSignature": SIGNATURE})
    return parts


def _about(what: Speech) -> Json:
    return {"modelVersion": what.model, "responseId": "resp-1"}


def whole(body: Json, step: Step) -> Json:
    """An answer, or a count of tokens."""
    if body.get("method") == "countTokens":
        return {"totalTokens": step.tokens.input if step.tokens else 0}
    if body.get("method") == "batchEmbedContents":
        return {"embeddings": [{"values": [0.25, 0.5]} for _ in body["requests"]]}
    what = said(body, step)
    candidate = {"content": {"parts": _parts(what), "role": "model"}, "finishReason": FINISH[what.finish], "index": 0}
    return {"candidates": [candidate], **usage(step.tokens), **_about(what)}


def stream(body: Json, step: Step) -> Frames:
    """A streamed answer: a chunk a word, calls whole, the end in a chunk with an empty text."""
    what = said(body, step)
    pieces: list[Json] = []
    for part in _parts(what):
        pieces += [{**part, "text": word} for word in words(part["text"])] if "text" in part else [part]
    content = [_chunk(what, piece) for piece in pieces]
    return Frames([], content, [_chunk(what, {"text": ""}, finishReason=FINISH[what.finish], usage=usage(step.tokens))])


def _chunk(what: Speech, part: Json, usage: Json | None = None, **more: Any) -> bytes:
    candidate = {"content": {"parts": [part], "role": "model"}, **more, "index": 0}
    return b"data: " + orjson.dumps({"candidates": [candidate], **(usage or {}), **_about(what)}) + b"\r\n\r\n"


def error(status: int, message: str, kind: str | None) -> Json:
    """The error body."""
    return {"error": {"code": status, "message": message, "status": kind or STATUSES.get(status, "INTERNAL")}}


def error_frame(step: Step) -> bytes:
    """An error in the middle of a stream."""
    return b"data: " + orjson.dumps(error(503, step.message, step.error_type)) + b"\r\n\r\n"


def models() -> Json:
    """The list of models."""
    return {"models": [{"name": f"models/{name}", "supportedGenerationMethods": ["generateContent"]} for name in MODELS]}
