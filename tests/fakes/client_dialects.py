"""The five dialects of the client API as a client uses them: path, request body, and the markers of a stream's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class ClientDialect:
    """Path, a function from a text to a request body, and the bytes that mark a stream's success or error."""

    path: str
    body: Callable[[str], Body]
    success_marks: tuple[bytes, ...]
    error_marks: tuple[bytes, ...]
    streamed_path: str = ""
    """The path of streams where it differs; then the body contains neither `model` nor `stream`."""

    def request(self, model: str, text: str, stream: bool, **fields: Any) -> tuple[str, Body]:
        """Path and body of one request."""
        body = self.body(text) | fields
        if self.streamed_path:
            return (self.streamed_path if stream else self.path).format(model=model), body
        return self.path, {"model": model, "stream": stream, **body}


def _messages(text: str) -> Body:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 500}


def _input(text: str) -> Body:
    return {"input": text, "max_output_tokens": 500}


def _contents(text: str) -> Body:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


CLIENT_DIALECTS = {
    "openai": ClientDialect("/v1/chat/completions", _messages, (b"data: [DONE]",), (b'{"error":',)),
    "anthropic": ClientDialect("/v1/messages", _messages, (b'"message_stop"',), (b"event: error",)),
    "responses": ClientDialect(
        "/v1/responses", _input, (b'"type":"response.completed"', b'"type":"response.incomplete"'),
        (b'"type":"response.failed"', b'"type":"error"'),
    ),
    "gemini": ClientDialect(
        "/v1beta/models/{model}:generateContent", _contents, (b'"finishReason"',), (b'{"error":',),
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    ),
    "ollama": ClientDialect("/api/chat", _messages, (b'"done":true',), (b'{"error":',)),
}  # fmt: skip
