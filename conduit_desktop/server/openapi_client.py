"""The client API's paths for `/openapi.json`: what each needs; every further field of the vendor's API is taken as well."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 512, "description": "An alias, or `provider/model`."}
_FLAG: Json = {"type": "boolean"}
_COUNT: Json = {"type": "integer", "minimum": 1}
_ANY: Json = {"type": "object"}


def _list(items: Json) -> Json:
    return {"type": "array", "minItems": 1, "items": items}


def _of(required: tuple[str, ...], **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": True}


_MESSAGE = _of(("role", "content"), role=_TEXT, content={})
_MESSAGES = _list(_MESSAGE)
# OpenAPI 3.1 describes files with JSON Schema's `contentMediaType`, no longer with `format: binary`.
_FILE: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
_DOCUMENTS = _list({"anyOf": [_TEXT, _of(("text",), text=_TEXT)]})
_CONTENTS = _list(_of(("parts",), role=_TEXT, parts=_list(_ANY)))

ERRORS: dict[str, Json] = {
    "OpenAIError": _of(("error",), error=_of(("message", "type"), message=_TEXT, type=_TEXT)),
    "AnthropicError": _of(("type", "error"), type={"const": "error"}, error=_of(("type", "message"), type=_TEXT, message=_TEXT)),
    "GeminiError": _of(("error",), error=_of(("code", "message", "status"), code={"type": "integer"}, message=_TEXT, status=_TEXT)),
    "OllamaError": _of(("error",), error=_TEXT),
    "CohereError": _of(("message",), message=_TEXT),
}
_ERROR_OF = {
    "OpenAI": "OpenAIError", "Anthropic": "AnthropicError", "Gemini": "GeminiError", "Ollama": "OllamaError",
    "Cohere": "CohereError",
}  # fmt: skip


def _post(tag: str, summary: str, body: Json, *, answer: str = "application/json", form: Json | None = None) -> Json:
    content: Json = {} if form is not None and not body else {"application/json": {"schema": body}}
    if form is not None:
        content["multipart/form-data"] = {"schema": form}
    return {
        "post": {
            "tags": [tag], "summary": summary, "security": [{"key": []}],
            "requestBody": {"required": True, "content": content},
            "responses": _responses(tag, answer),
        }
    }  # fmt: skip


def _get(tag: str, summary: str, *, open_to_all: bool = False, answer: str = "application/json") -> Json:
    security: list[Json] = [] if open_to_all else [{"key": []}]
    return {"get": {"tags": [tag], "summary": summary, "security": security, "responses": _responses(tag, answer)}}


def _responses(tag: str, answer: str) -> Json:
    error = {"$ref": f"#/components/schemas/{_ERROR_OF.get(tag, 'OpenAIError')}"}
    refused = {"description": "Refused", "content": {"application/json": {"schema": error}}}
    return {"200": {"description": "The answer", "content": {answer: {"schema": {}}}}, "4XX": refused, "5XX": refused}


def _with_parameters(path: str, item: Json) -> Json:
    """The names in the path, declared for each of its methods."""
    names = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in re.findall(r"\{(\w+)\}", path)]
    return {**item, **({"parameters": names} if names else {})}


_GENERATE = _of(("contents",), contents=_CONTENTS, generationConfig=_ANY)
_SOUND = _of(("file", "model"), file=_FILE, model=_NAME, language=_TEXT, response_format=_TEXT)
_EDIT = _of(("image", "prompt", "model"), image=_FILE, prompt=_TEXT, model=_NAME)

_PATHS: dict[str, Json] = {
    "/v1/chat/completions": _post(
        "OpenAI", "Chat", _of(("model", "messages"), model=_NAME, messages=_MESSAGES, stream=_FLAG, max_tokens=_COUNT)
    ),
    "/v1/completions": _post("OpenAI", "Legacy completion", _of(("model", "prompt"), model=_NAME, prompt=_TEXT, stream=_FLAG)),
    "/v1/responses": {
        **_post("OpenAI", "Response", _of(("model", "input"), model=_NAME, input={}, stream=_FLAG)),
        **_get("OpenAI", "Responses over a WebSocket"),
    },
    "/v1/responses/input_tokens": _post("OpenAI", "Count a response's input tokens", _of(("model",), model=_NAME, input={})),
    "/v1/responses/compact": _post("OpenAI", "Compact a conversation", _of(("model", "input"), model=_NAME, input={})),
    "/v1/responses/{id}/input_items": _get("OpenAI", "What a stored response was made from"),
    "/v1/responses/{id}/cancel": {"post": {**_get("OpenAI", "Cancel a response in the background")["get"]}},
    "/v1/responses/{id}": {
        **_get("OpenAI", "A stored response"),
        "delete": {**_get("OpenAI", "Delete a stored response")["get"]},
    },
    "/v1/embeddings": _post(
        "OpenAI", "Embeddings",
        _of(("model", "input"), model=_NAME, input={"anyOf": [_TEXT, _list(_TEXT), _list({"type": "integer"})]},
            encoding_format={"enum": ["float", "base64"]}, dimensions=_COUNT),
    ),
    "/v1/images/generations": _post("OpenAI", "Generate images", _of(("model", "prompt"), model=_NAME, prompt=_TEXT, n=_COUNT)),
    "/v1/images/edits": _post("OpenAI", "Edit images", _of(("model", "prompt"), model=_NAME, prompt=_TEXT), form=_EDIT),
    "/v1/audio/speech": _post(
        "OpenAI", "Generate speech", _of(("model", "input", "voice"), model=_NAME, input=_TEXT, voice=_TEXT), answer="audio/mpeg"
    ),
    "/v1/audio/transcriptions": _post("OpenAI", "Transcribe speech", {}, form=_SOUND),
    "/v1/audio/translations": _post("OpenAI", "Transcribe speech, translated to English", {}, form=_SOUND),
    "/v1/moderations": _post("OpenAI", "Moderate", _of(("input",), model=_NAME, input={"anyOf": [_TEXT, _list(_TEXT)]})),
    "/v1/rerank": _post(
        "OpenAI", "Rank documents (Cohere's and Jina's shape)",
        _of(("model", "query", "documents"), model=_NAME, query=_TEXT, documents=_DOCUMENTS, top_n=_COUNT, return_documents=_FLAG),
    ),
    "/v1/models": _get("OpenAI", "The models this key may call; in Anthropic's or Gemini's shape by header"),
    "/v1/models/{id}": _get("OpenAI", "One model"),
    "/v1/messages": _post(
        "Anthropic", "Message",
        _of(("model", "messages", "max_tokens"), model=_NAME, messages=_MESSAGES, max_tokens=_COUNT, stream=_FLAG),
    ),
    "/v1/messages/count_tokens": _post(
        "Anthropic", "Count a message's tokens; an estimate says so in x-conduit-token-count",
        _of(("model", "messages"), model=_NAME, messages=_MESSAGES),
    ),
    "/v1beta/models": _get("Gemini", "The models this key may call"),
    "/v1beta/models/{model}:generateContent": _post("Gemini", "Generate", _GENERATE),
    "/v1beta/models/{model}:streamGenerateContent": _post("Gemini", "Generate, streamed", _GENERATE),
    "/v1beta/models/{model}:countTokens": _post("Gemini", "Count tokens", _GENERATE),
    "/v1beta/models/{model}:embedContent": _post(
        "Gemini", "Embedding", _of(("content",), content=_of(("parts",), parts=_list(_of(("text",), text=_TEXT))))
    ),
    "/v1beta/models/{model}:batchEmbedContents": _post("Gemini", "Embeddings", _of(("requests",), requests=_list(_ANY))),
    "/api/chat": _post("Ollama", "Chat", _of(("model", "messages"), model=_NAME, messages=_MESSAGES, stream=_FLAG)),
    "/api/generate": _post("Ollama", "Generate", _of(("model", "prompt"), model=_NAME, prompt=_TEXT, stream=_FLAG)),
    "/api/embed": _post("Ollama", "Embeddings", _of(("model", "input"), model=_NAME, input={"anyOf": [_TEXT, _list(_TEXT)]})),
    "/api/show": _post("Ollama", "What a model can do", _of(("model",), model=_NAME)),
    "/api/tags": _get("Ollama", "The models this key may call"),
    "/api/ps": _get("Ollama", "The same: models here need no loading"),
    "/v2/chat": _post("Cohere", "Chat", _of(("model", "messages"), model=_NAME, messages=_MESSAGES, stream=_FLAG)),
    "/v2/embed": _post("Cohere", "Embeddings", _of(("model",), model=_NAME, texts=_list(_TEXT), input_type=_TEXT)),
    "/v2/rerank": _post(
        "Cohere", "Rank documents",
        _of(("model", "query", "documents"), model=_NAME, query=_TEXT, documents=_DOCUMENTS, top_n=_COUNT),
    ),
    "/api/version": _get("Ollama", "The version of Ollama whose API this is", open_to_all=True),
    "/": _get("Gateway", "Its name and version", open_to_all=True),
    "/health": _get("Gateway", "Whether it is up", open_to_all=True),
    "/health/ready": _get("Gateway", "Whether it can record what it answers", open_to_all=True),
    "/metrics": _get("Gateway", "Prometheus metrics, here or with the master key", open_to_all=True, answer="text/plain"),
    "/openapi.json": _get("Gateway", "This description", open_to_all=True),
    "/docs": _get("Gateway", "This description as a page", open_to_all=True, answer="text/html"),
}  # fmt: skip

CLIENT_PATHS: dict[str, Json] = {path: _with_parameters(path, item) for path, item in _PATHS.items()}
