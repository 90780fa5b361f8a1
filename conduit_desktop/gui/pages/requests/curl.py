"""A logged request as a curl command; it never contains a credential."""

from __future__ import annotations

import shlex
from typing import Any

import orjson

from conduit_desktop.actions.onboarding.snippets import PLACEHOLDER
from conduit_desktop.actions.schemas.reports import RequestDetailView

_PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
    "ollama": "/api/chat",
}
_ENDPOINTS = {
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "images": "/v1/images/generations",
    "image_edits": "/v1/images/edits",
    "speech": "/v1/audio/speech",
    "transcriptions": "/v1/audio/transcriptions",
    "translations": "/v1/audio/translations",
    "moderations": "/v1/moderations",
    "rerank": "/v1/rerank",
}


def path_of(detail: RequestDetailView) -> str:
    """The path that the client called, with its query."""
    if detail.dialect == "gemini" and detail.endpoint == "chat":
        return f"/v1beta/models/{detail.model}:{'streamGenerateContent?alt=sse' if detail.streamed else 'generateContent'}"
    return _ENDPOINTS.get(detail.endpoint) or _PATHS.get(detail.dialect, "/v1/chat/completions")


def body_of(detail: RequestDetailView) -> Any:
    """The stored body, JSON or text; a short example in place of one that was not stored."""
    if detail.request_payload is not None:
        return detail.request_payload
    # Anthropic Messages requires `max_tokens`; the other APIs accept it.
    return {"model": detail.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 256}


def text_of(body: Any) -> str:
    """A body as it is sent."""
    return body if isinstance(body, str) else orjson.dumps(body).decode()


def as_curl(detail: RequestDetailView, address: str) -> str:
    """The command that repeats the request to `address`; a request without a stored body gets a short example body."""
    parts = [
        # A proxy of the environment usually cannot reach a gateway on the user's own computer.
        f"curl --noproxy '*' {shlex.quote(address + path_of(detail))}",
        f"-H {shlex.quote(f'Authorization: Bearer {PLACEHOLDER}')}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(text_of(body_of(detail)))}",
    ]
    return " \\\n  ".join(parts)
