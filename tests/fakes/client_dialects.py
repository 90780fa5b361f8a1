"""How a client speaks each dialect that is spoken to the gateway: where it asks, what it sends, and how a stream ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Speech:
    """Paths, the body for a text, and the marks of a stream's good and bad end."""

    path: str
    body: Callable[[str], Body]
    well: tuple[bytes, ...]
    ill: tuple[bytes, ...]
    streamed_path: str = ""
    """Where it is not the same, and the body says neither model nor mode."""

    def asked(self, model: str, text: str, stream: bool, **fields: Any) -> tuple[str, Body]:
        """Path and body of a call."""
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


SPEECHES = {
    "openai": Speech("/v1/chat/completions", _messages, (b"data: [DONE]",), (b'{"error":',)),
    "anthropic": Speech("/v1/messages", _messages, (b'"message_stop"',), (b"event: error",)),
    "responses": Speech(
        "/v1/responses", _input, (b'"type":"response.completed"', b'"type":"response.incomplete"'),
        (b'"type":"response.failed"', b'"type":"error"'),
    ),
    "gemini": Speech(
        "/v1beta/models/{model}:generateContent", _contents, (b'"finishReason"',), (b'{"error":',),
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    ),
    "ollama": Speech("/api/chat", _messages, (b'"done":true',), (b'{"error":',)),
}  # fmt: skip
